"""How fast DeepMind Control steps: our environments over a bare `mj_step` loop, in CPU time.

Ours are whole: actions in, rewards and observations out, through the `VectorEnv` of the suites.
The bare loop is Python's, over one `MjData` for each environment: it writes the controls and calls
`mj_step`. Beside them stand dm_control, gymnasium's `SyncVectorEnv` over it and, where it is
installed, envpool 1.2.5.

All play the same random actions with one thread. Before each stretch of steps every engine but
envpool is set to the same states, so contacts are alike; envpool has starts of its own. Resets are
not part of it. The table has control steps per CPU-second of ours, and for each engine the median
of its ratios to the bare loop, with the quartiles of ours.

Then, for one task each in a process of its own: the ratio and the memory by the number of
environments, and two threads. Needs the extra `dmc`.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "disabled")  # dm_control's import looks for OpenGL

import mujoco
import numpy as np

from rlbench import suites
from rlbench.suites.dmc.envs import ControlEnvs
from rlbench.suites.dmc.tasks import CONTROL_STEPS, control_task

SUITE = suites.get("dmc-state")
TASKS = (
    "cartpole_swingup,pendulum_swingup,reacher_easy,cheetah_run,finger_spin,walker_walk,hopper_hop,"
    "humanoid_run,dog_run,quadruped_run"
)
STRETCH = 50  # control steps
INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)

States = np.ndarray  # (n, k)
Actions = np.ndarray  # (steps, n, nu) in [-1, 1]


class Ours:
    """The environments of the suite."""

    def __init__(self, task: str, n: int, repeat: int, threads: int = 1) -> None:
        constants = {**SUITE.constants(SUITE.task(task)), "action_repeat": repeat}
        constants["max_episode_steps"] = CONTROL_STEPS
        self.env = ControlEnvs(task, constants, np.arange(n), threads)
        self.simulations = self.env._simulations
        self.env.reset()

    def begin(self, states: States) -> None:
        """They are where the others are set to."""

    def play(self, actions: Actions) -> None:
        for action in actions:
            self.env.step(action)


class Bare:
    """A loop of `mj_step`."""

    def __init__(self, ours: Ours, n: int, repeat: int) -> None:
        self.model = ours.simulations.model
        self.data = [mujoco.MjData(self.model) for _ in range(n)]
        self.steps = ours.simulations._steps * repeat
        self.low, high = self.model.actuator_ctrlrange.T
        self.half = (high - self.low) / 2

    def begin(self, states: States) -> None:
        for data, state in zip(self.data, states, strict=True):
            mujoco.mj_setState(self.model, data, state, INTEGRATION)

    def play(self, actions: Actions) -> None:
        controls = (self.low + (actions.astype(np.float64) + 1) * self.half).swapaxes(0, 1)
        model, steps, step = self.model, self.steps, mujoco.mj_step
        places = [(data, data.ctrl) for data in self.data]
        for t in range(len(actions)):
            for (data, ctrl), control in zip(places, controls[:, t], strict=True):
                ctrl[:] = control
                step(model, data, steps)


class DmControl:
    """dm_control's environments, one after another."""

    def __init__(self, task: str, n: int, repeat: int) -> None:
        from dm_control import suite

        logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of each model
        domain = max((d for d in suite.TASKS_BY_DOMAIN if task.startswith(d + "_")), key=len)
        self.envs = [suite.load(domain, task[len(domain) + 1 :]) for _ in range(n)]
        for env in self.envs:
            env.reset()
        spec = self.envs[0].action_spec()
        self.low, self.half = spec.minimum, (spec.maximum - spec.minimum) / 2
        self.repeat = repeat

    def begin(self, states: States) -> None:
        for env, state in zip(self.envs, states, strict=True):
            model, data = env.physics.model.ptr, env.physics.data.ptr
            mujoco.mj_setState(model, data, state, INTEGRATION)
            mujoco.mj_step1(model, data)  # its steps begin in the middle of one of MuJoCo's
            env._step_count = 0

    def step(self, env: Any, action: np.ndarray) -> tuple[np.ndarray, float]:
        control, total = self.low + (action + 1) * self.half, 0.0
        for _ in range(self.repeat):
            last = env.step(control)
            total += last.reward
        parts = [np.ravel(part) for part in last.observation.values()]
        return np.concatenate(parts).astype(np.float32), total

    def play(self, actions: Actions) -> None:
        for row in actions:
            for env, action in zip(self.envs, row, strict=True):
                self.step(env, action)


