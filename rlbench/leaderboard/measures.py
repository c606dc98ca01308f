"""What was measured of episodes besides their return, such as a safety cost, beside the score."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats import summarise_tasks

SCORE = "score"  # the raw score, among the measures
Measures = Mapping[str, Mapping[str, Mapping[str, NDArray[np.float64]]]]


class MeasureRow(NamedTuple):
    """The mean over runs of the raw score or of a measure, on one task.

    A run's value is the mean over the episodes of its final evaluation. `low` and `high` are None
    where there is no interval. `runs` are those that have the measure.
    """

    agent: str
    task: str
    measure: str
    mean: float
    low: float | None
    high: float | None
    method: str
    runs: int


def measure_rows(agents: Measures) -> list[MeasureRow]:
    """Return one row an agent, task and measure, of the tasks that have any: the score first.

    Args:
        agents: Agent, then task, then measure, to the values of runs (runs,), as
            `Scores.measures` has them.
    """
    return [
        MeasureRow(agent, task, name, row.mean, row.low, row.high, row.method, row.runs)
        for agent, tasks in agents.items()
        for task, measures in tasks.items()
        if len(measures) > 1
        for name, values in measures.items()
        for row in summarise_tasks({agent: {task: values}})
    ]
