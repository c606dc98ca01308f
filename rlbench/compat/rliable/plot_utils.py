"""Figures under rliable's names, drawn by matplotlib alone.

Colours are given as a dict by name, or by a palette: ``colorblind``, a colormap of matplotlib, or
a list of colours. Every function takes some more options by name; `LOOK` holds the common ones.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import cycle, islice
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import MissingExtra, UnknownName, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "plot_interval_estimates",
    "plot_performance_profiles",
    "plot_probability_of_improvement",
    "plot_sample_efficiency_curve",
]

Colors = Mapping[Any, Any] | None
Palette = str | Sequence[Any]
Estimates = Mapping[Any, Any]

# Wong 2011, Points of view: Color blindness, Nature Methods 8:441, after Okabe & Ito; without
# black, which point estimates are drawn in.
COLORBLIND = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")
QUALITATIVE = 20  # colormaps of no more colours than this are lists of distinct ones

LOOK: dict[str, Any] = {
    "labelsize": "x-large",
    "ticklabelsize": "x-large",
    "legend": False,
    "legendsize": "x-large",
    "grid_alpha": 0.2,
    "wrect": 10,  # points between the axes and the spine below
    "hrect": 10,  # points between the axes and the spine at the left
}


def plot_performance_profiles(
    performance_profiles: Estimates,
    tau_list: ArrayLike,
    performance_profile_cis: Estimates | None = None,
    use_non_linear_scaling: bool = False,
    ax: "Axes | None" = None,
    colors: Colors = None,
    color_palette: Palette = "colorblind",
    alpha: float = 0.15,
    figsize: tuple[float, float] = (10, 5),
    xticks: Sequence[float] | None = None,
    yticks: Sequence[float] | None = None,
    xlabel: str = r"Normalized Score ($\tau$)",
    ylabel: str = r"Fraction of runs with score $> \tau$",
    linestyles: Mapping[Any, Any] | None = None,
    **kwargs: Any,
) -> "Axes":
    """Draw performance profiles with their bands.

    Args:
        performance_profiles: Shares (k,), by agent.
        tau_list: (k,) thresholds.
        performance_profile_cis: Ends of the bands (2, k), by agent; agents may be left out.
        use_non_linear_scaling: Space thresholds by the share of runs between them, averaged over
            agents.
        ax: To draw into.
        colors: By agent.
        color_palette: Where there are no `colors`.
        alpha: Opacity of the bands.
        figsize: Inches, where there is no `ax`.
        xticks: Where ticks are; with non-linear scaling they are members of `tau_list`.
        yticks: Quarters by default.
        xlabel: Below.
        ylabel: At the left.
        linestyles: By agent; solid by default.
        kwargs: ``linewidth``, and those of `LOOK`.

    Raises:
        UsageError: A tick is no threshold.
        UnknownName: There is no such palette or option.
        MissingExtra: matplotlib is not installed.
    """
    look = _look(kwargs, linewidth=2.0)
    bands = performance_profile_cis or {}
    ax = _axes(ax, figsize)
    by_agent = _colors(colors, color_palette, performance_profiles)
    at, labels = np.asarray(tau_list, dtype=np.float64), None
    if use_non_linear_scaling:
        at, xticks, labels = _spread(performance_profiles, at, xticks)
    for agent, profile in performance_profiles.items():
        style = (linestyles or {}).get(agent, "solid")
        ax.plot(
            at, profile, color=by_agent[agent], linestyle=style, linewidth=look["linewidth"],
            label=agent,
        )  # fmt: skip
        if agent in bands:
            low, high = bands[agent]
            ax.fill_between(at, low, high, color=by_agent[agent], alpha=alpha)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0] if yticks is None else yticks)
    return _dressed(ax, look, xlabel, ylabel, xticks, labels)


def plot_interval_estimates(
    point_estimates: Estimates,
    interval_estimates: Estimates,
    metric_names: Sequence[str],
    algorithms: Sequence[Any] | None = None,
    colors: Colors = None,
    color_palette: Palette = "colorblind",
    max_ticks: int = 4,
    subfigure_width: float = 3.4,
    row_height: float = 0.37,
    xlabel_y_coordinate: float = -0.1,
    xlabel: str = "Normalized Score",
    **kwargs: Any,
) -> tuple["Figure", Any]:
    """Draw intervals as bars, a panel a metric and a row an agent.

    Names and the label lie outside of the figure: save it with ``bbox_inches="tight"``.

    Args:
        point_estimates: Numbers (k,), by agent.
        interval_estimates: Ends (2, k), by agent; where they are NaN there is no bar.
        metric_names: The k titles.
        algorithms: The agents to draw, from below; all by default.
        colors: By agent.
        color_palette: Where there are no `colors`.
        max_ticks: The most ticks of a panel.
        subfigure_width: Inches, of a panel.
        row_height: Inches, of an agent.
        xlabel_y_coordinate: Where the label is, as a share of the figure's height.
        xlabel: Below.
        kwargs: ``interval_height``: of a bar, as a share of the row's; ``wspace``: between panels.

    Returns:
        The figure, and its axes: one, or an array (k,).

    Raises:
        UsageError: There are not as many names as estimates.
        UnknownName: There is no such palette or option.
        MissingExtra: matplotlib is not installed.
    """
    options = _options(kwargs, interval_height=0.6, wspace=0.11)
    agents = list(point_estimates) if algorithms is None else list(algorithms)
    by_agent = _colors(colors, color_palette, agents)
    for agent in agents:
        if len(point_estimates[agent]) != len(metric_names):
            raise UsageError(
                f"{agent!r} has {len(point_estimates[agent])} estimates, and there are "
                f"{len(metric_names)} metric names"
            )
    figsize = (subfigure_width * len(metric_names), row_height * len(agents))
    figure, axes = _pyplot().subplots(ncols=len(metric_names), figsize=figsize)
    for metric, (name, ax) in enumerate(zip(metric_names, np.atleast_1d(axes), strict=True)):
        for row, agent in enumerate(agents):
            _bar(
                ax, row, point_estimates[agent][metric], interval_estimates[agent][:, metric],
                color=by_agent[agent], height=options["interval_height"], alpha=0.75, label=agent,
            )  # fmt: skip
        ax.set_title(name, fontsize="xx-large")
        ax.locator_params(axis="x", nbins=max_ticks)
        ax.set_yticks(range(len(agents)), agents if metric == 0 else [""] * len(agents))
        ax.grid(True, axis="x", alpha=0.25)
        _trim(ax, below=5, left=10, size="xx-large")
        ax.spines["left"].set_visible(False)
    figure.text(0.45, xlabel_y_coordinate, xlabel, ha="center", va="top", fontsize="xx-large")
    figure.subplots_adjust(wspace=options["wspace"], left=0.0)
    return figure, axes


def plot_sample_efficiency_curve(
    frames: ArrayLike,
    point_estimates: Estimates,
    interval_estimates: Estimates,
    algorithms: Sequence[Any] | None = None,
    colors: Colors = None,
    color_palette: Palette = "colorblind",
    figsize: tuple[float, float] = (7, 5),
    xlabel: str = "Number of Frames (in millions)",
    ylabel: str = "Aggregate Human Normalized Score",
    ax: "Axes | None" = None,
    labelsize: str | float = "xx-large",
    ticklabelsize: str | float = "xx-large",
    **kwargs: Any,
) -> "Axes":
    """Draw a metric over training, with its band.

    Args:
        frames: (k,) where on the x axis the points are.
        point_estimates: Numbers (k,), by agent.
        interval_estimates: Ends (2, k), by agent; where they are NaN there is no band.
        algorithms: The agents to draw; all by default.
        colors: By agent.
        color_palette: Where there are no `colors`.
        figsize: Inches, where there is no `ax`.
        xlabel: Below.
        ylabel: At the left.
        ax: To draw into.
        labelsize: Of the labels.
        ticklabelsize: Of the ticks' labels.
        kwargs: ``marker``, ``linewidth``, ``xticks``, ``xticklabels``, ``yticks``, and those of
            `LOOK`.

    Raises:
        UnknownName: There is no such palette or option.
        MissingExtra: matplotlib is not installed.
    """
    look = _look(
        {**kwargs, "labelsize": labelsize, "ticklabelsize": ticklabelsize},
        marker="o", linewidth=2.0, xticks=None, xticklabels=None, yticks=None,
    )  # fmt: skip
    ax = _axes(ax, figsize)
    agents = list(point_estimates) if algorithms is None else list(algorithms)
    by_agent = _colors(colors, color_palette, agents)
    for agent in agents:
        ax.plot(
            frames, point_estimates[agent], color=by_agent[agent], marker=look["marker"],
            linewidth=look["linewidth"], label=agent,
        )  # fmt: skip
        low, high = interval_estimates[agent]
        ax.fill_between(frames, low, high, color=by_agent[agent], alpha=0.2)
    if look["yticks"] is not None:
        ax.set_yticks(look["yticks"])
    return _dressed(ax, look, xlabel, ylabel, look["xticks"], look["xticklabels"])


def plot_probability_of_improvement(
    probability_estimates: Estimates,
    probability_interval_estimates: Estimates,
    pair_separator: str = ",",
    ax: "Axes | None" = None,
    figsize: tuple[float, float] = (4, 3),
    colors: Mapping[int, Any] | Sequence[Any] | None = None,
    color_palette: Palette = "colorblind",
    alpha: float = 0.75,
    xticks: Sequence[float] | None = None,
    xlabel: str = "P(X > Y)",
    left_ylabel: str = "Algorithm X",
    right_ylabel: str = "Algorithm Y",
    **kwargs: Any,
) -> "Axes":
    """Draw probabilities of improvement with their intervals as bars, a row a pair.

    Args:
        probability_estimates: A probability, or (1,), by pair of agents: a tuple of two names, or
            the two with the separator between them.
        probability_interval_estimates: Ends (2,) or (2, 1), by pair; where they are NaN there is
            no bar.
        pair_separator: Between names; a name that contains it needs a tuple.
        ax: To draw into.
        figsize: Inches, where there is no `ax`.
        colors: By row, from below.
        color_palette: Where there are no `colors`.
        alpha: Opacity of the bars.
        xticks: Where ticks are.
        xlabel: Below.
        left_ylabel: Above the names of X.
        right_ylabel: Above the names of Y.
        kwargs: ``interval_height``: of a bar, as a share of the row's; ``ylabel_x_coordinate``:
            how far outside the axes the labels of the names are; and those of `LOOK`.

    Returns:
        The axes with the bars.

    Raises:
        UsageError: A pair is not of two names.
        UnknownName: There is no such palette or option.
        MissingExtra: matplotlib is not installed.
    """
    look = _look({"wrect": 5, **kwargs}, interval_height=0.6, ylabel_x_coordinate=0.2)
    pairs = [_names(pair, pair_separator) for pair in probability_estimates]
    ax = _axes(ax, figsize)
    shades = colors or _shades(color_palette, len(pairs))
    for row, (pair, probability) in enumerate(probability_estimates.items()):
        _bar(
            ax, row, np.ravel(probability)[0], np.ravel(probability_interval_estimates[pair]),
            color=shades[row], height=look["interval_height"], alpha=alpha, label=pairs[row][0],
        )  # fmt: skip
    twin = ax.twinx()
    outside = look["ylabel_x_coordinate"]
    sides = ((ax, left_ylabel, -outside), (twin, right_ylabel, 1 + 0.7 * outside))
    for side, (each, label, x) in enumerate(sides):
        each.set_yticks(range(len(pairs)), [names[side] for names in pairs])
        hidden = {"grid_alpha": 0.0, "legend": False} if each is twin else {}
        _dressed(each, {**look, **hidden}, xlabel, label, xticks, None)
        each.yaxis.label.set(fontweight="bold", rotation="horizontal", verticalalignment="bottom")
        each.yaxis.set_label_coords(x, 1.0)
        each.spines["left"].set_visible(False)
    twin.set_ylim(ax.get_ylim())
    return ax


def _pyplot() -> ModuleType:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtra("a plot", "plot") from error
    return pyplot


def _axes(ax: "Axes | None", figsize: tuple[float, float]) -> "Axes":
    drawn: Axes = _pyplot().subplots(figsize=figsize)[1] if ax is None else ax
    return drawn


def _options(given: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    for name in given:
        if name not in defaults:
            raise UnknownName("option", name, defaults)
    return {**defaults, **given}


def _look(given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return all options of the look: those given, and the defaults of others."""
    return _options(given, **LOOK, **more)


