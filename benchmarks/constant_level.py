"""How often agents at a constant are said to differ from it, by `stats.compare_with_constant`.

    python benchmarks/constant_level.py [SIMULATIONS]

Prints two Markdown tables at a nominal level of .05; the standard error of a cell is .005 at 2,000
simulations. In the first, tasks lie evenly from 0 to 2, and the constant is the statistic of
200,000 runs a task. In the second, scores are 0 or 1, and the constant follows from their rates.
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
RATES = {
    "rate .05": (0.05,) * 4,
    "rate .2": (0.2,) * 4,
    "rate .5": (0.5,) * 4,
    "rate .7": (0.7,) * 4,
    "rate .9": (0.9,) * 4,
    "rate .97": (0.97,) * 4,
    "rates .05, .35, .65, .95": (0.05, 0.35, 0.65, 0.95),
    "rates .3, .9, .9, .9": (0.3, 0.9, 0.9, 0.9),
}


def main(simulations: int) -> None:
    of_numbers(simulations)
    print()
    of_successes(simulations)


def of_numbers(simulations: int) -> None:
    """Print the table of scores that are numbers."""
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


def of_successes(simulations: int) -> None:
    """Print the table of scores that are 0 or 1, whose tasks have rates of their own."""
    print("| scores | runs | 1 task: mean | IQM | 4 tasks: mean | IQM |")
    print("|---|---|---|---|---|---|")
    for name, rates in RATES.items():
        for runs in (5, 10, 30):
            random = np.random.default_rng(runs)
            cells = []
            for tasks in (1, 4):
                if tasks == 1 and len(set(rates)) > 1:
                    cells += ["–", "–"]
                    continue
                mean = float(np.mean(rates))
                constants = {"mean": mean, "iqm": min(max(2 * mean - 0.5, 0.0), 1.0)}
                for statistic, constant in constants.items():
                    wrong = sum(
                        is_told_apart(
                            (random.random((runs, tasks)) < rates[:tasks]).astype(float),
                            constant,
                            statistic,
                        )
                        for _ in range(simulations)
                    )
                    cells.append(f"{wrong / simulations:.3f}"[1:])
            print(f"| {name} | {runs} | {' | '.join(cells)} |", flush=True)


def is_told_apart(scores: NDArray[np.float64], constant: float, statistic: str) -> bool:
    """Say whether an agent with scores (runs, tasks) is said to differ from a constant."""
    found = stats.compare_with_constant({"a": list(scores.T)}, constant, statistic=statistic)
    return found[0].decision != "not separated"


def error_rate(
    draw: Law, tasks: int, runs: int, statistic: str, simulations: int, random: np.random.Generator
) -> float:
    """Return the share of simulations in which an agent is told apart from its own statistic."""
    places = np.linspace(0, 2, tasks)
    many = draw(np.random.default_rng(0), (200_000, tasks)) + places
    constant = getattr(stats, statistic)(list(many.T))
    wrong = 0
    for _ in range(simulations):
        wrong += is_told_apart(draw(random, (runs, tasks)) + places, constant, statistic)
    return wrong / simulations


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
