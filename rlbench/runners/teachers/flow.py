"""An invertible network from standard normal draws to tasks, given how feasible they are to be.

A real NVP (Dinh et al. 2017, arXiv:1605.08803) with the changes of Racanière et al. 2020
(arXiv:1909.12892), in float64.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from rlbench.runners.teachers.networks import linear

_BLOCKS = 3  # of three couplings each
_GATES = 3  # of a highway network
_LEAST_SCALE = 0.01
_FAR = 1e6  # where arguments of the scale are bent


def scale_of(x: torch.Tensor) -> torch.Tensor:
    """Return what is about x where x is large, and about 1 / (3 pi x^2) where it is far below 0."""
    x = 2 * _FAR / torch.pi * torch.atan(torch.pi * x / (2 * _FAR))
    far = x.clamp(max=-30.0)  # there the formula below is inexact
    near = x * (torch.atan(x) / torch.pi + 0.5) + 1 / torch.pi
    return _LEAST_SCALE + torch.where(x < -30.0, 1 / (3 * torch.pi * far**2), near)


class Highway:
    """A highway network (Zilly et al. 2017, arXiv:1607.03474).

    Args:
        random: Of its weights.
        inputs: Its inputs.
        hidden: The width of its gated layers.
        outputs: Its outputs.
    """

    def __init__(self, random: np.random.Generator, inputs: int, hidden: int, outputs: int) -> None:
        sizes = [(inputs, hidden), *[(hidden, 2 * hidden)] * _GATES, (hidden, outputs)]
        self.layers = nn.ModuleList([linear(random, *size, torch.float64) for size in sizes])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, outputs)."""
        y = torch.tanh(self.layers[0](x))
        for layer in self.layers[1:-1]:
            new, gate = layer(y).chunk(2, dim=1)
            y = y + (torch.tanh(new) - y) * torch.sigmoid(gate)
        outputs: torch.Tensor = self.layers[-1](y)
        return outputs


class Coupling:
    """Scales and moves some numbers of a vector by what the others say.

    Args:
        random: Of its weights.
        kept: Numbers of those that stay.
        moved: Numbers of the others.
        hidden: The width of its networks.
    """

    def __init__(
        self, random: np.random.Generator, kept: list[int], moved: list[int], hidden: int
    ) -> None:
        self._kept, self._moved = kept, moved
        self._order = np.argsort(kept + moved).tolist()
        self._scale, self._shift = (
            Highway(random, len(kept) + 1, hidden, len(moved)) for _ in range(2)
        )
        self.layers = [self._scale.layers, self._shift.layers]

    def __call__(
        self, z: torch.Tensor, condition: torch.Tensor, *, inverse: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (n, d) vectors, and (n,) the logarithm of the scale's determinant."""
        kept, moved = z[:, self._kept], z[:, self._moved]
        told = torch.cat([kept, condition], dim=1)
        scale, shift = scale_of(self._scale(told)), self._shift(told)
        moved = (moved - shift) / scale if inverse else moved * scale + shift
        return torch.cat([kept, moved], dim=1)[:, self._order], torch.log(scale).sum(dim=1)


class Flow:
    """Maps (n, d) draws of a standard normal to tasks in [0, 1]^d, and back.

    Args:
        dimensions: d
        hidden: The width of its networks.
        random: Of its weights.

    Attributes:
        layers: All of them.
    """

    def __init__(self, dimensions: int, hidden: int, random: np.random.Generator) -> None:
        every = list(range(dimensions))
        left, right = every[: dimensions // 2], every[dimensions // 2 :]
        cuts = [(left, right), (right, left), (every[1::2], every[::2])] * _BLOCKS
        self._couplings = [Coupling(random, kept, moved, hidden) for kept, moved in cuts if moved]
        self.layers = nn.ModuleList([layers for c in self._couplings for layers in c.layers])

    def sample(
        self, latent: torch.Tensor, condition: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the (n, d) tasks of draws, and the (n,) logarithms of their density.

        Args:
            latent: (n, d) Draws.
            condition: (n, 1)
        """
        z, log_density = latent, -0.5 * (latent**2).sum(dim=1)
        for coupling in self._couplings:
            z, log_scale = coupling(z, condition)
            log_density = log_density - log_scale
        return torch.sigmoid(z), log_density - _log_slope(z)

    def log_density(self, tasks: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Return the (n,) logarithms of the density of (n, d) tasks in (0, 1), up to a constant."""
        z = torch.logit(tasks)
        log_density = -_log_slope(z)
        for coupling in reversed(self._couplings):
            z, log_scale = coupling(z, condition, inverse=True)
            log_density = log_density - log_scale
        return log_density - 0.5 * (z**2).sum(dim=1)


def _log_slope(z: torch.Tensor) -> Any:
    """Return (n,) the logarithm of the determinant of the sigmoid's derivative."""
    return (functional.logsigmoid(z) + functional.logsigmoid(-z)).sum(dim=1)
