"""How verbs print: lines and tables for people, JSON rows for programs.

All that the command prints goes through this module. Names, options, paths and messages come from
records, claims and files that anybody may have written: nothing in them reaches a terminal that it
would obey.
"""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlbench.api.words import format_cell, printable

if TYPE_CHECKING:
    from rich.table import Table

EXIT_UNDECIDED = 3  # of a comparison that needs more runs
WRAPPED = 24  # characters: text that is longer may be wrapped in a table


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a line, with all that a terminal would obey escaped, line breaks too.

    Args:
        text: The line.
        err: Print it on standard error.
    """
    print(printable(text), file=sys.stderr if err else sys.stdout, flush=True)


def tell_in_place(text: str, *, done: bool) -> None:
    """Print a line on standard error over the one before; the last line stays."""
    print(f"\r{printable(text)}", end="\n" if done else "", file=sys.stderr, flush=True)


def echo_lines(text: str) -> None:
    """Print text of several lines, each as `echo` does."""
    for line in text.split("\n"):
        echo(line)


def use_any_encoding() -> None:
    """Have the terminal's encoding never be a reason to fail: what it lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of flat rows as JSON, in ASCII."""
    print(json.dumps(list(rows), indent=1, allow_nan=False), flush=True)


def print_data(text: str) -> None:
    """Print what is meant for a file, as it is unless a terminal would obey it."""
    if sys.stdout.isatty():
        text = "".join(f"{printable(line)}\n" for line in text.splitlines())
    print(text, end="", flush=True)


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> None:
    """Print rows as a table under a title; numbers stand on the right, and nothing is cut.

    Where the terminal is too narrow, long text is wrapped. Columns that do not fit even so follow
    in a second table, which begins with the first column again.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if _is_terminal() else 160, highlight=False)
    if title:
        console.print(Text(printable(title)))
    # The first column says what a row is: it is not wrapped while there is room for another.
    first = min(_width(columns[0], rows), console.width // 2)
    room = console.width - first - 5
    widths = {c: min(_least_width(c, rows), room) for c in columns} | {columns[0]: first}
    is_narrow = 1 + sum(width + 3 for width in widths.values()) > console.width
    for block in _blocks(widths, console.width):
        console.print(_table(rows, {column: widths[column] for column in block}, not is_narrow))


def _table(rows: Sequence[Mapping[str, Any]], widths: Mapping[str, int], roomy: bool) -> "Table":
    """Return a table whose columns are at least as wide as said."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1) if roomy else (0, 1, 0, 0))
    for column, width in widths.items():
        numbers = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(
            Text(_heading(column)), justify="right" if numbers else "left", overflow="fold",
            min_width=width,
        )  # fmt: skip
    for row in rows:
        table.add_row(*(Text(format_cell(row[column])) for column in widths))
    return table


def _heading(column: str) -> str:
    return printable(column.replace("_", " "))


def _width(column: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how wide a column is if nothing in it is wrapped."""
    from rich.cells import cell_len

    return max(cell_len(text) for text in (_heading(column), *_texts(column, rows)))


def _least_width(column: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how wide a column must be: text of several words may be wrapped."""
    width = _width(column, rows)
    return min(width, WRAPPED) if any(" " in text for text in _texts(column, rows)) else width


def _texts(column: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [format_cell(row[column]) for row in rows]


def _blocks(widths: Mapping[str, int], most: int) -> list[list[str]]:
    """Return the columns in blocks that fit a width; each begins with the first column.

    >>> _blocks({"agent": 10, "IQM": 20, "mean": 20}, 45)
    [['agent', 'IQM'], ['agent', 'mean']]
    """
    first, *others = widths
    blocks = [[first]]
    for column in others:
        # Each column has a space on its right and a border, and there is one on the left.
        taken = 1 + sum(widths[name] + 2 for name in (*blocks[-1], column))
        if taken > most and len(blocks[-1]) > 1:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _is_terminal() -> bool:
    from rich.console import Console

    return Console().is_terminal
