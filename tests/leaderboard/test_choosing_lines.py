"""A reader chooses and pins lines of charts in Chromium; the address keeps what was chosen."""

import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from support.browser import address_of, open_page
from support.charts import is_label_of
from support.records import ATARI, make_record

from rlbench.leaderboard import build_site
from rlbench.leaderboard.charts import SHOWN
from rlbench.results import Loaded, Record

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytest.importorskip("altair", reason="needs the extra site")
pytest.importorskip("vl_convert", reason="needs the extra site")

BOARD = "atari100k-1/index.html"
# Names of agents that would run or break a page if they were not text, comma and all.
HOSTILE = (
    "<img src=x onerror=__hit=1>", '"><script>__hit=1</script>', "a,b&pinned=c", "datum.agent",
    "'+__hit+'", "__proto__", "]]><svg onload=__hit=1>",
)  # fmt: skip
AGENTS = ("plain", *HOSTILE)
MAX_WEIGHT = 100_000  # bytes, compressed, of the first load of a board, vega.js aside


def records_of(agents: tuple[str, ...]) -> list[Record]:
    found = []
    for place, agent in enumerate(agents):
        for task in ATARI.tasks:
            for seed in range(3):
                share = 1 - 0.1 * place + 0.02 * seed
                value = task.low + share * (task.high - task.low)
                record = make_record(task.name, agent, seed, value)
                (final,) = record.evaluations
                half = replace(
                    final,
                    budget_used=final.budget_used // 2,
                    returns=tuple(r / 2 for r in final.returns),
                )
                timing: dict[str, str | float] = {"seconds": 3600.0 * (place + 1)}
                found.append(replace(record, evaluations=(half, final), timing=timing))
    return found


