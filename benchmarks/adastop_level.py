"""How often AdaStop and betting err, how often they find a difference, and the runs they save.

    make bench-adastop
    python benchmarks/adastop_level.py [--simulations 10000] [--published FOLDER]

A simulation draws the scores of all agents, runs a sequential comparison on them to its end, and
notes which pairs were told apart, and after how many runs. Beside AdaStop (2,000 permutations)
stand betting, which looks when AdaStop looks and bets on one run at a time, and on one task the
released package adastop 0.1.3 (as many permutations, at most three agents), on as many of the same
simulations as the table says. The package runs in an environment of its own (`.venv-peers`), in
processes that this one asks; without it, it is left out. Scores are drawn from laws, and for suites
from files of published scores (`atari100k.csv`), which are not part of rlbench; without them suites
are left out. There every run of every task is drawn by itself.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import IO, Literal, NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["RLBENCH_THREADS"] = "1"

import numpy as np
from numpy.typing import NDArray

PEER = Path(__file__).parents[1] / ".venv-peers/bin/python"
PERMUTATIONS = 2_000
ALPHA = 0.05
PARTS = 10
FEWER = 2  # times fewer simulations where there are six agents
SUITE_FEWER = 5  # and on suites
# The package is slow: it gets these laws and numbers of agents.
PACKAGED = {("normal", 2), ("normal", 3), ("tied", 2)}
OURS, SEEDS, BETTING, PACKAGE = "AdaStop", "AdaStop, a score a seed", "betting", "adastop 0.1.3"
MEASURES = ("family-wise error", "wrong direction", "pairs found", "all found", "runs used")

Floats = NDArray[np.float64]
Scores = dict[str, Floats]
Decisions = dict[tuple[str, str], str]

LAWS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda generator, size: generator.normal(size=size),
    "Student t, 2 df": lambda generator, size: generator.standard_t(2, size=size),
    "bimodal": lambda generator, size: (
        generator.choice([-0.95, 0.95], size=size) + generator.normal(0.0, 0.3, size=size)
    ),
    "tied": lambda generator, size: generator.poisson(1.0, size=size).astype(np.float64),
    "exponential": lambda generator, size: generator.exponential(size=size) - 1,
}


class Agent(NamedTuple):
    """Where an agent's scores come from: a law, or the runs of an agent (runs, tasks)."""

    law: str
    shift: float = 0.0
    scale: float = 1.0
    runs: Floats | None = None

    def draw(self, generator: np.random.Generator, size: int) -> Floats:
        if self.runs is None:
            return self.shift + self.scale * LAWS[self.law](generator, size)
        tasks = np.arange(self.runs.shape[1])
        return self.runs[generator.integers(len(self.runs), size=(size, len(tasks))), tasks]

    def truth(self, statistic: str) -> float:
        """Return what comparisons are about; the laws' own means are all the same."""
        from rlbench.stats.intervals import POINTS

        return self.shift if self.runs is None else POINTS[statistic](self.runs)


class Cell(NamedTuple):
    """Agents, and how they are compared."""

    title: str
    agents: tuple[Agent, ...]
    batch: int
    looks: int
    statistic: Literal["mean", "iqm"] = "mean"

    def suite(self) -> bool:
        return self.agents[0].runs is not None


class Job(NamedTuple):
    """Some simulations of a cell; how many of them each test gets."""

    cell: Cell
    simulations: dict[str, int]
    seed: tuple[int, int]


def one_task() -> Iterator[Cell]:
    """Yield equal agents, and agents of which the last is different."""
    kinds = [(f"equal, {law}", Agent(law), Agent(law)) for law in list(LAWS)[:4]]
    kinds += [
        (f"last one shifted by {shift}, {law}", Agent(law), Agent(law, shift))
        for law, shift in [("normal", 1), *((law, 2) for law in list(LAWS)[:4])]
    ]
    yield from cells_of(kinds)


def outside() -> Iterator[Cell]:
    """Yield agents of equal means that are not exchangeable."""
    yield from cells_of(
        [
            ("last one with sd 3, normal", Agent("normal"), Agent("normal", scale=3.0)),
            (
                "last one mirrored, exponential",
                Agent("exponential"),
                Agent("exponential", scale=-1.0),
            ),
        ]
    )


