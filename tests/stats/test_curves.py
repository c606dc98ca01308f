"""Learning curves: whole runs are drawn, and each checkpoint is the plain estimate."""

import numpy as np
import pytest

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import learning_curve

CURVES = np.cumsum(np.random.default_rng(0).gamma(1.0, size=(5, 6, 4)), axis=2)


@pytest.mark.parametrize("method", ["rao-wu", "percentile"])
def test_each_checkpoint_is_the_estimate_of_its_scores(method: str) -> None:
    curve = learning_curve(CURVES, "iqm", method=method, repetitions=500)
    for k in range(4):
        alone = stats.bootstrap(CURVES[:, :, k], "iqm", method=method, repetitions=500)
        assert (curve.point[k], curve.low[k], curve.high[k]) == pytest.approx(
            (alone.point, alone.low, alone.high), rel=1e-12
        )
    assert curve.method == f"stratified bootstrap, {method}, pointwise"


def test_whole_curves_are_drawn() -> None:
    """A function of time that is constant in every run stays so in every resample."""
    level = np.random.default_rng(0).normal(size=(5, 6, 1))
    flat = np.repeat(level, 4, axis=2)
    curve = learning_curve(flat, "mean", repetitions=300)
    assert len(set(curve.low)) == len(set(curve.high)) == 1


def test_ragged_runs_and_functions() -> None:
    ragged = [CURVES[:3, 0], CURVES[:, 1], CURVES[:2, 2]]
    named = learning_curve(ragged, "mean", method="percentile", repetitions=200)
    by_function = learning_curve(ragged, stats.mean, method="percentile", repetitions=200)
    np.testing.assert_allclose(named.low, by_function.low)
    np.testing.assert_allclose(named.point[0], np.mean([task[:, 0].mean() for task in ragged]))


def test_one_run_has_points_only() -> None:
    curve = learning_curve(CURVES[:1], "iqm")
    assert (curve.low, curve.high) == (None, None)
    assert "only one run" in curve.method
    assert len(curve.point) == 4


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (CURVES[:, :, 0], r"must be \(runs, tasks, checkpoints\)"),
        ([], "no task"),
        ([CURVES[:, 0], CURVES[:, 1, :3]], "task 1 has 3 checkpoints and task 0 has 4"),
        ([CURVES[:, 0, 0]], "must be"),
        (np.where(np.arange(4) == 2, np.nan, CURVES), "is nan at checkpoint 2"),
    ],
)
def test_bad_curves_are_named(scores, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        learning_curve(scores, "iqm")


def test_methods_that_need_other_resamples_are_refused() -> None:
    with pytest.raises(UnknownName):
        learning_curve(CURVES, "iqm", method="bca")
