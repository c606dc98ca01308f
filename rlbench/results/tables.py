"""Tables as they stand in a file: the cells of each column, and where each row is."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.limits import DIVERGED, MAX_VALUE, advice, allowed

MAX_TABLE_BYTES = 1_000_000_000
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
SPREAD = re.compile(r"\d\s*(±|\+/?-)\s*\d")  # of a mean, in a cell

_CHUNK = 300  # rows that are taken apart at once: few live objects, little garbage collection
_MOST_KEPT = 50_000  # different cells of a column that are kept to be shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it stands in a file.

    Attributes:
        path: The file.
        header: The columns' names.
        columns: The cells of each column, without blanks around them; each as long as `places`.
        places: Where each row is: ``line 3``.
        remark: What must be said of how it was read, or nothing.
    """

    path: Path
    header: list[str]
    columns: list[list[str]]
    places: list[str]
    remark: str = ""

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.places)

    def take(self, rows: Sequence[int]) -> "Table":
        """Return a table of some rows."""
        columns = [[cells[n] for n in rows] for cells in self.columns]
        return replace(self, columns=columns, places=[self.places[n] for n in rows])


def table_of(
    path: Path,
    header: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
    remark: str = "",
    hint: Callable[[], str] = str,
) -> Table:
    """Return a table of rows; empty ones are left out.

    Args:
        path: The file.
        header: The columns' names.
        rows: Where each row is, and its cells.
        remark: What must be said of how it was read, or nothing.
        hint: Returns what is said of a row with more or fewer cells than there are names.

    Raises:
        InvalidScores: There is such a row, or there are no rows.
    """
    columns: list[list[str]] = [[] for _ in header]
    shared: list[dict[str, str]] = [{} for _ in header]
    places: list[str] = []
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        filled = [(place, row) for place, row in chunk if any(map(str.strip, row))]
        for place, row in filled:
            if len(row) != len(header):
                raise InvalidScores(
                    f"{path}, {place}: {len(row)} cells under {len(header)} names{hint()}"
                )
        places += [place for place, _ in filled]
        by_column = zip(*(row for _, row in filled), strict=True)
        for cells, kept, column in zip(by_column, shared, columns, strict=False):
            bare = list(map(str.strip, cells))
            column.extend(map(kept.setdefault, bare, bare))
            if len(kept) > _MOST_KEPT:
                kept.clear()
    if not places:
        raise InvalidScores(f"{path} has no rows below its header")
    names = [" ".join(name.split()) for name in header]
    return Table(path=path, header=names, columns=columns, places=places, remark=remark)


def column_of(table: Table, name: str) -> int:
    """Return the place of a column.

    Raises:
        InvalidScores: There is none of that name.
    """
    if name not in table.header:
        raise InvalidScores(f"{table.path} has no column {name!r}: {', '.join(table.header)}")
    return table.header.index(name)


def numbers_in(table: Table, column: int, rows: Sequence[int] | None = None) -> NDArray[np.float64]:
    """Return the numbers in a column.

    Args:
        table: The table.
        column: The place of the column.
        rows: The rows whose cells are taken; by default all.

    Returns:
        The numbers, (rows,).

    Raises:
        InvalidScores: A cell is no number, not finite, or beyond 1e15 in magnitude.
    """
    cells = table.columns[column]
    cells = cells if rows is None else [cells[n] for n in rows]
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
        is_good = bool(allowed(values).all())
    except ValueError:
        is_good = False
    if not is_good:
        for n, cell in zip(rows or range(table.size), cells, strict=True):
            number_of(table.path, table.places[n], cell)
    return values


def number_of(path: Path, place: str, text: str) -> float:
    """Return the number that a cell holds.

    Raises:
        InvalidScores: It is none, not finite, or beyond 1e15 in magnitude.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if np.isnan(value) and SPREAD.search(text):
        raise InvalidScores(f"{path}, {place}: {text!r} is a mean without its runs")
    if not np.isfinite(value):
        raise InvalidScores(f"{path}, {place}: {text!r} is not a finite number{_hint(text)}")
    if abs(value) > MAX_VALUE:
        raise InvalidScores(f"{path}, {place}: {text}: {advice(value)}")
    return value


def _hint(text: str) -> str:
    """Return what helps with a cell that is not a finite number, or nothing."""
    if text.casefold().lstrip("+-") in ("nan", "inf", "infinity", "null"):
        return f"; {DIVERGED}"
    if text.casefold() in ("true", "false"):
        return "; write 1 for true and 0 for false"
    if DECIMAL_COMMA.fullmatch(text):
        return "; if its comma is a decimal comma, say --decimal ,"
    return ""


def place_of(seed: str) -> tuple[bool, int, str]:
    """Return where a seed stands among others: numbers by their size, before other texts."""
    number = seed.isascii() and seed.isdigit()
    digits = seed.lstrip("0")
    return (not number, len(digits) if number else 0, digits if number else seed)


def some(names: Sequence[str]) -> str:
    """Return three names, and how many more there are.

    >>> some(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
