"""CPU time of intervals against rliable, in one run, on one thread.

    make bench-stats

rliable needs pandas before version 3, so it runs in an environment of its own, in a process that
this one asks for each job in turn. A ratio is rliable's CPU seconds a resample over ours, both
with the percentile method; rliable draws fewer resamples (its time is linear in them). Median of
several rounds, with the least and the greatest.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np

ROUNDS = 5
PEER = Path(__file__).parents[1] / ".venv-peers/bin/python"


def scores(runs: int, tasks: int, *more: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(1.0, size=(runs, tasks, *more))


# Job: what it is, our resamples, the peer's resamples.
JOBS = {
    "iqm": ("IQM, 10 runs of 26 tasks", 50_000, 1_000),
    "four": ("four aggregates, 10 x 26", 50_000, 1_000),
    "large": ("IQM, 100 runs of 57 tasks", 5_000, 500),
    "improvement": ("probability of improvement, 10 v 10 x 26", 2_000, 20),
    "curve": ("IQM at 20 checkpoints, 10 x 26", 2_000, 100),
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
    return {
        "iqm": lambda: stats.bootstrap(one, "iqm", **options),
        "four": lambda: stats.bootstrap(one, names, **options),
        "large": lambda: stats.bootstrap(large, "iqm", **options),
        "improvement": lambda: stats.improvement(one, two, **options),
        "curve": lambda: stats.learning_curve(curve, "iqm", **options),
    }[job]


def peers(job: str, repetitions: int) -> Callable[[], object]:
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
        "improvement": (
            (scores(10, 26), scores(10, 26, seed=1)),
            metrics.probability_of_improvement,
        ),
        "curve": (scores(10, 26, 20), at_each),
    }[job]
    return lambda: library.get_interval_estimates({"a": data}, function, reps=repetitions)


def cpu_seconds(call: Callable[[], object]) -> float:
    started = process_time()
    call()
    return process_time() - started


def serve() -> None:
    """Be the peer: answer each line (job, repetitions) with CPU seconds."""
    for line in sys.stdin:
        job, repetitions = json.loads(line)
        print(json.dumps(cpu_seconds(peers(job, repetitions))), flush=True)


def main() -> None:
    command = [str(PEER), __file__, "--serve"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        for job, (title, our_repetitions, peer_repetitions) in JOBS.items():
            call = ours(job, our_repetitions)
            ratios = []
            for _ in range(ROUNDS + 1):
                mine = cpu_seconds(call) / our_repetitions
                peer.stdin.write(json.dumps([job, peer_repetitions]) + "\n")
                theirs = json.loads(peer.stdout.readline()) / peer_repetitions
                ratios.append(theirs / mine)
            kept = ratios[1:]
            seconds = cpu_seconds(call)
            print(
                f"{title:<42} {median(kept):8,.0f}x  ({min(kept):,.0f} to {max(kept):,.0f})  "
                f"ours {seconds:.2f} s for {our_repetitions:,}",
                flush=True,
            )
        peer.stdin.close()


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
