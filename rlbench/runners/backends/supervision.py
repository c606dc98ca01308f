"""Supervision: claims, signs of life, limits, and records of runs whose worker says nothing."""

import queue
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rlbench.errors import InvalidRecord, RLBenchError, StoreError
from rlbench.results import Claim, Failure, Record, Status, Store, Training
from rlbench.runners.backends.backend import Backend, Cause, Event, Limits, Placed, Slot
from rlbench.runners.backends.local import LAST_WORDS, LocalBackend
from rlbench.runners.backends.waiting import Waiting
from rlbench.runners.provenance import provenance
from rlbench.runners.run import Run

GRACE = 60.0  # seconds for a worker to keep a checkpoint and leave
_PATIENCE = 1.0  # seconds between two looks at the clock
_RENEWAL = 5.0  # seconds between two signs of life
_UNASKED = 3  # times that a run may be left, without getting further, when nobody here asked for it
_MOST_WORDS = 30.0  # seconds for the last events where this process is slow to hear them
_PROGRESS = ("phase", "budget_used", "episodes")


class _Supervised:
    """A worker with its runs and their claims.

    Args:
        claimed: What it executes.
        slot: Its place.
        backend: Starts it.
        inbox: Where what it says goes.

    Raises:
        StoreError: It cannot be started.
    """

    def __init__(
        self,
        claimed: Sequence[tuple[Run, Claim]],
        slot: Slot,
        backend: Backend,
        inbox: "queue.Queue[tuple[_Supervised, Any]]",
    ) -> None:
        self.slot = slot
        self.open = {run.key: run for run, _ in claimed}
        self.claims = {run.key: claim for run, claim in claimed}
        self._failures = {run.key: Store(run.store).failures(run.identity) for run, _ in claimed}
        self.last: dict[str, dict[str, Any]] = {key: {} for key in self.open}
        self.timed_out = ""
        self._is_placed = False
        self._asked: float | None = None
        self._ended: float | None = None
        self._renewed = time.monotonic()
        self._start_clock()
        self._inbox = inbox
        runs = list(self.open.values())
        self.worker = backend.start(runs, slot, lambda message: inbox.put((self, message)))

    def _start_clock(self) -> None:
        self._began = datetime.now(UTC)
        self._started = self._heard = time.monotonic()

    def place(self) -> None:
        """Take note that it has begun; limits count from here."""
        self._is_placed = True
        self._start_clock()

    def hear(self, message: dict[str, Any]) -> Run | None:
        """Take note of an event; return the run that it is about."""
        self._heard = time.monotonic()
        run = self.open.get(message["key"])
        if run is not None and message["event"] == "progress":
            # Whatever else it says: the claim must not.
            self.last[run.key] = {name: message[name] for name in _PROGRESS}
        return run

    def close(self, run: Run, *, done: bool) -> None:
        """Take note that a run is over, and give it free."""
        self.worker.catch_up()
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
        code = self.worker.poll()
        if code is not None:
            self._ended = self._ended or now
            is_heard_out = self._inbox.empty() and not self.worker.has_more()
            patience = LAST_WORDS if is_heard_out else _MOST_WORDS
            return code if now > self._ended + patience else None
        if not self.open:
            if now > self._heard + LAST_WORDS:
                self.worker.kill()
        elif self._asked is not None:
            if now > self._asked + GRACE:
                self.worker.kill()
        elif self._is_placed:
            self._limit(now - self._heard, now - self._started, limits)
        return None

    def _limit(self, silent: float, whole: float, limits: Limits) -> None:
        """End the worker if it takes too long."""
        if limits.silence is not None and silent > limits.silence:
            self._time_out(f"no step was finished for {silent:.0f} s")
        elif limits.run is not None and whole > limits.run:
            self._time_out(f"the run was not finished after {whole:.0f} s")

    @property
    def is_leaving(self) -> bool:
        """Whether it was asked to leave."""
        return self._asked is not None

    def ask_to_leave(self) -> None:
        """Have it keep checkpoints and end."""
        if self._asked is None:
            self._asked = time.monotonic()
            self.worker.ask_to_leave()

    def _time_out(self, reason: str) -> None:
        """End the worker after it has said in its log what it was doing."""
        self.timed_out = f"{reason}; the log says what was going on"
        self.worker.dump_stacks()
        self.worker.kill()

    def bury(self, run: Run, exit_code: int) -> dict[str, Any]:
        """Record a run that the worker left without a word; return the data of its end.

        It may have written the record all the same. A worker that was asked to leave did not fail,
        even if it was asked before it could listen, and neither did one that somebody else's signal
        ended. One that exits by itself did, and one that its own code brings down.
        """
        store = Store(run.store)
        if store.is_done(run.identity):
            return {"status": "ok", "reason": ""}
        if store.failures(run.identity) > self._failures[run.key]:
            recorded = store.last_failure(run.identity)
            if recorded is not None and recorded.error is not None:
                return {"status": recorded.status, "reason": recorded.error.reason}
        if self._asked is not None:
            return {"status": "stopped", "reason": ""}
        cause = self.worker.cause_of_death(exit_code)
        if self.timed_out:
            cause = Cause("timeout", self.timed_out)
        if cause.status == "stopped":
            return cause._asdict()
        return self.fail(run, cause.status, cause.reason)

    def settle(self, run: Run, difference: str) -> dict[str, Any]:
        """Say how a run ended whose worker found a record in the place of its own.

        If this command still holds the claim, no other command wrote it: the agent did, or a copy
        of the worker that the agent made.
        """
        if not difference:
            return {"status": "ok", "reason": ""}
        if not self.claims[run.key].is_held():
            return {"status": "ok", "reason": "another command recorded it first"}
        return self.fail(
            run, "failed",
            f"a record {difference} appeared while no other command was at the run: see "
            f"{Store(run.store).record_of(run.identity).name}",
        )  # fmt: skip

    def fail(self, run: Run, status: Status, reason: str) -> dict[str, Any]:
        """Record a failed run; return the data of its end."""
        last = self.last[run.key]
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
                **replace(run, signalled=self.claims[run.key].signalled).attempts,
            },
        )
        store = Store(run.store)
        try:
            try:
                store.write(record)
            except InvalidRecord as refused:  # the agent may write events of its own
                store.write_refused(record, refused)
        except InvalidRecord as refused:
            reason = f"{reason}; it cannot be recorded: {refused}"
        return {"status": status, "reason": reason}