def _colors(colors: Colors, palette: Palette, names: Iterable[Hashable]) -> Mapping[Any, Any]:
    names = list(names)
    return colors or dict(zip(names, _shades(palette, len(names)), strict=True))


def _shades(palette: Palette, number: int) -> list[Any]:
    """Return as many colours; those of a list are repeated."""
    if palette == "colorblind":
        palette = COLORBLIND
    if isinstance(palette, str):
        _pyplot()
        from matplotlib import colormaps

        if palette not in colormaps:
            raise UnknownName("palette", palette, ["colorblind", *colormaps])
        colormap = colormaps[palette]
        if colormap.N > QUALITATIVE:
            return list(colormap(np.linspace(0, 1, number)))
        palette = [colormap(each) for each in range(colormap.N)]
    return list(islice(cycle(palette), number))


def _names(pair: Any, separator: str) -> tuple[str, str]:
    names = pair.split(separator) if isinstance(pair, str) else list(pair)
    if len(names) != 2:
        raise UsageError(
            f"{pair!r} is not a pair of names separated by {separator!r}: use another "
            "pair_separator, or a tuple (x, y)"
        )
    return names[0], names[1]


def _spread(
    profiles: Estimates, taus: Any, ticks: Sequence[float] | None
) -> tuple[Any, list[float], list[str]]:
    """Return where thresholds are when they are spaced by the share of runs between them.

    Args:
        profiles: Shares (k,), by agent.
        taus: (k,) thresholds.
        ticks: Thresholds to mark; by default five, at ratios of their positions that are equal.

    Returns:
        (k,) positions, the positions of the ticks, and what to write there.
    """
    at = 1 - np.mean(list(profiles.values()), axis=0)
    if ticks is None:
        marked = np.geomspace(1, len(taus) - 1, 5).astype(int).tolist()
    else:
        missing = [tick for tick in ticks if tick not in taus]
        if missing:
            raise UsageError(f"the tick {missing[0]} is not in tau_list")
        marked = [int(np.flatnonzero(taus == tick)[0]) for tick in ticks]
    return at, at[marked].tolist(), [f"{taus[k]:.3g}" for k in marked]


