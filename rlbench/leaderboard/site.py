"""The static site: pages of boards, agents and tasks, made from boards alone, with no server."""

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from rlbench import __version__
from rlbench.errors import StoreError, UsageError
from rlbench.leaderboard import charts
from rlbench.leaderboard.axes import PLOT_WIDTH, axis_of
from rlbench.leaderboard.board_charts import charts_of
from rlbench.leaderboard.boards import Board, Entry, make_boards
from rlbench.leaderboard.captions import HEADLINE, METRICS, mark_of, marked_text, short_number
from rlbench.leaderboard.compare_page import compare_files
from rlbench.leaderboard.downloads import downloads
from rlbench.leaderboard.headlines import head_of, score_text
from rlbench.leaderboard.heat import LEVELS, columns_of, rows_of, shade
from rlbench.leaderboard.paper_pages import page_name, paper_pages
from rlbench.leaderboard.parts import part_of
from rlbench.leaderboard.releases import Release, select
from rlbench.leaderboard.retention import RetentionRow
from rlbench.leaderboard.retrained import Key, Retrained, by_key, with_badges
from rlbench.leaderboard.sequential import HEIGHT, MAX_PANELS, WIDTH, sequentials
from rlbench.leaderboard.tables import number
from rlbench.leaderboard.task_curves import MOST_POINTS, MOST_TASKS, drawn_agents, task_curves
from rlbench.leaderboard.teaching import PANEL_HEIGHT, PANEL_WIDTH, Panel, panels_of, worst_quarters
from rlbench.results import Loaded, Record, published
from rlbench.results.plans import FixedPlan
from rlbench.results.submissions import Card
from rlbench.results.values import value_text
from rlbench.stats.aggregates import AGGREGATES
from rlbench.stats.stopping import CLAIM
from rlbench.stats.summary import SummaryRow
from rlbench.suites import Suite, slug

_MARK = ".rlbench-site"
_ON_CARD, _ON_BOARD = 5, 10  # agents that are drawn on a card, and at the head of a board
_FEW = 5  # failures, or values of a fact, that a page shows without folding them
_ASSETS = ("site.css", "site.js", "charts.js", "compare.js")


def build_site(
    loaded: Loaded,
    out: Path,
    *,
    replays: Mapping[str, bool] | None = None,
    releases: Sequence[Release] = (),
    only: Collection[str] | None = None,
    more: Sequence[Suite] = (),
    cards: Mapping[Key, Card] | None = None,
    retrained: Sequence[Retrained] = (),
    plans: Sequence[FixedPlan] = (),
) -> Path:
    """Write the site.

    Args:
        loaded: What a store holds.
        out: The folder to write. If it is there, it must be empty or a site; it is replaced.
        replays: sha256 of a record to whether its final evaluation came out equal when it was
            played again.
        releases: Each gets boards of its own, of its own records, under ``releases/DATE/``.
        only: The names of the suites to show; by default all.
        more: Suites besides those that are registered.
        cards: What submissions say of agents, by suite id and `Identity.agent_key`.
        retrained: Independent trainings: they give badges.
        plans: Of sequential comparisons, each of which gets a page; releases have none.

    Returns:
        The index page.

    Raises:
        UsageError: The folder holds something else, or a release names what is not there.
        StoreError: The folder cannot be written.
        MissingExtra: Altair or vl-convert-python is not installed.
    """
    if out.exists() and not (out / _MARK).exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty and is not a site of ours: give another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
            fresh = Path(folder) / "site"
            for name, content in _files(
                loaded, replays or {}, releases, only, more, cards or {}, by_key(retrained), plans
            ):
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if out.exists():
                os.replace(out, Path(folder) / "old")
            os.replace(fresh, out)
    except OSError as error:
        raise StoreError(f"cannot write the site {out}: {error.strerror}") from error
    return out / "index.html"


