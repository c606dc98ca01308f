"""Draw what the longest runs of a student in results/reference show, for the card of parkour.

    .venv/bin/python tools/draw_student.py

docs/suites/parkour.md says what the runs were. Its table holds what this prints.
"""

from pathlib import Path

import numpy as np
from draw_gallery import lessons_of, of_student, picture

from rlbench import leaderboard, suites
from rlbench.leaderboard import Plot
from rlbench.results import Record

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/pictures"
WIDTH = "neurips"


def returns_of(records: list[Record]) -> np.ndarray:
    """Return the mean test returns (runs, 1, points)."""
    means = [[np.mean(one.returns) for one in record.main_evaluations] for record in records]
    return np.array(means)[:, None]


def plots() -> tuple[Plot, Plot]:
    """Return the figures of test returns and of what was taught."""
    found, suite = of_student(), suites.get("stump-tracks-1m")
    steps = [one.budget_used for one in next(iter(found.values()))[0].main_evaluations]
    curves = {agent: returns_of(records) for agent, records in found.items()}
    return (
        leaderboard.plot_curves(curves, steps, statistic="mean", width=WIDTH),
        leaderboard.plot_teaching(
            lessons_of(found), names=suite.parameters, unit="steps", width=WIDTH
        ),
    )


def draw() -> None:
    """Write both pictures, and print the rows of the first."""
    returns, teaching = plots()
    returns.figure.axes[0].set_ylabel("Mean test return")
    (FOLDER / "stump-tracks-returns.png").write_bytes(picture(returns))
    (FOLDER / "stump-tracks-teaching.png").write_bytes(picture(teaching))
    for row in returns.rows:
        print(row)


if __name__ == "__main__":
    draw()
