"""Point estimates equal hand-worked numbers and know no order."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench import stats
from rlbench.errors import InvalidScores, SwappedAxes
from rlbench.stats.intervals import POINTS as METRICS

RAGGED = [[1.0, 3.0], [5.0], [0.0, 0.0, 6.0]]


def test_ragged_runs_by_hand() -> None:
    assert stats.mean(RAGGED) == pytest.approx((2 + 5 + 2) / 3)
    assert stats.median(RAGGED) == 2.0
    assert stats.iqm(RAGGED) == pytest.approx((0 + 1 + 3 + 5) / 4)
    assert stats.optimality_gap(RAGGED, gamma=2.0) == pytest.approx(2 - (1 + 2 + 2 + 0 + 0 + 2) / 6)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([[7.0]], 7.0), ([[1, 2, 9]], 4.0), ([[1, 2, 4, 9]], 3.0), ([[0, 1, 2, 3, 99]], 2.0)],
)
def test_iqm_of_few_scores(scores: list, expected: float) -> None:
    assert stats.iqm(np.array(scores, dtype=float)) == expected


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((0, 3)), "must hold scores"),
        (np.zeros((3, 0)), "no task"),
        ([], "no task"),
        (np.zeros(3), r"must be \(runs, tasks\), not of shape \(3,\)"),
        (np.array([[1.0, np.nan]]), "run 0 on task 1 of scores is nan"),
        (np.array([[1.0], [np.inf]]), "run 1 on task 0 of scores is inf"),
        (np.array([[1.0], [-2e15]]), r"run 1 on task 0 .* -2e\+15: numbers beyond 1e\+15"),
        ([[10**400]], r"a number of scores is beyond 1e\+15"),
        ([[1.0], [[2.0]]], "task 1"),
    ],
)
def test_bad_scores_are_named(metric, scores, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        metric(scores)


def test_the_largest_scores_give_finite_statistics() -> None:
    agents = {"a": np.array([[1e15, -1e15], [9e14, 1e15]]), "b": np.zeros((2, 2))}
    rows = [*stats.summarise(agents), *stats.compare(agents, statistic="mean")]
    assert not re.search(r"\b(inf|nan)\b", str(rows))


MATRICES = st.integers(1, 6).flatmap(
    lambda tasks: st.lists(
        st.lists(st.floats(-1e6, 1e6), min_size=tasks, max_size=tasks), min_size=1, max_size=8
    )
)


@given(MATRICES, st.randoms(use_true_random=False))
def test_neither_runs_nor_tasks_have_an_order(rows: list, random) -> None:
    scores = np.array(rows)
    shuffled = list(scores)
    random.shuffle(shuffled)
    mixed = np.array(shuffled)[:, random.sample(range(scores.shape[1]), scores.shape[1])]
    for metric in METRICS.values():
        assert metric(mixed) == pytest.approx(metric(scores), rel=1e-9, abs=1e-9)


@given(MATRICES)
def test_a_list_of_tasks_is_the_matrix(rows: list) -> None:
    scores = np.array(rows)
    for metric in METRICS.values():
        assert metric(list(scores.T)) == metric(scores)


def test_axes_that_look_swapped_give_a_warning_at_the_line_that_called() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(SwappedAxes, match=r"40 runs of 3 tasks. Pass scores.T if they are") as found:
        value = stats.iqm(scores)
    assert value == stats.iqm(list(scores.T))
    with pytest.warns(SwappedAxes, match="the axes of y look swapped") as more:
        estimate = stats.improvement(scores[:5], scores)
    assert estimate == stats.improvement(list(scores[:5].T), list(scores.T))
    assert {warning.filename for warning in [*found, *more]} == {__file__}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(5):
            stats.bootstrap(scores, ["iqm", "mean"])
    assert len(seen) == 1, "once a line, however often it is called"


def test_other_axes_give_no_warning() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 3))
    assert np.isfinite(stats.iqm(scores[:24]))
    assert np.isfinite(stats.iqm(scores[:, :1]))
