"""The site shows what the records say, escapes what they hold, and needs nothing from outside.

Two sites are built of the same store: a full one by the command in another process, which all
tests read; and here, from the reversed list of records, the boards of one suite. Those of the
release are made here a second time too, of reversed records.
"""

import gzip
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pytest
from scipy import stats as scipy_stats
from support.processes import COMMAND
from support.records import ATARI, make_record

from rlbench import __version__, suites
from rlbench.errors import UsageError
from rlbench.leaderboard import build_site
from rlbench.leaderboard.axes import PLOT_WIDTH
from rlbench.leaderboard.boards import make_boards
from rlbench.leaderboard.captions import MARK
from rlbench.leaderboard.releases import freeze, write_release
from rlbench.leaderboard.site import _pages, score
from rlbench.leaderboard.tables import number
from rlbench.results import Loaded, Record, Store, published
from rlbench.stats.coverage import coverage_warning
from rlbench.stats.ranks import MIN_RUNS
from rlbench.suites import slug

FIRST = "2026-03-04"  # when most runs ended
DAY = "2026-11-01"  # of the release
BOARD = "atari100k-1"
MAX_WEIGHT = 300_000  # bytes of a board's page and of all that it loads, vega.js aside
UNSAFE = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
    "DOMParser", "srcdoc",
)  # fmt: skip
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "</script><!--",
]
VOID = {"meta", "link", "img", "input", "br", "hr"}
UNOFFICIAL = ATARI.make_unofficial({"budget": 2000, "episodes": 5})
FAILING = ATARI.make_unofficial({"budget": 3000, "episodes": 5})


