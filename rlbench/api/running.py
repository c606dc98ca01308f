"""Runs that are wanted: which are left, what is in their way, and where they go."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rlbench.api.asking import CHECKPOINT_SECONDS, TEACHER_PREFIX, parse_eval_points
from rlbench.api.clusters import FoundPlaces, Placement, Work, find_places
from rlbench.api.places import Places
from rlbench.api.progress import Display
from rlbench.api.stores import Tell, loaded_or_empty
from rlbench.errors import ClusterError, InvalidRecord, StoreError, UsageError
from rlbench.results import Identity, Loaded, Problem, Store, identities
from rlbench.results.scores import under_other_constants
from rlbench.results.store import check_recordable
from rlbench.runners import (
    AgentFactory,
    Limits,
    Resolved,
    Run,
    resolve,
    resolve_teacher,
    run_all,
)
from rlbench.runners.agents.agent import AGENTS
from rlbench.runners.agents.objects import find_object, importable_spec
from rlbench.runners.agents.resolving import resolve_found
from rlbench.runners.backends.here import run_here
from rlbench.runners.run import Players
from rlbench.suites import Suite, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Runs that are wanted.

    Attributes:
        suite: Of all of them.
        agent: The same.
        teacher: The same, in a curriculum.
        store: Where records go.
        loaded: What is in there already.
        identities: What is wanted.
        left: Those of them that have no ``ok`` record yet.
        points: Extra evaluation points by task.
        places: Where runs may be.
        device: As the user named it.
        run_all: Executes runs, as `rlbench.runners.run_all` does.
        factory: Makes the agent in this process, if no other can.
    """

    suite: Suite
    agent: Resolved
    teacher: Resolved | None
    store: Store
    loaded: Loaded
    identities: list[Identity]
    left: list[Identity]
    points: Mapping[str, tuple[int, ...]]
    places: Places
    device: str
    run_all: Callable[..., None] = run_all
    factory: AgentFactory | None = None

    @property
    def at_a_time(self) -> int:
        """How many go on at a time."""
        if self.factory is not None:
            return 1
        return len(self.places.slots) * self.places.group


def want(
    suite: Suite,
    tasks: Sequence[Task],
    agent: Resolved,
    seeds: Sequence[int],
    *,
    store: Path,
    teacher: Resolved | None = None,
    eval_points: str = "",
    placement: Placement = Placement(),  # noqa: B008 - it is immutable
    factory: AgentFactory | None = None,
    loaded: Loaded | None = None,
    found_places: FoundPlaces | None = None,
) -> Wanted:
    """Return the runs of an agent that are wanted.

    Args:
        suite: The suite.
        tasks: Some of its tasks.
        agent: The agent.
        seeds: Of the runs.
        store: The folder of records.
        teacher: In a curriculum.
        eval_points: See `parse_eval_points`; nothing for those of the protocol.
        placement: Where they may be.
        factory: Makes the agent in this process, if no other can.
        loaded: What the store holds of the suite, if it was read already.
        found_places: What `find_places` returned, if the runs share places with others.

    Raises:
        UsageError: Something does not fit.
    """
    found = identities(suite, tasks, agent.id, seeds, teacher.id if teacher else None)
    points = {
        identity.task: _points(suite, suite.task(identity.task), eval_points) for identity in found
    }
    if loaded is None:
        loaded = loaded_or_empty(store, suite)
    left = _not_done(found, loaded)
    suite.check_can_run(suite.task(name) for name in dict.fromkeys(run.task for run in left))
    if factory is not None and placement.backend != "local":
        raise UsageError("an agent that only this process knows runs here: put it into a file")
    if found_places is None:
        players = Players(agent.recipe, teacher.recipe if teacher else None)
        found_places = find_places(placement, Work(suite, [players], len(found), agent.has_group))
    places, execute_all = found_places
    return Wanted(
        suite=suite, agent=agent, teacher=teacher, store=Store(store), loaded=loaded,
        identities=found, left=left, points=points, places=places,
        device=placement.device, run_all=execute_all, factory=factory,
    )  # fmt: skip


def want_evaluations(
    suite: Suite,
    tasks: Sequence[Task],
    policy: str | Callable[..., Any],
    seeds: Sequence[int],
    *,
    config: Mapping[str, Any],
    name: str = "",
    given: Sequence[str] | None = None,
    trust: bool = False,
    store: Path,
    device: str = "cpu",
    jobs: int = 0,
) -> Wanted:
    """Return the runs of a saved or fixed policy that are wanted; `prepare` them with trains=False.

    Args:
        suite: The suite.
        tasks: Some of its tasks.
        policy: See `find_agent`, as for `config`, `name` and `trust`.
        seeds: Of the runs.
        config: The same.
        name: The same.
        given: What it was given; by default pretraining, or nothing if it comes with rlbench.
        trust: The same.
        store: See `want`, as for those below.
        device: The same.
        jobs: The same.

    Raises:
        UsageError: Something does not fit.
    """
    if suite.protocol.kind == "curriculum":
        raise UsageError(f"{suite.id} is a curriculum, which trains: run it")
    suite.load_factory()
    if given is None:
        given = given_of_policy(policy)
    who, factory = find_agent(policy, config, name, given, trust=trust)
    place = Placement(device=device, jobs=jobs)
    return want(suite, tasks, who, seeds, store=store, placement=place, factory=factory)


def given_of_policy(policy: str | Callable[..., Any]) -> tuple[str, ...]:
    """Return what a policy was given by default: pretraining, or nothing if it is ours."""
    return () if isinstance(policy, str) and policy in AGENTS.own else ("pretraining",)


