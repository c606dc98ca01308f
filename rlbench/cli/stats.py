"""`rlbench stats`: aggregates of the agents in a store, with intervals."""

import typer

from rlbench.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    SuiteOption,
    UnofficialOption,
    parse_suite,
    records_of,
)
from rlbench.cli.output import print_json, print_table
from rlbench.errors import UsageError
from rlbench.results import collect, unofficial_text
from rlbench.stats import summarise


def stats(
    suite: SuiteOption,
    store: StoreOption = DEFAULT_STORE,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
) -> None:
    """Print IQM, mean, median and optimality gap of normalised scores with 95% intervals."""
    chosen = parse_suite(suite, unofficial)
    scores = collect(records_of(store, chosen), chosen)
    if not scores.values:
        raise UsageError(f"every run of {chosen.id} in the store {store} failed: there is no score")
    rows = [
        row._asdict()
        for row in summarise({agent: scores.normalised(agent) for agent in scores.values})
    ]
    if json:
        print_json(rows)
        return
    total = len(chosen.tasks)
    shown = [{**row, "tasks": f"{row['tasks']}/{total}"} for row in rows]
    title = f"{chosen.id}, scores normalised by {' and '.join(chosen.references)} scores"
    if chosen.unofficial:
        title += f"; UNOFFICIAL: {unofficial_text(chosen.unofficial)}"
    print_table(shown, list(shown[0]), title)
    if any(row["tasks"] < total for row in rows):
        typer.echo(f"Not all {total} tasks have runs: these are not scores of {chosen.id}.")
