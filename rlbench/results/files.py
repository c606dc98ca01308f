"""Scores from the files of other tools: which format it is, and what counts as a run's score.

- Tables (`tables`): ``.csv``, ``.parquet``, ``.json`` with a list of rows.
- Arrays: ``.npz`` or ``.json`` with agents to arrays (runs, tasks); of (runs, tasks, points)
  the last point counts.
- Training logs: a folder with Stable-Baselines3's ``monitor.csv`` files, ``AGENT/RUN/*monitor.csv``
  below it; a run's score is the mean return of its last 100 episodes.
- Exported charts: CSV files from Weights & Biases (``Step`` and a column a run) and TensorBoard
  (``Wall time,Step,Value``, a file a run, or a folder of them). Runs must be named
  ``TASK__AGENT__SEED``, as CleanRL names them; a run's score is its last value.
"""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.errors import InvalidRecord, InvalidScores, MissingExtra
from rlbench.files import read_bounded
from rlbench.limits import MAX_VALUE, advice, allowed
from rlbench.results import strict_json
from rlbench.results.forms import runs_of
from rlbench.results.reading import Reading
from rlbench.results.score_files import TASK_OF_ARRAY, ScoreFile, as_arrays
from rlbench.results.tables import (
    MAX_TABLE_BYTES,
    Table,
    number_of,
    numbers_in,
    read_csv,
    table_of,
)

LAST_EPISODES = 100
MAX_JSON_BYTES = 100_000_000

MONITOR_NOTE = (
    f"the scores are mean returns of a run's last {LAST_EPISODES} episodes in training, "
    "not of an evaluation"
)
CHART_NOTE = "the scores are the last values of charts, not of an evaluation"


