"""What many runs and large stores take: the scheduler, and the commands that read a store.

    python benchmarks/scheduler_scale.py [--runs 250,1000,4000] [--slots 2,64,512]
                                         [--records 1000,10000] [--workers 20]
                                         [--ray 100,400]

- **scheduler**: the way of `rlbench run` (what is left, claims, events, lines of the display) with
  fake runs: they take no time, start no process and write no record. What remains is the driver's
  share of each run: CPU time, and the memory that its process gains.
- **workers**: real runs of CartPole with a budget of one step, in worker processes: what a run
  takes besides its work. The CPU time is that of the workers and the driver together.
- **ray**: many such runs by the local backend, and on a Ray cluster of this machine with two CPUs
  if Ray is installed: wall time a run, since a cluster's CPU time is not that of this process.
- **store**: a store of 1,000 or more records of Atari 100k (20 agents, 26 games) in the temporary
  folder, and commands that read it, each in a process of its own.

A busy machine makes CPU times larger too (shared cores and caches): compare them with those of
reading the same files as bare JSON. What was measured is in `docs/design/scale.md`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

from rlbench import suites
from rlbench.api.asking import parse_suite
from rlbench.api.running import prepare, want
from rlbench.cli.progress import make_display
from rlbench.results import Evaluation, Identity, Record, Store, Training, identities
from rlbench.runners import Run, Slot, resolve, run_all
from rlbench.runners.backends.backend import Cause, Placed

SUITE = """
name = "made-up"
version = 1
protocol = {budget = 1, episodes = 1, eval_envs = 1, max_episode_steps = 1}
tasks = [{id = "CartPole-v1", low = 0, high = 1}]
"""
AGENTS, GAMES = 20, 26
COMMANDS = {
    "list runs": ("list", "runs", "--json"),
    "stats of one agent": ("stats", "--suite", "atari100k", "--agents", "agent 0", "--json"),
    "a dry run": ("run", "--suite", "atari100k", "--agent", "random", "--seeds", "1", "--dry-run"),
}


class FakeWorker:
    """A worker whose runs are over when it starts."""

    def poll(self) -> int | None:
        return 0

    def has_more(self) -> bool:
        return True  # what it said is in the inbox

    def ask_to_leave(self) -> None: ...

    def dump_stacks(self) -> None: ...

    def kill(self) -> None: ...

    def catch_up(self) -> None: ...

    def close(self) -> None: ...

    def cause_of_death(self, exit_code: int) -> Cause:
        return Cause("failed", f"exit code {exit_code}")


class FakeBackend:
    """Says of every run what a worker says of a short one."""

    def start(self, runs: Sequence[Run], slot: Slot, hear: Callable[[Any], None]) -> FakeWorker:
        hear(Placed())
        for run in runs:
            common = {"key": run.key, "budget_used": 1, "episodes": 0}
            hear({"event": "progress", "phase": "train", **common})
            hear({"event": "progress", "phase": "eval", **common})
            hear({"event": "end", "status": "ok", "reason": "", **common})
        hear(0)
        return FakeWorker()


def cpu() -> float:
    """Return the seconds of CPU that this process and its ended children have taken."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@contextmanager
