"""Scores from the files of other tools: which format it is, and what counts as a run's score.

- Tables (`tables`): ``.csv``, ``.parquet``, ``.json`` with a list of rows.
- Arrays: ``.npz`` or ``.json`` with agents to arrays (runs, tasks); of (runs, tasks, points)
  the last point counts.
- Folders (`layouts`): training logs, charts, and files whose paths say whose runs they hold.
- Exported charts: CSV files from Weights & Biases (``Step`` and a column a run) and TensorBoard
  (``Wall time,Step,Value``, a file a run, or a folder of them). Runs must be named
  ``TASK__AGENT__SEED``, as CleanRL names them; a run's score is its last value.
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.errors import InvalidRecord, InvalidScores, MissingExtra
from rlbench.files import read_bounded
from rlbench.limits import MAX_VALUE, advice, allowed
from rlbench.results import strict_json
from rlbench.results.layouts import (
    CHART_NOTE,
    by_name,
    is_tensorboard,
    named_by_path,
    of_tensorboard,
    read_folder,
    with_seed,
)
from rlbench.results.reading import Reading
from rlbench.results.tables import (
    TASK_OF_ARRAY,
    ScoreFile,
    Table,
    as_arrays,
    number_of,
    read_csv,
    runs_of,
)

MAX_JSON_BYTES = 100_000_000


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
    if path.is_dir():
        return read_folder(
            path,
            reading,
            lambda file, of: _read_file(file, normalise_by, of),
            is_normalised=normalise_by is not None,
        )
    if reading.path:
        reading = named_by_path(path, reading)
    return with_seed(_read_file(path, normalise_by, reading), reading.seed)


def _read_file(path: Path, normalise_by: tuple[str, str] | None, reading: Reading) -> ScoreFile:
    """Read one file; its name in `reading` is not yet given to its run."""
    found: Table | ScoreFile
    if path.suffix in READERS:
        found = READERS[path.suffix](path)
    else:
        raise InvalidScores(
            f"{path} is no file of scores: known are {', '.join(READERS)} and folders of logs"
        )
    if isinstance(found, Table):
        return runs_of(found, normalise_by, reading)
    if normalise_by is not None:
        raise InvalidScores(f"{path} is not a table: it has no columns to normalise by")
    if reading.options and not reading.path:
        raise InvalidScores(
            f"{path} is not a table: {', '.join(reading.options)} would say nothing of it, leave "
            "it out"
        )
    return found


def _read_csv(path: Path) -> Table | ScoreFile:
    table = read_csv(path)
    if is_tensorboard(table):
        return ScoreFile(as_arrays(path, of_tensorboard([table])), CHART_NOTE)
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
    body = [(f"row {n}", [_cell(value) for value in row]) for n, row in enumerate(rows, 1)]
    return Table(path, list(content.column_names), body)


def _read_json(path: Path) -> Table | ScoreFile:
    try:
        content = strict_json.load(read_bounded(path, MAX_JSON_BYTES), MAX_JSON_BYTES)
    except OSError as error:
        raise InvalidScores(f"cannot read {path}: {error.strerror}") from error
    except InvalidRecord as error:
        raise InvalidScores(f"{path}: {error}") from error
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        header = list(dict.fromkeys(name for row in content for name in row))
        body = [
            (f"row {n}", [_cell(row.get(name)) for name in header])
            for n, row in enumerate(content, 1)
        ]
        return Table(path, header, body)
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
        values = [(place, row[k]) for place, row in table.body if len(row) > k and row[k]]
        if values:
            last[run] = number_of(table.path, *values[-1])
    return by_name(table.path, last)
