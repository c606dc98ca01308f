"""The SLURM backend: one array of jobs by submitit, and a command that follows them.

The store is on a disk that all nodes share. A job takes its runs from a file and supervises them on
its node, as a command there would: with claims, limits and records. So the command that submitted
them may end; the same command again follows what is still in the queue, and submits the rest.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

from rlbench.errors import ClusterError, MissingExtra, UsageError, one_line
from rlbench.files import read_bounded, replace_file
from rlbench.results import Store, read_claim
from rlbench.runners.backends.backend import Event, Limits, Slot
from rlbench.runners.backends.local import is_event
from rlbench.runners.backends.supervision import run_all
from rlbench.runners.run import Run

_LOOK = 2.0  # seconds between two looks at all runs
_LATE = 30.0  # seconds after its job for a record to be seen on a shared disk
_TIMEOUTS = 1000  # times that a job may reach its time limit and go on
_JOBS = "jobs.json"
_MAX_BYTES = 100_000_000  # of a file of runs


@dataclass
class Job:
    """What a job of the array does, on its node; submitit calls it, and `checkpoint` at its signal.

    Attributes:
        file: Its runs.
        device: Passed on to agents.
        group: Runs that are executed in lock-step.
        silence: See `Limits`.
        run: The same.
    """

    file: str
    device: str
    group: int
    silence: float | None
    run: float | None

    def __call__(self) -> None:
        """Execute the runs; meanwhile this thread waits for signals.

        Raises:
            StoreError: A record could not be written.
        """
        self._asked = threading.Event()
        self._errors: list[Exception] = []
        self._thread = threading.Thread(target=self._execute, daemon=True)
        self._thread.start()
        self._thread.join()
        for error in self._errors:
            raise error

    def _execute(self) -> None:
        try:
            run_all(
                read_runs(Path(self.file)), slots=[Slot(self.device)], group=self.group,
                listen=_print, limits=Limits(self.silence, self.run), stopping=self._asked.is_set,
            )  # fmt: skip
        except Exception as error:  # raised where submitit sees it
            self._errors.append(error)

    def checkpoint(self) -> Any:
        """Have the workers keep checkpoints and leave; return what the job does when it goes on."""
        from submitit.helpers import DelayedSubmission

        self._asked.set()
        self._thread.join()
        return DelayedSubmission(Job(**asdict(self)))


def _print(event: Event) -> None:
    print(event.run.key, event.kind, json.dumps(event.data), flush=True)


def read_runs(file: Path) -> list[Run]:
    """Return the runs in a file."""
    return [Run.from_dict(data) for data in json.loads(read_bounded(file, _MAX_BYTES))]


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """See that jobs can be submitted.

    Raises:
        MissingExtra: submitit is not installed.
        UsageError: A parameter does not fit.
    """
    if find_spec("submitit") is None:
        raise MissingExtra("the SLURM backend", "slurm")
    if not all(isinstance(value, str | int | float | bool | list) for value in parameters.values()):
        raise UsageError("values in [slurm] are numbers, words, true, false or lists")


def run_array(
    runs: Iterable[Run],
    *,
    slots: Sequence[Slot],
    listen: Callable[[Event], None],
    parameters: Mapping[str, Any],
    limits: Limits = Limits(),  # noqa: B008 - it is immutable
    group: int = 1,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Have an array of jobs execute runs, and follow them until all are over.

    Args:
        runs: The runs; their store is prepared.
        slots: As many jobs go on at a time.
        listen: Called with every event.
        parameters: Of submitit's `AutoExecutor`, and ``cluster``: by default ``slurm``.
        limits: See `run_all`.
        group: Runs of a job that are executed in lock-step.
        stopping: Says whether to stop following; the jobs stay in the queue.

    Raises:
        UsageError: There is no SLURM here, or a parameter does not fit.
        ClusterError: The jobs cannot be submitted.
    """
    runs = [replace(run, device=slots[0].device, store=_absolute(run.store)) for run in runs]
    if not runs:
        return
    place = Path(runs[0].store) / "slurm"
    jobs = _in_queue(place, {run.key for run in runs}, parameters)
    new = [run for run in runs if run.key not in jobs]
    if new:
        batches = _batches(new, group)
        job = Job(file="", device=slots[0].device, group=group, silence=limits.silence,
                  run=limits.run)  # fmt: skip
        folder = place / uuid4().hex[:8]
        jobs |= _submit(folder, batches, job, {**parameters, "slots": len(slots)})
        ids = ", ".join(dict.fromkeys(found.job_id.partition("_")[0] for found in jobs.values()))
        listen(Event(new[0], "remark", {"text": f"submitted to SLURM as {ids}, in {folder}"}))
    followed = [_Followed(run, jobs[run.key], listen) for run in runs]
    while followed and not stopping():
        followed = [run for run in followed if not run.look()]
        time.sleep(_LOOK if followed else 0.0)


