"""Arrays of numpy, and of JSON: of agents, of one run, of an evaluation callback.

- ``.npz`` with ``timesteps`` and ``results``: Stable-Baselines3's EvalCallback, one run.
- ``.npy`` with one axis: the points of one run.
- Other ``.npz``, and JSON: agents to arrays (runs, tasks), or to tasks with their runs; names to
  arrays with one axis are columns.
"""

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.limits import MAX_VALUE, advice, allowed
from rlbench.results.formats.building import of_columns, of_curve, table_of_values
from rlbench.results.formats.content import content_of
from rlbench.results.reading import AGENTS, Reading
from rlbench.results.score_files import TASK_OF_ARRAY, ScoreFile
from rlbench.results.tables import MAX_TABLE_BYTES, Table, some
from rlbench.results.task_names import are_tasks, tasks_among

ARRAYS = Path("the arrays")  # what messages call those that are in no file
CALLBACK = ["timesteps", "score"]  # the columns of an evaluation callback's table

_NUMBERS = "biuf"  # kinds of arrays that hold scores


def read_npy(path: Path, reading: Reading) -> Table:
    """Read one array.

    Raises:
        InvalidScores: It cannot be read, holds no numbers, or what its axes are is not known.
    """
    array = _array(path, "", content_of(path, MAX_TABLE_BYTES))
    if array.ndim == 1:
        return of_curve(path, array.tolist(), "one array")
    if array.ndim == 2 and (reading.columns_are or reading.wide):
        name = "agent {}" if reading.columns_are == AGENTS else TASK_OF_ARRAY
        header = [name.format(n) for n in range(1, array.shape[1] + 1)]
        return table_of_values(path, header, array.tolist(), remark="one array: its rows are runs")
    shape = " x ".join(map(str, array.shape)) or "no axis"
    raise InvalidScores(
        f"{path} holds one array of {shape}, and whether its axes are runs, tasks or points is not "
        "known: say --columns-are tasks if it is (runs, tasks), or save an array a run"
    )


def read_npz(path: Path, reading: Reading) -> Table | ScoreFile:
    """Read named arrays.

    Raises:
        InvalidScores: They cannot be read, hold no numbers, or are no scores.
    """
    arrays = _arrays(path)
    if not arrays:
        raise InvalidScores(f"{path} holds no array")
    if {"timesteps", "results"} <= set(arrays):
        return _of_evaluations(path, arrays["timesteps"], arrays["results"])
    if all(array.ndim == 1 for array in arrays.values()):
        columns = {name: array.tolist() for name, array in arrays.items()}
        return of_columns(path, columns, reading)
    return of_agents(path, arrays, reading)


def of_agents(path: Path, content: Mapping[str, Any], reading: Reading) -> ScoreFile:
    """Return scores by agent: arrays (runs, tasks) or (runs, tasks, points), or tasks to runs.

    Raises:
        InvalidScores: They are something else, or which names are agents is not clear.
    """
    outer, are_objects = list(content), all(isinstance(v, Mapping) for v in content.values())
    remark = ""
    if _are_tasks(outer, reading):
        inner = list(dict.fromkeys(n for of in content.values() if are_objects for n in of))
        if not inner or _are_tasks(inner, reading):
            raise InvalidScores(
                f"{path}: {some(outer)} are tasks, and what their scores are by is not clear: "
                "give {task: [runs]}, or {agent: {task: [runs]}}"
            )
        remark = f"; the names {some(outer)} are tasks of a suite, so those below are agents"
        content = {a: {t: of[a] for t, of in content.items() if a in of} for a in inner}
    runs = {agent: _of_agent(path, agent, scores) for agent, scores in content.items()}
    tasks = list(dict.fromkeys(task for of_agent in runs.values() for task in of_agent))
    deep = any(np.ndim(v) == 3 for v in content.values() if not isinstance(v, Mapping))
    points = "; of arrays (runs, tasks, points) the last point is the score" if deep else ""
    said = f"read as agents: {some(list(runs))}, tasks: {some(tasks)}{points}{remark}"
    return ScoreFile(runs, said)


def _array(path: Path, name: str, content: bytes) -> NDArray[np.float64]:
    """Return an array of numbers from the bytes of a ``.npy`` file; nothing is unpickled.

    Raises:
        InvalidScores: It is something else.
    """
    what = f"{path}: the array {name!r}" if name else str(path)
    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format is not known")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, is_fortran, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError) as error:
        raise InvalidScores(f"cannot read {what}: {str(error)[:200]}") from error
    if dtype.kind not in _NUMBERS or dtype.names:
        raise InvalidScores(f"cannot read {what}: it holds {dtype}, not numbers")
    data = content[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(data) or any(size < 0 for size in shape):
        raise InvalidScores(f"cannot read {what}: it holds {len(data):,} bytes, not {shape}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
    with np.errstate(all="ignore"):
        return array.astype(np.float64)


def _arrays(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of a ``.npz`` file by name.

    Raises:
        InvalidScores: It cannot be read, or is too large.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content_of(path, MAX_TABLE_BYTES))) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_TABLE_BYTES:
                raise InvalidScores(
                    f"cannot read {path}: unpacked it is over the limit of "
                    f"{MAX_TABLE_BYTES:,} bytes"
                )
            for member in members:
                name = member.filename.removesuffix(".npy")
                arrays[name] = _array(path, name, archive.read(member))
    except (
        OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        if isinstance(error, InvalidScores):
            raise
        raise InvalidScores(f"cannot read {path}: {error}") from error
    return arrays


def _of_evaluations(path: Path, steps: NDArray[np.float64], results: NDArray[np.float64]) -> Table:
    """Return a run's evaluations: steps (points,), and results (points, episodes)."""
    if steps.ndim != 1 or results.ndim not in (1, 2) or len(steps) != len(results):
        raise InvalidScores(
            f"{path}: results of shape {results.shape} do not fit timesteps of {steps.shape}"
        )
    if len(np.unique(steps)) != len(steps):
        raise InvalidScores(
            f"{path}: timesteps holds a step twice: two runs, or one that was resumed"
        )
    if not results.size:
        raise InvalidScores(f"{path} has no scores")
    episodes = results.reshape(len(results), -1)
    with np.errstate(all="ignore"):
        scores = episodes.mean(axis=1)
    remark = (
        f"evaluations of one run: score is the mean of {episodes.shape[1]} episodes at each of "
        "the timesteps"
    )
    rows = zip(steps.tolist(), scores.tolist(), strict=True)
    return table_of_values(path, CALLBACK, rows, remark=remark)


def _of_agent(path: Path, agent: str, scores: Any) -> Mapping[str, NDArray[np.float64]]:
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
    except (ValueError, TypeError, IndexError) as error:
        raise InvalidScores(
            f"{path}: the scores of {agent!r} are neither an array (runs, tasks) of numbers nor "
            "tasks with their runs' scores"
        ) from error
    _refuse_not_allowed(path, agent, tasks)
    return tasks


def _refuse_not_allowed(path: Path, agent: str, tasks: Mapping[str, NDArray[np.float64]]) -> None:
    for task, values in tasks.items():
        if not allowed(values).all():
            run = int(np.flatnonzero(~allowed(values))[0])
            raise InvalidScores(
                f"{path}: run {run} of {agent!r} on {task} is {values[run]:g}: "
                f"{advice(values[run])}"
            )


def _are_tasks(names: Iterable[str], reading: Reading) -> bool:
    known = list(names)
    if reading.suite:
        return bool(known) and len(tasks_among(known, reading.suite)) == len(known)
    return bool(known) and are_tasks(known)
