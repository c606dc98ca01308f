"""Bundles to test with: made of runs of a real agent, changed in one place at a time."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlbench import suites
from rlbench.results import Failure, Record, Store, Training
from rlbench.results.record import Evaluation
from rlbench.results.submissions import make_bundle, place_of
from rlbench.results.submissions.card import card_of
from rlbench.suites import Suite, sha256_of
from support.classic import AGENT, CLASSIC
from support.command import rlbench
from support.records import make_record

Runs = dict[str, list[Record]]
TODAY = datetime(2100, 1, 1, tzinfo=UTC)  # later than any run of the tests


def run_agents(folder: Path, seeds: int = 3) -> Runs:
    """Run two agents for real, one of which breaks at some seeds; return their records by name."""
    (folder / "mine.py").write_text(AGENT)
    for name, options in (("mine", []), ("other", ["-o", "bias=0.7", "-o", "breaks=true"])):
        rlbench(
            "run", "--suite", "classic", "--agent", "mine.py", "--name", name, "--seeds",
            str(seeds), "-j", "2", *options, cwd=folder, code=1 if options else 0,
        )  # fmt: skip
    found: Runs = {}
    for record in Store(folder / "runs").load().records:
        found.setdefault(record.identity.agent.name, []).append(record)
    return found


@dataclass
class Draft:
    """A bundle that is being made: change it, then ask for its files.

    Attributes:
        records: Of one agent on one suite.
        fields: Of the card.
        suite: The suite.
        place: Where it stands; by default where it belongs.
        edits: What is done to the files at the end.
    """

    records: list[Record]
    fields: dict[str, Any]
    suite: Suite = CLASSIC
    place: str = ""
    edits: list[Callable[[dict[str, bytes]], None]] = field(default_factory=list)

    def files(self) -> dict[str, bytes]:
        files = make_bundle(self.records, card_of(self.fields), self.suite)
        self.place = self.place or place_of(self.fields["namespace"], self.records[0].identity)
        for edit in self.edits:
            edit(files)
        return files

    def change(self, number: int, **changes: Any) -> None:
        """Change fields of one record."""
        self.records[number] = replace(self.records[number], **changes)

    def change_all(self, how: Callable[[Record], Record]) -> None:
        self.records = [how(record) for record in self.records]

    def change_final(self, number: int, **changes: Any) -> None:
        """Change fields of a record's final evaluation."""
        record = self.records[number]
        final = replace(record.final, **changes)
        self.change(number, evaluations=(*record.evaluations[:-1], final))

    def ok(self) -> list[int]:
        """Return the numbers of the records that ended well."""
        return [k for k, record in enumerate(self.records) if record.status == "ok"]


def draft_of(records: list[Record], rng: random.Random, suite: Suite = CLASSIC) -> Draft:
    """Return a bundle in order, whose card says something that differs from one to the next."""
    failed = sum(record.status != "ok" for record in records)
    words = ["Ann Example", "Группа 7", "Müller & Söhne", "李雷", "O'Neil <lab>", "a" * 200]
    fields = {
        "namespace": rng.choice(["ann", "ann-7", "0", "a" * 39, "lab-of-x"]),
        "who": rng.sample(words, rng.randint(1, 4)),
        "paper": rng.choice(["", "https://arxiv.org/abs/2601.00001", "https://x.org/a?b=c&d=(e)"]),
        "code": rng.choice(["", "https://github.com/ann/agent", "https://X.org/~ann/"]),
        "licence": rng.choice(["MIT", "CC-BY-4.0", "public domain"]),
        "given": list(records[0].identity.agent.given),
        "configurations": rng.choice([1, 2, 17, 10**6]),
        "seeds": sorted({record.identity.seed for record in records}),
        "other_seeds": rng.choice([0, 0, 3, 10**6]),
        "failed": failed,
        "deterministic": False,
        "note": rng.choice(["", "Trained on one GPU.", "<b>not bold</b>", "a" * 2000]),
    }
    return Draft(list(records), fields, suite)


def of_agent(record: Record, **changes: Any) -> Record:
    agent = replace(record.identity.agent, **changes)
    return replace(record, identity=replace(record.identity, agent=agent))


def at_seed(record: Record, seed: int) -> Record:
    return replace(record, identity=replace(record.identity, seed=seed))


def shifted(record: Record, rng: random.Random) -> Record:
    """Return a run with other returns, as another seed of a random agent has them."""

    def other(evaluation: Evaluation) -> Evaluation:
        low, high = min(evaluation.returns), max(evaluation.returns)
        return replace(
            evaluation, returns=tuple(rng.uniform(low, high + 1e-3) for _ in evaluation.returns)
        )

    return replace(record, evaluations=tuple(map(other, record.evaluations)))


def failure_of(record: Record, number: int = 1) -> Record:
    """Return a failed attempt at a run that went well later."""
    return replace(
        record, status="failed", evaluations=(), replay=None, budget_used=7,
        error=Failure(phase="train", step=7, reason=f"attempt {number} broke"),
        training=Training(episodes=0, ends=(), returns=()),
        timing={**record.timing, "started": f"2026-01-0{number}T00:00:00+00:00",
                "finished": f"2026-01-0{number}T00:00:01+00:00"},
    )  # fmt: skip


def refitted(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a record's file with its content changed and its hash made anew."""
    data = json.loads(content)
    change(data)
    data.pop("sha256", None)
    return json.dumps({**data, "sha256": sha256_of(data)}).encode()


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


def failed_before(d: Draft, rng: random.Random) -> None:
    for number in range(1, rng.randint(2, 4)):
        d.records.append(failure_of(d.records[rng.choice(d.ok())], number))
    d.fields["failed"] = sum(r.status != "ok" for r in d.records)


def constant(d: Draft, rng: random.Random) -> None:
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
    _fewer_seeds, _other_seeds, _other_returns, _another_agent, _given, failed_before,
    _extra_points, constant, _called_deterministic, _evaluated_alone,
]  # fmt: skip
LAST = {_given, constant, _called_deterministic, _extra_points, _evaluated_alone}


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
