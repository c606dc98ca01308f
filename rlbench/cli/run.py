"""`rlbench run`: run an agent on a suite; the same command again does what is left."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlbench.api.asking import (
    DEFAULT_STORE,
    parse_eval_points,
    parse_options,
    parse_seeds,
    parse_suite,
)
from rlbench.cli.config import TEACHER_PREFIX, Settings, read_config
from rlbench.cli.options import StoreOption, SuiteOption, UnofficialOption
from rlbench.cli.output import echo
from rlbench.errors import InvalidRecord, StoreError, UsageError
from rlbench.results import Identity, Loaded, Problem, Store
from rlbench.results.store import check_recordable
from rlbench.suites import Suite, Task

if TYPE_CHECKING:
    from rlbench.api.places import Places
    from rlbench.runners import Limits, Resolved, Run

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
STEP_TIMEOUT = 3600.0  # a training phase of an agent that owns its loop counts as one step


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
        str, typer.Option("--teacher", help="Of a curriculum; named as agents are.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="The agent's display name.")] = "",
    given: Annotated[
        str,
        typer.Option(
            "--given",
            metavar="WORD,...",
            help="What a command that says nothing itself was given, e.g. pretraining.",
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
    eval_points: Annotated[
        str,
        typer.Option(
            "--eval-points",
            metavar="N|A,B,...",
            help="More evaluations, for a curve: N spread over the budget, or at A, B, ...",
        ),
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE.toml",
            callback=read_config,
            is_eager=True,
            help="Take options from a file.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs and what they will take.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Run an agent on the tasks of a suite and keep a record of each run.

    Runs that are in the store already are not run again: after an interruption, the same command
    does the rest. Exit code 1 means that some runs failed.
    """
    from rlbench.api.places import parse_places
    from rlbench.runners import Limits, Run, identities, resolve
    from rlbench.runners.tracking import check_trackers

    settings: Settings = context.obj
    check_trackers(settings.track)
    chosen = parse_suite(suite, unofficial)
    options = {**settings.options, **parse_options(option)}
    chosen.load_factory()
    mine = {k: v for k, v in options.items() if not k.startswith(TEACHER_PREFIX)}
    who = resolve(agent, mine, name or None, trust=trust, given=_words(given))
    guide = _parse_teacher(chosen, teacher, options)
    wanted = identities(
        chosen, _parse_tasks(chosen, tasks), who.id, parse_seeds(seeds), guide.id if guide else None
    )
    if not quiet:
        _print_sources(who, guide)
    points = {
        identity.task: _points(chosen, chosen.task(identity.task), eval_points)
        for identity in wanted
    }
    place = Store(store)
    loaded = place.load() if store.is_dir() else Loaded([], [])
    left = _not_done(wanted, loaded)
    places = parse_places(
        device,
        jobs=jobs,
        runs_per_gpu=runs_per_gpu,
        runs=len(wanted),
        has_group=chosen.protocol.kind != "offline" and who.has_group,
    )
    if dry_run:
        from rlbench.cli.dry_run import print_plan

        print_plan(chosen, wanted, left, loaded, store, len(places.slots) * places.group)
        return 0

    place.prepare({r.identity.key for r in loaded.records if r.status == "ok"})
    free = _clear_way(place, left, loaded.problems)
    if not left:
        if not quiet:
            echo(f"all {len(wanted)} runs are in {store} already")
        return 0
    runs = [
        Run(
            identity=identity, agent=who.recipe, teacher=guide.recipe if guide else None,
            store=str(store), device=device, threads=places.threads,
            checkpoint_every=settings.checkpoint_every, track=settings.track,
            eval_points=points[identity.task],
        )
        for identity in free
    ]  # fmt: skip
    if not free:
        return EXIT_FAILED
    code = _execute(
        runs, places, place, Limits(step_timeout, timeout), done=len(wanted) - len(left),
        quiet=quiet,
    )  # fmt: skip
    return code or (EXIT_FAILED if len(free) < len(left) else 0)


