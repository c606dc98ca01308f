"""Pairs of agents that are tested: rows for programs, sentences for people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.api.scales import Agents, Scale, common_tasks, deviations_of
from rlbench.results.published import Published
from rlbench.stats import RunsNeeded, compare, runs_needed
from rlbench.stats.aggregates import LABELS
from rlbench.stats.comparisons import Comparison, TestStatistic
from rlbench.stats.coverage import coverage_warnings
from rlbench.stats.intervals import ALL_EQUAL, point_of, why_no_interval
from rlbench.stats.planning import MOST_RUNS

POWER = 0.8
NEW_RUNS = (
    "Test new runs by themselves, or plan with --stop adastop: adding runs to these and testing "
    "again errs more often than alpha says."
)

NEVER = "no number of new runs would separate them: on every task all runs of each are equal"
WIDENED = " (widened to reach 0)"

Scores = dict[str, list[NDArray[np.float64]]]
Needed = Mapping[tuple[str, str], RunsNeeded | None]  # by pair; None where no number is enough

PAIR_COLUMNS = (
    "a", "b", "statistic", "difference", "low", "high", "method", "improvement",
    "improvement_low", "improvement_high", "cliffs_delta", "p_value", "test", "decision",
    "runs_needed", "runs_needed_low", "runs_needed_high", "widened",
)  # fmt: skip


def aligned(agents: Agents, scale: Scale, notes: list[str]) -> Scores:
    """Return scores on the tasks that all agents have; a note is added if these are not all.

    Larger ones are better: those of which lower ones are come with the other sign.
    """
    common = common_tasks(agents)
    every = {task for tasks in agents.values() for task in tasks}
    total = len(scale.suite.tasks) if scale.suite else len(every)
    if len(common) < total:
        notes.append(
            f"Compared on the {len(common)} of {total} tasks that all of them have runs of."
        )
    return {agent: [scale.sign * tasks[t] for t in common] for agent, tasks in agents.items()}


def coverage_notes(scores: Scores, statistic: TestStatistic) -> list[str]:
    """Return what is known of the intervals of pairs at their numbers of runs."""
    return coverage_warnings([f"difference of {statistic}", "improvement"], scores.values())


def with_deviations(
    rows: Sequence[Mapping[str, Any]], papers: Mapping[str, Published]
) -> list[dict[str, Any]]:
    """Return rows of pairs with why they are not ranked, and how their protocols differ."""
    return [
        {
            **row,
            "reason": row.get("reason"),
            "a_deviations": deviations_of(row["a"], papers),
            "b_deviations": deviations_of(row["b"], papers),
        }
        for row in rows
    ]


def comparison_rows(
    scores: Scores, statistic: TestStatistic, alpha: float, scale: Scale
) -> tuple[list[dict[str, Any]], list[Comparison], Needed]:
    """Return a row a pair, the comparisons behind them, and how many runs pairs need."""
    found = compare(scores, statistic=statistic, alpha=alpha)
    needed = _needed_of(scores, statistic, alpha)
    rows: list[dict[str, Any]] = [
        dict(
            zip(
                PAIR_COLUMNS,
                (
                    pair.a, pair.b, statistic, pair.difference.point, pair.difference.low,
                    pair.difference.high, pair.difference.method, pair.improvement.point,
                    pair.improvement.low, pair.improvement.high, pair.cliffs_delta, pair.p_value,
                    pair.test, pair.decision, *_counts(needed.get((pair.a, pair.b))),
                    pair.is_widened,
                ),
                strict=True,
            )
        )
        for pair in (_shown(pair, scale) for pair in found)
    ]  # fmt: skip
    return [row | scale.better for row in rows], found, needed


def sentences(
    found: Sequence[Comparison],
    needed: Needed,
    statistic: TestStatistic,
    scale: Scale,
    despite: Mapping[tuple[str, str], str] | None = None,
) -> list[str]:
    """Return what was shown of each pair, and what to do next.

    Args:
        found: The pairs.
        needed: How many runs they need.
        statistic: What is compared.
        scale: How scores are normalised.
        despite: Why pairs are not ranked that are tested all the same.
    """
    marks = {pair: f" (despite protocols: {why})" for pair, why in (despite or {}).items()}
    said = [
        _sentence(pair, statistic, _next_step(pair, needed), scale)
        + marks.get((pair.a, pair.b), "")
        for pair in found
    ]
    is_open = any(
        pair.decision == "not separated" and needed.get((pair.a, pair.b)) for pair in found
    )
    return [*said, NEW_RUNS] if is_open else said


def _shown(pair: Comparison, scale: Scale) -> Comparison:
    """Return a comparison in the user's sign; improvements are of what is better."""
    decision: Any = scale.shown_decision(pair.decision)
    return replace(pair, difference=scale.shown(pair.difference), decision=decision)


