"""Write how often the default intervals cover, by numbers of tasks and runs: coverage.json.

    python tools/measure_coverage.py [--simulations 10000]
    python tools/measure_coverage.py --docs

A simulation draws N runs on each of T tasks for two agents of one law, the second 1.3 times as
good, makes the nominal 95% intervals of `rao-wu` from 1,000 resamples, as `stats.bootstrap`,
`stats.difference` and `stats.improvement` do, and notes which hold the truth. Simulations in which
there is no interval, since it would have no width, are left out of a cell. The default of 1,400
simulations takes 10 minutes of one core. `--docs` measures nothing: it writes the tables of
docs/coverage.md from the file.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, lognorm

from rlbench.stats.coverage import enough_runs, measured_coverage
from rlbench.stats.intervals import POINTS, ROUNDING, replicates_of, tails_of
from rlbench.stats.kernels import improvements
from rlbench.stats.resampling import keys_of, layout_of

ROOT = Path(__file__).parents[1]
PATH = ROOT / "rlbench/stats/coverage.json"
DOCS = ROOT / "docs/coverage.md"
SHOWN = ("iqm", "mean", "optimality_gap", "difference of iqm", "improvement")
TASKS = (1, 2, 4, 6, 10, 16, 26, 50)
RUNS = (2, 3, 5, 10, 20)
LEVEL = 0.95
RESAMPLES = 1000
POPULATION = 20_000  # runs that stand for infinitely many
NAMES = list(POINTS)
STATISTICS = (*NAMES, *(f"difference of {name}" for name in NAMES), "improvement")
BETTER = 1.3  # how many times as good the second agent is

Floats = NDArray[np.float64]
Law = tuple[Any, Callable[[np.random.Generator, Floats, tuple[int, int]], Floats]]


def draw_gamma(generator: np.random.Generator, levels: Floats, size: tuple[int, int]) -> Floats:
    """Return runs of each task about its level, (runs, tasks)."""
    return generator.gamma(2.0, levels / 2, size)


# Of the levels of tasks, and of runs about their level. In the last, a few tasks count for most.
LAWS: dict[str, Law] = {
    "normal": (gamma(0.7), lambda generator, levels, size: generator.normal(
        levels, 0.3 * levels, size
    )),
    "gamma": (gamma(0.7), draw_gamma),
    "two values": (gamma(0.7), lambda generator, levels, size: (
        levels * np.where(generator.random(size) < 0.3, 2.0, 0.2)
    )),
    "gamma, unequal tasks": (lognorm(1.5), draw_gamma),
}  # fmt: skip


def improvement_of(first: Floats, second: Floats) -> float:
    """Return the probability of improvement of two populations, (runs, tasks) each."""
    shares = []
    for a, b in zip(first.T, np.sort(second, axis=0).T, strict=True):
        below, upto = (np.searchsorted(b, a, side=side) for side in ("left", "right"))
        shares.append((below + upto).mean() / 2 / len(b))
    return float(np.mean(shares))


def truth_of(populations: list[Floats]) -> Floats:
    """Return each of `STATISTICS` of two agents, given by all their runs, (runs, tasks) each."""
    one, two = ([POINTS[name](list(side.T)) for name in NAMES] for side in populations)
    return np.array([*one, *np.subtract(one, two), improvement_of(*populations)])


def simulate(
    populations: list[Floats], truth: Floats, runs: int, simulations: int, seed: int
) -> Floats:
    """Return the share of intervals that hold the truth, (statistics,).

    Args:
        populations: As `truth_of` takes them.
        truth: What it returns.
        runs: To draw a task.
        simulations: How many.
        seed: Of the drawing.
    """
    generator = np.random.default_rng(seed)
    columns = np.arange(populations[0].shape[1])
    made, held = np.zeros(len(truth)), np.zeros(len(truth))
    for simulation in range(simulations):
        sides = [
            list(side[generator.integers(len(side), size=(runs, len(columns))), columns].T)
            for side in populations
        ]
        layouts = layout_of(sides[0], "rao-wu"), layout_of(sides[1], "rao-wu")
        keys = keys_of(simulation, 2)
        a, b = (
            replicates_of([task[:, None] for task in side], NAMES, layout, RESAMPLES, key)[:, 0]
            for side, layout, key in zip(sides, layouts, keys, strict=True)
        )
        chances = improvements(sides[0], sides[1], layouts, keys, RESAMPLES)
        low, high = np.quantile([*a, *(a - b), chances], tails_of(LEVEL), axis=1)
        is_made = high - low > ROUNDING * np.maximum(np.abs(low), np.abs(high))
        made += is_made
        held += is_made & (low <= truth) & (truth <= high)
    return np.asarray(held / np.maximum(made, 1))


def measure(law: str, simulations: int) -> dict[str, list[list[float]]]:
    """Return the coverage under a law by statistic, a row for each number of tasks."""
    of_levels, draw = LAWS[law]
    coverage: dict[str, list[list[float]]] = {name: [] for name in STATISTICS}
    for tasks in TASKS:
        levels = of_levels.ppf((np.arange(tasks) + 0.5) / tasks)
        generator = np.random.default_rng(tasks)
        populations = [
            draw(generator, scale * levels, (POPULATION, tasks)) for scale in (1.0, BETTER)
        ]
        truth = truth_of(populations)
        rows = [simulate(populations, truth, runs, simulations, seed=runs) for runs in RUNS]
        for name, shares in zip(STATISTICS, np.round(rows, 3).T.tolist(), strict=True):
            coverage[name].append(shares)
        print(law, tasks, coverage["iqm"][-1], flush=True)
    return coverage


def write(by_law: dict[str, dict[str, list[list[float]]]], simulations: int) -> None:
    """Write the file."""
    found = {
        "about": f"Measured by tools/measure_coverage.py, {simulations} simulations a cell, "
        f"{RESAMPLES} resamples: the shares of nominal {LEVEL:.0%} intervals of rao-wu that hold "
        "the truth. By statistic and law, a row for each number of tasks, a column for each of "
        "runs.",
        "simulations": simulations,
        "tasks": TASKS,
        "runs": RUNS,
        "coverage": {name: {law: by_law[law][name] for law in by_law} for name in STATISTICS},
    }
    text = json.dumps(found, indent=1)
    # A row of numbers on a line.
    text = re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    PATH.write_text(text + "\n", encoding="utf-8")


def shares_table() -> str:
    """Return the rows of the documentation's table of measured shares, as Markdown."""
    lines = []
    for tasks in TASKS:
        for runs in RUNS:
            ends = (measured_coverage(name, tasks, runs) for name in SHOWN)
            cells = " | ".join(f"{_share(low)} to {_share(high)}" for low, high in ends)
            lines.append(f"| {tasks} | {runs} | {cells} |\n")
    return "".join(lines)


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def enough_table() -> str:
    """Return the rows of the documentation's table of runs that are enough, as Markdown."""
    lines = []
    for tasks in TASKS:
        found = (enough_runs(name, tasks) for name in SHOWN)
        cells = " | ".join(f"{runs} runs" if runs else f"more than {RUNS[-1]}" for runs in found)
        lines.append(f"| {tasks} | {cells} |\n")
    return "".join(lines)


def write_docs() -> None:
    """Write the tables of the documentation from the file."""
    text = DOCS.read_text(encoding="utf-8")
    for heading, rows in (
        ("| tasks | runs | IQM", shares_table()),
        ("| tasks | IQM", enough_table()),
    ):
        begin = text.index("\n", text.index("|---", text.index(heading))) + 1
        end = text.find("\n\n", begin - 1) + 1 or len(text)
        text = text[:begin] + rows + text[end:]
    DOCS.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure every cell and write the file, or write the tables of the documentation from it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1400)
    parser.add_argument("--docs", action="store_true", help="write docs/coverage.md")
    options = parser.parse_args()
    if options.docs:
        write_docs()
        return
    simulations = options.simulations
    write({law: measure(law, simulations) for law in LAWS}, simulations)


if __name__ == "__main__":
    main()
