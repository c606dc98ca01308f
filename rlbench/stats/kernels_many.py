"""Where the studentised differences of IQMs of very many pairs may be large, compiled by numba."""

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.kernels_numba import _compiled, _in_pieces
from rlbench.stats.resampling import Floats, Ints

SLACK = 1e-6  # of the square of an error: rounding never hides what is above the floor


def above(
    masks: NDArray[np.bool_], values: Floats, pairs: NDArray[np.int32], floor: float
) -> tuple[Ints, Ints, Floats]:
    """Find the paths and pairs whose statistic may be at least a floor.

    Args:
        masks: (paths, tasks x 2 x runs) which runs go to the first agent.
        values: (agents, tasks, runs) scores.
        pairs: (pairs, 2) numbers of agents.
        floor: Above 0. No path and pair is missing whose statistic reaches it.

    Returns:
        (found,) paths, (found,) pairs, and (pairs,) the standard deviation of each pair's
        difference over all paths.
    """
    agents, tasks, runs = values.shape
    flat = np.ascontiguousarray(values.reshape(agents, -1))
    orders = np.argsort(flat, axis=1, kind="stable").astype(np.int32)
    places = (np.arange(tasks)[:, None] * 2 * runs + np.arange(runs)).ravel().astype(np.int32)
    centres = values.mean(axis=2)
    bounds = _least_variances(values, pairs)
    found: list[tuple[Ints, Ints]] = []
    totals: list[Floats] = []

    def piece(begin: int, end: int) -> None:
        room = max(1000, 4 * (end - begin))
        while True:
            out = np.empty((2, room), dtype=np.int64)
            moments = np.zeros((2, len(pairs)))
            number = _above(
                masks, flat, orders, places, centres, pairs, bounds, runs, floor, begin, end,
                moments, out,
            )  # fmt: skip
            if number <= room:
                break
            room = number
        found.append((out[0, :number], out[1, :number]))
        totals.append(moments)

    _in_pieces(piece, len(masks), len(pairs))
    sums, squares = np.sum(totals, axis=0) / len(masks)
    return (
        np.concatenate([part for part, _ in found]),
        np.concatenate([part for _, part in found]),
        np.sqrt(np.maximum(squares - sums**2, 0.0)),
    )


