"""Two agents on the same tasks: differences, and how likely one beats the other."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.aggregates import Floats, ScoresLike, probability_of_improvement, same_tasks
from rlbench.stats.intervals import (
    CHUNK,
    METHODS,
    Design,
    Estimate,
    Statistic,
    check_options,
    design_of,
    estimate_from,
    no_interval,
    point_of,
    replicates_of,
    resamples,
    tails_of,
    too_few,
)

PairMethod = Literal["rao-wu", "percentile", "basic"]
PAIR_METHODS = tuple(method for method in METHODS if method != "bca")


def difference(
    x: ScoresLike,
    y: ScoresLike,
    statistic: Statistic,
    *,
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Estimate the difference ``statistic(x) - statistic(y)`` of two agents.

    The two are resampled independently: runs of different agents share no luck, even at equal
    seeds.

    Args:
        x: (runs, tasks), or one array (runs,) a task.
        y: The other agent's scores on the same tasks; the numbers of runs may differ.
        statistic: A name or a function, as `bootstrap` takes it.
        method: ``rao-wu``, ``percentile`` or ``basic``.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: The numbers of tasks differ, scores are bad, or an option is out of range.
        UnknownName: There is no such statistic or method.
    """
    check_options(method, repetitions, level, PAIR_METHODS)
    agents = same_tasks(x, y)
    first, second = (point_of(tasks, statistic) for tasks in agents)
    if too_few(agents[0] + agents[1]):
        return no_interval(first - second, level)
    streams = np.random.SeedSequence(seed).spawn(2)
    replicates = [
        replicates_of(tasks, [statistic], method, repetitions, stream)[0]
        for tasks, stream in zip(agents, streams, strict=True)
    ]
    return estimate_from(
        first - second, replicates[0] - replicates[1], tails_of(level), method, level
    )


def improvement(
    x: ScoresLike,
    y: ScoresLike,
    *,
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Estimate `probability_of_improvement` of x over y with an interval.

    The two are resampled independently (Agarwal et al. 2021, section 4.3).

    Args:
        x: (runs, tasks), or one array (runs,) a task.
        y: The other agent's scores on the same tasks; the numbers of runs may differ.
        method: ``rao-wu``, ``percentile`` or ``basic``.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: The numbers of tasks differ, scores are bad, or an option is out of range.
        UnknownName: There is no such method.
    """
    check_options(method, repetitions, level, PAIR_METHODS)
    first, second = same_tasks(x, y)
    point = probability_of_improvement(first, second)
    if too_few(first + second):
        return no_interval(point, level)
    wins = [_wins(a, b) for a, b in zip(first, second, strict=True)]
    replicates = _improvements(wins, method, repetitions, seed)
    return estimate_from(point, replicates, tails_of(level), method, level)


def _wins(a: Floats, b: Floats) -> Floats:
    """Return (runs of a, runs of b): 1 where a wins, 1/2 where they tie."""
    return np.asarray((a[:, None] > b) + 0.5 * (a[:, None] == b))


def _improvements(wins: list[Floats], method: str, repetitions: int, seed: int) -> Floats:
    """Return the statistic of each resample, (repetitions,)."""
    sides = [design_of([task.swapaxes(0, side) for task in wins], method) for side in (0, 1)]
    chunk = max(1, CHUNK // max(table.size for table in wins))
    streams = np.random.SeedSequence(seed).spawn(2)
    parts = []
    for picks in zip(
        *(resamples(d, repetitions, s, chunk) for d, s in zip(sides, streams, strict=True)),
        strict=True,
    ):
        total = np.zeros(len(picks[0]))
        for task, table in enumerate(wins):
            rows, columns = (_of_task(d, p, task) for d, p in zip(sides, picks, strict=True))
            total += table[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2))
        parts.append(total / len(wins))
    return np.concatenate(parts)


def _of_task(design: Design, picks: NDArray[np.int64], task: int) -> NDArray[np.int64]:
    """Return which runs of one task are drawn, (resamples, draws of the task)."""
    low = int(design.starts[task])
    drawn: NDArray[np.int64] = picks[:, low : low + int(design.counts[task])] - design.first[low]
    return drawn
