"""Figures that are ready for a paper, each with its data and its caption.

Every function takes plain arrays by agent, as `rlbench.stats` takes them, and returns a `Plot`:
a figure of matplotlib, the numbers in it as flat rows, and a caption that says how many runs there
are and how the intervals were made. Nothing is drawn that `rlbench.stats` does not compute.

Text is at least 7 pt at the figure's own width. PDF files embed their fonts as TrueType (Type 42);
in SVG files text is paths, so that it looks the same wherever it is opened. No file holds a date,
so that the same numbers give the same bytes with the same matplotlib. The user's own settings of
matplotlib do not matter, and are left as they are.
"""

import io
import os
import re
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench import __version__
from rlbench.errors import InvalidScores, MissingExtra, StoreError, UnknownName, UsageError
from rlbench.results import write_csv
from rlbench.stats import improvement, learning_curve, profile_band, rank_sets, summarise
from rlbench.stats.aggregates import ScoresLike, columns
from rlbench.stats.bands import Band, CurveEstimate, CurveMethod
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.coverage import OTHER_METHODS, coverage_warnings
from rlbench.stats.curves import curves_of
from rlbench.stats.intervals import ALL_EQUAL, ONE_RUN, POINTS, Method, why_no_interval
from rlbench.stats.pairs import PairMethod
from rlbench.stats.proportions import METHOD as BY_RATE
from rlbench.stats.proportions import are_successes
from rlbench.stats.ranks import TOO_FEW_RUNS
from rlbench.stats.reporting import HOW
from rlbench.stats.summary import WITHOUT_INTERVAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Row = Mapping[str, str | float | int | None]
Format = Literal["pdf", "svg", "png"]

# Inches: the text width of a page or a column.
WIDTHS = {"neurips": 5.5, "icml": 3.25, "icml-wide": 6.75, "iclr": 5.5, "a4": 6.27}
FORMATS = ("pdf", "svg", "png")
DPI = 300
NARROW = 4.5  # inches; narrower figures have two panels a row
MAX_BANDS = 8  # agents; the bands of more would hide each other
MAX_PAIRS = 36  # of the figure of improvements: all pairs of nine agents

METRICS = {"iqm": "IQM", "mean": "Mean", "median": "Median", "optimality_gap": "Optimality gap"}
IN_TEXT = {
    "iqm": "interquartile mean (IQM)",
    "mean": "mean",
    "median": "median",
    "optimality_gap": "optimality gap",
}

# Okabe & Ito 2008, Color Universal Design, without the yellow, which white swallows; in an order
# in which neighbours differ in lightness too.
OKABE_ITO = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")
# The numbers of colours, dashes and markers have no common divisor: agents differ in grey too.
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

