"""Permutations of the runs of two agents, within strata.

A stratum is a task in a batch: 2n runs, n of each agent of a pair. A path splits the 2n runs of
every stratum into two halves, independently; the same path is applied to all pairs. Path 0 is the
identity, so that shares of paths are valid p-values also where paths are drawn (Phipson & Smyth
2010). Where all paths are few enough they are enumerated, else drawn.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.aggregates import ScoresLike, columns
from rlbench.stats.resampling import Floats, lanes

Masks = NDArray[np.bool_]
Pair = tuple[str, str]

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


def pooled_of(blocks: Mapping[str, Floats], pairs: Sequence[Pair], look: int) -> Floats:
    """Return one batch of every pair pooled, (pairs, tasks, 2n), the first agent's runs first."""
    return np.stack([np.concatenate([blocks[a][look], blocks[b][look]], axis=1) for a, b in pairs])


def number_of_paths(batch: int, strata: int) -> int:
    """Return how many paths there are."""
    return int(math.comb(2 * batch, batch) ** strata)


def all_masks(batch: int, tasks: int, looks: int) -> list[Masks]:
    """Return all paths, one array (paths, tasks, 2n) a look: True goes to the first agent."""
    splits = np.zeros((math.comb(2 * batch, batch), 2 * batch), dtype=bool)
    for row, chosen in enumerate(combinations(range(2 * batch), batch)):
        splits[row, list(chosen)] = True
    digits = np.indices((len(splits),) * (looks * tasks)).reshape(looks * tasks, -1)
    return [
        splits[digits[look * tasks : (look + 1) * tasks].T].reshape(-1, tasks, 2 * batch)
        for look in range(looks)
    ]


def random_masks(batch: int, tasks: int, paths: int, key: int) -> Masks:
    """Return random splits of one look, (paths, tasks, 2n); those of path 0 change nothing.

    The runs are gone through in turn; each goes to the first agent with the chance that makes
    every split as likely (selection sampling, Knuth 1998, 3.4.2, algorithm S).
    """
    size = 2 * batch
    numbers = lanes(key, tasks * size, 32, 0, paths).reshape(paths, tasks, size)
    masks = np.empty((paths, tasks, size), dtype=bool)
    needed = np.full((paths, tasks), batch, dtype=np.uint64)
    for run in range(size):
        taken = (numbers[:, :, run] * np.uint64(size - run) >> np.uint64(32)) < needed
        masks[:, :, run] = taken
        needed -= taken
    masks[0] = np.arange(size) < batch
    return masks


class Paths:
    """The statistics of all pairs on a set of paths.

    Args:
        statistic: Of `STATISTICS`. The mean is that over tasks of the mean over runs; the IQM that
            of all runs; the median that over tasks of the mean over runs, or on one task that of
            its runs.

    Differences of two agents at look k are multiplied by k: those of means are then sums over
    batches, as AdaStop defines them.
    """

    def __init__(self, statistic: str) -> None:
        self.statistic = statistic
        self._masks: list[Masks] = []
        self._pooled: list[Floats] = []
        self._sums: list[Floats] = []

    def extend(self, masks: Masks, pooled: Floats) -> None:
        """Add a look: (paths, tasks, 2n) splits, and (pairs, tasks, 2n) scores."""
        self._masks.append(masks)
        self._pooled.append(pooled)
        if self.statistic == "mean":
            paths, tasks, size = masks.shape
            signs = masks.reshape(paths, -1) * (4.0 / (size * tasks))
            # Sums of one half double, less the sums of both halves: means differ by just that.
            total = pooled.sum(axis=(1, 2)) * (2.0 / (size * tasks))
            block = signs @ pooled.reshape(len(pooled), -1).T - total
            self._sums.append(block + self._sums[-1] if self._sums else block)

    def differences(self, looks: int) -> Floats:
        """Return the signed differences of all pairs after some looks, (paths, pairs)."""
        if self.statistic == "mean":
            return self._sums[looks - 1]
        masks = np.concatenate(self._masks[:looks], axis=2)
        pooled = np.concatenate(self._pooled[:looks], axis=2)
        tasks, size = masks.shape[1:]
        if self.statistic == "median" and tasks > 1:
            return looks * _of_task_means(masks, pooled)
        from rlbench.stats.kernels import half_differences

        n = tasks * size // 2
        cut = n // 4 if self.statistic == "iqm" else (n - 1) // 2
        return looks * half_differences(
            masks.reshape(len(masks), -1), pooled.reshape(len(pooled), -1), cut
        )


def _of_task_means(masks: Masks, pooled: Floats) -> Floats:
    """Return the differences of medians over tasks of the means of two halves, (paths, pairs)."""
    n = masks.shape[2] // 2
    parts = []
    for scores in pooled:
        first = np.einsum("ptx,tx->pt", masks, scores) / n
        second = scores.sum(axis=1) / n - first
        parts.append(np.median(first, axis=1) - np.median(second, axis=1))
    return np.stack(parts, axis=1)
