"""Kill anything at any moment: the same command again finishes the work, with equal records."""

import dataclasses
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.command import run_short
from support.processes import COMMAND, workers_in

from rlbench.results import Record, Store

MOMENTS, SHORT = 20, 2
RUN = ["--agent", "random", "--tasks", "Pong,Breakout", "--seeds", "2", "--jobs", "2"]
CONSTANTS = "budget=600,episodes=2,max_episode_steps=100"
COMPLETE = [
    *COMMAND, "run", "--suite", "atari100k", "--unofficial", CONSTANTS, *RUN,
]  # fmt: skip


def without_timing(folder: Path) -> dict[str, Record]:
    """Return the ok records by key, without what differs between equal runs."""
    loaded = Store(folder / "runs").load()
    assert loaded.problems == []
    return {
        r.identity.key: dataclasses.replace(r, timing={})
        for r in loaded.records
        if r.status == "ok"
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Record], float]:
    """Return the records of a run that nothing befell, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.monotonic()
    subprocess.run(COMPLETE, cwd=folder, check=True, capture_output=True)
    return without_timing(folder), time.monotonic() - started


@pytest.mark.parametrize(
    "moment",
    [pytest.param(m, marks=[pytest.mark.faults] * (m >= SHORT)) for m in range(MOMENTS)],
)
def test_killed_at_random_and_taken_up_again(
    moment: int, undisturbed: tuple[dict[str, Record], float], tmp_path: Path
) -> None:
    """Kill a worker at even moments, the parent at odd ones."""
    expected, whole = undisturbed
    chance = random.Random(moment)
    process = subprocess.Popen(
        COMPLETE, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(chance.uniform(0.1, 0.9) * whole)
    victims = [process.pid] if moment % 2 else workers_in(tmp_path)
    if victims and process.poll() is None:
        os.kill(chance.choice(victims), signal.SIGKILL)
    if moment % 2:
        process.wait(30)
        deadline = time.monotonic() + 5
        while workers_in(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert workers_in(tmp_path) == [], "workers outlived their parent by 5 s"
    else:
        assert process.wait(120) in (0, 1)
    finished = set(without_timing(tmp_path)) if (tmp_path / "runs").exists() else set()
    before = {p: p.read_bytes() for p in tmp_path.glob("runs/*/*/*/*.json")}

    again = subprocess.run(COMPLETE, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert without_timing(tmp_path) == expected
    assert finished <= set(expected)
    for path, content in before.items():
        assert path.read_bytes() == content


def test_a_worker_that_somebody_kills_is_started_again_and_that_is_counted(
    tmp_path: Path, undisturbed: tuple[dict[str, Record], float]
) -> None:
    process = subprocess.Popen(
        COMPLETE, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not workers_in(tmp_path):
        time.sleep(0.02)
    os.kill(workers_in(tmp_path)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert without_timing(tmp_path) == undisturbed[0]
    records = Store(tmp_path / "runs").load().records
    counts = sorted((r.timing["attempts"], r.timing["signalled"]) for r in records)
    assert counts == [(1, 0)] * 3 + [(2, 1)]


# By task: what act() does there, and what the record says of it.
AGENTS = {
    "Alien": ("raise ValueError('I am lost')", "act raised ValueError: I am lost"),
    "Amidar": ("return [0, 0]", "shape (2,), not (1,)"),
    "Assault": ("return [0.0]", "dtype float64"),
    "Asterix": ("return [float('nan')]", "dtype float64"),
    "Pong": ("return [99]", "action 99, outside 0 to 5"),
    "BattleZone": ("return None", "act returned None: return an array of 1 action"),
    "Boxing": ("raise SystemExit(0)", "SystemExit"),
    "Breakout": ("import os; os._exit(0)", "exit code 0 before the run was over"),
    "Freeway": ("import ctypes; ctypes.string_at(0)", "ended by SIGSEGV"),
    "Frostbite": ("raise MemoryError('too big')", "out of memory"),
    "Gopher": ("return [0] * len(obs) if phase == 'train' else 'x'", "act returned a str"),
}
SILENT = ("Breakout", "Freeway")  # the worker is gone without a word
AGAIN = ("Alien", "Breakout", "Frostbite")
BAD = """
AGENTS = {agents!r}

class Bad:
    def __init__(self, task):
        self.task = task

    def act(self, obs, first, *, phase):
        namespace = {{"obs": obs, "phase": phase}}
        exec("def answer():\\n    " + AGENTS[self.task][0], namespace)
        return namespace["answer"]()


def make(task, *, seed, device):
    return Bad(task.task)
"""


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run all of them in one command, some of them twice; return the folder and what was said."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "bad.py").write_text(BAD.format(agents=AGENTS))
    run = ("--agent", "bad", "--seeds", "1", "--jobs", "2", "--tasks")
    out = run_short(*run, ",".join(AGENTS), cwd=folder, code=1)
    run_short(*run, ",".join(AGAIN), cwd=folder, code=1)
    return folder, out.stderr


@pytest.mark.parametrize("task", AGENTS)
def test_a_failing_agent_is_recorded_with_the_reason(task: str, failing: tuple[Path, str]) -> None:
    folder, said = failing
    loaded = Store(folder / "runs").load().records
    records = [record for record in loaded if record.identity.task == task]
    # What failed is tried again, and kept again.
    assert len(records) == 1 + (task in AGAIN)
    for record in records:
        assert record.status == ("oom" if task == "Frostbite" else "failed")
        assert record.error is not None
        assert AGENTS[task][1] in record.error.reason
        assert record.error.reason in said
        if task not in SILENT:
            assert record.error.phase == ("eval" if task == "Gopher" else "train")
            assert record.error.step == (40 if task == "Gopher" else 0)


def test_what_an_agent_prints_goes_to_the_log(tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(
        'import numpy as np\nprint(\'{"event": "end", "status": "ok"}\')\n'
        "class Chatty:\n    def act(self, obs, first, *, phase):\n"
        "        print('hello', flush=True)\n        return np.zeros(len(obs), dtype=int)\n"
        "def make(task, *, seed, device):\n    return Chatty()\n"
    )
    out = run_short("--agent", "chatty", "--tasks", "Pong", "--seeds", "1", cwd=tmp_path)
    assert "hello" not in out.stdout
    (log,) = (tmp_path / "runs/logs").iterdir()
    assert log.read_text().count("hello") > 40
    assert [r.status for r in Store(tmp_path / "runs").load().records] == ["ok"]


def test_a_full_disk_stops_with_one_line_and_nothing_torn(tmp_path: Path) -> None:
    """A real file system of a few kB: some records fit, the next does not."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a file system of limited size cannot be mounted here")
    try:
        out = run_short(
            "--agent", "random", "--tasks", "Pong", "--seeds", "30", "--store", "disk/runs",
            "--jobs", "2", cwd=tmp_path, code=2,
        )  # fmt: skip
        assert "No space left on device" in out.stderr
        assert "Traceback" not in out.stderr
        loaded = Store(disk / "runs").load()
        assert loaded.problems == []
        assert 0 < len(loaded.records) < 30
        assert workers_in(tmp_path) == []
    finally:
        subprocess.run(["umount", disk], check=True)
