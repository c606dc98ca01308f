"""Bundles to test with: made of runs of a real agent, changed in one place at a time."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlbench.results import Failure, Record, Store, Training
from rlbench.results.record import Evaluation
from rlbench.results.submissions import make_bundle, place_of
from rlbench.results.submissions.card import card_of
from rlbench.suites import Suite, sha256_of
from support.classic import AGENT, CLASSIC
from support.command import rlbench

TODAY = datetime(2100, 1, 1, tzinfo=UTC)  # later than any run of the tests


def run_agents(folder: Path, seeds: int = 3) -> dict[str, list[Record]]:
    """Run two agents for real, one of which breaks at some seeds; return their records by name."""
    (folder / "mine.py").write_text(AGENT)
    for name, options in (("mine", []), ("other", ["-o", "bias=0.7", "-o", "breaks=true"])):
        rlbench(
            "run", "--suite", "classic", "--agent", "mine.py", "--name", name, "--seeds",
            str(seeds), "-j", "2", *options, cwd=folder, code=1 if options else 0,
        )  # fmt: skip
    found: dict[str, list[Record]] = {}
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
