"""Charts in a page: drawn by a script from what stands in it, as large as it and in its inks."""

from collections.abc import Iterator
from html import escape
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np
import pytest
from support.browser import Seen, address_of, open_page, serve
from support.charts import (
    HOSTILE,
    NAMES,
    POLICY,
    chart,
    is_label_of,
    shown,
    specs_of,
    with_room,
    write_page,
)

from rlbench.leaderboard import charts
from rlbench.leaderboard.charts import DATA, SHOWN, escape_json

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytest.importorskip("altair", reason="needs the extra site")
pytest.importorskip("vl_convert", reason="needs the extra site")

LABEL_COLOURS = {"light": "rgb(27, 31, 36)", "dark": "rgb(230, 232, 234)"}


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
        # All of them, in charts of lines too.
        lines = urlencode({"lines": ",".join(map(charts.shown, HOSTILE))})
        page.goto(f"{address}index.html#?{lines}")
        for name, spec in specs_of(HOSTILE).items():
            texts = chart(page, name).locator("svg text").all_text_contents()
            for agent in with_room(spec, HOSTILE):
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
        assert len(seen.requests) == 1 + 3 + 5


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

        others = [place for place in range(SHOWN) if place != 2]
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
        label = figure.get_by_text("agent number 2", exact=True)
        label.hover()
        assert faint() == others
        label.click()
        page.mouse.move(2, 2)
        assert faint() == others
        assert address_of(page).endswith("#?" + urlencode({"pinned": "agent number 2"}))
        label.click()
        page.mouse.move(2, 2)
        assert faint() == []
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
