"""Behavioural cloning: a squashed Gaussian policy of the largest likelihood of the logged actions.

As in NeoRL-2 (Gao et al. 2025, arXiv 2503.19267), the policy that counts is the one with the least
squared error on the validation data, among those after every 1,000 updates.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from rlbench.runners.agents.common.batches import Batch
from rlbench.runners.agents.common.networks import MLP, Layers, Network
from rlbench.runners.agents.common.offline import Options, Part, factory, group_factory
from rlbench.runners.agents.common.policies import Gaussian, gaussian, log_density

__version__ = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BCOptions(Options):
    """The options; the defaults are from the middle of NeoRL-2's grid.

    Attributes:
        rate: Adam's step size.
        choose: See `Options`.
    """

    rate: float = 5e-4
    choose: bool = True


class BC:
    """The learner of S seeds."""

    def __init__(
        self, obs: int, action: int, generators: list[Generator], options: BCOptions
    ) -> None:
        sizes = (obs, *(options.units,) * options.layers, 2 * action)
        self.actor = Network(MLP(sizes=sizes), generators, rate=options.rate)
        self.parts: dict[str, Part] = {"actor": self.actor}

    def update(self, batch: Batch, number: int) -> None:
        """Update the policy."""
        loss = imitation_loss(self._policy(self.actor.layers(), batch.obs), batch.action)
        self.actor.descend(loss, number)

    def act(self, layers: Layers, obs: Tensor) -> Tensor:
        """Return the means of the policy, squashed."""
        return torch.tanh(self._policy(layers, obs).mean)

    def _policy(self, layers: Layers, obs: Tensor) -> Gaussian:
        return gaussian(self.actor.shape(layers, obs))


def imitation_loss(policy: Gaussian, logged: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of (S, n, a) logged actions, summed over seeds."""
    return -log_density(policy, logged).mean(-1).sum()


make_group = group_factory("bc", BC, BCOptions)
make = factory(make_group, BCOptions)
