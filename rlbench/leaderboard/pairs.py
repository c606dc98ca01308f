"""Pairs of agents of a board: what `rlbench compare` says of each, computed once for the site.

Agents of a pool have what decided their rank sets: tests and intervals of all its pairs together.
Two others of equal protocols are tested by themselves, on the tasks that both have. The rest are
described and not tested.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any, Literal, NamedTuple

from rlbench.leaderboard.boards import ALPHA, Board, Entry
from rlbench.leaderboard.captions import coverage_note
from rlbench.results.rankable import (
    MEANS,
    described_as,
    why_no_interval,
    why_not_ranked,
)
from rlbench.stats import bootstrap, compare, differences, improvement
from rlbench.stats.comparisons import REACHING_0, Separation
from rlbench.stats.intervals import Estimate, no_interval, point_of
from rlbench.stats.permutation import Pair
from rlbench.stats.summary import SummaryRow

Decision = Literal["larger", "smaller", "differ", "not separated", "not ranked"]
Statistic = Literal["iqm", "mean"]

MOST_AGENTS = 60  # of a board: pairs of these are described and tested, besides those of pools
OF_GAP = "difference of iqm"
WIDENED = (
    "The interval of the difference is widened to reach 0, since the test and the interval do not "
    "agree."
)
MOST_ALONE = 40  # pairs of equal protocols that are tested by themselves
MIRRORED: dict[Decision, Decision] = {"larger": "smaller", "smaller": "larger"}


class Ends(NamedTuple):
    """An estimate with its interval.

    Attributes:
        point: The number.
        low: The lower end of the interval, or None where there is none.
        high: The upper end, or None.
        method: How the interval was made, or why there is none.
        note: Why the interval is to be marked: it is widened, or covers too rarely.
    """

    point: float
    low: float | None
    high: float | None
    method: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """What is known of two agents of a board.

    Attributes:
        a: The slug of the first agent.
        b: That of the second.
        statistic: What is compared: the IQM, or the mean where one agent has means and no runs.
        tasks: The tasks that both have, in the suite's order.
        of_a: The statistic of the first agent on these tasks.
        of_b: That of the second.
        difference: Of the two.
        improvement: The probability that a run of the first beats one of the second, where the
            two were tested and it was computed.
        p_value: Of the test, if there was one.
        test: How the p-value was made.
        decision: As `rlbench compare` says it.
        family: How many pairs the test and the interval of the difference hold for together.
        reason: Why the two are not ranked, if they are not.
        words: What to call the numbers of two agents that are not ranked.
    """

    a: str
    b: str
    statistic: Statistic
    tasks: tuple[str, ...]
    of_a: Ends
    of_b: Ends
    difference: Ends
    improvement: Ends | None = None
    p_value: float | None = None
    test: str = ""
    decision: Decision = "not ranked"
    family: int = 0
    reason: str = ""
    words: str = ""


def pairs_of(board: Board) -> dict[Pair, PairRow]:
    """Return what is known of pairs of agents, by their slugs, each pair in one order.

    The order of two agents is that in which `rlbench compare` takes them: those with records first,
    by name. Of boards with more than `MOST_AGENTS` agents, pairs of the others are there only
    within pools; of more than `MOST_ALONE` pairs that would be tested by themselves, the first.
    Pairs without a task in common are not there.
    """
    in_order = sorted(board.entries, key=lambda entry: (entry.paper is not None, entry.agent))
    first = {entry.slug for entry in board.entries[:MOST_AGENTS]}
    estimates = _Estimates(board.entries)
    found: dict[Pair, PairRow] = {}
    for number, separated in board.separations.items():
        found |= _of_pool(board, number, separated, estimates)
    papers = {entry.agent: entry.paper for entry in in_order if entry.paper}
    own = {entry.agent: entry.terms for entry in in_order if not entry.paper}
    alone, apart = [], []
    for a, b in combinations(in_order, 2):
        if not {a.slug, b.slug} <= first or (a.slug, b.slug) in found or (b.slug, a.slug) in found:
            continue
        if not set(a.values) & set(b.values):
            continue
        reason = why_not_ranked(a.agent, b.agent, papers, own)
        if not reason:
            alone.append((a, b))
            continue
        words = described_as(a.agent, b.agent, papers, own)
        apart.append((a, b, reason, words))
    for a, b in alone[:MOST_ALONE]:
        found[a.slug, b.slug] = _alone(a, b, estimates)
    gaps = _differences((a, b) for a, b, *_ in apart)
    for a, b, reason, words in apart:
        row = _described(a, b, gaps.get((a.slug, b.slug)), estimates)
        found[a.slug, b.slug] = replace(row, reason=reason, words=words)
    return found


def mirrored(row: PairRow) -> PairRow:
    """Return the same with the two agents in the other order."""
    chance = row.improvement
    return replace(
        row,
        a=row.b,
        b=row.a,
        of_a=row.of_b,
        of_b=row.of_a,
        difference=_turned(row.difference, 0.0),
        improvement=chance and _turned(chance, 1.0),
        decision=MIRRORED.get(row.decision, row.decision),
    )


def neighbours(board: Board) -> list[tuple[str, list[Entry]]]:
    """Return the agents of each pool from the greatest IQM down, and those in no pool likewise.

    Each list has a heading; agents that stand one after the other in it are neighbours. All that
    are in no pool are sorted as the board sorts them, agents with records and others apart.
    """
    found = [
        (f"Pool {number}", sorted(pool, key=lambda entry: (-entry.headline, entry.agent)))
        for number, pool in board.pools.items()
    ]
    for heading, entries in (
        ("Not ranked, with records", board.own),
        ("Not ranked, published", board.papers),
    ):
        found.append((heading, [entry for entry in entries if not entry.place]))
    return [(heading, entries) for heading, entries in found if len(entries) > 1]


def in_a_row(board: Board) -> list[tuple[Entry, Entry]]:
    """Return the pairs of neighbours; each agent is the first of one pair at most."""
    return [pair for _, entries in neighbours(board) for pair in pairwise(entries)]


def of_neighbours(board: Board, found: Mapping[Pair, PairRow]) -> dict[Pair, PairRow]:
    """Return the pairs of neighbours, by their slugs in the order of their list.

    Args:
        board: The board.
        found: What `pairs_of` says; neighbours that are not there are left out.
    """
    rows = {}
    for a, b in in_a_row(board):
        if row := found.get((a.slug, b.slug)):
            rows[a.slug, b.slug] = row
        elif row := found.get((b.slug, a.slug)):
            rows[a.slug, b.slug] = mirrored(row)
    return rows


def _turned(ends: Ends, total: float) -> Ends:
    low, high = (None if end is None else total - end for end in (ends.high, ends.low))
    return ends._replace(point=total - ends.point, low=low, high=high)


def _ends(estimate: Estimate, statistic: str, tasks: Sequence[str], *entries: Entry) -> Ends:
    """Return an estimate of one or two agents, and what is to be said of its interval."""
    found = Ends(estimate.point, estimate.low, estimate.high, estimate.method)
    return _noted(found, statistic, tasks, *entries)


def _noted(ends: Ends, statistic: str, tasks: Sequence[str], *entries: Entry) -> Ends:
    runs = min(len(entry.values[task]) for entry in entries for task in tasks)
    note = coverage_note(ends.low, ends.method, statistic, len(tasks), runs)
    if ends.method.endswith(REACHING_0):
        note = f"{WIDENED} {note}".rstrip()
    return ends._replace(note=note)


def ends_of(row: SummaryRow) -> Ends:
    """Return an aggregate of an agent."""
    note = coverage_note(row.low, row.method, row.metric, row.tasks, row.runs)
    return Ends(row.point, row.low, row.high, row.method, note)


class _Estimates:
    """Statistics of agents on sets of tasks; each is computed once."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._known: dict[tuple[str, str, tuple[str, ...]], Ends] = {}
        for entry in entries:
            for name in ("iqm", "mean"):
                if row := entry.metrics.get(name):
                    self._known[entry.slug, name, tuple(entry.values)] = ends_of(row)

    def of(self, entry: Entry, statistic: str, tasks: tuple[str, ...]) -> Ends:
        key = (entry.slug, statistic, tasks)
        if key not in self._known:
            scores = [entry.normalised[task] for task in tasks]
            why = why_no_interval(entry.paper, entry.terms)
            found = (
                no_interval(point_of(scores, statistic), 1 - ALPHA, why)
                if why
                else bootstrap(scores, statistic, level=1 - ALPHA)
            )
            self._known[key] = _ends(found, statistic, tasks, entry)
        return self._known[key]


