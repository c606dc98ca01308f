"""A record: the immutable result of one run, and its canonical file.

This is schema 2. Records of schema 1 are read by `rlbench.results.schema1`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache, cached_property
from importlib import resources
from math import fsum
from typing import Any, Literal, Self, TypeVar

from rlbench.errors import InvalidRecord, NewerSchema
from rlbench.results import strict_json
from rlbench.results.identity import Identity
from rlbench.results.sense import check_sense
from rlbench.results.text import first_invisible
from rlbench.suites import Constant, sha256_of

SCHEMA_VERSION = 2
MAX_TRAINING_EPISODES = 10_000  # kept of a run: the first half of them and the last half
MAX_PROPOSALS = 1000
FOREVER = 1e10  # seconds that no run takes

Status = Literal["ok", "failed", "timeout", "oom", "invalid"]
Phase = Literal["start", "train", "eval", "end"]
Part = TypeVar("Part")  # of a record


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Full episodes at one evaluation point.

    Attributes:
        name: Which of the protocol's evaluations it is.
        budget_used: Budget spent when it began.
        returns: Raw return of each episode, in the order of slots.
        lengths: Steps of each episode.
        distinct_starts: Different states in which the episodes began.
        measures: What else was measured of each episode, by name, e.g. ``success``.
        train_seconds: Wall time spent on training before it, over all attempts; no part of what
            makes two evaluations equal.
        extra: The user asked for it; the protocol has no evaluation there.
    """

    name: str = "test"
    budget_used: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    distinct_starts: int
    measures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    train_seconds: float = field(default=0.0, compare=False)
    extra: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Training episodes that ended: all of them up to 10,000, else the first and the last 5,000.

    Some papers score a run by its first or its last training episodes.

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
    """What a teacher proposed: every n-th episode that ended, at most 1,000 of them.

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
    """The hashes with which anybody can replay the final evaluation and compare.

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
class Engine:
    """The behaviour of the task's engine: a hash of the results of fixed actions.

    Attributes:
        fingerprint: Hash of the observations, rewards and flags.
        steps: How many steps were played.
        digits: Significant digits that were hashed; None for all.
    """

    fingerprint: str
    steps: int
    digits: int | None


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


