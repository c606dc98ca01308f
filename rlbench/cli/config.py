"""The file of `--config`: the options of a command, and some that only the file has."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from rlbench.api.asking import CHECKPOINT_SECONDS, TEACHER_PREFIX
from rlbench.errors import UnknownName, UsageError
from rlbench.files import read_bounded
from rlbench.results.values import plain, unofficial_text

_MAX_BYTES = 1_000_000
_TABLES = ("options", "unofficial")  # of name = value
_CLUSTERS = ("ray", "slurm")  # tables as well: what a backend takes
_ONLY_HERE = ("checkpoint_every", "track")
_NEVER = {"config", "option", "dry_run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a file says that has no option on the command line, or that adds to one.

    Attributes:
        options: Of the agent; those of the teacher begin with ``teacher.``.
        checkpoint_every: Seconds between two checkpoints.
        track: Trackers that are told of runs.
        clusters: Options by backend.
    """

    options: Mapping[str, Any]
    checkpoint_every: float
    track: tuple[str, ...]
    clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the defaults of the command's options from a file.

    Raises:
        UsageError: The file cannot be read, or a value does not fit.
        UnknownName: It names what is no option.
    """
    context.obj = Settings(options={}, checkpoint_every=CHECKPOINT_SECONDS, track=())
    if path is None:
        return None
    try:
        content = tomllib.loads(read_bounded(path, _MAX_BYTES).decode())
    except OSError as error:
        raise UsageError(f"cannot read the file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the file {path} is not TOML: {error}") from error
    params = [p for p in context.command.params if p.name and p.nargs == 1]
    # What can be said several times would be one text here.
    known = {str(p.name) for p in params if not getattr(p, "multiple", False)} - _NEVER
    takes_options = any(p.name == "option" for p in params)  # of one agent
    others = (*(_TABLES if takes_options else _TABLES[1:]), *_CLUSTERS, *_ONLY_HERE)
    for name in content:
        if name not in known | {*others}:
            raise UnknownName(f"option in {path}:", name, [*sorted(known), *others])
    context.obj = Settings(
        options=_options(_table(content, "options", path)),
        checkpoint_every=_seconds(content.get("checkpoint_every", CHECKPOINT_SECONDS), path),
        track=_names(content.get("track", []), path),
        clusters={name: _table(content, name, path) for name in _CLUSTERS},
    )
    defaults = {name: _text(value) for name, value in content.items() if name in known}
    changed = _table(content, "unofficial", path)
    if changed:
        defaults["unofficial"] = unofficial_text(changed)
    context.default_map = defaults
    return path


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name} is not a table: write [{name}]")
    try:
        return {key: plain(value) for key, value in table.items()}
    except ValueError as error:
        raise UsageError(f"{path}: [{name}] {error}") from error


def _options(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by name: ``teacher.x`` is a table in TOML, and ``"@FILE"`` names a file."""
    options: dict[str, Any] = {}
    for name, value in table.items():
        if f"{name}." == TEACHER_PREFIX and isinstance(value, dict):
            options |= {TEACHER_PREFIX + key: _file(item) for key, item in value.items()}
        else:
            options[name] = _file(value)
    return options


def _file(value: Any) -> Any:
    is_file = isinstance(value, str) and value.startswith("@")
    return Path(value[1:]) if is_file else value


def _seconds(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise UsageError(f"checkpoint_every in {path} is not a number of seconds: {value!r}")
    return float(value)


def _names(value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"track in {path} is not a list of names: {value!r}")
    return tuple(value)


def _text(value: Any) -> Any:
    """Return a value as it would be written on the command line."""
    return ",".join(map(str, value)) if isinstance(value, list) else value