def find_agent(
    agent: str | Callable[..., Any],
    config: Mapping[str, Any],
    name: str,
    given: Sequence[str],
    *,
    trust: bool,
) -> tuple[Resolved, AgentFactory | None]:
    """Return an agent, and what makes it if that is in this process alone.

    Args:
        agent: What names it, or a class or function.
        config: Its options.
        name: Its display name, or nothing for its own.
        given: What it was given besides what it says itself.
        trust: Accept a file of data that runs code when it is loaded.

    Raises:
        UsageError: It cannot be found or told from others, or an option does not fit.
    """
    spec = agent if isinstance(agent, str) else importable_spec(agent)
    if isinstance(agent, str) or spec:
        return resolve(spec, config, name or None, trust=trust, given=given), None
    found = find_object(agent)
    who = resolve_found("agent", found.spec, config, found, name=name or None, given=given)
    return who, agent


def prepare(
    wanted: Wanted,
    tell: Tell,
    *,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    track: tuple[str, ...] = (),
    trains: bool = True,
) -> list[Run]:
    """Make the store ready, and return the runs that can be recorded in it.

    Args:
        wanted: What is wanted.
        tell: Is told of each file that is in the way, of runs that cannot be recorded, and of
            records that were made before the suite's file was changed.
        checkpoint_every: Seconds between two checkpoints.
        track: Trackers that are told of runs.
        trains: Spend the budget; else the agent is evaluated as it is made.

    Raises:
        StoreError: The store cannot be written.
        UsageError: The reader would refuse the record of a run.
    """
    place, loaded = wanted.store, wanted.loaded
    if wanted.suite.file and (said := under_other_constants(loaded.records, wanted.suite)):
        tell(f"note: the store {place.path} has {said}; they are kept apart")
    place.prepare({r.identity.key for r in loaded.records if r.status == "ok"})
    return [
        Run(
            identity=identity, agent=wanted.agent.recipe,
            teacher=wanted.teacher.recipe if wanted.teacher else None,
            store=str(place.path), device=wanted.device, threads=wanted.places.threads,
            checkpoint_every=checkpoint_every, track=track, trains=trains,
            suite_spec=wanted.suite.spec,
            eval_points=wanted.points[identity.task],
        )
        for identity in _clear_way(place, wanted.left, loaded.problems, tell)
    ]  # fmt: skip


def find_teacher(suite: Suite, spec: str, options: Mapping[str, Any]) -> Resolved | None:
    """Return the teacher, which curricula have and other suites have not.

    Args:
        suite: The suite.
        spec: What names the teacher.
        options: Of the run; those of the teacher begin with ``teacher.``.

    Raises:
        UsageError: A curriculum has none, another suite has one, or it cannot be found.
    """
    is_curriculum = suite.protocol.kind == "curriculum"
    own = {
        key.removeprefix(TEACHER_PREFIX): value
        for key, value in options.items()
        if key.startswith(TEACHER_PREFIX)
    }
    if is_curriculum and not spec:
        raise UsageError(f"the suite {suite.id} is a curriculum: name a --teacher, e.g. uniform")
    if not is_curriculum and (spec or own):
        raise UsageError(f"the suite {suite.id} is not a curriculum and takes no teacher")
    return resolve_teacher(spec, own) if spec else None


@contextmanager
def stop_when_asked(tell: Tell) -> Iterator[Callable[[], bool]]:
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
        tell("stopping: runs that can keep a checkpoint; Ctrl-C ends them at once")

    is_main = threading.current_thread() is threading.main_thread()  # others hear no signals
    asking = ("SIGINT", "SIGTERM", "SIGUSR1") if is_main else ()
    names = [name for name in asking if hasattr(signal, name)]
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


def _clear_way(
    place: Store, left: Sequence[Identity], problems: Sequence[Problem], tell: Tell
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
            tell(f"left out: {said}")
        elif problem.kind != "bad":
            taken |= dict.fromkeys(below, said)
        else:
            try:
                target = place.set_aside(problem)
            except StoreError as error:
                taken[problem.path] = f"{error}; it is in the way: {problem.reason}"
                continue
            tell(f"set aside: {problem.path} -> {target or 'gone'}: {problem.reason}")
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
            tell(f"not run: {what}: its record has no place: {taken[path]}")
        else:
            free.append(identity)
    return free


def _points(suite: Suite, task: Task, text: str) -> tuple[int, ...]:
    """Return the extra evaluation points of a task."""
    return parse_eval_points(text, suite.protocol_of(task).budget) if text.strip() else ()


def _not_done(wanted: Sequence[Identity], loaded: Loaded) -> list[Identity]:
    """Return what has no ``ok`` record yet."""
    done = {record.identity.key for record in loaded.records if record.status == "ok"}
    return [identity for identity in wanted if identity.key not in done]


def execute(
    runs: Sequence[Run],
    wanted: Wanted,
    display: Display,
    tell: Tell,
    *,
    limits: Limits,
) -> bool:
    """Execute runs under a display; say whether all of them were seen to.

    Args:
        runs: Those that can be recorded.
        wanted: What they are of.
        display: Is told of all that happens.
        tell: Is told when they are asked to stop.
        limits: How long things may take, of runs in workers.

    Raises:
        StoreError: A record could not be written.
        ClusterError: The cluster does not execute runs.
    """
    try:
        with stop_when_asked(tell) as stopping, display:
            if wanted.factory is not None:
                run_here(runs, wanted.factory, listen=display.listen, stopping=stopping)
            else:
                wanted.run_all(
                    runs, slots=wanted.places.slots, group=wanted.places.group,
                    listen=display.listen, limits=limits, stopping=stopping,
                )  # fmt: skip
    except KeyboardInterrupt:
        return False
    except (StoreError, ClusterError) as error:
        raise type(error)(
            f"{error}; {display.finished} runs were recorded: run the same command again to do "
            "the rest"
        ) from error
    return display.finished == len(runs)
