"""`rlbench.run` and `rlbench.evaluate`: agents on suites, from a script or a notebook."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from rlbench.api.asking import (
    CHECKPOINT_SECONDS,
    DEFAULT_STORE,
    PUBLISHED,
    STEP_TIMEOUT,
    TEACHER_PREFIX,
    parse_seeds,
    parse_suite,
)
from rlbench.api.bars import display_of
from rlbench.api.clusters import Placement
from rlbench.api.gathering import gather_records
from rlbench.api.loading import Results
from rlbench.api.pythonic import in_python
from rlbench.api.running import (
    Wanted,
    execute,
    find_agent,
    find_teacher,
    prepare,
    want,
    want_evaluations,
)
from rlbench.api.scales import Scale
from rlbench.api.words import printable
from rlbench.errors import RunError, UsageError
from rlbench.runners import Limits, Run
from rlbench.suites import Constant, Suite, Task

AgentLike = str | Callable[..., Any]


@in_python
def run(
    suite: str | Suite,
    agent: AgentLike,
    *,
    tasks: str | Sequence[str] | None = None,
    seeds: int | str | Iterable[int] = 5,
    store: str | PathLike[str] = DEFAULT_STORE,
    config: Mapping[str, Any] | None = None,
    name: str = "",
    given: Sequence[str] = (),
    teacher: str = "",
    trust: bool = False,
    device: str = "cpu",
    jobs: int = 0,
    runs_per_gpu: int = 1,
    backend: str = "local",
    ray_address: str = "auto",
    cluster: Mapping[str, Any] | None = None,
    unofficial: Mapping[str, Constant] | None = None,
    eval_points: int | Iterable[int] | None = None,
    timeout: float | None = None,
    step_timeout: float = STEP_TIMEOUT,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    track: str | Sequence[str] = (),
    progress: bool = True,
) -> Results:
    """Run an agent on the tasks of a suite, keep a record of each run, and return the scores.

    It does what ``rlbench run`` does: runs that are in the store already are not run again, and
    after an interruption the same call does the rest.

    Args:
        suite: The suite.
        agent: What ``--agent`` takes, or a class or function: a factory
            ``(task: TaskInfo, *, seed, device, **config) -> Agent``. One that a new process can
            import runs in workers. One that is defined in a notebook or in the script itself runs
            in this process, one run at a time; its identity is the hash of its source and of what
            that uses, and nothing limits how long a run takes.
        tasks: Some tasks; all by default.
        seeds: How many, or which.
        store: The folder of records.
        config: Options of the agent: JSON data, and paths of files as `pathlib.Path`. Those of a
            teacher begin with ``teacher.``.
        name: The display name of the agent.
        given: What it was given besides what it says itself, e.g. ``pretraining``.
        teacher: Of a curriculum.
        trust: Load an agent from a file that can run code.
        device: ``cpu``, ``cuda`` (all GPUs), ``cuda:0,1`` or ``auto``.
        jobs: Workers at a time; 0 for one a CPU or GPU place.
        runs_per_gpu: Runs that share a GPU.
        backend: ``local``, ``ray`` or ``slurm``.
        ray_address: Of the cluster.
        cluster: What the table ``[ray]`` or ``[slurm]`` of a ``--config`` file holds.
        unofficial: Constants of the protocol to change for trying things out.
        eval_points: More evaluations, for a curve: so many spread over the budget, or where.
        timeout: Seconds that a run may take.
        step_timeout: Seconds that a step may take, with all calls in it.
        checkpoint_every: Seconds between two checkpoints.
        track: Where charts go besides: ``tensorboard``, ``wandb`` or ``mlflow``.
        progress: Show how far it is, in a terminal or a notebook.

    Returns:
        The scores of the agent's runs that are wanted. A failed run has none: the notes say why.

    Raises:
        KeyboardInterrupt: It was interrupted. Finished runs are in the store.
        RunError: Every run failed.
        UsageError: Something does not fit; nothing was run.
    """
    from rlbench.runners.tracking import check_trackers

    trackers = (track,) if isinstance(track, str) else tuple(track)
    check_trackers(trackers)
    chosen = parse_suite(suite).make_unofficial(unofficial or {})
    options = dict(config or {})
    mine = {k: v for k, v in options.items() if not k.startswith(TEACHER_PREFIX)}
    chosen.load_factory()
    who, factory = find_agent(agent, mine, name, given, trust=trust)
    if factory is not None and timeout is not None:
        raise UsageError("a timeout is for agents that run in workers: put the agent into a file")
    wanted = want(
        chosen, named_tasks(chosen, tasks), who, _seeds(seeds), store=own_store(store),
        factory=factory, teacher=find_teacher(chosen, teacher, options),
        eval_points=_points(eval_points),
        placement=Placement(
            backend=backend, address=ray_address, options={backend: cluster or {}},
            device=device, jobs=jobs, runs_per_gpu=runs_per_gpu,
        ),
    )  # fmt: skip
    return _results(
        wanted, limits=Limits(step_timeout, timeout), checkpoint_every=checkpoint_every,
        track=trackers, progress=progress,
    )  # fmt: skip


@in_python
def evaluate(
    suite: str | Suite,
    policy: AgentLike,
    *,
    tasks: str | Sequence[str] | None = None,
    seeds: int | str | Iterable[int] = 1,
    store: str | PathLike[str] = DEFAULT_STORE,
    config: Mapping[str, Any] | None = None,
    name: str = "",
    given: Sequence[str] | None = None,
    trust: bool = False,
    device: str = "cpu",
    jobs: int = 0,
    unofficial: Mapping[str, Constant] | None = None,
    progress: bool = True,
) -> Results:
    """Evaluate a saved or fixed policy: no training budget is spent.

    The record of each run says that it spent 0 of the budget, and that the policy was given
    ``pretraining``, unless it is one of rlbench's own or `given` says otherwise. So it is never
    ranked with agents that learned within the budget. A policy that learns is refused.

    Args:
        suite: The suite; no curriculum.
        policy: As `run` takes an agent, e.g. ``"sb3-zip:ppo.zip"``.
        tasks: As for `run`, as those below.
        seeds: The same. Each seed has episodes of its own.
        store: The same.
        config: The same.
        name: The same.
        given: What it was given; ``pretraining`` by default, and nothing if it is empty.
        trust: The same.
        device: The same.
        jobs: The same.
        unofficial: The same.
        progress: The same.

    Returns:
        The scores of the policy.

    Raises:
        KeyboardInterrupt: It was interrupted. Finished runs are in the store.
        RunError: Every run failed, e.g. since the policy learns.
        UsageError: Something does not fit; nothing was run.
    """
    chosen = parse_suite(suite).make_unofficial(unofficial or {})
    wanted = want_evaluations(
        chosen, named_tasks(chosen, tasks), policy, _seeds(seeds), config=config or {}, name=name,
        given=given, trust=trust, store=own_store(store), device=device, jobs=jobs,
    )  # fmt: skip
    who = wanted.agent
    facts = [f"{who.id.name} was evaluated as it is: no training budget was spent."]
    notes = []
    if given is None and "pretraining" in who.id.given:
        notes.append(f"{who.id.name} counts as given pretraining; given=[] says that it was not.")
    limits = Limits(STEP_TIMEOUT, None)
    return _results(
        wanted, limits=limits, trains=False, progress=progress, facts=facts, notes=notes
    )


def _results(
    wanted: Wanted,
    *,
    limits: Limits,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    track: tuple[str, ...] = (),
    trains: bool = True,
    progress: bool,
    facts: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> Results:
    """Execute what is left, and return the scores of all that is wanted."""
    place, who = wanted.store, wanted.agent
    said = list(notes)
    runs = prepare(
        wanted, said.append, checkpoint_every=checkpoint_every, track=track, trains=trains
    )
    if runs:
        done = len(wanted.identities) - len(wanted.left)
        display = display_of(runs, wanted.at_a_time, done=done, tell=said.append, progress=progress)
        if not execute(runs, wanted, display, say, limits=limits):
            kept = f"{done + display.finished} of {done + len(runs)} runs are kept in {place.path}"
            say(f"rlbench: interrupted: {kept}; the same call does the rest")
            raise KeyboardInterrupt
        said += [_failed(run, reason, wanted) for run, reason in display.failed]
    keys = {identity.key for identity in wanted.identities}
    loaded = place.load() if runs else wanted.loaded
    records = [r for r in loaded.records if r.identity.key in keys]
    gathered = gather_records(records, wanted.suite, said)
    if not gathered.agents:
        why = f": {said[-1]}" if said else ""
        raise RunError(f"none of {len(keys)} runs has a score{why}")
    facts = [f"agent {who.id.name}: {who.source_text}", *facts]
    return Results(gathered, Scale(wanted.suite, "", ""), facts=facts, stores=[place.path])


def _failed(run: Run, reason: str, wanted: Wanted) -> str:
    log = "" if wanted.factory else f" (log: {wanted.store.log_of(run.identity)})"
    return f"failed: {run.identity.task}, seed {run.identity.seed}: {reason}{log}"


def say(text: str) -> None:
    """Print a line on standard error."""
    print(printable(text), file=sys.stderr, flush=True)


def own_store(store: str | PathLike[str]) -> Path:
    """Return a store of the user's own."""
    path = Path(store)
    if path == PUBLISHED:
        raise UsageError(f"store={str(PUBLISHED)!r} names the published scores: name a folder")
    return path


def named_tasks(suite: Suite, tasks: str | Sequence[str] | None) -> list[Task]:
    """Return the named tasks in the order of the suite, or all."""
    if tasks is None:
        return list(suite.tasks)
    named = tasks.split(",") if isinstance(tasks, str) else tasks
    chosen = {suite.task(name.strip()).name for name in named}
    if not chosen:
        raise UsageError("tasks names no task")
    return [task for task in suite.tasks if task.name in chosen]


def _seeds(seeds: int | str | Iterable[int]) -> list[int]:
    if isinstance(seeds, int | str):
        return parse_seeds(str(seeds))
    return parse_seeds(",".join(f"{seed}-{seed}" for seed in seeds))


def _points(points: int | Iterable[int] | None) -> str:
    """Return extra evaluation points as the command line takes them."""
    if points is None:
        return ""
    return str(points) if isinstance(points, int) else "".join(f"{point}," for point in points)