def _of_pool(
    board: Board, number: int, separated: Mapping[Pair, Separation], estimates: _Estimates
) -> dict[Pair, PairRow]:
    """Return the pairs of a pool: tests and intervals hold for all of them together."""
    by_slug = {entry.slug: entry for entry in board.entries}
    chances = {
        (row["x"], row["y"]): Ends(row["point"], row["low"], row["high"], row["method"])
        for row in board.improvements[number]
    }
    beside = {frozenset((a.slug, b.slug)) for a, b in in_a_row(board)}
    tasks = tuple(task.name for task in board.suite.tasks)
    found = {}
    for (a, b), separation in separated.items():
        x, y = by_slug[a], by_slug[b]
        if chance := chances.get((x.agent, y.agent)):
            chance = _noted(chance, "improvement", tasks, x, y)
        elif frozenset((a, b)) in beside:
            chance = _ends(
                improvement(_scores(x, tasks), _scores(y, tasks)), "improvement", tasks, x, y
            )
        found[a, b] = PairRow(
            a=a,
            b=b,
            statistic="iqm",
            tasks=tasks,
            of_a=estimates.of(x, "iqm", tasks),
            of_b=estimates.of(y, "iqm", tasks),
            difference=_ends(separation.difference, OF_GAP, tasks, x, y),
            improvement=chance,
            p_value=separation.p_value,
            test=separation.test,
            decision=separation.decision,
            family=len(separated),
        )
    return found


