"""Throughput of the backends on two cores, beside two bare loops.

    python benchmarks/backends.py [--rounds N] [--steps N]

Two runs of the random agent at a time: by the local backend, and on a Ray cluster of this machine
with two CPUs (if Ray is installed). The bare loops step the same AtariVectorEnv with the same
agent, two processes side by side. All three take turns, so that they meet the machine in the same
state. The ratio (backend / bare loops) is that of training steps per second, both runs added up.
The aim is .93 or more for the local backend, and .85 for Ray. The seconds besides training are the
time of the whole command less the longer training: starting, an episode, recording.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

from rlbench import suites
from rlbench.results import Store, identities
from rlbench.runners import Run, Slot, resolve, run_all

SUITE = suites.get("atari100k")
GAME = "Pong"
SLOTS = [Slot()] * 2


def runs_in(folder: str, steps: int) -> list[Run]:
    """Return two runs whose evaluation is short, and whose training is that of the bare loops.

    So the limit of an episode's steps stays: a reset costs as much as many steps.
    """
    suite = SUITE.make_unofficial({"budget": steps, "episodes": 1, "eval_envs": 1})
    agent = resolve("random", {})
    return [
        Run(
            identity=identity, agent=agent.recipe, teacher=None, store=folder, device="cpu",
            threads=1, checkpoint_every=600.0,
        )
        for identity in identities(suite, [suite.task(GAME)], agent.id, range(2))
    ]  # fmt: skip


def throughput(execute: Callable[..., None], steps: int) -> tuple[float, float]:
    """Return training steps per second, and the seconds of the command besides."""
    with tempfile.TemporaryDirectory() as folder:
        Store(folder).prepare()
        started = perf_counter()
        execute(runs_in(folder, steps), slots=SLOTS, listen=lambda _: None)
        whole = perf_counter() - started
        seconds = [float(r.timing["seconds_train"]) for r in Store(folder).load().records]
    assert len(seconds) == 2
    return sum(steps / s for s in seconds), whole - max(seconds)


def bare(steps: int) -> float:
    """Return the steps per second of two bare loops, added up."""
    command = [sys.executable, __file__, "--bare", "--steps", str(steps)]
    loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    return sum(steps / float(loop.communicate()[0]) for loop in loops)


def print_bare_seconds(steps: int) -> None:
    """Print the seconds of one bare loop."""
    sys.path.insert(0, str(Path(__file__).parent))
    from runner_overhead import bare_steps, make_bare

    loop = bare_steps(make_bare(GAME, "train", 1), "train")
    next(loop)
    started = perf_counter()
    for _ in range(steps):
        next(loop)
    print(perf_counter() - started)


def on_ray(runs: list[Run], *, address: str, **how: object) -> None:
    """Execute runs on a cluster that is there, as a command does."""
    from rlbench.runners.backends.ray import Needs, RayBackend, connect

    backend = RayBackend(connect(address, {}), needs=Needs())
    try:
        run_all(runs, backend=backend, **how)  # type: ignore[arg-type]
    finally:
        backend.ray.shutdown()


def show(name: str, ratios: list[float], seconds: list[float]) -> None:
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(
        f"  {name:<8} {middle:.3f}  ({low:.3f} to {high:.3f}, {len(ratios)} rounds), "
        f"{np.median(seconds):.1f} s besides training",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.bare:
        print_bare_seconds(asked.steps)
        return
    backends: dict[str, Callable[..., None]] = {"local": run_all}
    cluster = None
    if find_spec("ray"):
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 2, "object_store_memory": 100_000_000, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        backends["ray"] = partial(on_ray, address=cluster.address)
    else:
        print("Ray is not installed: it is left out")
    try:
        print(f"two runs of {GAME}, {asked.steps} steps each; load {os.getloadavg()[0]:.1f}")
        ratios: dict[str, list[float]] = {name: [] for name in backends}
        besides: dict[str, list[float]] = {name: [] for name in backends}
        for _ in range(asked.rounds):
            loops = bare(asked.steps)
            for name, execute in backends.items():
                speed, rest = throughput(execute, asked.steps)
                ratios[name].append(speed / loops)
                besides[name].append(rest)
        for name in backends:
            show(name, ratios[name], besides[name])
        print(f"load {os.getloadavg()[0]:.1f}")
    finally:
        if cluster is not None:
            cluster.shutdown()


if __name__ == "__main__":
    main()
