"""Statistics of many resamples: kernels compiled by numba, each beside its plain numpy twin.

Twins draw the same resamples and differ by rounding only. The twin is used where numba is missing.
Work is cut into pieces for the threads, as
many as there are processors, or ``RLBENCH_THREADS``; the result is the same for any number.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.compiled import compiled, numba
from rlbench.errors import UsageError
from rlbench.stats.aggregates import weighted_trimmed_mean
from rlbench.stats.resampling import (
    CHUNK,
    GOLDEN_GAMMA,
    MIX_1,
    MIX_2,
    Floats,
    Ints,
    Layout,
    lanes,
    resamples,
)

NAMES = ("iqm", "mean", "median", "optimality_gap")
PIECE = 20_000_000  # draws computed between two looks at Ctrl-C
SMALL = 500_000  # draws that are not worth another thread
BORDER = 1e-9  # of all weight: cumulated weights that are equal but for rounding
LEAST_SHARE = 1e-12  # of squares that a variance is computed from: less is rounding


def aggregates(
    values: Floats,
    layout: Layout,
    names: Sequence[str],
    key: int,
    repetitions: int,
    task_key: int | None = None,
) -> Floats:
    """Return statistics of every resample.

    Args:
        values: (runs of all tasks, points), the tasks one after the other.
        layout: Of the resamples.
        names: Of `NAMES`.
        key: Of the random numbers.
        repetitions: How many resamples.
        task_key: To draw the tasks as well, as `resamples` takes it.

    Returns:
        (names, points, repetitions).
    """
    if numba is None or task_key is not None:
        return aggregates_by_numpy(values, layout, names, key, repetitions, task_key)
    return aggregates_by_numba(values, layout, names, key, repetitions)


def improvements(
    x: Sequence[Floats],
    y: Sequence[Floats],
    layouts: tuple[Layout, Layout],
    keys: Sequence[int],
    repetitions: int,
) -> Floats:
    """Return the probability of improvement of every resample of two agents.

    Args:
        x: The first agent's scores, (runs,) a task.
        y: The second agent's, on the same tasks.
        layouts: Of the two agents' resamples.
        keys: Of the two agents' random numbers.
        repetitions: How many resamples.

    Returns:
        (repetitions,) means over tasks.
    """
    twin = improvements_by_numpy if numba is None else improvements_by_numba
    return twin(x, y, layouts, keys, repetitions)


def random_splits(first: Ints, second: Ints, key: int, begin: int, end: int) -> NDArray[np.bool_]:
    """Return random splits of the runs of two agents, task by task; each is as likely.

    The runs are gone through in turn; each goes to the first agent with the chance that makes
    every split as likely (selection sampling, Knuth 1998, 3.4.2, algorithm S).

    Args:
        first: (tasks,) how many runs go to the first agent.
        second: (tasks,) how many go to the second.
        key: Of the random numbers.
        begin: The first split that is wanted.
        end: The one after the last.

    Returns:
        (end - begin, runs of all tasks).
    """
    twin = random_splits_by_numpy if numba is None else random_splits_by_numba
    return twin(first, second, key, begin, end)


def random_groups(
    groups: int, size: int, tasks: int, key: int, begin: int, end: int
) -> NDArray[np.uint8]:
    """Return random splits of the runs of several agents, task by task; each is as likely.

    Args:
        groups: How many agents there are, at most 255.
        size: How many runs each has on a task.
        tasks: How many tasks.
        key: Of the random numbers.
        begin: The first split that is wanted.
        end: The one after the last.

    Returns:
        (end - begin, tasks * groups * size) which agent a run goes to; unshuffled, those of a
        task are agent 0's, then agent 1's, and so on (Fisher & Yates 1938; Durstenfeld 1964).
    """
    twin = random_groups_by_numpy if numba is None else random_groups_by_numba
    return twin(groups, size, tasks, key, begin, end)


def group_estimates(labels: NDArray[np.uint8], scores: Floats, sizes: Ints, cuts: Floats) -> Floats:
    """Return the trimmed mean of each group of runs, and its variance.

    Every task has the same weight, shared by its runs. Of this weight, a share is trimmed at each
    end; the run on the border counts in part. The variance is that of the scores winsorised at the
    two runs on the border, within tasks, over the squared share that is left (Tukey & McLaughlin
    1963).

    Args:
        labels: (paths, runs of all tasks) which group a run is in, the tasks one after the other.
        scores: (points, runs of all tasks).
        sizes: (tasks, groups) how many runs each group has on each task, in every path.
        cuts: (groups,) the share trimmed at each end, below 1/2; none is trimmed if all are 0.

    Returns:
        (paths, points, groups, 2): trimmed means, and variances. A task with one run of a group
        adds nothing to its variance, and variance below 1e-12 of the squares that it is computed
        from is 0.
    """
    twin = group_estimates_by_numpy if numba is None else group_estimates_by_numba
    return twin(labels, scores, sizes, cuts)


def mean_gaps(masks: NDArray[np.bool_], pooled: Floats, sizes: Ints) -> tuple[Floats, Floats]:
    """Return the differences of the means of two parts of each row of scores, and their variances.

    The same numbers as of `group_estimates` without cuts, by products of matrices, which are
    faster where many pairs share their paths.

    Args:
        masks: (paths, runs of all tasks) which go to the first part, the tasks one after the other.
        pooled: (pairs, runs of all tasks).
        sizes: (tasks, 2) how many runs each part has on each task.

    Returns:
        (paths, pairs) each.
    """
    ends, weights, spreads = _weighing(sizes)
    centres = _centres(pooled, ends)
    gaps = np.zeros((len(masks), len(pooled)))
    lost = np.zeros_like(gaps)
    squares: Floats = np.zeros(len(pooled))
    for t, (end, runs) in enumerate(zip(ends, sizes.sum(axis=1), strict=True)):
        off = pooled[:, end - runs : end] - centres[:, t : t + 1]
        inside = masks[:, end - runs : end].astype(np.float64)
        # Deviations from the mean add up to 0, so the sum of the second part is that, negative.
        sums = inside @ (off * weights[t].sum()).T
        gaps += sums
        np.square(sums, out=sums)
        sums *= (spreads[t] / sizes[t]).sum() / weights[t].sum() ** 2
        lost += sums
        squares = squares + spreads[t, 1] * (off**2).sum(axis=1)
        if spreads[t, 0] != spreads[t, 1]:
            squares = squares + (inside @ (off**2).T) * (spreads[t, 0] - spreads[t, 1])
    variances = np.subtract(squares, lost, out=lost)
    variances[variances <= LEAST_SHARE * squares] = 0.0
    return gaps, variances


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
    total, cut = _trimming(weights)
    if (weights == weights[0]).all():
        ordered = np.sort(draws, axis=1)
        edges = np.arange(draws.shape[1] + 1) * (total / draws.shape[1])
        shares = np.diff(np.clip(edges, cut, total - cut))
        return np.asarray(ordered @ shares / (total - 2 * cut))
    return weighted_trimmed_mean(draws, weights, cut / total)


def _trimming(weights: Floats) -> tuple[float, float]:
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
    ends, weights, spreads = _weighing(sizes)
    task = np.repeat(np.arange(len(sizes)), np.diff(ends, prepend=0))
    begins = ends - sizes.sum(axis=1)
    centres = _centres(scores, ends)
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


def _weighing(sizes: Ints) -> tuple[Ints, Floats, Floats]:
    """Return where tasks end, what a run weighs, and the variance of a mean a squared deviation.

    The first is (tasks,), the others are (tasks, groups).
    """
    tasks = len(sizes)
    degrees = np.maximum(sizes - 1, 1)
    spreads = np.where(sizes > 1, 1 / (degrees * sizes * tasks**2), 0.0)
    return np.cumsum(sizes.sum(axis=1)), 1 / (sizes * tasks), spreads


def _centres(scores: Floats, ends: Ints) -> Floats:
    """Return the mean of each task, (points, tasks): deviations from it lose no digits."""
    begins = np.concatenate([[0], ends[:-1]])
    return np.asarray(np.add.reduceat(scores, begins, axis=1) / (ends - begins))


def aggregates_by_numba(
    values: Floats, layout: Layout, names: Sequence[str], key: int, repetitions: int
) -> Floats:
    """Do what `aggregates` does, compiled.

    The IQM needs no sorting: scores are ranked once, a resample counts how often each rank is
    drawn, and the trimmed mean is read off the counts.
    """
    runs, points = values.shape
    order = np.argsort(values, axis=0, kind="stable").T
    ranks = np.empty((points, runs), dtype=np.uint16 if runs <= 2**16 else np.uint32)
    np.put_along_axis(ranks, order, np.arange(runs, dtype=ranks.dtype)[None], axis=1)
    scores = np.ascontiguousarray(values.T)
    ordered = np.ascontiguousarray(np.take_along_axis(scores, order, axis=1))
    total, cut = _trimming(np.repeat(layout.weights, layout.counts))
    rows = np.array([names.index(name) if name in names else -1 for name in NAMES])
    out = np.empty((len(names), points, repetitions))
    shape = _shape(layout)

    def piece(begin: int, end: int) -> None:
        _aggregates(
            *shape, np.uint64(key), scores, ranks, ordered, layout.weights, total, cut, rows,
            begin, end, out,
        )  # fmt: skip

    _in_pieces(piece, repetitions, layout.draws * points)
    return out


def improvements_by_numba(
    x: Sequence[Floats],
    y: Sequence[Floats],
    layouts: tuple[Layout, Layout],
    keys: Sequence[int],
    repetitions: int,
) -> Floats:
    """Do what `improvements` does, compiled.

    It needs no table of pairs: the values of both agents are ranked once, a resample counts how
    often each is drawn, and who wins is read off the counts.
    """
    places: list[list[NDArray[np.intp]]] = [[], []]
    ends = []
    begin = 0
    for a, b in zip(x, y, strict=True):
        values, inverse = np.unique(np.concatenate([a, b]), return_inverse=True)
        for side, part in zip(places, np.split(inverse + begin, [len(a)]), strict=True):
            side.append(part)
        begin += len(values)
        ends.append(begin)
    place, place_2 = (np.concatenate(side).astype(np.uint32) for side in places)
    first, second = (_shape(layout) for layout in layouts)
    pairs = (layouts[0].counts * layouts[1].counts).astype(np.float64)
    one, two = (np.uint64(key) for key in keys)
    out = np.empty(repetitions)

    def piece(begin: int, end: int) -> None:
        _improvements(
            *first, one, *second, two, place, place_2, np.array(ends), pairs, begin, end, out
        )

    _in_pieces(piece, repetitions, sum(layout.draws for layout in layouts))
    return out


def random_splits_by_numba(
    first: Ints, second: Ints, key: int, begin: int, end: int
) -> NDArray[np.bool_]:
    """Do what `random_splits` does, compiled."""
    runs = int(first.sum() + second.sum())
    masks = np.empty((end - begin, runs), dtype=bool)

    def piece(low: int, high: int) -> None:
        _random_splits(first, second, np.uint64(key), begin + low, masks[low:high])

    _in_pieces(piece, end - begin, runs)
    return masks


def random_groups_by_numba(
    groups: int, size: int, tasks: int, key: int, begin: int, end: int
) -> NDArray[np.uint8]:
    """Do what `random_groups` does, compiled."""
    unshuffled = np.repeat(np.arange(groups, dtype=np.uint8), size)
    labels = np.tile(unshuffled, (end - begin, tasks))

    def piece(low: int, high: int) -> None:
        _shuffle(groups * size, np.uint64(key), begin + low, labels[low:high])

    _in_pieces(piece, end - begin, labels.shape[1])
    return labels


def group_estimates_by_numba(
    labels: NDArray[np.uint8], scores: Floats, sizes: Ints, cuts: Floats
) -> Floats:
    """Do what `group_estimates` does, compiled."""
    ends, weights, spreads = _weighing(sizes)
    orders = np.argsort(scores, axis=1, kind="stable").astype(np.uint32)
    ordered = np.ascontiguousarray(np.take_along_axis(scores, orders, axis=1))
    values, of_runs = np.ascontiguousarray(scores), np.ascontiguousarray(labels)
    centres = _centres(values, ends)
    out = np.empty((len(labels), len(scores), len(cuts), 2))

    def piece(begin: int, end: int) -> None:
        _group_estimates(
            of_runs, values, orders, ordered, centres, ends, sizes, weights, spreads, cuts,
            bool(cuts.any()), begin, end, out,
        )  # fmt: skip

    _in_pieces(piece, len(labels), scores.size)
    return out


def _shape(layout: Layout) -> tuple[NDArray[np.uint32], NDArray[np.uint32], Ints, Ints, int]:
    """Return what kernels take of a layout.

    That is (draws,) the first run of each draw's task, (draws,) the task's runs, (tasks,) where
    its draws begin, (tasks,) how many they are, and the bits of a draw.
    """
    begins = np.cumsum(layout.runs) - layout.runs
    return (
        np.repeat(begins, layout.counts).astype(np.uint32),
        np.repeat(layout.runs, layout.counts).astype(np.uint32),
        layout.starts,
        layout.counts,
        layout.bits,
    )


def _in_pieces(piece: Callable[[int, int], None], repetitions: int, draws: int) -> None:
    """Compute resamples piece by piece, each in one of the threads."""
    threads = _threads()
    most, least = PIECE // draws, SMALL // draws
    step = max(1, min(most, max(least, -(-repetitions // threads))))
    bounds = [(begin, min(begin + step, repetitions)) for begin in range(0, repetitions, step)]
    if threads == 1 or len(bounds) == 1:
        for begin, end in bounds:
            piece(begin, end)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(piece, *bound) for bound in bounds]:
            done.result()


def _threads() -> int:
    text = os.environ.get("RLBENCH_THREADS")
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"RLBENCH_THREADS is {text!r}: set it to a number of threads")
    return int(text)


# Sums may be taken in any order; nothing else of IEEE arithmetic is given up.
_compiled = compiled(nogil=True, fastmath={"reassoc", "contract"})


@_compiled
def _fill(key: Any, resample: int, words: NDArray[np.uint64]) -> None:
    """Write the random words of a resample into words."""
    base = key + np.uint64(resample) * np.uint64(len(words)) * np.uint64(GOLDEN_GAMMA)
    for w in range(len(words)):
        z = base + np.uint64(w + 1) * np.uint64(GOLDEN_GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX_1)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(MIX_2)
        words[w] = z ^ (z >> np.uint64(31))


@_compiled
def _draw(
    first: NDArray[np.uint32],
    runs: NDArray[np.uint32],
    bits: int,
    key: Any,
    resample: int,
    words: NDArray[np.uint64],
    picks: NDArray[np.uint32],
) -> None:
    """Write which runs a resample takes into picks, (draws,); words is scratch."""
    draws, width = len(picks), len(words)
    _fill(key, resample, words)
    # Slices are walked from zero, which lets the compiler do without checks of negative indices.
    for lane in range(64 // bits):
        begin = lane * width
        end = min(begin + width, draws)
        begins, lengths, into = first[begin:end], runs[begin:end], picks[begin:end]
        shift = np.uint64(bits * lane)
        if bits == 16:
            for w in range(end - begin):
                short = np.uint32((words[w] >> shift) & np.uint64(0xFFFF))
                into[w] = begins[w] + ((short * lengths[w]) >> np.uint32(16))
        else:
            for w in range(end - begin):
                long = (words[w] >> shift) & np.uint64(0xFFFFFFFF)
                into[w] = begins[w] + np.uint32((long * np.uint64(lengths[w])) >> np.uint64(32))


@_compiled
def _trimmed_mean(counts: Floats, ordered: Floats, total: float, cut: float) -> float:
    """Return the IQM of scores in order, (runs,), each drawn with some weight, (runs,)."""
    low = 0
    below = 0.0
    while below + counts[low] <= cut:
        below += counts[low]
        low += 1
    high = len(ordered) - 1
    above = 0.0
    while above + counts[high] <= cut:
        above += counts[high]
        high -= 1
    kept = 0.0
    weights, values = counts[low : high + 1], ordered[low : high + 1]
    for r in range(len(values)):
        kept += weights[r] * values[r]
    kept -= (cut - below) * ordered[low] + (cut - above) * ordered[high]
    return float(kept / (total - 2 * cut))


@_compiled
def _middle(values: Floats) -> float:
    """Return the median, and sort the values."""
    for i in range(1, len(values)):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    return float(0.5 * (values[(len(values) - 1) // 2] + values[len(values) // 2]))


@_compiled
def _count(
    picks: NDArray[np.uint32],
    ranks: NDArray[Any],
    starts: Ints,
    counts: Ints,
    weights: Floats,
    drawn: Floats,
) -> None:
    """Write the weight with which each rank is drawn into drawn, (runs of all tasks,)."""
    drawn[:] = 0.0
    for t in range(len(starts)):
        for pick in picks[starts[t] : starts[t] + counts[t]]:
            drawn[ranks[pick]] += weights[t]


@_compiled
def _means(
    picks: NDArray[np.uint32], scores: Floats, starts: Ints, counts: Ints, means: Floats
) -> None:
    """Write the mean of each task's draws into means, (tasks,)."""
    for t in range(len(starts)):
        total = 0.0
        for pick in picks[starts[t] : starts[t] + counts[t]]:
            total += scores[pick]
        means[t] = total / counts[t]


