"""Point estimates over runs and tasks.

Every function takes scores as an array (runs, tasks), or as a list of one array (runs,) a task
where tasks have different numbers of runs. Every task counts the same, however many runs it has.
Scores are meant to be normalised.
"""

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores, SwappedAxes
from rlbench.limits import MAX_VALUE, advice, allowed
from rlbench.stats.resampling import Floats

SWAPPED = 8  # so many times more runs than tasks, in an array, look like a mistake
ScoresLike = ArrayLike | Sequence[ArrayLike]


def columns(scores: ScoresLike, name: str = "scores") -> list[Floats]:
    """Return the scores as one array (runs,) a task; warn if an array's axes look swapped.

    Args:
        scores: (runs, tasks), or one array (runs,) a task.
        name: What to call them in an error.

    Raises:
        InvalidScores: There is no score, an array has not the shape it should have, or a score is
            not finite or beyond 1e15 in magnitude.
    """
    if isinstance(scores, np.ndarray):
        if scores.ndim != 2:
            raise InvalidScores(f"{name} must be (runs, tasks), not of shape {scores.shape}")
        if scores.shape[0] > SWAPPED * scores.shape[1] > SWAPPED:
            warnings.warn(
                f"the axes of {name} look swapped: {scores.shape[0]} runs of {scores.shape[1]} "
                f"tasks. Pass {name}.T if they are; list({name}.T) says that they are not",
                SwappedAxes,
                stacklevel=_levels_to_the_caller(),
            )
        parts: list[Any] = list(scores.T)
    else:
        parts = list(scores)  # type: ignore[arg-type]
    try:
        tasks = [np.asarray(part, dtype=np.float64) for part in parts]
    except OverflowError as error:
        raise InvalidScores(f"a number of {name} is beyond {MAX_VALUE:g}") from error
    if not tasks:
        raise InvalidScores(f"there are no {name}: no task")
    for index, task in enumerate(tasks):
        if task.ndim != 1 or not len(task):
            raise InvalidScores(
                f"task {index} of {name} must hold scores (runs,), not shape {task.shape}"
            )
        if not allowed(task).all():
            run = int(np.flatnonzero(~allowed(task))[0])
            raise InvalidScores(
                f"run {run} on task {index} of {name} is {task[run]:g}: {advice(task[run])}"
            )
    return tasks


