"""What an offline suite gives an agent to learn from."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment

if TYPE_CHECKING:
    from gymnasium.spaces import Space

RewardFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[np.float64]]
TerminalFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Logged transitions, episode after episode, in their original order.

    The arrays cannot be written to.

    Attributes:
        obs: (N, ...) What the actions answered.
        action: (N, ...) The actions.
        reward: (N,) Raw rewards, float64.
        next_obs: (N, ...) What followed; at an episode's end the true final observation.
        terminated: (N,) The episode ended in a terminal state.
        truncated: (N,) The episode was cut off.
        first: (N,) `obs` opened an episode.
    """

    obs: NDArray[Any]
    action: NDArray[Any]
    reward: NDArray[np.float64]
    next_obs: NDArray[Any]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    first: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if len(array) != len(self.obs):
                raise InvalidEnvironment(
                    f"the dataset has {len(array)} of {field.name}, but {len(self.obs)} of obs"
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InvalidEnvironment(f"the dataset's {field.name} is not finite everywhere")
            array.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of transitions."""
        return len(self.obs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The data that an offline agent learns from, and everything it knows about the task.

    Attributes:
        train: To learn from.
        validation: To choose by.
        observation_space: Of one environment.
        action_space: Of one environment.
        reward: From (n, ...) obs, action and next_obs to (n,) rewards, where the task says what
            its rewards are; for agents that learn a model.
        terminal: From the same to (n,) whether the episode terminates.
    """

    train: Episodes
    validation: Episodes
    observation_space: "Space[Any]"
    action_space: "Space[Any]"
    reward: RewardFunction | None = None
    terminal: TerminalFunction | None = None
