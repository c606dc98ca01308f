"""Many processes of the same command on one store share the work."""

import subprocess
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from support.faults import Bench, check_complete, wait_until

from rlbench.results import Record

SIZES = [
    pytest.param(4, 4, id="4 processes, 8 runs"),
    pytest.param(16, 24, id="16 processes, 48 runs", marks=pytest.mark.faults),
]


def options(seeds: int) -> tuple[str, ...]:
    return ("--seeds", str(seeds), "--jobs", "1", "-o", "pace=0.001")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, Record]]:
    """Return what one process on its own records."""

    @cache
    def records(seeds: int) -> dict[str, Record]:
        bench = Bench(tmp_path_factory.mktemp("alone"), *options(seeds))
        bench.run()
        return bench.records()

    return records


def begun(bench: Bench) -> list[int]:
    """Return the workers in which an agent was made, one by one."""
    journal = bench.folder / "journal"
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [int(line.split()[-1]) for line in lines if line.startswith("made")]


def start(bench: Bench, processes: int) -> list[subprocess.Popen[str]]:
    journal = str(bench.folder / "journal")
    return [bench.start(JOURNAL=journal) for _ in range(processes)]


def finish(commands: list[subprocess.Popen[str]], code: int = 0) -> None:
    """Wait for commands and check how they end."""
    for command in commands:
        out, err = command.communicate(timeout=300)
        assert command.returncode == code, (command.returncode, out, err)
        assert "Traceback" not in err, err


def parent_of(process: int) -> int:
    """Return the parent of a process, or 0 if it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[1])


@pytest.mark.parametrize(("processes", "seeds"), SIZES)
def test_every_run_is_done_once(processes: int, seeds: int, alone, tmp_path: Path, tally) -> None:
    expected = alone(seeds)
    together = Bench(tmp_path, *options(seeds))
    commands = start(together, processes)
    wait_until(lambda: any(command.poll() is not None for command in commands), 300.0)
    assert together.records() == expected, "one ended before all was recorded"
    finish(commands)
    assert len(begun(together)) == 2 * seeds
    assert together.failures() == []
    assert {r.timing["attempts"] for r in together.timed_records().values()} == {1}
    check_complete(together, expected)
    tally["runs shared by processes"] += 2 * seeds


@pytest.mark.parametrize(("processes", "seeds"), SIZES)
def test_the_others_take_over_what_a_killed_one_was_at(
    processes: int, seeds: int, alone, tmp_path: Path, tally
) -> None:
    expected = alone(seeds)
    together = Bench(tmp_path, *options(seeds))
    commands = start(together, processes)
    worker = wait_until(lambda: begun(together))[0]
    victim = parent_of(worker)
    (killed,) = [command for command in commands if command.pid == victim]
    killed.kill()
    killed.communicate()
    finish([command for command in commands if command is not killed])
    assert len(begun(together)) in (2 * seeds, 2 * seeds + 1)
    assert together.failures() == []
    attempts = Counter(r.timing["attempts"] for r in together.timed_records().values())
    assert attempts[1] >= 2 * seeds - 1
    check_complete(together, expected)
    tally["processes killed among others"] += 1


@pytest.mark.parametrize("processes", [4, pytest.param(16, marks=pytest.mark.faults)])
def test_what_fails_in_one_is_not_tried_by_the_others(processes: int, tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, "--tasks", "Wait", "--seeds", "8", "--jobs", "1", agent="faults.agents:make",
        suite="misbehaviours", suites={"misbehaviours": "faults.agents:MISBEHAVIOURS"},
    )  # fmt: skip
    commands = [bench.start() for _ in range(processes)]
    for command in commands:
        # Until a run was begun, or found to be begun.
        while not command.stdout.readline().startswith(("start ", "another command is at ")):
            pass
    (tmp_path / "go").touch()
    finish(commands, code=1)
    failures = bench.failures()
    assert {record.error.reason for record in failures} == {"SystemExit: told to"}
    assert len(failures) == len({record.identity.key for record in failures}) == 8
