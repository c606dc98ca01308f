"""Workers of this machine: what they say is heard, however late, and nothing else."""

import queue
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rlbench.runners import Limits
from rlbench.runners.backends import local, supervision

LIMITS = Limits(None, None)


@contextmanager
def ended(script: str, pending: Any = None) -> Iterator[Any]:
    """Give a worker whose process has ended for longer than its last words may take."""
    worker = object.__new__(supervision._Supervised)
    worker.worker = object.__new__(local.LocalWorker)
    worker._inbox = queue.Queue()
    if pending is not None:
        worker._inbox.put(pending)
    worker._renewed = time.monotonic()
    worker._ended = time.monotonic() - local.LAST_WORDS - 1
    with subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        worker.worker.process = process
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        yield worker
        worker.worker.kill()


def test_words_in_the_pipe_are_waited_for() -> None:
    with ended("echo last") as worker:
        assert worker.watch(LIMITS) is None
        worker._ended -= supervision._MOST_WORDS
        assert worker.watch(LIMITS) == 0


def test_words_that_were_read_and_not_yet_heard_are_waited_for() -> None:
    with ended("sleep 60 & exit 3", pending=("worker", {})) as worker:
        assert worker.watch(LIMITS) is None
        worker._inbox.get()
        assert worker.watch(LIMITS) == 3


def test_a_pipe_that_is_held_open_in_silence_is_not() -> None:
    with ended("sleep 60 & exit 3") as worker:
        assert worker.watch(LIMITS) == 3


@pytest.mark.parametrize(
    ("message", "is_event"),
    [
        ({"key": "k", "event": "remark", "text": "so"}, True),
        ({"key": "k", "event": "remark", "text": 3}, False),
        (
            {"key": "k", "event": "progress", "phase": "train", "budget_used": 1, "episodes": 0},
            True,
        ),
        ({"key": "k", "event": "progress", "phase": "x", "budget_used": 1, "episodes": 0}, False),
        ({"key": "k", "event": "progress", "phase": "train", "budget_used": True}, False),
        ({"key": "k", "event": "end", "status": "ok", "reason": ""}, True),
        ({"key": "k", "event": "end", "status": "ok"}, False),
        ({"event": "end", "status": "ok", "reason": ""}, False),
        ({"key": "k", "event": "anything"}, False),
        (["key", "event"], False),
        (None, False),
    ],
)
def test_an_agent_that_writes_into_the_pipe_is_not_heard(message: Any, is_event: bool) -> None:
    assert local.is_event(message) is is_event