def backend_of(kind: str) -> Iterator[dict[str, Any]]:
    """Yield what `run_all` gets besides: fake or local workers, or those of a Ray cluster."""
    if kind != "ray":
        yield {"backend": FakeBackend()} if kind == "fake" else {}
        return
    from ray.cluster_utils import Cluster

    from rlbench.runners.backends.ray import Needs, RayBackend, connect

    head = {"num_cpus": 2, "object_store_memory": 100_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        backend = RayBackend(connect(cluster.address, {}), needs=Needs())
        yield {"backend": backend}
        backend.ray.shutdown()
    finally:
        cluster.shutdown()


def schedule(runs: int, slots: int, kind: str) -> None:
    """Print what so many runs take: CPU ms a run before and while they go on, MB, and wall ms."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        sys.stdout, before = nowhere, peak()
        path = Path(folder) / "made-up.toml"
        path.write_text(SUITE)
        suite = parse_suite(str(path), "")
        suite.load_factory()
        began = cpu()
        wanted = want(suite, suite.tasks, resolve("random", {}), range(runs), store=Path(folder))
        prepared = prepare(wanted, lambda _: None)
        middle = cpu()
        display = make_display(prepared, slots, done=0, quiet=False)
        with backend_of(kind) as backend, display:
            started = perf_counter()
            run_all(prepared, slots=[Slot()] * slots, listen=display.listen, **backend)
            wall = perf_counter() - started
        ended = cpu()
        sys.stdout = sys.__stdout__
    assert (display.finished, display.failed) == (runs, [])
    each = 1000 / runs
    found = [(middle - began) * each, (ended - middle) * each, peak() - before, wall * each]
    print(json.dumps(found))


def fill(store: Store, records: int) -> None:
    """Write so many records; the files are as a run writes them, but not flushed."""
    suite, games = suites.get("atari100k"), suites.get("atari100k").tasks
    store.prepare()
    for k in range(AGENTS):
        agent = replace(resolve("random", {}).id, name=f"agent {k}")
        seeds = range(-(-records // (AGENTS * GAMES)))
        for number, identity in enumerate(identities(suite, games, agent, seeds)):
            if number * AGENTS + k < records:
                path = store.record_of(identity)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(made_up(identity).to_bytes())


def made_up(identity: Identity) -> Record:
    """Return a record with 100 returns."""
    evaluation = Evaluation(
        budget_used=100_000, returns=tuple(float(k % 7) for k in range(100)),
        lengths=(1000,) * 100, distinct_starts=7,
    )  # fmt: skip
    return Record(
        identity=identity, status="ok", error=None, budget_used=100_000,
        evaluations=(evaluation,), replay=None, engine=None, provenance={"device": "cpu"},
        training=Training(episodes=2, ends=(10, 16), returns=(1.0, -1.5)),
        timing={"started": "2026-01-01T00:00:00+00:00", "seconds": 12.5},
    )  # fmt: skip


def read(folder: str, *words: str) -> tuple[float, float]:
    """Return the seconds of CPU and the MB of a command in a folder."""
    code = (
        "import resource, sys\nfrom rlbench.cli import main\nsys.argv[0] = 'rlbench'\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
        "u = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1000, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, text=True, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    seconds, megabytes = map(float, done.stderr.splitlines()[-1].split())
    return seconds, megabytes


def read_bare(folder: str) -> tuple[float, float]:
    """Return the same of reading all files as JSON, without a check."""
    code = (
        "import json, pathlib, resource\n"
        "all = [json.loads(p.read_bytes()) for p in pathlib.Path('runs').glob('*/*/*/*.json')]\n"
        "u = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, text=True, check=True, stdout=subprocess.PIPE
    )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def measured(*words: object) -> list[float]:
    """Return what this program prints in a process of its own."""
    command = [sys.executable, __file__, *map(str, words)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: list[float] = json.loads(said.splitlines()[-1])
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", default="250,1000,4000")
    parser.add_argument("--slots", default="2,64,512")
    parser.add_argument("--records", default="1000,10000")
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--ray", default="")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        runs, slots, kind = given.one
        schedule(int(runs), int(slots), kind)
        return
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, load {load:.1f}\n")
    print("| runs | slots | before, ms a run | while they go on, ms a run | memory, MB |")
    print("|" + "---|" * 5)
    sizes, slots = numbers(given.runs), numbers(given.slots)
    cases = [(n, slots[0]) for n in sizes] + [(n, k) for n in sizes[1:2] for k in slots[1:]]
    for n, k in cases:
        first, rest, memory, _ = measured("--one", n, k, "fake")
        print(f"| {n:,} | {k} | {first:.2f} | {rest:.2f} | {memory:.0f} |", flush=True)
    if given.workers:
        _, rest, _, _ = measured("--one", given.workers, 2, "real")
        print(f"\na run in a worker of its own: {rest / 1000:.2f} s of CPU")
    if given.ray:
        print()
        print("| runs, two at a time | local, wall ms a run | Ray | of the driver: MB |")
        print("|" + "---|" * 4)
    for n in numbers(given.ray):
        *_, local = measured("--one", n, 2, "real")
        *_, memory, by_ray = measured("--one", n, 2, "ray")
        print(f"| {n:,} | {local:.0f} | {by_ray:.0f} | {memory:.0f} |", flush=True)
    print()
    print("| records | MB on disk | command | CPU, s | memory, MB |")
    print("|" + "---|" * 5)
    for n in numbers(given.records):
        with tempfile.TemporaryDirectory() as folder:
            fill(Store(Path(folder) / "runs"), n)
            said = subprocess.run(["du", "-sm", folder], capture_output=True, text=True)
            size = said.stdout.split()[0]
            for name, words in {"bare JSON": (), **COMMANDS}.items():
                seconds, memory = read(folder, *words) if words else read_bare(folder)
                print(f"| {n:,} | {size} | {name} | {seconds:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
