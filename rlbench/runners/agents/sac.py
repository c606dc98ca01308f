"""SAC: soft actor-critic with a value network, the main student of TeachMyAgent.

Sources: Haarnoja et al. 2018, arXiv:1801.01290, equations 5 to 13; the settings are those of
Romac et al. 2021, arXiv:2103.09815, whose student is an early version of Spinning Up's SAC: the
weight of the entropy is fixed, and the networks are trained at the end of each episode.
"""

import json
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import AgentPhase, Bools, TaskInfo, Transitions

__version__ = "1"

LOG_STD = (-20.0, 2.0)


class Batch(NamedTuple):
    """Transitions: observations (b, o), actions (b, a) in [-1, 1], rewards and ends (b,)."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    next_obs: Tensor


class Losses(NamedTuple):
    """Losses of one update."""

    policy: Tensor
    critics: Tensor
    value: Tensor


class Networks(nn.Module):
    """A policy, two critics, a value network and its slow copy.

    Args:
        inputs: Numbers of an observation.
        actions: Numbers of an action.
        hidden: Units of the hidden layers.
    """

    def __init__(self, inputs: int, actions: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.policy = mlp(inputs, *hidden, 2 * actions)
        self.critics = nn.ModuleList(mlp(inputs + actions, *hidden, 1) for _ in range(2))
        self.value = mlp(inputs, *hidden, 1)
        self.slow_value = mlp(inputs, *hidden, 1).requires_grad_(requires_grad=False)
        self.slow_value.load_state_dict(self.value.state_dict())

    def criticise(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return what both critics think, (2, b)."""
        pairs = torch.cat([obs, action], dim=1)
        return torch.stack([critic(pairs)[:, 0] for critic in self.critics])

    def draw(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions (b, a) in [-1, 1] and their log densities (b,).

        Args:
            obs: (b, o)
            noise: (b, a) From the standard normal distribution.
        """
        mean, raw = self.policy(obs).chunk(2, dim=1)
        low, high = LOG_STD
        log_std = low + 0.5 * (high - low) * (torch.tanh(raw) + 1.0)
        before = mean + log_std.exp() * noise
        normal = -0.5 * (noise**2 + 2.0 * log_std + np.log(2.0 * np.pi))
        # log(1 - tanh(x)^2), in a form that holds for large x
        squash = 2.0 * (np.log(2.0) - before - functional.softplus(-2.0 * before))
        return torch.tanh(before), (normal - squash).sum(dim=1)


def mlp(*sizes: int) -> nn.Sequential:
    """Return linear layers with ReLU between them; Glorot's uniform weights, no bias at first."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layer = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def losses(nets: Networks, batch: Batch, noise: Tensor, *, alpha: float, gamma: float) -> Losses:
    """Return the losses of an update; targets carry no gradient.

    Args:
        nets: The networks.
        batch: What they learn from.
        noise: (b, a) Of the policy's actions, standard normal.
        alpha: The weight of the entropy.
        gamma: The discount.

    Returns:
        The policy's: ``mean(alpha log p - Q1)``; the critics': half the mean squared error to
        ``r + gamma (1 - terminated) V'``, added up; the value's: the same to
        ``min(Q1, Q2) - alpha log p``.
    """
    action, log_p = nets.draw(batch.obs, noise)
    judged = nets.criticise(batch.obs, action)
    policy = (alpha * log_p - judged[0]).mean()
    with torch.no_grad():
        after = nets.slow_value(batch.next_obs)[:, 0]
        target = batch.reward + gamma * (1.0 - batch.terminated) * after
        soft = judged.min(dim=0).values - alpha * log_p
    errors = nets.criticise(batch.obs, batch.action) - target
    critics = 0.5 * (errors**2).mean(dim=1).sum()
    value = 0.5 * ((nets.value(batch.obs)[:, 0] - soft) ** 2).mean()
    return Losses(policy, critics, value)


class Replay:
    """The newest transitions, in a ring.

    Args:
        size: Of the ring.
        inputs: Numbers of an observation.
        actions: Numbers of an action.
    """

    def __init__(self, size: int, inputs: int, actions: int) -> None:
        widths = (inputs, actions, 1, 1, inputs)
        self._columns = [np.zeros((size, width), np.float32) for width in widths]
        self._size, self.added = size, 0

    def __len__(self) -> int:
        return min(self.added, self._size)

    def add(self, *rows: NDArray[Any]) -> None:
        """Add one transition: a row for each field of a `Batch`."""
        for column, row in zip(self._columns, rows, strict=True):
            column[self.added % self._size] = row
        self.added += 1

    def sample(self, n: int, random: np.random.Generator, device: str) -> Batch:
        """Draw n transitions evenly, with replacement."""
        at = random.integers(len(self), size=n)
        obs, action, reward, terminated, next_obs = (
            torch.from_numpy(column[at]).to(device) for column in self._columns
        )
        return Batch(obs, action, reward[:, 0], terminated[:, 0], next_obs)

    def save(self, path: Path) -> None:
        """Write what is in the ring."""
        np.savez(path, added=self.added, **{
            f"c{n}": column[: len(self)] for n, column in enumerate(self._columns)
        })  # fmt: skip

    def load(self, path: Path) -> None:
        """Read what was written."""
        with np.load(path, allow_pickle=False) as arrays:
            self.added = int(arrays["added"])
            for n, column in enumerate(self._columns):
                column[: len(self)] = arrays[f"c{n}"]


class SAC:
    """Learns at the end of each episode, an update for every ``update_every`` of its steps."""

    def __init__(self, task: TaskInfo, seed: int, device: str, config: dict[str, Any]) -> None:
        space, inputs = task.action_space, task.observation_space.shape
        if not isinstance(space, Box) or not space.is_bounded("both") or len(inputs or ()) != 1:
            raise UsageError(f"sac takes observations of one axis and bounded actions, not {space}")
        assert inputs is not None
        self._config, self._device = config, device
        self._low, self._high = space.low.ravel(), space.high.ravel()
        self._shape, self._dtype = space.shape, space.dtype
        actions = len(self._low)
        self._random = np.random.default_rng((seed, 0))
        self._noise = torch.Generator(device).manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            nets = Networks(inputs[0], actions, tuple(config["hidden"]))
        self._nets = nets.to(device)
        rate = {"lr": config["learning_rate"], "fused": True}
        self._policy_optimizer = torch.optim.Adam(nets.policy.parameters(), **rate)
        self._value_optimizer = torch.optim.Adam(
            [*nets.critics.parameters(), *nets.value.parameters()], **rate
        )
        size = min(config["buffer_size"], max(task.budget, 1))
        self._replay = Replay(size, inputs[0], actions)
        self._lengths = np.zeros(task.num_envs, dtype=np.int64)
        self._last = np.zeros((task.num_envs, actions), dtype=np.float32)

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Draw actions in training, at first evenly; in evaluation take those of the mean."""
        if phase == "eval":
            return self._scale(self._mean_action(obs))
        if self._replay.added < self._config["start_steps"]:
            shape = (len(obs), len(self._low))
            self._last = self._random.uniform(-1.0, 1.0, shape).astype(np.float32)
        else:
            with torch.no_grad():
                noise = self._draw_noise(len(obs))
                self._last = self._nets.draw(self._tensor(obs), noise)[0].cpu().numpy()
        return self._scale(self._last)

    def value(self, obs: NDArray[Any]) -> NDArray[np.float64]:
        """Return what the value network thinks of (n, ...) observations, (n,)."""
        with torch.no_grad():
            values = self._nets.value(self._tensor(obs))[:, 0]
        return values.cpu().numpy().astype(np.float64)

    def observe(self, batch: Transitions) -> None:
        """Keep what happened, and learn where an episode is over."""
        for n in np.flatnonzero(batch.active):
            self._replay.add(
                batch.obs[n], self._last[n], batch.reward[n], batch.terminated[n],
                batch.next_obs[n],
            )  # fmt: skip
            self._lengths[n] += 1
            if batch.terminated[n] or batch.truncated[n]:
                for _ in range(ceil(self._lengths[n] / self._config["update_every"])):
                    self._update()
                self._lengths[n] = 0

    def _update(self) -> None:
        c, nets = self._config, self._nets
        batch = self._replay.sample(c["batch_size"], self._random, self._device)
        noise = self._draw_noise(c["batch_size"])
        found = losses(nets, batch, noise, alpha=c["alpha"], gamma=c["gamma"])
        self._policy_optimizer.zero_grad()
        self._value_optimizer.zero_grad()
        policy = list(nets.policy.parameters())
        # The policy's loss must leave no gradient in the critics.
        for parameter, gradient in zip(
            policy, torch.autograd.grad(found.policy, policy), strict=True
        ):
            parameter.grad = gradient
        (found.critics + found.value).backward()
        self._policy_optimizer.step()
        self._value_optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(
                nets.slow_value.parameters(), nets.value.parameters(), strict=True
            ):
                slow.lerp_(fast, 1.0 - c["polyak"])

    def save(self, folder: Path) -> None:
        """Write networks, optimisers, transitions and generators."""
        torch.save(self._state(), folder / "networks.pt")
        self._replay.save(folder / "replay.npz")
        kept = {"random": self._random.bit_generator.state, "lengths": self._lengths.tolist()}
        (folder / "state.json").write_text(json.dumps(kept))

    def load(self, folder: Path) -> None:
        """Become what was saved."""
        state = torch.load(folder / "networks.pt", weights_only=True)  # noqa: TID251
        self._nets.load_state_dict(state["nets"])
        self._policy_optimizer.load_state_dict(state["policy_optimizer"])
        self._value_optimizer.load_state_dict(state["value_optimizer"])
        self._noise.set_state(state["noise"])
        self._replay.load(folder / "replay.npz")
        kept = json.loads((folder / "state.json").read_text())
        self._random.bit_generator.state = kept["random"]
        self._lengths = np.array(kept["lengths"])

    def _state(self) -> dict[str, Any]:
        return {
            "nets": self._nets.state_dict(),
            "policy_optimizer": self._policy_optimizer.state_dict(),
            "value_optimizer": self._value_optimizer.state_dict(),
            "noise": self._noise.get_state(),
        }

    def _mean_action(self, obs: NDArray[Any]) -> NDArray[np.float32]:
        with torch.no_grad():
            mean = self._nets.policy(self._tensor(obs)).chunk(2, dim=1)[0]
            action: NDArray[np.float32] = torch.tanh(mean).cpu().numpy()
        return action

    def _draw_noise(self, n: int) -> Tensor:
        shape = (n, len(self._low))
        return torch.randn(shape, generator=self._noise, device=self._device)

    def _tensor(self, obs: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.asarray(obs, dtype=np.float32)).to(self._device)

    def _scale(self, action: NDArray[np.float32]) -> NDArray[Any]:
        """Map actions in [-1, 1] onto the action space."""
        scaled = self._low + 0.5 * (action + 1.0) * (self._high - self._low)
        return scaled.clip(self._low, self._high).reshape(-1, *self._shape).astype(self._dtype)


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
        device: For torch.
        gamma: The discount.
        learning_rate: Of Adam, for all networks.
        alpha: The weight of the entropy.
        batch_size: Transitions of an update.
        buffer_size: Transitions that are kept.
        polyak: The share of the slow value network that stays in an update.
        hidden: Units of the hidden layers.
        start_steps: Steps with actions that are drawn evenly.
        update_every: Steps of an episode for each update.

    Raises:
        UsageError: It cannot act in the task.
    """
    return SAC(
        task, seed, device,
        {
            "gamma": gamma, "learning_rate": learning_rate, "alpha": alpha,
            "batch_size": batch_size, "buffer_size": buffer_size, "polyak": polyak,
            "hidden": hidden, "start_steps": start_steps, "update_every": update_every,
        },
    )  # fmt: skip
