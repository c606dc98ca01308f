"""How fast the STORI suites play: frames per CPU-second as a share of the bare emulator's.

The bare emulator does nothing but act in the same game. Frames per CPU-second of the whole process
(all threads), in rounds that take turns, with the median and the quartiles of the ratios.

At the end, two emulators on two threads and in two processes against one, by the wall clock: ale-py
holds the interpreter while it acts, so runs go side by side in processes.

Beside them stand the ratios that were measured for the original package in another run: .55 (3.1),
.56 (1), .55 (2.1), .44 (blackout), .12 (crop 5, the disc), .26 (RAM hidden with probability .75).
Our aims are .70 undisturbed, .35 with RAM hidden, .60 with the disc.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import ale_py
import numpy as np

from rlbench import suites
from rlbench.suites import Suite, Task

SLOTS = 8
STEPS = 250  # of all slots, in a round
SKIP = 4


def bare(task: Task) -> Callable[[], float]:
    """Return what plays the bare emulator and returns frames per CPU-second."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(ale_py.roms.get_rom_path(task.assets["rom"]))
    actions = ale.getMinimalActionSet()
    generator = np.random.default_rng(0)

    def play() -> float:
        steps = SLOTS * STEPS
        chosen = [actions[k] for k in generator.integers(len(actions), size=steps)]
        begin = time.process_time()
        for action in chosen:
            for _ in range(SKIP):
                ale.act(action)
            if ale.game_over():
                ale.reset_game()
        return steps * SKIP / (time.process_time() - begin)

    return play


def disturbed(suite: Suite, task: Task) -> Callable[[], float]:
    """Return what plays a setting and returns frames per CPU-second."""
    env = suite.make(task, split="eval", num_envs=SLOTS, seed=0)
    env.reset()
    generator = np.random.default_rng(0)

    def play() -> float:
        chosen = generator.integers(env.single_action_space.n, size=(STEPS, SLOTS))
        begin = time.process_time()
        for actions in chosen:
            env.step(actions)
        return STEPS * SLOTS * SKIP / (time.process_time() - begin)

    return play


def act(rom: str) -> None:
    """Act in a bare emulator for a while."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.loadROM(ale_py.roms.get_rom_path(rom))
    for _ in range(SLOTS * STEPS * SKIP):
        ale.act(ale_py.Action.NOOP)


def side_by_side(pool: Executor, rom: str) -> float:
    """Return how much more two workers of a pool do than one in the same time."""
    list(pool.map(act, [rom, rom]))  # starts them
    begin = time.perf_counter()
    pool.submit(act, rom).result()
    one = time.perf_counter()
    list(pool.map(act, [rom, rom]))
    return 2 * (one - begin) / (time.perf_counter() - one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="stori")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--games", default="Breakout,Boxing,Gopher,BankHeist")
    arguments = parser.parse_args()
    suite = suites.get(arguments.suite)
    print(f"{suite.id}, {SLOTS} slots; frames per CPU-second over those of the bare emulator")
    for game in arguments.games.split(","):
        tasks = [task for task in suite.tasks if task.name.startswith(f"{game}/")]
        raw = bare(tasks[0])
        players = {task.name: disturbed(suite, task) for task in tasks}
        ratios: dict[str, list[float]] = {name: [] for name in players}
        raw()
        for _ in range(arguments.rounds):
            for name, play in players.items():
                ratios[name].append(play() / raw())
        for task in tasks:
            low, middle, high = statistics.quantiles(ratios[task.name], n=4)
            effect = suite.constants(task)["effect"]
            print(f"{task.name:16} {effect:30} {middle:.3f} ({low:.3f} to {high:.3f})")
    for name, kind in (("threads", ThreadPoolExecutor), ("processes", ProcessPoolExecutor)):
        with kind(2) as pool:
            found = [side_by_side(pool, "breakout") for _ in range(arguments.rounds)]
        print(f"two {name}: {statistics.median(found):.2f} times what one does")


if __name__ == "__main__":
    main()
