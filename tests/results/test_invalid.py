"""Records that are wrong by construction are refused; those that a run could make are accepted.

Hash, key and digest of a wrong record fit its content, so that something else must give it away.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from support.records import make_record

from rlbench import suites
from rlbench.errors import InvalidRecord
from rlbench.results import Engine, Evaluation, Identity, Proposals, Record, Replay
from rlbench.suites import Suite, Task, sha256_of

OPEN = {
    "config",
    "constants",
    "unofficial",
    "provenance",
    "timing",
    "measures",
}  # any names in them
OPTIONAL = {("proposals",), ("replay",)}
FITTED = {"digest", "key", "sha256"}
KINDS: list[Any] = [None, True, -1, 1.5, "", "\n", [], [None], {}, {"a": {}}]
# What a record may hold instead, by the last name on the way to it.
ALLOWED: dict[str, list[Any]] = {
    "config": [{"a": {}}],
    "digits": [None],
    "engine": [None],
    "parameters": [-1],
    "reason": [""],
    "returns": [-1],
    "source": [None],
    "spec": [""],
    "step": [None],
    "version": [""],
}


def ok_record(suite: Suite, task: Task, points: int = 1) -> Record:
    """Return a record of a run that went well, with the last so many points of its protocol."""
    protocol = suite.protocol_of(task)
    n = protocol.episodes
    value = min(max(1.0, task.returns[0]), task.returns[1])
    base = make_record(task.name, suite=suite)
    evaluations = tuple(
        Evaluation(
            name=name, budget_used=point, returns=(value,) * n, lengths=(1,) * n, distinct_starts=1,
            measures={"success": (0.0,) * n}, train_seconds=2.0,
        )
        for point in protocol.points[-points:]
        for name in protocol.evaluations
    )  # fmt: skip
    return replace(
        base,
        evaluations=evaluations,
        replay=Replay(actions="0" * 64, dtype="uint8", shape=(5, 3), hashes=("0" * 16,)),
        engine=Engine(fingerprint="0" * 16, steps=200, digits=6),
    )


SMALL = suites.get("atari100k").make_unofficial({"episodes": 3, "eval_points": [100, 200]})
OK = ok_record(SMALL, SMALL.task("Pong"), points=3)
FAILED = replace(make_record(suite=SMALL, status="failed"), engine=OK.engine)
PARKOUR = suites.get("parkour").make_unofficial({"episodes": 3})
CURRICULUM = replace(
    ok_record(PARKOUR, PARKOUR.tasks[0]),
    proposals=Proposals(
        every=2, ends=(10, 20), parameters=((0.5, 0.25),) * 2, returns=(1.0,) * 2, lengths=(3,) * 2,
        successes=(True,) * 2,
    ),
)  # fmt: skip
SEEDS = {"ok": OK, "failed": FAILED, "curriculum": CURRICULUM}


def refitted(content: dict[str, Any]) -> bytes:
    """Return a record's file whose hash, key and digest fit it, as far as it can have them."""
    body = {name: value for name, value in content.items() if name != "sha256"}
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        identity = Identity.from_dict(body)
        body |= {"digest": identity.digest, "key": identity.key}
    return json.dumps({**body, "sha256": sha256_of(body)}).encode()


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the places in a record whose names or numbers are fixed, from outside to inside."""
    items: Any = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list):
        items = enumerate(content[:1])
    for key, value in items:
        yield (*path, key)
        if key not in OPEN:
            yield from places(value, (*path, key))


def changed(content: dict[str, Any], path: tuple[Any, ...], value: Any = ...) -> dict[str, Any]:
    """Return a copy with another value at a place, or without it."""
    copy = deepcopy(content)
    at: Any = copy
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return copy


def wrong_kinds(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return copies that miss a name, have one too many, or a value of another kind, named."""
    for path in places(content):
        where = "/".join(map(str, path))
        name = [key for key in path if isinstance(key, str)][-1]
        if name in FITTED:
            continue
        if isinstance(path[-1], str) and path not in OPTIONAL:
            yield f"without {where}", changed(content, path)
        present: Any = content
        for key in path:
            present = present[key]
        if isinstance(present, dict) and name not in OPEN:
            yield f"{where} with more", changed(content, (*path, "more"), 1)
        for value in KINDS:
            other = type(value) is not type(present) or value in ("\n", [None], {"a": {}})
            if other and value not in ALLOWED.get(name, []):
                yield f"{where}: {value!r}", changed(content, path, value)


