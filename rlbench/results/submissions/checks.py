"""The gate of submissions: a flat list of rules, each of which says what it refuses and why.

Everything that is read here was written by strangers. Nothing of it is executed or followed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import pairwise
from math import lgamma, log
from typing import Any

from rlbench import suites
from rlbench.errors import InvalidRecord, RLBenchError
from rlbench.results import published, strict_json
from rlbench.results.identity import Identity
from rlbench.results.record import Evaluation, Record
from rlbench.results.submissions import card as cards
from rlbench.results.submissions.bundle import (
    CARD,
    MAX_SUMMARY,
    RECORDS,
    SUMMARY,
    Files,
    Refusal,
    actions_name,
    names_of,
    place_of,
    summary_of,
)
from rlbench.results.submissions.card import Card
from rlbench.results.text import skeleton
from rlbench.suites import Suite

MAX_REFUSALS = 1000  # of a bundle
MAX_SPEED = 1_000_000  # training steps a second: faster than any engine here
CHANCE = log(1_000_000)  # one in so many orders of the same episodes is that of another run
MIN_SHARED = 5  # scores that two agents must have in common before they count as copied
LATER = timedelta(days=1)  # that a clock may be wrong
AGAIN = "run rlbench submit again"
_RECORD = re.compile(rf"{RECORDS}/[^/]+/[^/]+/[^/]+/[^/]+\.json")
_ACTIONS = re.compile(rf"{RECORDS}/[^/]+/[^/]+/[^/]+/[^/]+\.actions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A bundle whose files could all be read.

    Attributes:
        place: Where it was found below the folder of submissions, e.g.
            ``ann/atari100k-1-spr-0123abcd``.
        files: Path below the bundle to content.
        card: Its card.
        summary: What ``bundle.json`` holds.
        records: By file; of one suite and agent, at least one.
        suite: The suite.
        today: When it is checked.
    """

    place: str
    files: Files
    card: Card
    summary: Any
    records: Mapping[str, Record]
    suite: Suite
    today: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def identity(self) -> Identity:
        """What all runs share, and the task and seed of one of them."""
        return next(iter(self.records.values())).identity

    @property
    def scored(self) -> dict[str, Record]:
        """The runs that ended well, by file."""
        return {name: record for name, record in self.records.items() if record.status == "ok"}

    def refuse(self, kind: str, name: str, problem: str, advice: str = AGAIN) -> Refusal:
        """Return a refusal of one of its files."""
        return Refusal(kind, f"{self.place}/{name}" if name else self.place, problem, advice)


Found = tuple[Submission | None, list[Refusal]]
Refuse = Callable[[str, str, str, str], None]  # kind, name, problem, advice


def check_files(place: str, files: Files, today: datetime | None = None) -> Found:
    """Check the files of one bundle by all rules that need no other.

    Args:
        place: Where it stands below the folder of submissions.
        files: Path below the bundle to content, as `read_bundle` returns them.
        today: When it is checked; now by default.

    Returns:
        The submission, if it can be read at all, and why it is refused.
    """
    submission, refused = _parse(place, files, today or datetime.now(UTC))
    if submission is not None:
        for rule in RULES:
            refused += rule(submission)
    return submission, refused[:MAX_REFUSALS]


def _parse(place: str, files: Files, today: datetime) -> Found:
    """Read the parts of a bundle; there is a submission only if all could be read."""
    refused: list[Refusal] = []

    def refuse(kind: str, name: str, problem: str, advice: str) -> None:
        refused.append(Refusal(kind, f"{place}/{name}".rstrip("/"), problem, advice))

    for name in (CARD, SUMMARY):
        if name not in files:
            refuse("file", name, "it is missing", AGAIN)
    for name in sorted(files.keys() - {CARD, SUMMARY}):
        if not _RECORD.fullmatch(name) and not _ACTIONS.fullmatch(name):
            refuse("file", name, "a bundle cannot hold such a file", "remove it")
    fields = _read_card(files, refuse)
    summary = _read_summary(files, refuse)
    records = _read_records(files, refuse)
    suite = _suite_of(records, refuse) if records else None
    if refused or suite is None:
        return None, refused
    return Submission(
        place=place, files=files, card=cards.card_of(fields), summary=summary, records=records,
        suite=suite, today=today,
    ), []  # fmt: skip


def _read_card(files: Files, refuse: Refuse) -> dict[str, Any]:
    if CARD not in files:
        return {}
    fields, why = cards.read_fields(files[CARD])
    for problem in [why] if why else cards.problems_of(fields):
        refuse("card", CARD, problem, "mend the card")
    return fields


def _read_summary(files: Files, refuse: Refuse) -> Any:
    try:
        return strict_json.load(files[SUMMARY], MAX_SUMMARY) if SUMMARY in files else None
    except InvalidRecord as error:
        refuse("json", SUMMARY, str(error), AGAIN)
        return None


