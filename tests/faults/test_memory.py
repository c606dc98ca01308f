"""Memory that runs out for good: the kernel ends the worker, and the record says why."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import SHORT
from support.processes import COMMAND

from rlbench.results import Store

LIMIT = 700 * 2**20
GREEDY = """
import numpy as np

KEPT = []


class Greedy:
    def act(self, obs, first, *, phase):
        return np.zeros(len(obs), dtype=int)

    def observe(self, batch):
        KEPT.append(np.ones(25_000_000))


def make(task, *, seed, device):
    return Greedy()
"""


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """Yield the file that a process writes itself into, to be given little memory."""
    name = f"rlbench-{os.getpid()}"
    for folder, limit in (
        (Path("/sys/fs/cgroup/memory") / name, "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup") / name, "memory.max"),
    ):
        try:
            folder.mkdir()
            (folder / limit).write_text(str(LIMIT))
        except OSError:
            if folder.is_dir():
                folder.rmdir()
            continue
        yield folder / "cgroup.procs"
        folder.rmdir()
        return
    pytest.skip("a control group with little memory cannot be made here")


def test_a_worker_that_the_kernel_ends_for_memory_is_recorded_as_oom(
    little_memory: Path, tmp_path: Path
) -> None:
    (tmp_path / "greedy.py").write_text(GREEDY)
    run = ["run", "--suite", "atari100k", "--unofficial", SHORT, "--agent", "greedy",
           "--tasks", "Pong", "--seeds", "1"]  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", f'echo $$ > {little_memory}; exec "$@"', "sh", *COMMAND, *run],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (record,) = Store(tmp_path / "runs").load().records
    assert record.status == "oom"
    assert record.error is not None
    assert record.error.reason == "the out-of-memory killer ended the worker"
    assert record.error.phase == "train"
