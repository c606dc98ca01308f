"""JSON of marl-eval: environment, task, algorithm, run, then evaluations by step.

A run's evaluations are ``step_N`` with ``step_count`` and metrics, each a number or a list of
episodes, and ``absolute_metrics``, a longer evaluation of the best policy.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.errors import InvalidScores
from rlbench.results.formats.building import table_of_values
from rlbench.results.reading import Reading
from rlbench.results.tables import Table

ABSOLUTE = "absolute_metrics"
STEP = "step_count"


def is_marl_eval(content: Mapping[str, Any]) -> bool:
    """Say whether JSON data is of this form, by the first run in it."""
    level: Any = content
    for _ in range(4):
        if not isinstance(level, dict) or not level:
            return False
        level = next(iter(level.values()))
    return isinstance(level, dict) and any(_is_evaluation(*item) for item in level.items())


def of_marl_eval(path: Path, content: Mapping[str, Any], reading: Reading) -> Table:
    """Return the evaluations as a table with a column of metrics.

    ``absolute_metrics`` are taken where all runs have them, unless the user asks for steps.

    Raises:
        InvalidScores: A level is missing, or an evaluation holds something else than numbers.
    """
    runs = list(_runs(path, content))
    if not runs:
        raise InvalidScores(f"{path} has no runs")
    absolute = all(ABSOLUTE in run for _, run in runs)
    by_step = reading.at_step is not None or "step" in reading.columns or not absolute
    some = any(ABSOLUTE in run for _, run in runs)
    header = ["agent", "task", "seed", *([STEP] if by_step else []), "metric", "score"]
    rows, places = [], []
    for who, run in runs:
        for name, evaluation in run.items():
            if (name == ABSOLUTE) == by_step or not _is_evaluation(name, evaluation):
                continue
            where = ", ".join((*who, name))
            steps = [evaluation.get(STEP)] if by_step else []
            for metric, values in evaluation.items():
                if metric != STEP:
                    rows.append([*who, *steps, metric, _mean(path, where, values)])
                    places.append(where)
    remark = "each score is the mean of its evaluation's episodes"
    if not by_step:
        remark += f"; {ABSOLUTE} are taken, not the last step: --columns step={STEP} takes that"
    elif some:
        remark += f"; {ABSOLUTE} are left out"
    return table_of_values(path, header, rows, places, remark)


def _is_evaluation(name: str, value: object) -> bool:
    return isinstance(value, dict) and (name == ABSOLUTE or STEP in value)


def _runs(
    path: Path, content: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Yield each run with its agent, task and name."""
    tasks = [task for of_env in content.values() if isinstance(of_env, dict) for task in of_env]
    is_unique = len(set(tasks)) == len(tasks)
    for env, of_env in _items(path, "environment", content):
        for task, of_task in _items(path, env, of_env):
            for agent, of_agent in _items(path, task, of_task):
                for run, evaluations in _items(path, agent, of_agent):
                    if not isinstance(evaluations, dict):
                        raise InvalidScores(f"{path}: the run {run} of {agent} is not an object")
                    yield (agent, task if is_unique else f"{env}/{task}", run), evaluations


def _items(path: Path, name: str, level: object) -> Iterator[tuple[str, Any]]:
    if not isinstance(level, dict):
        raise InvalidScores(
            f"{path}: {name} holds no object; the levels are environment, task, algorithm, run"
        )
    yield from level.items()


def _mean(path: Path, where: str, values: object) -> float:
    try:
        array = np.array(values, dtype=np.float64).ravel()
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidScores(f"{path}, {where}: {values!r:.60} are not numbers") from error
    if not len(array):
        raise InvalidScores(f"{path}, {where}: an evaluation without episodes")
    with np.errstate(over="ignore", invalid="ignore"):
        return float(array.mean())