@pytest.fixture(scope="module")
def site(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "site"
    build_site(Loaded(records_of(AGENTS), []), out, only=["atari100k"])
    return out


def figure_of(page: "Page", name: str) -> "Locator":
    """Return a figure once it is drawn."""
    figure = page.locator(f'figure[data-chart="{name}"]')
    figure.scroll_into_view_if_needed()
    figure.locator(".chart svg").wait_for()
    return figure


def chooser_of(page: "Page", name: str) -> "Locator":
    chooser = page.locator(f'details[data-of="{name}"]')
    if chooser.get_attribute("open") is None:
        chooser.locator("summary").click()
    return chooser


def names_in(figure: "Locator") -> list[str]:
    """Return the agents whose names stand at the ends of lines, in full or cut."""
    texts = figure.locator(".names_marks text").all_text_contents()
    return [next(name for name in AGENTS if is_label_of(text, name)) for text in texts]


def state_of(page: "Page") -> dict[str, str]:
    return dict(parse_qsl(address_of(page).partition("#?")[2]))


def wait_for_lines(figure: "Locator", number: int) -> None:
    from playwright.sync_api import expect

    expect(figure.locator(".lines_marks path")).to_have_count(number)
    expect(figure.locator(".chart")).to_have_count(1)


def faint_in(figure: "Locator") -> list[int]:
    lines = figure.locator(".lines_marks path").all()
    strengths = [float(line.get_attribute("opacity") or 1) for line in lines]
    return [place for place, strength in enumerate(strengths) if strength < 1]


def test_six_lines_are_drawn_until_others_are_chosen(browser: "Browser", site: Path) -> None:
    with open_page(browser, viewport={"width": 1000, "height": 800}) as (page, seen):
        page.goto(f"{site.as_uri()}/{BOARD}")
        figure = figure_of(page, "profiles-records")
        chooser = chooser_of(page, "profiles-records")
        wait_for_lines(figure, SHOWN)
        assert names_in(figure) == list(AGENTS[:SHOWN])
        assert chooser.locator(".count").inner_text() == f"6 of {len(AGENTS)}"
        boxes = chooser.locator("input")
        assert [box.is_checked() for box in boxes.all()] == [True] * 6 + [False] * 2
        before = figure.locator(".lines_marks path").nth(1).get_attribute("stroke")
        boxes.nth(7).check()
        wait_for_lines(figure, SHOWN + 1)
        boxes.nth(0).uncheck()
        wait_for_lines(figure, SHOWN)
        assert set(names_in(figure)) == set(AGENTS) - {AGENTS[0], AGENTS[6]}
        # The others keep their colours.
        assert figure.locator(".lines_marks path").nth(0).get_attribute("stroke") == before
        # The chart of curves follows; that of papers has none of these and stays.
        curves = figure_of(page, "curves")
        wait_for_lines(curves, SHOWN)
        assert set(names_in(curves)) == set(names_in(figure))
        wait_for_lines(figure_of(page, "profiles-papers"), SHOWN)
        chooser.get_by_role("button", name="Back to the first").click()
        wait_for_lines(figure, SHOWN)
        assert names_in(figure) == list(AGENTS[:SHOWN])
        assert "#" not in address_of(page)
        assert not page.evaluate("'__hit' in window")
        seen.assert_clean(site.as_uri())


def test_the_address_brings_lines_and_pins_back_with_what_was_searched(
    browser: "Browser", site: Path
) -> None:
    from playwright.sync_api import expect

    with open_page(browser) as (page, seen):
        page.goto(f"{site.as_uri()}/{BOARD}")
        page.locator("input[type=search]").fill("plain")
        figure = figure_of(page, "profiles-records")
        chooser = chooser_of(page, "profiles-records")
        chooser.locator("input").nth(6).check()
        chooser.locator("li button").nth(6).click()
        expect(chooser.locator("li button").nth(6)).to_have_attribute("aria-pressed", "true")
        expect(figure.locator(".lines_marks path")).to_have_count(SHOWN + 1)
        page.locator("select[name=badge]").select_option("self-reported")
        state = state_of(page)
        assert set(state) == {"q", "badge", "lines", "pinned"}
        assert len(state["lines"].split(",")) == SHOWN + 1
        assert re.fullmatch(r"[a-z0-9._-]+", state["pinned"])
        with open_page(browser) as (other, _):
            other.goto(address_of(page))
            again = figure_of(other, "profiles-records")
            wait_for_lines(again, SHOWN + 1)
            assert len(faint_in(again)) == SHOWN
            assert other.locator("input[type=search]").input_value() == "plain"
        # A jump within the page forgets nothing, in whatever script it is kept.
        page.locator(".jumps").get_by_role("link", name="Tasks").click()
        page.wait_for_url("**#tasks")
        page.locator("input[type=search]").fill("plai")
        assert state_of(page) == {**state, "q": "plai"}
        page.get_by_role("button", name="Reset").click()
        wait_for_lines(figure, SHOWN)
        assert faint_in(figure) == []
        assert "#" not in address_of(page)
        seen.assert_clean(site.as_uri())


def test_pointing_at_a_name_picks_it_out_and_a_click_pins_it(
    browser: "Browser", site: Path
) -> None:
    from playwright.sync_api import expect

    with open_page(browser, viewport={"width": 1000, "height": 800}) as (page, seen):
        page.goto(f"{site.as_uri()}/{BOARD}")
        figure = figure_of(page, "profiles-records")
        curves = figure_of(page, "curves")
        figure.scroll_into_view_if_needed()
        chooser = chooser_of(page, "profiles-records")
        others = [place for place in range(SHOWN) if place != 2]
        name = figure.locator(".names_marks text").nth(2)
        name.hover()
        expect(figure.locator(".lines_marks path").nth(0)).to_have_attribute("opacity", "0.12")
        assert faint_in(figure) == others
        page.mouse.move(2, 2)
        expect(figure.locator(".lines_marks path").nth(0)).to_have_attribute("opacity", "1")
        name.click()
        page.mouse.move(2, 2)
        expect(chooser.locator("li button").nth(2)).to_have_attribute("aria-pressed", "true")
        expect(curves.locator(".lines_marks path").nth(0)).to_have_attribute("opacity", "0.12")
        assert faint_in(figure) == faint_in(curves) == others
        # Pins stay when the page turns dark.
        page.emulate_media(color_scheme="dark")
        figure.locator('.role-axis-title text[fill="rgb(230, 232, 234)"]').first.wait_for()
        wait_for_lines(figure, SHOWN)
        assert faint_in(figure) == others
        # A pinned agent that is not drawn dims nobody.
        chooser.locator("input").nth(2).uncheck()
        wait_for_lines(figure, SHOWN - 1)
        assert faint_in(figure) == []
        assert chooser.locator("li button").nth(2).is_disabled()
        seen.assert_clean(site.as_uri())


def test_lines_are_chosen_and_pinned_without_a_mouse(browser: "Browser", site: Path) -> None:
    from playwright.sync_api import expect

    with open_page(browser) as (page, seen):
        page.goto(f"{site.as_uri()}/{BOARD}")
        figure = figure_of(page, "profiles-records")
        chooser = page.locator('details[data-of="profiles-records"]')
        chooser.locator("summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(chooser.locator("input").first).to_be_focused()
        # Its line is picked out while it has the focus.
        expect(figure.locator(".lines_marks path").nth(1)).to_have_attribute("opacity", "0.12")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(chooser.locator("li button").first).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Space")
        wait_for_lines(figure, SHOWN - 1)
        assert AGENTS[0] not in names_in(figure)
        seen.assert_clean(site.as_uri())


@pytest.mark.parametrize("state", ["lines=nobody", "lines=,,&pinned=,", "pinned=__proto__,a"])
def test_agents_that_are_not_there_change_nothing(
    browser: "Browser", site: Path, state: str
) -> None:
    with open_page(browser) as (page, seen):
        page.goto(f"{site.as_uri()}/{BOARD}#?{state}")
        figure = figure_of(page, "profiles-records")
        wait_for_lines(figure, SHOWN)
        assert faint_in(figure) == []
        seen.assert_clean(site.as_uri())


def test_without_scripts_six_are_shown_and_the_rest_is_told(browser: "Browser", site: Path) -> None:
    with open_page(browser, java_script_enabled=False) as (page, seen):
        page.goto(f"{site.as_uri()}/{BOARD}")
        figure = page.locator('figure[data-chart="profiles-records"]')
        assert "the points of 2 more are in board.json" in figure.inner_text()
        assert page.locator("details.lines:visible").count() == 0
        picture = site / "atari100k-1/charts/profiles-records.svg"
        assert picture.read_text().count(">plain<") == 1
        curves = page.locator("ul.multiples li")
        assert curves.count() == len(ATARI.tasks)
        curves.last.scroll_into_view_if_needed()
        assert curves.last.locator("a").get_attribute("href") == "tasks/upndown.html"
        seen.assert_clean(site.as_uri())


def test_the_heat_map_fits_and_keeps_its_first_column(browser: "Browser", site: Path) -> None:
    with open_page(browser, viewport={"width": 1280, "height": 900}) as (page, _):
        page.goto(f"{site.as_uri()}/{BOARD}")
        fits = "document.querySelector('.heat').offsetWidth <= innerWidth - 40"
        assert page.evaluate(fits)
        page.set_viewport_size({"width": 360, "height": 800})
        region = page.locator(".scroll:has(> .heat)")
        region.evaluate("e => { e.scrollLeft = 400; }")
        box = page.locator(".heat tbody th[scope=row]").first.bounding_box()
        outer = region.bounding_box()
        assert box
        assert outer
        assert box["x"] == pytest.approx(outer["x"], abs=1)
        assert "clipped" in page.locator(".shades").inner_text()
        # Headings of groups go with their last agent.
        headings = page.locator(".heat tr.group:visible")
        assert headings.count() > 2
        page.locator("input[type=search]").fill("plain")
        assert headings.all_text_contents() == ["Records, pool 1"]


def test_the_first_load_of_a_board_is_light(site: Path) -> None:
    folder = site / "atari100k-1"
    parts = [folder / "index.html", *(site / "assets").iterdir()]
    weights = {p.name: len(gzip.compress(p.read_bytes())) for p in parts if p.name != "vega.js"}
    assert sum(weights.values()) < MAX_WEIGHT, weights
