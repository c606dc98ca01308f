"""Agents that may not all be ranked: each group by itself, and what lies between them described."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

from rlbench.cli.cells import LABELS
from rlbench.cli.gathering import Gathered
from rlbench.cli.output import echo, print_json, print_table
from rlbench.cli.pairs import (
    PAIR_COLUMNS,
    aligned,
    comparison_rows,
    coverage_notes,
    show_comparison,
    with_deviations,
)
from rlbench.cli.sources import Scale, print_deviations
from rlbench.results.published import Published
from rlbench.results.rankable import (
    NO_INTERVAL,
    NOTHING,
    ranked_together,
    why_alone,
    why_not_ranked,
)
from rlbench.stats import bootstrap, difference
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.intervals import POINTS, Estimate, no_interval
from rlbench.stats.summary import WITHOUT_INTERVAL

MOST_PAIRS = 6  # that are not ranked and are printed one by one
NOT_A_TEST = "protocols differ: a description, not a test"
NOT_RANKED = "none: not ranked"
MEANS = "none: means, not runs"


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


def show_apart(found: Gathered, question: Question, json: bool) -> None:
    """Show agents that may not all be ranked."""
    agents, scale = found.agents, question.scale
    barred = barring(found.published, despite=question.despite)
    despite = despite_of(found, question) if question.despite else None
    groups = [g for g in ranked_together(agents, barred, found.own) if len(g) > 1]
    between = [
        (a, b)
        for a, b in combinations(agents, 2)
        if not any(a in group and b in group for group in groups)
    ]
    rows: list[dict[str, Any]] = []
    notes = list(found.notes)
    for group in groups:
        of_group: list[str] = []
        scores = aligned({agent: agents[agent] for agent in group}, scale, of_group)
        if json:
            tested, _, _ = comparison_rows(scores, question.statistic, question.alpha, scale)
            rows += [_with_points(row, found, question) for row in tested]
        else:
            together = "Tested together" if despite else "Of one protocol"
            echo(f"{together}: {', '.join(group)}.")
            show_comparison(
                scores, found.published, question.statistic, question.alpha, scale, json, despite
            )
        of_group += coverage_notes(scores, question.statistic)
        notes += [f"{', '.join(group)}: {note}" for note in of_group]
    if json:
        rows += [_described(a, b, found, question) for a, b in between]
        if despite is not None:
            rows = [row | {"despite_protocols": despite.get((row["a"], row["b"]))} for row in rows]
        print_json(with_deviations(rows, found.published))
    elif len(between) <= MOST_PAIRS:
        _print_pairs([_described(a, b, found, question) for a, b in between], found, question)
    else:
        _print_agents(found, question, len(between))
    print_deviations(found.published, err=json)
    for note in notes:
        echo(note, err=json)


def _print_pairs(rows: list[dict[str, Any]], found: Gathered, question: Question) -> None:
    """Print pairs that are not ranked: both agents, and the difference with its interval."""
    label, suite = LABELS[question.statistic], question.scale.suite
    of_protocols = despite_of(found, question)
    for row in rows:
        if row["tasks"] == 0:
            echo(f"{row['a']} and {row['b']} have no task in common. Not ranked: {row['reason']}.")
            continue
        both = [f"{row[k]}: {label} {_interval(row, f'{k}_point', f'{k}_')}" for k in "ab"]
        of = f" of {len(suite.tasks)}" if suite else ""
        gap = f"difference {_interval(row, 'difference', '', sign='+')}"
        is_of_protocols = (row["a"], row["b"]) in of_protocols
        why = NOT_A_TEST if is_of_protocols else "a description, not a test"
        echo(
            f"{both[0]}; {both[1]}; {gap}, on {row['tasks']}{of} tasks in common; {why} "
            f"({row['reason']})."
        )
    shown = ["a", "b", "difference", "low", "high", "tasks", "reason"]
    print_table(rows, shown, f"not ranked: {label} of {question.scale.title}")
    methods = dict.fromkeys(row["method"] for row in rows if row["low"] is not None)
    if methods:
        echo(
            f"Intervals: {100 * (1 - question.alpha):g}%, each by itself, {'; '.join(methods)}; of "
            "a difference, the runs of the two are drawn independently."
        )
    if of_protocols and not question.despite:
        echo("--despite-protocols tests all the same, and says so.")


def _print_agents(found: Gathered, question: Question, between: int) -> None:
    """Print every agent by itself, where pairs are too many."""
    label = LABELS[question.statistic]
    points = []
    for agent, tasks in found.agents.items():
        estimate = _estimate(agent, list(tasks), found, question)
        points.append(
            {"agent": agent, label: estimate.point if estimate else None,
             "low": estimate and estimate.low, "high": estimate and estimate.high,
             "tasks": len(tasks)}
        )  # fmt: skip
    title = f"every agent by itself, not ranked: {question.scale.title}"
    print_table(points, list(points[0]), title)
    echo(f"{between} pairs are not ranked ({NOT_A_TEST}); --json says for each why.")


def _interval(row: Mapping[str, Any], point: str, ends: str, sign: str = "") -> str:
    low, high = row[f"{ends}low"], row[f"{ends}high"]
    if row[point] is None:
        return "-"
    return f"{row[point]:{sign}.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")


def _described(a: str, b: str, found: Gathered, question: Question) -> dict[str, Any]:
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
        estimate = _estimate(row[k], common, found, question) if common else None
        said |= {
            f"{k}_point": estimate and estimate.point,
            f"{k}_low": estimate and estimate.low,
            f"{k}_high": estimate and estimate.high,
        }
    return {**row, **said}


def _common(a: str, b: str, found: Gathered) -> list[str]:
    return [task for task in found.agents[a] if task in found.agents[b]]


def _estimate(agent: str, tasks: list[str], found: Gathered, question: Question) -> Estimate | None:
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
    if agent in found.published and found.published[agent].source.means_only:
        return MEANS
    return NO_INTERVAL if why_alone(found.own.get(agent, NOTHING)) else ""
