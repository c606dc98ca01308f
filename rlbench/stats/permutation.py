"""Permutations of the runs of two agents, within strata.

A stratum is a task, in a batch if there are batches: the runs of both agents of a pair, pooled. A
path splits those of every stratum anew, independently, into as many as either agent has. Path 0 is
the identity, so that shares of paths are valid p-values also where paths are drawn (Phipson & Smyth
2010). Where all paths are few enough they are enumerated, else drawn.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.stats.aggregates import ScoresLike, columns
from rlbench.stats.resampling import CHUNK, Floats

Masks = NDArray[np.bool_]
Pair = tuple[str, str]
Sizes = tuple[int, int]  # how many runs the two agents of a pair have on a task

ROUNDING = 1e-12  # of the greatest score
STATISTICS = ("mean", "median", "iqm")


def batches_of(
    scores: Mapping[str, ScoresLike | ArrayLike], batch: int, statistic: str, per_seed: bool
) -> dict[str, Floats]:
    """Return the scores of each agent as whole batches, (batches, tasks, batch).

    Args:
        scores: By agent: (runs,) on one task, (runs, tasks), or one array (runs,) a task.
        batch: Runs a task in a batch; runs beyond the last whole batch are left for later.
        statistic: Of `STATISTICS`; it makes one score of a seed's tasks.
        per_seed: Whether to make one score of each seed over all tasks first.

    Raises:
        InvalidScores: Fewer than two agents, bad scores, or agents with different tasks.
        UnknownName: There is no such statistic.
    """
    if statistic not in STATISTICS:
        raise UnknownName("statistic", statistic, STATISTICS)
    if len(scores) < 2:
        raise InvalidScores("a comparison needs at least two agents")
    if batch < 1:
        raise InvalidScores(f"a batch holds at least one run a task, not {batch}")
    out = {}
    for agent, values in scores.items():
        tasks = _tasks_of(agent, values)
        if per_seed:
            tasks = [_one_score_a_seed(agent, tasks, statistic)]
        whole = min(len(task) for task in tasks) // batch
        out[agent] = np.stack([task[: whole * batch].reshape(whole, batch) for task in tasks], 1)
    sizes = {agent: blocks.shape[1] for agent, blocks in out.items()}
    if len(set(sizes.values())) > 1:
        different = ", ".join(f"{agent}: {size}" for agent, size in sizes.items())
        raise InvalidScores(f"the agents have different numbers of tasks ({different})")
    return out


def _tasks_of(agent: str, values: ScoresLike | ArrayLike) -> list[Floats]:
    if isinstance(values, np.ndarray):
        one_task = values.ndim == 1
    else:
        values = list(values)  # type: ignore[arg-type]
        one_task = all(np.ndim(part) == 0 for part in values)
    return columns([values] if one_task else values, f"scores of {agent!r}")  # type: ignore[arg-type]


def _one_score_a_seed(agent: str, tasks: list[Floats], statistic: str) -> Floats:
    if len({len(task) for task in tasks}) > 1:
        raise InvalidScores(
            f"one score a seed needs the same seeds on every task: {agent!r} has different numbers "
            "of runs"
        )
    matrix = np.sort(np.stack(tasks, axis=1), axis=1)
    if statistic == "median":
        return np.asarray(np.median(matrix, axis=1))
    cut = matrix.shape[1] // 4 if statistic == "iqm" else 0
    return np.asarray(matrix[:, cut : matrix.shape[1] - cut].mean(axis=1))


def pairs_of(agents: Sequence[str], comparisons: Sequence[Pair] | None) -> list[Pair]:
    """Return the pairs of agents to compare; all of them by default.

    Raises:
        UsageError: There is no pair, a pair does not name two of the agents, or one comes twice.
    """
    if comparisons is None:
        return list(combinations(agents, 2))
    pairs = [(a, b) for a, b in comparisons]
    for pair in pairs:
        if pair[0] == pair[1] or not set(pair) <= set(agents):
            raise UsageError(f"no comparison of {pair[0]!r} and {pair[1]!r}: name two agents")
    if not pairs or len({frozenset(pair) for pair in pairs}) < len(pairs):
        raise UsageError("comparisons must name at least one pair, and each pair once")
    return pairs


def groups_of(agents: Sequence[str], apart: Collection[Pair]) -> list[frozenset[str]]:
    """Return the largest groups of agents of which no two are apart.

    By inserting and absorbing (Piepho 2004).

    Args:
        agents: All agents.
        apart: Pairs that are separated; the order within a pair does not matter.
    """
    groups = [frozenset(agents)]
    for a, b in apart:
        split: list[frozenset[str]] = []
        for group in groups:
            split += [group - {a}, group - {b}] if {a, b} <= group else [group]
        groups = [
            group
            for k, group in enumerate(split)
            if not any(group < other or (group == other and j < k) for j, other in enumerate(split))
        ]
    return groups


def number_of_paths(sizes: Sequence[Sizes], looks: int = 1) -> int:
    """Return how many paths there are."""
    return int(math.prod(math.comb(n + m, n) for n, m in sizes) ** looks)


def all_masks(sizes: Sequence[Sizes], looks: int = 1) -> list[Masks]:
    """Return all paths, one array (paths, runs of all tasks) a look; path 0 changes nothing."""
    splits = [_splits(n, m) for n, m in sizes] * looks
    digits = np.indices([len(split) for split in splits]).reshape(len(splits), -1)
    chosen = [split[digit] for split, digit in zip(splits, digits, strict=True)]
    tasks = len(sizes)
    return [
        np.concatenate(chosen[look * tasks : (look + 1) * tasks], axis=1) for look in range(looks)
    ]


def _splits(n: int, m: int) -> Masks:
    splits = np.zeros((math.comb(n + m, n), n + m), dtype=bool)
    for row, chosen in enumerate(combinations(range(n + m), n)):
        splits[row, list(chosen)] = True
    return splits


def random_masks(sizes: Sequence[Sizes], key: int, begin: int, end: int) -> Masks:
    """Return random paths begin to end, (end - begin, runs of all tasks); path 0 changes nothing.

    Args:
        sizes: Of each task.
        key: Of the random numbers.
        begin: The first path.
        end: The one after the last.
    """
    from rlbench.stats.kernels import random_splits

    first, second = (np.array(part) for part in zip(*sizes, strict=True))
    masks = random_splits(first, second, key, begin, end)
    if begin == 0:
        masks[0] = identity_of(sizes)
    return masks


def identity_of(sizes: Sequence[Sizes]) -> NDArray[np.bool_]:
    """Return the split that changes nothing, (runs of all tasks,)."""
    return np.concatenate([np.arange(n + m) < n for n, m in sizes])


def differences_of(masks: Masks, pooled: Floats, sizes: Sequence[Sizes], statistic: str) -> Floats:
    """Return the statistic of one part less that of the other, (paths, pairs).

    The mean is that over tasks of the mean over runs; the IQM that of all runs; the median that
    over tasks of the mean over runs, or on one task that of its runs.

    Args:
        masks: (paths, runs of all tasks) which go to the first agent.
        pooled: (pairs, runs of all tasks).
        sizes: Of each task.
        statistic: Of `STATISTICS`.
    """
    if statistic == "mean":
        tasks = len(sizes)
        weights = [np.full(n + m, (1 / n + 1 / m) / tasks) for n, m in sizes]
        others = [np.full(n + m, 1 / m / tasks) for n, m in sizes]
        both = masks.astype(np.float64) @ (pooled * np.concatenate(weights)).T
        return np.asarray(both - pooled @ np.concatenate(others))
    if statistic == "median" and len(sizes) > 1:
        return _medians_of_tasks(masks, pooled, sizes)
    from rlbench.stats.kernels import half_differences

    totals = [sum(n for n, _ in sizes), sum(m for _, m in sizes)]
    one, two = (n // 4 if statistic == "iqm" else (n - 1) // 2 for n in totals)
    return half_differences(masks, pooled, (one, two))


def permuted_differences(
    pooled: Floats, sizes: Sequence[Sizes], statistic: str, permutations: int, key: int
) -> Floats:
    """Return the differences of pairs on all paths, or on so many drawn ones, (paths, pairs).

    Args:
        pooled: (pairs, runs of all tasks).
        sizes: Of each task.
        statistic: Of `STATISTICS`.
        permutations: To draw where there are more than so many.
        key: Of the drawing.

    Returns:
        Path 0 is what was observed.
    """
    parts = [
        differences_of(masks, pooled, sizes, statistic)
        for masks in paths_of(sizes, permutations, key)
    ]
    return without_rounding(np.concatenate(parts), pooled)


def paths_of(sizes: Sequence[Sizes], permutations: int, key: int) -> Iterator[Masks]:
    """Yield all paths, or so many drawn ones, some at a time: (paths, runs of all tasks)."""
    if number_of_paths(sizes) <= permutations:
        yield all_masks(sizes)[0]
        return
    step = max(1, CHUNK // sum(n + m for n, m in sizes))
    for begin in range(0, permutations, step):
        yield random_masks(sizes, key, begin, min(begin + step, permutations))


def without_rounding(values: Floats, scores: Floats) -> Floats:
    """Return differences, with those that rounding makes of equal scores set to 0."""
    return np.where(np.abs(values) > ROUNDING * np.abs(scores).max(), values, 0.0)


def _medians_of_tasks(masks: Masks, pooled: Floats, sizes: Sequence[Sizes]) -> Floats:
    begins = np.cumsum([0, *(n + m for n, m in sizes)])[:-1]
    first, second = (np.array(part) for part in zip(*sizes, strict=True))
    parts = []
    for scores in pooled:
        sums = np.add.reduceat(masks * scores, begins, axis=1)
        others = np.add.reduceat(scores, begins) - sums
        parts.append(np.median(sums / first, axis=1) - np.median(others / second, axis=1))
    return np.stack(parts, axis=1)


class Paths:
    """The statistics of all pairs on a set of paths, look after look.

    Args:
        sizes: Of each task in one batch.
        statistic: As `differences_of` takes it.

    Differences of two agents at look k are multiplied by k: those of means are then sums over
    batches, as AdaStop defines them.
    """

    def __init__(self, sizes: Sequence[Sizes], statistic: str) -> None:
        self._sizes, self._statistic = sizes, statistic
        self._masks: list[Masks] = []
        self._pooled: list[Floats] = []
        self._sums: list[Floats] = []

    def extend(self, masks: Masks, pooled: Floats) -> None:
        """Add a look: (paths, runs of a batch) splits, and (pairs, runs of a batch) scores."""
        self._masks.append(masks)
        self._pooled.append(pooled)
        if self._statistic == "mean":
            block = differences_of(masks, pooled, self._sizes, "mean")
            self._sums.append(block + self._sums[-1] if self._sums else block)

    def differences(self, looks: int) -> Floats:
        """Return the signed differences of all pairs after some looks, (paths, pairs)."""
        if self._statistic == "mean":
            return self._sums[looks - 1]
        # Side by side stand the batches of the first task, those of the second, and so on.
        ends = np.cumsum([n + m for n, m in self._sizes])[:-1]
        masks, pooled = (
            np.concatenate([part for task in zip(*split, strict=True) for part in task], axis=1)
            for split in (
                [np.split(block, ends, axis=1) for block in blocks[:looks]]
                for blocks in (self._masks, self._pooled)
            )
        )
        sizes = [(looks * n, looks * m) for n, m in self._sizes]
        return looks * differences_of(masks, pooled, sizes, self._statistic)


def joint_differences(
    batches: Mapping[str, Floats], pairs: Sequence[Pair], statistic: str, paths: int, key: int
) -> Floats:
    """Return the differences of pairs when the runs of all agents are permuted together.

    Args:
        batches: By agent, (looks, tasks, batch) scores; runs are permuted within look and task.
        pairs: Of these agents.
        statistic: Of `STATISTICS`.
        paths: To draw; path 0 changes nothing.
        key: Of the drawing.

    Returns:
        (looks, paths, pairs), each look with all before it.
    """
    from rlbench.stats.kernels import group_means, random_groups

    agents = list(batches)
    # (looks, tasks, agents, batch): a stratum's runs stand side by side, agent by agent.
    scores = np.stack([batches[agent] for agent in agents], axis=2)
    looks, tasks, groups, size = scores.shape
    labels = random_groups(groups, size, looks * tasks, key, 0, paths)
    labels[0] = np.tile(np.repeat(np.arange(groups, dtype=np.uint8), size), looks * tasks)
    of_look = tasks * groups * size
    found = []
    for look in range(1, looks + 1):
        upto, seen = labels[:, : look * of_look], scores[:look].ravel()
        if statistic == "median" and tasks > 1:
            points = _median_of_task_means(upto, scores[:look])
        else:
            n = look * tasks * size
            cut = {"mean": 0, "median": (n - 1) // 2, "iqm": n // 4}[statistic]
            points = group_means(upto, seen, groups, cut)
        at = np.array([[agents.index(a), agents.index(b)] for a, b in pairs])
        found.append(look * (points[:, at[:, 0]] - points[:, at[:, 1]]))
    return np.stack(found)


def _median_of_task_means(labels: NDArray[np.uint8], scores: Floats) -> Floats:
    """Return each group's median over tasks of its mean over runs, (paths, groups)."""
    looks, tasks, groups, size = scores.shape
    shape = (len(labels), looks, tasks, groups * size)
    flat = scores.reshape(looks, tasks, groups * size)
    points = [
        np.median(
            np.einsum("pltx,ltx->pt", labels.reshape(shape) == group, flat) / (looks * size), axis=1
        )
        for group in range(groups)
    ]
    return np.stack(points, axis=1)
