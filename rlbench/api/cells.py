"""Numbers with their intervals in tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rlbench.api.words import format_cell
from rlbench.stats.aggregates import LABELS

MOST_COLUMNS = 6  # of named evaluations and their differences in a table
NONE = "none: "  # begins what stands for the method of an interval that there is not

Row = Mapping[str, Any]


def cell(row: Row, name: str = "point") -> str:
    """Return a number with its interval, if it has one.

    >>> cell({"point": 0.3374, "low": 0.326, "high": 0.3481})
    '0.337 [0.326, 0.348]'
    """
    number = format_cell(row[name])
    if row["low"] is None:
        return number
    return f"{number} [{format_cell(row['low'])}, {format_cell(row['high'])}]"


def an_agent_a_row(rows: Sequence[Row], total: int, sign: int) -> list[dict[str, Any]]:
    """Return one row an agent with a cell a metric, the best IQM first.

    Agents without an IQM come last, by their means. A metric that no agent has gets no column.

    Args:
        rows: One row an agent and metric, as `rlbench stats --json` prints them.
        total: How many tasks there are.
        sign: -1 where lower scores are better, else 1.
    """
    by_agent: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_agent.setdefault(row["agent"], {})[row["metric"]] = row
    has = {row["metric"] for row in rows if row["point"] is not None}

    def place(agent: str) -> tuple[bool, float]:
        found = by_agent[agent]
        return "iqm" not in found, -sign * found.get("iqm", found["mean"])["point"]

    table = []
    for agent in sorted(by_agent, key=place):
        found = by_agent[agent]
        any_row = found["mean"]
        cells = {LABELS[m]: cell(found[m]) if m in found else None for m in LABELS if m in has}
        tasks = f"{any_row['tasks']}/{total}"
        table.append({"agent": agent, "tasks": tasks, "runs": any_row["runs"] or None, **cells})
    return table


def a_point_a_row(rows: Sequence[Row], total: int) -> list[dict[str, Any]]:
    """Return one row an agent and evaluation point with a cell a named evaluation.

    Where these are many, each has a row instead, with a cell for how far it is from the main one.

    Args:
        rows: As `leaderboard.evaluations` makes them.
        total: How many tasks there are.
    """
    labels = dict.fromkeys(row["evaluation"] for row in rows)
    if len(labels) > MOST_COLUMNS:
        return _an_evaluation_a_row(rows, total)
    table: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        shown = table.setdefault(
            (row["agent"], row["step"]), {**_begin(row, total), **dict.fromkeys(labels)}
        )
        shown[row["evaluation"]] = cell(row)
    return list(table.values())


def _an_evaluation_a_row(rows: Sequence[Row], total: int) -> list[dict[str, Any]]:
    """Return one row an agent, evaluation point and named evaluation."""
    table: dict[tuple[str, int, str], dict[str, Any]] = {}
    for row in rows:
        name, _, main = row["evaluation"].partition(" - ")
        shown = table.setdefault(
            (row["agent"], row["step"], name),
            {**_begin(row, total), "evaluation": name, "mean": None},
        )
        shown[f"less {main}" if main else "mean"] = cell(row)
    columns = dict.fromkeys(name for shown in table.values() for name in shown)
    return [{name: shown.get(name) for name in columns} for shown in table.values()]


def _begin(row: Row, total: int) -> dict[str, Any]:
    """Return the first cells of a row of evaluations."""
    tasks = f"{row['tasks']}/{total}"
    return {"agent": row["agent"], "step": row["step"], "tasks": tasks, "runs": row["runs"]}


def with_cells(rows: Sequence[Row], name: str, heading: str) -> list[dict[str, Any]]:
    """Return rows in which a number, its interval and its method are one cell.

    Args:
        rows: With the number ``name``, ``low``, ``high`` and ``method``.
        name: Of the number.
        heading: Of the cell.
    """
    out = []
    for row in rows:
        cells = {heading if key == name else key: value for key, value in row.items()}
        for key in ("low", "high", "method"):
            del cells[key]
        out.append({**cells, heading: cell(row, name)})
    return out


def methods_of(rows: Sequence[Row]) -> list[str]:
    """Say in a line each by which methods intervals are, and why a number has none."""
    agents = list(dict.fromkeys(row["agent"] for row in rows))
    made = {row["method"] for row in rows if not row["method"].startswith(NONE)}
    lines = [f"Intervals: 95%, {method}." for method in made if len(made) == 1]
    for method in dict.fromkeys(row["method"] for row in rows):
        if method in made and len(made) == 1:
            continue
        begin = "No interval" if method not in made else "Intervals, 95%,"
        for what, whose in _spread([row for row in rows if row["method"] == method], agents):
            lines.append(f"{begin}{what}{whose}: {method.removeprefix(NONE)}.")
    return lines


def _spread(rows: Sequence[Row], agents: Sequence[str]) -> list[tuple[str, str]]:
    """Return of which metrics and agents rows are: `` for median``, `` of A, B``."""
    by_metric: dict[str, list[str]] = {}
    for row in rows:
        by_metric.setdefault(LABELS.get(row.get("metric", ""), ""), []).append(row["agent"])
    by_agents: dict[str, list[str]] = {}
    for metric, found in by_metric.items():
        by_agents.setdefault(_among(found, agents), []).append(metric)
    return [
        (f" for {' and '.join(metrics)}" if metrics[0] else "", whose)
        for whose, metrics in by_agents.items()
    ]


def _among(some: Sequence[str], agents: Sequence[str]) -> str:
    """Name some of the agents, or those that are not among them if these are fewer."""
    others = [agent for agent in agents if agent not in some]
    if not others:
        return ""
    if len(others) < len(set(some)):
        return f" of all but {', '.join(others)}"
    return f" of {', '.join(dict.fromkeys(some))}"
