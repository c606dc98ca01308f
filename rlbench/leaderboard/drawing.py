"""How figures look: fonts, colours, dashes, markers and sizes, and what all figures draw alike.

A figure has the width of a venue's page or column, and its text the venue's font and size, so that
it is included unscaled. The user's own settings of matplotlib do not matter, and are left as they
are.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import MissingExtra, UnknownName, UsageError
from rlbench.leaderboard.captions import MAX_BANDS, short_names
from rlbench.stats.bands import CurveEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


class Preset(NamedTuple):
    """The width of a page or a column, and the text that stands there.

    `inches` is the width. `text` is the size of names, labels and titles in points; numbers at axes
    and legends are a point smaller. `serif` asks for a Times-like font.
    """

    inches: float
    text: float
    serif: bool


# Text is as large as the venue's text, or its captions (ICML).
PRESETS = {
    "neurips": Preset(5.5, 10, serif=True),
    "icml": Preset(3.25, 9, serif=True),
    "icml-wide": Preset(6.75, 9, serif=True),
    "iclr": Preset(5.5, 10, serif=True),
    "a4": Preset(6.27, 8, serif=False),
}
WIDTHS = {name: preset.inches for name, preset in PRESETS.items()}
MAX_HEIGHT = 9.0  # inches, of a page of text
DPI = 300
NARROW = 4.5  # inches; narrower figures have fewer panels a row

# Eight of Okabe & Ito 2008 (Color Universal Design), whose yellow is darkened since white swallows
# it, with three of Paul Tol's muted colours; neighbours differ in lightness too.
COLOURS = (
    "#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#882255",
    "#999999", "#332288", "#A89A00",
)  # fmt: skip
# The numbers of colours, dashes and markers have no common divisor: agents differ in grey too.
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
HATCHES = ("", "////", "....", "xxxx")  # of bars: one each time that the colours begin again

# Both come with matplotlib. The second has the characters that the first lacks.
SERIF = ("STIXGeneral", "DejaVu Sans")
SANS = ("DejaVu Sans",)

LOOK: dict[str, Any] = {
    "mathtext.fontset": "stix",
    "text.hinting": "none",
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
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.0,
    "figure.constrained_layout.w_pad": 0.05,
    "figure.constrained_layout.h_pad": 0.03,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "rlbench",
    "savefig.dpi": DPI,
}


def preset_of(width: str | float) -> Preset:
    """Return a preset by its name; of a number of inches one with small text without serifs.

    Raises:
        UnknownName: There is no width of that name.
        UsageError: The number is out of range.
    """
    if isinstance(width, str):
        if width not in PRESETS:
            raise UnknownName("width", width, PRESETS)
        return PRESETS[width]
    if not 1 <= width <= 40:
        raise UsageError(f"a width is 1 to 40 inches, not {width}")
    return Preset(float(width), 8, serif=False)


def inches_of(width: str | float) -> float:
    """Return a width in inches, given as a name of `WIDTHS` or as a number.

    Raises:
        UnknownName: There is no width of that name.
        UsageError: The number is out of range.
    """
    return preset_of(width).inches


@contextmanager
def style(width: str | float) -> Iterator[None]:
    """Set the look of figures of a width, whatever the user's settings are; put these back."""
    try:
        from matplotlib import style
    except ImportError:
        raise MissingExtra("drawing figures", "plot") from None
    preset = preset_of(width)
    text = {
        "font.family": list(SERIF if preset.serif else SANS),
        **dict.fromkeys(
            ["font.size", "axes.titlesize", "axes.labelsize", "figure.labelsize"], preset.text
        ),
        **dict.fromkeys(["xtick.labelsize", "ytick.labelsize", "legend.fontsize"], preset.text - 1),
    }
    with style.context(["default", LOOK, text]), warnings.catch_warnings():
        # A name may hold characters that the font has not: `Plot.notes` says so.
        warnings.filterwarnings("ignore", message=r"(Glyph|Matplotlib currently does not support)")
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of a size in inches."""
    from rlbench.leaderboard.shown import ShownFigure

    return ShownFigure(figsize=(width, height), layout="constrained")


def lines_high(number: float) -> float:
    """Return the height in inches of a number of lines of text in the current style."""
    return number * 1.3 * text_size() / 72


def rows_high(number: int) -> float:
    """Return the height in inches of a number of rows of names; more than twelve stand closer."""
    return lines_high(number * (1.0 if number <= 12 else 0.85))


def text_size() -> float:
    """Return the size in points of names, labels and titles in the style that is set."""
    from matplotlib import rcParams

    return float(rcParams["font.size"])


def small_text() -> float:
    """Return the size in points of numbers and legends in the style that is set."""
    from matplotlib import rcParams

    return float(rcParams["legend.fontsize"])


def look_of(number: int) -> dict[str, Any]:
    """Return colour, marker and dashes of an agent by its place."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number % len(DASHES)],
    }


