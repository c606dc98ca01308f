"""Records of schema 1, written by a release of that time, stay readable and stand apart."""

import json
from pathlib import Path

import pytest

from rlbench import suites
from rlbench.api.asking import parse_suite
from rlbench.api.stores import records_of
from rlbench.errors import InvalidRecord, UsageError
from rlbench.results import Record, Store, collect, rows
from rlbench.suites import sha256_of

FOLDER = Path(__file__).parent / "schema1"
FILES = sorted(FOLDER.glob("*.json"))
ATARI = suites.get("atari100k")


def read(name: str) -> Record:
    return Record.from_bytes((FOLDER / f"{name}.json").read_bytes())


def put(record: Record, content: bytes, store: Path) -> None:
    """Put the file of an old record where a store of its time had it."""
    identity = record.identity
    failed = "" if record.status == "ok" else ".failed1"
    path = store.joinpath(*identity.folder, f"{identity.seed}-{identity.key}{failed}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for path in FILES:
        content = path.read_bytes()
        put(Record.from_bytes(content), content, tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_are_read_under_their_own_key_and_hash(path: Path) -> None:
    record, content = Record.from_bytes(path.read_bytes()), json.loads(path.read_text())
    assert record.is_old
    assert record.identity.key == content["key"]
    assert record.identity.digest == content["digest"]
    assert record.sha256 == content["sha256"]


def test_their_scores_are_what_they_were() -> None:
    assert read("ok").score == pytest.approx(-20.27)
    assert read("curriculum").score == 9.5
    assert [e.name for e in read("curriculum").evaluations] == ["test"] * 3


@pytest.mark.parametrize("name", ["seed", "key", "digest", "task", "status"])
def test_changes_are_found(name: str) -> None:
    content = json.loads((FOLDER / "ok.json").read_text())
    changed = {**content, name: {"seed": 5, "status": "invalid"}.get(name, "f" * 16)}
    with pytest.raises(InvalidRecord):
        Record.from_bytes(json.dumps(changed).encode())
    del changed["sha256"]
    with pytest.raises(InvalidRecord):
        Record.from_bytes(json.dumps({**changed, "sha256": sha256_of(changed)}).encode())


def test_a_store_lists_them_and_nothing_ranks_them(store: Path) -> None:
    loaded = Store(store).load()
    assert not loaded.problems
    assert len(loaded.records) == len(FILES)
    assert collect(loaded.records, ATARI).values == {}
    with pytest.raises(UsageError, match="old ones, of schema 1"):
        records_of(store, ATARI, print)


def test_they_are_exported_and_marked_old(store: Path) -> None:
    found = rows(records_of(store, ATARI, print, old=True), ATARI)
    assert [(row["status"], row["schema"], row["score"]) for row in found] == [
        ("old", 1, pytest.approx(-20.27))
    ]
    small = parse_suite("atari100k", "budget=300,episodes=3")
    statuses = {row["task"]: row["status"] for row in rows(Store(store).load().records, small)}
    assert statuses == {"Freeway": "old", "Pong": "failed"}


def test_the_run_of_an_old_record_is_to_be_done_again(store: Path) -> None:
    old = read("ok").identity
    task = ATARI.task(old.task)
    assert ATARI.digest(task) != old.digest
