"""Scores by the named evaluations of a protocol, and how far these are apart in each run."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.results.scores import NamedScores
from rlbench.stats import bootstrap
from rlbench.stats.intervals import Method
from rlbench.suites import Suite

ByTask = Mapping[str, Sequence[NamedScores]]


class EvaluationRow(NamedTuple):
    """The mean normalised score of an agent in one evaluation at one evaluation point.

    `evaluation` is its name, or ``train - test``: the mean difference of a run's scores, which on
    Procgen is the generalisation gap. `low` and `high` are None where there is no interval. `runs`
    is the smallest number of runs of a task.
    """

    agent: str
    step: int
    evaluation: str
    point: float
    low: float | None
    high: float | None
    method: str
    runs: int
    tasks: int


def evaluation_rows(
    agents: Mapping[str, ByTask], suite: Suite, *, last: bool = False, method: Method = "rao-wu"
) -> list[EvaluationRow]:
    """Return one row an agent, evaluation point and evaluation, then their differences.

    Every other evaluation is compared with the main one, run by run: the interval of a difference
    is that of paired scores.

    Args:
        agents: Agent, then task, to the scores of each run, as `Scores.named` returns them.
        suite: Their suite; of one with a single evaluation there are no rows.
        last: Leave out all points but each agent's last one.
        method: Of the intervals, as `stats.bootstrap` takes it.
    """
    names = tuple(suite.protocol.evaluations)
    if len(names) < 2:
        return []
    rows = []
    for agent, tasks in agents.items():
        steps = sorted({step for runs in tasks.values() for run in runs for step in run})
        for step in steps[-1:] if last else steps:
            at = [[run[step] for run in runs if step in run] for runs in tasks.values()]
            for label, values in _columns(at, names).items():
                estimate = bootstrap(values, "mean", method=method)
                rows.append(
                    EvaluationRow(
                        agent, step, label, estimate.point, estimate.low, estimate.high,
                        estimate.method, min(len(task) for task in values), len(values),
                    )
                )  # fmt: skip
    return rows


def _columns(
    tasks: Sequence[Sequence[Mapping[str, float]]], names: Sequence[str]
) -> dict[str, list[NDArray[np.float64]]]:
    """Return arrays (runs,) a task, where there are runs, by evaluation and difference."""
    main = names[0]
    found = {name: [[run[name] for run in runs if name in run] for runs in tasks] for name in names}
    for name in names[1:]:
        found[f"{name} - {main}"] = [
            [run[name] - run[main] for run in runs if {name, main} <= set(run)] for runs in tasks
        ]
    arrays = {
        label: [np.array(runs) for runs in of_tasks if runs] for label, of_tasks in found.items()
    }
    return {label: values for label, values in arrays.items() if values}