def _next_step(pair: Comparison, needed: Needed) -> str:
    """Return how many runs a pair needs as a sentence; nothing where that is not known."""
    if (pair.a, pair.b) not in needed:
        return ""
    runs = needed[pair.a, pair.b]
    said = f"They would need {needed_text(runs, POWER)}" if runs else NEVER[0].upper() + NEVER[1:]
    return f" {said}."


def _sentence(pair: Comparison, statistic: str, more: str, scale: Scale) -> str:
    """Return what was shown of a pair, in the order of the user's agents."""
    pair = _shown(pair, scale)
    gap, wins = pair.difference, f"{pair.a} wins {100 * pair.improvement.point:.0f}% of run pairs"
    what = f"{LABELS[statistic]} {gap.point:+.3f}"
    if gap.low is not None:
        what += f" [{gap.low:.3f}, {gap.high:.3f}]{WIDENED * pair.is_widened}"
    if pair.decision == "differ":
        return (
            f"{pair.a} and {pair.b}: their distributions differ; which {LABELS[statistic]} is "
            f"larger is not established: {what}; {wins}."
        )
    if pair.decision != "not separated":
        better = (pair.decision == "larger") != scale.lower_is_better
        return f"{pair.a} is {'better' if better else 'worse'} than {pair.b}: {what}; {wins}."
    return f"{pair.a} and {pair.b} are not separated: {what}; {wins}.{more}"


def needed_text(needed: RunsNeeded | None, power: float) -> str:
    """Return a range of runs in words; a pair that needs more than 10,000 has no number."""
    if needed is None:
        return NEVER
    if needed.low is None:
        return f"more than {MOST_RUNS:,} new runs a task for power {power:g}"
    if needed.low == needed.runs == needed.high:
        return f"{needed.low:,} new runs a task for power {power:g}"
    most = "or more" if needed.high is None else f"to {needed.high:,}"
    seen = f"more than {MOST_RUNS:,}" if needed.runs is None else f"{needed.runs:,}"
    return (
        f"{needed.low:,} {most} new runs a task for power {power:g} ({seen} if the difference is "
        "the one seen)"
    )


def _counts(needed: RunsNeeded | None) -> tuple[int | None, int | None, int | None]:
    return (needed.runs, needed.low, needed.high) if needed else (None, None, None)


def _needed_of(scores: Scores, statistic: TestStatistic, alpha: float) -> Needed:
    """Return how many runs pairs need, or nothing where a task has one run."""
    if min(len(runs) for tasks in scores.values() for runs in tasks) < 2:
        return {}
    needed = runs_needed(scores, power=POWER, statistic=statistic, alpha=alpha)
    return without_number(needed, scores, statistic)


def without_number(needed: Needed, scores: Scores, statistic: TestStatistic) -> Needed:
    """Return how many runs pairs need; None for those that are equal and whose runs never vary."""
    points = {
        agent: point_of(tasks, statistic)
        for agent, tasks in scores.items()
        if why_no_interval(tasks) == ALL_EQUAL
    }
    return {
        (a, b): None if a in points and points[a] == points.get(b) else runs
        for (a, b), runs in needed.items()
    }
