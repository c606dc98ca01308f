"""Intervals by the stratified bootstrap: runs are drawn within their task.

The methods, by their names in every result:

- ``percentile``: as many draws a task as it has runs; the ends are percentiles of the replicates
  (Agarwal et al. 2021, section 4.1). With few runs it is too narrow.
- ``basic``: the same replicates, reflected about the point (Davison & Hinkley 1997, eq. 5.6).
- ``bca``: the same replicates, corrected for bias and skewness (Efron 1987); for the same number
  of runs on every task.
- ``rao-wu``: one draw fewer a task than it has runs, which makes the replicates' variance that of
  a mean without bias (Rao & Wu 1988; McCarthy & Snowden 1985); the ends are percentiles. The
  default. Where all scores are 0 or 1, the intervals of `proportions` take its place, for all
  statistics but the median.

There is no interval where it would have no width: few runs that are alike do not make an agent
certain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, overload

import numpy as np

from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.aggregates import AGGREGATES, ScoresLike, columns
from rlbench.stats.kernels import aggregates, work
from rlbench.stats.proportions import METHOD as BY_RATE
from rlbench.stats.proportions import STATISTICS as OF_SUCCESSES
from rlbench.stats.proportions import are_successes, ends_of_successes
from rlbench.stats.resampling import Floats, Layout, keys_of, layout_of, resamples

Method = Literal["rao-wu", "percentile", "basic", "bca"]
Statistic = str | Callable[[list[Floats]], float]

METHODS = ("rao-wu", "percentile", "basic", "bca")
POINTS = {name: aggregate.function for name, aggregate in AGGREGATES.items()}
ONE_RUN = "none: a task has only one run"
ALL_EQUAL = "none: on every task all runs are equal"
NO_WIDTH = "none: both ends would be the same"
ROUNDING = 1e-12  # of an end; a narrower interval has no width


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A point estimate with its interval.

    Attributes:
        point: The statistic of the scores.
        low: The lower end of the interval, or None where there is none.
        high: The upper end, or None.
        method: How the interval was made, or why there is none.
        level: The nominal coverage.
        repetitions: Resamples drawn; 0 where none were needed.
        monte_carlo_error: The larger standard error of the two ends that is due to drawing
            resamples, or None where there is no interval.
    """

    point: float
    low: float | None
    high: float | None
    method: str
    level: float
    repetitions: int
    monte_carlo_error: float | None


@overload
def bootstrap(
    scores: ScoresLike,
    statistic: Statistic,
    *,
    method: Method = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    resample_tasks: bool = False,
) -> Estimate: ...


@overload
def bootstrap(
    scores: ScoresLike,
    statistic: list[str],
    *,
    method: Method = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    resample_tasks: bool = False,
) -> dict[str, Estimate]: ...


def bootstrap(
    scores: ScoresLike,
    statistic: Statistic | list[str],
    *,
    method: Method = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    resample_tasks: bool = False,
) -> Estimate | dict[str, Estimate]:
    """Estimate statistics with intervals of the stratified bootstrap.

    Args:
        scores: (runs, tasks), or one array (runs,) a task.
        statistic: A name (``iqm``, ``mean``, ``median``, ``optimality_gap``), a function of a
            list of arrays (runs,), or a list of names, which share their resamples. A function is
            given the resample as it is drawn; with ``rao-wu`` it has a run fewer a task.
        method: ``rao-wu``, ``percentile``, ``basic`` or ``bca``; see the module.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling; the same seed gives the same interval.
        resample_tasks: Draw the tasks too, with replacement: the interval then speaks of tasks
            like these instead of just these. All must have as many runs.

    Returns:
        The estimate, or a dict of estimates by name. Where a task has only one run, the runs of
        each task are all equal, or both ends would be the same, there is no interval, and
        `Estimate.method` says why.

    Raises:
        InvalidScores: The scores are empty, misshapen or not finite, an option is out of range, or
            tasks are to be drawn and have different numbers of runs.
        UnknownName: There is no such statistic or method.
    """
    check_options(method, repetitions, level)
    tasks = columns(scores)
    if resample_tasks and len({len(task) for task in tasks}) > 1:
        raise InvalidScores("drawing tasks needs the same number of runs on every task")
    asked = [statistic] if isinstance(statistic, str) or callable(statistic) else statistic
    with work(repetitions * sum(map(len, tasks))):
        found = _bootstrap(tasks, asked, method, repetitions, level, seed, resample_tasks)
    return dict(zip(statistic, found, strict=True)) if asked is statistic else found[0]


