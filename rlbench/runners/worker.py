"""The process that executes one run and writes its record.

It reads the run as one line of JSON from standard input, and holds on to that pipe: when the
parent dies, the pipe closes and the worker ends. It reports on standard output, an event a line;
whatever the agent prints goes to standard error, which is the run's log. On `STACK_DUMP` it writes
there what each of its threads is doing, whatever that is.
"""

import faulthandler
import json
import os
import platform
import signal
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO

from rlbench import __version__
from rlbench.errors import RecordExists, RLBenchError, RunError, StoreError
from rlbench.results import Failure, Phase, Record, Status, Store
from rlbench.runners.agent import load_factory
from rlbench.runners.online import Progress, run_online
from rlbench.runners.run import Run

STACK_DUMP = getattr(signal, "SIGUSR2", None)  # there is none on Windows
_REPORT_SECONDS = 0.5
_PACKAGES = ("numpy", "gymnasium", "ale-py", "torch")


class _Reporter:
    """Writes events: progress at a new phase, else not more often than twice a second."""

    def __init__(self, out: TextIO, progress: Progress) -> None:
        self._out = out
        self._progress = progress
        self._next = time.monotonic()
        self._phase: Phase = progress.phase

    def tick(self) -> None:
        now = time.monotonic()
        p = self._progress
        if now >= self._next or p.phase != self._phase:
            self._next, self._phase = now + _REPORT_SECONDS, p.phase
            self.send(
                event="progress", phase=p.phase, budget_used=p.budget_used, episodes=p.episodes
            )

    def send(self, **event: Any) -> None:
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()


def main() -> None:
    """Execute the run on standard input."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run = Run.from_dict(json.loads(sys.stdin.readline()))
    threading.Thread(target=end_with_parent, daemon=True).start()
    if STACK_DUMP is not None:
        faulthandler.register(STACK_DUMP, all_threads=True)
    progress = Progress()
    reporter = _Reporter(events, progress)
    record = execute(run, progress, reporter)
    try:
        path = Store(run.store).write(record)
    except RecordExists:
        reporter.send(event="end", status="ok", reason="another process recorded it first")
    except StoreError as error:
        reporter.send(event="end", status="unsaved", reason=str(error))
    else:
        reason = record.error.reason if record.error else ""
        reporter.send(event="end", status=record.status, reason=reason, path=str(path))
    # Not sys.exit: threads that an agent left running must not keep the worker alive.
    sys.stderr.flush()
    os._exit(0)


def end_with_parent() -> None:
    """Wait until the parent closes its end of standard input, then end the process group."""
    while os.read(0, 1):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def execute(run: Run, progress: Progress, reporter: _Reporter) -> Record:
    """Execute a run and return its record, whatever happens to the agent."""
    identity = run.identity
    began = datetime.now(UTC)
    started = time.perf_counter()
    status: Status = "ok"
    failure = None
    try:
        suite = run.suite
        run_online(
            suite, suite.task(identity.task), load_factory(identity.agent.spec),
            config=dict(identity.agent.config), seed=identity.seed, device=run.device,
            progress=progress, tick=reporter.tick,
        )  # fmt: skip
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        status, reason = _classify(error)
        step = None if progress.phase == "start" else progress.budget_used
        failure = Failure(phase=progress.phase, step=step, reason=_one_line(reason))
    seconds = time.perf_counter() - started
    return Record(
        identity=identity,
        status=status,
        error=failure,
        budget_used=progress.budget_used,
        evaluations=tuple(progress.evaluations),
        training=progress.training,
        provenance=provenance(run),
        timing={
            "started": began.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            **{f"seconds_{name}": round(value, 3) for name, value in progress.seconds.items()},
        },
    )


def _classify(error: BaseException) -> tuple[Status, str]:
    """Return the status of a failed run, and why it failed."""
    cause = error.__cause__ or error
    if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
        return "oom", f"out of memory: {cause}"
    if isinstance(error, RunError):
        return ("invalid" if error.status == "invalid" else "failed"), str(error)
    if isinstance(error, RLBenchError):
        return "failed", str(error)
    return "failed", f"{type(error).__name__}: {error}"


def _one_line(text: str) -> str:
    """Return text fit for a record: one line, printable, of at most 2,000 characters."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in line)[:2000] or "no reason given"


def provenance(run: Run) -> dict[str, str | int | float | None]:
    """Return where a run was made: versions, hardware, device."""
    versions: dict[str, str | int | float | None] = {}
    for package in _PACKAGES:
        try:
            versions[f"version_{package}"] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "version_rlbench": __version__,
        "version_python": platform.python_version(),
        **versions,
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "device": run.device,
        "threads": run.threads,
    }


if __name__ == "__main__":
    main()
