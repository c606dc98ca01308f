"""Scores from the files of other tools: which form it is, and what counts as a run's score.

The readers of files are in `formats`, a module for each family:

- `text`: CSV, TSV, columns separated by blanks; `charts`: those that Weights & Biases and
  TensorBoard export.
- `objects`: JSON and JSON lines; `marl_eval`; `evaluators`: inspect_ai and others.
- `arrays`: ``.npy`` and ``.npz``; `frames`: Parquet, and frames of pandas.
- `events`: TensorBoard's event files.

Any of them may be compressed, ``.gz``. Folders are read by `layouts`: training logs, and files
whose paths, names or columns say whose runs they hold.
"""

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from rlbench.errors import InvalidScores
from rlbench.results.formats.arrays import ARRAYS, of_agents, read_npy, read_npz
from rlbench.results.formats.content import suffix_of
from rlbench.results.formats.evaluators import read_eval
from rlbench.results.formats.events import NAME, is_events, read_events
from rlbench.results.formats.frames import FRAME, of_frame, read_parquet
from rlbench.results.formats.objects import read_json, read_json_lines
from rlbench.results.formats.text import read_text
from rlbench.results.forms import runs_of
from rlbench.results.layouts import named_by_path, read_folder, with_seed
from rlbench.results.reading import Reading
from rlbench.results.score_files import ScoreFile
from rlbench.results.tables import Table

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


def read_scores(
    source: Any,
    normalise_by: tuple[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> ScoreFile:
    """Read the scores of agents from a file, a folder, a pandas frame or arrays.

    Args:
        source: A path or a frame: `docs/reading-scores.md` says what can be read; or a mapping of
            agents to arrays (runs, tasks), or to tasks with their runs.
        normalise_by: Two columns of a table with reference scores, as `runs_of` takes them.
        reading: What is known of a table besides.

    Raises:
        InvalidScores: The form is unknown, or something is wrong; the message names the place.
        MissingExtra: Parquet and event files need one.
    """
    if isinstance(source, Mapping):
        return _judged(ARRAYS, of_agents(ARRAYS, source, reading), normalise_by, reading)
    if not isinstance(source, str | PathLike):
        return _judged(FRAME, of_frame(source), normalise_by, reading)
    path = Path(source)
    if path.is_dir() and not is_events(path):
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
    """Read one file; the seed in `reading` is not yet given to its run."""
    reader = read_events if is_events(path) else READERS.get(suffix_of(path))
    if reader is None:
        raise InvalidScores(
            f"{path} is not a file of scores: known are {', '.join(READERS)}, all also with "
            f".gz, {NAME}*, and folders of logs"
        )
    return _judged(path, reader(path, reading), normalise_by, reading)


def _judged(
    path: Path,
    found: Table | ScoreFile,
    normalise_by: tuple[str, str] | None,
    reading: Reading,
) -> ScoreFile:
    """Return the scores of what a reader found.

    Raises:
        InvalidScores: They are bad, or the user says what means nothing for it.
    """
    if reading.decimal and READERS.get(suffix_of(path)) is not read_text:
        raise InvalidScores(f"{path} is not text: leave --decimal out")
    if isinstance(found, Table):
        return runs_of(found, normalise_by, reading)
    if normalise_by is not None:
        raise InvalidScores(f"{path} is not a table: it has no columns to normalise by")
    if reading.options and not reading.path:
        raise InvalidScores(f"{path} is not a table: leave out {', '.join(reading.options)}")
    return found
