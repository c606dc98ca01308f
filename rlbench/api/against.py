"""Agents and a constant, e.g. the human level."""

from typing import Any, Literal, NamedTuple, cast

from rlbench.api.docs import docs_url
from rlbench.api.gathering import Gathered
from rlbench.api.scales import Scale
from rlbench.api.words import p_value_text
from rlbench.errors import UsageError
from rlbench.results.rankable import why_not_ranked
from rlbench.stats import ConstantComparison, compare_with_constant
from rlbench.stats.aggregates import LABELS
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.constant import METHOD, NO_SPREAD, STATISTICS
from rlbench.stats.intervals import ONE_RUN
from rlbench.stats.proportions import METHOD as BY_RATE

FEW_TASKS = 6  # with fewer, the t test was measured to err more often than alpha says


class Against(NamedTuple):
    """Agents compared with a constant.

    Attributes:
        rows: An agent a row, with the columns of a pair; b is the constant.
        test: How they were tested; several ways are joined by semicolons.
        notes: What must be said of them.
    """

    rows: list[dict[str, Any]]
    test: str
    notes: list[str]


def against(
    gathered: Gathered, constant: float, statistic: TestStatistic, alpha: float, scale: Scale
) -> Against:
    """Compare each agent with a constant, on the tasks that it has runs of.

    Raises:
        InvalidScores: The constant or alpha is out of range.
        UsageError: The statistic has no test against a constant, or no agent can be tested.
    """
    if statistic not in STATISTICS:
        raise UsageError(f"--against has no reliable test of the {statistic}: use iqm or mean")
    agents, notes, papers, own, *_ = gathered
    reasons = {agent: why_not_ranked(agent, agent, papers, own) for agent in agents}
    sign = scale.sign
    tested = {
        agent: [sign * scores for scores in tasks.values()]
        for agent, tasks in agents.items()
        if not reasons[agent]
    }
    if not tested:
        raise UsageError(
            f"no agent can be compared with a constant: {next(iter(reasons.values()))}"
        )
    found = compare_with_constant(
        tested, sign * constant, statistic=cast(Literal["mean", "iqm"], statistic), alpha=alpha
    )
    notes = [*notes, *(f"{agent} is left out: {why}." for agent, why in reasons.items() if why)]
    by_t = [tested[each.agent] for each in found if each.test.startswith(METHOD)]
    if any(len(tasks) < FEW_TASKS for tasks in by_t):
        notes.append(
            f"With fewer than {FEW_TASKS} tasks and few runs, the t test errs more often than "
            f"{alpha:g} ({docs_url('comparisons.md')} has the measured figures)."
        )
    if statistic == "iqm" and any(each.test.startswith(BY_RATE) for each in found):
        notes.append(
            "Of scores that are all 0 or 1 the IQM is 0 where fewer than a quarter are 1, and 1 "
            "where more than three quarters are: --statistic mean says more."
        )
    tests = "; ".join(dict.fromkeys(each.test for each in found))
    return Against([_row(each, constant, statistic, scale) for each in found], tests, notes)


def _row(
    found: ConstantComparison, constant: float, statistic: str, scale: Scale
) -> dict[str, Any]:
    """Return a row with the columns of a pair of agents; b is the constant."""
    difference = scale.shown(found.difference)
    return {
        "a": found.agent,
        "b": f"{constant:g}",
        "statistic": statistic,
        "difference": difference.point,
        "low": difference.low,
        "high": difference.high,
        "method": difference.method,
        "improvement": found.improvement,
        "improvement_low": None,
        "improvement_high": None,
        "cliffs_delta": 2 * found.improvement - 1,
        "p_value": found.p_value,
        "test": found.test,
        "decision": scale.shown_decision(found.decision),
        "runs_needed": None,
        "runs_needed_low": None,
        "runs_needed_high": None,
        "widened": False,
        **scale.better,
    }


def sentence(row: dict[str, Any]) -> str:
    """Return what was shown of an agent."""
    a, b, p_value = row["a"], row["b"], row["p_value"]
    what = f"{LABELS[row['statistic']]} {row['difference']:+.3f}"
    if p_value is None:
        return f"{a} cannot be compared with {b}: {what}, and {_why_untested(row)}."
    better = "smaller" if "better" in row else "larger"
    words = {"not separated": "is not separated from", better: "is better than"}
    if row["low"] is None:
        what += " at every success rate that its runs allow"
    else:
        what += f" [{row['low']:.3f}, {row['high']:.3f}]"
    p_text = p_value_text(p_value)
    return (
        f"{a} {words.get(row['decision'], 'is worse than')} {b}: {what}, "
        f"p {p_text if p_text.startswith('<') else f'= {p_text}'}; "
        f"{100 * row['improvement']:.0f}% of its runs are better."
    )


def _why_untested(row: dict[str, Any]) -> str:
    if row["method"] == ONE_RUN:
        return "a task has only one run"
    if row["method"] == NO_SPREAD and row["statistic"] == "iqm":
        return "the scores that the IQM keeps do not vary: try --statistic mean"
    return "on every task all its runs are equal"
