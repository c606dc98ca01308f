"""A sequential comparison, carried out: batch after batch, until all pairs are decided."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rlbench.api.clusters import Placement
from rlbench.api.comparing import blind_warnings, futility_lines, statistic_of
from rlbench.api.entrants import Entrants, want_of_all
from rlbench.api.running import Wanted
from rlbench.api.sequential import Standing, seconds_saved, settle_plan, standing
from rlbench.api.stores import Tell, loaded_or_empty
from rlbench.api.words import duration
from rlbench.errors import UsageError
from rlbench.results import Record
from rlbench.results.plans import ComparisonPlan, FixedPlan, decision_text
from rlbench.stats.aggregates import LABELS
from rlbench.stats.stopping import CLAIM, blind_looks

if TYPE_CHECKING:
    from rlbench.leaderboard import Plot
    from rlbench.stats import AdaStopResult
    from rlbench.suites import Suite

# Does the runs of several agents, under a title; returns an exit code if not all have a score.
Execute = Callable[[Sequence[Wanted], str], int]


class Ended(NamedTuple):
    """How a comparison ended.

    Attributes:
        code: An exit code, if runs have no score; else 0.
        at: Where it stands.
        records: What the store holds of the suite.
    """

    code: int
    at: Standing
    records: list[Record]


def carry_out(
    plan: ComparisonPlan,
    entrants: Entrants,
    path: Path,
    placement: Placement,
    *,
    anew: bool,
    execute: Execute,
    on_fixed: Callable[[FixedPlan], None],
) -> Ended:
    """Do runs until all pairs are decided, or some have no score.

    Args:
        plan: What decides.
        entrants: The agents, on a suite.
        path: The store.
        placement: Where runs are made.
        anew: Fix the plan also if these agents are compared by another plan already.
        execute: Does the runs of a batch.
        on_fixed: Is told of the plan as it stands in the store, before its first run.

    Raises:
        UsageError: Something does not fit.
    """
    records = loaded_or_empty(path, entrants.suite).records
    at = standing(plan, entrants, records)
    # Runs have a place before the plan is fixed: without one there would be a plan and no run.
    wanted = next_runs(plan, entrants, at, path, placement)
    on_fixed(settle_plan(path, plan, entrants, records, anew=anew))
    while wanted:
        title = f"batch {at.next_batch} of at most {plan.max_batches}: {', '.join(at.needed)}"
        if code := execute(wanted, title):
            return Ended(code, at, records)
        records = loaded_or_empty(path, entrants.suite).records
        at = standing(plan, entrants, records)
        wanted = next_runs(plan, entrants, at, path, placement)
    return Ended(0, at, records)


def next_runs(
    plan: ComparisonPlan, entrants: Entrants, at: Standing, path: Path, placement: Placement
) -> list[Wanted]:
    """Return the runs of the next batch, by agent; none where all is decided."""
    if not at.needed:
        return []
    seeds = plan.seeds(at.next_batch)
    return want_of_all(entrants, at.needed, seeds, store=path, placement=placement)


def draw_stopping(result: "AdaStopResult", out: Path | None, tell: Tell) -> None:
    """Write the figure of a sequential comparison into a folder, if one is named."""
    if out is None:
        return
    from rlbench.leaderboard import plot_stopping

    _save(plot_stopping(result), out, tell)


def draw_ablation(
    result: "AdaStopResult",
    scores: Mapping[str, list[Any]],
    out: Path | None,
    tell: Tell,
    *,
    base: str,
    statistic: str,
    alpha: float,
    suite: "Suite",
) -> None:
    """Write the figure of the differences to a base into a folder, if one is named.

    Args:
        result: What `stats.adastop` returned.
        scores: By agent, one array (runs,) a task: what it looked at.
        out: The folder.
        tell: Is told of the files, and of what must be said of them.
        base: The agent that all others were compared with.
        statistic: What was compared.
        alpha: The level of the test.
        suite: By which scores are normalised.
    """
    if out is None:
        return
    from rlbench.leaderboard import plot_ablation
    from rlbench.stats import drops

    found = drops(scores, result, base=base, statistic=statistic, alpha=alpha)
    plot = plot_ablation(
        found, base=base, statistic=statistic, scores=scores, looks=result.looks[1],
        normalised_by=f"the {' and '.join(suite.references)} scores of {suite.id}",
    )  # fmt: skip
    _save(plot, out, tell)


def _save(plot: "Plot", out: Path, tell: Tell) -> None:
    tell(f"{plot.kind}: {', '.join(map(str, plot.save(out)))}")
    for note in plot.notes:
        tell(note)


def described(plan: ComparisonPlan) -> list[str]:
    """Say what a plan is, and what futility costs."""
    last = plan.first_seed + plan.batch * plan.max_batches - 1
    return [
        f"AdaStop on the {LABELS[plan.statistic]} of {len(plan.agents)} agents, "
        f"{len(plan.digests)} tasks of {plan.suite}: batches of {plan.batch} seeds a task, at most "
        f"{plan.max_batches} (seeds {plan.first_seed} to {last}), level {plan.alpha:g} over all "
        "pairs and batches",
        *futility_lines(plan.futility, plan.max_batches, plan.alpha),
    ]


def of_blind_looks(plan: ComparisonPlan) -> list[str]:
    """Say at which looks a plan can decide nothing, or hardly anything.

    Raises:
        UsageError: At none of them it can.
    """
    numbers = plan.batch, plan.max_batches, plan.alpha, len(plan.digests)
    blind = blind_looks(*numbers)
    if len(blind) == plan.max_batches:
        raise UsageError(
            "this plan can decide nothing, whatever the scores: there are too few permutations for "
            "the level. Take larger batches, or more of them"
        )
    return blind_warnings(blind, *numbers, statistic_of(plan.statistic))


def of_seen(fixed: FixedPlan) -> list[str]:
    """Say what may be wrong with a plan of runs that were there already."""
    if not fixed.seen:
        return []
    return [
        f"{fixed.seen} of the plan's runs were in the store when it was fixed. The level "
        "holds only if nobody chose the plan by their scores; --first-seed takes fresh seeds"
    ]


def of_fixed(fixed: FixedPlan) -> str:
    """Say which plan it is."""
    return f"plan {fixed.plan.id}, fixed {fixed.fixed}: {fixed.path}"


def decision_rows(plan: ComparisonPlan, at: Standing) -> list[dict[str, Any]]:
    """Return a row a pair: a, b, decision, batches, statistic, runs, plan, suite."""
    assert at.result is not None
    rows: list[dict[str, Any]] = []
    for (a, b), decision in at.result.decisions.items():
        seen = at.result.statistics[a, b]
        rows.append(
            {
                "a": a, "b": b, "decision": decision, "batches": len(seen),
                "statistic": seen[-1] if np.isfinite(seen[-1]) else None,
                "runs": len(seen) * plan.batch * len(plan.digests), "plan": plan.id,
                "suite": plan.suite,
            }
        )  # fmt: skip
    return rows


def decision_sentences(
    plan: ComparisonPlan, entrants: Entrants, ended: Ended, rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Say what was decided, and how many runs that saved."""
    assert ended.at.result is not None
    most = ended.at.result.looks[1]
    said = [_sentence(row, LABELS[plan.statistic], plan.futility, most) for row in rows]
    said.append(f"Level spent: {ended.at.result.level_spent:.4f}. Here {CLAIM}.")
    runs, seconds = seconds_saved(plan, entrants, ended.at, ended.records)
    total = len(plan.agents) * len(plan.digests) * plan.batch * most
    said.append(
        f"{total - runs} of {total} planned runs were needed; {runs} ({duration(seconds)}) saved."
    )
    return said


def _sentence(row: Mapping[str, Any], statistic: str, futility: float | None, most: int) -> str:
    """Return a decision in words."""
    return decision_text(
        row["a"], row["b"], row["decision"], statistic=statistic,
        after=f"after batch {row['batches']}",
        ruled_out=futility if row["batches"] < most else None,
    )  # fmt: skip
