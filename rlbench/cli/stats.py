"""`rlbench stats`: aggregates of agents, from stores or files of scores, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from rlbench.api.asking import Asked
from rlbench.api.cells import a_point_a_row, an_agent_a_row, methods_of, with_cells
from rlbench.api.gathering import gather
from rlbench.api.offline import BEST_POINT, a_task_a_row
from rlbench.api.scales import Agents, Scale
from rlbench.api.summaries import Table, method_of, summary_of, table_of, warnings_of
from rlbench.cli.options import JsonOption, UnofficialOption, tell
from rlbench.cli.output import echo, echo_lines, print_json, print_table
from rlbench.cli.sources import (
    LowerOption,
    NormaliseByOption,
    SuiteToNormalise,
    print_deviations,
    reads_files,
)
from rlbench.errors import UsageError
from rlbench.stats import methods_text
from rlbench.stats.intervals import METHODS, Method
from rlbench.stats.proportions import are_successes

# What a table leaves out.
HIDDEN = {
    "better", "source", "deviations", "tasks_of_type", "games_left_out", "selection", "test",
}  # fmt: skip
_TITLES = {
    "retention": "share of the clean score that is kept; ",
    "evaluations": "mean by evaluation; ",
    "against-data": "agents and the mean return of their data; ",
}


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
    against_data: Annotated[
        bool,
        typer.Option(
            "--against-data",
            help="Print how agents compare with the mean return of the data that they learned "
            "from.",
        ),
    ] = False,
    measures: Annotated[
        bool,
        typer.Option(
            "--measures",
            help="Print other measures, such as a safety cost, with the raw score.",
        ),
    ] = False,
    best_point: Annotated[
        bool,
        typer.Option(
            "--best-point",
            help="Take the best evaluation of each run instead of the last: selected online, so "
            "biased upwards.",
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

    Scores are normalised by the suite's reference scores or by two columns. Without either,
    scores in files stay as they are, and have no optimality gap.
    """
    how = method_of(method)
    scale = Scale(suite, unofficial, normalise_by, lower_is_better=lower_is_better)
    table = table_of(
        retention=kept, evaluations=named, against_data=against_data, measures=measures,
        per_task=per_task,
    )  # fmt: skip
    if show_text and (table != "aggregates" or best_point):
        other = table if table != "aggregates" else "best-point"
        raise UsageError(f"--methods-text describes aggregates, not --{other}: leave one out")
    gathered = gather(asked, scale, tell, curves=named or kept or measures or best_point)
    agents, rows, notes, total = summary_of(
        gathered, scale, how, table=table, per_task=per_task, best_point=best_point
    )
    if json:
        print_json(rows)
    elif show_text:
        echo_lines(_text(agents, scale.by, how))
    else:
        begin = _TITLES.get(table, "") + (f"{BEST_POINT}; " if best_point else "")
        shown = _shown(rows, total, scale, table, per_task=per_task)
        title = "means of runs, raw" if table == "measures" else scale.title
        print_table(shown, list(shown[0]), begin + title)
        echo_lines("\n".join(methods_of(rows)))
        aggregates = rows if table == "aggregates" and not per_task else []
        notes = [*warnings_of(agents, aggregates, how, scale.suite, total), *notes]
    print_deviations(gathered.published, err=json or show_text)
    for note in notes:
        echo(note, err=json or show_text)


def _shown(
    rows: Sequence[Mapping[str, Any]], total: int, scale: Scale, table: Table, *, per_task: bool
) -> list[dict[str, Any]]:
    """Return the rows of the table for people."""
    if table == "evaluations":
        return a_point_a_row(rows, total)
    if table == "measures":
        return a_task_a_row(rows)
    if table == "aggregates" and not per_task:
        return an_agent_a_row(rows, total, scale.sign)
    shown = [{k: v for k, v in row.items() if k not in HIDDEN} for row in rows]
    if table == "against-data":
        return with_cells(shown, "point", "mean - data")
    if table == "aggregates":
        return with_cells(shown, "mean", "mean")
    for row, of_type in zip(shown, rows, strict=True):
        row["tasks"] = f"{row['tasks']}/{of_type['tasks_of_type']}"
    return with_cells(shown, "point", "kept")


def _text(agents: Agents, normalised_by: str, method: Method) -> str:
    runs = [len(scores) for tasks in agents.values() for scores in tasks.values()]
    return methods_text(
        runs=(min(runs), max(runs)),
        tasks=len({task for tasks in agents.values() for task in tasks}),
        normalised_by=normalised_by,
        method=method,
        successes=any(are_successes(list(tasks.values())) for tasks in agents.values()),
    )
