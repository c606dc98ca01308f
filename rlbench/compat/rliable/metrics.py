"""Point estimates under rliable's names.

Scores are arrays (runs, tasks) of normalised scores, and finite. `aggregate_mean` and
`aggregate_median` of (runs, tasks, points) are (points,), the other aggregates are of all
scores there are. Each raises InvalidScores for scores that are empty or not finite.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlbench import stats
from rlbench.compat.rliable.probe import Probe, ask
from rlbench.errors import InvalidScores
from rlbench.limits import advice, allowed
from rlbench.stats.resampling import Floats

__all__ = [
    "aggregate_iqm",
    "aggregate_mean",
    "aggregate_median",
    "aggregate_optimality_gap",
    "probability_of_improvement",
]

Scores = ArrayLike | Probe


def aggregate_mean(scores: Scores) -> Any:
    """Return the mean over tasks of the mean over runs.

    >>> float(aggregate_mean([[0.0, 1.0], [1.0, 2.0]]))
    1.0
    """
    if isinstance(scores, Probe):
        return ask("mean", scores)
    return _task_means(scores).mean(axis=0)


def aggregate_median(scores: Scores) -> Any:
    """Return the median over tasks of the mean over runs.

    >>> float(aggregate_median([[0.0, 1.0, 7.0], [1.0, 2.0, 9.0]]))
    1.5
    """
    if isinstance(scores, Probe):
        return ask("median", scores)
    return np.median(_task_means(scores), axis=0)


def aggregate_optimality_gap(scores: Scores, gamma: float = 1) -> Any:
    """Return how far scores stay below `gamma`, as `rlbench.stats.optimality_gap` does.

    >>> float(aggregate_optimality_gap([[0.5, 3.0]]))
    0.25
    """
    if isinstance(scores, Probe) and gamma == 1:
        return ask("optimality_gap", scores)
    return np.float64(stats.optimality_gap([finite(scores).ravel()], gamma))


def aggregate_iqm(scores: Scores) -> Any:
    """Return the interquartile mean, as `rlbench.stats.iqm` does.

    >>> float(aggregate_iqm([[0.0, 1.0], [2.0, 9.0]]))
    1.5
    """
    if isinstance(scores, Probe):
        return ask("iqm", scores)
    return np.float64(stats.iqm([finite(scores).ravel()]))


def probability_of_improvement(scores_x: Scores, scores_y: Scores) -> Any:
    """Return how likely a run of x beats a run of y on the same task, averaged over tasks.

    Args:
        scores_x: (runs, tasks).
        scores_y: The same tasks in the same order; the number of runs may differ.

    Raises:
        InvalidScores: The numbers of tasks differ, or scores are empty or not finite.

    >>> float(probability_of_improvement([[1.0], [3.0]], [[1.0], [2.0]]))
    0.625
    """
    if isinstance(scores_x, Probe):
        return ask("improvement", scores_x, scores_y)
    x, y = finite(scores_x), finite(scores_y)
    return np.float64(stats.probability_of_improvement(list(x.T), list(y.T)))


def _task_means(scores: Scores) -> Floats:
    """Return means over runs, (tasks,) or (tasks, points); runs (runs,) are of one task."""
    # As plain arrays: that is ten times faster than a list of tasks, in functions that no kernel
    # can stand in for.
    return np.atleast_1d(finite(scores).mean(axis=0))


def finite(scores: Scores) -> Floats:
    """Return scores as numbers.

    Raises:
        InvalidScores: There are none, or one is not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not values.size:
        raise InvalidScores(f"there are no scores: the shape is {values.shape}")
    if not allowed(values).all():
        where = tuple(np.argwhere(~allowed(values))[0].tolist())
        raise InvalidScores(f"the score at {where} is {values[where]:g}: {advice(values[where])}")
    return values
