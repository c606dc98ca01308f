"""What futility saves equal agents, and how much power it costs, by AdaStop.

    python benchmarks/futility.py [--simulations 500] [--published FOLDER]

Each simulation draws the scores of all agents once and compares them with and without futility, so
that the two differ by futility alone. Equal agents: the share of simulations in which any pair was
told apart, and the runs used. One agent better by just the difference that matters: the share in
which it was told apart from the first. Scores are normal, or drawn from files of published scores
(`atari100k.csv`), which are not part of rlbench; without them suites are left out. 1,000
permutations.
"""

import argparse
import os
from pathlib import Path
from typing import Literal, NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["RLBENCH_THREADS"] = "1"

import numpy as np
from adastop_level import Agent
from interval_coverage import PUBLISHED, published

from rlbench.stats import AdaStopResult, adastop

PERMUTATIONS = 1_000


class Cell(NamedTuple):
    """Equal agents, how they are compared, and the difference that matters."""

    agent: Agent
    agents: int
    batch: int
    looks: int
    difference: float
    statistic: Literal["mean", "iqm"] = "mean"


class Found(NamedTuple):
    """What one comparison came to."""

    apart: bool  # the last agent and the first
    any_apart: bool
    used: float  # of the planned runs


def compared(cell: Cell, better: float, generator: np.random.Generator) -> tuple[Found, Found]:
    """Return what comes without and with futility if the last agent is better by so much."""
    size = cell.batch * cell.looks
    names = [f"agent{k}" for k in range(cell.agents)]
    scores = {name: cell.agent.draw(generator, size) for name in names}
    scores[names[-1]] = scores[names[-1]] + better
    found = [
        adastop(
            scores, batch=cell.batch, max_batches=cell.looks, statistic=cell.statistic,
            permutations=PERMUTATIONS, futility=futility,
        )
        for futility in (None, cell.difference)
    ]  # fmt: skip
    plain, futile = (_found(result, names, size) for result in found)
    return plain, futile


def _found(result: AdaStopResult, names: list[str], size: int) -> Found:
    apart = [pair for pair, answer in result.decisions.items() if answer != "not separated"]
    used = sum(result.runs.values()) / (size * len(names))
    return Found((names[0], names[-1]) in apart, bool(apart), used)


def print_cell(cell: Cell, simulations: int) -> None:
    """Print a row of the table."""
    generator = np.random.default_rng(0)
    equal = [compared(cell, 0.0, generator) for _ in range(simulations)]
    better = [compared(cell, cell.difference, generator) for _ in range(simulations)]
    errors = [np.mean([pair[k].any_apart for pair in equal]) for k in (0, 1)]
    used = [np.mean([pair[k].used for pair in equal]) for k in (0, 1)]
    power = [np.mean([pair[k].apart for pair in better]) for k in (0, 1)]
    print(
        f"| {cell.agent.law} | {cell.agents} | {cell.batch} x {cell.looks} | {cell.statistic} "
        f"| {cell.difference:g} | {errors[0]:.3f} | {errors[1]:.3f} | {power[0]:.3f} "
        f"| {power[1]:.3f} | {1 - used[0]:.2f} | {1 - used[1]:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--published", type=Path, default=PUBLISHED)
    given = parser.parse_args()
    print(
        "| scores | agents | batch x looks | statistic | difference | errors | with futility "
        "| power | with futility | saved | with futility |\n|" + "---|" * 11
    )
    normal = Agent("normal")
    for agents in (2, 3, 6):
        for batch, looks, differences in ((5, 5, (0.8, 1.0, 1.2)), (10, 3, (0.8, 1.0))):
            for difference in differences:
                simulations = given.simulations // (2 if agents > 2 else 1)
                print_cell(Cell(normal, agents, batch, looks, difference), simulations)
    populations = published(given.published)
    for name in sorted(populations):
        agent = Agent(name, runs=populations[name])
        for batch, looks in ((5, 2), (4, 5)):
            for difference in (0.05, 0.1):
                cell = Cell(agent, 2, batch, looks, difference, "iqm")
                print_cell(cell, given.simulations // 4)


if __name__ == "__main__":
    main()
