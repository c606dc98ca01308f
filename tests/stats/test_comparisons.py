"""Comparisons at a fixed number of runs: exact where that can be counted, of the right level."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import permutation_test

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.comparisons import HOLM, MAX_T, holm, p_values_of, step_down
from rlbench.stats.permutation import (
    all_masks,
    differences_of,
    identity_of,
    joint_statistics,
    number_of_paths,
    permuted_statistics,
    random_masks,
    studentised,
)

GENERATOR = np.random.default_rng(0)
A, B, C = (GENERATOR.normal(shift, 1.0, size=(5, 4)) for shift in (0.0, 0.2, 2.0))


def test_one_task_is_the_permutation_test_of_scipy() -> None:
    x, y = A[:, :1], C[:4, :1]
    (found,) = stats.compare({"x": x, "y": y}, statistic="mean", adjustment="holm")
    expected = permutation_test(
        (x[:, 0], y[:, 0]), lambda a, b: a.mean() - b.mean(), n_resamples=np.inf
    )
    # Differences of parts of unequal size are not symmetric, where scipy doubles a tail.
    pooled = np.concatenate([x[:, 0], y[:, 0]])
    gaps = [pooled[list(i)].mean() - np.delete(pooled, i).mean() for i in combinations(range(9), 5)]
    exact = np.mean(np.abs(gaps) >= abs(x.mean() - y.mean()) - 1e-12)
    assert found.p_value == pytest.approx(exact)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)


def weighted_iqm(tasks: list[np.ndarray]) -> tuple[float, float, float]:
    """Return the IQM with tasks of the same weight, and where it trims, run by run."""
    total = sum(len(task) for task in tasks)
    cut = total // 4 / total
    runs = sorted((x, 1 / len(task) / len(tasks)) for task in tasks for x in task)
    upper = np.cumsum([weight for _, weight in runs])
    scores, weights = np.array(runs).T
    shares = np.clip(upper, cut, 1 - cut) - np.clip(upper - weights, cut, 1 - cut)
    low = scores[upper > cut + 1e-9][0]
    high = scores[upper - weights < 1 - cut - 1e-9][-1]
    return float(shares @ scores / (1 - 2 * cut)), low, high


def point_and_variance(tasks: list[np.ndarray], statistic: str) -> tuple[float, float]:
    """Return a statistic and the variance that it is studentised by, from the definitions."""
    if statistic == "iqm":
        total = sum(len(task) for task in tasks)
        point, low, high = weighted_iqm(tasks)
        tasks, kept = [np.clip(task, low, high) for task in tasks], 1 - 2 * (total // 4) / total
    else:
        point, kept = getattr(stats, statistic)(tasks), 1.0
    variances = [x.var(ddof=1) / len(x) for x in tasks if len(x) > 1]
    return point, sum(variances) / len(tasks) ** 2 / kept**2


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
@pytest.mark.parametrize("sizes", [[(2, 3), (3, 2), (2, 2)], [(2, 1), (1, 2), (2, 2)]])
def test_permuted_statistics_by_hand(statistic: str, sizes: list) -> None:
    """The statistic of each split, studentised, from the definitions; tasks weigh the same."""
    (masks,) = all_masks(sizes)
    assert len(masks) == number_of_paths(sizes)
    assert len(np.unique(masks, axis=0)) == len(masks)
    assert (masks[0] == identity_of(sizes)).all()
    runs = masks.shape[1]
    pooled = np.stack([GENERATOR.normal(size=runs), GENERATOR.integers(0, 3, size=runs)])
    ends = np.cumsum([n + m for n, m in sizes])[:-1]
    gaps, errors = np.empty((2, len(masks), 2))
    for p, mask in enumerate(masks):
        for pair, scores in enumerate(pooled):
            tasks, kept = np.split(scores, ends), np.split(mask, ends)
            sides = [
                [task[keep == side] for task, keep in zip(tasks, kept, strict=True)]
                for side in (True, False)
            ]
            one, two = (point_and_variance(side, statistic) for side in sides)
            gaps[p, pair] = one[0] - two[0]
            errors[p, pair] = (one[1] + two[1]) ** 0.5
            if all((x == x[0]).all() for side in sides for x in side):
                errors[p, pair] = -1.0  # no variance at all
    np.testing.assert_allclose(differences_of(masks, pooled, sizes, statistic), gaps, atol=1e-12)
    if statistic == "median" or min(min(size) for size in sizes) == 1:
        errors = np.tile(gaps.std(axis=0), (len(masks), 1))
    else:
        errors = np.where(errors < 0, 0.0, np.maximum(errors, 0.1 * gaps.std(axis=0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(np.abs(gaps) < 1e-12, 0.0, gaps / errors)
    found = permuted_statistics(pooled, sizes, statistic, 10_000, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_on_one_task_the_median_is_the_mean_in_the_test_too() -> None:
    """The median over tasks of the means, as it is shown: not the median of the runs."""
    high = np.array([0.0, 0.1, 0.2, 0.3, 50.0, 60.0, 70.0])  # but the median run is the lower one
    low = np.array([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6])
    (masks,) = all_masks([(7, 7)])
    pooled = np.concatenate([high, low])[None]
    medians, means = (differences_of(masks, pooled, [(7, 7)], s) for s in ("median", "mean"))
    np.testing.assert_allclose(medians, means, atol=1e-9)
    blocks = {"high": high[None, None], "low": low[None, None]}
    together = joint_statistics(blocks, [("high", "low")], "median", 50, 7)
    assert together[0, 0, 0] > 0


def test_p_value_is_the_share_of_splits_as_extreme() -> None:
    """Of 3 runs a side on 2 tasks, 400 splits, by the definition of Welch's statistic."""
    x, y = GENERATOR.normal(size=(2, 3, 2))
    y += [1.0, 0.3]
    (found,) = stats.compare({"x": x, "y": y}, statistic="mean")

    def welch(a: np.ndarray, b: np.ndarray) -> float:
        error = ((a.var(axis=0, ddof=1) + b.var(axis=0, ddof=1)).sum() / 3) ** 0.5 / 2
        return abs(a.mean() - b.mean()) / error

    pooled = np.concatenate([x, y])
    sides = [(list(i), [k for k in range(6) if k not in i]) for i in combinations(range(6), 3)]
    values = [
        welch(
            np.stack([pooled[i, 0], pooled[j, 1]], axis=1),
            np.stack([pooled[k, 0], pooled[m, 1]], axis=1),
        )
        for i, k in sides
        for j, m in sides
    ]
    assert found.p_value == pytest.approx(np.mean(np.array(values) >= welch(x, y) - 1e-9))


