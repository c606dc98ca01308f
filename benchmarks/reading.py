"""Reading a million rows, against pandas: CPU seconds and memory, each in a process of its own.

    python benchmarks/reading.py [--rows 1000000]

The file holds learning curves of ten agents on ten tasks, ten runs each. rlbench reads it with all
its checks, by `read_scores`; pandas parses it with `read_csv`, sorts it by step and takes the last
score of each run, without a check. The limits are 5 s of CPU and 500 MB for a million rows.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROUNDS = 3
RUN = {
    "rlbench": """
from pathlib import Path
from rlbench.results import read_scores
runs = read_scores(Path(path)).runs
scores = {agent: {task: list(of) for task, of in tasks.items()} for agent, tasks in runs.items()}
""",
    "pandas": """
import pandas
rows = pandas.read_csv(path).sort_values("step", kind="stable")
last = rows.groupby(["agent", "task", "seed"], sort=False)["score"].last()
scores = {a: {t: list(g) for t, g in of.groupby("task")} for a, of in last.groupby("agent")}
""",
}
MEASURE = """
import resource
import sys
path = sys.argv[1]
{code}
total = sum(sum(of) for tasks in scores.values() for of in tasks.values())
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, round(total, 3))
"""


def write(path: Path, rows: int) -> None:
    """Write learning curves with so many points in all."""
    random, points = np.random.default_rng(0), rows // 1000
    with path.open("w") as file:
        file.write("agent,task,seed,step,score\n")
        for run in range(1000):
            name = f"agent{run // 100},task{run // 10 % 10},{run % 10}"
            scores = random.normal(size=points).cumsum()
            file.writelines(f"{name},{1000 * k},{x:.6f}\n" for k, x in enumerate(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.csv"
        write(path, options.rows)
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
        medians, totals = {}, set()
        for who, code in RUN.items():
            found = []
            for _ in range(ROUNDS):
                done = subprocess.run(
                    [sys.executable, "-c", MEASURE.format(code=code), str(path)],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                cpu, memory, total = map(float, done.stdout.split())
                found.append((cpu, memory))
                totals.add(total)
            medians[who] = np.median(found, axis=0)
            print(f"{who}: {medians[who][0]:.2f} s of CPU, {medians[who][1]:.0f} MB")
        assert len(totals) == 1, "the two read different scores"
        cpu, memory = medians["rlbench"] / medians["pandas"]
        print(f"rlbench takes {cpu:.1f} times the CPU of pandas and {memory:.1f} times its memory")


if __name__ == "__main__":
    main()
