"""Friedman's test: exact against brute force, and other ways against the exact one."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import binomtest, friedmanchisquare, rankdata

from rlbench import stats
from rlbench.errors import InvalidScores
from rlbench.stats import task_ranks
from rlbench.stats.task_ranks import BY_F, DRAWN, EXACT, drawn_p_value, exact_p_value

GENERATOR = np.random.default_rng(0)


def agents_of(means: np.ndarray) -> dict[str, np.ndarray]:
    """Return agents with one run a task, from (agents, tasks)."""
    return {f"agent {k}": row[None] for k, row in enumerate(means)}


def doubled_ranks(means: np.ndarray) -> np.ndarray:
    return np.rint(2 * rankdata(-means, axis=0)).astype(np.int64)


def brute_force(means: np.ndarray) -> float:
    """Count all orders of the agents on all tasks; scipy computes the statistic."""
    ranks = rankdata(-means, axis=0)
    sums = [sum(orders) for orders in product(*(map(np.array, permutations(t)) for t in ranks.T))]
    spread = [float((each**2).sum()) for each in sums]
    return float(np.mean(np.array(spread) >= float((ranks.sum(axis=1) ** 2).sum()) - 1e-9))


def test_a_consistent_order_of_two_agents_on_two_tasks_has_p_of_one_half() -> None:
    found = stats.friedman(agents_of(np.array([[2.0, 2.0], [1.0, 1.0]])))
    assert (found.p_value, found.method) == (0.5, EXACT)


def test_a_consistent_order_of_three_agents() -> None:
    """All ten tasks in the order of the first, whichever that is."""
    found = stats.friedman(agents_of(np.repeat([[0.0], [1.0], [2.0]], 10, axis=1)))
    assert dict(found.mean_ranks) == {"agent 0": 3.0, "agent 1": 2.0, "agent 2": 1.0}
    assert found.p_value == pytest.approx(6.0**-9)


@pytest.mark.parametrize(("agents", "tasks"), [(2, 6), (3, 2), (3, 4), (4, 3)])
@pytest.mark.parametrize("ties", [False, True])
def test_the_exact_law_is_that_of_brute_force(agents: int, tasks: int, ties: bool) -> None:
    for _ in range(3):
        means = GENERATOR.normal(size=(agents, tasks)) + np.arange(agents)[:, None] / 2
        means = np.round(means) if ties else means
        found = stats.friedman(agents_of(means))
        assert found.p_value == pytest.approx(brute_force(means), rel=1e-12)
        assert found.method == EXACT


def test_two_agents_are_compared_by_the_sign_test_of_scipy() -> None:
    for wins in (3, 9, 14):
        means = np.stack([np.r_[np.ones(wins), np.zeros(17 - wins)], np.full(17, 0.5)])
        expected = binomtest(wins, 17).pvalue
        assert stats.friedman(agents_of(means)).p_value == pytest.approx(expected)


def test_the_statistic_is_that_of_scipy() -> None:
    scores = {name: np.round(GENERATOR.normal(size=(2, 9))) for name in "abcd"}
    found = stats.friedman(scores)
    expected = friedmanchisquare(*(runs.mean(axis=0) for runs in scores.values()))
    assert found.statistic == pytest.approx(expected.statistic)
    assert sum(found.mean_ranks.values()) == pytest.approx(4 * 2.5)
    # Table 5 of Demsar (2006): q = 2.569 for four agents at .05.
    assert found.critical_difference == pytest.approx(2.569 * (4 * 5 / 54) ** 0.5, rel=1e-3)


def test_drawn_ranks_agree_with_the_exact_law() -> None:
    """Within five standard errors of 20,000 draws; the seed is honoured."""
    doubled = doubled_ranks(np.round(GENERATOR.normal(size=(4, 10)) + np.arange(4)[:, None] / 3, 1))
    exact = exact_p_value(doubled)
    assert exact is not None
    assert 0.001 < exact < 0.5
    drawn = drawn_p_value(doubled, 20_000, seed=1)
    assert drawn == pytest.approx(exact, abs=5 * (exact / 20_000) ** 0.5)
    assert drawn == drawn_p_value(doubled, 20_000, seed=1) != drawn_p_value(doubled, 20_000, seed=2)


def test_more_agents_are_drawn_and_the_least_p_value_is_one_draw() -> None:
    means = np.repeat(np.arange(9.0)[:, None], 5, axis=1)
    found = stats.friedman(agents_of(means), permutations=500)
    assert (found.p_value, found.method) == (1 / 500, DRAWN.format(500))


def test_large_tables_use_the_f_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    means = GENERATOR.normal(size=(6, 30)) + np.arange(6)[:, None] / 12
    drawn = stats.friedman(agents_of(means))
    monkeypatch.setattr(task_ranks, "MOST_RANKS", 1000)
    found = stats.friedman(agents_of(means))
    assert (drawn.method, found.method) == (DRAWN.format(10_000), BY_F)
    assert found.p_value == pytest.approx(drawn.p_value, abs=0.02)
    # Tasks on which all agents tie say nothing, and are not counted as many tasks.
    tied = np.concatenate([means[:, :5], np.zeros((6, 30))], axis=1)
    assert stats.friedman(agents_of(tied)).method == DRAWN.format(10_000)
    alone = stats.friedman(agents_of(means[:, :5]))
    assert stats.friedman(agents_of(tied)).p_value == alone.p_value


def test_agents_that_tie_everywhere_are_not_told_apart() -> None:
    """Also when their runs come in another order, whose mean is rounded differently."""
    runs = np.array([0.1, 0.2, 0.3])
    assert runs.mean() != runs[::-1].mean()
    found = stats.friedman({"a": [runs] * 6, "b": [runs[::-1]] * 6})
    assert (found.p_value, found.statistic) == (1.0, 0.0)


def test_sums_of_ranks_that_no_integer_holds_are_drawn() -> None:
    scores = np.random.default_rng(0).normal(size=(8, 15)) + np.arange(8)[:, None] / 9
    found = stats.friedman(agents_of(scores), permutations=2000)
    assert found.method == DRAWN.format(2000)
    expected = friedmanchisquare(*scores)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.03)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(InvalidScores, match="at least two tasks"):
        stats.friedman(agents_of(np.zeros((2, 1))))
    with pytest.raises(InvalidScores, match="2 permutations"):
        stats.friedman(agents_of(np.zeros((2, 2))), permutations=1)