def test_a_difference_that_varies_by_task_is_found() -> None:
    """The raw difference is not: agents that differ by task inflate its null variance."""
    generator = np.random.default_rng(6)
    tasks = generator.normal(0.0, 0.8, size=(2, 26))
    tasks -= tasks.mean(axis=1, keepdims=True)
    x, y = (
        centre + shift + generator.normal(0.0, 0.2, size=(5, 26))
        for centre, shift in zip(tasks, (0.0, 0.07), strict=True)
    )
    (found,) = stats.compare({"x": x, "y": y}, statistic="mean")
    assert found.decision == "smaller"
    sizes = [(5, 5)] * 26
    pooled = np.concatenate([x, y]).T.reshape(1, -1)
    masks = random_masks(sizes, 1, 0, 2_000)
    gaps = np.abs(differences_of(masks, pooled, sizes, "mean"))
    assert (gaps >= gaps[0]).mean() > 0.05


def test_a_standard_error_of_zero_has_one_rule() -> None:
    gaps = np.array([0.0, 1e-17, 0.2, -0.2, 0.2])
    errors = np.array([0.0, 1e-18, 0.0, 1e-17, 0.1])
    assert studentised(gaps, errors, 0.5).tolist() == [0.0, 0.0, np.inf, -np.inf, 2.0]


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
@pytest.mark.parametrize("adjustment", ["max-t", "holm"])
def test_agents_without_variance_are_equal_or_different(statistic: str, adjustment: str) -> None:
    scores = {
        "a": np.full((3, 4), 0.1), "b": np.full((3, 4), 0.3), "c": np.full((3, 4), 0.1),
        "d": GENERATOR.normal(5.0, 0.1, size=(3, 4)),
    }  # fmt: skip
    found = stats.compare(scores, statistic=statistic, adjustment=adjustment)
    assert {(c.a, c.b): c.decision for c in found} == {
        ("a", "b"): "smaller", ("a", "c"): "not separated", ("a", "d"): "smaller",
        ("b", "c"): "larger", ("b", "d"): "smaller", ("c", "d"): "smaller",
    }  # fmt: skip


def test_small_scores_count_beside_large_ones() -> None:
    """What is rounding to one pair is a difference to another."""
    small, large = GENERATOR.normal(size=(2, 5, 4))
    scores = {"a": small * 1e-6, "b": (small + 9) * 1e-6, "c": large + 1e9}
    for statistic in ("mean", "iqm", "median"):
        assert stats.compare(scores, statistic=statistic)[0].decision == "smaller"


def test_random_splits_are_all_as_likely() -> None:
    sizes = [(2, 2), (1, 2), (2, 2)]
    masks = random_masks(sizes, 5, 1, 60_001)
    for begin, end, splits in ((0, 4, 6), (4, 7, 3), (7, 11, 6)):
        codes = masks[:, begin:end] @ (1 << np.arange(end - begin))
        counts = np.unique(codes, return_counts=True)[1]
        assert len(counts) == splits
        assert np.abs(counts / 60_000 - 1 / splits).max() < 0.01
    together = masks[:, :4] @ (1 << np.arange(4)) * 16 + masks[:, 7:] @ (1 << np.arange(4))
    assert np.unique(together, return_counts=True)[1].min() > 60_000 / 36 * 0.9