LOOK: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.03,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "rlbench",
    "savefig.dpi": DPI,
}
UNDATED: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": "rlbench", "Producer": "matplotlib"},
    "svg": {"Date": None, "Creator": "rlbench"},
    "png": {"Software": "rlbench"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure with what is in it.

    Attributes:
        kind: ``intervals``, ``profiles``, ``curves``, ``improvement`` or ``ranks``.
        figure: The figure of matplotlib, to be changed at will before it is saved.
        rows: The numbers in it, all rows with the same names.
        caption: What it shows, of how many runs and tasks, and how it was computed; plain text.
        notes: What is wrong with the drawing: characters that the font has not.
    """

    kind: str
    figure: "Figure"
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...] = ()

    def to_bytes(self, format: Format) -> bytes:
        """Return the figure as a file's content: ``pdf``, ``svg``, or ``png`` with 300 dpi.

        Raises:
            UnknownName: There is no such format.
        """
        if format not in FORMATS:
            raise UnknownName("format", format, FORMATS)
        buffer = io.BytesIO()
        with _style():
            self.figure.savefig(buffer, format=format, dpi=DPI, metadata=UNDATED[format])
        return buffer.getvalue()

    def to_csv(self) -> str:
        """Return the rows as CSV; text that a spreadsheet would take for a formula is quoted."""
        buffer = io.StringIO()
        write_csv(self.rows, buffer, list(self.rows[0]))
        return buffer.getvalue()

    def save(self, folder: Path | str, formats: Sequence[Format] = ("pdf",)) -> list[Path]:
        """Write the figure, its data (``.csv``) and its caption (``.txt``), named by its kind.

        Args:
            folder: Where to; it is made. Files of the same names are replaced.
            formats: Of the figure.

        Returns:
            The files.

        Raises:
            StoreError: A file cannot be written; no file is ever there in part.
            UnknownName: There is no such format.
        """
        contents: dict[str, bytes] = {form: self.to_bytes(form) for form in formats}
        contents["csv"] = self.to_csv().encode("utf-8", "backslashreplace")
        contents["txt"] = f"{self.caption}\n".encode()
        paths = []
        for suffix, content in contents.items():
            path = Path(folder) / f"{self.kind}.{suffix}"
            _write(path, content)
            paths.append(path)
        return paths


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
    inches, agents = _inches(width), _agents(scores)
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
    with _style():
        across = min(len(metrics), 2 if inches < NARROW else 4)
        down = -(-len(metrics) // across)
        figure = _figure(inches, down * (0.45 + 0.19 * len(agents)))
        panels = figure.subplots(down, across, sharey=True, squeeze=False)
        for panel, metric in zip(panels.flat, metrics, strict=False):
            for place, row in enumerate(row for row in found if row.metric == metric):
                _interval(panel, place, row.point, row.low, row.high, place)
            arrow = "\u2193" if metric == "optimality_gap" else "\u2191"
            panel.set_title(f"{METRICS[metric]} {arrow}")
            panel.locator_params(axis="x", nbins=4)
            panel.tick_params(axis="y", length=0)
        for panel in panels.flat[len(metrics) :]:
            panel.set_visible(False)
        for panel in panels[:, 0]:
            _name_places(panel, _short(list(agents), inches))
    texts = [IN_TEXT[metric] for metric in metrics]
    what = ", ".join(texts[:-1]) + (" and " if texts[:-1] else "") + texts[-1]
    sentences = [
        f"{what[0].upper()}{what[1:]} of {_number_of(len(agents), 'agent')} "
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
    return _plot("intervals", figure, agents, [{**r._asdict(), **common} for r in found], sentences)


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
    inches, agents = _inches(width), _agents(scores)
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
    with _style():
        figure, axes = _lines(inches, {agent: (at, found) for agent, found in bands.items()})
        axes.set(xlabel=f"{scale} \u03c4", ylabel=f"share of {of} with score > \u03c4")
        axes.set_xlim(float(at[0]), float(at[-1]))
        axes.set_ylim(-0.02, 1.02)
    share = "all scores of runs" if kind == "run" else "tasks whose mean score is"
    sentences = [
        f"Performance profiles of {_number_of(len(agents), 'agent')}: the share of {share} above a "
        f"threshold, {setting_text(agents.values(), normalised_by)}.",
        _band_text(bands, seed),
    ]
    rows = _curve_rows(bands, dict.fromkeys(bands, at), "tau", agents, seed)
    return _plot("profiles", figure, agents, rows, sentences)


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
    inches = _inches(width)
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
    with _style():
        from matplotlib.ticker import EngFormatter

        figure, axes = _lines(inches, {agent: (at[agent], bands[agent]) for agent in agents})
        axes.set(xlabel=unit, ylabel=f"{METRICS[statistic]} of {scale}")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    sentences = [
        f"Learning curves of {_number_of(len(agents), 'agent')}: the {IN_TEXT[statistic]} at every "
        f"evaluation point, {setting_text(agents.values(), normalised_by)}.",
        _band_text(bands, seed),
        "Whole curves are resampled.",
    ]
    rows = _curve_rows(bands, at, "step", agents, seed)
    return _plot("curves", figure, agents, rows, sentences)


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
    inches, agents = _inches(width), _agents(scores, least=2)
    pairs = _pairs(list(agents), baseline)
    found = [
        improvement(
            agents[a], agents[b], method=method, repetitions=repetitions, level=level, seed=seed
        )
        for a, b in pairs
    ]
    with _style():
        figure = _figure(inches, 0.5 + 0.19 * len(pairs))
        axes = figure.subplots()
        axes.axvline(0.5, color="#777777", linewidth=0.8, linestyle="--", zorder=1)
        for place, estimate in enumerate(found):
            _interval(axes, place, estimate.point, estimate.low, estimate.high, 0)
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("probability that left beats right")
        # Names stand on both sides.
        short = dict(zip(agents, _short(list(agents), 0.6 * inches), strict=True))
        _name_places(axes, [short[a] for a, _ in pairs])
        _name_places(axes, [short[b] for _, b in pairs], right=True)
    rows: list[Row] = [
        {
            "a": a, "b": b, "point": estimate.point, "low": estimate.low, "high": estimate.high,
            "method": estimate.method, "runs_a": _least(agents[a]), "runs_b": _least(agents[b]),
            "tasks": len(agents[a]), **_common(level, repetitions, seed),
        }
        for (a, b), estimate in zip(pairs, found, strict=True)
    ]  # fmt: skip
    sentences = [
        f"Probability of improvement of {_number_of(len(pairs), 'pair')} of agents: the share of "
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
    return _plot("improvement", figure, agents, rows, sentences)


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
    inches, agents = _inches(width), _agents(scores, least=2)
    found = rank_sets(
        agents, statistic=statistic, alpha=alpha, permutations=permutations,
        repetitions=repetitions, seed=seed,
    )  # fmt: skip
    if found[0].low is None:
        raise InvalidScores(f"there are no rank sets: {TOO_FEW_RUNS}")
    order = list(agents)
    with _style():
        figure = _figure(inches, 0.5 + 0.19 * len(agents))
        axes = figure.subplots()
        for place, row in enumerate(found):
            look = order.index(row.agent)
            _interval(axes, place, place + 1, row.low, row.high, look)
        axes.set_xlim(0.7, len(found) + 0.3)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel(f"rank by {METRICS[statistic]} (1 is best)")
        _name_places(axes, _short([row.agent for row in found], inches))
        _name_places(axes, [row.tier for row in found], right=True)
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
    return _plot("ranks", figure, agents, rows, sentences)


def setting_text(agents: Collection[Sequence[Any]], normalised_by: str) -> str:
    """Return over how many tasks and runs scores were taken, and how they are normalised.

    Args:
        agents: The tasks of each agent, each an array whose first axis is runs.
        normalised_by: What scores are normalised by, or nothing.
    """
    sizes = [len(runs) for tasks in agents for runs in tasks]
    least, most = min(sizes), max(sizes)
    number = f"{least} to {most} runs" if least < most else _number_of(least, "run")
    counts = sorted({len(tasks) for tasks in agents})
    tasks = " to ".join(str(count) for count in {counts[0]: 0, counts[-1]: 0})
    scale = f"normalised by {normalised_by}" if normalised_by else "not normalised further"
    return f"over {tasks} task{'s' * (counts[-1] > 1)} with {number} a task; scores are {scale}"


def interval_text(
    what: str,
    agents: Collection[Sequence[Any]],
    *,
    method: str,
    repetitions: int,
    level: float,
    seed: int,
    of: Collection[str],
) -> str:
    """Return how intervals were made, in the words of `stats.methods_text` but plain text.

    Args:
        what: What shows the intervals, e.g. ``Lines``.
        agents: The tasks of each agent, each an array whose first axis is runs.
        method: Of the intervals.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.
        of: What they are of, as `stats.coverage.coverage_warnings` takes it.
    """
    why = {why_no_interval(tasks) for tasks in agents}
    if why == {ONE_RUN}:
        return "With one run on a task there are no intervals."
    if "" not in why:
        return "With one run on a task, or runs that are all equal, there are no intervals."
    how = re.sub(r"~\\citep\{[^}]*\}", "", HOW[method][0])
    text = (
        f"{what} are nominal {level * 100:g}% stratified bootstrap intervals from "
        f"{repetitions:,} resamples (seed {seed}), {method}: {how}. They speak of these tasks, not "
        "of others."
    )
    if ONE_RUN in why:
        text += " Agents with one run on a task have none."
    if ALL_EQUAL in why and "improvement" not in of:
        text += " Agents whose runs are equal on every task have none."
    if method == "rao-wu" and any(are_successes(tasks) for tasks in agents):
        text += f" Of scores that are all 0 or 1 they are: {BY_RATE}."
    if method != "rao-wu":
        text += f" {OTHER_METHODS.format(method=method)}"
    shown = [metric for metric in of if metric not in WITHOUT_INTERVAL]
    return " ".join([text, *coverage_warnings(shown, agents)])


def _plot(
    kind: str, figure: "Figure", agents: Mapping[str, Any], rows: Sequence[Row],
    sentences: Sequence[str],
) -> Plot:  # fmt: skip
    caption = " ".join([*sentences, f"Computed with rlbench {__version__}."])
    missing = _missing_glyphs("".join(agents))
    notes = (f"the figures' font has no {missing}: boxes stand for it",) if missing else ()
    return Plot(kind=kind, figure=figure, rows=tuple(rows), caption=caption, notes=notes)


def _agents(scores: Mapping[str, ScoresLike], least: int = 1) -> dict[str, list[Floats]]:
    agents = {agent: columns(values, f"scores of {agent!r}") for agent, values in scores.items()}
    if len(agents) < least:
        found = f"there is only {next(iter(agents))!r}" if agents else "there is none"
        raise InvalidScores(f"at least {_number_of(least, 'agent')} must be given: {found}")
    return agents


def _inches(width: str | float) -> float:
    if isinstance(width, str):
        if width not in WIDTHS:
            raise UnknownName("width", width, WIDTHS)
        return WIDTHS[width]
    if not 1 <= width <= 40:
        raise UsageError(f"a width is 1 to 40 inches, not {width}")
    return float(width)


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


def _number_of(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


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


def _band_text(bands: Mapping[str, CurveEstimate], seed: int) -> str:
    with_band = [found for found in bands.values() if found.low is not None]
    if not with_band:
        return "With one run on a task there are no bands."
    found = with_band[0]
    drawn = f" from {found.repetitions:,} resamples (seed {seed})" if found.repetitions else ""
    methods = " or ".join(dict.fromkeys(estimate.method for estimate in with_band))
    text = f"Bands are nominal {found.level * 100:g}% bands{drawn}: {methods}."
    if len(with_band) < len(bands):
        text += " Agents with one run on a task have none."
    if len(bands) > MAX_BANDS:
        text += " Of so many agents they are not drawn; the data has them."
    return text + " They speak of these tasks, not of others."


@contextmanager
def _style() -> Iterator[None]:
    """Set the look of figures, whatever the user's settings are, and put these back."""
    try:
        from matplotlib import style
    except ImportError:
        raise MissingExtra("drawing figures", "plot") from None
    with style.context(["default", LOOK]), warnings.catch_warnings():
        # A name may hold characters that the font has not: `Plot.notes` says so.
        warnings.filterwarnings("ignore", message=r"(Glyph|Matplotlib currently does not support)")
        yield


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _look(number: int) -> dict[str, Any]:
    return {
        "color": OKABE_ITO[number % len(OKABE_ITO)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number % len(DASHES)],
    }


def _interval(
    axes: "Axes", place: int, point: float, low: float | None, high: float | None, number: int
) -> None:
    """Draw one estimate on a line of its own; the first place is on top."""
    look = _look(number)
    if low is not None and high is not None:
        axes.plot(
            [low, high], [place, place], color=look["color"], linewidth=1.6, marker="|",
            markersize=5, markeredgewidth=1.2, zorder=2,
        )  # fmt: skip
    axes.plot(
        [point], [place], color=look["color"], marker=look["marker"], markeredgewidth=0,
        markersize=5.5, zorder=3,
    )  # fmt: skip
    axes.grid()


def _name_places(axes: "Axes", names: Sequence[str], *, right: bool = False) -> None:
    """Write names beside the lines of an axes, the first on top."""
    side = axes.twinx() if right else axes
    side.set_ylim(len(names) - 0.4, -0.6)
    side.set_yticks(range(len(names)), [""] * len(names))
    side.tick_params(axis="y", length=0)
    labels = side.set_yticklabels(names)
    for label in labels:
        # A dollar sign is a dollar sign.
        label.set_parse_math(False)


def _lines(
    inches: float, curves: Mapping[str, tuple[Floats, CurveEstimate]]
) -> tuple["Figure", "Axes"]:
    """Draw curves with bands, and a legend below them."""
    from matplotlib.lines import Line2D

    names = _short(list(curves), inches)
    # What an entry of the legend takes: its line, and its text at 7 pt.
    across = max(1, int(inches / (0.5 + 0.062 * max(len(name) for name in names))))
    across = min(across, len(names))
    legend_rows = -(-len(names) // across)
    figure = _figure(inches, 0.55 * min(inches, 4.5) + 0.35 + 0.15 * legend_rows)
    axes = figure.subplots()
    handles = []
    for number, (at, found) in enumerate(curves.values()):
        look = _look(number)
        if found.low is not None and found.high is not None and len(names) <= MAX_BANDS:
            axes.fill_between(at, found.low, found.high, color=look["color"], alpha=0.18, lw=0)
        every = max(1, len(at) // 8)
        start = number * every // max(len(curves), 1)
        axes.plot(at, found.point, markevery=(start, every), **look)
        handles.append(Line2D([], [], **look))
    axes.grid()
    # Names are set afterwards: a leading underscore would hide an entry.
    legend = figure.legend(
        handles, [str(number) for number in range(len(names))], loc="outside lower center",
        ncols=across,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
    return figure, axes


def _short(names: Sequence[str], inches: float) -> list[str]:
    """Return names in one line each, cut in the middle if they are long; different ones differ."""
    lines = ["".join(c if c.isprintable() else " " for c in name) for name in names]
    limit = max(14, int(5 * inches))
    while limit < max(map(len, lines)):
        cut = [
            line if len(line) <= limit else f"{line[: limit // 2]}\u2026{line[-limit // 2 + 1 :]}"
            for line in lines
        ]
        if len(set(cut)) == len(set(lines)):
            return cut
        limit += 4
    return lines


def _missing_glyphs(text: str) -> str:
    """Return the characters that the font of figures has not."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont(LOOK["font.family"])).get_charmap()
    return "".join(dict.fromkeys(c for c in text if c.isprintable() and ord(c) not in known))


def _write(path: Path, content: bytes) -> None:
    """Write a file: it has its name once it is complete."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # As any new file: mkstemp lets only the user read.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
