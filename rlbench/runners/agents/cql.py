"""CQL: a soft actor-critic whose critics are lowered where the data have no actions.

Kumar et al. 2020, "Conservative Q-Learning for Offline Reinforcement Learning" (arXiv 2006.04779),
on Haarnoja et al. 2018 (arXiv 1812.05905).
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from rlbench.errors import UsageError
from rlbench.runners.agents.common.batches import Batch
from rlbench.runners.agents.common.networks import (
    MLP,
    Layers,
    Network,
    Numbers,
    Target,
    normal,
    uniform,
)
from rlbench.runners.agents.common.offline import Options, Part, factory, group_factory
from rlbench.runners.agents.common.policies import Gaussian, gaussian, log_density, squash

__version__ = "1"

_MOST = 1e6  # of the penalty's multiplier


@dataclass(frozen=True, slots=True, kw_only=True)
class CQLOptions(Options):
    """The options; the defaults are from NeoRL-2's grid.

    Attributes:
        weight: Of the penalty (alpha in eq. 4).
        gap: The penalty that the multiplier aims at (tau in eq. 30); 0 for no multiplier.
        version: 3 divides by the densities of the drawn actions (appendix F, CQL(H)); 2 does
            not, and has the logged actions among them.
        drawn: Actions of each of three kinds, in a state: even ones, the policy's there, and the
            policy's in the next state.
        cloning: Updates at the beginning in which the policy imitates.
        actor_rate: Adam's step size of the policy and of the entropy's weight.
        critic_rate: The same of the critics and of the penalty's multiplier.
        discount: Of the next step's value.
        follow: Share of the way that targets go to their networks in an update.
    """

    weight: float = 5.0
    gap: float = 5.0
    version: int = 3
    drawn: int = 10
    cloning: int = 40_000
    actor_rate: float = 1e-4
    critic_rate: float = 3e-4
    discount: float = 0.99
    follow: float = 0.005

    def __post_init__(self) -> None:
        if self.version not in (2, 3):
            raise UsageError(f"the option version of the agent cql is 2 or 3, not {self.version!r}")


class CQL:
    """The learner of S seeds."""

    def __init__(
        self, obs: int, action: int, generators: list[Generator], options: CQLOptions
    ) -> None:
        self._options, self._generators = options, generators
        self._least_entropy = -float(action)
        hidden = (options.units,) * options.layers
        actor = MLP(sizes=(obs, *hidden, 2 * action))
        critic = MLP(sizes=(obs + action, *hidden, 1), members=2)
        self.actor = Network(actor, generators, rate=options.actor_rate)
        self._critic = Network(critic, generators, rate=options.critic_rate)
        self._target = Target(self._critic)
        self._log_alpha = Numbers(0.0, generators, rate=options.actor_rate)
        self._log_multiplier = Numbers(0.0, generators, rate=options.critic_rate)
        self.parts: dict[str, Part] = {
            "actor": self.actor,
            "critic": self._critic,
            "target": self._target,
            "log_alpha": self._log_alpha,
            "log_multiplier": self._log_multiplier,
        }

    def update(self, batch: Batch, number: int) -> None:
        """Update the entropy's weight, the policy, the critics and their targets."""
        policy = self._policy(self.actor.layers(), batch.obs)
        action, log = self._play(policy)
        slope = -(log.detach().mean(-1) + self._least_entropy)
        self._log_alpha.descend(slope, number)
        alpha = self._log_alpha.flat.exp()[:, None]
        if number < self._options.cloning:
            value = log_density(policy, batch.action)
        else:
            value = self._values(self._critic.still, batch.obs, action).amin(1)
        self.actor.descend(actor_loss(value, log, alpha), number)

        with torch.no_grad():
            goal = self._goal(batch, alpha)
            states, actions, densities = self._draw(batch)
        found = self._values(self._critic.layers(), states, actions)
        n = goal.shape[1]
        logged, drawn = found[..., :n], found[..., n:].unflatten(-1, (n, -1))
        penalty = self._options.weight * penalties(logged, drawn, densities, self._options.version)
        loss = (logged - goal[:, None]).square().mean(-1).sum()
        if self._options.gap > 0:
            multiplier = self._log_multiplier.flat.exp().clamp(max=_MOST)[:, None]
            penalty = multiplier * (penalty - self._options.gap)
            self._log_multiplier.descend(-0.5 * penalty.detach().sum(-1), number)
        self._critic.descend(loss + penalty.sum(), number)
        self._target.follow(self._critic, self._options.follow)

    def _goal(self, batch: Batch, alpha: Tensor) -> Tensor:
        """Return the (S, n) values that the critics learn."""
        action, log = self._play(self._policy(self.actor.still, batch.next_obs))
        soft = self._values(self._target.still, batch.next_obs, action).amin(1) - alpha * log
        return batch.reward + self._options.discount * batch.goes_on * soft

    def _draw(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the critics are asked, and the densities of the drawn actions.

        Returns:
            (S, n + 3 n k, o) states and (S, n + 3 n k, a) actions: the logged ones, then for each
            state its k even ones, the policy's of the state and those of the next state. And the
            (S, n, 3 k) logarithms of the densities of the drawn actions.
        """
        seeds, n, size = batch.action.shape
        k = self._options.drawn
        even = uniform((n, k, size), self._generators).mul_(2.0).sub_(1.0)
        logs = [torch.full((seeds, n, k), -size * math.log(2.0), device=even.device)]
        actions = [even]
        for obs in (batch.obs, batch.next_obs):
            policy = self._policy(self.actor.still, obs)
            spread = Gaussian(*(part.unsqueeze(2).expand(-1, -1, k, -1) for part in policy))
            action, log = self._play(spread)
            actions.append(action)
            logs.append(log)
        drawn = torch.cat(actions, 2).flatten(1, 2)
        states = torch.cat([batch.obs, batch.obs.repeat_interleave(3 * k, 1)], 1)
        return states, torch.cat([batch.action, drawn], 1), torch.cat(logs, -1)

    def _values(self, layers: Layers, obs: Tensor, action: Tensor) -> Tensor:
        """Return the (S, 2, m) values of both critics."""
        found = self._critic.shape(layers, torch.cat([obs, action], -1))
        return found.view(len(obs), 2, -1)

    def _policy(self, layers: Layers, obs: Tensor) -> Gaussian:
        return gaussian(self.actor.shape(layers, obs))

    def _play(self, policy: Gaussian) -> tuple[Tensor, Tensor]:
        """Draw actions; return them with the logarithms of their densities."""
        return squash(policy, normal(policy.mean.shape[1:], self._generators))

    def act(self, layers: Layers, obs: Tensor) -> Tensor:
        """Return the policy's means, squashed."""
        return torch.tanh(self._policy(layers, obs).mean)


def actor_loss(value: Tensor, log: Tensor, alpha: Tensor) -> Tensor:
    """Return the loss of the policy, summed over seeds (Haarnoja et al. 2018, eq. 7).

    Args:
        value: (S, n) The least over critics, of the policy's actions; while it imitates, the
            logarithms of its densities of the logged actions.
        log: (S, n) Logarithms of the densities of the policy's actions.
        alpha: (S, 1) Weight of the entropy.
    """
    return (alpha * log - value).mean(-1).sum()


def penalties(logged: Tensor, drawn: Tensor, densities: Tensor, version: int) -> Tensor:
    """Return how far (S, 2) critics are above the data elsewhere (eq. 4).

    It is the mean over the batch of the logarithm of the sum of the exponentials of the values of
    drawn actions, less the value of the logged one.

    Args:
        logged: (S, 2, n) Values of the logged actions.
        drawn: (S, 2, n, m) Those of drawn ones.
        densities: (S, n, m) Logarithms of their densities.
        version: See `CQLOptions`.
    """
    if version == 3:
        drawn = drawn - densities[:, None]
    else:
        drawn = torch.cat([drawn, logged[..., None]], -1)
    return (torch.logsumexp(drawn, -1) - logged).mean(-1)


make_group = group_factory("cql", CQL, CQLOptions)
make = factory(make_group, CQLOptions)
