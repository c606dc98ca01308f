"""How an agent does on the levels that are worst for it: the conditional value at risk.

Sources: Rockafellar and Uryasev 2000, doi:10.21314/JOR.2000.038, for the statistic; Rutherford et
al. 2024, arXiv:2408.15099, who rate curricula by it, over levels that can be solved.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores
from rlbench.stats.bands import CurveEstimate, ends_of
from rlbench.stats.intervals import ALL_EQUAL, ONE_RUN
from rlbench.stats.resampling import Floats

Bools = NDArray[np.bool_]

METHOD = "rao-wu, each run drawn with all its levels"


def solved_by_some(agents: Mapping[str, Sequence[ArrayLike]]) -> list[Bools]:
    """Return which levels of each task at least one run of any agent masters.

    Args:
        agents: By agent: of each task whether each run masters each level, (runs, levels).

    Returns:
        Of each task, (levels,).

    Raises:
        InvalidScores: The agents have not the same tasks and levels.

    >>> [levels.tolist() for levels in solved_by_some({"a": [[[1, 0]]], "b": [[[0, 0], [1, 0]]]})]
    [[True, False]]
    """
    found = [[np.asarray(runs, dtype=np.bool_) for runs in tasks] for tasks in agents.values()]
    if len({tuple(runs.shape[1:] for runs in tasks) for tasks in found}) != 1:
        raise InvalidScores("the agents were not tested on the same levels")
    return [np.asarray(np.concatenate(of_task).any(axis=0)) for of_task in zip(*found, strict=True)]


def worst_levels(
    mastered: Sequence[ArrayLike],
    counted: Sequence[ArrayLike],
    shares: ArrayLike,
    *,
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> CurveEstimate:
    """Estimate the mean rate of mastery over an agent's worst levels.

    The rate of a level is the share of runs that master it. With m levels in all, the estimate at
    a share s is the mean of the s m smallest rates; where s m is not whole, the level at the border
    counts in part. At s = 1 it is the mean over all levels.

    The interval draws runs within their task, one fewer than there are, each with all its levels
    (Rao and Wu 1988), and takes percentiles. The same runs choose the worst levels and rate them,
    so with few runs the estimate is too low.

    Args:
        mastered: Of each task whether each run masters each level, (runs, levels).
        counted: Of each task the levels that count, (levels,), e.g. `solved_by_some`.
        shares: (k,) Of the levels, in (0, 1].
        repetitions: Resamples.
        level: Nominal coverage, pointwise.
        seed: Of the resampling.

    Returns:
        At every share; there is no band where a task has one run or all replicates are equal.

    Raises:
        InvalidScores: No level counts, a task has no run, or a share is out of range.

    >>> runs = [[1, 1, 0, 0], [1, 0, 0, 1]]  # rates 1, .5, 0, .5; the third does not count
    >>> worst_levels([runs], [[True, True, False, True]], [0.5, 1.0]).point.round(3).tolist()
    [0.5, 0.667]
    """
    at = np.asarray(shares, dtype=np.float64)
    tasks = [
        np.asarray(runs, dtype=np.float64)[:, np.asarray(levels, dtype=np.bool_)]
        for runs, levels in zip(mastered, counted, strict=True)
    ]
    if not sum(runs.shape[1] for runs in tasks):
        raise InvalidScores("no level counts: no run masters any")
    if any(len(runs) == 0 for runs in tasks):
        raise InvalidScores("a task has no run")
    if at.ndim != 1 or not ((at > 0) & (at <= 1)).all():
        raise InvalidScores("shares of the levels must be above 0 and at most 1")
    point = _mean_of_least(np.concatenate([runs.mean(axis=0) for runs in tasks])[None], at)[:, 0]
    low, high, method = None, None, ONE_RUN
    if min(len(runs) for runs in tasks) > 1:
        replicates = _mean_of_least(_resampled_rates(tasks, repetitions, seed), at)
        method = ALL_EQUAL
        if (np.ptp(replicates, axis=1) > 0).any():
            method = METHOD
            low, high = ends_of(replicates, level, "pointwise")
    return CurveEstimate(
        point=point, low=low, high=high, method=method, level=level,
        repetitions=repetitions if low is not None else 0,
    )  # fmt: skip


def _resampled_rates(tasks: Sequence[Floats], repetitions: int, seed: int) -> Floats:
    """Return (repetitions, m) rates of levels, from n - 1 of the n runs of each task."""
    random = np.random.default_rng(seed)
    rates = []
    for runs in tasks:
        n = len(runs)
        drawn = random.multinomial(n - 1, np.full(n, 1.0 / n), size=repetitions)
        rates.append(drawn @ runs / (n - 1))
    return np.concatenate(rates, axis=1)


def _mean_of_least(rates: Floats, shares: Floats) -> Floats:
    """Return (k, r) means of the least shares (k,) of rates (r, m)."""
    number = shares[:, None] * rates.shape[1]
    weights = np.clip(number - np.arange(rates.shape[1]), 0.0, 1.0) / number
    means: Floats = weights @ np.sort(rates, axis=1).T
    return means
