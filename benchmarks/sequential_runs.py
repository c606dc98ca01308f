"""Two sequential comparisons through real runs on Atari: what they decide, and when they stop.

    python benchmarks/sequential_runs.py [--folder build/sequential-runs] [--jobs 2]

The plan was fixed before the first run: Freeway and Boxing, 2,000 steps of training, 5 episodes of
evaluation, the IQM, batches of 3 seeds, at most 5 of them, level .05. There are two comparisons:

- ``better``: `examples/my_agent.py`, which learns which action to hold, against `random`. Its
  docstring says that it learns something on Freeway.
- ``equal``: two copies of that agent, which draw from different random streams.

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
COMPARISONS = {
    "better": ("learner=my_agent.py", "random"),
    "equal": ("first=salted.py [salt=1]", "second=salted.py [salt=2]"),
}
PLAN = (
    "--suite", "atari100k", "--tasks", "Freeway,Boxing", "--unofficial", "budget=2000,episodes=5",
    "--stop", "adastop", "--batch", "3", "--max-batches", "5", "--run",
)  # fmt: skip
PLANNED = 2 * 2 * 3 * 5  # agents, tasks, seeds of a batch, batches


def compare(folder: Path, name: str, jobs: int) -> tuple[list[dict[str, Any]], float]:
    """Carry out a comparison; return its rows, and the seconds that the command took."""
    words = ("compare", *COMPARISONS[name], *PLAN, "--store", name, "--jobs", str(jobs))
    command = [sys.executable, "-m", "rlbench", *words]
    started = time.monotonic()
    if subprocess.run(command, cwd=folder).returncode:
        raise SystemExit(f"the comparison {name!r} is not decided")
    seconds = time.monotonic() - started
    done = subprocess.run([*command, "--json"], cwd=folder, check=True, capture_output=True)
    return json.loads(done.stdout), seconds


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
        (row,), seconds = compare(given.folder, name, given.jobs)
        records = Store(given.folder / name).load().records
        worker = sum(record.slot_seconds or 0.0 for record in records)
        lines.append(
            f"| {row['a']}: {means(records, row['a'])} | {row['b']}: {means(records, row['b'])} "
            f"| {row['decision']} | {row['batches']} of 5 | {len(records)} of {PLANNED} "
            f"| {worker:.0f} | {seconds:.0f} |"
        )
    print("| first | second | decision | batches | runs | worker s | command s |")
    print("|" + "---|" * 7)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
