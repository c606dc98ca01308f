"""Trackers, for real: what they write is read back; what fails is dropped; runs never wait.

Those that are not installed are skipped, as are the systems without /proc.
"""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.records import make_record

from rlbench.errors import UnknownName
from rlbench.results import Identity
from rlbench.runners import tracking
from rlbench.runners.tracking import TRACKERS, check_trackers, open_trackers

RUN = make_record(config={"learning_rate": 0.25, "deep": True}, seed=3).identity
PLACE = f"atari100k-1/tester/pong/3-{RUN.key}"
PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
POINTS = [(0, {"train/return": -21.0}), (10, {"train/return": 1.5}), (20, {"eval/return": 2.5})]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # where W&B looks for a key
    monkeypatch.setenv("WANDB_MODE", "offline")


def need(package: str) -> Any:
    return pytest.importorskip(package, reason=f"{package} is not installed")


def track(names: list[str], folder: Path, points: Any = POINTS, run: Identity = RUN) -> None:
    tracker = open_trackers(names, run, folder)
    for step, values in points:
        tracker.log(step, values)
    tracker.close()


def errors(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capfd.readouterr().err.splitlines() if "dropped" in line]


# TensorBoard


def events_of(file: Path) -> Iterator[Any]:
    """Read an event file: records of length, checksum, data, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data = file.read_bytes()
    while data:
        (length,) = struct.unpack_from("<Q", data)
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


def test_tensorboard_gets_every_point(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    need("tensorboardX")
    before = time.time()
    track(["tensorboard"], tmp_path / "tracking")
    (file,) = (tmp_path / "tracking/tensorboard" / PLACE).iterdir()
    assert file.name.startswith("events.out.tfevents.")
    found, description = [], ""
    for event in events_of(file):
        assert before - 1 <= event.wall_time <= time.time() + 1
        for value in event.summary.value:
            if value.HasField("tensor"):
                description = value.tensor.string_val[0].decode()
            else:
                found.append((event.step, {value.tag: value.simple_value}))
    assert found == POINTS
    about = json.loads(description)
    assert about["config"] == {"learning_rate": 0.25, "deep": True}
    assert (about["suite"], about["task"], about["seed"]) == ("atari100k@1", "Pong", 3)
    assert (about["agent"], about["digest"], about["key"]) == ("tester", RUN.digest, RUN.key)
    assert capfd.readouterr() == ("", "")


def test_tensorboard_has_a_file_for_every_attempt(tmp_path: Path) -> None:
    """Also for those that begin within one second."""
    need("tensorboardX")
    tracker = [open_trackers(["tensorboard"], RUN, tmp_path) for _ in range(2)]
    for attempt, step in zip(tracker, (0, 10), strict=True):
        attempt.log(step, {"train/return": 1.0})
        attempt.close()
    assert len(list((tmp_path / "tensorboard" / PLACE).iterdir())) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's own
def test_tensorboard_shows_a_resumed_run_as_one_curve(tmp_path: Path) -> None:
    """What the earlier attempt wrote past the point of resumption is forgotten."""
    need("tensorboardX")
    reading = need("tensorboard.backend.event_processing.event_accumulator")
    for first in (0, 20):
        points = [(step, {"train/return": step + first}) for step in range(first, first + 40, 10)]
        track(["tensorboard"], tmp_path, points)
    reader = reading.EventAccumulator(str(tmp_path / "tensorboard" / PLACE))
    reader.Reload()
    curve = [(point.step, point.value) for point in reader.Scalars("train/return")]
    assert curve == [(0, 0), (10, 10), (20, 40), (30, 50), (40, 60), (50, 70)]


# Weights & Biases


def records_of_wandb(file: Path) -> Iterator[Any]:
    """Read a file of W&B: after a header blocks of 32 KiB with records, whole or in parts."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at < len(data):
        if (left := -at % 32768) and left < 7:
            at += left
            continue
        _, length, part = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if part in (1, 4):  # whole, or the last part
            yield Record.FromString(record)
            record = b""


