"""How often intervals cover the truth, by resampling real score files and simulated laws.

    python benchmarks/interval_coverage.py [--simulations 10000] [--published FOLDER]
    python benchmarks/interval_coverage.py --ragged [--simulations 2000]
    python benchmarks/interval_coverage.py --successes [--simulations 2000]

A cell is one source, one method, and N runs a task. The source's runs are taken as the whole
population: its statistic over all of them is the truth. A simulation draws N runs a task from it,
each task by itself, makes the 95 % interval with 1,000 resamples, and notes whether the truth is
inside. The standard error of a cell is at most .005 at 10,000 simulations (.0022 where coverage
is .95). Files of published scores (`atari100k.csv`) are not part of the package; without them
only the simulated laws are measured.

With ``--ragged`` the intervals are of differences of two agents of one law, so that the truth is 0.
One has 10 runs on the half of the tasks with the highest scores and 3 on the others, the other the
reverse. With ``--successes`` scores are 0 or 1; simulations without an interval are left out.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench import suites
from rlbench.errors import InvalidScores
from rlbench.stats import bootstrap, difference
from rlbench.stats.intervals import METHODS, POINTS

PUBLISHED = Path(__file__).parents[2] / "shared/data/published"
AGENTS = ("SPR", "DrQ(eps)", "CURL")
RUNS = (2, 3, 5, 10)
RESAMPLES = 1000
LEVEL = 0.95
Population = NDArray[np.float64]


def published(folder: Path) -> dict[str, Population]:
    """Return normalised scores (runs, tasks) of agents with a hundred runs a game."""
    suite = suites.get("atari100k")
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    path = folder / "atari100k.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["algorithm"] in AGENTS and row["protocol"] == "atari100k":
                scores[row["algorithm"]][row["task"]].append(float(row["score"]))
    return {
        agent: np.stack(
            [suite.normalise(t, np.array(scores[agent][t.name])) for t in suite.tasks], axis=1
        )
        for agent in AGENTS
    }


def simulated() -> dict[str, Population]:
    """Return laws that are known: 20,000 runs each stand for infinitely many."""
    generator = np.random.default_rng(0)
    levels = generator.gamma(0.7, size=26)
    size = (20_000, 26)
    return {
        "normal, 26 tasks": generator.normal(levels, 0.3 * levels, size=size),
        "gamma, 26 tasks": generator.gamma(2.0, levels / 2, size=size),
        "bimodal, 26 tasks": levels * np.where(generator.random(size) < 0.3, 2.0, 0.2),
        "gamma, 6 tasks": generator.gamma(2.0, levels[:6] / 2, size=(20_000, 6)),
    }


def covered(job: tuple[Population, str, int, int, int]) -> NDArray[np.int64]:
    """Return how many of some simulations cover the truth, (statistics,)."""
    population, method, n, simulations, seed = job
    generator = np.random.default_rng(seed)
    truth = {name: statistic(list(population.T)) for name, statistic in POINTS.items()}
    names = list(POINTS)
    hits = np.zeros(len(names), dtype=np.int64)
    columns = np.arange(population.shape[1])
    for simulation in range(simulations):
        picks = generator.integers(len(population), size=(n, len(columns)))
        try:
            estimates = bootstrap(
                population[picks, columns], names, method=method, repetitions=RESAMPLES,
                level=LEVEL, seed=seed + simulation,
            )  # fmt: skip
        except InvalidScores:  # bca of too few distinct scores: no interval covers nothing
            continue
        hits += [estimates[k].low <= truth[k] <= estimates[k].high for k in names]
    return hits


def covered_when_ragged(population: Population, simulations: int) -> NDArray[np.int64]:
    """Return how many intervals of differences hold 0, (statistics,)."""
    generator = np.random.default_rng(0)
    tasks = population.shape[1]
    easy = np.argsort(np.argsort(population.mean(axis=0))) >= tasks // 2
    hits = np.zeros(len(POINTS), dtype=np.int64)
    for simulation in range(simulations):
        agents = [
            [generator.choice(task, size=n) for task, n in zip(population.T, counts, strict=True)]
            for counts in (np.where(easy, 10, 3), np.where(easy, 3, 10))
        ]
        found = [
            difference(*agents, name, repetitions=RESAMPLES, level=LEVEL, seed=simulation)
            for name in POINTS
        ]
        hits += [gap.low <= 0 <= gap.high for gap in found]
    return hits


RATES = {
    "all .5": lambda tasks: np.full(tasks, 0.5),
    "all .9": lambda tasks: np.full(tasks, 0.9),
    ".5 and 1 in turn": lambda tasks: np.where(np.arange(tasks) % 2, 1.0, 0.5),
    ".02 to .98": lambda tasks: np.linspace(0.02, 0.98, tasks) if tasks > 1 else np.array([0.3]),
}


def covered_successes(rates: Population, n: int, simulations: int) -> Population:
    """Return how often intervals of the IQM and the mean hold the truth, where there are any."""
    generator = np.random.default_rng(n)
    rate = rates.mean()
    truth = {"iqm": min(max(2 * rate - 0.5, 0.0), 1.0), "mean": rate}
    expected = np.array(list(truth.values()))
    held, made = np.zeros(2), np.zeros(2)
    for _ in range(simulations):
        found = bootstrap(list((generator.random((n, len(rates))) < rates).T), list(truth))
        ends = np.array([(found[k].low, found[k].high) for k in truth], dtype=float)
        low, high = ends.T  # NaN where there is none
        made += low < high
        held += (low <= expected + 1e-12) & (expected - 1e-12 <= high)
    return held / np.maximum(made, 1)


def methods_for(n: int) -> Sequence[str]:
    return [method for method in METHODS if method != "bca" or n >= 3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--published", type=Path, default=PUBLISHED)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--ragged", action="store_true")
    parser.add_argument("--successes", action="store_true")
    options = parser.parse_args()
    if options.successes:
        print(f"{options.simulations} simulations a cell, nominal {LEVEL}")
        print("\n| rates | tasks | runs | iqm | mean |\n|---|---|---|---|---|")
        for law, tasks, n in product(RATES, (1, 6, 26), RUNS):
            shares = covered_successes(RATES[law](tasks), n, options.simulations)
            cells = " | ".join(f"{share:.3f}" if share else "–" for share in shares)
            print(f"| {law} | {tasks} | {n} | {cells} |", flush=True)
        return
    if options.ragged:
        print(f"{options.simulations} simulations a law, {RESAMPLES} resamples, nominal {LEVEL}")
        print(f"\n| law | {' | '.join(POINTS)} |\n|---|{'---|' * len(POINTS)}")
        for law, population in simulated().items():
            shares = covered_when_ragged(population, options.simulations) / options.simulations
            print(f"| {law} | {' | '.join(f'{s:.3f}' for s in shares)} |", flush=True)
        return
    sources = {**published(options.published), **simulated()}
    print(f"{options.simulations} simulations a cell, {RESAMPLES} resamples, nominal {LEVEL}")
    print(f"\n| source | runs | method | {' | '.join(POINTS)} |")
    print(f"|---|---|---|{'---|' * len(POINTS)}")
    parts = 8
    with Pool() as pool:
        for source, population in sources.items():
            for n in RUNS:
                for method in [m for m in methods_for(n) if m in options.methods]:
                    jobs = [
                        (population, method, n, options.simulations // parts, 10**6 * part + n)
                        for part in range(parts)
                    ]
                    hits = np.sum(pool.map(covered, jobs), axis=0)
                    shares = hits / (options.simulations // parts * parts)
                    cells = " | ".join(f"{share:.3f}" for share in shares)
                    print(f"| {source} | {n} | {method} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
