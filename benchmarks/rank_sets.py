"""How often rank sets and pairwise decisions are wrong, where no agent is better than another.

    python benchmarks/rank_sets.py [--simulations 2000] [--published FOLDER] [--processes 2]

All agents of a scenario have the same IQM, so that every pair that is separated is an error; the
family-wise error is the share of simulations with any. Agents have the same distribution (the
published runs of one agent), or different ones, scaled or moved to the same IQM. Rank sets
separate a pair where two tests do: the step-down permutation test, which promises nothing for
different distributions, and maximal t statistics of the N - 1 bootstrap. Beside them each alone,
and maximal t statistics of the plain bootstrap. Nominal .05; the standard error of a cell is .005
at 2,000 simulations.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", RLBENCH_THREADS="1")

import argparse
from itertools import combinations
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from interval_coverage import PUBLISHED, Population, published, simulated

from rlbench.stats import iqm
from rlbench.stats.comparisons import p_values_of
from rlbench.stats.simultaneous import max_t

RUNS = (2, 3, 5, 10)
PERMUTATIONS = 2_000
ALPHA = 0.05
METHODS = ("rank sets: both", "permutation", "max-t, rao-wu", "max-t, percentile")
Agents = dict[str, Population]


def scaled(populations: Agents) -> Agents:
    """Return populations multiplied such that all have the IQM of the first."""
    target = iqm(list(next(iter(populations.values())).T))
    return {name: runs * (target / iqm(list(runs.T))) for name, runs in populations.items()}


def moved(populations: Agents) -> Agents:
    """Return populations moved such that all have the IQM of the first."""
    target = iqm(list(next(iter(populations.values())).T))
    return {name: runs + (target - iqm(list(runs.T))) for name, runs in populations.items()}


def scenarios(folder: Path) -> dict[str, Agents]:
    laws = simulated()
    normal, gamma, bimodal = (laws[f"{name}, 26 tasks"] for name in ("normal", "gamma", "bimodal"))
    generator = np.random.default_rng(1)
    few = {
        f"sd {sd}": generator.normal(np.arange(6) / 6, sd, size=(20_000, 6))
        for sd in (0.1, 0.2, 0.4, 0.8, 1.6)
    }
    found = {
        "5 times normal, sd .1 to 1.6, 6 tasks": moved(few),
        "3 times one law, gamma": dict.fromkeys("abc", gamma),
        "3 laws: normal, gamma, bimodal": scaled({"n": normal, "g": gamma, "b": bimodal}),
    }
    files = published(folder)
    if files:
        spr = files["SPR"]
        found |= {
            "3 times SPR": dict.fromkeys("abc", spr),
            "6 times SPR": dict.fromkeys("abcdef", spr),
            "SPR, DrQ(eps), CURL": scaled(files),
        }
    return found


def wrong(job: tuple[Agents, int, int, int]) -> np.ndarray:
    """Return how many simulations separate any pair, (methods,)."""
    populations, n, simulations, seed = job
    generator = np.random.default_rng(seed)
    errors = np.zeros(len(METHODS))
    columns = np.arange(next(iter(populations.values())).shape[1])
    pairs = list(combinations(populations, 2))
    for simulation in range(simulations):
        agents = {
            name: list(runs[generator.integers(len(runs), size=(n, len(columns))), columns].T)
            for name, runs in populations.items()
        }
        number = seed + simulation
        p_values, _ = p_values_of(agents, pairs, "iqm", None, PERMUTATIONS, number)
        permuted = p_values <= ALPHA
        ours, plain = (
            max_t(agents, pairs, "iqm", alpha=ALPHA, method=how, repetitions=1_000, seed=number)
            for how in ("rao-wu", "percentile")
        )
        errors += [found.any() for found in (permuted & ours.sure, permuted, ours.sure, plain.sure)]
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--published", type=Path, default=PUBLISHED)
    parser.add_argument("--processes", type=int, default=None)
    options = parser.parse_args()
    print(f"{options.simulations} simulations a cell, {PERMUTATIONS} permutations, nominal {ALPHA}")
    print(f"\n| scenario | runs a task | {' | '.join(METHODS)} |")
    print(f"|---|---|{'---|' * len(METHODS)}")
    parts = 8
    with Pool(options.processes) as pool:
        for title, agents in scenarios(options.published).items():
            for n in RUNS:
                jobs = [
                    (agents, n, options.simulations // parts, 10**6 * p + n) for p in range(parts)
                ]
                total = np.sum(pool.map(wrong, jobs), axis=0)
                shares = total / (options.simulations // parts * parts)
                cells = " | ".join(f"{share:.3f}" for share in shares)
                print(f"| {title} | {n} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
