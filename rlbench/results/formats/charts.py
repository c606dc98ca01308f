"""Charts that Weights & Biases and TensorBoard export as CSV: the last values are the scores."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rlbench.errors import InvalidScores
from rlbench.results.formats.content import stem_of
from rlbench.results.reading import UNNAMED, Reading, fold
from rlbench.results.tables import Table, table_of

CHART_NOTE = "the scores are the last values of charts, not of an evaluation"
TENSORBOARD = ["Wall time", "Step", "Value"]

_SPREAD = ("__MIN", "__MAX")
_GROUP = re.compile(r"\w+: .+")  # how Weights & Biases names a group of runs


class Run(NamedTuple):
    """What a run's name says: ``TASK__AGENT__SEED`` or ``TASK__AGENT__SEED__TIME``."""

    task: str
    agent: str
    seed: str


def run_of(name: str) -> Run | None:
    """Return what a run's name says, or None if it is called otherwise.

    >>> run_of("Pong-v5__ppo__1__1700000000")
    Run(task='Pong-v5', agent='ppo', seed='1')
    """
    task, *rest = name.split("__")
    if not task or not rest or not rest[0]:
        return None
    return Run(task, rest[0], rest[1] if len(rest) > 1 else "")


def named(path: Path, names: Sequence[str], reading: Reading) -> list[dict[str, str]]:
    """Return the agent, task and seed of each run that its name says and the user does not.

    Raises:
        InvalidScores: Names do not say them, and the user does not say both; or the user says one
            agent or task where the names say several.
    """
    runs = [run_of(name) for name in names]
    if None in runs and not (reading.agent and reading.task):
        raise InvalidScores(
            f"{path}: the run's name {names[runs.index(None)]!r} does not say what it is: "
            "TASK__AGENT__SEED; if all its runs are of one agent and task, say --agent and --task"
        )
    if None in runs:
        return [{"seed": name} for name in names]
    said = [
        run._replace(seed=run.seed or name)
        for run, name in zip(runs, names, strict=True)
        if run is not None
    ]
    for role, given in (("agent", reading.agent), ("task", reading.task)):
        found = list(dict.fromkeys(getattr(run, role) for run in said))
        if given and len(found) > 1:
            raise InvalidScores(
                f"{path}: the names of its runs say the {role}s {', '.join(found[:3])}: leave "
                f"--{role} out"
            )
    left = {"agent": reading.agent, "task": reading.task}
    return [{r: v for r, v in run._asdict().items() if not left.get(r)} for run in said]


def chart_of(table: Table, reading: Reading) -> Table | None:
    """Return the runs of a chart in long form, or None if the table is no chart."""
    names = [name for name in table.header if not UNNAMED.fullmatch(fold(name))]
    if sorted(names) == sorted(TENSORBOARD):
        return _of_tensorboard(table, reading)
    axes = [name for name in names if " - " not in name]
    if len(axes) == 1 and len(names) > 1:
        return _of_wandb(table, axes[0], reading)
    return None


def _of_tensorboard(table: Table, reading: Reading) -> Table:
    name = stem_of(table.path).removeprefix("run-").partition("-tag-")[0]
    (said,) = named(table.path, [name], reading)
    return replace(
        table,
        header=[*table.header, *said],
        columns=[*table.columns, *([value] * table.size for value in said.values())],
        remark=CHART_NOTE,
    )


def _of_wandb(table: Table, axis: str, reading: Reading) -> Table:
    """Return a chart's runs in long form, leaving out the columns of their spread."""
    at = table.header.index(axis)
    runs = _runs_of_wandb(table.path, table.header)
    said = dict(zip(runs, named(table.path, list(runs.values()), reading), strict=True))
    twice = _tell_apart(said, runs)
    roles = next(iter(said.values()))
    rows = [
        (place, [*of_run.values(), table.columns[at][n], table.columns[k][n]])
        for n, place in enumerate(table.places)
        for k, of_run in said.items()
        if table.columns[k][n]
    ]
    if not rows:
        raise InvalidScores(f"{table.path} has no scores")
    left = sum(name.endswith(_SPREAD) for name in table.header)
    spread = [f"ignored: {left} columns __MIN and __MAX"] if left else []
    said_of = [f"a chart over {axis}", *spread, *twice, CHART_NOTE, table.remark]
    remark = ". ".join(filter(None, said_of))
    return table_of(table.path, [*roles, "step", "score"], rows, remark)


def _runs_of_wandb(path: Path, names: list[str]) -> dict[int, str]:
    """Return the place of each run's column and the run's name.

    Raises:
        InvalidScores: A run appears twice, there is none, or runs are groups.
    """
    runs: dict[int, str] = {}
    for k, name in enumerate(names):
        run, separator, metric = name.rpartition(" - ")
        if not separator or metric.endswith((*_SPREAD, "_step")):
            continue
        if run in runs.values():
            raise InvalidScores(f"{path}: the run {run!r} appears twice; export one metric")
        runs[k] = run
    if not runs:
        raise InvalidScores(f"{path} has no runs: {', '.join(names[:3])}")
    if all(_GROUP.fullmatch(run) for run in runs.values()):
        raise InvalidScores(
            f"{path} holds means without runs ({next(iter(runs.values()))!r} is a group of runs): "
            "statistics need the score of every run; export the chart without grouping"
        )
    return runs


def _tell_apart(said: dict[int, dict[str, str]], runs: dict[int, str]) -> list[str]:
    """Name runs of one agent, task and seed by their whole names, and return a word on it."""
    seen: dict[tuple[str, ...], int] = {}
    twice: dict[int, None] = {}
    for k, of_run in said.items():
        if (other := seen.setdefault(tuple(of_run.values()), k)) != k:
            twice |= {other: None, k: None}
    for k in twice:
        said[k]["seed"] = runs[k]
    names = ", ".join(runs[k] for k in list(twice)[:3])
    return (
        [f"{len(twice)} runs share their seed with another and all count: {names}"] if twice else []
    )
