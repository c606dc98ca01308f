"""The page that compares two agents, in Chromium: from files, with a script and without."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.browser import address_of, open_page
from support.compared import PAPERS, RECORDS, runs_of

from rlbench.leaderboard import build_site, compare_page, pairs
from rlbench.leaderboard.boards import Board, Entry, make_boards
from rlbench.leaderboard.compare_page import protocols_of, view_of
from rlbench.leaderboard.pairs import PairRow, mirrored, of_neighbours, pairs_of
from rlbench.leaderboard.tables import number
from rlbench.results import Loaded, Record

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (360, 1280, 1920)  # px
PAYLOADS = (
    "<script>__hit=1</script>", "<img src=x onerror=__hit=1>", "</script><svg onload=__hit=1>",
    '"><svg onload=__hit=1>', "'+__hit+'", "{a}", "{b} {statistic}", "{{7*7}}", "$&", "$`",
    "a\u2028__hit=1//", "&lt;b&gt;", "__proto__", "</title><script>__hit=1</script>", "W" * 60,
)  # fmt: skip


class Site(NamedTuple):
    """A built site.

    Attributes:
        out: Its folder.
        board: Its board.
        found: The pairs of the board.
        hostile: Payload to the slug of the agent that has it as its name and its version.
    """

    out: Path
    board: Board
    found: dict[tuple[str, str], PairRow]
    hostile: dict[str, str]

    @property
    def base(self) -> str:
        return f"{self.out.as_uri()}/{self.board.folder}/"

    def entry(self, agent: str) -> Entry:
        return next(entry for entry in self.board.entries if entry.agent == agent)

    def row(self, a: Entry, b: Entry) -> PairRow:
        """Return a pair in this order."""
        if row := self.found.get((a.slug, b.slug)):
            return row
        return mirrored(self.found[b.slug, a.slug])


def hostile_records() -> Iterator[Record]:
    for payload in PAYLOADS:
        for record in runs_of("x", 0.1, seeds=1, tasks=2, given=("shared_seeds",)):
            agent = replace(record.identity.agent, name=payload, version=payload)
            yield replace(record, identity=replace(record.identity, agent=agent))


@pytest.fixture(scope="module")
def site(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Site:
    records = [*RECORDS, *hostile_records()]
    out = tmp_path_factory.mktemp("compare") / "site"
    with pytest.MonkeyPatch.context() as patch:
        (board,) = make_boards(records, only=["atari100k"], papers=PAPERS)
        patch.setattr("rlbench.leaderboard.site.make_boards", lambda *_, **__: [board])
        # Pairs of later agents are not computed, as on a board of very many.
        patch.setattr(pairs, "MOST_AGENTS", len(board.entries) - 1)
        build_site(Loaded(records, []), out, only=["atari100k"])
        found = pairs_of(board)
    hostile = {
        entry.records[0].identity.agent.name: entry.slug
        for entry in board.own
        if entry.records[0].identity.agent.version
    }
    assert set(hostile) == set(PAYLOADS)
    return Site(out, board, found, hostile)


def choose(page: "Page", site: Site, a: str, b: str) -> None:
    page.goto(f"{site.base}compare.html#?a={a}&b={b}")
    page.wait_for_selector("#pair:not([hidden])")


def wait_for(page: "Page", slot: str, text: str) -> None:
    """Wait until a place says a text; the pages' policy forbids that the page itself looks."""
    for _ in range(500):
        if page.locator(f"[data-slot={slot}]").first.text_content() == text:
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{slot} never was {text!r}")


def slots(page: "Page") -> dict[str, str]:
    """Return what is said, by place; a name that is there several times is the same everywhere."""
    found: dict[str, str] = {}
    for slot in page.locator("#main [data-slot]").all():
        name, text = slot.get_attribute("data-slot") or "", slot.text_content() or ""
        assert found.setdefault(name, text) == text
    return found


def rows_of(page: "Page", name: str) -> list[list[str]]:
    found: list[list[str]] = page.locator(f'[data-rows="{name}"] tr').evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return found


