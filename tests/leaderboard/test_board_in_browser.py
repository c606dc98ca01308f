"""Cards, headlines and tables of boards in Chromium, with scripts and without."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.browser import address_of, open_page
from support.pages import (
    FAINT,
    MIN_CONTRAST,
    header,
    hit,
    order_of,
    ordinary_records,
    shown_in,
    wait_until,
)
from support.payloads import PAYLOADS
from support.records import ATARI, make_record

from rlbench.leaderboard import build_site
from rlbench.leaderboard.boards import Board, Entry, make_boards
from rlbench.leaderboard.headlines import facts, leads, score_text, top
from rlbench.leaderboard.parts import part_of
from rlbench.leaderboard.site import _pages
from rlbench.results import Loaded, published
from rlbench.results.text import is_visible

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BOARD = "atari100k-1/index.html"
FIRST_COLUMNS = ["agent", "rank", "tier", "iqm"]
MORE_COLUMNS = ["mean", "median", "optimality_gap", "runs", "tasks", "hours", "date", "badge",
                "source", "deviations"]  # fmt: skip
TABLES = ("Agents", "Published")


class Site(NamedTuple):
    """A built site, and what its largest board was made of."""

    out: Path
    board: Board


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Of agents with records and published ones, and a board of a failed run alone."""
    records = ordinary_records()
    changed = ATARI.make_unofficial({"budget": 3000, "episodes": 5})
    records.append(make_record("Pong", "hapless", 0, status="failed", suite=changed))
    out = tmp_path_factory.mktemp("site") / "site"
    build_site(Loaded(records, []), out, only=["atari100k"])
    board, _ = make_boards(records, only=["atari100k"])
    return Site(out, board)


@pytest.fixture
def address(site: Site) -> str:
    return f"{site.out.as_uri()}/"


def shown_columns(page: "Page", table: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        f'table[aria-label="{table}"] th[data-sort]',
        "all => all.filter(h => h.checkVisibility()).map(h => h.dataset.sort)",
    )
    return found


def columns_of(table: str, more: list[str]) -> list[str]:
    other = "hours" if table == "Published" else "deviations"
    return [*FIRST_COLUMNS, *(key for key in more if key != other)]


# Tables of agents that can be scrolled sideways.
TOO_WIDE = """() => [...document.querySelectorAll(".scroll:has(table.board)")]
  .filter((region) => region.scrollWidth > region.clientWidth).length"""

# Of each line of a plot: its agent, where its point stands between the references, which are at 0
# and 1, and how far its bar reaches.
PLACES = """(plot) => [...plot.querySelectorAll("li:has(circle)")].map((line) => {
  const x = (element) => {
    const box = element.getBoundingClientRect();
    return (box.left + box.right) / 2;
  };
  const [zero, one] = [...line.querySelectorAll(".reference")].map(x);
  const bar = line.querySelector(".bar")?.getBoundingClientRect();
  const share = (px) => (px - zero) / (one - zero);
  return {
    agent: line.querySelector("a").textContent,
    point: share(x(line.querySelector("circle"))),
    ends: bar ? [share(bar.left), share(bar.right)] : null,
    hollow: line.querySelector("circle").classList.contains("hollow"),
  };
})"""


def assert_drawn(page: "Page", plot: str, entries: tuple[Entry, ...]) -> None:
    """Assert that a plot shows the IQM of agents, with its interval, to a pixel or two."""
    drawn: list[dict[str, Any]] = page.locator(plot).first.evaluate(PLACES)
    assert [line["agent"] for line in drawn] == [entry.agent for entry in entries]
    for line, entry in zip(drawn, entries, strict=True):
        row = entry.metrics["iqm"]
        assert line["point"] == pytest.approx(row.point, abs=0.02)
        assert line["hollow"] == bool(entry.paper)
        assert line["ends"] == pytest.approx([row.low, row.high], abs=0.03)


def test_the_first_page_says_who_is_best_and_how_sure_that_is(
    browser: "Browser", site: Site, address: str
) -> None:
    with open_page(browser, viewport={"width": 1280, "height": 900}) as (page, seen):
        page.goto(f"{address}index.html")
        card = page.locator(".boards > li").first
        best, highest = leads(site.board)
        for lead, line in zip((best, highest), card.locator(".leader").all(), strict=True):
            score = score_text(lead.entry.metrics["iqm"])
            assert line.inner_text() == f"{lead.entry.agent} {score}; 1 = human"
        (text,) = card.all_inner_texts()
        assert f"{best.claim}; rank 1 of 3 under one protocol" in text
        assert f"{highest.claim}; its protocol differs in {highest.differs}; rank 1 of 3" in text
        assert " · ".join(facts(site.board)) in text
        assert_drawn(page, ".boards > li .forest", top(site.board, 5))
        # All of it is on the first screen.
        box = card.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 900
        assert "0 agents" not in page.locator("main").inner_text()
        (failed,) = page.locator(".boards > li").nth(1).all_inner_texts()
        assert "No run has a score yet." in failed
        seen.assert_clean(address)


