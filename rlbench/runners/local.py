"""The local backend: runs in processes of their own, so many at a time."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rlbench.errors import StoreError
from rlbench.results import Claim, Failure, Record, Status, Store, Training, read_claim
from rlbench.runners.provenance import provenance
from rlbench.runners.run import LEAVE, STACK_DUMP, Run

GRACE = 60.0  # seconds for a worker to keep a checkpoint and leave
_PATIENCE = 1.0  # seconds between two looks at the clock
_RENEWAL = 5.0  # seconds between two signs of life
_LAST_WORDS = 2.0  # seconds for a stack dump, and for events of a worker that has ended
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Event(NamedTuple):
    """Something that happened to a run.

    Attributes:
        run: Which.
        kind: ``start``, ``progress``, ``elsewhere`` (another process is at it) or ``end``.
        data: ``progress``: phase, budget_used, episodes. ``end``: status (``ok``, ``failed``,
            ``oom``, ..., or ``stopped`` if it was asked to leave) and reason.
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


class Slot(NamedTuple):
    """A place for one worker at a time.

    Attributes:
        device: Passed on to agents.
        gpu: The only GPU that the worker is to see, in the system's own numbering or by its UUID;
            empty for as many as there are.
    """

    device: str = "cpu"
    gpu: str = ""


class _Worker:
    """A worker process with its runs, and the thread that reads its events into a queue."""

    def __init__(
        self,
        claimed: Sequence[tuple[Run, Claim]],
        slot: Slot,
        inbox: "queue.Queue[tuple[_Worker, Any]]",
    ) -> None:
        self.slot = slot
        self.open = {run.key: run for run, _ in claimed}
        self.claims = {run.key: claim for run, claim in claimed}
        self.last: dict[str, dict[str, Any]] = {key: {} for key in self.open}
        self.timed_out = ""
        self._asked: float | None = None
        self._began = datetime.now(UTC)
        self._started = self._heard = self._renewed = time.monotonic()
        self._ended: float | None = None
        self._kills_before = _system_kills()
        self._inbox = inbox
        first = claimed[0][0]
        environment = {
            **{name: str(first.threads) for name in _THREAD_LIMITS},
            **os.environ,
            **({"CUDA_VISIBLE_DEVICES": slot.gpu} if slot.gpu else {}),
        }
        with Store(first.store).log_of(first.identity).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rlbench.runners.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        runs = [run.to_dict() for run in self.open.values()]
        with suppress(BrokenPipeError):
            # The pipe stays open: the worker ends when it closes.
            self.process.stdin.write(json.dumps(runs).encode() + b"\n")
            self.process.stdin.flush()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with suppress(ValueError):
                self._inbox.put((self, json.loads(line)))
        self._inbox.put((self, self.process.wait()))

    def hear(self, message: dict[str, Any]) -> Run | None:
        """Take note of an event; return the run that it is about."""
        self._heard = time.monotonic()
        key = message.get("key", "")
        if message.get("event") == "progress":
            self.last[key] = message
        return self.open.get(key)

    def close(self, run: Run, *, done: bool) -> None:
        """Take note that a run is over, and give it free."""
        del self.open[run.key]
        self.claims.pop(run.key).release(self.last[run.key], done=done)

    def watch(self, limits: Limits) -> int | None:
        """Give a sign of life, and end the worker if it takes too long.

        Returns:
            Its exit code, once it is gone though its pipe is still held open by a process that it
            left behind; else None.
        """
        now = time.monotonic()
        if now >= self._renewed + _RENEWAL:
            self._renewed = now
            for key, claim in self.claims.items():
                claim.renew(self.last[key])
        if self.process.poll() is not None:
            self._ended = self._ended or now
            return self.process.returncode if now > self._ended + _LAST_WORDS else None
        silent, whole = now - self._heard, now - self._started
        if not self.open:
            if silent > _LAST_WORDS:
                self.kill()
        elif self._asked is not None:
            if now > self._asked + GRACE:
                self.kill()
        elif limits.silence is not None and silent > limits.silence:
            self._time_out(f"no step was finished for {silent:.0f} s")
        elif limits.run is not None and whole > limits.run:
            self._time_out(f"the run was not finished after {whole:.0f} s")
        return None

    @property
    def is_leaving(self) -> bool:
        """Whether it was asked to leave."""
        return self._asked is not None

    def ask_to_leave(self) -> None:
        """Have it keep checkpoints and end."""
        if self._asked is None:
            self._asked = time.monotonic()
            with suppress(ProcessLookupError):
                self.process.send_signal(LEAVE[0])

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

    def bury(self, run: Run, exit_code: int) -> dict[str, Any]:
        """Record a run that the worker left without a word; return the data of its end."""
        if self._asked is not None:
            return {"status": "stopped", "reason": ""}
        last = self.last[run.key]
        status, reason = self._cause_of_death(exit_code)
        record = Record(
            identity=run.identity,
            status=status,
            error=Failure(
                phase=last.get("phase", "start"), step=last.get("budget_used"), reason=reason
            ),
            budget_used=last.get("budget_used", 0),
            evaluations=(),
            training=Training(episodes=0, ends=(), returns=()),
            provenance=provenance(run),
            timing={
                "started": self._began.isoformat(timespec="seconds"),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - self._started, 3),
                "attempts": run.attempt,
            },
        )
        Store(run.store).write(record)
        return {"status": status, "reason": reason}

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


