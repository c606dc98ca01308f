"""Figures task by task: mean scores with intervals, and learning curves, a panel a task."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores
from rlbench.leaderboard.captions import MAX_BANDS, number_of, setting_text, short_names
from rlbench.leaderboard.drawing import (
    COLOURS,
    HATCHES,
    MAX_HEIGHT,
    inches_of,
    legend_size,
    lines_high,
    look_of,
    name_handles,
    new_figure,
    short_number,
    small_text,
    style,
    text_width,
)
from rlbench.leaderboard.plots import Plot, Row, plot_of
from rlbench.stats import iqm, summarise_tasks
from rlbench.stats.summary import TaskRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_TASKS = 60  # panels of a figure
PANEL_WIDTH, PANEL_HEIGHT, LEAST_HEIGHT = 1.05, 0.75, 0.45  # inches
MOST_POINTS = 60  # of a curve in a panel

TaskScores = Mapping[str, Mapping[str, ArrayLike]]
TaskCurves = Mapping[str, Mapping[str, tuple[ArrayLike, ArrayLike]]]


def plot_tasks(
    scores: TaskScores,
    *,
    normalised_by: str = "",
    width: str | float = "neurips",
    level: float = 0.95,
) -> Plot:
    """Draw the mean score of each agent on each task as a bar with its interval, a panel a task.

    Args:
        scores: Agent, then task, to scores (runs,). An agent has no bar on a task that it lacks.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        level: Nominal coverage of each interval.

    Raises:
        InvalidScores: There is no agent, there are more than 60 tasks, scores are bad, or the level
            is out of range.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    inches = inches_of(width)
    tasks = _tasks_of(scores)
    found = {(row.agent, row.task): row for row in summarise_tasks(scores, level=level)}
    order = sorted(scores, key=lambda agent: -iqm([np.asarray(r) for r in scores[agent].values()]))

    def draw(panel: "Axes", task: str) -> None:
        panel.axhline(0, color="black", linewidth=0.6, zorder=3)
        shown = [
            (place, found[agent, task], looks[agent])
            for place, agent in enumerate(order)
            if (agent, task) in found
        ]
        panel.bar(
            [place for place, *_ in shown], [row.mean for _, row, _ in shown], width=0.8,
            color=[look["facecolor"] for *_, look in shown],
            hatch=[look["hatch"] for *_, look in shown], edgecolor="white", linewidth=0,
        )  # fmt: skip
        ends = [
            (place, row.low, row.high)
            for place, row, _ in shown
            if row.low is not None and row.high is not None
        ]
        # White around black: it can be seen on a black bar too.
        for color, thick in (("white", 2.0), ("black", 0.9)):
            panel.vlines(
                [end[0] for end in ends], [end[1] for end in ends], [end[2] for end in ends],
                colors=color, linewidth=thick, zorder=4,
            )  # fmt: skip
        panel.set_xlim(-0.8, len(order) - 0.2)
        panel.set_xticks([])
        panel.grid(axis="y")

    looks: dict[str, dict[str, Any]] = {
        agent: {
            "facecolor": COLOURS[number % len(COLOURS)],
            "hatch": HATCHES[number // len(COLOURS) % len(HATCHES)],
            "edgecolor": "white",
            "linewidth": 0,
        }
        for number, agent in enumerate(scores)
    }
    with style(width):
        from matplotlib.patches import Patch

        handles = [Patch(**looks[agent]) for agent in order]
        figure, _ = _grid(tasks, inches, draw, order, handles)
        figure.supylabel("normalised score" if normalised_by else "score")
    rows: list[Row] = [
        {
            "agent": agent, "task": task, "point": row.mean, "low": row.low, "high": row.high,
            "method": row.method, "runs": row.runs, "level": round(level, 12),
        }
        for task in tasks
        for agent in order
        if (row := found.get((agent, task))) is not None
    ]  # fmt: skip
    arrays = [[np.asarray(runs) for runs in of.values()] for of in scores.values()]
    sentences = [
        f"Mean scores of {number_of(len(order), 'agent')} by task, "
        f"{setting_text(arrays, normalised_by)}.",
        "In each panel bars stand in the order of the legend, the agent with the largest "
        "interquartile mean first.",
        *_interval_sentences("Lines", list(found.values()), level),
        *_lacking_sentence(scores, tasks, "bar"),
    ]
    return plot_of("tasks", figure, scores, rows, sentences, width)


def plot_task_curves(
    curves: TaskCurves,
    *,
    unit: str = "steps",
    normalised_by: str = "",
    width: str | float = "neurips",
    level: float = 0.95,
) -> Plot:
    """Draw the mean learning curve of each agent on each task with its band, a panel a task.

    Of more than eight agents the bands are not drawn; they are in the rows.

    Args:
        curves: Agent, then task, to steps (points,) and scores (runs, points), as `stats.align`
            makes them. An agent has no curve on a task that it lacks.
        unit: Of the steps, for the axis.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        level: Nominal coverage of a band at each point by itself.

    Raises:
        InvalidScores: There is no agent, there are more than 60 tasks, curves are bad, or the level
            is out of range.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    inches = inches_of(width)
    tasks = _tasks_of(curves)
    found = {
        (agent, task): _curve(agent, task, at, values, level)
        for agent, of_agent in curves.items()
        for task, (at, values) in of_agent.items()
    }
    looks = {agent: look_of(number) for number, agent in enumerate(curves)}
    order = sorted(
        curves,
        key=lambda agent: -iqm([np.asarray(runs)[:, -1] for _, runs in curves[agent].values()]),
    )

    def draw(panel: "Axes", task: str) -> None:
        for agent in curves:
            if (agent, task) not in found:
                continue
            at, rows = found[agent, task]
            look = looks[agent]
            low = [np.nan if row.low is None else row.low for row in rows]
            high = [np.nan if row.high is None else row.high for row in rows]
            if len(curves) <= MAX_BANDS:
                panel.fill_between(at, low, high, color=look["color"], alpha=0.18, lw=0)
            panel.plot(at, [row.mean for row in rows], color=look["color"],
                       linestyle=look["linestyle"], linewidth=1.0)  # fmt: skip
        panel.locator_params(axis="x", nbins=2)
        panel.xaxis.set_major_formatter(short_number)
        panel.grid()

    with style(width):
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=looks[agent]["color"], linestyle=looks[agent]["linestyle"])
            for agent in order
        ]
        figure, _ = _grid(tasks, inches, draw, order, handles, xlabel=unit)
        figure.supylabel("normalised score" if normalised_by else "score")
    rows: list[Row] = [
        {
            "agent": agent, "task": task, "step": step, "point": row.mean, "low": row.low,
            "high": row.high, "method": row.method, "runs": row.runs, "level": round(level, 12),
        }
        for task in tasks
        for agent in order
        if (agent, task) in found
        for step, row in zip(found[agent, task][0].tolist(), found[agent, task][1], strict=True)
    ]  # fmt: skip
    arrays = [[np.asarray(runs) for _, runs in of.values()] for of in curves.values()]
    every = [row for _, of_task in found.values() for row in of_task]
    sentences = [
        f"Mean learning curves of {number_of(len(order), 'agent')} by task, "
        f"{setting_text(arrays, normalised_by)}. Each panel has its own scale.",
        *_interval_sentences("Bands", every, level),
        *(["Of so many agents bands are not drawn; the data has them."]
          if len(curves) > MAX_BANDS else []),
        *_lacking_sentence(curves, tasks, "curve"),
    ]  # fmt: skip
    return plot_of("task-curves", figure, curves, rows, sentences, width)


def _tasks_of(agents: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the tasks that some agent has."""
    tasks = list(dict.fromkeys(task for of_agent in agents.values() for task in of_agent))
    if not agents or not tasks:
        raise InvalidScores("at least 1 agent must be given: there is none")
    if len(tasks) > MAX_TASKS:
        raise InvalidScores(
            f"{len(tasks)} tasks are too many for a figure: at most {MAX_TASKS} can be drawn"
        )
    return tasks


def _curve(
    agent: str, task: str, steps: ArrayLike, scores: ArrayLike, level: float
) -> tuple[NDArray[np.float64], list[TaskRow]]:
    """Return steps, and the mean and its interval at each."""
    at, values = np.asarray(steps, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or at.shape != values.shape[1:] or (np.diff(at) <= 0).any():
        raise InvalidScores(
            f"the curves of {agent!r} on {task!r} must be (runs, points) with as many increasing "
            f"steps, not {values.shape} with {at.shape}"
        )
    return at, [summarise_tasks({agent: {task: point}}, level=level)[0] for point in values.T]


def _grid(
    tasks: Sequence[str],
    inches: float,
    draw: Callable[["Axes", str], None],
    agents: Sequence[str],
    handles: Sequence[object],
    xlabel: str = "",
) -> tuple["Figure", list["Axes"]]:
    """Draw a panel a task, and a legend of the agents below, in the style that is set."""
    across = min(len(tasks), max(1, int(inches / PANEL_WIDTH)))
    down = -(-len(tasks) // across)
    columns, legend_rows = legend_size(agents, inches)
    # What stands beside the panels: their titles, the legend, and numbers and names of the axes.
    beside = lines_high(1.2 * down + 0.95 * legend_rows + (2.4 if xlabel else 0.6))
    height = min(PANEL_HEIGHT * (1.6 if down == 1 else 1), (MAX_HEIGHT - beside) / down)
    figure = new_figure(inches, beside + down * max(height, LEAST_HEIGHT))
    panels = figure.subplots(down, across, sharex=bool(xlabel), squeeze=False)
    room = 72 * (inches - 0.5) / across - 8
    for number, (panel, task) in enumerate(zip(panels.flat, tasks, strict=False)):
        draw(panel, task)
        panel.set_title(_fitting(task, room), fontsize=small_text(), parse_math=False)
        panel.locator_params(axis="y", nbins=3)
        panel.yaxis.set_major_formatter(short_number)
        panel.tick_params(pad=2, length=2)
        if xlabel and number + across >= len(tasks):
            panel.tick_params(labelbottom=True)
            panel.set_xlabel(xlabel, fontsize=small_text(), labelpad=1)
    for panel in panels.flat[len(tasks) :]:
        panel.set_visible(False)
    name_handles(figure, handles, agents, columns)
    return figure, list(panels.flat[: len(tasks)])


def _fitting(task: str, room: float) -> str:
    """Return a task's name, cut in the middle until it fits into so many points."""
    name = short_names([task], 100)[0]
    text, length = name, len(name)
    while text_width(text, small_text()) > room and length > 4:
        length -= 1
        text = f"{name[: (length + 1) // 2]}\u2026{name[len(name) - length // 2 :]}"
    return text


def _interval_sentences(what: str, rows: Sequence[TaskRow], level: float) -> list[str]:
    methods = dict.fromkeys(row.method for row in rows if row.low is not None)
    if not methods:
        return ["With one run on a task there are no intervals."]
    text = (
        f"{what} are nominal {100 * level:g}% intervals by {' or '.join(methods)}, each for its "
        "agent and task alone: they are no test."
    )
    if any(row.low is None for row in rows):
        text += " Where an agent has one run, or runs that are all equal, there is none."
    return [text]


def _lacking_sentence(
    agents: Mapping[str, Mapping[str, object]], tasks: Sequence[str], what: str
) -> list[str]:
    lacking = sum(len(tasks) - len(of_agent) for of_agent in agents.values())
    if not lacking:
        return []
    return [f"A {what} is missing where an agent has no runs of a task ({lacking} times)."]
