"""Independent trainings: did somebody else, with other seeds, get scores that agree?

An agent is **retrained** if somebody trained it again, on all tasks and with other seeds, and the
95% interval of the difference of the two IQMs holds 0. The page shows the interval: a wide one
says little.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rlbench.errors import UsageError
from rlbench.leaderboard.boards import Board, Entry
from rlbench.leaderboard.releases import read_json
from rlbench.results import Record, Scores, collect
from rlbench.results.text import is_visible
from rlbench.stats import difference
from rlbench.stats.comparisons import MIN_RUNS
from rlbench.suites import Suite, sha256_of

_ROW = {
    "suite": str, "agent_key": str, "records": str, "by": str, "date": str, "runs": int,
    "difference": float, "low": float, "high": float,
}  # fmt: skip

Key = tuple[str, str]  # suite id and `Identity.agent_key`


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What came of an independent training.

    Attributes:
        suite: The suite's id.
        agent_key: Of the agent, which is the same in both.
        records: Hash of the first records, by their sha256: of other records it says nothing.
        by: Who trained it again.
        date: When that was compared (YYYY-MM-DD).
        runs: How many runs they made.
        difference: IQM of the first less IQM of the second, normalised.
        low: The lower end of its 95% interval.
        high: The upper end.
    """

    suite: str
    agent_key: str
    records: str
    by: str
    date: str
    runs: int
    difference: float
    low: float
    high: float

    @property
    def compatible(self) -> bool:
        """Whether the interval holds 0."""
        return self.low <= 0.0 <= self.high

    def to_row(self) -> dict[str, Any]:
        """Return a flat row."""
        return asdict(self)


def compare_trainings(
    first: Sequence[Record], second: Sequence[Record], suite: Suite, by: str, date: str
) -> list[Retrained]:
    """Compare two trainings of the agents that are in both.

    Args:
        first: Records of the suite, as they are on a board.
        second: Those of somebody else.
        suite: The suite.
        by: Who that is.
        date: Of today.

    Raises:
        UsageError: No agent is in both, or one has too few runs, shares a seed, or lacks a task.
    """
    ours, theirs = (_by_key(collect(records, suite)) for records in (first, second))
    if not (both := sorted(ours.keys() & theirs.keys())):
        raise UsageError(
            f"no agent of {suite.id} is in both stores: source, version and options must be equal"
        )
    found = []
    for key in both:
        (one, records), (two, more) = ours[key], theirs[key]
        name = records[0].identity.agent.name
        if min(len(one), len(two)) < len(suite.tasks):
            raise UsageError(f"{name} does not have runs of all tasks of {suite.id} in both stores")
        if min(map(len, (*one.values(), *two.values()))) < MIN_RUNS:
            raise UsageError(f"{name} has fewer than {MIN_RUNS} runs on a task of {suite.id}")
        seeds = [{r.identity.seed for r in rs} for rs in (records, more)]
        if shared := sorted(seeds[0] & seeds[1]):
            raise UsageError(f"{name} has seed {shared[0]} in both stores: train with other seeds")
        gap = difference(list(one.values()), list(two.values()), "iqm")
        if gap.low is None or gap.high is None:
            raise UsageError(f"{name}: the difference has no interval: {gap.method}")
        found.append(
            Retrained(
                suite=suite.id, agent_key=key, records=_hash_of(records), by=by, date=date,
                runs=len(more), difference=gap.point, low=gap.low, high=gap.high,
            )
        )  # fmt: skip
    return found


def _by_key(scores: Scores) -> dict[str, tuple[dict[str, Any], tuple[Record, ...]]]:
    """Return normalised scores by task, and records, by `Identity.agent_key`."""
    return {
        records[0].identity.agent_key: (scores.normalised(agent), records)
        for agent, records in scores.records.items()
        if not scores.engines[agent]
    }


def _hash_of(records: Sequence[Record]) -> str:
    return sha256_of({"records": sorted(record.sha256 for record in records)})


def read_retrained(path: Path) -> list[Retrained]:
    """Read what ``rlbench verify --retrained ... --json`` printed.

    Raises:
        UsageError: The file cannot be read or is not of that form.
    """
    rows = read_json(path)
    wrong = f"{path} is not what rlbench verify --retrained STORE --by NAME --json prints"
    if not isinstance(rows, list):
        raise UsageError(wrong)
    found = []
    for row in rows:
        if not isinstance(row, dict) or {name: type(value) for name, value in row.items()} != _ROW:
            raise UsageError(wrong)
        if not is_visible(row["by"]) or not re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"], re.A):
            raise UsageError(wrong)
        found.append(Retrained(**row))
    return found


def by_key(found: Sequence[Retrained]) -> dict[Key, Retrained]:
    """Return the last row of each agent on each suite."""
    return {(row.suite, row.agent_key): row for row in found}


def with_badges(boards: Sequence[Board], found: Mapping[Key, Retrained]) -> list[Board]:
    """Return boards whose agents have the badge where a training agreed with exactly these runs."""
    return [
        replace(board, entries=tuple(_with_badge(board, entry, found) for entry in board.entries))
        for board in boards
    ]


def _with_badge(board: Board, entry: Entry, found: Mapping[Key, Retrained]) -> Entry:
    if not entry.records or board.unofficial or entry.badge == "replay differs":
        return entry
    row = found.get((board.suite.id, entry.records[0].identity.agent_key))
    if row is None or not row.compatible or row.records != _hash_of(entry.records):
        return entry
    return replace(entry, badge="retrained")
