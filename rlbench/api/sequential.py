"""Comparisons whose test decides which runs come next: the plan, where it stands, what to run."""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.api.asking import MAX_SEED
from rlbench.api.entrants import Entrants
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results import Record
from rlbench.results.engines import other_engines, usual_engines
from rlbench.results.plans import (
    ComparisonPlan,
    FixedPlan,
    fix_plan,
    read_plans,
    recorded,
    whole_batches,
)
from rlbench.stats import AdaStopResult, adastop
from rlbench.stats.comparisons import TestStatistic


class Standing(NamedTuple):
    """Where a comparison stands.

    Attributes:
        result: Of the test; none before the first batch is complete.
        next_batch: The number of the batch that comes next, from 1.
        needed: The agents that it is needed of; none if all pairs are decided.
    """

    result: AdaStopResult | None
    next_batch: int
    needed: tuple[str, ...]


def plan_of(
    entrants: Entrants,
    *,
    statistic: TestStatistic,
    alpha: float,
    batch: int,
    max_batches: int,
    futility: float | None = None,
    first_seed: int = 0,
    baseline: str = "",
) -> ComparisonPlan:
    """Return the plan of a comparison.

    Args:
        entrants: The agents, on a suite.
        statistic: What is compared.
        alpha: The level, over all pairs and looks.
        batch: Runs a task in a batch.
        max_batches: How many looks there may be.
        futility: The difference that matters, if pairs are to be given up early.
        first_seed: Of the first batch.
        baseline: The agent that all others are compared with; by default all pairs are compared.

    Raises:
        InvalidScores: A number is out of range.
        UnknownName: There is no such baseline.
    """
    last = first_seed + batch * max_batches - 1
    if batch < 1 or max_batches < 1 or first_seed < 0 or last > MAX_SEED:
        raise InvalidScores(
            f"--batch {batch} and --max-batches {max_batches} must be at least 1, and the seeds "
            f"from {first_seed} on below 2^32"
        )
    if not 0 < alpha < 1 or (futility is not None and not 0 < futility < np.inf):
        raise InvalidScores(f"alpha {alpha} must be inside (0, 1), futility {futility} above 0")
    if baseline and baseline not in entrants.agents:
        raise UnknownName("baseline", baseline, entrants.agents)
    suite, labels = entrants.suite, list(entrants.agents)
    pairs = list(combinations(labels, 2))
    if baseline:
        pairs = [(baseline, label) for label in labels if label != baseline]
    return ComparisonPlan(
        suite=suite.id,
        unofficial=suite.unofficial,
        digests={task.name: suite.digest(task) for task in entrants.tasks},
        agents={label: who.id for label, who in entrants.agents.items()},
        teachers={label: who.id for label, who in entrants.teachers.items()},
        comparisons=tuple(pairs),
        first_seed=first_seed,
        batch=batch,
        max_batches=max_batches,
        alpha=alpha,
        futility=futility,
        statistic=statistic,
    )


def settle_plan(
    store: Path, plan: ComparisonPlan, entrants: Entrants, records: Iterable[Record], *, anew: bool
) -> FixedPlan:
    """Return the plan as it stands in the store; it is written if it is new.

    Args:
        store: The store.
        plan: What is wanted.
        entrants: Whom it compares.
        records: What the store holds.
        anew: Fix it also if these agents are compared by another plan already.

    Raises:
        UsageError: They are.
        StoreError: It cannot be written, or a file is no plan.
    """
    others = [fixed for fixed in read_plans(store) if _compares_the_same(fixed.plan, plan)]
    if not anew and others and all(fixed.plan.id != plan.id for fixed in others):
        last = max(others, key=lambda fixed: fixed.fixed)
        raise UsageError(
            f"these agents are compared by the plan {last.path} already, and this plan is another "
            f"({'; '.join(plan.changed_from(last.plan))}): repeat the settings of that plan, or "
            "begin another with --new-plan"
        )
    seen = sum(map(len, recorded(plan, entrants.suite, records).values()))
    return fix_plan(store, plan, seen=seen)


def standing(plan: ComparisonPlan, entrants: Entrants, records: Iterable[Record]) -> Standing:
    """Return where a comparison stands, from the records alone.

    A batch counts once all its runs have a record. Other records change nothing.

    Raises:
        UsageError: Runs of a task were made on engines that behave differently.
    """
    suite = entrants.suite
    runs = recorded(plan, suite, records)
    mine = [record for of_agent in runs.values() for record in of_agent.values()]
    if others := other_engines(mine, suite, usual_engines(mine, suite)):
        names = ", ".join(sorted(set(others.values())))
        raise UsageError(
            f"{len(others)} of the plan's runs were made on another engine than the rest "
            f"({names}), so they are not compared: begin a plan of fresh seeds with --new-plan "
            "--first-seed N"
        )
    arrays = {
        label: whole_batches(plan, suite, entrants.tasks, runs[label]) for label in plan.agents
    }
    if missing := tuple(label for label, tasks in arrays.items() if not len(tasks[0])):
        return Standing(None, 1, missing)
    statistic: Any = plan.statistic
    result = adastop(
        arrays, batch=plan.batch, max_batches=plan.max_batches, alpha=plan.alpha,
        futility=plan.futility, statistic=statistic, comparisons=plan.comparisons,
    )  # fmt: skip
    return Standing(result, result.looks[0] + 1, result.undecided_agents)


def seconds_saved(
    plan: ComparisonPlan, entrants: Entrants, at: Standing, records: Iterable[Record]
) -> tuple[int, float]:
    """Return how many runs of the plan were not needed, and the seconds that they would have taken.

    A run of an agent would have taken as long as its others did on average.
    """
    assert at.result is not None
    made = recorded(plan, entrants.suite, records)
    runs, saved = 0, 0.0
    for label, done in at.result.runs.items():
        spared = (plan.batch * plan.max_batches - done) * len(plan.digests)
        runs += spared
        saved += spared * float(np.mean([r.slot_seconds or 0.0 for r in made[label].values()]))
    return runs, saved


def looked_at(
    plan: ComparisonPlan, entrants: Entrants, at: Standing, records: Iterable[Record]
) -> dict[str, list[NDArray[np.float64]]]:
    """Return what the test looked at: by label, one array (runs,) of normalised scores a task."""
    assert at.result is not None
    made = recorded(plan, entrants.suite, records)
    return {
        label: [
            task[:runs] for task in whole_batches(plan, entrants.suite, entrants.tasks, made[label])
        ]
        for label, runs in at.result.runs.items()
    }


def _compares_the_same(a: ComparisonPlan, b: ComparisonPlan) -> bool:
    """Say whether two plans compare agents of the same names on the same suite."""
    return (a.suite, dict(a.unofficial), set(a.agents)) == (
        b.suite, dict(b.unofficial), set(b.agents),
    )  # fmt: skip
