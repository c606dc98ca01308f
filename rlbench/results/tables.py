"""Scores from CSV files that any tool may have written.

Long form: a row a run, with the columns ``agent``, ``task``, ``score`` and, if they are known,
``seed`` and ``step`` (the last step of a run counts). Wide form: a row a run and a column a task,
with ``agent`` and ``seed`` if they are known. Common other names of the columns are understood.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.suites import Suite

ALIASES = {
    "agent": ("agent", "algorithm", "algo", "method"),
    "task": ("task", "game", "env", "env_id", "environment"),
    "seed": ("seed", "run", "run_id"),
    "score": ("score", "return", "episode_return"),
    "step": ("step", "steps", "timestep", "timesteps"),
    "status": ("status",),
}

Runs = Mapping[str, Mapping[str, NDArray[np.float64]]]


def read_csv(path: Path) -> Runs:
    """Read scores.

    Args:
        path: A file in long or wide form. Rows whose ``status`` is not ``ok`` are left out.

    Returns:
        Agent, then task, to raw scores (runs,) in the order of the file. Without a column for it,
        the agent is the file's name.

    Raises:
        InvalidScores: The file cannot be read or has no scores, a score is not a finite number, or
            a run is there twice; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file, strict=True)]
    except OSError as error:
        raise InvalidScores(f"cannot read {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidScores(f"{path} is not CSV: {error}") from error
    if len(rows) < 2:
        raise InvalidScores(f"{path} has no rows below its header")
    header, body = rows[0], [(n, row) for n, row in enumerate(rows[1:], 2) if any(row)]
    if len(set(header)) != len(header):
        raise InvalidScores(f"{path} names a column twice: {', '.join(header)}")
    for line, row in body:
        if len(row) != len(header):
            raise InvalidScores(f"{path}, line {line}: {len(row)} cells under {len(header)} names")
    known = _known_columns(header)
    if "status" in known:
        body = [(line, row) for line, row in body if row[known["status"]] == "ok"]
    read = _read_long if "score" in known and "task" in known else _read_wide
    return read(path, header, known, body)


def select(runs: Runs, suite: Suite) -> dict[str, list[NDArray[np.float64]]]:
    """Return normalised scores of a suite's tasks: agent to one array (runs,) a task it has.

    Raises:
        UnknownName: A task is not of the suite.
    """
    out: dict[str, list[NDArray[np.float64]]] = {}
    for agent, tasks in runs.items():
        by_name = {suite.task(name).name: scores for name, scores in tasks.items()}
        out[agent] = [
            suite.normalise(task, by_name[task.name])
            for task in suite.tasks
            if task.name in by_name
        ]
    return out


def _known_columns(header: Sequence[str]) -> dict[str, int]:
    folded = [name.casefold() for name in header]
    return {
        meaning: folded.index(name)
        for meaning, names in ALIASES.items()
        for name in names[::-1]
        if name in folded
    }


def _read_long(
    path: Path,
    header: Sequence[str],
    known: Mapping[str, int],
    body: Sequence[tuple[int, list[str]]],
) -> Runs:
    last: dict[tuple[str, str, str], tuple[float, float, int]] = {}
    for line, row in body:
        agent = row[known["agent"]] if "agent" in known else path.stem
        # Without seeds every row is a run of its own.
        seed = row[known["seed"]] if "seed" in known else f"line {line}"
        step = _number(path, line, row[known["step"]]) if "step" in known else 0.0
        score = _number(path, line, row[known["score"]])
        run = (agent, row[known["task"]], seed)
        if run in last and last[run][0] == step:
            raise InvalidScores(
                f"{path}, line {line}: agent {run[0]!r}, task {run[1]!r}, seed {run[2]!r} is there "
                f"already, in line {last[run][2]}"
            )
        if run not in last or step > last[run][0]:
            last[run] = (step, score, line)
    found: dict[str, dict[str, list[float]]] = {}
    for (agent, task, _), (_, score, _) in last.items():
        found.setdefault(agent, {}).setdefault(task, []).append(score)
    return _as_arrays(path, found)


def _read_wide(
    path: Path,
    header: Sequence[str],
    known: Mapping[str, int],
    body: Sequence[tuple[int, list[str]]],
) -> Runs:
    tasks = [k for k in range(len(header)) if k not in known.values() and header[k]]
    found: dict[str, dict[str, list[float]]] = {}
    seen: dict[tuple[str, str], int] = {}
    for line, row in body:
        agent = row[known["agent"]] if "agent" in known else path.stem
        if "seed" in known:
            run = (agent, row[known["seed"]])
            if run in seen:
                raise InvalidScores(
                    f"{path}, line {line}: agent {agent!r}, seed {run[1]!r} is there already, in "
                    f"line {seen[run]}"
                )
            seen[run] = line
        for k in tasks:
            if row[k]:
                scores = found.setdefault(agent, {}).setdefault(header[k], [])
                scores.append(_number(path, line, row[k]))
    return _as_arrays(path, found)


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise InvalidScores(
            f"{path}, line {line}: {text!r} is not a finite number; leave a run without score out"
        )
    return value


def _as_arrays(path: Path, found: Mapping[str, Mapping[str, list[float]]]) -> Runs:
    if not found:
        raise InvalidScores(f"{path} has no scores")
    return {
        agent: {task: np.array(scores) for task, scores in tasks.items()}
        for agent, tasks in found.items()
    }
