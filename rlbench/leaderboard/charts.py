"""Charts of the site: rows of numbers to Vega-Lite specifications, pictures and their script.

A specification is a plain dict that holds its data. Fields, expressions and titles in it are ours
and constant; what comes from records stands among the data and the scales' domains alone, where
nothing is evaluated. The picture (`svg_of`) is what a page shows without scripts; `charts.js`
draws the same specification anew in its place.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from types import ModuleType
from typing import Any, NamedTuple

from rlbench.errors import InvalidScores, MissingExtra
from rlbench.leaderboard.captions import MAX_BANDS
from rlbench.leaderboard.plots import Row

Spec = dict[str, Any]

DATA = "rows"  # the one data set of a specification

# Eight colours that differ by 0.1 or more in OKLab with full and with any dichromatic sight
# (Machado et al. 2009), each with a contrast of 3 or more on both papers.
COLOURS = (
    "#0052ff", "#c48a00", "#e10045", "#137403", "#f54ac4", "#3697f7", "#9e2bbe", "#7e7181",
)  # fmt: skip
# The numbers of colours and dashes have no common divisor: 40 agents all differ.
DASHES = ([1, 0], [7, 2], [2, 2], [9, 2, 2, 2], [4, 2, 1, 2, 1, 2])

# By the page's custom property: on light paper, on dark paper.
INKS = {
    "--ink": ("#1b1f24", "#e6e8ea"),
    "--soft": ("#5b6470", "#9aa4af"),
    "--line": ("#dfe3e8", "#2c3238"),
}
INK, SOFT, LINE = (light for light, _ in INKS.values())

# From surely worse over even to surely better, and what is written on them (contrast at least 4.5).
DIVERGING = ("#7e3a08", "#f7f7f7", "#01574f")
ON_PALE, ON_STRONG = "#000000", "#ffffff"
STRONG = 0.37  # how far from even the colour of a cell is strong

STATIC_WIDTH = 720  # px of a picture
HEIGHT = 320  # px of a plot
CELL = 22  # px of a line of the matrix
NAME_LIMIT = 160  # px of a name in a legend
BESIDE_PLOT = 70  # px that an axis takes from a chart's width
CHARACTER = 6.5  # px at 11 px, somewhat more than the mean
DIM = 0.12  # opacity of what is not picked out
POINTER = "pointer"  # the layer that a pointer meets; a picture has none
# Drawn in full: agents picked by a click or met by the pointer, or all where there is none.
PICKED_OUT = {
    "or": [
        {"param": "picked", "empty": False},
        {"param": "hovered", "empty": False},
        {"and": [{"param": "picked"}, {"param": "hovered"}]},
    ]
}

NARROW = 260  # px of the narrowest plot in which names beside points must not meet
NAME_BESIDE = 120  # px of a name beside its point
GAP = 8  # px from a point to its name
LINE_HEIGHT = 13  # px of a name
# How far up or down a name may go, in px, the nearest first.
_MOVES = sorted(range(-60, 61, 3), key=abs)

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
        "titleFontWeight": "normal", "labelLimit": NAME_LIMIT, "orient": "bottom", "offset": 14,
    },
    "text": {"color": INK, "fontSize": 11},
}  # fmt: skip

# The width of a chart with all that is around its plot. `width`, that of the plot alone, is only
# there so that this is computed anew when a page's width changes.
ROOM = f"(isFinite(containerSize()[0]) ? containerSize()[0] + 0 * width : {STATIC_WIDTH})"
INTERVAL = (
    "isValid(datum.low) ? format(datum.low, '.3f') + ' to ' + format(datum.high, '.3f') : '–'"
)


class Axis(NamedTuple):
    """A field on an axis and in the tooltip, with its title and number format."""

    field: str
    title: str
    format: str


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


def improvement_chart(rows: Sequence[Row]) -> Spec:
    """Chart probabilities of improvement: a matrix, X down and Y across.

    Args:
        rows: Of ``x``, ``y`` (agents), ``point`` (P(X > Y)), ``low`` and ``high`` (or None). Pairs
            that are not there stay holes.

    Raises:
        InvalidScores: There is no row, or a number is not finite.
        MissingExtra: Altair is not installed.
    """
    alt = _altair()
    kept = _kept(rows, ("x", "y"), ("point", "low", "high"))
    agents = _distinct(name for row in kept for name in (row["x"], row["y"]))
    cells = alt.Scale(domain=agents, paddingInner=0.06, paddingOuter=0)
    base = (
        alt.Chart()
        .transform_calculate(percent="100 * datum.point", interval=INTERVAL)
        .encode(
            x=alt.X("y:N", title="Y", scale=cells, axis=alt.Axis(labelAngle=-45)),
            y=alt.Y("x:N", title="X", scale=cells),
            tooltip=[
                alt.Tooltip("x:N", title="X"),
                alt.Tooltip("y:N", title="Y"),
                alt.Tooltip("point:Q", title="P(X > Y)", format=".3f"),
                alt.Tooltip("interval:N", title="Interval"),
            ],
        )
    )
    colour = alt.Color(
        "point:Q",
        scale=alt.Scale(domain=[0, 0.5, 1], range=list(DIVERGING), interpolate="rgb"),
        legend=alt.Legend(title="P(X > Y)", format=".0%", gradientLength=150, values=[0, 0.5, 1]),
    )
    written = alt.condition(
        f"abs(datum.point - 0.5) > {STRONG}", alt.value(ON_STRONG), alt.value(ON_PALE)
    )
    size = alt.ExprRef(expr="max(7, min(11, bandwidth('x') * 0.6))")
    chart = alt.layer(
        base.mark_rect().encode(color=colour),
        base.mark_text(fontSize=size).encode(
            text=alt.Text("percent:Q", format=".0f"), color=written
        ),
    )
    description = "Probabilities that a run of X scores higher than one of Y."
    return _spec(chart, kept, description, height=CELL * len(agents))


def cost_chart(rows: Sequence[Row]) -> Spec:
    """Chart scores against cost: IQM with its interval over hours a run, on a log axis.

    Args:
        rows: Of ``agent``, ``hours`` (> 0), ``point``, ``low`` and ``high`` (or None).

    Raises:
        InvalidScores: There is no row, a number is not finite, or hours are not positive.
        MissingExtra: Altair is not installed.
    """
    alt = _altair()
    kept = _kept(rows, ("agent",), ("hours", "point", "low", "high"))
    for row in kept:
        if row["hours"] is None or row["hours"] <= 0:
            raise InvalidScores(f"hours of {row['agent']!r} must be positive, not {row['hours']}")
    agents = _distinct(row["agent"] for row in kept)
    named, hours, scores = _beside(kept)
    base = (
        alt.Chart()
        .transform_calculate(interval=INTERVAL)
        .encode(
            x=alt.X(
                "hours:Q",
                title="Hours a run (log)",
                scale=alt.Scale(type="log", domain=hours, nice=False),
                axis=alt.Axis(format="~g", labelOverlap="greedy", grid=False),
            ),
            y=alt.Y(
                "point:Q",
                title="IQM",
                scale=alt.Scale(domain=scores, nice=False, zero=False),
                axis=alt.Axis(tickCount=6),
            ),
            tooltip=[
                alt.Tooltip("agent:N", title="Agent"),
                alt.Tooltip("hours:Q", title="Hours a run", format=".3~g"),
                alt.Tooltip("point:Q", title="IQM", format=".3f"),
                alt.Tooltip("interval:N", title="Interval"),
            ],
        )
    )
    colour = alt.Color("agent:N", scale=_scale(agents, COLOURS), legend=None)
    layers = [
        base.mark_rule(strokeWidth=1.5)
        .transform_filter("isValid(datum.low)")
        .encode(y=alt.Y("low:Q"), y2="high:Q", color=colour),
        base.mark_circle(size=60, opacity=1).encode(color=colour),
    ]
    for side, align, dx in (("left", "right", -GAP), ("right", "left", GAP)):
        layers.append(
            base.mark_text(align=align, dx=dx, baseline="middle", limit=NAME_BESIDE)
            .transform_filter(f"datum.side === '{side}'")
            .encode(y=alt.Y("label:Q"), text="agent:N")
        )
    return _spec(alt.layer(*layers), named, "IQM against hours a run.")


def svg_of(spec: Spec) -> str:
    """Return a chart as a picture (SVG) that fits light and dark pages, `STATIC_WIDTH` px wide.

    Nothing is loaded for it, and it has no font of its own.

    Raises:
        MissingExtra: vl-convert is not installed.
    """
    still = {
        **spec,
        "width": STATIC_WIDTH,
        "layer": [layer for layer in spec["layer"] if layer.get("name") != POINTER],
    }
    drawn = _vl_convert().vegalite_to_svg(still, vl_version=_version(), allowed_base_urls=[])
    start, end = _numbered_afresh(drawn).split(">", 1)
    dark = "".join(
        f'[{what}="{light}"]{{{what}:{instead}}}'
        for light, instead in INKS.values()
        for what in ("fill", "stroke")
    )
    agents = _distinct(
        row[field]
        for row in spec["datasets"][DATA]
        for field in ("agent", "x", "y")
        if field in row
    )
    return (
        f"{start}><title>{escape(spec['description'])}</title>"
        f"<desc>{escape(', '.join(agents))}</desc>"
        f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>{end}"
    )


def _numbered_afresh(drawn: str) -> str:
    """Return a picture whose clips and gradients are numbered by it alone.

    Vega numbers them over all that a process draws.
    """
    found = re.findall(r'<(?:clipPath|linearGradient) id="([A-Za-z]+_?\d+)"', drawn)
    new = {old: f"part{number}" for number, old in enumerate(dict.fromkeys(found))}
    return re.sub(
        r'(<(?:clipPath|linearGradient) id="|url\(#)([A-Za-z]+_?\d+)(?=["\)])',
        lambda match: match[1] + new.get(match[2], match[2]),
        drawn,
    )


@cache
def bundle() -> bytes:
    """Return the classic script that sets ``vegaEmbed``, the one global it has, for our charts.

    It is of the Vega-Lite that Altair writes specifications for, and bears the notices of all that
    is in it.

    Raises:
        MissingExtra: Altair or vl-convert is not installed.
    """
    code = _vl_convert().javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_version())
    # A function around it, since names at the top of a classic script are all scripts' names.
    return f'{NOTICES}(() => {{\n"use strict";\n{code}\n}})();\n'.encode()


def escape_json(value: object) -> str:
    r"""Return JSON that can stand in a page's ``<script>``: ASCII, no ``<``, ``>`` or ``&``.

    Raises:
        InvalidScores: There is a number in it that is not finite.

    >>> escape_json({"b": "</script>", "a": [1, None]})
    '{"a":[1,null],"b":"\\u003c/script\\u003e"}'
    """
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidScores(f"this cannot stand in a page: {error}") from None
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _lines(
    rows: Sequence[Row], at: Axis, point: Axis, domain: list[float] | None, description: str
) -> Spec:
    """Chart curves by agent, with bands if they are few, over a legend."""
    alt = _altair()
    kept = _kept(rows, ("agent",), (at.field, "point", "low", "high"))
    agents = _distinct(row["agent"] for row in kept)
    entry = min(NAME_LIMIT, math.ceil(CHARACTER * max(map(len, agents)))) + 40
    legend = alt.Legend(
        title=None,
        columns=alt.ExprRef(expr=f"max(1, floor(({ROOM} - {BESIDE_PLOT}) / {entry}))"),
        symbolType="stroke",
        # Otherwise entries were as faint as bands, and as high as their symbols are long.
        symbolOpacity=1,
        symbolSize=700,
        symbolStrokeWidth=2,
        clipHeight=14,
        symbolLimit=0,
    )
    scale = alt.Scale(zero=False) if domain is None else alt.Scale(domain=domain)
    base = alt.Chart().encode(
        x=alt.X(
            f"{at.field}:Q",
            title=at.title,
            scale=alt.Scale(nice=False, zero=False),
            axis=alt.Axis(format=at.format, grid=False, labelFlush=True, tickCount=6),
        ),
        y=alt.Y(
            "point:Q",
            title=point.title,
            scale=scale,
            axis=alt.Axis(format=point.format, tickCount=6),
        ),
        color=alt.Color("agent:N", scale=_scale(agents, COLOURS), legend=legend),
    )

    def emphasised(opacity: float) -> Any:
        condition = {"test": PICKED_OUT, "value": opacity}
        return alt.OpacityValue(round(opacity * DIM, 3), condition=condition)

    layers = []
    if len(agents) <= MAX_BANDS and any(row["low"] is not None for row in kept):
        layers.append(
            base.mark_area()
            .transform_filter("isValid(datum.low)")
            .encode(y=alt.Y("low:Q"), y2="high:Q", opacity=emphasised(0.15))
        )
    dashes = alt.StrokeDash("agent:N", scale=_scale(agents, DASHES))
    layers.append(
        base.mark_line(strokeWidth=2, strokeJoin="round")
        .encode(strokeDash=dashes, opacity=emphasised(1))
        .properties(name="lines")
        .add_params(
            alt.selection_point("picked", fields=["agent"], on="click", bind="legend"),
            alt.selection_point(
                "hovered",
                fields=["agent"],
                on="pointerover",
                clear="pointerout",
                bind=alt.LegendStreamBinding(legend="pointerover"),
            ),
        )
    )
    layers.append(
        base.mark_circle(size=120, opacity=0)
        .transform_calculate(interval=INTERVAL)
        .encode(
            tooltip=[
                alt.Tooltip("agent:N", title="Agent"),
                alt.Tooltip(f"{at.field}:Q", title=at.title, format=at.format),
                alt.Tooltip("point:Q", title=point.title, format=".3f"),
                alt.Tooltip("interval:N", title="Interval"),
            ]
        )
        .properties(name=POINTER)
    )
    return _spec(alt.layer(*layers), kept, description)


def _spec(chart: Any, rows: list[dict[str, Any]], description: str, height: int = HEIGHT) -> Spec:
    """Return a layered chart as a specification with its data and look."""
    alt = _altair()
    chart = chart.properties(
        data=alt.NamedData(name=DATA),
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=description,
    )
    # Tests validate all kinds of charts; to do so here would take a tenth of a build.
    spec: Spec = chart.to_dict(validate=False)
    # `charts.js` puts the page's own colours in the place of these.
    inks = {name: light for name, (light, _) in INKS.items()}
    return {**spec, "config": CONFIG, "datasets": {DATA: rows}, "usermeta": {"inks": inks}}


def _kept(
    rows: Sequence[Row], names: Sequence[str], numbers: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what is drawn of rows: those that have a point, and of them these fields."""
    kept = [
        {
            **{field: _shown(str(row[field])) for field in names},
            **{field: _brief(row[field], field) for field in numbers},
        }
        for row in rows
        if row["point"] is not None
    ]
    if not kept:
        raise InvalidScores("there is nothing to draw: no row has a point")
    return kept


