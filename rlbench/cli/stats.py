"""`rlbench stats`: aggregates of agents, from stores or files of scores, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    UnofficialOption,
    parse_suite,
    records_of,
)
from rlbench.cli.output import print_json, print_table
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results import Runs, collect, read_scores, select, unofficial_text
from rlbench.stats import methods_text, summarise, summarise_tasks
from rlbench.stats.intervals import METHODS, Method
from rlbench.suites import Suite

# From so many runs on, the default interval was measured to cover at least .93 (.92 for means).
ENOUGH_RUNS = {"iqm": 5, "mean": 10, "optimality_gap": 5}

Agents = dict[str, dict[str, NDArray[np.float64]]]


def stats(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Scores: CSV, JSON, Parquet, .npz, or a folder of training logs."),
    ] = None,
    suite: Annotated[
        str, typer.Option("--suite", help="Normalise by this suite's reference scores.")
    ] = "",
    normalise_by: Annotated[
        str,
        typer.Option(
            "--normalise-by",
            metavar="LOW,HIGH",
            help="Normalise by two columns of the files: LOW becomes 0, HIGH becomes 1.",
        ),
    ] = "",
    store: Annotated[
        list[Path] | None,
        typer.Option("--store", help="A folder of records; runs if no file is given."),
    ] = None,
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
    chosen = parse_suite(suite, unofficial) if suite else None
    agents, notes = _gather(files or [], store or [], chosen, _columns(normalise_by, suite))
    if per_task:
        rows: list[dict[str, Any]] = [row._asdict() for row in summarise_tasks(agents)]
    else:
        lists = {agent: list(tasks.values()) for agent, tasks in agents.items()}
        rows = [row._asdict() for row in summarise(lists, method=how)]
    if json:
        print_json(rows)
    elif show_text:
        typer.echo(_text(agents, chosen, normalise_by, how))
    else:
        total = len(chosen.tasks) if chosen else len({t for ts in agents.values() for t in ts})
        shown = rows if per_task else [{**row, "tasks": f"{row['tasks']}/{total}"} for row in rows]
        print_table(shown, list(shown[0]), _title(chosen, normalise_by))
        notes = [*_warnings(agents, [] if per_task else rows, chosen, total), *notes]
    for note in notes:
        typer.echo(note, err=json or show_text)


def _columns(normalise_by: str, suite: str) -> tuple[str, str] | None:
    if not normalise_by:
        return None
    low, comma, high = (part.strip() for part in normalise_by.partition(","))
    if not comma or not low or not high:
        raise UsageError(f"--normalise-by {normalise_by!r} is not two columns: LOW,HIGH")
    if suite:
        raise UsageError("give --suite or --normalise-by, not both: each says how to normalise")
    return low, high


def _gather(
    files: Sequence[Path],
    stores: Sequence[Path],
    suite: Suite | None,
    normalise_by: tuple[str, str] | None,
) -> tuple[Agents, list[str]]:
    """Return the scores of all sources, and what must be said of them."""
    agents: Agents = {}
    notes = []
    for file in files:
        runs, note = read_scores(file, normalise_by)
        _add(agents, select(runs, suite) if suite else runs, str(file))
        if note:
            notes.append(f"{file}: {note}.")
    for place in stores or ([] if files else [DEFAULT_STORE]):
        if suite is None:
            raise UsageError("records need a suite: add --suite, e.g. --suite atari100k")
        _add(agents, _from_store(place, suite), str(place))
    return agents, notes


def _from_store(store: Path, suite: Suite) -> Runs:
    scores = collect(records_of(store, suite), suite)
    if not scores.values:
        raise UsageError(f"every run of {suite.id} in the store {store} failed: there is no score")
    return {agent: scores.normalised(agent) for agent in scores.values}


def _add(agents: Agents, more: Runs, source: str) -> None:
    """Add agents from one source; one agent comes from one source only."""
    for agent, tasks in more.items():
        if agent in agents:
            raise InvalidScores(f"the agent {agent!r} of {source} is in another source too")
        agents[agent] = dict(tasks)


def _title(suite: Suite | None, normalise_by: str) -> str:
    if suite is None:
        if normalise_by:
            return f"scores normalised by the columns {normalise_by}"
        return "raw scores, as they stand in the files; --suite normalises them"
    title = f"{suite.id}, scores normalised by {' and '.join(suite.references)} scores"
    if suite.unofficial:
        title += f"; UNOFFICIAL: {unofficial_text(suite.unofficial)}"
    return title


def _warnings(
    agents: Agents, rows: Sequence[Mapping[str, Any]], suite: Suite | None, total: int
) -> list[str]:
    """Return what a reader must know of the runs and tasks behind the rows."""
    warnings = []
    for metric, enough in ENOUGH_RUNS.items():
        if any(row["metric"] == metric and row["runs"] < enough for row in rows):
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


def _text(agents: Agents, suite: Suite | None, normalise_by: str, method: Method) -> str:
    runs = [len(scores) for tasks in agents.values() for scores in tasks.values()]
    by = f"the columns {normalise_by}" if normalise_by else ""
    if suite:
        by = f"the {' and '.join(suite.references)} scores of {suite.id}"
    return methods_text(
        runs=(min(runs), max(runs)),
        tasks=len({task for tasks in agents.values() for task in tasks}),
        normalised_by=by,
        method=method,
    )
