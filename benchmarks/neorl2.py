"""How fast NeoRL-2's simulators play: steps per CPU-second, against a plain loop in the same run.

For DMSD and Pipeline the peer is the same equations in plain Python, one environment after the
other, as one would write them down. For the locomotion tasks it is `mujoco.mj_step` alone, called
for each environment in turn. Simglucose, Fusion and RocketRecovery are compared with one slot of
ours. Rounds take turns; shown are the median and the quartiles of their ratios.

The originals' rates are those of another run (steps per CPU-second, one core, within 30%).
"""

import argparse
import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from rlbench.errors import UsageError
from rlbench.suites.neorl2.envs import NeoRL2Envs, make_simulator

ORIGINAL = {
    "Pipeline": 23_400,
    "DMSD": 14_800,
    "Simglucose": 71,
    "Fusion": 6.2,
    "RandomFrictionHopper": 8_700,
    "SafetyHalfCheetah": 15_100,
    "RocketRecovery": 3_460,
}
ROBOTS = {"RandomFrictionHopper": ("hopper.xml", 4), "SafetyHalfCheetah": ("half_cheetah.xml", 5)}
SLOTS = {"Pipeline": 1000, "DMSD": 1000, "Simglucose": 1000, "Fusion": 20}  # else 100
STEPS = {"Simglucose": 40, "Fusion": 3}  # of a round, of all slots; else 100
ALONE = {"Simglucose": 40, "Fusion": 3, "RocketRecovery": 300}  # of a round of one slot


def measure(steps: int, play: Callable[[], None]) -> float:
    """Return steps per CPU-second."""
    begin = time.process_time()
    play()
    return steps / (time.process_time() - begin)


def slots_of(name: str, slots: int, steps: int) -> Callable[[], None]:
    """Return what plays a round of all slots, actions included that were drawn before."""
    env = NeoRL2Envs(make_simulator(name, slots), slots, np.random.SeedSequence(0), 1000)
    size = env.single_action_space.shape[0]
    random = np.random.default_rng(0)
    actions = random.uniform(-1, 1, (steps, slots, size)).astype(np.float32)
    env.reset()

    def play() -> None:
        for action in actions:
            env.step(action)

    return play


def plain_dmsd(steps: int) -> Callable[[], None]:
    """Return what plays DMSD, one environment, in plain Python."""
    random = np.random.default_rng(0)
    actions = random.uniform(-1, 1, (steps, 2)).tolist()

    def play() -> None:
        x1, x2, v1, v2 = 0.1, -0.1, 0.0, 0.0
        for step, (left, right) in enumerate(actions):
            if step % 100 == 0:
                x1, x2, v1, v2 = 0.1, -0.1, 0.0, 0.0
            f1, f2 = 30.0 * max(-1.0, min(1.0, left)), 30.0 * max(-1.0, min(1.0, right))
            a1 = (-4.0 * x1 + 2.0 * x2 - 8.0 * v1 + 4.0 * v2 + f1) / 20.0
            a2 = (-4.0 * x2 + 2.0 * x1 - 8.0 * v2 + 4.0 * v1 + f2) / 20.0
            x1, x2, v1, v2 = x1 + 0.2 * v1, x2 + 0.2 * v2, v1 + 0.2 * a1, v2 + 0.2 * a2
            goals = (0.5, -0.5) if step % 100 < 50 else (-0.5, 0.5)
            obs = np.array([x1, x2, v1, v2, *goals], np.float32)
            reward = -math.log(abs(x1 - goals[0]) + 0.01) - math.log(abs(x2 - goals[1]) + 0.01)
            assert obs.shape == (6,)
            assert reward < 10.0

    return play


def plain_pipeline(steps: int) -> Callable[[], None]:
    """Return what plays Pipeline, one environment, in plain Python."""
    random = np.random.default_rng(0)
    actions = random.uniform(-1, 1, steps).tolist()
    switches = random.random(steps).tolist()

    def play() -> None:
        flows = past = deque([0.0])
        target = 80.0
        for step, action in enumerate(actions):
            if step % 1000 == 0:
                flows, past = deque([100.0] * 45), deque([0.0] * 25)
            moved = max(-1.0, min(1.0, action))
            flows.pop()
            flows.appendleft(min(200.0, max(0.0, flows[0] + moved)))
            past.pop()
            past.appendleft(moved)
            if switches[step] < 0.003:
                target = 110.0 if target == 80.0 else 80.0
            line = list(flows)
            obs = np.array([line[19], target, *line[20:], *past], np.float32)
            reward = ((200.0 - abs(line[19] - target)) / 100.0) ** 2 - 3.0
            assert obs.shape == (52,)
            assert reward < 10.0

    return play


def bare_mujoco(name: str, steps: int) -> Callable[[], None]:
    """Return what calls `mj_step` as often as the task's steps do, one environment."""
    import mujoco

    from rlbench.suites.neorl2 import locomotion

    file, frames = ROBOTS[name]
    bare: Any = locomotion.load_model(file)
    data = mujoco.MjData(bare)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, bare.nu))

    def play() -> None:
        for step, action in enumerate(actions):
            if step % 100 == 0:
                mujoco.mj_resetData(bare, data)
            data.ctrl[:] = action
            for _ in range(frames):
                mujoco.mj_step(bare, data)

    return play


def peer(name: str) -> tuple[str, int, Callable[[], None]]:
    """Return what a task is compared with, its steps of a round, and what plays them."""
    if name == "DMSD":
        return "plain Python", 5000, plain_dmsd(5000)
    if name == "Pipeline":
        return "plain Python", 5000, plain_pipeline(5000)
    if name in ROBOTS:
        return "mj_step alone", 2000, bare_mujoco(name, 2000)
    steps = ALONE.get(name, 1000)
    return "one slot", steps, slots_of(name, 1, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", help="else all that can be played here")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{'task':<22}{'slots':>6}{'steps/s':>12}{'x original':>12}  ratio [quartiles] over")
    for name in options.tasks or ORIGINAL:
        slots, steps = SLOTS.get(name, 100), STEPS.get(name, 100)
        try:
            play, (what, other_steps, other) = slots_of(name, slots, steps), peer(name)
        except (UsageError, ModuleNotFoundError) as error:
            print(f"{name:<22}left out: {error}")
            continue
        play()  # compiles
        other()
        rates, ratios = [], []
        for _ in range(options.rounds):
            rates.append(measure(slots * steps, play))
            ratios.append(rates[-1] / measure(other_steps, other))
        low, middle, high = statistics.quantiles(ratios, n=4)
        rate = statistics.median(rates)
        print(
            f"{name:<22}{slots:>6}{rate:>12,.0f}{rate / ORIGINAL[name]:>12.2f}  "
            f"{middle:.2f} [{low:.2f}, {high:.2f}] {what}"
        )


if __name__ == "__main__":
    main()
