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
)
from rlbench.leaderboard.drawing import (
    draw_interval,
    draw_lines,
    inches_of,
    name_places,
    new_figure,
    short_names,
    style,
)
from rlbench.leaderboard.plots import Plot, Row, plot_of
from rlbench.stats import improvement, learning_curve, profile_band, rank_sets, summarise
from rlbench.stats.aggregates import AGGREGATES, ScoresLike, columns
from rlbench.stats.bands import Band, CurveEstimate, CurveMethod
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.curves import curves_of
from rlbench.stats.intervals import POINTS, Method
from rlbench.stats.pairs import PairMethod
from rlbench.stats.ranks import TOO_FEW_RUNS

Floats = NDArray[np.float64]

NARROW = 4.5  # inches; narrower figures have two panels a row
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
    inches, agents = inches_of(width), _agents(scores)
    for metric in metrics:
        if metric not in METRICS:
            raise UnknownName("metric", metric, METRICS)
    if not metrics:
        raise UsageError("a figure of intervals needs at least one metric")
    found = [
        row
        for row in summarise(agents, method=method, repetitions=repetitions, level=level, seed=seed)
        if row.metric in metrics
    ]
    with style():
        across = min(len(metrics), 2 if inches < NARROW else 4)
        down = -(-len(metrics) // across)
        figure = new_figure(inches, down * (0.45 + 0.19 * len(agents)))
        panels = figure.subplots(down, across, sharey=True, squeeze=False)
        for panel, metric in zip(panels.flat, metrics, strict=False):
            for place, row in enumerate(row for row in found if row.metric == metric):
                draw_interval(panel, place, row.point, row.low, row.high, place)
            arrow = "\u2193" if AGGREGATES[metric].lower_is_better else "\u2191"
            panel.set_title(f"{METRICS[metric]} {arrow}")
            panel.locator_params(axis="x", nbins=4)
            panel.tick_params(axis="y", length=0)
        for panel in panels.flat[len(metrics) :]:
            panel.set_visible(False)
        for panel in panels[:, 0]:
            name_places(panel, short_names(list(agents), inches))
    texts = [IN_TEXT[metric] for metric in metrics]
    what = ", ".join(texts[:-1]) + (" and " if texts[:-1] else "") + texts[-1]
    sentences = [
        f"{what[0].upper()}{what[1:]} of {number_of(len(agents), 'agent')} "
        f"{setting_text(agents.values(), normalised_by)}.",
        "Points are estimates; arrows show which way is better.",
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
    common = _common(level, repetitions, seed)
    return plot_of(
        "intervals", figure, agents, [{**r._asdict(), **common} for r in found], sentences
    )


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
    inches, agents = inches_of(width), _agents(scores)
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
    with style():
        figure, axes = draw_lines(inches, {agent: (at, found) for agent, found in bands.items()})
        axes.set(xlabel=f"{scale} \u03c4", ylabel=f"share of {of} with score > \u03c4")
        axes.set_xlim(float(at[0]), float(at[-1]))
        axes.set_ylim(-0.02, 1.02)
    share = "all scores of runs" if kind == "run" else "tasks whose mean score is"
    sentences = [
        f"Performance profiles of {number_of(len(agents), 'agent')}: the share of {share} above a "
        f"threshold, {setting_text(agents.values(), normalised_by)}.",
        band_text(bands, seed),
    ]
    rows = _curve_rows(bands, dict.fromkeys(bands, at), "tau", agents, seed)
    return plot_of("profiles", figure, agents, rows, sentences)


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
    inches = inches_of(width)
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
    with style():
        from matplotlib.ticker import EngFormatter

        figure, axes = draw_lines(inches, {agent: (at[agent], bands[agent]) for agent in agents})
        axes.set(xlabel=unit, ylabel=f"{METRICS[statistic]} of {scale}")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    sentences = [
        f"Learning curves of {number_of(len(agents), 'agent')}: the {IN_TEXT[statistic]} at every "
        f"evaluation point, {setting_text(agents.values(), normalised_by)}.",
        band_text(bands, seed),
        "Whole curves are resampled.",
    ]
    rows = _curve_rows(bands, at, "step", agents, seed)
    return plot_of("curves", figure, agents, rows, sentences)


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
    inches, agents = inches_of(width), _agents(scores, least=2)
    pairs = _pairs(list(agents), baseline)
    found = [
        improvement(
            agents[a], agents[b], method=method, repetitions=repetitions, level=level, seed=seed
        )
        for a, b in pairs
    ]
    with style():
        figure = new_figure(inches, 0.5 + 0.19 * len(pairs))
        axes = figure.subplots()
        axes.axvline(0.5, color="#777777", linewidth=0.8, linestyle="--", zorder=1)
        for place, estimate in enumerate(found):
            draw_interval(axes, place, estimate.point, estimate.low, estimate.high, 0)
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("probability that left beats right")
        # Names stand on both sides.
        short = dict(zip(agents, short_names(list(agents), 0.6 * inches), strict=True))
        name_places(axes, [short[a] for a, _ in pairs])
        name_places(axes, [short[b] for _, b in pairs], right=True)
    rows: list[Row] = [
        {
            "a": a, "b": b, "point": estimate.point, "low": estimate.low, "high": estimate.high,
            "method": estimate.method, "runs_a": _least(agents[a]), "runs_b": _least(agents[b]),
            "tasks": len(agents[a]), **_common(level, repetitions, seed),
        }
        for (a, b), estimate in zip(pairs, found, strict=True)
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
    if _least(*agents.values()) > 1:
        sentences.append("Each interval is for its pair alone.")
    return plot_of("improvement", figure, agents, rows, sentences)


def plot_ranks(
    scores: Mapping[str, ScoresLike],
    *,
    statistic: TestStatistic = "iqm",
    normalised_by: str = "",
    width: str | float = "neurips",
    alpha: float = 0.05,
    permutations: int = 10_000,
    repetitions: int = 10_000,
    seed: int = 0,
) -> Plot:
    """Draw which ranks each agent may have, with letters of tiers.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; all of the same tasks.
        statistic: ``iqm``, ``mean`` or ``median``.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        alpha: 1 less the confidence of all rank sets together.
        permutations: To draw where there are more than so many.
        repetitions: Resamples.
        seed: Of the drawing.

    Raises:
        InvalidScores: There are fewer than two agents, they have different tasks or a task with
            one run, scores are bad, or an option is out of range.
        UnknownName: There is no such statistic or width.
        MissingExtra: matplotlib is not installed.
    """
    inches, agents = inches_of(width), _agents(scores, least=2)
    found = rank_sets(
        agents, statistic=statistic, alpha=alpha, permutations=permutations,
        repetitions=repetitions, seed=seed,
    )  # fmt: skip
    if found[0].low is None:
        raise InvalidScores(f"there are no rank sets: {TOO_FEW_RUNS}")
    order = list(agents)
    with style():
        figure = new_figure(inches, 0.5 + 0.19 * len(agents))
        axes = figure.subplots()
        for place, row in enumerate(found):
            look = order.index(row.agent)
            draw_interval(axes, place, place + 1, row.low, row.high, look)
        axes.set_xlim(0.7, len(found) + 0.3)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel(f"rank by {METRICS[statistic]} (1 is best)")
        name_places(axes, short_names([row.agent for row in found], inches))
        name_places(axes, [row.tier for row in found], right=True)
    rows: list[Row] = [
        {
            "agent": row.agent, "statistic": statistic, "point": row.point, "rank": rank,
            "low": row.low, "high": row.high, "tier": row.tier, "method": row.method,
            "runs": _least(agents[row.agent]), "tasks": len(agents[row.agent]),
            "permutations": permutations, **_common(1 - alpha, repetitions, seed),
        }
        for rank, row in enumerate(found, 1)
    ]  # fmt: skip
    sentences = [
        f"Rank sets of {len(agents)} agents by the {IN_TEXT[statistic]} "
        f"{setting_text(agents.values(), normalised_by)}.",
        f"Points are observed ranks; lines are the ranks that an agent may have, all together with "
        f"{100 * (1 - alpha):g}% confidence. Agents that share a letter are not separated.",
        f"Method: {found[0].method}, {permutations:,} permutations and {repetitions:,} resamples "
        f"at most (seed {seed}).",
    ]
    return plot_of("ranks", figure, agents, rows, sentences)


def _agents(scores: Mapping[str, ScoresLike], least: int = 1) -> dict[str, list[Floats]]:
    agents = {agent: columns(values, f"scores of {agent!r}") for agent, values in scores.items()}
    if len(agents) < least:
        found = f"there is only {next(iter(agents))!r}" if agents else "there is none"
        raise InvalidScores(f"at least {number_of(least, 'agent')} must be given: {found}")
    return agents


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


def _least(*agents: Sequence[Floats]) -> int:
    return min(len(runs) for tasks in agents for runs in tasks)


def _common(level: float, repetitions: int, seed: int) -> dict[str, float | int]:
    return {"level": round(level, 12), "repetitions": repetitions, "seed": seed}


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
                    "method": found.method, "runs": _least(agents[agent]),
                    "tasks": len(agents[agent]),
                    **_common(found.level, found.repetitions, seed),
                }
            )  # fmt: skip
    return rows
