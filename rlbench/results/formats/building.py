"""Tables from what other readers find: rows, columns, objects, curves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

from rlbench.errors import InvalidScores
from rlbench.limits import DIVERGED
from rlbench.results.reading import ALIASES, Reading, fold, roles_of
from rlbench.results.tables import Table, table_of

_DEEPEST = 8  # levels of nested objects that are columns
_SETTINGS = "config"  # what some logs repeat in each row: settings, not measures

Row = Mapping[str, Any]


def table_of_values(
    path: Path,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    places: Sequence[str] | None = None,
    remark: str = "",
) -> Table:
    """Return the table of rows of any values; None is an empty cell.

    Args:
        path: The file.
        header: The columns' names.
        rows: The values of each row.
        places: Where each row is, by default ``row 1`` and so on.
        remark: What must be said of how it was read, or nothing.
    """
    cells = ([_cell(value) for value in row] for row in rows)
    where = (f"row {n}" for n in count(1)) if places is None else places
    names = [str(name) for name in header]
    return table_of(path, names, zip(where, cells, strict=False), remark)


def of_columns(path: Path, columns: Mapping[str, Sequence[object]], reading: Reading) -> Table:
    """Return the table of columns by name, which may differ in length.

    Raises:
        InvalidScores: There are scores alone, which may be those of runs or the points of one.
    """
    known = [
        role for role, names in ALIASES.items() if any(fold(name) in names for name in columns)
    ]
    if known == ["score"] and "score" not in reading.columns:
        raise InvalidScores(
            f"{path} holds {', '.join(columns)} alone: whether its numbers are runs or the points "
            f"of one run is not known; say --columns score={next(iter(columns))} if they are runs, "
            "or add steps"
        )
    shown = [["null" if value is None else value for value in of] for of in columns.values()]
    return table_of_values(path, list(columns), zip_longest(*shown, fillvalue=""))


def of_curve(
    path: Path, scores: Sequence[object], what: str, places: Sequence[str] | None = None
) -> Table:
    """Return the table of one run's scores that came without steps.

    Args:
        path: The file.
        scores: The run's scores, in their order.
        what: What they are in the file: ``one array``.
        places: Where each of them is.
    """
    remark = (
        f"{what} of {len(scores)} numbers is taken as the points of one run in their order, not as "
        "runs; the file has no steps, so step is the number of the point"
    )
    return table_of_values(path, ["step", "score"], enumerate(scores, 1), places, remark)


def of_objects(
    path: Path,
    objects: Sequence[Row],
    places: Sequence[str],
    reading: Reading,
    *,
    is_log: bool = False,
    remarks: Sequence[str] = (),
) -> Table:
    """Return the table of rows that are objects.

    Objects in them are columns named ``OUTER/INNER``. Lists of one length in a row are the points
    of its run, unless there is a column of scores.

    Args:
        path: The file.
        objects: Column to value.
        places: Where each row is.
        reading: What the user says of the table.
        is_log: Rows of a run before its first score are left out: they hold NaN, or nothing.
        remarks: What must be said of how they were read.

    Raises:
        InvalidScores: Lists in a row differ in length, or a log's score is NaN after others.
    """
    rows = [dict(_flat(row)) for row in objects]
    said = list(remarks)
    if any(isinstance(row.get(_SETTINGS), Mapping) for row in objects):
        said.append(f"left out: the settings in {_SETTINGS}")
    header = [name for name in _names(rows) if not _is_list(rows, name)]
    lists = [name for name in _names(rows) if name not in header]
    if lists and not _scores_among(header, reading):
        rows, places = _expanded(path, rows, places, [n for n in lists if "/" not in n])
        header = _names(rows)
        said.append("the lists of a row are the points of one run")
    elif lists:
        said.append(f"left out: {len(lists)} columns of lists")
    if is_log:
        header = [name for name in header if any(row.get(name) is not None for row in rows)]
        kept, more = _with_scores(path, header, rows, places, reading)
        rows, places = [rows[n] for n in kept], [places[n] for n in kept]
        said += more
    cells = ([row.get(name) for name in header] for row in rows)
    return table_of_values(path, header, cells, places, ". ".join(said))


def scored(
    path: Path, values: Sequence[float | None], places: Sequence[str], runs: Sequence[object]
) -> tuple[list[int], int]:
    """Return which rows of logs hold scores, and how many before the first one of their run do not.

    Args:
        path: The file.
        values: The score of each row; NaN where none could be computed, None where none was.
        places: Where each row is.
        runs: Whose row it is.

    Raises:
        InvalidScores: A score is NaN after others of its run: it diverged.
    """
    begun: set[object] = set()
    kept, early = [], 0
    for n, (value, run) in enumerate(zip(values, runs, strict=True)):
        if value is None:
            continue
        if not math.isnan(value):
            begun.add(run)
            kept.append(n)
        elif run in begun:
            raise InvalidScores(
                f"{path}, {places[n]}: the score is NaN or null after others of the run; {DIVERGED}"
            )
        else:
            early += 1
    return kept, early


def _cell(value: object) -> str:
    return "" if value is None else str(value).strip()


def _names(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _flat(row: Row, before: str = "", depth: int = 0) -> Iterable[tuple[str, Any]]:
    """Yield the values of an object and of the objects in it, by names joined with ``/``."""
    for name, value in row.items():
        if not isinstance(value, Mapping):
            yield before + name, value
        elif name != _SETTINGS and depth < _DEEPEST:
            yield from _flat(value, f"{before}{name}/", depth + 1)


def _is_list(rows: Sequence[Row], name: str) -> bool:
    return any(isinstance(row.get(name), list) for row in rows)


def _scores_among(header: Sequence[str], reading: Reading) -> bool:
    named = reading.columns.get("score")
    if named is not None:
        return fold(named) in map(fold, header)
    return any(fold(name) in ALIASES["score"] for name in header)


def _expanded(
    path: Path, rows: Sequence[Row], places: Sequence[str], lists: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each point of the lists in rows."""
    if len(lists) < 2:
        name = ", ".join(lists) or "objects in rows"
        raise InvalidScores(
            f"{path} has lists in the column {name}: whether they are runs, episodes or points of "
            "a run is not known; give a row a run, or a list of steps beside"
        )
    out: list[dict[str, Any]] = []
    where: list[str] = []
    has_seeds = any(fold(name) in ALIASES["seed"] for name in _names(rows))
    for n, (row, place) in enumerate(zip(rows, places, strict=True), 1):
        sizes = {len(row[name]) if isinstance(row.get(name), list) else -1 for name in lists}
        if len(sizes) != 1 or sizes == {-1}:
            raise InvalidScores(f"{path}, {place}: {' and '.join(lists)} differ in length")
        for points in zip(*(row[name] for name in lists), strict=True):
            run = {} if has_seeds else {"run": n}
            out.append({**run, **row, **dict(zip(lists, points, strict=True))})
            where.append(place)
    return out, where


