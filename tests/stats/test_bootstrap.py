"""Intervals: seeded, stratified, absent where there is nothing to draw from."""

import numpy as np
import pytest

from rlbench import stats
from rlbench.errors import InvalidScores
from rlbench.stats import METRICS, bootstrap, summarise

SCORES = np.random.default_rng(0).normal(size=(5, 8))


def test_the_seed_is_honoured() -> None:
    first, second = (bootstrap(SCORES, stats.iqm, seed=1, repetitions=200) for _ in range(2))
    assert first == second
    assert bootstrap(SCORES, stats.iqm, seed=2, repetitions=200) != first


def test_global_randomness_is_not_touched() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    bootstrap(SCORES, stats.iqm, repetitions=10)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_a_mean_has_the_interval_that_theory_gives() -> None:
    """The bootstrap's standard error of a grand mean is known exactly."""
    error = np.sqrt((SCORES.var(axis=0) / 5).sum()) / 8
    estimate = bootstrap(SCORES, stats.mean, repetitions=20_000)
    assert estimate.point == pytest.approx(SCORES.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * error, rel=0.03)


def test_tasks_are_strata() -> None:
    """Runs that are alike within their task leave nothing to be uncertain of."""
    constant = np.tile(np.arange(8.0), (5, 1))
    estimate = bootstrap(constant, stats.mean, repetitions=100)
    assert estimate.low == estimate.point == estimate.high == 3.5


@pytest.mark.parametrize("scores", [SCORES[:1], [[1.0, 2.0], [3.0]]])
def test_one_run_has_no_interval_and_says_so(scores) -> None:
    estimate = bootstrap(scores, stats.mean)
    assert (estimate.low, estimate.high) == (None, None)
    assert "only one run" in estimate.method


def test_levels_nest() -> None:
    narrow, wide = (bootstrap(SCORES, stats.iqm, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("options", [{"level": 0.0}, {"level": 1.0}, {"repetitions": 0}])
def test_options_out_of_range(options: dict) -> None:
    with pytest.raises(InvalidScores):
        bootstrap(SCORES, stats.mean, **options)


def test_the_summary_has_a_row_for_each_metric() -> None:
    rows = summarise({"a": SCORES, "b": [[1.0, 2.0], [3.0, 4.0, 5.0]]}, repetitions=50)
    assert [(row.agent, row.metric) for row in rows] == [(a, m) for a in "ab" for m in METRICS]
    assert {(row.runs, row.tasks) for row in rows} == {(5, 8), (2, 2)}
    assert all(row.low <= row.point <= row.high for row in rows if row.agent == "a")
