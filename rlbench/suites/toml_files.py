"""Suites in TOML files: gymnasium ids and wrappers of a fixed list, without any code.

>>> text = '''
... name = "poles"
... version = 1
... protocol = {budget = 1000, episodes = 4, eval_envs = 2, max_episode_steps = 500}
... tasks = [{id = "CartPole-v1", low = 0, high = 500}]
... '''
>>> suite = parse(text, "poles.toml")
>>> suite.id, suite.tasks[0].name, suite.constants(suite.tasks[0])["gymnasium_id"]
('poles@1', 'CartPole-v1', 'CartPole-v1')

What is read here is data from outside: its size is bounded, and what is not known is refused.
"""

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

from rlbench.errors import UnknownName, UsageError
from rlbench.files import read_bounded
from rlbench.limits import MAX_VALUE
from rlbench.suites.suite import Protocol, Scalar, ScoreRule, Suite, Task, slug

MAX_BYTES = 200_000
MAX_TASKS = 1000
MAX_WRAPPERS = 10
MAX_ARGUMENTS = 30
MAX_CONSTANT = 1000  # characters that a record keeps of a constant
_MAX_COUNT = 10**12
_MAX_KEY = 100  # parts of a dotted key; reading takes the square of their number

_ID = re.compile(r"(?:[\w-]+/)?[\w.-]+-v\d+", re.ASCII)
_PACKAGE = re.compile(r"[A-Za-z]\w*", re.ASCII)
_ARGUMENT = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)

_SUITE = ("name", "version", "title", "summary", "notes", "references", "reference_source",
          "starts_vary", "packages", "kwargs", "wrappers", "protocol", "tasks")  # fmt: skip
_PROTOCOL = ("budget", "episodes", "eval_envs", "max_episode_steps", "train_envs", "eval_points",
             "point_episodes", "score_rule", "score_threshold")  # fmt: skip
_OF_TASK = ("budget", "episodes", "max_episode_steps")  # what a task may set itself
_DATA = ("dataset", "dataset_sha256", "validation_episodes")  # of a task that is offline
_TASK = ("id", "name", "low", "high", "returns", "kwargs", "wrappers", *_OF_TASK, *_DATA,
         "data_return")  # fmt: skip
_NO_KWARGS = {
    "id": "the task names it",
    "max_episode_steps": "the protocol has it",
    "render_mode": "rlbench show sets it, where it draws a run",
    "disable_env_checker": "rlbench check --suite checks more",
    "autoreset": "rlbench resets",
    "vectorization_mode": "rlbench makes slots",
}

Read = Callable[[Any, str], Any]


def load(path: Path) -> Suite:
    """Read the suite in a file.

    Raises:
        UsageError: It cannot be read, or does not say what a suite is; the message is one line.
    """
    try:
        content = read_bounded(path, MAX_BYTES).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return parse(content, path.name)


