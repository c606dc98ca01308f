"""How fast Procgen plays: our environments over the bare loop of their engine, in CPU time.

envpool's bare loop is its own `step`. It begins an episode in a step of its own, which is not
counted as one. OpenAI's is a loop of two C calls, `libenv_act` and `libenv_observe`, over one batch
of the unchanged library, which begins an episode in the step that ends the one before.

All play random actions in the same game, one thread each. Rounds take turns, and the table has the
median and the quartiles of the ratios, and steps per CPU-second. Engines that are not here are left
out: they need the extra `procgen`, and `rlbench data fetch procgen-reference`.

Then by the number of environments: steps per CPU-second and the memory that they take, each in a
process of its own.
"""

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from rlbench import suites
from rlbench.errors import RLBenchError
from rlbench.suites.procgen import libenv, pool, reference
from rlbench.suites.procgen.envs import ProcgenEnvs
from rlbench.suites.procgen.games import Engine, Game

SLOTS = 64
STEPS = 4096  # of all slots together, in a round
SUITE = suites.get("procgen-easy")
ENGINES: dict[str, Engine] = {"envpool": pool, "reference": libenv}

Play = Callable[[], float]  # plays a round, and returns steps per CPU-second


def chosen(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(15, size=(STEPS // n, n))


def ours(name: str, engine: Engine, n: int = SLOTS) -> Play:
    """Return what plays our environments."""
    game = Game(name=name, mode="easy", levels=200)
    limit = SUITE.protocol_of(SUITE.task(name)).max_episode_steps
    env = ProcgenEnvs(game, np.arange(n), limit=limit, played_by=engine)
    env.reset()

    def play() -> float:
        actions = chosen(n)
        begin = time.process_time()
        for action in actions:
            env.step(action)
        return actions.size / (time.process_time() - begin)

    return play


def envpools(name: str) -> Play:
    """Return what plays envpool's own environments."""
    import envpool

    env: Any = envpool.make_gymnasium(
        f"{name.capitalize()}Easy-v0",
        num_envs=SLOTS,
        num_threads=1,
        seed=list(range(SLOTS)),
        num_levels=200,
        channel_first=False,
    )
    env.reset()

    def play() -> float:
        actions, resets = chosen(SLOTS).astype(np.int32), 0
        begin = time.process_time()
        for action in actions:
            *_, info = env.step(action)
            resets += np.count_nonzero(info["elapsed_step"] == 0)
        return (actions.size - resets) / (time.process_time() - begin)

    return play


def openais(name: str) -> Play:
    """Return what plays a batch of OpenAI's by its C interface alone."""
    library = unchanged()
    games = libenv.Batch(library, Game(name=name, mode="easy", levels=200), SLOTS, seed=0)
    act, observe, handle = library.libenv_act, library.libenv_observe, games._handle

    def play() -> float:
        rows = chosen(SLOTS).astype(np.int32)
        begin = time.process_time()
        for row in rows:
            games.actions[:] = row
            act(handle)
            observe(handle)
        return rows.size / (time.process_time() - begin)

    return play


def unchanged() -> ctypes.CDLL:
    """Load OpenAI's library with its own instructions."""
    content = bytearray((reference.folder() / reference.LIBRARY).read_bytes())
    for place, (old, _) in reference._CHANGES.items():
        content[place : place + len(old)] = old
    with NamedTemporaryFile(suffix=".so") as file:
        file.write(content)
        file.flush()
        return libenv.declared(ctypes.CDLL(file.name, libenv.APART))


BARE = {"envpool": envpools, "reference": openais}


def compare(name: str, rounds: int) -> None:
    """Print a game's lines."""
    players: dict[str, Play] = {}
    for engine, module in ENGINES.items():
        try:
            players |= {engine: ours(name, module), f"bare {engine}": BARE[engine](name)}
        except (RLBenchError, ModuleNotFoundError) as error:
            print(f"{engine} is left out: {error}")
    for play in players.values():
        play()
    speeds: dict[str, list[float]] = {player: [] for player in players}
    for number in range(rounds):
        for player in list(players) if number % 2 else reversed(players):
            speeds[player].append(players[player]())
    for engine in ENGINES.keys() & players.keys():
        bare = speeds[f"bare {engine}"]
        ratios = [a / b for a, b in zip(speeds[engine], bare, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name:10} {engine:10} ours / bare {middle:.3f} ({low:.3f} to {high:.3f}); ours "
            f"{statistics.median(speeds[engine]):,.0f}, bare {statistics.median(bare):,.0f}",
            flush=True,
        )


def growth(name: str, engine: str, n: int) -> tuple[float, float]:
    """Return steps per CPU-second and MB of memory for so many environments, in a new process."""
    program = f"from procgen import measure; measure({name!r}, {engine!r}, {n})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=sys.path[0], capture_output=True, text=True, check=True
    )
    speed, memory = json.loads(done.stdout)
    return speed, memory


def measure(name: str, engine: str, n: int) -> None:
    ENGINES[engine].load()
    before = resident()
    play = ours(name, ENGINES[engine], n)
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
    for name in arguments.games.split(","):
        compare(name, arguments.rounds)
    name = arguments.games.partition(",")[0]
    for engine in ENGINES:
        print(f"\n{name}, {engine}, by the number of environments")
        for size in filter(None, arguments.sizes.split(",")):
            speed, memory = growth(name, engine, int(size))
            print(f"{size:>4}  {speed:>9,.0f} steps per CPU-second  {memory:>6.1f} MB")


if __name__ == "__main__":
    main()
