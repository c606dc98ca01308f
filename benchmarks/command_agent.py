"""What it costs that an agent is a command: the round trip of `act` for one Atari observation.

    python benchmarks/command_agent.py [CALLS]

One observation is 4x84x84 bytes; the answer is one action. The limit is a pipe echo: a process that
reads as many bytes as `act` sends and writes as many as its answer has, with nothing in them and
nothing done on either side. All take turns in one process, in short stretches, so that they meet
the machine in the same state. The median time of a call is printed with the quartiles, and the
median of the ratios (to the echo) of neighbouring stretches.

- in-process: `act` of a Python object.
- Python: `examples/cmd_agent.py`, which parses every header and wraps the arrays.
- C: `examples/cmd_agent.c`; left out where there is no `cc`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from gymnasium.spaces import Box, Discrete

from rlbench.runners import TaskInfo
from rlbench.runners.agents.adapters.command import encode, make_factory
from rlbench.runners.agents.random import RandomAgent

EXAMPLES = Path(__file__).parents[1] / "examples"
CALLS = 6000
STRETCH = 20
ECHO = """
import os, sys
asked, answered = int(sys.argv[1]), bytes(int(sys.argv[2]))
while True:
    left = asked
    while left:
        data = os.read(0, left)
        if not data:
            sys.exit()
        left -= len(data)
    os.write(1, answered)
"""
TASK = TaskInfo(
    suite="", task="", observation_space=Box(0, 255, (4, 84, 84), np.uint8),
    action_space=Discrete(18), num_envs=1, budget=1, unit="steps", max_episode_steps=1,
    kind="online",
)  # fmt: skip
OBS = np.random.default_rng(0).integers(256, size=(1, 4, 84, 84), dtype=np.uint8)
FIRST = np.zeros(1, dtype=bool)


class Echo:
    """A process that answers so many bytes with so many others."""

    def __init__(self, asked: int, answered: int) -> None:
        self.message, self.answered = bytes(asked), answered
        self.process = subprocess.Popen(
            [sys.executable, "-c", ECHO, str(asked), str(answered)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self) -> None:
        left = len(self.message)
        while left:
            left -= os.write(self.process.stdin.fileno(), self.message[-left:])
        left = self.answered
        while left:
            left -= len(os.read(self.process.stdout.fileno(), left))

    def close(self) -> None:
        self.process.communicate()


def commands(folder: str) -> dict[str, str]:
    """Return the commands by name; build the one in C."""
    found = {"Python": f"cmd:{sys.executable} {EXAMPLES / 'cmd_agent.py'}"}
    if shutil.which("cc"):
        program = f"{folder}/cmd_agent"
        source = str(EXAMPLES / "cmd_agent.c")
        subprocess.run(["cc", "-std=c99", "-O2", "-o", program, source], check=True)
        found["C"] = f"cmd:{program}"
    return found


def take_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Return (rounds,) microseconds a call, each the mean of a stretch."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = perf_counter()
            for _ in range(STRETCH):
                call()
            seconds[name].append((perf_counter() - started) / STRETCH)
    return {name: np.array(values[5:]) * 1e6 for name, values in seconds.items()}


def main() -> None:
    rounds = int(sys.argv[1] if len(sys.argv) > 1 else CALLS) // STRETCH + 5
    asked = len(encode("act", {"obs": OBS, "first": FIRST}, "train"))
    answered = len(encode("act", {"action": np.zeros(1, dtype=np.int64)}))
    with tempfile.TemporaryDirectory() as folder:
        echo = Echo(asked, answered)
        agents = {
            name: make_factory(spec)(TASK, seed=0, device="cpu")
            for name, spec in commands(folder).items()
        }
        asking = {"in-process": RandomAgent(TASK, seed=0), **agents}
        calls: dict[str, Callable[[], object]] = {"pipe echo": echo.ask}
        for name, agent in asking.items():
            calls[name] = lambda agent=agent: agent.act(OBS, FIRST, phase="train")
        times = take_turns(calls, rounds)
        for open_one in (echo, *agents.values()):
            open_one.close()
    print(f"act: {asked:,} bytes there, {answered} back; microseconds, median (quartiles), / echo")
    for name, values in times.items():
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        ratio = np.median(values / times["pipe echo"])
        print(f"  {name:<12} {middle:7.1f}  ({low:.1f} to {high:.1f})  {ratio:.2f}")


if __name__ == "__main__":
    main()
