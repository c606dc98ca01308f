"""Charts to test with: rows of any names, and a page that shows them."""

import math
from html import escape
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.leaderboard.charts import (
    Spec,
    bundle,
    cost_chart,
    curve_chart,
    escape_json,
    improvement_chart,
    profile_chart,
    svg_of,
    years_chart,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

POLICY = (
    "default-src 'none'; style-src 'self' file:; img-src 'self' file: data:; "
    "script-src 'self' file:; base-uri 'none'; form-action 'none'"
)
STYLE = """
:root {
  color-scheme: light dark;
  --ink: light-dark(#1b1f24, #e6e8ea); --soft: light-dark(#5b6470, #9aa4af);
  --paper: light-dark(#ffffff, #14171a); --line: light-dark(#dfe3e8, #2c3238);
}
body { margin: 16px; background: var(--paper); font-family: sans-serif; }
figure { margin: 0; }
figure img { max-width: 100%; }
"""

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "<!--<script>",
    "]]><b>",
    "javascript:alert(1)",
    "${alert(1)}",
    "{{alert(1)}}",
    "datum.constructor.constructor('alert(1)')()",
    "datum.agent",
    "a.b[0]",
    "a\\.b",
    "[object Object]",
    "__proto__",
    "constructor",
    "null",
    "undefined",
    "NaN",
    "true",
    "0",
    "1e3",
    "2024-01-01",
    '"double"',
    "'single'",
    "back\\slash",
    "line\nbreak",
    "\x00\x1b[31m\u202etxt",
    "&lt;b&gt; &amp;",
    "#1b1f24",
    "url(https://example.org/x.png)",
    "@import 'https://example.org'",
    "x" * 300,
    "\U0001f916 名前 اسم",
]
NAMES = ["Zebra", "apple", "Mango"]


def rows_of(names: list[str]) -> dict[str, list[dict[str, Any]]]:
    random = np.random.default_rng(0)
    strength = {name: 2 - 1.7 * place / len(names) for place, name in enumerate(names)}
    hours = {name: math.exp(random.uniform(-1, 4)) for name in names}

    def around(point: float) -> dict[str, float]:
        return {"point": point, "low": point - 0.04, "high": point + 0.04}

    return {
        "profiles": [
            {"agent": name, "tau": tau, **around(math.exp(-tau / of))}
            for name, of in strength.items()
            for tau in np.linspace(0.1, 3, 12).tolist()
        ],
        "curves": [
            {"agent": name, "step": step, **around(of * (1 - math.exp(-step / 1e5)))}
            for name, of in strength.items()
            for step in range(10_000, 400_000, 40_000)
        ],
        "improvement": [
            {"x": x, "y": y, **around(1 / (1 + math.exp(strength[y] - strength[x])))}
            for x, y in permutations(names, 2)
        ],
        "cost": [
            {"agent": name, "hours": hours[name], **around(of)} for name, of in strength.items()
        ],
        "years": [
            {"agent": name, "year": 2020 + place % 4, **around(of)}
            for place, (name, of) in enumerate(strength.items())
        ],
    }


def specs_of(names: list[str]) -> dict[str, Spec]:
    rows = rows_of(names)
    return {
        "profiles": profile_chart(rows["profiles"]),
        "curves": curve_chart(rows["curves"], unit="environment steps"),
        "improvement": improvement_chart(rows["improvement"]),
        "cost": cost_chart(rows["cost"]),
        "years": years_chart(rows["years"]),
    }


def shown(name: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def is_label_of(label: str, name: str) -> bool:
    """Say whether a label is a name, or the beginning of a long one."""
    cut = label.removesuffix("…")
    return label.rstrip() == shown(name) or (
        cut != label and len(cut) > 6 and shown(name).startswith(cut)
    )


def with_room(spec: Spec, names: list[str]) -> list[str]:
    """Return the names that a chart has room for: of points in a crowd, some have none."""
    without = {row["agent"].rstrip() for row in spec["datasets"]["rows"] if row.get("side") == ""}
    found = [name for name in names if shown(name) not in without]
    assert len(found) > len(names) / 3
    return found


def write_page(folder: Path, specs: dict[str, Spec]) -> None:
    script = files("rlbench.leaderboard").joinpath("templates/charts.js")
    (folder / "charts.js").write_bytes(script.read_bytes())
    (folder / "vega.js").write_bytes(bundle())
    (folder / "style.css").write_text(STYLE)
    figures = ""
    for name, spec in specs.items():
        (folder / f"{name}.svg").write_text(svg_of(spec), encoding="utf-8")
        figures += (
            f'<figure data-chart="{name}"><img src="{name}.svg" alt="The chart &lt;{name}&gt;">'
            f"<figcaption>{name}</figcaption></figure>"
            f'<script type="application/json" id="chart-{name}">{escape_json(spec)}</script>\n'
        )
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Charts</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">'
        '<script src="vega.js" defer></script><script src="charts.js" defer></script></head>'
        f"<body>{figures}</body></html>"
    )


def chart(page: "Page", name: str) -> "Locator":
    """Return a figure once it is drawn; it is scrolled to first."""
    from playwright.sync_api import expect

    figure = page.locator(f'figure[data-chart="{name}"]')
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".chart svg")).to_have_count(1)
    expect(figure.locator("img")).to_have_count(0)
    return figure
