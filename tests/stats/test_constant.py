"""Agents against a constant: textbook formulas where there are any, and the level elsewhere."""

import numpy as np
import pytest
from scipy.stats import binomtest, mstats, t, trim_mean, ttest_1samp

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.constant import METHOD, NO_SPREAD
from rlbench.stats.intervals import ALL_EQUAL, NO_WIDTH, ONE_RUN
from rlbench.stats.proportions import METHOD as BY_RATE

GENERATOR = np.random.default_rng(0)


def test_the_mean_on_one_task_is_students_t_of_scipy() -> None:
    runs = GENERATOR.normal(1.5, size=9)
    (found,) = stats.compare_with_constant({"a": [runs]}, 1.0, statistic="mean", alpha=0.1)
    expected = ttest_1samp(runs, 1.0)
    interval = expected.confidence_interval(0.9)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.difference.low == pytest.approx(interval.low - 1.0)
    assert found.difference.high == pytest.approx(interval.high - 1.0)
    assert found.difference.method == found.test == METHOD
    assert found.improvement == (runs > 1).mean()


def test_the_iqm_on_one_task_is_that_of_tukey_and_mclaughlin() -> None:
    runs = GENERATOR.gamma(1.0, size=12)
    (found,) = stats.compare_with_constant({"a": [runs]}, 0.2)
    # The interval of scipy.stats.mstats.trimmed_mean_ci, with a quarter cut at each end.
    low, high = mstats.trimmed_mean_ci(runs, limits=(0.25, 0.25), alpha=0.05)
    assert found.difference.point == pytest.approx(trim_mean(runs, 0.25) - 0.2)
    assert found.difference.low == pytest.approx(low - 0.2)
    assert found.difference.high == pytest.approx(high - 0.2)


def test_the_mean_over_tasks_by_hand() -> None:
    tasks = [np.array([0.0, 2.0]), np.array([1.0, 1.0, 4.0])]
    (found,) = stats.compare_with_constant({"a": tasks}, 0.5, statistic="mean")
    parts = np.array([2.0 / 2, 3.0 / 3]) / 4
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / 1 + parts[1] ** 2 / 2)
    assert found.difference.point == pytest.approx(1.0)
    half = t.ppf(0.975, freedom) * parts.sum() ** 0.5
    assert found.difference.high == pytest.approx(1.0 + half)


def test_interval_and_p_value_agree_and_are_adjusted_for_agents() -> None:
    scores = {f"a{k}": GENERATOR.normal(0.3 * k, 1.0, size=(5, 6)) for k in range(8)}
    for statistic in ("mean", "iqm"):
        found = stats.compare_with_constant(scores, 0.0, statistic=statistic)
        assert len({each.decision for each in found}) == 2
        for each in found:
            excluded = not each.difference.low <= 0 <= each.difference.high
            assert excluded == (each.p_value < 0.05) == (each.decision != "not separated")
            (alone,) = stats.compare_with_constant(
                {"a": scores[each.agent]}, 0.0, statistic=statistic
            )
            assert each.p_value == pytest.approx(min(1.0, 8 * alone.p_value))
        assert found[0].test == f"{METHOD}, Bonferroni over 8 agents"


def test_a_mirror_mirrors() -> None:
    scores = GENERATOR.gamma(1.0, size=(5, 6))
    (found,) = stats.compare_with_constant({"a": scores}, 1.5)
    (mirror,) = stats.compare_with_constant({"a": -scores}, -1.5)
    assert mirror.difference.low == pytest.approx(-found.difference.high)
    assert mirror.improvement == pytest.approx(1 - found.improvement)
    assert {found.decision, mirror.decision} == {"smaller", "larger"}


