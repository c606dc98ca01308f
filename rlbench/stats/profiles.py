"""Performance profiles with bands."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.stats.aggregates import ScoresLike, columns, performance_profile
from rlbench.stats.bands import (
    CURVE_METHODS,
    Band,
    CurveEstimate,
    CurveMethod,
    check_band,
    ends_of,
    no_band,
)
from rlbench.stats.intervals import ONE_RUN, check_options, has_one_run, tails_of
from rlbench.stats.proportions import clopper_pearson
from rlbench.stats.resampling import Floats, Layout, keys_of, layout_of, resamples


def profile_band(
    scores: ScoresLike,
    taus: ArrayLike,
    kind: Literal["run", "mean"] = "run",
    *,
    method: CurveMethod = "rao-wu",
    band: Band = "pointwise",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> CurveEstimate:
    """Estimate a performance profile with a band.

    The replicates of a pointwise band of run scores are sums of binomial numbers, one a task, so
    their law is computed without drawing any. Where no replicate differs from the point (all
    runs of each task on one side of tau, as at the shares 0 and 1) a bootstrap knows nothing; the
    ends there are those of Clopper & Pearson (1934) for as many independent runs (or task means),
    which hold for unequal tasks too (Hoeffding 1956), or, since a profile falls in tau, those of
    other thresholds if they say more.

    Args:
        scores: (runs, tasks), or one array (runs,) a task.
        taus: (k,) thresholds.
        kind: ``run`` or ``mean``, as `performance_profile` takes it.
        method: ``rao-wu`` or ``percentile``.
        band: ``pointwise`` or ``simultaneous``, as `learning_curve` takes it.
        repetitions: Resamples, where they are needed.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: The scores or the thresholds are bad, or an option is out of range.
        UnknownName: There is no such method or band.
    """
    check_options(method, repetitions, level, CURVE_METHODS)
    check_band(band)
    tasks = columns(scores)
    thresholds = np.asarray(taus, dtype=np.float64)
    point = performance_profile(tasks, thresholds, kind)
    if has_one_run(tasks):
        return no_band(point, level, ONE_RUN)
    layout = layout_of(tasks, method)
    exact = kind == "run" and band == "pointwise" and (layout.weights == layout.weights[0]).all()
    if exact:
        low, high = convolved_ends(tasks, thresholds, layout, level)
    else:
        replicates = _profiles(tasks, thresholds, kind, layout, repetitions, keys_of(seed)[0])
        low, high = ends_of(replicates, level, band)
    # Runs beyond those that every task has are left out: tasks must weigh the same in a count.
    trials = len(tasks) * (min(len(task) for task in tasks) if kind == "run" else 1)
    share = 1 - level if band == "pointwise" else (1 - level) / len(thresholds)
    low, high = _mended(point, low, high, np.argsort(thresholds), trials, 1 - share)
    how = "exact law of the stratified bootstrap" if exact else "stratified bootstrap"
    return CurveEstimate(
        point=point,
        low=low,
        high=high,
        method=f"{how}, {method}, {band}; Clopper-Pearson where resamples do not differ",
        level=level,
        repetitions=0 if exact else repetitions,
    )


def convolved_ends(
    tasks: Sequence[Floats], taus: Floats, layout: Layout, level: float
) -> tuple[Floats, Floats]:
    """Return quantiles of the exact bootstrap law of a profile of run scores.

    On a task of N runs of which x are above tau, the number of draws above it is binomial with
    chance x / N; the numbers of the tasks add up. Their law is a convolution, computed as a
    product of Fourier transforms.

    Args:
        tasks: One array (runs,) a task.
        taus: (k,) thresholds.
        layout: Of the resamples; all draws count the same.
        level: Nominal coverage.

    Returns:
        (k,) lower and (k,) upper ends: the least shares at which the law reaches each tail.
    """
    from scipy.fft import next_fast_len
    from scipy.stats import binom

    size = next_fast_len(layout.draws + 1, real=True)
    transforms: dict[int, NDArray[np.complex128]] = {}
    product = np.ones((len(taus), size // 2 + 1), dtype=np.complex128)
    for task, count in zip(tasks, layout.counts.tolist(), strict=True):
        runs = len(task)
        if runs not in transforms:
            shares = np.arange(runs + 1)[:, None] / runs
            chances = binom.pmf(np.arange(count + 1), count, shares)
            transforms[runs] = np.fft.rfft(chances, size, axis=1)
        above = runs - np.searchsorted(np.sort(task), taus, side="right")
        product *= transforms[runs][above]
    law = np.fft.irfft(product, size, axis=1)[:, : layout.draws + 1]
    below = np.cumsum(law, axis=1)
    # Rounding of the transforms is some 1e-14; a tail that is met up to that is met.
    low, high = ((below < tail - 1e-12).sum(axis=1) for tail in tails_of(level))
    return low / layout.draws, high / layout.draws


def _profiles(
    tasks: Sequence[Floats], taus: Floats, kind: str, layout: Layout, repetitions: int, key: int
) -> Floats:
    """Return the profile of each resample, (k, repetitions)."""
    from rlbench.stats.kernels_numpy import task_means

    order = np.argsort(taus)
    values = np.concatenate(tasks)
    weights = np.repeat(layout.weights, layout.counts)
    bins = len(taus) + 1
    # How many thresholds a value is above.
    above = np.searchsorted(taus[order], values, side="left")
    parts = []
    for picks in resamples(layout, key, repetitions):
        if kind == "run":
            exceeds = above[picks]
        else:
            means = task_means(values[picks], layout)
            exceeds = np.searchsorted(taus[order], means, side="left")
        # As many profiles are counted side by side.
        exceeds += np.arange(len(picks))[:, None] * bins
        each = np.broadcast_to(weights if kind == "run" else 1.0, exceeds.shape)
        counts = np.bincount(exceeds.ravel(), each.ravel(), len(picks) * bins).reshape(-1, bins)
        parts.append(np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1] / counts.sum(axis=1)[:, None])
    profiles = np.empty((len(taus), repetitions))
    profiles[order] = np.concatenate(parts).T
    return profiles


def _mended(
    point: Floats, low: Floats, high: Floats, order: NDArray[np.int64], trials: int, level: float
) -> tuple[Floats, Floats]:
    """Return the ends of a profile's band with those of no width replaced.

    Args:
        point: (k,) shares.
        low: (k,) the lower ends by the bootstrap.
        high: (k,) the upper ends.
        order: (k,) of the thresholds.
        trials: How many scores, as many of every task, or task means there are.
        level: Of the intervals by Clopper & Pearson.
    """
    flat = low == high
    least, most = clopper_pearson(np.rint(point * trials), trials, level)
    # A profile is at least what it is at any higher threshold, and at most what at any lower.
    at_least, at_most = np.where(flat, 0.0, low), np.where(flat, 1.0, high)
    at_least[order] = np.maximum.accumulate(at_least[order][::-1])[::-1]
    at_most[order] = np.minimum.accumulate(at_most[order])
    least = np.where(at_least < point, np.maximum(least, at_least), least)
    most = np.where(at_most > point, np.minimum(most, at_most), most)
    return np.where(flat, least, low), np.where(flat, most, high)
