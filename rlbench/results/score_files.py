"""What files of scores hold: agents, tasks and runs."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores
from rlbench.results.task_names import task_of
from rlbench.suites import Suite

TASK_OF_ARRAY = "task {}"  # the name of a task that came without one, by its place

Runs = Mapping[str, Mapping[str, NDArray[np.float64]]]
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # steps and scores of one run


class ScoreFile(NamedTuple):
    """The content of a file of scores.

    Attributes:
        runs: Agent, then task, to scores (runs,).
        note: What must be said of the scores wherever they are shown, or nothing.
        seeds: Agent, then task, to the name of each run, in the same order, where they have names:
            two files may hold runs of one agent on one task if these differ.
        curves: Agent, then task, to the steps and scores of each run, where they are known.
        is_batch: The columns are agents: files of this form are batches of the same agents.
        sources: Agent to the published source that its rows name, where they have the status
            ``published``.
    """

    runs: Runs
    note: str = ""
    seeds: Mapping[str, Mapping[str, list[str]]] = MappingProxyType({})
    curves: Mapping[str, Mapping[str, list[Curve]]] = MappingProxyType({})
    is_batch: bool = False
    sources: Mapping[str, str] = MappingProxyType({})


def as_arrays(path: Path, found: Mapping[str, Mapping[str, ArrayLike]]) -> Runs:
    """Return scores as arrays.

    Raises:
        InvalidScores: There are none.
    """
    if not found:
        raise InvalidScores(f"{path} has no scores")
    return {
        agent: {task: np.array(scores, np.float64) for task, scores in tasks.items()}
        for agent, tasks in found.items()
    }


def select(runs: Runs, suite: Suite) -> Runs:
    """Return normalised scores of a suite's tasks, in the suite's order.

    Raises:
        InvalidScores: The scores came as arrays, which do not name their tasks, or one task is
            there in two spellings.
        UnknownName: A task is not of the suite.
    """
    out: dict[str, dict[str, NDArray[np.float64]]] = {}
    for agent, tasks in runs.items():
        if TASK_OF_ARRAY.format(1) in tasks:
            raise InvalidScores(
                f"the arrays of {agent!r} do not name their tasks, so {suite.id} cannot normalise "
                "them: normalise them first, and leave the suite out"
            )
        by_name: dict[str, NDArray[np.float64]] = {}
        for name, scores in tasks.items():
            task = task_of(suite, name).name
            if task in by_name:
                raise InvalidScores(f"{task} appears twice for {agent!r}, once as {name!r}")
            by_name[task] = scores
        out[agent] = {
            task.name: suite.normalise(task, by_name[task.name])
            for task in suite.tasks
            if task.name in by_name
        }
    return out
