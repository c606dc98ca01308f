"""Agents against a constant: textbook formulas where there are any, and the level elsewhere."""

import numpy as np
import pytest
from scipy.stats import mstats, t, trim_mean, ttest_1samp

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.constant import METHOD, NO_SPREAD
from rlbench.stats.intervals import ONE_RUN

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
        (np.full((4, 3), 2.0), NO_SPREAD),
    ):
        (found,) = stats.compare_with_constant({"a": scores}, 1.0)
        assert (found.difference.low, found.p_value) == (None, None)
        assert (found.difference.method, found.decision) == (method, "not separated")


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
