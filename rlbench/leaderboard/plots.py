"""A figure with its data and its caption, and the files that it becomes.

PDF files embed their fonts as TrueType (Type 42); in SVG files text is paths, so that it looks the
same wherever it is opened. No file holds a date, so that the same numbers give the same bytes with
the same matplotlib.
"""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlbench import __version__
from rlbench.errors import InvalidScores, StoreError, UnknownName
from rlbench.files import replace_file
from rlbench.leaderboard.captions import number_of, one_line, short_names
from rlbench.leaderboard.drawing import DPI, inches_of, missing_glyphs, style
from rlbench.results import write_csv
from rlbench.stats.aggregates import AGGREGATES, ScoresLike, columns
from rlbench.stats.intervals import point_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
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
        kind: One of those in `docs/figures.md`, e.g. ``intervals``; files are named by it.
        figure: The figure of matplotlib, to be changed at will before it is saved.
        rows: The numbers in it, all rows with the same names.
        caption: What it shows, of how many runs and tasks, and how it was computed; plain text.
        width: That it was drawn for: a name of `WIDTHS`, or inches.
        notes: What is wrong with the drawing: characters that the font has not.
    """

    kind: str
    figure: "Figure"
    rows: tuple[Row, ...]
    caption: str
    width: str | float
    notes: tuple[str, ...] = ()

    def to_bytes(self, format: Format) -> bytes:
        """Return the figure as a file's content: ``pdf``, ``svg``, or ``png`` with 300 dpi.

        Raises:
            UnknownName: There is no such format.
        """
        if format not in FORMATS:
            raise UnknownName("format", format, FORMATS)
        buffer = io.BytesIO()
        with style(self.width):
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
    kind: str, figure: "Figure", agents: Collection[str], rows: Sequence[Row],
    sentences: Sequence[str], width: str | float,
) -> Plot:  # fmt: skip
    """Return a plot whose caption is these sentences and which version drew it."""
    said = [*sentences]
    if short_names(list(agents), inches_of(width)) != [one_line(agent) for agent in agents]:
        said.append("Long names are cut; the data has them in full.")
    caption = " ".join([*said, f"Computed with rlbench {__version__}."])
    missing = missing_glyphs("".join(agents), width)
    notes = (f"the figures' font has no {missing}: boxes stand for it",) if missing else ()
    with style(width):
        # Whoever saves the figure without this style finds its ticks made. The layout stays: laid
        # out again at another resolution it would differ in the last digits.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return Plot(
        kind=kind, figure=figure, rows=tuple(rows), caption=caption, width=width, notes=notes
    )


def agents_of(scores: Mapping[str, ScoresLike], least: int = 1) -> dict[str, list[Floats]]:
    """Return one array (runs,) a task by agent.

    Raises:
        InvalidScores: There are fewer agents than the least number, or scores are bad.
    """
    agents = {agent: columns(values, f"scores of {agent!r}") for agent, values in scores.items()}
    if len(agents) < least:
        found = f"there is only {next(iter(agents))!r}" if agents else "there is none"
        raise InvalidScores(f"at least {number_of(least, 'agent')} must be given: {found}")
    return agents


def best_first(agents: Mapping[str, list[Floats]], statistic: str = "iqm") -> list[str]:
    """Return the agents by a statistic, the best first; in the order given where it is the same."""
    sign = 1 if AGGREGATES[statistic].lower_is_better else -1
    return sorted(agents, key=lambda agent: sign * float(point_of(agents[agent], statistic)))


def least_runs(*agents: Sequence[Floats]) -> int:
    """Return the smallest number of runs that agents have of a task."""
    return min(len(runs) for tasks in agents for runs in tasks)


def resampling_columns(level: float, repetitions: int, seed: int) -> dict[str, float | int]:
    """Return the columns of rows that say how intervals were drawn."""
    return {"level": round(level, 12), "repetitions": repetitions, "seed": seed}


def _write(path: Path, content: bytes) -> None:
    """Write a file: it has its name once it is complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
