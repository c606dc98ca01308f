"""The heat map of a board: agents by kind and pool, tasks by their groups, shades of scores."""

from collections.abc import Sequence
from typing import NamedTuple

from rlbench.leaderboard.boards import Board, Entry
from rlbench.suites import Task

LEVELS = 10  # shades besides that of the lower reference


class Rows(NamedTuple):
    """Agents of a heat map that belong together.

    Attributes:
        title: What they are, e.g. ``Published, pool 2``.
        entries: In the order of the board.
    """

    title: str
    entries: tuple[Entry, ...]


class Columns(NamedTuple):
    """Tasks of a heat map that belong together.

    Attributes:
        title: What their names have before the first slash; empty for tasks without one.
        tasks: Each with what is left of its name.
    """

    title: str
    tasks: tuple[tuple[str, Task], ...]


def rows_of(board: Board) -> list[Rows]:
    """Return the agents of a board: those with records first; in either kind pools come first."""
    found = []
    for kind, entries in (("Records", board.own), ("Published", board.papers)):
        pools: dict[int, list[Entry]] = {}
        for entry in entries:
            pools.setdefault(entry.place.pool if entry.place else 0, []).append(entry)
        # Those in no pool come last.
        for number in sorted(pools, key=lambda number: (number == 0, number)):
            title = f"{kind}, pool {number}" if number else f"{kind}, not ranked"
            found.append(Rows(title, tuple(pools[number])))
    return found


def columns_of(tasks: Sequence[Task]) -> list[Columns]:
    """Return tasks by the group that their names begin with, as ``Breakout/2.1`` does.

    Names stay whole where a group would hold one task alone.
    """
    groups: list[tuple[str, list[Task]]] = []
    for task in tasks:
        title = task.name.partition("/")[0] if "/" in task.name else ""
        if groups and groups[-1][0] == title:
            groups[-1][1].append(task)
        else:
            groups.append((title, [task]))
    if all(len(group) == 1 for _, group in groups):
        return [Columns("", tuple((task.name, task) for task in tasks))]
    return [
        Columns(title, tuple((task.name[len(title) + 1 :] if title else task.name, task)
                             for task in group))
        for title, group in groups
    ]  # fmt: skip


def shade(value: float) -> int:
    """Return the shade of a normalised score: 0 at the lower reference, `LEVELS` at the upper.

    Scores beyond a reference have its shade.

    >>> shade(-0.2), shade(0.5), shade(12.3)
    (0, 5, 10)
    """
    return round(min(max(value, 0.0), 1.0) * LEVELS)
