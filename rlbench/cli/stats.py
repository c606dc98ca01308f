"""`rlbench stats`: aggregates of agents, from stores or files of scores, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from rlbench.cli.options import JsonOption, UnofficialOption
from rlbench.cli.output import print_json, print_table
from rlbench.cli.sources import (
    Agents,
    NormaliseByOption,
    Scale,
    StoresOption,
    SuiteToNormalise,
    deviations_of,
    gather,
    print_deviations,
)
from rlbench.errors import UnknownName
from rlbench.results.published import Published
from rlbench.stats import methods_text, summarise, summarise_tasks
from rlbench.stats.intervals import METHODS, Method
from rlbench.suites import Suite

# From so many runs on, the default interval was measured to cover .938 (.917 for means) or more.
ENOUGH_RUNS = {"iqm": 5, "mean": 10, "optimality_gap": 5}
OF_MEANS = {"mean", "median"}  # what can be said where a task has a mean and no runs
NO_RUNS = "none: means, not runs"


def stats(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Scores: CSV, JSON, Parquet, .npz, or a folder of training logs."),
    ] = None,
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    store: StoresOption = None,
    method: Annotated[
        str, typer.Option("--method", help=f"Of the intervals: {', '.join(METHODS)}.")
    ] = "rao-wu",
    per_task: Annotated[
        bool, typer.Option("--per-task", help="Print the mean of every task instead.")
    ] = False,
    show_text: Annotated[
        bool, typer.Option("--methods-text", help="Print a paragraph and BibTeX for a paper.")
    ] = False,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
) -> None:
    """Print IQM, mean, median and optimality gap with 95% intervals.

    Scores are normalised by the suite's reference scores or by two columns; files are else taken
    as they are.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    how = cast(Method, method)
    scale = Scale(suite, unofficial, normalise_by)
    agents, notes, papers = gather(files or [], store, scale)
    if per_task:
        rows: list[dict[str, Any]] = [row._asdict() for row in summarise_tasks(agents)]
    else:
        lists = {agent: list(tasks.values()) for agent, tasks in agents.items()}
        rows = [row._asdict() for row in summarise(lists, method=how)]
    if papers:
        rows = _with_papers(rows, papers)
    if json:
        print_json(rows)
    elif show_text:
        typer.echo(_text(agents, scale.by, how))
    else:
        known = {task for tasks in agents.values() for task in tasks}
        total = len(scale.suite.tasks) if scale.suite else len(known)
        shown = rows if per_task else [{**row, "tasks": f"{row['tasks']}/{total}"} for row in rows]
        hidden = {"source", "deviations"}
        print_table(shown, [name for name in shown[0] if name not in hidden], scale.title)
        notes = [*_warnings(agents, [] if per_task else rows, scale.suite, total), *notes]
    print_deviations(papers, err=json or show_text)
    for note in notes:
        typer.echo(note, err=json or show_text)


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
    agents: Agents, rows: Sequence[Mapping[str, Any]], suite: Suite | None, total: int
) -> list[str]:
    """Return what a reader must know of the runs and tasks behind the rows."""
    warnings = []
    for metric, enough in ENOUGH_RUNS.items():
        if any(row["metric"] == metric and 0 < row["runs"] < enough for row in rows):
            warnings.append(
                f"Fewer than {enough} runs a task: the interval of the {metric.replace('_', ' ')} "
                "covers less often than 95% (docs/statistics.md has the measured figures)."
            )
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
    )
