"""Paths of permutations, and what is computed on them, against slow loops."""

import math
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.stats import permutation
from rlbench.stats.permutation import (
    all_masks,
    batches_of,
    errors_over_paths,
    groups_of,
    identity_of,
    number_of_paths,
    pairs_of,
    paths_of,
    permuted_statistics,
    random_masks,
    statistics_of,
    studentised,
)

RAGGED = [(2, 3), (4, 2), (3, 3)]


def parts(mask: NDArray[np.bool_], pooled: NDArray[np.float64], sizes: list[tuple[int, int]]):
    """Return the runs of the first agent and of the second, task by task."""
    at, first, second = 0, [], []
    for n, m in sizes:
        chosen, runs = mask[at : at + n + m], pooled[at : at + n + m]
        first.append(runs[chosen])
        second.append(runs[~chosen])
        at += n + m
    return first, second


@pytest.mark.parametrize("looks", [1, 2])
def test_all_paths_are_all_splits_and_the_first_changes_nothing(looks: int) -> None:
    sizes = [(2, 1), (2, 2)]
    masks = np.concatenate(all_masks(sizes, looks), axis=1)
    assert len(masks) == number_of_paths(sizes, looks) == 18**looks
    assert len(np.unique(masks, axis=0)) == len(masks)
    assert (masks[0] == np.tile(identity_of(sizes), looks)).all()
    for part in np.split(masks, looks, axis=1):
        assert (part[:, :3].sum(axis=1) == 2).all()
        assert (part[:, 3:].sum(axis=1) == 2).all()


def test_beyond_2_to_the_53_paths_are_not_counted() -> None:
    assert number_of_paths([(10, 10)] * 2) == math.comb(20, 10) ** 2
    assert math.isinf(number_of_paths([(5, 5)] * 26))


def test_drawn_paths_are_the_same_in_any_parts_and_keep_the_sizes() -> None:
    whole = random_masks(RAGGED, key=3, begin=0, end=200)
    split = [random_masks(RAGGED, 3, begin, begin + 50) for begin in range(0, 200, 50)]
    assert (whole == np.concatenate(split)).all()
    assert (whole[0] == identity_of(RAGGED)).all()
    for mask in whole:
        first, _ = parts(mask, np.zeros(17), RAGGED)
        assert [len(runs) for runs in first] == [2, 4, 3]
    assert (random_masks(RAGGED, 4, 1, 200) != whole[1:]).any()


def test_drawn_paths_are_uniform() -> None:
    masks = random_masks([(2, 2)], key=1, begin=1, end=6001)
    counts = np.unique(masks, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    # Six counts with a standard deviation of 29 about 1,000.
    assert np.abs(counts - 1000).max() < 150


def test_few_paths_are_enumerated_and_many_drawn() -> None:
    assert sum(map(len, paths_of([(2, 2)], 1000, 0))) == 6
    assert sum(map(len, paths_of(RAGGED, 1000, 0))) == 1000


def test_the_mean_and_its_error_on_every_path() -> None:
    pooled = np.random.default_rng(0).normal(size=(2, 17))
    masks = random_masks(RAGGED, 0, 0, 50)
    gaps, errors = statistics_of(masks, pooled, RAGGED, "mean")
    assert errors is not None
    for p, mask in enumerate(masks):
        for c in range(2):
            first, second = parts(mask, pooled[c], RAGGED)
            gap = np.mean([a.mean() - b.mean() for a, b in zip(first, second, strict=True)])
            variance = sum(runs.var(ddof=1) / len(runs) for runs in (*first, *second)) / 9
            assert gaps[p, c] == pytest.approx(gap, abs=1e-12)
            assert errors[p, c] == pytest.approx(math.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize(("statistic", "sizes"), [("median", RAGGED), ("mean", [(1, 2), (2, 1)])])
def test_without_errors_of_the_splits_there_are_none(
    statistic: str, sizes: list[tuple[int, int]]
) -> None:
    pooled = np.random.default_rng(1).normal(size=(1, sum(map(sum, sizes))))
    gaps, errors = statistics_of(random_masks(sizes, 0, 0, 20), pooled, sizes, statistic)
    assert errors is None
    assert errors_over_paths(gaps, errors) == pytest.approx(gaps.std(axis=0))


def test_no_error_is_less_than_a_tenth_of_the_deviation_but_for_0() -> None:
    gaps = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    errors = errors_over_paths(gaps, np.array([[0.0], [1e-6], [0.1], [5.0]]))
    assert errors.ravel().tolist() == pytest.approx([0.0, 0.1, 0.1, 5.0])


def test_what_is_0_over_0_is_0_and_anything_else_over_0_infinite() -> None:
    gaps = np.array([0.0, 1e-14, 0.5, -0.5, 1.0])
    found = studentised(gaps, np.array([0.0, 0.0, 0.0, 1e-15, 2.0]), 1.0)
    assert found.tolist() == [0.0, 0.0, math.inf, -math.inf, 0.5]


def test_path_0_is_what_was_observed() -> None:
    pooled = np.array([[3.0, 4.0, 0.0, 1.0]])
    found = permuted_statistics(pooled, [(2, 2)], "mean", 1000, key=0)
    assert found.shape == (6, 1)
    # A difference of 3 with a standard error of sqrt(.5 / 2 + .5 / 2).
    assert found[0, 0] == pytest.approx(3 / math.sqrt(0.5))
    assert found[0, 0] == found.max()


def test_pairs_are_named_once_each_and_of_the_agents() -> None:
    assert pairs_of("abc", None) == list(combinations("abc", 2))
    assert pairs_of("abc", [("c", "a")]) == [("c", "a")]
    for wrong in ([], [("a", "a")], [("a", "d")], [("a", "b"), ("b", "a")]):
        with pytest.raises(UsageError):
            pairs_of("abc", wrong)


def test_groups_are_the_largest_without_a_separated_pair() -> None:
    agents = "abcde"
    generator = np.random.default_rng(5)
    for _ in range(50):
        pairs = [p for p in combinations(agents, 2) if generator.random() < 0.4]
        apart = {frozenset(pair) for pair in pairs}
        cliques = [
            frozenset(c)
            for size in range(1, 6)
            for c in combinations(agents, size)
            if not any(frozenset(p) in apart for p in combinations(c, 2))
        ]
        largest = {c for c in cliques if not any(c < other for other in cliques)}
        found = groups_of(agents, pairs)
        assert set(found) == largest
        assert len(found) == len(largest)


def test_batches_are_whole_and_of_the_same_tasks() -> None:
    found = batches_of({"a": np.arange(10.0).reshape(5, 2), "b": [1.0, 2.0]}, 2, "mean", True)
    assert found["a"].tolist() == [[[0.5, 2.5]], [[4.5, 6.5]]]
    assert found["b"].tolist() == [[[1.0, 2.0]]]
    with pytest.raises(InvalidScores, match="different numbers of tasks"):
        batches_of({"a": np.ones((4, 2)), "b": [1.0, 2.0]}, 2, "mean", per_seed=False)
    with pytest.raises(InvalidScores, match="at least two agents"):
        batches_of({"a": [1.0]}, 1, "mean", per_seed=False)
    with pytest.raises(UnknownName):
        batches_of({"a": [1.0], "b": [1.0]}, 1, "optimality_gap", per_seed=False)
    assert "optimality_gap" not in permutation.STATISTICS
