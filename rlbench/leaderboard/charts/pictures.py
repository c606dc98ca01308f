"""Charts as pictures (SVG): what a page shows where no script runs."""

import re
from html import escape

from rlbench.leaderboard.charts.lines import choose, shown_first
from rlbench.leaderboard.charts.look import (
    DATA,
    INKS,
    POINTER,
    STATIC_WIDTH,
    Spec,
    distinct,
    library,
    version,
)


def svg_of(spec: Spec) -> str:
    """Return a chart as a picture (SVG) that fits light and dark pages, `STATIC_WIDTH` px wide.

    Nothing is loaded for it, and it has no font of its own. Of a chart of lines it shows the first.

    Raises:
        MissingExtra: vl-convert is not installed.
    """
    if "lines" in spec["usermeta"]:
        spec = choose(spec, shown_first(spec))
    still = {
        **spec,
        "width": STATIC_WIDTH,
        "layer": [layer for layer in spec["layer"] if layer.get("name") != POINTER],
    }
    drawn = library("vl_convert").vegalite_to_svg(still, vl_version=version(), allowed_base_urls=[])
    start, end = _numbered_afresh(drawn).split(">", 1)
    dark = "".join(
        f'[{what}="{light}"]{{{what}:{instead}}}'
        for light, instead in INKS.values()
        for what in ("fill", "stroke")
    )
    agents = distinct(
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
