"""`rlbench compare --run`: do the runs that a sequential comparison needs until it is decided."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlbench.api.asking import CHECKPOINT_SECONDS, DEFAULT_STORE, Asked, parse_suite
from rlbench.api.clusters import Placement
from rlbench.api.comparing import blind_warnings, futility_lines, statistic_of
from rlbench.api.entrants import (
    Entrants,
    parse_entrant,
    resolve_entrants,
    want_of_all,
    with_teachers,
)
from rlbench.api.running import Wanted
from rlbench.api.sequential import (
    Standing,
    looked_at,
    plan_of,
    seconds_saved,
    settle_plan,
    standing,
)
from rlbench.api.stores import loaded_or_empty
from rlbench.api.words import duration
from rlbench.cli.dry_run import Outlook
from rlbench.cli.figures import draw_ablation, draw_stopping
from rlbench.cli.options import tell
from rlbench.cli.output import EXIT_UNDECIDED, echo, print_json, print_table
from rlbench.cli.run import parse_tasks, print_sources, run_together
from rlbench.errors import UsageError
from rlbench.results import Record
from rlbench.results.plans import ComparisonPlan, FixedPlan, decision_text
from rlbench.results.reading import Reading
from rlbench.runners import Limits
from rlbench.runners.tracking import check_trackers
from rlbench.stats.aggregates import LABELS
from rlbench.stats.stopping import CLAIM, blind_looks


class Decided(NamedTuple):
    """What came of a comparison.

    Attributes:
        code: The exit code.
        rows: A pair a row, if it is decided.
    """

    code: int
    rows: Sequence[Mapping[str, Any]] = ()


class How(NamedTuple):
    """How a comparison is carried out.

    Attributes:
        tasks: Some tasks, or nothing for all; those of a study are in its file.
        teacher: Of agents that name none, in a curriculum.
        new_plan: Begin another plan for agents that have one.
        dry_run: Print the plan and its next runs, and do nothing.
        json: Print rows for a program.
        out: Where a figure of the boundaries goes, if anywhere.
        price: Of an hour of a slot, if the cost is asked for.
        limits: How long things may take.
        checkpoint_every: Seconds between two checkpoints.
        track: Trackers that are told of runs.
    """

    tasks: str
    teacher: str
    new_plan: bool
    dry_run: bool
    json: bool
    out: Path | None
    price: float | None
    limits: Limits
    checkpoint_every: float = CHECKPOINT_SECONDS
    track: tuple[str, ...] = ()


def run_comparison(
    asked: Asked,
    suite: str,
    unofficial: str,
    how: How,
    placement: Placement,
    settings: Mapping[str, Any],
) -> int:
    """Carry out a comparison; return the exit code.

    Args:
        asked: The agents, and the store.
        suite: The suite.
        unofficial: Its constants that are changed.
        how: How it is carried out.
        placement: Where runs are made.
        settings: As `plan_of` takes them.

    Raises:
        UsageError: Something does not fit.
    """
    path = _store_of(asked)
    if not suite:
        raise UsageError("--run needs a --suite to run the agents on")
    chosen = parse_suite(suite, unofficial)
    specs = [parse_entrant(spec) for spec in asked.sources]
    named = with_teachers(chosen, specs, how.teacher)
    entrants = resolve_entrants(chosen, parse_tasks(chosen, how.tasks), named)
    outlook = Outlook(how.price, json=how.json)
    found = decide(entrants, path, how, placement, settings, outlook)
    if how.dry_run:
        outlook.end()
    elif how.json and not found.code:
        print_json(found.rows)
    return found.code


def decide(
    entrants: Entrants,
    path: Path,
    how: How,
    placement: Placement,
    settings: Mapping[str, Any],
    outlook: Outlook,
) -> Decided:
    """Do runs until all pairs are decided, and report, but not as rows for a program.

    Args:
        entrants: The agents, on a suite.
        path: The store.
        how: How it is carried out.
        placement: Where runs are made.
        settings: As `plan_of` takes them.
        outlook: What a dry run has said already; it is told what comes next.
    """
    plan = plan_of(entrants, **settings)
    _warn_of_blind_looks(plan)
    if not how.json:
        _print_described(plan, entrants)
    if how.dry_run:
        return Decided(_print_next(plan, entrants, path, outlook, placement))
    check_trackers(how.track)
    records = loaded_or_empty(path, entrants.suite).records
    at = standing(plan, entrants, records)
    # Runs have a place before the plan is fixed: without one there would be a plan and no run.
    wanted = _next_runs(plan, entrants, at, path, placement)
    _print_fixed(settle_plan(path, plan, entrants, records, anew=how.new_plan), quiet=how.json)
    while wanted:
        title = f"batch {at.next_batch} of at most {plan.max_batches}: {', '.join(at.needed)}"
        if code := run_together(
            wanted, title, how.limits, quiet=how.json, checkpoint_every=how.checkpoint_every,
            track=how.track,
        ):  # fmt: skip
            return Decided(code)
        records = loaded_or_empty(path, entrants.suite).records
        at = standing(plan, entrants, records)
        wanted = _next_runs(plan, entrants, at, path, placement)
    rows = _rows(plan, at)
    if not how.json:
        _report(plan, entrants, at, records, rows)
    assert at.result is not None
    draw_stopping(at.result, how.out)
    if base := settings.get("baseline"):
        draw_ablation(
            at.result, looked_at(plan, entrants, at, records), how.out, base=base,
            statistic=plan.statistic, alpha=plan.alpha, suite=entrants.suite,
        )  # fmt: skip
    return Decided(0, rows)


def _next_runs(
    plan: ComparisonPlan, entrants: Entrants, at: Standing, path: Path, placement: Placement
) -> list[Wanted]:
    """Return the runs of the next batch, by agent; none where all is decided."""
    if not at.needed:
        return []
    seeds = plan.seeds(at.next_batch)
    return want_of_all(entrants, at.needed, seeds, store=path, placement=placement)


def _store_of(asked: Asked) -> Path:
    """Return the one store that runs go to.

    Raises:
        UsageError: Several are named, or something is said of files.
    """
    if asked.reading != Reading() or asked.agents or asked.rename or asked.within:
        raise UsageError(
            "--run takes agents to run, [NAME=]AGENT, and no options that say how files are read "
            "or which runs count"
        )
    if len(asked.stores) > 1:
        raise UsageError("--run keeps its runs in one --store: name one")
    return asked.stores[0] if asked.stores else DEFAULT_STORE


def _print_described(plan: ComparisonPlan, entrants: Entrants) -> None:
    """Print what a plan is, and what futility costs."""
    for label, who in entrants.agents.items():
        print_sources(who, entrants.teachers.get(label))
    last = plan.first_seed + plan.batch * plan.max_batches - 1
    echo(
        f"AdaStop on the {LABELS[plan.statistic]} of {len(plan.agents)} agents, "
        f"{len(plan.digests)} tasks of {plan.suite}: batches of {plan.batch} seeds a task, at most "
        f"{plan.max_batches} (seeds {plan.first_seed} to {last}), level {plan.alpha:g} over all "
        "pairs and batches"
    )
    for line in futility_lines(plan.futility, plan.max_batches, plan.alpha):
        echo(line)


def _print_fixed(fixed: FixedPlan, *, quiet: bool) -> None:
    """Say which plan it is, and what may be wrong with it."""
    if fixed.seen:
        tell(
            f"note: {fixed.seen} of the plan's runs were in the store when it was fixed. The level "
            "holds only if nobody chose the plan by their scores; --first-seed takes fresh seeds"
        )
    if not quiet:
        echo(f"plan {fixed.plan.id}, fixed {fixed.fixed}: {fixed.path}")


def _warn_of_blind_looks(plan: ComparisonPlan) -> None:
    numbers = plan.batch, plan.max_batches, plan.alpha, len(plan.digests)
    blind = blind_looks(*numbers)
    if len(blind) == plan.max_batches:
        raise UsageError(
            "this plan can decide nothing, whatever the scores: there are too few permutations for "
            "the level. Take larger batches, or more of them"
        )
    for line in blind_warnings(blind, *numbers, statistic_of(plan.statistic)):
        tell(f"warning: {line}")


def _print_next(
    plan: ComparisonPlan, entrants: Entrants, path: Path, outlook: Outlook, placement: Placement
) -> int:
    """Print the runs that come next, and do none.

    While settings of some agents are not chosen, nobody knows whether pairs are decided already.
    """
    at = Standing(None, 1, tuple(plan.agents))
    if not outlook.awaiting:
        at = standing(plan, entrants, loaded_or_empty(path, entrants.suite).records)
    if not at.needed:
        outlook.say("decided: no more runs are needed")
        return 0
    batch = f"batch {at.next_batch} of at most {plan.max_batches}"
    outlook.say(f"{batch} comes next:")
    wanted = _next_runs(plan, entrants, at, path, placement)
    outlook.add(
        batch, dict(zip(at.needed, wanted, strict=True)),
        batches=plan.max_batches - at.next_batch + 1, awaiting=outlook.awaiting,
    )  # fmt: skip
    return EXIT_UNDECIDED


def _rows(plan: ComparisonPlan, at: Standing) -> list[dict[str, Any]]:
    """Return a pair a row: what was decided, after how many batches, and by which plan."""
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


def _report(
    plan: ComparisonPlan,
    entrants: Entrants,
    at: Standing,
    records: list[Record],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Print what was decided, after how many batches, and what that saved."""
    result = at.result
    assert result is not None
    done, most = result.looks
    print_table(rows, list(rows[0])[:6], f"decided after batch {done} of at most {most}")
    for row in rows:
        echo(_sentence(row, LABELS[plan.statistic], plan.futility, most))
    echo(f"Level spent: {result.level_spent:.4f}. Here {CLAIM}.")
    runs, seconds = seconds_saved(plan, entrants, at, records)
    total = len(plan.agents) * len(plan.digests) * plan.batch * most
    echo(f"{total - runs} of {total} planned runs were needed; {runs} ({duration(seconds)}) saved.")


def _sentence(row: Mapping[str, Any], statistic: str, futility: float | None, most: int) -> str:
    """Return a decision in words."""
    return decision_text(
        row["a"], row["b"], row["decision"], statistic=statistic,
        after=f"after batch {row['batches']}",
        ruled_out=futility if row["batches"] < most else None,
    )  # fmt: skip
