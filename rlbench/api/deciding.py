"""`rlbench.decide`, `study` and `duel`: runs until it is decided which is better."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from rlbench.api.answers import Answer
from rlbench.api.asking import (
    CHECKPOINT_SECONDS,
    DEFAULT_STORE,
    MAX_EPISODES,
    STEP_TIMEOUT,
    parse_suite,
)
from rlbench.api.bars import display_of
from rlbench.api.batches import (
    Execute,
    carry_out,
    decision_rows,
    decision_sentences,
    described,
    draw_ablation,
    draw_stopping,
    of_blind_looks,
    of_fixed,
    of_seen,
)
from rlbench.api.clusters import Placement
from rlbench.api.entrants import (
    Entrant,
    Entrants,
    in_turn,
    parse_entrant,
    resolve_entrants,
    with_teachers,
)
from rlbench.api.pythonic import in_python, pythonic
from rlbench.api.running import Wanted, execute, prepare
from rlbench.api.runs import named_tasks, own_store, say
from rlbench.api.sequential import looked_at, plan_of
from rlbench.errors import RunError, UsageError
from rlbench.runners import Limits
from rlbench.suites import Constant, Suite

Agents = Mapping[str, str | Callable[..., Any]] | Sequence[str | Callable[..., Any]]


@in_python
def decide(
    suite: str | Suite,
    agents: Agents,
    *,
    tasks: str | Sequence[str] | None = None,
    statistic: str = "iqm",
    alpha: float = 0.05,
    batch: int = 5,
    max_batches: int = 6,
    futility: float | None = None,
    baseline: str = "",
    first_seed: int = 0,
    new_plan: bool = False,
    teacher: str = "",
    store: str | PathLike[str] = DEFAULT_STORE,
    device: str = "cpu",
    jobs: int = 0,
    runs_per_gpu: int = 1,
    backend: str = "local",
    ray_address: str = "auto",
    cluster: Mapping[str, Any] | None = None,
    unofficial: Mapping[str, Constant] | None = None,
    out: str | PathLike[str] | None = None,
    timeout: float | None = None,
    step_timeout: float = STEP_TIMEOUT,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    track: str | Sequence[str] = (),
    progress: bool = True,
) -> Answer:
    """Run agents batch by batch, until it is decided which of them is better.

    It does what ``rlbench compare --run`` does: the plan is fixed in the store before its first
    run, AdaStop looks at the runs after each batch, and only agents that are undecided run on.
    After an interruption the same call goes on.

    Args:
        suite: The suite.
        agents: At least two: each as `run` takes an agent or as ``[NAME=]AGENT [OPTION=VALUE]``, or
            a mapping of names to them. Classes and functions must be importable.
        tasks: Some tasks; all by default.
        statistic: What is compared: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs and batches.
        batch: Runs a task in a batch.
        max_batches: How many at most.
        futility: A difference that matters: a pair is given up once it can be ruled out.
        baseline: Compare all others with this agent only.
        first_seed: The first seed.
        new_plan: Begin another plan for agents that have one.
        teacher: Of agents without one (``AGENT+TEACHER``), in a curriculum.
        store: As for `run`, as those below.
        device: The same.
        jobs: The same.
        runs_per_gpu: The same.
        backend: The same.
        ray_address: The same.
        cluster: The same.
        unofficial: The same.
        out: A folder for figures: of the boundaries, and of the differences to a baseline.
        timeout: The same.
        step_timeout: The same.
        checkpoint_every: The same.
        track: The same.
        progress: The same.

    Returns:
        A row a pair: what was decided, after how many batches.

    Raises:
        KeyboardInterrupt: It was interrupted. Finished runs are in the store.
        RunError: Some runs failed, so nothing is decided.
        UsageError: Something does not fit; nothing was run.
    """
    chosen = parse_suite(suite).make_unofficial(unofficial or {})
    entrants = resolve_entrants(
        chosen, named_tasks(chosen, tasks), with_teachers(chosen, _named(agents), teacher)
    )
    settings: dict[str, Any] = {
        "statistic": statistic, "alpha": alpha, "batch": batch, "max_batches": max_batches,
        "futility": futility, "first_seed": first_seed, "baseline": baseline,
    }  # fmt: skip
    placement = Placement(
        backend=backend, address=ray_address, options={backend: cluster or {}}, device=device,
        jobs=jobs, runs_per_gpu=runs_per_gpu,
    )  # fmt: skip
    notes: list[str] = []
    together = _together(
        notes, Limits(step_timeout, timeout), progress=progress,
        checkpoint_every=checkpoint_every, track=track,
    )  # fmt: skip
    figures = None if out is None else Path(out)
    return _decided(
        entrants, own_store(store), placement, settings, together, notes, new_plan, figures
    )


@in_python
def study(
    file: str | PathLike[str],
    *,
    jobs: int = 0,
    device: str = "cpu",
    runs_per_gpu: int = 1,
    timeout: float | None = None,
    step_timeout: float = STEP_TIMEOUT,
    new_plan: bool = False,
    progress: bool = True,
) -> Answer:
    """Carry out the comparison that a file describes: tune, run, test and draw.

    It does what ``rlbench study run`` does.

    Args:
        file: The study, in TOML.
        jobs: As for `run`, as those below.
        device: The same.
        runs_per_gpu: The same.
        timeout: The same.
        step_timeout: The same.
        new_plan: As for `decide`.
        progress: As for `run`.

    Returns:
        As `decide`. The notes say which setting of each agent was chosen.

    Raises:
        KeyboardInterrupt: As `decide`.
        RunError: The same.
        UsageError: The file is not a study, or something does not fit.
    """
    from rlbench.api.study import read_study, suites_of
    from rlbench.api.tuning import Tuned, setting_rows, settings_title, tune

    found = read_study(Path(file))
    placement = replace(found.placement, device=device, jobs=jobs, runs_per_gpu=runs_per_gpu)
    notes: list[str] = []
    together = _together(notes, Limits(step_timeout, timeout), progress=progress)

    def do(one: Tuned) -> bool:
        if any(of_agent.left for of_agent in one.wanted):
            together(one.wanted, one.title)
        return True

    def note(one: Tuned, values: list[float]) -> None:
        statistic = found.settings["statistic"]
        (best,) = [row for row in setting_rows(one, values, statistic) if row["chosen"]]
        said = settings_title(one, statistic)
        notes.append(f"{said}: {best['setting']} was chosen, with {best[statistic]:.3f}.")

    answers = []
    for suite, tasks in suites_of(found, Path(file)):
        agents = tune(found, suite, tasks, placement, do, note)
        entrants = resolve_entrants(suite, tasks, agents)
        settings = dict(found.settings)
        if "baseline" in settings:  # in a curriculum, labels name teachers as well
            of_name = dict(zip(found.agents, entrants.agents, strict=True))
            settings["baseline"] = of_name[settings["baseline"]]
        figures = found.figures
        if figures is not None and len(found.suites) > 1:
            figures = figures / suite.name
        answers.append(
            _decided(entrants, found.store, placement, settings, together, notes, new_plan, figures)
        )
    if len(answers) == 1:
        return answers[0]
    return Answer(
        title="; ".join(answer.title for answer in answers),
        rows=tuple(row for answer in answers for row in answer.rows),
        notes=tuple(dict.fromkeys(note for answer in answers for note in answer.notes)),
        sentences=tuple(
            f"{answer.rows[0]['suite']}: {line}" for answer in answers for line in answer.sentences
        ),
    )


@in_python
def duel(
    suite: str | Suite,
    policies: Agents,
    *,
    tasks: str | Sequence[str] | None = None,
    alpha: float = 0.05,
    episodes: int = 20,
    max_rounds: int = 50,
    by: str = "",
    trust: bool = False,
    store: str | PathLike[str] = DEFAULT_STORE,
    device: str = "cpu",
    jobs: int = 0,
    runs_per_gpu: int = 1,
    backend: str = "local",
    ray_address: str = "auto",
    cluster: Mapping[str, Any] | None = None,
    unofficial: Mapping[str, Constant] | None = None,
    timeout: float | None = None,
    step_timeout: float = STEP_TIMEOUT,
    progress: bool = True,
) -> Answer:
    """Say which of several saved or fixed policies is better, on as few episodes as it takes.

    It does what ``rlbench duel`` does: all play the same start states, round after round, until all
    pairs are decided. After an interruption the same call goes on.

    Args:
        suite: The suite; no curriculum.
        policies: As `decide` takes agents, e.g. ``{"a": "sb3-zip:a.zip", "b": "sb3-zip:b.zip"}``.
        tasks: As for `run`.
        alpha: The level, over all pairs and at any time.
        episodes: Start states a task in a round, at most 1,000.
        max_rounds: How many rounds at most.
        by: ``return`` or ``wins``; by default returns where the suite states their bounds.
        trust: As for `run`, as those below.
        store: The same.
        device: The same.
        jobs: The same.
        runs_per_gpu: The same.
        backend: The same.
        ray_address: The same.
        cluster: The same.
        unofficial: The same.
        timeout: The same.
        step_timeout: The same.
        progress: The same.

    Returns:
        A row a pair: the decision and the start states that it took. A pair that the last round
        leaves open is ``undecided``.

    Raises:
        KeyboardInterrupt: As `decide`.
        RunError: The same.
        UsageError: The same.
    """
    from rlbench.api.duels import (
        by_of,
        play,
        policies_of,
        rows_of,
        sentence,
        tested_text,
    )
    from rlbench.api.duels import described as describe

    if not 0 < alpha < 1:
        raise UsageError(f"--alpha {alpha} must be inside (0, 1)")
    if not 1 <= episodes <= MAX_EPISODES or max_rounds < 1:
        raise UsageError(
            f"episodes {episodes} must be 1 to {MAX_EPISODES}, and max_rounds {max_rounds} above 0"
        )
    chosen = parse_suite(suite).make_unofficial(unofficial or {})
    named = named_tasks(chosen, tasks)
    compared_by = by_of(by, named)
    entrants = policies_of(chosen, named, _named(policies), episodes, trust=trust)
    notes: list[str] = []
    _, at = play(
        entrants, compared_by, alpha, max_rounds=max_rounds, store=own_store(store),
        placement=Placement(
            backend=backend, address=ray_address, options={backend: cluster or {}}, device=device,
            jobs=jobs, runs_per_gpu=runs_per_gpu,
        ),
        execute=_together(
            notes, Limits(step_timeout, timeout), progress=progress, trains=False
        ),
    )  # fmt: skip
    assert at.result is not None
    rows = rows_of(at.result, at.returns)
    return Answer(
        title=pythonic(describe(compared_by, len(named), episodes, alpha)),
        rows=tuple(rows),
        notes=(f"{tested_text(compared_by)}.", *map(pythonic, notes)),
        sentences=tuple(sentence(row, compared_by) for row in rows),
    )


def _decided(
    entrants: Entrants,
    store: Path,
    placement: Placement,
    settings: Mapping[str, Any],
    together: Execute,
    notes: list[str],
    new_plan: bool,
    figures: Path | None,
) -> Answer:
    """Do runs until all pairs are decided, and answer."""
    plan = plan_of(entrants, **settings)
    notes += [f"warning: {line}" for line in of_blind_looks(plan)]
    ended = carry_out(
        plan, entrants, store, placement, anew=new_plan, execute=together,
        on_fixed=lambda fixed: notes.extend([*of_seen(fixed), of_fixed(fixed)]),
    )  # fmt: skip
    rows = decision_rows(plan, ended.at)
    said = decision_sentences(plan, entrants, ended, rows)
    assert ended.at.result is not None
    draw_stopping(ended.at.result, figures, notes.append)
    if base := settings.get("baseline"):
        draw_ablation(
            ended.at.result, looked_at(plan, entrants, ended.at, ended.records), figures,
            notes.append, base=base, statistic=plan.statistic, alpha=plan.alpha,
            suite=entrants.suite,
        )  # fmt: skip
    title, *futility = described(plan)
    sources = [f"agent {who.id.name}: {who.source_text}" for who in entrants.agents.values()]
    return Answer(
        title=title,
        rows=tuple(rows),
        notes=tuple(map(pythonic, dict.fromkeys([*notes, *futility, *sources]))),
        sentences=tuple(said),
        shown=tuple(dict(list(row.items())[:6]) for row in rows),
    )


def _named(agents: Agents) -> list[Entrant]:
    """Return agents as they are named for a comparison."""
    from rlbench.runners.agents.objects import importable_spec

    def spec_of(agent: str | Callable[..., Any]) -> str:
        if isinstance(agent, str):
            return agent
        if spec := importable_spec(agent):
            return spec
        raise UsageError(
            f"{getattr(agent, '__name__', agent)!r} is known to this process alone, and runs of "
            "several agents are made by workers: put it into a file"
        )

    if isinstance(agents, str):
        raise UsageError("name at least two agents, in a list")
    if isinstance(agents, Mapping):
        pairs = [(name, parse_entrant(spec_of(agent))) for name, agent in agents.items()]
        return [one._replace(name=name) for name, one in pairs]
    return [parse_entrant(spec_of(agent)) for agent in agents]


def _together(
    notes: list[str],
    limits: Limits,
    *,
    progress: bool,
    trains: bool = True,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    track: str | Sequence[str] = (),
) -> Execute:
    """Return what does the runs of several agents side by side.

    It raises RunError if not all have a score, and KeyboardInterrupt if it is interrupted.
    """
    from rlbench.runners.tracking import check_trackers

    trackers = (track,) if isinstance(track, str) else tuple(track)
    check_trackers(trackers)

    def do(wanted: Sequence[Wanted], title: str) -> int:
        if progress:
            say(title)
        runs = [
            prepare(
                of_agent, notes.append, checkpoint_every=checkpoint_every, track=trackers,
                trains=trains,
            )
            for of_agent in wanted
        ]  # fmt: skip
        part, of_agent = in_turn(runs), wanted[0]
        display = display_of(part, of_agent.at_a_time, done=0, tell=notes.append, progress=progress)
        if part and not execute(part, of_agent, display, say, limits=limits):
            say("rlbench: interrupted, undecided: the same call goes on")
            raise KeyboardInterrupt
        if display.failed:
            run, reason = display.failed[0]
            raise RunError(
                f"undecided: {len(display.failed)} runs failed, first {display.name_of(run)}: "
                f"{reason} (log: {of_agent.store.log_of(run.identity)})"
            )
        if sum(map(len, runs)) < sum(len(of_agent.left) for of_agent in wanted):
            raise RunError(f"undecided: some runs were not made: {notes[-1]}")
        return 0

    return do