@pytest.mark.parametrize("name", SEEDS)
def test_missing_names_and_wrong_kinds_are_refused(name: str) -> None:
    content = json.loads(SEEDS[name].to_bytes())
    assert Record.from_bytes(refitted(content)) == SEEDS[name]
    accepted, tried = [], 0
    for what, wrong in wrong_kinds(content):
        tried += 1
        with suppress(InvalidRecord):
            Record.from_bytes(refitted(wrong))
            accepted.append(what)
    assert accepted == []
    assert tried > 300


def of_final(**changes: Any) -> Record:
    """Return the record that went well with another final evaluation."""
    return replace(OK, evaluations=(*OK.evaluations[:-1], replace(OK.final, **changes)))


def of_agent(**changes: Any) -> Record:
    return replace(OK, identity=replace(OK.identity, agent=replace(OK.identity.agent, **changes)))


def of_identity(**changes: Any) -> Record:
    return replace(OK, identity=replace(OK.identity, **changes))


def of_constants(**changes: Any) -> Record:
    return of_identity(constants={**OK.identity.constants, **changes})


def of_training(**changes: Any) -> Record:
    return replace(OK, training=replace(OK.training, **changes))


def of_proposals(**changes: Any) -> Record:
    return replace(CURRICULUM, proposals=replace(CURRICULUM.proposals, **changes))