def parse(text: str, file: str) -> Suite:
    """Return the suite in the text of a file.

    Args:
        text: TOML.
        file: What messages call it.

    Raises:
        UsageError: The text does not say what a suite is.
    """
    if any(line.partition("=")[0].count(".") > _MAX_KEY for line in text.splitlines()):
        raise UsageError(f"{file} has a key of more than {_MAX_KEY} parts")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not TOML: {str(error)[:200]}") from error
    top = _Table(data, file, _SUITE)
    name = top.read("name", _slug)
    wrappers = top.read("wrappers", _wrappers, "[]")
    kwargs = top.read("kwargs", _kwargs, {})
    packages = top.read("packages", _packages, ())
    environment: dict[str, Scalar] = {
        "gymnasium_id": "", "kwargs": _compact(kwargs), "wrappers": wrappers,
        "packages": " ".join(packages),
    }  # fmt: skip
    table = _Table(top.read("protocol", _table), f"{file}: protocol", _PROTOCOL)
    rows = top.read("tasks", _tables)
    offline = any(name in row for row in rows for name in _DATA)
    if offline:
        environment |= {"dataset": "", "dataset_sha256": "", "validation_episodes": 0}
    try:
        protocol = _protocol(table, environment)
        if offline:
            protocol = replace(protocol, kind="offline", unit="updates")
        tasks = tuple(_task(row, n, file, protocol, kwargs) for n, row in enumerate(rows, 1))
    except UsageError as error:
        raise error if str(error).startswith(file) else UsageError(f"{file}: {error}") from error
    return Suite(
        name=name,
        version=top.read("version", _between(1, 999_999)),
        title=top.read("title", _text, name),
        summary=top.read("summary", _text, ""),
        notes=top.read("notes", _texts(20), ()),
        protocol=protocol,
        tasks=tasks,
        references=top.read("references", _pair_of(_text), ("low", "high")),
        reference_source=top.read("reference_source", _text, ""),
        factory="rlbench.suites.gymnasium_ids:make",
        drawing_factory="rlbench.suites.gymnasium_ids:make_drawn",
        dataset_factory="rlbench.suites.imported:dataset_of" if offline else "",
        extra="",
        packages=tuple(d for package in packages for d in _distributions(package)),
        starts_vary=top.read("starts_vary", _flag, True),
        # As far as processors agree, whatever engine it is.
        engine_steps=20,
        engine_digits=4,
    )


class _Table:
    """A table of the file, of which everything must be known.

    Args:
        values: What it holds.
        where: What messages call it.
        known: The names that it may hold.

    Raises:
        UnknownName: It holds another.
    """

    def __init__(self, values: Mapping[str, Any], where: str, known: Sequence[str]) -> None:
        for name in values:
            if name not in known:
                raise UnknownName(f"key in {where}:", name, known)
        self._values, self._where = values, where

    def has(self, name: str) -> bool:
        """Say whether there is such a value."""
        return name in self._values

    def read(self, name: str, read: Read, default: Any = None) -> Any:
        """Return a value.

        Args:
            name: Its name.
            read: Returns it in the form that is needed, or raises ValueError.
            default: If it may be left out.

        Raises:
            UsageError: It is missing, or no such thing.
        """
        if name not in self._values:
            if default is None:
                raise UsageError(f"{self._where} needs {name}")
            return default
        try:
            return read(self._values[name], f"{self._where}: {name}")
        except ValueError as error:
            raise UsageError(f"{self._where}: {name} must be {error}") from error


def _protocol(table: _Table, environment: Mapping[str, Scalar]) -> Protocol:
    rule = table.read("score_rule", _one_of(get_args(ScoreRule)), "mean")
    return Protocol(
        **{
            name: table.read(name, _count)
            for name in ("budget", "episodes", "eval_envs", "max_episode_steps")
        },
        train_envs=table.read("train_envs", _count, 1),
        eval_points=table.read("eval_points", _list_of(_count, 1000), ()),
        point_episodes=table.read("point_episodes", _count, 0),
        score_rule=rule,
        score_threshold=table.read("score_threshold", _number)
        if table.has("score_threshold")
        else None,
        environment=environment,
    )


def _task(
    row: Mapping[str, Any], number: int, file: str, protocol: Protocol, kwargs: Mapping[str, Any]
) -> Task:
    called = row.get("name", row.get("id"))
    is_short = isinstance(called, str) and len(called) <= 100 and called.isprintable()
    table = _Table(row, f"{file}: task {called if is_short else number}", _TASK)
    gymnasium_id = table.read("id", _id)
    overrides: dict[str, Scalar] = {"gymnasium_id": gymnasium_id}
    overrides |= {n: v for n in _OF_TASK if (v := table.read(n, _count, 0))}
    if own := table.read("kwargs", _kwargs, {}):
        overrides["kwargs"] = _compact({**kwargs, **own})
    if wrappers := table.read("wrappers", _wrappers, ""):
        overrides["wrappers"] = wrappers
    if protocol.kind == "offline":
        overrides |= {
            "dataset": table.read("dataset", _slug),
            "dataset_sha256": table.read("dataset_sha256", _sha256),
            "validation_episodes": table.read("validation_episodes", _count, 1),
        }
    elif "data_return" in row:
        raise UsageError(f"{file}: task {gymnasium_id}: data_return needs a dataset")
    protocol.override(overrides)  # raises if the whole makes no sense
    return Task(
        name=table.read("name", _text, gymnasium_id),
        low=table.read("low", _number),
        high=table.read("high", _number),
        overrides=overrides,
        returns=table.read("returns", _pair_of(_number), (-math.inf, math.inf)),
        data=table.read("data_return", _number) if "data_return" in row else None,
    )


