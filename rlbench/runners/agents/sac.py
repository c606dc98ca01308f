"""SAC: soft actor-critic with a value network, the main student of TeachMyAgent.

Sources: Haarnoja et al. 2018, arXiv:1801.01290, equations 5 to 13; the settings are those of
Romac et al. 2021, arXiv:2103.09815, whose student is an early version of Spinning Up's SAC: the
weight of the entropy is fixed, and the networks are trained at the end of each episode.
"""

from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlbench.runners.agents.agent import AgentPhase, Bools, TaskInfo, Transitions
from rlbench.runners.agents.common.batches import Batch, Replay
from rlbench.runners.agents.common.networks import (
    MLP,
    Network,
    Target,
    generators_of,
    glorot,
    normal,
)
from rlbench.runners.agents.common.policies import Actions, gaussian, observation_size, squash
from rlbench.runners.agents.common.states import load_state, save_state, scatter

__version__ = "1"


class Losses(NamedTuple):
    """Losses of one update."""

    policy: Tensor
    critics: Tensor
    value: Tensor


class SAC:
    """Learns at the end of each episode; see `make`."""

    def __init__(self, task: TaskInfo, seed: int, device: str, options: dict[str, Any]) -> None:
        self._options, self._device = options, device
        self._actions = Actions(task.action_space, "sac")
        inputs, actions = observation_size(task, "sac"), self._actions.size
        self._start, self._draws, noise = generators_of(
            [int(s) for s in np.random.SeedSequence(seed).generate_state(3)], device
        )
        self._noise = [noise]
        rate, hidden = options["learning_rate"], tuple(options["hidden"])

        def network(inputs: int, outputs: int, members: int = 1) -> Network:
            shape = MLP(sizes=(inputs, *hidden, outputs), members=members, bounds=glorot)
            return Network(shape, [self._start], rate=rate)

        self._policy = network(inputs, 2 * actions)
        self._critics = network(inputs + actions, 1, members=2)
        self._value = network(inputs, 1)
        self._slow_value = Target(self._value)
        capacity = min(options["buffer_size"], task.budget)
        self._replay = Replay(capacity, inputs, actions, device)
        self._lengths = np.zeros(max(task.num_envs, 1), dtype=np.int64)
        self._updates = 0

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Draw actions in training, at first evenly; in evaluation take that of the mean."""
        n = len(obs)
        if phase == "train" and self._replay.added < self._options["start_steps"]:
            drawn = torch.rand((n, self._actions.size), generator=self._start, device=self._device)
            return self._outer(2.0 * drawn - 1.0)
        with torch.no_grad():
            policy = gaussian(
                self._policy.shape(self._policy.still, self._inner(obs)), squashed=True
            )
            if phase == "eval":
                return self._outer(torch.tanh(policy.mean[0]))
            noise = normal((n, self._actions.size), self._noise)
            return self._outer(squash(policy, noise)[0][0])

    def value(self, obs: NDArray[Any]) -> NDArray[np.float64]:
        """Return what the value network says of (n, o) observations, (n,)."""
        with torch.no_grad():
            values = self._value.shape(self._value.still, self._inner(obs))
        found: NDArray[np.float32] = values[0, :, 0].cpu().numpy()
        return found.astype(np.float64)

    def observe(self, batch: Transitions) -> None:
        """Keep what happened, and learn where an episode is over."""
        active = batch.active
        self._replay.add(
            batch.obs[active], self._actions.inner(batch.action[active]), batch.reward[active],
            batch.next_obs[active], batch.terminated[active],
        )  # fmt: skip
        self._lengths += active
        ended = active & (batch.terminated | batch.truncated)
        for length in self._lengths[ended]:
            for _ in range(ceil(length / self._options["update_every"])):
                self._update()
        self._lengths[ended] = 0

    def losses(self, batch: Batch, noise: Tensor) -> Losses:
        """Return the losses of an update; targets carry no gradient.

        The policy's is the mean of ``alpha log p - Q1``; the critics' is half the mean squared
        error to ``r + gamma V'``, added up; the value's the same to ``min(Q1, Q2) - alpha log p``.

        Args:
            batch: (1, n, ...) What to learn from.
            noise: (1, n, a) Of the policy's actions, standard normal.
        """
        alpha, gamma = self._options["alpha"], self._options["gamma"]
        critics = self._critics
        outputs = self._policy.shape(self._policy.layers(), batch.obs)
        action, log_p = squash(gaussian(outputs, squashed=True), noise)
        judged = critics.shape(critics.still, torch.cat([batch.obs, action], -1))[..., 0]
        policy = (alpha * log_p[0] - judged[0]).mean()

        slow = self._slow_value
        after = slow.shape(slow.still, batch.next_obs)[..., 0]
        target = batch.reward + gamma * batch.goes_on * after
        found = critics.shape(critics.layers(), torch.cat([batch.obs, batch.action], -1))[..., 0]
        critic = 0.5 * (found - target).square().mean(1).sum()

        soft = (judged.min(0).values - alpha * log_p[0]).detach()
        values = self._value.shape(self._value.layers(), batch.obs)[0, :, 0]
        value = 0.5 * (values - soft).square().mean()
        return Losses(policy, critic, value)

    def _update(self) -> None:
        self._updates += 1
        size = self._options["batch_size"]
        batch = self._replay.draw([self._draws], size)
        losses = self.losses(batch, normal((size, self._actions.size), self._noise))
        self._policy.descend(losses.policy, self._updates)
        self._critics.descend(losses.critics, self._updates)
        self._value.descend(losses.value, self._updates)
        self._slow_value.follow(self._value, 1.0 - self._options["polyak"])

    def save(self, folder: Path) -> None:
        """Write networks, transitions and generators."""
        save_state(folder, self._state() | self._replay.state())

    def load(self, folder: Path) -> None:
        """Become what was saved."""
        state = load_state(folder, self._device)
        for name, place in self._places().items():
            scatter(state[name].flatten(), [place])
        self._updates = int(state["updates"])
        self._lengths = state["lengths"].numpy()
        for name, generator in self._generators().items():
            generator.set_state(state[name].cpu())
        self._replay.restore(state)

    def _state(self) -> dict[str, Tensor]:
        return {
            **self._places(),
            **{name: generator.get_state() for name, generator in self._generators().items()},
            "updates": torch.tensor(self._updates),
            "lengths": torch.from_numpy(self._lengths),
        }

    def _places(self) -> dict[str, Tensor]:
        """Return the tensors that learning changes, by name."""
        networks = {"policy": self._policy, "critics": self._critics, "value": self._value}
        places = {name: network.flat for name, network in networks.items()}
        places |= {f"{name}_moments": network.moments for name, network in networks.items()}
        return {**places, "slow_value": self._slow_value.flat}

    def _generators(self) -> dict[str, torch.Generator]:
        return {"start": self._start, "draws": self._draws, "noise": self._noise[0]}

    def _inner(self, obs: NDArray[Any]) -> Tensor:
        """Return (n, o) observations as networks take them, (1, n, o)."""
        return torch.from_numpy(obs.astype(np.float32)[None]).to(self._device)

    def _outer(self, actions: Tensor) -> NDArray[Any]:
        return self._actions.outer(actions.cpu().numpy())


def make(
    task: TaskInfo,
    *,
    seed: int,
    device: str,
    gamma: float = 0.99,
    learning_rate: float = 1e-3,
    alpha: float = 0.005,
    batch_size: int = 1000,
    buffer_size: int = 2_000_000,
    polyak: float = 0.995,
    hidden: tuple[int, ...] = (400, 300),
    start_steps: int = 10_000,
    update_every: int = 10,
) -> SAC:
    """Make the agent.

    Args:
        task: What it is told.
        seed: Its own.
        device: Of the networks.
        gamma: The discount.
        learning_rate: Of Adam, for all networks.
        alpha: The weight of the entropy.
        batch_size: Transitions of an update.
        buffer_size: Transitions that are kept.
        polyak: The share of the slow value network that an update leaves as it was.
        hidden: Units of the hidden layers.
        start_steps: Steps whose actions are drawn evenly.
        update_every: An update for so many steps of an episode.

    Raises:
        UsageError: Observations are no vectors, or actions no bounded box.
    """
    options = {
        "gamma": gamma, "learning_rate": learning_rate, "alpha": alpha, "batch_size": batch_size,
        "buffer_size": buffer_size, "polyak": polyak, "hidden": hidden,
        "start_steps": start_steps, "update_every": update_every,
    }  # fmt: skip
    return SAC(task, seed, device, options)
