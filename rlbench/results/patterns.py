"""Names of agents, tasks and runs from the paths of files: ``{agent}/{task}/{seed}.csv``.

>>> pattern = Pattern("{agent}/{task}_{seed}.csv")
>>> pattern.names_in(Path("/logs/ppo/cup_catch_3.csv"))
{'agent': 'ppo', 'task': 'cup_catch', 'seed': '3'}

A pattern is no regular expression. It is compared with the end of a path, folder by folder: what a
placeholder stands for, and what ``*`` stands for, never holds a ``/``.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results.task_names import are_tasks

PLACEHOLDERS = ("agent", "task", "seed")
MOST_FILES = 100_000  # of a folder that are looked at
_GAP = re.compile(r"\{([^{}]*)\}|(\*)")
_MOST_WAYS = 1000  # in which one name may fit that are looked at
_SHOWN = 3

Names = dict[str, str]


class Pattern:
    """What the user says of paths.

    Args:
        text: Folders and the file's name, with ``{agent}``, ``{task}``, ``{seed}`` and ``*``.

    Raises:
        UnknownName: There is no such placeholder.
        UsageError: The pattern is not relative, or there is nothing between two placeholders.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        segments = text.split("/")
        if any(segment in ("", ".", "..") for segment in segments):
            raise UsageError(
                f"--path {text!r} is not the end of a path, e.g. '{{agent}}/{{task}}_{{seed}}.csv'"
            )
        self._segments = [_parts(text, segment) for segment in segments]
        gaps = [part for segment in self._segments for part in segment if isinstance(part, _Gap)]
        self.placeholders = {gap.name for gap in gaps} - {""}

    def names_in(self, path: Path) -> Names | None:
        """Return what the placeholders stand for in a path; None if it does not fit.

        Raises:
            InvalidScores: It fits in several ways, none of which is likelier.
        """
        ends = Path(os.path.abspath(path)).parts[-len(self._segments) :]
        if len(ends) < len(self._segments):
            return None
        found: list[Names] = []
        each = (
            list(islice(_fits(segment, end), _MOST_WAYS))
            for segment, end in zip(self._segments, ends, strict=True)
        )
        for ways in islice(product(*each), _MOST_WAYS):
            names = _agreeing(ways)
            if names is not None and names not in found:
                found.append(names)
        return _likeliest(self.text, path, found)


def files_that_fit(folder: Path, pattern: Pattern) -> tuple[list[tuple[Path, Names]], list[Path]]:
    """Return the files below a folder that fit a pattern, with their names, and the others.

    Files and folders whose names begin with a point are left alone.

    Raises:
        InvalidScores: None fits, one fits in several ways, or there are more than `MOST_FILES`.
    """
    fitting, others = [], []
    for path in files_below(folder):
        names = pattern.names_in(path)
        if names is None:
            others.append(path)
        else:
            fitting.append((path, names))
    if not fitting:
        raise InvalidScores(
            f"no file below {folder} fits --path {pattern.text!r}: "
            + (f"there are {some_paths(others)}" if others else "there is none")
        )
    return fitting, others


def files_below(folder: Path, name: str = "*") -> list[Path]:
    """Return the files below a folder by their names, in order; none that begin with a point.

    Raises:
        InvalidScores: There are more than `MOST_FILES`.
    """
    found = []
    for path in folder.rglob(name):
        if path.is_file() and not any(p[:1] == "." for p in path.relative_to(folder).parts):
            found.append(path)
        if len(found) > MOST_FILES:
            raise InvalidScores(f"{folder} holds more than {MOST_FILES:,} files")
    return sorted(found)


def some_paths(paths: Sequence[Path]) -> str:
    """Return the first paths, and how many more there are."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(str(path) for path in paths[:_SHOWN]) + more


class _Gap(str):
    """What may stand for anything: the name of a placeholder, or nothing for ``*``."""

    @property
    def name(self) -> str:
        return str(self)


def _parts(text: str, segment: str) -> list[str]:
    """Return the literals and gaps of a part of a pattern between two ``/``."""
    parts: list[str] = []
    at = 0
    for match in _GAP.finditer(segment):
        if match.start() > at:
            parts.append(segment[at : match.start()])
        name = match[1] if match[2] is None else ""
        if match[2] is None and name not in PLACEHOLDERS:
            raise UnknownName("placeholder of --path", name, PLACEHOLDERS)
        if parts and isinstance(parts[-1], _Gap):
            raise UsageError(f"--path {text!r}: there is nothing between two placeholders")
        parts.append(_Gap(name))
        at = match.end()
    if at < len(segment):
        parts.append(segment[at:])
    literals = [part for part in parts if not isinstance(part, _Gap)]
    if any(brace in part for part in literals for brace in "{}"):
        raise UsageError(f"--path {text!r} has an unmatched brace")
    return parts


def _fits(parts: Sequence[str], text: str) -> Iterator[Names]:
    """Yield the ways in which a name may fit."""
    if not parts:
        if not text:
            yield {}
        return
    first, rest = parts[0], parts[1:]
    if not isinstance(first, _Gap):
        if text.startswith(first):
            yield from _fits(rest, text[len(first) :])
        return
    ends = range(1 if first.name else 0, len(text) + 1) if rest else [len(text)]
    for end in ends:
        if first.name and not text[:end]:
            continue
        for others in _fits(rest, text[end:]):
            mine = {first.name: text[:end]} if first.name else {}
            names = _agreeing([mine, others])
            if names is not None:
                yield names


def _agreeing(ways: Sequence[Mapping[str, str]]) -> Names | None:
    """Return names together; None if one placeholder stands for two things."""
    together: Names = {}
    for names in ways:
        for name, value in names.items():
            if together.setdefault(name, value) != value:
                return None
    return together


def _likeliest(text: str, path: Path, found: list[Names]) -> Names | None:
    """Return the one way in which a path fits: a seed is a number, and tasks of suites are known.

    Raises:
        InvalidScores: More than one is left.
    """
    for is_likely in (_has_number, _has_task):
        found = [names for names in found if is_likely(names)] or found
    if len(found) > 1:
        ways = " or ".join(
            ", ".join(f"{name} {value!r}" for name, value in names.items()) for names in found[:2]
        )
        raise InvalidScores(
            f"{path} fits --path {text!r} in several ways: {ways}. Write out what is alike, e.g. "
            "my_agent_{task}_{seed}.csv with --agent, or give folders"
        )
    return found[0] if found else None


def _has_number(names: Names) -> bool:
    return names.get("seed", "").isdecimal()


def _has_task(names: Names) -> bool:
    return are_tasks([names["task"]]) if "task" in names else False
