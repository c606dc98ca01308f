"""`rlbench compare --run`: do the runs that a sequential comparison needs until it is decided."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rlbench.api.asking import CHECKPOINT_SECONDS, DEFAULT_STORE, Asked, parse_suite
from rlbench.api.batches import (
    Ended,
    carry_out,
    decision_rows,
    decision_sentences,
    described,
    draw_ablation,
    draw_stopping,
    next_runs,
    of_blind_looks,
    of_fixed,
    of_seen,
)
from rlbench.api.clusters import Placement
from rlbench.api.entrants import Entrants, parse_entrant, resolve_entrants, with_teachers
from rlbench.api.running import Wanted
from rlbench.api.sequential import Standing, looked_at, plan_of, standing
from rlbench.api.stores import loaded_or_empty
from rlbench.cli.dry_run import Outlook
from rlbench.cli.options import tell
from rlbench.cli.output import EXIT_UNDECIDED, echo, print_json, print_table
from rlbench.cli.run import parse_tasks, print_sources, run_together
from rlbench.errors import UsageError
from rlbench.results.plans import ComparisonPlan, FixedPlan
from rlbench.results.reading import Reading
from rlbench.runners import Limits
from rlbench.runners.tracking import check_trackers


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
    for line in of_blind_looks(plan):
        tell(f"warning: {line}")
    if not how.json:
        _print_described(plan, entrants)
    if how.dry_run:
        return Decided(_print_next(plan, entrants, path, outlook, placement))
    check_trackers(how.track)

    def execute(wanted: Sequence[Wanted], title: str) -> int:
        return run_together(
            wanted, title, how.limits, quiet=how.json, checkpoint_every=how.checkpoint_every,
            track=how.track,
        )  # fmt: skip

    ended = carry_out(
        plan,
        entrants,
        path,
        placement,
        anew=how.new_plan,
        execute=execute,
        on_fixed=partial(_print_fixed, quiet=how.json),
    )
    if ended.code:
        return Decided(ended.code)
    rows = decision_rows(plan, ended.at)
    if not how.json:
        _report(plan, entrants, ended, rows)
    result = ended.at.result
    assert result is not None
    draw_stopping(result, how.out, tell)
    if base := settings.get("baseline"):
        draw_ablation(
            result, looked_at(plan, entrants, ended.at, ended.records), how.out, tell,
            base=base, statistic=plan.statistic, alpha=plan.alpha, suite=entrants.suite,
        )  # fmt: skip
    return Decided(0, rows)


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
    """Print what a plan is, and whom it compares."""
    for label, who in entrants.agents.items():
        print_sources(who, entrants.teachers.get(label))
    for line in described(plan):
        echo(line)


def _print_fixed(fixed: FixedPlan, *, quiet: bool) -> None:
    """Say which plan it is, and what may be wrong with it."""
    for line in of_seen(fixed):
        tell(f"note: {line}")
    if not quiet:
        echo(of_fixed(fixed))


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
    wanted = next_runs(plan, entrants, at, path, placement)
    outlook.add(
        batch, dict(zip(at.needed, wanted, strict=True)),
        batches=plan.max_batches - at.next_batch + 1, awaiting=outlook.awaiting,
    )  # fmt: skip
    return EXIT_UNDECIDED


def _report(
    plan: ComparisonPlan, entrants: Entrants, ended: Ended, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Print what was decided, after how many batches, and what that saved."""
    assert ended.at.result is not None
    done, most = ended.at.result.looks
    print_table(rows, list(rows[0])[:6], f"decided after batch {done} of at most {most}")
    for line in decision_sentences(plan, entrants, ended, rows):
        echo(line)
