"""Scores by the named evaluations of a protocol, and how far these are apart in each run."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.results.scores import NamedScores
from rlbench.stats import area_under_curve, bootstrap
from rlbench.stats.intervals import Method
from rlbench.suites import Suite

ByTask = Mapping[str, Sequence[NamedScores]]

AREA = "area over log2 of the action repeat"


class EvaluationRow(NamedTuple):
    """The mean normalised score of an agent in one evaluation at one evaluation point.

    `evaluation` is its name, or ``train - test``: the mean difference of a run's scores, which on
    Procgen is the generalisation gap; or `AREA`, see `area_by_repeat`. `low` and `high` are None
    where there is no interval. `runs` is the smallest number of runs of a task.
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
    """Return one row an agent, evaluation point and evaluation, then of what they say together.

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
            of_step = _columns(at, names)
            if repeats := repeats_of(suite):
                whole = [[run for run in runs if repeats.keys() <= run.keys()] for runs in at]
                of_step[AREA] = [area_by_repeat(runs, repeats) for runs in whole if runs]
            for label, values in of_step.items():
                estimate = bootstrap(values, "mean", method=method)
                rows.append(
                    EvaluationRow(
                        agent, step, label, estimate.point, estimate.low, estimate.high,
                        estimate.method, min(len(task) for task in values), len(values),
                    )
                )  # fmt: skip
    return rows


def repeats_of(suite: Suite) -> dict[str, int]:
    """Return the action repeat of each evaluation, if they are those that differ in it."""
    found = {
        name: int(changed["action_repeat"])
        for name, changed in suite.protocol.evaluations.items()
        if "action_repeat" in changed
    }
    return found if len(found) == len(suite.protocol.evaluations) else {}


def area_by_repeat(
    runs: Sequence[Mapping[str, float]], repeats: Mapping[str, int]
) -> NDArray[np.float64]:
    """Return the area (runs,) under the scores of each run over the logarithm of action repeats.

    It is ``stats.area_under_curve`` over log2 of the repeats: the mean of the score, taken linear
    between repeats, where each doubling counts the same. Of a policy that scores alike at all
    repeats it is that score; at the repeats 1, 2, 4, 8 and 16 it is
    ``(s_1 / 2 + s_2 + s_4 + s_8 + s_16 / 2) / 4``.

    Args:
        runs: The scores of each run by the names of evaluations.
        repeats: The action repeat of each.

    >>> area_by_repeat([{"one": 0.0, "four": 1.0, "two": 0.8}], {"two": 2, "one": 1, "four": 4})
    array([0.65])
    """
    names = sorted(repeats, key=repeats.__getitem__)
    scores = np.array([[run[name] for name in names] for run in runs])
    (areas,) = area_under_curve([scores], np.log2([repeats[name] for name in names]))
    return areas


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
