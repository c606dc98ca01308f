"""Friedman's test: whether agents rank differently over tasks.

Under its null hypothesis every order of the agents on a task is as likely, task by task. The law of
the statistic follows exactly from that: it is counted where that is cheap, drawn where it is not,
and approximated by an F distribution only for large tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations as orders_of
from math import factorial, fsum

import numpy as np

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import agents_of
from rlbench.stats.resampling import CHUNK, Floats, Ints, keys_of

EXACT = "exact law of the ranks"
DRAWN = "ranks permuted within tasks, {:,} drawn"
BY_F = "F approximation of Iman & Davenport"

MOST_SUMS = 100_000  # sums of ranks computed to add one task to the exact law
MOST_RANKS = 20_000_000  # ranks drawn for a permutation law
MANY_TASKS = 20  # not all tied, from which on the F approximation may be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Friedman:
    """Ranks of agents over tasks.

    Attributes:
        mean_ranks: By agent, over tasks; 1 is best.
        statistic: Friedman's chi-squared.
        p_value: The chance of a statistic as large where every order of the agents on a task is as
            likely.
        method: How the p-value was computed.
        critical_difference: Of Nemenyi's test: mean ranks that differ by more are separated.
        alpha: The level of the critical difference.
    """

    mean_ranks: Mapping[str, float]
    statistic: float
    p_value: float
    method: str
    critical_difference: float
    alpha: float


def friedman(
    scores: Mapping[str, ScoresLike],
    *,
    alpha: float = 0.05,
    permutations: int = 10_000,
    seed: int = 0,
) -> Friedman:
    """Compare the ranks of agents over tasks, by Friedman's test with Nemenyi's.

    Tasks are the sample here: it speaks of tasks like these, and knows nothing of how sure the
    means are. Agents are ranked by their mean on each task, ties in the middle (Friedman 1937;
    Nemenyi 1963; Demsar 2006, section 3.2). The p-value is exact for two agents, and
    without ties for three on up to 180 tasks, four on 18, five on 5 and eight on 2. Otherwise ranks
    are permuted within tasks. Where that would draw more than 20,000,000 ranks on 20 tasks or more,
    the F distribution of Iman & Davenport (1980) is used: there it was measured to reject .049 to
    .050 at .05, and .0008 to .0012 at .001.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task.
        alpha: Of the critical difference.
        permutations: How many to draw where the law is not counted.
        seed: Of the drawing.

    Raises:
        InvalidScores: Fewer than two agents or tasks, different tasks, bad scores, or an option is
            out of range.

    >>> friedman({"a": [[2.0], [2.0]], "b": [[1.0], [1.0]]}).p_value
    0.5
    """
    from scipy.stats import rankdata, studentized_range

    agents = agents_of(scores, alpha)
    if permutations < 2:
        raise InvalidScores("there must be at least 2 permutations")
    # Rounded once, so that the same runs in another order tie.
    means = np.array([[fsum(task) / len(task) for task in tasks] for tasks in agents.values()])
    k, n = means.shape
    if n < 2:
        raise InvalidScores("Friedman's test needs at least two tasks")
    ranks = rankdata(-means, axis=0)
    mean_ranks = ranks.mean(axis=1)
    statistic = _statistic(ranks)
    p_value, method = _p_value(ranks, statistic, permutations, seed)
    quantile = float(studentized_range.ppf(1 - alpha, k, np.inf))
    return Friedman(
        mean_ranks=dict(zip(agents, mean_ranks.tolist(), strict=True)),
        statistic=statistic,
        p_value=p_value,
        method=method,
        critical_difference=quantile / 2**0.5 * (k * (k + 1) / (6 * n)) ** 0.5,
        alpha=alpha,
    )


def _statistic(ranks: Floats) -> float:
    """Return Friedman's chi-squared of ranks (agents, tasks); the divisor counts ties."""
    k, n = ranks.shape
    middle = (k + 1) / 2
    spread = float(((ranks - middle) ** 2).sum()) / (n * (k - 1))
    return n * float(((ranks.mean(axis=1) - middle) ** 2).sum()) / spread if spread else 0.0


def _p_value(ranks: Floats, statistic: float, permutations: int, seed: int) -> tuple[float, str]:
    """Return the p-value of ranks (agents, tasks), and its method.

    Ties within a task stay in every order, so the statistic grows with the sum over agents of
    their squared rank sums. Doubled ranks make that sum a whole number. A task on which all agents
    tie changes neither.
    """
    doubled = np.rint(2 * ranks).astype(np.int64)
    doubled = doubled[:, np.ptp(doubled, axis=0) > 0]
    exact = exact_p_value(doubled)
    if exact is not None:
        return exact, EXACT
    if doubled.shape[1] < MANY_TASKS or permutations * doubled.size <= MOST_RANKS:
        return drawn_p_value(doubled, permutations, seed), DRAWN.format(permutations)
    return f_p_value(statistic, *doubled.shape), BY_F


def exact_p_value(doubled: Ints) -> float | None:
    """Return the chance of a sum of squared rank sums as large, or None if that is too much work.

    Tasks are added one by one. Only the sorted rank sums matter, since every order of the agents is
    as likely.

    Args:
        doubled: (agents, tasks) twice the ranks.
    """
    k, n = doubled.shape
    if factorial(k) > MOST_SUMS:
        return None
    base = 2 * k * n + 1
    if base**k > np.iinfo(np.int64).max:
        return None
    digits = base ** np.arange(k)
    sums: Ints = np.zeros((1, k), dtype=np.int64)
    chances: Floats = np.ones(1)
    for task in doubled.T:
        orders, counts = np.unique(list(orders_of(task.tolist())), axis=0, return_counts=True)
        if len(sums) * len(orders) > MOST_SUMS:
            return None
        reached = np.sort((sums[:, None] + orders).reshape(-1, k), axis=1)
        weights = (chances[:, None] * counts / factorial(k)).ravel()
        _, first, which = np.unique(reached @ digits, return_index=True, return_inverse=True)
        sums, chances = reached[first], np.bincount(which, weights).astype(np.float64)
    observed = (doubled.sum(axis=1) ** 2).sum()
    return min(1.0, float(chances[(sums**2).sum(axis=1) >= observed].sum()))


def drawn_p_value(doubled: Ints, permutations: int, seed: int) -> float:
    """Return the share of random orders with a sum of squared rank sums as large.

    Args:
        doubled: (agents, tasks) twice the ranks.
        permutations: How many to draw; what was observed counts as one of them.
        seed: Of the drawing.
    """
    random = np.random.default_rng(keys_of(seed)[0])
    observed = (doubled.sum(axis=1) ** 2).sum()
    left, as_large = permutations - 1, 1
    while left:
        number = min(left, max(1, CHUNK // doubled.size))
        orders = random.permuted(np.broadcast_to(doubled, (number, *doubled.shape)), axis=1)
        as_large += int(((orders.sum(axis=2) ** 2).sum(axis=1) >= observed).sum())
        left -= number
    return as_large / permutations


def f_p_value(statistic: float, agents: int, tasks: int) -> float:
    """Return the p-value of Friedman's chi-squared by an F distribution (Iman & Davenport 1980)."""
    from scipy.stats import f

    left = tasks * (agents - 1) - statistic
    ratio = (tasks - 1) * statistic / left if left > 0 else np.inf
    return float(f.sf(ratio, agents - 1, (agents - 1) * (tasks - 1)))
