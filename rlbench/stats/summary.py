"""The table of aggregates that every board opens with."""

from collections.abc import Mapping
from typing import NamedTuple

from rlbench.stats.aggregates import ScoresLike, columns, iqm, mean, median, optimality_gap
from rlbench.stats.bootstrap import Statistic, bootstrap

METRICS: dict[str, Statistic] = {
    "iqm": iqm,
    "mean": mean,
    "median": median,
    "optimality_gap": optimality_gap,
}


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
    repetitions: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> list[SummaryRow]:
    """Return the aggregates of each agent with their intervals.

    Args:
        scores: Normalised scores by agent: (runs, tasks), or one array (runs,) a task.
        repetitions: Bootstrap resamples.
        level: Nominal coverage of the intervals.
        seed: Of the resampling.

    Returns:
        One row an agent and metric, agents in the order given.
    """
    table = []
    for agent, values in scores.items():
        tasks = columns(values)
        for metric, statistic in METRICS.items():
            estimate = bootstrap(tasks, statistic, repetitions=repetitions, level=level, seed=seed)
            table.append(
                SummaryRow(
                    agent=agent,
                    metric=metric,
                    point=estimate.point,
                    low=estimate.low,
                    high=estimate.high,
                    method=estimate.method,
                    runs=min(len(task) for task in tasks),
                    tasks=len(tasks),
                )
            )
    return table