@dataclass(frozen=True, kw_only=True)
class Record:
    """The result of one run.

    Attributes:
        identity: What was run.
        status: ``ok``, or how it failed.
        error: Why it failed, if it did.
        budget_used: Training budget spent; an agent that owns its loop may leave some.
        evaluations: In the order of time; at each point those of the protocol in its order.
        training: The training episodes.
        provenance: Versions, hardware, device.
        timing: When, how long, in how many attempts: all that differs between two equal runs.
        proposals: What the teacher proposed, in a curriculum.
        replay: What lets the final evaluation be played again, if there was one.
        engine: How the task's engine behaves, if it got so far.
        old_sha256: The hash in the file of a record of schema 1, else empty.
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
    engine: Engine | None = None
    old_sha256: str = ""

    @property
    def is_old(self) -> bool:
        """Whether it is of schema 1: shown and exported, but never ranked with newer ones."""
        return bool(self.old_sha256)

    @property
    def slot_seconds(self) -> float | None:
        """The seconds that a slot was taken for it: runs of one process share its seconds equally.

        None where the record does not say, or says more than any run takes.
        """
        seconds, together = self.timing.get("seconds"), self.timing.get("together", 1)
        if isinstance(seconds, str) or seconds is None or not 0 <= seconds < FOREVER:
            return None
        shared = 1 if isinstance(together, str) or not 1 <= together < FOREVER else together
        return float(seconds / shared)

    @property
    def score(self) -> float:
        """The run's score: that of the final evaluation, by the protocol's rule.

        Raises:
            InvalidRecord: The run failed; a failed run has no score.
        """
        return self.score_of(self.final)

    @property
    def final(self) -> Evaluation:
        """The evaluation that gives the score: the last one under the main name.

        Raises:
            InvalidRecord: The run failed; a failed run has no score.
        """
        if self.status != "ok":
            raise InvalidRecord(f"run {self.identity.key} is {self.status} and has no score")
        return self.main_evaluations[-1]

    @property
    def main_evaluations(self) -> tuple[Evaluation, ...]:
        """The evaluations that give scores: one at each point reached, including extra points."""
        names = str(self.identity.constants.get("evaluations", "test")).split()
        return tuple(e for e in self.evaluations if e.name == names[0])

    def score_of(self, evaluation: Evaluation) -> float:
        """Return the score of one of the evaluations, by the protocol's rule."""
        constants = self.identity.constants
        return score_of(
            evaluation.returns, constants.get("score_rule", "mean"),
            constants.get("score_threshold"),
        )  # fmt: skip

    @cached_property
    def sha256(self) -> str:
        """The hash of all that the file holds, as the file has it."""
        return self.old_sha256 or sha256_of(self._content())

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
            "engine": self.engine and asdict(self.engine),
            "provenance": dict(self.provenance),
            "timing": dict(self.timing),
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> "Record":
        """Read a record's file.

        Raises:
            NewerSchema: A later release of rlbench wrote it.
            InvalidRecord: It breaks the schema, was changed after it was written, or contradicts
                itself.
        """
        content = strict_json.load(data)
        if b"\\" in data or not data.isascii():
            hidden = first_invisible(content)
            if hidden is not None:
                raise InvalidRecord(
                    f"it holds characters that cannot be seen: {ascii(hidden)[:80]}"
                )
        schema = content.get("schema") if isinstance(content, dict) else None
        if type(schema) is int and schema > SCHEMA_VERSION:
            raise NewerSchema(
                f"its schema is {schema}, and this release reads up to {SCHEMA_VERSION}: upgrade "
                "rlbench"
            )
        if schema == 1:
            from rlbench.results.schema1 import upgraded

            record = upgraded(content)
        else:
            record = cls._of_content(content)
        check_sense(record)
        return record

    @classmethod
    def _of_content(cls, content: Any) -> Self:
        """Return the record in a file's content."""
        check_schema(content, "record")
        identity = Identity.from_dict(content)
        body = {name: value for name, value in content.items() if name != "sha256"}
        if sha256_of(body) != content["sha256"]:
            raise InvalidRecord("it was changed after it was written (its sha256 does not fit)")
        if (content["digest"], content["key"]) != (identity.digest, identity.key):
            raise InvalidRecord("its digest or key is not that of its contents")
        return cls(
            identity=identity,
            status=content["status"],
            error=content["error"] and Failure(**content["error"]),
            budget_used=content["budget_used"],
            evaluations=tuple(evaluation_of(e) for e in content["evaluations"]),
            training=from_plain(Training, content["training"]),
            provenance=content["provenance"],
            timing=content["timing"],
            proposals=from_plain(Proposals, content["proposals"])
            if "proposals" in content
            else None,
            replay=from_plain(Replay, content["replay"]) if "replay" in content else None,
            engine=content["engine"] and Engine(**content["engine"]),
        )


def score_of(returns: Sequence[float], rule: Constant, threshold: Constant | None) -> float:
    """Return the score that a protocol's rule makes of raw returns.

    Args:
        returns: Of the episodes of an evaluation, at least one.
        rule: ``mean``, or ``percent_above``: the percentage of returns above the threshold.
        threshold: Exclusive; for ``percent_above`` only.

    Raises:
        InvalidRecord: There is no such rule.

    >>> score_of([1.0, 2.0, 6.0], "mean", None), score_of([230.0, 231.0], "percent_above", 230.0)
    (3.0, 50.0)
    """
    if rule == "mean":
        return fsum(returns) / len(returns)
    if rule == "percent_above" and isinstance(threshold, int | float):
        return 100.0 * sum(value > threshold for value in returns) / len(returns)
    raise InvalidRecord(f"its score rule {rule!r} with the threshold {threshold!r} is unknown")


def plain(part: Evaluation | Training | Proposals | Replay | Engine) -> dict[str, Any]:
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


def evaluation_of(data: Mapping[str, Any]) -> Evaluation:
    """Return an evaluation from JSON data."""
    measures = {name: tuple(values) for name, values in data["measures"].items()}
    return from_plain(Evaluation, {**data, "measures": measures})


def check_schema(content: object, name: str) -> None:
    """Raise InvalidRecord unless the content fits a JSON Schema beside this module."""
    import fastjsonschema

    try:
        _validator(name)(content)
    except fastjsonschema.JsonSchemaException as error:
        raise InvalidRecord(str(error)[:200]) from error


@cache
def _validator(name: str) -> Callable[[object], object]:
    """Return the compiled schema."""
    import fastjsonschema

    text = resources.files("rlbench.results").joinpath(f"{name}.schema.json").read_bytes()
    validate: Callable[[object], object] = fastjsonschema.compile(strict_json.load(text))
    return validate
