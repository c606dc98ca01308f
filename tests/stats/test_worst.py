"""Rates of mastery over the worst levels, against plain sums and the exact distribution."""

from itertools import product

import numpy as np
import pytest

from rlbench.errors import InvalidScores
from rlbench.stats import solved_by_some, worst_levels

RUNS = np.array([[1, 1, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 0]], dtype=bool)
COUNTED = np.array([True, True, True, False, True])  # rates 1, 1/3, 1/3, 2/3


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.25, 1 / 3), (0.5, 1 / 3), (0.75, 4 / 9), (1.0, 7 / 12), (0.625, (2 / 3 + 1 / 3) / 2.5)],
)
def test_the_mean_is_over_the_least_rates_that_count(share: float, expected: float) -> None:
    found = worst_levels([RUNS], [COUNTED], [share])
    assert found.point[0] == pytest.approx(expected)


def test_levels_of_all_tasks_are_taken_together() -> None:
    one = worst_levels([RUNS[:, :2], RUNS[:, 2:]], [COUNTED[:2], COUNTED[2:]], [0.3, 1.0])
    np.testing.assert_allclose(one.point, worst_levels([RUNS], [COUNTED], [0.3, 1.0]).point)


def test_the_interval_is_of_draws_of_whole_runs() -> None:
    found = worst_levels([RUNS], [COUNTED], [0.5, 1.0], repetitions=40_000)
    # All 9 draws of 2 of the 3 runs, each as likely.
    rates = [RUNS[list(drawn)][:, COUNTED].mean(0) for drawn in product(range(3), repeat=2)]
    exact = np.array([[np.sort(r)[:2].mean(), r.mean()] for r in rates])
    assert found.low is not None
    assert found.high is not None
    for k in range(2):
        # The ends are at 2.5 and 97.5% of 9 equal masses: the least and the greatest.
        assert found.low[k] == pytest.approx(exact[:, k].min())
        assert found.high[k] == pytest.approx(exact[:, k].max())
    again = worst_levels([RUNS], [COUNTED], [0.5, 1.0], repetitions=40_000)
    np.testing.assert_array_equal(found.low, again.low)


def test_no_interval_without_spread() -> None:
    single = worst_levels([RUNS[:1]], [COUNTED], [0.5])
    assert (single.low, single.method) == (None, "none: a task has only one run")
    alike = worst_levels([RUNS[[0, 0]]], [COUNTED], [0.5])
    assert (alike.low, alike.repetitions) == (None, 0)
    assert alike.method == "none: on every task all runs are equal"


def test_levels_that_some_run_of_some_agent_masters() -> None:
    found = solved_by_some({"a": [RUNS[:1], RUNS], "b": [RUNS[1:], RUNS]})
    assert [levels.tolist() for levels in found] == [[True, True, True, False, True]] * 2
    with pytest.raises(InvalidScores, match="not tested on the same levels"):
        solved_by_some({"a": [RUNS], "b": [RUNS[:, 1:]]})


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_what_cannot_be_is_said(share: float) -> None:
    with pytest.raises(InvalidScores, match="above 0 and at most 1"):
        worst_levels([RUNS], [COUNTED], [share])
    with pytest.raises(InvalidScores, match="no level counts"):
        worst_levels([RUNS], [~COUNTED & False], [0.5])
    with pytest.raises(InvalidScores, match="a task has no run"):
        worst_levels([RUNS[:0]], [COUNTED], [0.5])
