"""The agent that does nothing."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import AgentPhase, Bools, TaskInfo

__version__ = "1"


class NoopAgent:
    """Choose the first discrete action (on Atari: no-op) or the continuous action 0."""

    def __init__(self, task: TaskInfo) -> None:
        space = task.action_space
        if isinstance(space, Discrete):
            self._action: NDArray[Any] = np.asarray(space.start, dtype=np.int64)
        elif isinstance(space, Box):
            zeros = np.zeros(space.shape, dtype=space.dtype)
            self._action = np.clip(zeros, space.low, space.high)
        else:
            raise UsageError(f"the noop agent knows no action that does nothing in {space}")

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Return (n, ...) actions, all alike."""
        return np.repeat(self._action[None], len(first), axis=0)


def make(task: TaskInfo, *, seed: int, device: str) -> NoopAgent:
    """Make the agent; it draws nothing and uses no device."""
    return NoopAgent(task)
