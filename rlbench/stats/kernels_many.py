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
    found: list[tuple[Ints, Ints]] = []
    totals: list[Floats] = []

    def piece(begin: int, end: int) -> None:
        room = max(1000, 4 * (end - begin))
        while True:
            out = np.empty((2, room), dtype=np.int64)
            moments = np.zeros((2, len(pairs)))
            number = _above(
                masks, flat, orders, places, centres, pairs, runs, floor, begin, end, moments, out
            )
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
def _taken(first: Floats, second: Floats, low: int, high: int, rank: int, start: int) -> int:
    """Return how many of the `rank` least of two sorted lists are of the first, near a start.

    Args:
        first: Sorted, and infinity after its end.
        second: Likewise.
        low: The least that it can be.
        high: The most.
        rank: How many.
        start: Where to begin to look.
    """
    at = min(max(start, low), high)
    while at < high and second[rank - at - 1] > first[at]:
        at += 1
    while at > low and first[at - 1] > second[rank - at]:
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
    first agent's run stands, `centres` (agents, tasks). In the lists of a path, the second axis
    is whether the agent is the second of its pair, the third whether a run goes to the first.
    """
    agents, size = values.shape
    tasks = centres.shape[1]
    cut = size // 4
    kept = size - 2 * cut
    spread = 1.0 / ((runs - 1) * runs * tasks**2) / (kept / size) ** 2
    lists = np.empty((agents, 2, 2, size + 1))
    totals = np.zeros((agents, 2, 2, size + 1))
    lengths = np.empty((agents, 2, 2), dtype=np.int64)
    starts = np.full((len(pairs), 2, 2), cut // 2, dtype=np.int16)
    starts[:, :, 1] = size // 2
    lows, highs = np.empty(2), np.empty(2)
    means = np.empty(2)
    sums, squares = np.empty(2), np.empty(2)
    number = 0
    for path in range(begin, end):
        mask = masks[path]
        for agent in range(agents):
            for role in range(2):
                for group in range(2):
                    lengths[agent, role, group] = 0
                for k in range(size):
                    run = orders[agent, k]
                    group = int(mask[places[run] + role * runs])
                    at = lengths[agent, role, group]
                    lists[agent, role, group, at] = values[agent, run]
                    totals[agent, role, group, at + 1] = (
                        totals[agent, role, group, at] + values[agent, run]
                    )
                    lengths[agent, role, group] = at + 1
                for group in range(2):
                    lists[agent, role, group, lengths[agent, role, group]] = np.inf
        for pair in range(len(pairs)):
            a, b = pairs[pair, 0], pairs[pair, 1]
            for group in range(2):
                first, second = lists[a, 0, group], lists[b, 1, group]
                before, before_2 = totals[a, 0, group], totals[b, 1, group]
                of_a, of_b = lengths[a, 0, group], lengths[b, 1, group]
                rank = cut
                i = _taken(
                    first, second, max(0, rank - of_b), min(rank, of_a), rank,
                    starts[pair, group, 0],
                )  # fmt: skip
                j = rank - i
                rank = size - cut
                i_2 = _taken(
                    first, second, max(0, rank - of_b), min(rank, of_a), rank,
                    starts[pair, group, 1],
                )  # fmt: skip
                j_2 = rank - i_2
                starts[pair, group, 0], starts[pair, group, 1] = i, i_2
                lows[group] = min(first[i], second[j])
                high = -np.inf
                if i_2 > 0:
                    high = first[i_2 - 1]
                if j_2 > 0:
                    high = max(high, second[j_2 - 1])
                highs[group] = high
                means[group] = (before[i_2] - before[i] + before_2[j_2] - before_2[j]) / kept
            gap = means[1] - means[0]
            moments[0, pair] += gap
            moments[1, pair] += gap * gap
            least = (gap / floor) ** 2 * (1 + SLACK)
            variance = 0.0
            for task in range(tasks):
                centre = 0.5 * (centres[a, task] + centres[b, task])
                sums[:] = 0.0
                squares[:] = 0.0
                for side in range(2):
                    agent = a if side == 0 else b
                    for run in range(runs):
                        group = int(mask[(2 * task + side) * runs + run])
                        low, high = lows[group], highs[group]
                        value = min(max(values[agent, task * runs + run], low), high)
                        off = value - min(max(centre, low), high)
                        sums[group] += off
                        squares[group] += off * off
                variance += spread * (
                    squares[0] + squares[1] - (sums[0] ** 2 + sums[1] ** 2) / runs
                )
                if variance > least:
                    break
            else:
                if number < out.shape[1]:
                    out[0, number], out[1, number] = path, pair
                number += 1
    return number