def check_options(
    method: str, repetitions: int, level: float, methods: Sequence[str] = METHODS
) -> None:
    """Raise UnknownName or InvalidScores unless the options make sense."""
    if method not in methods:
        raise UnknownName("method", method, methods)
    if not 0 < level < 1 or repetitions < 1:
        raise InvalidScores(f"level {level} must be inside (0, 1) and repetitions at least 1")


def _bootstrap(
    tasks: list[Floats],
    statistics: Sequence[Statistic],
    method: str,
    repetitions: int,
    level: float,
    seed: int,
    resample_tasks: bool,
) -> list[Estimate]:
    points = [point_of(tasks, statistic) for statistic in statistics]
    why = why_no_interval(tasks)
    if why and not (resample_tasks and why == ALL_EQUAL):
        return [no_interval(point, level, why) for point in points]
    by_formula: Sequence[Statistic] = ()
    if method == "rao-wu" and not resample_tasks and are_successes(tasks):
        by_formula = OF_SUCCESSES
    asked = list(zip(statistics, points, strict=True))
    drawn = iter(
        _resampled(
            tasks, [pair for pair in asked if pair[0] not in by_formula], method, repetitions,
            level, seed, resample_tasks,
        )
    )  # fmt: skip
    return [
        estimate_by_formula(
            point, ends_of_successes(tasks, str(name), point, level), BY_RATE, level
        )
        if name in by_formula
        else next(drawn)
        for name, point in asked
    ]


def _resampled(
    tasks: list[Floats],
    asked: Sequence[tuple[Statistic, float]],
    method: str,
    repetitions: int,
    level: float,
    seed: int,
    resample_tasks: bool,
) -> list[Estimate]:
    """Return the estimates of statistics, given with their points, from shared resamples."""
    if not asked:
        return []
    statistics = [statistic for statistic, _ in asked]
    key, task_key = keys_of(seed, 2)
    by_point = replicates_of(
        [task[:, None] for task in tasks], statistics, layout_of(tasks, method), repetitions, key,
        task_key if resample_tasks else None,
    )  # fmt: skip
    how = f"{method}, tasks drawn too" if resample_tasks else method
    estimates = []
    for (statistic, point), replicates in zip(asked, by_point[:, 0], strict=True):
        tails = tails_of(level)
        if method == "bca":
            tails = _bca_tails(tasks, statistic, point, replicates, level)
        estimates.append(estimate_from(point, replicates, tails, method, level, how))
    return estimates


def point_of(tasks: list[Floats], statistic: Statistic) -> float:
    """Return a statistic, given by name or as a function, of scores."""
    if callable(statistic):
        return float(statistic(tasks))
    if statistic not in POINTS:
        raise UnknownName("statistic", statistic, POINTS)
    return POINTS[statistic](tasks)


def has_one_run(tasks: Sequence[Floats]) -> bool:
    """Say whether a task has only one run, so that there is nothing to draw from."""
    return min(len(task) for task in tasks) < 2


def why_no_interval(tasks: Sequence[Floats]) -> str:
    """Say why runs, (runs, ...) a task, leave no interval to be made; nothing if they do."""
    if has_one_run(tasks):
        return ONE_RUN
    return ALL_EQUAL if all((task == task[0]).all() for task in tasks) else ""


def no_interval(point: float, level: float, why: str) -> Estimate:
    """Return the estimate without an interval, for a reason."""
    return Estimate(
        point=point, low=None, high=None, method=why, level=level, repetitions=0,
        monte_carlo_error=None,
    )  # fmt: skip


def estimate_by_formula(
    point: float, ends: tuple[float, float], method: str, level: float
) -> Estimate:
    """Return the estimate with ends that needed no resamples."""
    if _has_no_width(*ends):
        return no_interval(point, level, NO_WIDTH)
    return Estimate(
        point=point, low=ends[0], high=ends[1], method=method, level=level, repetitions=0,
        monte_carlo_error=0.0,
    )  # fmt: skip


def _has_no_width(low: float, high: float) -> bool:
    return high - low <= ROUNDING * max(abs(low), abs(high))


