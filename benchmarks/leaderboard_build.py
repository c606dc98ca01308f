"""How long the leaderboard takes to load, rank and build, and how much memory, as records grow.

Synthetic records, as runs make them, of agents on every suite's board with ten seeds a task; each
size in a process of its own. The limit is 30 s for 10,000 records on two cores.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rlbench import suites
from rlbench.leaderboard import build_site
from rlbench.leaderboard.boards import make_boards
from rlbench.results import AgentId, Evaluation, Identity, Record, Store, Training

SIZES = (1_000, 10_000, 100_000)
SEEDS = 10


def records(number: int) -> Iterator[Record]:
    """Give so many records: agent by agent, suite by suite, task by task, seed by seed."""
    generator = np.random.default_rng(0)
    made = 0
    for agent in range(number):
        for name in suites.names():
            suite = suites.get(name)
            skill = generator.normal(0.5, 0.2)
            for task in suite.tasks:
                protocol = suite.protocol_of(task)
                for seed in range(SEEDS):
                    if made == number:
                        return
                    made += 1
                    share = skill + generator.normal(0.0, 0.2, protocol.episodes)
                    returns = np.round(task.low + share * (task.high - task.low), 1)
                    returns = np.clip(returns, *task.returns)
                    yield Record(
                        identity=Identity(
                            suite=suite.id,
                            task=task.name,
                            constants=suite.constants(task),
                            unofficial={},
                            agent=AgentId(
                                name=f"agent {agent}", version="1", spec="agent.py", config={},
                                source=None, factory="agent:make",
                            ),
                            teacher=None,
                            seed=seed,
                        ),
                        status="ok",
                        error=None,
                        budget_used=protocol.budget,
                        evaluations=(
                            Evaluation(
                                budget_used=protocol.budget,
                                returns=tuple(returns.tolist()),
                                lengths=(1000,) * protocol.episodes,
                                distinct_starts=protocol.episodes,
                            ),
                        ),
                        training=Training(episodes=0, ends=(), returns=()),
                        provenance={"version_python": "3.11", "device": "cpu"},
                        timing={
                            "started": "2026-01-01T00:00:00+00:00",
                            "finished": "2026-01-01T01:00:00+00:00",
                            "seconds": 3600.0,
                        },
                    )  # fmt: skip


def measure(number: int) -> dict[str, float]:
    """Return seconds of loading, ranking and building, and MiB at most, for so many records."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs")
        store.prepare()
        for record in records(number):
            # Not by `write`, which waits for the disk after every record.
            name = f"{record.identity.seed}-{record.identity.key}.json"
            path = store.path.joinpath(*record.identity.folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(record.to_bytes())
        begin = time.perf_counter()
        loaded = store.load()
        assert len(loaded.records) == number, loaded.problems[:1]
        read = time.perf_counter()
        make_boards(loaded.records)
        ranked = time.perf_counter()
        site = build_site(loaded, Path(folder) / "site").parent
        built = time.perf_counter()
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    return {
        "records": number,
        "load": read - begin,
        "rank": ranked - read,
        "build": built - ranked,  # ranks again: a site is built from a store alone
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "site MB": size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--one", type=int, help="measure one size here, and print JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    print(f"{'records':>9} {'load':>8} {'rank':>8} {'build':>8} {'load + build':>13} "
          f"{'a record':>9} {'MiB':>6} {'site MB':>8}")  # fmt: skip
    for size in arguments.sizes:
        command = [sys.executable, __file__, "--one", str(size)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        total = row["load"] + row["build"]
        print(f"{size:9,} {row['load']:7.1f}s {row['rank']:7.1f}s {row['build']:7.1f}s "
              f"{total:12.1f}s {1e3 * total / size:7.2f}ms {row['MiB']:6.0f} "
              f"{row['site MB']:8.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
