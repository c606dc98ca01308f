"""PPO: proximal policy optimisation, the second student of TeachMyAgent.

Sources: Schulman et al. 2017, arXiv:1707.06347, equations 7 and 9, and Schulman et al. 2016,
arXiv:1506.02438, equation 16, for advantages; the settings are those of Romac et al. 2021,
arXiv:2103.09815, whose student is PPO2 of OpenAI's baselines.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import AgentPhase, Bools, TaskInfo, Transitions
from rlbench.runners.agents.common.moments import CLIP, Moments
from rlbench.runners.agents.common.networks import generators_of
from rlbench.runners.agents.common.policies import Actions, observation_size
from rlbench.runners.agents.common.states import load_state, save_state, scatter

__version__ = "1"

_SMALL = 1e-8


class Batch(NamedTuple):
    """What an update learns from; observations are normalised."""

    obs: Tensor  # (n, o)
    action: Tensor  # (n, a), not clipped
    log_p: Tensor  # (n,) of the policy that drew the actions
    value: Tensor  # (n,) that the network gave then
    advantage: Tensor  # (n,)
    ret: Tensor  # (n,) the target of the value


def advantages(
    rewards: NDArray[np.float64],
    values: NDArray[np.float64],
    next_values: NDArray[np.float64],
    ended: Bools,
    *,
    gamma: float,
    lam: float,
) -> NDArray[np.float64]:
    """Return generalised advantages (Schulman et al. 2016, eq. 16).

    Args:
        rewards: (t, n)
        values: (t, n) Of the observations.
        next_values: (t, n) Of what followed; 0 where the episode terminated.
        ended: (t, n) The episode was over, by its end or a cut: advantages do not pass.
        gamma: The discount.
        lam: The decay of later errors.

    >>> one = np.ones((2, 1))
    >>> advantages(one, 0 * one, 0 * one, 0 * one > 0, gamma=0.5, lam=0.5).ravel().tolist()
    [1.25, 1.0]
    """
    errors = rewards + gamma * next_values - values
    found = np.zeros_like(errors)
    later = np.zeros(errors.shape[1])
    for t in range(len(errors) - 1, -1, -1):
        later = errors[t] + gamma * lam * np.where(ended[t], 0.0, later)
        found[t] = later
    return found


class Networks(nn.Module):  # type: ignore[misc]
    """A trunk of tanh layers under the mean of a Gaussian policy and the value."""

    def __init__(
        self, inputs: int, actions: int, hidden: tuple[int, ...], generator: torch.Generator
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size, units in zip((inputs, *hidden), hidden, strict=False):
            layers += [_linear(size, units, 2.0**0.5, generator), nn.Tanh()]
        self.trunk = nn.Sequential(*layers)
        self.mean = _linear(hidden[-1], actions, 0.01, generator)
        self.value = _linear(hidden[-1], 1, 1.0, generator)
        self.log_std = nn.Parameter(torch.zeros(actions))

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Return means (n, a) and values (n,) of observations (n, o)."""
        shared = self.trunk(obs)
        return self.mean(shared), self.value(shared)[:, 0]

    def log_density(self, mean: Tensor, action: Tensor) -> Tensor:
        """Return (n,) logarithms of the densities of actions (n, a)."""
        noise = (action - mean) / self.log_std.exp()
        return -(0.5 * noise**2 + self.log_std + 0.5 * np.log(2.0 * np.pi)).sum(1)


