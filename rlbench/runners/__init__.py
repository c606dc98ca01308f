"""Who runs it: agents, the metered environment, the loops, workers and backends."""

from rlbench.runners.agent import Agent, AgentFactory, TaskInfo, Transitions, load_factory, resolve
from rlbench.runners.evaluation import evaluate
from rlbench.runners.local import Event, Limits, run_all
from rlbench.runners.meter import MeteredEnv
from rlbench.runners.online import Progress, run_online
from rlbench.runners.run import Run, identities

__all__ = [
    "Agent",
    "AgentFactory",
    "Event",
    "Limits",
    "MeteredEnv",
    "Progress",
    "Run",
    "TaskInfo",
    "Transitions",
    "evaluate",
    "identities",
    "load_factory",
    "resolve",
    "run_all",
    "run_online",
]
