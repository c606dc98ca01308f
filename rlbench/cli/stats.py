"""`rlbench stats`: aggregates of agents, from stores or files of scores, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

import typer

from rlbench.cli.cells import an_agent_a_row, cell, methods_of, with_cells
from rlbench.cli.docs import docs_url
from rlbench.cli.gathering import gather
from rlbench.cli.options import JsonOption, UnofficialOption
from rlbench.cli.output import echo, echo_lines, print_json, print_table
from rlbench.cli.sources import (
    Agents,
    Asked,
    LowerOption,
    NormaliseByOption,
    Scale,
    SuiteToNormalise,
    deviations_of,
    of_raw_scores,
    print_deviations,
    reads_files,
)
from rlbench.errors import UnknownName, UsageError
from rlbench.results.published import Published
from rlbench.results.rankable import NOTHING, Terms, honest, why_alone
from rlbench.stats import methods_text, summarise, summarise_tasks
from rlbench.stats.coverage import OTHER_METHODS, coverage_warnings
from rlbench.stats.intervals import METHODS, POINTS, Method
from rlbench.stats.pairs import PairMethod
from rlbench.stats.proportions import are_successes
from rlbench.suites import Suite

ENOUGH_RUNS = 5  # for the interval of the retention, as measured
OF_MEANS = {"mean", "median"}  # what can be said where a task has a mean and no runs
NO_RUNS = "none: means, not runs"
NO_GAP = {
    "point": None, "low": None, "high": None, "method": "none: raw scores have no gap to 1"
}  # fmt: skip
# What a table leaves out.
HIDDEN = {"better", "source", "deviations", "tasks_of_type", "games_left_out"}


@reads_files
def stats(
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    lower_is_better: LowerOption = False,
    method: Annotated[
        str, typer.Option("--method", help=f"Of the intervals: {', '.join(METHODS)}.")
    ] = "rao-wu",
    per_task: Annotated[
        bool, typer.Option("--per-task", help="Print the mean of every task instead.")
    ] = False,
    kept: Annotated[
        bool,
        typer.Option(
            "--retention",
            help="Print the share of the clean score that is kept, by the type of disturbance; "
            "with --per-task also by its strength.",
        ),
    ] = False,
    named: Annotated[
        bool,
        typer.Option(
            "--evaluations",
            help="Print the mean of each named evaluation at every evaluation point, and how far "
            "they are apart, e.g. the generalisation gap of Procgen.",
        ),
    ] = False,
    show_text: Annotated[
        bool, typer.Option("--methods-text", help="Print a paragraph and BibTeX for a paper.")
    ] = False,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
    *,
    asked: Asked,
) -> None:
    """Print IQM, mean, median and optimality gap with 95% intervals.

    Scores are normalised by the suite's reference scores or by two columns; files are else taken
    as they are, and have no optimality gap.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    how = cast(Method, method)
    scale = Scale(suite, unofficial, normalise_by, lower_is_better=lower_is_better)
    _refuse_two_tables(kept=kept, named=named, per_task=per_task, show_text=show_text)
    if named:
        _print_evaluations(asked, scale, how, json=json)
        return
    agents, notes, papers, own, *_ = gather(asked, scale)
    if kept:
        agents = {a: tasks for a, tasks in agents.items() if not why_alone(own.get(a, NOTHING))}
        rows = _retention(agents, scale.suite, cast(PairMethod, how), by_strength=per_task)
        notes = [*_of_retention(rows), *notes]
    elif per_task:
        found = [honest(row, own.get(row.agent, NOTHING)) for row in summarise_tasks(agents)]
        rows = [row._asdict() for row in found]
    else:
        rows = _aggregates(agents, own, scale, how)
        notes = [*of_raw_scores(agents, scale), *notes]
    if papers:
        rows = _with_papers(rows, papers)
    if json:
        print_json(rows)
    elif show_text:
        echo_lines(_text(agents, scale.by, how))
    else:
        known = {task for tasks in agents.values() for task in tasks}
        total = len(scale.suite.tasks) if scale.suite else len(known)
        shown = _shown(rows, total, scale, per_task=per_task, kept=kept)
        title = f"share of the clean score that is kept; {scale.title}" if kept else scale.title
        print_table(shown, list(shown[0]), title)
        echo_lines("\n".join(methods_of(rows)))
        aggregates = [] if per_task or kept else rows
        notes = [*_warnings(agents, aggregates, how, scale.suite, total), *notes]
    print_deviations(papers, err=json or show_text)
    for note in notes:
        echo(note, err=json or show_text)