def read_scores(
    path: Path,
    normalise_by: tuple[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> ScoreFile:
    """Read the scores of agents from a file or folder; see the module for the formats.

    Args:
        path: A file or a folder.
        normalise_by: Two columns of a table with reference scores, as `runs_of` takes them.
        reading: What is known of a table besides.

    Raises:
        InvalidScores: The format is unknown, or something is wrong; the message names the place.
        MissingExtra: Parquet files need one.
    """
    found: Table | ScoreFile
    if path.is_dir():
        found = _read_folder(path)
    elif path.suffix in READERS:
        found = READERS[path.suffix](path)
    else:
        raise InvalidScores(
            f"{path} is no file of scores: known are {', '.join(READERS)} and folders of logs"
        )
    if isinstance(found, Table):
        return runs_of(found, normalise_by, reading)
    if normalise_by is not None:
        raise InvalidScores(f"{path} is not a table: it has no columns to normalise by")
    if reading.options:
        raise InvalidScores(
            f"{path} is not a table: {', '.join(reading.options)} would say nothing of it, leave "
            "it out"
        )
    return found


def _read_csv(path: Path) -> Table | ScoreFile:
    table = read_csv(path)
    if _is_tensorboard(table):
        return ScoreFile(as_arrays(path, _of_tensorboard([table])), CHART_NOTE)
    if _is_wandb(table):
        axis = f"read as a chart over {table.header[0]}"
        spread = [name for name in table.header if name.endswith(("__MIN", "__MAX"))]
        ignored = f"; ignored: {len(spread)} columns __MIN and __MAX" if spread else ""
        return ScoreFile(as_arrays(path, _of_wandb(table)), f"{axis}{ignored}. {CHART_NOTE}")
    return table


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra(f"{path}, a Parquet file,", "parquet") from error
    try:
        content = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InvalidScores(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    rows = zip(*(column.to_pylist() for column in content.columns), strict=True)
    cells = ([_cell(value) for value in row] for row in rows)
    return table_of(path, list(content.column_names), cells)


def _read_json(path: Path) -> Table | ScoreFile:
    try:
        content = strict_json.load(read_bounded(path, MAX_JSON_BYTES), MAX_JSON_BYTES)
    except OSError as error:
        raise InvalidScores(f"cannot read {path}: {error.strerror}") from error
    except InvalidRecord as error:
        raise InvalidScores(f"{path}: {error}") from error
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        header = list(dict.fromkeys(name for row in content for name in row))
        return table_of(path, header, ([_cell(row.get(n)) for n in header] for row in content))
    if isinstance(content, dict) and content:
        return ScoreFile(
            {agent: _of_agent(path, agent, scores) for agent, scores in content.items()}
        )
    raise InvalidScores(
        f"{path} holds neither rows ([{{...}}, ...]) nor agents ({{name: scores, ...}})"
    )


def _read_npz(path: Path) -> ScoreFile:
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidScores(f"cannot read {path}: {error}") from error
    if not arrays:
        raise InvalidScores(f"{path} holds no array")
    return ScoreFile({agent: _of_agent(path, agent, scores) for agent, scores in arrays.items()})


READERS: Mapping[str, Callable[[Path], Table | ScoreFile]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
}


def _cell(value: object) -> str:
    return "" if value is None else str(value).strip()


def _of_agent(path: Path, agent: str, scores: Any) -> Mapping[str, Any]:
    """Return the scores of an agent by task, from a mapping of tasks or an array (runs, tasks)."""
    try:
        if isinstance(scores, Mapping):
            tasks = {task: np.array(values, dtype=np.float64) for task, values in scores.items()}
        else:
            array = np.array(scores, dtype=np.float64)
            array = array[..., -1] if array.ndim == 3 else array
            if array.ndim != 2:
                raise ValueError
            tasks = {TASK_OF_ARRAY.format(n): column for n, column in enumerate(array.T, 1)}
        if not tasks or any(values.ndim != 1 or not len(values) for values in tasks.values()):
            raise ValueError
    except OverflowError as error:
        raise InvalidScores(f"{path}: a score of {agent!r} is beyond {MAX_VALUE:g}") from error
    except (ValueError, TypeError) as error:
        raise InvalidScores(
            f"{path}: the scores of {agent!r} are neither an array (runs, tasks) of numbers nor "
            "tasks with their runs' scores"
        ) from error
    for task, values in tasks.items():
        if not allowed(values).all():
            run = int(np.flatnonzero(~allowed(values))[0])
            value = values[run]
            raise InvalidScores(
                f"{path}: run {run} of {agent!r} on {task} is {value:g}: {advice(value)}"
            )
    return tasks


def _read_folder(folder: Path) -> ScoreFile:
    monitors = sorted(folder.rglob("*monitor.csv"))
    if monitors:
        return ScoreFile(as_arrays(folder, _of_monitors(folder, monitors)), MONITOR_NOTE)
    tables = [read_csv(file) for file in sorted(folder.rglob("*.csv"))]
    if tables and all(_is_tensorboard(table) for table in tables):
        return ScoreFile(as_arrays(folder, _of_tensorboard(tables)), CHART_NOTE)
    raise InvalidScores(
        f"the folder {folder} holds neither *monitor.csv files nor TensorBoard's CSV exports only; "
        "a store of records is given by --store"
    )


def _of_monitors(folder: Path, files: Sequence[Path]) -> dict[str, dict[str, list[float]]]:
    """Return the scores of runs, each a folder with a monitor a parallel environment."""
    episodes: dict[Path, list[tuple[float, float]]] = {}
    tasks: dict[Path, str] = {}
    for file in files:
        run = file.parent
        env_id, ends = _episodes_of(file)
        # rl-zoo3 calls the folder of the n-th run of a task TASK_n.
        task = env_id or run.resolve().name.rpartition("_")[0] or run.resolve().name
        if tasks.setdefault(run, task) != task:
            raise InvalidScores(f"{run} holds monitors of two tasks: {tasks[run]} and {task}")
        episodes.setdefault(run, []).extend(ends)
    found: dict[str, dict[str, list[float]]] = {}
    for run, ends in episodes.items():
        inside = run == folder or run.parent == folder
        agent = (folder if inside else run.parent).resolve().name
        returns = [value for _, value in sorted(ends)[-LAST_EPISODES:]]
        if returns:
            score = float(np.mean(returns))
            found.setdefault(agent, {}).setdefault(tasks[run], []).append(score)
    return found


def _episodes_of(file: Path) -> tuple[str, list[tuple[float, float]]]:
    """Return a monitor's task, if it names one, and when each episode ended with which return."""
    lines = _lines_of(file)
    try:
        start = json.loads(lines[0].removeprefix("#"))
        began, env_id = float(start["t_start"]), start.get("env_id")
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidScores(f"{file}, line 1: no monitor of Stable-Baselines3") from error
    header = lines[1].split(",") if len(lines) > 1 else []
    if header[:3] != ["r", "l", "t"]:
        raise InvalidScores(f"{file}, line 2: a monitor has the columns r,l,t")
    ends = []
    for n, line in enumerate(lines[2:], 3):
        cells = line.split(",")
        if len(cells) < 3:
            raise InvalidScores(f"{file}, line {n}: {len(cells)} cells under {len(header)} names")
        at = began + number_of(file, f"line {n}", cells[2])
        ends.append((at, number_of(file, f"line {n}", cells[0])))
    return (env_id if isinstance(env_id, str) and env_id != "None" else ""), ends


def _lines_of(file: Path) -> list[str]:
    """Return the lines of a text file that are not empty, at least one.

    Raises:
        InvalidScores: It cannot be read, or has none.
    """
    try:
        text = read_bounded(file, MAX_TABLE_BYTES).decode()
    except OSError as error:
        raise InvalidScores(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidScores(f"{file} is not text: {error}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InvalidScores(f"{file} is empty")
    return lines


def _is_tensorboard(table: Table) -> bool:
    return table.header == ["Wall time", "Step", "Value"]


def _of_tensorboard(tables: Sequence[Table]) -> dict[str, dict[str, list[float]]]:
    last: dict[str, float] = {}
    for table in tables:
        path = table.path
        run = path.stem.removeprefix("run-").partition("-tag-")[0]
        if run in last:
            raise InvalidScores(f"{path}: the run {run!r} is there twice; export one tag only")
        row = int(np.argmax(numbers_in(table, 1)))
        last[run] = float(numbers_in(table, 2)[row])
    return _by_name(tables[0].path, last)


def _is_wandb(table: Table) -> bool:
    """Say whether a table is a chart: an axis, and columns called ``RUN - METRIC``."""
    axis, *runs = table.header
    return bool(runs) and " - " not in axis and all(" - " in name for name in runs)


def _of_wandb(table: Table) -> dict[str, dict[str, list[float]]]:
    """Return last values of a chart's runs, leaving out the columns of their spread."""
    last: dict[str, float] = {}
    for k, name in enumerate(table.header):
        run, separator, metric = name.partition(" - ")
        if not separator or metric.endswith(("__MIN", "__MAX", "_step")):
            continue
        if run in last:
            raise InvalidScores(f"{table.path}: the run {run!r} is there twice; export one metric")
        filled = [n for n, cell in enumerate(table.columns[k]) if cell]
        if filled:
            last[run] = float(numbers_in(table, k, filled[-1:])[0])
    return _by_name(table.path, last)


def _by_name(path: Path, scores: Mapping[str, float]) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for run, score in scores.items():
        task, *rest = run.split("__")
        if not task or not rest or not rest[0]:
            raise InvalidScores(
                f"{path}: the run's name {run!r} does not say what it is: TASK__AGENT__SEED"
            )
        found.setdefault(rest[0], {}).setdefault(task, []).append(score)
    return found
