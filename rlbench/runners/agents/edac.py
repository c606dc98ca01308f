"""EDAC: a soft actor-critic with many critics, whose gradients in the actions are made to differ.

An et al. 2021, "Uncertainty-Based Offline Reinforcement Learning with Diversified Q-Ensemble"
(arXiv 2110.01548), on Haarnoja et al. 2018 (arXiv 1812.05905). With `diversity` 0 it is SAC-N.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from rlbench.runners.agents.common.batches import Batch
from rlbench.runners.agents.common.networks import (
    MLP,
    Layers,
    Network,
    Numbers,
    Target,
    normal,
)
from rlbench.runners.agents.common.offline import Options, Part, factory, group_factory
from rlbench.runners.agents.common.policies import gaussian, squash

__version__ = "1"

_NORM_FLOOR = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class EDACOptions(Options):
    """The options; the defaults are from NeoRL-2's grid.

    Attributes:
        critics: In the ensemble.
        diversity: Weight of the similarity of the critics' gradients (eta in the paper).
        actor_rate: Adam's step size of the policy and of the entropy's weight.
        critic_rate: The same of the critics.
        discount: Of the next step's value.
        follow: Share of the way that targets go to their networks in an update.
    """

    critics: int = 10
    diversity: float = 1.0
    actor_rate: float = 1e-4
    critic_rate: float = 3e-4
    discount: float = 0.99
    follow: float = 0.005


class EDAC:
    """The learner of S seeds."""

    def __init__(
        self, obs: int, action: int, generators: list[Generator], options: EDACOptions
    ) -> None:
        self._options, self._generators = options, generators
        self._least_entropy = -float(action)
        hidden = (options.units,) * options.layers
        actor = MLP(sizes=(obs, *hidden, 2 * action))
        critic = MLP(sizes=(obs + action, *hidden, 1), members=options.critics)
        self.actor = Network(actor, generators, rate=options.actor_rate)
        self._critic = Network(critic, generators, rate=options.critic_rate)
        self._target = Target(self._critic)
        self._log_alpha = Numbers(0.0, generators, rate=options.actor_rate)
        self.parts: dict[str, Part] = {
            "actor": self.actor,
            "critic": self._critic,
            "target": self._target,
            "log_alpha": self._log_alpha,
        }

    def update(self, batch: Batch, number: int) -> None:
        """Update the policy, the entropy's weight, the critics and their targets."""
        options, shape = self._options, self._critic.shape
        alpha = self._log_alpha.flat.exp()[:, None]
        action, log = self._play(self.actor.layers(), batch.obs)
        values = shape(self._critic.still, torch.cat([batch.obs, action], -1))
        least = values.view(len(action), options.critics, -1).amin(1)
        self.actor.descend(actor_loss(least, log, alpha), number)
        slope = -(log.detach().mean(-1) + self._least_entropy)
        self._log_alpha.descend(slope, number)

        with torch.no_grad():
            goal = self._goal(batch, alpha)
        logged = batch.action.repeat_interleave(options.critics, 0).requires_grad_()
        obs = batch.obs.repeat_interleave(options.critics, 0)
        values = shape(self._critic.layers(), torch.cat([obs, logged], -1))
        loss = critic_loss(values, goal)
        if options.diversity > 0 and options.critics > 1:
            (slopes,) = torch.autograd.grad(values.sum(), logged, create_graph=True)
            loss = loss + options.diversity * similarity(slopes, len(goal))
        self._critic.descend(loss, number)
        self._target.follow(self._critic, options.follow)

    def _goal(self, batch: Batch, alpha: Tensor) -> Tensor:
        """Return the (S, n) values that the critics learn."""
        action, log = self._play(self.actor.still, batch.next_obs)
        pairs = torch.cat([batch.next_obs, action], -1)
        values = self._target.shape(self._target.still, pairs)
        least = values.view(len(action), self._options.critics, -1).amin(1)
        soft = least - alpha * log
        return batch.reward + self._options.discount * batch.goes_on * soft

    def _play(self, layers: Layers, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Draw (S, n, a) actions; return them with the logarithms of their densities."""
        policy = gaussian(self.actor.shape(layers, obs))
        return squash(policy, normal(policy.mean.shape[1:], self._generators))

    def act(self, layers: Layers, obs: Tensor) -> Tensor:
        """Return the policy's means, squashed."""
        return torch.tanh(gaussian(self.actor.shape(layers, obs)).mean)


def actor_loss(value: Tensor, log: Tensor, alpha: Tensor) -> Tensor:
    """Return the loss of the policy, summed over seeds (Haarnoja et al. 2018, eq. 7).

    Args:
        value: (S, n) The least over critics, of the policy's actions.
        log: (S, n) Logarithms of their densities.
        alpha: (S, 1) Weight of the entropy.
    """
    return (alpha * log - value).mean(-1).sum()


def critic_loss(values: Tensor, goal: Tensor) -> Tensor:
    """Return the mean squared error of each critic, summed over them and over seeds.

    Args:
        values: (S * E, n, 1)
        goal: (S, n)
    """
    errors = values.view(len(goal), -1, goal.shape[1]) - goal[:, None]
    return errors.square().mean(-1).sum()


def similarity(slopes: Tensor, seeds: int) -> Tensor:
    """Return how alike the critics' gradients are, summed over seeds (An et al. 2021, eq. 4).

    It is the sum of the cosines of all pairs of critics, both ways round, over E - 1; the mean
    over the batch.

    Args:
        slopes: (S * E, n, a) Of each critic's value in the action.
        seeds: S.
    """
    unit = slopes / (slopes.norm(dim=-1, keepdim=True) + _NORM_FLOOR)
    unit = unit.view(seeds, -1, *slopes.shape[1:])
    # The sum over all pairs is the square of the sum; each critic with itself is left out.
    pairs = unit.sum(1).square().sum(-1) - unit.square().sum((1, 3))
    return (pairs / (unit.shape[1] - 1)).mean(-1).sum()


make_group = group_factory("edac", EDAC, EDACOptions)
make = factory(make_group, EDACOptions)
