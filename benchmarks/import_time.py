"""How long `import rlbench` and the commands take, and what they must not import.

    python benchmarks/import_time.py

Prints the median over fresh interpreters, less that of an interpreter that imports nothing. The
limit is 150 ms. Of commands on small inputs it prints the CPU time of their first call, with
nothing compiled by numba in the cache, and the median of later ones. The limit is 1.5 s.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MS = 150
LIMIT_S = 1.5
SCORES = str(Path(__file__).parents[1] / "examples/scores.csv")
COMMANDS = (
    ["--help"],
    ["list", "suites"],
    ["show", "atari100k"],
    ["stats", SCORES, "--suite", "atari100k"],
    ["compare", SCORES, "--suite", "atari100k"],
    ["plan", SCORES, "--suite", "atari100k"],
)
ROUNDS = 15
UNWANTED = ("ale_py", "gymnasium", "numba", "torch", "matplotlib", "scipy", "pandas", "numpy")


def median_ms(statement: str) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def cpu_seconds(command: list[str], cache: str) -> float:
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "rlbench", *command],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "NUMBA_CACHE_DIR": cache},
    )  # fmt: skip
    after = os.times()
    used = after.children_user - before.children_user
    return used + after.children_system - before.children_system


def time_commands() -> None:
    for command in COMMANDS:
        with tempfile.TemporaryDirectory() as cache:
            first, *later = (cpu_seconds(command, cache) for _ in range(6))
        took = statistics.median(later)
        words = " ".join(word for word in command if word != SCORES)
        print(
            f"rlbench {words:<26} {took:5.2f} s CPU, first call {first:5.2f} s  "
            f"limit {LIMIT_S} s, ratio {took / LIMIT_S:.2f}"
        )


def main() -> None:
    nothing = median_ms("pass")
    for name in ("rlbench", "rlbench.suites", "rlbench.results", "rlbench.runners", "rlbench.cli"):
        code = f"import sys, {name}; print(*[m for m in {UNWANTED!r} if m in sys.modules])"
        loaded = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.strip()
        took = median_ms(f"import {name}") - nothing
        limit = f"  limit {LIMIT_MS} ms, ratio {took / LIMIT_MS:.2f}" if name == "rlbench" else ""
        print(f"import {name:<16} {took:7.1f} ms{limit}  imports: {loaded or 'none of them'}")
    time_commands()


if __name__ == "__main__":
    main()