def run_all(
    runs: Iterable[Run],
    *,
    slots: Sequence[Slot],
    listen: Callable[[Event], None],
    backend: Backend = LocalBackend(),  # noqa: B008 - it holds nothing
    limits: Limits = Limits(),  # noqa: B008 - it is immutable
    group: int = 1,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Execute runs in worker processes, one per slot at a time.

    A run that fails is recorded as failed, and the others go on. Runs that another process is at
    are waited for. However this ends, no worker is left behind.

    Args:
        runs: The runs; their stores are prepared.
        slots: Where workers may be.
        listen: Called in this thread with every event.
        backend: Starts the workers.
        limits: How long things may take; what takes longer is ended and recorded as ``timeout``.
        group: Runs that a worker executes in lock-step; their agents are made by `make_group`.
        stopping: Says whether to stop: workers keep checkpoints and leave, and what is not begun
            is left.

    Raises:
        StoreError: A record could not be written; no further run was started.
    """
    if group > 1:
        # What a group computes together are the seeds of one task, of one agent.
        runs = sorted(runs, key=lambda run: (run.identity.task, run.identity.agent_key))
    pool = _Pool(Waiting(runs, listen), slots, group, listen, backend)
    try:
        while pool.is_busy():
            if stopping():
                pool.stop()
            pool.fill()
            pool.hear(limits, stopping)
    finally:
        pool.end()


class _Pool:
    """The workers, and what waits for one."""

    def __init__(
        self,
        waiting: Waiting,
        slots: Sequence[Slot],
        group: int,
        listen: Callable[[Event], None],
        backend: Backend,
    ) -> None:
        self._backend = backend
        self._waiting = waiting
        self._free = list(reversed(slots))
        self._group = group
        self._listen = listen
        self._workers: set[_Supervised] = set()
        self._unasked: dict[str, tuple[int, int]] = {}  # how often left, and how far, by run
        self._inbox: queue.Queue[tuple[_Supervised, Any]] = queue.Queue()

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
            self._workers.add(_Supervised(placed, slot, self._backend, self._inbox))

    def hear(self, limits: Limits, stopping: Callable[[], bool]) -> None:
        """Take in what comes, or after a while see to the workers that are silent.

        What ends all processes at once ends the workers too: that is no failure.

        Raises:
            StoreError: A record could not be written.
        """
        with suppress(queue.Empty):
            worker, message = self._inbox.get(timeout=_PATIENCE)
            if stopping():
                self.stop()
            if worker in self._workers:
                self._take_in(worker, message)
        for worker in list(self._workers):
            code = worker.watch(limits)
            if code is not None:
                self._bury(worker, code)

    def end(self) -> None:
        """Leave no worker behind."""
        for worker in self._workers:
            worker.worker.kill()
        for worker in self._workers:
            worker.worker.close()
            worker.worker.catch_up()
            for key, claim in worker.claims.items():
                claim.release(worker.last[key], done=False)

    def _take_in(self, worker: _Supervised, message: Any) -> None:
        if isinstance(message, RLBenchError):
            raise message
        if isinstance(message, Placed):
            worker.place()
            for placed in worker.open.values():
                self._listen(Event(placed, "start", message._asdict() if message.node else {}))
            return
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

    def _bury(self, worker: _Supervised, exit_code: int) -> None:
        """See to what a worker that is gone has left."""
        self._workers.discard(worker)
        self._free.append(worker.slot)
        worker.worker.kill()
        worker.worker.close()
        for run in list(worker.open.values()):
            self._note_end(worker, run, worker.bury(run, exit_code))

    def _note_end(self, worker: _Supervised, run: Run, data: dict[str, Any]) -> None:
        if data["status"] == "taken":
            data = worker.settle(run, data["reason"])
        if data["status"] in ("stopped", "anew") and not worker.is_leaving:
            if data["status"] == "stopped":
                worker.claims[run.key].count_signal()
            if self._may_begin_again(run, worker.last[run.key].get("budget_used", 0)):
                worker.close(run, done=False)
                self._waiting.put_back(run)
                return
            what = data["reason"] or "the worker was asked to stop"
            data = worker.fail(run, "failed", f"{what} again and again, but not by the command")
        if data["status"] == "anew":
            data = {"status": "stopped", "reason": ""}
        worker.close(run, done=data["status"] == "ok")
        self._listen(Event(run, "end", data))

    def _may_begin_again(self, run: Run, budget_used: int) -> bool:
        """Say whether a run that was left may go on: its checkpoint did not fit, say.

        Not if it happens every time: the agent may be what asks.
        """
        times, furthest = self._unasked.get(run.key, (0, -1))
        times = 1 if budget_used > furthest else times + 1
        self._unasked[run.key] = times, max(furthest, budget_used)
        return times <= _UNASKED
