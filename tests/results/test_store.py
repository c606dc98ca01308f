"""A store keeps every record, whoever else writes to it."""

import errno
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from support.records import at_seed, make_record

from rlbench.errors import RecordExists, StoreError
from rlbench.results import Store

RECORD = make_record()


def store_at(path: Path) -> Store:
    store = Store(path / "runs")
    store.prepare()
    return store


def test_records_stand_where_the_design_says(tmp_path: Path) -> None:
    path = store_at(tmp_path).write(RECORD)
    key = RECORD.identity.key
    assert path.relative_to(tmp_path).as_posix() == f"runs/atari100k-1/tester/pong/0-{key}.json"


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


def test_every_failed_attempt_is_kept(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    failed = make_record(status="failed")
    names = [store.write(failed).name for _ in range(3)]
    assert [name.rpartition(".failed")[2] for name in names] == ["1.json", "2.json", "3.json"]
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
    assert "cannot be read" in reasons["5"]
    for problem in loaded.problems:
        aside = store.set_aside(problem)
        assert aside.exists()
        assert "quarantine" in aside.parts
    assert store.load().problems == []
    assert len(store.load().records) == 1


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


def write_all(path: Path, writer: int, barrier) -> int:
    """Write the same hundred records as everybody else; return how many were ours."""
    store = Store(path)
    won = 0
    for seed in range(100):
        if seed % 10 == 0:
            barrier.wait(60)
        try:
            store.write(make_record(seed=seed, score=float(writer)))
            won += 1
        except RecordExists:
            pass
    return won


def test_many_processes_write_each_record_once(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        barrier = manager.Barrier(8)
        with context.Pool(8) as pool:
            won = pool.starmap(write_all, [(store.path, n, barrier) for n in range(8)])
    loaded = store.load()
    assert sum(won) == len(loaded.records) == 100
    assert loaded.problems == []
