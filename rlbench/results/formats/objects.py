"""JSON and JSON lines: rows, logs, and scores by agents and tasks.

- ``[{...}, ...]``: rows; lists in them are the points of a run.
- ``{task: [runs]}``, ``{column: [values]}``: a column each. The agent is the file's name.
- ``{agent: {task: [runs]}}``, ``{agent: [[...], ...]}``: scores, as `arrays` reads them.
- A line each, an object: the log of a run, as RLlib's ``result.json``. NaN before the first score
  means that there is none yet.
- What marl-eval and evaluators write, see `marl_eval` and `evaluators`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlbench.errors import InvalidRecord, InvalidScores
from rlbench.results import strict_json
from rlbench.results.formats.arrays import of_agents
from rlbench.results.formats.building import of_columns, of_objects
from rlbench.results.formats.content import text_of
from rlbench.results.formats.evaluators import (
    MAX_JSON_BYTES,
    is_harness,
    of_evaluator,
    of_harness,
)
from rlbench.results.formats.marl_eval import is_marl_eval, of_marl_eval
from rlbench.results.reading import ALIASES, Reading, fold
from rlbench.results.score_files import ScoreFile
from rlbench.results.tables import Table


def read_json(path: Path, reading: Reading) -> Table | ScoreFile:
    """Read JSON, or lines of it.

    Raises:
        InvalidScores: It cannot be read, is not JSON, or holds something else.
    """
    text = text_of(path, MAX_JSON_BYTES, "JSON")
    try:
        content = strict_json.load(text.encode(), MAX_JSON_BYTES)
    except (InvalidRecord, UnicodeEncodeError) as error:
        if _begins_with_an_object(text):
            return _of_lines(path, text, reading)
        raise InvalidScores(f"{path}: {error}") from error
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        places = [f"row {n}" for n in range(1, len(content) + 1)]
        return of_objects(path, content, places, reading)
    if isinstance(content, dict) and content:
        return _of_object(path, content, reading)
    raise InvalidScores(
        f"{path} holds neither rows ([{{...}}, ...]) nor agents ({{name: scores, ...}})"
    )


def read_json_lines(path: Path, reading: Reading) -> Table:
    """Read lines that are objects.

    Raises:
        InvalidScores: It cannot be read, or a line is no object.
    """
    return _of_lines(path, text_of(path, MAX_JSON_BYTES, "JSON lines"), reading)


def _of_object(path: Path, content: dict[str, Any], reading: Reading) -> Table | ScoreFile:
    values = list(content.values())
    if is_marl_eval(content):
        return of_marl_eval(path, content, reading)
    if (table := of_evaluator(path, content, reading)) is not None:
        return table
    if all(isinstance(value, list) and _are_scalars(value) for value in values):
        return of_columns(path, content, reading)
    if columns := _of_pandas(content):
        return of_columns(path, columns, reading)
    if _are_scalars(values) and any(fold(name) in ALIASES["score"] for name in content):
        return of_objects(path, [content], ["row 1"], reading)
    if all(not isinstance(value, list | dict) for value in values):
        raise InvalidScores(
            f"{path} holds one value for each of {', '.join(list(content)[:3])}: a mean without "
            "runs, or one run; give lists of runs, {name: [runs]}"
        )
    return of_agents(path, content, reading)


def _are_scalars(values: Iterable[object]) -> bool:
    return not any(isinstance(value, list | dict) for value in values)


def _of_pandas(content: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of ``{column: {index: value}}``, as pandas writes a frame, or nothing."""
    columns = list(content.values())
    if not all(isinstance(of, dict) and of and _are_scalars(of.values()) for of in columns):
        return {}
    index = list(columns[0])
    if not all(name.isdecimal() for name in index) or any(list(of) != index for of in columns):
        return {}
    return {name: list(of.values()) for name, of in content.items()}


def _begins_with_an_object(text: str) -> bool:
    """Say whether the first line is an object of its own."""
    first = text.lstrip().partition("\n")[0]
    try:
        return isinstance(_line(first), dict)
    except (ValueError, RecursionError):
        return False


def _of_lines(path: Path, text: str, reading: Reading) -> Table:
    objects: list[dict[str, Any]] = []
    places: list[str] = []
    remarks: list[str] = []
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    for n, line in lines:
        try:
            value = _line(line)
        except (ValueError, RecursionError) as error:
            if n == lines[-1][0] and objects and not text.endswith("\n"):
                remarks.append(f"left out: line {n}, which is cut short")
                continue
            raise InvalidScores(f"{path}, line {n}: not JSON: {str(error)[:120]}") from error
        if not isinstance(value, dict):
            raise InvalidScores(f"{path}, line {n}: no object ({{name: value, ...}})")
        objects.append(value)
        places.append(f"line {n}")
    if not objects:
        raise InvalidScores(f"{path} has no rows")
    if is_harness(objects):
        return of_harness(path, objects, places, reading)
    return of_objects(path, objects, places, reading, is_log=True, remarks=remarks)


def _line(text: str) -> Any:
    """Return the JSON of a line, in which numbers may be NaN or infinite."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return value
