"""Figures of ranks: the ranks that agents may have, and the critical difference of mean ranks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlbench.errors import InvalidScores
from rlbench.leaderboard.captions import (
    IN_TEXT,
    METRICS,
    number_of,
    setting_text,
    short_names,
)
from rlbench.leaderboard.drawing import (
    draw_interval,
    inches_of,
    lines_high,
    look_of,
    name_places,
    new_figure,
    rows_high,
    small_text,
    style,
)
from rlbench.leaderboard.plots import (
    Plot,
    Row,
    agents_of,
    least_runs,
    plot_of,
    resampling_columns,
)
from rlbench.stats import friedman, rank_sets
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.ranks import TOO_FEW_RUNS, tiers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    inches, agents = inches_of(width), agents_of(scores, least=2)
    found = rank_sets(
        agents, statistic=statistic, alpha=alpha, permutations=permutations,
        repetitions=repetitions, seed=seed,
    )  # fmt: skip
    if found[0].low is None:
        raise InvalidScores(f"there are no rank sets: {TOO_FEW_RUNS}")
    order = list(agents)
    with style(width):
        figure = new_figure(inches, lines_high(3.4) + rows_high(len(agents)))
        axes = figure.subplots()
        for place, row in enumerate(found):
            look = order.index(row.agent)
            draw_interval(axes, place, place + 1, row.low, row.high, look)
        axes.grid()
        axes.set_xlim(0.5, len(found) + 0.5)
        axes.locator_params(axis="x", integer=True, nbins=6)
        axes.set_xlabel(f"rank by {METRICS[statistic]} (1 is best)")
        name_places(axes, short_names([row.agent for row in found], inches))
        name_places(axes, [row.tier for row in found], right=True, header="tier")
    rows: list[Row] = [
        {
            "agent": row.agent, "statistic": statistic, "point": row.point, "rank": rank,
            "low": row.low, "high": row.high, "tier": row.tier, "method": row.method,
            "runs": least_runs(agents[row.agent]), "tasks": len(agents[row.agent]),
            "permutations": permutations, **resampling_columns(1 - alpha, repetitions, seed),
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
    return plot_of("ranks", figure, agents, rows, sentences, width)


def plot_cd(
    scores: Mapping[str, ScoresLike],
    *,
    normalised_by: str = "",
    width: str | float = "neurips",
    alpha: float = 0.05,
    permutations: int = 10_000,
    seed: int = 0,
) -> Plot:
    """Draw the mean ranks of agents over tasks, and which of them Nemenyi's test separates.

    The diagram of the critical difference of Demsar (2006, section 3.2.4): a bar joins agents that
    are not separated. Where Friedman's test finds no difference, one bar joins all agents.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; all of the same tasks.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.
        alpha: Level of both tests.
        permutations: Of Friedman's test, as `stats.friedman` takes them.
        seed: Of the drawing.

    Raises:
        InvalidScores: There are fewer than two agents or tasks, agents have different tasks, scores
            are bad, or an option is out of range.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    inches, agents = inches_of(width), agents_of(scores, least=2)
    found = friedman(agents, alpha=alpha, permutations=permutations, seed=seed)
    order = sorted(agents, key=lambda agent: found.mean_ranks[agent])
    ranks = [found.mean_ranks[agent] for agent in order]
    reached = found.p_value <= alpha
    critical = found.critical_difference if reached else float("inf")
    groups = not_separated(ranks, critical)
    apart = {
        (a, b)
        for k, a in enumerate(order)
        for b, rank in zip(order[k + 1 :], ranks[k + 1 :], strict=True)
        if rank - ranks[k] > critical
    }
    tiers = tiers_of(order, apart)
    looks = {agent: look_of(number)["color"] for number, agent in enumerate(agents)}
    with style(width):
        half = -(-len(order) // 2)
        lines = 3.2 + 0.45 * len(groups) + half
        figure = new_figure(inches, lines_high(lines))
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(1, len(order)), ylim=(lines - 2, -1.2))
        _draw_scale(axes, len(order), found.critical_difference)
        for level, (first, last) in enumerate(groups):
            pad = 0.012 * (len(order) - 1)
            axes.plot([ranks[first] - pad, ranks[last] + pad], [0.55 + 0.45 * level] * 2,
                      color="#444444", linewidth=2.6, solid_capstyle="butt", clip_on=False,
                      zorder=2)  # fmt: skip
        below = 0.9 + 0.45 * len(groups)
        names = short_names(order, inches)
        for k, (agent, rank, name) in enumerate(zip(order, ranks, names, strict=True)):
            is_left = k < half
            line = below + (k if is_left else len(order) - 1 - k)
            edge = 1 if is_left else len(order)
            axes.plot([rank, rank, edge], [0, line, line], color=looks[agent], linewidth=0.9,
                      clip_on=False, zorder=3)  # fmt: skip
            axes.annotate(
                name, (edge, line), xytext=(-3 if is_left else 3, 0), textcoords="offset points",
                ha="right" if is_left else "left", va="center", parse_math=False,
            )  # fmt: skip
    rows: list[Row] = [
        {
            "agent": agent, "mean_rank": rank, "tier": tiers[agent],
            "critical_difference": found.critical_difference, "statistic": found.statistic,
            "p_value": found.p_value, "method": found.method, "runs": least_runs(agents[agent]),
            "tasks": len(agents[agent]), "alpha": alpha, "permutations": permutations,
            "seed": seed,
        }
        for agent, rank in zip(order, ranks, strict=True)
    ]  # fmt: skip
    outcome = (
        f"Bars join agents whose mean ranks differ by at most the critical difference "
        f"{found.critical_difference:.3g} of Nemenyi's test at level {alpha:g}: these are not "
        "separated."
        if reached
        else "One bar joins all agents: Friedman's test finds no difference, so that no pair is "
        "tested."
    )
    sentences = [
        f"Mean ranks of {number_of(len(agents), 'agent')} by their mean score on each task, ties "
        f"in the middle, {setting_text(agents.values(), normalised_by)}. 1 is best.",
        f"Friedman's test: p = {found.p_value:.3g} ({found.method}).",
        outcome,
        "The tasks are the sample, taken as independent: the tests speak of tasks like these, and "
        "do not know how sure the means of runs are. Which pairs are separated can change with the "
        "other agents in the figure.",
    ]
    return plot_of("cd", figure, agents, rows, sentences, width)


