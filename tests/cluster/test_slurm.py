"""Arrays of jobs, by submitit's executors that need no SLURM: no test here has seen a cluster."""

import json
import os
import signal
from pathlib import Path

import pytest
from support.faults import LEARNER, Bench, check_complete, learners, wait_until

from rlbench.results import Record

pytestmark = pytest.mark.cluster
pytest.importorskip("submitit", reason="submitit is not installed: make test-cluster")

OPTIONS = ("--tasks", "Walk,Hike", "--seeds", "1", "-o", "pace=0.01")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """Return the records of the local backend."""
    bench = Bench(tmp_path_factory.mktemp("local"), *OPTIONS, "--jobs", "2")
    bench.run()
    return bench.records()


def by(executor: str, folder: Path, *, every: float = 0.05) -> Bench:
    """Return a bench whose command submits jobs."""
    bench = Bench(folder, *OPTIONS, "--backend", "slurm", every=every)
    with (folder / "config.toml").open("a") as file:
        file.write(f'[slurm]\ncluster = "{executor}"\ntimeout_min = 10\n')
    return bench


def jobs_in(folder: Path) -> list[int]:
    """Return the processes of jobs that were started in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"submitit.core._submit" in command and (process / "cwd").resolve() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("executor", ["local", "debug"])
def test_records_are_those_of_the_local_backend(
    executor: str, expected: dict[str, Record], tmp_path: Path
) -> None:
    bench = by(executor, tmp_path)
    done = bench.run()
    check_complete(bench, expected)
    assert "submitted to SLURM as" in done.stderr
    (files,) = bench.store.glob("slurm/*/jobs.json")
    assert len(json.loads(files.read_text())) == 2


def test_jobs_that_are_preempted_go_on_from_checkpoints(
    expected: dict[str, Record], tmp_path: Path
) -> None:
    bench, journal = by("local", tmp_path, every=1000.0), tmp_path / "journal"
    process = bench.start(JOURNAL=str(journal), HOLD="3")
    wait_until(lambda: len(learners(journal)) == 2)
    preempted = jobs_in(tmp_path.resolve())
    assert len(preempted) == 2
    for job in preempted:
        os.kill(job, signal.SIGUSR2)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert bench.failures() == []
    check_complete(bench, expected)
    assert [record.timing["attempts"] for record in bench.timed_records().values()] == [2, 2]


def test_jobs_outlive_the_command(expected: dict[str, Record], tmp_path: Path) -> None:
    bench = by("local", tmp_path)
    process = bench.start()
    wait_until(lambda: bench.store.exists() and list(bench.store.glob("claims/*.json")), 120)
    process.kill()
    process.communicate()
    bench.run()
    check_complete(bench, expected)
    assert [record.timing["attempts"] for record in bench.timed_records().values()] == [1, 1]


@pytest.mark.parametrize("executor", ["local", "debug"])
def test_the_agents_of_a_comparison_share_an_array(executor: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    here, there = Bench(folders[0]), by(executor, folders[1])
    for bench in (here, there):
        at, names = bench.command.index("run"), ("fast", "slow")
        agents = [f"{name}={LEARNER} [pace=0.00{k}]" for k, name in enumerate(names)]
        words = bench.command[at + 1 :]
        for option in ("--agent", "--seeds", "--tasks", "-o"):
            if option in words:
                del words[words.index(option) : words.index(option) + 2]
        bench.command[at:] = [
            "compare", *agents, *words, "--run", "--tasks", "Walk", "--batch", "2",
            "--max-batches", "1", "--alpha", "0.4",
        ]  # fmt: skip
        bench.run(seconds=300)
    assert len(there.records()) == 4
    check_complete(there, here.records())
    (files,) = there.store.glob("slurm/*/jobs.json")
    assert len(json.loads(files.read_text())) == 4
