"""What a benchmark fixes: suites, their tasks and their protocols, as frozen data."""

import hashlib
import importlib
import importlib.util
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, lru_cache
from importlib import resources
from math import inf
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import BrokenSuite, MissingExtra, UnknownName, UsageError, one_line
from rlbench.suites.mujoco_warnings import divert_mujoco_warnings

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from rlbench.suites.dataset import Dataset

Scalar = bool | int | float | str
Constant = Scalar | tuple[int, ...]
Kind = Literal["online", "offline", "curriculum"]
Split = Literal["train", "eval"]
Role = Literal["train", "eval", "extra", "engine", "agent", "teacher"]
ScoreRule = Literal["mean", "percent_above"]

MAX_EVALUATIONS = 1000  # of a run: what its record holds
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")  # of an evaluation


@lru_cache(10_000)
def slug(name: str) -> str:
    """Return the form of a display name that is safe in a path.

    Args:
        name: Any text, e.g. ``"DrQ(eps)"``.

    Returns:
        Text that matches ``[a-z0-9][a-z0-9._-]{0,63}``, e.g. ``"drq-eps"``.

    Raises:
        UsageError: Nothing of the name is left.

    >>> slug("DrQ(eps)"), slug("Breakout/3.2A")
    ('drq-eps', 'breakout-3.2a')
    """
    text = unicodedata.normalize("NFKC", name).lower()
    text = re.sub(r"[^a-z0-9._-]+", "-", text).lstrip("._-")[:64].rstrip("-")
    if not text:
        raise UsageError(f"the name {name!r} has no letter or digit that a file name could keep")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Everything that must be the same for two scores to be comparable.

    Attributes:
        kind: How an agent learns: ``online``, ``offline`` or ``curriculum``.
        budget: How much of `unit` an agent may spend on training.
        unit: What the budget counts. ``steps`` are calls of ``step`` for one environment; resets
            and what they play (no-ops) are free.
        train_envs: The largest number of environments that may be trained on side by side.
        eval_points: Spent budgets at which the agent is evaluated before the end, increasing.
        episodes: Episodes of each evaluation at the end.
        point_episodes: Episodes of each evaluation before the end; 0 for as many as at the end.
        eval_envs: Slots (environments side by side) in an evaluation; each plays its own fixed
            share of the episodes, so that short episodes are not counted more often.
        evaluations: The evaluations at each point by name, with the constants that differ in each,
            e.g. ``{"test": {}, "train": {"eval_levels": 200}}``. The first one gives the score.
        max_episode_steps: Steps after which an episode is truncated.
        score_rule: How the score follows from the returns: their ``mean``, or the percentage of
            episodes whose return is above a threshold (``percent_above``).
        score_threshold: That threshold, exclusive.
        environment: The suite's own constants, e.g. the frame skip.
    """

    kind: Kind = "online"
    budget: int
    unit: str = "steps"
    train_envs: int = 1
    eval_points: tuple[int, ...] = ()
    episodes: int
    point_episodes: int = 0
    eval_envs: int
    evaluations: Mapping[str, Mapping[str, Scalar]] = field(default_factory=lambda: {"test": {}})
    max_episode_steps: int
    score_rule: ScoreRule = "mean"
    score_threshold: float | None = None
    environment: Mapping[str, Scalar]

    def __post_init__(self) -> None:
        for name in ("budget", "train_envs", "episodes", "eval_envs", "max_episode_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"the protocol's {name} must be at least 1: {getattr(self, name)}")
        if self.point_episodes < 0:
            raise UsageError(f"point_episodes must not be negative: {self.point_episodes}")
        self._check_evaluations()

    def _check_evaluations(self) -> None:
        """Raise UsageError unless points, evaluations and the score rule make sense."""
        points = self.eval_points
        if any(b <= a for a, b in zip((0, *points), points, strict=False)):
            raise UsageError(f"eval_points must be positive and increasing: {list(points)}")
        number = len(self.points) * len(self.evaluations)
        if not 1 <= number <= MAX_EVALUATIONS:
            raise UsageError(f"a run has 1 to {MAX_EVALUATIONS} evaluations, not {number}")
        for name, changed in self.evaluations.items():
            if not _NAME.fullmatch(name):
                raise UsageError(f"an evaluation cannot be named {name!r}: use a-z, 0-9 and _")
            for constant in changed:
                if constant not in self.environment:
                    raise UnknownName("constant of the environment", constant, self.environment)
        self.constants()  # their names are distinct
        if (self.score_rule == "mean") != (self.score_threshold is None):
            raise UsageError(f"the score rule {self.score_rule!r} has the wrong score_threshold")

    @property
    def points(self) -> tuple[int, ...]:
        """All spent budgets at which the agent is evaluated; the last is the end."""
        return (*(point for point in self.eval_points if point < self.budget), self.budget)

    @property
    def episodes_at_points(self) -> int:
        """Episodes of each evaluation before the end."""
        return self.point_episodes or self.episodes

    @property
    def main_evaluation(self) -> str:
        """The name of the evaluation that gives the score."""
        return next(iter(self.evaluations))

    def constants(self) -> dict[str, Constant]:
        """Return every constant by name, including those of the environment.

        A constant that an evaluation changes is named ``<evaluation>.<constant>``.

        Raises:
            UsageError: Two constants have one name.
        """
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "environment"}
        own["point_episodes"] = self.episodes_at_points
        own["evaluations"] = " ".join(self.evaluations)
        if self.score_threshold is None:
            del own["score_threshold"]
        changed = {
            f"{evaluation}.{name}": value
            for evaluation, values in self.evaluations.items()
            for name, value in values.items()
        }
        return _merged(own, self.environment, changed)

    def override(self, values: Mapping[str, Constant]) -> "Protocol":
        """Return the protocol with some constants changed.

        Args:
            values: New values by the constants' names.

        Raises:
            UnknownName: No constant has that name.
            UsageError: The value is not of the constant's type.
        """
        constants = self.constants()
        known = {n: v for n, v in constants.items() if n != "evaluations" and "." not in n}
        own: dict[str, Any] = {}
        environment: dict[str, Any] = dict(self.environment)
        for name, value in values.items():
            if name not in known:
                raise UnknownName("constant", name, known)
            (environment if name in environment else own)[name] = _as_type(name, value, known[name])
        return replace(self, **own, environment=environment)


def _merged(*parts: Mapping[str, Constant]) -> dict[str, Constant]:
    """Put constants together; none may hide another of its name."""
    merged: dict[str, Constant] = {}
    for part in parts:
        twice = sorted(merged.keys() & part.keys())
        if twice:
            raise UsageError(f"two constants are named {twice[0]!r}: rename one")
        merged.update(part)
    return merged


def _as_type(name: str, value: Constant, old: Constant) -> Constant:
    """Return the value of a constant in the type that the constant has."""
    if isinstance(old, tuple):
        numbers: tuple[Any, ...] = tuple(value) if isinstance(value, list | tuple) else (value,)
        if all(type(number) is int for number in numbers):
            return numbers
        raise UsageError(f"the constant {name!r} takes integers, e.g. [500,1000], not {value!r}")
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(old):
        raise UsageError(f"the constant {name!r} takes {type(old).__name__}, not {value!r}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One environment of a suite.

    Attributes:
        name: The display name, e.g. ``Pong``.
        low: The reference score that is normalised to 0.
        high: The reference score that is normalised to 1.
        assets: What the environment loads, with checksums; part of the digest.
        overrides: Constants of the protocol that this task sets itself.
        clean: The name of the undisturbed task, if this one is a disturbed version of another; what
            an agent keeps of its score there is its retention.
        returns: The lowest and the highest return that an episode can have, where that is known.
        extra: The optional dependencies of this task, where they are not those of the suite.
        packages: Distributions whose versions matter for this task, besides those of the suite.
        starts_vary: Its episodes begin in different states, as the suite says of all.
        data: The mean return of the episodes that an offline agent learns from, where it is known.
    """

    name: str
    low: float
    high: float
    assets: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Scalar] = field(default_factory=dict)
    clean: str = ""
    returns: tuple[float, float] = (-inf, inf)
    extra: str = ""
    packages: tuple[str, ...] = ()
    starts_vary: bool = True
    data: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named, versioned set of tasks with one protocol.

    Attributes:
        name: The name without the version, e.g. ``atari100k``.
        version: Raised at any change of meaning.
        title: The name for people.
        summary: One sentence.
        notes: What a reader of its scores must know, one paragraph each.
        protocol: What is the same for all tasks.
        tasks: The tasks, in the order of tables.
        references: What a task's `low` and `high` are, e.g. ``("random", "human")``.
        reference_source: Where the reference scores come from.
        factory: ``module:function`` that makes the environments; imported when first needed. Empty
            while there are none: the suite then is a board that only published scores stand on.
        drawing_factory: ``module:function`` that makes the same environments as `factory`, but
            such that they can be drawn, where that must be known when they are made.
        dataset_factory: ``module:function`` that makes an offline task's dataset, from the task
            and its constants.
        papers: ``module:function`` that makes the fields by which published protocols are told
            apart, from the protocol's constants; empty where there are no published scores.
        replays: A run that is taken up plays its training actions again, to be where it was. Where
            that would cost too much, it goes on in new episodes.
        extra: The optional dependencies that the environments need.
        packages: The distributions whose versions matter: a record keeps them.
        versions: ``module:function`` that returns versions by the names in `packages`, where
            installed distributions do not tell which of them are used, e.g. of a library of the
            system.
        engine_steps: Steps whose hash tells an engine from another, see `runners.engine`.
        engine_digits: Significant digits of observations and rewards that go into that hash, for
            engines that differ in the last digits from one processor to another; None for all.
        engines: ``package:file.json`` of the hashes that are expected, by suite id and task.
        starts_vary: Episodes begin in different states. Where they do not, a run is invalid.
        parameters: What the parameters of a curriculum's tasks are, for people, in their order.
        unofficial: Constants that were changed for trying things out.
        file: Where it was loaded from, as `rlbench.suites.get` takes it, with the folders of this
            machine: ``/home/me/my_suite.py:MINE``. Empty for a registered suite.
    """

    name: str
    version: int
    title: str
    summary: str
    notes: tuple[str, ...] = ()
    protocol: Protocol
    tasks: tuple[Task, ...]
    references: tuple[str, str]
    reference_source: str
    factory: str
    drawing_factory: str = ""
    dataset_factory: str = ""
    papers: str = ""
    replays: bool = True
    extra: str
    packages: tuple[str, ...] = ()
    versions: str = ""
    engine_steps: int = 200
    engine_digits: int | None = None
    engines: str = ""
    starts_vary: bool = True
    parameters: tuple[str, ...] = ()
    unofficial: Mapping[str, Constant] = field(default_factory=dict)
    file: str = ""

    @property
    def id(self) -> str:
        """Name and version, e.g. ``atari100k@1``."""
        return f"{self.name}@{self.version}"

    @property
    def spec(self) -> str:
        """The argument of `rlbench.suites.get` in another process on this machine."""
        return self.file or self.id

    @property
    def can_run(self) -> bool:
        """Whether the suite has environments, so that agents can run."""
        return bool(self.factory)

    def task(self, name: str) -> Task:
        """Return a task by its name, ignoring case.

        Raises:
            UnknownName: The suite has no such task.
        """
        wanted = name.lower()
        for task in self.tasks:
            if task.name.lower() == wanted or slug(task.name) == wanted:
                return task
        names = [task.name for task in self.tasks]
        raise UnknownName("task", name, names, see=f"rlbench list tasks --suite {self.name}")

    def protocol_of(self, task: Task) -> Protocol:
        """Return the protocol with the task's own constants; unofficial ones override them."""
        return self.protocol.override({**task.overrides, **self.unofficial})

    def constants(self, task: Task) -> dict[str, Constant]:
        """Return everything that the digest covers, by name.

        Raises:
            UsageError: Two constants have one name.
        """
        return _merged({"suite": self.id}, self.protocol_of(task).constants(), task.assets)

    def digest(self, task: Task) -> str:
        """Return the digest of a task: scores of different digests never mix."""
        return sha256_of(self.constants(task))

    def make_unofficial(self, values: Mapping[str, Constant]) -> "Suite":
        """Return the suite with changed constants, to try things out.

        Digests that this changes are unofficial, and records say what was changed. A value that
        every task has in any case changes nothing and is left out.

        Raises:
            UnknownName: No constant has that name.
            UsageError: A value does not fit its constant.
        """
        merged = {**self.unofficial, **values}
        typed: dict[str, Any] = self.protocol.override(merged).constants()
        suite = replace(self, unofficial={name: typed[name] for name in merged})
        kept = {name for task in self.tasks for name in suite.unofficial_of(task)}
        return replace(self, unofficial={name: typed[name] for name in merged if name in kept})

    def unofficial_of(self, task: Task) -> dict[str, Constant]:
        """Return the constants of a task that differ from the official ones."""
        official = self.protocol.override(task.overrides).constants()
        return {n: v for n, v in self.unofficial.items() if v != official[n]}

    def expected_engine(self, task: Task) -> str:
        """Return the expected hash of the task's engine; empty if none is stated."""
        if not self.engines or self.unofficial:
            return ""
        return _read_engines(self.engines).get(self.id, {}).get(task.name, "")

    def normalise(self, task: Task, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(score - low) / (high - low)`` with the task's reference scores."""
        return (scores - task.low) / (task.high - task.low)

    def data_returns(self) -> dict[str, float]:
        """Return the normalised mean return of each task's data, if it is known.

        There is none where constants were changed that may stand for other data.
        """
        if self.unofficial.keys() & self.protocol.environment.keys():
            return {}
        return {
            task.name: float(self.normalise(task, np.array(task.data)))
            for task in self.tasks
            if task.data is not None
        }

    def stream(
        self, task: Task, role: Role, seed: int, part: int = 0, evaluation: str = ""
    ) -> np.random.SeedSequence:
        """Return the seed sequence of one role in one run.

        A run that goes on in new episodes, after an interruption, draws from the next part. Each
        evaluation but the main one has a stream of its own.
        """
        words = (
            seed,
            int(self.digest(task), 16),
            task.name,
            role + (evaluation and f" {evaluation}"),
        )
        return np.random.SeedSequence(
            [int.from_bytes(w.encode(), "big") if isinstance(w, str) else w for w in words],
            spawn_key=(2**31 + part,) if part else (),
        )

    def make(
        self,
        task: Task,
        *,
        split: Split,
        num_envs: int,
        seed: int,
        part: int = 0,
        evaluation: str = "",
        role: Role | None = None,
        drawn: bool = False,
    ) -> "VectorEnv[Any, Any, Any]":
        """Make the environments of a task.

        Args:
            task: One of the suite's tasks.
            split: ``train`` or ``eval``; their random streams share nothing.
            num_envs: Environments side by side.
            seed: The run's seed.
            part: Which part of the stream, see `stream`.
            evaluation: The evaluation's name, by default the main one's.
            role: What the environments are for, by default what `split` says.
            drawn: Pictures of them are wanted, see `rlbench.suites.envs.Drawing`.

        Returns:
            A vector environment that resets itself in the step that ends an episode. Where
            ``terminated | truncated``, ``info["final_obs"]`` (n, ...) holds the true final
            observation. ``info["life_lost"]`` (n,) marks lost lives, where the suite has them.
            ``info["start"]`` (n,), where the suite can tell, numbers the state in which an
            episode began. ``info["measures"]``, where there are any, holds by name what else is
            measured of the episodes that end, (n,) each. ``retire(mask)``, where there is one,
            ends the stepping of slots that are not needed any more.

            The training environments of a curriculum do not reset themselves. They have a
            ``parameter_space`` (a box of (d,) task parameters), and begin episodes by
            ``reset(options={"reset_mask": (n,), "parameters": (n, d)})``; ``info["success"]``
            (n,), where there is one, says whether an episode that ends has solved its task.

        Raises:
            UsageError: The suite has no environments yet.
            MissingExtra: They are not installed.
        """
        evaluations = self.protocol.evaluations
        main = self.protocol.main_evaluation
        if evaluation and evaluation not in evaluations:
            raise UnknownName("evaluation", evaluation, evaluations)
        changed = evaluations[evaluation or main] if split == "eval" else {}
        other = "" if evaluation == main else evaluation
        stream = self.stream(task, role or split, seed, part, other)
        return self.make_from(
            task, stream, split=split, num_envs=num_envs, changed=changed, drawn=drawn
        )

    def make_from(
        self,
        task: Task,
        stream: np.random.SeedSequence,
        *,
        split: Split,
        num_envs: int,
        changed: Mapping[str, Constant] | None = None,
        drawn: bool = False,
    ) -> "VectorEnv[Any, Any, Any]":
        """Make the environments of a task from a random stream.

        Args:
            task: The same as for `make`, as what follows.
            stream: What all that is random in them is drawn from.
            split: The same.
            num_envs: The same.
            changed: Constants that differ from the task's own.
            drawn: The same.
        """
        divert_mujoco_warnings()
        make = self.load_factory(task)
        if drawn and self.drawing_factory:
            make = self._import(self.drawing_factory, task.extra)
        constants = {**self.constants(task), **(changed or {})}
        try:
            env = make(task, constants, split=split, num_envs=num_envs, stream=stream)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if not task.extra or _is_installed(missing):
                raise
            what = f"the task {task.name} of {self.id}"
            raise MissingExtra(what, task.extra, missing) from error
        from rlbench.suites.envs import conform, slot_seeds  # gymnasium is imported when needed

        protocol = self.protocol_of(task)
        return conform(
            env,
            num_envs=num_envs,
            seeds=slot_seeds(stream, num_envs, split),
            max_episode_steps=protocol.max_episode_steps,
            restarts=(protocol.kind, split) != ("curriculum", "train"),
        )

    def dataset(self, task: Task) -> "Dataset":
        """Load the dataset of an offline task.

        Raises:
            UsageError: The suite has no datasets.
            MissingExtra: What loads it is not installed.
        """
        if not self.dataset_factory:
            raise UsageError(f"the suite {self.id} has no datasets to learn from")
        load = self._import(self.dataset_factory, task.extra)
        dataset: Dataset = load(task, self.constants(task))
        return dataset

    def paper_fields(self) -> dict[str, Any]:
        """Return this suite's values of the fields that distinguish published protocols.

        Raises:
            UsageError: No published score is of a suite like it.
        """
        if not self.papers:
            raise UsageError(f"there are no published scores of {self.id}")
        fields: dict[str, Any] = self._import(self.papers)(self.protocol.constants())
        return fields

    def own_versions(self) -> dict[str, str]:
        """Return the versions that `versions` finds; none if the engine is not installed."""
        if not self.versions:
            return {}
        try:
            found: dict[str, str] = self._import(self.versions)()
        except (UsageError, ModuleNotFoundError):
            return {}
        return found

    def load_factory(self, task: Task | None = None) -> Callable[..., Any]:
        """Import the factory of the environments.

        Args:
            task: The task that is meant, where tasks need different extras.

        Raises:
            UsageError: The suite has no environments yet.
            MissingExtra: They are not installed.
        """
        if not self.can_run:
            raise UsageError(
                f"the suite {self.id} cannot be run yet: it holds published scores only"
            )
        factory: Callable[..., Any] = self._import(self.factory, task.extra if task else "")
        return factory

    def check_can_run(self, tasks: Iterable[Task]) -> None:
        """Import the factory of the environments; for a TOML file, make and check each one.

        Raises:
            UsageError: They cannot be made; of a TOML file, in a form that agents can take.
            MissingExtra: They are not installed.
        """
        self.load_factory()
        if not self.file.endswith(".toml"):
            return
        from rlbench.suites.gymnasium_ids import check  # gymnasium is imported when needed

        for task in tasks:
            try:
                check(self.constants(task))
            except UsageError as error:
                raise UsageError(f"{Path(self.file).name}: task {task.name}: {error}") from error

    def _import(self, target: str, extra: str = "") -> Any:
        """Import a part of the suite."""
        module, _, name = target.partition(":")
        try:
            found = importlib.import_module(module)
            self._check_file(found)
            return getattr(found, name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if _is_installed(missing):
                raise self._broken(target, error) from error
            if not (extra or self.extra):
                raise UsageError(
                    f"the suite {self.id} needs the module {missing!r}, which is not installed"
                ) from error
            raise MissingExtra(f"the suite {self.id}", extra or self.extra, missing) from error
        except UsageError:
            raise
        except Exception as error:  # whatever another package's module raises
            raise self._broken(target, error) from error

    def _check_file(self, module: ModuleType) -> None:
        """Raise UsageError if a module has the name of the suite's file, and is another."""
        path = Path(self.file.partition(":")[0])
        if path.suffix == ".py" and module.__name__ == path.stem and not is_module_of(module, path):
            raise UsageError(f"{path.name} has the same name as another module: rename the file")

    def _broken(self, target: str, error: Exception) -> BrokenSuite:
        """Return the error that a part of the suite cannot be imported, though all is installed."""
        return BrokenSuite(f"the suite {self.id} is broken: {target!r} raises {one_line(error)}")


def is_module_of(module: ModuleType, path: Path) -> bool:
    """Say whether a module is what a file was imported as."""
    found = getattr(module, "__file__", None)
    return found is not None and Path(found).resolve() == path


def _is_installed(module: str) -> bool:
    """Say whether a top-level module can be found, without importing it."""
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@cache
def _read_engines(target: str) -> dict[str, dict[str, str]]:
    """Return the hashes of engines in a file of a package, by suite id and task."""
    package, _, name = target.partition(":")
    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    hashes: dict[str, dict[str, str]] = json.loads(text)
    return hashes


def sha256_of(value: Mapping[str, Any]) -> str:
    """Return the sha256 of a value's compact JSON with sorted keys, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
