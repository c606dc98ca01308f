"""Tables as text: CSV, TSV, and columns separated by blanks, as numpy writes them.

Cells are separated by what the header has: commas, else semicolons, tabs or ``|``, else blanks if
all lines then have as many cells. Lines before the header that begin with ``#`` are comments; if
numbers follow, the last comment is the header.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

from rlbench.errors import InvalidScores
from rlbench.results.formats.building import of_cells, of_curve, scored
from rlbench.results.formats.charts import chart_of
from rlbench.results.formats.content import suffix_of, text_of
from rlbench.results.reading import Reading, roles_of
from rlbench.results.tables import MAX_TABLE_BYTES, Table

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|"}
BLANKS = " "
_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|$)")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_MONITOR = ["r", "l", "t"]  # the first columns of Stable-Baselines3's monitor.csv
_SEP = re.compile(r'"?sep=.?"?')  # what Excel writes above the header
_LOOKED_AT = 1000  # lines that are split to see whether a separator fits


def read_text(path: Path, reading: Reading) -> Table:
    """Read a table that is text, or a chart that was exported as one.

    Raises:
        InvalidScores: It cannot be read, has no rows, lines differ in their cells, or it has no
            names of columns.
    """
    text = text_of(path, MAX_TABLE_BYTES, "CSV")
    comments, start, skipped = _before_header(text)
    text = text[start:]
    separator = _separator(path, text, reading.decimal)
    rows, lines = _rows(path, text, separator, skipped)
    header, remarks = _header(path, comments, rows, separator)
    if header is None:
        return of_curve(path, [row[0] for row in rows], "a column", _places(lines))
    if header is rows[0]:
        del rows[0], lines[0]
    if separator != "," and len(header) > 1:
        said = "blanks" if separator == BLANKS else SEPARATORS[separator]
        remarks.append(f"cells are separated by {said}")
    for n, row in enumerate(rows):
        if len(row) != len(header):
            raise InvalidScores(
                f"{path}, line {lines[n]}: {len(row)} cells under {len(header)} names"
                f"{_other_separator(text, separator)}"
            )
    if reading.decimal == ",":
        rows = [[_with_point(path, lines[n], cell) for cell in row] for n, row in enumerate(rows)]
    return _judged(path, header, rows, _places(lines), remarks, reading)


def _places(lines: Sequence[int]) -> list[str]:
    return [f"line {n}" for n in lines]


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


def _rows(path: Path, text: str, separator: str, skipped: int) -> tuple[list[list[str]], list[int]]:
    """Return the stripped cells of the lines that are not empty, and which lines these are."""
    rows: list[list[str]] = []
    lines: list[int] = []
    if separator == BLANKS:
        for n, line in enumerate(text.splitlines(), skipped + 1):
            if cells := line.split():
                rows.append(cells)
                lines.append(n)
        return rows, lines
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append(cells)
                lines.append(skipped + reader.line_num)
    except csv.Error as error:
        raise InvalidScores(
            f"{path} is not CSV: line {skipped + reader.line_num}: {error}"
        ) from error
    return rows, lines


def _header(
    path: Path, comments: Sequence[str], rows: Sequence[list[str]], separator: str
) -> tuple[list[str] | None, list[str]]:
    """Return the names of the columns, and what must be said of them.

    The names are the first row, or in the comment above it, or None where the file is one column of
    numbers.
    """
    ignored = [f"ignored: {len(comments)} lines of comments"] if comments else []
    if not rows:
        raise InvalidScores(f"{path} has no rows below its header")
    first = rows[0]
    if _are_numbers(first):
        above = comments[-1].split(None if separator == BLANKS else separator) if comments else []
        if len(above) == len(first) and not _are_numbers(above):
            return [name.strip() for name in above], ["the comment above names the columns"]
        if len(first) == 1 and all(len(row) == 1 and _are_numbers(row) for row in rows):
            _refuse_zero(path, first[0])
            return None, ignored
        if not _are_counts(first):
            raise InvalidScores(
                f"{path}: its first line holds numbers, {', '.join(first[:3])}, and no names of "
                "columns: add a line of names above, e.g. step,score"
            )
    if first[:3] == _MONITOR and comments:
        raise InvalidScores(
            f"{path} is a monitor of Stable-Baselines3: give the folder of its run, or one above"
        )
    if len(rows) == 1:
        raise InvalidScores(f"{path} has no rows below its header")
    return first, ignored


def _refuse_zero(path: Path, first: str) -> None:
    """Refuse one column of numbers below a 0, which pandas writes above columns without names."""
    if first == "0":
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
    return any(list(cells) == [str(n + k) for n in range(len(cells))] for k in (0, 1))


def _other_separator(text: str, separator: str) -> str:
    """Return which other separator would split all lines evenly, or nothing."""
    others = [other for other in (*SEPARATORS, BLANKS) if other != separator]
    fits = [other for other in others if _splits_evenly(text, other)]
    if not fits:
        return ""
    said = "blanks" if fits[0] == BLANKS else SEPARATORS[fits[0]]
    return f"; its lines split evenly at {said}: is that what separates them?"


def _with_point(path: Path, line: int, cell: str) -> str:
    """Return a cell with a decimal comma as one with a decimal point."""
    if _DECIMAL_POINT.fullmatch(cell):
        raise InvalidScores(
            f"{path}, line {line}: {cell} has a decimal point, and --decimal says that commas are "
            "before decimals"
        )
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _judged(
    path: Path,
    header: list[str],
    rows: list[list[str]],
    places: list[str],
    remarks: list[str],
    reading: Reading,
) -> Table:
    """Return the table, with the rows of a log that have scores, or the runs of a chart."""
    table = of_cells(path, header, rows, places, ". ".join(remarks))
    chart = chart_of(table, reading)
    if chart is not None or len(set(header)) != len(header):
        return chart or table
    known = roles_of(path, header, rows, reading).known
    if not {"score", "step"} <= set(known) or {"agent", "task", "metric"} & set(known):
        return table
    score = header[known["score"]]
    values = [_score(row[known["score"]]) for row in rows]
    runs = [row[known["seed"]] if "seed" in known else "" for row in rows]
    kept, early = scored(path, values, places, runs)
    if not kept or len(kept) == len(rows):
        return table
    if early:
        remarks.append(f"left out: {early} rows before the first {score}, where it is NaN")
    if absent := len(rows) - len(kept) - early:
        remarks.append(f"left out: {absent} rows without {score}")
    kept_rows, kept_places = [rows[n] for n in kept], [places[n] for n in kept]
    return of_cells(path, header, kept_rows, kept_places, ". ".join(remarks))


def _score(cell: str) -> float | None:
    """Return None for an empty cell, NaN for NaN, and any number for the rest."""
    return None if not cell else math.nan if cell.casefold() == "nan" else 0.0
