"""Intervals of scores that are all 0 or 1, where a bootstrap of few runs claims too much.

Scores that are all 0 or -1 are the same with the other sign, e.g. costs of which less is better.

The success rate has the interval of Korn & Graubard (1998, Survey Methodology 24, 193-201): that of
Clopper & Pearson (1934) for an effective number of runs, the one whose binomial variance is the
variance estimated within tasks. It is at least the number of runs itself, as many of every task:
tasks of unequal rates never vary by more than as many runs of one rate (Hoeffding 1956).
"""

from collections.abc import Sequence

import numpy as np

from rlbench.stats.aggregates import AGGREGATES
from rlbench.stats.resampling import Floats

STATISTICS = tuple(name for name, aggregate in AGGREGATES.items() if aggregate.of_rates)
METHOD = "Clopper-Pearson, stratified (Korn & Graubard 1998)"

Ends = tuple[float, float]


def are_successes(tasks: Sequence[Floats]) -> bool:
    """Say whether every score is 0 or 1, or every score 0 or -1."""
    return sign_of_successes(tasks) != 0


def sign_of_successes(tasks: Sequence[Floats]) -> int:
    """Return what makes scores 0 or 1: 1, or -1 for 0 and -1; 0 where they are neither."""
    for sign in (1, -1):
        if all(((task == 0) | (task == sign)).all() for task in tasks):
            return sign
    return 0


def clopper_pearson(hits: Floats, trials: float, level: float) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of chances (Clopper & Pearson 1934).

    Args:
        hits: (k,) successes, not necessarily whole.
        trials: Of how many.
        level: Nominal coverage.

    Returns:
        (k,) lower and (k,) upper ends.

    >>> low, high = clopper_pearson(np.array([5.0]), 5, 0.95)
    >>> low.round(3).item(), high.item()
    (0.478, 1.0)
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low, high = np.zeros_like(hits), np.ones_like(hits)
    some, not_all = hits > 0, hits < trials
    low[some] = betaincinv(hits[some], trials - hits[some] + 1, tail)
    high[not_all] = betaincinv(hits[not_all] + 1, trials - hits[not_all], 1 - tail)
    return low, high


def success_rate_ends(tasks: Sequence[Floats], level: float) -> Ends:
    """Return the ends of the interval of the mean over tasks of the share of successes.

    Args:
        tasks: One array (runs,) a task, of 0 and 1, or of 0 and -1; at least two runs each.
        level: Nominal coverage.
    """
    sign = sign_of_successes(tasks)
    rate, trials = _trials([sign * task for task in tasks], level)
    lows, highs = clopper_pearson(np.array([rate * trials]), trials, level)
    low, high = float(lows[0]), float(highs[0])
    return (low, high) if sign > 0 else (0.0 - high, 0.0 - low)


def _trials(tasks: Sequence[Floats], level: float) -> Ends:
    """Return the success rate, and the effective number of runs at a level."""
    from scipy.special import stdtrit

    runs = np.array([len(task) for task in tasks])
    rates = np.array([task.mean() for task in tasks])
    rate, total = float(rates.mean()), int(runs.sum())
    variance = float((rates * (1 - rates) / (runs - 1)).sum()) / len(tasks) ** 2
    effective = float(len(tasks) * runs.min())
    if variance > 0:
        # The variance is itself uncertain, which the quantiles of Student's t allow for.
        one, many = (stdtrit(total - strata, (1 + level) / 2) for strata in (1, len(tasks)))
        effective = max(effective, rate * (1 - rate) / variance * float(one / many) ** 2)
    return rate, effective


def ends_of_successes(tasks: Sequence[Floats], statistic: str, point: float, level: float) -> Ends:
    """Return the ends of the interval of one of `STATISTICS` of scores that are 0 or 1.

    The success rate p determines them all: the mean is p, the optimality gap 1 - p, and the IQM,
    the mean of the middle half of all scores, 2 p - 1/2, but at least 0 and at most 1. Of scores
    of 0 and -1, p is the share of -1: mean and IQM have the other sign, and the gap is 1 + p.

    Args:
        tasks: As `success_rate_ends` takes them.
        statistic: Which.
        point: The statistic of the scores. With few runs an IQM trims less than a quarter; the
            interval is made to hold it.
        level: Nominal coverage.
    """
    low, high = success_rate_ends(tasks, level)
    if statistic == "optimality_gap":
        return 1 - high, 1 - low
    if statistic == "iqm":
        sign = sign_of_successes(tasks)
        low, high = (sign * min(max(2 * sign * end - 0.5, 0.0), 1.0) + 0.0 for end in (low, high))
        return min(low, point), max(high, point)
    return low, high


def p_value_of_successes(
    tasks: Sequence[Floats], statistic: str, point: float, constant: float, level: float
) -> float:
    """Return the p-value that the mean or the IQM of scores that are 0 or 1 is a constant.

    It is twice the smaller tail of the binomial law for the effective number of runs at the level.
    So it is less than 1 - level where the ends of `ends_of_successes` exclude the constant, and
    nowhere else. At other levels the two may differ a little.

    Args:
        tasks: As `success_rate_ends` takes them.
        statistic: ``mean`` or ``iqm``.
        point: The statistic of the scores.
        constant: What it may be.
        level: Of the interval.

    >>> round(p_value_of_successes([np.array([1.0] * 9 + [0.0])], "mean", 0.9, 0.5, 0.95), 4)
    0.0215
    """
    from scipy.special import betainc

    if not 0 <= constant <= 1:
        return 0.0
    rate, trials = _trials(tasks, level)
    null = constant if statistic == "mean" else (constant + 0.5) / 2
    # On the other side lies an IQM that is 0 or 1 at many rates, or of runs too few to trim.
    if (rate - null) * (point - constant) <= 0:
        return 1.0
    hits = rate * trials
    if rate > null:
        return min(1.0, 2 * float(betainc(hits, trials - hits + 1, null)))
    return min(1.0, 2 * float(betainc(trials - hits, hits + 1, 1 - null)))


def difference_ends(points: Ends, first: Ends, second: Ends) -> Ends:
    """Return the ends of the interval of a difference of two independent estimates.

    The variances are recovered from the two intervals (Zou & Donner 2008, Statistics in Medicine
    27, 1693-1702).

    Args:
        points: The two estimates.
        first: The ends of the interval of the first.
        second: The ends of that of the second.

    >>> [round(end, 3) for end in difference_ends((0.5, 0.5), (0.2, 0.9), (0.1, 0.8))]
    [-0.424, 0.566]
    """
    gap = points[0] - points[1]
    below = float(np.hypot(points[0] - first[0], second[1] - points[1]))
    above = float(np.hypot(first[1] - points[0], points[1] - second[0]))
    return gap - below, gap + above
