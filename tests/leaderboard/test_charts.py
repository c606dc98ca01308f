"""Charts show any name as it is, run nothing of it, load nothing, and never differ."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from support.browser import Seen, open_browser, open_page, serve

from rlbench.errors import InvalidScores, MissingExtra
from rlbench.leaderboard import charts
from rlbench.leaderboard.charts import (
    COLOURS,
    DATA,
    SHOWN,
    Spec,
    bundle,
    cost_chart,
    curve_chart,
    escape_json,
    improvement_chart,
    look_of,
    profile_chart,
    svg_of,
    years_chart,
)
from rlbench.leaderboard.charts.look import (
    DIVERGING,
    HEIGHT,
    LINE_HEIGHT,
    ON_PALE,
    ON_STRONG,
    STATIC_WIDTH,
    STRONG,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

altair = pytest.importorskip("altair", reason="needs the extra site")
pytest.importorskip("vl_convert", reason="needs the extra site")

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
PAPERS = ("#ffffff", "#14171a")
LABEL_COLOURS = {"light": "rgb(27, 31, 36)", "dark": "rgb(230, 232, 234)"}

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

# Prints a hash of everything that is made.
SCRIPT = """
import hashlib, json, sys
from rlbench.leaderboard import charts
rows = json.load(sys.stdin)
specs = [
    charts.profile_chart(rows["profiles"]), charts.curve_chart(rows["curves"], unit="steps"),
    charts.improvement_chart(rows["improvement"]), charts.cost_chart(rows["cost"]),
    charts.years_chart(rows["years"]),
]
made = [charts.escape_json(spec) + charts.svg_of(spec) for spec in specs]
print(hashlib.sha256("".join(made).encode() + charts.bundle()).hexdigest())
"""


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


def texts_of(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter() if is_text(text)]


def is_text(element: ElementTree.Element) -> bool:
    return element.tag == "{http://www.w3.org/2000/svg}text"


def shown(name: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def is_label_of(label: str, name: str) -> bool:
    """Say whether a label is a name, or the beginning of a long one."""
    cut = label.removesuffix("…")
    return label.rstrip() == shown(name) or (
        cut != label and len(cut) > 6 and shown(name).startswith(cut)
    )


def linear(colour: str) -> Any:
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(colour: str, other: str) -> float:
    ends = sorted(float(linear(c) @ (0.2126, 0.7152, 0.0722)) + 0.05 for c in (colour, other))
    return ends[1] / ends[0]


# --- Specifications ---------------------------------------------------------------------------


@pytest.mark.parametrize("names", [NAMES, HOSTILE, ["one", "two"]])
def test_specifications_are_valid_and_the_same_again(names: list[str]) -> None:
    for kind, spec in specs_of(names).items():
        altair.Chart.from_dict(spec)
        assert spec == specs_of(names)[kind]
        assert spec["$schema"] == altair.SCHEMA_URL
        assert list(spec["datasets"]) == [DATA]


def test_agents_stand_in_the_order_of_their_first_row() -> None:
    for kind, spec in specs_of(NAMES).items():
        channel = "y" if kind == "improvement" else "color"
        assert spec["layer"][-1 if kind != "cost" else 0]["encoding"][channel]["scale"][
            "domain"
        ] == (NAMES)
        assert [text for text in texts_of(svg_of(spec)) if text in NAMES][:3] == NAMES


def test_only_data_and_domains_hold_what_rows_hold() -> None:
    name, other = "name-of-nobody", "datum.alert(1)"
    for spec in specs_of([name, other]).values():
        without = {key: value for key, value in spec.items() if key != "datasets"}
        text = re.sub(r'"domain": \[[^]]*\]', "", json.dumps(without))
        assert name not in text
        assert other not in text


def test_bands_are_drawn_of_few_agents_alone() -> None:
    for number, layers in ((MAX_BANDS, 3), (MAX_BANDS + 1, 2)):
        names = [f"agent-{place}" for place in range(number)]
        for kind in ("profiles", "curves"):
            assert len(specs_of(names)[kind]["layer"]) == layers


def test_rows_without_an_interval_are_drawn() -> None:
    rows = rows_of(NAMES)
    bare = {
        kind: [{**row, "low": None, "high": None} for row in of_kind]
        for kind, of_kind in rows.items()
    }
    assert len(profile_chart(bare["profiles"])["layer"]) == 2
    for spec in (
        profile_chart(bare["profiles"]),
        curve_chart(bare["curves"], unit="steps"),
        improvement_chart(bare["improvement"]),
        cost_chart(bare["cost"]),
    ):
        assert set(NAMES) <= set(texts_of(svg_of(spec)))


def test_pairs_that_are_not_there_are_holes() -> None:
    rows = [
        {"x": x, "y": y, "point": 0.61, "low": None, "high": None}
        for x, y in combinations(NAMES, 2)
    ]
    texts = texts_of(svg_of(improvement_chart(rows)))
    assert texts.count("61") == 3
    # Each agent has a line and a column all the same.
    assert all(texts.count(name) == 2 for name in NAMES)


def test_names_of_near_points_stand_apart() -> None:
    points = [0.0, 1.0, *np.linspace(0.5, 0.52, 8).tolist()]
    rows = [
        {"agent": f"agent {place}", "hours": 2.0, "point": point, "low": None, "high": None}
        for place, point in enumerate(points)
    ]
    spec = cost_chart(rows)
    bottom, top = spec["layer"][1]["encoding"]["y"]["scale"]["domain"]
    heights = sorted((row["label"] - bottom) / (top - bottom) for row in spec["datasets"][DATA])
    assert min(np.diff(heights)) * HEIGHT >= LINE_HEIGHT - 0.01
    assert heights[0] > 0
    assert heights[-1] < 1


def test_numbers_in_cells_can_be_read() -> None:
    low, middle, high = (np.array([int(c[at : at + 2], 16) for at in (1, 3, 5)]) for c in DIVERGING)
    for point in np.linspace(0, 1, 201).tolist():
        way = 2 * abs(point - 0.5)
        mixed = middle + way * ((low if point < 0.5 else high) - middle)
        cell = "#" + "".join(f"{round(channel):02x}" for channel in mixed)
        written = ON_STRONG if abs(point - 0.5) > STRONG else ON_PALE
        assert contrast(cell, written) >= 4.5


def test_colours_differ_for_all_eyes_on_both_papers() -> None:
    # Machado et al. 2009, the whole loss of one kind of cone; linear RGB.
    sights = [
        np.eye(3),
        np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                  [-0.003882, -0.048116, 1.051998]]),
        np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                  [-0.011820, 0.042940, 0.968881]]),
        np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                  [0.004733, 0.691367, 0.303900]]),
    ]  # fmt: skip
    cones = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                      [0.2119034982, 0.6806995451, 0.1073969566],
                      [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
    oklab = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                      [1.9779984951, -2.4285922050, 0.4505937099],
                      [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
    assert all(contrast(colour, paper) >= 3 for colour in COLOURS for paper in PAPERS)
    for sight in sights:
        seen = [
            oklab @ np.cbrt(cones @ np.clip(sight @ linear(colour), 0, 1)) for colour in COLOURS
        ]
        assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= 0.1
    looks = {(colour, *dashes) for colour, dashes in map(look_of, range(40))}
    assert len(looks) == 40
    # No dash is needed to tell the first apart.
    assert {tuple(look_of(place)[1]) for place in range(len(COLOURS))} == {(1, 0)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"point": None}, "nothing to draw"),
        ({"point": math.nan}, "point must be a finite number, not nan"),
        ({"high": math.inf}, "high must be a finite number, not inf"),
        ({"low": "0.1"}, "low must be a finite number, not '0.1'"),
        ({"hours": 0.0}, "hours of 'a' must be positive, not 0.0"),
        ({"hours": None}, "hours of 'a' must be positive, not None"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any], message: str) -> None:
    row: dict[str, Any] = {"agent": "a", "hours": 1.0, "point": 0.5, "low": 0.4, "high": 0.6}
    cost_chart([row])
    with pytest.raises(InvalidScores, match=re.escape(message)):
        cost_chart([{**row, **change}])


def test_without_rows_there_is_nothing_to_draw() -> None:
    with pytest.raises(InvalidScores, match="nothing to draw"):
        profile_chart([])


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_library_is_named_by_its_extra(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'rlbench[site]'")):
        svg_of(profile_chart(rows_of(NAMES)["profiles"]))


def test_importing_the_package_imports_no_chart_library() -> None:
    code = (
        "import sys, rlbench, rlbench.leaderboard, rlbench.leaderboard.charts; "
        "print([name for name in ('altair', 'vl_convert') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_two_processes_make_the_same_bytes() -> None:
    rows = json.dumps(rows_of(HOSTILE[:6]))
    hashes = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], input=rows, capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(hashes) == 1
    assert re.fullmatch("[0-9a-f]{64}\n", hashes.pop())


# --- Pictures, script and data ----------------------------------------------------------------


def test_pictures_hold_the_names_and_nothing_that_acts_or_is_elsewhere() -> None:
    for spec in specs_of(HOSTILE).values():
        svg = svg_of(spec)
        root = ElementTree.fromstring(svg)
        assert root.get("width") == str(STATIC_WIDTH)
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {
            "svg", "g", "path", "line", "rect", "text", "title", "desc", "style", "defs",
            "linearGradient", "stop", "clipPath",
        }  # fmt: skip
        keys = {key for element in root.iter() for key in element.attrib}
        assert not [key for key in keys if key.startswith("on") or key.endswith("href")]
        texts = texts_of(svg)
        for name in HOSTILE:
            assert any(is_label_of(text, name) for text in texts), name
        assert root.findtext("{*}desc", "").replace("_ ,", "_,") == ", ".join(map(shown, HOSTILE))
        assert root.findtext("{*}title") == spec["description"]


def test_pictures_have_dark_inks_for_dark_pages() -> None:
    for spec in specs_of(NAMES).values():
        svg = svg_of(spec)
        style = re.search("<style>(.*?)</style>", svg)
        assert style is not None
        assert style[1].startswith("@media (prefers-color-scheme: dark)")
        drawn = svg[style.end() :]
        used = set(re.findall('(?:fill|stroke)="(#[0-9a-f]{6})"', drawn))
        for light, dark in charts.INKS.values():
            assert f'[fill="{light}"]{{fill:{dark}}}' in style[1]
            used -= {light}
        # All other colours are for both papers.
        assert used <= {*COLOURS, *DIVERGING, ON_PALE, ON_STRONG}


def test_the_bundle_is_a_classic_script_with_its_notices() -> None:
    script = bundle().decode()
    notices, _, code = script.partition("*/")
    for holder in ("University of Washington Interactive Data Lab", "Mike Bostock"):
        assert holder in notices
    assert code.startswith('\n(() => {\n"use strict";\n')
    assert code.endswith("})();\n")
    assert not re.search(r"(^|[;}\n])\s*(export|import)[ {]", code)


def test_json_in_a_page_cannot_end_its_block() -> None:
    value = {name: [name, 1.5, None] for name in [*HOSTILE, "\u2028\u2029", "\ud800"]}
    text = escape_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()
    with pytest.raises(InvalidScores, match="cannot stand in a page"):
        escape_json({"point": math.nan})


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with open_browser() as running:
        yield running


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


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    write_page(folder, specs_of(HOSTILE))
    return folder


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("usual")
    write_page(folder, specs_of([f"agent number {place}" for place in range(14)]))
    return folder


@pytest.fixture(params=["file", "http"])
def address(request: pytest.FixtureRequest, hostile: Path) -> Iterator[str]:
    """Where the page of hostile names is."""
    if request.param == "file":
        yield f"{hostile.as_uri()}/"
    else:
        with serve(hostile) as served:
            yield served


def test_hostile_names_are_text_and_nothing_runs(browser: "Browser", address: str) -> None:
    from playwright.sync_api import expect

    with open_page(browser, viewport={"width": 1000, "height": 800}) as (page, seen):
        page.goto(f"{address}index.html")
        for name in specs_of(NAMES):
            texts = chart(page, name).locator("svg text").all_text_contents()
            for agent in HOSTILE:
                assert any(is_label_of(text, agent) for text in texts), (name, agent)
        cells = chart(page, "improvement").locator(".mark-rect.role-mark path")
        tooltip = page.locator(".chart-tooltip")
        for place, agent in enumerate(HOSTILE):
            # The first of each line of the matrix.
            cells.nth(place * (len(HOSTILE) - 1)).hover(force=True)
            first = tooltip.locator("div").first
            expect(first).to_have_text(f"X {shown(agent)}", use_inner_text=False)
            assert tooltip.locator("*").count() == 2 * tooltip.locator("b").count() == 8
        seen.assert_clean(address)
        assert len(seen.requests) == 1 + 3 + 4


def test_the_bundle_sets_one_global(browser: "Browser", usual: Path) -> None:
    (usual / "bare.html").write_text("<!doctype html><title>Bare</title>")
    names = "Object.getOwnPropertyNames(window)"
    with open_page(browser) as (page, _seen):
        page.goto(f"{usual.as_uri()}/bare.html")
        before = set(page.evaluate(names))
        page.goto(f"{usual.as_uri()}/index.html")
        assert set(page.evaluate(names)) - before == {"vegaEmbed"}


def test_a_chart_is_drawn_when_it_comes_near(browser: "Browser", usual: Path) -> None:
    with open_page(browser, viewport={"width": 800, "height": 200}) as (page, seen):
        page.goto(f"{usual.as_uri()}/index.html")
        chart(page, "profiles")
        last = page.locator('figure[data-chart="cost"]')
        assert last.locator("img").count() == 1
        assert last.locator(".chart").count() == 0
        drawn = chart(page, "cost").locator(".chart")
        assert drawn.get_attribute("role") == "img"
        assert drawn.get_attribute("aria-label") == "The chart <cost>"
        seen.assert_clean(usual.as_uri())


def test_a_pointer_shows_the_numbers_and_picks_out_an_agent(
    browser: "Browser", usual: Path
) -> None:
    from playwright.sync_api import expect

    with open_page(browser, viewport={"width": 1000, "height": 800}) as (page, seen):
        page.goto(f"{usual.as_uri()}/index.html")
        figure = chart(page, "profiles")
        lines = figure.locator(".mark-line path")

        def faint() -> list[int]:
            strengths = [float(line.get_attribute("opacity") or 1) for line in lines.all()]
            return [place for place, strength in enumerate(strengths) if strength < 1]

        others = [place for place in range(14) if place != 2]
        assert faint() == []
        # The third agent, at its fifth threshold.
        figure.locator(".mark-symbol.role-mark path").nth(2 * 12 + 4).hover(force=True)
        tooltip = page.locator(".chart-tooltip")
        row = specs_of([f"agent number {place}" for place in range(14)])["profiles"]["datasets"][
            DATA
        ][2 * 12 + 4]
        expect(tooltip).to_contain_text("agent number 2")
        expect(tooltip).to_contain_text(f"{row['point']:.3f}")
        expect(tooltip).to_contain_text(f"{row['low']:.3f} to {row['high']:.3f}")
        assert faint() == others
        page.mouse.move(2, 2)
        expect(tooltip).to_have_count(0)
        assert faint() == []
        label = figure.locator(".role-legend-label text").nth(2)
        label.hover()
        assert faint() == others
        label.click()
        page.mouse.move(2, 2)
        assert faint() == others
        seen.assert_clean(usual.as_uri())


@pytest.mark.parametrize("width", [360, 1200])
def test_charts_fit_the_page_and_cut_no_name(browser: "Browser", usual: Path, width: int) -> None:
    with open_page(browser, viewport={"width": 700, "height": 800}) as (page, seen):
        page.goto(f"{usual.as_uri()}/index.html")
        for name in specs_of(NAMES):
            chart(page, name)
        page.set_viewport_size({"width": width, "height": 800})
        for name in specs_of(NAMES):
            figure = chart(page, name)
            wait_for_width(figure, width - 32)
            check_inside(figure)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        seen.assert_clean(usual.as_uri())


def test_charts_fit_a_narrow_page_from_the_start(browser: "Browser", usual: Path) -> None:
    with open_page(browser, viewport={"width": 360, "height": 800}) as (page, _seen):
        page.goto(f"{usual.as_uri()}/index.html")
        for name in specs_of(NAMES):
            check_inside(chart(page, name))
        labels = chart(page, "cost").locator(".mark-text.role-mark text").all()
        boxes = [box for box in (label.bounding_box() for label in labels) if box is not None]
        assert len(boxes) == 14
        for one, other in combinations(boxes, 2):
            across = min(one["x"] + one["width"], other["x"] + other["width"])
            down = min(one["y"] + one["height"], other["y"] + other["height"])
            apart = across - max(one["x"], other["x"]) < 3 or down - max(one["y"], other["y"]) < 3
            assert apart


def wait_for_width(figure: "Locator", width: int) -> None:
    from playwright.sync_api import expect

    expect(figure.locator("svg")).to_have_attribute("width", str(width))


def check_inside(figure: "Locator") -> None:
    """Assert that all text of a chart stands within it."""
    outer = figure.locator("svg").bounding_box()
    assert outer is not None
    texts = figure.locator("svg text")
    assert texts.count() > 14
    for text in texts.all():
        box = text.bounding_box()
        assert box is not None
        assert box["x"] >= outer["x"] - 1
        assert box["y"] >= outer["y"] - 1
        assert box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
        assert box["y"] + box["height"] <= outer["y"] + outer["height"] + 1


def test_inks_are_the_page_s_and_follow_its_scheme(browser: "Browser", usual: Path) -> None:
    from playwright.sync_api import expect

    with open_page(browser, color_scheme="light") as (page, seen):
        page.goto(f"{usual.as_uri()}/index.html")
        figure = chart(page, "profiles")
        title = figure.locator(".role-axis-title text").first
        expect(title).to_have_attribute("fill", LABEL_COLOURS["light"])
        page.emulate_media(color_scheme="dark")
        expect(title).to_have_attribute("fill", LABEL_COLOURS["dark"])
        assert figure.locator(".chart").count() == 1
        assert figure.locator(".chart").get_attribute("aria-label") == "The chart <profiles>"
        seen.assert_clean(usual.as_uri())


@pytest.mark.parametrize("broken", ['{"layer": ', "{}", '{"usermeta": {"inks": {}}, "config": {}}'])
def test_what_cannot_be_drawn_stays_a_picture(
    browser: "Browser", usual: Path, tmp_path: Path, broken: str
) -> None:
    for name in ("charts.js", "vega.js", "style.css", "cost.svg"):
        (tmp_path / name).symlink_to(usual / name)
    (tmp_path / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>Broken</title>'
        '<script src="vega.js" defer></script><script src="charts.js" defer></script>'
        '<figure data-chart="cost"><img src="cost.svg" alt="Cost"></figure>'
        f'<script type="application/json" id="chart-cost">{broken}</script>'
    )
    with open_page(browser) as (page, seen):
        with page.expect_console_message(lambda message: "stays as it was" in message.text):
            page.goto(f"{tmp_path.as_uri()}/index.html")
        assert page.locator("figure img").count() == 1
        assert page.locator("figure .chart").count() == 0
        assert seen.errors == []


@pytest.mark.parametrize("where", ["https://example.org/rows.json", "rows.json"])
def test_a_chart_loads_nothing(browser: "Browser", tmp_path: Path, where: str) -> None:
    spec = specs_of(NAMES)["cost"]
    write_page(tmp_path, {"cost": spec})
    (tmp_path / "rows.json").write_text("[]")
    index = tmp_path / "index.html"
    # Without the policy, which would forbid it too.
    loading = escape_json({**spec, "data": {"url": where}})
    page_text = index.read_text().replace("Content-Security-Policy", "x-nothing")
    index.write_text(page_text.replace(escape_json(spec), loading))
    assert loading in index.read_text()
    with serve(tmp_path) as address, open_page(browser) as (page, seen):
        with page.expect_console_message(lambda message: "Loading failed" in message.text):
            page.goto(f"{address}index.html")
        assert [url for url in seen.requests if "rows.json" in url] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_stand_on_either_paper(
    browser: "Browser", usual: Path, scheme: str, tmp_path: Path
) -> None:
    import matplotlib.image

    with open_page(
        browser, color_scheme=scheme, java_script_enabled=False,
        viewport={"width": 800, "height": 500},
    ) as (page, seen):  # fmt: skip
        page.goto(f"{usual.as_uri()}/index.html")
        path = tmp_path / "shot.png"
        page.locator("figure img").first.screenshot(path=path)
        pixels = matplotlib.image.imread(path)[..., :3]
        ink = np.array([27, 31, 36] if scheme == "light" else [230, 232, 234]) / 255
        paper = np.array([255, 255, 255] if scheme == "light" else [20, 23, 26]) / 255
        assert (np.abs(pixels - ink).max(axis=-1) < 0.02).sum() > 50
        assert (np.abs(pixels - paper).max(axis=-1) < 0.02).mean() > 0.5
        seen.assert_clean(usual.as_uri())


def test_seen_tells_what_went_wrong(browser: "Browser", tmp_path: Path) -> None:
    (tmp_path / "bad.js").write_text("console.error('told'); alert('asked'); throw Error('lost');")
    (tmp_path / "index.html").write_text(
        '<!doctype html><title>Bad</title><meta http-equiv="Content-Security-Policy" '
        f'content="{escape(POLICY)}"><script>1</script><script src="bad.js"></script>'
        '<img src="none.png">'
    )
    with open_page(browser) as (page, seen):
        page.goto(f"{tmp_path.as_uri()}/index.html")
        page.wait_for_load_state("networkidle")
        assert "told" in seen.console
        assert seen.dialogs == ["asked"]
        assert seen.errors == ["lost"]
        assert seen.violations == ["script-src-elem: inline"]
        assert [Path(url).name for url in seen.failed] == ["none.png"]
        with pytest.raises(AssertionError):
            Seen(requests=["https://example.org/"]).assert_clean(tmp_path.as_uri())