class Synchronous(DmControl):
    """The same under gymnasium's `SyncVectorEnv`."""

    def __init__(self, task: str, n: int, repeat: int) -> None:
        import gymnasium

        super().__init__(task, n, repeat)
        size = len(self.step(self.envs[0], np.zeros(len(self.low)))[0])
        outer = self

        class One(gymnasium.Env[np.ndarray, np.ndarray]):
            observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
            action_space = gymnasium.spaces.Box(-1, 1, self.low.shape, np.float32)

            def __init__(self, env: Any) -> None:
                self.env = env

            def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
                return np.zeros(size, np.float32), {}

            def step(
                self, action: np.ndarray
            ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
                obs, reward = outer.step(self.env, action)
                return obs, reward, False, False, {}

        self.vector = gymnasium.vector.SyncVectorEnv(
            [lambda env=env: One(env) for env in self.envs]
        )
        self.vector.reset()

    def play(self, actions: Actions) -> None:
        for action in actions:
            self.vector.step(action)


class Envpool:
    """envpool's environments, from starts of its own; one reward a step, however long."""

    def __init__(self, task: str, n: int, repeat: int) -> None:
        import envpool

        _, _, steps = control_task(task).build()

        name = "".join(word.capitalize() for word in task.split("_"))
        self.env: Any = envpool.make_gymnasium(
            f"{name}-v1", num_envs=n, num_threads=1, seed=0, frame_skip=steps * repeat
        )
        self.clock = CONTROL_STEPS

    def begin(self, states: States) -> None:
        self.clock += STRETCH
        if self.clock + STRETCH >= CONTROL_STEPS:
            self.env.reset()
            self.clock = 0

    def play(self, actions: Actions) -> None:
        for action in actions.astype(np.float64):
            self.env.step(action)


def peers(task: str, n: int, repeat: int) -> dict[str, Any]:
    """Return the other engines that are installed."""
    found: dict[str, Any] = {}
    for name, make in (("dm_control", DmControl), ("Sync", Synchronous), ("envpool", Envpool)):
        try:
            found[name] = make(task, n, repeat)
        except ModuleNotFoundError:
            continue
    return found


def compare(
    ours: Ours, engines: dict[str, Any], n: int, repeat: int, rounds: int
) -> dict[str, list[float]]:
    """Return the CPU seconds that each engine takes, a stretch each."""
    engines = {"ours": ours, **engines}
    nu = ours.env.single_action_space.shape
    rng, steps = np.random.default_rng(0), STRETCH // repeat
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    per_episode = CONTROL_STEPS // STRETCH - 1
    for number in range(-1, rounds):  # the first one is not counted
        if number % per_episode == 0:
            ours.env.reset()
        states = ours.simulations.batch.state.copy()
        actions = rng.uniform(-1, 1, (steps, n, *nu)).astype(np.float32)
        for name in list(engines) if number % 2 else reversed(engines):
            engines[name].begin(states)
            begin = time.process_time()
            engines[name].play(actions)
            if number >= 0:
                seconds[name].append(time.process_time() - begin)
    return seconds


def ratios(seconds: dict[str, list[float]], name: str) -> list[float]:
    """Return the quartiles of an engine's speed over the bare loop's."""
    pairs = zip(seconds["bare"], seconds[name], strict=True)
    return statistics.quantiles([bare / own for bare, own in pairs], n=4)


def row(task: str, n: int, repeat: int, rounds: int) -> None:
    """Print a task's line."""
    ours = Ours(task, n, repeat)
    engines = {"bare": Bare(ours, n, repeat), **peers(task, n, repeat)}
    seconds = compare(ours, engines, n, repeat, rounds)
    low, middle, high = ratios(seconds, "ours")
    speed = n * STRETCH / statistics.median(seconds["ours"])
    others = "  ".join(
        f"{name} {ratios(seconds, name)[1]:.2f}" for name in seconds if name not in ("ours", "bare")
    )
    print(
        f"{task:18} repeat {repeat}  {speed:>9,.0f}/s  ours {middle:.2f} ({low:.2f} to {high:.2f})"
        f"  {others}",
        flush=True,
    )


def alone(task: str, n: int, threads: int, rounds: int) -> tuple[float, float, float]:
    """Return control steps per CPU-second, the ratio and MB, measured in a new process."""
    program = f"from engines import measure; measure({task!r}, {n}, {threads}, {rounds})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=sys.path[0], capture_output=True, text=True, check=True
    )
    speed, ratio, memory = json.loads(done.stdout)
    return speed, ratio, memory


def measure(task: str, n: int, threads: int, rounds: int) -> None:
    Ours(task, 1, 2)
    before = resident()
    ours = Ours(task, n, 2, threads)
    ours.play(np.zeros((2, n, *ours.env.single_action_space.shape), np.float32))
    memory = resident() - before
    seconds = compare(ours, {"bare": Bare(ours, n, 2)}, n, 2, rounds)
    speed = n * STRETCH / statistics.median(seconds["ours"])
    print(json.dumps([speed, ratios(seconds, "ours")[1], memory]))


def resident() -> float:
    """Return the memory that this process has, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=38)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--repeats", default="1,2", help="control steps of a step")
    parser.add_argument("--environments", type=int, default=16)
    parser.add_argument("--sizes", default="1,4,16,64,256")
    parser.add_argument("--alone", default="cheetah_run,humanoid_run", help="by size and threads")
    a = parser.parse_args()
    print(
        f"{a.environments} environments, one thread; control steps per CPU-second, ratios to bare"
    )
    for task in filter(None, a.tasks.split(",")):
        for repeat in a.repeats.split(","):
            row(task, a.environments, int(repeat), a.rounds)
    for task in filter(None, a.alone.split(",")):
        print(f"\n{task}, repeat 2, by environments and threads")
        for n, threads in [(int(n), 1) for n in a.sizes.split(",")] + [(16, 2), (64, 2), (256, 2)]:
            speed, ratio, memory = alone(task, n, threads, a.rounds)
            print(
                f"{n:>4} x {threads}  {speed:>9,.0f}/s  ratio {ratio:.2f}  {memory:>6.1f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
