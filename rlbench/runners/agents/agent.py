"""What an agent is to the runner, and how `--agent` names one."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.registry import Entry, Registry
from rlbench.runners.agents import factories
from rlbench.runners.agents.resolving import (
    Found,
    Resolved,
    ask,
    find_python,
    resolve_found,
    signature_in,
    version_of,
)
from rlbench.suites import Dataset

if TYPE_CHECKING:
    from gymnasium.spaces import Box, Space
    from gymnasium.vector import VectorEnv

AgentPhase = Literal["train", "eval"]
Bools = NDArray[np.bool_]

AGENTS = Registry(
    "agent",
    {
        "random": Entry("rlbench.runners.agents.random:make", "1"),
        "noop": Entry("rlbench.runners.agents.noop:make", "1"),
        "bc": Entry("rlbench.runners.agents.bc:make", "1", "agents"),
        "td3bc": Entry("rlbench.runners.agents.td3bc:make", "1", "agents"),
        "cql": Entry("rlbench.runners.agents.cql:make", "1", "agents"),
        "edac": Entry("rlbench.runners.agents.edac:make", "1", "agents"),
        "ppo": Entry("rlbench.runners.agents.ppo:make", "1", "agents"),
        "sac": Entry("rlbench.runners.agents.sac:make", "1", "agents"),
    },
)
COMMAND = "cmd:"
SB3 = "sb3:"
SB3_ZIP = "sb3-zip:"
SBX = "sbx:"
ADAPTERS = Registry(
    "adapter",
    {
        COMMAND: Entry("rlbench.runners.agents.adapters.command"),
        SB3: Entry("rlbench.runners.agents.adapters.sb3"),
        SB3_ZIP: Entry("rlbench.runners.agents.adapters.sb3_zip"),
        SBX: Entry("rlbench.runners.agents.adapters.sb3"),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """What an agent knows about its task.

    Attributes:
        suite: The suite's id, e.g. ``atari100k@1``.
        task: The task's name.
        observation_space: Of one environment.
        action_space: Of one environment.
        num_envs: Environments side by side in training; 0 where there are none (offline).
        budget: How much of `unit` training may spend.
        unit: What the budget counts.
        max_episode_steps: Steps after which an episode is truncated.
        kind: ``online``, ``offline`` or ``curriculum``.
        eval_points: Spent budgets at which the agent is evaluated, the end among them.
        parameter_space: Of a task's (d,) parameters, in a curriculum.
        knowledge: What else a curriculum's teacher may know, by names that the suite explains, e.g.
            ``{"mastered_above": 230.0}``.
    """

    suite: str
    task: str
    observation_space: "Space[Any]"
    action_space: "Space[Any]"
    num_envs: int
    budget: int
    unit: str
    max_episode_steps: int
    kind: str
    eval_points: tuple[int, ...] = ()
    parameter_space: "Box | None" = None
    knowledge: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)


class Transitions(NamedTuple):
    """One vector step of training; every array is (n, ...).

    Attributes:
        obs: What the actions answered.
        action: The actions.
        reward: Raw rewards, float64. Agents clip and scale; suites never do.
        terminated: The episode ended in a terminal state.
        truncated: The episode was cut off.
        next_obs: What followed; at an episode's end the true final observation.
        life_lost: A life was lost and the episode goes on.
        first: `obs` opened an episode.
        active: The step was charged to the budget; where False, ignore the slot.
        parameters: The task's parameters in a curriculum, else None.
    """

    obs: NDArray[Any]
    action: NDArray[Any]
    reward: NDArray[np.float64]
    terminated: Bools
    truncated: Bools
    next_obs: NDArray[Any]
    life_lost: Bools
    first: Bools
    active: Bools
    parameters: NDArray[np.float64] | None = None


class Agent(Protocol):
    """An agent: it chooses actions, and may learn.

    An agent that learns also has one of three methods: `Observer.observe`, `Trainer.train` or
    `Fitter.fit`.
    """

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions.

        Args:
            obs: (n, ...) observations.
            first: (n,) True where a slot has just begun an episode: recurrent state starts anew.
            phase: ``train`` or ``eval``. Recurrent state is kept for each; ``eval`` changes
                nothing in the learner.

        Returns:
            (n, ...) actions in the action space.
        """
        ...


@runtime_checkable
class Closer(Protocol):
    """An agent that holds what must be given back."""

    def close(self) -> None:
        """Give it back: the run is over, however it ended."""
        ...


@runtime_checkable
class Valuer(Protocol):
    """An agent that says what it expects, which some teachers ask: see `teacher.Asker`."""

    def value(self, obs: NDArray[Any]) -> NDArray[Any]:
        """Return the discounted return that it expects from each observation on.

        Asked at any time of training. Nothing in the agent may change.

        Args:
            obs: (n, ...) Each opened an episode.

        Returns:
            (n,) Finite numbers.
        """
        ...


@runtime_checkable
class Observer(Protocol):
    """An agent that learns from transitions while the runner owns the loop."""

    def observe(self, batch: Transitions) -> None:
        """Learn from one vector step."""
        ...


