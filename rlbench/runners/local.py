"""The local backend: runs in processes of their own, so many at a time."""

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from io import BufferedReader
from typing import Any, Literal, NamedTuple, get_args

from rlbench.errors import InvalidRecord, StoreError
from rlbench.results import Claim, Failure, Phase, Record, Status, Store, Training, read_claim
from rlbench.results.claims import Watch
from rlbench.runners.logs import Log
from rlbench.runners.provenance import provenance
from rlbench.runners.run import LEAVE, STACK_DUMP, Run
from rlbench.runners.stale import origin

GRACE = 60.0  # seconds for a worker to keep a checkpoint and leave
_PATIENCE = 1.0  # seconds between two looks at the clock
_RENEWAL = 5.0  # seconds between two signs of life
_UNASKED = 3  # times that a run may be left, without getting further, when nobody here asked for it
_MAX_LINE = 100_000  # bytes of an event
# A process gets these for what its own code does, all others from somebody.
_OWN_FAULTS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
_LAST_WORDS = 2.0  # seconds for a stack dump, and for events of a worker that has ended
_MOST_WORDS = 30.0  # seconds for such events where this process is slow to hear them
_PROGRESS = ("phase", "budget_used", "episodes")
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Event(NamedTuple):
    """Something that happened to a run.

    Attributes:
        run: Which.
        kind: ``start``, ``progress``, ``elsewhere`` (another command is at it), ``remark`` or
            ``end``.
        data: ``progress``: phase, budget_used, episodes. ``remark``: text. ``end``: status (``ok``,
            ``failed``, ``oom``, ..., or ``stopped`` if it was asked to leave) and reason.
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
        self._failures = {run.key: Store(run.store).failures(run.identity) for run, _ in claimed}
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
        try:
            self._log = Log(Store(first.store).log_of(first.identity))
        except OSError as error:
            raise _cannot_start(first, error) from error
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rlbench.runners.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise _cannot_start(first, error) from error
        assert self.process.stdin is not None
        assert isinstance(self.process.stderr, BufferedReader)
        self._log.follow(self.process.stderr)
        runs = [run.to_dict() for run in self.open.values()]
        with suppress(BrokenPipeError):
            # The pipe stays open: the worker ends when it closes.
            self.process.stdin.write(json.dumps(runs).encode() + b"\n")
            self.process.stdin.flush()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline(_MAX_LINE):
            with suppress(ValueError, RecursionError):
                message = json.loads(line)
                if _is_event(message):
                    self._inbox.put((self, message))
        self._inbox.put((self, self.process.wait()))
        self.process.stdout.close()

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
        self.heard_out()
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
            patience = _LAST_WORDS if self._has_been_heard_out() else _MOST_WORDS
            return self.process.returncode if now > self._ended + patience else None
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

    def _has_been_heard_out(self) -> bool:
        """Say whether nothing that it said waits for this process, which may be slow."""
        assert self.process.stdout is not None
        pipe = select.poll()
        with suppress(ValueError):  # closed at its end
            pipe.register(self.process.stdout, select.POLLIN)
        return self._inbox.empty() and not pipe.poll(0)

    def heard_out(self) -> None:
        """Wait until what it wrote stands in its log."""
        self._log.catch_up(_LAST_WORDS)

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

    def close_pipe(self) -> None:
        """Let go of the pipe that it was asked by, once it is gone."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

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
        status, reason = self._cause_of_death(exit_code)
        if status == "stopped":
            return {"status": status, "reason": reason}
        return self.fail(run, status, reason)

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

    def _cause_of_death(self, exit_code: int) -> tuple[Status | Literal["stopped"], str]:
        if self.timed_out:
            return "timeout", self.timed_out
        if exit_code >= 0:
            return "failed", f"the worker ended with exit code {exit_code} before the run was over"
        names = {number.value: number.name for number in signal.Signals}
        name = names.get(-exit_code, f"signal {-exit_code}")
        if name == "SIGKILL" and _system_kills() > self._kills_before:
            return "oom", "the system ended the worker when memory ran out"
        return "failed" if name in _OWN_FAULTS else "stopped", f"the worker was ended by {name}"


