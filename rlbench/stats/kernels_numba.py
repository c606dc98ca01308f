"""Statistics of many resamples, compiled by numba: what `rlbench.stats.kernels` says.

Work is cut into pieces for the threads, as many as there are processors, or ``RLBENCH_THREADS``;
the result is the same for any number.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.compiled import compiled
from rlbench.cpus import usable_cpus
from rlbench.errors import UsageError
from rlbench.stats.kernels_numpy import BORDER, LEAST_SHARE, centres_of, trimming, weighing
from rlbench.stats.resampling import GOLDEN_GAMMA, MIX_1, MIX_2, Floats, Ints, Layout

NAMES = ("iqm", "mean", "median", "optimality_gap")  # of the aggregates that are compiled
PIECE = 20_000_000  # draws computed between two looks at Ctrl-C
SMALL = 500_000  # draws that are not worth another thread
SHORT = 32  # values that are sorted by insertion


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
    total, cut = trimming(np.repeat(layout.weights, layout.counts))
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
    ends, weights, spreads = weighing(sizes)
    orders = np.argsort(scores, axis=1, kind="stable").astype(np.uint32)
    ordered = np.ascontiguousarray(np.take_along_axis(scores, orders, axis=1))
    values, of_runs = np.ascontiguousarray(scores), np.ascontiguousarray(labels)
    centres = centres_of(values, ends)
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
        return usable_cpus()
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
    """Return the median, and change the order of the values."""
    half = len(values) // 2
    if len(values) <= SHORT:
        _sort(values)
    else:
        _select(values, half)
    if len(values) % 2:
        return float(values[half])
    below = values[half - 1]
    for value in values[: half - 1]:
        below = max(below, value)
    return float(0.5 * (below + values[half]))


@_compiled
def _sort(values: Floats) -> None:
    """Sort a few values, by insertion."""
    for i in range(1, len(values)):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@_compiled
def _select(values: Floats, wanted: int) -> None:
    """Put the value of that rank in its place, no greater ones before and no less ones after it.

    By Hoare's selection (Hoare 1961, algorithm 65).
    """
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted > j:
            low = i
        if wanted < i:
            high = j


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
    `centres` are (points, tasks). The rest is as `weighing` and `group_estimates` have it.
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
