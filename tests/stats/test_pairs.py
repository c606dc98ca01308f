"""Two agents: the intervals are of independent runs, and of the statistic that they name."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import binomtest

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import difference, differences, improvement
from rlbench.stats.pairs import PAIR_METHODS

X = np.random.default_rng(0).normal(size=(5, 8))
Y = np.random.default_rng(1).normal(1.0, size=(7, 8))


def test_a_difference_has_the_variance_of_both() -> None:
    estimate = difference(X, Y, "mean", repetitions=40_000)
    error = np.sqrt((X.var(axis=0, ddof=1) / 5 + Y.var(axis=0, ddof=1) / 7).sum()) / 8
    assert estimate.point == pytest.approx(X.mean() - Y.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * error, rel=0.03)


def test_an_agent_does_not_differ_from_itself_for_sure() -> None:
    """Unpaired: the two sides are drawn apart, so the difference of equal scores is uncertain."""
    estimate = difference(X, X, "iqm")
    assert estimate.point == 0.0
    assert estimate.low < 0.0 < estimate.high


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_improvement_is_that_of_each_resample(method: str) -> None:
    """Against the plain function on plainly drawn resamples."""
    ragged_x = [X[:3, 0], X[:, 1]]
    ragged_y = [Y[:, 0], Y[:2, 1]]
    estimate = improvement(ragged_x, ragged_y, method=method, repetitions=20_000)
    generator = np.random.default_rng(5)
    fewer = method == "rao-wu"
    replicates = [
        stats.probability_of_improvement(
            *(
                [generator.choice(t, size=len(t) - fewer) for t in side]
                for side in (ragged_x, ragged_y)
            )
        )
        for _ in range(4_000)
    ]
    low, high = np.quantile(replicates, [0.025, 0.975])
    if method == "basic":
        low, high = 2 * estimate.point - high, 2 * estimate.point - low
    assert estimate.point == stats.probability_of_improvement(ragged_x, ragged_y)
    assert estimate.low == pytest.approx(low, abs=0.06)
    assert estimate.high == pytest.approx(high, abs=0.06)


def test_the_two_sides_mirror_each_other() -> None:
    one, other = improvement(X, Y, repetitions=40_000), improvement(Y, X, repetitions=40_000)
    assert one.point == pytest.approx(1 - other.point)
    assert one.low == pytest.approx(1 - other.high, abs=6 * one.monte_carlo_error + 0.01)


def test_pairing_by_seed_must_be_declared() -> None:
    """Runs that share their luck differ by less than their spread, if and only if paired."""
    luck = np.random.default_rng(2).normal(size=(6, 8))
    x, y = luck + 0.5, luck + 0.01 * np.random.default_rng(3).normal(size=(6, 8))
    apart, paired = difference(x, y, "mean"), difference(x, y, "mean", shared="levels")
    assert apart.point == paired.point
    assert apart.high - apart.low > 20 * (paired.high - paired.low)
    assert paired.method == "stratified bootstrap, rao-wu, paired by seed (shared levels)"
    with pytest.raises(UnknownName, match="seeds share"):
        difference(x, y, "mean", shared="hope")
    with pytest.raises(InvalidScores, match="task 0 has 6 of x and 5 of y"):
        difference(x, y[:5], "mean", shared="tests")


@pytest.mark.parametrize("pair", [lambda x, y, **o: difference(x, y, "iqm", **o), improvement])
def test_what_does_not_fit_is_refused(pair) -> None:
    with pytest.raises(InvalidScores, match="x has 8 tasks and y has 7"):
        pair(X, Y[:, :7])
    with pytest.raises(InvalidScores, match="of y is nan"):
        pair(X, Y * np.nan)
    with pytest.raises(UnknownName, match="method"):
        pair(X, Y, method="bca")
    assert "only one run" in pair(X[:1], Y).method


@pytest.mark.parametrize("pair", [lambda x, y, **o: difference(x, y, "iqm", **o), improvement])
@pytest.mark.parametrize("method", PAIR_METHODS)
def test_equal_runs_of_both_agents_have_no_interval(pair, method: str) -> None:
    estimate = pair(np.full((5, 2), 2.0), np.full((3, 2), 1.0), method=method)
    assert (estimate.low, estimate.high) == (None, None)
    assert estimate.method == "none: on every task all runs are equal"


def test_an_agent_that_wins_all_pairs_does_not_win_for_sure() -> None:
    estimate = improvement(X + 100, Y)
    assert (estimate.point, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(0.025 ** (1 / 40))  # 8 tasks with 5 pairs of other runs
    assert estimate.method == "Clopper-Pearson, of pairs of runs"
    half = improvement(X + 100 * np.array([1, -1] * 4), Y)
    assert (half.low, half.high) == pytest.approx(binomtest(20, 40).proportion_ci(0.95, "exact"))


def test_many_differences_are_those_of_each_pair_alone() -> None:
    """Also with other tasks, with scores of 0 and 1, with one run, and with equal runs."""
    generator = np.random.default_rng(5)
    tasks = ("t", "u", "v", "w")
    scores = {
        "even": {task: generator.normal(0.5, 0.2, 5) for task in tasks},
        "ragged": {task: generator.normal(0.4, 0.2, 3 + k) for k, task in enumerate(tasks)},
        "fewer": {task: generator.normal(0.3, 0.2, 4) for task in tasks[1:]},
        "one run": {task: generator.normal(0.2, 0.2, 1) for task in tasks},
        "constant": {task: np.full(3, 0.25) for task in tasks},
        "also constant": {task: np.full(4, 0.5) for task in tasks},
        "successes": {task: generator.integers(0, 2, 6).astype(float) for task in tasks},
        "others": {task: generator.integers(0, 2, 6).astype(float) for task in tasks},
    }
    pairs = list(permutations(scores, 2))
    for statistic in ("iqm", "mean"):
        found = differences(scores, pairs, statistic, repetitions=200, level=0.9, seed=3)
        assert list(found) == pairs
        for a, b in pairs:
            common = [task for task in scores[a] if task in scores[b]]
            x, y = ([scores[agent][task] for task in common] for agent in (a, b))
            alone = difference(x, y, statistic, repetitions=200, level=0.9, seed=3)
            assert found[a, b] == alone
    methods = {estimate.method for estimate in found.values()}
    assert len(methods) > 3


def test_pairs_without_a_common_task_have_no_difference() -> None:
    scores = {"a": {"t": [1.0, 2.0]}, "b": {"u": [1.0, 2.0]}}
    with pytest.raises(InvalidScores, match="'a' and 'b' have no task in common"):
        differences(scores, [("a", "b")], "mean")