def cells_of(kinds: list[tuple[str, Agent, Agent]]) -> Iterator[Cell]:
    for title, agent, last in kinds:
        for number in (2, 3, 6):
            for batch, looks in ((5, 5), (3, 4)):
                yield Cell(title, (agent,) * (number - 1) + (last,), batch, looks)


def suites(populations: Mapping[str, Floats]) -> Iterator[Cell]:
    """Yield agents whose runs are drawn from published scores."""
    agents = {name: Agent(name, runs=runs) for name, runs in populations.items()}
    spr, drq = agents["SPR"], agents["DrQ(eps)"]
    kinds = [
        ("SPR twice", (spr, spr)),
        ("SPR three times", (spr, spr, spr)),
        ("SPR twice, DrQ(eps)", (spr, spr, drq)),
        ("SPR, DrQ(eps)", (spr, drq)),
    ]
    statistics: tuple[Literal["mean", "iqm"], ...] = ("mean", "iqm")
    for title, chosen in kinds:
        for statistic in statistics:
            for batch, looks in ((1, 5), (3, 1), (5, 2)):
                yield Cell(f"{title}, {statistic}", chosen, batch, looks, statistic)


def measured(job: Job) -> dict[str, Floats]:
    """Return, of each test, the sums of `MEASURES` over its simulations."""
    cell = job.cell
    generator = np.random.default_rng(job.seed)
    size = cell.batch * cell.looks
    truth = {f"agent {k}": agent.truth(cell.statistic) for k, agent in enumerate(cell.agents)}
    sums = {test: np.zeros(len(MEASURES)) for test in job.simulations}
    for simulation in range(max(job.simulations.values())):
        scores = {
            name: agent.draw(generator, size)
            for name, agent in zip(truth, cell.agents, strict=True)
        }
        seed = int(generator.integers(2**31))
        for test, number in job.simulations.items():
            if simulation < number:
                decisions, runs = TESTS[test](scores, cell, seed)
                sums[test] += judged(decisions, runs, truth, size)
    return sums


def judged(
    decisions: Decisions, runs: Mapping[str, int], truth: Mapping[str, float], size: int
) -> Floats:
    """Return `MEASURES` of one simulation."""
    false = wrong = right = different = 0
    for (a, b), decision in decisions.items():
        found = {"larger": 1, "smaller": -1}.get(decision, 0)
        sign = np.sign(truth[a] - truth[b])
        different += sign != 0
        false += found != 0 and sign == 0
        wrong += found * sign < 0
        right += found * sign > 0
    used = sum(runs.values()) / len(runs) / size
    return np.array(
        [false > 0, wrong > 0, right / max(different, 1), right == different, used], dtype=float
    )


def by_adastop(
    scores: Scores, cell: Cell, seed: int, per_seed: bool = False
) -> tuple[Decisions, Mapping[str, int]]:
    from rlbench.stats import adastop

    # All scores are given at once: it looks at each batch in turn, as long as it needs it.
    found = adastop(
        scores, batch=cell.batch, max_batches=cell.looks, alpha=ALPHA, statistic=cell.statistic,
        permutations=PERMUTATIONS, seed=seed, per_seed=per_seed,
    )  # fmt: skip
    return dict(found.decisions), found.runs


def by_seeds(scores: Scores, cell: Cell, seed: int) -> tuple[Decisions, Mapping[str, int]]:
    return by_adastop(scores, cell, seed, per_seed=True)


def by_betting(scores: Scores, cell: Cell, seed: int) -> tuple[Decisions, Mapping[str, int]]:
    from rlbench.stats import betting

    runs = dict.fromkeys(scores, 0)
    decisions: Decisions = {}
    for look in range(1, cell.looks + 1):
        undecided = [pair for pair, decision in decisions.items() if decision == "undecided"]
        if decisions and not undecided:
            break
        needed = {agent for pair in undecided for agent in pair} or set(scores)
        runs.update(dict.fromkeys(needed, look * cell.batch))
        decisions = dict(betting({a: scores[a][: runs[a]] for a in scores}, alpha=ALPHA).decisions)
    return decisions, runs


def by_package(scores: Scores, cell: Cell, seed: int) -> tuple[Decisions, Mapping[str, int]]:
    asked, answers = peer()
    lists = {agent: values.tolist() for agent, values in scores.items()}
    asked.write(json.dumps([lists, cell.batch, cell.looks, seed]) + "\n")
    asked.flush()
    decisions, runs = json.loads(answers.readline())
    return {(a, b): decision for a, b, decision in decisions}, runs


