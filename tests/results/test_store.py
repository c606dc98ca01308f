"""A store keeps every record, whoever else writes to it."""

import errno
import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.faults import WALKS
from support.records import at_seed, make_record

from rlbench.errors import InvalidRecord, NewerSchema, RecordExists, StoreError
from rlbench.results import Loaded, Record, Replay, Store
from rlbench.results.record import SCHEMA_VERSION
from rlbench.results.store import check_recordable

RECORD = make_record()


def store_at(path: Path) -> Store:
    store = Store(path / "runs")
    store.prepare()
    return store


def test_records_stand_where_the_design_says(tmp_path: Path) -> None:
    path = store_at(tmp_path).write(RECORD)
    key = RECORD.identity.key
    assert path.relative_to(tmp_path).as_posix() == f"runs/atari100k-1/tester/pong/0-{key}.json"


def test_the_records_of_a_suite_are_read_alone(tmp_path: Path) -> None:
    """Files of other suites are not even opened."""
    store = store_at(tmp_path)
    other = make_record("Hike", suite=WALKS, score=5.0, length=10)
    store.write(RECORD)
    bad = store.write(other).with_name("bad.json")
    bad.write_text("{}")
    assert store.load(RECORD.identity.suite) == Loaded([RECORD], [])
    of_other = store.load(other.identity.suite)
    assert (of_other.records, [p.path for p in of_other.problems]) == ([other], [bad])
    assert len(store.load().records) == 2
    assert store.load("toy@1") == Loaded([], [])


def test_the_other_files_of_a_run_bear_its_key(tmp_path: Path) -> None:
    store, run = Store(tmp_path), RECORD.identity
    assert store.log_of(run) == tmp_path / "logs" / f"{run.key}.log"
    assert store.claim_of(run) == tmp_path / "claims" / f"{run.key}.json"
    assert store.checkpoints_of(run) == tmp_path / "checkpoints" / run.key


