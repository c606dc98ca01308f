"""Tables as they stand in a file: the cells of each column, and where each row is."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.files import read_bounded
from rlbench.limits import MAX_VALUE, advice, allowed

MAX_TABLE_BYTES = 1_000_000_000
SEPARATORS = {";": "semicolons", "\t": "tabs"}  # besides commas
SPREAD = re.compile(r"\d\s*(±|\+/?-)\s*\d")  # of a mean, in a cell

_CHUNK = 300  # rows that are taken apart at once: few live objects, little garbage collection
_MOST_KEPT = 50_000  # different cells of a column that are kept to be shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it stands in a file.

    Attributes:
        path: The file.
        header: The columns' names.
        columns: The cells of each column, without blanks around them; each as long as `numbers`.
        numbers: The number of each row in the file, (rows,) int64.
        unit: What these numbers count: ``line`` or ``row``.
        remark: What must be said of how it was read, or nothing.
    """

    path: Path
    header: list[str]
    columns: list[list[str]]
    numbers: NDArray[np.int64]
    unit: str = "row"
    remark: str = ""

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.numbers)

    def place(self, row: int) -> str:
        """Return where a row is: ``line 3``."""
        return f"{self.unit} {self.numbers[row]}"

    def take(self, rows: Sequence[int]) -> "Table":
        """Return a table of some rows."""
        columns = [[cells[n] for n in rows] for cells in self.columns]
        return replace(self, columns=columns, numbers=self.numbers[list(rows)])


def table_of(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    unit: str = "row",
    first: int = 1,
    remark: str = "",
) -> Table:
    """Return a table of rows; empty ones are left out.

    Args:
        path: The file.
        header: The columns' names.
        rows: The cells of each row.
        unit: What rows are counted in: ``line`` or ``row``.
        first: The number of the first row.
        remark: What must be said of how it was read.

    Raises:
        InvalidScores: A row has more or fewer cells than there are names, or there are no rows.
    """
    columns: list[list[str]] = [[] for _ in header]
    shared: list[dict[str, str]] = [{} for _ in header]
    numbers = []
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        filled = [n for n, row in enumerate(chunk) if any(map(str.strip, row))]
        for n in filled:
            if len(chunk[n]) != len(header):
                raise InvalidScores(
                    f"{path}, {unit} {first + n}: {len(chunk[n])} cells under {len(header)} names"
                )
        numbers.append(first + np.array(filled, np.int64))
        first += len(chunk)
        by_column = zip(*(chunk[n] for n in filled), strict=True)
        for cells, kept, column in zip(by_column, shared, columns, strict=False):
            bare = list(map(str.strip, cells))
            column.extend(map(kept.setdefault, bare, bare))
            if len(kept) > _MOST_KEPT:
                kept.clear()
    if not numbers or not sum(map(len, numbers)):
        raise InvalidScores(f"{path} has no rows below its header")
    return Table(
        path=path,
        header=[name.strip() for name in header],
        columns=columns,
        numbers=np.concatenate(numbers),
        unit=unit,
        remark=remark,
    )


def read_csv(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        InvalidScores: It cannot be read, is not CSV, or has no rows.
    """
    try:
        content = read_bounded(path, MAX_TABLE_BYTES)
        separator = _separator(content.partition(b"\n")[0].decode("utf-8-sig"))
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
        rows = csv.reader(text, delimiter=separator, strict=True)
        header = next(rows, [])
        remark = "" if separator == "," else f"cells are separated by {SEPARATORS[separator]}"
        return table_of(path, header, rows, unit="line", first=2, remark=remark)
    except OSError as error:
        raise InvalidScores(f"cannot read {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidScores(f"{path} is not CSV: {error}") from error


def _separator(header: str) -> str:
    """Return what separates cells: a comma, unless the header has none and another of them."""
    others = [other for other in SEPARATORS if other in header]
    return others[0] if others and "," not in header else ","


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
            number_of(table.path, table.place(n), cell)
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
        raise InvalidScores(
            f"{path}, {place}: {text!r} is not a finite number; leave a run without score out"
        )
    if abs(value) > MAX_VALUE:
        raise InvalidScores(f"{path}, {place}: {text}: {advice(value)}")
    return value


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
