"""Many files as one source: their agents, tasks and runs, each run once."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.results.long_form import EARLY
from rlbench.results.score_files import Curve, ScoreFile
from rlbench.results.tables import place_of
from rlbench.results.task_names import fold_task

_SHOWN = 3

_WHOLE = re.compile(r"^0*(\d+)(\.0*)?$")  # one number may be written as 3, 03 and 3.0

Value = TypeVar("Value")


class Merged(NamedTuple):
    """Scores of several files.

    Attributes:
        scores: Their runs, with the names of those that have some.
        files: Agent to the files that it is in.
        notes: What must be said of how they were taken together.
    """

    scores: ScoreFile
    files: dict[str, list[str]]
    notes: list[str]


class _Entry(NamedTuple):
    """The runs of one agent on one task in one file."""

    file: str
    agent: str
    task: str
    scores: NDArray[np.float64]
    seeds: list[str] | None
    curves: list[Curve]
    is_batch: bool


def merge(
    files: Sequence[tuple[str, ScoreFile]],
    called: Callable[[str, str], str] | None = None,
    at_step: float | None = None,
) -> Merged:
    """Take files together: agents, tasks and runs that no two of them share.

    Args:
        files: What each file is called, and what it holds.
        called: What an agent of a file is called, if not as the file says; agents that get one
            name become one agent.
        at_step: The step at which runs were cut, if they were.

    Returns:
        The scores, tasks in the spelling that came first. Where several files have runs of one
        agent on a task, these are in the order of their names, numbers by their size. Files with a
        column an agent are batches: their runs stay in the order of the files.

    Raises:
        InvalidScores: A run appears twice, or runs of two files have no names; the message names
            both files.
    """
    spelled: dict[str, str] = {}
    of_agents: dict[str, dict[str, list[_Entry]]] = {}
    sources: dict[str, str] = {}
    for file, found in files:
        for agent, tasks in found.runs.items():
            name = called(file, agent) if called else agent
            if agent in found.sources:
                sources[name] = found.sources[agent]
            for task in tasks:
                first = spelled.setdefault(fold_task(task), task)
                entry = _entry(file, found, agent, task)
                of_agents.setdefault(name, {}).setdefault(first, []).append(entry)
    joined = {
        (agent, task): _joined(agent, task, entries, can_rename=called is not None)
        for agent, tasks in of_agents.items()
        for task, entries in tasks.items()
    }
    scores = ScoreFile(
        {a: {t: joined[a, t].scores for t in tasks} for a, tasks in of_agents.items()},
        seeds=_by_agent({key: run.seeds for key, run in joined.items() if run.seeds}),
        curves=_by_agent({key: run.curves for key, run in joined.items() if run.curves}),
        is_batch=all(found.is_batch for _, found in files),
        sources=sources,
    )
    by_agent = {
        agent: list(dict.fromkeys(e.file for entries in tasks.values() for e in entries))
        for agent, tasks in of_agents.items()
    }
    together = [] if scores.is_batch else _together(by_agent)
    notes = [*_respelled(of_agents), *together, *_ends(of_agents, joined, at_step)]
    batches = [file for file, found in files if found.is_batch]
    if len(batches) > 1:
        notes.append(f"Batches of the same agents, in this order: {', '.join(batches)}.")
    return Merged(scores, by_agent, notes)


def _entry(file: str, found: ScoreFile, agent: str, task: str) -> _Entry:
    return _Entry(
        file,
        agent,
        task,
        found.runs[agent][task],
        found.seeds.get(agent, {}).get(task),
        list(found.curves.get(agent, {}).get(task, [])),
        found.is_batch,
    )


def _by_agent(found: Mapping[tuple[str, str], Value]) -> dict[str, dict[str, Value]]:
    nested: dict[str, dict[str, Value]] = {}
    for (agent, task), value in found.items():
        nested.setdefault(agent, {})[task] = value
    return nested


def _joined(agent: str, task: str, entries: Sequence[_Entry], *, can_rename: bool) -> _Entry:
    """Return the runs of one agent on one task.

    Raises:
        InvalidScores: A run appears twice, or runs of two files have no names.
    """
    first = entries[0]
    if len(entries) == 1:
        return first
    for n, entry in enumerate(entries):
        for other in entries[:n]:
            if entry[:2] == other[:2]:
                raise InvalidScores(
                    f"{entry.file}: {agent!r} has a task in two spellings: {other.task}, "
                    f"{entry.task}"
                )
    scores = np.concatenate([entry.scores for entry in entries])
    if all(entry.is_batch for entry in entries):
        return first._replace(scores=scores, seeds=None, curves=[])
    seeds = _names_of(agent, task, entries, can_rename=can_rename)
    order = sorted(range(len(seeds)), key=lambda n: place_of(seeds[n]))
    curves = [curve for entry in entries for curve in entry.curves]
    return first._replace(
        scores=scores[order],
        seeds=[seeds[n] for n in order],
        curves=[curves[n] for n in order] if len(curves) == len(seeds) else [],
    )


def _names_of(agent: str, task: str, entries: Sequence[_Entry], *, can_rename: bool) -> list[str]:
    """Return the names of all runs of an agent on a task, none of them twice."""
    seen: dict[str, str] = {}
    names: list[str] = []
    for entry in entries:
        two = f"--rename '{entry.agent} ({entry.file})=NAME' if these are two agents"
        if entry.seeds is None:
            other = next(e.file for e in entries if e is not entry)
            helps = "add a column seed, or say --path with {seed}"
            raise InvalidScores(
                f"{other} and {entry.file} both have runs of {agent!r} on {task}, and those of "
                f"{entry.file} have no names, so runs may be there twice: {helps}"
                + (f"; {two}" if can_rename else "")
            )
        names += entry.seeds
        for name in entry.seeds:
            seed = _WHOLE.sub(r"\1", name)
            if seed in seen:
                raise InvalidScores(
                    f"the run {seed!r} of {agent!r} on {task} is in {seen[seed]} and in "
                    f"{entry.file}: leave one out" + (f", or say {two}" if can_rename else "")
                )
            seen[seed] = entry.file
    return names


def _respelled(of_agents: Mapping[str, Mapping[str, Sequence[_Entry]]]) -> list[str]:
    """Return which tasks were taken by the spelling of another file."""
    names = {
        entry.task: task
        for tasks in of_agents.values()
        for task, entries in tasks.items()
        for entry in entries
        if entry.task != task
    }
    said = ", ".join(f"{task} as {name}" for task, name in names.items())
    return [f"Tasks taken by their other spelling: {said}."] if said else []


def _together(by_agent: Mapping[str, Sequence[str]]) -> list[str]:
    """Return which agents are in several files."""
    said: dict[tuple[str, ...], list[str]] = {}
    for agent, files in by_agent.items():
        if len(files) > 1:
            said.setdefault(tuple(files), []).append(agent)
    return [
        f"Taken together: {', '.join(agents)} of {len(files)} files, {shortened(files)}."
        for files, agents in said.items()
    ]


def _ends(
    of_agents: Mapping[str, Mapping[str, Sequence[_Entry]]],
    joined: Mapping[tuple[str, str], _Entry],
    at_step: float | None,
) -> list[str]:
    """Return which runs end before others of their task in another file."""
    last: dict[str, list[tuple[float, str]]] = {}
    files: dict[str, set[str]] = {}
    for (agent, task), runs in joined.items():
        files.setdefault(task, set()).update(e.file for e in of_agents[agent][task] if e.curves)
        for seed, (steps, _) in zip(runs.seeds or [], runs.curves, strict=False):
            last.setdefault(task, []).append(
                (float(steps[-1]), f"{agent}, task {task}, run {seed}")
            )
    return early_ends({t: ends for t, ends in last.items() if len(files[t]) > 1}, at_step)


def early_ends(last: Mapping[str, Sequence[tuple[float, str]]], at_step: float | None) -> list[str]:
    """Return in one line which runs end before others of their task; nothing if none does.

    Args:
        last: Task to the last step of each run, and what it is called.
        at_step: The step at which runs were cut, if they were.
    """
    early = []
    for ends in last.values():
        longest = min(max(step for step, _ in ends), np.inf if at_step is None else at_step)
        early += [(step, longest, run) for step, run in ends if step < EARLY * longest]
    if not early:
        return []
    said = [f"{run} ends at step {step:.15g} of {longest:.15g}" for step, longest, run in early]
    helps = f"; --at-step {min(early)[0]:.15g} cuts all runs at one budget" * (at_step is None)
    return [f"Runs end early: {shortened(said, '; ')}{helps}."]


def shortened(texts: Sequence[str], separator: str = ", ") -> str:
    """Return the first texts, and how many more there are."""
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return separator.join(texts[:_SHOWN]) + more
