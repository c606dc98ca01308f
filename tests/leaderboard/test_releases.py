"""A release holds what a board was made of, and nothing else is read as one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import at_seed, make_record

from rlbench import __version__
from rlbench.errors import StoreError, UsageError
from rlbench.leaderboard.releases import (
    MAX_BYTES,
    Release,
    freeze,
    read_release,
    read_replays,
    select,
    write_release,
)
from rlbench.results import Record, published

DAY = "2026-11-21"


def some_records() -> list[Record]:
    ok = [at_seed(make_record(), seed) for seed in range(3)]
    return [*ok, make_record("Boxing", status="failed")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("releases")


def test_a_release_comes_back_as_it_was_written(tmp_path: Path) -> None:
    release = freeze(some_records(), DAY)
    path = tmp_path / "new" / "release.json"
    write_release(release, path)
    assert read_release(path) == release
    assert path.read_bytes() == release.to_bytes()
    assert list(path.parent.iterdir()) == [path]
    assert release.version == __version__


def test_failed_runs_are_in_a_release() -> None:
    release = freeze(some_records(), DAY)
    assert len(release.records) == 4
    assert make_record("Boxing", status="failed").sha256 in release.records


def test_the_file_is_canonical() -> None:
    records = some_records()
    data = freeze(records, DAY).to_bytes()
    assert data == freeze(records[::-1], DAY).to_bytes()
    content = json.loads(data)
    assert list(content) == sorted(content)
    assert content["records"] == sorted(record.sha256 for record in records)
    assert content["published"].keys() == {source.slug for source in published.sources()}


def test_every_published_source_has_a_hash_of_its_own() -> None:
    hashes = freeze([], DAY).published
    assert len(set(hashes.values())) == len(hashes) == len(published.sources())


def test_the_hash_of_a_source_speaks_of_its_scores_and_protocol() -> None:
    source = published.get("atari100k.spr")
    before = published.sha256_of_scores(source)
    assert published.sha256_of_scores(replace(source, agent="other", note="other")) == before
    other_fields = {**source.fields, "episodes": 99}
    assert published.sha256_of_scores(replace(source, fields=other_fields)) != before
    assert published.sha256_of_scores(replace(source, slug="atari100k.drq-eps")) != before


def test_a_release_selects_its_own_records() -> None:
    records = some_records()
    release = freeze(records, DAY)
    later = [*records, at_seed(make_record(), 7)]
    chosen, papers = select(later, release)
    assert chosen == records
    assert papers == {source.slug for source in published.sources()}
    fewer = replace(release, published={"atari100k.spr": release.published["atari100k.spr"]})
    assert select(later, fewer)[1] == {"atari100k.spr"}


def test_a_record_that_is_gone_or_changed_is_named() -> None:
    records = some_records()
    release = freeze(records, DAY)
    with pytest.raises(UsageError, match="names 1 record that the store does not hold") as caught:
        select(records[1:], release)
    assert records[0].sha256[:12] in str(caught.value)
    changed = [*records[1:], make_record(score=99.0)]
    with pytest.raises(UsageError, match=f"release {DAY} names 1 record"):
        select(changed, release)
    with pytest.raises(UsageError, match="names 4 records"):
        select([], release)


def test_a_published_source_that_is_gone_or_changed_is_named() -> None:
    release = freeze([], DAY)
    for papers in ({"no.such": "0" * 64}, {**release.published, "atari100k.spr": "0" * 64}):
        other = replace(release, published=papers, version="0.0.7")
        with pytest.raises(UsageError, match=r"1 published source .*with rlbench 0\.0\.7$"):
            select([], other)


@pytest.mark.parametrize(
    "date", ["", "2026-02-30", "20261121", "2026-W47-6", "2026-11-21T00:00", "२०२६-११-२१", "today"]
)
def test_a_date_is_a_day_that_exists(date: str) -> None:
    with pytest.raises(UsageError, match="is not a date of the form YYYY-MM-DD"):
        freeze([], date)


def test_a_release_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    write_release(freeze([], DAY), path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="already exists: a release is never changed"):
        write_release(freeze(some_records(), DAY), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="already exists"):
        write_release(freeze([], DAY), tmp_path)


@pytest.mark.parametrize("name", ["file/release.json", "n" * 300])
def test_a_place_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write the release"):
        write_release(freeze([], DAY), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def content(**changed: Any) -> dict[str, Any]:
    return {
        "schema": 1, "date": DAY, "rlbench": "0.1.0", "records": ["a" * 64],
        "published": {"atari100k.spr": "b" * 64}, **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (json.dumps([content()]), "must have the fields"),
        (json.dumps(content(more=1)), "must have the fields"),
        (json.dumps({"schema": 1}), "must have the fields"),
        (json.dumps(content())[:-1] + ', "date": "2026-11-22"}', "a key appears twice"),
        (json.dumps(content(schema=2)), "its schema is not 1"),
        (json.dumps(content(schema=True)), "its schema is not 1"),
        (json.dumps(content(schema=1.0)), "its schema is not 1"),
        (json.dumps(content(date=20261121)), "its date is not text"),
        (json.dumps(content(date="2026-13-01")), "is not a date"),
        (json.dumps(content(rlbench="1\n2")), "its rlbench is not a version"),
        (json.dumps(content(records=["A" * 64])), "its records are not a list of sha256"),
        (json.dumps(content(records=["a" * 64 + "\n"])), "its records are not a list of sha256"),
        (json.dumps(content(records={"a" * 64: 1})), "its records are not a list of sha256"),
        (json.dumps(content(records=[["a" * 64]])), "its records are not a list of sha256"),
        (json.dumps(content(records=["a" * 64] * 2)), "names a record twice"),
        (json.dumps(content(published={"../x": "b" * 64})), "its published sources"),
        (json.dumps(content(published={"atari100k.spr": None})), "its published sources"),
        (json.dumps(content(published=[])), "its published sources"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (b'{"schema": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 10_000, "not JSON"),
        (b" " * (MAX_BYTES + 1), "over the limit of 64,000,000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_release_is_refused(data: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    assert said in refusal(read_release, path)


def test_what_the_release_of_the_tests_is_changed_from_is_one(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_text(json.dumps(content()))
    assert read_release(path) == Release(
        date=DAY, version="0.1.0", records=frozenset(["a" * 64]),
        published={"atari100k.spr": "b" * 64},
    )  # fmt: skip


@pytest.mark.parametrize("read", [read_release, read_replays])
def test_a_file_that_cannot_be_read_is_named(read: Callable[[Path], Any], tmp_path: Path) -> None:
    assert "cannot read" in refusal(read, tmp_path / "none.json")
    assert "cannot read" in refusal(read, tmp_path)


def test_replays_are_read_and_a_failed_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "replays.json"
    outcomes = [("a", True), ("b", False), ("b", True), ("c", True), ("c", False), ("a", True)]
    rows = [{"record": r * 64, "equal": equal, "detail": "any"} for r, equal in outcomes]
    path.write_text(json.dumps(rows))
    assert read_replays(path) == {"a" * 64: True, "b" * 64: False, "c" * 64: False}
    path.write_text("[]")
    assert read_replays(path) == {}


@pytest.mark.parametrize(
    "rows",
    [
        {"record": "a" * 64, "equal": True}, [1], [[]], [{"record": "a" * 64}],
        [{"equal": True}], [{"record": "a" * 64, "equal": 1}],
        [{"record": "a" * 63, "equal": True}], [{"record": "A" * 64, "equal": True}],
        [{"record": ["a" * 64], "equal": True}], [{"record": "a" * 64 + "\n", "equal": True}],
    ],
)  # fmt: skip
def test_what_holds_no_replays_is_refused(rows: object, tmp_path: Path) -> None:
    path = tmp_path / "replays.json"
    path.write_text(json.dumps(rows))
    assert "rlbench verify --json prints" in refusal(read_replays, path)


def refusal(read: Callable[[Path], Any], path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(UsageError) as caught:
        read(path)
    said = str(caught.value)
    assert str(path) in said
    assert said.isprintable()
    return said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
HASHES = st.sampled_from(["a" * 64, "b" * 64, "A" * 64, "a" * 63])
GARBAGE = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(list(content())), JSON).map(
        lambda changed: json.dumps(content(**changed)).encode()
    ),
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"record": HASHES | JSON, "equal": st.booleans() | JSON, "key": JSON}
        )
    ).map(lambda rows: json.dumps(rows).encode()),
)


@given(data=GARBAGE)
def test_garbage_is_read_or_refused_in_one_line(data: bytes, folder: Path) -> None:
    path = folder / "garbage.json"
    path.write_bytes(data)
    for read in (read_release, read_replays):
        try:
            read(path)
        except UsageError:
            refusal(read, path)


@given(
    records=st.frozensets(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=5),
    day=st.dates(),
)
def test_every_release_can_be_read_again(records: frozenset[str], day: Any, folder: Path) -> None:
    release = replace(freeze([], day.isoformat()), records=records)
    path = folder / "again.json"
    path.write_bytes(release.to_bytes())
    assert read_release(path) == release
