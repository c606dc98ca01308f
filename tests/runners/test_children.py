"""The processes that a command starts, when the command is gone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.faults import SUITES, WALKS
from support.registered import register

from rlbench.results import Store, identities
from rlbench.runners import Run, resolve


@pytest.mark.parametrize("asked", ["", '{"kind": "agent", "sp'])
@pytest.mark.parametrize(
    "module", ["check.agents", "agents.describe", "tracking", "backends.worker"]
)
def test_a_process_that_nobody_asks_any_more_ends_without_a_word(module: str, asked: str) -> None:
    """The command may be killed before it has written what its process is to do."""
    command = [sys.executable, "-P", "-m", f"rlbench.runners.{module}"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")


def ask_and_be_gone(module: str, asked: Any, env: dict[str, str]) -> tuple[int, str]:
    """Ask a process whose answers nobody can read, and return how it ended and what it said.

    Its standard input stays open: that is how far a command gets that is killed at this moment.
    """
    unheard, answers = os.pipe()
    os.close(unheard)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", f"rlbench.runners.{module}"],
        stdin=subprocess.PIPE, stdout=answers, stderr=subprocess.PIPE,
        env=env, start_new_session=True, text=True,
    ) as process:  # fmt: skip
        os.close(answers)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        said = process.stderr.read()
        return process.wait(60), said


@pytest.mark.parametrize(
    ("module", "asked"),
    [
        ("agents.describe", {"kind": "agent", "spec": "random"}),
        (
            "check.agents",
            {
                "agent": "random", "suite": "walks", "task": "Walk", "config": {},
                "device": "cpu", "steps": 10,
            },
        ),
    ],
)  # fmt: skip
def test_a_process_whose_answer_nobody_hears_ends_without_a_word(
    module: str, asked: object, tmp_path: Path
) -> None:
    env = {**os.environ, **register(tmp_path, SUITES)}
    assert ask_and_be_gone(module, asked, env) == (-signal.SIGKILL, "")


def test_a_worker_that_nobody_hears_keeps_no_record_of_a_failure(tmp_path: Path) -> None:
    """The command was killed, and the run did not fail: it goes on when it is asked again."""
    found = resolve("random", {})
    (identity,) = identities(WALKS, WALKS.tasks[:1], found.id, [3])
    run = Run(
        identity=identity, agent=found.recipe, teacher=None,
        store=str(tmp_path / "store"), device="cpu", threads=1, checkpoint_every=1e9,
    )  # fmt: skip
    env = {**os.environ, **register(tmp_path / "suites", SUITES)}
    assert ask_and_be_gone("backends.worker", [run.to_dict()], env) == (-signal.SIGKILL, "")
    store = Store(tmp_path / "store")
    assert store.failures(identity) == 0
    assert not store.is_done(identity)
