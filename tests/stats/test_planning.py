"""Plans foretell what the tests then do."""

import numpy as np
import pytest

from rlbench import stats
from rlbench.errors import InvalidScores

GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.normal(0.0, 1.0, size=(40, 4)), GENERATOR.normal(0.35, 1.0, size=(40, 4))
PILOT = {"x": list(X.T), "y": list(Y.T)}


def test_power_is_about_what_the_test_has() -> None:
    """Data sets are drawn from the pilot itself, whose difference the plan takes for true."""
    for row in stats.plan(PILOT, runs=[5, 15], statistic="mean"):
        separated = 0
        for seed in range(150):
            generator = np.random.default_rng(seed)
            drawn = [
                side[generator.integers(40, size=(row.runs, 4)), np.arange(4)] for side in (X, Y)
            ]
            (found,) = stats.compare(
                {"x": drawn[0], "y": drawn[1]}, statistic="mean", permutations=400, repetitions=2
            )
            separated += found.decision != "not separated"
        assert separated / 150 == pytest.approx(row.power, abs=0.12)


def test_width_is_about_what_the_interval_has() -> None:
    (row,) = stats.plan(PILOT, runs=[40])
    interval = stats.difference(PILOT["x"], PILOT["y"], "iqm")
    assert row.width == pytest.approx(interval.high - interval.low, rel=0.1)
    narrow, wide = (row.width for row in stats.plan(PILOT, runs=[80, 20]))
    assert wide == pytest.approx(2 * narrow)


def test_runs_needed_are_the_least_with_the_power() -> None:
    ((pair, needed),) = stats.runs_needed(PILOT, power=0.8).items()
    assert pair == ("x", "y")
    before, after = stats.plan(PILOT, runs=[needed - 1, needed])
    assert before.power < 0.8 <= after.power


def test_more_pairs_need_more_runs() -> None:
    two = stats.runs_needed(PILOT)["x", "y"]
    three = stats.runs_needed({**PILOT, "z": list(X.T)})["x", "y"]
    assert two < three


def test_agents_that_are_the_same_are_never_separated() -> None:
    assert stats.runs_needed({"x": PILOT["x"], "y": PILOT["x"]}) == {("x", "y"): None}


def test_too_few_permutations_have_no_power() -> None:
    """On one task three runs a side have 20 splits: no p-value is below .1."""
    apart = {"x": [X[:, 0]], "y": [X[:, 0] + 99.0]}
    three, four = stats.plan(apart, runs=[3, 4])
    assert (three.power, four.power) == (0.0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.plan({"x": X[:1], "y": Y[:1]}), "'x' has a task with one run"),
        (lambda: stats.plan(PILOT, runs=[]), "at least one run"),
        (lambda: stats.plan({"x": PILOT["x"]}), "at least two agents"),
        (lambda: stats.runs_needed(PILOT, power=1.0), "power"),
    ],
)
def test_what_is_wrong_is_named(call, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        call()
