"""Comparisons of agents with a number that has no runs, e.g. the human level.

Runs cannot be permuted with a constant, so the test is a t test over all tasks, in which a task's
runs vary about a mean of their own. Scores that are all 0 or 1 have the intervals of `proportions`
instead, and the p-values that go with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores, UnknownName
from rlbench.limits import MAX_VALUE, allowed
from rlbench.stats.aggregates import (
    AGGREGATES,
    ScoresLike,
    columns,
    probability_of_improvement,
    run_weights,
)
from rlbench.stats.comparisons import holm
from rlbench.stats.intervals import (
    ALL_EQUAL,
    ROUNDING,
    Estimate,
    estimate_by_formula,
    no_interval,
    point_of,
    why_no_interval,
)
from rlbench.stats.proportions import METHOD as BY_RATE
from rlbench.stats.proportions import ends_of_successes, p_value_of_successes, sign_of_successes
from rlbench.stats.resampling import Floats

STATISTICS = tuple(name for name, of in AGGREGATES.items() if of.is_tested_alone)
METHOD = "stratified t, Satterthwaite"
BY_TASK = "Student's t on each task, Holm over the tasks of an agent"
NO_SPREAD = "none: no score that counts varies on any task"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantComparison:
    """The comparison of an agent with a constant.

    Attributes:
        agent: The agent.
        constant: The number it is compared with.
        difference: The agent's statistic less the constant. The intervals of all agents hold
            together, at level 1 - alpha.
        improvement: The share of the agent's runs above the constant, ties half, averaged over
            tasks.
        p_value: That the agent's statistic equals the constant, adjusted for all agents; None
            where nothing can be tested.
        test: How the p-value was made.
        decision: ``larger`` or ``smaller`` where the interval excludes 0, else ``not separated``.
            The IQM of scores that are 0 or 1 is surely 0 or 1 where few or most runs succeed. Then
            both ends are one number, there is no interval, and this number decides.
    """

    agent: str
    constant: float
    difference: Estimate
    improvement: float
    p_value: float | None
    test: str
    decision: Literal["larger", "smaller", "not separated"]


def compare_with_constant(
    scores: Mapping[str, ScoresLike],
    constant: float,
    *,
    statistic: Literal["mean", "iqm"] = "iqm",
    alpha: float = 0.05,
) -> list[ConstantComparison]:
    """Compare agents with a constant, e.g. with 1, the human level of human-normalised scores.

    The statistic less the constant, divided by its standard error, is referred to Student's t. The
    variance of the mean is the sum over tasks of ``s^2 / runs``, over the squared number of tasks,
    with the degrees of freedom of Satterthwaite (1946); that of the IQM is the same with scores
    winsorised at the two trimming points, over the squared share of scores that is kept (Tukey &
    McLaughlin 1963; on one task with their degrees of freedom). Intervals and p-values are adjusted
    by Bonferroni over the agents.

    An agent whose scores are all 0 or 1 (or, as costs with the other sign, 0 or -1) has the
    interval of `bootstrap`: that of Clopper & Pearson (1934), or of Korn & Graubard (1998) over
    tasks. Runs that all scored 0, or all 1, are decided so where the constant lies between 0 and 1;
    else nothing is said of runs that do not vary.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; agents may have different
            tasks.
        constant: In the unit of the scores.
        statistic: ``iqm`` or ``mean``.
        alpha: The chance that any agent at the constant is said to differ from it.

    Returns:
        One comparison an agent, in the order given.

    Raises:
        InvalidScores: There is no agent, scores are bad, or an option is out of range.
        UnknownName: There is no such statistic; the median has none that is reliable.

    >>> scores = {"a": [[1.0, 2.0, 3.0]]}
    >>> (found,) = compare_with_constant(scores, 0.0, statistic="mean")
    >>> round(found.p_value, 4), found.decision
    (0.0742, 'not separated')
    >>> (found,) = compare_with_constant({"a": [[1.0] * 29 + [0.0]]}, 0.5, statistic="mean")
    >>> round(found.difference.low, 3), round(found.difference.high, 3)
    (0.328, 0.499)
    """
    if statistic not in STATISTICS:
        raise UnknownName("statistic", statistic, STATISTICS)
    if not scores:
        raise InvalidScores("there is no agent to compare with the constant")
    if not 0 < alpha < 1 or not abs(constant) <= MAX_VALUE:
        raise InvalidScores(
            f"alpha {alpha} must be inside (0, 1), the constant {constant} at most {MAX_VALUE:g}"
        )
    return [
        _compared(agent, columns(values, f"scores of {agent!r}"), constant, statistic, alpha,
                  len(scores))
        for agent, values in scores.items()
    ]  # fmt: skip


def _compared(
    agent: str, tasks: list[Floats], constant: float, statistic: str, alpha: float, agents: int
) -> ConstantComparison:
    level = 1 - alpha / agents
    sign = _sign_of_successes(tasks, constant)
    why = why_no_interval(tasks)
    if sign and (not why or (why == ALL_EQUAL and 0 < sign * constant < 1)):
        method, found = BY_RATE, _by_rate(tasks, constant, statistic, level, sign)
    else:
        method, found = METHOD, _by_t(tasks, constant, statistic, level)
    difference, p_value, is_apart = found
    return ConstantComparison(
        agent=agent,
        constant=constant,
        difference=difference,
        improvement=probability_of_improvement(tasks, [[constant]] * len(tasks)),
        p_value=None if p_value is None else min(1.0, agents * p_value),
        test=f"{method}, Bonferroni over {agents} agents" if agents > 1 else method,
        decision=("larger" if difference.point > 0 else "smaller") if is_apart else "not separated",
    )


def _sign_of_successes(tasks: list[Floats], constant: float) -> int:
    """Return `sign_of_successes`; of scores that are all 0, that of the constant."""
    sign = sign_of_successes(tasks)
    is_zero = sign and not any(task.any() for task in tasks)
    return -1 if is_zero and constant < 0 else sign


def _by_rate(
    tasks: list[Floats], constant: float, statistic: str, level: float, sign: int
) -> tuple[Estimate, float | None, bool]:
    """Return the difference of successes, its p-value, and whether it is surely not 0."""
    turned, constant = [sign * task for task in tasks], sign * constant
    point = point_of(turned, statistic)
    low, high = ends_of_successes(turned, statistic, point, level)
    is_apart = not low <= constant <= high
    ends = sorted((sign * (low - constant), sign * (high - constant)))
    difference = estimate_by_formula(sign * (point - constant), (ends[0], ends[1]), BY_RATE, level)
    return difference, p_value_of_successes(turned, statistic, point, constant, level), is_apart


def _by_t(
    tasks: list[Floats], constant: float, statistic: str, level: float
) -> tuple[Estimate, float | None, bool]:
    """Return the difference, its p-value, and whether it is surely not 0."""
    from scipy.special import stdtr, stdtrit

    gap = point_of(tasks, statistic) - constant
    if why := why_no_interval(tasks):
        return no_interval(gap, level, why), None, False
    error, freedom = standard_error(tasks, statistic)
    if error <= ROUNDING * max(float(np.abs(task).max()) for task in tasks):
        return no_interval(gap, level, NO_SPREAD), None, False
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    difference = replace(no_interval(gap, level, METHOD), low=gap - half, high=gap + half)
    return difference, 2 * float(stdtr(freedom, -abs(gap) / error)), not -half <= gap <= half


def standard_error(tasks: list[Floats], statistic: str) -> tuple[float, float]:
    """Return the standard error of the mean or IQM, and its degrees of freedom.

    They are as `compare_with_constant` says; both are 0 and 1 where no score that counts varies.

    Args:
        tasks: One array (runs,) a task, at least two runs each.
        statistic: ``mean`` or ``iqm``.
    """
    runs = np.array([len(task) for task in tasks])
    freedom = runs - 1.0
    kept = 1.0
    if statistic == "iqm":
        low, high, cut = _trimming_points(tasks)
        tasks = [np.clip(task, low, high) for task in tasks]
        kept = 1 - 2 * cut / runs.sum()
        if len(tasks) == 1:
            freedom -= 2 * cut
    variances = np.array([task.var(ddof=1) for task in tasks]) / runs / (len(tasks) * kept) ** 2
    total = float(variances.sum())
    if total == 0:
        return 0.0, 1.0
    return total**0.5, total**2 / float((variances**2 / freedom).sum())


def _trimming_points(tasks: list[Floats]) -> tuple[float, float, int]:
    """Return the smallest and the largest score that the IQM keeps, and how many it cuts.

    A task counts the same however many runs it has.
    """
    values = np.concatenate(tasks)
    weights = run_weights([len(task) for task in tasks]) / len(values)
    order = np.argsort(values, kind="stable")
    cut = len(values) // 4
    share = cut / len(values) + 1e-12  # what equals the share but for rounding is cut
    below = np.cumsum(weights[order])
    above = np.cumsum(weights[order][::-1])
    low = values[order][np.searchsorted(below, share, side="right")]
    high = values[order][::-1][np.searchsorted(above, share, side="right")]
    return float(low), float(high), cut


class TaskAgainst(NamedTuple):
    """The comparison of an agent with a constant on one task.

    Attributes:
        difference: The mean of its runs less the constant.
        p_value: That its mean is the constant, adjusted by Holm over the tasks; None where a task
            has one run, or runs that do not vary.
        decision: ``larger`` or ``smaller`` where that is at most alpha, else ``not separated``.
    """

    difference: float
    p_value: float | None
    decision: Literal["larger", "smaller", "not separated"]


def compare_tasks_with_constants(
    scores: ScoresLike, constants: ArrayLike, *, alpha: float = 0.05
) -> list[TaskAgainst]:
    """Compare an agent with a constant of each task, e.g. with the mean return of its data.

    A task's runs are compared with its constant by Student's t test of one sample, or as successes
    where they are all 0 or 1. The p-values are adjusted by Holm (1979) over the tasks. So the
    decisions of one agent hold all together at level 1 - alpha, and so do their numbers; with few
    runs the t test rests on the normal law.

    Args:
        scores: (runs, tasks), or one array (runs,) a task.
        constants: (tasks,) in the unit of the scores.
        alpha: The chance that any task is decided wrongly.

    Returns:
        One a task, in their order.

    Raises:
        InvalidScores: Scores or constants are bad, or alpha is out of range.

    >>> found = compare_tasks_with_constants([[1.0, 1.1, 0.9], [1.0, 2.0, 3.0]], [0.0, 2.0])
    >>> [each.decision for each in found]
    ['larger', 'not separated']
    """
    tasks, levels = columns(scores), np.asarray(constants, dtype=np.float64)
    if levels.shape != (len(tasks),) or not allowed(levels).all():
        raise InvalidScores(f"constants must be ({len(tasks)},) finite numbers: {constants!r}")
    found = [
        compare_with_constant({"": [task]}, float(level), statistic="mean", alpha=alpha)[0]
        for task, level in zip(tasks, levels, strict=True)
    ]
    known = [each.p_value for each in found if each.p_value is not None]
    adjusted = iter(holm(known).tolist())
    out = []
    for each in found:
        gap = each.difference.point
        p_value = None if each.p_value is None else next(adjusted)
        is_apart = p_value is not None and p_value <= alpha
        decision: Literal["larger", "smaller", "not separated"] = "not separated"
        if is_apart:
            decision = "larger" if gap > 0 else "smaller"
        out.append(TaskAgainst(gap, p_value, decision))
    return out
