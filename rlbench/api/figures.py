"""What figures and tables show of scores, and the figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from rlbench.api.gathering import Curves, Gathered
from rlbench.api.scales import Agents, Scale, common_tasks, deviations_of
from rlbench.errors import InvalidScores, UsageError
from rlbench.results import Record
from rlbench.results.published import Published
from rlbench.results.rankable import NOTHING, why_alone, why_not_ranked
from rlbench.results.score_files import Curve
from rlbench.stats import align
from rlbench.stats.aggregates import AGGREGATES
from rlbench.stats.curves import MOST_DRAWN
from rlbench.suites import Suite

if TYPE_CHECKING:
    from rlbench.leaderboard import Plot

OF_CURVES = ("curves", "task-curves", "speedups")
OF_CURRICULA = ("teaching", "levels")
Kind = Literal[
    "intervals", "profiles", "curves", "improvement", "ranks", "cd", "tasks", "task-curves",
    "speedups", "teaching", "levels",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)

Floats = NDArray[np.float64]
RANKING = ("improvement", "ranks", "cd", "speedups")  # figures that say which agent is better


class Shown(NamedTuple):
    """What figures and tables show.

    Attributes:
        agents: Scores by agent and task.
        notes: What must be said of them.
        papers: Those of the agents that come from papers.
        not_ranked: Why the agents may not all be ranked; nothing if they may.
        curves: Steps and scores of each run by agent and task, where they are known.
        records: Of the agents that have some.
    """

    agents: Agents
    notes: list[str]
    papers: dict[str, Published]
    not_ranked: str
    curves: Curves
    records: Mapping[str, Sequence[Record]]

    @property
    def remark(self) -> str:
        """How the protocols of agents from papers differ, for a caption; or nothing."""
        return " ".join(
            f"{agent} is published ({scores.source.slug}): {deviations_of(agent, self.papers)}."
            for agent, scores in self.papers.items()
        )


def to_show(found: Gathered) -> Shown:
    """Return what can be shown; agents of which there are only means are left out.

    Raises:
        UsageError: There is nothing to show.
    """
    agents, notes, papers, own, curves, *_ = found
    means = [agent for agent, scores in papers.items() if scores.source.means_only]
    if means:
        notes = [*notes, f"Left out, since they have means and no runs: {', '.join(means)}."]
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
    return Shown(agents, notes, papers, not_ranked, curves, found.records)


def default_kinds(suite: Suite | None, baseline: str = "") -> tuple[str, ...]:
    """Return the kinds of figures that are drawn where none is named."""
    left_out = set() if baseline else {"speedups"}
    if suite is None or suite.protocol.kind != "curriculum":
        left_out.update(OF_CURRICULA)
    return tuple(kind for kind in KINDS if kind not in left_out)


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
        notes.append(f"The figures use the {len(common)} of {total} tasks that {whom} runs of.")
    return {agent: {task: tasks[task] for task in common} for agent, tasks in agents.items()}, notes


def scale_text(scale: Scale) -> str:
    """Return what scores are normalised by, with unofficial constants, or nothing."""
    return scale.title.removeprefix("scores normalised by ") if scale.by else ""


class ToDraw(NamedTuple):
    """What figures are drawn of.

    Attributes:
        agents: Scores on the tasks that all agents have runs of.
        curves: Of the agents that have some on all of these.
        shown: What can be shown.
        notes: What must be said of it.
    """

    agents: Agents
    curves: Curves
    shown: Shown
    notes: list[str]


def to_draw(found: Gathered, scale: Scale, kinds: Sequence[str]) -> ToDraw:
    """Return what figures of some kinds are drawn of.

    Raises:
        UsageError: There is nothing to show, or the agents have no task in common.
    """
    shown = to_show(found)
    agents, more = on_common_tasks(shown.agents, scale)
    notes = shown.notes + more
    curves: Curves = {}
    if "curves" in kinds or "speedups" in kinds:
        curves, more = _curves_of(agents, shown.curves)
        notes += more
    return ToDraw(agents, curves, shown, notes)


def draw(
    kind: str, what: ToDraw, scale: Scale, *, baseline: str = "", width: str | float = "neurips"
) -> "Plot":
    """Return a figure of scores on the tasks that all agents have.

    Args:
        kind: One of `KINDS`.
        what: What it is drawn of.
        scale: How scores are normalised.
        baseline: The agent to draw the improvement over.
        width: See `rlbench.leaderboard.WIDTHS`, or inches.

    Raises:
        InvalidScores: It cannot be drawn of them.
    """
    if kind in RANKING and what.shown.not_ranked:
        raise InvalidScores(what.shown.not_ranked)
    plot = _draw(kind, what, baseline or None, scale, width)
    remark = what.shown.remark
    return replace(plot, caption=f"{plot.caption} {remark}") if remark else plot


def _draw(
    kind: str, what: ToDraw, baseline: str | None, scale: Scale, width: str | float
) -> "Plot":
    from rlbench import leaderboard

    if kind in OF_CURRICULA:
        return _draw_curriculum(kind, what, scale, width)
    by = scale_text(scale)
    unit = scale.suite.protocol.unit if scale.suite else "steps"
    if kind == "tasks":
        return leaderboard.plot_tasks(what.shown.agents, normalised_by=by, width=width)
    if kind == "task-curves":
        by_task = _aligned_by_task(what.shown)
        return leaderboard.plot_task_curves(by_task, unit=unit, normalised_by=by, width=width)
    scores: dict[str, Any] = {agent: list(tasks.values()) for agent, tasks in what.agents.items()}
    if kind == "curves":
        steps, values = _aligned(what.curves)
        return leaderboard.plot_curves(values, steps, unit=unit, normalised_by=by, width=width)
    if kind == "speedups":
        if baseline is None:
            raise InvalidScores("name a baseline to compare all others with")
        steps, values = _aligned(what.curves)
        if baseline not in values:
            raise InvalidScores(f"{baseline} has no curves")
        return leaderboard.plot_speedups(
            values, steps, baseline=baseline, unit=unit, normalised_by=by, width=width
        )
    if kind == "improvement":
        return leaderboard.plot_improvement(
            scores, baseline=baseline, normalised_by=by, width=width
        )
    if kind == "intervals":
        # The gap to 1 says nothing of raw scores.
        metrics = [name for name in AGGREGATES if by or name != "optimality_gap"]
        return leaderboard.plot_intervals(scores, metrics=metrics, normalised_by=by, width=width)
    other = {
        "profiles": leaderboard.plot_profiles,
        "ranks": leaderboard.plot_ranks,
        "cd": leaderboard.plot_cd,
    }[kind]
    return cast("Callable[..., Plot]", other)(scores, normalised_by=by, width=width)


def _draw_curriculum(kind: str, what: ToDraw, scale: Scale, width: str | float) -> "Plot":
    """Draw what was taught, or the worst levels, of the agents that have records."""
    from rlbench import leaderboard
    from rlbench.leaderboard.teaching import Lessons, levels_of

    suite = scale.suite
    if suite is None or suite.protocol.kind != "curriculum":
        raise InvalidScores("there is no curriculum: name its suite")
    by_task = {
        agent: [
            [record for record in what.shown.records[agent] if record.identity.task == task]
            for task in tasks
        ]
        for agent, tasks in what.agents.items()
        if agent in what.shown.records
    }
    if not by_task:
        raise InvalidScores("no agent has records")
    if kind == "teaching":
        found = {
            agent if len(tasks) == 1 else f"{agent}, {records[0].identity.task}": lessons
            for agent, tasks in by_task.items()
            for records in tasks
            if (lessons := Lessons.of(records))
        }
        return leaderboard.plot_teaching(
            found, names=suite.parameters, unit=suite.protocol.unit, width=width
        )
    threshold = suite.protocol.score_threshold
    if threshold is None:
        raise InvalidScores("its protocol does not say when a task is mastered")
    return leaderboard.plot_levels(
        {
            agent: [levels_of(records, threshold) for records in tasks]
            for agent, tasks in by_task.items()
        },
        width=width,
    )


def _aligned(curves: Curves) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Return the evaluation points of each agent, and its curves at them."""
    if not curves:
        raise InvalidScores("no run has several evaluation points")
    steps, values = {}, {}
    for agent, tasks in curves.items():
        steps[agent], values[agent] = align(list(tasks.values()), most=MOST_DRAWN)
    return steps, values


