"""Figures of curricula: which tasks a teacher proposed, and how agents do on their worst levels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.leaderboard.captions import number_of, short_names
from rlbench.leaderboard.drawing import (
    MAX_HEIGHT,
    draw_lines,
    inches_of,
    lines_high,
    new_figure,
    short_number,
    small_text,
    style,
    text_width,
)
from rlbench.leaderboard.plots import Plot, Row, plot_of
from rlbench.results import Record
from rlbench.stats import CurveEstimate, solved_by_some, worst_levels
from rlbench.suites import Suite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHARES = 20  # points of a curve of worst levels
WORST_SHARE = 0.25  # of the levels, in pages
PANEL_WIDTH, PANEL_HEIGHT = 320, 90  # px in pages
PANEL_POINTS = 400  # in pages
_PANEL = 1.5  # inches, the height of a panel
_ACROSS = 3  # panels in a row
_NOT_MASTERED, _MASTERED = "#8A8A8A", "#D55E00"


class Lessons(NamedTuple):
    """Training episodes that records keep of a curriculum, those of all runs together.

    Attributes:
        ends: (n,) Budget spent at the end of each.
        parameters: (n, d) Of its task.
        returns: (n,) Raw.
        mastered: (n,) Whether the task counted as solved.
        runs: How many runs they are of.
        every: One in so many is kept, of the most thinned run.
    """

    ends: Floats
    parameters: Floats
    returns: Floats
    mastered: Bools
    runs: int
    every: int

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self | None:
        """Return those of the records of one agent and task; None if they keep none."""
        kept = [r.proposals for r in records if r.proposals is not None and r.proposals.ends]
        if not kept:
            return None
        return cls(
            np.concatenate([np.array(p.ends, dtype=np.float64) for p in kept]),
            np.concatenate([np.array(p.parameters, dtype=np.float64) for p in kept]),
            np.concatenate([np.array(p.returns, dtype=np.float64) for p in kept]),
            np.concatenate([np.array(p.successes, dtype=np.bool_) for p in kept]),
            len(kept),
            max(p.every for p in kept),
        )


def levels_of(records: Sequence[Record], threshold: float) -> Bools:
    """Return whether the runs of one task master each test level at the end, (runs, levels)."""
    return np.array([record.final.returns for record in records], dtype=np.float64) > threshold


class Panel(NamedTuple):
    """One parameter of the tasks that a teacher proposed, over time, to be drawn in a page.

    Attributes:
        task: Of the suite.
        parameter: Its name.
        low: The least value, at the bottom.
        high: The greatest, at the top.
        budget: That the right end stands for.
        mastered: An SVG path of the points whose episodes mastered their task.
        others: Of the other points.
    """

    task: str
    parameter: str
    low: float
    high: float
    budget: float
    mastered: str
    others: str


def panels_of(records: Sequence[Record], suite: Suite) -> list[Panel]:
    """Return a panel a task and parameter of an agent's records; none if it had no teacher."""
    panels = []
    by_task: dict[str, list[Record]] = {}
    for record in records:
        by_task.setdefault(record.identity.task, []).append(record)
    for task, of_task in by_task.items():
        lessons = Lessons.of(of_task)
        if lessons is None:
            continue
        size = lessons.parameters.shape[1]
        budget = float(suite.protocol_of(suite.task(task)).budget)
        drawn = slice(None, None, -(-len(lessons.ends) // PANEL_POINTS))
        x = lessons.ends[drawn] / budget * PANEL_WIDTH
        mastered = lessons.mastered[drawn]
        for name, values in zip(_names(suite.parameters, size), lessons.parameters.T, strict=True):
            low, high = float(values.min()), float(values.max())
            y = PANEL_HEIGHT * (1.0 - (values[drawn] - low) / ((high - low) or 1.0))
            paths = (_path(x[shown], y[shown]) for shown in (mastered, ~mastered))
            panels.append(Panel(task, name, low, high, budget, *paths))
    return panels


def _names(names: Sequence[str], size: int) -> Sequence[str]:
    return names if len(names) == size else [f"parameter {n}" for n in range(1, size + 1)]


def _path(x: Floats, y: Floats) -> str:
    """Return an SVG path of points: lines of no length, whose round ends are drawn."""
    return "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def worst_quarters(
    agents: Mapping[str, Sequence[Record]], suite: Suite
) -> dict[str, CurveEstimate]:
    """Return by agent the mean rate of mastery over its worst quarter of the levels.

    Of an agent those tasks count that it has runs of. There is none where no level of these is
    mastered by any run of any agent, or the suite does not say when a level is.

    Args:
        agents: By agent: the records of its runs.
        suite: Their suite.
    """
    threshold = suite.protocol.score_threshold
    if suite.protocol.kind != "curriculum" or threshold is None:
        return {}
    found = {
        agent: {
            task: levels_of([r for r in records if r.identity.task == task], threshold)
            for task in dict.fromkeys(record.identity.task for record in records)
        }
        for agent, records in agents.items()
    }
    counted = {
        task: np.concatenate([of[task] for of in found.values() if task in of]).any(axis=0)
        for task in {task for of in found.values() for task in of}
    }
    return {
        agent: worst_levels(list(of.values()), [counted[task] for task in of], [WORST_SHARE])
        for agent, of in found.items()
        if any(counted[task].any() for task in of)
    }


def plot_teaching(
    lessons: Mapping[str, Lessons],
    *,
    names: Sequence[str] = (),
    unit: str = "steps",
    width: str | float = "neurips",
) -> Plot:
    """Draw where in the task space teachers taught, and when.

    Of two parameters there is a panel an agent: the plane of tasks, with time as colour. Otherwise
    there is a row of panels a parameter, which is drawn over time.

    Args:
        lessons: By agent; all of one task space.
        names: Of the parameters.
        unit: Of the budget.
        width: A name of `WIDTHS`, or inches.

    Raises:
        InvalidScores: There is no agent, or they have different numbers of parameters.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    sizes = {of_agent.parameters.shape[1] for of_agent in lessons.values()}
    if len(sizes) != 1:
        why = "the teachers of these agents have different task spaces"
        raise InvalidScores(why if sizes else "no run keeps what a teacher proposed")
    (size,) = sizes
    names, inches = _names(names, size), inches_of(width)
    with style(width):
        draw = _draw_plane if size == 2 else _draw_over_time
        figure = draw(lessons, names, unit, inches)
    rows: list[Row] = [
        {
            "agent": agent, unit: end, **dict(zip(names, task, strict=True)), "return": score,
            "mastered": int(done), "runs": of_agent.runs,
        }
        for agent, of_agent in lessons.items()
        for end, task, score, done in zip(
            of_agent.ends.tolist(), of_agent.parameters.tolist(), of_agent.returns.tolist(),
            of_agent.mastered.tolist(), strict=True,
        )
    ]  # fmt: skip
    most = max(of_agent.every for of_agent in lessons.values())
    kept = "every one" if most == 1 else f"one in up to {most:,}"
    sentences = [
        f"Tasks that the teachers of {number_of(len(lessons), 'agent')} proposed, in all runs "
        f"({', '.join(f'{agent}: {of.runs}' for agent, of in lessons.items())}).",
        f"A point is a training episode that ended; records keep {kept}.",
        f"Colour is the budget spent, in {unit}." if size == 2
        else f"Vermilion: the episode mastered its task. Time is in {unit}.",
    ]  # fmt: skip
    return plot_of("teaching", figure, lessons, rows, sentences, width)


def _draw_plane(
    lessons: Mapping[str, Lessons], names: Sequence[str], unit: str, inches: float
) -> "Figure":
    across = _across(_titles(lessons, inches), inches - 1.1, _ACROSS)
    down = -(-len(lessons) // across)
    beside = lines_high(2.2 + down)
    height = max(0.6, min(_PANEL, (MAX_HEIGHT - beside) / down))
    figure = new_figure(inches, beside + down * height)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    last = max(float(of_agent.ends.max()) for of_agent in lessons.values())
    for panel, (agent, title) in zip(panels.flat, _titles(lessons, inches), strict=False):
        of_agent = lessons[agent]
        drawn = panel.scatter(
            *of_agent.parameters.T, c=of_agent.ends, vmin=0.0, vmax=last, s=3, linewidths=0,
            cmap="viridis", rasterized=True,
        )  # fmt: skip
        panel.set_title(title, fontsize=small_text(), parse_math=False)
        panel.tick_params(pad=1.5)
    for panel in panels.flat[len(lessons) :]:
        panel.set_visible(False)
    figure.supxlabel(names[0])
    figure.supylabel(names[1])
    figure.colorbar(drawn, ax=panels, label=unit, shrink=0.9, format=short_number)
    return figure


def _draw_over_time(
    lessons: Mapping[str, Lessons], names: Sequence[str], unit: str, inches: float
) -> "Figure":
    across = _across(_titles(lessons, inches), inches - 0.5, len(lessons))
    blocks, size = -(-len(lessons) // across), len(names)
    figure = new_figure(inches, lines_high(2) + blocks * (lines_high(1.5) + 0.85 * size))
    panels = figure.subplots(blocks * size, across, sharex=True, squeeze=False)
    for number, (agent, title) in enumerate(_titles(lessons, inches)):
        block, column = divmod(number, across)
        of_agent = lessons[agent]
        panels[block * size, column].set_title(title, fontsize=small_text(), parse_math=False)
        for row, name in enumerate(names):
            panel = panels[block * size + row, column]
            panel.sharey(panels[row, 0])
            panel.xaxis.set_major_formatter(short_number)
            panel.locator_params(axis="x", nbins=3)
            _draw_points(panel, of_agent, row)
            if column == 0:
                panel.set_ylabel(name, fontsize=small_text())
            else:
                panel.tick_params(labelleft=False)
        if number + across >= len(lessons):
            panels[block * size + size - 1, column].tick_params(labelbottom=True)
    for column in range(len(lessons) - (blocks - 1) * across, across):
        for panel in panels[-size:, column]:
            panel.set_visible(False)
    figure.supxlabel(unit)
    figure.align_ylabels()
    return figure


def _draw_points(panel: "Axes", of_agent: Lessons, parameter: int) -> None:
    for mastered, color in ((False, _NOT_MASTERED), (True, _MASTERED)):
        shown = of_agent.mastered == mastered
        panel.scatter(
            of_agent.ends[shown], of_agent.parameters[shown, parameter], c=color, s=2,
            linewidths=0, rasterized=True,
        )  # fmt: skip


def _across(titles: Sequence[tuple[str, str]], inches: float, most: int) -> int:
    """Return how many panels have room for their titles side by side, in the style that is set."""
    widest = max(text_width(title, small_text()) for _, title in titles)
    return max(1, min(most, len(titles), int(72 * inches / (widest + 6))))


def _titles(lessons: Mapping[str, Lessons], inches: float) -> list[tuple[str, str]]:
    return list(zip(lessons, short_names(list(lessons), inches), strict=True))


def plot_levels(
    agents: Mapping[str, Sequence[Bools]],
    *,
    width: str | float = "neurips",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Plot:
    """Draw the mean rate of mastery over the worst levels, for every share of the levels.

    Args:
        agents: By agent: of each task whether each run masters each level, (runs, levels).
        width: A name of `WIDTHS`, or inches.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: No run of any agent masters a level, or their levels differ.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    counted = solved_by_some(agents)
    number = int(sum(levels.sum() for levels in counted))
    total = sum(len(levels) for levels in counted)
    shares = np.arange(1, SHARES + 1) / SHARES
    found = {
        agent: worst_levels(tasks, counted, shares, repetitions=repetitions, level=level, seed=seed)
        for agent, tasks in agents.items()
    }
    with style(width):
        figure, axes = draw_lines(width, {agent: (shares, of) for agent, of in found.items()})
        axes.set_xlabel("share of the levels, worst first")
        axes.set_ylabel("rate of mastery")
    nothing = [None] * SHARES
    rows: list[Row] = [
        {
            "agent": agent, "share": share, "point": point, "low": low, "high": high,
            "method": of.method, "runs": min(len(runs) for runs in agents[agent]),
            "levels": number, "level": level, "repetitions": of.repetitions, "seed": seed,
        }
        for agent, of in found.items()
        for share, point, low, high in zip(
            shares.tolist(), of.point.tolist(),
            nothing if of.low is None else of.low.tolist(),
            nothing if of.high is None else of.high.tolist(), strict=True,
        )
    ]  # fmt: skip
    methods = dict.fromkeys(of.method for of in found.values())
    sentences = [
        f"Mean rate of mastery over the worst share of the levels (the conditional value at "
        f"risk), of {number_of(len(agents), 'agent')}.",
        f"Of {total} test levels those {number} count that some run of some agent masters; each "
        "agent has its own worst ones. The rate of a level is the share of runs that master it.",
        f"Bands are nominal {level * 100:g}% bands at every share: {'; '.join(methods)} "
        f"({repetitions:,} resamples, seed {seed}).",
        "With few runs the estimate is too low, since the same runs choose the worst levels.",
    ]
    return plot_of("levels", figure, agents, rows, sentences, width)