def _with_scores(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Row],
    places: Sequence[str],
    reading: Reading,
) -> tuple[list[int], list[str]]:
    """Return the rows of a log that hold scores, and what was left out."""
    columns = [[_cell(row.get(name)) for row in rows] for name in header]
    known = roles_of(path, header, columns, reading).known
    if "score" not in known or reading.wide or reading.columns_are:
        return list(range(len(rows))), []
    score = header[known["score"]]
    values = [_number(row[score]) if score in row else None for row in rows]
    of_run = [known[role] for role in ("agent", "task", "seed") if role in known]
    runs: Sequence[object] = list(zip(*(columns[k] for k in of_run), strict=True))
    runs = runs or [()] * len(rows)
    kept, early = scored(path, values, places, runs)
    if not kept:
        raise InvalidScores(f"{path} has no scores: {score} is NaN or null in every row")
    said = [f"left out: {early} rows before the first {score}, where it is NaN"] if early else []
    if absent := len(rows) - len(kept) - early:
        said.append(f"left out: {absent} rows without {score}")
    return kept, said


def _number(value: object) -> float:
    """Return NaN for NaN and null, and any number for the rest, which is judged later."""
    is_nan = value is None or (isinstance(value, float) and math.isnan(value))
    return math.nan if is_nan else 0.0
