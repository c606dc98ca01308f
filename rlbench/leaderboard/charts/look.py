"""The common look of charts, and what all of their specifications share.

A specification is a plain dict that holds its data. Fields, expressions and titles in it are ours
and constant; what comes from records stands among the data and the scales' domains alone, where
nothing is evaluated.
"""

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rlbench.errors import InvalidScores, MissingExtra
from rlbench.leaderboard.plots import Row

Spec = dict[str, Any]

DATA = "rows"  # the data set of a specification that holds the rows

# Eight colours that differ by 0.1 or more in OKLab with full and with any dichromatic sight
# (Machado et al. 2009), each with a contrast of 3 or more on both papers. Neighbours differ most.
COLOURS = (
    "#0052ff", "#c48a00", "#e10045", "#137403", "#f54ac4", "#3697f7", "#9e2bbe", "#7e7181",
)  # fmt: skip
# Of the first eight lines, the next eight, and so on.
DASHES = ([1, 0], [7, 2], [2, 2], [9, 2, 2, 2], [4, 2, 1, 2, 1, 2])

# By the page's custom property: on light paper, on dark paper.
INKS = {
    "--ink": ("#1b1f24", "#e6e8ea"),
    "--soft": ("#5b6470", "#9aa4af"),
    "--line": ("#dfe3e8", "#2c3238"),
}
INK, SOFT, LINE = (light for light, _ in INKS.values())

# Significantly worse, even, significantly better.
DIVERGING = ("#7e3a08", "#f7f7f7", "#01574f")
# Of text on them, with a contrast of at least 4.5.
ON_PALE, ON_STRONG = "#000000", "#ffffff"
STRONG = 0.37  # how far from even the colour of a cell is strong

STATIC_WIDTH = 720  # px of a picture
HEIGHT = 320  # px of a plot
CELL = 22  # px of a line of the matrix
CHARACTER = 6.5  # px at 11 px, somewhat more than the mean
LINE_HEIGHT = 13  # px of a name
SCORES = ("point", "low", "high")
POINTER = "pointer"  # the layer that a pointer meets; a picture has none

CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "sans-serif",
    # The page names the chart as a whole.
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": SOFT, "titleColor": INK, "gridColor": LINE, "domainColor": SOFT,
        "tickColor": SOFT, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal",
        "titlePadding": 8, "labelLimit": 110,
    },
    "legend": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 12,
        "titleFontWeight": "normal", "orient": "bottom", "offset": 14,
    },
    "text": {"color": INK, "fontSize": 11},
}  # fmt: skip

INTERVAL = (
    "isValid(datum.low) ? format(datum.low, '.3f') + ' to ' + format(datum.high, '.3f') : '–'"
)


class Axis(NamedTuple):
    """A field on an axis and in the tooltip, with its title and number format."""

    field: str
    title: str
    format: str


def pointer_layer(
    x: Spec, y: Spec, at: Axis, title: str, *, size: int, mark: Spec | None = None
) -> Spec:
    """Return the layer that shows an agent's numbers where a pointer meets one of its points.

    Args:
        x: The encoding of the points.
        y: The encoding of the points.
        at: What stands on the horizontal axis.
        title: What ``point`` is.
        size: Of what a pointer meets, in square px.
        mark: More of the mark.
    """
    return {
        "name": POINTER,
        "mark": {"type": "circle", "size": size, "opacity": 0, **(mark or {})},
        "transform": [{"calculate": INTERVAL, "as": "interval"}],
        "encoding": {
            "x": x, "y": y,
            "tooltip": [
                {"field": "agent", "title": "Agent"},
                {
                    "field": at.field, "type": "quantitative", "title": at.title,
                    "format": at.format,
                },
                {"field": "point", "type": "quantitative", "title": title, "format": ".3f"},
                {"field": "interval", "title": "Interval"},
            ],
        },
    }  # fmt: skip


def specify(
    layered: Mapping[str, Any],
    rows: list[dict[str, Any]],
    description: str,
    height: int = HEIGHT,
    **more: Any,
) -> Spec:
    """Return layers as a specification with its data and look.

    Args:
        layered: The layers, as Altair or we write them.
        rows: The data.
        description: What the chart shows.
        height: Of the plot, px.
        more: For `charts.js`, beside the inks that it replaces by the page's own.
    """
    inks = {name: light for name, (light, _) in INKS.items()}
    return {
        **layered,
        "$schema": library("altair").SCHEMA_URL,
        "data": {"name": DATA},
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "description": description,
        "config": CONFIG,
        "datasets": {DATA: rows},
        "usermeta": {"inks": inks, **more},
    }


def kept(rows: Sequence[Row], names: Sequence[str], numbers: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is drawn of rows: those that have a point, and of them these fields.

    Raises:
        InvalidScores: There is no such row, or a number is not finite.
    """
    found = [
        {
            **{field: shown(str(row[field])) for field in names},
            **{field: brief(row[field], field) for field in numbers},
        }
        for row in rows
        if row["point"] is not None
    ]
    if not found:
        raise InvalidScores("there is nothing to draw: no row has a point")
    return found


def shown(name: str) -> str:
    """Return a name with what cannot be printed as escapes: a picture's XML could not hold it."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    # Vega keeps labels in a plain object by their names; this one would be its prototype.
    return f"{text} " if text == "__proto__" else text


def brief(value: str | float | int | None, field: str) -> float | int | None:
    """Return a number in six digits, a score in four decimals: more than a chart shows."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str) or not math.isfinite(value):
        raise InvalidScores(f"{field} must be a finite number, not {value!r}")
    number = float(f"{value:.6g}")
    return round(number, 4) if field in SCORES else number


def distinct(names: Iterable[str]) -> list[str]:
    """Return names in the order in which they come first."""
    return list(dict.fromkeys(names))


def library(name: str) -> Any:
    """Return Altair or vl-convert.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra("drawing charts", "site") from None


def version() -> str:
    """Return the version of Vega-Lite that Altair writes for, as vl-convert names it."""
    return ".".join(library("altair").SCHEMA_VERSION.split(".")[:2])
