"""The local backend: every run in a process of its own, so many at a time."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rlbench.errors import StoreError
from rlbench.results import Failure, Record, Status, Store, Training
from rlbench.runners.run import Run
from rlbench.runners.worker import STACK_DUMP, provenance

_PATIENCE = 1.0  # seconds between two looks at the clock
_LAST_WORDS = 2.0  # seconds for a stack dump, and for events of a worker that has ended
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


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


class Limits(NamedTuple):
    """How long things may take, in seconds; None for as long as they want.

    Attributes:
        silence: Between two steps: for one call of the agent or the environment.
        run: For a whole run.
    """

    silence: float | None = None
    run: float | None = None


class _Worker:
    """A worker process and the thread that reads its events into a queue."""

    def __init__(self, run: Run, log_path: str, inbox: "queue.Queue[tuple[_Worker, Any]]") -> None:
        self.run = run
        self.last: dict[str, Any] = {}
        self.began = datetime.now(UTC)
        self.timed_out = ""
        self._started = self._heard = time.monotonic()
        self._ended: float | None = None
        self._kills_before = _system_kills()
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

    def hear(self, message: dict[str, Any]) -> None:
        """Take note of an event."""
        self.last = message
        self._heard = time.monotonic()

    def watch(self, limits: Limits) -> int | None:
        """End the worker if it takes too long.

        Returns:
            Its exit code, once it is gone though its pipe is still held open by a process that it
            left behind; else None.
        """
        now = time.monotonic()
        if self.process.poll() is not None:
            self._ended = self._ended or now
            return self.process.returncode if now > self._ended + _LAST_WORDS else None
        silent, whole = now - self._heard, now - self._started
        if self.last.get("event") == "end":
            if silent > _LAST_WORDS:
                self.kill()
        elif limits.silence is not None and silent > limits.silence:
            self._time_out(f"no step was finished for {silent:.0f} s")
        elif limits.run is not None and whole > limits.run:
            self._time_out(f"the run was not finished after {whole:.0f} s")
        return None

    def _time_out(self, reason: str) -> None:
        """End the worker after it has said in its log what it was doing."""
        self.timed_out = f"{reason}; the log says what was going on"
        if STACK_DUMP is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(STACK_DUMP)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_LAST_WORDS / 4)
        self.kill()

    def kill(self) -> None:
        """End the worker and everything that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def record_of_death(self, exit_code: int) -> Record:
        """Return the record of a run whose worker died without a word."""
        status, reason = self._cause_of_death(exit_code)
        phase = self.last.get("phase", "start")
        return Record(
            identity=self.run.identity,
            status=status,
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

    def _cause_of_death(self, exit_code: int) -> tuple[Status, str]:
        if self.timed_out:
            return "timeout", self.timed_out
        if exit_code >= 0:
            return "failed", f"the worker ended with exit code {exit_code} before the run was over"
        name = signal.Signals(-exit_code).name
        if name == "SIGKILL" and _system_kills() > self._kills_before:
            return "oom", "the system ended the worker when memory ran out"
        return "failed", f"the worker was ended by {name}"


def _system_kills() -> int:
    """Return how many processes Linux has ended for want of memory since it started, or 0."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0


def run_all(
    runs: Iterable[Run],
    *,
    jobs: int,
    listen: Callable[[Event], None],
    limits: Limits = Limits(),  # noqa: B008 - it is immutable
) -> None:
    """Execute runs, so many at a time, each in a process of its own.

    A run that fails is recorded as failed, and the others go on. However this ends, no worker
    is left behind.

    Args:
        runs: The runs; their stores are prepared.
        jobs: How many at a time.
        listen: Called in this thread with every event.
        limits: How long things may take; what takes longer is ended and recorded as ``timeout``.

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
            for worker, message in _news(inbox, workers, limits):
                if worker not in workers:
                    continue
                if isinstance(message, int):
                    worker.kill()
                    workers.discard(worker)
                    if worker.last.get("event") != "end":
                        listen(Event(worker.run, "end", _bury(worker, message)))
                else:
                    worker.hear(message)
                    if message.get("status") == "unsaved":
                        raise StoreError(message["reason"])
                    listen(Event(worker.run, message["event"], message))
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.process.wait()


def _news(
    inbox: "queue.Queue[tuple[_Worker, Any]]", workers: Iterable[_Worker], limits: Limits
) -> Iterator[tuple[_Worker, Any]]:
    """Yield the next message, or after a while those of workers that have gone without one."""
    with suppress(queue.Empty):
        yield inbox.get(timeout=_PATIENCE)
    for worker in list(workers):
        code = worker.watch(limits)
        if code is not None:
            yield worker, code


def _bury(worker: _Worker, exit_code: int) -> dict[str, Any]:
    """Record a run whose worker died; return the data of its end."""
    record = worker.record_of_death(exit_code)
    Store(worker.run.store).write(record)
    assert record.error is not None
    return {"status": record.status, "reason": record.error.reason}
