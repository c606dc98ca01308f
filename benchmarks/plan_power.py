"""The power that a plan promises, and the power that `compare` then has.

    python benchmarks/plan_power.py [--simulations 300] [--pilots 200] [--processes 1]

Two agents have one law, but the second is better by the same amount on every task. That amount is
such that a normal test would find it with power .8 at 5 runs a task, or at 15, given the variance
of the statistic in the population. Populations of 20,000 runs a task stand for infinitely many.

First table: for each number of runs, the power that `stats.plan` promises from pilots of 5 runs
with the true difference given, as the mean over pilots and the range of the middle 80%; then how
often `compare` finds the better agent in fresh runs, and how often its test alone (p at most .05)
tells the two apart.

Second table: for each pilot, `stats.runs_needed` for power .8, once with the true difference given
and once with that of the pilot. Each pilot is followed by one fresh experiment with that number of
runs, so the power there is the share of pilots after which `compare` finds the better agent.
Pilots that ask for more than 100 runs are counted, and not followed.

Tests take 399 permutations and intervals 500 resamples. The standard error of a share is at most
.029 with 300 simulations and .036 with 200 pilots.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", RLBENCH_THREADS="1")

import argparse
from collections.abc import Iterator
from multiprocessing import Pool
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats import plan, runs_needed
from rlbench.stats.comparisons import TestStatistic, separate
from rlbench.stats.intervals import replicates_of
from rlbench.stats.resampling import layout_of

ALPHA = 0.05
POWER = 0.8
PERMUTATIONS = 399
RESAMPLES = 500
RUNS = (3, 5, 10, 20)
AIMED = (5, 15)  # runs a task at which a normal test would have the power
PILOT = 5
PILOTS = (3, 5)  # runs a task of the pilots of the second table
MOST = 100  # runs a task of a fresh experiment
POPULATION = 20_000
STATISTICS: tuple[TestStatistic, ...] = ("mean", "iqm")

Floats = NDArray[np.float64]


class Case(NamedTuple):
    """Two agents, of which the second is better.

    Attributes:
        title: Of their law.
        statistic: What is compared.
        aimed: Runs a task at which a normal test would find the difference with power .8.
        gap: The true difference.
        agents: (runs, tasks) each.
    """

    title: str
    statistic: TestStatistic
    aimed: int
    gap: float
    agents: tuple[Floats, Floats]


def laws(tasks: int) -> dict[str, tuple[Floats, Floats]]:
    """Return by name two agents of equal mean and IQM, before one of them is made better."""
    generator = np.random.default_rng(0)
    levels = generator.gamma(0.7, size=tasks)
    size = (POPULATION, tasks)
    alike = {
        "normal": generator.normal(levels, 0.3 * levels, size=size),
        "gamma": generator.gamma(2.0, levels / 2, size=size),
        "bimodal": levels * np.where(generator.random(size) < 0.3, 2.0, 0.2),
    }
    found = {name: (scores, scores) for name, scores in alike.items()}
    if tasks > 1:
        # The second has the levels of the first in another order: they differ by task.
        normal = generator.normal(0.0, 0.2, size=size)
        offsets = generator.normal(0.0, 0.8, size=tasks)
        found["different by task"] = normal + offsets, normal + offsets[::-1]
    return found


def cases(statistic: TestStatistic) -> Iterator[Case]:
    """Return the cases of a statistic."""
    for tasks in (26, 6, 1):
        for name, (first, second) in laws(tasks).items():
            for aimed in AIMED:
                gap = 2.8 * (2 * _variance(first, statistic, aimed)) ** 0.5
                title = f"{tasks} task{'s' * (tasks > 1)}: {name}"
                yield Case(title, statistic, aimed, gap, (first, second + gap))


def _variance(population: Floats, statistic: str, runs: int) -> float:
    """Return the variance of a statistic, given the number of runs per task."""
    generator = np.random.default_rng(1)
    drawn = _drawn(population, 200, generator)
    layout = layout_of(list(drawn.T), "rao-wu")
    columns = [task[:, None] for task in drawn.T]
    return float(np.var(replicates_of(columns, [statistic], layout, 4_000, 0))) * 200 / runs


def _drawn(population: Floats, runs: int, generator: np.random.Generator) -> Floats:
    size = (runs, population.shape[1])
    return population[
        generator.integers(len(population), size=size), np.arange(population.shape[1])
    ]


def _agents(case: Case, runs: int, generator: np.random.Generator) -> dict[str, list[Floats]]:
    return {
        name: list(_drawn(agent, runs, generator).T)
        for name, agent in zip("ab", case.agents, strict=True)
    }


def _found(case: Case, runs: int, generator: np.random.Generator) -> tuple[bool, bool]:
    """Say whether `compare` finds the better agent, and whether its test tells the two apart."""
    (found,) = separate(
        _agents(case, runs, generator), case.statistic, alpha=ALPHA, permutations=PERMUTATIONS,
        repetitions=RESAMPLES, seed=int(generator.integers(2**31)),
    ).values()  # fmt: skip
    return found.decision == "smaller", found.p_value <= ALPHA


def powers(job: tuple[Case, int, int, int]) -> str:
    """Return the rows of a case in the first table."""
    case, simulations, pilots, seed = job
    generator = np.random.default_rng(seed)
    promised = np.array(
        [
            [
                row.power
                for row in plan(
                    _agents(case, PILOT, generator), runs=RUNS, statistic=case.statistic,
                    difference=case.gap, repetitions=RESAMPLES, seed=k,
                )
            ]
            for k in range(pilots)
        ]
    )  # fmt: skip
    low, high = np.quantile(promised, (0.1, 0.9), axis=0)
    lines = []
    for place, runs in enumerate(RUNS):
        found = np.mean([_found(case, runs, generator) for _ in range(simulations)], axis=0)
        lines.append(
            f"| {case.title} | {case.gap:.3f} | {runs} | {promised[:, place].mean():.3f} "
            f"({low[place]:.2f} to {high[place]:.2f}) | {found[0]:.3f} | {found[1]:.3f} |"
        )
    return "\n".join(lines)


def recommended(job: tuple[Case, int, int, int]) -> str:
    """Return the rows of a case in the second table."""
    case, _, pilots, seed = job
    generator = np.random.default_rng(seed)
    lines = []
    for pilot in PILOTS:
        for named in (True, False):
            asked, found = [], []
            for k in range(pilots):
                (needed,) = runs_needed(
                    _agents(case, pilot, generator), power=POWER, statistic=case.statistic,
                    difference=case.gap if named else None, repetitions=RESAMPLES, seed=k,
                ).values()  # fmt: skip
                runs = needed.runs
                asked.append(np.inf if runs is None else runs)
                if runs is not None and runs <= MOST:
                    found.append(_found(case, runs, generator)[0])
            low, middle, high = np.quantile(asked, (0.1, 0.5, 0.9), method="nearest")
            more = 1 - len(found) / pilots
            lines.append(
                f"| {case.title} | {case.gap:.3f} | {pilot} | {'true' if named else 'seen'} "
                f"| {_count(middle)} ({_count(low)} to {_count(high)}) "
                f"| {np.mean(found):.3f} | {more:.3f} |"
            )
    return "\n".join(lines)


def _count(runs: float) -> str:
    return f"{runs:.0f}" if runs <= MOST else f"> {MOST}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=300)
    parser.add_argument("--pilots", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    print(f"{options.simulations} simulations and {options.pilots} pilots a cell, nominal {ALPHA}")
    with Pool(options.processes) as pool:
        for statistic in STATISTICS:
            jobs = [
                (case, options.simulations, options.pilots, 1_000 * number)
                for number, case in enumerate(cases(statistic))
            ]
            print(
                f"\n## {statistic}\n\n| agents | difference | runs a task | promised "
                "| better | told apart |\n|---|---|---|---|---|---|"
            )
            for text in pool.imap(powers, jobs):
                print(text, flush=True)
            print(
                "\n| agents | difference | runs of the pilot | planned with | runs asked for "
                "| better | asked for more than 100 |\n|---|---|---|---|---|---|---|"
            )
            near = [(case, *rest) for case, *rest in jobs if case.aimed == AIMED[0]]
            for text in pool.imap(recommended, near):
                print(text, flush=True)


if __name__ == "__main__":
    main()
