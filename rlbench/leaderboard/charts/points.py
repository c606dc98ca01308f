"""Charts of points: one for each agent with its name, and the line of the best so far."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from rlbench.errors import InvalidScores
from rlbench.leaderboard.charts.look import (
    CHARACTER,
    COLOURS,
    HEIGHT,
    LINE_HEIGHT,
    Axis,
    Spec,
    brief,
    kept,
    pointer_layer,
    specify,
)
from rlbench.leaderboard.plots import Row

BEST = "best"  # the data set of the line of the best so far
ON_LINE, OFF_LINE = COLOURS[0], COLOURS[7]
NARROW = 260  # px of the narrowest plot in which names beside points must not meet
NAME_BESIDE = 120  # px of a name beside its point
GAP = 8  # px from a point to its name
APART = 0.16  # years between agents of one year, at most
WITHIN = 0.8  # of a year that its agents take, at most
# How far up or down a name may go, in px, the nearest first.
_MOVES = sorted(range(-60, 61, 3), key=abs)


def cost_chart(rows: Sequence[Row]) -> Spec:
    """Chart scores against cost: IQM with its interval over hours a run, on a log axis.

    The line joins the agents that score more than all that took fewer hours.

    Args:
        rows: Of ``agent``, ``hours`` (> 0), ``point``, ``low`` and ``high`` (or None).

    Raises:
        InvalidScores: There is no row, a number is not finite, or hours are not positive.
        MissingExtra: Altair is not installed.
    """
    drawn = kept(rows, ("agent",), ("hours", "point", "low", "high"))
    for row in drawn:
        if row["hours"] is None or row["hours"] <= 0:
            raise InvalidScores(f"hours of {row['agent']!r} must be positive, not {row['hours']}")
    hours = [row["hours"] for row in drawn]
    low, high = min(hours) / 1.5, max(hours) * 1.5
    return _points(
        [{**row, "at": row["hours"]} for row in drawn],
        best_so_far(drawn, "hours"),
        across=lambda at: math.log(at / low) / math.log(high / low),
        title="Hours a run (log)",
        scale={"type": "log", "domain": [low, high], "nice": False},
        axis={"format": "~g", "labelOverlap": "greedy", "grid": False},
        tooltip=Axis("hours", "Hours a run", ".3~g"),
        description="IQM against hours a run.",
    )


def years_chart(rows: Sequence[Row]) -> Spec:
    """Chart scores over the years: IQM with its interval, agents of one year side by side.

    The line is the best IQM up to each year.

    Args:
        rows: Of ``agent``, ``year``, ``point``, ``low`` and ``high`` (or None).

    Raises:
        InvalidScores: There is no row, or a number is not finite.
        MissingExtra: Altair is not installed.
    """
    drawn = kept(rows, ("agent",), ("year", "point", "low", "high"))
    years = [row["year"] for row in drawn]
    low, high = min(years) - 0.5, max(years) + 0.5
    return _points(
        side_by_side(drawn),
        best_so_far(drawn, "year"),
        across=lambda at: (at - low) / (high - low),
        title="Year of publication",
        scale={"domain": [low, high], "nice": False, "zero": False},
        axis={"format": "d", "values": list(range(min(years), max(years) + 1)), "grid": False},
        tooltip=Axis("year", "Year", "d"),
        description="IQM by year of publication.",
    )


def best_so_far(rows: Sequence[dict[str, Any]], at: str) -> list[str]:
    """Return the agents that score more than all before them, in order.

    Args:
        rows: Of ``agent``, ``point`` and `at`.
        at: What orders them; of equal ones only the best can be there.
    """
    found: list[str] = []
    best = -math.inf
    for row in sorted(rows, key=lambda row: (row[at], -row["point"], row["agent"])):
        if row["point"] > best:
            best = row["point"]
            found.append(row["agent"])
    return found


def side_by_side(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with ``at``, their place on the axis of years: those of one year stand apart."""
    of_year: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (-row["point"], row["agent"])):
        of_year.setdefault(row["year"], []).append(row)
    found = []
    for year, group in of_year.items():
        step = min(APART, WITHIN / len(group))
        for place, row in enumerate(group):
            at = year + step * (place - (len(group) - 1) / 2)
            found.append({**row, "at": brief(round(at, 4), "at")})
    return found


