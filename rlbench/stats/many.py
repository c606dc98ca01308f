"""Which of very many pairs of agents are told apart, without the statistics of all their paths.

The step-down max-T of `rlbench.stats.comparisons` counts the paths on which the greatest statistic
reaches what was observed. Of 400 agents these are 10,000 paths of 79,800 pairs, and nearly all of
their statistics are far too small to count. A statistic is a difference over its standard error,
and the error's square is a sum over tasks of which no part is negative. So the tasks are added up
only until the sum shows that the statistic is below a floor. Whatever may reach the floor is
computed by the same functions as for few agents, to the last bit. What is rejected is therefore the
same; only a least error (`LEAST_ERROR`), where one is needed, may differ by rounding.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.kernels import HAS_NUMBA
from rlbench.stats.permutation import (
    LEAST_ERROR,
    Masks,
    Pair,
    Sizes,
    number_of_paths,
    paths_of,
    statistics_of,
    studentised,
)
from rlbench.stats.resampling import CHUNK, Floats, keys_of

MANY = 1000  # pairs; for fewer all statistics are computed
TIE = 1e-9  # as in `step_down`
LOWER = 0.85  # what a floor is multiplied by that was too high


def rejected_of_many(
    agents: Mapping[str, list[Floats]],
    pairs: Sequence[Pair],
    statistic: str,
    *,
    alpha: float,
    permutations: int,
    seed: int,
) -> NDArray[np.bool_] | None:
    """Return of which pairs the p-value of the step-down max-T is at most alpha, (pairs,).

    Args:
        agents: By agent, one array (runs,) a task.
        pairs: Of these agents.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs.
        permutations: To draw.
        seed: Of the drawing.

    Returns:
        None where all statistics are to be computed: pairs or paths are few, numbers of runs
        differ, the statistic is another than the IQM, or numba is missing.
    """
    runs = {len(task) for tasks in agents.values() for task in tasks}
    if statistic != "iqm" or len(pairs) < MANY or len(runs) > 1 or min(runs) < 2 or not HAS_NUMBA:
        return None
    names = list(agents)
    values = np.stack([np.stack(agents[name]) for name in names])  # (agents, tasks, runs)
    sizes = [(values.shape[2], values.shape[2])] * values.shape[1]
    if number_of_paths(sizes) <= permutations:
        return None
    numbers = {name: number for number, name in enumerate(names)}
    at = np.array([[numbers[a], numbers[b]] for a, b in pairs], dtype=np.int32)
    masks = np.concatenate(list(paths_of(sizes, permutations, keys_of(seed)[0])))
    floor = NormalDist().inv_cdf(1 - 0.25 / len(pairs))
    while True:
        found = _rejected_above(floor, masks, values, at, sizes, alpha)
        if found is not None:
            return found
        floor *= LOWER


def _rejected_above(
    floor: float, masks: Masks, values: Floats, at: NDArray[np.int32], sizes: Sequence[Sizes],
    alpha: float,
) -> NDArray[np.bool_] | None:  # fmt: skip
    """Return what is rejected, or None where statistics below the floor would have to be known."""
    from rlbench.stats.kernels_many import above

    paths, of_pairs, deviations = above(masks, values, at, floor)
    paths, of_pairs = paths[paths > 0], of_pairs[paths > 0]  # path 0 is known of all pairs
    least = LEAST_ERROR * deviations
    scales = np.abs(values).max(axis=(1, 2))[at].max(axis=1)

    def statistics(which: Masks, first: int, end: int) -> Floats:
        pooled = np.concatenate([values[at[first:end, 0]], values[at[first:end, 1]]], axis=2)
        gaps, errors = statistics_of(which, pooled.reshape(end - first, -1), sizes, "iqm")
        assert errors is not None
        errors = np.where(errors > 0, np.maximum(errors, least[first:end]), 0.0)
        return np.abs(studentised(gaps, errors, scales[first:end]))

    step = max(1, CHUNK // masks.shape[1])
    begins = range(0, len(at), step)
    observed = np.concatenate(
        [statistics(masks[:1], begin, min(begin + step, len(at)))[0] for begin in begins]
    )
    by_pair = np.argsort(of_pairs, kind="stable")
    ends = np.searchsorted(of_pairs[by_pair], np.arange(len(at) + 1))
    order = np.argsort(-observed, kind="stable")
    thresholds = observed[order] * (1 - TIE) - TIE
    greatest = np.zeros(len(masks))
    most = np.empty(len(at))
    # From the least extreme pair on, as the greatest of a pair is that of all less extreme ones.
    for place in range(len(at) - 1, -1, -1):
        pair = order[place]
        if ends[pair] < ends[pair + 1]:
            where = paths[by_pair[ends[pair] : ends[pair + 1]]]
            found = statistics(masks[where], pair, pair + 1)[:, 0]
            greatest[where] = np.maximum(greatest[where], found)
        greatest[0] = max(greatest[0], observed[pair])
        most[place] = (greatest >= max(thresholds[place], floor)).mean()
    failing = np.flatnonzero(most > alpha)
    known = int((thresholds >= floor).sum())
    end = int(failing[0]) if len(failing) else len(at)
    if end > known:
        return None
    rejected = np.zeros(len(at), dtype=bool)
    rejected[order[:end]] = True
    return rejected
