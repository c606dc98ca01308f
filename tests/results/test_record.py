"""A record's file means one thing, and anything else is refused."""

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import ATARI, make_record

from rlbench.errors import InvalidRecord, NewerSchema
from rlbench.results import Identity, Record
from rlbench.results.record import SCHEMA_VERSION, score_of
from rlbench.results.strict_json import dump, load
from rlbench.suites import sha256_of

RECORD = make_record()
FAILED = make_record(status="failed")


def forge(record: Record = RECORD, **changes: object) -> bytes:
    """Return a record's file with changes, and a sha256 that fits them."""
    content = {**json.loads(record.to_bytes()), **changes}
    del content["sha256"]
    return json.dumps({**content, "sha256": sha256_of(content)}).encode()


def forge_consistently(**changes: object) -> bytes:
    """Return a forgery whose digest and key fit it too."""
    content = {**json.loads(RECORD.to_bytes()), **changes}
    identity = Identity.from_dict(content)
    return forge(**changes, digest=identity.digest, key=identity.key)


@pytest.mark.parametrize("record", [RECORD, FAILED])
def test_what_is_written_is_read(record: Record) -> None:
    assert Record.from_bytes(record.to_bytes()) == record


def test_the_file_is_canonical_and_diffable() -> None:
    data = RECORD.to_bytes()
    assert Record.from_bytes(data).to_bytes() == data
    assert max(map(len, data.decode().splitlines())) < 140
    assert list(json.loads(data)) == sorted(json.loads(data))


def test_the_schema_is_valid_and_our_records_fit_it() -> None:
    schema = json.loads(files("rlbench.results").joinpath("record.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    for record in (RECORD, FAILED):
        jsonschema.Draft7Validator(schema).validate(json.loads(record.to_bytes()))


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_every_flipped_bit_is_found(step: int) -> None:
    """One bit of each byte, another in each; in the long form all."""
    data = RECORD.to_bytes()
    for position in range(len(data)):
        for bit in range(position % step, 8, step):
            torn = bytearray(data)
            torn[position] ^= 1 << bit
            if json_equal(bytes(torn), data):
                continue
            with pytest.raises(InvalidRecord):
                Record.from_bytes(bytes(torn))


def json_equal(one: bytes, other: bytes) -> bool:
    """Say whether two files mean the same: white space may differ."""
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


@pytest.mark.parametrize("length", [0, 1, 100, -1, -2])
def test_a_truncated_file_is_found(length: int) -> None:
    data = RECORD.to_bytes().rstrip()
    with pytest.raises(InvalidRecord):
        Record.from_bytes(data[:length])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "0" * 16}, "digest or key"),
        ({"digest": "0" * 64}, "digest or key"),
        ({"seed": 5}, "digest or key"),
        ({"task": "Boxing"}, "digest or key"),
        ({"constants": {**ATARI.constants(ATARI.task("Pong")), "budget": 5}}, "digest or key"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"status": "splendid"}, "status"),
        ({"status": "failed"}, "contradict"),
        ({"evaluations": []}, "without an evaluation"),
        ({"budget_used": 100_001}, "over the budget"),
        ({"budget_used": 99_999}, "order of the budget"),
        ({"extra": 1}, "extra"),
        ({"schema": 0}, "schema"),
        ({"suite": "../../etc@1"}, "suite"),
        ({"training": {"episodes": 1, "ends": [1], "returns": []}}, "numbers of ends"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRecord, match=message):
        Record.from_bytes(forge(**changes))


@pytest.mark.parametrize("field", ["returns", "lengths"])
def test_episodes_must_be_complete(field: str) -> None:
    evaluation = json.loads(RECORD.to_bytes())["evaluations"][0]
    short = {**evaluation, field: evaluation[field][:-1]}
    with pytest.raises(InvalidRecord, match="numbers of returns"):
        Record.from_bytes(forge(evaluations=[short]))
    both = {**short, "returns": evaluation["returns"][:-1], "lengths": evaluation["lengths"][:-1]}
    with pytest.raises(InvalidRecord, match="100 episodes"):
        Record.from_bytes(forge(evaluations=[both]))


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "a\x1b[31m", "evil\u202ename"])
def test_names_that_could_deceive_are_refused(name: str) -> None:
    agent = {**json.loads(RECORD.to_bytes())["agent"], "name": name}
    with pytest.raises(InvalidRecord):
        Record.from_bytes(forge(agent=agent))


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "[Infinity]", "-Infinity", "[1e999]", '{"a": 1, "a": 2}', "[" * 100_000,
        "1" * 5000, "", "{", "\ufeff{}", '"\\ud800"x', "[1,]",
    ],
)  # fmt: skip
def test_json_that_other_readers_let_pass_is_refused(text: str) -> None:
    with pytest.raises(InvalidRecord):
        load(text.encode())


