"""A record: the immutable result of one run, and its canonical file."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from math import fsum
from typing import Any, Literal, Self, TypeVar

from rlbench.errors import InvalidRecord, UsageError
from rlbench.results import strict_json
from rlbench.results.identity import Identity, check_identity
from rlbench.suites import sha256_of

SCHEMA_VERSION = 1
MAX_TRAINING_EPISODES = 10_000
MAX_PROPOSALS = 1000

Status = Literal["ok", "failed", "timeout", "oom", "invalid"]
Phase = Literal["start", "train", "eval", "end"]
Part = TypeVar("Part")  # of a record


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Full episodes at one checkpoint.

    Attributes:
        budget_used: Budget spent when the evaluation began.
        returns: Raw return of each episode, in the order of slots.
        lengths: Steps of each episode.
        distinct_starts: Different states in which the episodes began.
    """

    budget_used: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    distinct_starts: int

    @property
    def score(self) -> float:
        """The mean raw return."""
        return fsum(self.returns) / len(self.returns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Training episodes that ended, the first 10,000 of them in full.

    Attributes:
        episodes: How many ended.
        ends: Budget spent at the end of each.
        returns: Raw return of each.
    """

    episodes: int
    ends: tuple[int, ...]
    returns: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What a teacher proposed: every so-many-th episode that ended, at most 1,000 of them.

    Attributes:
        every: One in so many is kept.
        ends: Budget spent at the end of each episode.
        parameters: Of the task in each episode, d numbers.
        returns: Raw return of each.
        lengths: Steps of each.
        successes: Whether the task counted as solved, where the suite says so.
    """

    every: int
    ends: tuple[int, ...]
    parameters: tuple[tuple[float, ...], ...]
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    successes: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What lets anybody play the final evaluation again and compare.

    Attributes:
        actions: sha256 of the file beside the record that holds the actions.
        dtype: Of an action's numbers.
        shape: (steps, slots, ...) of the actions.
        hashes: Of the observations, rewards and ends of the first steps, the start included; each
            covers those before it.
    """

    actions: str
    dtype: str
    shape: tuple[int, ...]
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run has no score.

    Attributes:
        phase: What was going on.
        step: Budget spent when it happened, if anybody knows.
        reason: One line.
    """

    phase: Phase
    step: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The result of one run.

    Attributes:
        identity: What was run.
        status: ``ok``, or how it failed.
        error: Why it failed, if it did.
        budget_used: Training budget spent.
        evaluations: One a checkpoint, the final one last.
        training: The training episodes.
        provenance: Versions, hardware, device.
        timing: When, how long, in how many attempts: all that differs between two equal runs.
        proposals: What the teacher proposed, in a curriculum.
        replay: What lets the final evaluation be played again, if there was one.
    """

    identity: Identity
    status: Status
    error: Failure | None
    budget_used: int
    evaluations: tuple[Evaluation, ...]
    training: Training
    provenance: Mapping[str, str | int | float | None]
    timing: Mapping[str, str | float]
    proposals: Proposals | None = None
    replay: Replay | None = None

    @property
    def score(self) -> float:
        """The run's score: the mean raw return of the final evaluation.

        Raises:
            InvalidRecord: The run failed; a failed run has no score.
        """
        if self.status != "ok":
            raise InvalidRecord(f"run {self.identity.key} is {self.status} and has no score")
        return self.evaluations[-1].score

    @property
    def sha256(self) -> str:
        """The hash of all that the file holds, as the file has it."""
        return sha256_of(self._content())

    def to_bytes(self) -> bytes:
        """Return the canonical file: JSON, keys sorted, with its own sha256."""
        data = self._content()
        return (strict_json.dump({**data, "sha256": sha256_of(data)}) + "\n").encode()

    def _content(self) -> dict[str, Any]:
        """Return what the file holds, its hash aside."""
        return {
            "schema": SCHEMA_VERSION,
            **self.identity.to_dict(),
            "status": self.status,
            "error": self.error and asdict(self.error),
            "budget_used": self.budget_used,
            "evaluations": [plain(evaluation) for evaluation in self.evaluations],
            "training": plain(self.training),
            **({"proposals": plain(self.proposals)} if self.proposals else {}),
            **({"replay": plain(self.replay)} if self.replay else {}),
            "provenance": dict(self.provenance),
            "timing": dict(self.timing),
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a record's file.

        Raises:
            InvalidRecord: It breaks the schema, was changed after it was written, or contradicts
                itself.
        """
        content = strict_json.load(data)
        _check_schema(content)
        identity = Identity.from_dict(content)
        body = {name: value for name, value in content.items() if name != "sha256"}
        if sha256_of(body) != content["sha256"]:
            raise InvalidRecord("it was changed after it was written (its sha256 does not fit)")
        if (content["digest"], content["key"]) != (identity.digest, identity.key):
            raise InvalidRecord("its digest or key is not that of its contents")
        record = cls(
            identity=identity,
            status=content["status"],
            error=content["error"] and Failure(**content["error"]),
            budget_used=content["budget_used"],
            evaluations=tuple(from_plain(Evaluation, e) for e in content["evaluations"]),
            training=from_plain(Training, content["training"]),
            provenance=content["provenance"],
            timing=content["timing"],
            proposals=from_plain(Proposals, content["proposals"])
            if "proposals" in content
            else None,
            replay=from_plain(Replay, content["replay"]) if "replay" in content else None,
        )
        _check_sense(record)
        return record


def plain(part: Evaluation | Training | Proposals | Replay) -> dict[str, Any]:
    """Return a part of a record as JSON data; its tuples are written as lists."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


def from_plain(kind: type[Part], data: Mapping[str, Any]) -> Part:
    """Return a part of a record from JSON data: its lists become tuples."""
    return kind(**{name: _tupled(value) for name, value in data.items()})


def _tupled(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    # All items are alike, and there are thousands of them.
    return tuple(map(_tupled, value)) if value and isinstance(value[0], list) else tuple(value)


def _check_schema(content: object) -> None:
    """Raise InvalidRecord unless the content fits the JSON Schema."""
    import fastjsonschema

    try:
        _validator()(content)
    except fastjsonschema.JsonSchemaException as error:
        raise InvalidRecord(str(error)[:200]) from error


@cache
def _validator() -> Callable[[object], object]:
    """Return the compiled schema."""
    import fastjsonschema

    text = resources.files("rlbench.results").joinpath("record.schema.json").read_bytes()
    validate: Callable[[object], object] = fastjsonschema.compile(strict_json.load(text))
    return validate


def _check_sense(record: Record) -> None:
    """Raise InvalidRecord if the parts contradict each other."""
    check_identity(record.identity)
    if (record.status == "ok") == (record.error is not None):
        raise InvalidRecord(
            f"status {record.status} and error {record.error} contradict each other"
        )
    if record.status == "ok" and not record.evaluations:
        raise InvalidRecord("status ok without an evaluation")
    if any(len(e.returns) != len(e.lengths) for e in record.evaluations):
        raise InvalidRecord("an evaluation has not as many returns as lengths")
    if len(record.training.ends) != len(record.training.returns):
        raise InvalidRecord("the training has not as many ends as returns")
    proposals = record.proposals
    if proposals and len({len(p) for p in (
        proposals.ends, proposals.parameters, proposals.returns, proposals.lengths,
        proposals.successes,
    )}) > 1:  # fmt: skip
        raise InvalidRecord("its proposals are not as many in each column")
    _check_budget(record)


def _check_budget(record: Record) -> None:
    """Raise InvalidRecord if the record contradicts its protocol."""
    constants = record.identity.constants
    budget, episodes = constants.get("budget"), constants.get("episodes")
    if not isinstance(budget, int) or not isinstance(episodes, int):
        raise InvalidRecord("its constants name no budget or no number of episodes")
    try:
        _ = record.identity.folder
    except UsageError as error:
        raise InvalidRecord(str(error)) from error
    if record.budget_used > budget:
        raise InvalidRecord(f"it spent {record.budget_used}, over the budget of {budget}")
    if record.status == "ok" and record.budget_used != budget:
        raise InvalidRecord(f"status ok with {record.budget_used} of {budget} spent")
    if record.status == "ok" and len(record.evaluations[-1].returns) != episodes:
        raise InvalidRecord(f"the final evaluation has not the protocol's {episodes} episodes")
