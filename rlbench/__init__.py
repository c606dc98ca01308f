"""rlbench: fixed protocols, kept records and sound statistics for reinforcement learning.

The names here are all that a script or a notebook needs. Importing `rlbench` imports nothing else:
each name is imported when it is used. The parts below are `rlbench.suites` (what is run),
`rlbench.runners` (who runs it), `rlbench.results` (what is kept), `rlbench.stats` (what it means)
and `rlbench.leaderboard` (how it is shown).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlbench._version import __version__

if TYPE_CHECKING:
    from rlbench import suites
    from rlbench.api.answers import Answer
    from rlbench.api.checking import check
    from rlbench.api.deciding import decide, duel, study
    from rlbench.api.loading import Results, compare, figure, load
    from rlbench.api.runs import evaluate, run
    from rlbench.api.sites import build_leaderboard
    from rlbench.errors import RLBenchError
    from rlbench.runners import TaskInfo, Transitions

__all__ = [
    "Answer",
    "RLBenchError",
    "Results",
    "TaskInfo",
    "Transitions",
    "__version__",
    "build_leaderboard",
    "check",
    "compare",
    "decide",
    "duel",
    "evaluate",
    "figure",
    "load",
    "run",
    "study",
    "suites",
]

_WHERE = {
    "Answer": "rlbench.api.answers",
    "RLBenchError": "rlbench.errors",
    "Results": "rlbench.api.loading",
    "TaskInfo": "rlbench.runners",
    "Transitions": "rlbench.runners",
    "build_leaderboard": "rlbench.api.sites",
    "check": "rlbench.api.checking",
    "compare": "rlbench.api.loading",
    "decide": "rlbench.api.deciding",
    "duel": "rlbench.api.deciding",
    "evaluate": "rlbench.api.runs",
    "figure": "rlbench.api.loading",
    "load": "rlbench.api.loading",
    "run": "rlbench.api.runs",
    "study": "rlbench.api.deciding",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _WHERE:
        value = getattr(import_module(_WHERE[name]), name)
    elif name == "suites":
        value = import_module("rlbench.suites")
    else:
        raise AttributeError(f"module 'rlbench' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
