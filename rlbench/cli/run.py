"""`rlbench run`: run an agent on a suite; the same command again does what is left."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rlbench.cli.options import (
    DEFAULT_STORE,
    StoreOption,
    SuiteOption,
    UnofficialOption,
    parse_assignment,
    parse_seeds,
    parse_suite,
)
from rlbench.errors import StoreError, UsageError
from rlbench.results import Identity, Loaded, Store
from rlbench.suites import Suite, Task

if TYPE_CHECKING:
    from rlbench.runners import Limits, Run

EXIT_FAILED = 1
STEP_TIMEOUT = 3600.0  # a training phase of an agent that owns its loop counts as one step


def run(
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
        typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the agent."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The agent's display name.")] = "",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Runs at a time; 0: one a CPU.")
    ] = 0,
    device: Annotated[str, typer.Option("--device", help="Passed on to the agent.")] = "cpu",
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=1, help="Seconds that a run may take.")
    ] = None,
    step_timeout: Annotated[
        float,
        typer.Option(
            "--step-timeout", min=1, help="Seconds that a step may take, with all calls in it."
        ),
    ] = STEP_TIMEOUT,
    unofficial: UnofficialOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs and what they will take.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Run an agent on the tasks of a suite and keep a record of each run.

    Runs that are in the store already are not run again: after an interruption, the same command
    does the rest. Exit code 1 means that some runs failed.
    """
    from rlbench.runners import Limits, Run, identities, resolve

    chosen = parse_suite(suite, unofficial)
    config = dict(parse_assignment(text) for text in option or [])
    chosen.load_factory()
    who = resolve(agent, config, name or None)
    wanted = identities(chosen, _parse_tasks(chosen, tasks), who, parse_seeds(seeds))
    place = Store(store)
    loaded = place.load() if store.is_dir() else Loaded([], [])
    left = _not_done(wanted, loaded)
    # Of all that is wanted, not of what is left: a run taken up later gets as many threads.
    jobs = min(jobs or os.cpu_count() or 1, len(wanted))
    if dry_run:
        from rlbench.cli.dry_run import print_plan

        print_plan(chosen, wanted, left, loaded, store, jobs)
        return 0

    place.prepare()
    for problem in loaded.problems:
        target = place.set_aside(problem)
        typer.echo(f"set aside: {problem.path} -> {target}: {problem.reason}", err=True)
    if not left:
        if not quiet:
            typer.echo(f"all {len(wanted)} runs are in {store} already")
        return 0
    threads = max(1, (os.cpu_count() or 1) // jobs)
    return _execute(
        [Run(identity=i, store=str(store), device=device, threads=threads) for i in left],
        jobs, place, Limits(step_timeout, timeout), done=len(wanted) - len(left), quiet=quiet,
    )  # fmt: skip


def _execute(
    runs: Sequence["Run"],
    jobs: int,
    place: Store,
    limits: "Limits",
    *,
    done: int,
    quiet: bool,
) -> int:
    """Execute the runs under a display; return the exit code."""
    from rlbench.cli.progress import make_display
    from rlbench.runners import run_all

    display = make_display(runs, jobs, done=done, quiet=quiet)
    try:
        with display:
            run_all(runs, jobs=jobs, listen=display.listen, limits=limits)
    except KeyboardInterrupt:
        kept = done + display.finished
        typer.echo(
            f"interrupted: {kept} of {done + len(runs)} runs are kept in {place.path}; "
            "the same command does the rest",
            err=True,
        )
        raise
    except StoreError as error:
        raise StoreError(
            f"{error}; {display.finished} runs were recorded, the same command does the rest"
        ) from error
    if not quiet:
        typer.echo(
            f"{display.finished} runs recorded in {place.path}, {len(display.failed)} failed"
        )
    for run, reason in display.failed:
        identity = run.identity
        typer.echo(
            f"failed: {identity.task}, seed {identity.seed}: {reason} "
            f"(log: {place.log_of(identity)})",
            err=True,
        )
    return EXIT_FAILED if display.failed else 0


def _parse_tasks(suite: Suite, text: str) -> list[Task]:
    """Return the named tasks in the order of the suite, or all."""
    if not text.strip():
        return list(suite.tasks)
    names = [name.strip() for name in text.split(",") if name.strip()]
    chosen = {suite.task(name).name for name in names}
    if not chosen:
        raise UsageError(f"--tasks {text!r} names no task")
    return [task for task in suite.tasks if task.name in chosen]


def _not_done(wanted: Sequence[Identity], loaded: Loaded) -> list[Identity]:
    """Return what has no ``ok`` record yet."""
    done = {record.identity.key for record in loaded.records if record.status == "ok"}
    return [identity for identity in wanted if identity.key not in done]
