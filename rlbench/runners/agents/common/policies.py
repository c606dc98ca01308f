"""Gaussian policies, squashed by tanh into (-1, 1), and the actions of a space."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import TaskInfo

_LOG_2 = math.log(2.0)
_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
_EDGE = 1.0 - 1e-6  # logged actions at the bounds would have infinite inverse


class Gaussian(NamedTuple):
    """Normal distributions before tanh.

    Attributes:
        mean: (..., d)
        log_deviation: (..., d)
    """

    mean: Tensor
    log_deviation: Tensor


def gaussian(
    output: Tensor, low: float = -20.0, high: float = 2.0, *, squashed: bool = False
) -> Gaussian:
    """Return what the (..., 2 d) output of a network says of the (..., d) distributions.

    Args:
        output: Means, then the logarithms of the standard deviations.
        low: The least logarithm.
        high: The largest.
        squashed: The logarithms are brought between the two by tanh, not clamped.
    """
    mean, raw = output.chunk(2, -1)
    if squashed:
        return Gaussian(mean, low + 0.5 * (high - low) * (torch.tanh(raw) + 1.0))
    return Gaussian(mean, raw.clamp(low, high))


def squash(policy: Gaussian, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return actions and the logarithms of their densities.

    The density is that of Haarnoja et al. 2018 (arXiv 1812.05905), appendix C, eq. 26, with
    log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2 u)).

    Args:
        policy: (..., d)
        noise: (..., d) Standard normal.

    Returns:
        (..., d) actions in (-1, 1), (...) logarithms.
    """
    inner = policy.mean + policy.log_deviation.exp() * noise
    return torch.tanh(inner), _log_density(noise, policy.log_deviation, inner)


def log_density(policy: Gaussian, action: Tensor) -> Tensor:
    """Return the (...) logarithms of the densities of (..., d) actions in [-1, 1].

    Those within 1e-6 of a bound count as if they were 1e-6 away from it.
    """
    inner = torch.atanh(action.clamp(-_EDGE, _EDGE))
    noise = (inner - policy.mean) * (-policy.log_deviation).exp()
    return _log_density(noise, policy.log_deviation, inner)


def _log_density(noise: Tensor, log_deviation: Tensor, inner: Tensor) -> Tensor:
    bent = 2.0 * (_LOG_2 - inner - softplus(-2.0 * inner))
    return (-0.5 * noise.square() - log_deviation - _HALF_LOG_2_PI - bent).sum(-1)


class Actions:
    """The actions of a bounded box, as networks see them: flat, in [-1, 1].

    Args:
        space: The task's.
        agent: What messages call the agent.

    Attributes:
        size: Numbers in an action.

    Raises:
        UsageError: The space is no bounded box.
    """

    def __init__(self, space: Space[Any], agent: str) -> None:
        if not isinstance(space, Box) or not space.is_bounded("both"):
            raise UsageError(f"the agent {agent} needs actions in a bounded box, not {space}")
        self._space = space
        self.size = int(np.prod(space.shape))
        self._middle = (space.high.astype(np.float64) + space.low) / 2.0
        self._half = (space.high.astype(np.float64) - space.low) / 2.0

    def inner(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        """Return (n, ...) actions of the space as (n, size) in [-1, 1]."""
        scaled = (actions - self._middle) / self._half
        return scaled.reshape(len(actions), self.size).astype(np.float32)

    def outer(self, actions: NDArray[np.float32]) -> NDArray[Any]:
        """Return (n, size) in [-1, 1] as (n, ...) actions of the space."""
        shaped = actions.reshape(len(actions), *self._space.shape)
        scaled = self._middle + self._half * shaped
        return np.clip(scaled, self._space.low, self._space.high).astype(self._space.dtype)


def observation_size(task: TaskInfo, agent: str) -> int:
    """Return the numbers in an observation.

    Raises:
        UsageError: It is no vector.
    """
    space = task.observation_space
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise UsageError(f"the agent {agent} needs observations that are vectors, not {space}")
    return space.shape[0]