def _read_records(files: Files, refuse: Refuse) -> dict[str, Record]:
    found: dict[str, Record] = {}
    names = [name for name in sorted(files) if _RECORD.fullmatch(name)]
    for name in names:
        try:
            found[name] = Record.from_bytes(files[name])
        except InvalidRecord as error:
            refuse("record", name, str(error), "submit records as rlbench wrote them")
    if not names:
        refuse("file", RECORDS, "there are no records", AGAIN)
    return found


def _suite_of(records: Mapping[str, Record], refuse: Refuse) -> Suite | None:
    """Return the suite that all records are of, officially; refuse what is of none."""
    first = next(iter(records.values())).identity
    try:
        suite = suites.get(first.suite)
        digests = _digests(first.suite)
    except (RLBenchError, ImportError) as error:
        refuse(
            "suite", "", f"its suite cannot be loaded: {error}", "submit runs of a registered suite"
        )
        return None
    for name, record in records.items():
        identity = record.identity
        if identity.suite != first.suite:
            refuse("suite", name, f"it is of {identity.suite}, but others are of {first.suite}",
                   "make one bundle per suite")  # fmt: skip
        elif record.is_old:
            refuse("suite", name, "records of schema 1 are never ranked", "run it again")
        elif identity.unofficial:
            refuse("suite", name, "constants of its protocol were changed (--unofficial)",
                   "run it under the official protocol")  # fmt: skip
        elif digests.get(identity.task) != identity.digest:
            refuse("suite", name, f"its digest matches no task of {first.suite} here",
                   "run it with this release")  # fmt: skip
        elif identity.agent_key != first.agent_key:
            refuse("agent", name, f"its agent is not {first.agent.name!r}, or has other "
                   "options", "make one bundle per agent")  # fmt: skip
    return suite


@cache
def _digests(suite_id: str) -> dict[str, str]:
    suite = suites.get(suite_id)
    return {task.name: suite.digest(task) for task in suite.tasks}


# Rules. Each yields what it refuses in a submission.


def _place(s: Submission) -> Iterator[Refusal]:
    if s.place != (right := place_of(s.card.namespace, s.identity)):
        yield s.refuse(
            "place", "", f"by its card and records it belongs in {right}", f"rename it to {right}"
        )
    expected = names_of(list(s.records.values()))
    for name in s.records.keys() - expected.keys():
        yield s.refuse("place", name, "its contents belong at another path")
    for name in expected.keys() - s.records.keys():
        yield s.refuse("place", name, "a record is missing here, e.g. that of a failed attempt")


def _actions(s: Submission) -> Iterator[Refusal]:
    named = {
        actions_name(name, record): record.replay.actions
        for name, record in s.records.items()
        if record.replay is not None
    }
    for name in filter(_ACTIONS.fullmatch, s.files):
        if name not in named:
            yield s.refuse("file", name, "no record names these actions", "remove it")
        elif sha256(s.files[name]).hexdigest() != named[name]:
            yield s.refuse("hash", name, "its sha256 is not the one in its record")


def _summary(s: Submission) -> Iterator[Refusal]:
    """Compute what ``bundle.json`` says anew: hashes, scores and means."""
    right = summary_of(s.records, s.files, s.suite)
    stated = s.summary if isinstance(s.summary, dict) else {}
    for name in sorted(right.keys() | stated.keys()):
        if name in stated and _same(stated[name], right.get(name)) and name in right:
            continue
        kind = {"files": "hash", "scores": "score", "means": "score", "normalised_mean": "score"}
        what = _difference(stated.get(name), right.get(name))
        yield s.refuse(kind.get(name, "json"), SUMMARY, f"{name[:60]!r} differs from the records"
                       f"{what}")  # fmt: skip


def _same(one: Any, other: Any) -> bool:
    """Say whether JSON data is equal, types included: True is not 1."""
    return type(one) is type(other) and strict_json.dump(one) == strict_json.dump(other)


def _difference(stated: Any, right: Any) -> str:
    """Return the first name under which two mappings differ."""
    if not isinstance(stated, dict) or not isinstance(right, dict):
        return ""
    for name in sorted(stated.keys() | right.keys()):
        if not _same(stated.get(name), right.get(name)):
            return f": {ascii(name)[1:-1][:150]}"
    return ""


def _given(s: Submission) -> Iterator[Refusal]:
    if s.card.given != (right := s.identity.agent.given):
        said = ", ".join(right) or "nothing"
        yield s.refuse("given", CARD, f"its records say that the agent was given {said}",
                       f"write given = {list(right)}")  # fmt: skip