# --- Values: each of these returns one, or raises ValueError with what it must be.


def _text(value: Any, where: str) -> str:
    if type(value) is not str or not 0 < len(value) <= MAX_CONSTANT or not value.isprintable():
        raise ValueError(f"printable text of at most {MAX_CONSTANT:,} characters")
    return value


def _slug(value: Any, where: str) -> str:
    if type(value) is not str or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", value):
        hint = ""
        if type(value) is str:
            try:
                hint = f", e.g. {slug(value)!r}"
            except UsageError:
                hint = ""
        raise ValueError(f"lowercase letters, digits, dots and dashes{hint}")
    return value


def _sha256(value: Any, where: str) -> str:
    if type(value) is not str or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("the sha256 that rlbench data import prints")
    return value


def _id(value: Any, where: str) -> str:
    if type(value) is str and ":" in value:
        raise ValueError(
            "an id without a module: name the package that registers it in packages = [...]"
        )
    if type(value) is not str or len(value) > 100 or not _ID.fullmatch(value):
        raise ValueError(f"a gymnasium id, [namespace/]name-vN, e.g. 'CartPole-v1', not {value!r}")
    return value


def _flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false")
    return value


def _between(low: int, high: int) -> Read:
    def read(value: Any, where: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"an integer from {low} to {high:,}, not {_short(value)}")
        return value

    return read


_count = _between(1, _MAX_COUNT)


