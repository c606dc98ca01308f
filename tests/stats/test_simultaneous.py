"""Intervals hold for all pairs together, and "better" needs both the test and the interval."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from rlbench import stats
from rlbench.stats.comparisons import MIN_RUNS, REACHING_0
from rlbench.stats.intervals import ONE_RUN
from rlbench.stats.simultaneous import BONFERRONI, METHOD, simultaneous_differences

Agents = dict[str, list[np.ndarray]]


def agents(*levels: float, runs: int = 5, tasks: int = 6, seed: int = 0) -> Agents:
    generator = np.random.default_rng(seed)
    return {
        f"x{k}": list(generator.normal(level, 1.0, size=(tasks, runs)))
        for k, level in enumerate(levels)
    }


def intervals(scores: Agents, statistic: str = "iqm", alpha: float = 0.05, **options: int) -> dict:
    pairs = list(combinations(scores, 2))
    found, sure = simultaneous_differences(scores, pairs, statistic, alpha=alpha, **options)
    return dict(zip(pairs, zip(found, sure, strict=True), strict=True))


def test_one_pair_has_a_symmetric_interval_by_hand() -> None:
    scores = agents(0.0, 1.0)
    ((gap, sure),) = intervals(scores, "mean", repetitions=50_000).values()
    x, y = (np.array(tasks) for tasks in scores.values())
    error = np.sqrt(sum((z.var(axis=1, ddof=1) / z.shape[1]).sum() for z in (x, y))) / len(x)
    assert gap.point == pytest.approx(x.mean() - y.mean())
    assert gap.point - gap.low == pytest.approx(gap.high - gap.point)
    assert gap.high - gap.point == pytest.approx(1.96 * error, rel=0.02)
    assert sure == (gap.high < 0)
    assert (gap.method, gap.level) == (METHOD, 0.95)


def test_more_pairs_have_wider_intervals() -> None:
    many = agents(*[0.0] * 6)
    two = {name: many[name] for name in ("x0", "x1")}
    wide, narrow = (intervals(scores)["x0", "x1"][0] for scores in (many, two))
    assert 1.2 < (wide.high - wide.low) / (narrow.high - narrow.low) < 1.7


def test_all_intervals_together_cover_as_often_as_they_say() -> None:
    generator = np.random.default_rng(1)
    levels = [0.0, 0.3, 0.3, 1.0]
    covered = 0
    for number in range(200):
        found = intervals(
            agents(*levels, runs=10, tasks=6, seed=int(generator.integers(2**32))), "mean",
            repetitions=400, seed=number,
        )  # fmt: skip
        truth = [x - y for x, y in combinations(levels, 2)]
        covered += all(
            gap.low <= t <= gap.high for (gap, _), t in zip(found.values(), truth, strict=True)
        )
    # Binomial: .95 of 200 within three standard errors; each for itself they cover in about .8.
    assert covered / 200 > 0.95 - 3 * (0.95 * 0.05 / 200) ** 0.5


def test_scores_of_0_and_1_have_their_own_intervals() -> None:
    generator = np.random.default_rng(0)
    scores = agents(0.0, 5.0)
    scores |= {f"b{k}": [(generator.random(5) < 0.5) * 1.0 for _ in range(6)] for k in range(2)}
    found = intervals(scores)
    assert found["b0", "b1"][0].method == BONFERRONI
    assert found["x0", "b0"][0].method == METHOD
    alone = stats.difference(scores["b0"], scores["b1"], "iqm", level=1 - 0.05 / 6)
    assert (found["b0", "b1"][0].low, found["b0", "b1"][0].high) == (alone.low, alone.high)


def test_if_all_scores_are_0_or_1_nothing_is_drawn() -> None:
    generator = np.random.default_rng(0)
    few, many = (list((generator.random((6, 9)) < share).astype(float)) for share in (0.1, 0.9))
    (found, is_sure), = intervals({"few": few, "many": many}, "mean").values()  # fmt: skip
    assert (found.method, found.repetitions, is_sure) == (BONFERRONI, 0, True)
    assert found == replace(
        stats.difference(few, many, "mean", level=0.95), method=BONFERRONI, level=0.95
    )


def test_one_run_of_a_task_has_no_interval_and_proves_nothing() -> None:
    scores = agents(0.0, 9.0, 9.1)
    scores["x0"][2] = scores["x0"][2][:1]
    found = intervals(scores)
    assert (found["x0", "x1"][0].method, found["x0", "x1"][1]) == (ONE_RUN, False)
    assert found["x1", "x2"][0].low is not None


def test_a_difference_that_the_interval_does_not_show_is_not_called_better() -> None:
    """The order of two agents is said only where the test and the interval agree."""
    seen = set()
    generator = np.random.default_rng(3)
    for number in range(60):
        shape = generator.choice([0.2, 1.0, 3.0], size=(2, 26, 1))
        scores = {
            name: list(generator.normal(0.2 * k, spread, size=(26, 4)))
            for k, (name, spread) in enumerate(zip("ab", shape, strict=True))
        }
        for runs in (2, 4):
            (found,) = stats.compare(
                {name: [task[:runs] for task in tasks] for name, tasks in scores.items()},
                permutations=500, repetitions=500, seed=number,
            )  # fmt: skip
            gap = found.difference
            seen.add(found.decision)
            assert (found.p_value <= 0.05) == (found.decision != "not separated")
            decided = found.decision in ("larger", "smaller")
            assert decided == (not gap.low <= 0 <= gap.high)
            if decided:
                assert runs >= MIN_RUNS
                assert found.decision == ("larger" if gap.point > 0 else "smaller")
            if gap.method.endswith(REACHING_0):
                assert 0.0 in (gap.low, gap.high)
    assert {"differ", "not separated"} < seen


def test_rank_sets_say_what_comparisons_say() -> None:
    scores = agents(0.0, 0.4, 0.8, 1.2, runs=5, tasks=10)
    compared = stats.compare(scores)
    decisions = [found.decision for found in compared]
    assert stats.ranks_of(scores, compared) == stats.rank_sets(scores)
    ranks = {row.agent: row for row in stats.rank_sets(scores)}
    worse = dict.fromkeys(scores, 0)
    for (a, b), decision in zip(combinations(scores, 2), decisions, strict=True):
        if decision != "not separated":
            worse[b if decision == "larger" else a] += 1
    assert {name: ranks[name].low for name in scores} == {n: 1 + k for n, k in worse.items()}
    assert len(set(decisions)) > 1
