"""How fast Procgen plays: our environments over envpool's own loop, in steps per CPU-second.

Both play random actions in the same game, one thread each. Rounds take turns, and the table has the
median and the quartiles of the ratios. envpool begins an episode in a step of its own, which is not
counted as one. Needs the extra `procgen`.

Then by the number of environments: steps per CPU-second and the memory that they take, each in a
process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rlbench import suites

SLOTS = 64
STEPS = 4096  # of all slots together, in a round
SUITE = suites.get("procgen-easy")


def chosen(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(15, size=(STEPS // n, n))


def ours(game: str, n: int = SLOTS) -> Callable[[], float]:
    """Return what plays our environments and returns steps per CPU-second."""
    env = SUITE.make(SUITE.task(game), split="train", num_envs=n, seed=0)
    env.reset()

    def play() -> float:
        actions = chosen(n)
        begin = time.process_time()
        for action in actions:
            env.step(action)
        return actions.size / (time.process_time() - begin)

    return play


def envpools(game: str, n: int = SLOTS) -> Callable[[], float]:
    """Return what plays envpool's own environments and returns steps per CPU-second."""
    import envpool

    env: Any = envpool.make_gymnasium(
        f"{game.capitalize()}Easy-v0",
        num_envs=n,
        num_threads=1,
        seed=list(range(n)),
        num_levels=200,
        channel_first=False,
    )
    env.reset()

    def play() -> float:
        actions, resets = chosen(n).astype(np.int32), 0
        begin = time.process_time()
        for action in actions:
            *_, info = env.step(action)
            resets += np.count_nonzero(info["elapsed_step"] == 0)
        return (actions.size - resets) / (time.process_time() - begin)

    return play


def growth(game: str, n: int) -> tuple[float, float]:
    """Return steps per CPU-second and MB of memory for so many environments, in a new process."""
    program = f"from procgen import measure; measure({game!r}, {n})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=sys.path[0], capture_output=True, text=True, check=True
    )
    speed, memory = json.loads(done.stdout)
    return speed, memory


def measure(game: str, n: int) -> None:
    SUITE.load_factory()
    before = resident()
    play = ours(game, n)
    play()
    speed = statistics.median(play() for _ in range(3))
    print(json.dumps([speed, resident() - before]))


def resident() -> float:
    """Return the memory that this process has, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--games", default="coinrun,bigfish,maze,starpilot")
    parser.add_argument("--sizes", default="1,4,16,64,256")
    arguments = parser.parse_args()
    print(f"{SLOTS} environments, one thread; steps per CPU-second")
    for game in arguments.games.split(","):
        players = {"ours": ours(game), "envpool": envpools(game)}
        for play in players.values():
            play()
        speeds: dict[str, list[float]] = {name: [] for name in players}
        for number in range(arguments.rounds):
            turn = list(players) if number % 2 else list(reversed(players))
            for name in turn:
                speeds[name].append(players[name]())
        ratios = [a / b for a, b in zip(speeds["ours"], speeds["envpool"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        medians = ", ".join(f"{n} {statistics.median(found):,.0f}" for n, found in speeds.items())
        print(f"{game:12} ours / envpool {middle:.3f} ({low:.3f} to {high:.3f}); {medians}")
    game = arguments.games.partition(",")[0]
    print(f"\n{game}, by the number of environments")
    for size in arguments.sizes.split(","):
        speed, memory = growth(game, int(size))
        print(f"{size:>4}  {speed:>9,.0f} steps per CPU-second  {memory:>6.1f} MB")


if __name__ == "__main__":
    main()
