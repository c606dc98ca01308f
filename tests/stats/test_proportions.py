"""Scores that are 0 or 1: the intervals cover, and speak of what the success rate determines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from rlbench import stats
from rlbench.stats import bootstrap, difference, improvement
from rlbench.stats.proportions import METHOD, success_rate_ends


def runs_of(hits: int, runs: int) -> np.ndarray:
    return (np.arange(runs) < hits).astype(float)


@pytest.mark.parametrize("hits", [1, 2, 4])
def test_one_task_has_the_interval_of_clopper_and_pearson(hits: int) -> None:
    tasks = [runs_of(hits, 5)]
    exact = binomtest(hits, 5).proportion_ci(0.9, "exact")
    ends = pytest.approx((exact.low, exact.high))
    mean = bootstrap(tasks, "mean", level=0.9)
    assert (mean.low, mean.high) == ends
    assert (mean.method, mean.repetitions, mean.monte_carlo_error) == (METHOD, 0, 0.0)
    gap = bootstrap(tasks, "optimality_gap", level=0.9)
    assert (1 - gap.high, 1 - gap.low) == ends


@pytest.mark.parametrize("runs", [2, 3, 5, 8])
@pytest.mark.parametrize("statistic", ["mean", "iqm", "optimality_gap"])
def test_one_task_is_covered_at_every_rate(statistic: str, runs: int) -> None:
    """Summed over all outcomes that have an interval, exactly; the bootstrap covered .69."""
    found = {hits: bootstrap([runs_of(hits, runs)], statistic) for hits in range(1, runs)}
    for rate in np.linspace(0.02, 0.98, 49):
        truth = {"mean": rate, "iqm": min(max(2 * rate - 0.5, 0), 1), "optimality_gap": 1 - rate}
        chances = {hits: binom.pmf(hits, runs, rate) for hits in found}
        missed = sum(
            chance
            for hits, chance in chances.items()
            if not found[hits].low <= truth[statistic] <= found[hits].high
        )
        assert missed <= 0.05


def test_rates_that_differ_by_task_are_told_apart() -> None:
    """With 20 of 40 successes: less is uncertain where tasks differ, and never more."""
    pooled = binomtest(20, 40).proportion_ci(0.95, "exact")
    alike = success_rate_ends([runs_of(5, 10)] * 4, 0.95)
    apart = success_rate_ends([runs_of(h, 10) for h in (10, 9, 1, 0)], 0.95)
    assert alike == pytest.approx((pooled.low, pooled.high), abs=0.01)
    assert apart[1] - apart[0] < 0.6 * (alike[1] - alike[0])


def test_many_tasks_are_covered_whatever_their_numbers_of_runs() -> None:
    generator = np.random.default_rng(0)
    runs, rates = np.array([3, 10] * 5), np.linspace(0.05, 0.95, 10)
    inside = 0
    for _ in range(1000):
        tasks = [runs_of(h, n) for h, n in zip(generator.binomial(runs, rates), runs, strict=True)]
        low, high = success_rate_ends(tasks, 0.95)
        inside += low <= 0.5 <= high
    assert 0.93 <= inside / 1000 <= 0.99


HITS = st.lists(
    st.integers(2, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60)
@given(HITS, st.sampled_from(["mean", "iqm", "optimality_gap"]))
def test_the_interval_holds_the_point(hits: list, statistic: str) -> None:
    estimate = bootstrap([runs_of(h, n) for h, n in hits], statistic)
    if estimate.low is not None:
        assert (
            -1e-12 <= estimate.low - 1e-12 <= estimate.point <= estimate.high + 1e-12 <= 1 + 2e-12
        )


def test_pairs_of_agents() -> None:
    """All of one agent's runs succeed: its own rate is still not certain."""
    always, often = [runs_of(5, 5)], [runs_of(2, 5)]
    gap = difference(always, often, "mean")
    assert gap.point == pytest.approx(0.6)
    assert -0.2 < gap.low < 0.0 < gap.point < gap.high < 1.0
    chance = improvement(always, often)
    assert chance.point == stats.probability_of_improvement(always, often)
    assert (chance.low, chance.high) == pytest.approx((0.5 + gap.low / 2, 0.5 + gap.high / 2))
    assert gap.method == chance.method == METHOD


def test_what_the_rate_does_not_determine_is_drawn() -> None:
    tasks = [runs_of(h, 6) for h in (1, 3, 5)]
    found = bootstrap(tasks, ["mean", "median", "iqm"])
    assert found["median"].method == "stratified bootstrap, rao-wu"
    assert found["mean"].method == found["iqm"].method == METHOD
    assert (
        bootstrap(tasks, "mean", method="percentile").method == "stratified bootstrap, percentile"
    )
    assert "drawn too" in bootstrap(tasks, "mean", resample_tasks=True).method
    paired = difference(tasks, [1 - task for task in tasks], "mean", shared="levels")
    assert "paired" in paired.method


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_costs_of_0_and_1_have_the_same_intervals_with_the_other_sign(statistic: str) -> None:
    """However they are asked for: less is better where scores of 0 and 1 were multiplied by -1."""
    generator = np.random.default_rng(0)
    runs, rates = (4, 6, 5), (0.3, 0.6, 0.8)
    x, y = (
        [generator.binomial(1, rate + more, n) * 1.0 for n, rate in zip(runs, rates, strict=True)]
        for more in (0.0, 0.1)
    )
    cost_x, cost_y = ([0.0 - task for task in tasks] for tasks in (x, y))

    gains = [
        bootstrap(x, statistic),
        difference(x, y, statistic),
        stats.compare({"x": x, "y": y}, statistic=statistic)[0].difference,
        *(found.difference for found in stats.compare_with_constant({"x": x}, 0.4)),
    ]
    costs = [
        bootstrap(cost_x, statistic),
        difference(cost_x, cost_y, statistic),
        stats.compare({"x": cost_x, "y": cost_y}, statistic=statistic)[0].difference,
        *(found.difference for found in stats.compare_with_constant({"x": cost_x}, -0.4)),
    ]
    for gain, cost in zip(gains, costs, strict=True):
        assert METHOD in gain.method
        assert cost.method == gain.method
        assert (-cost.high, -cost.point, -cost.low) == pytest.approx(
            (gain.low, gain.point, gain.high)
        )
    chance, turned = improvement(x, y), improvement(cost_y, cost_x)
    assert (turned.low, turned.high) == pytest.approx((chance.low, chance.high))
    assert turned.method == chance.method == METHOD


def test_other_statistics_of_costs_of_0_and_1() -> None:
    tasks = [runs_of(2, 5), runs_of(3, 4)]
    costs = [0.0 - task for task in tasks]
    gap, mean = bootstrap(costs, "optimality_gap"), bootstrap(costs, "mean")
    assert (gap.low, gap.point, gap.high) == pytest.approx(
        (1 - mean.high, 1 - mean.point, 1 - mean.low)
    )
    (gain,) = stats.summarise_tasks({"x": {"t": tasks[0]}})
    (cost,) = stats.summarise_tasks({"x": {"t": costs[0]}})
    assert (-cost.high, -cost.low, cost.method) == (gain.low, gain.high, gain.method)
    # An agent of one sign beside one of the other is no pair of rates, but each has its interval.
    both = difference([runs_of(3, 6)], [0.0 - runs_of(3, 6)], "mean")
    assert both.method == METHOD
    assert both.low < 1.0 < both.high
    assert "bootstrap" in improvement([runs_of(3, 6)], [0.0 - runs_of(4, 6)]).method