@_compiled
def _capped(drawn: Floats, ordered: Floats) -> float:
    """Return the sum of scores, each at most 1, drawn with some weight."""
    total = 0.0
    for r in range(len(drawn)):
        total += drawn[r] * min(ordered[r], 1.0)
    return total


@_compiled
def _aggregates(
    first: NDArray[np.uint32],
    runs: NDArray[np.uint32],
    starts: Ints,
    counts: Ints,
    bits: int,
    key: Any,
    scores: Floats,
    ranks: NDArray[Any],
    ordered: Floats,
    weights: Floats,
    total: float,
    cut: float,
    rows: Ints,
    begin: int,
    end: int,
    out: Floats,
) -> None:
    """Write statistics of resamples begin to end into out, (names, points, repetitions).

    `scores`, their `ranks` and their `ordered` values are (points, runs of all tasks); `rows`
    is (4,) where in out each of `NAMES` goes, or -1.
    """
    iqm, mean, median, gap = rows
    words = np.empty(-(-len(first) * bits // 64), dtype=np.uint64)
    picks = np.empty(len(first), dtype=np.uint32)
    drawn = np.empty(scores.shape[1])
    means = np.empty(len(starts))
    for b in range(begin, end):
        _draw(first, runs, bits, key, b, words, picks)
        for c in range(len(scores)):
            if iqm >= 0 or gap >= 0:
                _count(picks, ranks[c], starts, counts, weights, drawn)
            if iqm >= 0:
                out[iqm, c, b] = _trimmed_mean(drawn, ordered[c], total, cut)
            if gap >= 0:
                out[gap, c, b] = 1.0 - _capped(drawn, ordered[c]) / total
            if mean >= 0 or median >= 0:
                _means(picks, scores[c], starts, counts, means)
            if mean >= 0:
                out[mean, c, b] = means.mean()
            if median >= 0:
                out[median, c, b] = _middle(means)


@_compiled
def _improvements(
    first: NDArray[np.uint32],
    runs: NDArray[np.uint32],
    starts: Ints,
    counts: Ints,
    bits: int,
    key: Any,
    first_2: NDArray[np.uint32],
    runs_2: NDArray[np.uint32],
    starts_2: Ints,
    counts_2: Ints,
    bits_2: int,
    key_2: Any,
    place: NDArray[np.uint32],
    place_2: NDArray[np.uint32],
    ends: Ints,
    pairs: Floats,
    begin: int,
    end: int,
    out: Floats,
) -> None:
    """Write the probability of improvement of resamples begin to end into out, (repetitions,).

    `place` and `place_2` are (runs of all tasks,): where a run's score stands among the distinct
    values of its task, task after task; `ends` is (tasks,) where a task's values end, and `pairs`
    (tasks,) how many pairs of draws there are.
    """
    words = np.empty(-(-len(first) * bits // 64), dtype=np.uint64)
    words_2 = np.empty(-(-len(first_2) * bits_2 // 64), dtype=np.uint64)
    picks = np.empty(len(first), dtype=np.uint32)
    picks_2 = np.empty(len(first_2), dtype=np.uint32)
    drawn = np.zeros(ends[-1], dtype=np.int64)
    drawn_2 = np.zeros(ends[-1], dtype=np.int64)
    for b in range(begin, end):
        _draw(first, runs, bits, key, b, words, picks)
        _draw(first_2, runs_2, bits_2, key_2, b, words_2, picks_2)
        drawn[:] = 0
        drawn_2[:] = 0
        for pick in picks:
            drawn[place[pick]] += 1
        for pick in picks_2:
            drawn_2[place_2[pick]] += 1
        total = 0.0
        value = 0
        for t in range(len(ends)):
            points = 0  # 2 for a pair that the first wins, 1 for a tie
            below = 0
            while value < ends[t]:
                points += drawn[value] * (2 * below + drawn_2[value])
                below += drawn_2[value]
                value += 1
            total += 0.5 * points / pairs[t]
        out[b] = total / len(ends)


@_compiled
def _random_splits(
    first: Ints, second: Ints, key: Any, begin: int, masks: NDArray[np.bool_]
) -> None:
    """Write the splits from begin on into masks, (splits, runs of all tasks)."""
    runs = masks.shape[1]
    words = np.empty(-(-runs // 2), dtype=np.uint64)
    for p in range(len(masks)):
        _fill(key, begin + p, words)
        mask = masks[p]
        d = 0
        for t in range(len(first)):
            needed = np.uint64(first[t])
            for left in range(first[t] + second[t], 0, -1):
                number = (
                    words[d] & np.uint64(0xFFFFFFFF)
                    if d < len(words)
                    else words[d - len(words)] >> np.uint64(32)
                )
                taken = (number * np.uint64(left)) >> np.uint64(32) < needed
                mask[d] = taken
                needed -= np.uint64(taken)
                d += 1


@_compiled
def _shuffle(size: int, key: Any, begin: int, labels: NDArray[np.uint8]) -> None:
    """Shuffle each task's labels, `size` of them, in the paths from begin on, (paths, runs)."""
    runs = labels.shape[1]
    words = np.empty(-(-runs // 2), dtype=np.uint64)
    for p in range(len(labels)):
        _fill(key, begin + p, words)
        for start in range(0, runs, size):
            of_task = labels[p, start : start + size]
            for last in range(size - 1, 0, -1):
                d = start + last
                number = (
                    words[d] & np.uint64(0xFFFFFFFF)
                    if d < len(words)
                    else words[d - len(words)] >> np.uint64(32)
                )
                at = np.int64((number * np.uint64(last + 1)) >> np.uint64(32))
                of_task[last], of_task[at] = of_task[at], of_task[last]


@_compiled
def _group_estimates(
    labels: NDArray[np.uint8],
    scores: Floats,
    orders: NDArray[np.uint32],
    ordered: Floats,
    centres: Floats,
    ends: Ints,
    sizes: Ints,
    weights: Floats,
    spreads: Floats,
    cuts: Floats,
    trimmed: bool,
    begin: int,
    end: int,
    out: Floats,
) -> None:
    """Write trimmed means and variances of paths begin to end into out.

    `orders` and `ordered` are (points, runs): how to sort a point's scores, and these sorted;
    `centres` are (points, tasks). The rest is as `_weighing` and `group_estimates` have it.
    """
    tasks, groups = sizes.shape
    points, runs = scores.shape
    lows, highs = np.full(groups, -np.inf), np.full(groups, np.inf)
    weight = np.empty(runs)
    sums, squares = np.empty((tasks, groups)), np.empty((tasks, groups))
    for p in range(begin, end):
        label = labels[p]
        run = 0
        for t in range(tasks):
            while run < ends[t]:
                weight[run] = weights[t, label[run]]
                run += 1
        for c in range(points):
            values, centre = scores[c], centres[c]
            if trimmed:
                _find_borders(label, weight, orders[c], ordered[c], cuts, lows, 1)
                _find_borders(label, weight, orders[c], ordered[c], cuts, highs, -1)
            _winsorised_sums(label, values, centre, ends, lows, highs, sums, squares)
            for g in range(groups):
                low, high, kept = lows[g], highs[g], 1 - 2 * cuts[g]
                mean = 0.0
                square = 0.0
                lost = 0.0
                for t in range(tasks):
                    mean += min(max(centre[t], low), high) / tasks + weights[t, g] * sums[t, g]
                    square += spreads[t, g] * squares[t, g]
                    lost += spreads[t, g] * sums[t, g] ** 2 / sizes[t, g]
                if trimmed:
                    mean -= cuts[g] * (low + high)
                variance = square - lost
                if variance <= LEAST_SHARE * square:
                    variance = 0.0
                out[p, c, g, 0] = mean / kept
                out[p, c, g, 1] = variance / kept**2


@_compiled
def _find_borders(
    label: NDArray[np.uint8],
    weight: Floats,
    order: NDArray[np.uint32],
    ordered: Floats,
    cuts: Floats,
    borders: Floats,
    step: int,
) -> None:
    """Write the score with which each group's weight exceeds its cut into borders, (groups,).

    From the least score on with a step of 1, from the greatest with -1.
    """
    weighed = np.zeros(len(cuts))
    missing = len(cuts)
    at = 0 if step == 1 else len(order) - 1
    while missing:
        run = order[at]
        g = label[run]
        weighed[g] += weight[run]
        if weighed[g] > cuts[g] + BORDER:
            borders[g] = ordered[at]
            weighed[g] = -np.inf
            missing -= 1
        at += step


@_compiled
def _winsorised_sums(
    label: NDArray[np.uint8],
    values: Floats,
    centre: Floats,
    ends: Ints,
    lows: Floats,
    highs: Floats,
    sums: Floats,
    squares: Floats,
) -> None:
    """Write sums of winsorised scores about the centre of their task, and of squares of these.

    `lows` and `highs` are (groups,) where a group is winsorised, `sums` and `squares` are (tasks,
    groups).
    """
    sums[:] = 0.0
    squares[:] = 0.0
    run = 0
    for t in range(len(ends)):
        total, total_2 = sums[t], squares[t]
        while run < ends[t]:
            g = label[run]
            low, high = lows[g], highs[g]
            off = min(max(values[run], low), high) - min(max(centre[t], low), high)
            total[g] += off
            total_2[g] += off * off
            run += 1
