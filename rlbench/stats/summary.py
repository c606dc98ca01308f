"""The table of aggregates that every board opens with."""

from collections.abc import Mapping
from typing import NamedTuple

from rlbench.stats.aggregates import ScoresLike, columns
from rlbench.stats.intervals import POINTS, Method, bootstrap

# The median's interval covers far less often than its level at the numbers of runs in use.
WITHOUT_INTERVAL = {"median": "the interval of the median is unreliable with few runs"}


class SummaryRow(NamedTuple):
    """One metric of one agent; `low` and `high` are None where there is no interval.

    `runs` is the number of runs a task; where tasks differ, the smallest.
    """

    agent: str
    metric: str
    point: float
    low: float | None
    high: float | None
    method: str
    runs: int
    tasks: int


def summarise(
    scores: Mapping[str, ScoresLike],
    *,
    method: Method = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> list[SummaryRow]:
    """Return the aggregates of each agent with their intervals.

    The median has none: it covers too rarely at few runs. `bootstrap` gives it by name.

    Args:
        scores: Normalised scores by agent: (runs, tasks), or one array (runs,) a task.
        method: Of the intervals, as `bootstrap` takes it.
        repetitions: Resamples.
        level: Nominal coverage of the intervals.
        seed: Of the resampling.

    Returns:
        One row an agent and metric, agents in the order given.
    """
    table = []
    for agent, values in scores.items():
        tasks = columns(values)
        estimates = bootstrap(
            tasks, list(POINTS), method=method, repetitions=repetitions, level=level, seed=seed
        )
        for metric, estimate in estimates.items():
            low, high, made_by = estimate.low, estimate.high, estimate.method
            if metric in WITHOUT_INTERVAL:
                low = high = None
                made_by = f"none: {WITHOUT_INTERVAL[metric]}"
            table.append(
                SummaryRow(
                    agent=agent,
                    metric=metric,
                    point=estimate.point,
                    low=low,
                    high=high,
                    method=made_by,
                    runs=min(len(task) for task in tasks),
                    tasks=len(tasks),
                )
            )
    return table
