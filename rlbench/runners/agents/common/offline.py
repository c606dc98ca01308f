"""Agents that learn from a dataset: all that they have besides networks and losses.

An agent's file holds its options and a `Learner`, which learns for S seeds at once.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import AgentPhase, Bools, TaskInfo
from rlbench.runners.agents.common.batches import Batch, Replay
from rlbench.runners.agents.common.networks import (
    Layers,
    Network,
    generators_of,
    members,
    one_thread,
)
from rlbench.runners.agents.common.policies import Actions, observation_size
from rlbench.runners.agents.common.states import gather, load_state, save_state, scatter
from rlbench.runners.agents.common.validation import Best
from rlbench.suites import Dataset

_FLOOR = 1e-3  # added to standard deviations, as Fujimoto and Gu 2021 do


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What all offline agents can be told.

    Attributes:
        layers: Hidden layers of each network.
        units: In each hidden layer.
        batch: Transitions in a batch.
        normalize: Observations are brought to mean 0 and deviation 1 over the training data.
        choose: The policy is chosen by the validation data (see `Best`); else the last one counts.
        choose_every: Updates between two looks at the validation data.
    """

    layers: int = 2
    units: int = 256
    batch: int = 256
    normalize: bool = False
    choose: bool = False
    choose_every: int = 1000


OptionsT = TypeVar("OptionsT", bound=Options)


class Part(Protocol):
    """What a learner keeps for each seed."""

    def of_seed(self, seed: int) -> list[Tensor]:
        """Return views of all that a seed has, by its place."""
        ...


class Learner(Protocol):
    """What learns, for S seeds at once.

    It is made from the numbers in an observation and in an action, S generators and the options.
    """

    @property
    def parts(self) -> Mapping[str, Part]:
        """All that an update changes, by name, but for the generators; ``actor`` is the policy."""
        ...

    @property
    def actor(self) -> Network:
        """The network of the policy."""
        ...

    def update(self, batch: Batch, number: int) -> None:
        """Make an update; the first has the number 1."""
        ...

    def act(self, layers: Layers, obs: Tensor) -> Tensor:
        """Return the (S, n, a) actions of policies with these layers for (S, n, o) observations."""
        ...


class Group:
    """The agents of several seeds of one task, whose updates are made together.

    Agents that were saved at different updates wait for the last of them.

    Args:
        name: Of the agent.
        task: The task.
        seeds: Of the agents.
        device: Where they learn.
        make: Makes the learner.
        options: Of the agent.
    """

    def __init__(
        self,
        name: str,
        task: TaskInfo,
        seeds: Sequence[int],
        device: Any,
        make: Callable[[int, int, list[Generator], Any], Learner],
        options: Options,
    ) -> None:
        width = observation_size(task, name)
        self.actions, self.device = Actions(task.action_space, name), device
        self._generators = generators_of(seeds, device)
        self._learner = make(width, self.actions.size, self._generators, options)
        self._best: Best | None = None
        self._parts = dict(self._learner.parts)
        if options.choose:
            self._best = Best(self._learner.actor, self._learner.act, self._generators)
            self._parts |= self._best.parts
        self._options = options
        self._middle = np.zeros(width, np.float32)
        self._scale = np.ones(width, np.float32)
        self._made, self._told = [0] * len(seeds), [0] * len(seeds)
        self._learning: set[int] = set()  # by their places
        self._replay: Replay | None = None

    def told(self, seed: int) -> int:
        """Return the number of updates that an agent, by its place, has told of."""
        return self._told[seed]

    def go_on(self, seed: int) -> bool:
        """Bring an agent to its next update; say no if another one is not there yet."""
        if self._told[seed] == self._made[seed]:
            if self._told[seed] > self._least():
                return False
            self._advance()
        self._told[seed] += 1
        return True

    def leave(self, seed: int) -> None:
        """Let the others go on without an agent."""
        self._learning.discard(seed)

    def join(self, seed: int, dataset: Dataset) -> None:
        """Let an agent begin to learn; the data are the same for all."""
        self._learning.add(seed)
        if self._replay is not None:
            return
        train, chosen = dataset.train, dataset.validation
        if self._options.normalize:
            self._middle = train.obs.mean(0, dtype=np.float64).astype(np.float32)
            self._scale = train.obs.std(0, dtype=np.float64).astype(np.float32) + np.float32(_FLOOR)
        self._replay = Replay(len(train), len(self._middle), self.actions.size, self.device)
        self._replay.add(
            self._scaled(train.obs), self.actions.inner(train.action), train.reward,
            self._scaled(train.next_obs), train.terminated,
        )  # fmt: skip
        if self._best and len(chosen) > 0:
            self._best.see(
                self._tensor(self._scaled(chosen.obs)),
                self._tensor(self.actions.inner(chosen.action)),
            )

    def _advance(self) -> None:
        """Make the next update of all that have told of the fewest; the others stay as they are."""
        assert self._replay is not None
        number = self._least() + 1
        others = {k for k, told in enumerate(self._told) if told != number - 1}
        kept = {k: self.state(k) for k in others}
        with one_thread():
            batch = self._replay.draw(self._generators, self._options.batch)
            self._learner.update(batch, number)
            if self._best and number % self._options.choose_every == 0:
                self._best.look()
        for seed, state in kept.items():
            self._put(seed, state)
        self._made = [made if k in others else number for k, made in enumerate(self._made)]

    def act(self, obs: NDArray[Any], seed: int) -> NDArray[Any]:
        """Return the actions of an agent."""
        layers = self._best.layers(seed) if self._best else None
        if layers is None:
            layers = members(self._learner.actor.still, slice(seed, seed + 1))
        with one_thread(), torch.no_grad():
            found = self._learner.act(layers, self._tensor(self._scaled(obs))[None])[0]
        return self.actions.outer(found.cpu().numpy())

    def state(self, seed: int) -> dict[str, Tensor]:
        """Return all that an agent has learned and drawn."""
        state = {name: gather(part.of_seed(seed)) for name, part in self._parts.items()}
        state["generator"] = self._generators[seed].get_state()
        state["made"] = torch.tensor(self._made[seed])
        state["middle"], state["scale"] = map(torch.from_numpy, (self._middle, self._scale))
        return state

    def restore(self, seed: int, state: Mapping[str, Tensor]) -> None:
        """Give an agent what was saved.

        Raises:
            ValueError: It was saved with other options.
        """
        self._put(seed, state)
        self._made[seed] = self._told[seed] = int(state["made"])
        self._middle, self._scale = (state[name].cpu().numpy() for name in ("middle", "scale"))

    def _put(self, seed: int, state: Mapping[str, Tensor]) -> None:
        for name, part in self._parts.items():
            scatter(state[name], part.of_seed(seed))
        self._generators[seed].set_state(state["generator"].cpu())

    def _least(self) -> int:
        """Return the fewest updates that one which still learns has told of."""
        return min(self._told[seed] for seed in self._learning)

    def _scaled(self, obs: NDArray[Any]) -> NDArray[np.float32]:
        scaled: NDArray[np.float32] = (np.asarray(obs, np.float32) - self._middle) / self._scale
        return scaled

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


