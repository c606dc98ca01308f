"""Agents that hang: ended in time, recorded as such, with what they were doing in the log.

A limit counts from the start of the worker, which takes long on a busy machine. So the limits of
these tests are made of what a whole run takes that does not hang.
"""

import os
import signal
import time
from pathlib import Path

import pytest
from support.command import rlbench
from support.processes import workers_in

from rlbench.results import Record, Store

AGENT = """
import os, signal, subprocess, sys, time
import numpy as np

WHERE = {where!r}


def hang():
    {how}


class Agent:
    def __init__(self, task, seed):
        self.calls = 0

    def act(self, obs, first, *, phase):
        self.calls += 1
        if WHERE == phase and self.calls > 3:
            hang()
        return np.zeros(len(obs), dtype=int)

    def observe(self, batch):
        if WHERE == "observe" and self.calls > 3:
            hang()


def make(task, *, seed, device):
    if WHERE == "make":
        hang()
    return Agent(task, seed)
"""
SLEEP = "time.sleep(600)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
# Held inside one call of C, without giving other threads a chance.
BUSY = "sum(range(10**13))"
CHILD = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); os._exit(0)"
ESCAPED = (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " start_new_session=True, close_fds=False);"
    " open('child', 'w').write(str(child.pid)); os._exit(3)"
)
TRIAL = "budget=50,episodes=2,max_episode_steps=50"


def run_hanging(
    folder: Path, where: str, how: str, *options: str, code: int = 1
) -> tuple[Record, str, float]:
    """Run an agent that hangs; return its record, its log, and how long that took in seconds."""
    (folder / "hangs.py").write_text(AGENT.format(where=where, how=how))
    started = time.monotonic()
    rlbench(
        "run", "--suite", "atari100k", "--agent", "hangs", "--tasks", "Pong", "--seeds", "1",
        "--unofficial", TRIAL, *options, cwd=folder, code=code,
    )  # fmt: skip
    seconds = time.monotonic() - started
    (record,) = Store(folder / "runs").load().records
    return record, Store(folder / "runs").log_of(record.identity).read_text(), seconds


@pytest.fixture(scope="module")
def unhindered(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a run takes that does not hang, in seconds."""
    folder = tmp_path_factory.mktemp("unhindered")
    record, _, seconds = run_hanging(folder, "nowhere", SLEEP, code=0)
    assert record.status == "ok"
    return seconds


@pytest.mark.parametrize(
    ("where", "how", "phase"),
    [
        ("train", SLEEP, "train"),
        ("observe", STUBBORN, "train"),
        ("eval", SLEEP, "eval"),
        ("make", BUSY, "start"),
    ],
)
def test_a_hanging_call_is_ended_and_named(
    where, how, phase, unhindered: float, tmp_path: Path
) -> None:
    limit = max(4.0, 2 * unhindered)
    record, log, seconds = run_hanging(tmp_path, where, how, "--step-timeout", f"{limit:.1f}")
    assert (record.status, record.error.phase) == ("timeout", phase)
    assert "no step was finished for" in record.error.reason
    assert "in hang" in log
    # The limit, what detecting it may take, and starting up.
    assert seconds < limit + 5 + max(8, 2 * unhindered)
    assert workers_in(tmp_path) == []


def test_a_run_has_its_limit_too(tmp_path: Path) -> None:
    record, _, _ = run_hanging(tmp_path, "observe", "time.sleep(0.5)", "--timeout", "5")
    assert record.status == "timeout"
    assert "the run was not finished after" in record.error.reason


@pytest.mark.parametrize(("how", "code"), [(CHILD, 0), (ESCAPED, 3)])
def test_a_worker_that_leaves_processes_behind_is_not_waited_for(
    how: str, code: int, unhindered: float, tmp_path: Path
) -> None:
    record, _, seconds = run_hanging(tmp_path, "train", how)
    if how == ESCAPED:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)  # it is still there
    assert record.status == "failed"
    assert f"exit code {code}" in record.error.reason
    assert seconds < max(25, 3 * unhindered)