@runtime_checkable
class Trainer(Protocol):
    """An agent that owns its loop, as most libraries and scripts do."""

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions in evaluation, as `Agent` does."""
        ...

    def train(self, env: "VectorEnv[Any, Any, Any]") -> None:
        """Train on the environments until their budget is spent.

        They restart by themselves in the step that ends an episode; the true final observation
        is ``info["final_obs"]``, and ``info["active"]`` marks what was charged. When the budget
        is spent, `step` raises `BudgetExhausted`, which may be left alone.
        """
        ...


@runtime_checkable
class Fitter(Protocol):
    """An agent that learns from a dataset."""

    def fit(self, dataset: Dataset, *, updates: int, checkpoint: Callable[[int], None]) -> None:
        """Learn from logged episodes.

        An agent that was loaded goes on from the update at which it was saved.

        Args:
            dataset: To learn from.
            updates: How many to make.
            checkpoint: To be called with the number of updates made, after each, or at least at
                those in `TaskInfo.eval_points`; the agent is evaluated and saved inside.
        """
        ...


@runtime_checkable
class StepFitter(Protocol):
    """An agent that learns from a dataset and can be one of a group."""

    def fit_steps(
        self, dataset: Dataset, *, updates: int, checkpoint: Callable[[int], None]
    ) -> Iterator[None]:
        """Learn as `Fitter.fit` does, and yield after every call of `checkpoint`.

        The agents of a group take turns. One that waits for others yields without a call.
        """
        ...


@runtime_checkable
class Saver(Protocol):
    """An agent whose run goes on after an interruption."""

    def save(self, folder: Path) -> None:
        """Write all that it has learned and drawn into an empty folder."""
        ...

    def load(self, folder: Path) -> None:
        """Become, from a new agent of the same seed, what was saved."""
        ...


AgentFactory = Callable[..., Agent]
GroupFactory = Callable[..., Sequence[Agent]]


def resolve(
    spec: str,
    options: Mapping[str, Any],
    name: str | None = None,
    *,
    trust: bool = False,
    given: Iterable[str] = (),
) -> Resolved:
    """Find an agent without running any of its code in this process.

    Args:
        spec: A registered name, ``module:factory``, ``file.py``, ``file.py:factory``, the bare
            name of a file in the current folder or of an importable module, ``cmd:`` and a
            command, ``sb3:`` or ``sbx:`` and an algorithm, or ``sb3-zip:`` and a saved model.
        options: The options for the factory: JSON data, and paths of files.
        name: The display name; by default the registered name, or that of the module, the
            command's program or the saved model.
        trust: Accept a file of data that runs code when it is loaded.
        given: What it was given besides what it says itself, see `rlbench.results.identity.GIVEN`.

    Raises:
        UnknownName: There is no such agent, no such factory in its file, no such option of it, or
            no such thing that it can be given.
        UsageError: The display name cannot be kept, the file is not Python or no saved model, it
            is not trusted or cannot be imported, there is no such program, or an option's value
            does not fit.
        MissingExtra: It needs an extra.
    """
    found = _find(spec, options)
    if getattr(adapter_of(spec), "NEEDS_TRUST", False) and not trust:
        raise UsageError(
            f"the agent {spec!r} is not trusted: loading the file runs code that is in it; add"
            " --trust if you know where it comes from"
        )
    return resolve_found("agent", spec, options, found, name=name, given=given)


def agent_version(spec: str, options: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return version and source hash of an agent, in the process of its run."""
    adapter = adapter_of(spec)
    if adapter is None:
        return version_of(AGENTS, spec)
    found: Found = adapter.identify(spec, options)
    return found.version, found.source


def load_factory(spec: str) -> AgentFactory:
    """Import an agent's factory: ``make(task: TaskInfo, *, seed, device, **config) -> Agent``.

    Raises:
        UsageError: The module has no such factory.
    """
    adapter = adapter_of(spec)
    if adapter is not None:
        made_by_adapter: AgentFactory = adapter.make_factory(spec)
        return made_by_adapter
    place = factories.find(AGENTS, spec)
    factory: AgentFactory | None = factories.load(place)
    if factory is None:
        raise UsageError(f"the agent {spec!r} has no function or class {place.factory!r}")
    return factory


def load_group_factory(spec: str) -> GroupFactory | None:
    """Import what makes agents that are stepped together, if the agent has it.

    It stands beside the factory: ``make_group(tasks: Sequence[TaskInfo], seeds: Sequence[int], *,
    device, **config) -> Sequence[Agent]``.
    """
    if adapter_of(spec) is not None:
        return None
    return factories.load(factories.find(AGENTS, spec), "make_group")


def _find(spec: str, options: Mapping[str, Any]) -> Found:
    adapter = adapter_of(spec)
    if adapter is None:
        return find_python(AGENTS, spec)
    found: Found = adapter.identify(spec, options)
    if getattr(adapter, "NEEDS_IMPORT", False):
        return replace(found, signature=signature_in(ask("agent", spec)))
    return found


def adapter_of(spec: str) -> ModuleType | None:
    """Return the module that makes agents of a prefix, by `identify` and `make_factory`.

    If it sets `NEEDS_TRUST`, its agents are files that may run code when they are loaded, though
    they do not look like programs. If it sets `NEEDS_IMPORT`, only its `signature`, in a process of
    its own, can say which options there are.
    """
    for prefix, adapter in ADAPTERS.own.items():
        if spec.startswith(prefix):
            return importlib.import_module(adapter.target)
    return None
