"""`rlbench figures`: figures for a paper, with their data and captions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.gathering import Curves, gather
from rlbench.cli.options import UnofficialOption
from rlbench.cli.output import echo
from rlbench.cli.sources import (
    Agents,
    Asked,
    NormaliseByOption,
    Scale,
    SuiteToNormalise,
    common_tasks,
    deviations_of,
    print_deviations,
    reads_files,
)
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results.published import Published
from rlbench.results.rankable import NOTHING, why_alone, why_not_ranked
from rlbench.results.score_files import Curve
from rlbench.stats import align
from rlbench.stats.aggregates import AGGREGATES
from rlbench.stats.curves import MOST_DRAWN

if TYPE_CHECKING:
    from rlbench.leaderboard import Plot

KINDS = ("intervals", "profiles", "curves", "improvement", "ranks")

Floats = NDArray[np.float64]
RANKING = ("improvement", "ranks")  # figures that say which agent is better


class Shown(NamedTuple):
    """What figures and tables show.

    Attributes:
        agents: Scores by agent and task.
        notes: What must be said of them.
        papers: Those of the agents that come from papers.
        not_ranked: Why the agents may not all be ranked; nothing if they may.
        curves: Steps and scores of each run by agent and task, where they are known.
    """

    agents: Agents
    notes: list[str]
    papers: dict[str, Published]
    not_ranked: str
    curves: Curves

    @property
    def remark(self) -> str:
        """How the protocols of agents from papers differ, for a caption; or nothing."""
        return " ".join(
            f"{agent} is published ({scores.source.slug}): {deviations_of(agent, self.papers)}."
            for agent, scores in self.papers.items()
        )


@reads_files
def figures(
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    kind: Annotated[
        str, typer.Option("--kind", help=f"Some of {','.join(KINDS)}; all by default.")
    ] = ",".join(KINDS),
    width: Annotated[
        str, typer.Option("--width", help="neurips, icml, icml-wide, iclr, a4, or inches.")
    ] = "neurips",
    format: Annotated[str, typer.Option("--format", help="Some of pdf,svg,png.")] = "pdf",
    baseline: Annotated[
        str, typer.Option("--baseline", help="The agent to draw the improvement over.")
    ] = "",
    unofficial: UnofficialOption = "",
    *,
    asked: Asked,
) -> None:
    """Draw figures for a paper; beside each stand its data as CSV and its caption as text.

    Drawn are the tasks that all agents have runs of.
    """
    from rlbench.leaderboard.plots import FORMATS

    kinds = _parts(kind, "kind of figure", KINDS)
    formats = _parts(format, "format", FORMATS)
    size = _width(width)
    scale = Scale(suite, unofficial, normalise_by)
    shown = sources_to_show(asked, scale, curves="curves" in kinds)
    agents, notes = on_common_tasks(shown.agents, scale)
    notes = shown.notes + notes
    if baseline and baseline not in agents:
        raise UnknownName("agent", baseline, agents)
    curves: Curves = {}
    if "curves" in kinds:
        curves, more = _curves_of(agents, shown.curves)
        notes += more
    drawn = 0
    for name in kinds:
        try:
            if name in RANKING and shown.not_ranked:
                raise InvalidScores(shown.not_ranked)
            plot = _draw(name, agents, curves, baseline or None, scale, size)
        except InvalidScores as error:
            echo(f"{name}: not drawn: {error}")
            continue
        if shown.remark:
            plot = replace(plot, caption=f"{plot.caption} {shown.remark}")
        paths = plot.save(out, formats)
        echo(f"{name}: {', '.join(map(str, paths))}")
        notes += plot.notes
        drawn += 1
    print_deviations(shown.papers, err=False)
    for note in dict.fromkeys(notes):
        echo(note)
    if not drawn:
        raise UsageError("no figure can be drawn of these scores")


def sources_to_show(asked: Asked, scale: Scale, *, curves: bool = False) -> Shown:
    """Return the scores of all sources; agents of which there are only means are left out.

    Args:
        asked: What the user asks for.
        scale: How scores are normalised.
        curves: Return the curves of records, too.

    Raises:
        InvalidScores: A file is bad, or a run is in two.
        UsageError: There is nothing to show.
    """
    agents, notes, papers, own, found, *_ = gather(asked, scale, curves=curves)
    means = [agent for agent, scores in papers.items() if scores.source.means_only]
    if means:
        notes = [*notes, f"Left out, since there are means and no runs: {', '.join(means)}."]
    shared = [agent for agent in agents if why_alone(own.get(agent, NOTHING))]
    if shared:
        notes = [*notes, f"Left out, since their seeds share data: {', '.join(shared)}."]
    means += shared
    agents = {agent: tasks for agent, tasks in agents.items() if agent not in means}
    papers = {agent: scores for agent, scores in papers.items() if agent not in means}
    if not agents:
        raise UsageError("there are no independent runs to show")
    not_ranked = ""
    for a, b in combinations(agents, 2):
        if why := why_not_ranked(a, b, papers, own):
            not_ranked = f"{a} and {b} are not ranked: {why}"
            break
    return Shown(agents, notes, papers, not_ranked, found)


def on_common_tasks(agents: Agents, scale: Scale) -> tuple[Agents, list[str]]:
    """Return the scores on the tasks that all agents have runs of, and what must be said of it.

    Raises:
        UsageError: The agents have no task in common.
    """
    common = common_tasks(agents)
    every = {task for tasks in agents.values() for task in tasks}
    total = len(scale.suite.tasks) if scale.suite else len(every)
    notes = []
    if len(common) < total:
        whom = "all agents have" if len(agents) > 1 else "the agent has"
        notes.append(f"Taken are the {len(common)} of {total} tasks that {whom} runs of.")
    return {agent: {task: tasks[task] for task in common} for agent, tasks in agents.items()}, notes


def scale_text(scale: Scale) -> str:
    """Return what scores are normalised by, with unofficial constants, or nothing."""
    return scale.title.removeprefix("scores normalised by ") if scale.by else ""


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


def _draw(
    kind: str, agents: Agents, curves: Curves, baseline: str | None, scale: Scale,
    width: str | float,
) -> "Plot":  # fmt: skip
    from rlbench import leaderboard

    by = scale_text(scale)
    scores: dict[str, Any] = {agent: list(tasks.values()) for agent, tasks in agents.items()}
    if kind == "curves":
        steps, values = _aligned(curves)
        unit = scale.suite.protocol.unit if scale.suite else "steps"
        return leaderboard.plot_curves(values, steps, unit=unit, normalised_by=by, width=width)
    if kind == "improvement":
        return leaderboard.plot_improvement(
            scores, baseline=baseline, normalised_by=by, width=width
        )
    if kind == "intervals":
        # The gap to 1 says nothing of raw scores.
        metrics = [name for name in AGGREGATES if by or name != "optimality_gap"]
        return leaderboard.plot_intervals(scores, metrics=metrics, normalised_by=by, width=width)
    draw = {"profiles": leaderboard.plot_profiles, "ranks": leaderboard.plot_ranks}[kind]
    return cast("Callable[..., Plot]", draw)(scores, normalised_by=by, width=width)


def _aligned(curves: Curves) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Return the evaluation points of each agent, and its curves at them."""
    if not curves:
        raise InvalidScores("no run has several evaluation points")
    steps, values = {}, {}
    for agent, tasks in curves.items():
        steps[agent], values[agent] = align(list(tasks.values()), most=MOST_DRAWN)
    return steps, values


def _curves_of(agents: Agents, found: Curves) -> tuple[Curves, list[str]]:
    """Return the curves of the agents that have some on all tasks, and who has none."""
    kept = {}
    for agent, tasks in agents.items():
        of_agent = found.get(agent, {})
        if all(task in of_agent and min(len(at) for at, _ in of_agent[task]) > 1 for task in tasks):
            kept[agent] = {task: of_agent[task] for task in tasks}
    lacking = [agent for agent in agents if agent not in kept]
    notes = []
    if kept and lacking:
        notes.append(f"Not among the curves, for want of evaluation points: {', '.join(lacking)}.")
    if dense := [agent for agent, tasks in kept.items() if _steps_in(tasks) > MOST_DRAWN]:
        notes.append(
            f"Curves of {', '.join(dense)} are drawn at {MOST_DRAWN} of their steps, evenly spread."
        )
    return kept, notes


def _steps_in(tasks: Mapping[str, list[Curve]]) -> int:
    """Return at how many different steps runs have points."""
    return len(np.unique(np.concatenate([at for runs in tasks.values() for at, _ in runs])))
