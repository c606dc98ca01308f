"""Rank sets say which ranks are possible, and tiers show the same in letters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench import stats
from rlbench.stats.ranks import MIN_RUNS, TOO_FEW_RUNS, tiers_of

GENERATOR = np.random.default_rng(0)


def agents(*shifts: float, runs: int = 5) -> dict[str, np.ndarray]:
    return {f"agent {s}": GENERATOR.normal(s, 1.0, size=(runs, 8)) for s in shifts}


def test_a_clear_order_has_one_rank_each() -> None:
    rows = stats.rank_sets(agents(0.0, 9.0, 18.0))
    assert [(r.agent, r.low, r.high, r.tier) for r in rows] == [
        ("agent 18.0", 1, 1, "a"), ("agent 9.0", 2, 2, "b"), ("agent 0.0", 3, 3, "c")
    ]  # fmt: skip
    assert "permutation" in rows[0].method
    assert "max-t" in rows[0].method


def test_agents_that_are_not_apart_share_ranks_and_letters() -> None:
    rows = stats.rank_sets(agents(0.0, 0.01, 9.0))
    assert [(r.low, r.high, r.tier) for r in rows] == [(1, 1, "a"), (2, 3, "b"), (2, 3, "b")]


def test_too_few_runs_have_no_set() -> None:
    rows = stats.rank_sets(agents(0.0, 9.0, runs=MIN_RUNS - 1))
    assert [(r.low, r.high, r.method) for r in rows] == [(None, None, TOO_FEW_RUNS)] * 2
    assert rows[0].point > rows[1].point


def test_numbers_of_runs_may_differ() -> None:
    scores = {**agents(0.0, runs=3), **agents(9.0, runs=10)}
    assert [(r.low, r.high) for r in stats.rank_sets(scores)] == [(1, 1), (2, 2)]


def test_nothing_varies() -> None:
    rows = stats.rank_sets({"a": np.ones((3, 2)), "b": np.ones((3, 2))})
    assert [(r.low, r.high, r.tier) for r in rows] == [(1, 2, "a"), (1, 2, "a")]


NAMES = "abcdef"
PAIRS = [(x, y) for k, x in enumerate(NAMES) for y in NAMES[k + 1 :]]


@given(st.sets(st.sampled_from(PAIRS)))
def test_letters_say_which_pairs_are_apart(apart: set) -> None:
    tiers = tiers_of(NAMES, apart)
    for x, y in PAIRS:
        assert ((x, y) in apart) == (not set(tiers[x]) & set(tiers[y])), (apart, tiers)
    assert all(tiers.values())


@pytest.mark.parametrize(
    ("apart", "tiers"),
    [
        (set(), "a a a a"),
        ({("a", "d")}, "a ab ab b"),
        ({("a", "c"), ("a", "d"), ("b", "d")}, "a ab bc c"),
    ],
)
def test_letters_by_hand(apart: set, tiers: str) -> None:
    assert list(tiers_of("abcd", apart).values()) == tiers.split()
