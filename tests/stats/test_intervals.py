"""Intervals: seeded, stratified, absent where there is nothing to draw from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import bootstrap
from rlbench.stats.intervals import METHODS, POINTS

SCORES = np.random.default_rng(0).normal(size=(5, 8))
RAGGED = [np.random.default_rng(n).gamma(1.0, size=n) for n in (3, 5, 2, 9)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", POINTS)
def test_the_seed_is_honoured(method: str, name: str) -> None:
    options = {"method": method, "repetitions": 200}
    first, second = (bootstrap(SCORES, name, seed=1, **options) for _ in range(2))
    assert first == second
    assert bootstrap(SCORES, name, seed=2, **options) != first


def test_global_randomness_is_not_touched() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    bootstrap(SCORES, "iqm", repetitions=10)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize(("method", "n"), [("percentile", 5), ("rao-wu", 4)])
def test_a_mean_has_the_interval_that_theory_gives(method: str, n: int) -> None:
    """The bootstrap's standard error of a grand mean is known exactly; rao-wu's is unbiased."""
    error = np.sqrt((SCORES.var(axis=0) / n).sum()) / 8
    estimate = bootstrap(SCORES, "mean", method=method, repetitions=40_000)
    assert estimate.point == pytest.approx(SCORES.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * error, rel=0.03)
    if method == "rao-wu":
        unbiased = np.sqrt((SCORES.var(axis=0, ddof=1) / 5).sum()) / 8
        assert error == pytest.approx(unbiased)


# A plain function cannot know that rao-wu left a run out; the next test is about that.
@pytest.mark.parametrize("method", ["percentile", "basic", "bca"])
@pytest.mark.parametrize("scores", [SCORES, RAGGED], ids=["matrix", "ragged"])
@pytest.mark.parametrize("name", POINTS)
def test_named_statistics_are_those_of_their_functions(method: str, scores, name: str) -> None:
    """The vectorised statistics against the plain function of each resample."""
    if method == "bca" and scores is RAGGED:
        with pytest.raises(InvalidScores, match="the same number of runs"):
            bootstrap(scores, name, method=method)
        return
    options = {"method": method, "repetitions": 300}
    by_name, by_function = (
        bootstrap(scores, name, **options),
        bootstrap(scores, POINTS[name], **options),
    )
    assert by_name.point == by_function.point
    assert by_name.low == pytest.approx(by_function.low, rel=1e-12)
    assert by_name.high == pytest.approx(by_function.high, rel=1e-12)


@pytest.mark.parametrize("name", POINTS)
def test_replicates_of_fewer_draws_estimate_the_same(name: str) -> None:
    """Replicates lie about the point also where they have a draw fewer: the trim is fractional."""
    scores = np.random.default_rng(4).gamma(1.0, size=(5, 26))
    for data in (scores, [*scores.T[:20], *(task[:3] for task in scores.T[20:])]):
        plain, fewer = (
            bootstrap(data, name, method=method, level=0.01, repetitions=20_000)
            for method in ("percentile", "rao-wu")
        )
        width = bootstrap(data, name).high - bootstrap(data, name).low
        assert abs((fewer.low + fewer.high) - (plain.low + plain.high)) / 2 < 0.06 * width


def test_tasks_are_strata() -> None:
    """What differs between tasks does not widen the interval: only runs of one task do."""
    levels = np.tile(np.arange(8.0), (5, 1))
    levels[0, 0] = 0.8
    for method in ("rao-wu", "percentile", "basic"):
        estimate = bootstrap(levels, "mean", repetitions=100, method=method)
        assert 3.4 < estimate.low < estimate.high < 3.6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scores", [np.ones((5, 1)), np.tile(np.arange(4.0), (3, 1)), [[2.5] * 4]])
def test_runs_that_are_all_equal_have_no_interval(method: str, scores) -> None:
    for name in POINTS:
        estimate = bootstrap(scores, name, method=method)
        assert (estimate.low, estimate.high, estimate.monte_carlo_error) == (None, None, None)
        assert estimate.method == "none: on every task all runs are equal"


def test_equal_runs_of_tasks_that_are_drawn_too_have_one() -> None:
    estimate = bootstrap(np.tile(np.arange(8.0), (5, 1)), "mean", resample_tasks=True)
    assert estimate.low < 3.5 < estimate.high


def test_an_interval_without_width_is_none() -> None:
    """All scores are beyond the gap's threshold; the IQM leaves out the only run that differs."""
    beyond = bootstrap(1 + np.abs(SCORES), "optimality_gap")
    level = bootstrap([[2.0] * 40 + [9.0]], "iqm")
    for estimate in (beyond, level):
        assert (estimate.low, estimate.high) == (None, None)
        assert estimate.method == "none: both ends would be the same"


