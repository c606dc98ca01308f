"""The charts of a board's page, each with what it says in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlbench.leaderboard import charts
from rlbench.leaderboard.boards import MAX_DRAWN, Board, Entry, Row
from rlbench.leaderboard.captions import number_of

_FEW = 5  # agents of a matrix that is drawn narrow
_PANELS = {"records": "agents with records", "papers": "agents from papers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a board's page: drawn by a script, and as a picture where none runs.

    Attributes:
        name: Of the picture, and of the block that holds the specification.
        title: Its heading.
        alt: What it shows, for those who cannot see it.
        caption: How its numbers were made, and what they do not say.
        narrow: It has little to show, and would look lost on the width of a page.
        lines: Of a chart of lines, the name in the address of each agent to what the chart calls
            it: those that a reader may choose.
        spec: The Vega-Lite specification.
    """

    name: str
    title: str
    alt: str
    caption: str
    narrow: bool = False
    lines: Mapping[str, str]
    spec: dict[str, Any]

    @property
    def first(self) -> int:
        """How many lines it shows until a reader chooses others."""
        return min(charts.SHOWN, len(self.lines))


def charts_of(board: Board) -> list[Chart]:
    """Return the charts that a board has data for."""
    found = [_profiles(board, panel, rows) for panel, rows in board.profiles.items()]
    found += [_improvement(number, rows) for number, rows in board.improvements.items()]
    if board.curves:
        found.append(_curves(board))
    years = years_of(board.papers)
    if len({row["year"] for row in years}) > 1:
        found.append(_years(years, len(board.papers)))
    costs = costs_of(board.own)
    if len(costs) > 1:
        found.append(_costs(costs))
    return found


def costs_of(entries: Iterable[Entry]) -> list[Row]:
    """Return the IQM and the hours a run of the agents that have both: rows for `cost_chart`."""
    return [
        {
            "agent": entry.agent, "hours": entry.hours, "point": row.point, "low": row.low,
            "high": row.high,
        }
        for entry in entries
        if entry.hours and (row := entry.metrics["iqm"]).tasks
    ]  # fmt: skip


def years_of(entries: Iterable[Entry]) -> list[Row]:
    """Return the IQM and the year of papers that have an IQM on all tasks: rows for `years_chart`.

    The IQM of a part of the tasks says nothing beside that of all.
    """
    return [
        {
            "agent": entry.agent, "year": int(entry.paper.source.year), "point": row.point,
            "low": row.low, "high": row.high,
        }
        for entry in entries
        if entry.paper
        and len(entry.values) == len(entry.paper.suite.tasks)
        and (row := entry.metrics.get("iqm"))
    ]  # fmt: skip


def _profiles(board: Board, panel: str, rows: Sequence[Row]) -> Chart:
    lines = _lines(board, rows)
    protocols = " Their protocols differ; they are shown together, not compared."
    return Chart(
        name=f"profiles-{panel}",
        title=f"Performance profiles of {_PANELS[panel]}",
        alt=f"Share of runs above each normalised score, for {', '.join(lines.values())}.",
        caption="The share of runs with a score above each threshold, of agents that have runs on "
        f"all tasks; 95% pointwise bands by {rows[0]['method']}."
        f"{protocols if panel == 'papers' else ''}{_first(lines)}",
        lines=lines,
        spec=charts.profile_chart(rows),
    )


def _improvement(number: int, rows: Sequence[Row]) -> Chart:
    agents = dict.fromkeys(row["x"] for row in rows)
    return Chart(
        name=f"improvement-{number}",
        title=f"Probability of improvement in pool {number}",
        alt=f"How likely each of {', '.join(agents)} beats each other.",
        caption="How likely a run of the agent in the row scores above one of the agent in the "
        "column, over tasks. 95% intervals, at each cell and in the downloads: "
        f"{rows[0]['method']}.",
        narrow=len(agents) <= _FEW,
        lines={},
        spec=charts.improvement_chart(rows),
    )


def _curves(board: Board) -> Chart:
    lines = _lines(board, board.curves)
    return Chart(
        name="curves",
        title="Learning curves",
        alt=f"IQM against budget, for {', '.join(lines.values())}.",
        caption="IQM at every checkpoint, normalised by the "
        f"{' and '.join(board.suite.references)} scores; 95% pointwise bands by "
        f"{board.curves[0]['method']}.{_first(lines)}",
        lines=lines,
        spec=charts.curve_chart(board.curves, unit=board.suite.protocol.unit),
    )


def _years(rows: Sequence[Row], papers: int) -> Chart:
    without = papers - len(rows)
    left_out = (
        f" {number_of(without, 'source')} without runs on all tasks "
        f"{'is' if without == 1 else 'are'} left out."
        if without
        else ""
    )
    return Chart(
        name="years",
        title="Score over the years",
        alt=f"IQM by year of publication, for {', '.join(row['agent'] for row in rows)}.",
        caption="IQM with its interval by the year of the publication that reports it; agents of "
        "one year stand side by side. The line is the best IQM reported so far. Protocols differ, "
        f"so that it shows what was published and does not rank.{left_out}",
        lines={},
        spec=charts.years_chart(rows),
    )


def _costs(rows: Sequence[Row]) -> Chart:
    return Chart(
        name="cost",
        title="Score and cost",
        alt=f"IQM against hours a run, for {', '.join(row['agent'] for row in rows)}.",
        caption="IQM with its interval against mean wall-clock hours of a run. The line joins "
        "agents that score more than all that took fewer hours. Each ran on a machine of its "
        "own, which its page names: hours depend on machines and programs as much as on methods. "
        "A run that shared its worker with others (--runs-per-gpu) counts the hours of them all.",
        lines={},
        spec=charts.cost_chart(rows),
    )


def _lines(board: Board, rows: Sequence[Row]) -> dict[str, str]:
    """Return the agents of some rows by the names of their pages, as a chart calls them."""
    slugs = {entry.agent: entry.slug for entry in board.entries}
    return {slugs[agent]: charts.shown(agent) for agent in dict.fromkeys(r["agent"] for r in rows)}


def _first(lines: Collection[str]) -> str:
    """Say how many lines a picture leaves out."""
    more = len(lines) - charts.SHOWN
    if more <= 0:
        return ""
    at_most = f", at most {MAX_DRAWN} agents," if len(lines) == MAX_DRAWN else ""
    return (
        f" The first {charts.SHOWN} by IQM are drawn unless others are chosen; the points of "
        f"{more} more{at_most} are in board.json."
    )
