"""Behavioural cloning: a squashed Gaussian policy of the largest likelihood of the logged actions.

As in NeoRL-2 (Gao et al. 2025, arXiv 2503.19267), the policy that counts is the one with the least
squared error on the validation data, among those after every 1,000 updates.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from rlbench.runners.agents.common.batches import Batch
from rlbench.runners.agents.common.networks import MLP, Layers, Network, Numbers, Target, members
from rlbench.runners.agents.common.offline import Options, Part, factory, group_factory
from rlbench.runners.agents.common.policies import Gaussian, gaussian, log_density

__version__ = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BCOptions(Options):
    """The options; the defaults are from the middle of NeoRL-2's grid.

    Attributes:
        rate: Adam's step size.
        choose: The policy is chosen by the validation data; else the last one counts.
        choose_every: Updates between two looks at the validation data.
    """

    rate: float = 5e-4
    choose: bool = True
    choose_every: int = 1000


class BC:
    """The learner of S seeds."""

    def __init__(
        self, obs: int, action: int, generators: list[Generator], options: BCOptions
    ) -> None:
        self._options = options
        sizes = (obs, *(options.units,) * options.layers, 2 * action)
        self._actor = Network(MLP(sizes=sizes), generators, rate=options.rate)
        self._best, self._error = Target(self._actor), Numbers(torch.inf, generators)
        self._logged: tuple[Tensor, Tensor] | None = None
        self.parts: dict[str, Part] = {
            "actor": self._actor,
            "best": self._best,
            "error": self._error,
        }

    def see(self, obs: Tensor, action: Tensor) -> None:
        """Take in the validation data."""
        self._logged = obs, action

    def update(self, batch: Batch, number: int) -> None:
        """Update the policy, and now and then look whether it is the best so far."""
        loss = imitation_loss(self._policy(self._actor.layers(), batch.obs), batch.action)
        self._actor.descend(loss, number)
        if self._options.choose and number % self._options.choose_every == 0:
            with torch.no_grad():
                self._choose()

    def _choose(self) -> None:
        """Keep the policies with a lower error on the validation data than any before."""
        if self._logged is None:
            return
        obs, action = self._logged
        for seed in range(len(self._error.flat)):
            policy = self._policy(members(self._actor.still, slice(seed, seed + 1)), obs[None])
            error = (torch.tanh(policy.mean[0]) - action).square().mean()
            if error < self._error.flat[seed]:
                self._error.flat[seed] = error
                for best, now in zip(
                    self._best.of_seed(seed), self._actor.of_seed(seed), strict=False
                ):
                    best.copy_(now)

    def act(self, obs: Tensor, seed: int) -> Tensor:
        """Return the means of the best policy, squashed."""
        was_chosen = bool(self._error.flat[seed].isfinite())
        layers = self._best.still if was_chosen else self._actor.still
        return torch.tanh(self._policy(members(layers, slice(seed, seed + 1)), obs[None]).mean)[0]

    def _policy(self, layers: Layers, obs: Tensor) -> Gaussian:
        return gaussian(self._actor.shape(layers, obs))


def imitation_loss(policy: Gaussian, logged: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of (S, n, a) logged actions, summed over seeds."""
    return -log_density(policy, logged).mean(-1).sum()


make_group = group_factory("bc", BC, BCOptions)
make = factory(make_group, BCOptions)
