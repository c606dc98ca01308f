"""What a run is, and that two that differ never share a key."""

from dataclasses import replace

import pytest
from support.records import ATARI, make_record

from rlbench.errors import InvalidRecord, UnknownName
from rlbench.results import AgentId, Identity, Record
from rlbench.results.identity import GIVEN, check_given, check_identity

AGENT = AgentId(
    name="two", version="", spec="two.py:left", config={"k": 5}, source="0" * 64,
    factory="two:left", given=("pretraining",),
)  # fmt: skip
IDENTITY = replace(make_record().identity, agent=AGENT)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "too"},
        {"version": "2"},
        {"config": {"k": 6}},
        {"config": {"k": 5.0}},
        {"config": {"k": 5, "hidden": [64, 64]}},
        {"source": "1" * 64},
        {"factory": "two:fire"},
        {"given": ()},
        {"given": ("pretraining", "shared_seeds")},
    ],
)
def test_whatever_tells_agents_apart_changes_the_key(change: dict) -> None:
    other = replace(AGENT, **change)
    assert replace(IDENTITY, agent=other).key != IDENTITY.key
    assert replace(IDENTITY, agent=other).agent_key != IDENTITY.agent_key
    as_teacher = [replace(IDENTITY, teacher=teacher) for teacher in (AGENT, other)]
    assert as_teacher[0].key != as_teacher[1].key
    assert as_teacher[0].agent_key != as_teacher[1].agent_key


def test_how_an_agent_was_named_does_not_matter() -> None:
    other = replace(IDENTITY, agent=replace(AGENT, spec="two:left"))
    assert (other.key, other.agent_key) == (IDENTITY.key, IDENTITY.agent_key)
    assert replace(IDENTITY, seed=7).agent_key == IDENTITY.agent_key
    assert replace(IDENTITY, seed=7).key != IDENTITY.key


def test_plain_data_and_back() -> None:
    config = {
        "policy_kwargs": {"net_arch": [64, 64], "tanh": None},
        "w": {"file": "w", "sha256": "0"},
    }
    identity = replace(IDENTITY, agent=replace(AGENT, config=config), teacher=AGENT)
    assert Identity.from_dict(identity.to_dict()) == identity
    record = replace(make_record(), identity=replace(identity, teacher=None))
    assert Record.from_bytes(record.to_bytes()) == record


def test_an_agent_of_an_older_record_has_no_factory() -> None:
    old = {"name": "a", "version": "1", "spec": "a", "config": {}, "source": None}
    assert AgentId.from_dict(old) == AgentId(**old)
    assert AgentId.from_dict(old).factory == ""


def test_what_can_be_given_is_a_closed_list() -> None:
    assert check_given(["pretraining", "human_labels", "pretraining"]) == (
        "human_labels", "pretraining",
    )  # fmt: skip
    assert list(check_given(GIVEN)) == list(GIVEN)
    with pytest.raises(UnknownName, match="Did you mean 'pretraining'"):
        check_given(["pretrainig"])


@pytest.mark.parametrize(
    "unofficial",
    [
        {"budget": 5},
        {"budget": 100_000.0},
        {"nothing": 5},
        {"suite": "atari100k@1"},
        {"budget": True},
    ],
)
def test_unofficial_constants_are_those_of_the_digest(unofficial: dict) -> None:
    identity = replace(make_record().identity, unofficial=unofficial)
    with pytest.raises(InvalidRecord, match="unofficial"):
        check_identity(identity)
    with pytest.raises(InvalidRecord, match="unofficial"):
        Record.from_bytes(replace(make_record(), identity=identity).to_bytes())


def test_what_was_changed_passes() -> None:
    suite = ATARI.make_unofficial({"budget": 5, "sticky_actions": 0.5})
    check_identity(make_record(suite=suite).identity)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"given": ("shared_seeds", "pretraining")}, "not sorted"),
        ({"given": ("pretraining", "pretraining")}, "unique|not sorted"),
        ({"given": ("magic",)}, "given"),
        ({"factory": ""}, "factory"),
        ({"config": {"a": [[[[[[1]]]]]]}}, "5 deep"),
        ({"config": {"a": "\u202e"}}, "cannot be seen"),
        ({"config": {"a b": 1}}, "config"),
        ({"config": {"a": 10**400}}, "64 bits"),
        ({"config": {"a": [{"b": -(2**70)}]}}, "64 bits"),
    ],
)
def test_agents_that_no_run_could_have_are_refused(change: dict, message: str) -> None:
    record = replace(make_record(), identity=replace(IDENTITY, agent=replace(AGENT, **change)))
    with pytest.raises(InvalidRecord, match=message):
        Record.from_bytes(record.to_bytes())
