"""Charts of lines: a few agents, each with its name at the end of its line.

A specification holds all agents; `choose` gives one of a few, which a picture shows. `charts.js`
does the same in a page, where a reader chooses.
"""

from collections.abc import Sequence
from typing import Any

from rlbench.leaderboard.captions import MAX_BANDS
from rlbench.leaderboard.charts.look import (
    COLOURS,
    DASHES,
    DATA,
    HEIGHT,
    LINE_HEIGHT,
    Axis,
    Spec,
    distinct,
    kept,
    pointer_layer,
    specify,
)
from rlbench.leaderboard.plots import Row

SHOWN = 6  # lines of a chart, until a reader chooses others
ENDS = "ends"  # the data set of the ends of lines
BANDS = "bands"  # the layer of bands
NAME_LIMIT = 150  # px of a name at the end of a line
LEADER = 14  # px from the plot to a name's place
DIM, DIM_NAME = 0.12, 0.5  # opacity of lines and names that are not picked out
# Agents that a reader pinned or points at are drawn in full, the others faintly.
IN_FULL = (
    "!length(pinned) && !hovered || datum.agent === hovered || indexof(pinned, datum.agent) >= 0"
)


def profile_chart(rows: Sequence[Row]) -> Spec:
    """Chart performance profiles: lines with bands, these of at most `MAX_BANDS` agents.

    Args:
        rows: Of ``agent``, ``tau``, ``point`` (a share, 0 to 1), ``low`` and ``high`` (or None).

    Raises:
        InvalidScores: There is no row, or a number is not finite.
        MissingExtra: Altair is not installed.
    """
    return _lines(
        rows,
        at=Axis("tau", "Normalised score τ", ".3~f"),
        point=Axis("point", "Share of runs with a score > τ", ".0%"),
        domain=[0, 1],
        description="Performance profiles: the share of runs whose normalised score exceeds τ.",
    )


def curve_chart(rows: Sequence[Row], *, unit: str) -> Spec:
    """Chart learning curves: IQM against budget, in the look of `profile_chart`.

    Args:
        rows: Of ``agent``, ``step``, ``point``, ``low`` and ``high`` (or None).
        unit: What steps count, e.g. ``environment steps``.

    Raises:
        InvalidScores: There is no row, or a number is not finite.
        MissingExtra: Altair is not installed.
    """
    return _lines(
        rows,
        at=Axis("step", f"{unit[:1].upper()}{unit[1:]}", "~s"),
        point=Axis("point", "IQM", "~g"),
        domain=None,
        description="Learning curves: the IQM against the budget.",
    )


def choose(spec: Spec, agents: Sequence[str]) -> Spec:
    """Return a chart of these agents alone, in this order of colours.

    Args:
        spec: Of `profile_chart` or `curve_chart`.
        agents: At least one of those in it.
    """
    told = spec["usermeta"]["lines"]
    rows = [row for row in spec["datasets"][DATA] if row["agent"] in agents]
    low, high = told["domain"] or _domain(rows)
    last = {row["agent"]: row for row in rows}
    heights = spread([(high - row["point"]) / (high - low) * HEIGHT for row in last.values()])
    ends = [
        {**row, "label": high - height / HEIGHT * (high - low)}
        for row, height in zip(last.values(), heights, strict=True)
    ]
    looks = {
        "color": {"domain": list(agents), "range": [look_of(k)[0] for k in range(len(agents))]},
        "strokeDash": {
            "domain": list(agents),
            "range": [look_of(k)[1] for k in range(len(agents))],
        },
        "y": {"domain": [low, high], "nice": False},
    }
    layers = []
    for layer in spec["layer"]:
        if layer.get("name") == BANDS and len(agents) > told["bands"]:
            continue
        encoding = {
            channel: {**how, "scale": looks[channel]} if channel in looks else how
            for channel, how in layer["encoding"].items()
        }
        layers.append({**layer, "encoding": encoding})
    return {**spec, "layer": layers, "datasets": {DATA: rows, ENDS: ends}}


def look_of(place: int) -> tuple[str, list[int]]:
    """Return the colour and the dashes of a line; the first 40 all differ."""
    return COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]


