"""Plans foretell what the tests then do."""

import math

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


def test_power_of_the_median_is_that_of_its_own_test() -> None:
    """It divides by the deviation over permutations, to which a difference by task adds."""
    generator = np.random.default_rng(0)
    offsets = generator.normal(0.0, 1.0, size=5)
    x, y = (generator.normal(offsets * side, 1.0, size=(200, 5)) for side in (0.5, -0.5))
    y += 0.6 + np.median(x.mean(axis=0)) - np.median(y.mean(axis=0))
    (row,) = stats.plan({"x": list(x.T), "y": list(y.T)}, runs=[6], statistic="median")
    separated = 0
    for seed in range(100):
        drawn = np.random.default_rng(seed)
        scores = {
            name: side[drawn.integers(200, size=(6, 5)), np.arange(5)]
            for name, side in (("x", x), ("y", y))
        }
        (found,) = stats.compare(scores, statistic="median", permutations=300, repetitions=2)
        separated += found.decision != "not separated"
    assert separated / 100 == pytest.approx(row.power, abs=0.15)


def test_runs_needed_are_the_least_with_the_power() -> None:
    ((pair, needed),) = stats.runs_needed(PILOT, power=0.8).items()
    assert pair == ("x", "y")
    before, after = stats.plan(PILOT, runs=[needed.runs - 1, needed.runs])
    assert before.power < 0.8 <= after.power


def test_the_range_is_of_the_differences_that_the_pilot_allows() -> None:
    pilot = {"x": PILOT["x"], "y": list(Y.T + 0.5)}
    ((_, needed),) = stats.runs_needed(pilot).items()
    gap = stats.difference(pilot["x"], pilot["y"], "iqm", level=0.8)
    for end, runs in ((gap.low, needed.low), (gap.high, needed.high)):
        ((_, planned),) = stats.runs_needed(pilot, difference=-end).items()
        assert planned.low == planned.runs == planned.high
        assert planned.runs == pytest.approx(runs, rel=0.15)
    # The interval may hold 0: then there is no number that is enough.
    ((_, open_ended),) = stats.runs_needed(PILOT).items()
    assert open_ended.high is None
    assert open_ended.low < open_ended.runs


def test_a_given_difference_is_planned_for() -> None:
    ((_, half),) = stats.runs_needed(PILOT, difference=0.1).items()
    ((_, whole),) = stats.runs_needed(PILOT, difference=0.2).items()
    assert half.runs == pytest.approx(4 * whole.runs, rel=0.02)
    (row,) = stats.plan(PILOT, runs=[whole.runs], difference=0.2)
    assert row.power == pytest.approx(0.8, abs=0.02)


def test_never_fewer_than_three_runs() -> None:
    """Two runs a side on many tasks would do by their permutations."""
    generator = np.random.default_rng(0)
    apart = {
        name: generator.normal(shift, 0.1, size=(3, 10)) for name, shift in (("x", 0), ("y", 9))
    }
    assert set(stats.runs_needed(apart)["x", "y"]) == {3}


def test_no_huge_number_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths of thousands of runs on many tasks are not counted one by one."""

    def comb(n: int, k: int) -> int:
        assert n < 200, "a number with too many digits"
        return factorial_comb(n, k)

    factorial_comb = math.comb
    monkeypatch.setattr(math, "comb", comb)
    generator = np.random.default_rng(0)
    agents = {f"a{k}": generator.normal(k / 50, 0.3, size=(3, 26)) for k in range(20)}
    assert len(stats.runs_needed(agents)) == 190


def test_large_differences_are_found_with_any_number_of_runs() -> None:
    """The law of the t statistic is not a number there: once 102 runs were said to be needed."""
    for runs in (4, 20, 137, 10_000):
        for row in stats.plan(PILOT, runs=[runs], difference=9.0, statistic="mean"):
            assert row.power == pytest.approx(1.0)
    far = stats.runs_needed(PILOT, difference=9.0)["x", "y"]
    assert (far.low, far.high) == (3, 3)


def test_more_pairs_need_more_runs() -> None:
    two = stats.runs_needed(PILOT)["x", "y"].runs
    three = stats.runs_needed({**PILOT, "z": list(X.T)})["x", "y"].runs
    assert two < three


def test_agents_that_are_the_same_are_never_separated() -> None:
    needed = stats.runs_needed({"x": PILOT["x"], "y": PILOT["x"]})["x", "y"]
    assert (needed.runs, needed.high) == (None, None)


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_too_few_permutations_have_no_power(statistic: str) -> None:
    """On one task three runs a side have 20 splits; those of four are not enough for an IQM."""
    apart = {"x": [X[:, 0]], "y": [X[:, 0] + 99.0]}
    for row in stats.plan(apart, runs=[3, 4, 5], statistic=statistic):
        few = {agent: [scores[: row.runs] for scores in tasks] for agent, tasks in apart.items()}
        (found,) = stats.compare(few, statistic=statistic, repetitions=500)
        assert row.power == pytest.approx(float(found.p_value <= 0.05))


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_few_runs_of_one_task_cost_power(statistic: str) -> None:
    """There a normal test finds more than a permutation test of four or five runs can."""
    x = np.random.default_rng(3).normal(size=2_000)
    for row in stats.plan({"x": [x], "y": [x + 2.0]}, runs=[4, 5], statistic=statistic):
        separated = 0
        for seed in range(300):
            drawn = np.random.default_rng(seed).normal(size=(2, row.runs))
            pair = {"x": [drawn[0]], "y": [drawn[1] + 2.0]}
            (found,) = stats.compare(pair, statistic=statistic, repetitions=300)
            separated += found.decision == "smaller"
        assert separated / 300 == pytest.approx(row.power, abs=0.15)


def test_too_few_runs_for_a_decision_have_no_power() -> None:
    """With two runs a task `compare` says that there are too few, however far apart they are."""
    apart = {"x": list(X.T), "y": list(X.T + 99.0)}
    two, three = stats.plan(apart, runs=[2, 3])
    assert (two.power, three.power) == (0.0, pytest.approx(1.0))


def test_agents_that_do_not_vary_are_separated_if_they_differ() -> None:
    zeros, ones = [np.zeros(5)] * 3, [np.ones(5)] * 3
    assert [row.power for row in stats.plan({"x": zeros, "y": ones}, runs=[3, 9])] == [1.0, 1.0]
    assert [row.power for row in stats.plan({"x": zeros, "y": zeros}, runs=[3, 9])] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.plan({"x": X[:1], "y": Y[:1]}), "'x' has a task with one run"),
        (lambda: stats.plan(PILOT, runs=[]), "at least one run"),
        (lambda: stats.plan({"x": PILOT["x"]}), "at least two agents"),
        (lambda: stats.runs_needed(PILOT, power=1.0), "power"),
        (lambda: stats.runs_needed(PILOT, difference=-0.1), "-0.1 to plan for must be positive"),
    ],
)
def test_what_is_wrong_is_named(call, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        call()
