"""`rlbench table`: tables for a paper or a README."""

from typing import Annotated

import typer

from rlbench.api.asking import Asked
from rlbench.api.figures import to_show
from rlbench.api.gathering import gather
from rlbench.api.scales import Scale
from rlbench.api.tables import check_format, table_text
from rlbench.cli.options import UnofficialOption, tell
from rlbench.cli.output import echo, echo_lines
from rlbench.cli.sources import (
    NormaliseByOption,
    SuiteToNormalise,
    print_deviations,
    reads_files,
)


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
    check_format(format)
    scale = Scale(suite, unofficial, normalise_by)
    shown = to_show(gather(asked, scale, tell))
    text, notes = table_text(shown, scale, format=format, per_task=per_task)
    echo_lines(text)
    print_deviations(shown.papers, err=True)
    for note in notes:
        echo(note, err=True)
