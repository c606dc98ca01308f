"""Statistics of many resamples: compiled by numba, or in plain numpy.

Twins draw the same resamples and differ by rounding only. Numpy's is used where numba is missing,
and for work of a short process that it has done before numba is imported: see `sooner`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.kernels_numpy import (
    LEAST_SHARE,
    aggregates_by_numpy,
    centres_of,
    group_estimates_by_numpy,
    improvements_by_numpy,
    random_groups_by_numpy,
    random_splits_by_numpy,
    weighing,
)
from rlbench.stats.resampling import Floats, Ints, Layout

HAS_NUMBA = find_spec("numba") is not None
SMALL_WORK = 25_000_000  # draws that numpy has done about when numba is imported and ready

T = TypeVar("T")
Tell = Callable[[int], object]  # told how many more scores have been drawn
Watch = Callable[[int], AbstractContextManager[Tell]]  # given how many will be, in all

_sooner: ContextVar[bool] = ContextVar("sooner", default=False)
_work: ContextVar[int | None] = ContextVar("work", default=None)
_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)
_tell: ContextVar[Tell | None] = ContextVar("tell", default=None)


@contextmanager
def work(draws: int) -> Iterator[None]:
    """Say how much is to be computed inside; of nested ones the outermost counts.

    Args:
        draws: How many scores are drawn in all, about.
    """
    if _work.get() is not None:
        yield
        return
    watch = _watch.get()
    with _set(_work, draws), watch(draws) if watch else nullcontext() as tell, _set(_tell, tell):
        yield


def sooner() -> AbstractContextManager[None]:
    """Have little `work` that is done inside done by numpy: importing numba would take longer.

    All of a `work` is done by the same twins, so that what it returns depends on how much it is,
    and on nothing that was computed before.
    """
    return _set(_sooner, True)


def watched_by(watch: Watch) -> AbstractContextManager[None]:
    """Have somebody told how far the work is that is done inside."""
    return _set(_watch, watch)


@contextmanager
def _set(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _did(draws: int) -> None:
    if tell := _tell.get():
        tell(draws)


def _is_compiled() -> bool:
    draws = _work.get()
    is_little = draws is not None and draws <= SMALL_WORK
    return HAS_NUMBA and not (_sooner.get() and is_little)


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
        names: ``iqm``, ``mean``, ``median`` or ``optimality_gap``.
        key: Of the random numbers.
        repetitions: How many resamples.
        task_key: To draw the tasks as well, as `resamples` takes it.

    Returns:
        (names, points, repetitions).
    """
    if task_key is not None or not _is_compiled():
        found = aggregates_by_numpy(values, layout, names, key, repetitions, task_key)
    else:
        from rlbench.stats.kernels_numba import aggregates_by_numba

        found = aggregates_by_numba(values, layout, names, key, repetitions)
    _did(values.size * repetitions)
    return found


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
    if not _is_compiled():
        found = improvements_by_numpy(x, y, layouts, keys, repetitions)
    else:
        from rlbench.stats.kernels_numba import improvements_by_numba

        found = improvements_by_numba(x, y, layouts, keys, repetitions)
    _did(sum(map(len, (*x, *y))) * repetitions)
    return found


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
    if not _is_compiled():
        return random_splits_by_numpy(first, second, key, begin, end)
    from rlbench.stats.kernels_numba import random_splits_by_numba

    return random_splits_by_numba(first, second, key, begin, end)


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
    if not _is_compiled():
        return random_groups_by_numpy(groups, size, tasks, key, begin, end)
    from rlbench.stats.kernels_numba import random_groups_by_numba

    return random_groups_by_numba(groups, size, tasks, key, begin, end)


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
    if not _is_compiled():
        found = group_estimates_by_numpy(labels, scores, sizes, cuts)
    else:
        from rlbench.stats.kernels_numba import group_estimates_by_numba

        found = group_estimates_by_numba(labels, scores, sizes, cuts)
    _did(scores.size * len(labels))
    return found


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
    ends, weights, spreads = weighing(sizes)
    centres = centres_of(pooled, ends)
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
    _did(pooled.size * len(masks))
    variances = np.subtract(squares, lost, out=lost)
    variances[variances <= LEAST_SHARE * squares] = 0.0
    return gaps, variances