BUDGET = OK.budget_used
DMC = suites.get("dmc-state")
BOUNDED = ok_record(DMC, DMC.tasks[0])
CONTRADICTIONS = {
    "ok with an error": replace(OK, error=FAILED.error),
    "failed without an error": replace(FAILED, error=None),
    "ok without an evaluation": replace(OK, evaluations=()),
    "ok without the final evaluation": replace(OK, evaluations=OK.evaluations[:-1]),
    "final evaluation before the end": of_final(budget_used=BUDGET - 1),
    "final evaluation after the end": of_final(budget_used=BUDGET + 1),
    "final evaluation that is extra": of_final(extra=True),
    "unknown evaluation": of_final(name="other"),
    "an episode too few": of_final(returns=(1.0,) * 2, lengths=(1,) * 2, measures={}),
    "an episode too many": of_final(returns=(1.0,) * 4, lengths=(1,) * 4, measures={}),
    "fewer lengths": of_final(lengths=(1,) * 2),
    "fewer measures": of_final(measures={"success": (0.0,) * 2}),
    "more starts than episodes": of_final(distinct_starts=4),
    "an episode over the limit": of_final(lengths=(1, 1, 27_001)),
    "an episode of no step": of_final(lengths=(1, 1, 0)),
    "a length that is not an integer": of_final(lengths=(1, 1, 1.0)),
    "a return beyond 1e15": of_final(returns=(1.0, 1.0, 1.1e15)),
    "a measure beyond 1e15": of_final(measures={"success": (0.0, 0.0, -1.1e15)}),
    "a negative time": of_final(train_seconds=-1.0),
    "evaluations out of order": replace(OK, evaluations=OK.evaluations[::-1]),
    "over the budget": replace(OK, budget_used=BUDGET + 1),
    "no budget": of_constants(budget="much"),
    "a budget of 0": of_constants(budget=0),
    "a budget beyond 1e15": of_constants(budget=10**16),
    "no number of episodes": of_identity(
        constants={**OK.identity.constants, "episodes": 3.0}, unofficial={}
    ),
    "no evaluations in the constants": of_constants(evaluations=" "),
    "unofficial, but no such constant": of_identity(unofficial={"more": 1}),
    "unofficial, but another constant": of_identity(unofficial={"episodes": 4}),
    "unofficial, but of another type": of_identity(unofficial={"episodes": 3.0}),
    "a teacher without a curriculum": of_identity(teacher=OK.identity.agent),
    "a curriculum without a teacher": replace(
        CURRICULUM, identity=replace(CURRICULUM.identity, teacher=None)
    ),
    "proposals without a curriculum": replace(OK, proposals=CURRICULUM.proposals),
    "a seed beyond 32 bits": of_identity(seed=2**32),
    "a task without a letter": of_identity(task="..."),
    "a task with a line break": of_identity(task="a\nb"),
    "a suite without a version": of_identity(suite="atari100k"),
    "a suite in another folder": of_identity(suite="../x@1"),
    "a name without a letter": of_agent(name="..."),
    "a name that steers a terminal": of_agent(name="a\x1b[31m"),
    "a name in another direction": of_agent(name="a\u202eb"),
    "a name with an invisible character": of_agent(name="a\u200bb"),
    "a name like that of a published agent": of_agent(name="ВBF"),
    "a source that is not a hash": of_agent(source="0" * 63),
    "given what is not in the list": of_agent(given=("luck",)),
    "given twice": of_agent(given=("pretraining",) * 2),
    "given out of order": of_agent(given=("pretraining", "demonstrations")),
    "an option with a bad name": of_agent(config={"a b": 1}),
    "an option nested too deeply": of_agent(config={"a": [[[[[[1]]]]]]}),
    "an option beyond the limit of text": of_agent(config={"a": "\x00"}),
    "more ends than returns": of_training(returns=(1.0,)),
    "more ends than episodes": of_training(episodes=1),
    "an episode's end after the end": of_training(ends=(10, BUDGET + 1)),
    "an episode's end at 0": of_training(ends=(0, 16)),
    "a return of training beyond 1e15": of_training(returns=(1.0, 1e16)),
    "fewer proposals than ends": of_proposals(parameters=((0.5, 0.25),)),
    "fewer successes": of_proposals(successes=(True,)),
    "every 0th proposal": of_proposals(every=0),
    "a step of failure below 0": replace(FAILED, error=replace(FAILED.error, step=-1)),
    "an unknown phase": replace(FAILED, error=replace(FAILED.error, phase="rest")),
    "a fingerprint of no steps": replace(OK, engine=replace(OK.engine, steps=0)),
    "a fingerprint of 18 digits": replace(OK, engine=replace(OK.engine, digits=18)),
    "actions of an unknown dtype": replace(OK, replay=replace(OK.replay, dtype="object")),
    "actions without slots": replace(OK, replay=replace(OK.replay, shape=(5,))),
    "provenance that is a list": replace(OK, provenance={"cpus": [2]}),
    "a time that is true": replace(OK, timing={"seconds": True}),
    "a return that the task cannot have": replace(
        BOUNDED,
        evaluations=(replace(BOUNDED.final, returns=(1000.5,) * 10),),
    ),
}


@pytest.mark.parametrize("record", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions_are_refused(record: Record) -> None:
    with pytest.raises(InvalidRecord):
        Record.from_bytes(refitted(json.loads(json.dumps(record._content()))))


def test_what_a_run_could_make_is_accepted() -> None:
    """Of every suite and status, with all points of the protocol once a suite."""
    refused, tried = [], 0
    for suite in suites.load_all()[0]:
        for number, task in enumerate(suite.tasks[:: len(suite.tasks) // 5 + 1]):
            records = [ok_record(suite, task, points=1 if number else 1000)]
            for status in ("failed", "timeout", "oom", "invalid"):
                failed = make_record(task.name, suite=suite, status="failed")
                records.append(replace(failed, status=status))
            for record in records:
                tried += 1
                if Record.from_bytes(record.to_bytes()) != record:
                    refused.append((record.identity.suite, task.name, record.status))
    assert refused == []
    assert tried > 250