def tasks_of(page: "Page") -> dict[str, list[str]]:
    return {row[0]: row[2:] for row in rows_of(page, "tasks")}


def drawn(page: "Page") -> list[dict[str, list[str]]]:
    """Return where marks stand, task by task."""
    found: list[dict[str, list[str]]] = page.locator(
        '[data-rows="tasks"] svg.dumbbell'
    ).evaluate_all(
        """drawings => drawings.map(drawing => Object.fromEntries(
          ["mean-a", "mean-b", "run-a", "run-b", "link"].map(name => [
            name,
            [...drawing.querySelectorAll(`.${name}`)].map(mark =>
              mark.getAttribute("cx") ?? mark.getAttribute("d") ??
              `${mark.getAttribute("x1")} ${mark.getAttribute("x2")}`),
          ])))"""
    )
    return found


def test_what_is_shown_of_pairs_is_what_was_computed(browser: "Browser", site: Site) -> None:
    """Of every kind of pair, of one agent in both orders.

    `test_pairs` compares the numbers with those of the command.
    """
    agents = ("alpha", "beta", "gamma", "short", "brief", "taught", "together", "SPR", "BBF",
              "EfficientZero")  # fmt: skip
    decisions, statistics = set(), set()
    with open_page(browser) as (page, seen):
        for one, two in combinations(agents, 2):
            for a, b in ((one, two), (two, one))[: 2 if one == agents[0] else 1]:
                x, y = site.entry(a), site.entry(b)
                choose(page, site, x.slug, y.slug)
                wait_for(page, "a", a)
                wait_for(page, "b", b)
                row = site.row(x, y)
                decisions.add(row.decision)
                statistics.add(row.statistic)
                assert slots(page) == view_of(site.board, row)
                expected = [list(line) for line in protocols_of(site.board, x, y)]
                assert rows_of(page, "protocols") == expected
        seen.assert_clean(f"{site.out.as_uri()}/")
    assert decisions >= {"larger", "smaller", "not separated", "not ranked"}
    assert statistics == {"iqm", "mean"}


def test_swapped_agents_have_mirrored_numbers(browser: "Browser", site: Site) -> None:
    a, b = site.entry("alpha"), site.entry("gamma")
    with open_page(browser) as (page, seen):
        choose(page, site, a.slug, b.slug)
        before, tasks, marks = slots(page), tasks_of(page), drawn(page)
        page.click("button[name=swap]")
        wait_for(page, "a", "gamma")
        after = slots(page)
        assert address_of(page).endswith(f"#?a={b.slug}&b={a.slug}")
        for name in ("point", "ends", "runs"):
            assert (after[f"a-{name}"], after[f"b-{name}"]) == (
                before[f"b-{name}"], before[f"a-{name}"],
            )  # fmt: skip
        assert float(after["gap-point"]) == -float(before["gap-point"])
        old, new = (re.findall(r"-?[\d.]+", of["gap-ends"]) for of in (before, after))
        assert [float(end) for end in new] == [-float(end) for end in reversed(old)]
        assert float(after["chance-point"]) == pytest.approx(1 - float(before["chance-point"]))
        assert before["verdict"] == "alpha is better than gamma."
        assert after["verdict"] == "gamma is worse than alpha."
        assert (after["p"], after["methods"]) == (before["p"], before["methods"])
        for task, (mean_a, mean_b, gap) in tasks_of(page).items():
            assert tasks[task][:2] == [mean_b, mean_a]
            assert float(tasks[task][2]) == -float(gap)
        assert [line["mean-a"] for line in drawn(page)] == [
            line["mean-b"] for line in reversed(marks)
        ]
        seen.assert_clean(f"{site.out.as_uri()}/")


