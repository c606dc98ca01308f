"""Agents that may not all be ranked: each group by itself, and what lies between them described."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from rlbench.api.gathering import Gathered
from rlbench.api.pairs import (
    PAIR_COLUMNS,
    Scores,
    aligned,
    comparison_rows,
    coverage_notes,
    sentences,
    with_deviations,
)
from rlbench.api.scales import Scale
from rlbench.results.published import Published
from rlbench.results.rankable import (
    MEANS,
    NOTHING,
    ranked_together,
    why_no_interval,
    why_not_ranked,
)
from rlbench.stats import bootstrap, difference
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.intervals import POINTS, Estimate, no_interval
from rlbench.stats.summary import WITHOUT_INTERVAL

NOT_RANKED = "none: not ranked"


class Compared(NamedTuple):
    """Agents compared with each other.

    Attributes:
        rows: A pair a row.
        sentences: What was shown of pairs that were tested.
        notes: What must be said of them.
    """

    rows: list[dict[str, Any]]
    sentences: list[str]
    notes: list[str]


class Question(NamedTuple):
    """What is asked of agents.

    Attributes:
        statistic: What is compared.
        alpha: 1 less the level of intervals.
        scale: How scores are normalised.
        despite: Agents are tested that protocols keep apart.
    """

    statistic: TestStatistic
    alpha: float
    scale: Scale
    despite: bool


def barring(papers: Mapping[str, Published], *, despite: bool) -> Mapping[str, Published]:
    """Return the agents from papers that may not be tested with others of another protocol.

    Args:
        papers: The agents from papers.
        despite: Only those of which there are means and no runs.
    """
    return {a: paper for a, paper in papers.items() if not despite or paper.source.means_only}


def despite_of(found: Gathered, question: Question) -> dict[tuple[str, str], str]:
    """Return why pairs are not ranked that may be tested despite their protocols."""
    barred = barring(found.published, despite=True)
    return {
        (a, b): why
        for a, b in combinations(found.agents, 2)
        if (why := why_not_ranked(a, b, found.published, found.own))
        and not why_not_ranked(a, b, barred, found.own)
    }


def apart_rows(found: Gathered, question: Question) -> Compared:
    """Return a row a pair of agents that may not all be ranked, and what must be said of them."""
    rows: list[dict[str, Any]] = []
    said: list[str] = []
    notes = list(found.notes)
    despite = despite_of(found, question) if question.despite else None
    groups, between = groups_of(found, question)
    for group in groups:
        scores, of_group = scores_of(group, found, question)
        statistic, scale = question.statistic, question.scale
        tested, pairs, needed = comparison_rows(scores, statistic, question.alpha, scale)
        said += sentences(pairs, needed, statistic, scale, despite)
        rows += [_with_points(row, found, question) for row in tested]
        notes += of_group
    rows += [described(a, b, found, question) for a, b in between]
    if despite is not None:
        rows = [row | {"despite_protocols": despite.get((row["a"], row["b"]))} for row in rows]
    return Compared(with_deviations(rows, found.published), said, notes)


def groups_of(found: Gathered, question: Question) -> tuple[list[list[str]], list[tuple[str, str]]]:
    """Return which agents are tested together, and the pairs that are in no such group."""
    barred = barring(found.published, despite=question.despite)
    groups = [g for g in ranked_together(found.agents, barred, found.own) if len(g) > 1]
    between = [
        (a, b)
        for a, b in combinations(found.agents, 2)
        if not any(a in group and b in group for group in groups)
    ]
    return groups, between


def scores_of(
    group: Sequence[str], found: Gathered, question: Question
) -> tuple[Scores, list[str]]:
    """Return the scores of a group on the tasks that all in it have, and what is said of them."""
    notes: list[str] = []
    scores = aligned({agent: found.agents[agent] for agent in group}, question.scale, notes)
    notes += coverage_notes(scores, question.statistic)
    return scores, [f"{', '.join(group)}: {note}" for note in notes]


def described(a: str, b: str, found: Gathered, question: Question) -> dict[str, Any]:
    """Return the row of a pair that is shown and not ranked, on the tasks that both have."""
    pair = {**dict.fromkeys(PAIR_COLUMNS), "a": a, "b": b, "statistic": question.statistic}
    gap = _gap(a, b, found, question)
    return _with_points(pair, found, question) | {
        "difference": gap.point if gap else None,
        "low": gap.low if gap else None,
        "high": gap.high if gap else None,
        "method": gap.method if gap else NOT_RANKED,
        "test": NOT_RANKED,
        "decision": "not ranked",
        "reason": why_not_ranked(a, b, found.published, found.own),
    }


def _with_points(row: Mapping[str, Any], found: Gathered, question: Question) -> dict[str, Any]:
    """Return the row of a pair with both agents' statistics, on the tasks that both have."""
    common = _common(row["a"], row["b"], found)
    said: dict[str, Any] = {"tasks": len(common)}
    for k in "ab":
        of = estimate(row[k], common, found, question) if common else None
        said |= {
            f"{k}_point": of and of.point,
            f"{k}_low": of and of.low,
            f"{k}_high": of and of.high,
        }
    return {**row, **said}


def _common(a: str, b: str, found: Gathered) -> list[str]:
    return [task for task in found.agents[a] if task in found.agents[b]]


def estimate(agent: str, tasks: list[str], found: Gathered, question: Question) -> Estimate | None:
    """Return an agent's statistic with its interval; of means over runs there is no IQM."""
    sign, statistic = question.scale.sign, question.statistic
    scores = [sign * found.agents[agent][task] for task in tasks]
    why = _why_no_interval(agent, found)
    if why == MEANS and statistic == "iqm":
        return None
    if statistic in WITHOUT_INTERVAL:
        why = why or f"none: {WITHOUT_INTERVAL[statistic]}"
    if why:
        return question.scale.shown(
            no_interval(POINTS[question.statistic](scores), 1 - question.alpha, why)
        )
    return question.scale.shown(bootstrap(scores, question.statistic, level=1 - question.alpha))


def _gap(a: str, b: str, found: Gathered, question: Question) -> Estimate | None:
    """Return the difference of two agents with its interval, on the tasks that both have."""
    common, scale = _common(a, b, found), question.scale
    why = _why_no_interval(a, found) or _why_no_interval(b, found)
    if not common or (why == MEANS and question.statistic == "iqm"):
        return None
    x, y = ([scale.sign * found.agents[agent][task] for task in common] for agent in (a, b))
    if why:
        point = POINTS[question.statistic]
        return scale.shown(no_interval(point(x) - point(y), 1 - question.alpha, why))
    return scale.shown(difference(x, y, question.statistic, level=1 - question.alpha))


def _why_no_interval(agent: str, found: Gathered) -> str:
    """Say why an agent has no interval; nothing if its runs are independent."""
    return why_no_interval(found.published.get(agent), found.own.get(agent, NOTHING))
