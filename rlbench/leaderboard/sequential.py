"""Pages of sequential comparisons: what a plan has decided so far, from records alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import RLBenchError
from rlbench.results import Record
from rlbench.results.engines import other_engines, usual_engines
from rlbench.results.plans import (
    ComparisonPlan,
    FixedPlan,
    decision_text,
    recorded,
    whole_batches,
)
from rlbench.stats import AdaStopResult, adastop
from rlbench.stats.aggregates import LABELS
from rlbench.suites import Suite

WIDTH, HEIGHT = 280, 130  # px of a panel
EDGE = 14  # px around what is drawn
MAX_PANELS = 36

Floats = NDArray[np.float64]


class PairPanel(NamedTuple):
    """The statistic of a pair after each batch, and the boundaries, as SVG points.

    Attributes:
        a: The first agent.
        b: The second.
        decision: In a word or two.
        sentence: The decision in words.
        batches: After how many batches it was made.
        statistic: The last one; None if it is infinite.
        upper: The points of the upper boundary.
        lower: Those of the lower one.
        seen: Those of the statistic.
    """

    a: str
    b: str
    decision: str
    sentence: str
    batches: int
    statistic: float | None
    upper: tuple[tuple[float, float], ...]
    lower: tuple[tuple[float, float], ...]
    seen: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential:
    """A sequential comparison as a page shows it.

    Attributes:
        fixed: Its plan.
        statistic: What is compared, in words.
        result: Of the test, or None before the first batch is complete.
        problem: Why there is no result, if something is wrong.
        panels: A pair each.
        needed: Runs of the plan that its decisions took.
        planned: Runs of the whole plan.
    """

    fixed: FixedPlan
    statistic: str
    result: AdaStopResult | None
    problem: str
    panels: tuple[PairPanel, ...]
    needed: int
    planned: int

    @property
    def plan(self) -> ComparisonPlan:
        """The plan."""
        return self.fixed.plan

    @property
    def title(self) -> str:
        """The agents that are compared."""
        return " and ".join(self.plan.agents) if len(self.plan.agents) < 4 else (
            f"{len(self.plan.agents)} agents"
        )  # fmt: skip

    @property
    def is_decided(self) -> bool:
        """Whether no more runs are needed."""
        return self.result is not None and not self.result.undecided_agents


def sequentials(
    plans: Iterable[FixedPlan], records: Sequence[Record], suite: Suite
) -> list[Sequential]:
    """Return the comparisons of a suite whose plans stand in a store, the newest first.

    Args:
        plans: Those of a store.
        records: What it holds.
        suite: With its unofficial constants, if those are meant.
    """
    digests = {task.name: suite.digest(task) for task in suite.tasks}
    found = [
        _sequential(fixed, records, suite)
        for fixed in plans
        if fixed.plan.suite == suite.id
        and dict(fixed.plan.unofficial) == dict(suite.unofficial)
        and all(digests.get(task) == digest for task, digest in fixed.plan.digests.items())
    ]
    return sorted(found, key=lambda each: (each.fixed.fixed, each.plan.id), reverse=True)


def _sequential(fixed: FixedPlan, records: Sequence[Record], suite: Suite) -> Sequential:
    plan = fixed.plan
    of_agents = recorded(plan, suite, records)
    mine = [r for by_run in of_agents.values() for r in by_run.values()]
    result, problem = None, ""
    if others := other_engines(mine, suite, usual_engines(mine, suite)):
        names = ", ".join(sorted(set(others.values())))
        problem = f"runs were made on another engine than the rest ({names})"
    else:
        tasks = [task for task in suite.tasks if task.name in plan.digests]
        arrays = {
            label: whole_batches(plan, suite, tasks, of_agents[label]) for label in plan.agents
        }
        if all(len(of_tasks[0]) for of_tasks in arrays.values()):
            statistic: Any = plan.statistic
            rule: Any = plan.rule
            try:
                result = adastop(
                    arrays, batch=plan.batch, max_batches=plan.max_batches, alpha=plan.alpha,
                    futility=plan.futility, statistic=statistic, comparisons=plan.comparisons,
                    rule=rule,
                )  # fmt: skip
            except RLBenchError as error:
                problem = str(error)
    return Sequential(
        fixed=fixed,
        statistic=LABELS.get(plan.statistic, plan.statistic),
        result=result,
        problem=problem,
        panels=tuple(_panels(plan, result)) if result else (),
        needed=sum(result.runs.values()) * len(plan.digests) if result else 0,
        planned=len(plan.agents) * len(plan.digests) * plan.batch * plan.max_batches,
    )


def _panels(plan: ComparisonPlan, result: AdaStopResult) -> Iterable[PairPanel]:
    boundaries = np.array(result.boundaries)
    values = [abs(v) for seen in result.statistics.values() for v in seen if np.isfinite(v)]
    values += boundaries[np.isfinite(boundaries)].tolist()
    top = 1.15 * max(values, default=1.0) or 1.0
    upper = _points(boundaries, top, plan.max_batches)
    lower = _points(-boundaries, top, plan.max_batches)
    for (a, b), seen in result.statistics.items():
        decision = result.decisions[a, b]
        yield PairPanel(
            a=a, b=b, decision=decision,
            sentence=_sentence(plan, a, b, decision, len(seen)),
            batches=len(seen),
            statistic=float(seen[-1]) if np.isfinite(seen[-1]) else None,
            upper=upper, lower=lower,
            seen=_points(np.array(seen), top, plan.max_batches),
        )  # fmt: skip


def _points(values: Floats, top: float, most: int) -> tuple[tuple[float, float], ...]:
    """Return where values after each batch stand, in px; those that are infinite at the edge."""
    drawn = np.clip(values, -top, top).tolist()
    step = (WIDTH - 2 * EDGE) / max(most - 1, 1)
    return tuple(
        (round(EDGE + look * step, 1), round(HEIGHT / 2 - value / top * (HEIGHT / 2 - EDGE), 1))
        for look, value in enumerate(drawn)
    )


def _sentence(plan: ComparisonPlan, a: str, b: str, decision: str, batches: int) -> str:
    """Return a decision in words."""
    after = f"after batch {batches} of at most {plan.max_batches}"
    if decision == "undecided":
        return f"{a} and {b} are undecided {after}: more runs are needed."
    return decision_text(
        a, b, decision, statistic=LABELS.get(plan.statistic, plan.statistic), after=after,
        ruled_out=plan.futility if batches < plan.max_batches else None,
    )  # fmt: skip
