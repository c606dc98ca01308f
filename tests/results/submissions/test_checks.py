"""The gate refuses what is wrong for the reason that it is wrong, and accepts all else."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.bundles import (
    TODAY,
    Draft,
    at_seed,
    draft_of,
    failure_of,
    of_agent,
    refitted,
    run_agents,
    shifted,
)
from support.classic import registered
from support.records import make_record

from rlbench import suites
from rlbench.results import Record, published
from rlbench.results.submissions import Refusal, check_files
from rlbench.results.submissions.checks import check_between

GOOD, BAD = 500, 500
Runs = dict[str, list[Record]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Real runs; the suite stays registered while the tests of this file run."""
    folder = tmp_path_factory.mktemp("submissions")
    with registered(folder / "installed"):
        yield run_agents(folder)


def refusals(draft: Draft) -> list[Refusal]:
    files = draft.files()
    return check_files(draft.place, files, TODAY)[1]


def timed(record: Record) -> Record:
    """Return a record that is made up, with what every worker writes of times."""
    times: dict[str, str | float] = {
        "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T10:00:00+00:00",
        "seconds": 36000.0,
    }  # fmt: skip
    return replace(record, timing=times)


def of_suite(name: str, rng: random.Random) -> Draft:
    """Return a bundle of another suite, whose runs are made up."""
    suite = suites.get(name)
    records = []
    for task in suite.tasks:
        protocol = suite.protocol_of(task)
        low, high = max(task.returns[0], task.low), min(task.returns[1], task.high)
        for seed in range(2):
            base = timed(make_record(task.name, "made up", seed, suite=suite))
            evaluations = []
            for point in protocol.points:
                n = protocol.episodes if point == protocol.budget else protocol.episodes_at_points
                for word in protocol.evaluations:
                    evaluations.append(replace(
                        base.final, name=word, budget_used=point, distinct_starts=n,
                        lengths=(10,) * n, returns=tuple(rng.uniform(low, high) for _ in range(n)),
                    ))  # fmt: skip
            records.append(replace(base, evaluations=tuple(evaluations)))
    return draft_of(records, rng, suite)


# What may differ from one bundle in order to the next.


def _fewer_seeds(d: Draft, rng: random.Random) -> None:
    d.fields["seeds"] = rng.sample(d.fields["seeds"], rng.randint(1, len(d.fields["seeds"])))
    d.fields["seeds"].sort()
    d.records = [r for r in d.records if r.identity.seed in d.fields["seeds"]]
    d.fields["failed"] = sum(r.status != "ok" for r in d.records)


def _other_seeds(d: Draft, rng: random.Random) -> None:
    new = {s: rng.randrange(2**32) for s in d.fields["seeds"]}
    d.records = [at_seed(r, new[r.identity.seed]) for r in d.records]
    d.fields["seeds"] = sorted(new.values())


def _other_returns(d: Draft, rng: random.Random) -> None:
    d.change_all(lambda r: shifted(r, rng))


def _another_agent(d: Draft, rng: random.Random) -> None:
    name = rng.choice(["hp", "ΔQ", "PPO (ours)", "a b", "x" * 100, "<script>1</script>"])
    config = {"k": rng.choice([1, 2.5, "x", True, None])}
    d.change_all(lambda r: of_agent(r, name=name, config=config, version=rng.choice(["", "2"])))
    version = d.records[0].identity.agent.version
    d.change_all(lambda r: of_agent(r, version=version))


def _given(d: Draft, rng: random.Random) -> None:
    given = tuple(sorted(rng.sample(["pretraining", "demonstrations", "earlier_data"], 2)))
    d.change_all(lambda r: of_agent(r, given=given))
    d.fields["given"] = list(given)


def _failed_before(d: Draft, rng: random.Random) -> None:
    for number in range(1, rng.randint(2, 4)):
        d.records.append(failure_of(d.records[rng.choice(d.ok())], number))
    d.fields["failed"] = sum(r.status != "ok" for r in d.records)


