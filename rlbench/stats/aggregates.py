"""Point estimates over runs and tasks.

Every function takes scores as an array (runs, tasks), or as a list of one array (runs,) a task
where tasks have different numbers of runs. Scores are meant to be normalised.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores

ScoresLike = ArrayLike | Sequence[ArrayLike]


def columns(scores: ScoresLike) -> list[NDArray[np.float64]]:
    """Return the scores as one array (runs,) a task.

    Raises:
        InvalidScores: There is no score, an array has not the shape it should have, or a score is
            not finite.
    """
    if isinstance(scores, np.ndarray):
        if scores.ndim != 2:
            raise InvalidScores(f"scores must be (runs, tasks), not of shape {scores.shape}")
        parts: list[Any] = list(scores.T)
    else:
        parts = list(scores)  # type: ignore[arg-type]
    tasks = [np.asarray(part, dtype=np.float64) for part in parts]
    if not tasks:
        raise InvalidScores("there are no scores: no task")
    for index, task in enumerate(tasks):
        if task.ndim != 1 or not len(task):
            raise InvalidScores(f"task {index} must hold scores (runs,), not shape {task.shape}")
        if not np.isfinite(task).all():
            run = int(np.flatnonzero(~np.isfinite(task))[0])
            raise InvalidScores(
                f"the score of run {run} on task {index} is {task[run]}: leave the run out"
            )
    return tasks


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
    (Agarwal et al. 2021, section 4.3).

    >>> iqm(np.array([[0.0, 1.0], [2.0, 9.0]]))
    1.5
    """
    values = np.sort(np.concatenate(columns(scores)))
    cut = len(values) // 4
    return float(values[cut : len(values) - cut].mean())


def optimality_gap(scores: ScoresLike, gamma: float = 1.0) -> float:
    """Return how far scores stay below `gamma`; lower is better.

    It is ``gamma - mean(min(score, gamma))`` over all scores (Agarwal et al. 2021, section 4.3).

    >>> optimality_gap(np.array([[0.5, 3.0]]))
    0.25
    """
    values = np.concatenate(columns(scores))
    return float(gamma - np.minimum(values, gamma).mean())
