"""The local backend: workers are processes of this machine."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BufferedReader
from typing import Any, get_args

from rlbench.errors import StoreError
from rlbench.results import Phase, Store
from rlbench.runners.backends.backend import Cause, Placed, Slot
from rlbench.runners.logs import Log
from rlbench.runners.run import LEAVE, STACK_DUMP, Run

LAST_WORDS = 2.0  # seconds for a stack dump, and for events of a worker that has ended
_MAX_LINE = 100_000  # bytes of an event
# A process gets these for what its own code does, all others from somebody.
_OWN_FAULTS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class LocalWorker:
    """A worker process, and the thread that reads its events.

    Args:
        runs: What it executes.
        slot: Its place.
        hear: See `Backend.start`.

    Raises:
        StoreError: It cannot be started, or its log cannot be written.
    """

    def __init__(self, runs: Sequence[Run], slot: Slot, hear: Callable[[Any], None]) -> None:
        self._hear = hear
        self._kills_before = _system_kills()
        first = runs[0]
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
                [sys.executable, "-P", "-m", "rlbench.runners.backends.worker"],
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
        with suppress(BrokenPipeError):
            # The pipe stays open: the worker ends when it closes.
            self.process.stdin.write(json.dumps([run.to_dict() for run in runs]).encode() + b"\n")
            self.process.stdin.flush()
        hear(Placed())
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline(_MAX_LINE):
            with suppress(ValueError, RecursionError):
                message = json.loads(line)
                if is_event(message):
                    self._hear(message)
        self._hear(self.process.wait())
        self.process.stdout.close()

    def poll(self) -> int | None:
        """Return its exit code, or None while it goes on."""
        return self.process.poll()

    def has_more(self) -> bool:
        """Say whether something waits in its pipe."""
        assert self.process.stdout is not None
        pipe = select.poll()
        with suppress(ValueError):  # closed at its end
            pipe.register(self.process.stdout, select.POLLIN)
        return bool(pipe.poll(0))

    def ask_to_leave(self) -> None:
        """Have it keep checkpoints and end."""
        with suppress(ProcessLookupError):
            self.process.send_signal(LEAVE[0])

    def dump_stacks(self) -> None:
        """Have it write to its log what its threads are doing, and give it a moment."""
        if STACK_DUMP is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(STACK_DUMP)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(LAST_WORDS / 4)

    def kill(self) -> None:
        """End its process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def catch_up(self) -> None:
        """Wait until what it wrote stands in its log, but not for long."""
        self._log.catch_up(LAST_WORDS)

    def close(self) -> None:
        """Wait until it is gone, and close the pipe that it was asked by."""
        assert self.process.stdin is not None
        self.process.wait()
        with suppress(OSError):
            self.process.stdin.close()

    def cause_of_death(self, exit_code: int) -> Cause:
        """Say why it is gone: it failed if it exited, or if its own code brought it down."""
        if exit_code >= 0:
            text = f"the worker ended with exit code {exit_code} before the run was over"
            return Cause("failed", text)
        names = {number.value: number.name for number in signal.Signals}
        name = names.get(-exit_code, f"signal {-exit_code}")
        if name == "SIGKILL" and _system_kills() > self._kills_before:
            return Cause("oom", "the out-of-memory killer ended the worker")
        return Cause(
            "failed" if name in _OWN_FAULTS else "stopped", f"the worker was ended by {name}"
        )


class LocalBackend:
    """Starts workers on this machine."""

    def start(self, runs: Sequence[Run], slot: Slot, hear: Callable[[Any], None]) -> LocalWorker:
        """Start a worker; see `Backend.start`."""
        return LocalWorker(runs, slot, hear)


def is_event(message: Any) -> bool:
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


def _cannot_start(run: Run, error: OSError) -> StoreError:
    log = Store(run.store).log_of(run.identity)
    return StoreError(f"cannot start run {run.key} with the log {log}: {error.strerror}")


def _system_kills() -> int:
    """Return how many processes the Linux out-of-memory killer ended since it started, or 0."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0
