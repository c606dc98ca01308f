"""Choosing a policy by the validation data: one rule for all agents that learn from a dataset."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from rlbench.runners.agents.common.networks import Layers, Network, Numbers, Target, members


class Best:
    """The policy of each seed that came closest to the logged actions of the validation data.

    The error is the mean squared difference between the actions that a policy takes in evaluation
    and the logged ones, both in [-1, 1], over all validation transitions. NeoRL-2 keeps its
    imitators by it (Gao et al. 2025, arXiv 2503.19267).

    Args:
        actor: The network of the policy.
        act: From layers of S policies and (S, m, o) observations to (S, m, a) actions.
        generators: One a seed; none is drawn from.

    Attributes:
        parts: What is kept for each seed.
    """

    def __init__(
        self,
        actor: Network,
        act: Callable[[Layers, Tensor], Tensor],
        generators: Sequence[Generator],
    ) -> None:
        self._actor, self._act = actor, act
        self._kept, self._error = Target(actor), Numbers(math.inf, generators)
        self._logged: tuple[Tensor, Tensor] | None = None
        self.parts: dict[str, Target | Numbers] = {"best": self._kept, "error": self._error}

    def see(self, obs: Tensor, action: Tensor) -> None:
        """Take in the (m, o) observations and (m, a) actions of the validation data."""
        self._logged = obs, action

    def look(self) -> None:
        """Keep the policies with a smaller error than any before."""
        if self._logged is None:
            return
        obs, action = self._logged
        for seed in range(len(self._error.flat)):
            layers = members(self._actor.still, slice(seed, seed + 1))
            with torch.no_grad():
                error = (self._act(layers, obs[None])[0] - action).square().mean()
            if error < self._error.flat[seed]:
                self._error.flat[seed] = error
                now = self._actor.of_seed(seed)  # its parameters, then Adam's moments
                for best, value in zip(self._kept.of_seed(seed), now, strict=False):
                    best.copy_(value)

    def layers(self, seed: int) -> Layers | None:
        """Return those of the policy that was kept for a seed, by its place; None before any."""
        if not self._error.flat[seed].isfinite():
            return None
        return members(self._kept.still, slice(seed, seed + 1))
