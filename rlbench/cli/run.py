"""`rlbench run`: run an agent on a suite; the same command again does what is left."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlbench.api.asking import (
    DEFAULT_STORE,
    STEP_TIMEOUT,
    TEACHER_PREFIX,
    parse_seeds,
    parse_suite,
)
from rlbench.cli.config import Settings
from rlbench.cli.options import (
    ConfigOption,
    PriceOption,
    StepTimeoutOption,
    StoreOption,
    SuiteOption,
    TimeoutOption,
    UnofficialOption,
    tell,
)
from rlbench.cli.output import echo
from rlbench.errors import UsageError
from rlbench.results.values import parse_options
from rlbench.suites import Suite, Task

if TYPE_CHECKING:
    from rlbench.api.running import Wanted
    from rlbench.runners import Limits, Resolved, Run

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def run(
    context: typer.Context,
    suite: SuiteOption,
    agent: Annotated[
        str,
        typer.Option(
            "--agent",
            help="A registered name, file.py[:factory], module:factory, sb3:ALGO or cmd:COMMAND.",
        ),
    ],
    tasks: Annotated[str, typer.Option("--tasks", help="Some tasks, e.g. Pong,Breakout.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", help="How many (5), or which (0-4).")] = "5",
    store: StoreOption = DEFAULT_STORE,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME=VALUE",
            help="An option of the agent; teacher.NAME=VALUE: of the teacher.",
        ),
    ] = None,
    teacher: Annotated[
        str, typer.Option("--teacher", help="The teacher of a curriculum; named as agents are.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="The agent's display name.")] = "",
    given: Annotated[
        str,
        typer.Option(
            "--given",
            metavar="WORD,...",
            help="What a command was given, if it does not say so, e.g. pretraining.",
        ),
    ] = "",
    trust: Annotated[
        bool, typer.Option("--trust", help="Load an agent from a file that can run code.")
    ] = False,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=0, help="Workers at a time; 0: one a CPU or GPU place."),
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda (all GPUs), cuda:0,1 or auto.")
    ] = "cpu",
    runs_per_gpu: Annotated[
        int, typer.Option("--runs-per-gpu", min=1, help="Runs that share a GPU.")
    ] = 1,
    backend: Annotated[
        str, typer.Option("--backend", help="Where runs go: local, ray or slurm.")
    ] = "local",
    ray_address: Annotated[
        str, typer.Option("--ray-address", help="The Ray cluster's address; auto: this machine's.")
    ] = "auto",
    timeout: TimeoutOption = None,
    step_timeout: StepTimeoutOption = STEP_TIMEOUT,
    unofficial: UnofficialOption = "",
    eval_points: Annotated[
        str,
        typer.Option(
            "--eval-points",
            metavar="N|A,B,...",
            help="More evaluations, for a curve: N spread over the budget, or at A, B, ...",
        ),
    ] = "",
    config: ConfigOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs and what they will take.")
    ] = False,
    price_per_hour: PriceOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Run an agent on the tasks of a suite and keep a record of each run.

    Runs that are in the store already are not run again: after an interruption, the same command
    does the rest. Exit code 1 means that some runs failed.
    """
    from rlbench.api.clusters import Placement
    from rlbench.api.running import find_teacher, want
    from rlbench.runners import Limits, resolve
    from rlbench.runners.tracking import check_trackers

    settings: Settings = context.obj
    check_trackers(settings.track)
    chosen = parse_suite(suite, unofficial)
    options = {**settings.options, **parse_options(option or [])}
    chosen.load_factory()
    mine = {k: v for k, v in options.items() if not k.startswith(TEACHER_PREFIX)}
    who = resolve(agent, mine, name or None, trust=trust, given=words_in(given))
    guide = find_teacher(chosen, teacher, options)
    wanted = want(
        chosen, parse_tasks(chosen, tasks), who, parse_seeds(seeds), store=store, teacher=guide,
        eval_points=eval_points,
        placement=Placement(
            backend=backend, address=ray_address, options=settings.clusters,
            device=device, jobs=jobs, runs_per_gpu=runs_per_gpu,
        ),
    )  # fmt: skip
    if not quiet:
        print_sources(who, guide)
    if dry_run:
        from rlbench.cli.dry_run import print_plan

        print_plan([wanted], price_per_hour)
        return 0
    return run_wanted(
        wanted, Limits(step_timeout, timeout), checkpoint_every=settings.checkpoint_every,
        track=settings.track, quiet=quiet,
    )  # fmt: skip


