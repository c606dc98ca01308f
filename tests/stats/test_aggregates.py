"""Point estimates equal hand-worked numbers and know no order."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench import stats
from rlbench.errors import InvalidScores, SwappedAxes
from rlbench.stats.aggregates import run_weights, weighted_trimmed_mean
from rlbench.stats.intervals import POINTS as METRICS

RAGGED = [[1.0, 3.0], [5.0], [0.0, 0.0, 6.0]]


def test_ragged_runs_by_hand() -> None:
    assert stats.mean(RAGGED) == pytest.approx((2 + 5 + 2) / 3)
    assert stats.median(RAGGED) == 2.0
    # The weights of a run are 1, 2 and 2/3, and 1 of 6 is trimmed at each end.
    assert stats.iqm(RAGGED) == pytest.approx((0 + 1 + 3 + 5 / 3 * 5) / 4)
    assert stats.optimality_gap(RAGGED, gamma=2.0) == pytest.approx(2 - (3 / 2 + 2 + 2 / 3) / 3)


@pytest.mark.parametrize("name", METRICS)
def test_more_runs_of_easy_tasks_make_no_agent_better(name: str) -> None:
    """A is better by .1 on every task; B has most of its runs where scores are high."""
    levels = np.linspace(0.0, 1.0, 26)
    many, few = (np.linspace(-0.02, 0.02, n) for n in (10, 3))
    a = [0.1 + level + (many if level < 0.5 else few) for level in levels]
    b = [level + (few if level < 0.5 else many) for level in levels]
    gap = METRICS[name](a) - METRICS[name](b)
    assert gap < -0.05 if name == "optimality_gap" else gap > 0.05


# The median of noisy task means is biased, and the bias depends on the numbers of runs.
@pytest.mark.parametrize("name", ["iqm", "mean", "optimality_gap"])
def test_agents_of_one_law_agree_whatever_the_numbers_of_runs(name: str) -> None:
    generator = np.random.default_rng(0)
    counts = [10] * 13 + [3] * 13
    levels = np.linspace(1.5, 0.0, 26)

    def agent(runs: list) -> list:
        return [generator.normal(m, 0.2, n) for m, n in zip(levels, runs, strict=True)]

    gaps = [METRICS[name](agent(counts)) - METRICS[name](agent(counts[::-1])) for _ in range(200)]
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / 200**0.5


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
def test_equal_numbers_of_runs_give_the_plain_definitions(rows: list) -> None:
    """To the last bit by the metrics, and up to rounding by the weights."""
    scores = np.array(rows)
    ordered = np.sort(scores, axis=None)
    n = len(ordered)
    plain = ordered[n // 4 : n - n // 4].mean()
    assert stats.iqm(scores) == plain
    assert stats.optimality_gap(scores) == 1 - np.minimum(scores.T.ravel(), 1).mean()
    weights = run_weights([len(scores)] * scores.shape[1])
    assert (weights == 1).all()
    weighted = weighted_trimmed_mean(scores.T.ravel(), weights, n // 4 / n)
    assert weighted == pytest.approx(plain, rel=1e-9, abs=1e-9)


@given(MATRICES, st.floats(0, 0.45), st.integers(2, 4))
def test_a_run_that_is_given_twice_counts_half(rows: list, cut: float, times: int) -> None:
    scores = [np.array(row) for row in rows]
    more = [np.repeat(scores[0], times), *scores[1:]]
    one, other = (
        weighted_trimmed_mean(np.concatenate(s), run_weights([len(task) for task in s]), cut)
        for s in (scores, more)
    )
    assert other == pytest.approx(one, rel=1e-9, abs=1e-6)


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
