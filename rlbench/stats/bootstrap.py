"""Intervals by the stratified bootstrap."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import ScoresLike, columns

Statistic = Callable[[ScoresLike], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A point estimate with its interval.

    Attributes:
        point: The statistic of the scores.
        low: The lower end of the interval, or None where there is none.
        high: The upper end, or None.
        method: How the interval was made, or why there is none.
        level: The nominal coverage.
        repetitions: Resamples drawn.
    """

    point: float
    low: float | None
    high: float | None
    method: str
    level: float
    repetitions: int


def bootstrap(
    scores: ScoresLike,
    statistic: Statistic,
    *,
    repetitions: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Estimate a statistic with a percentile interval of the stratified bootstrap.

    A resample draws, for each task by itself, as many runs as the task has, with replacement
    (Agarwal et al. 2021, section 4.1). The interval's ends are the percentiles of the resamples'
    statistics, linearly interpolated. With few runs it covers less often than its level says.

    Args:
        scores: (runs, tasks), or one array (runs,) a task.
        statistic: A function of scores, e.g. `iqm`.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling; the same seed gives the same interval.

    Returns:
        The estimate. Where a task has only one run there is no interval.

    Raises:
        InvalidScores: The scores are empty, misshapen or not finite, or an option is out of range.
    """
    if not 0 < level < 1 or repetitions < 1:
        raise InvalidScores(f"level {level} must be inside (0, 1) and repetitions at least 1")
    tasks = columns(scores)
    point = statistic(tasks)
    if min(len(task) for task in tasks) < 2:
        return Estimate(
            point=point, low=None, high=None, method="none: a task has only one run",
            level=level, repetitions=0,
        )  # fmt: skip
    generator = np.random.default_rng(seed)
    replicates = np.array([statistic(_resample(tasks, generator)) for _ in range(repetitions)])
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(
        point=point, low=float(low), high=float(high), method="stratified bootstrap, percentile",
        level=level, repetitions=repetitions,
    )  # fmt: skip


def _resample(
    tasks: list[NDArray[np.float64]], generator: np.random.Generator
) -> list[NDArray[np.float64]]:
    return [task[generator.integers(len(task), size=len(task))] for task in tasks]
