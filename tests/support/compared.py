"""Records of agents that differ in what `rlbench compare` may say of them."""

from collections.abc import Iterator

import numpy as np

from rlbench.results import Record
from support.records import ATARI, make_record

PAPERS = frozenset(
    {"atari100k-means-only.efficientzero", "atari100k-means-only.muzero"}
    | {f"atari100k.{name}" for name in ("spr", "drq-eps", "bbf", "iris")}
)


def runs_of(
    agent: str, mean: float, *, seeds: int = 4, tasks: int = 26, given: tuple[str, ...] = ()
) -> Iterator[Record]:
    generator = np.random.default_rng(sum(map(ord, agent)))
    for task in ATARI.tasks[:tasks]:
        for seed in range(seeds):
            share = generator.normal(mean, 0.2)
            score = np.clip(task.low + share * (task.high - task.low), *task.returns)
            yield make_record(task.name, agent, seed, float(score), given=given)


RECORDS = [
    *runs_of("alpha", 0.50),
    *runs_of("beta", 0.49, seeds=5),
    *runs_of("gamma", 0.20),
    *runs_of("short", 0.60, tasks=20),
    *runs_of("brief", 0.30, seeds=2),
    *runs_of("taught", 0.90, given=("pretraining",)),
    *runs_of("guided", 0.70, given=("pretraining",)),
    *runs_of("together", 0.40, given=("shared_seeds",)),
]