def _levels_to_the_caller() -> int:
    """Return the stack level of the line that called rlbench, for a warning from our caller."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("rlbench."):
        frame, level = frame.f_back, level + 1
    return level


def mean(scores: ScoresLike) -> float:
    """Return the mean over tasks of the mean over runs.

    >>> mean(np.array([[0.0, 1.0], [1.0, 2.0]]))
    1.0
    """
    return float(np.mean([task.mean() for task in columns(scores)]))


def median(scores: ScoresLike) -> float:
    """Return the median over tasks of the mean over runs.

    >>> median(np.array([[0.0, 1.0, 7.0], [1.0, 2.0, 9.0]]))
    1.5
    """
    return float(np.median([task.mean() for task in columns(scores)]))


def iqm(scores: ScoresLike) -> float:
    """Return the interquartile mean of all n scores.

    It is the mean of what is left without the ``floor(n / 4)`` smallest and as many largest
    (Agarwal et al. 2021, section 4.3). Where tasks have different numbers of runs, it is the
    `weighted_trimmed_mean` with the weights of `run_weights`: the share ``floor(n / 4) / n`` of the
    weight is trimmed at each end.

    >>> iqm(np.array([[0.0, 1.0], [2.0, 9.0]]))
    1.5
    >>> round(iqm([[0.0], [1.0, 1.0, 5.0]]), 12)  # weights 2, 2/3, 2/3, 2/3; trimmed 1 at each end
    0.5
    """
    tasks = columns(scores)
    values = np.concatenate(tasks)
    cut = len(values) // 4
    if not have_equal_runs(tasks):
        weights = run_weights([len(task) for task in tasks])
        return float(weighted_trimmed_mean(values, weights, cut / len(values)))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def optimality_gap(scores: ScoresLike, gamma: float = 1.0) -> float:
    """Return how far scores stay below `gamma`; lower is better.

    It is ``gamma - mean(min(score, gamma))`` over all scores (Agarwal et al. 2021, section 4.3);
    where tasks have different numbers of runs, over tasks of the mean over runs.

    >>> optimality_gap(np.array([[0.5, 3.0]]))
    0.25
    """
    tasks = [np.minimum(task, gamma) for task in columns(scores)]
    if not have_equal_runs(tasks):
        return float(gamma - np.mean([task.mean() for task in tasks]))
    return float(gamma - np.concatenate(tasks).mean())


class Aggregate(NamedTuple):
    """An aggregate of scores over runs and tasks, and what can be said of it.

    Attributes:
        label: What tables and messages call it.
        title: What captions call it.
        function: Computes it.
        lower_is_better: Whether lower is better where scores are better the higher they are.
        is_tested: Whether two agents can be compared by it.
        is_tested_alone: Whether an agent can be compared with a constant by it.
        of_rates: Whether success rates determine it where scores are 0 or 1.
    """

    label: str
    title: str
    function: Callable[[ScoresLike], float]
    lower_is_better: bool = False
    is_tested: bool = False
    is_tested_alone: bool = False
    of_rates: bool = False

    def enough_runs(self, tasks: int) -> int | None:
        """Return the smallest measured number of runs a task from which on intervals cover enough.

        It is that of `rlbench.stats.coverage.enough_runs`, which reads the measured table.

        >>> AGGREGATES["mean"].enough_runs(26) >= AGGREGATES["iqm"].enough_runs(26)
        True
        """
        from rlbench.stats.coverage import enough_runs

        return enough_runs(self.function.__name__, tasks)


# By name, in the order of tables and figures.
AGGREGATES: Mapping[str, Aggregate] = {
    "iqm": Aggregate(
        "IQM", "interquartile mean (IQM)", iqm, is_tested=True, is_tested_alone=True, of_rates=True
    ),
    "mean": Aggregate("mean", "mean", mean, is_tested=True, is_tested_alone=True, of_rates=True),
    "median": Aggregate("median", "median", median, is_tested=True),
    "optimality_gap": Aggregate(
        "optimality gap", "optimality gap", optimality_gap, lower_is_better=True, of_rates=True
    ),
}
LABELS = {name: of.label for name, of in AGGREGATES.items()}  # in their order


def have_equal_runs(tasks: Sequence[Sized]) -> bool:
    """Say whether all tasks have the same number of runs."""
    return len({len(task) for task in tasks}) == 1


def run_weights(runs: ArrayLike) -> Floats:
    """Return what each of n runs counts, so that each of T tasks counts the same.

    A run of a task with N runs counts ``n / (T N)``: the weights add up to n, and are 1 where all
    tasks have the same number of runs.

    Args:
        runs: (tasks,) the number of runs a task.

    Returns:
        (n,) of the runs of the first task, then of the second, and so on.

    >>> run_weights([1, 3]).round(2).tolist()
    [2.0, 0.67, 0.67, 0.67]
    """
    counts = np.asarray(runs, dtype=np.int64)
    return np.repeat(counts.sum() / (len(counts) * counts), counts)


def weighted_trimmed_mean(values: Floats, weights: Floats, cut: float) -> Floats:
    """Return the weighted mean without the share `cut` of the weight at each end.

    A score on the border counts with the part of its weight that lies inside.

    Args:
        values: (..., n) scores.
        weights: (n,) or (..., n), none negative.
        cut: At least 0 and less than 1/2: ``floor(n / 4) / n`` for the IQM, 0 for the mean.

    Returns:
        (...,) one mean a row.

    >>> weighted_trimmed_mean(np.array([4.0, 0.0, 1.0]), np.array([1.0, 1.0, 2.0]), 0.375).item()
    1.0
    """
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    each = np.take_along_axis(np.broadcast_to(weights, values.shape), order, axis=-1)
    edges = np.concatenate([np.zeros_like(each[..., :1]), np.cumsum(each, axis=-1)], axis=-1)
    total = edges[..., -1:]
    kept = np.diff(np.clip(edges, cut * total, (1 - cut) * total), axis=-1)
    return np.asarray((ordered * kept).sum(axis=-1) / kept.sum(axis=-1))


def probability_of_improvement(x: ScoresLike, y: ScoresLike) -> float:
    """Return how likely a run of x beats a run of y on the same task, averaged over tasks.

    Of all pairs of runs on a task, those that x wins count 1 and ties count 1/2 (Agarwal et al.
    2021, section 4.3; the Mann-Whitney statistic over the number of pairs).

    Args:
        x: (runs, tasks), or one array (runs,) a task.
        y: The same tasks in the same order; the numbers of runs may differ.

    Raises:
        InvalidScores: The numbers of tasks differ, or scores are empty, misshapen or not finite.

    >>> probability_of_improvement(np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))
    0.625
    """
    wins = [
        (a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean()
        for a, b in zip(*same_tasks(x, y), strict=True)
    ]
    return float(np.mean(wins))


def same_tasks(x: ScoresLike, y: ScoresLike) -> tuple[list[Floats], list[Floats]]:
    """Return the scores of two agents as one array (runs,) a task each.

    Raises:
        InvalidScores: The numbers of tasks differ, or scores are empty, misshapen or not finite.
    """
    first, second = columns(x, "x"), columns(y, "y")
    if len(first) != len(second):
        raise InvalidScores(f"x has {len(first)} tasks and y has {len(second)}: use the same tasks")
    return first, second


def performance_profile(
    scores: ScoresLike, taus: ArrayLike, kind: Literal["run", "mean"] = "run"
) -> Floats:
    """Return the share of scores above each threshold (Agarwal et al. 2021, section 4.2).

    Args:
        scores: (runs, tasks), or one array (runs,) a task.
        taus: (k,) thresholds.
        kind: ``run``: the share of scores greater than tau, as the mean over tasks of the share of
            a task's runs. ``mean``: the share of tasks whose mean over runs is greater than tau.

    Returns:
        (k,) shares, falling in tau.

    Raises:
        InvalidScores: The kind is unknown, a threshold is NaN, or the scores are bad.

    >>> performance_profile(np.array([[0.0, 1.0], [2.0, 3.0]]), [0.5, 2.0]).tolist()
    [0.75, 0.25]
    """
    tasks = columns(scores)
    thresholds = np.asarray(taus, dtype=np.float64)
    if kind not in ("run", "mean"):
        raise InvalidScores(f"a profile is of kind 'run' or 'mean', not {kind!r}")
    if thresholds.ndim != 1 or np.isnan(thresholds).any():
        raise InvalidScores(f"taus must be numbers (k,), not of shape {thresholds.shape} or NaN")
    groups = tasks
    if kind == "mean":
        groups = [np.array([task.mean() for task in tasks])]
    elif have_equal_runs(tasks):
        groups = [np.concatenate(tasks)]
    shares = [_shares_above(group, thresholds) for group in groups]
    return np.asarray(np.mean(shares, axis=0))


def _shares_above(values: Floats, thresholds: Floats) -> Floats:
    above = len(values) - np.searchsorted(np.sort(values), thresholds, side="right")
    return np.asarray(above / len(values), dtype=np.float64)
