"""The records of our own runs can be read, and are small."""

from pathlib import Path

from rlbench.results import Store

REFERENCE = Path(__file__).parents[2] / "rlbench/results/reference"
MOST = 5_000_000  # bytes


def test_the_records_of_our_own_runs_are_good_and_small() -> None:
    loaded = Store(REFERENCE).load()
    assert loaded.problems == []
    assert all(record.status == "ok" for record in loaded.records)
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json"}
    assert len(files) == len(loaded.records) >= 6
    assert sum(path.stat().st_size for path in files) < MOST
