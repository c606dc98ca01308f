"""Who runs it: agents, the metered environment, the loops, workers and backends."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    TaskInfo,
    Transitions,
    load_factory,
    resolve,
)
from rlbench.runners.agents.resolving import Recipe, Resolved
from rlbench.runners.backends.backend import Event, Limits, Slot
from rlbench.runners.backends.supervision import run_all
from rlbench.runners.progress import Progress
from rlbench.runners.run import Run
from rlbench.runners.teachers.teacher import Teacher, resolve_teacher

if TYPE_CHECKING:
    from rlbench.runners.loops.evaluation import evaluate
    from rlbench.runners.loops.meter import MeteredEnv
    from rlbench.runners.loops.offline import run_offline
    from rlbench.runners.loops.online import run_online

__all__ = [
    "Agent",
    "AgentFactory",
    "Event",
    "Limits",
    "MeteredEnv",
    "Progress",
    "Recipe",
    "Resolved",
    "Run",
    "Slot",
    "TaskInfo",
    "Teacher",
    "Transitions",
    "evaluate",
    "load_factory",
    "resolve",
    "resolve_teacher",
    "run_all",
    "run_offline",
    "run_online",
]

_LOOPS = {
    "MeteredEnv": "meter",
    "evaluate": "evaluation",
    "run_offline": "offline",
    "run_online": "online",
}


def __getattr__(name: str) -> Any:
    """Import a loop when it is asked for: only workers need it, and it imports gymnasium."""
    if name not in _LOOPS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"rlbench.runners.loops.{_LOOPS[name]}"), name)