def not_separated(ranks: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """Return the largest groups of neighbours whose ranks differ by at most a difference.

    Args:
        ranks: Increasing.
        critical: The difference.

    Returns:
        The first and the last place of each group of two or more.

    >>> not_separated([1.0, 1.5, 2.5, 4.0], 1.0)
    [(0, 1), (1, 2)]
    """
    groups: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(k for k, other in enumerate(ranks) if other - rank <= critical)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def _draw_scale(axes: "Axes", number: int, critical: float) -> None:
    """Draw the scale of ranks, and above it the critical difference if it fits."""
    black: dict[str, Any] = {"color": "black", "linewidth": 0.8, "clip_on": False}
    axes.plot([1, number], [0, 0], **black)
    every = -(-(number - 1) // 8)
    for rank in range(1, number + 1, every):
        axes.plot([rank, rank], [0, -0.18], **black)
        axes.annotate(
            str(rank), (rank, -0.2), ha="center", va="bottom", fontsize=small_text(),
            annotation_clip=False,
        )  # fmt: skip
    if critical <= number - 1:
        left = 1
        axes.plot([left, left + critical], [-1.4, -1.4], marker="|", markersize=5, **black)
        axes.annotate(
            f"CD = {critical:.2f}", (left + critical, -1.4), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=small_text(), annotation_clip=False,
        )  # fmt: skip