def test_a_board_opens_with_its_headline_then_a_chart_then_tables(
    browser: "Browser", site: Site, address: str
) -> None:
    with open_page(browser, viewport={"width": 1280, "height": 900}) as (page, seen):
        page.goto(address + BOARD)
        said = page.locator(".headline").all_inner_texts()
        assert said == [
            f"{lead.entry.agent} {lead.claim}: {score_text(lead.entry.metrics['iqm'])}, "
            f"where 0 = random and 1 = human. {lead.certainty}"
            for lead in leads(site.board)
        ]
        parts = ("h1", ".headline", "figure.head", "table.board", "figure[data-chart]")
        tops = [page.locator(part).first.bounding_box() for part in parts]
        places = [box["y"] for box in tops if box]
        assert len(places) == len(parts)
        assert places == sorted(places)
        assert_drawn(page, "figure.head .forest", top(site.board, 10))
        axis = page.locator("figure.head svg.scale text").all_text_contents()
        assert axis == ["0 = random", "1 = human"]
        seen.assert_clean(address)


def test_a_board_without_scores_shows_no_empty_section(
    browser: "Browser", site: Site, address: str
) -> None:
    (path,) = site.out.glob("atari100k-1-unofficial-*/index.html")
    with open_page(browser) as (page, seen):
        page.goto(path.as_uri())
        assert page.locator(".headline").inner_text() == "No run has a score yet."
        headings = page.locator("h2").all_inner_texts()
        assert headings == ["Tasks", "Protocol", "Downloads"]
        assert page.locator("form.tools, table.board, figure.head").count() == 0
        seen.assert_clean(address)


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_tables_fit_the_window(browser: "Browser", address: str, width: int) -> None:
    with open_page(browser, viewport={"width": width, "height": 900}) as (page, _):
        page.goto(address + BOARD)
        assert page.evaluate(TOO_WIDE) == 0
        for table in TABLES:
            assert shown_columns(page, table) == FIRST_COLUMNS
        row = page.locator('table[aria-label="Agents"] tr[data-agent="alpha"]')
        assert row.evaluate("row => getComputedStyle(row).display") == (
            "grid" if width < 640 else "table-row"
        )
        for cell in row.locator("th, td.strong, td.drawn svg").all():
            box = cell.bounding_box()
            assert box
            assert 0 <= box["x"] < box["x"] + box["width"] <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_plots_end_before_the_numbers_beside_them(
    browser: "Browser", address: str, width: int
) -> None:
    with open_page(browser, viewport={"width": width, "height": 900}) as (page, _):
        for place in ("index.html", BOARD):
            page.goto(address + place)
            gaps = page.locator(".forest li").evaluate_all(
                "all => all.map(li => li.querySelector('.n').getBoundingClientRect().left"
                " - li.querySelector('svg').getBoundingClientRect().right)"
            )
            assert len(gaps) > 1
            assert min(gaps) > 0


def test_cards_of_phones_name_what_their_cells_are(browser: "Browser", address: str) -> None:
    with open_page(browser, viewport={"width": 360, "height": 900}) as (page, _):
        page.goto(f"{address}{BOARD}#?columns={','.join(MORE_COLUMNS)}")
        assert page.evaluate(TOO_WIDE) == 0
        labels = page.locator('table[aria-label="Agents"] tr[data-agent="alpha"] td').evaluate_all(
            "all => all.map(cell => getComputedStyle(cell, '::before').content)"
        )
        headings = ["Mean", "Median", "Optimality gap", "Runs a task", "Tasks", "Hours a run",
                    "Date", "Badge", "Source"]  # fmt: skip
        assert [label for label in labels if label != "none"] == [
            f'"{heading}: "' for heading in headings
        ]


