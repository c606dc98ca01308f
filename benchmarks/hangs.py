"""How long it takes until an agent that hangs is ended and recorded.

    python benchmarks/hangs.py [ROUNDS [LIMIT]]

Each run hangs in another way: asleep in a step of training; asleep in `observe`, deaf to SIGTERM;
asleep in the evaluation; busy while it is made, inside one call of C that gives no other thread a
chance. The limit for a step is 10 s, or LIMIT where a machine needs longer to start. Printed are
the seconds from the hang until the record stood in the store, over that limit, and how many of
the command's processes were left when it had ended. The limit counts from the last sign of life,
which may have come before the hang: then the number is below 0. The target is limit + 5 s, and none
left.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rlbench.results import Store

ROUNDS = 5
LIMIT = 10.0
AGENT = """
import pathlib, signal, time
import numpy as np

HERE = pathlib.Path(__file__).parent


def hang():
    (HERE / "since").write_text(str(time.time()))
    {how}


class Agent:
    def __init__(self, task, seed):
        self.calls = 0

    def act(self, obs, first, *, phase):
        self.calls += 1
        if {where!r} == phase and self.calls > 3:
            hang()
        return np.zeros(len(obs), dtype=int)

    def observe(self, batch):
        if {where!r} == "observe" and self.calls > 3:
            hang()


def make(task, *, seed, device):
    if {where!r} == "make":
        hang()
    return Agent(task, seed)
"""
HANGS = {
    "asleep in training": ("train", "time.sleep(600)"),
    "deaf in observe": (
        "observe", "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    ),
    "asleep in evaluation": ("eval", "time.sleep(600)"),
    "busy in make": ("make", "sum(range(10**13))"),
}  # fmt: skip


def left_in(folder: Path) -> int:
    """Return how many processes work in a folder."""
    number = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            number += (process / "cwd").resolve() == folder
        except OSError:
            continue
    return number


def measure(where: str, how: str, limit: float) -> tuple[float, int]:
    """Return the seconds over the limit, and the processes that are left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "hangs.py").write_text(AGENT.format(where=where, how=how))
        command = [
            sys.executable, "-P", "-m", "rlbench", "run", "--suite", "atari100k", "--tasks", "Pong",
            "--agent", "hangs", "--seeds", "1", "--step-timeout", str(limit),
            "--unofficial", "budget=50,episodes=2,max_episode_steps=50",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        left = left_in(folder)
        records = Store(folder / "runs").load().records
        assert [r.status for r in records] == ["timeout"], done.stdout + done.stderr
        (path,) = folder.glob("runs/*/*/*/*.failed1.json")
        since = float((folder / "since").read_text())
        return path.stat().st_mtime - since - limit, left


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else LIMIT
    print(f"seconds over the limit of {limit:g} s until a hang is recorded, median (least to most)")
    for name, hang in HANGS.items():
        found = [measure(*hang, limit) for _ in range(rounds)]
        over, left = [seconds for seconds, _ in found], sum(number for _, number in found)
        print(
            f"  {name:<22} {statistics.median(over):.2f}  ({min(over):.2f} to {max(over):.2f}, "
            f"{rounds} runs), {left} processes left",
            flush=True,
        )


if __name__ == "__main__":
    main()
