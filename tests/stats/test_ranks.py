"""Rank sets say which ranks are possible, and tiers show the same in letters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlbench import stats
from rlbench.stats.comparisons import MIN_RUNS
from rlbench.stats.permutation import pairs_of
from rlbench.stats.ranks import TOO_FEW_RUNS, tiers_of
from rlbench.stats.simultaneous import max_t

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


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_agents_without_variance_do_not_spoil_the_sets(statistic: str) -> None:
    """Rounding over rounding was the critical value of all: every set was 1 to 3."""
    c = np.random.default_rng(0).normal(5.0, 0.15, size=(3, 4))
    scores = {"A": np.full((3, 4), 0.1), "B": np.full((3, 4), 0.3), "C": c}
    ranks = {row.agent: (row.low, row.high) for row in stats.rank_sets(scores, statistic=statistic)}
    assert ranks == {"C": (1, 1), "B": (2, 2), "A": (3, 3)}


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([0.1, 0.3, 0.7, 1e6, -2.3]), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_agents_without_variance_cost_no_more_than_one(constants: list, seed: int) -> None:
    """All of them vary about others alike, so many of them widen the others' sets as one does."""
    generator = np.random.default_rng(seed)
    shifts = generator.choice([0.0, 0.5, 1.0], size=4)
    others = {f"x{k}": list(generator.normal(s, 0.5, size=(4, 6))) for k, s in enumerate(shifts)}
    pairs = set(pairs_of(list(others), None))

    def apart(added: list[float]) -> set:
        agents = {k: list(v) for k, v in others.items()}
        agents |= {f"z{k}": list(np.full((6, 4), value)) for k, value in enumerate(added)}
        every = pairs_of(list(agents), None)
        sure = max_t(agents, every, "iqm", alpha=0.05, repetitions=300).sure
        found = {pair for pair, apart in zip(every, sure, strict=True) if apart}
        levels = {k: v for k, v in zip(agents, [None] * 4 + added, strict=True) if v is not None}
        for a, b in pairs_of(list(levels), None) if len(levels) > 1 else []:
            assert ((a, b) in found) == (levels[a] != levels[b])
        return found & pairs

    assert apart(constants) == apart(constants[:1])


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