@dataclass(eq=False)
class Element:
    """An element of a page.

    Attributes:
        tag: Its tag.
        attributes: Its attributes.
        page: All elements of the page, in order; those in this one are a piece of them.
        first: Where that piece begins.
        last: Where it ends.
        children: Elements and texts.
    """

    tag: str
    attributes: dict[str, str | None]
    page: "list[Element]" = field(repr=False)
    first: int
    last: int
    children: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, white space as one blank."""
        return " ".join("".join(self.texts()).split())

    def texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child.texts()

    def all(self, *tags: str) -> "list[Element]":
        """Return the elements in it with one of some tags; with all if none is given."""
        within = self.page[self.first : self.last]
        return [element for element in within if element.tag in tags] if tags else within

    def has_class(self, name: str) -> bool:
        return name in (self.attributes.get("class") or "").split()


class _Parser(HTMLParser):
    """Builds the tree of a page, and refuses one whose tags do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.page: list[Element] = []
        self.root = Element("", {}, self.page, 0, 0)
        self.open = [self.root]

    def begin(self, tag: str, attributes: dict[str, str | None]) -> Element:
        """Add an element to the one that is open."""
        place = len(self.page) + 1
        element = Element(tag, attributes, self.page, place, place)
        self.page.append(element)
        self.open[-1].children.append(element)
        return element

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = self.begin(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert any(e.tag == "svg" for e in self.open), f"<{tag}/> outside of a drawing"
        self.begin(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> at {self.getpos()} in <{self.open[-1].tag}>"
        self.open.pop().last = len(self.page)

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(content: bytes) -> Element:
    parser = _Parser()
    parser.feed(content.decode())
    parser.close()
    assert len(parser.open) == 1, f"not closed: {[e.tag for e in parser.open[1:]]}"
    parser.root.last = len(parser.page)
    return parser.root


def table_of(page: Element, name: str) -> dict[str, list[Element]]:
    """Return the cells of a table's lines by the text of their first; headings of groups aside."""
    (table,) = (t for t in page.all("table") if t.attributes.get("aria-label") == name)
    rows = [row for body in table.all("tbody") for row in body.all("tr")]
    lines = [row.all("th", "td") for row in rows if not row.has_class("group")]
    found = {cells[0].text: cells for cells in lines}
    assert len(found) == len(lines)
    return found


def columns_of(page: Element, name: str) -> list[str]:
    """Return the sort keys of a table's columns; of those without one nothing."""
    (table,) = (t for t in page.all("table") if t.attributes.get("aria-label") == name)
    (head,) = table.all("thead")
    return [cell.attributes.get("data-sort") or "" for cell in head.all("th")]


def cards_of(page: Element) -> list[Element]:
    """Return the boards that the first page lists."""
    (boards,) = (e for e in page.all("ul") if e.has_class("boards"))
    return [e for e in boards.children if isinstance(e, Element)]


def facts_of(page: Element) -> dict[str, str]:
    terms = page.all("dt", "dd")
    return {term.text: fact.text for term, fact in zip(terms[::2], terms[1::2], strict=True)}


def run(agent: str, task: str, seed: int, value: float, day: str = FIRST) -> Record:
    record = make_record(task, agent, seed, value)
    return replace(record, timing={"seconds": 5400.0, "finished": f"{day}T05:06:07+00:00"})


def frozen_records() -> list[Record]:
    """alpha and gamma have all runs, beta lacks a task, lone a second run, hapless all scores."""
    generator = np.random.default_rng(0)
    found = []
    for agent, runs, level in (("alpha", 3, 1.0), ("beta", 2, 0.8), ("gamma", 4, 0.2)):
        for task in ATARI.tasks:
            if agent == "beta" and task.name == "Pong":
                continue
            for seed in range(runs):
                share = generator.normal(level, 0.3)
                value = task.low + share * (task.high - task.low)
                day = "2026-05-06" if (agent, task.name, seed) == ("alpha", "Pong", 1) else FIRST
                found.append(run(agent, task.name, seed, float(value), day))
    found += [run("lone", task.name, 0, 0.98 * task.low + 0.02 * task.high) for task in ATARI.tasks]
    found.append(make_record("Pong", "beta", 0, status="failed"))
    found += [make_record("Pong", "hapless", seed, status="failed") for seed in range(2)]
    found += [
        make_record("Pong", payload, 0, float(place), suite=UNOFFICIAL, version=payload,
                    config={"hostile": {payload: payload}})
        for place, payload in enumerate(PAYLOADS)
    ]  # fmt: skip
    found.append(make_record("Pong", "hapless", 0, status="failed", suite=FAILING))
    return found


def newcomers() -> list[Record]:
    return [
        run("delta", task.name, seed, float(task.high) + seed)
        for task in ATARI.tasks
        for seed in range(3)
    ]


def replays_of(records: Sequence[Record]) -> dict[str, bool]:
    """All of alpha's came out equal, all but one of gamma's, and some of beta's."""
    found = {}
    for record in records:
        agent, seed = record.identity.agent.name, record.identity.seed
        if record.status == "ok" and (agent in ("alpha", "gamma") or (agent, seed) == ("beta", 0)):
            found[record.sha256] = (agent, record.identity.task, seed) != ("gamma", "Pong", 3)
    return found


def tree(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def fill(folder: Path, records: Sequence[Record]) -> Store:
    store = Store(folder)
    store.prepare()
    for record in records:
        store.write(record)
    return store


class Sites(NamedTuple):
    """The files of sites by name.

    Attributes:
        whole: Of all records, by the command, with a release of all but the newcomers.
        again: The boards of Atari 100k of the same records in reversed order, with a release of
            that day which holds nothing.
        frozen: These boards of the records of the release alone, in reversed order.
        records: All records but the newcomers'.
    """

    whole: dict[str, bytes]
    again: dict[str, bytes]
    frozen: dict[str, bytes]
    records: list[Record]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    folder = tmp_path_factory.mktemp("sites")
    records = frozen_records()
    replays = replays_of(records)
    # The sources of this board alone, so that the others need not be drawn twice.
    of_board = {source.slug for source in published.sources("atari100k")}
    whole = freeze(records, DAY)
    release = replace(
        whole, published={name: h for name, h in whole.published.items() if name in of_board}
    )
    write_release(release, folder / f"releases/{DAY}.json")
    rows = [{"record": sha256, "equal": equal} for sha256, equal in replays.items()]
    (folder / "replays.json").write_text(json.dumps(rows))
    store = fill(folder / "all", [*records, *newcomers()])
    (folder / "all/atari100k-1/alpha/pong/evil<b>.json").write_text("<script>alert(2)</script>")

    command = [
        *COMMAND, "leaderboard", "build", "--store", "all", "--out", "site-all",
        "--releases", "releases", "--replays", "replays.json",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=folder, stdout=-1, stderr=-1, text=True) as process:
        loaded = store.load()
        reversed_ = Loaded(loaded.records[::-1], loaded.problems)
        nothing = replace(release, records=frozenset(), published={})
        build_site(
            reversed_, folder / "again", replays=replays, releases=[nothing], only=["atari100k"]
        )
        boards = make_boards(records[::-1], replays, frozenset(of_board), ["atari100k"])
        frozen = dict(
            _pages(
                boards,
                {"version": __version__, "dates": [], "plot_width": PLOT_WIDTH, "top": "",
                 "release": "", "problems": [], "plans": (), "records": (), "cards": {},
                 "retrained": {}},
            )
        )  # fmt: skip
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said
    return Sites(tree(folder / "site-all"), tree(folder / "again"), frozen, records)


@pytest.fixture(scope="module")
def pages(sites: Sites) -> dict[str, Element]:
    return {name: parse(data) for name, data in sites.whole.items() if name.endswith(".html")}


@pytest.fixture(scope="module")
def board(pages: Mapping[str, Element]) -> Element:
    return pages[f"{BOARD}/index.html"]


def normalised(records: Sequence[Record], agent: str) -> dict[str, np.ndarray]:
    """Return an agent's normalised scores (runs,) by task, computed from the records alone."""
    return {
        task.name: np.array(values)
        for task in ATARI.tasks
        if (
            values := [
                (sum(r.evaluations[-1].returns) / 100 - task.low) / (task.high - task.low)
                for r in sorted(records, key=lambda r: r.identity.seed)
                if r.status == "ok"
                and (r.identity.agent.name, r.identity.task) == (agent, task.name)
                and not r.identity.unofficial
            ]
        )
    }


def assert_aggregates(cells: Mapping[str, Element], tasks: Sequence[np.ndarray]) -> None:
    flat = np.concatenate(tasks)
    order = np.argsort(flat)
    # Every task weighs the same, shared by its runs.
    weights = np.concatenate([np.full(len(task), 1 / len(tasks) / len(task)) for task in tasks])
    ends = np.concatenate([[0.0], np.cumsum(weights[order])])
    cut = len(flat) // 4 / len(flat)
    kept = np.diff(np.clip(ends, cut, 1 - cut))
    expected = {
        "iqm": kept @ flat[order] / kept.sum(),
        "mean": np.mean([task.mean() for task in tasks]),
        "optimality_gap": np.mean([np.maximum(1 - task, 0).mean() for task in tasks]),
    }
    for column, value in expected.items():
        point, *interval = re.findall(r"-?\d[\d,]*\.?\d*", cells[column].text)
        assert point == number(float(value)), column
        if interval:
            low, high = (float(end.replace(",", "")) for end in interval)
            assert low <= round(float(value), 3) <= high
    assert cells["tasks"].text == f"{len(tasks)}/{len(ATARI.tasks)}"


def test_every_aggregate_of_agents_is_that_of_the_records(sites: Sites, board: Element) -> None:
    everything = [*sites.records, *newcomers()]
    rows = table_of(board, "Agents")
    assert set(rows) == {"alpha", "beta", "gamma", "delta", "lone"}
    columns = columns_of(board, "Agents")
    for agent, cells in rows.items():
        named = dict(zip(columns, cells, strict=True))
        tasks = normalised(everything, agent)
        assert_aggregates(named, list(tasks.values()))
        assert named["runs"].text.split(" ")[0] == str(len(tasks["Boxing"]))
        assert ("[" in named["iqm"].text) == (agent != "lone")


def test_intervals_that_cover_too_rarely_are_marked_and_explained(
    sites: Sites, pages: Mapping[str, Element], board: Element
) -> None:
    rows, columns = table_of(board, "Agents"), columns_of(board, "Agents")
    everything = [*sites.records, *newcomers()]
    marked = 0
    for agent, cells in rows.items():
        tasks = normalised(everything, agent)
        runs = min(map(len, tasks.values()))
        (page,) = (p for n, p in pages.items() if n.startswith(f"{BOARD}/agents/{agent}-"))
        for metric in ("iqm", "mean", "optimality_gap"):
            warned = coverage_warning(metric, len(tasks), runs)
            assert (MARK in cells[columns.index(metric)].text) == bool(warned)
            assert warned in page.text
            marked += bool(warned)
    assert marked
    assert f"{MARK} Measured to cover less than 92% of the time." in board.text


def test_published_scores_stand_apart_with_their_deviations(
    pages: Mapping[str, Element], board: Element
) -> None:
    rows, columns = table_of(board, "Published"), columns_of(board, "Published")
    found = published.load(ATARI)
    assert set(rows) == set(found)
    for agent, paper in found.items():
        named = dict(zip(columns, rows[agent], strict=True))
        tasks = [
            (raw - ATARI.task(task).low) / (ATARI.task(task).high - ATARI.task(task).low)
            for task, raw in paper.values.items()
        ]
        if paper.source.means_only:
            assert named["iqm"].text == named["optimality_gap"].text == "no runs"
            assert named["mean"].text == number(float(np.mean(np.concatenate(tasks))))
        else:
            assert_aggregates(named, tasks)
        lines = [item.text for item in named["deviations"].all("li")]
        shown = "; ".join(line for line in lines if not line.startswith("not ranked: "))
        assert shown == published.in_words(published.deviations(paper))
        facts = facts_of(pages[f"{BOARD}/agents/{paper.source.slug}.html"])
        assert facts["Licence"] == paper.source.licence
        assert facts["Paper"] == paper.source.paper


def test_ranks_are_shown_within_pools_alone(board: Element) -> None:
    notes = [e.text for e in board.all("p") if e.text.startswith("Pool ")]
    members = {
        match[1]: match[2].split(", ")
        for note in notes
        if (match := re.match(r"Pool (\d+): (.*?)\. Method: ", note))
    }
    assert set(members["1"]) == {"alpha", "gamma", "delta"}
    papers = published.load(ATARI)
    for pool, names in members.items():
        protocols = [papers[name].fields for name in names if name in papers]
        assert protocols == [protocols[0]] * len(names) if pool != "1" else not protocols
    seen = []
    for table in ("Agents", "Published"):
        columns = columns_of(board, table)
        for agent, cells in table_of(board, table).items():
            named = dict(zip(columns, cells, strict=True))
            pool = next((p for p, names in members.items() if agent in names), None)
            if pool is None:
                assert named["rank"].text.startswith("not ranked")
                assert named["tier"].text == "–"
            else:
                match = re.fullmatch(r"(\d+)(?:–(\d+))? of (\d+)", named["rank"].text)
                assert match
                assert int(match[3]) == len(members[pool])
                assert 1 <= int(match[1]) <= int(match[2] or match[1]) <= len(members[pool])
                assert re.fullmatch(f"{pool}[a-zA-Z]+", named["tier"].text)
                seen.append(agent)
    assert sorted(seen) == sorted(name for names in members.values() for name in names)


def test_those_that_are_not_ranked_say_why(board: Element) -> None:
    rows, columns = table_of(board, "Agents"), columns_of(board, "Agents")
    at = columns.index("rank")
    assert rows["beta"][at].text == "not ranked: 25 of 26 tasks"
    assert rows["lone"][at].text == f"not ranked: fewer than {MIN_RUNS} runs on a task"
    rows, columns = table_of(board, "Published"), columns_of(board, "Published")
    for cells in rows.values():
        named = dict(zip(columns, cells, strict=True))
        if named["rank"].text == "not ranked":
            (reason,) = (
                item.text
                for item in named["deviations"].all("li")
                if item.text.startswith("not ranked: ")
            )
            assert len(reason) > len("not ranked: ")


def test_badges_say_what_came_of_the_replays(sites: Sites, board: Element) -> None:
    at = columns_of(board, "Agents").index("badge")
    badges = {agent: cells[at].text for agent, cells in table_of(board, "Agents").items()}
    assert badges == {
        "alpha": "replayed", "gamma": "replay differs", "beta": "self-reported",
        "lone": "self-reported", "delta": "self-reported",
    }  # fmt: skip
    at = columns_of(board, "Published").index("badge")
    assert {cells[at].text for cells in table_of(board, "Published").values()} == {"published"}


def test_dates_are_those_of_the_last_run_and_hours_the_mean(board: Element) -> None:
    columns = columns_of(board, "Agents")
    for agent, cells in table_of(board, "Agents").items():
        named = dict(zip(columns, cells, strict=True))
        assert named["date"].text == ("2026-05-06" if agent == "alpha" else FIRST)
        assert named["hours"].text == "1.5"
    papers = published.load(ATARI)
    at = columns_of(board, "Published").index("date")
    for agent, cells in table_of(board, "Published").items():
        assert cells[at].text == papers[agent].source.year


def test_holes_are_shown_and_incomplete_agents_come_last(
    pages: Mapping[str, Element], board: Element
) -> None:
    assert list(table_of(board, "Agents"))[-1] == "beta"
    holes = {
        (agent, ATARI.tasks[place].name)
        for agent, cells in table_of(board, "Mean normalised scores by task").items()
        for place, cell in enumerate(cells[1:])
        if cell.text == "no run"
    }
    assert ("beta", "Pong") in holes
    assert {agent for agent, _ in holes} <= {"beta", *published.load(ATARI)}
    beta = next(name for name in pages if re.match(f"{BOARD}/agents/beta-", name))
    rows = table_of(pages[beta], "Tasks")
    assert [cell.text for cell in rows["Pong"]] == ["Pong", "no run"]
    assert "Failed runs" in [heading.text for heading in pages[beta].all("h2")]
    assert "act raised ValueError: no" in pages[beta].text
    assert table_of(pages[f"{BOARD}/tasks/pong.html"], "Agents")["beta"][1].text == "no run"
    assert "Without a score, since every run failed: hapless (2 runs)." in board.text
    assert ATARI.notes[4] in board.text


def test_the_heat_map_holds_the_means_of_tasks(sites: Sites, board: Element) -> None:
    rows = table_of(board, "Mean normalised scores by task")
    for agent in ("alpha", "beta", "gamma", "lone"):
        tasks = normalised(sites.records, agent)
        for task, cell in zip(ATARI.tasks, rows[agent][1:], strict=True):
            if task.name not in tasks:
                continue
            mean = tasks[task.name].mean()
            assert float(cell.text) == pytest.approx(mean, rel=0.005, abs=0.00501)
            assert cell.has_class(f"h{round(10 * min(max(mean, 0), 1))}")


def test_retention_is_that_of_the_runs_and_leaves_doubtful_games_out(
    pages: Mapping[str, Element],
) -> None:
    suite = suites.get("stori")
    page = pages["stori-1/index.html"]
    (table,) = (t for t in page.all("table") if t.attributes.get("aria-label") == "Retention")
    (head,) = table.all("thead")
    kinds = [cell.text for cell in head.all("th")][1:-1]
    rows = table_of(page, "Retention")
    for agent, paper in published.load(suite).items():
        left_out = set()
        for kind, cell in zip(kinds, rows[agent][1:-1], strict=True):
            kept = []
            for name, raw in paper.values.items():
                game, _, its_kind = name.partition("/")
                clean = paper.values[f"{game}/3.1"] - suite.task(name).low
                half = scipy_stats.t.ppf(0.975, len(clean) - 1) * scipy_stats.sem(clean)
                if its_kind == kind and clean.mean() > half:
                    kept += ((raw - suite.task(name).low) / clean.mean()).tolist()
                elif its_kind == kind:
                    left_out.add(game)
            middle = scipy_stats.trim_mean(kept, 0.25)
            assert cell.text.split("[")[0].strip() == number(float(middle)), (agent, kind)
        assert rows[agent][-1].text == (", ".join(sorted(left_out)) or "–")


def test_pages_of_agents_and_tasks_hold_raw_means_with_intervals_of_student(
    sites: Sites, pages: Mapping[str, Element]
) -> None:
    page = next(p for name, p in pages.items() if name.startswith(f"{BOARD}/agents/alpha-"))
    rows = table_of(page, "Tasks")
    assert list(rows) == [task.name for task in ATARI.tasks]
    for task in ATARI.tasks:
        raw = task.low + normalised(sites.records, "alpha")[task.name] * (task.high - task.low)
        half = scipy_stats.t.ppf(0.975, len(raw) - 1) * scipy_stats.sem(raw)
        ends = f"[{score(raw.mean() - half)}, {score(raw.mean() + half)}]"
        expected = f"{score(raw.mean())} {ends}"
        assert rows[task.name][1].text == expected
        of_task = pages[f"{BOARD}/tasks/{slug(task.name)}.html"]
        cells = table_of(of_task, "Agents")["alpha"]
        assert cells[1].text == expected
        assert cells[-1].text == ", ".join(map(score, raw))
        assert cells[-2].text == "3"


def test_an_agents_page_names_every_run(sites: Sites, pages: Mapping[str, Element]) -> None:
    page = next(p for name, p in pages.items() if name.startswith(f"{BOARD}/agents/gamma-"))
    shown = []
    for table in page.all("table"):
        of, _, task = table.attributes.get("aria-label", "").partition("Runs of ")
        if not of and task:
            (body,) = table.all("tbody")
            lines = [[c.text for c in line.all("th", "td")] for line in body.all("tr")]
            shown += [[task, *line] for line in lines]
    expected = [
        [
            r.identity.task, str(r.identity.seed), score(r.score), "100", "7", "100,000", "5400.0",
            r.identity.key,
        ]
        for r in sites.records
        if r.identity.agent.name == "gamma"
    ]  # fmt: skip
    assert shown == expected


def test_every_link_leads_somewhere_and_nothing_is_fetched_from_outside(
    sites: Sites, pages: Mapping[str, Element]
) -> None:
    ids = {
        name: {e.attributes["id"] for e in page.all() if "id" in e.attributes}
        for name, page in pages.items()
    }
    for name, page in pages.items():
        for element in page.all():
            for attribute in ("src", "href"):
                target = element.attributes.get(attribute) or "data:,"  # nothing
                if target == "data:,":
                    continue
                if re.match("[a-z]+:", target):
                    # The source of a published score: followed, not fetched.
                    assert element.tag == "a", (name, target)
                    assert target.startswith("https://")
                    assert element.attributes["rel"] == "noopener"
                    continue
                path, _, fragment = target.partition("#")
                assert not path.startswith("/")
                here = (Path("/", name).parent / unquote(path)).resolve() if path else Path(name)
                there = here.relative_to("/").as_posix() if path else name
                assert there in sites.whole, (name, target)
                is_state = fragment.startswith("?")
                assert not fragment or is_state or fragment in ids[there], (name, target)


def test_every_agent_and_task_has_a_page_that_is_linked(
    sites: Sites, pages: Mapping[str, Element]
) -> None:
    links = {
        name.removesuffix("/index.html"): {a.attributes.get("href") for a in page.all("a")}
        for name, page in pages.items()
        if name.endswith("/index.html")
    }
    for name in pages:
        folder, _, file = name.rpartition("/")
        if folder.endswith(("/agents", "/tasks")):
            board, _, kind = folder.rpartition("/")
            assert f"{kind}/{file}" in links[board], name
    assert {f"{BOARD}/tasks/{slug(task.name)}.html" for task in ATARI.tasks} <= set(pages)
    agents = [name for name in pages if name.startswith(f"{BOARD}/agents/")]
    assert len(agents) == 5 + len(published.load(ATARI))


def test_every_page_is_whole_and_accessible(pages: Mapping[str, Element]) -> None:
    for name, page in pages.items():
        (document,) = page.all("html")
        assert document.attributes["lang"] == "en"
        (title,) = page.all("title")
        assert title.text, name
        assert len(page.all("h1")) == len(page.all("main")) == 1, name
        ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
        assert len(ids) == len(set(ids)), name
        assert None not in ids
        assert "" not in ids
        for cell in page.all("th"):
            assert cell.attributes.get("scope") in ("col", "colgroup", "row", "rowgroup"), name
        for table in page.all("table"):
            assert table.all("thead"), name
            assert table.all("tbody"), name
        for image in page.all("img"):
            assert image.attributes["alt"], name
        for drawing in page.all("svg"):
            hidden = drawing.attributes.get("aria-hidden") == "true"
            assert hidden or drawing.attributes["aria-label"], name
        labelled = {id(c) for e in page.all("label") for c in e.all("input", "select") if e.text}
        assert {id(c) for c in page.all("input", "select", "textarea")} <= labelled, name
        for button in page.all("button"):
            assert button.text, name
        for element in page.all():
            by = element.attributes.get("aria-labelledby")
            assert by is None or by in ids, (name, by)


def test_no_page_holds_a_script_or_a_style_of_its_own(pages: Mapping[str, Element]) -> None:
    for name, page in pages.items():
        assert not page.all("style", "iframe", "object", "embed", "base"), name
        for element in page.all():
            assert "style" not in element.attributes, (name, element.tag)
            assert not [a for a in element.attributes if a.startswith("on")], (name, element.tag)
        for script in page.all("script"):
            if "src" in script.attributes:
                assert script.text == ""
            else:
                assert script.attributes["type"] == "application/json", name
                json.loads("".join(script.texts()))
        (policy,) = (
            e.attributes["content"]
            for e in page.all("meta")
            if e.attributes.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "*" not in policy


def test_scripts_write_text_alone(sites: Sites) -> None:
    scripts = {name for name in sites.whole if name.endswith(".js")}
    ours = sorted(n for n in scripts if n.startswith("assets/") and n != "assets/vega.js")
    assert ours == ["assets/charts.js", "assets/compare.js", "assets/site.js"]
    for name in scripts - {*ours, "assets/vega.js"}:
        # Data: one call, of text and JSON.
        call = sites.whole[name].decode("ascii").removeprefix('"use strict";\nrlbenchCompare')
        assert Path(name).parent.name == "compare"
        who, data = json.loads("[" + call.removeprefix("(").removesuffix(");\n") + "]")
        assert who == Path(name).stem
        assert set(data) >= {"name", "tasks", "pairs"}
    for name in ours:
        text = sites.whole[name].decode()
        assert [word for word in UNSAFE if word in text] == [], name


def test_hostile_names_are_shown_as_they_are(pages: Mapping[str, Element]) -> None:
    (folder,) = {
        name.split("/")[0]
        for name, page in pages.items()
        if name.count("/") == 1 and "budget=2000,episodes=5" in page.text
    }
    rows = table_of(pages[f"{folder}/index.html"], "Agents")
    assert set(rows) == set(PAYLOADS)
    for payload, cells in rows.items():
        (link,) = cells[0].all("a")
        page = pages[f"{folder}/{link.attributes['href']}"]
        (heading,) = page.all("h1")
        assert heading.text == payload
        assert facts_of(page)["Version"] == payload
        hostile = json.dumps({payload: payload}, separators=(",", ":"), ensure_ascii=False)
        assert facts_of(page)["Option hostile"] == hostile
    left_out = pages[f"{folder}/index.html"].text
    assert "evil<b>.json" in left_out


def test_unofficial_records_have_a_board_of_their_own(pages: Mapping[str, Element]) -> None:
    names = [name for name in pages if re.match(r"atari100k-1-unofficial-[0-9a-f]{8}/index", name)]
    assert len(names) == 2
    for name in names:
        assert "Unofficial." in pages[name].text
        assert not any(t.attributes.get("aria-label") == "Published" for t in pages[name].all())
    assert "Unofficial." not in pages[f"{BOARD}/index.html"].text
    titles = [card.text for card in cards_of(pages["index.html"])]
    assert ["unofficial" in title for title in titles] == [False] * (len(titles) - 2) + [True] * 2


def test_one_run_has_no_interval(pages: Mapping[str, Element]) -> None:
    name = next(n for n, page in pages.items() if "budget=2000" in page.text and "/" in n)
    index = pages[f"{name.split('/')[0]}/index.html"]
    assert "none: a task has only one run" in index.text
    at = columns_of(index, "Agents").index("iqm")
    assert all("[" not in cells[at].text for cells in table_of(index, "Agents").values())


def test_a_board_of_failures_alone_says_so(pages: Mapping[str, Element]) -> None:
    (page,) = (p for n, p in pages.items() if n.count("/") == 1 and "budget=3000" in p.text)
    assert "No run has a score yet." in page.text
    assert "every run failed: hapless (1 run)." in page.text
    assert not page.all("figure")


def test_a_board_without_records_has_its_published_scores(pages: Mapping[str, Element]) -> None:
    hard = suites.get("dmc-hard")
    papers = published.load(hard)
    (item,) = (card for card in cards_of(pages["index.html"]) if "dmc-hard@1" in card.text)
    runs = sum(len(scores) for paper in papers.values() for scores in paper.values.values())
    said = f"7 tasks · {len(papers)} published agents with {runs:,} runs, 2022 to 2025"
    assert said in item.text
    page = pages["dmc-hard-1/index.html"]
    assert said in page.text
    assert "Agents" not in [heading.text for heading in page.all("h2")]
    assert "No run has a score yet." not in page.text
    assert set(table_of(page, "Published")) == set(papers)


def test_the_same_records_give_the_same_bytes_in_any_order_and_process(sites: Sites) -> None:
    """But for the list of boards and the pages of papers, which name other suites too.

    Boards of the release are compared below.
    """
    others = {name for name in sites.again if name.partition("/")[0] in ("papers", "releases")}
    others.add("index.html")
    assert others | {f"{BOARD}/index.html"} < set(sites.again)
    assert [n for n in sites.again.keys() - others if sites.again[n] != sites.whole.get(n)] == []


def test_a_site_of_one_suite_has_its_boards_alone(sites: Sites) -> None:
    def of_suite(name: str) -> bool:
        folder = name.partition("/")[0]
        return folder == BOARD or folder.startswith(f"{BOARD}-unofficial-")

    boards = {name for name in sites.whole if of_suite(name)}
    assert {name for name in sites.again if of_suite(name)} == boards
    assert {name.partition("/")[0] for name in sites.again.keys() - boards} == {
        ".rlbench-site", "assets", "index.html", "papers", "releases",
    }  # fmt: skip
    released = [name.split("/")[1:3] for name in sites.again if name.startswith("releases/")]
    assert {name for _, name in released} == {"index.html", "papers", BOARD}
    assert {date for date, _ in released} == {DAY}


def without_release(page: bytes) -> list[str]:
    """Return the lines of a page but for those that say of which release it is."""
    said = (
        rf"Not a release:.*?</p>|Release <strong>{DAY}</strong>.*?</p>|\n<a class=.release.*?</a>"
    )
    lines = re.sub(said, "", page.decode(), flags=re.S).splitlines()
    return [line for line in lines if "assets/" not in line]


def test_a_release_shows_what_there_was_whatever_came_since(sites: Sites) -> None:
    top = f"releases/{DAY}/"
    boards = {name.split("/")[0] for name in sites.frozen if name.startswith("atari100k-1")}
    assert len(boards) == 3
    for name, before in sites.frozen.items():
        if name.split("/")[0] not in boards:
            continue
        now = sites.whole[top + name]
        if name.endswith(".html"):
            assert without_release(now) == without_release(before), name
        else:
            assert now == before, name
    assert "delta" in table_of(parse(sites.whole[f"{BOARD}/index.html"]), "Agents")
    assert "delta" not in table_of(parse(sites.whole[f"{top}{BOARD}/index.html"]), "Agents")
    assert b"\ndelta," in sites.whole[f"{BOARD}/downloads/agents.csv"]
    assert b"\ndelta," not in sites.whole[f"{top}{BOARD}/downloads/agents.csv"]
    assert f"{top}index.html" in {
        a.attributes.get("href") for a in parse(sites.whole["index.html"]).all("a")
    }


def test_the_largest_board_is_light(sites: Sites, pages: Mapping[str, Element]) -> None:
    def weight(name: str) -> int:
        return len(gzip.compress(sites.whole[name]))

    boards = [name for name in pages if name.count("/") == 1 and name.endswith("/index.html")]
    largest = max(boards, key=weight)
    folder = largest.split("/")[0]
    parts = {
        "index.html", largest, "assets/site.css", "assets/site.js", "assets/charts.js",
        *(name for name in sites.whole if name.startswith(f"{folder}/charts/")),
    }  # fmt: skip
    weights = {name: weight(name) for name in sorted(parts)}
    assert sum(weights.values()) < MAX_WEIGHT, f"{sum(weights.values()):,} bytes: {weights}"


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/thesis.tex").touch()
    with pytest.raises(UsageError, match="is not a site of ours"):
        build_site(Loaded([make_record()], []), tmp_path / "site")
    assert [path.name for path in tmp_path.rglob("*")] == ["site", "thesis.tex"]