def _plan(s: Submission) -> Iterator[Refusal]:
    """All planned runs are there, whatever came of them, and no others."""
    planned = set(s.card.seeds)
    seen: dict[str, set[int]] = {}
    for name, record in s.records.items():
        seed = record.identity.seed
        seen.setdefault(record.identity.task, set()).add(seed)
        if seed not in planned:
            yield s.refuse("plan", name, f"seed {seed} is not among the seeds of the card",
                           "leave its runs out, and count it in other_seeds")  # fmt: skip
    for task in s.suite.tasks:
        if missing := sorted(planned - seen.get(task.name, set())):
            said = ", ".join(map(str, missing[:10])) + (" ..." if len(missing) > 10 else "")
            yield s.refuse("complete", task.name, f"no run of seed {said}",
                           "run them, or submit how they failed")  # fmt: skip


def _failures(s: Submission) -> Iterator[Refusal]:
    failed = len(s.records) - len(s.scored)
    if s.card.failed != failed:
        yield s.refuse("failures", CARD, f"failed is {s.card.failed}, and the bundle holds "
                       f"{failed} failed attempts", f"write failed = {failed}")  # fmt: skip
    if not s.scored:
        yield s.refuse("failures", "", "no run succeeded, so there is no score",
                       "submit an agent with scores")  # fmt: skip


def _budget(s: Submission) -> Iterator[Refusal]:
    for name, record in s.scored.items():
        if record.budget_used == 0 and "pretraining" not in record.identity.agent.given:
            yield s.refuse("budget", name, "it spent no budget, and its agent was not given "
                           "pretraining", "train it, or use rlbench evaluate")  # fmt: skip


def _points(s: Submission) -> Iterator[Refusal]:
    """Evaluations before the end are where the protocol has them, each with its episodes."""
    for name, record in s.scored.items():
        protocol = s.suite.protocol_of(s.suite.task(record.identity.task))
        own = [e for e in record.evaluations if not e.extra]
        early = own[: len(own) - len(protocol.evaluations)]
        if any(len(e.returns) != protocol.episodes_at_points for e in early):
            yield s.refuse("episodes", name, "an evaluation before the end does not have the "
                           f"protocol's {protocol.episodes_at_points} episodes",
                           "run it again")  # fmt: skip
        for point, end in pairwise(protocol.points):
            if end > record.budget_used or end - point <= protocol.train_envs:
                continue
            at = Counter(e.name for e in own if point <= e.budget_used < end)
            if at != dict.fromkeys(protocol.evaluations, 1):
                yield s.refuse("episodes", name, "it does not have one evaluation of each name at "
                               f"budget {point}", "run it again")  # fmt: skip
                break


def _starts(s: Submission) -> Iterator[Refusal]:
    for name, record in s.scored.items():
        task = s.suite.task(record.identity.task)
        final = record.final
        if s.suite.starts_vary and task.starts_vary and len(final.returns) >= 8 and (
            final.distinct_starts < 2
        ):  # fmt: skip
            yield s.refuse("episodes", name, "all its episodes start alike, but starts vary in "
                           "this suite", "run it again")  # fmt: skip


def _timing(s: Submission) -> Iterator[Refusal]:
    for name, record in s.records.items():
        if problem := _time_problem(record, s.today):
            yield s.refuse("timing", name, problem, "submit records as rlbench wrote them")


def _time_problem(record: Record, today: datetime) -> str:
    """Say what cannot be in a record's times; nothing if all can."""
    timing = record.timing
    try:
        started, finished = (
            datetime.fromisoformat(str(timing.get(name))) for name in ("started", "finished")
        )
        if finished < started or finished > today + LATER:
            return f"it cannot have finished at {str(timing.get('finished'))[:40]}"
    except (ValueError, TypeError, OverflowError):
        return "started and finished must be times with a time zone"
    seconds = timing.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return "its seconds must be a number above 0"
    spent = [e.train_seconds for e in record.evaluations]
    if spent != sorted(spent) or spent[-1:] > [seconds + 1]:
        return "its seconds of training decrease, or are more than those of the run"
    if record.status == "ok" and record.budget_used > MAX_SPEED * max(float(seconds), 1.0):
        return f"{record.budget_used:,} steps in {seconds} s are more than any engine can do"
    return ""


def _repeats(s: Submission) -> Iterator[Refusal]:
    if s.card.deterministic:
        return
    seen: dict[tuple[float, ...], str] = {}
    for name, record in s.scored.items():
        returns = record.final.returns
        if (other := seen.setdefault(returns, name)) != name and is_telling(record.final):
            yield s.refuse("repeat", name, f"its returns equal those of {other}, in order",
                           "submit both as they were run, or say deterministic = true")  # fmt: skip


RULES: tuple[Callable[[Submission], Iterator[Refusal]], ...] = (
    _place, _actions, _summary, _given, _plan, _failures, _budget, _points, _starts, _timing,
    _repeats,
)  # fmt: skip