def _clear_way(
    place: Store, left: Sequence[Identity], problems: Sequence[Problem]
) -> list[Identity]:
    """Return the runs that can be recorded, and name each file that is no record.

    A file that was read and is no record is moved out of the way of a run. Nothing else is moved:
    a run whose record's place is taken by a file that cannot be judged is left out.

    Raises:
        UsageError: The reader would refuse the record of a run.
    """
    paths = {place.record_of(identity): identity for identity in left}
    taken: dict[Path, str] = {}
    for problem in problems:
        below = [path for path in paths if problem.path in (path, *path.parents)]
        said = f"{problem.path}: {problem.reason}"
        if not below:
            echo(f"left out: {said}", err=True)
        elif problem.kind != "bad":
            taken |= dict.fromkeys(below, said)
        else:
            try:
                target = place.set_aside(problem)
            except StoreError as error:
                taken[problem.path] = f"{error}; it is in the way: {problem.reason}"
                continue
            echo(f"set aside: {problem.path} -> {target or 'gone'}: {problem.reason}", err=True)
    free = []
    for path, identity in paths.items():
        try:
            check_recordable(identity)
        except InvalidRecord as error:
            raise UsageError(
                f"{identity.task}, seed {identity.seed}, cannot be recorded: {error}"
            ) from error
        if path not in taken and not place.is_writable(identity):
            taken[path] = f"the folder {path.parent} cannot be written"
        if path in taken:
            what = f"{identity.task}, seed {identity.seed}"
            echo(f"not run: {what}: its record has no place: {taken[path]}", err=True)
        else:
            free.append(identity)
    return free


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _print_sources(agent: "Resolved", teacher: "Resolved | None") -> None:
    """Say which files or which version the runs go by."""
    for kind, who in (("agent", agent), ("teacher", teacher)):
        if who is not None:
            echo(f"{kind} {who.id.name}: {who.source_text}")


def _parse_teacher(suite: Suite, spec: str, options: Mapping[str, Any]) -> "Resolved | None":
    """Return the teacher, which curricula have and other suites have not."""
    from rlbench.runners import resolve_teacher

    is_curriculum = suite.protocol.kind == "curriculum"
    own = {
        key.removeprefix(TEACHER_PREFIX): value
        for key, value in options.items()
        if key.startswith(TEACHER_PREFIX)
    }
    if is_curriculum and not spec:
        raise UsageError(f"the suite {suite.id} is a curriculum: name a --teacher, e.g. uniform")
    if not is_curriculum and (spec or own):
        raise UsageError(f"the suite {suite.id} is no curriculum and takes no teacher")
    return resolve_teacher(spec, own) if spec else None


def _execute(
    runs: Sequence["Run"],
    places: "Places",
    place: Store,
    limits: "Limits",
    *,
    done: int,
    quiet: bool,
) -> int:
    """Execute the runs under a display; return the exit code."""
    from rlbench.cli.progress import make_display
    from rlbench.runners import run_all

    display = make_display(runs, len(places.slots) * places.group, done=done, quiet=quiet)
    try:
        with _stop_when_asked() as stopping, display:
            run_all(
                runs, slots=places.slots, group=places.group, listen=display.listen,
                limits=limits, stopping=stopping,
            )  # fmt: skip
    except KeyboardInterrupt:
        pass
    except StoreError as error:
        raise StoreError(
            f"{error}; {display.finished} runs were recorded, the same command does the rest"
        ) from error
    if display.finished < len(runs):
        echo(
            f"rlbench: interrupted: {done + display.finished} of {done + len(runs)} runs are kept "
            f"in {place.path}; the same command does the rest",
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


@contextmanager
def _stop_when_asked() -> Iterator[Callable[[], bool]]:
    """Yield what says whether to stop: after Ctrl-C, SIGTERM or SIGUSR1.

    A second Ctrl-C ends everything at once.

    Raises:
        KeyboardInterrupt: At the second Ctrl-C.
    """
    asked = threading.Event()

    def note(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        echo("stopping: runs that can keep a checkpoint; Ctrl-C ends them at once", err=True)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    # One that is ignored, as Ctrl-C is in a shell's background jobs, stays so.
    replaced = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    for number in replaced:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number, old in replaced.items():
            signal.signal(number, old)


def _points(suite: Suite, task: Task, text: str) -> tuple[int, ...]:
    """Return the extra evaluation points of a task."""
    return parse_eval_points(text, suite.protocol_of(task).budget) if text.strip() else ()


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