class _Waiting:
    """The runs that are not begun: free ones, and those that another process is at."""

    def __init__(self, runs: Iterable[Run], listen: Callable[[Event], None]) -> None:
        self._free = list(reversed(list(runs)))
        self._elsewhere: list[tuple[Run, int]] = []  # with the failures that were recorded before
        self._listen = listen
        self._next_look = 0.0

    def __bool__(self) -> bool:
        """Whether any run is left."""
        return bool(self._free or self._elsewhere)

    def clear(self) -> None:
        """Leave the runs to another time."""
        self._free.clear()
        self._elsewhere.clear()

    def take(self, n: int) -> list[tuple[Run, Claim]]:
        """Claim up to n runs that nobody is at and that are not done."""
        claimed: list[tuple[Run, Claim]] = []
        while self._free and len(claimed) < n:
            run = self._free.pop()
            store = Store(run.store)
            claim = Claim.take(store.claim_of(run.identity), {"identity": run.identity.to_dict()})
            if claim is None:
                self._elsewhere.append((run, store.failures(run.identity)))
                self._listen(Event(run, "elsewhere", {}))
            elif store.is_done(run.identity):
                claim.release({}, done=True)
                self._listen(Event(run, "end", _RECORDED_ELSEWHERE))
            else:
                claimed.append((replace(run, attempt=claim.attempt), claim))
        return claimed

    def put_back(self, run: Run) -> None:
        """Take in a run that has to be begun again."""
        self._free.append(run)

    def look(self) -> None:
        """See, now and then, what has become of the runs that other processes were at."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _PATIENCE / 2
        for item in list(self._elsewhere):
            run, failures = item
            store = Store(run.store)
            claim = read_claim(store.claim_of(run.identity))
            if claim is not None and not claim.stale:
                continue
            self._elsewhere.remove(item)
            if store.is_done(run.identity):
                self._listen(Event(run, "end", _RECORDED_ELSEWHERE))
            elif store.failures(run.identity) > failures:
                failed = {"status": "failed", "reason": "it failed in another process"}
                self._listen(Event(run, "end", failed))
            else:
                self._free.append(run)


_RECORDED_ELSEWHERE = {"status": "ok", "reason": "another process recorded it"}


def run_all(
    runs: Iterable[Run],
    *,
    slots: Sequence[Slot],
    listen: Callable[[Event], None],
    limits: Limits = Limits(),  # noqa: B008 - it is immutable
    group: int = 1,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Execute runs, one worker a slot at a time, each a process of its own.

    A run that fails is recorded as failed, and the others go on. Runs that another process is at
    are waited for. However this ends, no worker is left behind.

    Args:
        runs: The runs; their stores are prepared.
        slots: Where workers may be.
        listen: Called in this thread with every event.
        limits: How long things may take; what takes longer is ended and recorded as ``timeout``.
        group: Runs that a worker executes in lock-step; their agents are made by `make_group`.
        stopping: Says whether to stop: workers keep checkpoints and leave, and what is not begun
            is left.

    Raises:
        StoreError: A record could not be written; no further run was started.
    """
    pool = _Pool(_Waiting(runs, listen), slots, group, listen)
    try:
        while pool.is_busy():
            if stopping():
                pool.stop()
            pool.fill()
            pool.hear(limits)
    finally:
        pool.end()


class _Pool:
    """The workers, and what waits for one."""

    def __init__(
        self,
        waiting: _Waiting,
        slots: Sequence[Slot],
        group: int,
        listen: Callable[[Event], None],
    ) -> None:
        self._waiting = waiting
        self._free = list(reversed(slots))
        self._group = group
        self._listen = listen
        self._workers: set[_Worker] = set()
        self._inbox: queue.Queue[tuple[_Worker, Any]] = queue.Queue()

    def is_busy(self) -> bool:
        """Say whether anything is going on or waiting."""
        return bool(self._waiting or self._workers)

    def stop(self) -> None:
        """Begin nothing more, and have the workers leave."""
        self._waiting.clear()
        for worker in self._workers:
            worker.ask_to_leave()

    def fill(self) -> None:
        """Give every free slot a worker."""
        self._waiting.look()
        while self._free and (claimed := self._waiting.take(self._group)):
            slot = self._free.pop()
            placed = [(replace(run, device=slot.device), claim) for run, claim in claimed]
            self._workers.add(_Worker(placed, slot, self._inbox))
            for run, _ in placed:
                self._listen(Event(run, "start", {}))

    def hear(self, limits: Limits) -> None:
        """Take in what comes, or after a while see to the workers that are silent.

        Raises:
            StoreError: A record could not be written.
        """
        with suppress(queue.Empty):
            worker, message = self._inbox.get(timeout=_PATIENCE)
            if worker in self._workers:
                self._take_in(worker, message)
        for worker in list(self._workers):
            code = worker.watch(limits)
            if code is not None:
                self._bury(worker, code)

    def end(self) -> None:
        """Leave no worker behind."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.process.wait()
            for key, claim in worker.claims.items():
                claim.release(worker.last[key], done=False)

    def _take_in(self, worker: _Worker, message: Any) -> None:
        if isinstance(message, int):
            self._bury(worker, message)
            return
        run = worker.hear(message)
        if run is None:
            return
        if message.get("status") == "unsaved":
            raise StoreError(message["reason"])
        if message["event"] == "end":
            self._note_end(worker, run, message)
        else:
            self._listen(Event(run, message["event"], message))

    def _bury(self, worker: _Worker, exit_code: int) -> None:
        """See to what a worker that is gone has left."""
        self._workers.discard(worker)
        self._free.append(worker.slot)
        worker.kill()
        for run in list(worker.open.values()):
            self._note_end(worker, run, worker.bury(run, exit_code))

    def _note_end(self, worker: _Worker, run: Run, data: dict[str, Any]) -> None:
        worker.close(run, done=data["status"] == "ok")
        if data["status"] == "stopped" and not worker.is_leaving:
            self._waiting.put_back(run)  # it begins anew: its checkpoint did not fit
        else:
            self._listen(Event(run, "end", data))
