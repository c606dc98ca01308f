"""Scores from tables that any tool may have written.

Long form: a row a run, with the columns ``agent``, ``task``, ``score`` and, if they are known,
``seed`` and ``step`` (the last step of a run counts). Wide form: a row a run and a column a task,
with ``agent`` and ``seed`` if they are known. Common other names of the columns are understood.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.files import read_bounded
from rlbench.limits import MAX_VALUE, advice
from rlbench.suites import Suite

ALIASES = {
    "agent": ("agent", "algorithm", "algo", "method"),
    "task": ("task", "game", "env", "env_id", "environment"),
    "seed": ("seed", "run", "run_id"),
    "score": ("score", "return", "episode_return"),
    "step": ("step", "steps", "timestep", "timesteps"),
    "status": ("status",),
}
MAX_TABLE_BYTES = 1_000_000_000
TASK_OF_ARRAY = "task {}"  # the name of a task that came without one, by its place

Runs = Mapping[str, Mapping[str, NDArray[np.float64]]]


class Table(NamedTuple):
    """A table as it stands in a file.

    Attributes:
        path: The file.
        header: The columns' names.
        body: Where a row is (``line 3``), and its cells.
    """

    path: Path
    header: list[str]
    body: list[tuple[str, list[str]]]


def read_csv(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        InvalidScores: It cannot be read, is not CSV, or has no rows.
    """
    try:
        text = read_bounded(path, MAX_TABLE_BYTES).decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [[cell.strip() for cell in row] for row in lines]
    except OSError as error:
        raise InvalidScores(f"cannot read {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidScores(f"{path} is not CSV: {error}") from error
    if len(rows) < 2:
        raise InvalidScores(f"{path} has no rows below its header")
    body = [(f"line {n}", row) for n, row in enumerate(rows[1:], 2) if any(row)]
    return Table(path, rows[0], body)


def runs_of(table: Table, normalise_by: tuple[str, str] | None = None) -> Runs:
    """Return the scores of a table in long or wide form.

    Args:
        table: Rows whose ``status`` is not ``ok`` are left out.
        normalise_by: Two columns of the long form with the reference scores of the row's task:
            a score becomes ``(score - first) / (second - first)``.

    Returns:
        Agent, then task, to scores (runs,) in the order of seeds, or of the table without them.
        Without a column for it, the agent is the file's name.

    Raises:
        InvalidScores: There are no scores, one is not a finite number, or a run is there twice;
            the message names the row.
    """
    path, header, body = table
    if len(set(header)) != len(header):
        raise InvalidScores(f"{path} names a column twice: {', '.join(header)}")
    for place, row in body:
        if len(row) != len(header):
            raise InvalidScores(f"{path}, {place}: {len(row)} cells under {len(header)} names")
    known = _known_columns(header)
    if "status" in known:
        table = table._replace(body=[row for row in body if row[1][known["status"]] == "ok"])
    if "score" in known and "task" in known:
        return _runs_of_long(table, known, normalise_by)
    if normalise_by is not None:
        raise InvalidScores(f"{path} has a column a task: only the long form is normalised by two")
    return _runs_of_wide(table, known)


def select(runs: Runs, suite: Suite) -> Runs:
    """Return normalised scores of a suite's tasks, in the suite's order.

    Raises:
        InvalidScores: The scores came as arrays, which do not name their tasks.
        UnknownName: A task is not of the suite.
    """
    out: dict[str, dict[str, NDArray[np.float64]]] = {}
    for agent, tasks in runs.items():
        if TASK_OF_ARRAY.format(1) in tasks:
            raise InvalidScores(
                f"the arrays of {agent!r} do not name their tasks, so {suite.id} cannot normalise "
                "them: normalise them first, and leave the suite out"
            )
        by_name = {suite.task(name).name: scores for name, scores in tasks.items()}
        out[agent] = {
            task.name: suite.normalise(task, by_name[task.name])
            for task in suite.tasks
            if task.name in by_name
        }
    return out


def _known_columns(header: Sequence[str]) -> dict[str, int]:
    folded = [name.casefold() for name in header]
    return {
        meaning: folded.index(name)
        for meaning, names in ALIASES.items()
        for name in names[::-1]
        if name in folded
    }


def _runs_of_long(
    table: Table, known: Mapping[str, int], normalise_by: tuple[str, str] | None
) -> Runs:
    path = table.path
    references = [_column(table, name) for name in normalise_by or ()]
    last: dict[tuple[str, str, str], tuple[float, float, str]] = {}
    for place, row in table.body:
        agent = row[known["agent"]] if "agent" in known else path.stem
        # Without seeds every row is a run of its own.
        seed = row[known["seed"]] if "seed" in known else place
        step = number_of(path, place, row[known["step"]]) if "step" in known else 0.0
        score = number_of(path, place, row[known["score"]])
        if references:
            low, high = (number_of(path, place, row[k]) for k in references)
            if low == high:
                raise InvalidScores(f"{path}, {place}: both reference scores are {low:g}")
            score = (score - low) / (high - low)
        run = (agent, row[known["task"]], seed)
        if run in last and last[run][0] == step:
            raise InvalidScores(
                f"{path}, {place}: agent {run[0]!r}, task {run[1]!r}, seed {run[2]!r} is there "
                f"already, in {last[run][2]}"
            )
        if run not in last or step > last[run][0]:
            last[run] = (step, score, place)
    found: dict[str, dict[str, list[float]]] = {}
    for agent, task, _ in last:
        found.setdefault(agent, {})[task] = []
    runs = sorted(last.items(), key=lambda run: _place_of(run[0][2]) if "seed" in known else 0)
    for (agent, task, _), (_, score, _) in runs:
        found[agent][task].append(score)
    return as_arrays(path, found)


def _column(table: Table, name: str) -> int:
    if name not in table.header:
        raise InvalidScores(f"{table.path} has no column {name!r}: {', '.join(table.header)}")
    return table.header.index(name)


def _runs_of_wide(table: Table, known: Mapping[str, int]) -> Runs:
    path, header, body = table
    tasks = [k for k in range(len(header)) if k not in known.values() and header[k]]
    found: dict[str, dict[str, list[float]]] = {}
    seen: dict[tuple[str, str], str] = {}
    for _, row in body:
        found[row[known["agent"]] if "agent" in known else path.stem] = {}
    if "seed" in known:
        body = sorted(body, key=lambda line: _place_of(line[1][known["seed"]]))
    for place, row in body:
        agent = row[known["agent"]] if "agent" in known else path.stem
        if "seed" in known:
            run = (agent, row[known["seed"]])
            if run in seen:
                raise InvalidScores(
                    f"{path}, {place}: agent {agent!r}, seed {run[1]!r} is there already, in "
                    f"{seen[run]}"
                )
            seen[run] = place
        for k in tasks:
            if row[k]:
                scores = found[agent].setdefault(header[k], [])
                scores.append(number_of(path, place, row[k]))
    return as_arrays(path, {agent: tasks for agent, tasks in found.items() if tasks})


def _place_of(seed: str) -> tuple[bool, int, str]:
    """Return where a seed stands among others: numbers by their size, before other texts."""
    number = seed.isascii() and seed.isdigit()
    digits = seed.lstrip("0")
    return (not number, len(digits) if number else 0, digits if number else seed)


def number_of(path: Path, place: str, text: str) -> float:
    """Return the number that a cell holds.

    Raises:
        InvalidScores: It is none, not finite, or beyond 1e15 in magnitude.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InvalidScores(
            f"{path}, {place}: {text!r} is not a finite number; leave a run without score out"
        )
    if abs(value) > MAX_VALUE:
        raise InvalidScores(f"{path}, {place}: {text}: {advice(value)}")
    return value


def as_arrays(path: Path, found: Mapping[str, Mapping[str, Sequence[float]]]) -> Runs:
    """Return scores as arrays.

    Raises:
        InvalidScores: There are none.
    """
    if not found:
        raise InvalidScores(f"{path} has no scores")
    return {
        agent: {task: np.array(scores) for task, scores in tasks.items()}
        for agent, tasks in found.items()
    }
