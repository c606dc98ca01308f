"""Tables as text: CSV, TSV, and columns separated by blanks, as numpy writes them.

Cells are separated by what the header has: commas, else semicolons, tabs or ``|``, else blanks if
all lines then have as many cells. Lines before the header that begin with ``#`` are comments; if
numbers follow, the last comment is the header.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from rlbench.errors import InvalidScores
from rlbench.results.formats.building import of_curve, scored
from rlbench.results.formats.charts import chart_of
from rlbench.results.formats.content import suffix_of, text_of
from rlbench.results.reading import Reading, roles_of
from rlbench.results.tables import DECIMAL_COMMA, MAX_TABLE_BYTES, Table, table_of

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|"}
BLANKS = " "
_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|$)")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_MONITOR = ["r", "l", "t"]  # the first columns of Stable-Baselines3's monitor.csv
_SEP = re.compile(r'"?sep=.?"?')  # what Excel writes above the header
_Row = tuple[str, list[str]]  # where a line is, and its cells
_LOOKED_AT = 1000  # lines that are split to see whether a separator fits


def read_text(path: Path, reading: Reading) -> Table:
    """Read a table that is text, or a chart that was exported as one.

    Raises:
        InvalidScores: It cannot be read, has no rows, lines differ in their cells, or it has no
            names of columns.
    """
    return _judged(read_cells(path, reading), reading)


def read_cells(path: Path, reading: Reading) -> Table:
    """Read a table that is text as it stands there, as `read_text` does; a chart stays one."""
    text = text_of(path, MAX_TABLE_BYTES, "CSV")
    comments, start, skipped = _before_header(text)
    text = text[start:]
    separator = _separator(path, text, reading.decimal)
    rows = _rows(path, text, separator, skipped)
    first = next(rows, None)
    if first is None:
        raise InvalidScores(f"{path} has no rows below its header")
    if len(first[1]) == 1:
        rest = list(rows)
        if _is_column([first, *rest]) and not _names_above(comments, first[1], separator):
            _refuse_zero(path, first[1][0])
            places, numbers = zip(*((place, row[0]) for place, row in (first, *rest)), strict=True)
            return of_curve(path, numbers, "a column", places)
        rows = iter(rest)
    header, remarks = _header(path, comments, first[1], separator)
    if header is not first[1]:
        rows = chain([first], rows)
    if separator != "," and len(header) > 1:
        said = "blanks" if separator == BLANKS else SEPARATORS[separator]
        remarks.append(f"cells are separated by {said}")
    remark = ". ".join(remarks)
    table = table_of(path, header, rows, remark, lambda: _other_separator(text, separator))
    return _with_points(table) if reading.decimal == "," else table


def _before_header(text: str) -> tuple[list[str], int, int]:
    """Return the comments above the header, where it begins, and how many lines are above."""
    comments, at, count = [], 0, 0
    while at < len(text):
        match = _LINE.match(text, at)
        line = match[0].strip() if match else ""
        if line and not line.startswith("#") and not _SEP.fullmatch(line):
            break
        if line.startswith("#") and (comment := line.lstrip("#").strip()):
            comments.append(comment)
        at = match.end() if match else len(text)
        count += 1
    return comments, at, count


def _separator(path: Path, text: str, decimal: str) -> str:
    """Return what separates cells.

    Raises:
        InvalidScores: Lines split evenly at commas, and at something else as well.
    """
    match = _LINE.match(text)
    header = match[0].strip("\r\n") if match else ""
    if suffix_of(path) == ".tsv" and "\t" in header:
        return "\t"
    found = [other for other in SEPARATORS if other in header]
    if "," in found:
        also = [other for other in found[1:] if _splits_evenly(text, other)]
        if also and _splits_evenly(text, ","):
            raise InvalidScores(
                f"{path}: its lines split evenly at commas and at {SEPARATORS[also[0]]}: save it "
                "with one separator, and quotes around cells that hold the other"
            )
        return ","
    if found:
        return found[0]
    if _splits_evenly(text, BLANKS):
        return BLANKS
    return ";" if decimal == "," else ","  # neither is there


def _splits_evenly(text: str, separator: str) -> bool:
    """Say whether all lines have as many cells, more than one."""
    sizes: set[int] = set()
    at, looked_at = 0, 0
    while at < len(text) and looked_at < _LOOKED_AT and len(sizes) < 2:
        match = _LINE.match(text, at)
        line = match[0].strip("\r\n") if match else ""
        if line.strip():
            cells = line.split() if separator == BLANKS else line.split(separator)
            sizes.add(len(cells))
        at = match.end() if match else len(text)
        looked_at += 1
    return len(sizes) == 1 and sizes != {1}


def _rows(path: Path, text: str, separator: str, skipped: int) -> Iterator[_Row]:
    """Yield where each line is that is not empty, and its cells."""
    if separator == BLANKS:
        for n, line in enumerate(text.splitlines(), skipped + 1):
            if cells := line.split():
                yield f"line {n}", cells
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield f"line {skipped + reader.line_num}", row
    except csv.Error as error:
        raise InvalidScores(
            f"{path} is not CSV: line {skipped + reader.line_num}: {error}"
        ) from error


def _is_column(rows: Sequence[_Row]) -> bool:
    """Say whether lines are one column of numbers."""
    return all(len(row) == 1 and _are_numbers(row) for _, row in rows)


def _names_above(comments: Sequence[str], first: Sequence[str], separator: str) -> list[str]:
    """Return the names of columns in the comment above numbers, if it holds some."""
    if not comments or not _are_numbers(first):
        return []
    above = [
        name.strip() for name in comments[-1].split(None if separator == BLANKS else separator)
    ]
    return above if len(above) == len(first) and not _are_numbers(above) else []


def _header(
    path: Path, comments: Sequence[str], first: list[str], separator: str
) -> tuple[list[str], list[str]]:
    """Return the names of the columns, the first row or in the comment above it, and a word on it.

    Raises:
        InvalidScores: There are no names.
    """
    ignored = [f"ignored: {len(comments)} lines of comments"] if comments else []
    if above := _names_above(comments, first, separator):
        return above, ["the comment above names the columns"]
    if _are_numbers(first) and not _are_counts(first):
        raise InvalidScores(
            f"{path}: its first line holds numbers, {', '.join(first[:3])}, and no names of "
            "columns: add a line of names above, e.g. step,score"
        )
    if [cell.strip() for cell in first[:3]] == _MONITOR and comments:
        raise InvalidScores(
            f"{path} is a monitor of Stable-Baselines3: give the folder of its run, or one above"
        )
    return first, ignored


def _refuse_zero(path: Path, first: str) -> None:
    """Refuse one column of numbers below a 0, which pandas writes above columns without names."""
    if first.strip() == "0":
        raise InvalidScores(
            f"{path}: its first line, 0, may be a score, or the name that pandas gives a column: "
            "write a name above, e.g. score"
        )


def _are_numbers(cells: Sequence[str]) -> bool:
    try:
        for cell in cells:
            float(cell)
    except ValueError:
        return False
    return True


def _are_counts(cells: Sequence[str]) -> bool:
    """Say whether cells are 0, 1, 2 ..., as pandas calls columns without names."""
    bare = [cell.strip() for cell in cells]
    return any(bare == [str(n + k) for n in range(len(bare))] for k in (0, 1))


def _other_separator(text: str, separator: str) -> str:
    """Return which other separator would split all lines evenly, or nothing."""
    others = [other for other in (*SEPARATORS, BLANKS) if other != separator]
    fits = [other for other in others if _splits_evenly(text, other)]
    if not fits:
        return ""
    said = "blanks" if fits[0] == BLANKS else SEPARATORS[fits[0]]
    return f"; its lines split evenly at {said}: is that what separates them?"


def _with_points(table: Table) -> Table:
    """Return a table whose decimal commas are points."""
    columns = []
    for cells in table.columns:
        for place, cell in zip(table.places, cells, strict=True):
            if _DECIMAL_POINT.fullmatch(cell):
                raise InvalidScores(
                    f"{table.path}, {place}: {cell} has a decimal point, and --decimal says that "
                    "commas are before decimals"
                )
        columns.append([c.replace(",", ".") if DECIMAL_COMMA.fullmatch(c) else c for c in cells])
    return replace(table, columns=columns)


def _judged(table: Table, reading: Reading) -> Table:
    """Return the table, with the rows of a log that have scores, or the runs of a chart."""
    header = table.header
    chart = chart_of(table, reading)
    if chart is not None or len(set(header)) != len(header):
        return chart or table
    known = roles_of(table.path, header, table.columns, reading).known
    if not {"score", "step"} <= set(known) or {"agent", "task", "metric"} & set(known):
        return table
    score = header[known["score"]]
    values = [_score(cell) for cell in table.columns[known["score"]]]
    runs = table.columns[known["seed"]] if "seed" in known else [""] * table.size
    kept, early = scored(table.path, values, table.places, runs)
    if not kept or len(kept) == table.size:
        return table
    remarks = [table.remark] if table.remark else []
    if early:
        remarks.append(f"left out: {early} rows before the first {score}, where it is NaN")
    if absent := table.size - len(kept) - early:
        remarks.append(f"left out: {absent} rows without {score}")
    return replace(table.take(kept), remark=". ".join(remarks))


def _score(cell: str) -> float | None:
    """Return None for an empty cell, NaN for NaN, and any number for the rest."""
    return None if not cell else math.nan if cell.casefold() == "nan" else 0.0
