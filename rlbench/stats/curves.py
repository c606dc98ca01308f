"""Learning curves: a statistic at every point."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores
from rlbench.limits import MAX_VALUE, advice, allowed
from rlbench.stats.bands import (
    CURVE_METHODS,
    Band,
    CurveEstimate,
    CurveMethod,
    check_band,
    ends_of,
    no_band,
)
from rlbench.stats.intervals import (
    Statistic,
    check_options,
    point_of,
    replicates_of,
    why_no_interval,
)
from rlbench.stats.resampling import Floats, keys_of, layout_of


def learning_curve(
    scores: NDArray[np.float64] | Sequence[ArrayLike],
    statistic: Statistic,
    *,
    method: CurveMethod = "rao-wu",
    band: Band = "pointwise",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> CurveEstimate:
    """Estimate a statistic at every point, with a band.

    Whole curves are resampled: a draw takes one run of a task with all its points.

    Args:
        scores: (runs, tasks, points), or one array (runs, points) a task. Curves of
            unequal length are first brought to common points by `align`.
        statistic: A name or a function, as `bootstrap` takes it.
        method: ``rao-wu`` or ``percentile``.
        band: ``pointwise``: it holds at each point by itself; or ``simultaneous``: it holds
            at all of them together (`bands.ends_of`).
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: The scores are empty, misshapen or not finite, tasks have different
            points, or an option is out of range.
        UnknownName: There is no such statistic, method or band.
    """
    check_options(method, repetitions, level, CURVE_METHODS)
    check_band(band)
    curves = curves_of(scores)
    points = [
        point_of([curve[:, k] for curve in curves], statistic) for k in range(curves[0].shape[1])
    ]
    if why := why_no_interval(curves):
        return no_band(np.array(points), level, why)
    layout = layout_of(curves, method)
    replicates = replicates_of(curves, [statistic], layout, repetitions, keys_of(seed)[0])[0]
    low, high = ends_of(replicates, level, band)
    return CurveEstimate(
        point=np.array(points), low=low, high=high,
        method=f"stratified bootstrap, {method}, {band}", level=level, repetitions=repetitions,
    )  # fmt: skip


def area_under_curve(
    scores: NDArray[np.float64] | Sequence[ArrayLike], steps: ArrayLike
) -> list[Floats]:
    """Return each run's mean score over training: the area under its curve over the steps.

    The area is by the trapezoidal rule, divided by the last step less the first, so that it has
    the unit of a score. What is returned are scores, for `bootstrap` and all others.

    Args:
        scores: (runs, tasks, points), or one array (runs, points) a task.
        steps: (points,) increasing.

    Returns:
        One array (runs,) a task.

    Raises:
        InvalidScores: The scores are bad, or the steps do not fit them.
    """
    curves = curves_of(scores)
    at = steps_of(steps, curves)
    return [np.asarray(np.trapezoid(curve, at, axis=1) / (at[-1] - at[0])) for curve in curves]


MOST_DRAWN = 300  # points of a curve in a figure or on a board: more cannot be told apart


def align(
    curves: Sequence[Sequence[tuple[ArrayLike, ArrayLike]]],
    steps: ArrayLike | None = None,
    *,
    most: int | None = None,
) -> tuple[Floats, list[Floats]]:
    """Bring curves of different lengths and points to common points.

    A run's score at a step is that of its last point at or before the step; nothing is
    interpolated, smoothed or carried beyond a run's last point.

    Args:
        curves: A task each, a run each: its steps (n,), increasing, and its scores (n,).
        steps: (k,) the common points. By default, every step at which a run has a
            point, from where all runs have begun to where the first one ends.
        most: Of more steps than this the ones closest to an even spread over the range are
            common points, with the first and the last. By default all of them.

    Returns:
        The common points (k,), and one array (runs, k) a task, as `learning_curve` takes it.

    Raises:
        InvalidScores: A curve is misshapen, not finite, or does not span the points.
    """
    runs = [
        [(_increasing(at, f"the steps of run {r} on task {t}"), np.asarray(score, np.float64))
         for r, (at, score) in enumerate(task)]
        for t, task in enumerate(curves)
    ]  # fmt: skip
    if not runs or not all(runs):
        raise InvalidScores("there are no curves: every task needs a run")
    for t, task in enumerate(runs):
        for r, (at, score) in enumerate(task):
            if score.shape != at.shape or not allowed(score).all():
                raise InvalidScores(
                    f"run {r} on task {t} has {len(at)} steps and needs as many finite scores of "
                    f"at most {MAX_VALUE:g}"
                )
    begin = max(float(at[0]) for task in runs for at, _ in task)
    end = min(float(at[-1]) for task in runs for at, _ in task)
    if steps is None:
        seen = np.unique(np.concatenate([at for task in runs for at, _ in task]))
        common = seen[(seen >= begin) & (seen <= end)]
        if not len(common):
            raise InvalidScores(f"one run begins at step {begin:g}, another ends at {end:g}")
        if most is not None and len(common) > most:
            common = _thinned(common, most)
    else:
        common = _increasing(steps, "steps")
        if common[0] < begin or common[-1] > end:
            raise InvalidScores(
                f"not every run spans the steps {common[0]:g} to {common[-1]:g}: all have "
                f"{begin:g} to {end:g}"
            )
    return common, [
        np.stack([score[np.searchsorted(at, common, side="right") - 1] for at, score in task])
        for task in runs
    ]


def _thinned(steps: Floats, most: int) -> Floats:
    """Return at most `most` of the steps, evenly spread, with the first and the last.

    >>> _thinned(np.array([0.0, 1.0, 2.0, 3.0, 10.0]), 3)
    array([ 0.,  3., 10.])
    """
    even = np.linspace(steps[0], steps[-1], most)
    after = np.searchsorted(steps, even).clip(1, len(steps) - 1)
    is_before = even - steps[after - 1] < steps[after] - even
    return np.unique(steps[after - is_before])


def curves_of(scores: NDArray[np.float64] | Sequence[ArrayLike]) -> list[Floats]:
    """Return the scores as one array (runs, points) a task.

    Raises:
        InvalidScores: They are empty, misshapen or not finite, or tasks differ in points.
    """
    if isinstance(scores, np.ndarray):
        if scores.ndim != 3:
            raise InvalidScores(
                f"scores must be (runs, tasks, points), not of shape {scores.shape}"
            )
        scores = list(scores.swapaxes(0, 1))
    curves = [np.asarray(task, dtype=np.float64) for task in scores]
    if not curves:
        raise InvalidScores("there are no scores: no task")
    for index, curve in enumerate(curves):
        if curve.ndim != 2 or 0 in curve.shape:
            raise InvalidScores(f"task {index} must be (runs, points), not {curve.shape}")
        if curve.shape[1] != curves[0].shape[1]:
            raise InvalidScores(
                f"task {index} has {curve.shape[1]} points and task 0 has "
                f"{curves[0].shape[1]}: bring them to common ones by align"
            )
        if not allowed(curve).all():
            run, point = np.argwhere(~allowed(curve))[0]
            value = curve[run, point]
            raise InvalidScores(
                f"run {run} on task {index} is {value:g} at point {point}: {advice(value)}"
            )
    return curves


def steps_of(steps: ArrayLike, curves: Sequence[Floats]) -> Floats:
    """Return the steps (points,) of curves (runs, points), one a task.

    Raises:
        InvalidScores: They do not increase, do not fit the curves, or are fewer than two.
    """
    at = _increasing(steps, "steps")
    if len(at) != curves[0].shape[1] or len(at) < 2:
        raise InvalidScores(
            f"steps must be (points,), at least two; there are {len(at)} steps and "
            f"{curves[0].shape[1]} points"
        )
    return at


def _increasing(steps: ArrayLike, name: str) -> Floats:
    at = np.asarray(steps, dtype=np.float64)
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise InvalidScores(f"{name} must be increasing numbers (k,)")
    return at