def test_agents_that_differ_are_separated_and_others_are_not() -> None:
    found = {(c.a, c.b): c for c in stats.compare({"a": A, "b": B, "c": C})}
    assert found["a", "c"].decision == "smaller"
    assert found["b", "c"].decision == "smaller"
    assert found["a", "b"].decision == "not separated"
    assert {c.test for c in found.values()} == {MAX_T}
    one = found["a", "c"]
    assert one.difference.point == stats.difference(A, C, "iqm").point
    assert one.difference.low < one.difference.point < one.difference.high < 0
    assert one.improvement == stats.improvement(A, C)
    assert one.cliffs_delta == pytest.approx(2 * one.improvement.point - 1)


def test_numbers_of_runs_may_differ() -> None:
    (found,) = stats.compare({"few": A[:3], "many": np.concatenate([C, C + 0.1])})
    assert (found.decision, found.test) == ("smaller", HOLM)
    with pytest.raises(InvalidScores, match="max-t needs the same number"):
        stats.compare({"few": A[:3], "many": C}, adjustment="max-t")


def test_the_adjusted_level_holds_over_all_pairs() -> None:
    """Four agents of one law: any pair is separated in at most about alpha of the data."""
    generator = np.random.default_rng(1)
    errors = {"max-t": 0, "holm": 0}
    pairs = list(combinations("abcd", 2))
    for seed in range(300):
        agents = {name: list(generator.gamma(1.0, size=(6, 3))) for name in "abcd"}
        for adjustment in errors:
            p_values, _ = p_values_of(agents, pairs, "iqm", adjustment, 400, seed)
            errors[adjustment] += (p_values <= 0.1).any()
    assert errors["max-t"] <= 300 * 0.1 + 3 * (300 * 0.1 * 0.9) ** 0.5
    assert 0 < errors["holm"] <= errors["max-t"] + 5


def test_step_down_by_hand() -> None:
    """Three hypotheses on four paths; the spread of each is made equal."""
    values = np.array([[3.0, 1.0, 0.0], [1.0, 3.0, 1.0], [-1.0, 1.0, 3.0], [1.0, 1.0, -1.0]])
    values /= values.std(axis=0)
    sized = np.abs(values)
    first = np.mean(sized.max(axis=1) >= sized[0, 0] - 1e-9)
    second = np.mean(sized[:, 1:].max(axis=1) >= sized[0, 1] - 1e-9)
    assert step_down(values).tolist() == [first, max(first, second), 1.0]


def test_nothing_varies_nothing_is_separated() -> None:
    scores = np.tile([0.1, 0.7, 1e9, -3.3], (3, 1))
    for statistic in ("mean", "iqm", "median"):
        (found,) = stats.compare({"a": scores, "b": scores}, statistic=statistic)
        assert (found.p_value, found.decision) == (1.0, "not separated")


def test_holm_stays_below_one() -> None:
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]


def test_tasks_are_compared_together() -> None:
    apart = A.copy()
    apart[:, 2] += 9.0
    rows = stats.compare_tasks({"x": A, "y": apart})
    assert [(r.a, r.b, r.task) for r in rows] == [("x", "y", t) for t in range(4)]
    assert [r.decision for r in rows] == ["not separated"] * 2 + ["smaller", "not separated"]
    assert rows[2].difference == pytest.approx(-9.0)
    with pytest.raises(InvalidScores, match="the same number of runs"):
        stats.compare_tasks({"x": A, "y": apart[:4]})


def test_equivalence_needs_the_whole_interval_inside() -> None:
    close = {k: stats.equivalent(A, A + 0.01, k, statistic="mean") for k in (0.02, 5.0)}
    assert [found.equivalent for found in close.values()] == [False, True]
    assert close[5.0].difference.level == pytest.approx(0.9)
    assert not stats.equivalent(A[:1], A[:1], 5.0).equivalent
    assert not stats.equivalent(A, C, 1.0).equivalent
    for wrong in ({"margin": 0.0}, {"margin": 1.0, "alpha": 0.5}):
        with pytest.raises(InvalidScores, match="margin"):
            stats.equivalent(A, B, **wrong)


def test_ranks_may_hang_on_one_task() -> None:
    x = np.array([[1.0, 1.0, 9.0]])
    found = stats.leave_one_task_out({"x": x, "y": np.full((1, 3), 2.0)}, statistic="mean")
    assert found == {"x": (1, 1, 2), "y": (2, 1, 2)}
    gap = stats.leave_one_task_out({"x": x, "y": x / 9}, statistic="optimality_gap")
    assert gap["x"][0] == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.compare({"a": A}), "at least two agents"),
        (lambda: stats.compare({"a": A, "b": B[:, :3]}), "4 tasks and y has 3"),
        (lambda: stats.compare({"a": A, "b": B * np.nan}), "scores of 'b' is nan"),
        (lambda: stats.compare({"a": A, "b": B}, alpha=1.0), "alpha"),
        (lambda: stats.leave_one_task_out({"a": A[:, :1], "b": B[:, :1]}), "two tasks"),
    ],
)
def test_what_is_wrong_is_named(call, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        call()


@pytest.mark.parametrize("statistic", ["mode", "optimality_gap"])
def test_a_statistic_without_a_test_is_named(statistic: str) -> None:
    with pytest.raises(UnknownName, match=f"statistic '{statistic}'"):
        stats.compare({"a": A, "b": B}, statistic=statistic)
