"""A figure with its data and its caption, and the files that it becomes.

PDF files embed their fonts as TrueType (Type 42); in SVG files text is paths, so that it looks the
same wherever it is opened. No file holds a date, so that the same numbers give the same bytes with
the same matplotlib.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlbench import __version__
from rlbench.errors import StoreError, UnknownName
from rlbench.files import replace_file
from rlbench.leaderboard.drawing import DPI, missing_glyphs, style
from rlbench.results import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, str | float | int | None]
Format = Literal["pdf", "svg", "png"]

FORMATS = ("pdf", "svg", "png")
UNDATED: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": "rlbench", "Producer": "matplotlib"},
    "svg": {"Date": None, "Creator": "rlbench"},
    "png": {"Software": "rlbench"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure with what is in it.

    Attributes:
        kind: ``intervals``, ``profiles``, ``curves``, ``improvement``, ``ranks``, ``teaching``,
            ``levels``, ``stopping`` or ``ablation``.
        figure: The figure of matplotlib, to be changed at will before it is saved.
        rows: The numbers in it, all rows with the same names.
        caption: What it shows, of how many runs and tasks, and how it was computed; plain text.
        notes: What is wrong with the drawing: characters that the font has not.
    """

    kind: str
    figure: "Figure"
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...] = ()

    def to_bytes(self, format: Format) -> bytes:
        """Return the figure as a file's content: ``pdf``, ``svg``, or ``png`` with 300 dpi.

        Raises:
            UnknownName: There is no such format.
        """
        if format not in FORMATS:
            raise UnknownName("format", format, FORMATS)
        buffer = io.BytesIO()
        with style():
            self.figure.savefig(buffer, format=format, dpi=DPI, metadata=UNDATED[format])
        return buffer.getvalue()

    def to_csv(self) -> str:
        """Return the rows as CSV; text that a spreadsheet would take for a formula is quoted."""
        buffer = io.StringIO()
        write_csv(self.rows, buffer, list(self.rows[0]))
        return buffer.getvalue()

    def save(self, folder: Path | str, formats: Sequence[Format] = ("pdf",)) -> list[Path]:
        """Write the figure, its data (``.csv``) and its caption (``.txt``), named by its kind.

        Args:
            folder: Where to; it is made. Files of the same names are replaced.
            formats: Of the figure.

        Returns:
            The files.

        Raises:
            StoreError: A file cannot be written; no file is ever there in part.
            UnknownName: There is no such format.
        """
        contents: dict[str, bytes] = {form: self.to_bytes(form) for form in formats}
        contents["csv"] = self.to_csv().encode("utf-8", "backslashreplace")
        contents["txt"] = f"{self.caption}\n".encode()
        paths = []
        for suffix, content in contents.items():
            path = Path(folder) / f"{self.kind}.{suffix}"
            _write(path, content)
            paths.append(path)
        return paths


def plot_of(
    kind: str, figure: "Figure", agents: Mapping[str, Any], rows: Sequence[Row],
    sentences: Sequence[str],
) -> Plot:  # fmt: skip
    """Return a plot whose caption is these sentences and which version drew it."""
    caption = " ".join([*sentences, f"Computed with rlbench {__version__}."])
    missing = missing_glyphs("".join(agents))
    notes = (f"the figures' font has no {missing}: boxes stand for it",) if missing else ()
    return Plot(kind=kind, figure=figure, rows=tuple(rows), caption=caption, notes=notes)


def _write(path: Path, content: bytes) -> None:
    """Write a file: it has its name once it is complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
