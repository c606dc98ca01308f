"""Who runs it: agents, the metered environment, the loops, workers and backends."""

from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    TaskInfo,
    Transitions,
    load_factory,
    resolve,
)
from rlbench.runners.agents.resolving import Recipe, Resolved
from rlbench.runners.local import Event, Limits, Slot, run_all
from rlbench.runners.loops.evaluation import evaluate
from rlbench.runners.loops.meter import MeteredEnv
from rlbench.runners.loops.offline import run_offline
from rlbench.runners.loops.online import run_online
from rlbench.runners.progress import Progress
from rlbench.runners.run import Run, identities
from rlbench.runners.teachers.teacher import Teacher, resolve_teacher

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
    "identities",
    "load_factory",
    "resolve",
    "resolve_teacher",
    "run_all",
    "run_offline",
    "run_online",
]