def test_size_is_limited() -> None:
    assert load(b" " * 999_999 + b"1") == 1
    with pytest.raises(InvalidRecord, match="over the limit"):
        load(b" " * 1_000_000 + b"1")


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_without_a_crash(data: bytes) -> None:
    with pytest.raises(InvalidRecord):
        Record.from_bytes(data)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_the_layout_changes_nothing(value: object) -> None:
    assert json.loads(dump(value)) == value


@settings(max_examples=200)
@given(st.sampled_from(sorted(json.loads(RECORD.to_bytes()))), JSON)
def test_any_value_in_any_field_is_accepted_or_refused(field: str, value: object) -> None:
    try:
        Record.from_bytes(forge(**{field: value}))
    except InvalidRecord:
        return


def test_consistent_forgeries_of_nonsense_are_refused() -> None:
    content = json.loads(RECORD.to_bytes())
    for constants in ({}, {"budget": 5}, {"budget": "5", "episodes": 1}, {"episodes": [1]}):
        with pytest.raises(InvalidRecord, match=r"name no budget|over the budget"):
            Record.from_bytes(forge_consistently(constants=constants))
    with pytest.raises(InvalidRecord, match="no letter or digit"):
        Record.from_bytes(forge_consistently(agent={**content["agent"], "name": "..."}))
    huge = {**content["evaluations"][0], "returns": [1e308] * 100}
    with pytest.raises(InvalidRecord, match="1000000000000000"):
        Record.from_bytes(forge_consistently(evaluations=[huge]))


def test_a_failed_run_has_no_score() -> None:
    assert RECORD.score == -20.0
    with pytest.raises(InvalidRecord, match="has no score"):
        _ = FAILED.score


@pytest.mark.parametrize(
    ("timing", "seconds"),
    [
        ({"seconds": 60.0}, 60.0),
        ({"seconds": 60.0, "together": 3}, 20.0),
        ({"seconds": 60.0, "together": 0}, 60.0),
        ({"seconds": 60.0, "together": "three"}, 60.0),
        ({"seconds": "60"}, None),
        ({"seconds": -1.0}, None),
        ({"seconds": 1e300}, None),
        ({}, None),
    ],
)
def test_runs_of_one_process_share_its_seconds(
    timing: dict[str, str | float], seconds: float | None
) -> None:
    record = replace(RECORD, timing=timing)
    assert Record.from_bytes(record.to_bytes()).slot_seconds == seconds


def test_scores_follow_the_rule_of_the_protocol() -> None:
    returns = (229.0, 230.0, 231.0, 400.0, 500.0)
    assert score_of(returns, "mean", None) == 318.0
    assert score_of(returns, "percent_above", 230) == 60.0
    for rule, threshold in (("median", None), ("percent_above", None), ("percent_above", "230")):
        with pytest.raises(InvalidRecord, match="is unknown"):
            score_of(returns, rule, threshold)


def test_the_schema_of_a_later_release_is_not_read() -> None:
    with pytest.raises(NewerSchema, match="upgrade rlbench"):
        Record.from_bytes(forge(schema=SCHEMA_VERSION + 1))


def test_the_key_covers_all_that_is_run_and_nothing_else() -> None:
    base = RECORD.identity
    others = [
        replace(base, seed=1),
        replace(base, teacher=base.agent),
        replace(base, teacher=replace(base.agent, config={"bins": 5})),
        make_record("Boxing").identity,
        make_record(agent="other").identity,
        make_record(config={"a": 1}).identity,
        make_record(source="1" * 64).identity,
        make_record(source=None, version="1").identity,
        make_record(suite=ATARI.make_unofficial({"budget": 5})).identity,
    ]
    assert len({base.key, *(other.key for other in others)}) == len(others) + 1
    assert replace(base, agent=replace(base.agent, spec="./elsewhere/tester.py")).key == base.key
