"""Names of tasks: one task may be spelled in several ways."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from functools import cache, lru_cache

from rlbench.errors import UnknownName
from rlbench.suites import Suite, Task, get, names

# A folder may be called as a task is, with another sign for the one that paths are split at.
_GYM_ATARI = re.compile(r"ALE[/-](?P<ale>\w+)-v5|(?P<old>\w+?)NoFrameskip-v4")
_CUP = re.compile(r"^((?:dmc_)?)cup_")  # how some logs call the domain ball_in_cup of dm_control
_FAMILIES = ("atari", "dmc", "procgen")  # what some logs put before the names of tasks
_VERSION = re.compile(r"_v\d+$")


@lru_cache(10_000)
def fold_task(name: str) -> str:
    """Return a task's name without what differs between spellings: case, ``-``, ``_`` and spaces.

    A version is part of a name, except of gymnasium's names for Atari.

    >>> fold_task("ALE/Pong-v5"), fold_task("PongNoFrameskip-v4"), fold_task("Cup Catch")
    ('pong', 'pong', 'ball_in_cup_catch')
    >>> fold_task("Ant-v4") == fold_task("Ant-v5"), fold_task("maze-1-1") == fold_task("maze-11")
    (False, False)
    """
    name = name.strip()
    if match := _GYM_ATARI.fullmatch(name):
        name = match["ale"] or match["old"]
    return _CUP.sub(r"\1ball_in_cup_", re.sub(r"[\s_-]+", "_", name.casefold()), count=1)


def task_of(suite: Suite, name: str) -> Task:
    """Return the one task of a suite that a name may mean: ``atari_ms_pacman``, ``Pong-v5``.

    Raises:
        UnknownName: There is none, or more than one.
    """
    try:
        return suite.task(name)
    except UnknownName:
        found = [task for task in suite.tasks if _plain(task.name, suite) == _plain(name, suite)]
        if len(found) != 1:
            raise
        return found[0]


def are_tasks(columns: Iterable[str]) -> bool:
    """Say whether all names are tasks of one suite."""
    wanted = {fold_task(name) for name in columns}
    return any(wanted <= of_suite for of_suite in _tasks_of_suites())


def tasks_among(columns: Iterable[str], suite: Suite) -> list[str]:
    """Return the names that are tasks of a suite."""
    known = {_plain(task.name, suite) for task in suite.tasks}
    return [name for name in columns if _plain(name, suite) in known]


def _plain(name: str, suite: Suite) -> str:
    """Return a name without what a suite's own names of tasks do not have."""
    folded = fold_task(name)
    family, _, rest = folded.partition("_")
    if family in _FAMILIES and not any(f in suite.name for f in _FAMILIES if f != family):
        folded = rest
    if not any(_VERSION.search(fold_task(task.name)) for task in suite.tasks):
        folded = _VERSION.sub("", folded)
    return folded.replace("_", "")


@cache
def _tasks_of_suites() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(fold_task(task.name) for task in get(name).tasks) for name in names())


def nearest_of(names: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that are spelled most alike, the nearest first.

    >>> nearest_of(["walker_walk", "hopper"], ["walkerwalk", "dog-run"])
    [('walker_walk', 'walkerwalk')]
    """
    pairs = []
    known = {fold_task(other): other for other in others}
    for name in names:
        for near in get_close_matches(fold_task(name), known, n=1):
            how = SequenceMatcher(None, fold_task(name), near).ratio()
            pairs.append((-how, name, known[near]))
    return [(name, other) for _, name, other in sorted(pairs)]
