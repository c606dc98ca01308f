"""How often agents at a constant are said to differ from it, by `stats.compare_with_constant`.

    python benchmarks/constant_level.py [SIMULATIONS]

Prints a Markdown table at a nominal level of .05; the standard error of a cell is .005 at 2,000
simulations. Tasks lie evenly from 0 to 2, and the constant is the statistic of 200,000 runs a task.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rlbench import stats

Law = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]
LAWS: dict[str, Law] = {
    "normal": lambda random, shape: 0.3 * random.normal(size=shape),
    "gamma": lambda random, shape: 0.3 * random.gamma(1.0, size=shape),
    "bimodal": lambda random, shape: (
        np.where(random.random(shape) < 0.3, -0.4, 0.2) + 0.05 * random.normal(size=shape)
    ),
}


def main(simulations: int) -> None:
    print("| law | runs | 1 task: mean | IQM | 6 tasks: mean | IQM | 26 tasks: mean | IQM |")
    print("|---|---|---|---|---|---|---|---|")
    for law, draw in LAWS.items():
        for runs in (3, 5, 10):
            random = np.random.default_rng(runs)
            cells = [
                f"{error_rate(draw, tasks, runs, statistic, simulations, random):.3f}"[1:]
                for tasks in (1, 6, 26)
                for statistic in ("mean", "iqm")
            ]
            print(f"| {law} | {runs} | {' | '.join(cells)} |", flush=True)


def error_rate(
    draw: Law, tasks: int, runs: int, statistic: str, simulations: int, random: np.random.Generator
) -> float:
    """Return the share of simulations in which an agent is told apart from its own statistic."""
    places = np.linspace(0, 2, tasks)
    many = draw(np.random.default_rng(0), (200_000, tasks)) + places
    constant = getattr(stats, statistic)(list(many.T))
    wrong = 0
    for _ in range(simulations):
        scores = list((draw(random, (runs, tasks)) + places).T)
        (found,) = stats.compare_with_constant({"a": scores}, constant, statistic=statistic)
        wrong += found.decision != "not separated"
    return wrong / simulations


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
