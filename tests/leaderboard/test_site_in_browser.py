"""The site in Chromium: from files and by the command, with scripts and without, with any names."""

import re
import signal
import subprocess
import unicodedata
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
from support.browser import Seen, address_of, open_page
from support.pages import (
    FAINT,
    MIN_CONTRAST,
    draw_charts,
    early,
    header,
    hit,
    order_of,
    ordinary_records,
    shown_in,
    wait_until,
)
from support.payloads import PAYLOADS
from support.processes import COMMAND, heed_interrupts
from support.records import ATARI, TEACHER, make_record

from rlbench import suites
from rlbench.errors import InvalidRecord
from rlbench.leaderboard import build_site
from rlbench.leaderboard.boards import Board, Entry, make_boards
from rlbench.leaderboard.parts import part_of
from rlbench.leaderboard.releases import freeze
from rlbench.leaderboard.site import score
from rlbench.results import Loaded, Problem, Record, Store, published
from rlbench.results.text import is_visible
from rlbench.stats.comparisons import MIN_RUNS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DAY = "2026-11-01"
BOARD = "atari100k-1/index.html"
SCHEMES = ("light", "dark")
WIDTHS = (360, 768, 1280, 1920)  # px
PER_BOARD = 20  # hostile agents: so many a chart draws

Change = Callable[[Record, str], Record]


def _of(who: str, field: str) -> Callable[[Record, Any], Record]:
    """Return what sets a field of the agent or the teacher."""

    def change(record: Record, value: Any) -> Record:
        old = getattr(record.identity, who) or TEACHER
        new: dict[str, Any] = {who: replace(old, **{field: value})}
        return replace(record, identity=replace(record.identity, **new))

    return change


def _with_option(who: str, name: str | None) -> Change:
    """Return what gives an option to the agent or the teacher; no name is the text itself."""

    def change(record: Record, text: str) -> Record:
        old = getattr(record.identity, who) or TEACHER
        return _of(who, "config")(record, {**old.config, name or text: text})

    return change


def _in(part: str, name: str | None) -> Change:
    """Return what adds text to the provenance or the timing."""

    def change(record: Record, text: str) -> Record:
        old = getattr(record, part)
        return replace(record, **{part: {**old, name or text: text}})  # type: ignore[arg-type]

    return change


def _reason(record: Record, text: str) -> Record:
    return replace(record, error=record.error and replace(record.error, reason=text))


# All texts of a record that come from outside; a reason is of failed ones alone.
FIELDS: dict[str, Change] = {
    "name": _of("agent", "name"),
    "version": _of("agent", "version"),
    "spec": _of("agent", "spec"),
    "source": _of("agent", "source"),
    "option": _with_option("agent", "lr"),
    "option's name": _with_option("agent", None),
    "teacher": _of("teacher", "name"),
    "teacher's version": _of("teacher", "version"),
    "teacher's option": _with_option("teacher", None),
    "provenance": _in("provenance", "device"),
    "provenance's name": _in("provenance", None),
    "started": _in("timing", "started"),
    "finished": _in("timing", "finished"),
    "seconds": _in("timing", "seconds"),
    "timing's name": _in("timing", None),
    "reason": _reason,
}


def stands_in_a_store(record: Record) -> bool:
    try:
        Record.from_bytes(record.to_bytes())
    except InvalidRecord:
        return False
    return True


class Hostile(NamedTuple):
    """What became of the payloads.

    Attributes:
        records: To be written, an agent a payload.
        agents: Payload to what its agent is called.
        refused: Field to the payloads that no record can hold there.
    """

    records: list[Record]
    agents: dict[str, str]
    refused: dict[str, set[str]]


