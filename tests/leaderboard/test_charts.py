"""Charts show any name as it is, run nothing of it, load nothing, and never differ."""

import json
import math
import re
import subprocess
import sys
from itertools import combinations
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from support.charts import (
    HOSTILE,
    NAMES,
    is_label_of,
    rows_of,
    shown,
    specs_of,
    with_room,
)

from rlbench.errors import InvalidScores, MissingExtra
from rlbench.leaderboard import charts
from rlbench.leaderboard.captions import MAX_BANDS
from rlbench.leaderboard.charts import (
    COLOURS,
    DATA,
    SHOWN,
    bundle,
    choose,
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
    pass

altair = pytest.importorskip("altair", reason="needs the extra site")
pytest.importorskip("vl_convert", reason="needs the extra site")

PAPERS = ("#ffffff", "#14171a")
LABEL_COLOURS = {"light": "rgb(27, 31, 36)", "dark": "rgb(230, 232, 234)"}

# Prints a hash of everything that is made.
SCRIPT = """
import hashlib, json, sys
from rlbench.leaderboard import charts
from rlbench.leaderboard.captions import MAX_BANDS
rows = json.load(sys.stdin)
specs = [
    charts.profile_chart(rows["profiles"]), charts.curve_chart(rows["curves"], unit="steps"),
    charts.improvement_chart(rows["improvement"]), charts.cost_chart(rows["cost"]),
    charts.years_chart(rows["years"]),
]
made = [charts.escape_json(spec) + charts.svg_of(spec) for spec in specs]
print(hashlib.sha256("".join(made).encode() + charts.bundle()).hexdigest())
"""


def texts_of(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter() if is_text(text)]


def is_text(element: ElementTree.Element) -> bool:
    return element.tag == "{http://www.w3.org/2000/svg}text"


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
        assert set(spec["datasets"]) <= {DATA, "best"}


def test_agents_stand_in_the_order_of_their_first_row() -> None:
    specs = specs_of(NAMES)
    assert specs["improvement"]["layer"][-1]["encoding"]["y"]["scale"]["domain"] == NAMES
    for kind in ("profiles", "curves", "improvement"):
        assert [text for text in texts_of(svg_of(specs[kind])) if text in NAMES][:3] == NAMES


def test_only_data_and_domains_hold_what_rows_hold() -> None:
    name, other = "name-of-nobody", "datum.alert(1)"
    for spec in specs_of([name, other]).values():
        few = choose(spec, [name, other]) if "lines" in spec["usermeta"] else spec
        for drawn in (spec, few):
            without = {key: value for key, value in drawn.items() if key != "datasets"}
            text = re.sub(r'"domain": \[[^]]*\]', "", json.dumps(without))
            assert name not in text
            assert other not in text


def test_bands_are_drawn_of_few_agents_alone() -> None:
    names = [f"agent-{place}" for place in range(MAX_BANDS + 1)]
    for kind in ("profiles", "curves"):
        spec = specs_of(names)[kind]
        for number, banded in ((MAX_BANDS, True), (MAX_BANDS + 1, False)):
            layers = [layer["name"] for layer in choose(spec, names[:number])["layer"]]
            assert ("bands" in layers) == banded


def test_rows_without_an_interval_are_drawn() -> None:
    rows = rows_of(NAMES)
    bare = {
        kind: [{**row, "low": None, "high": None} for row in of_kind]
        for kind, of_kind in rows.items()
    }
    assert "bands" not in [layer["name"] for layer in profile_chart(bare["profiles"])["layer"]]
    for spec in (
        profile_chart(bare["profiles"]),
        curve_chart(bare["curves"], unit="steps"),
        improvement_chart(bare["improvement"]),
        cost_chart(bare["cost"]),
        years_chart(bare["years"]),
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
    bottom, top = spec["layer"][2]["encoding"]["y"]["scale"]["domain"]
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
        few = HOSTILE[:SHOWN] if "lines" in spec["usermeta"] else HOSTILE
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
        for name in with_room(spec, few):
            assert any(is_label_of(text, name) for text in texts), name
        told = root.findtext("{*}desc", "").replace("_ ,", "_,").split(", ")
        assert sorted(told) == sorted(map(shown, few))
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
