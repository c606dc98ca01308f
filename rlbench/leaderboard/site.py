"""The static site: a page a board, made from records and stats alone, with no server."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from rlbench import __version__, suites
from rlbench.errors import StoreError, UsageError
from rlbench.results import (
    Loaded,
    Record,
    Scores,
    belongs,
    collect,
    published,
    unofficial_text,
)
from rlbench.results.published import Published, PublishedSource
from rlbench.stats import SummaryRow, summarise
from rlbench.suites import Scalar, Suite

_MARK = ".rlbench-site"
_PLOT_WIDTH = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its interval, and where they stand on the plot of their column (x in px)."""

    row: SummaryRow
    x: float
    x_low: float
    x_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An agent's line in a board's table."""

    agent: str
    metrics: Mapping[str, Interval]
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperLine:
    """A published agent's line in a board's literature panel."""

    agent: str
    metrics: Mapping[str, Interval]
    source: PublishedSource
    runs: str
    tasks: int
    deviations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that one page shows: one suite version, under one set of constants."""

    suite: Suite
    folder: str
    unofficial: str
    lines: tuple[Line, ...]
    scores: Scores
    papers: tuple[PaperLine, ...]

    @property
    def papers_method(self) -> str:
        """How the intervals of the literature panel were made."""
        rows = [interval.row for line in self.papers for interval in line.metrics.values()]
        return next((row.method for row in rows if row.low is not None), "none: no runs")


def build_site(loaded: Loaded, out: Path) -> Path:
    """Write the site.

    Args:
        loaded: What a store holds.
        out: The folder to write. If it is there, it must be empty or a site; it is replaced.

    Returns:
        The index page.

    Raises:
        UsageError: The folder holds something else.
        StoreError: The folder cannot be written.
    """
    if out.exists() and not (out / _MARK).exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty and is no site of ours: give another --out")
    pages = _pages(loaded)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
            fresh = Path(folder) / "site"
            for name, text in pages.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if out.exists():
                os.replace(out, Path(folder) / "old")
            os.replace(fresh, out)
    except OSError as error:
        raise StoreError(f"cannot write the site {out}: {error.strerror}") from error
    return out / "index.html"


