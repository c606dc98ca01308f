"""The figure of a sequential comparison: the statistic of each pair against the boundary."""

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.leaderboard.captions import number_of, short_names
from rlbench.leaderboard.drawing import (
    COLOURS,
    NARROW,
    inches_of,
    lines_high,
    new_figure,
    small_text,
    style,
    text_width,
)
from rlbench.leaderboard.plots import Plot, Row, plot_of
from rlbench.stats.stopping import AdaStopResult

MAX_PAIRS = 36

Floats = NDArray[np.float64]


def plot_stopping(result: AdaStopResult, *, width: str | float = "neurips") -> Plot:
    """Draw the statistic of each pair after each batch, and what it had to exceed.

    Args:
        result: What `stats.adastop` returned.
        width: A name of `WIDTHS`, or inches.

    Raises:
        UsageError: There are more than 36 pairs.
        UnknownName: There is no such width.
        MissingExtra: matplotlib is not installed.
    """
    inches, pairs = inches_of(width), list(result.statistics)
    if len(pairs) > MAX_PAIRS:
        raise UsageError(f"{len(pairs)} pairs are too many for a figure: at most {MAX_PAIRS}")
    done, most = result.looks
    boundaries = np.array(result.boundaries)
    finite = [abs(v) for of_pair in result.statistics.values() for v in of_pair if np.isfinite(v)]
    finite += boundaries[np.isfinite(boundaries)].tolist()
    top = 1.15 * max(finite, default=1.0) or 1.0
    with style(width):
        names = dict(zip(result.runs, short_names(list(result.runs), inches), strict=True))
        across = min(len(pairs), 2 if inches < NARROW else 3)
        down = -(-len(pairs) // across)
        room = 72 * (inches - 0.6) / across - 6
        titles = {
            (a, b): _title(names[a], names[b], result.decisions[a, b], room) for a, b in pairs
        }
        most_lines = 1 + max(title.count("\n") for title in titles.values())
        figure = new_figure(inches, lines_high(2.4) + down * (0.8 + lines_high(most_lines)))
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        looks = np.arange(1, done + 1)
        for number, (panel, pair) in enumerate(zip(panels.flat, pairs, strict=False)):
            for sign in (-1, 1):
                panel.plot(looks, sign * _drawn(boundaries, top), color="#777777", linewidth=0.9,
                           linestyle="--", marker="_", markersize=5)  # fmt: skip
            seen = np.array(result.statistics[pair])
            is_decided = result.decisions[pair] in ("larger", "smaller")
            panel.plot(looks[: len(seen)], _drawn(seen, top), color=COLOURS[0], linewidth=1.2,
                       marker="o", markersize=4, markeredgewidth=1,
                       markerfacecolor=COLOURS[0] if is_decided else "white")  # fmt: skip
            panel.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
            panel.set_title(titles[pair], fontsize=small_text(), linespacing=1.1, parse_math=False)
            panel.set(xlim=(0.6, most + 0.4), ylim=(-1.1 * top, 1.1 * top))
            panel.set_xticks(range(1, most + 1, -(-most // 6)))
            if number + across >= len(pairs):
                panel.tick_params(labelbottom=True)
        for panel in list(panels.flat)[len(pairs) :]:
            panel.set_visible(False)
        figure.supxlabel("batches")
        figure.supylabel("difference / s.e.")
    sentences = [
        f"A sequential comparison of {number_of(len(result.runs), 'agent')} by AdaStop: the "
        f"difference of each pair over its standard error (line) after each of {done} of at most "
        f"{most} batches, and the boundary beyond which the pair is "
        "separated (dashed). A line ends where its pair was decided; filled marks are of "
        "separated pairs.",
        f"Level spent: {result.level_spent:.4f}.",
    ]
    if not np.isfinite([v for of_pair in result.statistics.values() for v in of_pair]).all():
        sentences.append("Values at the edge are infinite: those agents' runs do not vary.")
    rows: list[Row] = [
        {
            "a": a, "b": b, "batch": look, "statistic": _finite(value),
            "boundary": _finite(boundaries[look - 1]), "decision": result.decisions[a, b],
        }
        for (a, b), values in result.statistics.items()
        for look, value in enumerate(values, 1)
    ]  # fmt: skip
    return plot_of("stopping", figure, result.runs, rows, sentences, width)


def _title(a: str, b: str, decision: str, room: float) -> str:
    """Return a pair and what was decided of it in two lines, or three where two are too wide."""
    lines = [f"{a} \u2212 {b}:", decision]
    if text_width(lines[0], small_text()) > room:
        lines = [a, f"\u2212 {b}:", decision]
    return "\n".join(lines)


def _drawn(values: Floats, top: float) -> Floats:
    """Return values with those that are infinite at the edge."""
    return np.clip(values, -top, top)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
