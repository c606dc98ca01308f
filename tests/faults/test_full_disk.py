"""A disk that is full to the last byte, or to the last file: a real one, of 1 MB."""

import os
import shutil
from pathlib import Path

import pytest
from support.faults import Bench, check_complete, small_disk

from rlbench.results import Record

OPTIONS = ("--tasks", "Walk", "--jobs", "2", "-o", "pace=0.004")
# How much is left: at the least nothing can be written, at the most everything can.
SWEEPS = {
    "pages": [*range(20), *range(20, 60, 4)],
    "files": [*range(16), *range(16, 40, 4)],
}
SHORT = [("pages", 1), ("pages", 16), ("files", 8)]
# What could not be written in one or the other of a sweep.
FAILURES = {
    "pages": {
        "the store", "a claim", "a checkpoint", "the actions beside a record", "a record",
        "nothing",
    },
    "files": {"the store", "a claim", "a checkpoint", "a record", "nothing"},
}  # fmt: skip
FULL = "No space left on device"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Record]]:
    """Return a store with a finished run, and what it holds when two more have ended."""
    bench = Bench(tmp_path_factory.mktemp("stores"), *OPTIONS, "--seeds", "1")
    bench.run()
    shutil.copytree(bench.store, bench.folder / "one")
    bench.command[bench.command.index("--seeds") + 1] = "3"
    bench.run()
    return bench.folder / "one", bench.records()


def fill(disk: Path, *, pages: int | None = None, files: int | None = None) -> Path:
    """Fill a disk until only so many pages, or files, are left; return what to remove."""
    filler = disk / "filler"
    filler.mkdir()
    state = os.statvfs(disk)
    if pages is not None:
        (filler / "pages").write_bytes(bytes((state.f_bavail - pages) * state.f_bsize))
        assert os.statvfs(disk).f_bavail == pages
    if files is not None:
        for number in range(state.f_favail - files):
            (filler / str(number)).touch()
        assert os.statvfs(disk).f_favail == files
    return filler


def what_failed(bench: Bench, err: str) -> set[str]:
    """Return what could not be written."""
    logs = " ".join(path.read_text() for path in bench.store.glob("logs/*.log"))
    found = {
        "the store": "cannot write to the store" in err,
        "a claim": "cannot write the claim" in err,
        "a checkpoint": "no checkpoint was written" in logs or bool(err and not bench.kept()),
        "a record": "cannot write the record" in err,
        "nothing": not err,
    }
    if found["a record"]:
        records, beside = (
            len(list(bench.store.glob(f"walks-1/*/*/*.{end}"))) for end in ("json", "actions")
        )
        found["a record, not the actions beside it"] = beside > records
        found["the actions beside a record"] = beside == records
    return {name for name, so in found.items() if so}


def on_a_full_disk(stores: tuple[Path, dict[str, Record]], folder: Path, **left: int) -> set[str]:
    """Run on a full disk, make room, and run again; return what could not be written."""
    disk = folder / "disk"
    with small_disk(disk, "size=1m,nr_inodes=200") as problem:
        if problem:
            pytest.skip(f"a file system of limited size cannot be mounted here: {problem}")
        bench = Bench(folder, *OPTIONS, "--seeds", "3", store="disk/runs")
        shutil.copytree(stores[0], bench.store)
        return fail_and_go_on(bench, stores[1], disk, **left)


def fail_and_go_on(bench: Bench, expected: dict[str, Record], disk: Path, **left: int) -> set[str]:
    """Do this on a disk that is mounted."""
    finished = bench.finished_files()
    filler = fill(disk, **left)
    out = bench.run(0, 2)
    lines = out.stderr.splitlines()
    if out.returncode == 2:
        assert len(lines) == 1
        assert lines[0].startswith("rlbench: ")
        assert FULL in lines[0]
    else:
        assert lines == []
    assert all(record == expected[key] for key, record in bench.records().items())
    assert bench.failures() == []
    assert bench.workers() == []
    for path, content in finished.items():
        assert path.read_bytes() == content
    failed = what_failed(bench, out.stderr)
    shutil.rmtree(filler)
    bench.run()
    check_complete(bench, expected)
    return failed


@pytest.mark.parametrize(("unit", "left"), SHORT)
def test_a_full_disk(unit: str, left: int, stores, tmp_path: Path) -> None:
    assert on_a_full_disk(stores, tmp_path, **{unit: left})


@pytest.mark.faults
@pytest.mark.parametrize("unit", SWEEPS)
def test_a_disk_that_is_full_at_every_write(unit: str, stores, tmp_path: Path, tally) -> None:
    seen: dict[int, set[str]] = {}
    for left in SWEEPS[unit]:
        folder = tmp_path / str(left)
        folder.mkdir()
        seen[left] = on_a_full_disk(stores, folder, **{unit: left})
        tally[f"disks with a number of {unit} left"] += 1
    assert set().union(*seen.values()) >= FAILURES[unit], seen
    last = max(seen)
    assert seen[last] == {"nothing"}, seen


def test_a_log_that_cannot_be_opened(stores, tmp_path: Path) -> None:
    bench = Bench(tmp_path, *OPTIONS, "--seeds", "2")
    shutil.copytree(stores[0], bench.store)
    (key,) = {k for k, r in stores[1].items() if r.identity.seed == 1}
    (bench.store / "logs" / f"{key}.log").mkdir()
    out = bench.run(2)
    assert out.stderr.startswith("rlbench: cannot start run")
    assert "Is a directory" in out.stderr
    assert len(out.stderr.splitlines()) == 1
    assert bench.workers() == []
