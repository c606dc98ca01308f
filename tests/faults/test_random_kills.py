"""Kill at random moments, again and again: what is let finish in the end is as if undisturbed."""

import random
import signal
import time
from contextlib import suppress
from os import kill
from pathlib import Path

import pytest
from support.faults import Bench, check_complete, wait_until

from rlbench.results import Record

OPTIONS = ("--tasks", "Walk", "--seeds", "2", "--jobs", "2", "-o", "pace=0.004")
CASES, SHORT = 200, 3
WHOM = ("workers", "the command", "all at once")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Record], float]:
    """Return the records of a command that nothing befell, and how long it took."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"), *OPTIONS)
    started = time.monotonic()
    bench.run()
    return bench.records(), time.monotonic() - started


def kill_at_random(bench: Bench, chance: random.Random, whom: str, longest: float) -> int:
    """Run the command and kill something; return how many processes that were."""
    killed = 0
    with bench.start() as process:
        time.sleep(chance.uniform(0.1, longest))
        victims = bench.workers()
        if whom == "workers":
            victims = chance.sample(victims, chance.randint(min(1, len(victims)), len(victims)))
        elif process.poll() is None:
            victims = [process.pid, *(victims if whom == "all at once" else [])]
        for victim in victims:
            with suppress(ProcessLookupError):
                kill(victim, signal.SIGKILL)
                killed += 1
        _, err = process.communicate(timeout=120)
    assert process.returncode in (-9, 0), err
    assert "Traceback" not in err
    wait_until(lambda: not bench.workers(), 5.0)
    return killed


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.faults] * (case >= SHORT)) for case in range(CASES)],
)
def test_killed_again_and_again(case: int, undisturbed, tmp_path: Path, tally) -> None:
    expected, whole = undisturbed
    bench, chance = Bench(tmp_path, *OPTIONS), random.Random(case)
    whom = WHOM[case % len(WHOM)]
    for _ in range(chance.randint(1, 4)):
        before = bench.finished_files()
        tally[f"kills of {whom} at random moments"] += kill_at_random(bench, chance, whom, whole)
        for path, content in before.items():
            assert path.read_bytes() == content
        assert bench.failures() == []
    kept = bench.kept()
    bench.run()
    check_complete(bench, expected)
    for key in kept:
        tally["runs that went on from a checkpoint"] += 1
        assert bench.timed_records()[key].timing["attempts"] > 1
