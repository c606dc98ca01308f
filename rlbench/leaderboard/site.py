"""The static site: pages of boards, agents and tasks, made from boards alone, with no server."""

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np

from rlbench import __version__
from rlbench.errors import StoreError, UsageError
from rlbench.leaderboard import charts
from rlbench.leaderboard.boards import Board, Entry, make_boards
from rlbench.leaderboard.captions import MAX_BANDS, METRICS
from rlbench.leaderboard.downloads import downloads
from rlbench.leaderboard.paper_pages import page_name, paper_pages
from rlbench.leaderboard.releases import Release, select
from rlbench.leaderboard.retention import RetentionRow
from rlbench.leaderboard.sequential import HEIGHT, MAX_PANELS, WIDTH, sequentials
from rlbench.leaderboard.tables import number
from rlbench.leaderboard.teaching import PANEL_HEIGHT, PANEL_WIDTH, Panel, panels_of, worst_quarters
from rlbench.results import Loaded, Record, published
from rlbench.results.plans import FixedPlan
from rlbench.results.values import value_text
from rlbench.suites import Suite, slug

_MARK = ".rlbench-site"
_PLOT_WIDTH = 160  # px
_MARGIN = 8  # px at either end of a plot
_FEW = 5  # agents of a matrix that is drawn narrow
_LEVELS = 10  # shades of the heat map
_ASSETS = ("site.css", "site.js", "charts.js")


class Axis(NamedTuple):
    """The common axis of a column's small plots."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """Return where a value stands, in px."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(_MARGIN + share * (_PLOT_WIDTH - 2 * _MARGIN), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a board's page: drawn by a script, and as a picture where none runs.

    Attributes:
        name: Of the picture, and of the block that holds the specification.
        title: Its heading.
        alt: What it shows, for those who cannot see it.
        caption: How its numbers were made, and what they do not say.
        narrow: It has little to show, and would look lost on the width of a page.
        spec: The Vega-Lite specification.
    """

    name: str
    title: str
    alt: str
    caption: str
    narrow: bool = False
    spec: dict[str, Any]


def build_site(
    loaded: Loaded,
    out: Path,
    *,
    replays: Mapping[str, bool] | None = None,
    releases: Sequence[Release] = (),
    only: Collection[str] | None = None,
    more: Sequence[Suite] = (),
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
            for name, content in _files(loaded, replays or {}, releases, only, more, plans):
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
    common = {"version": __version__, "dates": dates, "plot_width": _PLOT_WIDTH}
    boards = make_boards(loaded.records, replays, only=only, more=more)
    now = {"plans": plans, "records": loaded.records, "problems": loaded.problems}
    yield from _pages(boards, {**common, **now, "top": "", "release": ""})
    for release in newest_first:
        records, slugs = select(loaded.records, release)
        frozen = make_boards(records, replays, slugs, only, more)
        folder = f"releases/{release.date}/"
        then: dict[str, Any] = {"plans": (), "records": (), "problems": []}
        context = {**common, **then, "top": "../../", "release": release.date}
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

    yield "index.html", page("index.html", 0, boards=boards)
    papers = paper_pages(boards)
    yield "papers/index.html", page("papers.html", 1, papers=papers)
    for paper in papers:
        yield f"papers/{paper.name}.html", page("paper.html", 1, paper=paper)
    for board in boards:
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
        drawn = _charts(board)
        for chart in drawn:
            yield f"{board.folder}/charts/{chart.name}.svg", _encoded(charts.svg_of(chart.spec))
        given = downloads(board)
        worst = worst_quarters({e.agent: e.records for e in board.own if e.records}, board.suite)
        for name, content in given.items():
            yield f"{board.folder}/downloads/{name}", content
        yield f"{board.folder}/index.html", page(
            "board.html", 1, board=board, charts=drawn, downloads=sorted(given),
            axes={"own": _axis(board.own), "papers": _axis(board.papers)},
            sequentials=compared, curricula=curricula,
        )  # fmt: skip
        for entry in board.entries:
            yield f"{board.folder}/agents/{entry.slug}.html", page(
                "agent.html", 2, board=board, entry=entry,
                axis=_axis_of(np.concatenate(list(entry.normalised.values())).tolist()),
                fields=_fields(entry), panels=panels.get(entry.slug, []),
                worst=worst.get(entry.agent), by_task=_by_task(entry.records),
            )  # fmt: skip
        for task in board.tasks:
            scores = [e.values[task.name] for e in board.entries if task.name in e.values]
            ends = [task.low, task.high]
            yield f"{board.folder}/tasks/{slug(task.name)}.html", page(
                "task.html", 2, board=board, task=task,
                axis=_axis_of([*ends, *(np.concatenate(scores).tolist() if scores else [])]),
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
        cell=_cell,
        number=number,
        score=score,
        slug=slug,
        escape_json=charts.escape_json,
        option=value_text,
    )
    environment.globals.update(
        by_agent=_by_agent, deviations=_deviations, heat=_heat,
        interval_method=_interval_method, left_out=_left_out,
        panel_width=PANEL_WIDTH, panel_height=PANEL_HEIGHT,
        record_facts=_record_facts, titles=METRICS, few=_FEW, paper_name=page_name,
        panel_size=(WIDTH, HEIGHT), most_panels=MAX_PANELS,
    )  # fmt: skip
    return environment


def _charts(board: Board) -> list[Chart]:
    """Return the charts that a board has data for."""
    found = []
    by = f"the {' and '.join(board.suite.references)} scores"
    panels = {"records": "agents with records", "papers": "agents from papers"}
    for panel, rows in board.profiles.items():
        agents = dict.fromkeys(row["agent"] for row in rows)
        bands = f"95% pointwise bands by {rows[0]['method']}"
        if len(agents) > MAX_BANDS:
            bands = f"of so many agents the {bands} are in the downloads alone"
        protocols = " Their protocols differ; they are shown together, not compared."
        found.append(
            Chart(
                name=f"profiles-{panel}",
                title=f"Performance profiles of {panels[panel]}",
                alt=f"Share of runs above each normalised score, for {_listed(agents)}.",
                caption="The share of runs with a score above each threshold, of agents that have "
                f"runs on all tasks; {bands}.{protocols if panel == 'papers' else ''}",
                spec=charts.profile_chart(rows),
            )
        )
    for number_, rows in board.improvements.items():
        agents = dict.fromkeys(row["x"] for row in rows)
        found.append(
            Chart(
                name=f"improvement-{number_}",
                title=f"Probability of improvement in pool {number_}",
                alt=f"How likely each of {_listed(agents)} beats each other.",
                caption="How likely a run of the agent in the row scores above one of the agent in "
                "the column, over tasks. 95% intervals, at each cell and in the downloads: "
                f"{rows[0]['method']}.",
                narrow=len(agents) <= _FEW,
                spec=charts.improvement_chart(rows),
            )
        )
    if board.curves:
        agents = dict.fromkeys(row["agent"] for row in board.curves)
        found.append(
            Chart(
                name="curves",
                title="Learning curves",
                alt=f"IQM against budget, for {_listed(agents)}.",
                caption=f"IQM at every checkpoint, normalised by {by}; 95% pointwise bands by "
                f"{board.curves[0]['method']}.",
                spec=charts.curve_chart(board.curves, unit=board.suite.protocol.unit),
            )
        )
    costs = _costs(board.own)
    if len(costs) > 1:
        found.append(
            Chart(
                name="cost",
                title="Score and cost",
                alt="IQM against hours a run, for "
                f"{_listed(dict.fromkeys(row['agent'] for row in costs))}.",
                caption="IQM with its interval against mean wall-clock hours of a run, on whatever "
                "machine each ran.",
                spec=charts.cost_chart(costs),
            )
        )
    return found


def _costs(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "agent": entry.agent, "hours": entry.hours, "point": row.point, "low": row.low,
            "high": row.high,
        }
        for entry in entries
        if entry.hours and (row := entry.metrics["iqm"]).tasks
    ]  # fmt: skip


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


def _axis(entries: Sequence[Entry]) -> Axis:
    """Return the common axis of the IQM's plots."""
    rows = [entry.metrics["iqm"] for entry in entries if "iqm" in entry.metrics]
    ends = [end for row in rows for end in (row.point, row.low, row.high) if end is not None]
    return _axis_of([0.0, *ends])