def _refuse_two_tables(*, kept: bool, named: bool, per_task: bool, show_text: bool) -> None:
    """Raise UsageError if options ask for more than one table, or for a text of another one."""
    if kept and show_text:
        raise UsageError("--methods-text tells of aggregates, not of --retention: leave one out")
    if named and (kept or per_task or show_text):
        raise UsageError("--evaluations is a table of its own: leave the other one out")


def _print_evaluations(asked: Asked, scale: Scale, method: Method, *, json: bool) -> None:
    """Print the scores of all named evaluations, a row an agent and evaluation point.

    Raises:
        UsageError: The suite has only one evaluation, or no agent has records.
    """
    from rlbench.leaderboard.evaluations import evaluation_rows

    suite = scale.suite
    if suite is None or len(suite.protocol.evaluations) < 2:
        raise UsageError(
            "--evaluations needs a suite with several evaluations, e.g. --suite procgen-easy"
        )
    gathered = gather(asked, scale, curves=True)
    alone = {a for a in gathered.named if why_alone(gathered.own.get(a, NOTHING))}
    agents = {agent: tasks for agent, tasks in gathered.named.items() if agent not in alone}
    rows = [row._asdict() for row in evaluation_rows(agents, suite, method=method)]
    if not rows:
        raise UsageError("--evaluations needs runs of rlbench's own: papers and files have none")
    if json:
        print_json(rows)
    else:
        table = _a_point_a_row(rows, len(suite.tasks))
        print_table(table, list(table[0]), f"mean by evaluation; {scale.title}")
        echo_lines("\n".join(methods_of(rows)))
    for note in gathered.notes:
        echo(note, err=json)


def _a_point_a_row(rows: Sequence[Mapping[str, Any]], total: int) -> list[dict[str, Any]]:
    """Return one row an agent and evaluation point with a cell an evaluation."""
    labels = dict.fromkeys(row["evaluation"] for row in rows)
    table: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        shown = table.setdefault(
            (row["agent"], row["step"]),
            {
                "agent": row["agent"], "step": row["step"], "tasks": f"{row['tasks']}/{total}",
                "runs": row["runs"], **dict.fromkeys(labels),
            },
        )  # fmt: skip
        shown[row["evaluation"]] = cell(row)
    return list(table.values())


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


def _shown(
    rows: Sequence[Mapping[str, Any]], total: int, scale: Scale, *, per_task: bool, kept: bool
) -> list[dict[str, Any]]:
    """Return the rows of the table for people."""
    if not (kept or per_task):
        return an_agent_a_row(rows, total, scale.sign)
    shown = [{k: v for k, v in row.items() if k not in HIDDEN} for row in rows]
    if not kept:
        return with_cells(shown, "mean", "mean")
    for row, of_type in zip(shown, rows, strict=True):
        row["tasks"] = f"{row['tasks']}/{of_type['tasks_of_type']}"
    return with_cells(shown, "point", "kept")


def _retention(
    agents: Agents, suite: Suite | None, method: PairMethod, *, by_strength: bool
) -> list[dict[str, Any]]:
    """Return one row an agent and type of disturbance, as `retention_rows` does.

    Raises:
        UsageError: The suite has no clean tasks, or no agent has runs of one and of its disturbed
            versions.
    """
    from rlbench.leaderboard.retention import retention_rows

    clean = [task.clean for task in suite.tasks if task.clean] if suite else []
    if suite is None or not clean:
        raise UsageError("--retention needs a suite with clean tasks, e.g. --suite stori")
    rows = retention_rows(agents, suite, method=method, by_strength=by_strength)
    if not rows:
        raise UsageError(
            f"--retention needs runs of an agent on a clean task of {suite.id}, e.g. {clean[0]}, "
            "and on a disturbed version of it"
        )
    return [row._asdict() for row in rows]


def _of_retention(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a reader must know of retentions."""
    notes = []
    if any(row["runs"] < ENOUGH_RUNS for row in rows):
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
            f"{agent}: left out, since the clean mean is not above 0 for sure: "
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


def _warnings(
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


def _text(agents: Agents, normalised_by: str, method: Method) -> str:
    runs = [len(scores) for tasks in agents.values() for scores in tasks.values()]
    return methods_text(
        runs=(min(runs), max(runs)),
        tasks=len({task for tasks in agents.values() for task in tasks}),
        normalised_by=normalised_by,
        method=method,
        successes=any(are_successes(list(tasks.values())) for tasks in agents.values()),
    )