def test_tasks_hold_the_means_and_a_stroke_for_every_run(browser: "Browser", site: Site) -> None:
    a, b = site.entry("beta"), site.entry("short")
    with open_page(browser) as (page, _):
        choose(page, site, a.slug, b.slug)
        shown, marks = tasks_of(page), drawn(page)
    assert set(shown) == {task.name for task in site.board.tasks}
    gaps = []
    for (task, (mean_a, mean_b, gap)), line in zip(shown.items(), marks, strict=True):
        assert mean_a == number(a.normalised[task].mean())
        assert line["run-a"][0].count("M") == 5
        if task in b.normalised:
            assert mean_b == number(b.normalised[task].mean())
            assert float(gap) == pytest.approx(float(mean_a) - float(mean_b))
            assert line["run-b"][0].count("M") == 4
            assert line["link"] == [f"{line['mean-a'][0]} {line['mean-b'][0]}"]
            gaps.append(float(gap))
        else:
            assert (mean_b, gap, line["mean-b"], line["link"]) == ("no score", "–", [], [])
    assert gaps == sorted(gaps, reverse=True)
    assert list(shown)[:20] == [task for task in shown if task in b.normalised]


def test_the_address_names_the_agents_and_leads_back(browser: "Browser", site: Site) -> None:
    alpha, gamma = site.entry("alpha").slug, site.entry("gamma").slug
    with open_page(browser) as (page, seen):
        page.goto(f"{site.base}agents/{gamma}.html")
        page.click("text=Compare with another agent")
        page.wait_for_selector("#pair:not([hidden])")
        assert page.locator("select[name=a]").input_value() == gamma
        # By keyboard: the name of an option is typed.
        page.focus("select[name=b]")
        page.keyboard.type("alpha")
        wait_for(page, "b", "alpha")
        assert address_of(page) == f"{site.base}compare.html#?a={gamma}&b={alpha}"
        page.reload()
        page.wait_for_selector("#pair:not([hidden])")
        assert page.locator("select[name=b]").input_value() == alpha
        page.select_option("select[name=b]", gamma)
        page.wait_for_selector("#trouble:not([hidden])")
        assert page.text_content("#trouble") == "Choose two different agents."
        assert page.locator("#pair").is_hidden()
        # The address may change while the page is open, and name agents that are not here.
        page.evaluate("location.hash = '#?a=nobody&b=../../x'")
        page.wait_for_selector("#pair:not([hidden])")
        first = site.board.entries[0].slug
        assert page.locator("select[name=a]").input_value() == first
        page.goto(f"{site.base}index.html")
        page.click("text=Compare two agents")
        page.wait_for_selector("#pair:not([hidden])")
        seen.assert_clean(f"{site.out.as_uri()}/")


def test_a_pair_that_was_not_computed_says_so(browser: "Browser", site: Site) -> None:
    one, two = site.board.entries[-1], site.board.entries[-3]
    assert not {(one.slug, two.slug), (two.slug, one.slug)} & set(site.found)
    with open_page(browser) as (page, seen):
        choose(page, site, one.slug, two.slug)
        said = slots(page)
        assert said["verdict"].endswith("no numbers of this pair were computed.")
        assert "`rlbench compare` computes any pair" in said["note"]
        assert (said["gap-point"], said["gap-ends"]) == ("–", "")
        assert said["value"] == "Normalised mean"  # of one of the two there are means alone
        for k, entry in (("a", one), ("b", two)):
            assert said[f"{k}-point"] == number(entry.metrics["mean"].point)
        assert rows_of(page, "protocols") == [
            list(line) for line in protocols_of(site.board, one, two)
        ]
        seen.assert_clean(f"{site.out.as_uri()}/")


def test_a_file_of_data_that_is_not_there_is_named(browser: "Browser", site: Site) -> None:
    beta = site.entry("beta").slug
    with open_page(browser) as (page, _):
        page.route(f"**/compare/{beta}.js", lambda route: route.abort())
        page.goto(f"{site.base}compare.html#?a={site.entry('alpha').slug}&b={beta}")
        page.wait_for_selector("#trouble:not([hidden])")
        assert page.text_content("#trouble") == f"compare/{beta}.js could not be loaded."


