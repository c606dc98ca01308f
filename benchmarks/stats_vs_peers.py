"""Time of intervals against rliable, and of AdaStop against adastop 0.1.3, in one run.

    make bench-stats

rliable needs pandas before version 3, so the peers run in an environment of their own, in a process
that this one asks for each job in turn. A ratio is the peer's CPU seconds a resample over ours on
one thread, both with the percentile method; the peer draws fewer resamples or permutations (its
time is linear in them). Then: the same with our plain numpy fallback, and how much less wall time
two threads take than one. Medians of several rounds, with the least and the greatest. Last: what
the first call ever takes, and the first of a new process once the kernels are compiled.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # CPU seconds of one thread, on both sides

import numpy as np

ROUNDS = 5
LONGER = 8  # times as many resamples to compare threads on, which small jobs have no use for
TAUS = np.linspace(0, 8, 51)
PEER = Path(__file__).parents[1] / ".venv-peers/bin/python"


def scores(runs: int, tasks: int, *more: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(1.0, size=(runs, tasks, *more))


def equal_agents(agents: int, runs: int, looks: int) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(0).normal(size=(agents, runs * looks))
    return {f"agent {k}": values for k, values in enumerate(drawn)}


# Job: what it is, our resamples or permutations, the peer's.
JOBS = {
    "iqm": ("IQM, 10 runs of 26 tasks", 50_000, 1_000),
    "four": ("four aggregates, 10 x 26", 50_000, 1_000),
    "large": ("IQM, 100 runs of 57 tasks", 5_000, 500),
    "profile": ("profile at 51 thresholds, 10 x 26", 2_000, 200),
    "improvement": ("probability of improvement, 10 v 10 x 26", 2_000, 20),
    "curve": ("IQM at 20 points, 10 x 26", 2_000, 100),
    "adastop": ("AdaStop, 5 agents, 6 looks of 10 runs", 10_000, 500),
}


def ours(job: str, repetitions: int) -> Callable[[], object]:
    from rlbench import stats

    options = {"method": "percentile", "repetitions": repetitions}
    one, two, large, curve = (
        scores(10, 26),
        scores(10, 26, seed=1),
        scores(100, 57),
        scores(10, 26, 20),
    )
    names = ["median", "iqm", "mean", "optimality_gap"]
    agents = equal_agents(5, 10, 6)
    return {
        "iqm": lambda: stats.bootstrap(one, "iqm", **options),
        "four": lambda: stats.bootstrap(one, names, **options),
        "profile": lambda: stats.profile_band(one, TAUS, **options),
        "large": lambda: stats.bootstrap(large, "iqm", **options),
        "improvement": lambda: stats.improvement(one, two, **options),
        "curve": lambda: stats.learning_curve(curve, "iqm", **options),
        "adastop": lambda: stats.adastop(agents, batch=10, max_batches=6, permutations=repetitions),
    }[job]


def peers(job: str, repetitions: int) -> Callable[[], object]:
    if job == "adastop":
        return lambda: by_package(equal_agents(5, 10, 6), 10, 6, repetitions)
    from rliable import library, metrics

    def iqm(x: np.ndarray) -> np.ndarray:
        return np.array([metrics.aggregate_iqm(x)])

    def four(x: np.ndarray) -> np.ndarray:
        return np.array(
            [
                metrics.aggregate_median(x),
                metrics.aggregate_iqm(x),
                metrics.aggregate_mean(x),
                metrics.aggregate_optimality_gap(x),
            ]
        )

    def at_each(x: np.ndarray) -> np.ndarray:
        return np.array([metrics.aggregate_iqm(x[..., k]) for k in range(x.shape[-1])])

    data, function = {
        "iqm": (scores(10, 26), iqm),
        "four": (scores(10, 26), four),
        "large": (scores(100, 57), iqm),
        "profile": (scores(10, 26), None),
        "improvement": (
            (scores(10, 26), scores(10, 26, seed=1)),
            metrics.probability_of_improvement,
        ),
        "curve": (scores(10, 26, 20), at_each),
    }[job]
    if job == "profile":
        return lambda: library.create_performance_profile({"a": data}, TAUS, reps=repetitions)
    return lambda: library.get_interval_estimates({"a": data}, function, reps=repetitions)


def by_package(agents: dict[str, np.ndarray], runs: int, looks: int, permutations: int) -> None:
    """Do every look with adastop 0.1.3."""
    from adastop import MultipleAgentsComparator

    comparator = MultipleAgentsComparator(n=runs, K=looks, B=permutations, alpha=0.05, seed=0)
    for look in range(1, looks + 1):
        so_far = {agent: values[: look * runs] for agent, values in agents.items()}
        comparator.partial_compare(so_far, verbose=False)


def cpu_seconds(call: Callable[[], object]) -> float:
    started = process_time()
    call()
    return process_time() - started


def wall_seconds(call: Callable[[], object], threads: int) -> float:
    os.environ["RLBENCH_THREADS"] = str(threads)
    started = perf_counter()
    call()
    seconds = perf_counter() - started
    os.environ["RLBENCH_THREADS"] = "1"
    return seconds


def serve() -> None:
    """Be the peer: answer each line (job, repetitions) with CPU seconds."""
    for line in sys.stdin:
        job, repetitions = json.loads(line)
        print(json.dumps(cpu_seconds(peers(job, repetitions))), flush=True)


def summary(ratios: list[float], digits: int = 0) -> str:
    kept = ratios[1:]  # the first round warms up
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(kept), median(kept), max(kept)))
    return f"{middle:>7} ({low} to {high})"


def compare(peer: subprocess.Popen[str]) -> None:
    from rlbench.stats import kernels

    assert peer.stdin is not None
    assert peer.stdout is not None
    os.environ["RLBENCH_THREADS"] = "1"
    print("times of peers are scaled in their resamples or permutations: they are linear in them")
    print(f"{'':<42}{'times as fast':<28}{'without numba':<28}two threads of one")
    for job, (title, our_repetitions, peer_repetitions) in JOBS.items():
        call, longer = (ours(job, times * our_repetitions) for times in (1, LONGER))
        compiled, plain, threads = [], [], []
        for _ in range(ROUNDS + 1):
            call()  # nothing is measured cold
            threads.append(wall_seconds(longer, 1) / wall_seconds(longer, 2))
            mine = cpu_seconds(call) / our_repetitions
            kernels.HAS_NUMBA = False
            fallback = cpu_seconds(call) / our_repetitions
            kernels.HAS_NUMBA = True
            peer.stdin.write(json.dumps([job, peer_repetitions]) + "\n")
            theirs = json.loads(peer.stdout.readline()) / peer_repetitions
            compiled.append(theirs / mine)
            plain.append(theirs / fallback)
        print(f"{title:<42}{summary(compiled):<28}{summary(plain):<28}{summary(threads, 2)}")
        sys.stdout.flush()


def first_calls() -> None:
    code = """if True:
        from time import perf_counter
        started = perf_counter()
        import numpy as np
        from rlbench import stats
        x = np.random.default_rng(0).gamma(1.0, size=(10, 26))
        stats.bootstrap(x, ["iqm", "mean", "median", "optimality_gap"])
        stats.improvement(x, x)
        print(f"{perf_counter() - started:.2f}")
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for what in ("first call ever", "first of a process, kernels compiled"):
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
                check=True,
            )  # fmt: skip
            print(f"{what}, imports included: {done.stdout.strip()} s")


def main() -> None:
    pipe = subprocess.PIPE
    command = [str(PEER), __file__, "--serve"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as peer:
        compare(peer)
        peer.stdin.close()
    first_calls()


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
