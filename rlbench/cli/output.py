"""How verbs print data: a table for people, JSON rows for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer


def print_json(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of flat rows as JSON."""
    typer.echo(json.dumps(list(rows), indent=1, allow_nan=False))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> None:
    """Print rows as a table under a title; numbers stand on the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for column in columns:
        numbers = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(format_cell(row[column])) for column in columns))
    console = Console(width=None if _is_terminal() else 160, highlight=False)
    if title:
        console.print(Text(title))
    console.print(table)


def format_cell(value: object) -> str:
    """Return the text of a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
    return str(value)


def duration(seconds: float) -> str:
    """Return a duration for people, e.g. ``41 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    whole = round(seconds)
    for size, name, small_size, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // small_size} {small_name}"
    return f"{whole} s"


def _is_terminal() -> bool:
    from rich.console import Console

    return Console().is_terminal
