"""Which agent is better, and how many runs it takes: rows, and what must be said of them."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple, cast

import numpy as np

from rlbench.api.apart import Compared, Question, apart_rows, barring, despite_of
from rlbench.api.asking import Asked
from rlbench.api.gathering import Gathered, gather
from rlbench.api.pairs import (
    Needed,
    aligned,
    comparison_rows,
    coverage_notes,
    sentences,
    with_deviations,
    without_number,
)
from rlbench.api.scales import Scale, of_raw_scores
from rlbench.api.stores import Tell
from rlbench.errors import UnknownName, UsageError
from rlbench.results.rankable import ranked_together, why_not_ranked
from rlbench.stats import AdaStopResult, adastop, plan, runs_needed
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.futility import cost
from rlbench.stats.permutation import STATISTICS
from rlbench.stats.stopping import CLAIM

ADASTOP = "adastop"  # the stopping rule that there is
_FEW_RUNS = 10  # of a batch, on one task
_FAR_APART = 5  # times that agents far apart are compared, to see whether a look tells them apart
_POWERS = (0.8, 0.9, 0.99)  # for which the cost of futility is told

Row = dict[str, Any]


class Stopping(NamedTuple):
    """What is decided batch by batch.

    Attributes:
        result: Of the test.
        rows: A pair a row.
        sentences: What to do now.
        notes: What must be said of them.
        warnings: What is wrong with the plan.
    """

    result: AdaStopResult
    rows: list[Row]
    sentences: list[str]
    notes: list[str]
    warnings: list[str]


class Planned(NamedTuple):
    """What numbers of runs give.

    Attributes:
        rows: A number of runs a row.
        needed: How many runs pairs need; None where no number is enough.
        notes: What must be said of them.
    """

    rows: list[Row]
    needed: Needed
    notes: list[str]


def statistic_of(name: str) -> TestStatistic:
    """Return a statistic that can be tested.

    Raises:
        UnknownName: It is none.
    """
    if name not in STATISTICS:
        raise UnknownName("statistic", name, STATISTICS)
    return cast(TestStatistic, name)


def gather_to_compare(asked: Asked, scale: Scale, tell: Tell) -> Gathered:
    """Return the agents to compare, and what must be said of their scores.

    Raises:
        InvalidScores: As `gather` does.
        UsageError: The same.
    """
    found = gather(asked, scale, tell)
    found.notes.extend(of_raw_scores(found.agents, scale))
    return found


def check_number(agents: Sequence[str], least: int) -> None:
    """Raise UsageError if there are fewer agents than a comparison takes."""
    if len(agents) < least:
        there = f" there is only {agents[0]!r}" if agents else " there is none"
        raise UsageError(
            f"a comparison needs at least {('one agent', 'two agents')[least - 1]}:{there}"
        )


def check_stop(stop: str, found: Gathered, against: float | None) -> None:
    """Check that runs of agents can be compared batch by batch, where that is asked for.

    Raises:
        UnknownName: There is no such rule.
        UsageError: It does not fit what is compared.
    """
    if stop and against is not None:
        raise UsageError("--stop decides between agents, not --against a constant: leave one")
    if stop not in ("", ADASTOP):
        raise UnknownName("stopping rule", stop, [ADASTOP])
    if stop and found.published:
        raise UsageError(
            f"--stop decides on runs that are still to be done; those of {min(found.published)} "
            "are published: leave --stop out"
        )


def is_apart(found: Gathered, question: Question) -> bool:
    """Say whether the agents may not all be tested together."""
    barred = barring(found.published, despite=question.despite)
    return len(ranked_together(found.agents, barred, found.own)) > 1


def compared(found: Gathered, question: Question) -> Compared:
    """Return a row a pair of agents, and what must be said of them.

    Raises:
        InvalidScores: Tests cannot be made of the scores.
        UsageError: The agents have no task in common.
    """
    if is_apart(found, question):
        return apart_rows(found, question)
    notes = list(found.notes)
    scores = aligned(found.agents, question.scale, notes)
    statistic, scale = question.statistic, question.scale
    rows, pairs, needed = comparison_rows(scores, statistic, question.alpha, scale)
    despite = despite_of(found, question) if question.despite else None
    said = sentences(pairs, needed, statistic, scale, despite)
    if despite is not None:
        rows = [row | {"despite_protocols": despite.get((row["a"], row["b"]))} for row in rows]
    notes += coverage_notes(scores, statistic)
    rows = with_deviations(rows, found.published) if found.published else rows
    return Compared(rows, said, notes)


def stopping(
    found: Gathered,
    question: Question,
    batch: int,
    max_batches: int,
    futility: float | None = None,
) -> Stopping:
    """Decide batch by batch, on runs in the order of seeds.

    Raises:
        InvalidScores: There are too few runs, or the plan cannot be kept.
        UsageError: The agents have no task in common.
    """
    notes, scale = list(found.notes), question.scale
    scores = aligned(found.agents, scale, notes)
    result = adastop(
        scores, batch=batch, max_batches=max_batches, alpha=question.alpha,
        statistic=question.statistic, futility=futility,
    )  # fmt: skip
    rows = [
        {**row, "decision": scale.shown_decision(row["decision"]), **scale.better}
        for row in result.rows()
    ]
    done, _ = result.looks
    said = [f"Level spent: {result.level_spent:.4f}. Here {CLAIM}."]
    if result.undecided_agents:
        agents = ", ".join(result.undecided_agents)
        said.append(f"To go on, runs {done * batch + 1} to {(done + 1) * batch} of: {agents}.")
    notes.append(_order(found.unordered, list(found.agents)))
    tasks = max(map(len, scores.values()))
    warnings = blind_warnings(
        result.blind_looks, batch, max_batches, question.alpha, tasks, question.statistic
    )
    return Stopping(result, rows, said, notes, warnings)


def blind_warnings(
    looks: Sequence[int],
    batch: int,
    max_batches: int,
    alpha: float,
    tasks: int,
    statistic: TestStatistic,
) -> list[str]:
    """Return at which looks nothing can be decided, or hardly anything.

    On one task, the IQM of few runs leaves the outer ones out. So splits that swap these differ as
    much as the one that was observed, even if no run of one agent is among those of the other.

    Args:
        looks: Those at which nothing can be decided.
        batch: Runs a task in a batch.
        max_batches: How many looks there may be.
        alpha: The level.
        tasks: How many there are.
        statistic: What is compared.
    """
    if not looks:
        if tasks > 1 or statistic != "iqm" or batch > _FEW_RUNS:
            return []
        generator = np.random.default_rng(0)
        for _ in range(_FAR_APART):
            low, high = generator.normal(size=(2, batch))
            far = {"low": low, "high": high + 100}
            found = adastop(
                far, batch=batch, max_batches=max_batches, alpha=alpha, statistic=statistic
            )
            if found.decisions["low", "high"] == "smaller":
                return []
        return [
            "after batch 1 hardly anything can be decided, even between agents whose runs are far "
            "apart: on one task the IQM leaves the outer runs out. Take larger batches, or "
            "--statistic mean."
        ]
    return [
        f"nothing can be decided after batch {', '.join(map(str, looks))}, whatever the scores: "
        "there are too few permutations for the level. Take larger batches."
    ]


def futility_lines(difference: float | None, max_batches: int, alpha: float) -> list[str]:
    """Return what it costs and saves to give pairs up early; nothing without futility.

    Args:
        difference: The one that matters, if pairs are given up.
        max_batches: How many looks there may be.
        alpha: The level.
    """
    if difference is None:
        return []
    said = [
        f"Futility: a pair is given up once a difference of {difference:g} can be ruled out. In a "
        "model of normal differences this costs and saves:"
    ]
    for power in _POWERS:
        of = cost(max_batches, alpha=alpha, power=power)
        said.append(
            f"  if the whole plan finds {difference:g} with power {power:g}: power "
            f"{of.power - of.lost:.2f} instead; equal agents are saved {of.saved:.0%} of their runs"
        )
    return said


def planned(
    found: Gathered, question: Question, *, power: float, difference: float | None
) -> Planned:
    """Return what numbers of runs give, from the runs that there are.

    Args:
        found: The agents.
        question: What is asked of them.
        power: The chance of separating a pair, to plan for.
        difference: To plan for; by default those seen so far.

    Raises:
        UsageError: Two agents are not ranked together, or have no task in common.
    """
    for a, b in combinations(found.agents, 2):
        if why := why_not_ranked(a, b, found.published, found.own):
            raise UsageError(f"{a} and {b} are not planned for, since they are not ranked: {why}")
    notes = list(found.notes)
    scores = aligned(found.agents, question.scale, notes)
    statistic, alpha = question.statistic, question.alpha
    rows = plan(scores, statistic=statistic, alpha=alpha, difference=difference)
    needed: Needed = runs_needed(
        scores, power=power, statistic=statistic, alpha=alpha, difference=difference
    )
    if difference is None:
        needed = without_number(needed, scores, statistic)
    return Planned([row._asdict() for row in rows], needed, notes)


def _order(unordered: Sequence[str], agents: Sequence[str]) -> str:
    """Return in which order runs are taken."""
    if not unordered:
        return "Runs are taken in the order of seeds."
    whose = "" if len(unordered) == len(agents) else f" of {', '.join(unordered)}"
    others = "" if len(unordered) == len(agents) else ", those of the others in that of seeds"
    return f"Runs{whose} have no numbers as seeds and are taken in the order of the files{others}."
