"""Suites in files: Python, whose code runs in this process, or TOML, which holds none."""

import importlib
import math
import re
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from rlbench.errors import UnknownName, UsageError, one_line
from rlbench.limits import MAX_VALUE
from rlbench.sources import hash_file, sources
from rlbench.suites import toml_files
from rlbench.suites.suite import Protocol, Suite, Task, is_module_of, sha256_of, slug

MAX_VERSION = 999_999
MAX_TASK = 100  # characters of its name

_FILE = re.compile(r"(.+\.toml|.+\.py(?::\w+)?)", re.DOTALL)
_HASH = "suite_sha256"  # the constant that holds the hash of a Python file

_imported: dict[Path, str] = {}  # the hash that a file had when this process imported it


def names_file(spec: str) -> bool:
    """Say whether a spec names a file, not a registered suite.

    >>> names_file("my_suite.py:MINE"), names_file("my_suite.toml"), names_file("my_suite.py@1")
    (True, True, False)
    """
    return _FILE.fullmatch(spec) is not None


def load_file(spec: str, own: Collection[str]) -> tuple[Suite, str]:
    """Return the suite in a file.

    The hash of a Python file, and of what it imports from its own folder, is a constant of its
    tasks: another text is another protocol. Of a TOML file only what it says counts. A Python file
    that holds no suite but a ``make``, the function that makes environments, stands for a suite of
    one task.

    Args:
        spec: ``my_suite.toml``, ``my_suite.py``, or with the attribute that is meant
            ``my_suite.py:SUITE``.
        own: Names that no file can take.

    Returns:
        The suite, and in one line what was assumed, if anything.

    Raises:
        UsageError: The file cannot be read or imported, holds no suite or several, or what it says
            of it makes no sense.
    """
    target, _, attribute = spec.partition(":")
    path = Path(target).resolve()
    if not path.is_file():
        raise _no_file(target)
    assumed = ""
    if path.suffix == ".toml":
        suite = replace(toml_files.load(path), file=str(path))
    else:
        attribute, suite, assumed = _from_python(path, attribute, own)
        suite = replace(suite, file=f"{path}:{attribute}" if attribute else str(path))
    _check(suite, path.name, own)
    return suite, assumed


def _no_file(target: str) -> UsageError:
    folder = Path(target).parent
    if not folder.is_dir():
        return UsageError(f"there is no file {target}: there is no folder {folder}")
    suffix = Path(target).suffix
    beside = [str(path) for path in sorted(folder.glob(f"*{suffix}"))[:1000]]
    return UnknownName("suite", target, beside, why="there is no such file",
                       see="" if beside else "rlbench init --suite, which writes one")  # fmt: skip


def _check(suite: Suite, file: str, own: Collection[str]) -> None:
    """Raise UsageError unless records can be kept of a suite, and its scores be normalised."""
    if type(suite.name) is not str or slug(suite.name) != suite.name:
        raise UsageError(f"{file}: the name {suite.name!r} must be like {slug(str(suite.name))!r}")
    if suite.name in own:
        raise UsageError(
            f"{file}: the name {suite.name!r} belongs to a suite of rlbench: choose another"
        )
    if type(suite.version) is not int or not 1 <= suite.version <= MAX_VERSION:
        raise UsageError(f"{file}: the version must be an integer above 0, not {suite.version!r}")
    if not suite.tasks:
        raise UsageError(f"{file}: the suite has no tasks")
    seen: dict[str, str] = {}
    for task in suite.tasks:
        _check_task(task, file)
        other = seen.setdefault(slug(task.name), "")
        if other:
            alike = "" if other == task.name else f" and {task.name!r}, which differ too little"
            raise UsageError(f"{file}: two tasks are called {other!r}{alike}: give one a name")
        seen[slug(task.name)] = task.name


def _check_task(task: Task, file: str) -> None:
    name = task.name
    if type(name) is not str or not 0 < len(name) <= MAX_TASK or not name.isprintable():
        raise UsageError(
            f"{file}: a task's name must be printable, of at most {MAX_TASK}: {name!r}"
        )
    for score in (task.low, task.high):
        if not (isinstance(score, int | float) and abs(score) <= MAX_VALUE):
            raise UsageError(
                f"{file}: the reference score {score} of {name} is not a finite number"
            )
    if task.low == task.high:
        raise UsageError(
            f"{file}: the reference scores of {name} are both {task.low:g}: "
            "scores cannot be normalised by them"
        )
    low, high = task.returns
    if math.isnan(low) or math.isnan(high) or low > high:
        raise UsageError(f"{file}: the returns of {name} are not a range: {low:g} to {high:g}")


