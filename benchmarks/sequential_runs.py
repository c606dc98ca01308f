"""Sequential comparisons through real runs on Atari: what they decide, and when they stop.

    python benchmarks/sequential_runs.py [--folder build/sequential-runs] [--jobs 2]

Freeway and Boxing, 2,000 steps of training, 5 episodes of evaluation, IQM, level .05. Each plan
was fixed before its first run:

- ``learner``: `examples/my_agent.py`, which learns which action to hold, against `random`, in 5
  batches of 3 seeds at most. We expected it to be better, and it was worse: on Freeway it learns
  something, and on Boxing it is beaten.
- ``freeway``: the same on Freeway alone, in 5 batches of 5 fresh seeds. This plan was made after
  the first comparison.
- ``equal``: two copies of that agent, which draw from different random streams, by the plan of the
  first comparison.

An agent's seed does not depend on its name. So one agent under two names would get equal scores in
every run, and a test that never errs there would show nothing. The copies differ by ``salt``.
The same command goes on after an interruption, and prints the table from the records.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rlbench.results import Record, Store

AGENT = Path(__file__).parents[1] / "examples/my_agent.py"
SALTED = """
import numpy as np
from my_agent import HoldingBandit


def make(task, *, seed, device, salt=0):
    mixed = int(np.random.SeedSequence((seed, salt)).generate_state(1)[0])
    return HoldingBandit(task, mixed, 100, 0.1)
"""
SETTING = (
    "--suite", "atari100k", "--unofficial", "budget=2000,episodes=5", "--stop", "adastop", "--run",
    "--max-batches", "5",
)  # fmt: skip
BOTH = ("--tasks", "Freeway,Boxing", "--batch", "3")
COMPARISONS = {
    "learner": ("learner=my_agent.py", "random", *BOTH),
    "freeway": (
        "learner=my_agent.py", "random", "--tasks", "Freeway", "--batch", "5", "--first-seed", "100"
    ),
    "equal": ("first=salted.py [salt=1]", "second=salted.py [salt=2]", *BOTH),
}  # fmt: skip
PLANNED = {"learner": 60, "freeway": 50, "equal": 60}  # agents x tasks x seeds of all batches


def compare(folder: Path, name: str, jobs: int) -> tuple[dict[str, Any], float]:
    """Carry out a comparison; return its row, and the seconds that the command took."""
    words = ("compare", *COMPARISONS[name], *SETTING, "--store", name, "--jobs", str(jobs))
    command = [sys.executable, "-m", "rlbench", *words]
    started = time.monotonic()
    if subprocess.run(command, cwd=folder).returncode:
        raise SystemExit(f"the comparison {name!r} is not decided")
    seconds = time.monotonic() - started
    done = subprocess.run([*command, "--json"], cwd=folder, check=True, capture_output=True)
    (row,) = json.loads(done.stdout)
    return row, seconds


def means(records: list[Record], label: str) -> str:
    """Return an agent's mean score on each task."""
    scores: dict[str, list[float]] = {}
    for record in records:
        if record.identity.agent.name == label:
            scores.setdefault(record.identity.task, []).append(record.score)
    return ", ".join(f"{task} {sum(of) / len(of):.1f}" for task, of in sorted(scores.items()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/sequential-runs"))
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    (given.folder / "my_agent.py").write_text(AGENT.read_text())
    (given.folder / "salted.py").write_text(SALTED)
    lines = []
    for name in COMPARISONS:
        row, seconds = compare(given.folder, name, given.jobs)
        records = Store(given.folder / name).load().records
        worker = sum(record.slot_seconds or 0.0 for record in records)
        lines.append(
            f"| {row['a']}: {means(records, row['a'])} | {row['b']}: {means(records, row['b'])} "
            f"| {row['decision']} | {row['batches']} of 5 | {len(records)} of {PLANNED[name]} "
            f"| {worker:.0f} | {seconds:.0f} |"
        )
    print("| first, mean scores | second | decision | batches | runs | worker s | command s |")
    print("|" + "---|" * 7)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
