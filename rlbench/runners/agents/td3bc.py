"""TD3+BC: TD3 whose policy is also drawn to the logged actions.

Fujimoto and Gu 2021, "A Minimalist Approach to Offline Reinforcement Learning" (arXiv 2106.06860).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from rlbench.runners.agents.common.batches import Batch
from rlbench.runners.agents.common.networks import (
    MLP,
    Layers,
    Network,
    Target,
    members,
    normal,
)
from rlbench.runners.agents.common.offline import Options, Part, factory, group_factory

__version__ = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TD3BCOptions(Options):
    """The options; the defaults are from the middle of NeoRL-2's grid.

    Attributes:
        alpha: Weight of the value: with 0 the policy only imitates (eq. 4). The paper's is 2.5.
        policy_noise: Deviation of the noise in the target's actions. The paper's is 0.2.
        noise_clip: Its largest size.
        policy_every: Updates of the critics between two of the policy.
        rate: Adam's step size.
        discount: Of the next step's value.
        follow: Share of the way that targets go to their networks.
    """

    alpha: float = 0.1
    policy_noise: float = 1.5
    noise_clip: float = 0.5
    policy_every: int = 2
    rate: float = 3e-4
    discount: float = 0.99
    follow: float = 0.005


class TD3BC:
    """The learner of S seeds."""

    def __init__(
        self, obs: int, action: int, generators: list[Generator], options: TD3BCOptions
    ) -> None:
        self._options, self._generators = options, generators
        hidden = (options.units,) * options.layers
        actor = MLP(sizes=(obs, *hidden, action))
        critic = MLP(sizes=(obs + action, *hidden, 1), members=2)
        self.actor = Network(actor, generators, rate=options.rate)
        self._critic = Network(critic, generators, rate=options.rate)
        self._actor_target, self._critic_target = Target(self.actor), Target(self._critic)
        self.parts: dict[str, Part] = {
            "actor": self.actor,
            "critic": self._critic,
            "actor_target": self._actor_target,
            "critic_target": self._critic_target,
        }

    def update(self, batch: Batch, number: int) -> None:
        """Update the critics, and now and then the policy and the targets."""
        options, shape = self._options, self._critic.shape
        with torch.no_grad():
            goal = self._goal(batch)
        pairs = torch.cat([batch.obs, batch.action], -1)
        self._critic.descend(critic_loss(shape(self._critic.layers(), pairs), goal), number)
        if number % options.policy_every:
            return
        action = torch.tanh(self.actor.shape(self.actor.layers(), batch.obs))
        first = members(self._critic.still, slice(None, None, 2))
        value = shape(first, torch.cat([batch.obs, action], -1)).squeeze(-1)
        loss = actor_loss(value, action, batch.action, options.alpha)
        self.actor.descend(loss, number // options.policy_every)
        self._actor_target.follow(self.actor, options.follow)
        self._critic_target.follow(self._critic, options.follow)

    def _goal(self, batch: Batch) -> Tensor:
        """Return the (S, n) values that the critics learn (Fujimoto et al. 2018, eq. 14)."""
        options = self._options
        noise = normal(batch.action.shape[1:], self._generators).mul_(options.policy_noise)
        noise.clamp_(-options.noise_clip, options.noise_clip)
        target = self._actor_target
        action = torch.tanh(target.shape(target.still, batch.next_obs)).add_(noise).clamp_(-1, 1)
        pairs = torch.cat([batch.next_obs, action], -1)
        values = self._critic_target.shape(self._critic_target.still, pairs)
        least = values.view(len(action), 2, -1).amin(1)
        return batch.reward + options.discount * batch.goes_on * least

    def act(self, layers: Layers, obs: Tensor) -> Tensor:
        """Return the policy's actions."""
        return torch.tanh(self.actor.shape(layers, obs))


def critic_loss(values: Tensor, goal: Tensor) -> Tensor:
    """Return the mean squared error of both critics, summed over them and over seeds.

    Args:
        values: (S * 2, n, 1)
        goal: (S, n)
    """
    errors = values.view(len(goal), 2, -1) - goal[:, None]
    return errors.square().mean(-1).sum()


def actor_loss(value: Tensor, action: Tensor, logged: Tensor, alpha: float) -> Tensor:
    """Return the loss of the policy, summed over seeds (eq. 3 and 4).

    Args:
        value: (S, n) The first critic's, of the policy's actions.
        action: (S, n, a) The policy's.
        logged: (S, n, a)
        alpha: Weight of the value.
    """
    weight = alpha / value.abs().mean(-1).detach()
    imitation = (action - logged).square().mean((1, 2))
    return (imitation - weight * value.mean(-1)).sum()


make_group = group_factory("td3bc", TD3BC, TD3BCOptions)
make = factory(make_group, TD3BCOptions)
