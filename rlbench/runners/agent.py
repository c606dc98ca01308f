"""What an agent is to the runner, and how `--agent` names one."""

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import UnknownName, UsageError
from rlbench.results import AgentId
from rlbench.suites import Scalar, slug

AgentPhase = Literal["train", "eval"]
Bools = NDArray[np.bool_]

OWN = {
    "random": "rlbench.runners.agents.random:make",
    "noop": "rlbench.runners.agents.noop:make",
}
COMMAND = "cmd:"
SB3 = "sb3:"
ADAPTERS = {
    COMMAND: "rlbench.runners.adapters.command",
    SB3: "rlbench.runners.adapters.sb3",
}
MAX_NAME = 100
_DEFAULT_FACTORY = "make"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """What an agent is told about its task.

    Attributes:
        suite: The suite's id, e.g. ``atari100k@1``.
        task: The task's name.
        observation_space: Of one environment.
        action_space: Of one environment.
        num_envs: Environments side by side in training.
        budget: How much of `unit` training may spend.
        unit: What the budget counts.
        max_episode_steps: Steps after which an episode is truncated.
        kind: ``online``, ``offline`` or ``curriculum``.
    """

    suite: str
    task: str
    observation_space: Space[Any]
    action_space: Space[Any]
    num_envs: int
    budget: int
    unit: str
    max_episode_steps: int
    kind: str


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
    """What is evaluated.

    An agent that learns also has one of two methods: ``observe(batch: Transitions) -> None``,
    called after every vector step of training, or ``train(env: VectorEnv) -> None``, a loop of its
    own.
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

    def train(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Train on the environments until their budget is spent.

        They restart by themselves in the step that ends an episode; the true final observation
        is ``info["final_obs"]``, and ``info["active"]`` marks what was charged. When the budget
        is spent, `step` raises `BudgetExhausted`, which may be left alone.
        """
        ...


AgentFactory = Callable[..., Agent]


class _Source(NamedTuple):
    """Where a factory is: in a file that is run, or in a module that is imported by its name."""

    module: str
    factory: str
    path: Path
    is_file: bool


def resolve(spec: str, config: Mapping[str, Scalar], name: str | None = None) -> AgentId:
    """Find an agent without running any of its code.

    Args:
        spec: A registered name, ``module:factory``, ``file.py``, ``file.py:factory``, the bare
            name of a file in the current folder or of an importable module, ``cmd:`` and a
            command, or ``sb3:`` and an algorithm.
        config: The options for the factory.
        name: The display name; by default the registered name, or that of the module or the
            command's program.

    Raises:
        UnknownName: There is no such agent, or no such factory in its file.
        UsageError: The display name cannot be kept, the file is not Python, or there is no such
            program.
    """
    found, version, digest = _identify(spec)
    name = name or found
    slug(name)
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"the name {name!r} must be printable, of at most {MAX_NAME} characters")
    return AgentId(
        name=name,
        version=version,
        spec=spec,
        config=dict(config),
        source=digest,
    )


def load_factory(spec: str) -> AgentFactory:
    """Import an agent's factory: ``make(task: TaskInfo, *, seed, device, **config) -> Agent``.

    Raises:
        UsageError: The module has no such factory.
    """
    adapter = _adapter_of(spec)
    if adapter is not None:
        made_by_adapter: AgentFactory = adapter.make_factory(spec)
        return made_by_adapter
    source = _find(spec)
    module = _run_file(source) if source.is_file else importlib.import_module(source.module)
    factory = getattr(module, source.factory, None)
    if not callable(factory):
        raise UsageError(f"the agent {spec!r} has no function or class {source.factory!r}")
    made: AgentFactory = factory
    return made


def registered_agents() -> dict[str, str]:
    """Return ``module:factory`` by name; our own names cannot be taken by another package."""
    return {point.name: point.value for point in entry_points(group="rlbench.agents")} | OWN


def _identify(spec: str) -> tuple[str, str, str | None]:
    """Return the name, the version and the source hash of an agent."""
    adapter = _adapter_of(spec)
    if adapter is not None:
        identity: tuple[str, str, str | None] = adapter.identify(spec)
        return identity
    source = _find(spec)
    if spec in OWN:
        return spec, "1", None
    text = source.path.read_bytes()
    version = _check_file(source, text) if source.path.suffix == ".py" else ""
    name = source.module.rpartition(".")[2]
    return name, version, None if version else hashlib.sha256(text).hexdigest()


def _adapter_of(spec: str) -> ModuleType | None:
    """Return the module that makes agents of a prefix, by `identify` and `make_factory`."""
    for prefix, module in ADAPTERS.items():
        if spec.startswith(prefix):
            return importlib.import_module(module)
    return None


def _find(spec: str) -> _Source:
    """Return where the agent that `spec` names is."""
    registered = registered_agents()
    target, _, factory = registered.get(spec, spec).partition(":")
    factory = factory or _DEFAULT_FACTORY
    is_file = target.endswith(".py") or "/" in target
    path = Path(target if is_file else f"{target}.py")
    if spec not in registered and path.is_file():
        return _Source(path.stem, factory, path.resolve(), is_file=True)
    if not is_file:
        origin = _module_path(target)
        if origin is not None:
            return _Source(target, factory, origin, is_file=False)
    raise UnknownName(
        "agent", spec, [*registered, *(p.stem for p in sorted(Path().glob("*.py")))],
        see="rlbench list agents",
    )  # fmt: skip


def _module_path(name: str) -> Path | None:
    """Return the file of an importable module; the current folder is searched last."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found and found.origin and found.has_location else None


def _check_file(source: _Source, text: bytes) -> str:
    """Return the ``__version__`` that a file states, or nothing; raise if it has no factory."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"the agent's file {source.path} is not Python: {error}") from error
    names, version = _top_level(tree.body)
    if not names & {source.factory, "*", "__getattr__"}:
        raise UnknownName(f"factory in {source.path}:", source.factory, sorted(names))
    return version


def _top_level(body: Iterable[ast.stmt]) -> tuple[set[str], str]:
    """Return the names that statements bind in their module, and the ``__version__`` stated."""
    names: set[str] = set()
    version = ""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names.update((alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound = {target.id for target in targets if isinstance(target, ast.Name)}
            names |= bound
            if "__version__" in bound and isinstance(node.value, ast.Constant):
                version = str(node.value.value)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            more, stated = _top_level(inner)
            names |= more
            version = stated or version
    return names, version


def _run_file(source: _Source) -> ModuleType:
    """Run an agent's file as a module; files beside it can be imported."""
    sys.path.append(str(source.path.parent))
    spec = importlib.util.spec_from_file_location(source.module, source.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[source.module] = module
    spec.loader.exec_module(module)
    return module
