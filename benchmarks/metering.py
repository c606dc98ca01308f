"""What metering and a process of its own cost at 1,000 steps a second.

    python benchmarks/metering.py [STEPS]

The suite of this file has environments whose steps take a millisecond of CPU time and return an
Atari observation. `rlbench run` plays the steps of one run in its worker, with the budget counted,
actions checked and logged, signs of life and checkpoints; a bare loop in a process of its own calls
the same environment and agent. They take turns. Printed are the ratios (run / bare loop, CPU
seconds of the process, all its threads together, from the first action to the last) and the
microseconds that a step takes longer. CPU time is what other work on the machine changes least. The
overhead is to stay below 3 %.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import process_time, thread_time
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from rlbench.runners import TaskInfo
from rlbench.runners.agents.random import RandomAgent
from rlbench.suites import Protocol, Suite, Task

STEPS = 2000
ROUNDS = 7
SECONDS = 1e-3  # that a step takes
EPISODE = 1000  # steps


class Paced(VectorEnv):
    """One environment whose steps take a millisecond."""

    def __init__(self) -> None:
        self.num_envs = 1
        self.metadata = {}
        self.single_observation_space = Box(0, 255, (4, 84, 84), np.uint8)
        self.single_action_space = Discrete(18)
        self.observation_space = batch_space(self.single_observation_space, 1)
        self.action_space = batch_space(self.single_action_space, 1)
        self.clock = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.clock = 0
        return self._obs(), {}

    def step(self, actions: np.ndarray) -> Any:
        until = thread_time() + SECONDS
        self.clock += 1
        ended = np.array([self.clock % EPISODE == 0])
        obs = self._obs()
        info = {"final_obs": obs} if ended[0] else {}
        while thread_time() < until:
            pass
        return obs, np.ones(1), ended, np.zeros(1, dtype=bool), info

    def _obs(self) -> np.ndarray:
        return np.full((1, 4, 84, 84), self.clock % 256, dtype=np.uint8)


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: str,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> Paced:
    return Paced()


PACED = Suite(
    name="paced",
    version=1,
    title="Paced",
    summary="A thousand steps a second.",
    protocol=Protocol(
        budget=STEPS, episodes=1, eval_envs=1, max_episode_steps=EPISODE, environment={}
    ),
    tasks=(Task(name="Paced", low=0.0, high=float(EPISODE)),),
    references=("none", "all"),
    reference_source="by definition: a reward of 1 a step",
    factory="metering:make",
    starts_vary=False,
    extra="",
)


class Timed(RandomAgent):
    """The random agent, which notes the CPU time between its first and its last action."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        super().__init__(task, seed)
        self.left, self.since = task.budget, 0.0

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        if phase == "train":
            self.since = self.since or process_time()
            self.left -= 1
            if not self.left:
                Path("seconds").write_text(str(process_time() - self.since))
        return super().act(obs, first, phase=phase)


def make_agent(task: TaskInfo, *, seed: int, device: str) -> Timed:
    return Timed(task, seed)


def play_bare(steps: int) -> None:
    """Play the steps in a loop without rlbench."""
    env = Paced()
    info = TaskInfo(
        suite="", task="", observation_space=env.single_observation_space,
        action_space=env.single_action_space, num_envs=1, budget=steps, unit="steps",
        max_episode_steps=EPISODE, kind="online",
    )  # fmt: skip
    agent = Timed(info, seed=0)
    obs, first = env.reset()[0], np.ones(1, dtype=bool)
    for _ in range(steps):
        obs, _, terminated, truncated, _ = env.step(agent.act(obs, first, phase="train"))
        first = terminated | truncated


def cpu_seconds(steps: int, *, is_bare: bool) -> float:
    """Return the CPU seconds from the first action to the last, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        installed = folder / "paced-1.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: paced\nVersion: 1\n")
        (installed / "entry_points.txt").write_text("[rlbench.suites]\npaced = metering:PACED\n")
        path = os.pathsep.join([str(folder), str(Path(__file__).resolve().parent)])
        command = [
            sys.executable, "-P", "-m", "rlbench", "run", "--suite", "paced", "--seeds", "1",
            "--agent", "metering:make_agent", "--unofficial", f"budget={steps}",
        ]  # fmt: skip
        if is_bare:
            command = [sys.executable, str(Path(__file__).resolve()), "--bare", str(steps)]
        environment = {**os.environ, "PYTHONPATH": path}
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        return float((folder / "seconds").read_text())


def main() -> None:
    if sys.argv[1:2] == ["--bare"]:
        play_bare(int(sys.argv[2]))
        return
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    ratios, extra = [], []
    for _ in range(ROUNDS):
        ours, bare = (cpu_seconds(steps, is_bare=is_bare) for is_bare in (False, True))
        ratios.append(ours / bare)
        extra.append((ours - bare) / steps * 1e6)
    print(f"run / bare loop at {1 / SECONDS:,.0f} steps/s, median (least to most)")
    print(
        f"  {statistics.median(ratios):.4f}  ({min(ratios):.4f} to {max(ratios):.4f}, {ROUNDS} "
        f"pairs of {steps:,} steps), {statistics.median(extra):.0f} microseconds a step"
    )


if __name__ == "__main__":
    main()