def _files(
    loaded: Loaded,
    replays: Mapping[str, bool],
    releases: Sequence[Release],
    only: Collection[str] | None,
    more: Sequence[Suite],
    cards: Mapping[Key, Card],
    retrained: Mapping[Key, Retrained],
    plans: Sequence[FixedPlan],
) -> Iterator[tuple[str, bytes]]:
    """Give the name and the content of every file of the site."""
    newest_first = sorted(releases, key=lambda release: release.date, reverse=True)
    dates = [release.date for release in newest_first]
    if twice := {date for date in dates if dates.count(date) > 1}:
        raise UsageError(f"two releases have the date {min(twice)}")
    yield _MARK, f"rlbench {__version__}\n".encode()
    templates = files("rlbench.leaderboard") / "templates"
    for name in _ASSETS:
        yield f"assets/{name}", (templates / name).read_bytes()
    yield "assets/vega.js", charts.bundle()
    common: dict[str, Any] = {"version": __version__, "dates": dates, "plot_width": PLOT_WIDTH}
    common |= {"cards": cards, "retrained": retrained}
    boards = with_badges(make_boards(loaded.records, replays, only=only, more=more), retrained)
    now = {"plans": plans, "records": loaded.records, "problems": loaded.problems}
    yield from _pages(boards, {**common, **now, "top": "", "release": ""})
    for release in newest_first:
        records, slugs = select(loaded.records, release)
        frozen = with_badges(make_boards(records, replays, slugs, only, more), retrained)
        folder = f"releases/{release.date}/"
        context = {**common, "top": "../../", "release": release.date}
        context |= {"plans": (), "records": (), "problems": []}
        for name, content in _pages(frozen, context):
            yield folder + name, content


def _pages(boards: Sequence[Board], context: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Give the files of some boards and their index.

    Args:
        boards: The boards.
        context: What all templates take; ``top`` leads from the index to the site's root.
    """
    templates = _templates()

    def page(template: str, depth: int, **more: Any) -> bytes:
        up = "../" * depth
        text = templates.get_template(template).render(
            **{**context, "top": up + context["top"], "root": up, **more}
        )
        return _encoded(text)

    cards = [head_of(board, _ON_CARD) for board in boards]
    yield "index.html", page("index.html", 0, cards=cards)
    papers = paper_pages(boards)
    yield "papers/index.html", page("papers.html", 1, papers=papers)
    for paper in papers:
        yield f"papers/{paper.name}.html", page("paper.html", 1, paper=paper)
    for board in boards:
        yield from _board_pages(board, page, context)


def _board_pages(
    board: Board, page: Callable[..., bytes], context: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Give the files of a board: its page, charts and downloads, and a page for each part."""
    compared = sequentials(context["plans"], context["records"], board.suite)
    for found in compared:
        yield (
            f"{board.folder}/comparisons/{found.plan.id}.html",
            page("sequential.html", 2, board=board, found=found),
        )
    panels = {entry.slug: panels_of(entry.records, board.suite) for entry in board.own}
    curricula = _curricula(board, panels)
    if curricula:
        yield (
            f"{board.folder}/curricula.html",
            page("curricula.html", 1, board=board, curricula=curricula),
        )
    drawn = charts_of(board)
    for chart in drawn:
        yield f"{board.folder}/charts/{chart.name}.svg", _encoded(charts.svg_of(chart.spec))
    curves = task_curves(board)
    for curve in curves:
        yield f"{board.folder}/charts/tasks/{slug(curve.task)}.svg", _encoded(curve.svg)
    shown = drawn_agents(board) if curves else []
    given = downloads(board)
    worst = worst_quarters({e.agent: e.records for e in board.own if e.records}, board.suite)
    for name, content in given.items():
        yield f"{board.folder}/downloads/{name}", content
    yield f"{board.folder}/index.html", page(
        "board.html", 1, board=board, charts=drawn, downloads=sorted(given),
        head=head_of(board, _ON_BOARD),
        parts=[part_of("Agents", board.own), part_of("Published", board.papers)],
        curves=curves[:MOST_TASKS], curves_left_out=len(curves[MOST_TASKS:]), curves_of=shown,
        sequentials=compared, curricula=curricula,
    )  # fmt: skip
    for entry in board.entries:
        yield f"{board.folder}/agents/{entry.slug}.html", page(
            "agent.html", 2, board=board, entry=entry,
            axis=axis_of(np.concatenate(list(entry.normalised.values())).tolist()),
            fields=_fields(entry), panels=panels.get(entry.slug, []),
            worst=worst.get(entry.agent), by_task=_by_task(entry.records),
        )  # fmt: skip
    if len(board.entries) > 1:
        for name, content in compare_files(board, page):
            yield f"{board.folder}/{name}", content
    for task in board.tasks:
        scores = [e.values[task.name] for e in board.entries if task.name in e.values]
        ends = [task.low, task.high]
        yield f"{board.folder}/tasks/{slug(task.name)}.html", page(
            "task.html", 2, board=board, task=task, curves_of=shown,
            axis=axis_of([*ends, *(np.concatenate(scores).tolist() if scores else [])]),
        )  # fmt: skip


def _curricula(
    board: Board, panels: Mapping[str, list[Panel]]
) -> dict[str, list[tuple[Entry, list[Panel]]]]:
    """Return by teacher the agents that it taught, with what it proposed."""
    found: dict[str, list[tuple[Entry, list[Panel]]]] = {}
    for entry in board.own:
        teacher = entry.records[0].identity.teacher
        if teacher and panels[entry.slug]:
            name = f"{teacher.name} {teacher.version}".strip()
            found.setdefault(name, []).append((entry, panels[entry.slug]))
    return dict(sorted(found.items()))


def _by_task(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.identity.task, []).append(record)
    return found


def _encoded(text: str) -> bytes:
    """Return UTF-8; half a character, which a record can hold, is written as its number."""
    return text.encode(errors="backslashreplace")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rlbench.leaderboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cell=short_number,
        number=number,
        score=score,
        slug=slug,
        escape_json=charts.escape_json,
        option=value_text,
    )
    environment.globals.update(
        by_agent=_by_agent, deviations=_deviations, heat=shade,
        heat_columns=columns_of, heat_rows=rows_of, heat_levels=LEVELS, look_of=charts.look_of,
        max_lines=charts.SHOWN, max_points=MOST_POINTS,
        interval_method=_interval_method, metrics_of=_metrics_of, left_out=_left_out,
        mark_of=mark_of, marked_text=marked_text,
        panel_width=PANEL_WIDTH, panel_height=PANEL_HEIGHT,
        record_facts=_record_facts, titles=METRICS, headline=HEADLINE,
        aggregates=AGGREGATES, score_text=score_text, paper_name=page_name,
        panel_size=(WIDTH, HEIGHT), most_panels=MAX_PANELS, few=_FEW, claim=CLAIM,
    )  # fmt: skip
    return environment


