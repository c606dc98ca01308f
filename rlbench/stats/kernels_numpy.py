"""Statistics of many resamples in plain numpy: what `rlbench.stats.kernels` says."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.aggregates import weighted_trimmed_mean
from rlbench.stats.resampling import CHUNK, Floats, Ints, Layout, lanes, resamples

BORDER = 1e-9  # of all weight: cumulated weights that are equal but for rounding
LEAST_SHARE = 1e-12  # of squares that a variance is computed from: less is rounding


def aggregates_by_numpy(
    values: Floats,
    layout: Layout,
    names: Sequence[str],
    key: int,
    repetitions: int,
    task_key: int | None = None,
) -> Floats:
    """Do what `aggregates` does, in numpy."""
    out = np.empty((len(names), values.shape[1], repetitions))
    done = 0
    for picks in resamples(layout, key, repetitions, task_key=task_key):
        for point, scores in enumerate(values.T):
            draws = scores[picks]
            for row, name in enumerate(names):
                out[row, point, done : done + len(picks)] = _of_each(draws, name, layout)
        done += len(picks)
    return out


def task_means(draws: Floats, layout: Layout) -> Floats:
    """Return the mean of each task in each resample: (resamples, draws) to (resamples, tasks)."""
    return np.asarray(np.add.reduceat(draws, layout.starts, axis=1) / layout.counts)


def _of_each(draws: Floats, name: str, layout: Layout) -> Floats:
    """Return the statistic of each resample: (resamples, draws) to (resamples,)."""
    weights = np.repeat(layout.weights, layout.counts)
    if name == "iqm":
        return trimmed_means(draws, weights)
    if name == "optimality_gap":
        return np.asarray(1.0 - np.average(np.minimum(draws, 1.0), axis=1, weights=weights))
    means = task_means(draws, layout)
    return np.asarray(means.mean(axis=1) if name == "mean" else np.median(means, axis=1))


def trimmed_means(draws: Floats, weights: Floats) -> Floats:
    """Return the IQM of each resample, (resamples, draws) to (resamples,).

    The weights add up to the number n of scores, and ``floor(n / 4)`` is trimmed at each end; a
    draw on the border counts in part. So the estimand is that of `iqm`, however many draws a task
    has.
    """
    total, cut = trimming(weights)
    if (weights == weights[0]).all():
        ordered = np.sort(draws, axis=1)
        edges = np.arange(draws.shape[1] + 1) * (total / draws.shape[1])
        shares = np.diff(np.clip(edges, cut, total - cut))
        return np.asarray(ordered @ shares / (total - 2 * cut))
    return weighted_trimmed_mean(draws, weights, cut / total)


def trimming(weights: Floats) -> tuple[float, float]:
    """Return the number n of scores, and how much of it the IQM trims at each end."""
    total = float(round(weights.sum()))
    return total, float(total // 4)


def improvements_by_numpy(
    x: Sequence[Floats],
    y: Sequence[Floats],
    layouts: tuple[Layout, Layout],
    keys: Sequence[int],
    repetitions: int,
) -> Floats:
    """Do what `improvements` does, in numpy."""
    wins = [(a[:, None] > b) + 0.5 * (a[:, None] == b) for a, b in zip(x, y, strict=True)]
    step = max(1, CHUNK // max(layout.draws for layout in layouts))
    chunks = [
        resamples(layout, key, repetitions, chunk=step * layout.draws)
        for layout, key in zip(layouts, keys, strict=True)
    ]
    begins = [np.cumsum(layout.runs) - layout.runs for layout in layouts]
    parts = []
    for picks in zip(*chunks, strict=True):
        total = np.zeros(len(picks[0]))
        for task, table in enumerate(wins):
            rows, columns = (
                side[:, layout.starts[task] :][:, : layout.counts[task]] - begin[task]
                for side, layout, begin in zip(picks, layouts, begins, strict=True)
            )
            # How often each run of the second agent is drawn, so that no table of pairs is made.
            drawn = (columns[:, :, None] == np.arange(table.shape[1])).sum(axis=1)
            scored = (drawn[:, None, :] * table[rows]).sum(axis=(1, 2))
            total += scored / (layouts[0].counts[task] * layouts[1].counts[task])
        parts.append(total / len(wins))
    return np.concatenate(parts)


def random_splits_by_numpy(
    first: Ints, second: Ints, key: int, begin: int, end: int
) -> NDArray[np.bool_]:
    """Do what `random_splits` does, in numpy."""
    totals = first + second
    numbers = lanes(key, int(totals.sum()), 32, begin, end)
    masks = np.empty(numbers.shape, dtype=bool)
    starts = np.cumsum(totals) - totals
    # Tasks of the same sizes are gone through together.
    for n, m in set(zip(first.tolist(), second.tolist(), strict=True)):
        at = starts[(first == n) & (second == m)]
        needed = np.full((end - begin, len(at)), n, dtype=np.uint64)
        for run in range(n + m):
            left = np.uint64(n + m - run)
            taken = (numbers[:, at + run] * left >> np.uint64(32)) < needed
            masks[:, at + run] = taken
            needed -= taken
    return masks


def random_groups_by_numpy(
    groups: int, size: int, tasks: int, key: int, begin: int, end: int
) -> NDArray[np.uint8]:
    """Do what `random_groups` does, in numpy."""
    runs = groups * size
    shape = (end - begin, tasks, runs)
    numbers = lanes(key, tasks * runs, 32, begin, end).reshape(shape)
    labels = np.tile(np.repeat(np.arange(groups, dtype=np.uint8), size), (*shape[:2], 1))
    for last in range(runs - 1, 0, -1):
        chosen = numbers[:, :, last] * np.uint64(last + 1) >> np.uint64(32)
        at = chosen.astype(np.int64)[:, :, None]
        swapped = np.take_along_axis(labels, at, axis=2)
        np.put_along_axis(labels, at, labels[:, :, last : last + 1], axis=2)
        labels[:, :, last : last + 1] = swapped
    return labels.reshape(end - begin, tasks * runs)


def group_estimates_by_numpy(
    labels: NDArray[np.uint8], scores: Floats, sizes: Ints, cuts: Floats
) -> Floats:
    """Do what `group_estimates` does, in numpy."""
    ends, weights, spreads = weighing(sizes)
    task = np.repeat(np.arange(len(sizes)), np.diff(ends, prepend=0))
    begins = ends - sizes.sum(axis=1)
    centres = centres_of(scores, ends)
    out = np.empty((len(labels), len(scores), len(cuts), 2))
    step = max(1, CHUNK // scores.shape[1])
    for begin in range(0, len(labels), step):
        chunk = labels[begin : begin + step]
        for point, values in enumerate(scores):
            order = np.argsort(values, kind="stable")
            for group, cut in enumerate(cuts):
                inside = chunk == group
                low, high = np.full((2, len(chunk), 1), [[[-np.inf]], [[np.inf]]])
                if cuts.any():
                    at = _borders(inside[:, order] * weights[task[order], group], cut)
                    low, high = (values[order][border][:, None] for border in at)
                middle = np.clip(centres[point], low, high)
                off = inside * (
                    np.clip(values, low, high) - np.clip(centres[point, task], low, high)
                )
                sums, squares = (np.add.reduceat(x, begins, axis=1) for x in (off, off**2))
                mean = middle.mean(axis=-1) + sums @ weights[:, group]
                if cuts.any():
                    mean -= cut * (low + high)[:, 0]
                variance = (squares - sums**2 / sizes[:, group]) @ spreads[:, group]
                kept = variance > LEAST_SHARE * (squares @ spreads[:, group])
                out[begin : begin + step, point, group, 0] = mean / (1 - 2 * cut)
                out[begin : begin + step, point, group, 1] = (
                    np.where(kept, variance, 0.0) / (1 - 2 * cut) ** 2
                )
    return out


def _borders(weights: Floats, cut: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where weights, (paths, runs), first exceed a cut from the left and from the right."""
    low = (np.cumsum(weights, axis=1) > cut + BORDER).argmax(axis=1)
    high = (np.cumsum(weights[:, ::-1], axis=1) > cut + BORDER).argmax(axis=1)
    return low, weights.shape[1] - 1 - high


def weighing(sizes: Ints) -> tuple[Ints, Floats, Floats]:
    """Return where tasks end, what a run weighs, and the variance of a mean a squared deviation.

    The first is (tasks,), the others are (tasks, groups).
    """
    tasks = len(sizes)
    degrees = np.maximum(sizes - 1, 1)
    spreads = np.where(sizes > 1, 1 / (degrees * sizes * tasks**2), 0.0)
    return np.cumsum(sizes.sum(axis=1)), 1 / (sizes * tasks), spreads


def centres_of(scores: Floats, ends: Ints) -> Floats:
    """Return the mean of each task, (points, tasks): deviations from it lose no digits."""
    begins = np.concatenate([[0], ends[:-1]])
    return np.asarray(np.add.reduceat(scores, begins, axis=1) / (ends - begins))