def test_columns_are_chosen_with_the_keyboard_and_kept_in_the_address(
    browser: "Browser", site: Site, address: str
) -> None:
    with open_page(browser) as (page, seen):
        page.goto(address + BOARD)
        page.get_by_role("button", name="Reset").focus()
        page.keyboard.press("Tab")
        assert page.locator(".chooser summary").evaluate("e => e === document.activeElement")
        page.keyboard.press("Enter")
        labels = page.locator(".chooser label").all_inner_texts()
        assert [label.strip() for label in labels] == [
            "Mean", "Median", "Optimality gap", "Runs a task", "Tasks", "Hours a run", "Date",
            "Badge", "Source", "Deviations",
        ]  # fmt: skip
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.get_by_label("Date").check()
        assert address_of(page) == f"{address}{BOARD}#?columns=mean,date"
        for table in TABLES:
            assert shown_columns(page, table) == [*FIRST_COLUMNS, "mean", "date"]
        means = page.locator('table[aria-label="Agents"] td[data-label="Mean"]').all()
        assert len(means) == len(site.board.own)
        assert all(cell.is_visible() for cell in means)
        with open_page(browser) as (other, _):
            other.goto(address_of(page))
            for table in TABLES:
                assert shown_columns(other, table) == [*FIRST_COLUMNS, "mean", "date"]
            other.locator(".chooser summary").click()
            assert other.get_by_label("Date").is_checked()
        page.get_by_role("button", name="Reset").click()
        assert address_of(page) == address + BOARD
        for table in TABLES:
            assert shown_columns(page, table) == FIRST_COLUMNS
        assert page.locator(".chooser input:checked").count() == 0
        seen.assert_clean(address)


def test_a_column_that_sorts_is_shown(browser: "Browser", site: Site, address: str) -> None:
    with open_page(browser) as (page, _):
        page.goto(f"{address}{BOARD}#?sort=mean&dir=desc&columns=runs,nothing,__proto__")
        assert shown_columns(page, "Agents") == [*FIRST_COLUMNS, "mean", "runs"]
        by_mean = sorted(site.board.own, key=lambda entry: -entry.metrics["mean"].point)
        assert order_of(page, "Agents") == [entry.agent for entry in by_mean]
        assert header(page, "Agents", "mean").get_attribute("aria-sort") == "descending"


def test_rows_stand_by_pool_until_they_are_sorted(
    browser: "Browser", site: Site, address: str
) -> None:
    parts = {"Agents": site.board.own, "Published": site.board.papers}
    grouped = {name: part_of(name, entries) for name, entries in parts.items()}
    with open_page(browser) as (page, _):

        def headings(table: str) -> list[str]:
            lines = page.locator(f'table[aria-label="{table}"] tr.group:visible').all_inner_texts()
            return [line.strip() for line in lines]

        def assert_grouped() -> None:
            for name, part in grouped.items():
                assert order_of(page, name) == [e.agent for e in part.entries]
                said = [
                    f"Pool {pool}: {len(entries)} agents, ranked against each other "
                    "how to read ranks"
                    if pool
                    else "Not ranked: this order, by tasks and IQM, is no ranking"
                    for pool, entries in part.groups.items()
                ]
                assert headings(name) == said
                tiers = page.locator(f'table[aria-label="{name}"] td .tier').all_inner_texts()
                assert tiers == [e.place.label for e in part.entries if e.place]

        page.goto(address + BOARD)
        assert_grouped()
        assert list(grouped["Agents"].groups) == [1, 0]
        assert list(grouped["Published"].groups) == [2, 3, 0]
        button = header(page, "Published", "iqm").get_by_role("button")
        button.click()
        assert headings("Agents") == headings("Published") == []
        by_iqm = sorted(site.board.own, key=lambda entry: -entry.metrics["iqm"].point)
        assert order_of(page, "Agents") == [entry.agent for entry in by_iqm]
        button.click()
        button.click()
        assert_grouped()
        # A heading whose agents are all filtered away goes with them.
        page.locator("input[type=search]").fill("SPR")
        assert shown_in(page, "Published") == ["SPR"]
        assert headings("Agents") == []
        assert headings("Published") == ["Pool 2: 3 agents, ranked against each other "
                                         "how to read ranks"]  # fmt: skip
        page.get_by_role("button", name="Reset").click()
        assert_grouped()
        page.locator('table[aria-label="Agents"]').get_by_role("link", name="how to read").click()
        wait_until(page, "document.getElementById('ranks').getBoundingClientRect().top < 99")


@pytest.mark.parametrize("width", [360, 1280])
def test_without_scripts_every_column_is_there(
    browser: "Browser", address: str, width: int
) -> None:
    view = {"width": width, "height": 900}
    with open_page(browser, java_script_enabled=False, viewport=view) as (page, seen):
        page.goto(address + BOARD)
        for table in TABLES:
            cells = page.locator(f'table[aria-label="{table}"] tbody td').all()
            # Cards leave out the dash of agents without a tier, and a plot of nothing.
            assert all(cell.is_visible() or cell.inner_text() in ("–", "") for cell in cells)
            keys = [
                cell.get_attribute("data-sort")
                for cell in page.locator(f'table[aria-label="{table}"] th[data-sort]').all()
                if cell.is_visible()
            ]
            assert keys == columns_of(table, MORE_COLUMNS)
        assert page.locator(".headline").count() == 2
        seen.assert_clean(address)