def _number(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not abs(value) <= MAX_VALUE:
        raise ValueError(f"a finite number, not {_short(value)}")
    return float(value)


def _one_of(words: Sequence[str]) -> Read:
    def read(value: Any, where: str) -> str:
        if type(value) is not str or value not in words:
            raise ValueError(f"{' or '.join(map(repr, words))}, not {_short(value)}")
        return value

    return read


def _list_of(read: Read, most: int, least: int = 0) -> Read:
    def read_list(value: Any, where: str) -> tuple[Any, ...]:
        if type(value) is not list or not least <= len(value) <= most:
            raise ValueError(f"a list of {least} to {most}")
        return tuple(read(item, where) for item in value)

    return read_list


def _texts(most: int, least: int = 0) -> Read:
    return _list_of(_text, most, least)


def _pair_of(read: Read) -> Read:
    def read_pair(value: Any, where: str) -> tuple[Any, Any]:
        if type(value) is not list or len(value) != 2:
            raise ValueError("a list of two")
        return read(value[0], where), read(value[1], where)

    return read_pair


def _table(value: Any, where: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("a table")
    return value


def _tables(value: Any, where: str) -> list[dict[str, Any]]:
    if type(value) is not list or not all(type(row) is dict for row in value) or not value:
        raise ValueError("tables, one a task: [[tasks]]")
    if len(value) > MAX_TASKS:
        raise ValueError(f"at most {MAX_TASKS:,}, not {len(value):,}")
    return value


def _packages(value: Any, where: str) -> tuple[str, ...]:
    names: tuple[str, ...] = _texts(10)(value, where)
    for name in names:
        if not _PACKAGE.fullmatch(name):
            raise ValueError(f"names of installed modules, e.g. 'ale_py', not {name!r}")
    return names


def _kwargs(value: Any, where: str) -> dict[str, Scalar]:
    """Return what `gymnasium.make` gets: numbers, flags and words, which name no file."""
    for name, item in _table(value, where).items():
        if name in _NO_KWARGS:
            raise ValueError(f"without {name}: {_NO_KWARGS[name]}")
        if not _ARGUMENT.fullmatch(name) or type(item) not in (bool, int, float, str):
            raise ValueError(f"numbers, strings and booleans by name, but {name!r} is not")
        if type(item) is str and (re.search(r"[/\\~:]", item) or not item.isprintable()):
            raise ValueError(f"without paths: {name} is {_short(item)}")
        if type(item) in (int, float) and not abs(item) <= MAX_VALUE:
            raise ValueError(f"finite: {name} is {_short(item)}")
    if len(value) > MAX_ARGUMENTS or len(_compact(value)) > MAX_CONSTANT:
        raise ValueError(f"at most {MAX_ARGUMENTS}, and short")
    found: dict[str, Scalar] = dict(value)
    return found


def _compact(value: Any) -> str:
    """Return the one text that stands for a value in the digest."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _short(value: Any) -> str:
    return repr(value)[:60]


# --- Wrappers: of gymnasium, each with what it takes and the values by default.

_KEYS = _texts(30, 1)
WRAPPERS: dict[str, dict[str, tuple[Read, Any]]] = {
    "ClipAction": {},
    "DelayObservation": {"delay": (_between(0, 1000), None)},
    "FilterObservation": {"filter_keys": (_KEYS, None)},
    "FlattenObservation": {},
    "FrameStackObservation": {
        "stack_size": (_between(2, 64), None),
        "padding_type": (_one_of(("reset", "zero")), "reset"),
    },
    "GrayscaleObservation": {"keep_dim": (_flag, False)},
    "RescaleAction": {"min_action": (_number, -1.0), "max_action": (_number, 1.0)},
    "RescaleObservation": {"min_obs": (_number, None), "max_obs": (_number, None)},
    "ResizeObservation": {"shape": (_pair_of(_between(1, 1024)), None)},
    "StickyAction": {"repeat_action_probability": (_number, None)},
    "TimeAwareObservation": {"flatten": (_flag, True), "normalize_time": (_flag, False)},
}
_RAW = "scores are of raw rewards: change rewards in the agent"
_NOT_WRAPPERS = {
    "TimeLimit": "max_episode_steps of the protocol does that",
    "NormalizeObservation": "its statistics would go on in evaluation: normalise in the agent",
    "NormalizeReward": _RAW,
    "ClipReward": _RAW,
    "TransformReward": _RAW,
}


def _wrappers(value: Any, where: str) -> str:
    """Return wrappers, the innermost first, with all that they take, as compact JSON."""
    if type(value) is not list or len(value) > MAX_WRAPPERS:
        raise ValueError(f"a list of at most {MAX_WRAPPERS}")
    text = _compact([_wrapper(item, where) for item in value])
    if len(text) > MAX_CONSTANT:
        raise ValueError("shorter")
    return text


def _wrapper(item: Any, where: str) -> list[Any]:
    row = {"name": item} if type(item) is str else item
    if type(row) is not dict or type(row.get("name")) is not str:
        raise ValueError("names, or tables like {name = 'FrameStackObservation', stack_size = 4}")
    name = row["name"]
    if name in _NOT_WRAPPERS:
        raise ValueError(f"without {name}: {_NOT_WRAPPERS[name]}")
    if name not in WRAPPERS:
        raise UnknownName(f"wrapper in {where}:", name, WRAPPERS)
    takes = WRAPPERS[name]
    table = _Table(row, f"{where}: {name}", ("name", *takes))
    return [name, {n: table.read(n, read, default) for n, (read, default) in takes.items()}]


def _distributions(package: str) -> tuple[str, ...]:
    """Return the distributions that a module is from; its own name if there is none."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return tuple(metadata.packages_distributions().get(package, (package,)))
    return (package,)
