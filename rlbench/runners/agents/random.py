"""The agent that draws its actions uniformly."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import AgentPhase, Bools, TaskInfo

__version__ = "1"


class RandomAgent:
    """Draw actions uniformly from a discrete or bounded space; one generator a phase."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        space = task.action_space
        if not isinstance(space, Discrete) and not (
            isinstance(space, Box) and space.is_bounded("both")
        ):
            raise UsageError(f"the random agent cannot draw uniformly from {space}")
        self._space: Discrete | Box = space
        self._generators = {
            phase: np.random.default_rng((seed, k)) for k, phase in enumerate(("train", "eval"))
        }

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Draw (n, ...) actions."""
        generator, space = self._generators[phase], self._space
        if isinstance(space, Discrete):
            return space.start + generator.integers(space.n, size=len(first))
        actions = generator.uniform(space.low, space.high, size=(len(first), *space.shape))
        return actions.astype(space.dtype)


def make(task: TaskInfo, *, seed: int, device: str) -> RandomAgent:
    """Make the agent; it uses no device."""
    return RandomAgent(task, seed)