def test_what_is_written_is_loaded(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    records = [make_record(task, seed=seed) for task in ("Boxing", "Pong") for seed in (0, 1)]
    for record in records:
        store.write(record)
    assert sorted(r.identity.key for r in store.load().records) == sorted(
        r.identity.key for r in records
    )
    assert store.load().problems == []


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    path = store.write(RECORD)
    before = path.read_bytes()
    with pytest.raises(RecordExists):
        store.write(make_record(score=20.0))
    assert path.read_bytes() == before
    assert list((tmp_path / "runs/.tmp").iterdir()) == []


def test_an_equal_record_is_one_that_differs_in_time_and_place_alone(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert not store.has_equal(RECORD)
    path = store.write(RECORD)
    assert store.has_equal(replace(RECORD, timing={"seconds": 1.0}, provenance={"cpus": 64}))
    assert not store.has_equal(make_record(score=20.0))
    path.write_text("{}")
    assert not store.has_equal(RECORD)


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write(RECORD)
    (store.path / "loop").symlink_to("loop")
    (store.path / "file").touch()
    loaded = store.load()
    assert loaded.records == [RECORD]
    assert [(problem.path.name, problem.kind) for problem in loaded.problems] == [
        ("loop", "unreadable")
    ]


def test_every_failed_attempt_is_kept(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    failed = make_record(status="failed")
    names = [store.write(failed).name for _ in range(3)]
    assert [name.rpartition(".failed")[2] for name in names] == ["1.json", "2.json", "3.json"]
    assert store.failures(failed.identity) == 3
    assert store.failures(at_seed(failed, 1).identity) == 0
    assert store.last_failure(failed.identity) == failed
    assert store.last_failure(at_seed(failed, 1).identity) is None
    store.write(RECORD)
    assert [r.status for r in store.load().records] == ["failed"] * 3 + ["ok"]


def test_bad_files_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    good = store.write(RECORD)
    edited = store.write(at_seed(RECORD, 1))
    edited.write_text(edited.read_text().replace("-20.0", "21.0"))
    moved = store.write(at_seed(RECORD, 2))
    moved.rename(moved.with_name("3-" + moved.name[2:]))
    (good.parent / "4-torn.json").write_bytes(good.read_bytes()[:500])
    (good.parent / "5-folder.json").mkdir()
    loaded = store.load()
    assert [r.identity.seed for r in loaded.records] == [0]
    reasons = {problem.path.name[0]: problem.reason for problem in loaded.problems}
    assert "changed after it was written" in reasons["1"]
    assert "moved or renamed" in reasons["3"]
    assert "not JSON" in reasons["4"]
    assert "cannot be read: Is a directory" in reasons["5"]
    kinds = {problem.path.name[0]: problem.kind for problem in loaded.problems}
    assert kinds == {"1": "bad", "3": "bad", "4": "bad", "5": "unreadable"}
    for problem in loaded.problems:
        if problem.kind == "bad":
            aside = store.set_aside(problem)
            assert aside is not None
            assert aside.exists()
            assert "quarantine" in aside.parts
            assert store.set_aside(problem) is None, "another process was faster"
    assert [problem.path.name for problem in store.load().problems] == ["5-folder.json"]
    assert len(store.load().records) == 1


def newer(record: Record) -> bytes:
    """Return a record's file as a later release might write it."""
    return record.to_bytes().replace(
        f'"schema": {SCHEMA_VERSION}'.encode(), f'"schema": {SCHEMA_VERSION + 1}'.encode()
    )


def test_a_record_of_a_later_release_is_named_as_such(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    path = store.write(RECORD)
    path.write_bytes(newer(RECORD))
    with pytest.raises(NewerSchema, match="upgrade rlbench"):
        Record.from_bytes(path.read_bytes())
    (problem,) = store.load().problems
    assert (problem.path, problem.kind) == (path, "newer")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: os.mkfifo(path), id="named pipe"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="endless device"),
        pytest.param(lambda path: path.symlink_to("/nowhere"), id="link to nothing"),
        pytest.param(lambda path: path.symlink_to(path.name), id="link to itself"),
    ],
)
def test_what_is_no_file_is_named_and_left_alone(make, tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write(RECORD)
    place = store.record_of(at_seed(RECORD, 1).identity)
    make(place)
    loaded = store.load()
    assert loaded.records == [RECORD]
    assert [(problem.path, problem.kind) for problem in loaded.problems] == [(place, "unreadable")]


def test_a_file_that_is_too_large_is_bad_and_not_read_whole(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    path = store.write(RECORD)
    with path.open("r+b") as file:
        file.truncate(10**12)  # of holes
    (problem,) = store.load().problems
    assert (problem.kind, problem.reason) == ("bad", "over the limit of 1,000,000 bytes")


def test_a_record_that_came_in_the_meantime_is_not_set_aside(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    path = store.write(RECORD)
    content = path.read_bytes()
    for other in (content, newer(RECORD)):
        path.write_bytes(content[:-9])
        (problem,) = store.load().problems
        path.write_bytes(other)
        assert store.set_aside(problem) is None
        assert path.read_bytes() == other
    assert [path for path in (store.path / "quarantine").rglob("*") if path.is_file()] == []


def test_a_bad_file_that_came_in_the_meantime_does_not_cost_the_record(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write(at_seed(RECORD, 1))
    place = store.record_of(RECORD.identity)
    place.write_text("{}")
    assert store.write(RECORD) == place
    assert len(store.load().records) == 2
    assert len(list((store.path / "quarantine").rglob("*.json"))) == 1
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(StoreError, match="the place of a record is taken"):
        store.write(RECORD)


def test_what_cannot_be_set_aside_is_named(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    path = store.write(RECORD)
    path.write_text("{}")
    (store.path / "quarantine").touch()
    (problem,) = store.load().problems
    with pytest.raises(StoreError, match=r"cannot set aside .*: (Not a directory|File exists)"):
        store.set_aside(problem)
    assert path.read_text() == "{}"


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    store, run = Store(tmp_path / "runs"), RECORD.identity
    assert store.is_writable(run)
    store.path.touch(mode=0o777)
    assert not store.is_writable(run)


def with_actions(actions: bytes) -> Record:
    digest = hashlib.sha256(actions).hexdigest()
    return replace(
        RECORD, replay=Replay(actions=digest, dtype="int8", shape=(1, 1), hashes=("0" * 16,))
    )


def test_actions_that_are_not_those_of_the_record_are_not_returned(tmp_path: Path) -> None:
    store, actions = store_at(tmp_path), b"all the actions"
    record = with_actions(actions)
    place = store.write(record, actions)
    (path,) = place.parent.glob("*.actions")
    assert path.name == f"{place.stem}-{record.replay.actions[:16]}.actions"
    assert store.read_actions(record) == actions
    path.write_bytes(actions[::-1])
    with pytest.raises(StoreError, match="were changed after they were written"):
        store.read_actions(record)
    path.unlink()
    with pytest.raises(StoreError, match=r"cannot read the actions .*: No such file"):
        store.read_actions(record)
    with pytest.raises(StoreError, match="has no actions to replay"):
        store.read_actions(RECORD)


def test_torn_actions_do_not_stay_beside_a_whole_record(tmp_path: Path) -> None:
    """A crash may leave such a file where the file system has no links."""
    store, actions = store_at(tmp_path), b"all the actions"
    record = with_actions(actions)
    place = store.record_of(record.identity)
    place.parent.mkdir(parents=True)
    torn = place.with_name(f"{place.stem}-{record.replay.actions[:16]}.actions")
    torn.write_bytes(actions[:-1])
    store.write(record, actions)
    assert store.read_actions(record) == actions


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"budget_used": -1}, "budget_used"),
        ({"provenance": {"gpu": "x" * 2000}}, "provenance"),
        ({"provenance": {"gpu": float("nan")}}, "JSON"),
        ({"provenance": {"gpu": {1, 2}}}, "JSON"),
        ({"evaluations": ()}, "without an evaluation"),
    ],
)
def test_what_the_reader_refuses_is_recorded_as_failed(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    store = store_at(tmp_path)
    record = replace(RECORD, **change)
    with pytest.raises(InvalidRecord, match=reason) as refused:
        store.write(record)
    assert not list(store.path.glob("*/*/*/*"))
    failed = store.write_refused(record, refused.value)
    assert store.load() == ([failed], [])
    assert failed.error is not None
    assert failed.error.reason.startswith("the reader refuses its record: ")
    assert (failed.identity, failed.timing) == (record.identity, record.timing)


def test_a_run_that_can_never_be_recorded_is_known_beforehand() -> None:
    check_recordable(RECORD.identity)
    with pytest.raises(InvalidRecord):
        check_recordable(replace(RECORD.identity, seed=-1))


def test_checkpoints_go_when_their_run_is_done_and_not_for_a_file_of_its_name(
    tmp_path: Path,
) -> None:
    store = store_at(tmp_path)
    store.write(RECORD).write_text("{}")
    key = RECORD.identity.key
    (store.path / "checkpoints" / key).mkdir(parents=True)
    (store.path / "claims" / f"{key}.json").touch()
    store.prepare()
    assert (store.path / "checkpoints" / key).is_dir()
    store.prepare({key})
    assert not (store.path / "checkpoints" / key).exists()
    assert not (store.path / "claims" / f"{key}.json").exists()


def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    store = store_at(tmp_path)
    store.write(RECORD)
    with pytest.raises(RecordExists):
        store.write(RECORD)
    assert store.load().records == [RECORD]


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(tmp_path)
    store.write(RECORD)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.write(at_seed(RECORD, 1))
    monkeypatch.undo()
    assert store.load() == ([RECORD], [])
    assert list((tmp_path / "runs/.tmp").iterdir()) == []


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write to the store"):
        Store(tmp_path / "file").prepare()
    with pytest.raises(StoreError, match="there is no store"):
        Store(tmp_path / "nothing").load()


def test_stale_temporary_files_are_swept(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    old, new = tmp_path / "runs/.tmp/old", tmp_path / "runs/.tmp/new"
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    store.prepare()
    assert not old.exists()
    assert new.exists()
