"""`rlbench run` and files that it cannot take for records: nothing good is moved or lost."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.faults import Bench
from support.records import at_seed

from rlbench.results import Record, Store
from rlbench.results.record import SCHEMA_VERSION

DROP_CAPABILITY, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2  # by Linux


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a store with the runs of seeds 0 and 1."""
    bench = Bench(tmp_path_factory.mktemp("done"), "--tasks", "Walk", "--seeds", "2")
    bench.run()
    return bench


def copied(done: Bench, folder: Path, seeds: str) -> tuple[Bench, Store, list[Record]]:
    """Return a copy of the store, in which more seeds are wanted."""
    bench = Bench(folder, "--tasks", "Walk", "--seeds", seeds)
    shutil.copytree(done.store, bench.store)
    store = Store(bench.store)
    return bench, store, store.load().records


def later(record: Record) -> bytes:
    """Return a record's file as a later release might write it."""
    schema = f'"schema": {SCHEMA_VERSION}'
    return record.to_bytes().replace(schema.encode(), b'"schema": 99')


IN_THE_WAY: dict[str, Callable[[Path, Record], object]] = {
    "later release": lambda path, record: path.write_bytes(later(record)),
    "named pipe": lambda path, record: os.mkfifo(path),
    "folder": lambda path, record: path.mkdir(),
    "endless": lambda path, record: path.symlink_to("/dev/zero"),
    "link to nothing": lambda path, record: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_cannot_be_judged_stays_and_its_run_is_left_out(
    what: str, done: Bench, tmp_path: Path
) -> None:
    bench, store, records = copied(done, tmp_path, "0-2")
    place = store.record_of(records[0].identity)
    place.unlink()
    IN_THE_WAY[what](place, records[0])
    before = os.lstat(place)
    out = bench.run(1)
    assert f"not run: Walk, seed {records[0].identity.seed}: " in out.stderr
    assert str(place.relative_to(tmp_path)) in out.stderr
    assert len(out.stderr.splitlines()) == 1
    assert "1 runs recorded in runs, 0 failed" in out.stdout
    after = os.lstat(place)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert not (store.path / "quarantine").exists()
    assert len(store.load().records) == 2


def test_only_what_is_bad_and_in_the_way_is_set_aside(done: Bench, tmp_path: Path) -> None:
    bench, store, records = copied(done, tmp_path, "1")
    wanted, other = (store.record_of(record.identity) for record in records)
    for path in (wanted, other):
        path.write_bytes(path.read_bytes()[:-9])
    spared = other.read_bytes()
    unknown = other.with_name("5-0123456789abcdef.json")
    unknown.write_text("{}")
    out = bench.run(0)
    lines = out.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["set aside", "left out", "left out"]
    assert other.read_bytes() == spared
    assert unknown.read_text() == "{}"
    assert [record.identity.seed for record in store.load().records] == [0]
    assert len(list((store.path / "quarantine").rglob("*.json"))) == 1


def bind_by_permissions() -> None:
    """Have this process obey the permissions of files, even if it is root's."""
    libc = ctypes.CDLL(None)
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        libc.prctl(DROP_CAPABILITY, capability, 0, 0, 0)


def run_bound(bench: Bench) -> subprocess.CompletedProcess[str]:
    """Run the command as a user whom permissions bind."""
    bound = {"preexec_fn": bind_by_permissions, "capture_output": True, "text": True}
    (bench.folder / "secret").touch(mode=0o000)
    probe = subprocess.run(["cat", bench.folder / "secret"], **bound)
    if probe.returncode == 0:
        pytest.skip("permissions of files do not bind here")
    done = subprocess.run(
        bench.command, cwd=bench.folder, env=bench.environment, timeout=120, **bound
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_records_of_another_user_stay(done: Bench, tmp_path: Path) -> None:
    bench, store, records = copied(done, tmp_path, "0-2")
    place = store.record_of(records[0].identity)
    content = place.read_bytes()
    place.chmod(0o000)
    out = run_bound(bench)
    assert out.returncode == 1, out.stderr
    assert "not run: Walk, seed 0: " in out.stderr
    assert "Permission denied" in out.stderr
    assert len(out.stderr.splitlines()) == 1
    place.chmod(0o644)
    assert place.read_bytes() == content
    assert not (store.path / "quarantine").exists()
    assert len(store.load().records) == 3


@pytest.mark.parametrize("mode", [0o555, 0o444, 0o000])
def test_a_folder_that_cannot_be_used_costs_no_compute(
    mode: int, done: Bench, tmp_path: Path
) -> None:
    bench, store, records = copied(done, tmp_path, "0-2")
    folder = store.record_of(records[0].identity).parent
    folder.chmod(mode)
    out = run_bound(bench)
    folder.chmod(0o777)
    assert out.returncode == 1, out.stderr
    seeds = [2] if mode == 0o555 else [0, 1, 2]
    for seed in seeds:
        assert f"not run: Walk, seed {seed}: its record has no place: " in out.stderr
    assert "recorded" not in out.stdout
    assert store.load().records == records


def test_a_bad_file_that_cannot_be_moved_is_named(done: Bench, tmp_path: Path) -> None:
    bench, store, records = copied(done, tmp_path, "0-2")
    place = store.record_of(records[0].identity)
    place.write_text("{}")
    (store.path / "quarantine").mkdir(mode=0o555)
    out = run_bound(bench)
    assert out.returncode == 1, out.stderr
    assert "cannot set aside" in out.stderr
    assert place.read_text() == "{}"


def test_a_store_of_another_user_that_cannot_be_written(done: Bench, tmp_path: Path) -> None:
    bench, store, _ = copied(done, tmp_path, "0-2")
    (store.path / ".tmp").chmod(0o555)
    out = run_bound(bench)
    assert out.returncode == 2
    assert out.stderr.startswith("rlbench: cannot write to the store runs: Permission denied")


def test_what_can_never_be_recorded_is_not_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1", "--name", "x" * 101)
    out = bench.run(2)
    assert out.stderr.startswith("rlbench: ")
    assert len(out.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("runs/logs/*"))


def test_many_commands_set_the_same_bad_file_aside_once(done: Bench, tmp_path: Path) -> None:
    bench, store, records = copied(done, tmp_path, "0-1")
    for record in records:
        store.record_of(record.identity).write_text("{}")
    commands = [bench.start() for _ in range(4)]
    for command in commands:
        _, err = command.communicate(timeout=120)
        assert command.returncode == 0, err
        assert "Traceback" not in err
    loaded = store.load()
    assert loaded.problems == []
    strip = {"timing": {}, "provenance": {}}
    assert [replace(r, **strip) for r in loaded.records] == [replace(r, **strip) for r in records]
    assert len(list((store.path / "quarantine").rglob("*.json"))) == 2


@pytest.mark.parametrize("place", ["logs/{}.log", "claims/.lock"])
def test_a_named_pipe_holds_nobody_up(place: str, done: Bench, tmp_path: Path) -> None:
    bench, store, records = copied(done, tmp_path, "0-2")
    key = at_seed(records[0], 2).identity.key
    path = store.path / place.format(key)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    (store.path / f"claims/{key}.json").write_text('{"token": "t", "over": true}')
    out = bench.run(2)
    assert "it is not a regular file" in out.stderr
    assert len(out.stderr.splitlines()) == 1