def _linear(inputs: int, outputs: int, scale: float, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer with orthogonal weights and no bias at first."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.orthogonal_(layer.weight, scale, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def loss(nets: Networks, batch: Batch, *, clip: float, value_weight: float) -> Tensor:
    """Return the loss of an update.

    The policy's is eq. 7 of Schulman et al. 2017 on normalised advantages. The value's is half the
    mean of the larger of two squared errors: of the value, and of the value within ``clip`` of the
    earlier one.

    Args:
        nets: The networks.
        batch: What they learn from.
        clip: How far the ratio may go from 1, and the value from the earlier one.
        value_weight: Of the value's loss.
    """
    mean, value = nets(batch.obs)
    ratio = (nets.log_density(mean, batch.action) - batch.log_p).exp()
    centred = batch.advantage - batch.advantage.mean()
    advantage = centred / (batch.advantage.std(correction=0) + _SMALL)
    within = ratio.clamp(1.0 - clip, 1.0 + clip)
    policy = -torch.minimum(ratio * advantage, within * advantage).mean()
    near = batch.value + (value - batch.value).clamp(-clip, clip)
    errors = torch.maximum((value - batch.ret) ** 2, (near - batch.ret) ** 2)
    return policy + value_weight * 0.5 * errors.mean()


class PPO:
    """Learns after every ``steps`` steps, from these alone; see `make`."""

    def __init__(self, task: TaskInfo, seed: int, device: str, options: dict[str, Any]) -> None:
        n = max(task.num_envs, 1)
        if options["steps"] % n or options["steps"] % options["batches"]:
            raise UsageError(f"ppo: steps must be a multiple of batches and of {n} environments")
        self._options, self._device = options, device
        self._actions = Actions(task.action_space, "ppo")
        inputs = observation_size(task, "ppo")
        first, self._noise, self._order = generators_of(
            [int(s) for s in np.random.SeedSequence(seed).generate_state(3)], "cpu"
        )
        self._nets = Networks(inputs, self._actions.size, tuple(options["hidden"]), first).to(
            device
        )
        self._optimizer = torch.optim.Adam(
            self._nets.parameters(), lr=options["learning_rate"], eps=1e-5
        )
        self._obs_moments, self._return_moments = Moments(inputs), Moments(1)
        self._returns = np.zeros(n)  # discounted, of the episodes so far
        self._rows: list[tuple[NDArray[Any], ...]] = []
        self._drawn: tuple[NDArray[Any], ...] = ()

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Draw actions in training; in evaluation take the means."""
        if phase == "eval":
            mean, _ = self._ask(obs)
            return self._actions.outer(mean.clip(-1.0, 1.0))
        self._obs_moments.add(obs)
        inner = self._obs_moments.normalise(obs)
        with torch.no_grad():
            mean, value = self._nets(torch.from_numpy(inner).to(self._device))
            noise = torch.randn(mean.shape, generator=self._noise).to(self._device)
            action = mean + self._nets.log_std.exp() * noise
            log_p = self._nets.log_density(mean, action)
        self._drawn = (inner, *(x.cpu().numpy() for x in (action, log_p, value)))
        return self._actions.outer(self._drawn[1].clip(-1.0, 1.0))

    def value(self, obs: NDArray[Any]) -> NDArray[np.float64]:
        """Return the value of (n, o) observations, (n,), in units of normalised rewards."""
        return self._ask(obs)[1].astype(np.float64)

    def observe(self, batch: Transitions) -> None:
        """Keep what happened; learn where there is enough of it."""
        if not batch.active.all():  # the budget ends within this step
            return
        ended = batch.terminated | batch.truncated
        self._returns = self._returns * self._options["gamma"] + batch.reward
        self._return_moments.add(self._returns[:, None])
        reward = (batch.reward / self._return_moments.deviation()).clip(-CLIP, CLIP)
        self._returns[ended] = 0.0
        # Of what follows within an episode the value is known one step later.
        last = len(self._rows) + 1 == self._options["steps"] // len(ended)
        after = np.zeros(len(ended))
        if last or batch.truncated.any():
            after = np.where(batch.terminated, 0.0, self.value(batch.next_obs))
        self._rows.append((*self._drawn, reward, batch.terminated, ended, after))
        if last:
            self._learn()
            self._rows = []

    def _learn(self) -> None:
        o = self._options
        obs, action, log_p, value, reward, terminated, ended, after = map(
            np.stack, zip(*self._rows, strict=True)
        )
        values = value.astype(np.float64)
        following = np.concatenate([values[1:], after[-1:]])
        following = np.where(terminated, 0.0, np.where(ended, after, following))
        advantage = advantages(reward, values, following, ended, gamma=o["gamma"], lam=o["lam"])
        columns = (obs, action, log_p, value, advantage, advantage + values)
        whole = Batch(*map(self._flat, columns))
        size = o["steps"] // o["batches"]
        for _ in range(o["epochs"]):
            for at in torch.randperm(o["steps"], generator=self._order).split(size):
                self._update(Batch(*(column[at.to(self._device)] for column in whole)))

    def _update(self, batch: Batch) -> None:
        o = self._options
        self._optimizer.zero_grad()
        loss(self._nets, batch, clip=o["clip"], value_weight=o["value_weight"]).backward()
        nn.utils.clip_grad_norm_(self._nets.parameters(), o["max_gradient"])
        self._optimizer.step()

    def save(self, folder: Path) -> None:
        """Write networks, optimiser, statistics, generators and the steps not yet learned from."""
        state = self._places() | {"returns": torch.from_numpy(self._returns)}
        for number, column in enumerate(zip(*self._rows, strict=True)):
            state[f"rows.{number}"] = torch.from_numpy(np.stack(column))
        state["noise"], state["order"] = self._noise.get_state(), self._order.get_state()
        save_state(folder, state)

    def load(self, folder: Path) -> None:
        """Become what was saved."""
        state = load_state(folder, self._device)
        if "adam.0.step" in state:  # the optimiser makes its tensors at its first step
            for parameter in self._nets.parameters():
                parameter.grad = torch.zeros_like(parameter)
            self._optimizer.step()
        for name, place in self._places().items():
            scatter(state[name].flatten().to(place.device), [place])
        self._returns = state["returns"].cpu().numpy()
        self._noise.set_state(state["noise"].cpu())
        self._order.set_state(state["order"].cpu())
        columns = [state[f"rows.{n}"].cpu().numpy() for n in range(8) if f"rows.{n}" in state]
        self._rows = list(zip(*columns, strict=True))

    def _places(self) -> dict[str, Tensor]:
        """Return the tensors that learning changes, by name."""
        places = {f"nets.{name}": value for name, value in self._nets.state_dict().items()}
        for number, parameter in enumerate(self._nets.parameters()):
            for name, value in self._optimizer.state[parameter].items():
                places[f"adam.{number}.{name}"] = value
        return places | {"obs": self._obs_moments.state, "return": self._return_moments.state}

    def _ask(self, obs: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return means (n, a) and values (n,) of observations (n, o), changing nothing."""
        inner = torch.from_numpy(self._obs_moments.normalise(obs)).to(self._device)
        with torch.no_grad():
            mean, value = self._nets(inner)
        return mean.cpu().numpy(), value.cpu().numpy()

    def _flat(self, column: NDArray[Any]) -> Tensor:
        """Return a (t, n, ...) column as (t * n, ...)."""
        rows = column.reshape(-1, *column.shape[2:]).astype(np.float32)
        return torch.from_numpy(rows).to(self._device)


def make(
    task: TaskInfo,
    *,
    seed: int,
    device: str,
    gamma: float = 0.99,
    lam: float = 0.95,
    learning_rate: float = 3e-4,
    steps: int = 20_000,
    batches: int = 20,
    epochs: int = 5,
    clip: float = 0.2,
    value_weight: float = 0.5,
    max_gradient: float = 0.5,
    hidden: tuple[int, ...] = (400, 300),
) -> PPO:
    """Make the agent.

    Args:
        task: What it is told.
        seed: Its own.
        device: Of the networks.
        gamma: The discount.
        lam: The decay of later errors in advantages.
        learning_rate: Of Adam.
        steps: Between two times that it learns, in all environments together.
        batches: That these steps are split into.
        epochs: How often it learns from each step.
        clip: How far the ratio of the policies may go from 1.
        value_weight: Of the value's loss.
        max_gradient: The largest norm of a gradient.
        hidden: Units of the hidden layers.

    Raises:
        UsageError: Observations are no vectors, actions no bounded box, or steps no multiple of
            the environments and the batches.
    """
    options = {
        "gamma": gamma, "lam": lam, "learning_rate": learning_rate, "steps": steps,
        "batches": batches, "epochs": epochs, "clip": clip, "value_weight": value_weight,
        "max_gradient": max_gradient, "hidden": hidden,
    }  # fmt: skip
    return PPO(task, seed, device, options)