def spread(wanted: Sequence[float]) -> list[float]:
    """Return heights of names (px from the top of a plot), near those wanted and a line apart.

    >>> spread([100.0, 100.0, 200.0])
    [100.0, 113.0, 200.0]
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    heights = list(wanted)
    least = 0.0
    for place in order:
        least = heights[place] = max(heights[place], least)
        least += LINE_HEIGHT
    most = float(HEIGHT)
    for place in reversed(order):
        most = heights[place] = min(heights[place], most)
        most -= LINE_HEIGHT
    return heights


def _domain(rows: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return the ends of the axis of points, with a margin."""
    ends = [row[end] for row in rows for end in ("point", "low", "high") if row[end] is not None]
    margin = 0.04 * ((max(ends) - min(ends)) or 1.0)
    return min(ends) - margin, max(ends) + margin


def _lines(
    rows: Sequence[Row], at: Axis, point: Axis, domain: list[float] | None, description: str
) -> Spec:
    drawn = kept(rows, ("agent",), (at.field, "point", "low", "high"))
    x = {
        "field": at.field, "type": "quantitative", "title": at.title,
        "scale": {"nice": False, "zero": False},
        "axis": {"format": at.format, "grid": False, "labelFlush": True, "tickCount": 6},
    }  # fmt: skip
    y = {
        "field": "point", "type": "quantitative", "title": point.title,
        "axis": {"format": point.format, "tickCount": 6},
    }  # fmt: skip
    of_agent = {"field": "agent", "type": "nominal", "legend": None}

    def emphasised(opacity: float, dim: float = DIM) -> dict[str, Any]:
        return {
            "condition": {"test": IN_FULL, "value": opacity},
            "value": round(opacity * dim, 3),
        }

    band = {
        "name": BANDS,
        "mark": "area",
        "transform": [{"filter": "isValid(datum.low)"}],
        "encoding": {
            "x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": of_agent,
            "opacity": emphasised(0.15),
        },
    }  # fmt: skip
    line = {
        "name": "lines",
        "mark": {"type": "line", "strokeWidth": 2, "strokeJoin": "round"},
        "encoding": {
            "x": x, "y": y, "color": of_agent, "strokeDash": of_agent, "opacity": emphasised(1),
        },
    }  # fmt: skip
    leader = {
        "name": "leaders",
        "data": {"name": ENDS},
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": {
            "x": x, "x2": {"value": {"expr": f"width + {LEADER}"}}, "y": y,
            "y2": {"field": "label"}, "color": of_agent, "opacity": emphasised(1),
        },
    }  # fmt: skip
    name = {
        "name": "names",
        "data": {"name": ENDS},
        "mark": {
            "type": "text", "align": "left", "baseline": "middle", "cursor": "pointer",
            "limit": {"expr": "nameLimit"}, "fontWeight": {"expr": _bold()},
        },
        "encoding": {
            "x": {"value": {"expr": f"width + {LEADER + 4}"}}, "y": {**y, "field": "label"},
            "text": {"field": "agent"}, "opacity": emphasised(1, DIM_NAME),
        },
    }  # fmt: skip
    pointed = pointer_layer(x, y, at, point.title, size=120, mark={"cursor": "pointer"})
    with_bands = [band] if any(row["low"] is not None for row in drawn) else []
    params = [
        {"name": "pinned", "value": []},
        {"name": "hovered", "value": ""},
        {"name": "nameLimit", "value": NAME_LIMIT},
    ]
    return specify(
        {"params": params, "layer": [*with_bands, line, leader, name, pointed]},
        drawn, description,
        lines={
            "colours": COLOURS, "dashes": DASHES, "shown": SHOWN, "bands": MAX_BANDS,
            "domain": domain, "gap": LINE_HEIGHT,
        },
    )  # fmt: skip


def _bold() -> str:
    return "indexof(pinned, datum.agent) >= 0 ? 'bold' : 'normal'"


def shown_first(spec: Spec) -> list[str]:
    """Return the agents that a chart of lines shows until a reader chooses others."""
    return distinct(row["agent"] for row in spec["datasets"][DATA])[
        : spec["usermeta"]["lines"]["shown"]
    ]