def _alone(a: Entry, b: Entry, estimates: _Estimates) -> PairRow:
    """Return a pair that is tested by itself."""
    tasks = _common(a, b)
    (found,) = compare({"a": _scores(a, tasks), "b": _scores(b, tasks)}, alpha=ALPHA)
    return PairRow(
        a=a.slug,
        b=b.slug,
        statistic="iqm",
        tasks=tasks,
        of_a=estimates.of(a, "iqm", tasks),
        of_b=estimates.of(b, "iqm", tasks),
        difference=_ends(found.difference, OF_GAP, tasks, a, b),
        improvement=_ends(found.improvement, "improvement", tasks, a, b),
        p_value=found.p_value,
        test=found.test,
        decision=found.decision,
        family=1,
    )


def _described(a: Entry, b: Entry, gap: Ends | None, estimates: _Estimates) -> PairRow:
    """Return a pair that is not tested; without an interval unless there is one of the gap."""
    tasks, statistic = _common(a, b), _statistic(a, b)
    of_a, of_b = (estimates.of(entry, statistic, tasks) for entry in (a, b))
    if gap is None:
        gap = Ends(of_a.point - of_b.point, None, None, _why_no_interval(a, b))
    return PairRow(
        a=a.slug, b=b.slug, statistic=statistic, tasks=tasks, of_a=of_a, of_b=of_b, difference=gap
    )


def _differences(pairs: Iterable[tuple[Entry, Entry]]) -> dict[Pair, Ends]:
    """Return the differences of pairs whose runs are independent."""
    mine = [(a, b) for a, b in pairs if not _why_no_interval(a, b)]
    scores = {entry.slug: entry.normalised for pair in mine for entry in pair}
    found = differences(scores, [(a.slug, b.slug) for a, b in mine], "iqm", level=1 - ALPHA)
    by_slug = {entry.slug: entry for pair in mine for entry in pair}
    return {
        (a, b): _ends(estimate, OF_GAP, _common(by_slug[a], by_slug[b]), by_slug[a], by_slug[b])
        for (a, b), estimate in found.items()
    }


def _why_no_interval(a: Entry, b: Entry) -> str:
    return next(filter(None, (why_no_interval(e.paper, e.terms) for e in (a, b))), "")


def _statistic(a: Entry, b: Entry) -> Statistic:
    of_means = any(why_no_interval(entry.paper, entry.terms) == MEANS for entry in (a, b))
    return "mean" if of_means else "iqm"


def _common(a: Entry, b: Entry) -> tuple[str, ...]:
    return tuple(task for task in a.values if task in b.values)


def _scores(entry: Entry, tasks: Sequence[str]) -> list[Any]:
    return [entry.normalised[task] for task in tasks]