def _cannot_start(run: Run, error: OSError) -> StoreError:
    log = Store(run.store).log_of(run.identity)
    return StoreError(f"cannot start run {run.key} with the log {log}: {error.strerror}")


def _is_event(message: Any) -> bool:
    """Say whether a line from a worker is an event: an agent may write to that pipe, too."""
    if not isinstance(message, dict) or not isinstance(message.get("key"), str):
        return False
    if message.get("event") == "remark":
        return isinstance(message.get("text"), str)
    if message.get("event") == "progress":
        counts = (message.get("budget_used"), message.get("episodes"))
        return message.get("phase") in get_args(Phase) and all(type(n) is int for n in counts)
    return message.get("event") == "end" and all(
        isinstance(message.get(name), str) for name in ("status", "reason")
    )


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
        self._failures = {run.key: Store(run.store).failures(run.identity) for run in self._free}
        self._elsewhere: list[Run] = []
        self._watch = Watch()
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
            claim, outcome = None, self._outcome_elsewhere(run)
            if outcome is None:
                path = Store(run.store).claim_of(run.identity)
                about = {"identity": run.identity.to_dict(), "origin": origin(run)}
                claim = Claim.take(path, about, self._watch)
                if claim is None:
                    self._elsewhere.append(run)
                    self._listen(Event(run, "elsewhere", {}))
                    continue
                outcome = self._outcome_elsewhere(run)  # in the meantime
            if outcome is not None:
                if claim is not None:
                    claim.release({}, done=outcome["status"] == "ok")
                self._listen(Event(run, "end", outcome))
            elif claim is not None:
                again = replace(run, attempt=claim.attempt, signalled=claim.signalled)
                claimed.append((again, claim))
        return claimed

    def _outcome_elsewhere(self, run: Run) -> dict[str, Any] | None:
        """Return the data of a run's end if another process recorded it since this one began."""
        store = Store(run.store)
        if store.is_done(run.identity):
            return {"status": "ok", "reason": "another command recorded it"}
        if store.failures(run.identity) > self._failures[run.key]:
            return {"status": "failed", "reason": "it failed in another command"}
        return None

    def put_back(self, run: Run) -> None:
        """Take in a run that has to be begun again."""
        self._free.append(run)

    def look(self) -> None:
        """See, now and then, what has become of the runs that other processes were at."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _PATIENCE / 2
        for run in list(self._elsewhere):
            claim = read_claim(Store(run.store).claim_of(run.identity), self._watch)
            if claim is None or claim.stale:
                self._elsewhere.remove(run)
                self._free.append(run)


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
    if group > 1:
        # What a group computes together are the seeds of one task.
        runs = sorted(runs, key=lambda run: run.identity.task)
    pool = _Pool(_Waiting(runs, listen), slots, group, listen)
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
        self._unasked: dict[str, tuple[int, int]] = {}  # how often left, and how far, by run
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
            worker.kill()
        for worker in self._workers:
            worker.process.wait()
            worker.close_pipe()
            worker.heard_out()
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
        worker.close_pipe()
        for run in list(worker.open.values()):
            self._note_end(worker, run, worker.bury(run, exit_code))

    def _note_end(self, worker: _Worker, run: Run, data: dict[str, Any]) -> None:
        if data["status"] == "taken":
            data = worker.settle(run, data["reason"])
        if data["status"] in ("stopped", "anew") and not worker.is_leaving:
            if data["status"] == "stopped":
                worker.claims[run.key].count_signal()
            if self._may_begin_again(run, worker.last[run.key].get("budget_used", 0)):
                worker.close(run, done=False)
                self._waiting.put_back(run)
                return
            what = data["reason"] or "the worker was asked to leave"
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
