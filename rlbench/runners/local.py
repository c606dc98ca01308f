"""The local backend: every run in a process of its own, so many at a time."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rlbench.errors import StoreError
from rlbench.results import Failure, Record, Store, Training
from rlbench.runners.run import Run
from rlbench.runners.worker import provenance

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_LOG_TAIL = 2000


class Event(NamedTuple):
    """Something that happened to a run.

    Attributes:
        run: Which.
        kind: ``start``, ``progress`` or ``end``.
        data: ``progress``: phase, budget_used, episodes. ``end``: status (``ok``, ``failed``,
            ``oom``, ...) and reason.
    """

    run: Run
    kind: str
    data: dict[str, Any]


class _Worker:
    """A worker process and the thread that reads its events into a queue."""

    def __init__(self, run: Run, log_path: str, inbox: "queue.Queue[tuple[_Worker, Any]]") -> None:
        self.run = run
        self.last: dict[str, Any] = {}
        self.began = datetime.now(UTC)
        self._started = time.monotonic()
        self._inbox = inbox
        limits = {name: str(run.threads) for name in _THREAD_LIMITS}
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rlbench.runners.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**limits, **os.environ},
                start_new_session=True,
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            # The pipe stays open: the worker ends when it closes.
            self.process.stdin.write(json.dumps(run.to_dict()).encode() + b"\n")
            self.process.stdin.flush()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with suppress(ValueError):
                self._inbox.put((self, json.loads(line)))
        self._inbox.put((self, self.process.wait()))

    def kill(self) -> None:
        """End the worker and everything that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def record_of_death(self, exit_code: int) -> Record:
        """Return the record of a run whose worker died without a word."""
        if exit_code < 0:
            name = signal.Signals(-exit_code).name
            reason = f"the worker was ended by {name}"
            if name == "SIGKILL":
                reason += " (killed by hand, or by the system when memory ran out)"
        else:
            reason = f"the worker ended with exit code {exit_code} before the run was over"
        phase = self.last.get("phase", "start")
        return Record(
            identity=self.run.identity,
            status="failed",
            error=Failure(phase=phase, step=self.last.get("budget_used"), reason=reason),
            budget_used=self.last.get("budget_used", 0),
            evaluations=(),
            training=Training(episodes=0, ends=(), returns=()),
            provenance=provenance(self.run),
            timing={
                "started": self.began.isoformat(timespec="seconds"),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - self._started, 3),
            },
        )


def run_all(runs: Iterable[Run], *, jobs: int, listen: Callable[[Event], None]) -> None:
    """Execute runs, so many at a time, each in a process of its own.

    A run that fails is recorded as failed, and the others go on. However this ends, no worker
    is left behind.

    Args:
        runs: The runs; their stores are prepared.
        jobs: How many at a time.
        listen: Called in this thread with every event.

    Raises:
        StoreError: A record could not be written; no further run was started.
    """
    waiting = list(reversed(list(runs)))
    workers: set[_Worker] = set()
    inbox: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                run = waiting.pop()
                log = Store(run.store).log_of(run.identity)
                workers.add(_Worker(run, str(log), inbox))
                listen(Event(run, "start", {}))
            worker, message = inbox.get()
            if isinstance(message, int):
                worker.kill()
                workers.discard(worker)
                if worker.last.get("event") != "end":
                    listen(Event(worker.run, "end", _bury(worker, message)))
            else:
                worker.last = message
                if message.get("status") == "unsaved":
                    raise StoreError(message["reason"])
                listen(Event(worker.run, message["event"], message))
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.process.wait()


def _bury(worker: _Worker, exit_code: int) -> dict[str, Any]:
    """Record a run whose worker died; return the data of its end."""
    record = worker.record_of_death(exit_code)
    Store(worker.run.store).write(record)
    assert record.error is not None
    return {"status": record.status, "reason": record.error.reason}
