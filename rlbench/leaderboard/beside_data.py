"""Offline agents beside the mean return of the data that they learned from."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats import compare_tasks_with_constants, compare_with_constant
from rlbench.stats.constant import BY_TASK

DATA = "training data"  # what the data are called in tables of agents
NO_RUNS = "none: the mean return of the data, which have no runs"


class DataRow(NamedTuple):
    """An agent and its data, on the tasks that the agent has runs of and whose data are known.

    `mean` is the agent's mean normalised score over these tasks, `data` that of the data. `point`
    is their difference, with a 95% interval, or None where there is none, as `method` says.
    `above` counts the tasks on which the agent's mean is above the data. `surely_above` and
    `surely_below` count those on which it surely is above or below, all together at the level 95%
    for each agent by itself; None where nothing can be tested, as `test` says. `runs` is the
    smallest number of runs of a task.
    """

    agent: str
    tasks: int
    runs: int
    mean: float
    data: float
    point: float
    low: float | None
    high: float | None
    method: str
    above: int
    surely_above: int | None
    surely_below: int | None
    test: str


def data_rows(
    agents: Mapping[str, Mapping[str, NDArray[np.float64]]],
    data: Mapping[str, float],
    untested: Mapping[str, str],
) -> list[DataRow]:
    """Return one row an agent, the greatest difference first.

    Args:
        agents: Agent, then task, to normalised scores (runs,).
        data: Task to the normalised mean return of its data, as `Suite.data_returns` has it.
        untested: Why an agent's scores allow no test, e.g. since its options were chosen by them.
    """
    rows = []
    for agent, tasks in agents.items():
        gaps = {task: scores - data[task] for task, scores in tasks.items() if task in data}
        if gaps:
            mean = float(np.mean([data[task] for task in gaps]))
            rows.append(_row(agent, list(gaps.values()), mean, untested.get(agent, "")))
    return sorted(rows, key=lambda row: -row.point)


def _row(agent: str, scores: list[NDArray[np.float64]], data: float, untested: str) -> DataRow:
    """Return the row of an agent's scores (runs,) a task, less those of the data."""
    (whole,) = compare_with_constant({agent: scores}, 0.0, statistic="mean")
    each = compare_tasks_with_constants(scores, np.zeros(len(scores)))
    estimate, test = whole.difference, BY_TASK
    low, high, method = estimate.low, estimate.high, estimate.method
    if untested:
        low, high, method = None, None, f"none: {untested}"
        test = method
    elif all(task.p_value is None for task in each):
        test = "none: fewer than two runs a task, or runs that do not vary"
    decisions = [task.decision for task in each] if test == BY_TASK else None
    return DataRow(
        agent=agent,
        tasks=len(scores),
        runs=min(len(task) for task in scores),
        mean=estimate.point + data,
        data=data,
        point=estimate.point,
        low=low,
        high=high,
        method=method,
        above=sum(task.difference > 0 for task in each),
        surely_above=None if decisions is None else decisions.count("larger"),
        surely_below=None if decisions is None else decisions.count("smaller"),
        test=test,
    )
