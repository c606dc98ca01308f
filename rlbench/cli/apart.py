"""Agents that may not all be ranked, for people: each group, and what lies between them."""

from collections.abc import Mapping
from typing import Any

from rlbench.api.apart import Question, described, despite_of, estimate, groups_of, scores_of
from rlbench.api.gathering import Gathered
from rlbench.cli.output import echo, print_table
from rlbench.cli.pairs import show_comparison
from rlbench.cli.sources import print_deviations
from rlbench.results.rankable import PROTOCOLS_DIFFER, described_as
from rlbench.stats.aggregates import LABELS

MOST_PAIRS = 6  # that are not ranked and are printed one by one


def show_apart(found: Gathered, question: Question) -> None:
    """Show agents that may not all be ranked."""
    despite = despite_of(found, question) if question.despite else None
    groups, between = groups_of(found, question)
    notes = list(found.notes)
    for group in groups:
        scores, of_group = scores_of(group, found, question)
        together = "Tested together" if despite else "Of one protocol"
        echo(f"{together}: {', '.join(group)}.")
        show_comparison(scores, question.statistic, question.alpha, question.scale, despite)
        notes += of_group
    if len(between) <= MOST_PAIRS:
        _print_pairs([described(a, b, found, question) for a, b in between], found, question)
    else:
        _print_agents(found, question, len(between))
    print_deviations(found.published, err=False)
    for note in notes:
        echo(note)


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
        why = described_as(row["a"], row["b"], found.published, found.own)
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
        of = estimate(agent, list(tasks), found, question)
        points.append(
            {"agent": agent, label: of.point if of else None,
             "low": of and of.low, "high": of and of.high,
             "tasks": len(tasks)}
        )  # fmt: skip
    title = f"every agent by itself, not ranked: {question.scale.title}"
    print_table(points, list(points[0]), title)
    echo(f"{between} pairs are not ranked ({PROTOCOLS_DIFFER}); --json says for each why.")


def _interval(row: Mapping[str, Any], point: str, ends: str, sign: str = "") -> str:
    low, high = row[f"{ends}low"], row[f"{ends}high"]
    if row[point] is None:
        return "-"
    return f"{row[point]:{sign}.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")
