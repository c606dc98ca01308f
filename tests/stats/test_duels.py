"""Duels: bets on common start states, which hold whenever one looks."""

import numpy as np
import pytest

from rlbench.errors import InvalidScores
from rlbench.stats import duel
from rlbench.stats.duels import fortunes

PAIR = ("a", "b")


def first_decision(values: np.ndarray, alpha: float) -> str:
    """Return what is decided first by someone who looks after every start state."""
    found = [duel({PAIR: values[:k]}, alpha=alpha) for k in range(1, len(values) + 1)]
    return next((r.decisions[PAIR] for r in found if r.decisions[PAIR] != "undecided"), "undecided")


def test_the_p_value_is_that_of_the_bets() -> None:
    # Of 1 + l d, l = .05, .15, ..., .95, after d = 1, 1: the mean of (1 + l)^2 is 2.3325.
    assert duel({PAIR: [1.0, 1.0]}).p_values[PAIR] == pytest.approx(2 / 2.3325)
    # It only falls: what was won once counts.
    later = duel({PAIR: [1.0, 1.0, -1.0, -1.0]})
    assert later.p_values[PAIR] == pytest.approx(2 / 2.3325)
    assert later.differences[PAIR] == 0.0


def test_swapped_policies_have_swapped_decisions() -> None:
    values = np.random.default_rng(0).uniform(-0.5, 1.0, 100)
    there, back = duel({PAIR: values}), duel({("b", "a"): -values})
    assert there.decisions[PAIR] == "better"
    assert back.decisions["b", "a"] == "worse"
    assert there.p_values[PAIR] == back.p_values["b", "a"]
    assert there.undecided_policies == ()


def test_looking_after_every_start_errs_at_most_as_often_as_the_level_says() -> None:
    """Equal policies whose differences are skewed, so that most starts are won by one of them."""
    generator, alpha, simulations = np.random.default_rng(1), 0.2, 200
    wrong = 0
    for _ in range(simulations):
        skewed = np.where(generator.random(60) < 0.8, 0.25, -1.0)
        wrong += first_decision(skewed, alpha) != "undecided"
    assert wrong <= simulations * alpha
    assert wrong > 0


def test_fortunes_say_when_somebody_who_looks_always_would_decide() -> None:
    """benchmarks/duels.py counts by them, and `duel` decides by all differences so far."""
    generator = np.random.default_rng(5)
    seen = set()
    for shift in (-0.4, 0.0, 0.2, 0.5) * 3:
        values = np.clip(generator.normal(shift, 0.6, 60), -1, 1)
        won = fortunes(values) >= 2 / 0.2
        assert won.shape == (2, 60)
        looks = [duel({PAIR: values[:k]}, alpha=0.2).decisions[PAIR] for k in range(1, 61)]
        decided = [look != "undecided" for look in looks]
        assert decided == np.logical_or.accumulate(won.any(axis=0)).tolist()
        if any(decided):
            first = decided.index(True)
            assert looks[first] == ("better" if won[0, first] else "worse")
        seen.add(looks[-1])
    assert seen == {"better", "worse", "undecided"}


def test_more_pairs_need_more() -> None:
    values = np.ones(8)
    assert duel({PAIR: values}).decisions[PAIR] == "better"
    others = {("a", str(k)): np.array([0.0]) for k in range(40)}
    found = duel({PAIR: values, **others})
    assert found.decisions[PAIR] == "undecided"
    assert found.undecided_policies[:2] == ("a", "b")


@pytest.mark.parametrize("values", [[], [1.1], [np.nan], [[0.5]]])
def test_differences_must_be_bounded(values: list[float]) -> None:
    with pytest.raises(InvalidScores, match=r"in \[-1, 1\]"):
        duel({PAIR: values})


def test_no_pair_and_no_level_are_refused() -> None:
    for bad in (duel, lambda _: duel({PAIR: [1.0]}, alpha=1.0)):
        with pytest.raises(InvalidScores, match="alpha"):
            bad({})
