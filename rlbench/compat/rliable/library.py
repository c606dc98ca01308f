"""Interval estimates and performance profiles under rliable's names.

The intervals are those of the stratified bootstrap that draws, on each task, as many runs as it
has. Functions that do nothing but arrange `metrics`, as in::

    lambda x: np.array([metrics.aggregate_iqm(x), metrics.aggregate_mean(x)])
    lambda x: np.array([metrics.aggregate_iqm(x[..., k]) for k in range(x.shape[-1])])
    metrics.probability_of_improvement

are recognised and computed by the kernels of `rlbench.stats`, any other is called once a resample.
Both ways draw the same resamples.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rlbench.compat.rliable.bootstrap import (
    METHODS,
    Array,
    Function,
    RandomState,
    StratifiedBootstrap,
    StratifiedIndependentBootstrap,
    seed_of,
)
from rlbench.compat.rliable.metrics import finite
from rlbench.stats.aggregates import columns, performance_profile
from rlbench.stats.intervals import check_options
from rlbench.stats.profiles import convolved_ends
from rlbench.stats.resampling import Floats, layout_of

__all__ = [
    "StratifiedBootstrap",
    "StratifiedIndependentBootstrap",
    "average_score_distributions",
    "create_performance_profile",
    "get_interval_estimates",
    "mean_score_deviation",
    "run_score_deviation",
    "score_distributions",
]

Name = TypeVar("Name", bound=Hashable)


def get_interval_estimates(
    score_dict: Mapping[Name, Array] | Mapping[Name, Sequence[Array]],
    func: Function,
    method: str = "percentile",
    task_bootstrap: bool = False,
    reps: int = 50000,
    confidence_interval_size: float = 0.95,
    random_state: RandomState = None,
) -> tuple[dict[Name, Any], dict[Name, Floats]]:
    """Estimate statistics of several agents with intervals.

    Args:
        score_dict: An agent each: scores (runs, tasks), or (runs, tasks, points), whose
            curves are drawn whole; or a list of such arrays, which are drawn independently and
            may differ in runs.
        func: Called with the array, or with the arrays of the list as so many arguments; returns
            a number or (k,) numbers.
        method: ``percentile``, ``basic``, ``bc``, ``bca`` or ``norm``; see
            `bootstrap.Bootstrap.conf_int`.
        task_bootstrap: Draw the tasks too; lists of arrays ignore it.
        reps: Resamples.
        confidence_interval_size: Nominal coverage, between 0 and 1.
        random_state: Of the resampling: a seed, None for seed 0, or what a seed is drawn from.
            All agents share the seed.

    Returns:
        What `func` returns for the scores, by name, and the ends of the intervals, (2, k), which
        are NaN where an array has one run.

    Raises:
        InvalidScores: Scores are misshapen, what `func` returns is, or an option is out of range.
        UnknownName: There is no such method.
    """
    seed = seed_of(random_state)
    points: dict[Name, Any] = {}
    intervals: dict[Name, Floats] = {}
    for name, scores in score_dict.items():
        drawn: StratifiedBootstrap | StratifiedIndependentBootstrap
        if isinstance(scores, np.ndarray):
            drawn = StratifiedBootstrap(scores, random_state=seed, task_bootstrap=task_bootstrap)
        else:
            drawn = StratifiedIndependentBootstrap(*scores, random_state=seed)
        points[name] = drawn.point(func)
        intervals[name] = drawn.conf_int(
            func, reps=reps, method=method, size=confidence_interval_size
        )
    return points, intervals


def run_score_deviation(scores: ArrayLike, tau: float) -> Any:
    """Return the share of all scores above a threshold."""
    return score_distributions(scores, tau)[()]


def mean_score_deviation(scores: ArrayLike, tau: float) -> Any:
    """Return the share of tasks whose mean over runs is above a threshold."""
    return average_score_distributions(scores, tau)[()]


def score_distributions(scores: ArrayLike, tau: ArrayLike) -> Floats:
    """Return the share of all scores above each threshold, in the shape of `tau`."""
    taus = np.asarray(tau, dtype=np.float64)
    profile = performance_profile([finite(scores).ravel()], taus.ravel())
    return profile.reshape(taus.shape)


def average_score_distributions(scores: ArrayLike, tau: ArrayLike) -> Floats:
    """Return the share of tasks whose mean over runs is above each threshold.

    Args:
        scores: (runs, tasks).
        tau: Thresholds of any shape, which is that of the shares.
    """
    return score_distributions(np.mean(np.asarray(scores), axis=0), tau)


def create_performance_profile(
    score_dict: Mapping[Name, Array],
    tau_list: ArrayLike,
    use_score_distribution: bool = True,
    custom_profile_func: Function | None = None,
    method: str = "percentile",
    task_bootstrap: bool = False,
    reps: int = 2000,
    confidence_interval_size: float = 0.95,
) -> tuple[dict[Name, Any], dict[Name, Floats]]:
    """Estimate the performance profiles of several agents with pointwise bands.

    The percentile band of run scores is that of infinitely many resamples: it is computed from
    their law, as `rlbench.stats.profile_band` does. All others are of seed 0.

    Args:
        score_dict: An agent each: scores (runs, tasks).
        tau_list: (k,) thresholds.
        use_score_distribution: Profiles are of run scores; otherwise of means of tasks.
        custom_profile_func: Called with the scores and `tau_list` instead; returns (k,).
        method: As `get_interval_estimates` takes it.
        task_bootstrap: Draw the tasks too.
        reps: Resamples.
        confidence_interval_size: Nominal coverage, between 0 and 1.

    Returns:
        The profiles (k,) and the ends of their bands (2, k), by name; NaN where an agent has one
        run.

    Raises:
        InvalidScores: Scores or thresholds are bad, or an option is out of range.
        UnknownName: There is no such method.
    """
    own = score_distributions if use_score_distribution else average_score_distributions
    function = custom_profile_func or own

    def profile(scores: Array) -> Any:
        return function(scores, tau_list)

    exact = function is score_distributions and method == "percentile" and not task_bootstrap
    points, bands = {}, {}
    for name, scores in score_dict.items():
        drawn = StratifiedBootstrap(scores, task_bootstrap=task_bootstrap)
        points[name] = drawn.point(profile)
        if exact and np.ndim(scores) == 2 and len(scores) > 1:
            check_options(method, reps, confidence_interval_size, METHODS)
            bands[name] = _exact_band(scores, tau_list, confidence_interval_size)
        else:
            bands[name] = drawn.conf_int(profile, reps, method, confidence_interval_size)
    return points, bands


def _exact_band(scores: Array, tau_list: ArrayLike, size: float) -> Floats:
    """Return the ends of the band that percentiles of ever more resamples approach, (2, k)."""
    tasks = columns(list(np.transpose(scores)))
    taus = np.asarray(tau_list, dtype=np.float64)
    return np.array(convolved_ends(tasks, taus, layout_of(tasks, "percentile"), size))
