"""`rlbench stats`: aggregates of agents, from a store or from CSV files, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

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
from rlbench.errors import InvalidScores, UsageError
from rlbench.results import collect, read_csv, select, unofficial_text
from rlbench.stats import summarise
from rlbench.suites import Suite

ENOUGH_RUNS = 5  # from here on the IQM's interval was measured to cover .94

Agents = dict[str, list[NDArray[np.float64]]]


def stats(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="CSV files: agent, task, seed, score; or a column a task."),
    ] = None,
    suite: Annotated[
        str, typer.Option("--suite", help="Normalise by this suite's reference scores.")
    ] = "",
    store: Annotated[
        Path | None, typer.Option("--store", help="A folder of records; runs if no file is given.")
    ] = None,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
) -> None:
    """Print IQM, mean, median and optimality gap with 95% intervals.

    Scores are normalised by the suite's reference scores; files without a suite are taken raw.
    """
    chosen = parse_suite(suite, unofficial) if suite else None
    agents: Agents = {}
    for file in files or []:
        _add(agents, _from_file(file, chosen), str(file))
    if store is not None or not files:
        place = store or DEFAULT_STORE
        if chosen is None:
            raise UsageError("records need a suite: add --suite, e.g. --suite atari100k")
        _add(agents, _from_store(place, chosen), str(place))
    rows = [row._asdict() for row in summarise(agents)]
    if json:
        print_json(rows)
        return
    total = len(chosen.tasks) if chosen else max(len(tasks) for tasks in agents.values())
    shown = [{**row, "tasks": f"{row['tasks']}/{total}"} for row in rows]
    print_table(shown, list(shown[0]), _title(chosen))
    if any(row["runs"] < ENOUGH_RUNS for row in rows):
        typer.echo(
            f"Fewer than {ENOUGH_RUNS} runs a task: the intervals cover less often than 95% "
            "(docs/statistics.md has the measured figures)."
        )
    if any(row["tasks"] < total for row in rows):
        of = f"scores of {chosen.id}" if chosen else "to be compared with the others"
        typer.echo(f"Not all {total} tasks have runs: these are not {of}.")


def _title(suite: Suite | None) -> str:
    if suite is None:
        return "raw scores, as they stand in the files; --suite normalises them"
    title = f"{suite.id}, scores normalised by {' and '.join(suite.references)} scores"
    if suite.unofficial:
        title += f"; UNOFFICIAL: {unofficial_text(suite.unofficial)}"
    return title


def _from_file(file: Path, suite: Suite | None) -> Mapping[str, Sequence[NDArray[np.float64]]]:
    runs = read_csv(file)
    if suite is not None:
        return select(runs, suite)
    return {agent: list(tasks.values()) for agent, tasks in runs.items()}


def _from_store(store: Path, suite: Suite) -> Mapping[str, Sequence[NDArray[np.float64]]]:
    scores = collect(records_of(store, suite), suite)
    if not scores.values:
        raise UsageError(f"every run of {suite.id} in the store {store} failed: there is no score")
    return {agent: scores.normalised(agent) for agent in scores.values}


def _add(agents: Agents, more: Mapping[str, Sequence[NDArray[np.float64]]], source: str) -> None:
    """Add agents from one source; one agent comes from one source only."""
    for agent, tasks in more.items():
        if agent in agents:
            raise InvalidScores(f"the agent {agent!r} of {source} is in another source too")
        agents[agent] = list(tasks)
