"""How fast parkour and stump tracks play: steps per CPU-second as a share of Box2D's alone.

Two copies of an environment play the same actions. One is timed as a whole. In the other, the same
calls of `b2World.Step` are timed alone (with what they call back when contacts begin and end), less
what the clock takes. Rounds take turns, and the median and the quartiles of their ratios are shown.

The original, moved to Python 3.11 and measured in another run: .43 for the bipedal walker, .04 for
the fish. Our floors are .80 for the bipedal walker, .60 for spider and millipede, .55 for the
climber and .30 for the fish.

The last lines compare slots in this process with the same over two workers, by the CPU time of all
processes. Two processes that know nothing of each other, with all of the slots each, show the
limit: where cores are threads of one core or share a cache, they take longer than one, too.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from typing import Any

import numpy as np

from rlbench.suites.envs import make_slots
from rlbench.suites.teachmyagent import bodies, envs

STEPS = 500  # in a round
SLOTS = 100  # of an evaluation
FLOORS = {
    "old_classic_bipedal": 0.80,
    "spider": 0.60,
    "millipede": 0.60,
    "climbing_profile_chimpanzee": 0.55,
    "fish": 0.30,
}


class Clock:
    """Stands in for a world and times its steps.

    Attributes:
        spent: CPU-seconds in `Step`.
    """

    def __init__(self, world: Any) -> None:
        self.world, self.spent = world, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    def Step(self, *arguments: Any) -> None:
        begin = time.thread_time_ns()
        self.world.Step(*arguments)
        self.spent += (time.thread_time_ns() - begin) * 1e-9


def clock_cost() -> float:
    """Return the CPU-seconds that a pair of clock readings adds to what it times."""
    readings = []
    for _ in range(2000):
        begin = time.thread_time_ns()
        readings.append(time.thread_time_ns() - begin)
    return statistics.median(readings) * 1e-9


def make(body: str, track: str) -> tuple[Any, list[float]]:
    """Return an environment and the parameters of its track."""
    if track == "stumps":
        return envs.StumpTracksEnv(body), [1.0, 3.0]
    water = 1.0 if bodies.load(body).kind == "swimmer" else 0.1
    return envs.ParkourEnv(body, network="seeded"), [-0.15, 0.9, 0.1, water, 2.0, 1.0]


def play_round(env: Any, parameters: list[float], seed: int, *, alone: bool) -> float:
    """Play a round and return CPU-microseconds a step, of everything or of Box2D alone."""
    random = np.random.default_rng(seed)
    actions = random.uniform(-1, 1, (STEPS, *env.action_space.shape)).astype(np.float32)
    steps, spent, timer = 0, 0.0, None
    while steps < STEPS:
        env.reset(seed=seed, options={"parameters": parameters})
        if alone:
            timer = env._scene._world = Clock(env._scene._world)
        begin = time.thread_time_ns()
        for action in actions[steps:]:
            _, _, is_over, _, _ = env.step(action)
            steps += 1
            if is_over:
                break
        spent += (time.thread_time_ns() - begin) * 1e-9 if timer is None else timer.spent
    return (spent / STEPS - (clock_cost() if alone else 0.0)) * 1e6


def cpu_of_a_step(workers: int) -> float:
    """Return CPU-microseconds a step of slots of bipedal walkers, of all processes together."""
    spent = []
    for steps in (20, 100):
        begin = cpu_seconds()
        env = make_slots(
            envs.StumpTracksEnv, num_envs=SLOTS, split="eval", stream=np.random.SeedSequence(0),
            max_episode_steps=2000, workers=workers,
        )  # fmt: skip
        env.reset()
        for row in np.random.default_rng(0).uniform(-1, 1, (steps, SLOTS, 4)).astype(np.float32):
            env.step(row)
        env.close()
        spent.append(cpu_seconds() - begin)
    return (spent[1] - spent[0]) / (SLOTS * 80) * 1e6


def compare_slots() -> None:
    """Print what a step takes in this process, in two workers and in two other processes."""
    kinds: dict[str, list[float]] = {"one": [], "independent": [], "workers": []}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(cpu_of_a_step, (0, 0), chunksize=1)  # both are there, and have compiled
        for _ in range(3):
            kinds["one"].append(cpu_of_a_step(0))
            kinds["independent"] += pool.map(cpu_of_a_step, (0, 0), chunksize=1)
            kinds["workers"].append(cpu_of_a_step(2))
    one, independent, workers = map(statistics.median, kinds.values())
    print(
        f"{SLOTS} slots: {one:.1f} us/step in this process, {workers:.1f} in two workers, "
        f"{independent:.1f} in two independent processes\n"
        f"workers reach {one / workers:.2f} of this process, independent processes "
        f"{one / independent:.2f}; workers {independent / workers:.2f} of independent processes"
    )


def cpu_seconds() -> float:
    """Return what this process and those that it has waited for have spent."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bodies", nargs="*", default=bodies.names(), choices=bodies.names())
    options = parser.parse_args()
    cases = [(body, "parkour") for body in options.bodies]
    cases.append(("old_classic_bipedal", "stumps"))
    print("body                          track     us/step   Step   share (quartiles)   floor")
    for body, track in cases:
        env, parameters = make(body, track)
        play_round(env, parameters, 0, alone=False)
        pairs = [
            tuple(play_round(env, parameters, seed, alone=alone) for alone in (False, True))
            for seed in range(options.rounds)
        ]
        shares = [alone / whole for whole, alone in pairs]
        low, middle, high = np.quantile(shares, [0.25, 0.5, 0.75], method="weibull")
        whole, alone = (statistics.median(column) for column in zip(*pairs, strict=True))
        floor = FLOORS.get(body, "")
        print(
            f"{body:29} {track:8} {whole:8.1f} {alone:6.1f}    {middle:.2f} ({low:.2f} to "
            f"{high:.2f})    {floor}"
        )
    compare_slots()


if __name__ == "__main__":
    main()
