"""Trackers: charts of running runs in TensorBoard, Weights & Biases or MLflow, beside the record.

Each tracker is a process of its own, fed line by line through a pipe. So whatever it does, be it
waiting for a network, drawing from the global generators of randomness or crashing, the run neither
fails, nor waits, nor comes out otherwise. A tracker that raises says so on standard error, in one
line, and is dropped.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast
from uuid import uuid4

from rlbench.errors import MissingExtra, UnknownName
from rlbench.results import Identity
from rlbench.runners.children import what_is_asked

TRACKERS = ("tensorboard", "wandb", "mlflow")
CLOSE_SECONDS = 60.0  # for what is still to be written when a run is over
PROJECT = "rlbench"  # of W&B, and the experiment of MLflow
KEY_TAG = "rlbench.key"
_PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
_PROGRAM = "from rlbench.runners.tracking import main; main()"
_DATABASE = "mlflow.db"
_SAID = 3  # exit code of a tracker that has said why it ended


class Tracker(Protocol):
    """Where the points of a run's charts go."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to some charts. It returns at once and raises nothing.

        Args:
            step: The budget used; it never decreases within a run.
            values: The charts' names, e.g. ``eval/return``, and where the point is.
        """
        ...

    def close(self) -> None:
        """Wait for what is still to be written, but not much longer than `CLOSE_SECONDS`.

        It raises nothing, and may be called again.
        """
        ...


def check_trackers(names: Sequence[str]) -> None:
    """See that trackers exist and are installed, importing nothing.

    Args:
        names: Some of `TRACKERS`.

    Raises:
        UnknownName: There is no such tracker.
        MissingExtra: The package that it needs is not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise UnknownName("tracker", name, TRACKERS)
        spec = find_spec(_PACKAGES[name])
        # A folder of that name, such as W&B leaves behind, is not the package: it has no origin.
        if spec is None or spec.origin is None:
            raise MissingExtra(f"the tracker {name}", name)


def open_trackers(names: Sequence[str], identity: Identity, folder: Path) -> Tracker:
    """Open the charts of a run, or go on with them if there are any from an earlier attempt.

    It returns at once; what fails, now or later, is said on standard error and dropped.

    Args:
        names: Some of `TRACKERS`; one that is named twice counts once.
        identity: The run.
        folder: Where trackers keep what they write on this machine.

    Returns:
        One tracker over all of them. Close it: what it has not written by then may be lost.
    """
    return _Trackers([_Process(name, identity, folder) for name in dict.fromkeys(names)])


class _Trackers:
    """Several trackers as one."""

    def __init__(self, processes: list["_Process"]) -> None:
        self._processes = processes

    def log(self, step: int, values: Mapping[str, float]) -> None:
        line = json.dumps([time.time(), int(step), dict(values)], default=float)
        for process in self._processes:
            process.send(line)

    def close(self) -> None:
        deadline = time.monotonic() + CLOSE_SECONDS
        for process in self._processes:
            process.send(None)
        for process in self._processes:
            process.end(deadline)
        self._processes = []


class _Process:
    """A tracker in a process of its own, and the thread that feeds it."""

    def __init__(self, name: str, identity: Identity, folder: Path) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._gone = False
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        job = {"tracker": name, "identity": identity.to_dict(), "folder": str(folder.absolute())}
        self.send(json.dumps(job))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=2,  # what it prints is for the log
            )
        except OSError as error:
            self._gone = True
            _drop(name, str(error))
            return
        self._thread = threading.Thread(target=self._feed, args=(self._process,), daemon=True)
        self._thread.start()

    def send(self, line: str | None) -> None:
        """Put a line in the queue; None is the end."""
        if not self._gone:
            self._lines.put(line)

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        """Write lines to the process until the end, or until it is gone."""
        assert process.stdin is not None
        with suppress(OSError), process.stdin as pipe:
            while (line := self._lines.get()) is not None:
                pipe.write(line.encode() + b"\n")
                pipe.flush()
        self._gone = True

    def end(self, deadline: float) -> None:
        """Wait for the process, end it at the deadline, and say so if it did not end well."""
        if self._process is None:
            return
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            _drop(self._name, f"it was not done {CLOSE_SECONDS:.0f} s after the run and was ended")
        else:
            if code < 0:
                _drop(self._name, f"it was ended by {signal.Signals(-code).name}")
            elif code not in (0, _SAID):
                _drop(self._name, f"its process ended with exit code {code}")
        # Not for long: what the tracker started itself may still hold the pipe open.
        self._thread.join(1.0)


