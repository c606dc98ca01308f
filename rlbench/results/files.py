"""Scores from the files of other tools: which form it is, and what counts as a run's score.

The readers of files are in `formats`, a module for each family:

- `text`: CSV, TSV, columns separated by blanks; `charts`: those that Weights & Biases and
  TensorBoard export.
- `objects`: JSON and JSON lines; `marl_eval`; `evaluators`: inspect_ai and others.
- `arrays`: ``.npy`` and ``.npz``; `frames`: Parquet, and frames of pandas.
- `events`: TensorBoard's event files.

Any of them may be compressed, ``.gz``. Folders are read here:

- Training logs: a folder with Stable-Baselines3's ``monitor.csv`` files, ``AGENT/RUN/*monitor.csv``
  below it; a run's score is the mean return of its last 100 episodes.
- TensorBoard's charts, exported as CSV: a file a run, named ``TASK__AGENT__SEED``; a run's score is
  its last value.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.errors import InvalidScores
from rlbench.files import read_bounded
from rlbench.results.formats.arrays import read_npy, read_npz
from rlbench.results.formats.charts import CHART_NOTE, TENSORBOARD
from rlbench.results.formats.content import suffix_of
from rlbench.results.formats.evaluators import read_eval
from rlbench.results.formats.events import NAME, is_events, read_events
from rlbench.results.formats.frames import FRAME, of_frame, read_parquet
from rlbench.results.formats.objects import read_json, read_json_lines
from rlbench.results.formats.text import read_cells, read_text
from rlbench.results.forms import runs_of
from rlbench.results.reading import Reading
from rlbench.results.score_files import ScoreFile, as_arrays
from rlbench.results.tables import MAX_TABLE_BYTES, Table, number_of, numbers_in

LAST_EPISODES = 100

MONITOR_NOTE = (
    f"the scores are mean returns of a run's last {LAST_EPISODES} episodes in training, "
    "not of an evaluation"
)


def read_scores(
    source: Any,
    normalise_by: tuple[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> ScoreFile:
    """Read the scores of agents from a file, a folder or a frame of pandas.

    Args:
        source: A path, or a frame: `docs/reading-scores.md` says what can be read.
        normalise_by: Two columns of a table with reference scores, as `runs_of` takes them.
        reading: What is known of a table besides.

    Raises:
        InvalidScores: The form is unknown, or something is wrong; the message names the place.
        MissingExtra: Parquet and event files need one.
    """
    path = Path(source) if isinstance(source, str | PathLike) else FRAME
    found = _found(path, reading) if path is not FRAME else of_frame(source)
    if reading.decimal and READERS.get(suffix_of(path)) is not read_text:
        raise InvalidScores(f"{path} is no text: leave --decimal out")
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


def _found(path: Path, reading: Reading) -> Table | ScoreFile:
    if is_events(path):
        return read_events(path, reading)
    if path.is_dir():
        return _read_folder(path)
    if reader := READERS.get(suffix_of(path)):
        return reader(path, reading)
    raise InvalidScores(
        f"{path} is no file of scores: known are {', '.join(READERS)}, all also with "
        f".gz, {NAME}*, and folders of logs"
    )


READERS: Mapping[str, Callable[[Path, Reading], Table | ScoreFile]] = {
    ".csv": read_text,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".npy": read_npy,
    ".npz": read_npz,
    ".parquet": read_parquet,
    ".tsv": read_text,
    ".txt": read_text,
    ".dat": read_text,
    ".eval": read_eval,
}


def _read_folder(folder: Path) -> ScoreFile:
    monitors = sorted(folder.rglob("*monitor.csv"))
    if monitors:
        return ScoreFile(as_arrays(folder, _of_monitors(folder, monitors)), MONITOR_NOTE)
    tables = [read_cells(file, Reading()) for file in sorted(folder.rglob("*.csv"))]
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
    return table.header == TENSORBOARD


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