def _constant(d: Draft, rng: random.Random) -> None:
    """All episodes of a task are alike, at every seed: nothing needs to be said of that."""
    for k in d.ok():
        d.change_final(k, returns=(-10.0 if "Pend" in d.records[k].identity.task else 9.0,) * 12)


def _called_deterministic(d: Draft, rng: random.Random) -> None:
    first = {d.records[k].identity.task: d.records[k].final.returns for k in d.ok()}
    for k in d.ok():
        d.change_final(k, returns=first[d.records[k].identity.task])
    d.fields["deterministic"] = True


def _extra_points(d: Draft, rng: random.Random) -> None:
    for k in d.ok():
        first, *rest = d.records[k].evaluations
        extra = replace(first, budget_used=20, extra=True, train_seconds=0.0)
        d.change(k, evaluations=(extra, first, *rest))


def _evaluated_alone(d: Draft, rng: random.Random) -> None:
    d.change_all(lambda r: of_agent(r, given=("pretraining",)))
    d.fields["given"] = ["pretraining"]
    for k in d.ok():
        final = replace(d.records[k].final, budget_used=0)
        training = replace(d.records[k].training, episodes=0, ends=(), returns=())
        d.change(k, budget_used=0, evaluations=(final,), training=training)


HARMLESS: list[Callable[[Draft, random.Random], None]] = [
    _fewer_seeds, _other_seeds, _other_returns, _another_agent, _given, _failed_before,
    _extra_points, _constant, _called_deterministic, _evaluated_alone,
]  # fmt: skip
LAST = {_given, _constant, _called_deterministic, _extra_points, _evaluated_alone}