def test_wandb_offline_gets_every_point(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    need("wandb")
    track(["wandb"], tmp_path / "tracking")
    (file,) = (tmp_path / "tracking/wandb").glob(f"offline-run-*/run-{RUN.key}.wandb")
    found, about = [], None
    for record in records_of_wandb(file):
        if record.HasField("run"):
            about = record.run
        if record.HasField("history"):
            row = {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            shown = {name: value for name, value in row.items() if not name.startswith("_")}
            found.append((row["_step"], shown))
    assert found == POINTS
    assert about is not None
    assert (about.run_id, about.display_name, about.project) == (RUN.key, PLACE, "rlbench")
    config = {item.key: json.loads(item.value_json) for item in about.config.update}
    assert config["config"] == {"learning_rate": 0.25, "deep": True}
    assert (config["suite"], config["task"], config["seed"]) == ("atari100k@1", "Pong", 3)
    assert (config["agent"], config["digest"]) == ("tester", RUN.digest)
    assert errors(capfd) == []


def test_wandb_without_a_key_is_dropped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("wandb")
    monkeypatch.setenv("WANDB_MODE", "online")
    track(["wandb"], tmp_path)
    (line,) = errors(capfd)
    assert line.startswith("tracker wandb dropped, the run is not affected: UsageError:")
    assert re.search("api.key", line, re.IGNORECASE)


# MLflow


def histories(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return the points of every chart of every run, by the run's key."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow/mlflow.db'}")
    experiment = client.get_experiment_by_name("rlbench")
    assert experiment is not None
    return {
        run.data.tags["rlbench.key"]: {
            name: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        for run in client.search_runs([experiment.experiment_id])
    }


mlflow_warns = pytest.mark.filterwarnings("ignore")  # of many kinds, when it is imported


@mlflow_warns
def test_mlflow_gets_every_point(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mlflow = need("mlflow")
    folder = tmp_path / "tracking"
    track(["mlflow"], folder)
    printed = capfd.readouterr()
    assert histories(folder) == {
        RUN.key: {"train/return": [(0, -21.0), (10, 1.5)], "eval/return": [(20, 2.5)]}
    }
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow/mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("rlbench").experiment_id])
    assert (run.info.run_name, run.info.status) == (PLACE, "FINISHED")
    params = run.data.params
    assert (params["config.learning_rate"], params["config.deep"]) == ("0.25", "True")
    assert (params["suite"], params["task"], params["seed"]) == ("atari100k@1", "Pong", "3")
    assert (params["agent"], params["digest"]) == ("tester", RUN.digest)
    assert printed == ("", "")


@mlflow_warns
def test_mlflow_goes_on_with_a_resumed_run(tmp_path: Path) -> None:
    """Points that the earlier attempt has logged are not logged again."""
    need("mlflow")
    track(["mlflow"], tmp_path, [(0, {"train/return": 0}), (10, {"train/return": 1})])
    track(["mlflow"], tmp_path, [(step, {"train/return": step / 10}) for step in (0, 10, 20)])
    assert histories(tmp_path) == {RUN.key: {"train/return": [(0, 0), (10, 1), (20, 2)]}}


@mlflow_warns
def test_runs_at_the_same_time_share_a_database(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is made by the one that is first; a database made by several is spoiled."""
    need("mlflow")
    runs = [make_record(seed=seed).identity for seed in range(3)]
    trackers = [open_trackers(["mlflow"], run, tmp_path) for run in runs]
    for tracker in trackers:
        tracker.log(1, {"train/return": 7.0})
    for tracker in trackers:
        tracker.close()
    assert errors(capfd) == []
    assert histories(tmp_path) == {run.key: {"train/return": [(1, 7.0)]} for run in runs}
    assert [path.name for path in tmp_path.iterdir() if "mlflow" in path.name] == ["mlflow"]


@mlflow_warns
def test_mlflow_that_loses_its_database_is_dropped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    need("mlflow")
    tracker = open_trackers(["mlflow"], RUN, tmp_path)
    tracker.log(0, {"train/return": 0.0})
    deadline = time.monotonic() + 60
    while not (tmp_path / "mlflow").is_dir() or not histories(tmp_path).get(RUN.key):
        assert time.monotonic() < deadline, errors(capfd)
        time.sleep(0.2)
    (tmp_path / "mlflow/mlflow.db").write_bytes(b"no database" * 1000)
    for step in (1, 2, 3):
        tracker.log(step, {"train/return": 0.0})
    tracker.close()
    (line,) = errors(capfd)
    assert line.startswith("tracker mlflow dropped, the run is not affected:")


# What fails


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_folder_that_cannot_be_made_drops_only_its_tracker(
    tracker: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    need(PACKAGES[tracker])
    need("tensorboardX")
    (tmp_path / tracker).write_text("in the way")
    track(["tensorboard", tracker], tmp_path)
    (line,) = errors(capfd)
    assert line.startswith(f"tracker {tracker} dropped, the run is not affected:")
    assert str(tmp_path / tracker) in line
    if tracker != "tensorboard":
        assert len(list((tmp_path / "tensorboard" / PLACE).iterdir())) == 1


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_store_that_cannot_be_written_is_not_replaced_by_another(
    tracker: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B by itself would go to the system's folder for temporary files."""
    need(PACKAGES[tracker])
    (tmp_path / "tracking").write_text("in the way")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "here"))
    track([tracker], tmp_path / "tracking")
    (line,) = errors(capfd)
    assert line.startswith(f"tracker {tracker} dropped, the run is not affected:")
    assert not [path for path in Path().rglob("*") if path.suffix == ".wandb"]


def test_a_tracker_that_does_not_exist_drops_only_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    need("tensorboardX")
    track(["tensorbored", "tensorboard"], tmp_path)
    (line,) = errors(capfd)
    assert line.endswith("unknown tracker 'tensorbored'. Did you mean 'tensorboard'?")
    (file,) = (tmp_path / "tensorboard" / PLACE).iterdir()
    assert sum(len(event.summary.value) for event in events_of(file)) == 1 + len(POINTS)


def test_a_point_that_cannot_be_written_is_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """TensorBoard's steps have 64 bits."""
    need("tensorboardX")
    track(["tensorboard"], tmp_path, [(0, {"a": 1.0}), (2**70, {"a": 1.0}), (2**71, {"a": 1.0})])
    (line,) = errors(capfd)
    assert line.startswith("tracker tensorboard dropped, the run is not affected: ValueError:")
    (file,) = (tmp_path / "tensorboard" / PLACE).iterdir()
    assert [e.step for e in events_of(file) if e.summary.value] == [0, 0]


def process_of_tracker() -> int:
    """Return the process of the one tracker that is open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and b"tracking" in command:
            return int(process.name)
    raise AssertionError("no tracker is running")


on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


@on_linux
def test_a_tracker_that_hangs_holds_up_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent more than a pipe holds."""
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 1.0)
    tracker = open_trackers(["tensorboard"], RUN, tmp_path)
    hanging = process_of_tracker()
    os.kill(hanging, signal.SIGSTOP)
    for step in range(10_000):
        tracker.log(step, {"train/return": 0.0})
    began = time.monotonic()
    tracker.close()
    assert 1 <= time.monotonic() - began < 10
    (line,) = errors(capfd)
    assert line.endswith(": it was not done 1 s after the run and was ended")
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)