def _points(
    rows: Sequence[dict[str, Any]],
    best: Sequence[str],
    *,
    across: Callable[[float], float],
    title: str,
    scale: dict[str, Any],
    axis: dict[str, Any],
    tooltip: Axis,
    description: str,
) -> Spec:
    """Chart points.

    Args:
        rows: Of ``agent``, ``at`` (the place across), ``point``, ``low`` and ``high``.
        best: The agents on the line of the best so far.
        across: From ``at`` to a share of the axis.
        title: Of the axis across.
        scale: Of the axis across, with its domain.
        axis: Its look.
        tooltip: What the axis shows, exactly.
        description: What the chart shows.
    """
    ends = [row[end] for row in rows for end in ("point", "low", "high") if row[end] is not None]
    margin = 0.07 * ((max(ends) - min(ends)) or 1.0)
    domain = [min(ends) - margin, max(ends) + margin]
    marked = [{**row, "best": row["agent"] in best} for row in rows]
    named = _beside(marked, across, domain)
    x = {"field": "at", "type": "quantitative", "title": title, "scale": scale, "axis": axis}
    y = {
        "field": "point", "type": "quantitative", "title": "IQM",
        "scale": {"domain": domain, "nice": False, "zero": False}, "axis": {"tickCount": 6},
    }  # fmt: skip
    colour = {"condition": {"test": "datum.best", "value": ON_LINE}, "value": OFF_LINE}
    layers = [
        {
            "data": {"name": BEST},
            "mark": {
                "type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "opacity": 0.6,
                "color": ON_LINE,
            },
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": {
                "x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour,
            },
        },
        {
            "name": "points",
            "mark": {"type": "circle", "size": 60, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": colour},
        },
    ]  # fmt: skip
    for side, align, dx in (("left", "right", -GAP), ("right", "left", GAP)):
        layers.append({
            "mark": {
                "type": "rule", "strokeWidth": 0.75, "color": OFF_LINE, "x2Offset": dx - dx // GAP,
            },
            "transform": [{"filter": f"datum.moved && datum.side === '{side}'"}],
            "encoding": {"x": x, "x2": {"field": "at"}, "y": y, "y2": {"field": "label"}},
        })  # fmt: skip
        layers.append({
            "mark": {
                "type": "text", "align": align, "dx": dx, "baseline": "middle",
                "limit": NAME_BESIDE,
            },
            "transform": [{"filter": f"datum.side === '{side}'"}],
            "encoding": {"x": x, "y": {**y, "field": "label"}, "text": {"field": "agent"}},
        })  # fmt: skip
    layers.append(pointer_layer(x, y, tooltip, "IQM", size=200))
    on_line = sorted((row for row in rows if row["agent"] in best), key=lambda row: row["at"])
    line = [{"at": row["at"], "point": row["point"]} for row in on_line]
    line.append({"at": scale["domain"][1], "point": line[-1]["point"]})
    spec = specify({"layer": layers}, named, description)
    return {**spec, "datasets": {**spec["datasets"], BEST: line}}


def _beside(
    rows: Sequence[dict[str, Any]], across: Callable[[float], float], domain: Sequence[float]
) -> list[dict[str, Any]]:
    """Give names places beside their points where they meet no other.

    Those on the line of the best so far choose first, and stand above the line. Where there is no
    room, a name is left out, unless the agent is on the line.

    Returns:
        The rows with ``side`` (``left``, ``right`` or nothing), ``label`` (a height on the scale of
        points) and ``moved``: whether that is another height than the point's.
    """
    unit = (domain[1] - domain[0]) / HEIGHT

    def place(row: dict[str, Any]) -> tuple[float, float]:
        return NARROW * across(row["at"]), (row["point"] - domain[0]) / unit

    # Left end, right end and height of what is taken, in px.
    taken = [(x - GAP / 2, x + GAP / 2, y) for x, y in map(place, rows)]
    named = []
    for row in sorted(rows, key=lambda row: (not row["best"], -row["point"], row["agent"])):
        x, y = place(row)
        width = min(NAME_BESIDE, CHARACTER * len(row["agent"]))
        left = x + GAP if 2 * x < NARROW else x - GAP - width
        height = next(
            (
                y + move
                for move in _MOVES
                if LINE_HEIGHT / 2 < y + move < HEIGHT - LINE_HEIGHT / 2
                and (move > LINE_HEIGHT / 2 or not row["best"])
                and not any(
                    left < other_right
                    and other_left < left + width
                    and abs(y + move - other) < LINE_HEIGHT
                    for other_left, other_right, other in taken
                )
            ),
            y if row["best"] else None,
        )
        side = "" if height is None else "right" if 2 * x < NARROW else "left"
        if height is not None:
            taken.append((left, left + width, height))
        label = domain[0] + (y if height is None else height) * unit
        moved = height is not None and height != y
        named.append({**row, "side": side, "label": brief(label, "label"), "moved": moved})
    return named