def test_the_level_holds_on_suites() -> None:
    """400 agents of the null law: at most .05 and 4 standard errors."""
    truth = {"mean": 1.0, "iqm": stats.iqm(list(GENERATOR.gamma(4.0, 0.25, size=(1, 400_000))))}
    for statistic, constant in truth.items():
        wrong = 0
        for _ in range(400):
            scores = GENERATOR.gamma(4.0, 0.25, size=(5, 12))
            (found,) = stats.compare_with_constant({"a": scores}, constant, statistic=statistic)
            wrong += found.decision != "not separated"
        assert 3 < wrong < 38


def test_without_spread_nothing_is_decided() -> None:
    for scores, method in (
        (np.full((1, 3), 2.0), ONE_RUN),
        ([[1.0, 2.0], [3.0]], ONE_RUN),
        (np.full((4, 3), 2.0), ALL_EQUAL),
        (np.full((3, 1), 0.1), ALL_EQUAL),  # whose mean is not 0.1, but for rounding
        ([[0.1] * 7 + [5.0]], NO_SPREAD),
    ):
        (found,) = stats.compare_with_constant({"a": scores}, 1.0)
        assert (found.difference.low, found.p_value) == (None, None)
        assert (found.difference.method, found.decision) == (method, "not separated")


def successes(hits: int, runs: int) -> list[list[float]]:
    return [[1.0] * hits + [0.0] * (runs - hits)]


@pytest.mark.parametrize(("hits", "runs"), [(3, 5), (29, 30), (3, 30), (30, 30), (0, 10)])
def test_a_success_rate_on_one_task_has_the_exact_binomial_interval(hits: int, runs: int) -> None:
    (found,) = stats.compare_with_constant({"a": successes(hits, runs)}, 0.5, statistic="mean")
    expected = binomtest(hits, runs, 0.5)
    interval = expected.proportion_ci(0.95, method="exact")
    assert found.difference.low == pytest.approx(interval.low - 0.5)
    assert found.difference.high == pytest.approx(interval.high - 0.5)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.decision == "not separated") == (expected.pvalue >= 0.05)
    assert found.difference.method == found.test == BY_RATE


def test_the_iqm_of_successes_follows_from_their_rate() -> None:
    (few,) = stats.compare_with_constant({"a": successes(3, 5)}, 0.5)
    assert (few.difference.low, few.difference.high) == pytest.approx((-0.5, 0.5))
    assert few.decision == "not separated"
    high = binomtest(3, 30).proportion_ci(0.95, method="exact").high
    (rare,) = stats.compare_with_constant({"a": successes(3, 30)}, 0.5)
    assert (rare.difference.low, rare.difference.high) == pytest.approx((-0.5, 2 * high - 1))
    assert rare.decision == "smaller"
    # At most a quarter of runs succeed, so that the IQM is 0, and 0 decides without an interval.
    (surely_0,) = stats.compare_with_constant({"a": successes(1, 30)}, 0.5)
    assert (surely_0.difference.low, surely_0.difference.method) == (None, NO_WIDTH)
    assert (surely_0.decision, surely_0.p_value < 1e-6) == ("smaller", True)


def test_intervals_and_p_values_of_successes_agree() -> None:
    random = np.random.default_rng(1)
    decided = 0
    for _ in range(500):
        tasks = [
            (random.random(runs) < random.random()).astype(float)
            for runs in random.integers(2, 12, size=random.integers(1, 5))
        ]
        constant = float(random.choice([-1, 0, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 2]))
        for statistic in ("mean", "iqm"):
            (found,) = stats.compare_with_constant({"a": tasks}, constant, statistic=statistic)
            (mirror,) = stats.compare_with_constant(
                {"a": [-task for task in tasks]}, -constant, statistic=statistic
            )
            assert mirror.p_value == found.p_value
            assert mirror.difference.point == pytest.approx(-found.difference.point)
            if found.p_value is None:
                continue
            decided += found.decision != "not separated"
            assert (found.p_value < 0.05) == (found.decision != "not separated")
            low, high = found.difference.low, found.difference.high
            if low is not None and high is not None:
                assert (low <= 0 <= high) == (found.decision == "not separated")
                assert mirror.difference.low == pytest.approx(-high)
                assert -constant - 1e-9 <= low < high <= 1 - constant + 1e-9
    assert 300 < decided < 900


