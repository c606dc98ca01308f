"""Bundles with one thing wrong each: the kind of their refusal, and what its line says."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rlbench.results import Record
from rlbench.results.submissions.bundle import actions_name, names_of
from rlbench.results.submissions.card import to_toml
from support.bundles import Draft, Runs, draft_of, failed_before, failure_of, of_agent, refitted

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


@wrong("file", "is missing|no records|bundle cannot hold")
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


@wrong("json", "not JSON|differs from the records|over the limit")
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


@wrong("score", "'(scores|means|normalised_mean)' differs from the records")
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


@wrong("hash", "'files' differs from the records|sha256 is not the one")
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
    ("record", "does not have the protocol's 12 episodes", _with_record(
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


@wrong("suite", "of schema 1|cannot be loaded|--unofficial|digest matches no|others are of")
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


@wrong("agent", "its agent is not .*, or has other options")
def _two_agents(d: Draft, rng: random.Random) -> None:
    k = rng.randrange(len(d.records))
    change = rng.choice([{"config": {"k": 1}}, {"version": "9"}, {"name": "mine too"}])
    d.records[k] = of_agent(d.records[k], **change)
    d.records.reverse() if k == 0 else None


@wrong("given", "its records say that the agent was given")
def _hidden_given(d: Draft, rng: random.Random) -> None:
    d.change_all(lambda r: of_agent(r, given=("pretraining",)))
    d.fields["given"] = rng.choice([[], ["demonstrations"]])


@wrong("place", "by its card and records it belongs in|belong at another path|is missing here")
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


@wrong("failures", "failed is .*, and the bundle holds|no run succeeded")
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


@wrong("episodes", "before the end does not|not have one evaluation of each name|start alike")
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


@wrong(
    "timing",
    "cannot have finished|with a time zone|a number above 0|training decrease|than any engine",
)
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


@wrong("repeat", "its returns equal those of .*, in order")
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
        failed_before(draft, rng)
    how(draft, rng)
    return draft