@cache
def peer() -> tuple[IO[str], IO[str]]:
    """Start the package in a process of its own, one for each of ours."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [str(PEER), __file__, "--serve"], stdin=pipe, stdout=pipe, text=True, bufsize=1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def serve() -> None:
    """Be the peer: answer each line (scores, batch, looks, seed) with decisions and runs."""
    from adastop import MultipleAgentsComparator

    for line in sys.stdin:
        scores, batch, looks, seed = json.loads(line)
        names = list(scores)
        comparator = MultipleAgentsComparator(
            n=batch, K=looks, B=PERMUTATIONS, alpha=ALPHA, seed=seed
        )
        runs = dict.fromkeys(names, 0)
        live = list(combinations(range(len(names)), 2))
        for look in range(1, looks + 1):
            runs.update({names[k]: look * batch for pair in live for k in pair})
            so_far = {name: np.array(values[: look * batch]) for name, values in scores.items()}
            comparator.partial_compare(so_far, verbose=False)
            live = [tuple(pair) for pair in comparator.current_comparisons]
            if comparator.is_finished:
                break
        decisions = [
            [names[a], names[b], comparator.decisions[str(np.array([a, b]))]]
            for a, b in combinations(range(len(names)), 2)
        ]
        print(json.dumps([decisions, runs]), flush=True)


TESTS = {OURS: by_adastop, SEEDS: by_seeds, BETTING: by_betting, PACKAGE: by_package}


def simulations_of(cell: Cell, options: argparse.Namespace) -> dict[str, int]:
    """Return how many simulations each test gets in a cell."""
    if cell.suite():
        number = options.simulations // SUITE_FEWER
        return {OURS: number, SEEDS: number, BETTING: min(number, options.betting)}
    number = options.simulations // (FEWER if len(cell.agents) == 6 else 1)
    numbers = {OURS: number, BETTING: min(number, options.betting)}
    packaged = (cell.agents[0].law, len(cell.agents)) in PACKAGED and cell.batch == 5
    if packaged and PEER.exists():
        numbers[PACKAGE] = min(number, options.package)
    return numbers


def rows(cell: Cell, sums: Mapping[str, Floats], numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield a row of the table a test."""
    truths = [agent.truth(cell.statistic) for agent in cell.agents]
    some_equal = len(set(truths)) < len(truths)
    some_differ = len(set(truths)) > 1
    shown = [some_equal, some_differ, some_differ, some_differ, True]
    for test, number in numbers.items():
        values = sums[test] / number
        cells = [f"{v:.3f}" if show else "–" for v, show in zip(values, shown, strict=True)]
        what = f"{cell.title} | {len(cell.agents)} | {cell.batch} x {cell.looks}"
        yield f"| {what} | {test} | {number} | {' | '.join(cells)} |"


def main() -> None:
    from multiprocessing import Pool

    from interval_coverage import PUBLISHED, published

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--betting", type=int, default=2_000, help="simulations that betting gets")
    parser.add_argument("--package", type=int, default=500, help="simulations the package gets")
    parser.add_argument("--published", type=Path, default=PUBLISHED)
    options = parser.parse_args()
    populations = published(options.published)
    tables = {
        "One task": list(one_task()),
        "Equal means outside the guarantee": list(outside()),
        "A suite of 26 tasks, from published scores": list(
            suites(populations) if populations else ()
        ),
    }
    print(f"alpha {ALPHA}, {PERMUTATIONS} permutations")
    if not PEER.exists():
        print(f"the package is left out: there is no {PEER} (make bench-adastop makes it)")
    number = 0
    with Pool() as pool:
        for title, cells in tables.items():
            print(
                f"\n## {title}\n\n| agents' scores | agents | batch x looks | test | simulations ",
                end="",
            )
            print(f"| {' | '.join(MEASURES)} |\n|{'---|' * (5 + len(MEASURES))}", flush=True)
            for cell in cells:
                number += 1
                numbers = simulations_of(cell, options)
                each = {test: n // PARTS for test, n in numbers.items() if n >= PARTS}
                jobs = [Job(cell, each, (number, part)) for part in range(PARTS)]
                parts = pool.map(measured, jobs, chunksize=1)
                sums = {test: np.sum([part[test] for part in parts], axis=0) for test in each}
                totals = {test: n * PARTS for test, n in each.items()}
                for row in rows(cell, sums, totals):
                    print(row, flush=True)


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
