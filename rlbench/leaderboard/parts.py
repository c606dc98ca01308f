"""The tables of a board: its agents with records and its published ones, by pool."""

from collections.abc import Sequence
from typing import NamedTuple

from rlbench.leaderboard.axes import Axis, aggregate_axis
from rlbench.leaderboard.boards import Entry
from rlbench.leaderboard.headlines import headline_metric


class Part(NamedTuple):
    """A table of a board.

    Attributes:
        name: Its heading.
        metric: The aggregate that its rows are sorted by and that is drawn.
        axis: Of what is drawn.
        groups: The number of a pool to its agents; those that are not ranked come last, under 0.
    """

    name: str
    metric: str
    axis: Axis
    groups: dict[int, tuple[Entry, ...]]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The agents of all groups."""
        return tuple(entry for group in self.groups.values() for entry in group)


def part_of(name: str, entries: Sequence[Entry]) -> Part:
    """Return a table of agents, which keep their order within a pool."""
    metric = headline_metric(entries)
    others = [entry for entry in entries if not entry.place]
    pools: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.place:
            pools.setdefault(entry.place.pool, []).append(entry)
    groups = {number: tuple(pool) for number, pool in sorted(pools.items())}
    if others:
        groups[0] = tuple(others)
    axis = aggregate_axis(e.metrics[metric] for e in entries if metric in e.metrics)
    return Part(name, metric, axis, groups)
