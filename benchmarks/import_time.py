"""How long `import rlbench` takes, and what it must not import.

    python benchmarks/import_time.py

Prints the median over fresh interpreters, less that of an interpreter that imports nothing. The
limit is 150 ms.
"""

import statistics
import subprocess
import sys
import time

LIMIT_MS = 150
ROUNDS = 15
UNWANTED = ("ale_py", "gymnasium", "numba", "torch", "matplotlib", "scipy", "pandas", "numpy")


def median_ms(statement: str) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


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


if __name__ == "__main__":
    main()
