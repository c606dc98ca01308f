"""Figures that are ready for a paper, each with its data and its caption.

Every function takes plain arrays by agent, as `rlbench.stats` takes them, and returns a `Plot`:
a figure of matplotlib, the numbers in it as flat rows, and a caption that says how many runs there
are and how the intervals were made. Nothing is drawn that `rlbench.stats` does not compute.

`drawing` says how figures look, `captions` what is said of them, and `plots` which files they
become.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.leaderboard.captions import (
    IN_TEXT,
    METRICS,
    band_text,
    interval_text,
    number_of,
    setting_text,
    short_names,
)
from rlbench.leaderboard.drawing import (
    draw_interval,
    draw_lines,
    inches_of,
    lines_high,
    name_places,
    new_figure,
    rows_high,
    short_number,
    style,
    text_size,
    text_width,
)
from rlbench.leaderboard.plots import (
    Floats,
    Plot,
    Row,
    agents_of,
    best_first,
    least_runs,
    plot_of,
    resampling_columns,
)
from rlbench.stats import improvement, learning_curve, profile_band, summarise
from rlbench.stats.aggregates import AGGREGATES, ScoresLike
from rlbench.stats.bands import Band, CurveEstimate, CurveMethod
from rlbench.stats.curves import curves_of
from rlbench.stats.intervals import POINTS, Method
from rlbench.stats.pairs import PairMethod

UP, DOWN = "\u2191", "\u2193"  # which way is better
MAX_PAIRS = 36  # of the figure of improvements: all pairs of nine agents


def plot_intervals(
    scores: Mapping[str, ScoresLike],
    *,
    metrics: Sequence[str] = tuple(METRICS),
    normalised_by: str = "",
    width: str | float = "neurips",
    method: Method = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Plot:
    """Draw aggregates of agents with their intervals, a panel a metric.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task.
        metrics: Of `stats.summarise`: ``iqm``, ``mean``, ``median``, ``optimality_gap``.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        method: Of the intervals, as `stats.bootstrap` takes it.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: There is no agent, scores are bad, or an option is out of range.
        UnknownName: There is no such metric, method or width.
        MissingExtra: matplotlib is not installed.
    """
    inches, agents = inches_of(width), agents_of(scores)
    for metric in metrics:
        if metric not in METRICS:
            raise UnknownName("metric", metric, METRICS)
    if not metrics:
        raise UsageError("a figure of intervals needs at least one metric")
    agents = {agent: agents[agent] for agent in best_first(agents, metrics[0])}
    found = [
        row
        for row in summarise(agents, method=method, repetitions=repetitions, level=level, seed=seed)
        if row.metric in metrics
    ]
    looks = {agent: number for number, agent in enumerate(scores)}
    with style(width):
        names = short_names(list(agents), inches)
        titles = {
            metric: f"{METRICS[metric]} {DOWN if AGGREGATES[metric].lower_is_better else UP}"
            for metric in metrics
        }
        across = _panels_across(inches, names, list(titles.values()))
        down = -(-len(metrics) // across)
        figure = new_figure(inches, down * (lines_high(2.7) + rows_high(len(agents))))
        panels = figure.subplots(down, across, sharey=True, squeeze=False)
        for panel, metric in zip(panels.flat, metrics, strict=False):
            for place, row in enumerate(row for row in found if row.metric == metric):
                draw_interval(panel, place, row.point, row.low, row.high, looks[row.agent])
            panel.set_title(titles[metric])
            panel.locator_params(axis="x", nbins=3)
            panel.tick_params(axis="y", length=0)
            panel.grid()
        for panel in panels.flat[len(metrics) :]:
            panel.set_visible(False)
        for panel in panels[:, 0]:
            name_places(panel, names)
    texts = [IN_TEXT[metric] for metric in metrics]
    what = ", ".join(texts[:-1]) + (" and " if texts[:-1] else "") + texts[-1]
    sentences = [
        f"{what[0].upper()}{what[1:]} of {number_of(len(agents), 'agent')} "
        f"{setting_text(agents.values(), normalised_by)}.",
        f"Points are estimates, the best {IN_TEXT[metrics[0]]} on top; arrows show which way is "
        "better.",
        interval_text(
            "Lines",
            agents.values(),
            method=method,
            repetitions=repetitions,
            level=level,
            seed=seed,
            of=metrics,
        ),
    ]
    if "median" in metrics:
        sentences.append("The median is reported without an interval.")
    common = resampling_columns(level, repetitions, seed)
    rows = [{**row._asdict(), **common} for row in found]
    return plot_of("intervals", figure, agents, rows, sentences, width)


def plot_profiles(
    scores: Mapping[str, ScoresLike],
    *,
    taus: ArrayLike | None = None,
    kind: Literal["run", "mean"] = "run",
    band: Band = "pointwise",
    normalised_by: str = "",
    width: str | float = "neurips",
    method: CurveMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Plot:
    """Draw performance profiles: the share of scores above each threshold, with bands.

    Of more than eight agents the bands are not drawn; they are in the rows.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task.
        taus: (k,) increasing thresholds. By default 101, from 0 (or the 1% quantile of all scores
            if it is smaller) to the 97% quantile.
        kind: ``run`` or ``mean``, as `stats.performance_profile` takes it.
        band: ``pointwise`` or ``simultaneous``.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        method: Of the bands, ``rao-wu`` or ``percentile``.
        repetitions: Resamples, where they are needed.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: There is no agent, scores or thresholds are bad, or an option is out of
            range.
        UnknownName: There is no such method, band or width.
        MissingExtra: matplotlib is not installed.
    """
    agents = agents_of(scores)
    at = _thresholds(agents) if taus is None else np.asarray(taus, dtype=np.float64)
    if at.ndim != 1 or len(at) < 2 or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise InvalidScores("taus must be at least two increasing numbers (k,)")
    bands = {
        agent: profile_band(
            tasks, at, kind, method=method, band=band, repetitions=repetitions, level=level,
            seed=seed,
        )
        for agent, tasks in agents.items()
    }  # fmt: skip
    of = "runs" if kind == "run" else "tasks"
    scale = "normalised score" if normalised_by else "score"
    with style(width):
        figure, axes = draw_lines(width, {agent: (at, found) for agent, found in bands.items()})
        axes.set(xlabel=f"{scale} \u03c4", ylabel=f"share of {of} above \u03c4")
        axes.set_xlim(float(at[0]), float(at[-1]))
        axes.set_ylim(-0.02, 1.02)
    share = "all scores of runs" if kind == "run" else "tasks whose mean score is"
    sentences = [
        f"Performance profiles of {number_of(len(agents), 'agent')}: the share of {share} above a "
        f"threshold, {setting_text(agents.values(), normalised_by)}.",
        band_text(bands, seed),
    ]
    rows = _curve_rows(bands, dict.fromkeys(bands, at), "tau", agents, seed)
    return plot_of("profiles", figure, agents, rows, sentences, width)


def plot_curves(
    curves: Mapping[str, NDArray[np.float64] | Sequence[ArrayLike]],
    steps: ArrayLike | Mapping[str, ArrayLike],
    *,
    statistic: str = "iqm",
    unit: str = "steps",
    band: Band = "pointwise",
    normalised_by: str = "",
    width: str | float = "neurips",
    method: CurveMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Plot:
    """Draw learning curves: a statistic at every point, with bands.

    Of more than eight agents the bands are not drawn; they are in the rows.

    Args:
        curves: By agent: (runs, tasks, points), or one array (runs, points) a task, at
            common points (`stats.align`).
        steps: (points,) increasing, of all agents, or by agent.
        statistic: ``iqm``, ``mean``, ``median`` or ``optimality_gap``.
        unit: Of the steps, for the axis.
        band: ``pointwise`` or ``simultaneous``.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        method: Of the bands, ``rao-wu`` or ``percentile``.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: There is no agent, curves are bad or have one point, the steps do not
            fit them, or an option is out of range.
        UnknownName: There is no such statistic, method, band or width.
        MissingExtra: matplotlib is not installed.
    """
    if not curves:
        raise InvalidScores("there is no agent to draw")
    if statistic not in POINTS:
        raise UnknownName("statistic", statistic, POINTS)
    agents = {agent: curves_of(values) for agent, values in curves.items()}
    at = {agent: _steps_of(agent, steps, tasks) for agent, tasks in agents.items()}
    bands = {
        agent: learning_curve(
            tasks, statistic, method=method, band=band, repetitions=repetitions, level=level,
            seed=seed,
        )
        for agent, tasks in agents.items()
    }  # fmt: skip
    scale = "normalised score" if normalised_by else "score"
    with style(width):
        figure, axes = draw_lines(width, {agent: (at[agent], bands[agent]) for agent in agents})
        axes.set(xlabel=unit, ylabel=f"{METRICS[statistic]} of {scale}")
        axes.xaxis.set_major_formatter(short_number)
    sentences = [
        f"Learning curves of {number_of(len(agents), 'agent')}: the {IN_TEXT[statistic]} at every "
        f"evaluation point, {setting_text(agents.values(), normalised_by)}.",
        band_text(bands, seed),
        "Whole curves are resampled.",
    ]
    rows = _curve_rows(bands, at, "step", agents, seed)
    return plot_of("curves", figure, agents, rows, sentences, width)


def plot_improvement(
    scores: Mapping[str, ScoresLike],
    *,
    baseline: str | None = None,
    normalised_by: str = "",
    width: str | float = "neurips",
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Plot:
    """Draw how likely a run of one agent beats a run of another, a line a pair.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; all of the same tasks.
        baseline: An agent to compare all others with. By default all pairs are drawn.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        method: Of the intervals, ``rao-wu``, ``percentile`` or ``basic``.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: There are fewer than two agents, they have different tasks, scores are bad,
            an option is out of range, or there are more than 36 pairs and no baseline.
        UnknownName: There is no such agent, method or width.
        MissingExtra: matplotlib is not installed.
    """
    inches, agents = inches_of(width), agents_of(scores, least=2)
    found = [
        (a, b, improvement(
            agents[a], agents[b], method=method, repetitions=repetitions, level=level, seed=seed
        ))
        for a, b in _pairs(best_first(agents), baseline)
    ]  # fmt: skip
    found.sort(key=lambda pair: -pair[2].point)
    pairs = [(a, b) for a, b, _ in found]
    with style(width):
        figure = new_figure(inches, lines_high(2.6) + rows_high(len(pairs)))
        axes = figure.subplots()
        axes.axvline(0.5, color="#777777", linewidth=0.8, linestyle="--", zorder=1)
        for place, (_, _, estimate) in enumerate(found):
            draw_interval(axes, place, estimate.point, estimate.low, estimate.high, 0)
        axes.grid()
        axes.set_xlim(-0.04, 1.04)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        short = dict(zip(agents, short_names(list(agents), inches), strict=True))
        name_places(axes, [short[a] for a, _ in pairs])
        if baseline is None:
            name_places(axes, [short[b] for _, b in pairs], right=True)
        other = "right" if baseline is None else short[baseline]
        axes.set_xlabel(f"P(left beats {other})", parse_math=False)
    rows: list[Row] = [
        {
            "a": a, "b": b, "point": estimate.point, "low": estimate.low, "high": estimate.high,
            "method": estimate.method, "runs_a": least_runs(agents[a]),
            "runs_b": least_runs(agents[b]),
            "tasks": len(agents[a]), **resampling_columns(level, repetitions, seed),
        }
        for a, b, estimate in found
    ]  # fmt: skip
    sentences = [
        f"Probability of improvement of {number_of(len(pairs), 'pair')} of agents: the share of "
        f"pairs of runs on a task that the left agent wins, ties half, averaged "
        f"{setting_text(agents.values(), normalised_by)}.",
        interval_text(
            "Lines",
            agents.values(),
            method=method,
            repetitions=repetitions,
            level=level,
            seed=seed,
            of=["improvement"],
        ),
    ]
    if least_runs(*agents.values()) > 1:
        sentences.append("Each interval is for its pair alone.")
    return plot_of("improvement", figure, agents, rows, sentences, width)


def _pairs(names: list[str], baseline: str | None) -> list[tuple[str, str]]:
    if baseline is not None:
        if baseline not in names:
            raise UnknownName("agent", baseline, names)
        return [(name, baseline) for name in names if name != baseline]
    pairs = list(combinations(names, 2))
    if len(pairs) > MAX_PAIRS:
        raise InvalidScores(
            f"{len(names)} agents are {len(pairs)} pairs, of which at most {MAX_PAIRS} can be "
            "drawn: name a baseline to compare all others with"
        )
    return pairs


def _panels_across(inches: float, names: Sequence[str], titles: Sequence[str]) -> int:
    """Return how many panels beside names have room for their titles, in the style that is set."""
    size = text_size()
    left = 72 * inches - max(text_width(name, size) for name in names)
    need = max(text_width(title, size) for title in titles) + 6
    fitting = [across for across in (4, 2) if left >= across * need]
    return min(len(titles), fitting[0] if fitting else 1)


def _thresholds(agents: Mapping[str, list[Floats]]) -> Floats:
    pooled = np.concatenate([task for tasks in agents.values() for task in tasks])
    low, high = np.quantile(pooled, (0.01, 0.97)).tolist()
    low = min(low, 0.0)
    return np.linspace(low, high if high > low else low + 1.0, 101)


def _steps_of(
    agent: str, steps: ArrayLike | Mapping[str, ArrayLike], tasks: Sequence[Floats]
) -> Floats:
    if isinstance(steps, Mapping) and agent not in steps:
        raise UnknownName("agent", agent, steps)
    at = np.asarray(steps[agent] if isinstance(steps, Mapping) else steps, dtype=np.float64)
    number = tasks[0].shape[1]
    if at.shape != (number,) or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise InvalidScores(f"steps of {agent!r} must be {number} increasing numbers, one a point")
    if number < 2:
        raise InvalidScores(f"a curve needs at least two points: {agent!r} has one")
    return at


def _curve_rows(
    bands: Mapping[str, CurveEstimate],
    at: Mapping[str, Floats],
    place: str,
    agents: Mapping[str, Sequence[Floats]],
    seed: int,
) -> list[Row]:
    rows: list[Row] = []
    for agent, found in bands.items():
        nothing = [None] * len(found.point)
        low = nothing if found.low is None else found.low.tolist()
        high = nothing if found.high is None else found.high.tolist()
        columns_ = zip(at[agent].tolist(), found.point.tolist(), low, high, strict=True)
        for x, point, below, above in columns_:
            rows.append(
                {
                    "agent": agent, place: x, "point": point, "low": below, "high": above,
                    "method": found.method, "runs": least_runs(agents[agent]),
                    "tasks": len(agents[agent]),
                    **resampling_columns(found.level, found.repetitions, seed),
                }
            )  # fmt: skip
    return rows
