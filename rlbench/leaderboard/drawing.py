"""How figures look: colours, dashes, markers and sizes, and what all figures draw alike.

Text is at least 7 pt at the figure's own width. The user's own settings of matplotlib do not
matter, and are left as they are.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import MissingExtra, UnknownName, UsageError
from rlbench.leaderboard.captions import MAX_BANDS
from rlbench.stats.bands import CurveEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# Inches: the text width of a page or a column.
WIDTHS = {"neurips": 5.5, "icml": 3.25, "icml-wide": 6.75, "iclr": 5.5, "a4": 6.27}
DPI = 300

# Okabe & Ito 2008, Color Universal Design, without the yellow, which white swallows; in an order
# in which neighbours differ in lightness too.
OKABE_ITO = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")
# The numbers of colours, dashes and markers have no common divisor: agents differ in grey too.
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

LOOK: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.03,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "rlbench",
    "savefig.dpi": DPI,
}


def inches_of(width: str | float) -> float:
    """Return a width in inches, given as a name of `WIDTHS` or as a number.

    Raises:
        UnknownName: There is no width of that name.
        UsageError: The number is out of range.
    """
    if isinstance(width, str):
        if width not in WIDTHS:
            raise UnknownName("width", width, WIDTHS)
        return WIDTHS[width]
    if not 1 <= width <= 40:
        raise UsageError(f"a width is 1 to 40 inches, not {width}")
    return float(width)


@contextmanager
def style() -> Iterator[None]:
    """Set the look of figures, whatever the user's settings are, and put these back."""
    try:
        from matplotlib import style
    except ImportError:
        raise MissingExtra("drawing figures", "plot") from None
    with style.context(["default", LOOK]), warnings.catch_warnings():
        # A name may hold characters that the font has not: `Plot.notes` says so.
        warnings.filterwarnings("ignore", message=r"(Glyph|Matplotlib currently does not support)")
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def look_of(number: int) -> dict[str, Any]:
    """Return colour, marker and dashes of an agent by its place."""
    return {
        "color": OKABE_ITO[number % len(OKABE_ITO)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number % len(DASHES)],
    }


def draw_interval(
    axes: "Axes", place: int, point: float, low: float | None, high: float | None, number: int
) -> None:
    """Draw one estimate on a line of its own; the first place is on top."""
    look = look_of(number)
    if low is not None and high is not None:
        axes.plot(
            [low, high], [place, place], color=look["color"], linewidth=1.6, marker="|",
            markersize=5, markeredgewidth=1.2, zorder=2,
        )  # fmt: skip
    axes.plot(
        [point], [place], color=look["color"], marker=look["marker"], markeredgewidth=0,
        markersize=5.5, zorder=3,
    )  # fmt: skip
    axes.grid()


def name_places(axes: "Axes", names: Sequence[str], *, right: bool = False) -> None:
    """Write names beside the lines of an axes, the first on top."""
    side = axes.twinx() if right else axes
    side.set_ylim(len(names) - 0.4, -0.6)
    side.set_yticks(range(len(names)), [""] * len(names))
    side.tick_params(axis="y", length=0)
    labels = side.set_yticklabels(names)
    for label in labels:
        # A dollar sign is a dollar sign.
        label.set_parse_math(False)


def draw_lines(
    inches: float, curves: Mapping[str, tuple[Floats, CurveEstimate]]
) -> tuple["Figure", "Axes"]:
    """Draw curves with bands, and a legend below them."""
    from matplotlib.lines import Line2D

    names = short_names(list(curves), inches)
    # What an entry of the legend takes: its line, and its text at 7 pt.
    across = max(1, int(inches / (0.5 + 0.062 * max(len(name) for name in names))))
    across = min(across, len(names))
    legend_rows = -(-len(names) // across)
    figure = new_figure(inches, 0.55 * min(inches, 4.5) + 0.35 + 0.15 * legend_rows)
    axes = figure.subplots()
    handles = []
    for number, (at, found) in enumerate(curves.values()):
        look = look_of(number)
        if found.low is not None and found.high is not None and len(names) <= MAX_BANDS:
            axes.fill_between(at, found.low, found.high, color=look["color"], alpha=0.18, lw=0)
        every = max(1, len(at) // 8)
        start = number * every // max(len(curves), 1)
        axes.plot(at, found.point, markevery=(start, every), **look)
        handles.append(Line2D([], [], **look))
    axes.grid()
    # Names are set afterwards: a leading underscore would hide an entry.
    legend = figure.legend(
        handles, [str(number) for number in range(len(names))], loc="outside lower center",
        ncols=across,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
    return figure, axes


def short_names(names: Sequence[str], inches: float) -> list[str]:
    """Return names in one line each, cut in the middle if they are long; different ones differ."""
    lines = ["".join(c if c.isprintable() else " " for c in name) for name in names]
    limit = max(14, int(5 * inches))
    while limit < max(map(len, lines)):
        cut = [
            line if len(line) <= limit else f"{line[: limit // 2]}\u2026{line[-limit // 2 + 1 :]}"
            for line in lines
        ]
        if len(set(cut)) == len(set(lines)):
            return cut
        limit += 4
    return lines


def missing_glyphs(text: str) -> str:
    """Return the characters that the font of figures has not."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont(LOOK["font.family"])).get_charmap()
    return "".join(dict.fromkeys(c for c in text if c.isprintable() and ord(c) not in known))