def _by_agent(rows: Iterable[RetentionRow]) -> dict[str, dict[str, RetentionRow]]:
    """Return rows by agent, then type."""
    found: dict[str, dict[str, RetentionRow]] = {}
    for row in rows:
        found.setdefault(row.agent, {})[row.type] = row
    return found


def _left_out(rows: Iterable[RetentionRow]) -> str:
    """Return the games that were left out under some type of disturbance."""
    games = [game for row in rows for game in row.games_left_out.split(", ") if game]
    return _listed(sorted(set(games))) or "–"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _deviations(entry: Entry) -> list[str]:
    """Return the ways in which a published protocol differs, one by one; those not known last."""
    if not entry.paper:
        return []
    found = published.deviations(entry.paper)
    unknown = tuple(deviation for deviation in found if deviation.theirs is None)
    known = [published.in_words((d,)) for d in found if d.theirs is not None]
    return [*known, *([published.in_words(unknown)] if unknown else [])]


def _interval_method(entries: Iterable[Entry]) -> str:
    """Return how the intervals of the headline aggregate were made; nothing if there are none."""
    rows = [entry.metrics[HEADLINE] for entry in entries if HEADLINE in entry.metrics]
    return "; ".join(dict.fromkeys(row.method for row in rows if row.low is not None))


def _metrics_of(entries: Iterable[Entry]) -> list[SummaryRow]:
    return [row for entry in entries for row in entry.metrics.values()]


def _fields(entry: Entry) -> list[tuple[str, object, object, bool]]:
    """Return name, the suite's value, the source's value and whether they differ, field by field.

    A value that is not known is None.
    """
    if not entry.paper:
        return []
    theirs = entry.paper.fields
    differ = {deviation.field for deviation in published.deviations(entry.paper)}
    return [
        (name.replace("_", " "), ours, theirs[name], name in differ)
        for name, ours in published.fields_of(entry.paper.suite).items()
    ]


def _record_facts(records: Sequence[Record]) -> dict[str, list[str]]:
    """Return what the provenance of some runs says, each fact with all its values."""
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in sorted(record.provenance.items()):
            if value is not None:
                facts.setdefault(name.replace("_", " "), {})[str(value)] = None
    return {name: sorted(values) for name, values in facts.items()}


def score(value: float) -> str:
    """Return a raw score for a page: one decimal, none where it is large."""
    return f"{value:,.{1 if abs(value) < 1000 else 0}f}"