def test_what_is_chosen_is_printed_as_a_table(browser: "Browser", address: str) -> None:
    with open_page(browser, viewport={"width": 360, "height": 900}) as (page, _):
        page.goto(f"{address}{BOARD}#?columns=runs")
        page.emulate_media(media="print", color_scheme="light")
        row = page.locator('table[aria-label="Agents"] tr[data-agent="alpha"]')
        assert row.evaluate("row => getComputedStyle(row).display") == "table-row"
        assert shown_columns(page, "Agents") == [*FIRST_COLUMNS, "runs"]
        assert page.locator(".headline").first.is_visible()
        assert page.locator("figure.head").is_visible()
        assert page.locator(".chooser").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_all_columns_can_be_read(browser: "Browser", address: str, scheme: str) -> None:
    with open_page(browser, color_scheme=scheme) as (page, _):
        for name in ("index.html", f"{BOARD}#?columns={','.join(MORE_COLUMNS)}"):
            page.goto(address + name)
            page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
            looked, faint = page.evaluate(FAINT, MIN_CONTRAST)
            assert looked > 10
            assert faint == [], name


def hostile_boards(board: Board) -> Iterator[tuple[str, Board]]:
    """Give boards on which a payload stands in every text that cards and tables show."""
    own, paper = board.own[0], next(entry for entry in board.papers if entry.place)
    source = paper.paper
    assert source
    suite = replace(board.suite, tasks=board.suite.tasks[:1])
    (task,) = suite.tasks
    for number, text in enumerate(filter(is_visible, PAYLOADS)):
        cited = published.Published(
            **{name: getattr(source, name) for name in source.__dataclass_fields__}
            | {
                "source": replace(source.source, paper=f"Author 2023 {text}", agent=text),
                "values": {task.name: source.values[task.name]},
            }
        )
        own_part, paper_part = (
            replace(
                entry, agent=text, date=text, not_ranked=text, place=None,
                values={task.name: entry.values[task.name]},
                normalised={task.name: entry.normalised[task.name]},
                metrics={name: row._replace(agent=text) for name, row in entry.metrics.items()},
            )
            for entry in (own, paper)
        )  # fmt: skip
        identity = own.records[0].identity
        named = replace(identity, agent=replace(identity.agent, version=text))
        first = replace(own_part, records=(replace(own.records[0], identity=named),))
        other = replace(paper_part, paper=cited)
        yield text, replace(
            board, folder=f"board-{number}", unofficial=text, entries=(first, other),
            suite=replace(suite, title=text, summary=text, references=(text, text)),
            without_scores={text: 1}, profiles={}, improvements={}, separations={}, curves=[],
            retention=[], evaluations=[], beside_data=[], measures=[],
        )  # fmt: skip


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_nothing_of_a_hostile_text_runs_on_cards_or_boards(
    browser: "Browser", site: Site, tmp_path: Path, every: int
) -> None:
    """Of all, which takes minutes, or of every fifth."""
    boards = list(hostile_boards(site.board))
    assert len(boards) > 180
    hostile = dict(boards[::every])
    context = {"version": "1", "dates": [], "plot_width": 160, "top": "", "release": "",
               "problems": [], "plans": (), "records": (), "cards": {},
               "retrained": {}}  # fmt: skip
    (tmp_path / "assets").mkdir()
    for name in ("site.css", "site.js", "charts.js", "compare.js", "vega.js"):
        (tmp_path / "assets" / name).write_bytes((site.out / "assets" / name).read_bytes())
    for name, content in _pages(list(hostile.values()), context):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def lines(texts: list[str]) -> list[str]:
        return [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]

    with open_page(browser) as (page, seen):
        page.goto((tmp_path / "index.html").as_uri())
        expected = lines(list(hostile))
        cards = page.locator(".boards > li")
        assert cards.locator("h2 a").all_text_contents() == expected
        strong = cards.locator(".leader strong").all_text_contents()
        assert strong == [text for text in expected for _ in range(2)]
        assert not hit(page)
        for text, board in hostile.items():
            page.goto((tmp_path / board.folder / "index.html").as_uri())
            (shown,) = lines([text])
            assert page.locator(".headline a").all_text_contents() == [shown, shown]
            assert page.locator(".forest .who a").all_text_contents() == [shown, shown]
            assert page.locator("table.board th[scope=row]").all_text_contents() == [shown, shown]
            for cell in page.locator("td.source").all():
                assert shown.partition(";")[0] in (cell.text_content() or "")
            assert page.locator("td[data-label=Date]").all_text_contents() == [shown, shown]
            assert page.locator(".lead").text_content() == shown
            axis = page.locator("figure.head svg.scale text").all_text_contents()
            assert axis == [f"0 = {shown}", f"1 = {shown}"]
            assert not hit(page), text
        seen.assert_clean(f"{tmp_path.as_uri()}/")