@_compiled
def _spread(tasks: int, runs: int) -> float:
    """Return the square of the error of an IQM, over the sum of its winsorised squares."""
    size = tasks * runs
    kept = size - 2 * (size // 4)
    return 1.0 / ((runs - 1) * runs * tasks**2) / (kept / size) ** 2


@_compiled
def _least_variances(values: Floats, pairs: NDArray[np.int32]) -> Floats:
    """Return of each pair two scores and the least variance if no score between them is clipped.

    (pairs, 3). Clipping to a narrower range lessens every distance between two runs, and so the
    squares about the means of groups. Of all ways to part the runs of a task into two groups, the
    lower and the upper half have the least squares. So whatever the path, the variance is at least
    the third number, unless a group is clipped within the range.
    """
    _, tasks, runs = values.shape
    size = tasks * runs
    # A group's limit stands near twice its rank, in the runs of both; few are farther than this.
    place = min(2 * (size // 4) + int(1.5 * np.sqrt(size)), size - 1)
    bounds = np.empty((len(pairs), 3))
    pooled = np.empty((tasks, 2 * runs))
    for pair in range(len(pairs)):
        pooled[:, :runs] = values[pairs[pair, 0]]
        pooled[:, runs:] = values[pairs[pair, 1]]
        ordered = np.sort(pooled.ravel())
        low, high = ordered[place], ordered[2 * size - 1 - place]
        squares = 0.0
        for task in range(tasks):
            clipped = np.minimum(np.maximum(np.sort(pooled[task]), low), high)
            for begin in (0, runs):
                half = clipped[begin : begin + runs]
                squares += np.sum((half - half.mean()) ** 2)
        bounds[pair] = low, high, squares * _spread(tasks, runs)
    return bounds


@_compiled
def _taken(
    lists: Floats, first: int, second: int, low: int, high: int, rank: int, start: int
) -> int:
    """Return how many of the `rank` least of two sorted lists are of the first, near a start.

    Args:
        lists: All lists, one after the other, each with infinity after its end.
        first: Where the first list begins.
        second: Where the second list begins.
        low: The least that it can be.
        high: The most.
        rank: How many.
        start: Where to begin to look.
    """
    at = min(max(start, low), high)
    while at < high and lists[second + rank - at - 1] > lists[first + at]:
        at += 1
    while at > low and lists[first + at - 1] > lists[second + rank - at]:
        at -= 1
    return at


@_compiled
def _above(  # noqa: C901  # a kernel
    masks: NDArray[np.bool_],
    values: Floats,
    orders: NDArray[np.int32],
    places: NDArray[np.int32],
    centres: Floats,
    pairs: NDArray[np.int32],
    bounds: Floats,
    runs: int,
    floor: float,
    begin: int,
    end: int,
    moments: Floats,
    out: Ints,
) -> int:
    """Write paths and pairs into out, (2, room), and return how many there are.

    Into moments, (2, pairs), go the sums of differences and of their squares. `values` and
    `orders` are (agents, runs of all tasks), `places` (runs of all tasks,) where in a mask the
    first agent's run stands, `centres` (agents, tasks), `bounds` of `_least_variances`. A path has
    four sorted lists of each agent: as the first and as the second of a pair, runs that go to the
    second and to the first.
    """
    agents, size = values.shape
    tasks = centres.shape[1]
    cut = size // 4
    kept = size - 2 * cut
    spread = _spread(tasks, runs)
    width = size + 1
    lists = np.empty(agents * 4 * width)
    totals = np.zeros(agents * 4 * width)
    lengths = np.empty(agents * 4, dtype=np.int64)
    # Of a pair, how many runs of the first agent were below the lower limits of both groups on the
    # path before, and how many below the upper ones: the sums vary less than their parts.
    sums = np.full((len(pairs), 2), cut, dtype=np.int16)
    sums[:, 1] = size
    top = size - cut
    lows, highs, means = np.empty(2), np.empty(2), np.empty(2)
    number = 0
    for path in range(begin, end):
        mask = masks[path]
        for agent in range(agents):
            for role in range(2):
                place = 4 * agent + 2 * role
                lengths[place] = lengths[place + 1] = 0
                for k in range(size):
                    run = orders[agent, k]
                    where = place + int(mask[places[run] + role * runs])
                    at = where * width + lengths[where]
                    lists[at] = values[agent, run]
                    totals[at + 1] = totals[at] + values[agent, run]
                    lengths[where] += 1
                for group in range(2):
                    lists[(place + group) * width + lengths[place + group]] = np.inf
        for pair in range(len(pairs)):
            a, b = pairs[pair, 0], pairs[pair, 1]
            start, start_2 = sums[pair, 0] // 2, sums[pair, 1] // 2
            sum_, sum_2 = 0, 0
            for group in range(2):
                of_a, of_b = lengths[4 * a + group], lengths[4 * b + 2 + group]
                first, second = (4 * a + group) * width, (4 * b + 2 + group) * width
                i = _taken(lists, first, second, max(0, cut - of_b), min(cut, of_a), cut, start)
                i_2 = _taken(lists, first, second, max(0, top - of_b), min(top, of_a), top, start_2)
                start, start_2 = sums[pair, 0] - i, sums[pair, 1] - i_2
                sum_, sum_2 = sum_ + i, sum_2 + i_2
                j, j_2 = second + cut - i, second + top - i_2
                i, i_2 = first + i, first + i_2
                lows[group] = min(lists[i], lists[j])
                high = -np.inf
                if i_2 > first:
                    high = lists[i_2 - 1]
                if j_2 > second:
                    high = max(high, lists[j_2 - 1])
                highs[group] = high
                means[group] = (totals[i_2] - totals[i] + totals[j_2] - totals[j]) / kept
            sums[pair, 0], sums[pair, 1] = sum_, sum_2
            gap = means[1] - means[0]
            moments[0, pair] += gap
            moments[1, pair] += gap * gap
            least = (gap / floor) ** 2 * (1 + SLACK)
            low, high = lows[0], highs[0]
            low_1, high_1 = lows[1], highs[1]
            clipped_low, clipped_high, known = bounds[pair]
            if (
                known > least
                and max(low, low_1) <= clipped_low
                and clipped_high <= min(high, high_1)
            ):
                continue
            variance = 0.0
            for task in range(tasks):
                centre = 0.5 * (centres[a, task] + centres[b, task])
                middle = min(max(centre, low), high)
                middle_1 = min(max(centre, low_1), high_1)
                total = total_1 = squares = 0.0
                for side in range(2):
                    agent = a if side == 0 else b
                    for run in range(runs):
                        value = values[agent, task * runs + run]
                        if mask[(2 * task + side) * runs + run]:
                            off = min(max(value, low_1), high_1) - middle_1
                            total_1 += off
                        else:
                            off = min(max(value, low), high) - middle
                            total += off
                        squares += off * off
                variance += spread * (squares - (total**2 + total_1**2) / runs)
                if variance > least:
                    break
            else:
                if number < out.shape[1]:
                    out[0, number], out[1, number] = path, pair
                number += 1
    return number