def good(runs: Runs, seed: int) -> Draft:
    """Return a bundle in order; different seeds give different ones."""
    rng = random.Random(seed)
    if seed % 50 == 0:
        return of_suite(("dmc-mini", "procgen-mini", "atari100k")[seed // 50 % 3], rng)
    draft = draft_of(runs[rng.choice(["mine", "other"])], rng)
    chosen = rng.sample(HARMLESS, rng.randint(0, 4))
    # Of those that settle the same thing, one.
    last = [how for how in chosen if how in LAST][:1]
    for how in [*(how for how in chosen if how not in LAST), *last]:
        if draft.ok():
            how(draft, rng)
    return draft if draft.ok() else good(runs, seed + 10_000)


def test_500_good_ones_are_accepted(runs: Runs) -> None:
    different = set()
    for seed in range(GOOD):
        draft = good(runs, seed)
        assert refusals(draft) == [], seed
        different.add(json.dumps(sorted(str(hash(c)) for c in draft.files().values())))
    assert len(different) > 0.98 * GOOD


# What is wrong, the kind of its refusal, and what its line says.
Wrong = Callable[[Draft, random.Random], None]
WRONG: list[tuple[str, str, Wrong]] = []


def wrong(kind: str, said: str) -> Callable[[Wrong], Wrong]:
    def keep(how: Wrong) -> Wrong:
        WRONG.append((kind, said, how))
        return how

    return keep


def _in_card(**changes: Any) -> Wrong:
    def how(d: Draft, rng: random.Random) -> None:
        from rlbench.results.submissions.card import to_toml

        fields = {**d.fields, **changes}
        d.edits.append(lambda files: files.update({"card.toml": to_toml(fields)}))

    return how


for _name, _values in {
    "namespace": ["", "Ann", "a/b", "..", "-a", "a-", "a" * 40, "аnn", 7, ["ann"]],
    "who": [[], "Ann", [""], ["a\u202eb"], ["a\x07"], ["a" * 201], [1], [" "], ["a"] * 51],
    "paper": ["http://x.org", "javascript:alert(1)", "https://x.org/\"onload=1", "https://a@b.org",
              "https://x.org/<b>", "https://x.org/a b", "https://\u212a.org", "//x.org", 1, "https://"],
    "code": ["ftp://x.org", "data:text/html,1", "https://x.org/\\", "https://x.org\u200b/"],
    "licence": ["", " ", "a" * 101, "MIT\u2028", 1, True],
    "given": ["pretraining", ["luck"], ["pretraining", "demonstrations"], ["pretraining"] * 2, [1]],
    "configurations": [0, -1, 1.0, True, "1", 10**6 + 1, 10**30],
    "seeds": [[], [0, 0], [1, 0], [-1], [2**32], ["0"], [True], [0.0], list(range(1001)), 3],
    "other_seeds": [-1, 0.5, False, "none"],
    "failed": [-1, 1.5, True],
    "deterministic": [0, 1, "true", []],
    "note": ["a" * 2001, "a\nb", "\u200b", 1],
}.items():  # fmt: skip
    for _value in _values:
        WRONG.append(("card", rf"^{_name} is not ", _in_card(**{_name: _value})))


@wrong("card", "not TOML|over the limit")
def _torn_card(d: Draft, rng: random.Random) -> None:
    text = rng.choice([
        b"\xff\xfe", b"who = [", b"a = 1\na = 2\n", b"who = 'a'\n" + b"[[" * 9000,
        b"x = " + b"[" * 5000,
        b"n = " + b"9" * 5000, b"#" * 20_001, b"\x00", b"a = 2026-13-45", b"= 1",
    ])  # fmt: skip
    d.edits.append(lambda files: files.update({"card.toml": text}))


@wrong("card", "is missing|there is no field")
def _fields_of_card(d: Draft, rng: random.Random) -> None:
    def edit(files: dict[str, bytes]) -> None:
        lines = files["card.toml"].decode().splitlines()
        at = rng.choice([k for k, line in enumerate(lines) if " = " in line])
        if rng.random() < 0.5:
            del lines[at]
        else:
            lines.append("reward = 7")
        files["card.toml"] = "\n".join(lines).encode()

    d.edits.append(edit)


@wrong("file", "is missing|no records|no bundle holds")
def _files(d: Draft, rng: random.Random) -> None:
    how = rng.randrange(3)

    def edit(files: dict[str, bytes]) -> None:
        if how == 0:
            del files[rng.choice(["card.toml", "bundle.json"])]
        elif how == 1:
            for name in [name for name in files if name.startswith("records/")]:
                del files[name]
        else:
            names = ["run.sh", "model.pkl", "records/x.json", "records/a/b/c/d.exe", "card.json"]
            files[rng.choice(names)] = b"{}"

    d.edits.append(edit)


@wrong("json", "not JSON|not what the records|over the limit")
def _summary(d: Draft, rng: random.Random) -> None:
    def edit(files: dict[str, bytes]) -> None:
        content = json.loads(files["bundle.json"])
        change = rng.randrange(6)
        if change == 0:
            files["bundle.json"] = rng.choice([b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 9000])
            return
        if change == 1:
            content[rng.choice(["rank", "iqm", "__proto__"])] = 1
        elif change == 2:
            content[rng.choice(["suite", "agent", "agent_key"])] = "another"
        elif change == 3:
            content["schema"] = rng.choice([2, True, 1.0, None])
        elif change == 4:
            del content[rng.choice(["schema", "suite"])]
        else:
            files["bundle.json"] = files["bundle.json"].replace(b"{", b'{"x": NaN, ', 1)
            return
        files["bundle.json"] = json.dumps(content).encode()

    d.edits.append(edit)


@wrong("score", "'(scores|means|normalised_mean)' is not what the records say")
def _aggregates(d: Draft, rng: random.Random) -> None:
    def edit(files: dict[str, bytes]) -> None:
        content = json.loads(files["bundle.json"])
        part = rng.choice(["scores", "means", "normalised_mean", "task"])
        if part == "normalised_mean":
            content[part] = rng.choice([0.99, None, "high"])
        elif part == "task":
            del content["scores"]["CartPole-v1"]
        else:
            of_task = content[part]
            task = rng.choice(sorted(of_task))
            if part == "scores":
                of_task, task = of_task[task], rng.choice(sorted(of_task[task]))
            of_task[task] += rng.choice([1e-9, 1.0, 1000.0])
        files["bundle.json"] = json.dumps(content).encode()

    d.edits.append(edit)


@wrong("hash", "'files' is not what the records say|sha256 is not the one")
def _hashes(d: Draft, rng: random.Random) -> None:
    def edit(files: dict[str, bytes]) -> None:
        content = json.loads(files["bundle.json"])
        name = rng.choice(sorted(content["files"]))
        how = rng.randrange(3)
        if how == 0:
            content["files"][name] = "0" * 64
        elif how == 1:
            del content["files"][name]
        else:
            files[name] = files[name].replace(b'": ', b'":  ', 1)  # the same JSON, other bytes
            return
        files["bundle.json"] = json.dumps(content).encode()

    d.edits.append(edit)


@wrong("hash", "its sha256 is not the one in its record")
def _other_actions(d: Draft, rng: random.Random) -> None:
    from rlbench.results.submissions.bundle import actions_name, names_of

    named = {n: r for n, r in names_of(d.records).items() if r.replay is not None}
    name = rng.choice(sorted(named))
    actions = actions_name(name, named[name])
    d.edits.append(lambda files: files.update({actions: rng.randbytes(9)}))


@wrong("file", "no record names these actions")
def _stray_actions(d: Draft, rng: random.Random) -> None:
    d.edits.append(lambda files: files.update({"records/a/b/c/0-1-2.actions": b"x"}))


def _with_record(change: Callable[[dict[str, Any], random.Random], None]) -> Wrong:
    """Change what a record says, and make its own hash and ``bundle.json`` fit."""

    def how(d: Draft, rng: random.Random) -> None:
        def edit(files: dict[str, bytes]) -> None:
            ok = [n for n in sorted(files) if n.endswith(".json") and b'"status": "ok"' in files[n]]
            name = rng.choice(ok)
            files[name] = refitted(files[name], lambda data: change(data, rng))

        d.edits.append(edit)

    return how


def _final(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["evaluations"][-1]
    return found


WRONG += [
    ("record", "has returns from", _with_record(
        lambda data, rng: _final(data)["returns"].__setitem__(rng.randrange(12), 1000.5))),
    ("record", "has not the protocol's 12 episodes", _with_record(
        lambda data, rng: _final(data).update(
            returns=_final(data)["returns"][:11], lengths=[9] * 11, distinct_starts=5))),
    ("record", "over the limit of 60", _with_record(
        lambda data, rng: _final(data)["lengths"].__setitem__(rng.randrange(12), 61))),
    ("record", "over the budget", _with_record(
        lambda data, rng: data.update(budget_used=rng.randint(101, 10**9)))),
    ("record", "before the end|order of the budget|ended after the budget", _with_record(
        lambda data, rng: data.update(budget_used=rng.choice([98, 60])))),
    ("record", "digest or key", _with_record(
        lambda data, rng: data.update(rng.choice([{"key": "0" * 16}, {"digest": "0" * 64}])))),
    ("record", "digest or key", _with_record(
        lambda data, rng: data.update(seed=data["seed"] + 1))),
    ("record", "digest or key", _with_record(
        lambda data, rng: data["constants"].update(budget=10**6))),
    ("record", "cannot be seen", _with_record(
        lambda data, rng: data["provenance"].update(device=rng.choice(["\u202e", "\x1b[31m"])))),
    ("record", "its schema is", _with_record(lambda data, rng: data.update(schema=3))),
    ("record", "", _with_record(lambda data, rng: data.pop(rng.choice(sorted(data))))),
    ("record", "", _with_record(lambda data, rng: data.update(more=rng.random()))),
    ("record", "more distinct starts|distinct starts in", _with_record(
        lambda data, rng: _final(data).update(distinct_starts=13))),
]  # fmt: skip


@wrong("record", "changed after it was written|not JSON|over the limit")
def _edited(d: Draft, rng: random.Random) -> None:
    def edit(files: dict[str, bytes]) -> None:
        name = rng.choice([n for n in sorted(files) if n.startswith("records/")])
        files[name] = rng.choice([
            files[name].replace(b'"seconds": ', b'"seconds": 1', 1), files[name][:-300],
            b" " * 1_000_001, b'{"a":' * 5000,
        ])  # fmt: skip

    d.edits.append(edit)


@wrong("suite", "of schema 1|cannot be had|--unofficial|digest is not|others of")
def _suite(d: Draft, rng: random.Random) -> None:
    how = rng.randrange(4)

    def change(record: Record) -> Record:
        identity = record.identity
        if how == 0:
            other: dict[str, Any] = {"suite": "my-suite@1"}
            constants = {**identity.constants, "suite": "my-suite@1"}
        elif how == 1:
            other, constants = {"unofficial": {"level": 2}}, {**identity.constants, "level": 2}
        elif how == 2:
            other, constants = {}, {**identity.constants, "level": 3}
        else:
            other, constants = {"suite": "classic@2"}, {**identity.constants, "suite": "classic@2"}
        return replace(record, identity=replace(identity, constants=constants, **other))

    d.change_all(change)


@wrong("agent", "it is of another agent")
def _two_agents(d: Draft, rng: random.Random) -> None:
    k = rng.randrange(len(d.records))
    change = rng.choice([{"config": {"k": 1}}, {"version": "9"}, {"name": "mine too"}])
    d.records[k] = of_agent(d.records[k], **change)
    d.records.reverse() if k == 0 else None


@wrong("given", "its runs say that the agent was given")
def _hidden_given(d: Draft, rng: random.Random) -> None:
    d.change_all(lambda r: of_agent(r, given=("pretraining",)))
    d.fields["given"] = rng.choice([[], ["demonstrations"]])


@wrong("place", "its card and records belong to|does not stand where|belongs here")
def _place(d: Draft, rng: random.Random) -> None:
    how = rng.randrange(3)
    if how == 0:
        d.place = rng.choice(["bob/classic-1-mine-00000000", "ann/x", "../up"])
        return

    def edit(files: dict[str, bytes]) -> None:
        name = rng.choice([n for n in sorted(files) if n.startswith("records/")])
        moved = name.replace("/0-", "/7-").replace("/1-", "/8-").replace("/2-", "/9-")
        files[moved] = files.pop(name)
        summary = json.loads(files["bundle.json"])
        summary["files"][moved] = summary["files"].pop(name)
        files["bundle.json"] = json.dumps(summary).encode()

    d.edits.append(edit)


@wrong("plan", "is not among the seeds of the card")
def _unplanned(d: Draft, rng: random.Random) -> None:
    d.fields["seeds"].remove(rng.choice(d.fields["seeds"]))


@wrong("complete", "no run of seed")
def _incomplete(d: Draft, rng: random.Random) -> None:
    if rng.random() < 0.5:
        d.fields["seeds"] = sorted({*d.fields["seeds"], 77})
        return
    gone = rng.choice([(r.identity.task, r.identity.seed) for r in d.records])
    d.records = [r for r in d.records if (r.identity.task, r.identity.seed) != gone]
    d.fields["failed"] = sum(r.status != "ok" for r in d.records)
    d.fields["seeds"] = [0, 1, 2]


@wrong("failures", "failed is .*, and the bundle holds|no run ended well")
def _hidden_failures(d: Draft, rng: random.Random) -> None:
    if rng.random() < 0.3:
        d.records = [failure_of(r) if r.status == "ok" else r for r in d.records]
        d.fields["failed"] = len(d.records)
        return
    if rng.random() < 0.5:
        d.records.append(failure_of(d.records[rng.choice(d.ok())]))
    else:
        d.fields["failed"] += rng.choice([1, 5])


@wrong("budget", "it spent no budget")
def _no_training(d: Draft, rng: random.Random) -> None:
    k = rng.choice(d.ok())
    final = replace(d.records[k].final, budget_used=0)
    training = replace(d.records[k].training, episodes=0, ends=(), returns=())
    d.change(k, budget_used=0, evaluations=(final,), training=training)


@wrong("episodes", "before the end has not|not one evaluation of each name|began alike")
def _evaluations(d: Draft, rng: random.Random) -> None:
    k = rng.choice(d.ok())
    early, final = d.records[k].evaluations
    how = rng.randrange(4)
    if how == 0:
        d.change(k, evaluations=(final,))
    elif how == 1:
        cut = replace(early, returns=early.returns[:9], lengths=early.lengths[:9], measures={},
                      distinct_starts=9)  # fmt: skip
        d.change(k, evaluations=(cut, final))
    elif how == 2:
        d.change(k, evaluations=(early, replace(early, budget_used=60), final))
    else:
        d.change_final(k, distinct_starts=1)


@wrong("timing", "cannot have finished|not two times|no seconds|do not add up|than any engine")
def _times(d: Draft, rng: random.Random) -> None:
    k = rng.choice(d.ok())
    timing = dict(d.records[k].timing)
    how = rng.randrange(5)
    if how == 0:
        timing["finished"] = rng.choice(["2200-01-01T00:00:00+00:00", "1999-01-01T00:00:00+00:00"])
    elif how == 1:
        timing["started"] = rng.choice(["yesterday", "2026-01-01T00:00:00", "", 5])
    elif how == 2:
        timing["seconds"] = rng.choice([0, -1.0, "12", 0.0])
    elif how == 3:
        timing.pop(rng.choice(["started", "finished", "seconds"]))
    else:
        d.change_final(k, train_seconds=1e6)
    d.change(k, timing=timing)


@wrong("repeat", "its returns are those of .*, in the same order")
def _repeated_runs(d: Draft, rng: random.Random) -> None:
    """A run is shown as that of two seeds: which one was copied is not known."""
    task = rng.choice(["CartPole-v1", "Pendulum-v1"])
    two = [k for k in d.ok() if d.records[k].identity.task == task][:2]
    returns = tuple(float(9 + k) if task == "CartPole-v1" else -90.5 - k for k in range(12))
    for k in two:
        d.change_final(k, returns=returns)


def spoiled(runs: Runs, wrong: tuple[str, str, Wrong], seed: int) -> Draft:
    """Return a bundle with one thing wrong."""
    rng = random.Random(seed)
    kind, _, how = wrong
    draft = draft_of(runs["mine"], rng)
    if rng.random() < 0.3 and kind not in ("complete", "failures", "place"):
        _failed_before(draft, rng)
    how(draft, rng)
    return draft


def assert_refused(runs: Runs, wrong: tuple[str, str, Wrong], seed: int) -> None:
    kind, said, _ = wrong
    found = refusals(spoiled(runs, wrong, seed))
    assert {refusal.kind for refusal in found} == {kind}, (seed, kind, said, found)
    assert any(re.search(said, refusal.problem) for refusal in found), (seed, said, found)
    assert all("\n" not in str(refusal) and refusal.advice for refusal in found)


def test_500_bad_ones_are_refused_for_the_right_reason(runs: Runs) -> None:
    by_kind: dict[str, list[tuple[str, str, Wrong]]] = {}
    for one in WRONG:
        by_kind.setdefault(one[0], []).append(one)
    assert len(by_kind) == 17
    for seed in range(BAD):
        of_kind = by_kind[sorted(by_kind)[seed % len(by_kind)]]
        assert_refused(runs, of_kind[seed // len(by_kind) % len(of_kind)], seed)


def test_all_that_is_wrong_is_refused_for_the_right_reason(runs: Runs) -> None:
    assert len(WRONG) > 100
    for number, wrong in enumerate(WRONG):
        assert_refused(runs, wrong, BAD + number)


def submitted(draft: Draft) -> Any:
    files = draft.files()
    submission, refused = check_files(draft.place, files, TODAY)
    assert refused == []
    return submission


def test_an_agent_is_submitted_once(runs: Runs) -> None:
    rng = random.Random(1)
    one, two = draft_of(runs["mine"], rng), draft_of(runs["mine"], rng)
    one.fields["namespace"], two.fields["namespace"] = "ann", "bob"
    two.change_all(lambda r: shifted(r, rng))
    (found,) = check_between([submitted(two)], [submitted(one)])
    assert (found.kind, found.where.split("/")[0]) == ("agent", "bob")
    assert "already, in ann/" in found.problem


def test_names_that_look_like_those_of_others_are_refused(runs: Runs) -> None:
    rng = random.Random(2)
    one, two = draft_of(runs["mine"], rng), draft_of(runs["mine"], rng)
    one.fields["namespace"], two.fields["namespace"] = "ann", "bob"
    for name, refused in (("mіne", True), ("minе", True), ("mine", False), ("mine2", False)):
        renamed = draft_of(runs["mine"], rng)
        renamed.fields["namespace"] = "bob"
        renamed.change_all(lambda r, name=name: shifted(of_agent(r, name=name, version="5"), rng))
        found = list(check_between([submitted(renamed)], [submitted(one)]))
        assert [refusal.kind for refusal in found] == ["name"] * refused


def test_copies_of_another_submission_are_refused(runs: Runs) -> None:
    rng = random.Random(3)
    one = draft_of(runs["mine"], rng)
    one.fields["namespace"] = "ann"
    accepted = [submitted(one)]

    def copied(change: Callable[[Record], Record], **fields: Any) -> list[Refusal]:
        draft = draft_of(runs["mine"], rng)
        draft.fields |= {"namespace": "bob", **fields}
        draft.change_all(lambda r: change(of_agent(r, name="new")))
        return list(check_between([submitted(draft)], accepted))

    def shuffled(record: Record) -> Record:
        final = record.final
        returns = tuple(rng.sample(final.returns, len(final.returns)))
        return replace(
            record, evaluations=(*record.evaluations[:-1], replace(final, returns=returns))
        )

    (same,) = copied(lambda r: r)
    assert (same.kind, "6 such runs" in same.problem) == ("repeat", True)
    (mixed,) = copied(shuffled)
    assert (mixed.kind, "half of its scores" in mixed.problem) == ("repeat", True)
    assert copied(lambda r: shifted(r, rng)) == []
    assert copied(lambda r: r, deterministic=True) == []


def test_agents_whose_episodes_are_all_alike_may_have_equal_scores(runs: Runs) -> None:
    rng = random.Random(5)
    one, two = draft_of(runs["mine"], rng), draft_of(runs["mine"], rng)
    one.fields["namespace"], two.fields["namespace"] = "ann", "bob"
    two.change_all(lambda r: of_agent(r, name="new"))
    for draft in (one, two):
        _constant(draft, rng)
    assert list(check_between([submitted(two)], [submitted(one)])) == []


def test_scores_of_a_paper_are_not_submitted_as_runs() -> None:
    """The returns average to what was published, in an order of episodes that nobody published."""
    rng = random.Random(4)
    suite = suites.get("atari100k")
    paper = published.load(suite)["SPR"]

    def draft(of: Callable[[str, int], float]) -> Draft:
        records = []
        for task in suite.tasks:
            for seed in range(3):
                score = of(task.name, seed)
                base = timed(make_record(task.name, "mine", seed, score, suite=suite))
                offsets = [rng.uniform(1, 9) for _ in range(50)]
                returns = tuple(
                    v for o in offsets for v in (score + round(o, 3), score - round(o, 3))
                )
                final = replace(base.final, returns=returns)
                records.append(replace(base, evaluations=(final,)))
        return draft_of(records, rng, suite)

    def as_published(task: str, seed: int) -> float:
        return float(round(paper.values[task][seed]))

    honest = submitted(draft(lambda task, seed: suite.task(task).low + rng.random()))
    assert list(check_between([honest], [])) == []
    # Scores that are whole are met exactly by sums of pairs around them.
    copied = submitted(draft(as_published))
    common = sum(
        any(r.score == v for v in paper.values[r.identity.task]) for r in copied.records.values()
    )
    found = [refusal.kind for refusal in check_between([copied], [])]
    assert found == (["repeat"] if 2 * common >= len(copied.records) else [])
    assert common > 0