class OfflineAgent:
    """One agent of a group, as the runner sees it; alone it is a group of one."""

    def __init__(self, group: Group, seed: int) -> None:
        self._group, self._seed = group, seed

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Return the (n, ...) actions of the policy; nothing is drawn."""
        return self._group.act(obs, self._seed)

    def fit(self, dataset: Dataset, *, updates: int, checkpoint: Callable[[int], None]) -> None:
        """Learn from a dataset; see `Fitter`."""
        for _ in self.fit_steps(dataset, updates=updates, checkpoint=checkpoint):
            pass

    def fit_steps(
        self, dataset: Dataset, *, updates: int, checkpoint: Callable[[int], None]
    ) -> Iterator[None]:
        """Learn, an update at a time; see `StepFitter`."""
        group, seed = self._group, self._seed
        group.join(seed, dataset)
        try:
            while group.told(seed) < updates:
                if group.go_on(seed):
                    checkpoint(group.told(seed))
                yield
        finally:
            group.leave(seed)

    def save(self, folder: Path) -> None:
        """Write all that it has learned and drawn."""
        save_state(folder, self._group.state(self._seed))

    def load(self, folder: Path) -> None:
        """Become what was saved."""
        self._group.restore(self._seed, load_state(folder, self._group.device))


def group_factory(
    name: str,
    learner: Callable[[int, int, list[Generator], OptionsT], Learner],
    options: type[OptionsT],
) -> Callable[..., list[OfflineAgent]]:
    """Return a ``make_group`` of agents that a learner and its options make."""

    def make_group(
        tasks: Sequence[TaskInfo], seeds: Sequence[int], *, device: str, **config: Any
    ) -> list[OfflineAgent]:
        chosen = options(**config)
        _check(name, chosen)
        agents: dict[int, OfflineAgent] = {}
        for task in {one.task: one for one in tasks}.values():
            places = [k for k, one in enumerate(tasks) if one.task == task.task]
            group = Group(name, task, [seeds[k] for k in places], device, learner, chosen)
            agents |= {k: OfflineAgent(group, seed) for seed, k in enumerate(places)}
        return [agents[k] for k in range(len(tasks))]

    return make_group


def factory(
    make_group: Callable[..., list[OfflineAgent]], options: type[Options]
) -> Callable[..., OfflineAgent]:
    """Return the ``make`` beside a ``make_group``; its signature lists the options."""

    def make(task: TaskInfo, *, seed: int, device: str, **config: Any) -> OfflineAgent:
        return make_group([task], [seed], device=device, **config)[0]

    own = list(inspect.signature(make).parameters.values())[:-1]
    chosen = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default)
        for field in fields(options)
    ]
    make.__signature__ = inspect.Signature([*own, *chosen])  # type: ignore[attr-defined]
    return make


def _check(name: str, options: Options) -> None:
    """Raise UsageError unless every option has the type of its default, and no negative value."""
    for field in fields(options):
        value, kind = getattr(options, field.name), type(field.default)
        fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        if kind is float:
            fits = type(value) in (int, float) and math.isfinite(value) and value >= 0
        elif kind is int:
            fits = fits and value >= 1
        if not fits:
            wanted = {float: "a number >= 0", int: "a whole number >= 1", bool: "true or false"}
            raise UsageError(
                f"the option {field.name} of the agent {name} is {wanted[kind]}, not {value!r}"
            )
