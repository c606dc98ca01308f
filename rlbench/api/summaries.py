"""Aggregates of agents with intervals: rows, and what must be said of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from rlbench.api.docs import docs_url
from rlbench.api.gathering import Gathered
from rlbench.api.offline import (
    BEST_POINT,
    CHOSEN_ONLINE,
    at_best_points,
    rows_beside_data,
    said_of_data,
    table_beside_data,
    table_of_measures,
    with_data,
)
from rlbench.api.scales import Agents, Scale, deviations_of, of_raw_scores
from rlbench.errors import UnknownName, UsageError
from rlbench.results.published import Published
from rlbench.results.rankable import NOTHING, Terms, honest, why_alone
from rlbench.stats import summarise, summarise_tasks
from rlbench.stats.coverage import OTHER_METHODS, coverage_warnings
from rlbench.stats.intervals import METHODS, POINTS, Method
from rlbench.stats.pairs import PairMethod
from rlbench.suites import Suite

Table = Literal["aggregates", "retention", "evaluations", "against-data", "measures"]

ENOUGH_RUNS = 5  # for the interval of the retention, as measured
OF_MEANS = {"mean", "median"}  # what can be said where a task has a mean and no runs
NO_RUNS = "none: means, not runs"
NO_GAP = {
    "point": None, "low": None, "high": None, "method": "none: raw scores have no gap to 1"
}  # fmt: skip


class Summary(NamedTuple):
    """Aggregates of agents.

    Attributes:
        agents: The scores behind them, by agent and task.
        rows: An agent and statistic, task or type of disturbance a row.
        notes: What must be said of them.
        total: How many tasks there are.
    """

    agents: Agents
    rows: list[dict[str, Any]]
    notes: list[str]
    total: int


def method_of(name: str) -> Method:
    """Return a method of intervals.

    Raises:
        UnknownName: It is none.
    """
    if name not in METHODS:
        raise UnknownName("method", name, METHODS)
    return cast(Method, name)


def table_of(
    *, retention: bool, evaluations: bool, against_data: bool, measures: bool, per_task: bool
) -> Table:
    """Return which table is asked for; none of these is the one of aggregates.

    Raises:
        UsageError: Two are, or one that has no means by task.
    """
    asked: dict[Table, bool] = {
        "retention": retention,
        "evaluations": evaluations,
        "against-data": against_data,
        "measures": measures,
    }
    names = [name for name, is_so in asked.items() if is_so]
    if len(names) > 1 or (per_task and names not in ([], ["retention"])):
        raise UsageError(f"--{names[-1]} is a table of its own: leave the other one out")
    return names[0] if names else "aggregates"


def summary_of(
    found: Gathered,
    scale: Scale,
    method: Method,
    *,
    table: Table = "aggregates",
    per_task: bool = False,
    best_point: bool = False,
) -> Summary:
    """Return aggregates of agents with 95% intervals.

    Args:
        found: The agents.
        scale: How scores are normalised.
        method: Of the intervals.
        table: Another table instead: the share of the clean score that is kept; the mean of each
            named evaluation and how far these are apart, point by point; how agents compare with
            their data; or the means of what was measured beside the score.
        per_task: The mean of every task instead.
        best_point: Of each run take the best of its evaluation points.

    Raises:
        UsageError: Nothing is known of what is asked for.
    """
    if best_point and table in ("evaluations", "measures"):
        raise UsageError(f"--best-point and --{table} do not go together")
    if best_point:
        best, more = at_best_points(found)
        found = found._replace(agents=best, notes=[*more, *found.notes], published={})
    untested = CHOSEN_ONLINE if best_point else ""
    rows, notes = _rows_of(found, scale, method, table, untested, per_task=per_task)
    if found.published and table in ("aggregates", "retention"):
        rows = _with_papers(rows, found.published)
    if best_point:
        rows = [{**row, "selection": BEST_POINT} for row in rows]
    if table == "aggregates":
        rows = with_data(rows, scale.suite, found.agents, per_task=per_task)
    known = {task for tasks in found.agents.values() for task in tasks}
    total = len(scale.suite.tasks) if scale.suite else len(known)
    return Summary(found.agents, rows, [*notes, *found.notes], total)


def _rows_of(
    found: Gathered, scale: Scale, method: Method, table: Table, untested: str, *, per_task: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of a table, and what must be said of them."""
    agents, own, suite = found.agents, found.own, scale.suite
    if table == "evaluations":
        return _evaluations(found, suite, method), []
    if table == "measures":
        return table_of_measures(found), []
    if table == "retention":
        rows = _retention(found, suite, cast(PairMethod, method), by_strength=per_task)
        return rows, _of_retention(rows, suite)
    beside = rows_beside_data(found, suite, untested)
    if table == "against-data":
        return table_beside_data(beside), said_of_data(beside)
    if per_task:
        means = [honest(row, own.get(row.agent, NOTHING)) for row in summarise_tasks(agents)]
        return [row._asdict() for row in means], []
    notes = [*said_of_data(beside), *of_raw_scores(agents, scale)]
    return _aggregates(agents, own, scale, method), notes


