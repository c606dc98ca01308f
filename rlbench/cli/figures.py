"""`rlbench figures`: figures for a paper, with their data and captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rlbench.api.asking import Asked
from rlbench.api.figures import KINDS, OF_CURVES, default_kinds, draw, to_draw
from rlbench.api.gathering import gather
from rlbench.api.scales import Scale
from rlbench.cli.options import UnofficialOption, tell
from rlbench.cli.output import echo
from rlbench.cli.sources import (
    NormaliseByOption,
    SuiteToNormalise,
    print_deviations,
    reads_files,
)
from rlbench.errors import InvalidScores, UnknownName, UsageError


@reads_files
def figures(
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help=f"Some of {', '.join(KINDS)}; by default all that fit: speedups with --baseline, "
            "teaching and levels of curricula.",
        ),
    ] = "",
    width: Annotated[
        str, typer.Option("--width", help="neurips, icml, icml-wide, iclr, a4, or inches.")
    ] = "neurips",
    format: Annotated[str, typer.Option("--format", help="Some of pdf,svg,png.")] = "pdf",
    baseline: Annotated[
        str, typer.Option("--baseline", help="The agent to draw improvement and speedups over.")
    ] = "",
    unofficial: UnofficialOption = "",
    *,
    asked: Asked,
) -> None:
    """Draw figures for a paper, each with its data as CSV and its caption as text.

    Figures show the tasks that all agents have runs of; tasks and task-curves show every task.
    """
    from rlbench.leaderboard.plots import FORMATS

    formats = _parts(format, "format", FORMATS)
    size = _width(width)
    scale = Scale(suite, unofficial, normalise_by)
    named = kind or ",".join(default_kinds(scale.suite, baseline))
    kinds = _parts(named, "kind of figure", KINDS)
    with_curves = any(name in kinds for name in OF_CURVES)
    what = to_draw(gather(asked, scale, tell, curves=with_curves), scale, kinds)
    if baseline and baseline not in what.agents:
        raise UnknownName("agent", baseline, what.agents)
    notes, drawn = list(what.notes), 0
    for name in kinds:
        try:
            plot = draw(name, what, scale, baseline=baseline, width=size)
        except InvalidScores as error:
            echo(f"{name}: not drawn: {error}")
            continue
        paths = plot.save(out, formats)
        echo(f"{name}: {', '.join(map(str, paths))}")
        notes += plot.notes
        drawn += 1
    print_deviations(what.shown.papers, err=False)
    for note in dict.fromkeys(notes):
        echo(note)
    if not drawn:
        raise UsageError("no figure can be drawn of these scores")


def _parts(text: str, what: str, known: Sequence[str]) -> list[Any]:
    parts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for part in parts:
        if part not in known:
            raise UnknownName(what, part, known)
    if not parts:
        raise UsageError(f"no {what} is given. Known: {', '.join(known)}")
    return parts


def _width(text: str) -> str | float:
    from rlbench.leaderboard import WIDTHS

    if text in WIDTHS:
        return text
    try:
        return float(text)
    except ValueError:
        raise UnknownName("width", text, WIDTHS) from None