def test_names_are_shown_as_they_are_and_nothing_runs(browser: "Browser", site: Site) -> None:
    names = {entry.slug: entry.agent for entry in site.board.entries}
    with open_page(browser) as (page, seen):
        for slug, other in pairwise([*site.hostile.values(), site.hostile[PAYLOADS[0]]]):
            choose(page, site, slug, other)
            wait_for(page, "a", names[slug])
            said = slots(page)
            assert (said["a"], said["b"]) == (names[slug], names[other])
            assert said["verdict"].startswith(f"{names[slug]} and {names[other]}")
            assert page.evaluate("'__hit' in window") is False
        slugs = {entry.slug for entry in site.board.own}
        pages = [site.out / site.board.folder / f"compare/{slug}.html" for slug in slugs]
        of_hostile = [path for path in pages if path.exists()]
        assert len(of_hostile) > len(PAYLOADS) / 2
        for path in of_hostile:
            page.goto(path.as_uri())
            assert page.evaluate("'__hit' in window") is False
        seen.assert_clean(f"{site.out.as_uri()}/")


def test_neighbours_have_pages_without_a_script(browser: "Browser", site: Site) -> None:
    beside = of_neighbours(site.board, site.found)
    names = {entry.slug: entry for entry in site.board.entries}
    with open_page(browser, java_script_enabled=False) as (page, seen):
        page.goto(f"{site.base}compare.html")
        assert page.locator("#choose").is_hidden()
        assert page.locator("#pair").is_hidden()
        links = page.locator("#neighbours ~ ul a").evaluate_all(
            "links => links.map(link => [link.textContent, link.href])"
        )
        expected = {
            f"{names[a].agent} and {names[b].agent}": f"{site.base}compare/{a}.html"
            for a, b in beside
        }
        assert dict(links) == expected
    # What a script shows of the same two agents is the same, with every mark at its place.
    tested = [row for row in beside.values() if row.family > 1]
    described = [row for row in beside.values() if not row.family][:3]
    assert tested
    assert described
    for row in (*tested, *described):
        with open_page(browser, java_script_enabled=False) as (page, seen):
            page.goto(f"{site.base}compare/{row.a}.html")
            static = slots(page), rows_of(page, "protocols"), rows_of(page, "tasks"), drawn(page)
            assert static[0] == view_of(site.board, row)
            seen.assert_clean(f"{site.out.as_uri()}/")
        with open_page(browser) as (page, _):
            choose(page, site, row.a, row.b)
            assert slots(page) == static[0]
            assert rows_of(page, "protocols") == static[1]
            assert rows_of(page, "tasks") == static[2]
            for mine, theirs in zip(drawn(page), static[3], strict=True):
                for name in ("mean-a", "mean-b", "link"):
                    assert mine[name] == theirs[name]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen(browser: "Browser", site: Site, width: int, scheme: str) -> None:
    viewport = {"width": width, "height": 900}
    first, second = site.hostile["W" * 60], site.hostile[PAYLOADS[0]]
    with open_page(browser, viewport=viewport, color_scheme=scheme) as (page, _):
        for a, b in ((site.entry("alpha").slug, site.entry("BBF").slug), (first, second)):
            choose(page, site, a, b)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("svg.dumbbell").first.bounding_box()["width"] >= 90  # type: ignore[index]
        page.emulate_media(media="print")
        assert page.locator("#choose").is_hidden()
        assert page.locator("#pair").is_visible()


def test_two_agents_are_light(site: Site) -> None:
    """What one comparison loads besides the site's style: far below 100 kB, before compression."""
    folder = site.out / site.board.folder
    own = [folder / f"compare/{entry.slug}.js" for entry in site.board.own]
    fixed = [folder / "compare.html", site.out / "assets/compare.js"]
    total = sum(path.stat().st_size for path in fixed)
    assert total + 2 * max(path.stat().st_size for path in own) < 100_000


def test_the_words_of_the_page_name_only_known_places() -> None:
    known = {"a", "b", "statistic", "words", "reason", "family", "n", "total"}
    for text in compare_page.WORDS.values():
        assert set(re.findall(r"\{(\w*)\}", text)) <= known
