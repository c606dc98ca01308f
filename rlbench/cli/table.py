"""`rlbench table`: tables for a paper or a README."""

from typing import Annotated, Any

import typer

from rlbench.api.asking import Asked
from rlbench.api.figures import on_common_tasks, scale_text, to_show
from rlbench.api.gathering import gather
from rlbench.api.scales import Scale
from rlbench.cli.options import UnofficialOption, tell
from rlbench.cli.output import echo, echo_lines
from rlbench.cli.sources import (
    NormaliseByOption,
    SuiteToNormalise,
    print_deviations,
    reads_files,
)
from rlbench.errors import UnknownName
from rlbench.stats.aggregates import AGGREGATES


@reads_files
def table(
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    format: Annotated[str, typer.Option("--format", help="latex (booktabs) or markdown.")] = (
        "latex"
    ),
    per_task: Annotated[
        bool, typer.Option("--per-task", help="Print the mean of every task instead.")
    ] = False,
    unofficial: UnofficialOption = "",
    *,
    asked: Asked,
) -> None:
    """Print aggregates with 95% intervals as LaTeX or Markdown.

    Bold marks the agents that may be the best by the test, if it separates any agent from them.
    """
    from rlbench import leaderboard
    from rlbench.leaderboard.tables import FORMATS

    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    scale = Scale(suite, unofficial, normalise_by)
    shown = to_show(gather(asked, scale, tell))
    agents, notes = shown.agents, shown.notes
    options: dict[str, Any] = {
        "format": format,
        "normalised_by": scale_text(scale),
        "not_ranked": shown.not_ranked,
        "remark": shown.remark,
    }
    if per_task:
        text = leaderboard.task_table(agents, **options)
    else:
        agents, more = on_common_tasks(agents, scale)
        notes = notes + more
        # The gap to 1 says nothing of raw scores.
        metrics = [name for name in AGGREGATES if scale.by or name != "optimality_gap"]
        lists = {agent: list(tasks.values()) for agent, tasks in agents.items()}
        text = leaderboard.table(lists, metrics=metrics, **options)
    echo_lines(text)
    print_deviations(shown.papers, err=True)
    for note in notes:
        echo(note, err=True)
