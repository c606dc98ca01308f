"""How often whole comparisons err, and the runs that they save, with runs that are made up.

    python benchmarks/sequential.py [--repetitions 2000]

Each repetition goes the way of `rlbench compare --run`: a plan of 5 batches of 5 seeds, level .05,
the records of the batch that is asked for (with normal scores, instead of runs), the standing of
the comparison from the records, and so on until all pairs are decided. The suite has two tasks of
CartPole. The plan, the seeds, the records' keys and the test are the real ones.
"""

import argparse
import os
from collections.abc import Sequence

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["RLBENCH_THREADS"] = "1"

import numpy as np

from rlbench.api.entrants import Entrant, Entrants, resolve_entrants
from rlbench.api.sequential import plan_of, standing
from rlbench.results import Evaluation, Record, Training, identities
from rlbench.suites.toml_files import parse

SUITE = """
name = "made-up"
version = 1
protocol = {budget = 10, episodes = 1, eval_envs = 1, max_episode_steps = 10}
tasks = [
  {id = "CartPole-v1", name = "one", low = 0, high = 1},
  {id = "CartPole-v1", name = "two", low = 0, high = 1},
]
"""
BATCH, BATCHES, DIFFERENCE = 5, 5, 0.7


def made_up(
    entrants: Entrants,
    label: str,
    seeds: Sequence[int],
    mean: float,
    generator: np.random.Generator,
) -> list[Record]:
    """Return records of an agent with scores about a mean."""
    suite = entrants.suite
    found = []
    for identity in identities(suite, entrants.tasks, entrants.agents[label].id, seeds):
        score = float(generator.normal(mean))
        evaluation = Evaluation(budget_used=10, returns=(score,), lengths=(10,), distinct_starts=1)
        found.append(
            Record(
                identity=identity,
                status="ok",
                error=None,
                budget_used=10,
                evaluations=(evaluation,),
                training=Training(episodes=0, ends=(), returns=()),
                replay=None,
                engine=None,
                provenance={},
                timing={"seconds": 1.0},
            )
        )
    return found


def compared(
    entrants: Entrants, best: float, futility: float | None, generator: np.random.Generator
) -> tuple[bool, bool, float]:
    """Return whether the last agent was found better, any equal pair told apart, and runs needed.

    Runs are a share of those that were planned.
    """
    plan = plan_of(
        entrants, statistic="mean", alpha=0.05, batch=BATCH, max_batches=BATCHES, futility=futility
    )
    labels, records = list(entrants.agents), list[Record]()
    while (at := standing(plan, entrants, records)).needed:
        for label in at.needed:
            mean = best if label == labels[-1] else 0.0
            records += made_up(entrants, label, plan.seeds(at.next_batch), mean, generator)
    assert at.result is not None
    apart = [pair for pair, answer in at.result.decisions.items() if answer != "not separated"]
    false = [pair for pair in apart if not (best and labels[-1] in pair)]
    share = len(records) / (len(labels) * BATCH * BATCHES * len(entrants.tasks))
    return (labels[0], labels[-1]) in apart, bool(false), share


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    given = parser.parse_args()
    suite = parse(SUITE, "made up")
    print("| agents | last one better by | futility | found | false separations | runs saved |")
    print("|" + "---|" * 6)
    for number in (2, 3):
        named = [Entrant(f"agent {k}", "random", {}) for k in range(number)]
        entrants = resolve_entrants(suite, suite.tasks, named)
        for best in (0.0, DIFFERENCE):
            for futility in (None, DIFFERENCE):
                generator = np.random.default_rng(0)
                found = [
                    compared(entrants, best, futility, generator) for _ in range(given.repetitions)
                ]
                right, false, share = np.mean(found, axis=0)
                print(
                    f"| {number} | {best:g} | {'–' if futility is None else futility} "
                    f"| {right if best else 0:.3f} | {false:.3f} | {1 - share:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
