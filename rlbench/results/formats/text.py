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
from rlbench.results.formats.building import of_curve, scored, table_of
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

Rows = list[tuple[str, list[str]]]  # where a row is, and its cells


def read_text(path: Path, reading: Reading) -> Table:
    """Read a table that is text, or a chart that was exported as one.

    Raises:
        InvalidScores: It cannot be read, has no rows, lines differ in their cells, or it has no
            names of columns.
    """
    text = text_of(path, MAX_TABLE_BYTES, "CSV")
    comments, start, skipped = _before_header(text)
    text = text[start:]
    separator = _separator(path, text)
    rows = _rows(path, text, separator, skipped)
    header, rows, remarks = _with_header(path, comments, rows, separator)
    if header is None:
        return of_curve(path, [row[0] for _, row in rows], "a column", [p for p, _ in rows])
    if separator != ",":
        said = "blanks" if separator == BLANKS else SEPARATORS[separator]
        remarks.append(f"cells are separated by {said}")
    for place, row in rows:
        if len(row) != len(header):
            raise InvalidScores(
                f"{path}, {place}: {len(row)} cells under {len(header)} names"
                f"{_other_separator(text, separator)}"
            )
    if reading.decimal == ",":
        rows = [(place, [_with_point(path, place, cell) for cell in row]) for place, row in rows]
    return _judged(path, header, rows, remarks, reading)


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


def _separator(path: Path, text: str) -> str:
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
    return BLANKS if _splits_evenly(text, BLANKS) else ","


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


def _rows(path: Path, text: str, separator: str, skipped: int) -> Rows:
    """Return the rows that are not empty, with their cells stripped."""
    if separator == BLANKS:
        lines = enumerate(text.splitlines(), skipped + 1)
        return [(f"line {n}", line.split()) for n, line in lines if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: Rows = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((f"line {skipped + reader.line_num}", cells))
    except csv.Error as error:
        raise InvalidScores(
            f"{path} is not CSV: line {skipped + reader.line_num}: {error}"
        ) from error
    return rows


def _with_header(
    path: Path, comments: Sequence[str], rows: Rows, separator: str
) -> tuple[list[str] | None, Rows, list[str]]:
    """Return the names of the columns, the rows below them, and what must be said.

    The names are None where the file is one column of numbers.
    """
    ignored = [f"ignored: {len(comments)} lines of comments"] if comments else []
    if not rows:
        raise InvalidScores(f"{path} has no rows below its header")
    (_, first), body = rows[0], rows[1:]
    if _are_numbers(first):
        above = comments[-1].split(None if separator == BLANKS else separator) if comments else []
        if len(above) == len(first) and not _are_numbers(above):
            return [name.strip() for name in above], rows, ["the comment above names the columns"]
        if len(first) == 1 and all(len(row) == 1 and _are_numbers(row) for _, row in body):
            _refuse_zero(path, first[0])
            return None, rows, ignored
        if not _are_counts(first):
            raise InvalidScores(
                f"{path}: its first line holds numbers, {', '.join(first[:3])}, and no names of "
                "columns: add a line of names above, e.g. step,score"
            )
    if first[:3] == _MONITOR and comments:
        raise InvalidScores(
            f"{path} is a monitor of Stable-Baselines3: give the folder of its run, or one above"
        )
    if not body:
        raise InvalidScores(f"{path} has no rows below its header")
    return first, body, ignored


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


def _with_point(path: Path, place: str, cell: str) -> str:
    """Return a cell with a decimal comma as one with a decimal point."""
    if _DECIMAL_POINT.fullmatch(cell):
        raise InvalidScores(
            f"{path}, {place}: {cell} has a decimal point, and --decimal says that commas are "
            "before decimals"
        )
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _judged(
    path: Path, header: list[str], rows: Rows, remarks: list[str], reading: Reading
) -> Table:
    """Return the table, with the rows of one run's log that have scores, or a chart's runs."""
    places, cells = [place for place, _ in rows], [row for _, row in rows]
    table = table_of(path, header, cells, places, ". ".join(remarks))
    chart = chart_of(table, reading)
    if chart is not None or len(set(header)) != len(header):
        return chart or table
    known = roles_of(path, header, cells, reading).known
    if not {"score", "step"} <= set(known) or {"agent", "task", "seed", "metric"} & set(known):
        return table
    score = header[known["score"]]
    values = [_score(row[known["score"]]) for row in cells]
    kept, early = scored(path, values, places, [""] * len(rows))
    if not kept or len(kept) == len(rows):
        return table
    if early:
        remarks.append(f"left out: {early} rows before the first {score}, where it is NaN")
    if absent := len(rows) - len(kept) - early:
        remarks.append(f"left out: {absent} rows without {score}")
    return table_of(
        path, header, [cells[n] for n in kept], [places[n] for n in kept], ". ".join(remarks)
    )


def _score(cell: str) -> float | None:
    """Return None for an empty cell, NaN for NaN, and any number for the rest."""
    return None if not cell else math.nan if cell.casefold() == "nan" else 0.0