def hostile_records() -> Hostile:
    found = Hostile([], {}, {name: set() for name in FIELDS})
    for number, payload in enumerate(PAYLOADS):
        constants = {"budget": 1000 + number // PER_BOARD, "episodes": 2}
        suite = suites.get("parkour").make_unofficial(constants)
        first = suite.tasks[0].name
        agent = f"agent {number}"
        failed = make_record(first, agent, 9, suite=suite, status="failed")
        ok = make_record(first, agent, suite=suite)
        changes = []
        for name, change in FIELDS.items():
            if stands_in_a_store(change(failed if name == "reason" else ok, payload)):
                changes.append(change)
            else:
                found.refused[name].add(payload)
        for change in changes:
            failed = change(failed, payload)
        found.records.append(failed)
        # The first boards have ranks and all charts.
        ranked = number < 2 * PER_BOARD
        for task in suite.tasks:
            for seed in range(MIN_RUNS if ranked else 1):
                record = make_record(task.name, agent, seed, 7.0 * number + seed, suite=suite)
                # What a run cost is known of none, so no board draws it.
                record = replace(record, timing={"started": record.timing["started"]})
                if ranked:
                    record = early(record)
                for change in changes:
                    record = change(record, payload)
                found.records.append(record)
        identity = failed.identity
        found.agents[payload] = identity.agent.name + (
            f" + {identity.teacher.name}" if identity.teacher else ""
        )
        # Constants that no suite has: such records are of no board.
        stray = replace(ok.identity, unofficial={"lr": payload, "budget": 7})
        if stands_in_a_store(replace(ok, identity=stray)):
            found.records.append(replace(ok, identity=stray))
    return found


class Site(NamedTuple):
    """A built site.

    Attributes:
        out: Its folder.
        board: What its largest board was made of.
        hostile: Who else is there.
        left_out: Texts of the files that were no records.
    """

    out: Path
    board: Board
    hostile: Hostile
    left_out: list[str]


@pytest.fixture(scope="module")
def site(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    store = Store(folder / "results")
    store.prepare()
    ordinary, hostile = ordinary_records(), hostile_records()
    for record in [*ordinary, *hostile.records]:
        store.write(record)
    left_out = []
    for payload in PAYLOADS:
        if "/" not in payload and "\x00" not in payload and len(payload.encode()) < 200:
            path = folder / "results/atari100k-1/alpha/pong" / f"{payload}.json"
            path.write_text(payload, encoding="utf-8")
            left_out.append(path.name)
    loaded = store.load()
    assert len(loaded.records) == len(ordinary) + len(hostile.records)
    assert sorted(problem.path.name for problem in loaded.problems) == sorted(left_out)
    reasons = [Problem(Path("x.json"), payload) for payload in PAYLOADS]
    replays = {r.sha256: r.identity.agent.name == "alpha" for r in ordinary[60:]}
    papers = frozenset(source.slug for source in published.sources("atari100k"))
    whole = freeze(ordinary, DAY)
    few = {name: sha256 for name, sha256 in whole.published.items() if name in papers}
    # Nobody looks at boards of other suites than these two.
    build_site(
        Loaded(loaded.records, [*loaded.problems, *reasons]), folder / "site",
        replays=replays, releases=[replace(whole, published=few)], only=["atari100k", "parkour"],
    )  # fmt: skip
    (board,) = make_boards(ordinary, replays, papers, only=["atari100k"])
    return Site(folder / "site", board, hostile, [*left_out, *PAYLOADS])


@contextmanager
def serving(out: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Serve a site by the command; it is ended by Ctrl-C."""
    process = subprocess.Popen(
        [*COMMAND, "leaderboard", "serve", "--out", str(out), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    with process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            match = re.fullmatch(r"site: (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends\)\n", line)
            assert match, line
            yield match[1], process
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[str]:
    with serving(site.out) as (address, _):
        yield address


@pytest.fixture(params=["files", "server"])
def address(request: pytest.FixtureRequest, site: Site) -> str:
    """Where the site is, with a slash at the end."""
    if request.param == "files":
        return f"{site.out.as_uri()}/"
    given: str = request.getfixturevalue("served")
    return given


def assert_clean_on_the_way(seen: Seen, address: str) -> None:
    """Assert that nothing went wrong, though pages were left before all of them was loaded."""
    replace(seen, failed=[]).assert_clean(address)


def agent_page(site: Site, agent: str) -> str:
    (slug,) = (entry.slug for entry in site.board.entries if entry.agent == agent)
    return f"atari100k-1/agents/{slug}.html"


def kinds_of_pages(site: Site) -> list[str]:
    paper = next(entry.agent for entry in site.board.papers)
    hostile = next(site.out.glob("parkour-1-unofficial-*/index.html")).relative_to(site.out)
    return [
        "index.html", BOARD, agent_page(site, "Beta"), agent_page(site, paper),
        "atari100k-1/tasks/pong.html", f"releases/{DAY}/index.html", f"releases/{DAY}/{BOARD}",
        str(hostile),
    ]  # fmt: skip


def test_the_command_says_where_it_serves_and_ends_on_ctrl_c(site: Site) -> None:
    with serving(site.out) as (address, process):
        with urllib.request.urlopen(f"{address}{BOARD}", timeout=30) as answer:
            assert answer.read() == (site.out / BOARD).read_bytes()
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=30)
        assert (said, complained, process.returncode) == ("", "ended\n", 0)


# What a column is sorted by; None is a hole.
def _metric(name: str) -> Callable[[Entry], float | None]:
    return lambda entry: entry.metrics[name].point if name in entry.metrics else None


SORTED_BY: dict[str, Callable[[Entry], Any]] = {
    "agent": lambda e: e.agent,
    "rank": lambda e: (e.place.pool, e.place.low + e.place.high / 2) if e.place else None,
    "tier": lambda e: f"{e.place.pool} {e.place.tier}" if e.place else None,
    "iqm": _metric("iqm"),
    "mean": _metric("mean"),
    "median": _metric("median"),
    "optimality_gap": _metric("optimality_gap"),
    "runs": lambda e: int(e.runs_text.split()[0]) if e.runs_text[0].isdigit() else None,
    "tasks": lambda e: len(e.values),
    "hours": lambda e: e.hours,
    "date": lambda e: e.date or None,
    "badge": lambda e: e.badge,
    "source": lambda e: e.source,
    "deviations": lambda e: len(published.deviations(e.paper)) if e.paper else None,
}
ALL_COLUMNS = f"#?columns={','.join(SORTED_BY)}"
ONLY_IN = {"hours": "Agents", "deviations": "Published"}


def expected_order(
    page: "Page", entries: tuple[Entry, ...], column: str, falling: bool
) -> list[str]:
    keys = {entry.agent: SORTED_BY[column](entry) for entry in entries}
    known = [agent for agent, key in keys.items() if key is not None]
    if known and isinstance(keys[known[0]], str):
        texts = sorted({keys[agent] for agent in known})
        compare = "new Intl.Collator('en', { numeric: true }).compare"
        in_order = page.evaluate(f"texts => texts.sort({compare})", texts)
        keys |= {agent: in_order.index(keys[agent]) for agent in known}
    holes = [agent for agent, key in keys.items() if key is None]
    return sorted(known, key=lambda agent: keys[agent], reverse=falling) + holes


@pytest.mark.parametrize("column", SORTED_BY)
def test_columns_sort_by_value_in_both_directions_and_back(
    browser: "Browser", site: Site, column: str
) -> None:
    parts = {"Agents": site.board.own, "Published": site.board.papers}
    here = {name: parts[name] for name in parts if ONLY_IN.get(column, name) == name}
    first = next(iter(here))
    with open_page(browser) as (page, seen):
        page.goto(f"{site.out.as_uri()}/{BOARD}{ALL_COLUMNS}")
        original = {name: order_of(page, name) for name in parts}
        by_pool = {name: part_of(name, part).entries for name, part in parts.items()}
        assert original == {name: [e.agent for e in part] for name, part in by_pool.items()}
        directions = []
        for _ in range(2):
            header(page, first, column).get_by_role("button").click()
            direction = header(page, first, column).get_attribute("aria-sort")
            directions.append(direction)
            assert page.locator("th[aria-sort]").count() == len(here)
            for name in here:
                if column == "deviations":  # what is not known is one line
                    continue
                expected = expected_order(page, by_pool[name], column, direction == "descending")
                assert order_of(page, name) == expected, (name, direction)
        better_low = column in (
            "agent",
            "rank",
            "tier",
            "optimality_gap",
            "hours",
            "source",
            "deviations",
        )
        both = ["ascending", "descending"]
        assert directions == (both if better_low else both[::-1])
        header(page, first, column).get_by_role("button").click()
        assert page.locator("th[aria-sort]").count() == 0
        assert {name: order_of(page, name) for name in parts} == original
        assert not seen.console
        assert not seen.errors


def test_deviations_sort_by_how_many_lines_they_have(browser: "Browser", site: Site) -> None:
    with open_page(browser) as (page, _):
        page.goto(f"{site.out.as_uri()}/{BOARD}#?sort=deviations&dir=asc")
        texts = page.locator('table[aria-label="Published"] td.deviations').all_inner_texts()
        lines = [int(text.split()[0]) if text != "none" else 0 for text in texts]
        assert lines == sorted(lines)
        assert lines[-1] > lines[0]


def test_sorting_needs_no_mouse(browser: "Browser", site: Site) -> None:
    with open_page(browser) as (page, _):
        page.goto(f"{site.out.as_uri()}/{BOARD}")
        iqm = header(page, "Agents", "iqm")
        page.locator("input[type=search]").focus()
        for _ in range(12):
            page.keyboard.press("Tab")
            if iqm.evaluate("header => header.contains(document.activeElement)"):
                break
        assert iqm.get_by_role("button").evaluate("b => b.matches(':focus-visible')")
        page.keyboard.press("Enter")
        assert iqm.get_attribute("aria-sort") == "descending"
        page.keyboard.press("Space")
        assert iqm.get_attribute("aria-sort") == "ascending"
        page.keyboard.press("Enter")
        assert iqm.get_attribute("aria-sort") is None


def searched_text(entry: Entry) -> str:
    return f"{entry.agent} {entry.source}".lower()


def matching(
    entries: tuple[Entry, ...], q: str = "", badge: str = "", complete: bool = False
) -> list[str]:
    return [
        entry.agent
        for entry in entries
        if q in searched_text(entry)
        and badge in ("", entry.badge)
        and (not complete or len(entry.values) == len(ATARI.tasks))
    ]


def assert_shown(page: "Page", board: Board, **state: Any) -> None:
    own, papers = matching(board.own, **state), matching(board.papers, **state)
    assert sorted(shown_in(page, "Agents")) == sorted(own)
    assert sorted(shown_in(page, "Published")) == sorted(papers)
    assert sorted(shown_in(page, "Mean normalised scores by task")) == sorted(own + papers)
    said = f"{len(own) + len(papers)} of {len(board.entries)} agents shown"
    assert page.locator("output").inner_text() == said
    assert page.locator("input[type=search]").input_value() == state.get("q", "")
    assert page.locator("select").input_value() == state.get("badge", "")
    assert page.locator("input[name=complete]").is_checked() == state.get("complete", False)


def test_filters_hide_rows_say_so_and_come_back_with_the_address(
    browser: "Browser", site: Site, address: str
) -> None:
    source = site.board.papers[0].paper.source.paper.split()[0].lower()  # type: ignore[union-attr]
    states: list[dict[str, Any]] = [
        {"q": "agent"}, {"q": source}, {"badge": "published"}, {"badge": "replayed"},
        {"complete": True}, {"q": "a", "badge": "self-reported", "complete": True},
        {"q": "nobody at all"},
    ]  # fmt: skip
    with open_page(browser) as (page, seen):
        page.goto(address + BOARD)
        assert_shown(page, site.board)
        for state in states:
            page.locator("input[type=search]").fill(state.get("q", ""))
            page.locator("select").select_option(state.get("badge", ""))
            page.locator("input[name=complete]").set_checked(state.get("complete", False))
            assert_shown(page, site.board, **state)
            text = {n: "yes" if v is True else v for n, v in state.items()}
            assert address_of(page) == f"{address}{BOARD}#?{urlencode(text)}"
            with open_page(browser) as (other, _):
                other.goto(address_of(page))
                assert_shown(other, site.board, **state)
        page.get_by_role("button", name="Reset").click()
        assert_shown(page, site.board)
        assert address_of(page) == address + BOARD
        seen.assert_clean(address)


def test_an_address_brings_the_order_back(browser: "Browser", site: Site, address: str) -> None:
    with open_page(browser) as (page, _):
        page.goto(f"{address}{BOARD}#?columns=mean")
        header(page, "Agents", "mean").get_by_role("button").click()
        page.locator("input[type=search]").fill("agent")
        orders = [order_of(page, name) for name in ("Agents", "Published")]
        with open_page(browser) as (other, _):
            other.goto(address_of(page))
            assert [order_of(other, name) for name in ("Agents", "Published")] == orders
            assert header(other, "Agents", "mean").get_attribute("aria-sort") == "descending"
            assert shown_in(other, "Agents") == shown_in(page, "Agents")


def test_a_jump_within_the_page_keeps_what_was_chosen(
    browser: "Browser", site: Site, address: str
) -> None:
    with open_page(browser) as (page, seen):
        page.goto(address + BOARD)
        page.locator("input[type=search]").fill("agent")
        page.locator(".jumps").get_by_role("link", name="Published").click()
        wait_until(page, "location.hash === '#published'")
        wait_until(page, "document.getElementById('published').getBoundingClientRect().top < 99")
        assert_shown(page, site.board, q="agent")
        header(page, "Published", "iqm").get_by_role("button").click()
        assert matching(site.board.own, q="agent") == sorted(shown_in(page, "Agents"), key=[
            entry.agent for entry in site.board.own].index)  # fmt: skip
        assert page.locator("input[type=search]").input_value() == "agent"
        page.get_by_role("button", name="Reset").click()
        page.locator("input[type=search]").fill("alpha")
        page.locator(".jumps").get_by_role("link", name="Tasks").click()
        page.wait_for_url("**#tasks")
        page.go_back()
        wait_until(page, "document.querySelector('input[type=search]').value === 'alpha'")
        assert address_of(page) == f"{address}{BOARD}#?q=alpha"
        assert_shown(page, site.board, q="alpha")
        assert_clean_on_the_way(seen, address)


def test_one_gets_from_the_board_to_every_run_and_back(
    browser: "Browser", site: Site, address: str
) -> None:
    (entry,) = (entry for entry in site.board.own if entry.agent == "Beta")
    with open_page(browser) as (page, seen):
        page.goto(f"{address}index.html")
        page.get_by_role("main").get_by_role("link", name=ATARI.title, exact=True).first.click()
        table = page.locator('table[aria-label="Agents"]')
        table.get_by_role("link", name="Beta", exact=True).click()
        assert page.locator("h1").inner_text() == "Beta"
        lines = page.locator('table[aria-label^="Runs of "] tbody tr').all()
        shown = [line.locator("th, td").all_text_contents() for line in lines]
        assert [line[:2] for line in shown] == [
            [str(r.identity.seed), score(r.score)] for r in entry.records
        ]
        assert [line[-1] for line in shown] == [record.identity.key for record in entry.records]
        tasks = page.locator('table[aria-label="Tasks"]')
        tasks.get_by_role("link", name="Boxing", exact=True).click()
        assert page.locator("h1").inner_text() == "Boxing"
        line = page.locator('table[aria-label="Agents"] tbody tr').filter(has_text="Beta")
        scores = ", ".join(score(value) for value in entry.values["Boxing"])
        assert line.locator("td").last.inner_text() == scores
        line.get_by_role("link", name="Beta", exact=True).click()
        assert page.locator("h1").inner_text() == "Beta"
        trail = page.get_by_role("navigation", name="Where you are")
        trail.get_by_role("link", name=ATARI.title, exact=True).click()
        assert page.locator("h1").inner_text() == f"{ATARI.title} {ATARI.id}"
        trail.get_by_role("link", name="rlbench").click()
        assert page.locator("h1").inner_text() == "Boards"
        assert_clean_on_the_way(seen, address)


def test_a_release_leads_to_its_own_boards_and_out_again(
    browser: "Browser", site: Site, address: str
) -> None:
    with open_page(browser) as (page, seen):
        page.goto(f"{address}index.html")
        page.get_by_role("link", name=DAY).first.click()
        page.wait_for_url(f"{address}releases/{DAY}/index.html")
        page.get_by_role("link", name=ATARI.title, exact=True).first.click()
        page.locator('table[aria-label="Agents"]').get_by_role("link", name="alpha").click()
        page.wait_for_url(f"{address}releases/{DAY}/{agent_page(site, 'alpha')}")
        trail = page.get_by_role("navigation", name="Where you are")
        trail.get_by_role("link", name="rlbench").click()
        page.wait_for_url(f"{address}releases/{DAY}/index.html")
        page.get_by_role("link", name=f"release {DAY}").click()
        page.wait_for_url(f"{address}index.html")
        assert_clean_on_the_way(seen, address)


def test_downloads_are_the_files(browser: "Browser", site: Site, served: str) -> None:
    with open_page(browser) as (page, seen):
        page.goto(served + BOARD)
        links = page.locator("ul.downloads a").all()
        files = sorted((site.out / "atari100k-1/downloads").iterdir())
        assert [link.inner_text() for link in links] == [path.name for path in files]
        for link, path in zip(links, files, strict=True):
            with page.expect_download() as download:
                link.click()
            assert download.value.suggested_filename == path.name
            assert download.value.path().read_bytes() == path.read_bytes()
        assert not seen.console
        assert not seen.errors


def test_without_scripts_all_is_there_but_the_tools(
    browser: "Browser", site: Site, address: str
) -> None:
    with open_page(browser, java_script_enabled=False) as (page, seen):
        page.goto(address + BOARD)
        assert page.locator("form.tools").is_hidden()
        assert page.locator("table.board button").count() == 0
        rows = page.locator('table[aria-label="Agents"] tr[data-agent]')
        assert rows.count() == len(site.board.own)
        row = page.locator('table[aria-label="Agents"] tbody tr').filter(has_text="alpha")
        assert row.locator("td.strong").is_visible()
        details = page.locator('table[aria-label="Published"] details').first
        assert details.locator("li").first.is_hidden()
        details.locator("summary").click()
        assert details.locator("li").first.is_visible()
        pictures = page.locator("figure[data-chart] img").all()
        assert len(pictures) >= 4
        for picture in pictures:
            picture.scroll_into_view_if_needed()
            box = picture.bounding_box()
            assert box
            # Were it not loaded, it would be as tall as the line of its text.
            assert box["width"] > 300
            assert box["height"] > 100
        asked = [url for url in seen.requests if url.endswith(".svg") and "/tasks/" not in url]
        assert len(asked) == len(pictures)
        assert [url for url in seen.requests if url.endswith(".js")] == []
        seen.assert_clean(address)


def test_every_kind_of_page_is_quiet_and_draws_its_charts(
    browser: "Browser", site: Site, address: str
) -> None:
    for name in kinds_of_pages(site):
        with open_page(browser, color_scheme="light") as (page, seen):
            page.goto(address + name)
            drawn = draw_charts(page)
            assert drawn == (site.out / name).read_text().count("<figure data-chart=")
            assert drawn or "agents" in name or name.count("/") != 1
            assert page.locator("figure[data-chart] img").count() == 0
            page.eval_on_selector_all(".chart", "all => all.forEach(c => c.classList.add('light'))")
            page.emulate_media(color_scheme="dark")
            wait_until(page, "!document.querySelector('.light')")
            assert page.locator("figure .chart svg").count() == drawn
            seen.assert_clean(address)


def test_no_page_is_wider_than_its_window(browser: "Browser", site: Site) -> None:
    fits = "document.documentElement.scrollWidth <= innerWidth"
    for name in kinds_of_pages(site):
        with open_page(browser, viewport={"width": WIDTHS[0], "height": 900}) as (page, _):
            page.goto(f"{site.out.as_uri()}/{name}")
            draw_charts(page)
            assert page.evaluate(fits), name
            # Charts take a new width a moment later than the page.
            for width in (*WIDTHS[1:], *WIDTHS[::-1]):
                page.set_viewport_size({"width": width, "height": 900})
                wait_until(page, fits)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_can_be_read(browser: "Browser", site: Site, scheme: str) -> None:
    for name in kinds_of_pages(site):
        with open_page(browser, color_scheme=scheme) as (page, _):
            page.goto(f"{site.out.as_uri()}/{name}")
            shades = page.eval_on_selector_all("table.heat td", "all => all.map(c => c.className)")
            if name == BOARD:
                assert {f"h{shade}" for shade in range(11)} <= set(shades)
            page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
            looked, faint = page.evaluate(FAINT, MIN_CONTRAST)
            assert looked > 10
            assert faint == [], name


def test_on_paper_there_are_tables_and_no_tools(browser: "Browser", site: Site) -> None:
    with open_page(browser, color_scheme="dark") as (page, _):
        page.goto(f"{site.out.as_uri()}/{BOARD}")
        assert page.locator("form.tools").is_visible()
        page.emulate_media(media="print")
        assert page.locator("form.tools").is_hidden()
        assert page.locator(".jumps").is_hidden()
        for table in page.locator("table.board, table.heat").all():
            assert table.is_visible()
        assert page.evaluate(FAINT, MIN_CONTRAST)[1] == []
        page.goto(f"{site.out.as_uri()}/{agent_page(site, 'Beta')}")
        runs = page.locator("details.runs table").first
        assert runs.is_hidden()  # dozens of sheets, if there are dozens of tasks
        page.emulate_media(media="screen")
        page.locator("details.runs summary").first.click()
        page.locator("details.runs details summary").first.click()
        page.emulate_media(media="print")
        assert runs.is_visible()


def test_records_hold_any_text_where_the_schema_lets_them(site: Site) -> None:
    assert len(PAYLOADS) == len(set(PAYLOADS)) == len(site.hostile.agents) >= 200
    controls = {payload for payload in PAYLOADS if not is_visible(payload)}
    long = {payload for payload in PAYLOADS if len(payload) > 100}
    refused = site.hostile.refused
    counts = {name: len(found) for name, found in refused.items()}
    # Agents need a folder in the store.
    nameless = {text for text in PAYLOADS if not re.search("[a-z0-9]", normal(text))}
    assert refused["name"] - nameless == controls | long, counts
    assert refused["teacher"] == refused["version"] == controls | long, counts
    assert refused["spec"] == refused["reason"] == controls, counts
    assert refused["source"] == set(PAYLOADS), counts
    for name in ("started", "finished", "seconds"):
        assert refused[name] == controls | long, counts
    for name in ("option", "provenance", "provenance's name"):
        assert refused[name] == controls, counts
    no_names = {text for text in PAYLOADS if not re.fullmatch(r"[A-Za-z_][\w.-]{0,99}", text, re.A)}
    assert refused["option's name"] == refused["teacher's option"] == no_names, counts
    assert controls
    assert long


def normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def test_any_text_is_shown_as_it_is_and_nothing_of_it_runs(browser: "Browser", site: Site) -> None:
    address = f"{site.out.as_uri()}/"
    shown: set[str] = set()
    kinds: list[int] = []
    boards = sorted(site.out.glob("parkour-1-unofficial-*/index.html"))
    assert len(boards) == len(PAYLOADS) // PER_BOARD + 1
    for board in boards:
        with open_page(browser, viewport={"width": 1280, "height": 900}) as (page, seen):
            page.goto(board.as_uri())
            kinds.append(draw_charts(page))
            names = page.locator('table[aria-label="Agents"] th[scope=row] a').all_text_contents()
            shown.update(names)
            problems = page.locator('section[aria-labelledby="problems"] li').all_text_contents()
            listed = "\x00".join(problems)
            for text in site.left_out:
                assert text in listed or not is_visible(text)
            for drawn in page.locator("figure[data-chart] .chart svg").all():
                drawn.hover()
            for agent in names[:PER_BOARD:4]:
                page.locator("input[type=search]").fill(agent)
                assert agent in shown_in(page, "Agents")
            assert not hit(page)
            seen.assert_clean(address)
    # Profiles everywhere; curves and the probability of improvement where there are ranks.
    assert sorted(kinds) == [1] * (len(boards) - 2) + [3] * 2
    assert set(site.hostile.agents.values()) <= shown


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_pages_of_hostile_agents_and_tasks_show_their_text(
    browser: "Browser", site: Site, every: int
) -> None:
    """Of all, which takes half a minute, or of every fourth."""
    address = f"{site.out.as_uri()}/"
    headings: set[str] = set()
    pages = sorted(site.out.glob("parkour-1-unofficial-*/*/*.html"))
    with open_page(browser) as (page, seen):
        for path in pages[::every]:
            page.goto(path.as_uri())
            assert not hit(page)
            if path.parent.name == "agents":
                agent = page.locator("h1").text_content() or ""
                headings.add(agent)
                facts = page.locator("dd").all_text_contents()
                called = [p for p, name in site.hostile.agents.items() if name == agent]
                payloads = [p for p in called if is_visible(p)]  # no record holds the others
                assert any(text in facts for text in payloads) or not payloads, agent
        seen.assert_clean(address)
    assert headings >= set(site.hostile.agents.values()) or every > 1
    assert len(headings) >= len(site.hostile.agents) / every / 2


STATE = ("q", "sort", "badge", "dir", "complete", "columns")

# Leads to a state and says what is shown of it then.
LEAD = """async (hash) => {
  const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
  location.hash = hash;
  await changed;
  const sorted = document.querySelectorAll("th[aria-sort]").length;
  const { value } = document.querySelector("input[type=search]");
  return [document.querySelector("output").textContent, value, sorted, "__hit" in window];
}"""


def test_no_state_in_an_address_runs_or_breaks_the_page(browser: "Browser", site: Site) -> None:
    nobody = f"0 of {len(site.board.entries)} agents shown"
    address = f"{site.out.as_uri()}/{BOARD}"
    with open_page(browser) as (page, seen):
        page.goto(address)
        for payload in PAYLOADS:
            state = urlencode(dict.fromkeys(STATE, payload))
            in_field = re.sub("[\r\n]", "", payload)
            assert page.evaluate(LEAD, f"?{state}") == [nobody, in_field, 0, False]
            # Not encoded, as somebody may paste it.
            *_, ran = page.evaluate(LEAD, f"?q={payload}&sort={payload}&{payload}={payload}")
            assert not ran
        page.get_by_role("button", name="Reset").click()
        assert_shown(page, site.board)
        for payload in PAYLOADS[::10]:
            state = urlencode({"q": payload, "sort": payload, "badge": payload})
            page.goto("about:blank")
            page.goto(f"{address}#?{state}")
            assert page.locator("output").inner_text() == nobody
            assert not hit(page)
        seen.assert_clean(f"{site.out.as_uri()}/")