def _evaluations(found: Gathered, suite: Suite | None, method: Method) -> list[dict[str, Any]]:
    """Return one row an agent, evaluation point and evaluation, as `evaluation_rows` does.

    Raises:
        UsageError: The suite has only one evaluation, or no agent has records.
    """
    from rlbench.leaderboard.evaluations import evaluation_rows

    if suite is None or len(suite.protocol.evaluations) < 2:
        raise UsageError(
            "--evaluations needs a suite with several evaluations, e.g. --suite procgen-easy"
        )
    alone = {a for a in found.named if why_alone(found.own.get(a, NOTHING))}
    agents = {agent: tasks for agent, tasks in found.named.items() if agent not in alone}
    rows = [row._asdict() for row in evaluation_rows(agents, suite, method=method)]
    if not rows:
        raise UsageError("--evaluations needs runs of rlbench's own: papers and files have none")
    return rows


def _aggregates(
    agents: Agents, own: Mapping[str, Terms], scale: Scale, method: Method
) -> list[dict[str, Any]]:
    """Return one row an agent and metric; raw scores have no optimality gap."""
    lists = {agent: list(tasks.values()) for agent, tasks in agents.items()}
    summary = [honest(row, own.get(row.agent, NOTHING)) for row in summarise(lists, method=method)]
    rows = [row._asdict() for row in summary]
    if not scale.by:
        rows = [row | NO_GAP if row["metric"] == "optimality_gap" else row for row in rows]
    return [row | scale.better for row in rows]


def _retention(
    found: Gathered, suite: Suite | None, method: PairMethod, *, by_strength: bool
) -> list[dict[str, Any]]:
    """Return one row an agent and type of disturbance, as `retention_rows` does.

    Raises:
        UsageError: The suite has no clean tasks or evaluation, or no agent has runs of one and of
            its disturbed versions.
    """
    from rlbench.leaderboard import retention

    clean = list(retention.clean_versions(suite).values()) if suite else []
    if suite is None or not clean:
        raise UsageError(
            "--retention needs a suite with clean tasks or a clean evaluation, e.g. --suite stori"
        )
    agents: Agents = found.agents
    if retention.has_clean_evaluation(suite):
        agents = {a: retention.evaluations_apart(tasks) for a, tasks in found.named.items()}
    own = {a: tasks for a, tasks in agents.items() if not why_alone(found.own.get(a, NOTHING))}
    rows = retention.retention_rows(own, suite, method=method, by_strength=by_strength)
    if not rows:
        raise UsageError(
            f"--retention needs runs of an agent on a clean task of {suite.id}, e.g. {clean[0]}, "
            "and on a disturbed version of it"
        )
    return [row._asdict() for row in rows]


def _of_retention(rows: Sequence[Mapping[str, Any]], suite: Suite | None) -> list[str]:
    """Return what a reader must know of retentions."""
    from rlbench.leaderboard.retention import has_clean_evaluation

    notes = []
    if suite and has_clean_evaluation(suite):
        notes.append(
            "Clean and disturbed scores are of the same policies, but resampled independently: "
            f"the intervals are wider than they need to be ({docs_url('suites/dmc-families.md')})."
        )
    elif any(row["runs"] < ENOUGH_RUNS for row in rows):
        notes.append(
            f"Fewer than {ENOUGH_RUNS} runs a task: the interval of the retention covers "
            f"less often than 95% ({docs_url('suites/stori26.md')} has the measured figures)."
        )
    left_out: dict[str, set[str]] = {}
    for row in rows:
        if row["left_out"]:
            left_out.setdefault(row["agent"], set()).update(row["games_left_out"].split(", "))
    for agent, games in left_out.items():
        notes.append(
            f"{agent}: left out, since the clean mean is not significantly above 0: "
            f"{', '.join(sorted(games))}."
        )
    return notes


def _with_papers(
    rows: Sequence[Mapping[str, Any]], papers: Mapping[str, Published]
) -> list[dict[str, Any]]:
    """Return the rows with source and deviations, and of means only what they can say."""
    out = []
    for row in rows:
        agent = row["agent"]
        source = papers[agent].source if agent in papers else None
        said = {
            **row,
            "source": source and source.slug,
            "deviations": deviations_of(agent, papers),
        }
        if source and source.means_only:
            if row.get("metric", "mean") not in OF_MEANS:
                continue
            said |= {"method": NO_RUNS, "runs": 0}
        out.append(said)
    return out


def warnings_of(
    agents: Agents,
    rows: Sequence[Mapping[str, Any]],
    method: str,
    suite: Suite | None,
    total: int,
) -> list[str]:
    """Return what a reader must know of the runs and tasks behind the rows."""
    with_interval = {row["agent"] for row in rows if row["low"] is not None}
    metrics = {row["metric"] for row in rows if row["low"] is not None}
    drawn = [list(tasks.values()) for agent, tasks in agents.items() if agent in with_interval]
    warnings = coverage_warnings([m for m in POINTS if m in metrics], drawn)
    if drawn and method != "rao-wu":
        warnings.append(OTHER_METHODS.format(method=method))
    for agent, tasks in agents.items():
        runs = sorted(len(scores) for scores in tasks.values())
        if runs[0] < runs[-1]:
            warnings.append(f"{agent} has {runs[0]} to {runs[-1]} runs a task.")
    lacking = [f"{agent} ({len(tasks)})" for agent, tasks in agents.items() if len(tasks) < total]
    if lacking:
        of = f"scores of {suite.id}" if suite else "to be compared with the others"
        warnings.append(
            f"Not all {total} tasks have runs, and these are not {of}: {', '.join(lacking)}."
        )
    return warnings