def is_telling(evaluation: Evaluation) -> bool:
    """Say whether two runs have these returns in this order by chance once in a million at most.

    Of n episodes with the same returns, each order is equally likely. Episodes that are all alike,
    as a deterministic agent's may be, tell nothing.
    """
    counts = Counter(evaluation.returns).values()
    return lgamma(sum(counts) + 1) - sum(lgamma(n + 1) for n in counts) >= CHANCE


def check_between(new: Sequence[Submission], others: Sequence[Submission]) -> Iterator[Refusal]:
    """Compare submissions with each other, with accepted ones and with published scores.

    Args:
        new: What is checked.
        others: What was accepted before.
    """
    before = list(others)
    for submission in new:
        for rule in (_same_agent, _look_alike, _copies):
            yield from rule(submission, before)
        yield from _copies_of_published(submission)
        before.append(submission)


def _same_agent(s: Submission, others: Sequence[Submission]) -> Iterator[Refusal]:
    for other in others:
        if (other.suite.id, other.identity.agent_key) == (s.suite.id, s.identity.agent_key):
            yield s.refuse("agent", "", f"this agent is in {other.place} already",
                           "ask a maintainer to add runs to it")  # fmt: skip


def _look_alike(s: Submission, others: Sequence[Submission]) -> Iterator[Refusal]:
    name = s.identity.agent.name
    for other in others:
        theirs = other.identity.agent.name
        if other.card.namespace != s.card.namespace and name != theirs and (
            skeleton(name) == skeleton(theirs)
        ):  # fmt: skip
            yield s.refuse("name", "", f"the agent's name {name!r} looks like {theirs!r} in "
                           f"{other.place}", "give it another name")  # fmt: skip


def _copies(s: Submission, others: Sequence[Submission]) -> Iterator[Refusal]:
    if s.card.deterministic:
        return
    mine = {
        (record.identity.task, record.final.returns): name
        for name, record in s.scored.items()
        if is_telling(record.final)
    }
    for other in others:
        if other.suite.id != s.suite.id:
            continue
        theirs = {(r.identity.task, r.final.returns) for r in other.scored.values()}
        if both := sorted(mine[key] for key in mine.keys() & theirs):
            yield s.refuse("repeat", both[0], f"its returns equal those of a run in {other.place} "
                           f"({len(both)} such runs)", "submit your own runs")  # fmt: skip
        elif _share(_scores(s), _scores(other)):
            yield s.refuse("repeat", "", f"half of its scores equal those of {other.place}",
                           "submit your own runs")  # fmt: skip


def _copies_of_published(s: Submission) -> Iterator[Refusal]:
    if s.card.deterministic or not published.sources(s.suite.name):
        return
    runs, means = _scores(s), _means(s)
    for agent, scores in _published(s.suite.id).items():
        if _share(runs, scores) or _share(means, scores):
            yield s.refuse("repeat", "", f"half of its scores equal those of {agent}, as published",
                           "submit your own runs")  # fmt: skip


@cache
def _published(suite_id: str) -> dict[str, Counter[tuple[str, float]]]:
    """Return the scores of each published agent on a suite, by task."""
    found = published.load(suites.get(suite_id))
    return {
        agent: Counter((task, float(v)) for task, values in paper.values.items() for v in values)
        for agent, paper in found.items()
    }


def _scores(s: Submission) -> Counter[tuple[str, float]]:
    """Return the scores of runs whose episodes differ enough to tell runs apart."""
    return Counter(
        (record.identity.task, record.score)
        for record in s.scored.values()
        if is_telling(record.final)
    )


def _means(s: Submission) -> Counter[tuple[str, float]]:
    """Return the mean score of each task: some sources publish nothing else."""
    return Counter(summary_of(s.records, s.files, s.suite)["means"].items())


def _share(mine: Counter[tuple[str, float]], theirs: Counter[tuple[str, float]]) -> bool:
    """Say whether so many scores are equal that they must have been copied."""
    common = (mine & theirs).total()
    return common >= MIN_SHARED and 2 * common >= mine.total()


def notes_of(s: Submission) -> list[str]:
    """Return what a reviewer should know of a submission that is accepted, a line each."""
    done = {(r.identity.task, r.identity.seed) for r in s.scored.values()}
    lost = {(r.identity.task, r.identity.seed) for r in s.records.values()} - done
    said = [f"{s.place}: {len(s.scored)} runs of {s.identity.agent.name} on {s.suite.id}"]
    if s.card.failed:
        said.append(f"{s.place}: {s.card.failed} failed attempts; {len(lost)} runs have no score")
    if s.card.other_seeds:
        said.append(f"{s.place}: {s.card.other_seeds} more seeds were run and left out")
    if s.card.deterministic:
        said.append(f"{s.place}: declared deterministic, so copied scores were not looked for")
    return said
