"""How long the leaderboard takes to load, rank and build, and how much memory, as records grow.

Synthetic records, as runs make them, of agents on every suite's board with ten seeds a task; each
size in a process of its own. Then so many agents in one pool are ranked, with 26 tasks and five
runs a task. Limits, on two idle cores: 25 s to load 10,000 records and build their site, and 60 s
to rank 400 agents. Processor time is printed too, since it says more where other programs run.
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
from rlbench.stats import rank_sets

SIZES = (1_000, 10_000, 100_000)
SEEDS = 10
POOLS = (40, 400)  # agents
POOL_TASKS, POOL_RUNS = 26, 5
LIMITS = {10_000: 25.0}  # s, by records
POOL_LIMITS = {400: 60.0}  # s, by agents


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
        begin, used = time.perf_counter(), time.process_time()
        loaded = store.load()
        assert len(loaded.records) == number, loaded.problems[:1]
        read, loading = time.perf_counter(), time.process_time() - used
        make_boards(loaded.records)
        ranked, used = time.perf_counter(), time.process_time()
        site = build_site(loaded, Path(folder) / "site").parent
        built, building = time.perf_counter(), time.process_time() - used
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    return {
        "records": number,
        "load": read - begin,
        "rank": ranked - read,
        "cpu": loading + building,
        "build": built - ranked,  # ranks again: a site is built from a store alone
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "site MB": size / 1e6,
    }


def measure_pool(number: int) -> dict[str, float]:
    """Return the seconds and the MiB at most of ranking so many agents in one pool."""
    generator = np.random.default_rng(0)
    shape = (POOL_RUNS, POOL_TASKS)
    scores = {
        f"agent {agent}": generator.normal(generator.normal(0.5, 0.2), 0.2, shape)
        for agent in range(number)
    }
    rank_sets(scores, permutations=100, repetitions=100)  # what is compiled is compiled now
    begin, used = time.perf_counter(), time.process_time()
    rank_sets(scores)
    return {
        "agents": number,
        "rank": time.perf_counter() - begin,
        "cpu": time.process_time() - used,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _in_a_process(what: str, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, what, str(size)]
    found: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return found


def _of_limit(seconds: float, limit: float | None) -> str:
    return f"{seconds / limit:6.2f}" if limit else "     –"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--one", type=int, help="measure one size here, and print JSON")
    parser.add_argument("--pool", type=int, help="rank one pool here, and print JSON")
    parser.add_argument("--pools", type=int, nargs="*", default=list(POOLS), help="sizes of pools")
    arguments = parser.parse_args()
    if arguments.pool:
        print(json.dumps(measure_pool(arguments.pool)))
        return
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    print(f"{'records':>9} {'load':>8} {'rank':>8} {'build':>8} {'load + build':>13} "
          f"{'of limit':>9} {'cpu':>8} {'a record':>9} {'MiB':>6} {'site MB':>8}")  # fmt: skip
    for size in arguments.sizes:
        row = _in_a_process("--one", size)
        total = row["load"] + row["build"]
        print(f"{size:9,} {row['load']:7.1f}s {row['rank']:7.1f}s {row['build']:7.1f}s "
              f"{total:12.1f}s {_of_limit(total, LIMITS.get(size)):>9} {row['cpu']:7.1f}s "
              f"{1e3 * total / size:7.2f}ms {row['MiB']:6.0f} {row['site MB']:8.1f}")  # fmt: skip
    print(f"{'agents':>9} {'rank':>8} {'of limit':>9} {'cpu':>8} {'MiB':>6}")
    for size in arguments.pools:
        row = _in_a_process("--pool", size)
        print(f"{size:9,} {row['rank']:7.1f}s {_of_limit(row['rank'], POOL_LIMITS.get(size)):>9} "
              f"{row['cpu']:7.1f}s {row['MiB']:6.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