@pytest.mark.parametrize("rates", [[0.95], [0.5], [0.1, 0.3, 0.9, 0.9]])
def test_the_level_holds_for_successes(rates: list[float]) -> None:
    """400 agents of the null law: at most .05 and 4 standard errors."""
    random = np.random.default_rng(2)
    mean = float(np.mean(rates))
    constants = {"mean": mean, "iqm": float(np.clip(2 * mean - 0.5, 0, 1))}
    for statistic, constant in constants.items():
        wrong = 0
        for _ in range(400):
            scores = {"a": (random.random((10, len(rates))) < rates).astype(float)}
            (found,) = stats.compare_with_constant(scores, constant, statistic=statistic)
            wrong += found.decision != "not separated"
        assert wrong < 38


def test_runs_that_are_all_1_say_nothing_of_a_constant_that_no_rate_can_be() -> None:
    for constant in (0.0, 1.0, 2.0):
        (found,) = stats.compare_with_constant({"a": np.ones((5, 2))}, constant)
        assert (found.difference.method, found.p_value) == (ALL_EQUAL, None)


def test_successes_on_one_of_several_tasks_are_tested_as_such() -> None:
    tasks = [successes(9, 10)[0], [1.5, 1.7, 1.2]]
    first, second = stats.compare_tasks_with_constants(tasks, [0.5, 0.0])
    assert first.p_value == pytest.approx(binomtest(9, 10).pvalue)
    assert second.p_value == pytest.approx(2 * ttest_1samp(tasks[1], 0.0).pvalue)


def test_mistakes_are_refused() -> None:
    scores = {"a": np.zeros((3, 2))}
    with pytest.raises(UnknownName, match="statistic 'median'"):
        stats.compare_with_constant(scores, 1.0, statistic="median")
    for constant in (np.nan, np.inf, 2e15):
        with pytest.raises(InvalidScores, match="constant"):
            stats.compare_with_constant(scores, constant)
    with pytest.raises(InvalidScores, match="alpha 1"):
        stats.compare_with_constant(scores, 1.0, alpha=1)
    with pytest.raises(InvalidScores, match="no agent"):
        stats.compare_with_constant({}, 1.0)


def test_tasks_against_constants_are_adjusted_by_holm() -> None:
    random = np.random.default_rng(3)
    tasks = [random.normal(0.3 * k, 1.0, 5) for k in range(6)]
    levels = np.linspace(-1.0, 1.0, 6)
    raw = [ttest_1samp(task, level).pvalue for task, level in zip(tasks, levels, strict=True)]
    found = stats.compare_tasks_with_constants(tasks, levels)
    order = np.argsort(raw)
    expected = np.minimum(np.maximum.accumulate(np.array(raw)[order] * np.arange(6, 0, -1)), 1)
    np.testing.assert_allclose([found[k].p_value for k in order], expected)


def test_a_decision_on_any_of_equal_tasks_is_rarely_wrong() -> None:
    random = np.random.default_rng(0)
    wrong = sum(
        any(
            each.decision != "not separated"
            for each in stats.compare_tasks_with_constants(
                list(random.normal(size=(7, 3))), np.zeros(7)
            )
        )
        for _ in range(1000)
    )
    assert wrong <= 50 + 3 * 7  # .05 of them, and three standard deviations


def test_tasks_that_cannot_be_tested_have_no_decision() -> None:
    found = stats.compare_tasks_with_constants(
        [[3.0], [1.0, 1.0], [5.0, 5.1, 5.2]], [0.0, 0.0, 0.0]
    )
    assert [each.p_value is None for each in found] == [True, True, False]
    assert [each.decision for each in found] == ["not separated", "not separated", "larger"]
    with pytest.raises(InvalidScores, match=r"constants must be \(1,\) finite numbers"):
        stats.compare_tasks_with_constants([[1.0, 2.0]], [0.0, 1.0])