def draw_interval(
    axes: "Axes", place: float, point: float, low: float | None, high: float | None, number: int
) -> None:
    """Draw one estimate on a line of its own; the first place is on top.

    The interval stands in front of the marker, which is white inside: a narrow one can be seen too.
    """
    look = look_of(number)
    axes.plot(
        [point], [place], color=look["color"], marker=look["marker"], markeredgewidth=1,
        markerfacecolor="white", markersize=4.8, zorder=3,
    )  # fmt: skip
    if low is not None and high is not None:
        axes.plot(
            [low, high], [place, place], color=look["color"], linewidth=1.3, marker="|",
            markersize=7, markeredgewidth=1.1, zorder=4,
        )  # fmt: skip


def name_places(
    axes: "Axes", names: Sequence[str], *, right: bool = False, header: str = ""
) -> None:
    """Write names beside the lines of an axes, the first on top, a header above them."""
    side = axes.twinx() if right else axes
    side.set_ylim(len(names) - 0.4, -0.6)
    side.set_yticks(range(len(names)), [""] * len(names))
    side.tick_params(axis="y", length=0, labelsize="medium")
    labels = side.set_yticklabels(names)
    for label in labels:
        # A dollar sign is a dollar sign.
        label.set_parse_math(False)
    if header:
        side.annotate(
            header, (float(right), 1), xycoords="axes fraction", xytext=(4 if right else -4, 2),
            textcoords="offset points", ha="left" if right else "right", va="bottom",
            fontstyle="italic",
        )  # fmt: skip


def draw_lines(
    width: str | float, curves: Mapping[str, tuple[Floats, CurveEstimate]]
) -> tuple["Figure", "Axes"]:
    """Draw curves with bands, and a legend below them; the highest at the end comes first in it."""
    from matplotlib.lines import Line2D

    inches = inches_of(width)
    order = sorted(curves, key=lambda agent: -float(np.mean(curves[agent][1].point)))
    looks = {agent: look_of(number) for number, agent in enumerate(curves)}
    across, legend_rows = legend_size(order, inches)
    figure = new_figure(
        inches, 0.5 * min(inches, NARROW) + lines_high(2.2) + lines_high(0.95) * legend_rows
    )
    axes = figure.subplots()
    for number, (agent, (at, found)) in enumerate(curves.items()):
        look = looks[agent]
        if found.low is not None and found.high is not None and len(curves) <= MAX_BANDS:
            axes.fill_between(at, found.low, found.high, color=look["color"], alpha=0.18, lw=0)
        every = max(1, len(at) // 8)
        start = number * every // max(len(curves), 1)
        axes.plot(at, found.point, markevery=(start, every), **look)
    axes.grid()
    name_handles(figure, [Line2D([], [], **looks[agent]) for agent in order], order, across)
    return figure, axes


def legend_size(names: Sequence[str], inches: float) -> tuple[int, int]:
    """Return how many names a legend has in a row, and how many rows, in the style that is set."""
    size = small_text()
    entry = max(text_width(name, size) for name in short_names(names, inches)) + 3.8 * size
    across = min(len(names), max(1, int((72 * inches - size) / entry)))
    rows = -(-len(names) // across)
    return -(-len(names) // rows), rows


def name_handles(
    figure: "Figure", handles: Sequence[Any], names: Sequence[str], across: int
) -> None:
    """Write a legend below a figure."""
    # Names are set afterwards: a leading underscore would hide an entry.
    legend = figure.legend(
        handles, [str(number) for number in range(len(names))], loc="outside lower center",
        ncols=across,
    )  # fmt: skip
    shown = short_names(names, figure.get_figwidth())
    for text, name in zip(legend.get_texts(), shown, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def text_width(text: str, size: float) -> float:
    """Return the width in points of text of a size in points, in the style that is set."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    known = TextToPath().get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(known[0])


def short_number(value: float, _place: float) -> str:
    """Return a number of an axis with as few characters as it takes.

    >>> short_number(12_000.0, 0), short_number(0.25, 1)
    ('12k', '0.25')
    """
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{letter}".replace("-", "\u2212")
    return f"{value:.6g}".replace("-", "\u2212")


def missing_glyphs(text: str, width: str | float) -> str:
    """Return the characters that the fonts of figures of a width have not."""
    from matplotlib.font_manager import findfont, get_font

    families = SERIF if preset_of(width).serif else SANS
    known = {code for family in families for code in get_font(findfont(family)).get_charmap()}
    return "".join(dict.fromkeys(c for c in text if c.isprintable() and ord(c) not in known))
