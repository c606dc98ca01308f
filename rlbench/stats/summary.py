"""The tables that every board opens with: aggregates of agents, and scores task by task."""

from collections.abc import Mapping
from typing import NamedTuple

from numpy.typing import ArrayLike

from rlbench.stats.aggregates import ScoresLike, columns
from rlbench.stats.intervals import (
    POINTS,
    Method,
    bootstrap,
    check_options,
    why_no_interval,
)
from rlbench.stats.kernels import work
from rlbench.stats.proportions import are_successes, success_rate_ends
from rlbench.stats.resampling import Floats

# The median's interval covers far less often than its level at the numbers of runs in use.
WITHOUT_INTERVAL = {"median": "the interval of the median is unreliable with few runs"}


class SummaryRow(NamedTuple):
    """One metric of one agent; `low` and `high` are None if there is no interval.

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


class TaskRow(NamedTuple):
    """The scores of one agent on one task; with one run, some fields are None.

    `std` is the standard deviation of runs, with the divisor runs - 1.
    """

    agent: str
    task: str
    mean: float
    low: float | None
    high: float | None
    std: float | None
    runs: int
    method: str


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
    by_agent = {agent: columns(values) for agent, values in scores.items()}
    with work(repetitions * sum(len(task) for tasks in by_agent.values() for task in tasks)):
        found = {
            agent: bootstrap(
                tasks, list(POINTS), method=method, repetitions=repetitions, level=level, seed=seed
            )
            for agent, tasks in by_agent.items()
        }
    for agent, estimates in found.items():
        tasks = by_agent[agent]
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


def summarise_tasks(
    scores: Mapping[str, Mapping[str, ArrayLike]], *, level: float = 0.95
) -> list[TaskRow]:
    """Return the mean of each agent on each task, with Student's t interval.

    On one task no bootstrap covers as often as it should at few runs (.75 to .78 of .95 at three
    runs, however it draws); Student's t does where runs are about normal. Where a task's scores are
    0 or 1 the interval is that of Clopper & Pearson. Runs that are all equal have none.

    Args:
        scores: Agent, then task, to scores (runs,).
        level: Nominal coverage of the intervals.

    Returns:
        One row an agent and task, in the order given.

    Raises:
        InvalidScores: Scores are empty, misshapen or not finite, or the level is out of range.
    """
    check_options("rao-wu", 1, level)
    table = []
    for agent, tasks in scores.items():
        arrays = columns(list(tasks.values()), f"scores of {agent!r}")
        for task, runs in zip(tasks, arrays, strict=True):
            table.append(_task_row(agent, task, runs, level))
    return table


def _task_row(agent: str, task: str, runs: Floats, level: float) -> TaskRow:
    from scipy.special import stdtrit

    n, mean = len(runs), float(runs.mean())
    why = why_no_interval([runs])
    std = float(runs.std(ddof=1)) if n > 1 else None
    if why or std is None:
        return TaskRow(agent, task, mean, None, None, std, n, why)
    if are_successes([runs]):
        low, high = success_rate_ends([runs], level)
        return TaskRow(agent, task, mean, low, high, std, n, "Clopper-Pearson")
    half = float(stdtrit(n - 1, (1 + level) / 2)) * std / n**0.5
    return TaskRow(agent, task, mean, mean - half, mean + half, std, n, "Student's t")
