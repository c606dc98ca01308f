"""Futility: pairs that are given up once a difference that matters is ruled out."""

import numpy as np
import pytest

from rlbench.errors import InvalidScores, UsageError
from rlbench.stats import adastop
from rlbench.stats.futility import cost, is_ruled_out

GENERATOR = np.random.default_rng(5)
EQUAL = {name: GENERATOR.normal(size=(20, 3)) for name in "ab"}


def test_a_difference_is_ruled_out_beyond_its_error() -> None:
    # Student's t with 8 degrees of freedom: the .98 quantile is 2.449 (SPENDING .1, 5 looks).
    assert is_ruled_out(0.1, 1.0, 2.56, 8, 5)
    assert not is_ruled_out(0.1, 1.0, 2.54, 8, 5)
    assert is_ruled_out(-0.1, 1.0, 2.56, 8, 5)
    assert not is_ruled_out(0.0, 0.0, 1.0, 0, 5)  # one run each has no error


def test_equal_agents_are_given_up_and_only_by_futility() -> None:
    plain = adastop(EQUAL, batch=4, max_batches=5)
    assert plain.looks == (5, 5)
    futile = adastop(EQUAL, batch=4, max_batches=5, futility=1.5)
    assert futile.decisions == plain.decisions == {("a", "b"): "not separated"}
    assert futile.looks[0] < 5
    assert futile.runs == dict.fromkeys("ab", 4 * futile.looks[0])
    # What was seen and what it had to exceed are those of the comparison without.
    seen = futile.looks[0]
    assert futile.statistics["a", "b"] == plain.statistics["a", "b"][:seen]
    assert futile.boundaries == plain.boundaries[:seen]
    small = adastop(EQUAL, batch=4, max_batches=5, futility=1e-6)
    assert small == plain


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_agents_far_apart_are_never_given_up(statistic: str) -> None:
    scores = {"a": EQUAL["a"], "b": EQUAL["b"] + 3.0}
    found = adastop(scores, batch=4, max_batches=5, futility=1.0, statistic=statistic)
    assert found.decisions == {("a", "b"): "smaller"}


def test_a_pair_that_is_given_up_goes_on_to_count() -> None:
    """Boundaries would fall without it, and the level with them."""
    generator = np.random.default_rng(0)
    scores = {"a": generator.normal(size=20), "b": generator.normal(size=20)}
    scores["c"] = scores["a"] + 1e-3 * generator.normal(size=20)
    alone = [("a", "b")]
    both = [("a", "b"), ("a", "c")]
    given_up = adastop(scores, batch=5, max_batches=4, futility=0.9, comparisons=both)
    assert given_up.decisions["a", "c"] == "not separated"
    assert len(given_up.statistics["a", "c"]) < len(given_up.statistics["a", "b"])
    for of_both, of_one in zip(
        given_up.boundaries,
        adastop(scores, batch=5, max_batches=4, comparisons=alone).boundaries,
        strict=False,
    ):
        assert of_both >= of_one


@pytest.mark.parametrize("looks", [2, 3, 5, 8])
def test_at_most_a_twentieth_of_power_is_lost_whatever_it_is(looks: int) -> None:
    of = [cost(looks, power=power) for power in (0.3, 0.6, 0.8, 0.9, 0.97, 0.99)]
    assert max(one.lost for one in of) < 0.05
    assert [one.saved for one in of] == sorted(one.saved for one in of)
    assert of[-1].saved > 0.4
    for one, power in zip(of, (0.3, 0.6, 0.8, 0.9, 0.97, 0.99), strict=True):
        assert one.power == pytest.approx(power, abs=1e-3)


def test_what_does_not_fit_is_refused() -> None:
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidScores, match="futility"):
            adastop(EQUAL, batch=4, max_batches=5, futility=wrong)
    with pytest.raises(UsageError, match="standard errors"):
        adastop(EQUAL, batch=4, max_batches=5, futility=1.0, rule="published")
    with pytest.raises(InvalidScores, match="looks"):
        cost(0)