def _axis_of(values: Sequence[float]) -> Axis:
    """Return an axis that all values stand on, with two to five round ticks."""
    low, high = min(values), max(values)
    power = 10.0 ** np.floor(np.log10((high - low) or 1.0))
    ticks: tuple[float, ...] = ()
    for share in (1.0, 0.5, 0.2):
        step = float(power) * share
        first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
        ticks = tuple(float(k * step) for k in range(first, last + 1))
        if len(ticks) > 1:
            break
    if len(ticks) > 5:
        ticks = tuple(tick for tick in ticks if round(tick / step) % 2 == 0)
    return Axis(low, high, ticks)


def _heat(value: float) -> int:
    """Return the shade of a normalised score: 0 at the lower reference, 10 at the upper."""
    return round(min(max(value, 0.0), 1.0) * _LEVELS)


def _cell(value: float) -> str:
    """Return a normalised score for the heat map: about three digits, and no minus before zero."""
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _deviations(entry: Entry) -> list[str]:
    """Return the ways in which a published protocol differs, one by one; those not known last."""
    if not entry.paper:
        return []
    found = published.deviations(entry.paper)
    unknown = tuple(deviation for deviation in found if deviation.theirs is None)
    known = [published.in_words((d,)) for d in found if d.theirs is not None]
    return [*known, *([published.in_words(unknown)] if unknown else [])]


def _interval_method(entries: Iterable[Entry]) -> str:
    """Return how the intervals of the IQM were made; nothing if there are none."""
    rows = [entry.metrics["iqm"] for entry in entries if "iqm" in entry.metrics]
    return "; ".join(dict.fromkeys(row.method for row in rows if row.low is not None))


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