def _drop(name: str, reason: str) -> None:
    """Say in one line why a tracker was dropped."""
    line = " ".join(reason.split())[:500]
    print(f"tracker {name} dropped, the run is not affected: {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Be the process of one tracker: write what comes on standard input until it ends."""
    job = what_is_asked()
    name = job["tracker"]
    try:
        check_trackers([name])
        sink = _SINKS[name](Identity.from_dict(job["identity"]), Path(job["folder"]))
        for line in sys.stdin:
            sink.write(*json.loads(line))
        sink.close()
    except Exception as error:
        expected = isinstance(error, MissingExtra | UnknownName)
        _drop(name, str(error) if expected else f"{type(error).__name__}: {error}")
        # Not sys.exit: what the tracker left to be done at exit is of no use now.
        os._exit(_SAID)


class _Sink(Protocol):
    """What writes the points of one run, in the tracker's own process."""

    def write(self, when: float, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def _title(identity: Identity) -> str:
    """Return the name of a run: where its record stands in the store."""
    return "/".join((*identity.folder, f"{identity.seed}-{identity.key}"))


def _config(identity: Identity) -> dict[str, Any]:
    """Return what a run is a function of; it is the same in every attempt at the run."""
    return {
        "suite": identity.suite,
        "task": identity.task,
        "agent": identity.agent.name,
        "version": identity.agent.version,
        "seed": identity.seed,
        "teacher": identity.teacher,
        "digest": identity.digest,
        "key": identity.key,
        "config": dict(identity.agent.config),
    }


class _TensorBoard:
    """An event file for every attempt, in the run's folder.

    The file tells TensorBoard to forget what earlier attempts wrote from its first point on.
    """

    def __init__(self, identity: Identity, folder: Path) -> None:
        # Where torch is installed tensorboardX would load it, for seconds, and make no use of it.
        sys.modules.setdefault("torch", cast(ModuleType, None))
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.summary import text

        place = folder / "tensorboard" / _title(identity)
        place.mkdir(parents=True, exist_ok=True)
        # Two attempts may begin in one second, and files are read in the order of their names.
        self._writer = EventsWriter(str(place / "events"), f".{time.time_ns()}")
        self._description = text("run", json.dumps(_config(identity), indent=2, sort_keys=True))
        self._empty = True

    def write(self, when: float, step: int, values: Mapping[str, float]) -> None:
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.proto.summary_pb2 import Summary

        if self._empty:
            start = SessionLog(status=SessionLog.START)
            self._writer.write_event(Event(wall_time=when, step=step, session_log=start))
            description = self._description
            self._writer.write_event(Event(wall_time=when, step=step, summary=description))
            self._empty = False
        points = [Summary.Value(tag=name, simple_value=y) for name, y in values.items()]
        self._writer.write_event(Event(wall_time=when, step=step, summary=Summary(value=points)))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _WandB:
    """A run of W&B with the run's key as its id; `WANDB_MODE` and the like are heeded."""

    def __init__(self, identity: Identity, folder: Path) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)  # if it cannot be, W&B silently goes elsewhere
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(folder),
            id=identity.key,
            resume="allow",
            name=_title(identity),
            group="/".join(identity.folder),
            config=_config(identity),
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._first = self._run.step

    def write(self, when: float, step: int, values: Mapping[str, float]) -> None:
        if step >= self._first:  # an earlier attempt has logged the others
            self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """A run of MLflow, found again by a tag; `MLFLOW_TRACKING_URI` and the like are heeded."""

    def __init__(self, identity: Identity, folder: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient
        from mlflow.entities import Param

        uri, artifacts = os.environ.get("MLFLOW_TRACKING_URI"), None
        if not uri:
            place = folder / "mlflow"
            _make_database(place)
            uri, artifacts = f"sqlite:///{place / _DATABASE}", (place / "artifacts").as_uri()
        self._client = MlflowClient(uri)
        experiment = self._experiment(artifacts)
        query = f"tags.`{KEY_TAG}` = '{identity.key}'"
        self._last: dict[str, int] = {}
        if found := self._client.search_runs([experiment], query, max_results=1):
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            for name in found[0].data.metrics:
                history = self._client.get_metric_history(self._id, name)
                self._last[name] = max(point.step for point in history)
        else:
            tags = {KEY_TAG: identity.key}
            run = self._client.create_run(experiment, tags=tags, run_name=_title(identity))
            self._id = run.info.run_id
        config = _config(identity)
        options = {f"config.{name}": value for name, value in config.pop("config").items()}
        params = [
            Param(name, str(value))
            for name, value in {**config, **options}.items()
            if value not in (None, "")
        ]
        self._client.log_batch(self._id, params=params)

    def _experiment(self, artifacts: str | None) -> str:
        """Return the experiment's id; several runs may want to make it at the same time."""
        from mlflow.exceptions import MlflowException

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        if (experiment := self._client.get_experiment_by_name(name)) is None:
            try:
                return str(self._client.create_experiment(name, artifact_location=artifacts))
            except MlflowException:
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        return str(experiment.experiment_id)

    def write(self, when: float, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, round(when * 1000), step)
            for name, value in values.items()
            if step > self._last.get(name, -1)  # an earlier attempt has logged the others
        ]
        if metrics:
            self._client.log_batch(self._id, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._id)


def _make_database(place: Path) -> None:
    """Make the folder of MLflow's database, unless it is there, complete or not at all.

    Several runs that make it at the same time in one place spoil it, and so does one that is
    killed meanwhile.
    """
    from mlflow import MlflowClient

    if place.is_dir():
        return
    temporary = place.with_name(f".{place.name}-{uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        MlflowClient(f"sqlite:///{temporary / _DATABASE}")
        temporary.rename(place)
    except OSError:
        if not place.is_dir():  # else another run was faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


_SINKS: dict[str, Callable[[Identity, Path], _Sink]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WandB,
    "mlflow": _MLflow,
}
