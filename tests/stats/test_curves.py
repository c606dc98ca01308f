"""Learning curves: whole runs are drawn, and each point is the plain estimate."""

import numpy as np
import pytest

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import learning_curve
from rlbench.stats.bands import BANDS

CURVES = np.cumsum(np.random.default_rng(0).gamma(1.0, size=(5, 6, 4)), axis=2)


@pytest.mark.parametrize("method", ["rao-wu", "percentile"])
def test_each_point_is_the_estimate_of_its_scores(method: str) -> None:
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
        (CURVES[:, :, 0], r"must be \(runs, tasks, points\)"),
        ([], "no task"),
        ([CURVES[:, 0], CURVES[:, 1, :3]], "task 1 has 3 points and task 0 has 4"),
        ([CURVES[:, 0, 0]], "must be"),
        (np.where(np.arange(4) == 2, np.nan, CURVES), "is nan at point 2"),
        (np.where(np.arange(4) == 2, 1e16, CURVES), "at point 2: numbers beyond"),
    ],
)
def test_bad_curves_are_named(scores, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        learning_curve(scores, "iqm")


def test_methods_that_need_other_resamples_are_refused() -> None:
    with pytest.raises(UnknownName):
        learning_curve(CURVES, "iqm", method="bca")


def test_simultaneous_bands_hold_everywhere_at_once() -> None:
    """Fresh curves of a known law: pointwise bands miss somewhere far more often."""
    generator = np.random.default_rng(0)
    truth = np.linspace(0.0, 1.0, 12)
    inside = {"pointwise": 0, "simultaneous": 0}
    for seed in range(200):
        curves = truth + generator.normal(size=(10, 8, 12))
        for band in inside:
            found = learning_curve(curves, "mean", band=band, repetitions=1_000, seed=seed)
            inside[band] += bool(((found.low <= truth) & (truth <= found.high)).all())
    assert inside["pointwise"] < 140
    assert inside["simultaneous"] > 178


def test_a_simultaneous_band_of_one_point_is_pointwise() -> None:
    one = CURVES[:, :, :1]
    pointwise, together = (learning_curve(one, "iqm", band=band) for band in BANDS)
    assert together.low == pytest.approx(pointwise.low, abs=2e-3)
    assert together.high == pytest.approx(pointwise.high, abs=2e-3)
    assert together.method == "stratified bootstrap, rao-wu, simultaneous"
    with pytest.raises(UnknownName, match="band"):
        learning_curve(one, "iqm", band="sup-t")


def test_area_under_curve_is_the_mean_over_training() -> None:
    curves = np.array([[[0.0, 1.0, 1.0], [2.0, 2.0, 2.0]]])
    (first,), (second,) = stats.area_under_curve(curves, [0, 10, 40])
    assert (first, second) == (pytest.approx((5 + 30) / 40), 2.0)
    with pytest.raises(InvalidScores, match="2 steps and 3 points"):
        stats.area_under_curve(curves, [0, 1])
    with pytest.raises(InvalidScores, match="increasing"):
        stats.area_under_curve(curves, [0, 2, 2])


UNEQUAL = [
    [([0, 10, 20], [0.0, 1.0, 2.0]), ([5, 15], [7.0, 8.0])],
    [([0, 30], [4.0, 5.0])],
]


def test_curves_of_unequal_length_meet_at_common_points() -> None:
    steps, (first, second) = stats.align(UNEQUAL)
    assert steps.tolist() == [5, 10, 15]
    assert first.tolist() == [[0.0, 1.0, 1.0], [7.0, 7.0, 8.0]]
    assert second.tolist() == [[4.0, 4.0, 4.0]]
    steps, (first, _) = stats.align(UNEQUAL, steps=[12])
    assert first.tolist() == [[1.0], [7.0]]


def test_many_common_points_are_thinned_to_some_of_them() -> None:
    rng = np.random.default_rng(3)
    steps = np.unique(rng.integers(0, 100_000, 5_000))
    runs = [[(steps[0::2], rng.normal(size=len(steps[0::2]))) for _ in range(2)],
            [(steps[1::2], rng.normal(size=len(steps[1::2])))]]  # fmt: skip
    every, all_curves = stats.align(runs)
    some, curves = stats.align(runs, most=300)
    assert len(every) > 4_800
    assert 250 < len(some) <= 300
    assert (some[0], some[-1]) == (every[0], every[-1])
    assert np.diff(some).max() < 3 * 100_000 / 300
    at = np.searchsorted(every, some)
    np.testing.assert_array_equal(every[at], some)
    for thin, full in zip(curves, all_curves, strict=True):
        np.testing.assert_array_equal(thin, full[:, at])
    assert stats.align(runs, most=10_000)[0].tolist() == every.tolist()


@pytest.mark.parametrize(
    ("curves", "steps", "message"),
    [
        (UNEQUAL, [0, 10], "all have 5 to 15"),
        ([[([0, 1], [1.0, 2.0])], [([2], [1.0])]], None, "one run begins at step 2"),
        ([[([0, 1], [1.0])]], None, "run 0 on task 0 has 2 steps"),
        ([[([0, 1], [1.0, np.nan])]], None, "finite scores"),
        ([[([0, 1], [1.0, 1e16])]], None, r"at most 1e\+15"),
        ([[([1, 0], [1.0, 2.0])]], None, "the steps of run 0 on task 0 must be increasing"),
        ([[]], None, "every task needs a run"),
    ],
)
def test_curves_that_cannot_meet_are_named(curves, steps, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        stats.align(curves, steps)


def test_curves_that_are_all_equal_have_no_band() -> None:
    found = stats.learning_curve(np.tile(np.arange(4.0), (3, 2, 1)), "iqm")
    assert (found.low, found.high) == (None, None)
    assert found.method == "none: on every task all runs are equal"
