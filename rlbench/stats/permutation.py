"""Permutations of the runs of two agents, within strata.

A stratum is a task, in a batch if there are batches: the runs of both agents of a pair, pooled. A
path splits those of every stratum anew, independently, into as many as either agent has. Path 0 is
the identity, so that shares of paths are valid p-values also where paths are drawn (Phipson & Smyth
2010). Where all paths are few enough they are enumerated, else drawn.

What is compared is the difference of two agents over its standard error (Janssen 1997; Chung &
Romano 2013). On every path, the error is computed from the runs as that path splits them, within
tasks, so that agents that are better on some tasks and worse on others do not look noisy. Where a
task has one run of an agent, and for the median, there is no such error: the standard deviation of
the difference over all paths takes its place. No error is less than a tenth of that deviation:
what the IQM trims may hold all the variance that there is. `studentised` says what holds where
there is no variance at all.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.stats.aggregates import AGGREGATES, ScoresLike, columns
from rlbench.stats.resampling import CHUNK, Floats

Masks = NDArray[np.bool_]
Pair = tuple[str, str]
Sizes = tuple[int, int]  # how many runs the two agents of a pair have on a task

ROUNDING = 1e-12  # of the greatest score: what may come of rounding alone
LEAST_ERROR = 0.1  # of the standard deviation over paths
EXACT_PATHS = 2.0**53  # more paths than that are never enumerated, and not counted one by one
STATISTICS = tuple(name for name, aggregate in AGGREGATES.items() if aggregate.is_tested)


def batches_of(
    scores: Mapping[str, ScoresLike | ArrayLike], batch: int, statistic: str, per_seed: bool
) -> dict[str, Floats]:
    """Return the scores of each agent as whole batches, (batches, tasks, batch).

    Args:
        scores: By agent: (runs,) on one task, (runs, tasks), or one array (runs,) a task.
        batch: Runs a task in a batch; runs beyond the last whole batch are left for later.
        statistic: Of `STATISTICS`; it makes one score of a seed's tasks. These are then the scores
            of one task, on which the median is the mean.
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

    They are the cliques of the agents that are not apart (Piepho 2004 inserts and absorbs).

    Args:
        agents: All agents.
        apart: Pairs that are separated; the order within a pair does not matter.
    """
    numbers = {agent: number for number, agent in enumerate(agents)}
    together = [(1 << len(numbers)) - 1 ^ 1 << number for number in range(len(numbers))]
    for a, b in apart:
        together[numbers[a]] &= ~(1 << numbers[b])
        together[numbers[b]] &= ~(1 << numbers[a])
    names = list(numbers)
    return [
        frozenset(name for number, name in enumerate(names) if group >> number & 1)
        for group in _cliques(together)
    ]


def _cliques(together: Sequence[int]) -> Iterator[int]:
    """Yield the largest sets in which all are together, as bits (Bron & Kerbosch 1973).

    Args:
        together: By number: the others that it is together with, as bits.
    """
    waiting = [(0, (1 << len(together)) - 1, 0)]
    while waiting:
        chosen, left, done = waiting.pop()
        if not left and not done:
            yield chosen
            continue
        # Each group holds the pivot or one that is apart from it (Tomita et al. 2006).
        pivot = max(_bits(left | done), key=lambda at: (left & together[at]).bit_count())
        for at in _bits(left & ~together[pivot]):
            near = together[at]
            waiting.append((chosen | 1 << at, left & near, done & near))
            left &= ~(1 << at)
            done |= 1 << at


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def number_of_paths(sizes: Sequence[Sizes], looks: int = 1) -> float:
    """Return how many paths there are; infinity if they are more than 2^53."""
    logarithm = looks * sum(
        math.lgamma(n + m + 1) - math.lgamma(n + 1) - math.lgamma(m + 1) for n, m in sizes
    )
    if logarithm > math.log(EXACT_PATHS):
        return math.inf
    return float(math.prod(math.comb(n + m, n) for n, m in sizes) ** looks)


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

    The mean is that over tasks of the mean over runs; the IQM that of all runs, every task with
    the same weight; the median that over tasks of the mean over runs, so on one task the mean.

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
    if statistic == "median":
        return _medians_of_tasks(masks, pooled, sizes)
    return _gaps_and_variances(masks, pooled, sizes, statistic)[0]


def cuts_of(runs: Sequence[int], statistic: str) -> Floats:
    """Return which share of each group's runs the mean or the IQM trims at each end, (groups,)."""
    trimmed = {"mean": [0 for _ in runs], "iqm": [n // 4 for n in runs]}
    return np.asarray(np.array(trimmed[statistic]) / np.array(runs), dtype=np.float64)


def has_errors(statistic: str, sizes: Sequence[Sizes]) -> bool:
    """Say whether the splits of a path have standard errors: see the top of this module."""
    return statistic != "median" and min(min(size) for size in sizes) > 1


def statistics_of(
    masks: Masks, pooled: Floats, sizes: Sequence[Sizes], statistic: str
) -> tuple[Floats, Floats | None]:
    """Return the differences of pairs, and their standard errors if there are any.

    Args:
        masks: (paths, runs of all tasks) which go to the first agent.
        pooled: (pairs, runs of all tasks).
        sizes: Of each task.
        statistic: Of `STATISTICS`.

    Returns:
        (paths, pairs) each. An error is 0 where no run differs from another of its agent and
        task, and only there.
    """
    from rlbench.stats.kernels import mean_gaps

    if not has_errors(statistic, sizes):
        return differences_of(masks, pooled, sizes, statistic), None
    if statistic == "mean":
        gaps, variances = mean_gaps(masks, pooled, np.array(sizes))
        return gaps, np.sqrt(variances)
    gaps, variances = _gaps_and_variances(masks, pooled, sizes, statistic)
    errors = np.sqrt(np.maximum(variances, np.finfo(np.float64).tiny))
    if len(some := np.flatnonzero(_two_values_a_task(pooled, sizes))):
        _, unwinsorised = mean_gaps(masks, pooled[some], np.array(sizes))
        errors[:, some] = np.where(unwinsorised > 0, errors[:, some], 0.0)
    return gaps, errors


def _gaps_and_variances(
    masks: Masks, pooled: Floats, sizes: Sequence[Sizes], statistic: str
) -> tuple[Floats, Floats]:
    from rlbench.stats.kernels import group_estimates

    # Of the labels 0 and 1, the first agent has 1.
    of_groups = np.array(sizes)[:, ::-1]
    cuts = cuts_of(of_groups.sum(axis=0).tolist(), statistic)
    found = group_estimates(masks.view(np.uint8), pooled, of_groups, cuts)
    return found[:, :, 1, 0] - found[:, :, 0, 0], found[..., 1].sum(axis=2)


def _two_values_a_task(pooled: Floats, sizes: Sequence[Sizes]) -> NDArray[np.bool_]:
    """Say of which pairs no task has more than two different scores, (pairs,).

    Only these can be split such that no run differs from another of its agent and task.
    """
    found = np.ones(len(pooled), dtype=bool)
    least = ROUNDING * scales_of(pooled)[:, None]
    for task in np.split(pooled, np.cumsum([n + m for n, m in sizes])[:-1], axis=1):
        low, high = task.min(axis=1, keepdims=True), task.max(axis=1, keepdims=True)
        found &= ((task - low <= least) | (high - task <= least)).all(axis=1)
    return found


def errors_over_paths(gaps: Floats, errors: Floats | None) -> Floats:
    """Return the standard errors that count, from differences and errors (paths, pairs).

    They are at least `LEAST_ERROR` of the standard deviation of the differences over paths, except
    for those of 0; without errors they are that deviation.
    """
    if errors is None:
        return np.asarray(gaps.std(axis=0))
    squares = np.einsum("pc,pc->c", gaps, gaps) / len(gaps) - gaps.mean(axis=0) ** 2
    least = LEAST_ERROR * np.sqrt(np.maximum(squares, 0.0))
    if errors.all():
        return np.asarray(np.maximum(errors, least))
    return np.asarray(np.maximum(errors, least, out=np.zeros_like(errors), where=errors > 0))


def studentised(gaps: Floats, errors: Floats, scales: Floats | float) -> Floats:
    """Return differences over their standard errors.

    What is below 1e-12 of the scale is rounding, and counts as 0. Where the error is 0, so is the
    result if the difference is 0; else it is infinite: agents without variance are equal or
    different, and there is no doubt.

    Args:
        gaps: Differences, of any shape.
        errors: Of the same shape, or one that numpy makes so.
        scales: The greatest absolute score that each difference is made of, likewise.
    """
    least = ROUNDING * np.asarray(scales)
    if (errors > least).all():
        found = np.asarray(gaps / errors)
        found[np.abs(gaps) <= least] = 0.0
        return found
    errors = np.where(errors > least, errors, 0.0)
    with np.errstate(divide="ignore"):
        return np.divide(gaps, errors, out=np.zeros_like(gaps), where=np.abs(gaps) > least)


def permuted_statistics(
    pooled: Floats, sizes: Sequence[Sizes], statistic: str, permutations: int, key: int
) -> Floats:
    """Return studentised differences on all paths, or on so many drawn ones, (paths, pairs).

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
        statistics_of(masks, pooled, sizes, statistic)
        for masks in paths_of(sizes, permutations, key)
    ]
    gaps = np.concatenate([part for part, _ in parts])
    found = [part for _, part in parts if part is not None]
    errors = errors_over_paths(gaps, np.concatenate(found) if found else None)
    return studentised(gaps, errors, scales_of(pooled))


def scales_of(pooled: Floats) -> Floats:
    """Return the greatest absolute score of each pair, (pairs, runs) to (pairs,)."""
    return np.asarray(np.abs(pooled).max(axis=1))


def paths_of(sizes: Sequence[Sizes], permutations: int, key: int) -> Iterator[Masks]:
    """Yield all paths, or so many drawn ones, some at a time: (paths, runs of all tasks)."""
    if number_of_paths(sizes) <= permutations:
        yield all_masks(sizes)[0]
        return
    step = max(1, CHUNK // sum(n + m for n, m in sizes))
    for begin in range(0, permutations, step):
        yield random_masks(sizes, key, begin, min(begin + step, permutations))


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
        raw: Return differences, not studentised; those of look k are multiplied by k, so that
            those of means are sums over batches, as AdaStop was published.

    Attributes:
        observed: The differences of all pairs and their standard errors, (pairs,) each, after the
            looks that `statistics` was last asked for; none if they are raw.
    """

    observed: tuple[Floats, Floats] | None = None

    def __init__(self, sizes: Sequence[Sizes], statistic: str, raw: bool) -> None:
        self._sizes, self._statistic, self._raw = sizes, statistic, raw
        self._masks: list[Masks] = []
        self._pooled: list[Floats] = []
        # Means on one task need no more of each look than a sum.
        self._keeps_sums = statistic == "mean" and len(sizes) == 1 and not raw
        self._sums: list[Floats] = []

    def extend(self, masks: Masks, pooled: Floats) -> None:
        """Add a look: (paths, runs of a batch) splits, and (pairs, runs of a batch) scores."""
        self._masks.append(masks)
        self._pooled.append(pooled)
        if self._keeps_sums:
            # Pair by pair in memory: what follows is done over paths.
            sums = ((pooled - self._centres()) @ masks.astype(np.float64).T).T
            self._sums.append(sums + self._sums[-1] if self._sums else sums)

    def _centres(self) -> Floats:
        """Return the mean of each pair's first batch, (pairs, 1): sums about it lose no digits."""
        return np.asarray(self._pooled[0].mean(axis=1, keepdims=True))

    def statistics(self, looks: int) -> Floats:
        """Return the signed statistics of all pairs after some looks, (paths, pairs)."""
        if self._raw and self._statistic == "mean":
            blocks = zip(self._masks[:looks], self._pooled[:looks], strict=True)
            parts = [differences_of(*block, self._sizes, "mean") for block in blocks]
            return np.asarray(np.sum(parts, axis=0))
        if self._sums and looks * self._sizes[0][0] > 1:
            scores = np.concatenate(self._pooled[:looks], axis=1)
            found = self._from_sums(looks, scores - self._centres())
            return self._studentised(*found, scales_of(scores))
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
        if self._raw:
            return looks * differences_of(masks, pooled, sizes, self._statistic)
        gaps, errors = statistics_of(masks, pooled, sizes, self._statistic)
        return self._studentised(gaps, errors, scales_of(pooled))

    def _studentised(self, gaps: Floats, errors: Floats | None, scales: Floats) -> Floats:
        counting = errors_over_paths(gaps, errors)
        # A copy: studentising may reuse the memory.
        self.observed = gaps[0].copy(), np.array(counting if errors is None else counting[0])
        return studentised(gaps, counting, scales)

    def _from_sums(self, looks: int, offsets: Floats) -> tuple[Floats, Floats]:
        """Return differences and errors of means on one task, of as many runs of both agents.

        They are those of `statistics_of`. About half of the sum of all offsets, the sums of the two
        agents are opposite: u and -u. The difference is 2 u / n, and u^2 2 / n of the squares lies
        between the agents.

        Args:
            looks: How many.
            offsets: (pairs, runs) scores about the centres.
        """
        from rlbench.stats.kernels_numpy import LEAST_SHARE

        n = offsets.shape[1] // 2
        total = offsets.sum(axis=1)
        gaps = self._sums[looks - 1] - total / 2
        squares = (offsets**2).sum(axis=1) - total**2 / (2 * n)
        errors = gaps * gaps
        errors *= -2 / n
        errors += squares
        errors[errors <= LEAST_SHARE * squares] = 0.0
        errors /= n * (n - 1)
        gaps *= 2 / n
        return gaps, np.sqrt(errors, out=errors)


def joint_statistics(
    batches: Mapping[str, Floats], pairs: Sequence[Pair], statistic: str, paths: int, key: int
) -> Floats:
    """Return studentised differences when the runs of all agents are permuted together.

    Args:
        batches: By agent, (looks, tasks, batch) scores; runs are permuted within look and task.
        pairs: Of these agents.
        statistic: Of `STATISTICS`.
        paths: To draw; path 0 changes nothing.
        key: Of the drawing.

    Returns:
        (looks, paths, pairs), each look with all before it.
    """
    from rlbench.stats.kernels import group_estimates, random_groups

    agents = list(batches)
    # (looks, tasks, agents, batch): a stratum's runs stand side by side, agent by agent.
    scores = np.stack([batches[agent] for agent in agents], axis=2)
    looks, tasks, groups, size = scores.shape
    labels = random_groups(groups, size, looks * tasks, key, 0, paths)
    labels[0] = np.tile(np.repeat(np.arange(groups, dtype=np.uint8), size), looks * tasks)
    of_strata = labels.reshape(paths, looks, tasks, groups * size)
    at = np.array([[agents.index(a), agents.index(b)] for a, b in pairs])
    found = []
    for look in range(1, looks + 1):
        upto = of_strata[:, :look].swapaxes(1, 2).reshape(paths, -1)
        seen = scores[:look].swapaxes(0, 1).reshape(1, -1)
        if statistic == "median":
            points, errors = _median_of_task_means(upto, seen[0], tasks, groups), None
        else:
            sizes = np.full((tasks, groups), look * size)
            cuts = cuts_of([look * tasks * size] * groups, statistic)
            estimates = group_estimates(upto, seen, sizes, cuts)[:, 0]
            points, errors = estimates[..., 0], None
            if has_errors(statistic, [(look * size, look * size)]):
                errors = np.sqrt(estimates[:, at, 1].sum(axis=2))
        gaps = points[:, at[:, 0]] - points[:, at[:, 1]]
        scale = float(np.abs(seen).max())
        found.append(studentised(gaps, gaps.std(axis=0) if errors is None else errors, scale))
    return np.stack(found)


def _median_of_task_means(
    labels: NDArray[np.uint8], scores: Floats, tasks: int, groups: int
) -> Floats:
    """Return each group's median over tasks of its mean over runs, (paths, groups)."""
    of_tasks = labels.reshape(len(labels), tasks, -1)
    flat = scores.reshape(tasks, -1)
    means = [
        np.einsum("ptx,tx->pt", of_tasks == group, flat) * (groups / flat.shape[1])
        for group in range(groups)
    ]
    return np.asarray(np.median(np.stack(means), axis=2).T)
