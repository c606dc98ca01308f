"""The site shows what the records say, escapes what they hold, and needs nothing from outside."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from support.records import ATARI, make_record

from rlbench import stats
from rlbench.errors import UsageError
from rlbench.leaderboard import build_site
from rlbench.leaderboard.site import number
from rlbench.results import Loaded, Problem, published

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt;",
]


class Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def records() -> list:
    generator = np.random.default_rng(0)
    return [
        make_record(task.name, agent, seed, float(generator.normal(task.high, 1.0)))
        for agent in ("alpha", "beta")
        for task in ATARI.tasks
        for seed in range(3)
        if agent == "alpha" or task.name != "Pong"
    ] + [make_record("Pong", "beta", 0, status="failed")]


def build(tmp_path: Path, some: list, problems: list | None = None) -> Path:
    return build_site(Loaded(some, problems or []), tmp_path / "site")


def test_every_number_is_that_of_the_scores(tmp_path: Path) -> None:
    some = records()
    build(tmp_path, some)
    text = (tmp_path / "site/atari100k-1/index.html").read_text(encoding="utf-8")
    for agent in ("alpha", "beta"):
        tasks = [
            [(r.score - t.low) / (t.high - t.low) for r in some
             if r.status == "ok" and (r.identity.agent.name, r.identity.task) == (agent, t.name)]
            for t in ATARI.tasks
        ]  # fmt: skip
        scores = [np.array(task) for task in tasks if task]
        for name in ("iqm", "mean", "optimality_gap"):
            estimate = stats.bootstrap(scores, name)
            shown = f'{number(estimate.point)} <span class="interval">[{number(estimate.low)}, '
            assert f"{shown}{number(estimate.high)}]</span>" in text
        assert f'<td class="n">{number(stats.median(scores))}</td>' in text


def test_holes_are_shown_and_incomplete_agents_come_last(tmp_path: Path) -> None:
    build(tmp_path, records())
    page = Page(tmp_path / "site/atari100k-1/index.html")
    assert page.text.index("alpha") < page.text.index("beta")
    assert "26/26" in page.text
    assert "25/26" in page.text
    assert "no run" in page.text
    assert ATARI.notes[4] in page.text


def test_payloads_are_shown_as_they_are(tmp_path: Path) -> None:
    some = [make_record("Pong", payload, 0, 1.0) for payload in PAYLOADS]
    build(tmp_path, some, [Problem(Path("evil<b>.json"), "<script>alert(2)</script>")])
    for path in (tmp_path / "site").rglob("*.html"):
        page = Page(path)
        assert not [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "object")]
        assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    board = Page(tmp_path / "site/atari100k-1/index.html")
    for payload in PAYLOADS:
        assert payload in board.text
    assert "<script>alert(2)</script>" in board.text
    assert "evil<b>.json" in board.text


def test_nothing_is_fetched_from_outside(tmp_path: Path) -> None:
    build(tmp_path, records())
    for path in (tmp_path / "site").rglob("*.html"):
        for tag, attributes in Page(path).tags:
            for name in ("src", "href"):
                target = attributes.get(name)
                if tag == "a" and target and target.startswith("https://github.com/"):
                    # The source of a published score: followed, not fetched.
                    assert attributes["rel"] == "noopener"
                elif target:
                    assert not re.match(r"[a-z]+:|//", target), (tag, target)
                    if target.startswith("#"):
                        assert f'id="{target[1:]}"' in path.read_text(encoding="utf-8")
                    else:
                        assert (path.parent / target).exists(), (path, target)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    build(tmp_path, records())
    before = {p: p.read_bytes() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    build(tmp_path, list(reversed(records())))
    after = {p: p.read_bytes() for p in (tmp_path / "site").rglob("*") if p.is_file()}
    assert before == after


def test_unofficial_records_have_a_board_of_their_own(tmp_path: Path) -> None:
    unofficial = ATARI.make_unofficial({"budget": 2000, "episodes": 5})
    build(tmp_path, [make_record(), make_record(suite=unofficial, score=9.0)])
    boards = sorted(p.parent.name for p in (tmp_path / "site").glob("*/index.html"))
    assert boards[0] == "atari100k-1"
    assert re.fullmatch(r"atari100k-1-unofficial-[0-9a-f]{8}", boards[1])
    page = Page(tmp_path / "site" / boards[1] / "index.html")
    assert "Unofficial." in page.text
    assert "budget=2000,episodes=5" in page.text
    assert "Unofficial." not in Page(tmp_path / "site/atari100k-1/index.html").text


def test_one_run_has_no_interval(tmp_path: Path) -> None:
    build(tmp_path, [make_record()])
    assert "none: a task has only one run" in Page(tmp_path / "site/atari100k-1/index.html").text


def test_an_empty_store_and_a_store_of_failures_have_a_site(tmp_path: Path) -> None:
    assert "0 agents, 17 published" in Page(build(tmp_path, [])).text
    build(tmp_path, [make_record(status="failed")])
    assert "No run has a score yet" in Page(tmp_path / "site/atari100k-1/index.html").text


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/thesis.tex").touch()
    with pytest.raises(UsageError, match="is no site of ours"):
        build(tmp_path, [make_record()])
    assert (tmp_path / "site/thesis.tex").exists()


def test_published_scores_stand_apart_with_their_deviations(tmp_path: Path) -> None:
    """Every number of the panel is computed again, without our statistics."""
    build(tmp_path, [])
    page = tmp_path / "site/atari100k-1/index.html"
    rows, text = panel_of(page), page.read_text(encoding="utf-8")
    found = published.load(ATARI)
    assert set(rows) == set(found)
    for agent, scores in found.items():
        values = [
            (raw - ATARI.task(task).low) / (ATARI.task(task).high - ATARI.task(task).low)
            for task, raw in scores.values.items()
        ]
        flat = np.sort(np.concatenate(values))
        cells = rows[agent]
        if scores.source.means_only:
            assert cells[0] == "no runs"
        elif len({len(v) for v in values}) == 1:
            cut = len(flat) // 4
            assert cells[0].startswith(number(float(flat[cut : len(flat) - cut].mean()))), agent
        assert cells[1].startswith(number(float(np.mean([v.mean() for v in values])))), agent
        assert cells[5] == f"{len(values)}/26"
        said = text[text.index(f'<dt id="{scores.source.slug}">') :]
        said = said[: said.index("</dd>")]
        assert html.escape(scores.source.licence) in said
        shown = re.findall("<li>(.*?)</li>", said)
        in_words = published.in_words(published.deviations(scores))
        assert html.unescape("; ".join(shown)) == in_words


def panel_of(path: Path) -> dict[str, list[str]]:
    """Return the cells of a board's literature panel by agent."""
    text = path.read_text(encoding="utf-8")
    table = text[text.index('aria-label="Literature"') :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    rows = {}
    for row in body.split("<tr>")[1:]:
        agent, *cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        rows[html.unescape(agent)] = [
            html.unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in cells
        ]
    return rows