def _shown(name: str) -> str:
    """Return a name with what cannot be printed as escapes: a picture's XML could not hold it."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    # Vega keeps labels in a plain object by their names; this one would be its prototype.
    return f"{text} " if text == "__proto__" else text


def _brief(value: str | float | int | None, field: str) -> float | int | None:
    """Return a number in six digits, which is more than a chart shows."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str) or not math.isfinite(value):
        raise InvalidScores(f"{field} must be a finite number, not {value!r}")
    return float(f"{value:.6g}")


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _scale(agents: list[str], looks: Sequence[Any]) -> Any:
    return _altair().Scale(domain=agents, range=list(looks))


def _beside(
    rows: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[float], list[float]]:
    """Give names places beside their points where they meet no other, if there are any.

    Returns:
        The rows with ``side`` (``left`` or ``right``) and ``label`` (a height on the scale of
        points), and the domains of hours and of scores.
    """
    hours = [min(row["hours"] for row in rows) / 1.5, max(row["hours"] for row in rows) * 1.5]
    ends = [row[end] for row in rows for end in ("point", "low", "high") if row[end] is not None]
    margin = 0.07 * ((max(ends) - min(ends)) or 1.0)
    scores = [min(ends) - margin, max(ends) + margin]
    unit = (scores[1] - scores[0]) / HEIGHT

    def place(row: dict[str, Any]) -> tuple[float, float]:
        across = math.log(row["hours"] / hours[0]) / math.log(hours[1] / hours[0])
        return NARROW * across, (row["point"] - scores[0]) / unit

    # Left end, right end and height of what is taken, in px.
    taken = [(x - GAP / 2, x + GAP / 2, y) for x, y in map(place, rows)]
    named = []
    for row in sorted(rows, key=lambda row: (-row["point"], row["agent"])):
        x, y = place(row)
        width = min(NAME_BESIDE, CHARACTER * len(row["agent"]))
        left = x + GAP if 2 * x < NARROW else x - GAP - width
        height = next(
            (
                y + move
                for move in _MOVES
                if LINE_HEIGHT / 2 < y + move < HEIGHT - LINE_HEIGHT / 2
                and not any(
                    left < other_right
                    and other_left < left + width
                    and abs(y + move - other) < LINE_HEIGHT
                    for other_left, other_right, other in taken
                )
            ),
            y,
        )
        taken.append((left, left + width, height))
        side = "right" if 2 * x < NARROW else "left"
        named.append({**row, "side": side, "label": _brief(scores[0] + height * unit, "label")})
    return named, hours, scores


