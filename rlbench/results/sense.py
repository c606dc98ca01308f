"""What no record may say: its parts contradict each other, its protocol or what is possible."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from rlbench import suites
from rlbench.errors import InvalidRecord, RLBenchError, UsageError
from rlbench.results.identity import check_identity
from rlbench.results.text import published_look_alike

if TYPE_CHECKING:
    from rlbench.results.record import Evaluation, Record

MAX_BUDGET = 10**15


def check_sense(record: "Record") -> None:
    """Raise InvalidRecord if the parts of a record contradict each other, or cannot be."""
    for check in _CHECKS:
        for problem in check(record):
            raise InvalidRecord(problem)


def _parts(record: "Record") -> Iterator[str]:
    if (record.status == "ok") == (record.error is not None):
        yield f"status {record.status} and error {record.error} contradict each other"
    if record.status == "ok" and not record.evaluations:
        yield "status ok without an evaluation"
    training = record.training
    if len(training.ends) != len(training.returns):
        yield "the training's numbers of ends and of returns differ"
    if len(training.ends) > training.episodes or not _counts(training.ends):
        yield "the training's ends are not those of its episodes"
    proposals = record.proposals
    if proposals and len({len(p) for p in (
        proposals.ends, proposals.parameters, proposals.returns, proposals.lengths,
        proposals.successes,
    )}) > 1:  # fmt: skip
        yield "its columns of proposals differ in length"


def _names(record: "Record") -> Iterator[str]:
    identity = record.identity
    check_identity(identity)
    try:
        _ = identity.folder
    except UsageError as error:
        yield str(error)
    for who in (identity.agent, identity.teacher):
        if who and (other := published_look_alike(who.name)):
            yield f"the name {who.name!r} looks like {other!r}, which is another agent's"
    is_curriculum = identity.constants.get("kind") == "curriculum"
    if (identity.teacher is not None) != is_curriculum:
        yield "it names a teacher, but is not a curriculum" if identity.teacher else (
            "it is of a curriculum, but names no teacher"
        )  # fmt: skip
    if record.proposals and not is_curriculum:
        yield "it has proposals, but is not a curriculum"


def _budget(record: "Record") -> Iterator[str]:
    budget = record.identity.constants.get("budget")
    if type(budget) is not int or not 1 <= budget <= MAX_BUDGET:
        yield "its constants name no budget"
    elif record.budget_used > budget:
        yield f"it spent {record.budget_used}, over the budget of {budget}"
    if not _counts((record.identity.seed, record.budget_used)):
        yield "its seed or its budget is not an integer"
    if any(end > record.budget_used for end in record.training.ends[-1:]):
        yield "a training episode ended after the budget that was spent"
    at = [evaluation.budget_used for evaluation in record.evaluations]
    if not _counts(at) or at != sorted(at) or at[-1:] > [record.budget_used]:
        yield "its evaluations are not in the order of the budget that was spent"


def _final(record: "Record") -> Iterator[str]:
    """Compare the evaluations with those of the protocol."""
    constants = record.identity.constants
    names = str(constants.get("evaluations", "test")).split()
    episodes = constants.get("episodes")
    if type(episodes) is not int or not names:
        yield "its constants name no evaluation, or no number of episodes"
    for evaluation in record.evaluations:
        if evaluation.name not in names:
            yield f"it has an evaluation {evaluation.name!r}, its protocol {' and '.join(names)}"
    if record.status != "ok":
        return
    final = record.evaluations[-len(names) :]
    if [e.name for e in final] != names or any(e.extra for e in final):
        yield f"it does not end with the protocol's evaluations ({' and '.join(names)})"
    if any(e.budget_used != record.budget_used for e in final):
        yield "its final evaluation was made before the end"
    if any(len(e.returns) != episodes for e in final):
        yield f"the final evaluation does not have the protocol's {episodes} episodes"


def _episodes(record: "Record") -> Iterator[str]:
    identity = record.identity
    limit = identity.constants.get("max_episode_steps")
    low, high = _possible(identity.suite, identity.task, identity.digest)
    for evaluation in record.evaluations:
        yield from _of_evaluation(evaluation, limit if type(limit) is int else MAX_BUDGET)
        worst, best = min(evaluation.returns), max(evaluation.returns)
        if worst < low or best > high:
            yield (
                f"it has a return of {worst if worst < low else best}, and {identity.task} has "
                f"returns from {low} to {high}"
            )


def _of_evaluation(evaluation: "Evaluation", limit: int) -> Iterator[str]:
    number = len(evaluation.returns)
    if len(evaluation.lengths) != number:
        yield "the numbers of returns and of lengths of an evaluation differ"
    if any(len(values) != number for values in evaluation.measures.values()):
        yield "the numbers of returns and of measures of an evaluation differ"
    if not _counts(evaluation.lengths) or max(evaluation.lengths) > limit:
        yield f"an episode lasted {max(evaluation.lengths)} steps, over the limit of {limit}"
    if evaluation.distinct_starts > number:
        yield f"it has {evaluation.distinct_starts} distinct starts in {number} episodes"


def _counts(numbers: Sequence[Any]) -> bool:
    """Say whether numbers are integers in form, too: JSON Schema takes 1.0 for one."""
    return set(map(type, numbers)) <= {int}


@cache
def _possible(suite_id: str, task: str, digest: str) -> tuple[float, float]:
    """Return the returns that a task can have, if its suite is here and states them."""
    try:
        suite = suites.get(suite_id)
        found = suite.task(task)
    except (RLBenchError, ImportError):
        return -float("inf"), float("inf")
    return found.returns if suite.digest(found) == digest else (-float("inf"), float("inf"))


_CHECKS: tuple[Callable[["Record"], Iterator[str]], ...] = (
    _parts, _names, _budget, _episodes, _final,
)  # fmt: skip