def run_wanted(wanted: "Wanted", limits: "Limits", *, quiet: bool, **how: Any) -> int:
    """Execute the runs that are left; return the exit code.

    Args:
        wanted: What is wanted.
        limits: How long things may take.
        quiet: Print errors only.
        how: As `rlbench.api.running.prepare` takes it.
    """
    from rlbench.api.running import prepare

    runs = prepare(wanted, tell, **how)
    if lacking := _without_points(wanted):
        tell(
            f"note: {lacking} runs in {wanted.store.path} were made without these --eval-points, "
            "and none can be added later: name another --store to run them anew"
        )
    if not wanted.left:
        if not quiet:
            echo(f"all {len(wanted.identities)} runs are in {wanted.store.path} already")
        return 0
    if not runs:
        return EXIT_FAILED
    code = _execute(runs, wanted, limits, quiet=quiet)
    return code or (EXIT_FAILED if len(runs) < len(wanted.left) else 0)


def _without_points(wanted: "Wanted") -> int:
    """Return how many of the runs that are there lack evaluations that are asked for."""
    keys = {identity.key for identity in wanted.identities}
    return sum(
        record.status == "ok"
        and record.identity.key in keys
        and not {e.budget_used for e in record.evaluations}
        >= {*wanted.points[record.identity.task]}
        for record in wanted.loaded.records
    )


def run_together(
    wanted: Sequence["Wanted"], title: str, limits: "Limits", *, quiet: bool, **how: Any
) -> int:
    """Do the runs of several agents side by side; return an exit code if not all have a score.

    Args:
        wanted: By agent, at least one; all share the same places.
        title: What they are of, printed first.
        limits: How long things may take.
        quiet: Print errors only.
        how: As `rlbench.api.running.prepare` takes it.
    """
    from rlbench.api.entrants import in_turn
    from rlbench.api.running import prepare

    if not quiet:
        echo(title)
    runs = [prepare(of_agent, tell, **how) for of_agent in wanted]
    if code := _execute_together(in_turn(runs), wanted[0], limits, quiet=quiet):
        return code
    if sum(map(len, runs)) < sum(len(of_agent.left) for of_agent in wanted):
        tell("rlbench: undecided: it goes on once all these runs have a score")
        return EXIT_FAILED
    return 0


def _execute_together(
    runs: Sequence["Run"], wanted: "Wanted", limits: "Limits", *, quiet: bool
) -> int:
    """Do runs that share places; return an exit code if not all have a score."""
    from rlbench.api.running import execute
    from rlbench.cli.progress import make_display

    display = make_display(runs, wanted.at_a_time, done=0, quiet=quiet)
    if not execute(runs, wanted, display, tell, limits=limits):
        tell("rlbench: interrupted, undecided: run the same command again to go on")
        return EXIT_INTERRUPTED
    for run, reason in display.failed:
        log = wanted.store.log_of(run.identity)
        tell(f"failed: {display.name_of(run)}: {reason} (log: {log})")
    if display.failed:
        tell("rlbench: undecided: it goes on once all these runs have a score")
        return EXIT_FAILED
    return 0


def words_in(text: str) -> list[str]:
    """Return the words in a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def print_sources(agent: "Resolved", teacher: "Resolved | None") -> None:
    """Say which files or which version the runs go by."""
    for kind, who in (("agent", agent), ("teacher", teacher)):
        if who is not None:
            echo(f"{kind} {who.id.name}: {who.source_text}")


def _execute(runs: Sequence["Run"], wanted: "Wanted", limits: "Limits", *, quiet: bool) -> int:
    """Execute the runs under a display; return the exit code."""
    from rlbench.api.running import execute
    from rlbench.cli.progress import make_display

    place, done = wanted.store, len(wanted.identities) - len(wanted.left)
    display = make_display(runs, wanted.at_a_time, done=done, quiet=quiet)
    if not execute(runs, wanted, display, tell, limits=limits):
        echo(
            f"rlbench: interrupted: {done + display.finished} of {done + len(runs)} runs are kept "
            f"in {place.path}; run the same command again to do the rest",
            err=True,
        )
        return EXIT_INTERRUPTED
    if not quiet:
        echo(f"{display.finished} runs recorded in {place.path}, {len(display.failed)} failed")
    for run, reason in display.failed:
        identity = run.identity
        echo(
            f"failed: {identity.task}, seed {identity.seed}: {reason} "
            f"(log: {place.log_of(identity)})",
            err=True,
        )
    return EXIT_FAILED if display.failed else 0


def parse_tasks(suite: Suite, text: str) -> list[Task]:
    """Return the named tasks in the order of the suite, or all."""
    if not text.strip():
        return list(suite.tasks)
    names = [name.strip() for name in text.split(",") if name.strip()]
    chosen = {suite.task(name).name for name in names}
    if not chosen:
        raise UsageError(f"--tasks {text!r} names no task")
    return [task for task in suite.tasks if task.name in chosen]