def _bar(
    ax: "Axes", row: int, point: float, ends: Any, *, color: Any, height: float, alpha: float,
    label: Any,
) -> None:  # fmt: skip
    """Draw an interval as a bar and its point as a line across."""
    low, high = ends
    if not np.isnan(low):
        ax.barh(row, high - low, left=low, height=height, color=color, alpha=alpha, label=label)
    reach = 0.45 * height
    ax.vlines(point, row - reach, row + reach, color="black", alpha=min(alpha + 0.1, 1.0))


def _trim(ax: "Axes", below: float, left: float, size: str | float) -> None:
    """Leave two spines, pushed outwards by some points, and labels without tick marks."""
    for name, outwards in (("bottom", below), ("left", left)):
        ax.spines[name].set(linewidth=2)
        ax.spines[name].set_position(("outward", outwards))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(length=0, labelsize=size)
    ax.set_axisbelow(True)


def _dressed(
    ax: "Axes",
    look: Mapping[str, Any],
    xlabel: str,
    ylabel: str,
    xticks: Sequence[float] | None,
    xticklabels: Sequence[Any] | None,
) -> "Axes":
    """Label axes and give them the common look."""
    ax.set_xlabel(xlabel, fontsize=look["labelsize"])
    ax.set_ylabel(ylabel, fontsize=look["labelsize"])
    if xticks is not None:
        ax.set_xticks(xticks, xticklabels)
    _trim(ax, look["wrect"], look["hrect"], look["ticklabelsize"])
    ax.grid(True, alpha=look["grid_alpha"])
    if look["legend"]:
        ax.legend(fontsize=look["legendsize"])
    return ax
