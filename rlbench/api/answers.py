"""Answers: rows, and what must be said of them, for programs, terminals and notebooks."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlbench.api.words import format_cell, printable

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """The rows of an answer, with its notes.

    Attributes:
        title: What the rows are.
        rows: Flat rows, all with the same names: those that the command prints with ``--json``.
        notes: What was assumed, and what a reader must know.
        sentences: What was found, in words.
        shown: The rows for people, if not `rows`.
    """

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    shown: tuple[Row, ...] = ()

    def to_frame(self) -> "pd.DataFrame":
        """Return the rows as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def __repr__(self) -> str:
        """Return a table under its title, and all that is said of it."""
        said = [printable(line) for line in (*self.sentences, *self.notes)]
        return "\n".join([printable(self.title), *text_table(self.shown or self.rows), *said])

    def _repr_html_(self) -> str:
        """Return the same for a notebook; nothing in it is taken for HTML."""
        said = "".join(f"<p>{html.escape(line)}</p>" for line in (*self.sentences, *self.notes))
        return f"<p>{html.escape(self.title)}</p>{html_table(self.shown or self.rows)}{said}"


def text_table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table; numbers stand on the right.

    >>> text_table([{"agent": "a", "IQM": 0.25}, {"agent": "bc", "IQM": None}])
    ['agent    IQM', 'a      0.250', 'bc         -']
    """
    if not rows:
        return []
    columns = [
        (_heading(name), [format_cell(row[name]) for row in rows], _are_numbers(name, rows))
        for name in rows[0]
    ]
    lines = [""] * (len(rows) + 1)
    for heading, cells, on_right in columns:
        width = max(map(len, (heading, *cells)))
        for n, cell in enumerate((heading, *cells)):
            padded = cell.rjust(width) if on_right else cell.ljust(width)
            lines[n] += f"  {padded}" if lines[n] else padded
    return [line.rstrip() for line in lines]


def html_table(rows: Sequence[Row]) -> str:
    """Return a table in HTML, with all text escaped."""
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(_heading(name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(format_cell(cell))}</td>" for cell in row.values())
        + "</tr>"
        for row in rows
    )  # fmt: skip
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _heading(name: str) -> str:
    return printable(name.replace("_", " "))


def _are_numbers(name: str, rows: Sequence[Row]) -> bool:
    return all(isinstance(row[name], int | float | None) for row in rows)