def test_bca_of_replicates_on_one_side_is_refused() -> None:
    with pytest.raises(InvalidScores, match="both sides"):
        bootstrap([[2.0, 2.0, 2.0, 2.0, 9.0]], "iqm", method="bca")


@pytest.mark.parametrize("scores", [SCORES[:1], [[1.0, 2.0], [3.0]]])
def test_one_run_has_no_interval_and_says_so(scores) -> None:
    estimate = bootstrap(scores, "mean")
    assert (estimate.low, estimate.high, estimate.monte_carlo_error) == (None, None, None)
    assert "only one run" in estimate.method


def test_levels_nest() -> None:
    narrow, wide = (bootstrap(SCORES, "iqm", level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_names_share_one_pass_and_each_is_as_alone() -> None:
    together = bootstrap(SCORES, list(POINTS), repetitions=500)
    assert together == {name: bootstrap(SCORES, name, repetitions=500) for name in POINTS}


def test_the_monte_carlo_error_is_that_of_other_seeds() -> None:
    estimates = [bootstrap(SCORES, "iqm", repetitions=2_000, seed=seed) for seed in range(60)]
    spread = max(np.std([e.low for e in estimates]), np.std([e.high for e in estimates]))
    stated = np.mean([e.monte_carlo_error for e in estimates])
    assert stated == pytest.approx(spread, rel=0.35)


def test_drawing_tasks_adds_their_variance() -> None:
    """The mean's variance is then that of drawing tasks, plus what runs add within them."""
    estimate = bootstrap(SCORES, "mean", method="percentile", repetitions=40_000,
                         resample_tasks=True)  # fmt: skip
    means = SCORES.mean(axis=0)
    error = np.sqrt(means.var() / 8 + (SCORES.var(axis=0) / 5).sum() / 64)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * error, rel=0.03)
    assert estimate.method == "stratified bootstrap, percentile, tasks drawn too"
    with pytest.raises(InvalidScores, match="same number of runs"):
        bootstrap(RAGGED, "mean", resample_tasks=True)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"level": 0.0}, InvalidScores),
        ({"level": 1.0}, InvalidScores),
        ({"repetitions": 0}, InvalidScores),
        ({"method": "rao_wu"}, UnknownName),
        ({"method": "magic"}, UnknownName),
    ],
)
def test_options_out_of_range(options: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        bootstrap(SCORES, "mean", **options)


def test_an_unknown_statistic_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'iqm'"):
        bootstrap(SCORES, "iqr")


# Neither 0 nor 1, whose intervals do not follow a shift, nor differences that a shift swallows.
SCORE = st.integers(5, 4000).map(lambda quarters: quarters / 4)
TASKS = st.lists(st.lists(SCORE, min_size=2, max_size=6), min_size=1, max_size=6)


@settings(max_examples=60)
@given(TASKS, st.sampled_from(["rao-wu", "percentile", "basic"]))
def test_intervals_follow_scale_and_shift(tasks: list, method: str) -> None:
    arrays = [np.array(task) for task in tasks]
    moved = [2.0 * task + 5.0 for task in arrays]
    for name in ("iqm", "mean", "median"):
        one = bootstrap(arrays, name, method=method, repetitions=50)
        two = bootstrap(moved, name, method=method, repetitions=50)
        assert (one.low is None) == (two.low is None)
        for end in ("point", "low", "high") if one.low is not None else ("point",):
            assert getattr(two, end) == pytest.approx(2 * getattr(one, end) + 5, rel=1e-9, abs=1e-8)


def test_improvement_by_hand() -> None:
    assert stats.probability_of_improvement([[1, 2], [0.0]], [[1, 1, 3], [0, 1]]) == pytest.approx(
        ((0.5 + 0.5 + 0 + 1 + 1 + 0) / 6 + 0.25) / 2
    )
    with pytest.raises(InvalidScores, match="x has 1 tasks and y has 2"):
        stats.probability_of_improvement([[1.0]], [[1.0], [2.0]])


def test_profiles_by_hand() -> None:
    ragged = [[0.0, 4.0], [1.0, 1.0, 1.0]]
    assert stats.performance_profile(ragged, [-1, 0, 1, 4]).tolist() == [1.0, 0.75, 0.25, 0.0]
    assert stats.performance_profile(ragged, [0.5, 1, 2], kind="mean").tolist() == [1.0, 0.5, 0.0]
    for wrong in ({"taus": [float("nan")]}, {"taus": 1.0}, {"taus": [1.0], "kind": "median"}):
        with pytest.raises(InvalidScores):
            stats.performance_profile(ragged, **wrong)
