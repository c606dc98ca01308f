"""Differences to a base: intervals that match the test."""

import numpy as np
import pytest

from rlbench.stats import adastop, drops
from rlbench.stats.comparisons import has_too_few_runs
from rlbench.stats.simultaneous import simultaneous_differences

PAIRS = [("full", "half"), ("full", "same")]


def made(seed: int, runs: int = 8, half: float = 3.0) -> dict[str, list[np.ndarray]]:
    """Return normal scores on two tasks; `half` is worse than `full`, `same` is not."""
    generator = np.random.default_rng(seed)
    means = {"full": half, "half": 0.0, "same": half}
    return {name: list(generator.normal(mean, 1, (2, runs))) for name, mean in means.items()}


def test_a_drop_is_the_agent_less_its_base_and_agrees_with_the_test() -> None:
    scores = made(3)
    result = adastop(scores, batch=4, max_batches=2, comparisons=PAIRS, statistic="mean")
    found = drops(scores, result, base="full", statistic="mean")
    assert list(found) == ["half", "same"]
    (gap, decision), (other, undecided) = found.values()
    assert result.decisions["full", "half"] == "larger"
    assert (decision, undecided) == ("smaller", "not separated")
    means = {name: np.mean(tasks) for name, tasks in scores.items()}
    assert gap.point == pytest.approx(means["half"] - means["full"])
    assert gap.low < gap.point < gap.high < 0
    assert other.low <= 0 <= other.high
    assert gap.level == other.level == 0.95


def test_intervals_hold_at_every_look() -> None:
    """Two looks share the level, so that each interval is that of half of it."""
    scores = made(1)
    result = adastop(scores, batch=4, max_batches=2, comparisons=PAIRS, statistic="mean")
    pairs = [(b, a) for a, b in PAIRS]
    (expected, _), _ = simultaneous_differences(scores, pairs, "mean", alpha=0.025)
    gap = drops(scores, result, base="full", statistic="mean")["half"].difference
    assert (gap.low, gap.high) == (expected.low, expected.high)


@pytest.mark.parametrize("half", [0.0, 0.6, 1.0, 1.5])
def test_no_interval_contradicts_a_decision(half: float) -> None:
    seen = set()
    for seed in range(20):
        scores = made(seed, half=half)
        result = adastop(scores, batch=8, max_batches=1, comparisons=PAIRS, statistic="mean")
        for agent, (gap, decision) in drops(
            scores, result, base="full", statistic="mean", repetitions=500
        ).items():
            misses = gap.low > 0 or gap.high < 0
            assert misses == (decision in ("larger", "smaller"))
            apart = result.decisions["full", agent] in ("larger", "smaller")
            assert apart == (decision != "not separated")
            seen.add(decision)
    assert "not separated" in seen


def test_two_runs_are_too_few_to_say_which_is_larger() -> None:
    scores = {"full": [np.array([9.0, 9.1])] * 4, "half": [np.array([1.0, 1.2])] * 4}
    assert has_too_few_runs(scores)
    result = adastop(scores, batch=2, max_batches=1, alpha=0.2)
    assert result.decisions["full", "half"] == "larger"
    gap, decision = drops(scores, result, base="full", statistic="mean", alpha=0.2)["half"]
    assert decision == "differ"
    assert gap.high is None or gap.high >= 0
