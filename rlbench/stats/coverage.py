"""How often the default intervals were measured to cover, and warnings where that is too rarely.

The table is ``coverage.json``, written by ``tools/measure_coverage.py``.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import UnknownName
from rlbench.stats.intervals import why_no_interval
from rlbench.stats.proportions import are_successes

LEAST = 0.92  # where a nominal 95% interval covers less often than this, under any law: a warning
OTHER_METHODS = (
    "Intervals by {method} cover less often than those by rao-wu, for which the shares were "
    "measured."
)


def measured_coverage(statistic: str, tasks: int, runs: int) -> tuple[float, float]:
    """Return the least and the greatest measured coverage of nominal 95% intervals by law.

    Args:
        statistic: ``iqm``, ``mean``, ``median``, ``optimality_gap``, any of these after
            ``difference of ``, or ``improvement``.
        tasks: The number of tasks, at least one.
        runs: The least number of runs a task, at least two.

    Returns:
        Of the cell with the greatest measured numbers of tasks and runs that are not larger.

    Raises:
        UnknownName: There is no such statistic.

    >>> low, high = measured_coverage("iqm", tasks=26, runs=5)
    >>> bool(0.9 < low <= high < 1)
    True
    """
    row, column = (_last(_table()[name], n) for name, n in (("tasks", tasks), ("runs", runs)))
    laws = _table()["coverage"]
    if statistic not in laws:
        raise UnknownName("statistic", statistic, list(laws))
    shares = [by_tasks[row][column] for by_tasks in laws[statistic].values()]
    return min(shares), max(shares)


def enough_runs(statistic: str, tasks: int) -> int | None:
    """Return the smallest measured number of runs a task from which on intervals cover enough.

    That is where nominal 95% intervals covered at least `LEAST`, under every law, with that and
    with every greater measured number. With fewer there may be a `coverage_warning`.

    Args:
        statistic: As `measured_coverage` takes it.
        tasks: The number of tasks; what counts is the greatest measured one that is not larger.

    Returns:
        None where the greatest measured number of runs was not enough.

    Raises:
        UnknownName: There is no such statistic.

    >>> enough_runs("iqm", tasks=50) < enough_runs("iqm", tasks=4)
    True
    """
    enough = None
    for runs in reversed(_table()["runs"]):
        if measured_coverage(statistic, tasks, runs)[0] < LEAST:
            break
        enough = runs
    return enough


def coverage_warning(statistic: str, tasks: int, runs: int) -> str:
    """Return a line on how rarely the default interval covers; nothing if it covers often enough.

    Args:
        statistic: As `measured_coverage` takes it.
        tasks: The number of tasks.
        runs: The least number of runs a task; with one there is no interval and no warning.

    Raises:
        UnknownName: There is no such statistic.

    >>> coverage_warning("iqm", tasks=50, runs=20)
    ''
    """
    if runs < 2:
        return ""
    low, high = measured_coverage(statistic, tasks, runs)
    if low >= LEAST:
        return ""
    sizes = tasks, runs
    measured = tuple(
        _table()[name][_last(_table()[name], n)]
        for name, n in zip(("tasks", "runs"), sizes, strict=True)
    )
    cell = "" if measured == sizes else f" (that of {_sized(*measured)}, the next lower measured)"
    shares = dict.fromkeys(f"{100 * share:.0f}" for share in (low, high))
    of = f"the {statistic.replace('iqm', 'IQM').replace('_', ' ')}"
    of += "s" * statistic.startswith("difference")
    return (
        f"On {_sized(tasks, runs)} a nominal 95% interval of {of} was measured to cover "
        f"{' to '.join(shares)}%{cell}."
    )


def _sized(tasks: int, runs: int) -> str:
    return f"{tasks} task{'s' * (tasks > 1)} with {runs} runs"


def coverage_warnings(
    statistics: Iterable[str], agents: Iterable[Sequence[ArrayLike]]
) -> list[str]:
    """Return at most one `coverage_warning` a statistic: of the agent where intervals cover least.

    Agents without an interval, and those whose scores are all 0 or 1, give none.

    Args:
        statistics: As `measured_coverage` takes them.
        agents: The tasks of each agent, each an array whose first axis is runs.
    """
    arrays = ([np.asarray(task) for task in tasks] for tasks in agents)
    sizes = {
        (len(tasks), min(len(task) for task in tasks))
        for tasks in arrays
        if not why_no_interval(tasks) and not are_successes(tasks)
    }
    found = []
    for statistic in statistics if sizes else ():
        worst = min(sizes, key=lambda size: measured_coverage(statistic, *size)[0])
        found.append(coverage_warning(statistic, *worst))
    return [warning for warning in found if warning]


def _last(measured: list[int], number: int) -> int:
    """Return which of the numbers that were measured is the greatest up to a number."""
    return max(k for k, n in enumerate(measured) if k == 0 or n <= number)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(
        Path(__file__).with_name("coverage.json").read_text(encoding="utf-8")
    )
    return table