@on_linux
def test_a_tracker_that_is_killed_fails_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = open_trackers(["tensorboard"], RUN, tmp_path)
    os.kill(process_of_tracker(), signal.SIGKILL)
    for step in range(100):
        tracker.log(step, {"train/return": 0.0})
    tracker.close()
    tracker.close()
    (line,) = errors(capfd)
    assert line == "tracker tensorboard dropped, the run is not affected: it was ended by SIGKILL"


def test_no_trackers_leave_no_trace(tmp_path: Path) -> None:
    track([], tmp_path)
    assert list(tmp_path.iterdir()) == []


# Names


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"unknown tracker 'wandbb'\. Did you mean 'wandb'\?"):
        check_trackers(["wandbb"])
    check_trackers([])


@pytest.mark.parametrize("folder_of_that_name", [False, True])
@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package(name: str, folder_of_that_name: bool, tmp_path: Path) -> None:
    """W&B leaves folders named `wandb` behind, which Python takes for packages."""
    if folder_of_that_name:
        (tmp_path / PACKAGES[name]).mkdir()
    message = look_for(name, f"sys.path[:] = [{str(tmp_path)!r}]")
    assert message == f"the tracker {name} needs an extra: pip install 'rlbench[{name}]'"


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_there_is_not_imported(name: str) -> None:
    need(PACKAGES[name])
    assert look_for(name, f"assert {PACKAGES[name]!r} not in sys.modules") == ""


def look_for(name: str, then: str) -> str:
    """Return what another Python says of a tracker, after a statement and before it."""
    program = (
        "import sys; from rlbench.errors import MissingExtra;"
        f"from rlbench.runners.tracking import check_trackers as check\n{then}\n"
        f"try: check([{name!r}])\nexcept MissingExtra as error: print(error)\n{then}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