def tails_of(level: float) -> tuple[float, float]:
    """Return the shares of replicates below the two ends."""
    return (1 - level) / 2, (1 + level) / 2


def estimate_from(
    point: float,
    replicates: Floats,
    tails: tuple[float, float],
    method: str,
    level: float,
    how: str = "",
) -> Estimate:
    """Return the estimate whose ends are the replicates' quantiles, reflected for ``basic``.

    Args:
        point: The statistic of the scores.
        replicates: (repetitions,).
        tails: The shares of replicates below the two ends.
        method: Of the intervals.
        level: Nominal coverage.
        how: What to call the method in the estimate; by default its name.
    """
    ordered = np.sort(replicates)
    low, high = np.quantile(ordered, tails).tolist()
    if method == "basic":
        low, high = 2 * point - high, 2 * point - low
    if _has_no_width(low, high):
        return no_interval(point, level, NO_WIDTH)
    return Estimate(
        point=point,
        low=low,
        high=high,
        method=f"stratified bootstrap, {how or method}",
        level=level,
        repetitions=len(replicates),
        monte_carlo_error=max(quantile_error(ordered, tail) for tail in tails),
    )


def quantile_error(ordered: Floats, tail: float) -> float:
    """Return the standard error of a quantile of n sorted replicates.

    The number of replicates below it is binomial: half the distance between the replicates one
    standard deviation of that to either side.
    """
    n = len(ordered)
    spread = (n * tail * (1 - tail)) ** 0.5
    low, high = (min(max(round(n * tail + side * spread), 0), n - 1) for side in (-1, 1))
    return float(ordered[high] - ordered[low]) / 2


def replicates_of(
    tasks: Sequence[Floats],
    statistics: Sequence[Statistic],
    layout: Layout,
    repetitions: int,
    key: int,
    task_key: int | None = None,
) -> Floats:
    """Return statistics of the same resamples, (statistics, points, repetitions).

    Args:
        tasks: (runs, points) a task.
        statistics: Names or functions, as `bootstrap` takes them.
        layout: Of the resamples.
        repetitions: How many resamples.
        key: Of the random numbers.
        task_key: To draw the tasks as well.
    """
    values = np.concatenate(tasks)
    names = [statistic for statistic in statistics if isinstance(statistic, str)]
    if len(names) == len(statistics):
        return aggregates(values, layout, names, key, repetitions, task_key)
    ends = layout.starts[1:]
    found = [
        [
            [float(point_of(np.split(score, ends), statistic)) for score in draws.T]
            for statistic in statistics
        ]
        for picks in resamples(layout, key, repetitions, task_key=task_key)
        for draws in values[picks]
    ]
    return np.moveaxis(np.array(found), 0, 2)


def _bca_tails(
    tasks: list[Floats], statistic: Statistic, point: float, replicates: Floats, level: float
) -> tuple[float, float]:
    """Return the corrected tails of BCa (Efron 1987, eq. 2.3).

    Raises:
        InvalidScores: All replicates lie on one side of the point, so that the bias cannot be
            told.
    """
    normal = NormalDist()
    share = float(np.mean(replicates < point))
    if not 0 < share < 1:
        raise InvalidScores("bca needs replicates on both sides of the point: use rao-wu")
    bias = normal.inv_cdf(share)
    acceleration = _acceleration(tasks, statistic)

    def corrected(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return normal.cdf(bias + z / (1 - acceleration * z))

    low, high = tails_of(level)
    return corrected(low), corrected(high)


def _acceleration(tasks: list[Floats], statistic: Statistic) -> float:
    """Return the acceleration of BCa, from the jackknife over runs (Efron 1987, eq. 6.6).

    Run i is left out of all tasks together, as rliable does it; every statistic has the mean of its
    own jackknife values.

    Raises:
        InvalidScores: The tasks have different numbers of runs, or fewer than three.
    """
    runs = {len(task) for task in tasks}
    if len(runs) > 1 or min(runs) < 3:
        raise InvalidScores(
            "bca needs the same number of runs on every task, at least 3: use rao-wu"
        )
    values = np.array(
        [point_of([np.delete(task, run) for task in tasks], statistic) for run in range(runs.pop())]
    )
    influence = values.mean() - values
    squares = float((influence**2).sum())
    return float((influence**3).sum()) / (6 * squares**1.5) if squares else 0.0
