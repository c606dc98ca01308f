"""The figure of speed-ups: how many times fewer steps agents need than a baseline."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UnknownName
from rlbench.leaderboard.captions import (
    IN_TEXT,
    ONE_RUN_TEXT,
    setting_text,
    short_names,
)
from rlbench.leaderboard.drawing import (
    NARROW,
    draw_interval,
    inches_of,
    lines_high,
    look_of,
    name_places,
    new_figure,
    rows_high,
    small_text,
    style,
    text_size,
    text_width,
)
from rlbench.leaderboard.plots import Plot, Row, least_runs, plot_of, resampling_columns
from rlbench.stats import speedup
from rlbench.stats.curves import curves_of
from rlbench.stats.speedups import Speedup

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEYOND = 1.25  # how far an axis reaches beyond the numbers in it
MOST = 64.0  # ends farther from 1 than so many times are drawn at the edge


def plot_speedups(
    curves: Mapping[str, NDArray[np.float64] | Sequence[ArrayLike]],
    steps: ArrayLike | Mapping[str, ArrayLike],
    *,
    baseline: str,
    statistic: str = "iqm",
    unit: str = "steps",
    normalised_by: str = "",
    width: str | float = "neurips",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Plot:
    """Draw how many times fewer steps agents need to reach a baseline's final score, a line each.

    Args:
        curves: By agent: (runs, tasks, points), or one array (runs, points) a task, at common
            points (`stats.align`).
        steps: (points,) increasing, of all agents, or by agent.
        baseline: The agent to compare all others with.
        statistic: ``iqm``, ``mean`` or ``median``.
        unit: Of the steps.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: There is no agent besides the baseline, curves or steps are bad, or an option
            is out of range.
        UnknownName: There is no such agent or width.
        MissingExtra: matplotlib is not installed.
    """
    inches = inches_of(width)
    if baseline not in curves:
        raise UnknownName("agent", baseline, curves)
    if len(curves) < 2:
        raise InvalidScores(f"at least 2 agents must be given: there is only {baseline!r}")
    agents = {agent: curves_of(values) for agent, values in curves.items()}
    at = {agent: steps[agent] if isinstance(steps, Mapping) else steps for agent in agents}
    found = {
        agent: speedup(
            tasks, at[agent], agents[baseline], at[baseline], statistic=statistic,
            repetitions=repetitions, level=level, seed=seed,
        )
        for agent, tasks in agents.items()
        if agent != baseline
    }  # fmt: skip
    order = sorted(found, key=lambda agent: -(found[agent].point or 0.0))
    looks = {agent: number for number, agent in enumerate(agents)}
    low, high = _range(list(found.values()))
    with style(width):
        names = dict(zip(agents, short_names(list(agents), inches), strict=True))
        label = f"times fewer steps than {names[baseline]}"
        room = 72 * inches - max(text_width(names[agent], text_size()) for agent in order)
        if text_width(label, text_size()) > room - 10:
            label = label.replace(" than ", "\nthan ", 1)
        figure = new_figure(inches, lines_high(2.8 + label.count("\n")) + rows_high(len(order)))
        axes = figure.subplots()
        axes.set_xscale("log", base=2)
        axes.axvline(1, color="#777777", linewidth=0.8, linestyle="--", zorder=1)
        axes.grid()
        for place, agent in enumerate(order):
            _draw_speedup(axes, place, found[agent], looks[agent], (low, high))
        axes.set_xlim(low, high)
        every = 2 if inches < NARROW and high / low > 16 else 1
        ticks = [2.0**k for k in range(-6, 7, every) if low <= 2.0**k <= high]
        axes.set_xticks(ticks, [f"{tick:g}\u00d7" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(label, parse_math=False)
        name_places(axes, [names[agent] for agent in order])
    rows: list[Row] = [
        {
            "agent": agent, "baseline": baseline, "statistic": statistic,
            "score": found[agent].score, "baseline_steps": found[agent].baseline_steps,
            "steps": found[agent].steps, "point": found[agent].point, "low": found[agent].low,
            "high": _finite(found[agent].high), "method": found[agent].method,
            "runs": least_runs(agents[agent]), "tasks": len(agents[agent]),
            **resampling_columns(level, found[agent].repetitions, seed),
        }
        for agent in order
    ]  # fmt: skip
    first = found[order[0]]
    sentences = [
        f"How many times fewer {unit} than {baseline} agents need to reach its final "
        f"{IN_TEXT[statistic]} of {first.score:.3g} ({first.baseline_steps:,.0f} {unit}), "
        f"{setting_text(agents.values(), normalised_by)}.",
        f"Points are of the first evaluation at which the {IN_TEXT[statistic]} is as large.",
    ]
    if any(of.low is not None for of in found.values()):
        sentences.append(
            f"Lines are nominal {level * 100:g}% intervals from {repetitions:,} resamples (seed "
            f"{seed}): {next(of.method for of in found.values() if of.low is not None)}. An arrow "
            "at the edge: the interval goes on, or has no bound."
        )
    if any(of.low is None for of in found.values()):
        sentences.append(ONE_RUN_TEXT)
    if any(of.point is None for of in found.values()):
        sentences.append("A line without a point: the agent does not reach the score.")
    return plot_of("speedups", figure, agents, rows, sentences, width)


def _draw_speedup(
    axes: "Axes", place: int, found: Speedup, number: int, edges: tuple[float, float]
) -> None:
    """Draw one speed-up on its line; an end of its interval beyond the edge is an arrow there."""
    look = look_of(number)
    low, high = (
        None if end is None else float(np.clip(end, *edges)) for end in (found.low, found.high)
    )
    if found.point is not None:
        draw_interval(axes, place, found.point, low, high, number)
    elif low is None or high is None:
        axes.annotate(
            "not reached", (edges[0], place), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=small_text(), color=look["color"],
        )  # fmt: skip
    else:
        axes.plot([low, high], [place] * 2, color=look["color"], linewidth=1.3, marker="|",
                  markersize=7, markeredgewidth=1.1, zorder=4)  # fmt: skip
    for end, edge, arrow in ((low, edges[0], "<"), (high, edges[1], ">")):
        if end == edge:
            axes.plot([edge], [place], color=look["color"], marker=arrow, markersize=5,
                      markeredgewidth=0, clip_on=False, zorder=5)  # fmt: skip


def _range(found: Sequence[Speedup]) -> tuple[float, float]:
    """Return the ends of the axis: as far as numbers go, and not farther than `MOST`."""
    numbers = [x for of in found for x in (of.point, of.low, of.high) if x and np.isfinite(x)]
    low = max(min([0.5, *numbers]) / BEYOND, 1 / MOST)
    return low, min(max([2.0, *numbers]) * BEYOND, MOST)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