def _altair() -> ModuleType:
    try:
        import altair
    except ImportError:
        raise MissingExtra("drawing charts", "site") from None
    return altair


def _vl_convert() -> ModuleType:
    try:
        import vl_convert
    except ImportError:
        raise MissingExtra("drawing charts", "site") from None
    return vl_convert


def _version() -> str:
    """Return the version of Vega-Lite that Altair writes for, as vl-convert names it."""
    return ".".join(_altair().SCHEMA_VERSION.split(".")[:2])


# What `bundle` holds besides our own line, with the notices that its licences ask for.
NOTICES = """\
/*
Vega, Vega-Lite, Vega-Embed and their parts; licence: BSD-3-Clause
Copyright (c) 2015-2023, University of Washington Interactive Data Lab
Copyright (c) 2016, Interactive Data Lab and contributors
Copyright (c) 2017, Vega
All rights reserved.
d3-ease; licence: BSD-3-Clause
Copyright 2010-2026 Mike Bostock
Copyright 2001 Robert Penner
All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this
   list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors
  may be used to endorse or promote products derived from this software
  without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER OR CONTRIBUTORS BE LIABLE
FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

The other parts of d3, internmap and topojson-client; licence: ISC
Copyright 2010-2026 Mike Bostock
d3-delaunay and delaunator; licence: ISC
Copyright 2018-2026 Observable, Inc.
Copyright 2021-2026 Mapbox
semver; licence: ISC
Copyright (c) Isaac Z. Schlueter and Contributors

Permission to use, copy, modify, and/or distribute this software for any purpose
with or without fee is hereby granted, provided that the above copyright notice
and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.

fast-json-patch; licence: MIT
Copyright (c) 2013, 2014, 2020 Joachim Wester
json-stringify-pretty-compact; licence: MIT
Copyright (c) 2014, 2016, 2017, 2019, 2021, 2022 Simon Lydell
lodash.debounce; licence: MIT
Copyright jQuery Foundation and other contributors <https://jquery.org/>
Based on Underscore.js, copyright Jeremy Ashkenas,
DocumentCloud and Investigative Reporters & Editors <http://underscorejs.org/>
process; licence: MIT
Copyright (c) 2013 Roman Shtylman <shtylman@gmail.com>
GeographicLib, in d3-geo; licence: MIT
Copyright 2008-2012 Charles Karney
integrate-adaptive-simpson, in d3-geo-projection; licence: MIT
Copyright 2015 Ricky Reusser

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.

ColorBrewer colour schemes; licence: Apache-2.0
Copyright 2002 Cynthia Brewer, Mark Harrower, and The Pennsylvania State University

Licensed under the Apache License, Version 2.0 (the "License"); you may not use
this file except in compliance with the License. You may obtain a copy of the
License at

http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed
under the License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR
CONDITIONS OF ANY KIND, either express or implied. See the License for the
specific language governing permissions and limitations under the License.

tslib (0BSD, Copyright (c) Microsoft Corporation) and robust-predicates (Unlicense) ask for none.
*/
"""
