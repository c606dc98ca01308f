"""Learning curves task by task: small pictures with one axis each, drawn without Vega."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from rlbench.leaderboard.boards import Board, Entry, Row
from rlbench.leaderboard.charts import INKS, SHOWN, look_of
from rlbench.results.scores import curve_of
from rlbench.stats import align
from rlbench.suites import Suite

MOST_POINTS = 24  # of a curve: more cannot be told apart in so small a picture
MOST_TASKS = 30  # pictures on a board; each task's page has its own
WIDTH, HEIGHT = 220, 120  # px of a picture
LEFT, RIGHT, TOP, BOTTOM = 34, 6, 8, 18  # px around its plot
_NEAR = 12  # px between two heights that can both have a number

Curve = tuple[list[float], list[float]]  # steps and mean normalised scores (points,)


class TaskCurve(NamedTuple):
    """The picture of a task's learning curves.

    Attributes:
        task: The task.
        svg: The picture; it holds no names.
    """

    task: str
    svg: str


def drawn_agents(board: Board) -> list[Entry]:
    """Return whose curves are drawn: the first of those that the chart of all tasks has."""
    agents = list(dict.fromkeys(row["agent"] for row in board.curves))[:SHOWN]
    entries = {entry.agent: entry for entry in board.own}
    return [entries[agent] for agent in agents]


def task_curves(board: Board) -> list[TaskCurve]:
    """Return a picture a task, of the agents of `drawn_agents`; none if nobody has curves."""
    curves = [mean_curves(entry, board.suite) for entry in drawn_agents(board)]
    return [
        TaskCurve(task.name, picture({k: of[task.name] for k, of in enumerate(curves)}))
        for task in board.tasks
        if curves
    ]


def task_curve_rows(board: Board) -> list[Row]:
    """Return the points of these pictures: agent, task, step and mean normalised score."""
    return [
        {"agent": entry.agent, "task": task, "step": step, "point": point}
        for entry in drawn_agents(board)
        for task, curve in mean_curves(entry, board.suite).items()
        for step, point in zip(*curve, strict=True)
    ]


def mean_curves(entry: Entry, suite: Suite) -> dict[str, Curve]:
    """Return the mean over runs of an agent's normalised scores, by task.

    Of many common evaluation points `MOST_POINTS` are kept, the first and the last among them;
    see `rlbench.stats.align`.
    """
    of_task: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for record in entry.records:
        of_task.setdefault(record.identity.task, []).append(curve_of(record, suite))
    found = {}
    for task, runs in of_task.items():
        steps, (scores,) = align([runs], most=MOST_POINTS)
        found[task] = (steps.tolist(), scores.mean(axis=0).tolist())
    return found


def picture(curves: dict[int, Curve]) -> str:
    """Return curves as a picture (SVG) for light and dark pages.

    Args:
        curves: By the place of an agent, which gives its look.
    """
    values = [value for _, scores in curves.values() for value in scores]
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1.0
    end = max(steps[-1] for steps, _ in curves.values()) or 1.0
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(step: float) -> str:
        return f"{LEFT + step / end * across:.1f}"

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * down, 1)

    inks = {name: light for name, (light, _) in INKS.items()}
    parts = []
    for value, text in _ticks(low, high, y):
        parts.append(
            f'<path stroke="{inks["--line"]}" d="M{LEFT} {y(value)}h{across}"/>'
            f'<text x="{LEFT - 4}" y="{y(value) + 3.5:.1f}" text-anchor="end" '
            f'fill="{inks["--soft"]}">{text}</text>'
        )
    for step, anchor in ((0.0, "start"), (end, "end")):
        parts.append(
            f'<text x="{x(step)}" y="{HEIGHT - 4}" text-anchor="{anchor}" '
            f'fill="{inks["--soft"]}">{steps_text(step)}</text>'
        )
    for place, (steps, scores) in curves.items():
        colour, dashes = look_of(place)
        dashed = f' stroke-dasharray="{" ".join(map(str, dashes))}"' if dashes[1] else ""
        points = " ".join(f"{x(a)},{y(b):g}" for a, b in zip(steps, scores, strict=True))
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" '
            f'stroke-linejoin="round"{dashed} points="{points}"/>'
        )
    dark = "".join(
        f'[{what}="{light}"]{{{what}:{instead}}}'
        for light, instead in INKS.values()
        for what in ("fill", "stroke")
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">'
        f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>"
        f"{''.join(parts)}</svg>"
    )


def steps_text(step: float) -> str:
    """Return a number of steps in short.

    >>> steps_text(400), steps_text(100_000), steps_text(2_500_000)
    ('400', '100k', '2.5M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if step >= size:
            return f"{step / size:.3g}{letter}"
    return f"{step:g}"


def _ticks(low: float, high: float, y: Callable[[float], float]) -> Iterable[tuple[float, str]]:
    """Give the heights that have a number: both references and the best, where they are apart."""
    taken: list[float] = []
    for value in (0.0, 1.0, high):
        if low <= value <= high and all(abs(y(value) - other) >= _NEAR for other in taken):
            taken.append(y(value))
            yield value, f"{value:.3g}"
