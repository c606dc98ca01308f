"""Asked to stop: what can be kept is kept, nothing counts as failed, the next command goes on."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.faults import LEARNED, SUITES, Bench, check_complete, wait_until

from rlbench.results import Record
from rlbench.runners.backends import supervision

OPTIONS = ("--tasks", "Walk", "--seeds", "3", "--jobs", "2", "-o", "pace=0.008")
SELDOM = 1000.0  # seconds between two checkpoints
HOLD = 2.0  # seconds that a step takes in which the command is asked: it looks every second
MOMENTS = 20
MISBEHAVIOURS = {**SUITES, "misbehaviours": "faults.agents:MISBEHAVIOURS"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Record], float]:
    """Return the records of a command that nothing befell, and how long it took."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"), *OPTIONS)
    started = time.monotonic()
    bench.run()
    return bench.records(), time.monotonic() - started


def start(bench: Bench, **variables: str) -> subprocess.Popen[str]:
    return bench.start(JOURNAL=str(bench.folder / "journal"), **variables)


def noted(bench: Bench, what: str) -> list[int]:
    """Return the workers whose agents have noted something."""
    journal = bench.folder / "journal"
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [int(line.split()[-1]) for line in lines if line.startswith(what)]


def send(number: signal.Signals, *processes: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def test_a_command_that_is_asked_to_stop_keeps_what_it_can(undisturbed, tmp_path: Path) -> None:
    expected, _ = undisturbed
    bench = Bench(tmp_path, *OPTIONS, every=SELDOM)
    for stop, number in enumerate((signal.SIGTERM, signal.SIGUSR1, signal.SIGINT), 1):
        process = start(bench, HOLD=str(HOLD))
        wait_until(lambda stop=stop: len(noted(bench, "learned")) == 2 * stop)
        send(number, process.pid)
        _, err = process.communicate(timeout=supervision.GRACE)
        assert process.returncode == 130
        assert "stopping: " in err
        assert "interrupted: 0 of 3 runs are kept" in err
        assert "Traceback" not in err
        assert bench.workers() == []
        assert bench.timed_records() == {}
        assert bench.failures() == []
        kept = bench.kept()
        assert list(kept.values()) == [3 * LEARNED * stop] * 2
    bench.run()
    check_complete(bench, expected)
    for key, record in bench.timed_records().items():
        assert record.timing["attempts"] == (4 if key in kept else 1)


def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    """A worker that does not listen has a minute to leave, unless nobody wants to wait."""
    bench = Bench(
        tmp_path, "--tasks", "Deaf", "--seeds", "1", agent="faults.agents:make",
        suite="misbehaviours", suites=MISBEHAVIOURS,
    )  # fmt: skip
    process = start(bench)
    wait_until(lambda: noted(bench, "deaf"))
    send(signal.SIGTERM, process.pid)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2.0)
    assert supervision.GRACE > 10.0
    started = time.monotonic()
    send(signal.SIGINT, process.pid)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - started < 5.0
    assert process.returncode == 130
    assert "Traceback" not in err
    assert bench.workers() == []
    assert bench.failures() == []


def test_an_agent_whose_helper_is_asked_too_did_not_fail(tmp_path: Path) -> None:
    """A cluster asks every process of a job, the agent's own ones too, which just end."""
    bench = Bench(
        tmp_path, "--tasks", "Helper", "--seeds", "1", agent="faults.agents:make",
        suite="misbehaviours", suites=MISBEHAVIOURS,
    )  # fmt: skip
    process = start(bench)
    (helper,) = wait_until(lambda: noted(bench, "helper"))
    send(signal.SIGTERM, *bench.workers(), helper, process.pid)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert bench.failures() == []
    (log,) = bench.store.glob("logs/*.log")
    assert "the helper is gone" in log.read_text()


EARLY, LATE = (lambda bench: bench.workers()[:1]), (lambda bench: noted(bench, "learned")[:1])


@pytest.mark.parametrize(
    ("number", "find"),
    [
        pytest.param(signal.SIGTERM, EARLY, id="early"),
        pytest.param(signal.SIGINT, LATE, id="late"),
        pytest.param(signal.SIGINT, EARLY, id="interrupted early", marks=pytest.mark.faults),
        pytest.param(signal.SIGTERM, LATE, id="ended late", marks=pytest.mark.faults),
    ],
)
def test_a_run_whose_worker_alone_is_asked_goes_on(
    number: signal.Signals, find: Callable[[Bench], list[int]], undisturbed, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, *OPTIONS, every=SELDOM)
    process = start(bench)
    send(number, *wait_until(lambda: find(bench)))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert bench.failures() == []
    check_complete(bench, undisturbed[0])
    attempts = sorted(r.timing["attempts"] for r in bench.timed_records().values())
    assert attempts == [1, 1, 2]


@pytest.mark.parametrize(
    "moment",
    [pytest.param(m, marks=[pytest.mark.faults] * (m > 0)) for m in range(MOMENTS)],
)
def test_asked_at_random_moments(moment: int, undisturbed, tmp_path: Path, tally) -> None:
    """At even moments the command, at odd ones all of its processes, in any order."""
    expected, whole = undisturbed
    chance = random.Random(moment)
    bench = Bench(tmp_path, *OPTIONS, every=SELDOM)
    for _ in range(3):
        process = start(bench)
        time.sleep(chance.uniform(0.0, whole))
        asked = [process.pid]
        if moment % 2:
            asked = chance.sample(asked + bench.workers(), 1 + len(bench.workers()))
        send(signal.SIGTERM, *asked)
        tally["times that a command was asked to stop at random moments"] += 1
        _, err = process.communicate(timeout=supervision.GRACE)
        assert process.returncode in (0, 130, -signal.SIGTERM), err
        assert "Traceback" not in err
        assert bench.failures() == []
    kept = bench.kept()
    bench.run()
    check_complete(bench, expected)
    assert all(bench.timed_records()[key].timing["attempts"] > 1 for key in kept)