def _pages(loaded: Loaded) -> dict[str, str]:
    """Return the text of every file of the site by its name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rlbench.leaderboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, score=score)
    boards = _boards(loaded)
    common: dict[str, Any] = {"version": __version__, "problems": loaded.problems}
    index = environment.get_template("index.html").render(boards=boards, root="", **common)
    style = files("rlbench.leaderboard").joinpath("templates/style.css").read_text(encoding="utf-8")
    pages = {"index.html": index, "style.css": style, _MARK: f"rlbench {__version__}\n"}
    for board in boards:
        pages[f"{board.folder}/index.html"] = environment.get_template("board.html").render(
            board=board, root="../", plot_width=_PLOT_WIDTH, **common
        )
    return pages


def _boards(loaded: Loaded) -> list[Board]:
    """Return one board for each suite and set of unofficial constants; official ones first.

    A suite of which there are published scores has one in any case.
    """
    groups: dict[tuple[str, str], Mapping[str, Scalar]] = {}
    for record in loaded.records:
        identity = record.identity
        key = (identity.suite, unofficial_text(identity.unofficial))
        groups.setdefault(key, identity.unofficial)
    for name in suites.names():
        if published.sources(name):
            groups.setdefault((suites.get(name).id, ""), {})
    boards = []
    for (suite_id, unofficial), changed in sorted(
        groups.items(), key=lambda item: (item[0][1] != "", item[0])
    ):
        try:
            suite = suites.get(suite_id).make_unofficial(changed)
        except UsageError:
            # Nobody here knows the suite, so nothing can be said of its scores.
            continue
        folder = suite_id.replace("@", "-")
        if unofficial:
            folder += f"-unofficial-{sha256(unofficial.encode()).hexdigest()[:8]}"
        records = [record for record in loaded.records if belongs(record, suite)]
        boards.append(_board(suite, folder, unofficial, records))
    return boards


def _board(suite: Suite, folder: str, unofficial: str, records: list[Record]) -> Board:
    scores = collect(records, suite)
    summary = summarise({agent: list(scores.normalised(agent).values()) for agent in scores.values})
    by_metric: dict[str, list[SummaryRow]] = {}
    for row in summary:
        by_metric.setdefault(row.metric, []).append(row)
    placed = {
        (interval.row.agent, metric): interval
        for metric, rows in by_metric.items()
        for interval in _place(rows)
    }
    done = {record.identity.key for record in records if record.status == "ok"}
    lines = [
        Line(
            agent=agent,
            metrics={metric: placed[agent, metric] for metric in by_metric},
            failed=_failed(records, scores.records[agent][0], done),
        )
        for agent in scores.values
    ]
    # Complete agents first: numbers over fewer tasks are numbers of something else.
    lines.sort(
        key=lambda line: (
            -line.metrics["iqm"].row.tasks,
            -line.metrics["iqm"].row.point,
            line.agent,
        )
    )
    return Board(
        suite=suite,
        folder=folder,
        unofficial=unofficial,
        lines=tuple(lines),
        scores=scores,
        papers=() if unofficial else tuple(_papers(suite)),
    )


def _papers(suite: Suite) -> list[PaperLine]:
    """Return the literature panel of a suite, complete agents first."""
    if not published.sources(suite.name):
        return []
    found = published.load(suite)
    rows = [
        row
        for agent, scores in found.items()
        for row in summarise({agent: list(scores.normalised().values())})
        # Of means over runs there is no other aggregate that runs would have.
        if row.metric == "mean" or not scores.source.means_only
    ]
    placed = {
        (interval.row.agent, metric): interval
        for metric in dict.fromkeys(row.metric for row in rows)
        for interval in _place([row for row in rows if row.metric == metric])
    }
    lines = [
        PaperLine(
            agent=agent,
            metrics={metric: i for (name, metric), i in placed.items() if name == agent},
            source=scores.source,
            runs=_runs_text(scores),
            tasks=len(scores.values),
            deviations=_deviations(scores),
        )
        for agent, scores in found.items()
    ]
    return sorted(
        lines,
        key=lambda line: (-line.tasks, line.source.means_only, -_point(line), line.agent),
    )


def _deviations(scores: Published) -> tuple[str, ...]:
    """Return the ways in which a protocol differs, one by one; those not known together."""
    found = published.deviations(scores)
    unknown = tuple(deviation for deviation in found if deviation.theirs is None)
    known = [published.in_words((d,)) for d in found if d.theirs is not None]
    # Of no deviations at all, one word says so.
    return (*known, *([] if known and not unknown else [published.in_words(unknown)]))


def _point(line: PaperLine) -> float:
    """Return what a panel is sorted by: the IQM, or the mean where there is none."""
    return line.metrics["iqm" if "iqm" in line.metrics else "mean"].row.point


def _runs_text(scores: Published) -> str:
    """Return how many runs a task has, as ``5`` or ``3 to 5``."""
    if scores.source.means_only:
        numbers = {runs for _, runs in scores.spread.values()}
    else:
        numbers = {len(runs) for runs in scores.values.values()}
    if not numbers:
        return "not known"
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _failed(records: list[Record], example: Record, done: set[str]) -> int:
    """Return how many runs of an agent have failed and have not been made good since."""
    keys = {
        record.identity.key
        for record in records
        if record.status != "ok" and record.identity.agent == example.identity.agent
    }
    return len(keys - done)


def _place(rows: list[SummaryRow]) -> list[Interval]:
    """Return the rows of one metric with their places on a common axis."""
    ends = [value for row in rows for value in (row.point, row.low, row.high) if value is not None]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])
    scale = (_PLOT_WIDTH - 16) / ((high - low) or 1.0)

    def x(value: float | None, instead: float) -> float:
        return round(8 + ((instead if value is None else value) - low) * scale, 1)

    return [
        Interval(
            row=row, x=x(row.point, row.point), x_low=x(row.low, row.point),
            x_high=x(row.high, row.point),
        )
        for row in rows
    ]  # fmt: skip


def number(value: float | None) -> str:
    """Return an aggregate for a page: three decimals, fewer where it is large."""
    if value is None:
        return "–"
    decimals = 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f}"


def score(value: float) -> str:
    """Return a raw score for a page: one decimal, none where it is large."""
    return f"{value:,.{1 if abs(value) < 1000 else 0}f}"