def _aligned_by_task(shown: Shown) -> dict[str, dict[str, tuple[Floats, Floats]]]:
    """Return steps and scores (runs, points) by agent and task, of those that have several."""
    from rlbench.leaderboard.task_figures import MOST_POINTS

    found: dict[str, dict[str, tuple[Floats, Floats]]] = {}
    for agent in shown.agents:
        for task, runs in shown.curves.get(agent, {}).items():
            if task in shown.agents[agent] and min(len(at) for at, _ in runs) > 1:
                at, (values,) = align([runs], most=MOST_POINTS)
                found.setdefault(agent, {})[task] = (at, values)
    if not found:
        raise InvalidScores("no run has several evaluation points")
    return found


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
        notes.append(
            f"No curve, because there are fewer than two evaluation points: {', '.join(lacking)}."
        )
    if dense := [agent for agent, tasks in kept.items() if _steps_in(tasks) > MOST_DRAWN]:
        notes.append(
            f"Curves of {', '.join(dense)} are drawn at {MOST_DRAWN} of their steps, evenly spread."
        )
    return kept, notes


def _steps_in(tasks: Mapping[str, list[Curve]]) -> int:
    """Return at how many different steps runs have points."""
    return len(np.unique(np.concatenate([at for runs in tasks.values() for at, _ in runs])))
