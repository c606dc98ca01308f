"""What the environments of dmc-vision add to a loop that only draws, and what workers would bring.

The bare loop calls `mjv_updateScene`, `mjr_render` and `mjr_readPixels` for each environment, on
data that stay as they are, in a context of the same backend and size. Ours are whole: actions in,
physics, rewards, stacks of pictures out. Both have the same states at the start of a stretch, take
turns in one process; the ratios of wall time and of CPU time are bare / ours, the median of the
stretches with the quartiles.

Then the same pictures, drawn by 2 processes that share the memory of the pictures: each gets the
states of its half of the environments and draws into its part. The ratios are those of one process
over two, in wall time and in CPU time, and the pictures are compared bit for bit. On a machine with
other work, two processes get a larger share of it: the CPU time says whether they save any. "cores"
is the CPU time of the bare loop over its wall time: Mesa draws with threads of its own, whose
number `LP_NUM_THREADS` sets. Needs the extra `dmc` and OpenGL; `MUJOCO_GL` names the backend.
"""

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter, process_time

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlbench import suites
from rlbench.suites.dmc.envs import ControlEnvs
from rlbench.suites.dmc.rendering import Camera
from rlbench.suites.dmc.tasks import control_task

SUITE = suites.get("dmc-vision")
TASKS = "cartpole_swingup,cheetah_run,walker_walk,quadruped_run"
SIZE = 84
INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)

States = NDArray[np.float64]  # (n, k)
Pictures = NDArray[np.uint8]  # (n, height, width, 3)


class Drawer:
    """Draws environments from their states, one after another.

    Args:
        task: Its name.
        pictures: Where they go.
    """

    def __init__(self, task: str, pictures: Pictures) -> None:
        self.model, _, _ = control_task(task).build()
        number = int(SUITE.constants(SUITE.task(task))["camera"])
        self.camera = Camera(self.model, number, SIZE, SIZE)
        self.data = [mujoco.MjData(self.model) for _ in pictures]
        self.pictures = pictures

    def set(self, states: States) -> None:
        for data, state in zip(self.data, states, strict=True):
            mujoco.mj_setState(self.model, data, state, INTEGRATION)
            mujoco.mj_forward(self.model, data)

    def draw(self) -> None:
        for picture, data in zip(self.pictures, self.data, strict=True):
            picture[:] = self.camera.picture(data)


def serve(pipe: Connection, task: str, memory: str, n: int, part: slice) -> None:
    """Draw a part of the environments whenever their states come."""
    shared = SharedMemory(memory)
    pictures = np.ndarray((n, SIZE, SIZE, 3), np.uint8, shared.buf)[part]
    drawer = Drawer(task, pictures)
    pipe.send(process_time())
    while (states := pipe.recv()) is not None:
        drawer.set(states)
        drawer.draw()
        pipe.send(process_time())
    drawer.camera.close()
    del pictures, drawer
    shared.close()


class Workers:
    """Two processes that share the pictures."""

    def __init__(self, task: str, n: int, count: int = 2) -> None:
        self.shared = SharedMemory(create=True, size=n * SIZE * SIZE * 3)
        self.pictures: Pictures = np.ndarray((n, SIZE, SIZE, 3), np.uint8, self.shared.buf)
        self.parts = [slice(n * k // count, n * (k + 1) // count) for k in range(count)]
        context = multiprocessing.get_context("spawn")
        self.workers = []
        for part in self.parts:
            here, there = context.Pipe()
            asked = (there, task, self.shared.name, n, part)
            process = context.Process(target=serve, args=asked, daemon=True)
            process.start()
            self.workers.append((here, process))
        self.cpu = sum(pipe.recv() for pipe, _ in self.workers)  # seconds so far

    def draw(self, states: States) -> None:
        for (pipe, _), part in zip(self.workers, self.parts, strict=True):
            pipe.send(states[part])
        self.cpu = sum(pipe.recv() for pipe, _ in self.workers)

    def close(self) -> None:
        for pipe, process in self.workers:
            pipe.send(None)
            process.join()
        self.pictures = np.zeros(0, np.uint8)
        self.shared.close()
        self.shared.unlink()


def ratios(first: list[float], second: list[float]) -> str:
    low, middle, high = statistics.quantiles(
        [a / b for a, b in zip(first, second, strict=True)], n=4
    )
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def row(task: str, n: int, rounds: int) -> None:
    """Print a task's line."""
    constants = SUITE.constants(SUITE.task(task))
    env = ControlEnvs(task, constants, np.arange(n))
    env.reset()
    rng = np.random.default_rng(0)
    bare = Drawer(task, np.zeros((n, SIZE, SIZE, 3), np.uint8))
    workers = Workers(task, n)
    names = ("bare", "ours", "alone", "two")
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}

    def alone(states: States) -> None:
        bare.set(states)
        bare.draw()

    equal = True
    for number in range(-1, rounds):  # the first one is not counted
        states = env._simulations.batch.state.copy()
        actions = rng.uniform(-1, 1, (n, *env.single_action_space.shape)).astype(np.float32)
        bare.set(states)
        calls: dict[str, Callable[[], object]] = {
            "bare": bare.draw,
            "ours": lambda actions=actions: env.step(actions),
            "alone": lambda states=states: alone(states),
            "two": lambda states=states: workers.draw(states),
        }
        for name in list(calls) if number % 2 else reversed(calls):
            began, before, of_workers = perf_counter(), process_time(), workers.cpu
            calls[name]()
            if number >= 0:
                wall[name].append(perf_counter() - began)
                cpu[name].append(process_time() - before + workers.cpu - of_workers)
        equal &= bool((workers.pictures == bare.pictures).all())
    each = 1000 * statistics.median(cpu["bare"]) / n
    same = "equal" if equal else "DIFFER"
    cores = sum(cpu["bare"]) / sum(wall["bare"])
    print(
        f"{task:18} {bare.camera.backend}  {each:5.1f} CPU ms a picture, {cores:.2f} cores  "
        f"ours over bare {ratios(wall['bare'], wall['ours'])}, CPU "
        f"{ratios(cpu['bare'], cpu['ours'])}  two processes over one "
        f"{ratios(wall['alone'], wall['two'])}, CPU {ratios(cpu['alone'], cpu['two'])}, "
        f"pictures {same}",
        flush=True,
    )
    workers.close()
    bare.camera.close()
    env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--environments", type=int, default=8)
    a = parser.parse_args()
    threads = os.environ.get("LP_NUM_THREADS", "by itself")
    print(f"{a.environments} environments, 84x84; threads of Mesa's renderer: {threads}")
    for task in a.tasks.split(","):
        row(task, a.environments, a.rounds)


if __name__ == "__main__":
    main()