# --- Python.


def _from_python(path: Path, attribute: str, own: Collection[str]) -> tuple[str, Suite, str]:
    """Return the suite's name in its module, the suite, and what was assumed."""
    try:
        before = _hash(path)
        module = _import(path)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # whatever the file raises
        raise UsageError(f"{path.name} cannot be imported: {one_line(error)}") from error
    attribute, suite, assumed = _pick(module, path, attribute, own)
    found = _hash(path, *_modules(suite))
    if before != _hash(path) or _imported.setdefault(path, found) != found:
        raise UsageError(f"{path.name} has changed since this process imported it: start anew")
    tasks = tuple(replace(task, assets={**task.assets, _HASH: found}) for task in suite.tasks)
    return attribute, replace(suite, tasks=tasks), assumed


def _pick(
    module: ModuleType, path: Path, attribute: str, own: Collection[str]
) -> tuple[str, Suite, str]:
    suites = {name: value for name, value in vars(module).items() if isinstance(value, Suite)}
    if not suites and not attribute and callable(getattr(module, "make", None)):
        suite = _suite_around(path.stem)
        return "", suite, f"{path.name} holds make() but no Suite; assumed: {suite.summary}"
    if attribute and attribute not in suites:
        raise UnknownName(f"suite in {path.name}:", attribute, suites)
    if not suites:
        raise UsageError(f"{path.name} has neither an rlbench.suites.Suite nor a make()")
    if attribute:
        return attribute, suites[attribute], ""
    # A suite of ours may be imported there to begin with.
    mine = {name: suite for name, suite in suites.items() if suite.name not in own} or suites
    first = next(iter(mine))
    if len({id(suite) for suite in mine.values()}) > 1:
        names = ", ".join(mine)
        raise UsageError(f"{path.name} holds {names}: name one, e.g. {path.name}:{first}")
    return first, mine[first], ""


def _suite_around(module: str) -> Suite:
    """Return a suite whose environments a module's ``make`` makes."""
    protocol = Protocol(
        budget=100_000, episodes=10, eval_envs=4, max_episode_steps=1000, environment={}
    )
    return Suite(
        name=slug(module),
        version=1,
        title=module,
        summary=f"one task {module!r}, at most {protocol.max_episode_steps} steps an episode, no "
        "constants of the environment, starts that vary",
        protocol=protocol,
        tasks=(Task(name=module, low=0.0, high=1.0),),
        references=("0", "1"),
        reference_source="",
        factory=f"{module}:make",
        extra="",
    )


def _import(path: Path) -> ModuleType:
    """Import a file under its bare name, by which the suite in it names its factory."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.import_module(path.stem)
    if not is_module_of(module, path):
        raise UsageError(f"{path.name} has the same name as another module: rename the file")
    return module


def files_of(suite: Suite) -> dict[str, Path]:
    """Return the files of a suite that is in a file, by their names below its folder.

    Raises:
        UsageError: They are too many.
        OSError: One cannot be read.
    """
    path = Path(suite.file.partition(":")[0])
    return _files(path, *_modules(suite)) if path.suffix == ".py" else {path.name: path}


def _modules(suite: Suite) -> list[str]:
    """Return the modules that a suite names."""
    parts = (
        suite.factory, suite.drawing_factory, suite.dataset_factory, suite.papers, suite.versions
    )  # fmt: skip
    return [target.partition(":")[0] for target in parts if target]


def _hash(path: Path, *modules: str) -> str:
    """Return the hash of files with their names, and of what they import from their folder.

    Args:
        path: A file.
        modules: Those of these that are in its folder count as well.

    Raises:
        UsageError: They cannot be read, or are too many.
    """
    try:
        return sha256_of({n: hash_file(file) for n, file in _files(path, *modules).items()})
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror}") from error


def _files(path: Path, *modules: str) -> dict[str, Path]:
    files = sources(path)
    for name in modules:
        place = path.parent.joinpath(*name.split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                files |= sources(file, name)
    return files