def _batches(runs: Sequence[Run], group: int) -> list[list[Run]]:
    """Return the runs of each job: the seeds of one task, of one agent."""
    if group == 1:
        return [[run] for run in runs]

    def alike(run: Run) -> tuple[str, str]:
        return run.identity.task, run.identity.agent_key

    of_agents = [list(of) for _, of in groupby(sorted(runs, key=alike), key=alike)]
    return [of[k : k + group] for of in of_agents for k in range(0, len(of), group)]


def _absolute(store: str) -> str:
    return str(Path(store).absolute())


def _submit(
    folder: Path, batches: Sequence[Sequence[Run]], job: Job, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Submit an array; return the job of each run, by its key."""
    folder.mkdir(parents=True)
    executor = _executor(folder, parameters)
    work = []
    for number, batch in enumerate(batches):
        file = folder / f"{number}.json"
        replace_file(file, json.dumps([run.to_dict() for run in batch]).encode())
        work.append(replace(job, file=str(file)))
    try:
        jobs = executor.submit_array(work)
    except Exception as error:  # of submitit, or of sbatch
        raise ClusterError(f"the jobs cannot be submitted: {one_line(error)}") from error
    replace_file(folder / _JOBS, json.dumps([found.job_id for found in jobs]).encode())
    return {run.key: found for found, batch in zip(jobs, batches, strict=True) for run in batch}


def _executor(folder: Path, parameters: Mapping[str, Any]) -> Any:
    import submitit

    own = dict(parameters)
    at_a_time, cluster = own.pop("slots"), own.pop("cluster", "slurm")
    timeouts = {f"{name}_max_num_timeout": _TIMEOUTS for name in ("slurm", "local")}
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster, **timeouts)
        executor.update_parameters(**{
            "name": "rlbench", "slurm_array_parallelism": at_a_time, **own
        })  # fmt: skip
    except (AssertionError, NameError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"the table [slurm] does not fit here: {one_line(error)}") from error
    return executor


def _in_queue(place: Path, keys: set[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the jobs that earlier commands submitted and that are not over, by run."""
    import submitit

    found: dict[str, Any] = {}
    if parameters.get("cluster", "slurm") != "slurm":
        return found  # other executors end with the command, or lose their jobs
    for file in place.glob(f"*/{_JOBS}"):
        with suppress(OSError, ValueError):
            for number, job_id in enumerate(json.loads(file.read_bytes())):
                batch = {run.key for run in read_runs(file.parent / f"{number}.json")} & keys
                job = submitit.SlurmJob(file.parent, job_id)
                if batch and not job.done():
                    found |= dict.fromkeys(batch, job)
    return found


class _Followed:
    """A run of a job: what is seen of it from here."""

    def __init__(self, run: Run, job: Any, listen: Callable[[Event], None]) -> None:
        self._run, self._job, self._listen = run, job, listen
        self._store = Store(run.store)
        self._failures = self._store.failures(run.identity)
        self._has_begun = False
        self._over: float | None = None
        self._last: dict[str, Any] = {}

    def look(self) -> bool:
        """Tell what has happened; say whether the run is over."""
        is_over = self._job.done()
        end = self._end()
        if end is None and is_over:
            self._over = self._over or time.monotonic()
            if time.monotonic() > self._over + _LATE:
                reason = f"its job {self._job.job_id} ended as {self._job.state}"
                end = {"status": "failed", "reason": reason}
        if end is None:
            self._follow_claim()
            return False
        self._listen(Event(self._run, "end", end))
        return True

    def _end(self) -> dict[str, Any] | None:
        identity = self._run.identity
        if self._store.is_done(identity):
            return {"status": "ok", "reason": ""}
        if self._store.failures(identity) > self._failures:
            failed = self._store.last_failure(identity)
            reason = failed.error.reason if failed and failed.error else ""
            return {"status": failed.status if failed else "failed", "reason": reason}
        return None

    def _follow_claim(self) -> None:
        claim = read_claim(self._store.claim_of(self._run.identity))
        if claim is None or claim.data.get("over"):
            return
        if not self._has_begun:
            self._has_begun = True
            self._listen(Event(self._run, "start", {"node": str(claim.data.get("host"))}))
        data = {name: claim.data.get(name) for name in ("phase", "budget_used", "episodes")}
        message = {"key": self._run.key, "event": "progress", **data}
        if data != self._last and is_event(message):
            self._last = data
            self._listen(Event(self._run, "progress", data))
