"""Learning curves: a statistic at every checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import Floats
from rlbench.stats.intervals import (
    ONE_RUN,
    Statistic,
    check_options,
    design_of,
    of_each,
    point_of,
    resamples,
    tails_of,
    too_few,
)

CURVE_METHODS = ("rao-wu", "percentile")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveEstimate:
    """A statistic at every checkpoint, each with an interval of its own.

    Attributes:
        point: (checkpoints,) the statistic of the scores.
        low: (checkpoints,) the lower ends, or None where there are no intervals.
        high: (checkpoints,) the upper ends, or None.
        method: How the intervals were made, or why there are none. They are pointwise: each holds
            for its checkpoint, not all of them together.
        level: The nominal coverage.
        repetitions: Resamples drawn.
    """

    point: Floats
    low: Floats | None
    high: Floats | None
    method: str
    level: float
    repetitions: int


def learning_curve(
    scores: NDArray[np.float64] | Sequence[ArrayLike],
    statistic: Statistic,
    *,
    method: Literal["rao-wu", "percentile"] = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> CurveEstimate:
    """Estimate a statistic at every checkpoint, with pointwise intervals.

    Whole curves are resampled: a draw takes one run of a task with all its checkpoints.

    Args:
        scores: (runs, tasks, checkpoints), or one array (runs, checkpoints) a task.
        statistic: A name or a function, as `bootstrap` takes it.
        method: ``rao-wu`` or ``percentile``.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: The scores are empty, misshapen or not finite, tasks have different
            checkpoints, or an option is out of range.
        UnknownName: There is no such statistic or method.
    """
    check_options(method, repetitions, level, CURVE_METHODS)
    curves = _curves(scores)
    checkpoints = range(curves[0].shape[1])
    point = np.array([point_of([curve[:, k] for curve in curves], statistic) for k in checkpoints])
    if too_few(curves):
        return CurveEstimate(
            point=point, low=None, high=None, method=ONE_RUN, level=level,
            repetitions=0,
        )  # fmt: skip
    design = design_of(curves, method)
    values = np.concatenate(curves)
    parts = [
        np.stack([of_each(values[picks, k], statistic, design) for k in checkpoints])
        for picks in resamples(design, repetitions, np.random.SeedSequence(seed))
    ]
    low, high = np.quantile(np.concatenate(parts, axis=1), tails_of(level), axis=1)
    return CurveEstimate(
        point=point, low=low, high=high, method=f"stratified bootstrap, {method}, pointwise",
        level=level, repetitions=repetitions,
    )  # fmt: skip


def _curves(scores: NDArray[np.float64] | Sequence[ArrayLike]) -> list[Floats]:
    """Return the scores as one array (runs, checkpoints) a task."""
    if isinstance(scores, np.ndarray):
        if scores.ndim != 3:
            raise InvalidScores(
                f"scores must be (runs, tasks, checkpoints), not of shape {scores.shape}"
            )
        scores = list(scores.swapaxes(0, 1))
    curves = [np.asarray(task, dtype=np.float64) for task in scores]
    if not curves:
        raise InvalidScores("there are no scores: no task")
    for index, curve in enumerate(curves):
        if curve.ndim != 2 or 0 in curve.shape:
            raise InvalidScores(f"task {index} must be (runs, checkpoints), not {curve.shape}")
        if curve.shape[1] != curves[0].shape[1]:
            raise InvalidScores(
                f"task {index} has {curve.shape[1]} checkpoints and task 0 has "
                f"{curves[0].shape[1]}: take scores at the same ones"
            )
        if not np.isfinite(curve).all():
            run, checkpoint = np.argwhere(~np.isfinite(curve))[0]
            raise InvalidScores(
                f"run {run} on task {index} is {curve[run, checkpoint]} at checkpoint {checkpoint}"
            )
    return curves
