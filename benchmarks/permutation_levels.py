"""Level and power of the permutation tests: of raw differences, and of studentised ones.

    python benchmarks/permutation_levels.py [--simulations 2000] [--processes 2]

A simulation draws N runs of every agent on every task, and tests all pairs at a nominal .05 with
399 permutations, once by the difference over its standard deviation over permutations (raw) and
once by the difference over its standard error on each permutation (studentised, what `compare`
does), on the same permutations. Laws are populations of 20,000 runs a task that stand for
infinitely many, so that what is equal is known to be. In cells where no agent is better, a cell
holds the share of simulations in which any pair is separated; else that in which the better agent
is found. The standard error of a share of .05 is .005 at 2,000 simulations, of any at most .011.
399 permutations keep the level exact, as 400 is a multiple of 20, and cost a little power.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", RLBENCH_THREADS="1")

import argparse
from itertools import combinations
from multiprocessing import Pool
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats import iqm
from rlbench.stats.comparisons import holm, step_down
from rlbench.stats.permutation import (
    Sizes,
    errors_over_paths,
    paths_of,
    scales_of,
    statistics_of,
    studentised,
)

RUNS = (2, 3, 5, 10)
PERMUTATIONS = 399
ALPHA = 0.05
POPULATION = 20_000
GAP = 0.07
STATISTICS = ("mean", "iqm")

Floats = NDArray[np.float64]
Population = Floats  # (runs, tasks)


class Cell(NamedTuple):
    """Agents, and whether any pair is the one that should be found."""

    title: str
    agents: tuple[Population, ...]
    better: tuple[int, int] | None = None  # the worse and the better agent


def laws(tasks: int) -> dict[str, Population]:
    """Return laws of one agent with levels that differ by task."""
    generator = np.random.default_rng(0)
    levels = generator.gamma(0.7, size=tasks)
    size = (POPULATION, tasks)
    return {
        "normal": generator.normal(levels, 0.3 * levels, size=size),
        "wide": generator.normal(levels, 0.9 * levels, size=size),
        "gamma": generator.gamma(2.0, levels / 2, size=size),
        "bimodal": levels * np.where(generator.random(size) < 0.3, 2.0, 0.2),
    }


def with_interaction(tasks: int, deviation: float) -> tuple[Population, Population]:
    """Return two agents of the same mean that differ by task."""
    generator = np.random.default_rng(1)
    offsets = generator.normal(0.0, deviation, size=(2, tasks))
    offsets -= offsets.mean(axis=1, keepdims=True)
    first, second = (generator.normal(centre, 0.2, size=(POPULATION, tasks)) for centre in offsets)
    return first, second


def as_good(populations: tuple[Population, ...], statistic: str) -> tuple[Population, ...]:
    """Return populations moved such that all have the statistic of the first."""
    points = [_point(population, statistic) for population in populations]
    return tuple(
        population + (points[0] - point)
        for population, point in zip(populations, points, strict=True)
    )


def scaled(populations: tuple[Population, ...], statistic: str) -> tuple[Population, ...]:
    """Return populations multiplied such that all have the statistic of the first."""
    points = [_point(population, statistic) for population in populations]
    return tuple(
        population * (points[0] / point)
        for population, point in zip(populations, points, strict=True)
    )


def _point(population: Population, statistic: str) -> float:
    return float(population.mean()) if statistic == "mean" else iqm(list(population.T))


def cells(statistic: str) -> list[Cell]:
    """Return the cells of a statistic."""
    found = []
    for tasks in (26, 6):
        one = laws(tasks)
        apart = as_good(with_interaction(tasks, 0.8), statistic)
        alike = as_good(with_interaction(tasks, 0.0), statistic)
        found += [
            Cell(f"{tasks} tasks: one law, gamma, twice", (one["gamma"],) * 2),
            Cell(f"{tasks} tasks: one law, bimodal, twice", (one["bimodal"],) * 2),
            Cell(
                f"{tasks} tasks: equal {statistic}, one with 3 times the deviation",
                as_good((one["normal"], one["wide"]), statistic),
            ),
            Cell(
                f"{tasks} tasks: equal {statistic}, normal and bimodal",
                as_good((one["normal"], one["bimodal"]), statistic),
            ),
            Cell(
                f"{tasks} tasks: equal {statistic}, normal and bimodal, scaled",
                scaled((one["normal"], one["bimodal"]), statistic),
            ),
            Cell(f"{tasks} tasks: equal {statistic}, different by task", apart),
            Cell(f"{tasks} tasks: better by .07, different by task",
                 (apart[0], apart[1] + GAP), (0, 1)),
            Cell(f"{tasks} tasks: better by .07, otherwise alike",
                 (alike[0], alike[1] + GAP), (0, 1)),
        ]  # fmt: skip
    one = laws(26)
    shapes = as_good((one["normal"], one["gamma"], one["bimodal"]), statistic)
    alike = as_good(with_interaction(26, 0.0), statistic)
    noisy = with_interaction(26, 0.0)[0] * 10
    return [
        *found,
        Cell("3 agents: one law, gamma", (one["gamma"],) * 3),
        Cell(f"3 agents: equal {statistic}, normal, gamma and bimodal", shapes),
        Cell(
            "3 agents: better by .07, a third one noisy",
            (alike[0], alike[1] + GAP, noisy), (0, 1),
        ),
    ]  # fmt: skip


def gaps_and_errors(
    scores: list[Floats], pairs: list[tuple[int, int]], sizes: list[Sizes], statistic: str, key: int
) -> tuple[Floats, Floats, Floats]:
    """Return differences on all paths, their errors, (paths, pairs), and scales, (pairs,)."""
    pooled = np.stack([np.concatenate([scores[a], scores[b]]).T.ravel() for a, b in pairs])
    parts = [statistics_of(m, pooled, sizes, statistic) for m in paths_of(sizes, PERMUTATIONS, key)]
    gaps = np.concatenate([gap for gap, _ in parts])
    errors = np.concatenate([error for _, error in parts])
    return gaps, errors_over_paths(gaps, errors), scales_of(pooled)


def separations(job: tuple[Cell, str, int, int, int]) -> Floats:
    """Return how often raw and studentised tests separate, by max-T, then by Holm, (4,)."""
    cell, statistic, n, simulations, seed = job
    generator = np.random.default_rng(seed)
    tasks = cell.agents[0].shape[1]
    sizes = [(n, n)] * tasks
    pairs = list(combinations(range(len(cell.agents)), 2))
    columns = np.arange(tasks)
    counts = np.zeros(4)

    def p_values(scores: list[Floats], chosen: list[tuple[int, int]], key: int) -> list[Floats]:
        gaps, errors, scales = gaps_and_errors(scores, chosen, sizes, statistic, key)
        raw = errors_over_paths(gaps, None)
        return [step_down(studentised(gaps, error, scales)) for error in (raw, errors)]

    for _ in range(simulations):
        scores = [
            agent[generator.integers(len(agent), size=(n, tasks)), columns] for agent in cell.agents
        ]
        key = int(generator.integers(2**62))
        together = p_values(scores, pairs, key)
        if len(pairs) > 1:
            alone = [p_values(scores, [pair], key + k) for k, pair in enumerate(pairs)]
            together += [holm([float(p[how][0]) for p in alone]) for how in (0, 1)]
        for how, values in enumerate(together):
            separated = values <= ALPHA
            if cell.better is None:
                counts[how] += separated.any()
            else:
                a, b = cell.better
                right = _difference(scores[b], scores[a], statistic) > 0
                counts[how] += separated[pairs.index((a, b))] and right
    return counts


def _difference(x: Floats, y: Floats, statistic: str) -> float:
    return _point(x, statistic) - _point(y, statistic)


def shown(cell: Cell, counts: Floats, simulations: int) -> str:
    shares = [f"{share:.3f}" for share in counts / simulations]
    return " | ".join(shares if len(cell.agents) > 2 else [*shares[:2], "–", "–"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=None)
    options = parser.parse_args()
    parts: int = 10
    each = options.simulations // parts
    print(f"{each * parts} simulations a cell, {PERMUTATIONS} permutations, nominal {ALPHA}")
    with Pool(options.processes) as pool:
        for statistic in STATISTICS:
            print(
                f"\n## {statistic}\n\n| agents | runs a task | raw, max-T | studentised, max-T ",
                end="",
            )
            print("| raw, Holm | studentised, Holm |\n|---|---|---|---|---|---|", flush=True)
            for number, cell in enumerate(cells(statistic)):
                for n in RUNS:
                    jobs = [
                        (cell, statistic, n, each, 10**6 * number + 100 * part + n)
                        for part in range(parts)
                    ]
                    total = np.sum(pool.map(separations, jobs, chunksize=1), axis=0)
                    text = shown(cell, total, each * parts)
                    print(f"| {cell.title} | {n} | {text} |", flush=True)


if __name__ == "__main__":
    main()
