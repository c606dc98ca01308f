"""The figure of an ablation: by how much each switch changes the statistic of its base."""

from collections.abc import Mapping

from rlbench.errors import UsageError
from rlbench.leaderboard.captions import IN_TEXT, number_of, setting_text, short_names
from rlbench.leaderboard.drawing import (
    draw_interval,
    inches_of,
    lines_high,
    name_places,
    new_figure,
    rows_high,
    style,
)
from rlbench.leaderboard.plots import Plot, Row, plot_of
from rlbench.stats.drops import Drop
from rlbench.stats.resampling import Floats

MAX_DROPS = 60


def plot_ablation(
    drops: Mapping[str, Drop],
    *,
    base: str,
    statistic: str,
    scores: Mapping[str, list[Floats]],
    looks: int = 1,
    normalised_by: str = "",
    width: str | float = "neurips",
) -> Plot:
    """Draw the difference of agents to their base, with intervals that hold together.

    Args:
        drops: By agent, as `stats.drops` returns them.
        base: The agent that they are compared with.
        statistic: What is compared: ``iqm``, ``mean`` or ``median``.
        scores: By agent, the base among them, one array (runs,) a task: what was compared.
        looks: How many looks the test might have had.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        width: A name of `WIDTHS`, or inches.

    Raises:
        UsageError: There are no agents besides the base, or more than 60.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    inches = inches_of(width)
    if not 0 < len(drops) <= MAX_DROPS:
        raise UsageError(f"a figure of an ablation takes 1 to {MAX_DROPS} agents, not {len(drops)}")
    with style(width):
        figure = new_figure(inches, lines_high(2.8) + rows_high(len(drops)))
        axes = figure.subplots()
        axes.axvline(0, color="#777777", linewidth=0.8, linestyle="--", zorder=1)
        for place, (gap, _) in enumerate(drops.values()):
            draw_interval(axes, place, gap.point, gap.low, gap.high, 0)
        (short,) = short_names([base], inches)
        label = axes.set_xlabel(f"difference to {short}")
        label.set_parse_math(False)
        name_places(axes, short_names(list(drops), 0.6 * inches))
        name_places(axes, [decision for _, decision in drops.values()], right=True)
    gaps = [gap for gap, _ in drops.values()]
    sentences = [
        f"{IN_TEXT[statistic][0].upper()}{IN_TEXT[statistic][1:]} of "
        f"{number_of(len(drops), 'agent')} minus that of {base}, "
        f"{setting_text(scores.values(), normalised_by)}.",
        "The right column is the decision of the test; differ: it is not sure which of the two is "
        "larger.",
    ]
    if any(gap.low is not None for gap in gaps):
        sentences.append(
            f"Lines are intervals that hold together with nominal {gaps[0].level:.0%}"
            + (f", at whichever of {looks} looks the comparison ended." if looks > 1 else ".")
            + " They are widened to reach 0 where the test did not tell which is larger."
        )
    else:
        sentences.append("There are no intervals: runs are single, or do not vary.")
    rows: list[Row] = [
        {
            "agent": name, "base": base, "statistic": statistic, "point": gap.point,
            "low": gap.low, "high": gap.high, "level": gap.level, "decision": decision,
            "runs": min(len(task) for task in scores[name]),
            "runs_base": min(len(task) for task in scores[base]),
            "tasks": len(scores[base]), "method": gap.method,
        }
        for name, (gap, decision) in drops.items()
    ]  # fmt: skip
    return plot_of("ablation", figure, scores, rows, sentences, width)
