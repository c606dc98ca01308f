"""Scores of all sources together: files, folders, stores and papers, under names of their own."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.api.asking import DEFAULT_STORE, PUBLISHED, Asked
from rlbench.api.scales import Agents, Scale, deviations_of, said_of_limits
from rlbench.api.stores import Tell, records_of
from rlbench.errors import StoreError, UnknownName, UsageError
from rlbench.results import Record, Runs, ScoreFile, Scores, collect, published, read_scores, select
from rlbench.results.constrained import constrained
from rlbench.results.engines import usual_engines
from rlbench.results.files import READERS
from rlbench.results.merging import merge, shortened
from rlbench.results.published import Published
from rlbench.results.published.retyped import origin_of
from rlbench.results.rankable import Terms, terms_of
from rlbench.results.scores import Curve, NamedScores
from rlbench.results.task_names import task_of
from rlbench.suites import Suite

MOST_FILES = 6  # that are spoken of one by one

Curves = Mapping[str, Mapping[str, list[Curve]]]  # agent, then task, to runs
Seeds = Mapping[str, Sequence[int | str]]  # task to runs
Measures = Mapping[str, Mapping[str, Mapping[str, NDArray[np.float64]]]]


class Gathered(NamedTuple):
    """Scores of all sources.

    Attributes:
        agents: Scores by agent and task.
        notes: What must be said of them.
        published: Those of the agents that come from papers.
        own: The terms of those that have records.
        curves: Steps and scores of each run by agent and task, where they are known.
        unordered: The agents whose runs are not in the order of seeds.
        named: Scores of all named evaluations by agent and task, of those that have records.
        seeds: Seeds of the runs, or how sources call them, by agent and task, where they are known.
        measures: What was measured of each run by agent, task and name, of those that have records.
        records: Of the agents that have some.
    """

    agents: Agents
    notes: list[str]
    published: dict[str, Published]
    own: dict[str, Terms]
    curves: Curves
    unordered: list[str]
    named: Mapping[str, Mapping[str, list[NamedScores]]]
    seeds: Mapping[str, Seeds]
    measures: Measures
    records: Mapping[str, Sequence[Record]]


class _Found(NamedTuple):
    """An agent of a source: its name, where it comes from, and what `Gathered` has of it."""

    name: str
    place: str
    order: int
    scores: Mapping[str, NDArray[np.float64]]
    paper: Published | None = None
    terms: Terms | None = None
    curves: Mapping[str, list[Curve]] | None = None
    named: Mapping[str, list[NamedScores]] | None = None
    is_ordered: bool = True
    note: str = ""
    seeds: Seeds | None = None
    measures: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None
    records: Sequence[Record] = ()


class _Names:
    """What agents are called, as the user says."""

    def __init__(self, rename: Mapping[str, str]) -> None:
        self._rename = rename
        self._left = set(rename)
        self._seen: list[str] = []

    def of(self, agent: str, places: Iterable[str]) -> str:
        """Return what an agent of a place is called."""
        self._seen.append(agent)
        for old in (*(f"{agent} ({place})" for place in places), agent):
            if old in self._rename:
                self._left.discard(old)
                return self._rename[old]
        return agent

    def refuse_unused(self) -> None:
        """Refuse a new name for an agent that is not there."""
        for old in sorted(self._left):
            raise UnknownName("agent to rename", old, dict.fromkeys(self._seen))


def gather(asked: Asked, scale: Scale, tell: Tell, *, curves: bool = False) -> Gathered:
    """Return the scores of all sources by agent and task, and what must be said of them.

    A source is an existing file or folder, whose agents are all taken, or else the name of an agent
    of the stores, or of papers. Agents of one name in files and stores are told apart.

    Args:
        asked: What the user asks for.
        scale: How scores are normalised.
        tell: Is told of each bad file in a store.
        curves: Return the curves of records and their named evaluations, too.

    Raises:
        InvalidScores: A file is bad, or a run is in two.
        UnknownName: There is no such agent.
        UsageError: A store is given without a suite, or holds no scores.
    """
    names, notes = _Names(asked.rename), list[str]()
    files = [s for s in asked.sources if s in asked.data or Path(s).exists()]
    named = {source: n for n, source in enumerate(asked.sources) if source not in files}
    first = asked.sources.index(files[0]) if files else 0
    found: list[_Found] = []
    if files and asked.within:
        raise UsageError("--within needs records: nothing is known of the costs in files")
    if files:
        notes += _of_both(files, scale.suite)
        found += _of_files([Path(file) for file in files], first, scale, asked, names, notes)
    if named or asked.stores or not files:
        found += _of_stores(named, first, scale, asked, names, notes, tell, curves=curves)
    names.refuse_unused()
    labelled = _told_apart(sorted(found, key=lambda agent: agent.order), notes)
    by_place = {f"{agent.name} ({agent.place})": label for label, agent in labelled.items()}
    wanted = [name if name in labelled else by_place.get(name, name) for name in asked.agents]
    for name in wanted:
        if name not in labelled:
            raise UnknownName("agent", name, labelled)
    chosen = {label: labelled[label] for label in wanted or labelled}
    notes += [agent.note for agent in chosen.values() if agent.note]
    notes += _of_unspent({label: agent.records for label, agent in chosen.items()})
    return Gathered(
        {label: dict(agent.scores) for label, agent in chosen.items()},
        notes,
        {label: agent.paper for label, agent in chosen.items() if agent.paper},
        {label: agent.terms for label, agent in chosen.items() if agent.terms},
        {label: agent.curves for label, agent in chosen.items() if agent.curves},
        [label for label, agent in chosen.items() if not agent.is_ordered],
        {label: agent.named for label, agent in chosen.items() if agent.named},
        {label: agent.seeds for label, agent in chosen.items() if agent.seeds},
        {label: agent.measures for label, agent in chosen.items() if agent.measures},
        {label: agent.records for label, agent in chosen.items() if agent.records},
    )


def gather_records(records: Sequence[Record], suite: Suite, notes: list[str]) -> Gathered:
    """Return the scores in records of a suite, and what must be said of them."""
    scores = collect(records, suite, usual_engines(records, suite))
    agents = list(scores.values)
    notes += _of_unspent(scores.records)
    return Gathered(
        {agent: scores.normalised(agent) for agent in agents},
        notes,
        {},
        {agent: terms_of(scores.records[agent], scores.engines[agent]) for agent in agents},
        {agent: scores.curves(agent) for agent in agents},
        [],
        {agent: scores.named(agent) for agent in agents},
        {agent: _seeds_of(scores, agent) for agent in agents},
        {agent: scores.measures(agent) for agent in agents},
        scores.records,
    )


def _of_unspent(by_agent: Mapping[str, Sequence[Record]]) -> list[str]:
    """Say which agents stopped training before their budget was spent."""
    notes = []
    for agent, records in by_agent.items():
        budgets = [(r.budget_used, r.identity.constants["budget"]) for r in records]
        early = [(used, b) for used, b in budgets if isinstance(b, int) and 0 < used < b]
        if early:
            used, budget = min(early, key=lambda one: one[0] / one[1])
            notes.append(
                f"{agent}: {len(early)} of {len(records)} runs stopped before the budget was spent"
                f" (at {used:,} of {budget:,}, the earliest): they count with their last"
                " evaluation, and curves show it where they stopped."
            )
    return notes


def _seeds_of(scores: Scores, agent: str) -> Seeds:
    return {task: seeds.tolist() for task, seeds in scores.seeds[agent].items()}


def _told_apart(found: Sequence[_Found], notes: list[str]) -> dict[str, _Found]:
    """Return agents by names that no two of them share."""
    names = [agent.name for agent in found]
    labelled: dict[str, _Found] = {}
    renamed = []
    for agent in found:
        label = agent.name
        if names.count(label) > 1:
            label = f"{label} ({agent.place})"
            renamed.append(label)
        while label in labelled:
            label += "*"
        labelled[label] = agent
    notes += _of_one_name(renamed)
    return labelled


def _of_one_name(renamed: Sequence[str]) -> list[str]:
    return (
        [f"Kept apart, though their names are equal: {', '.join(renamed)}; --rename gives others."]
        if renamed
        else []
    )


def _of_files(
    files: Sequence[Path],
    order: int,
    scale: Scale,
    asked: Asked,
    names: _Names,
    notes: list[str],
) -> list[_Found]:
    """Return the agents of files and folders, taken together."""
    reading, suite = replace(asked.reading, suite=scale.suite), scale.suite
    parts: list[tuple[str, ScoreFile]] = []
    for file in files:
        of_file = read_scores(asked.data.get(str(file), file), scale.columns, reading)
        if of_file.sources and not suite:
            notes.append(f"{file}: scores from papers: {', '.join(of_file.sources)}.")
        if suite:
            of_file, named = _in_suite(of_file, suite)
            notes += [f"{file}: tasks taken by their other spelling: {named}."] if named else []
        parts.append((str(file), of_file))
    notes += _of_each(parts)
    is_said = bool(reading.agent or reading.path)
    called = _names_in_files(files, parts, names, notes, is_said=is_said)
    merged = merge(parts, lambda file, agent: called[file, agent], reading.at_step)
    notes += merged.notes
    papers = published.load(suite) if suite and _has_papers(suite) else {}
    by_slug = {paper.source.slug: paper for paper in papers.values()}
    scores = merged.scores
    runs = select(scores.runs, suite) if suite else scores.runs
    found = []
    for agent, tasks in runs.items():
        place = shortened([Path(file).name for file in merged.files[agent]])
        paper = by_slug.get(scores.sources.get(agent, ""))
        origin = None if paper else origin_of(scores.runs[agent], papers)
        of_agent = scores.curves.get(agent, {})
        found.append(
            _Found(
                agent, place, order, tasks, paper,
                curves=_normalised(of_agent, suite) if suite else of_agent,
                is_ordered=_is_ordered(scores, agent),
                note=_of_origin(agent, place, *origin) if origin else "",
                seeds=scores.seeds.get(agent),
            )
        )  # fmt: skip
    return found


def _of_both(files: Sequence[str], suite: Suite | None) -> list[str]:
    """Return which files and folders are called as published agents are."""
    both = [file for file in files if suite and file in _published_in(suite)]
    return [
        f"{file} is a file or folder here, and was taken as such; --store published --agents "
        f"{file} is the published agent."
        for file in both
    ]


def _of_each(parts: Sequence[tuple[str, ScoreFile]]) -> list[str]:
    """Return what was taken as what in each file, or in each group of many that are alike."""
    if len(parts) <= MOST_FILES:
        return [f"{file}: {_ended(found.note)}{_counts(found.runs)}." for file, found in parts]
    alike: dict[str, list[tuple[str, ScoreFile]]] = {}
    for file, found in parts:
        note = found.note
        for name in {*found.runs, *(task for tasks in found.runs.values() for task in tasks)}:
            note = note.replace(repr(name), "its name")
        alike.setdefault(note, []).append((file, found))
    return [
        f"{shortened([file for file, _ in group])}: {_ended(note)}{len(group)} files."
        if len(group) > 1
        else f"{group[0][0]}: {_ended(group[0][1].note)}{_counts(group[0][1].runs)}."
        for note, group in alike.items()
    ]


def _ended(note: str) -> str:
    return f"{note}. " if note else ""


def _in_suite(found: ScoreFile, suite: Suite) -> tuple[ScoreFile, str]:
    """Return raw scores by a suite's own names of tasks, and which had others."""
    select(found.runs, suite)  # refuses what is no task of the suite
    spelled = {task for tasks in found.runs.values() for task in tasks}
    names = {task: task_of(suite, task).name for task in sorted(spelled)}
    said = ", ".join(f"{task} as {name}" for task, name in names.items() if task != name)
    renamed = found._replace(
        runs={a: {names[t]: x for t, x in of.items()} for a, of in found.runs.items()},
        seeds={a: {names[t]: x for t, x in of.items()} for a, of in found.seeds.items()},
        curves={a: {names[t]: x for t, x in of.items()} for a, of in found.curves.items()},
    )
    return renamed, said


def _normalised(curves: Mapping[str, list[Curve]], suite: Suite) -> dict[str, list[Curve]]:
    return {
        name: [(steps, suite.normalise(suite.task(name), scores)) for steps, scores in of_task]
        for name, of_task in curves.items()
    }


def _is_ordered(scores: ScoreFile, agent: str) -> bool:
    """Say whether all runs of an agent have numbers as seeds, by which they are in order."""
    seeds = scores.seeds.get(agent, {})
    return all(all(map(str.isdecimal, seeds.get(task, [""]))) for task in scores.runs[agent])


def _names_in_files(
    files: Sequence[Path],
    parts: Sequence[tuple[str, ScoreFile]],
    names: _Names,
    notes: list[str],
    *,
    is_said: bool,
) -> dict[tuple[str, str], str]:
    """Return what each agent of each file is called; `is_said`: the user says it of files.

    Agents of one name in two files are one agent, unless one is from a paper and the other is not,
    or both are called as their own file or folder is: these are told apart.
    """
    short = [file.name for file in files]
    places = {str(f): f.name if short.count(f.name) == 1 else str(f) for f in files}
    called: dict[tuple[str, str], str] = {}
    whose: dict[str, dict[tuple[str, str], str]] = {}
    without: list[str] = []
    for file, found in parts:
        for agent in found.runs:
            called[file, agent] = name = names.of(agent, (file, places[file]))
            is_of_file = f"agent: {agent!r}, the file's name" in found.note
            is_of_folder = (
                not is_said and Path(file).is_dir() and Path(file).resolve().name == agent
            )
            if name == agent:
                without += [file] if is_of_file else []
                who = found.sources.get(agent, file if is_of_file or is_of_folder else "")
                whose.setdefault(agent, {})[file, agent] = who
    if len(without) > 1:
        notes.append(
            f"{shortened(without)} name no agent: each is taken as one, called as the file is; "
            "--agent NAME says that they are one agent."
        )
    apart = [key for keys in whose.values() if len(set(keys.values())) > 1 for key in keys]
    for file, agent in apart:
        called[file, agent] = f"{agent} ({places[file]})"
    notes += _of_one_name([called[key] for key in apart])
    return called


def _counts(runs: Runs) -> str:
    """Return how many agents, tasks and runs there are: ``2 agents, 1 task, 3 to 5 runs a task``.

    >>> _counts({"a": {"Pong": np.zeros(3)}, "b": {"Pong": np.zeros(5)}})
    '2 agents, 1 task, 3 to 5 runs a task'
    """
    tasks = {task for of_agent in runs.values() for task in of_agent}
    sizes = [len(scores) for of_agent in runs.values() for scores in of_agent.values()]
    least, most = min(sizes), max(sizes)
    each = f"{most} run{'s' if most > 1 else ''}" if least == most else f"{least} to {most} runs"
    return (
        f"{len(runs)} agent{'s' if len(runs) > 1 else ''}, {len(tasks)} "
        f"task{'s' if len(tasks) > 1 else ''}, {each} a task"
    )


def _has_papers(suite: Suite) -> bool:
    return bool(not suite.unofficial and published.sources(suite.name))


def _of_origin(agent: str, place: str, paper: Published, alike: int, common: int) -> str:
    """Return what is said of scores of a file that are those of a paper."""
    source = paper.source
    return (
        f"{place}: the scores of {agent} are those of {source.agent} ({source.slug}) on {alike} of "
        f"{common} tasks: its protocol deviations apply: "
        f"{deviations_of(agent, {agent: paper})}."
    )


def _of_stores(
    named: Mapping[str, int],
    first: int,
    scale: Scale,
    asked: Asked,
    names: _Names,
    notes: list[str],
    tell: Tell,
    *,
    curves: bool,
) -> list[_Found]:
    """Return the agents of stores, or those that are named, of stores or of papers.

    Raises:
        UnknownName: There is no such agent.
        UsageError: There is no suite, or a store that is given holds no scores.
    """
    if scale.suite is None:
        raise UsageError(_without_suite(list(named)))
    read = partial(
        _in_places, suite=scale.suite, tell=tell, curves=curves, within=asked.within, notes=notes
    )
    found = _of_suite(named, asked.stores, scale.suite, notes, read)
    out: dict[tuple[str, str], _Found] = {}
    for agent in found:
        if named and agent.name not in named:
            continue
        key = names.of(agent.name, (agent.place,)), agent.place
        if key in out:
            raise UsageError(f"--rename calls two agents of {agent.place} {key[0]!r}")
        out[key] = agent._replace(name=key[0], order=named.get(agent.name, first))
    return list(out.values())


def _of_suite(
    named: Mapping[str, int],
    stores: Sequence[Path],
    suite: Suite,
    notes: list[str],
    read: Callable[[Sequence[Path]], list[_Found]],
) -> list[_Found]:
    """Return the agents of the stores, by default of one, and those of papers that are named."""
    places, why = stores or [DEFAULT_STORE], ""
    try:
        found = read(places)
    except (UsageError, StoreError) as error:
        if stores or not named:
            raise
        found, why = [], str(error)
    here = {agent.name for agent in found}
    known = dict.fromkeys(here)
    if set(named) - here and PUBLISHED not in places and _has_papers(suite):
        papers = read([PUBLISHED])
        known |= dict.fromkeys(agent.name for agent in papers)
        found += [agent for agent in papers if agent.name not in here]
    for name in named:
        if name not in known:
            raise UsageError(_unknown(name, known, why))
    if not stores and (twice := here & set(named) & _published_in(suite)):
        notes.append(
            f"{', '.join(sorted(twice))}: from the store {DEFAULT_STORE}; with --store published, "
            "from a paper."
        )
    return found


def _published_in(suite: Suite) -> set[str]:
    return {source.agent for source in published.sources(suite.name)}


def _in_places(
    places: Sequence[Path],
    suite: Suite,
    tell: Tell,
    *,
    curves: bool,
    within: Mapping[str, float],
    notes: list[str],
) -> list[_Found]:
    """Return all agents of stores and papers."""
    found = []
    if within and PUBLISHED in places:
        raise UsageError("--within needs records: nothing is known of the costs in papers")
    if PUBLISHED in places:
        found += [
            _Found(agent, str(PUBLISHED), 0, paper.normalised(), paper)
            for agent, paper in published.load(suite).items()
        ]
    for place, scores in _scores_in([p for p in places if p != PUBLISHED], suite, tell):
        if within:
            scores, kept = constrained(scores, within)
            notes += said_of_limits(within, kept)
            if not scores.values:
                raise UsageError(f"no run in the store {place} keeps the limits: {notes[-1]}")
        found += [
            _Found(
                agent, str(place), 0, scores.normalised(agent),
                terms=terms_of(scores.records[agent], scores.engines[agent]),
                curves=scores.curves(agent) if curves else None,
                named=scores.named(agent) if curves else None,
                seeds=_seeds_of(scores, agent),
                measures=scores.measures(agent) if curves else None,
                records=scores.records[agent],
            )
            for agent in scores.values
        ]  # fmt: skip
    return found


def _scores_in(stores: Sequence[Path], suite: Suite, tell: Tell) -> list[tuple[Path, Scores]]:
    """Return the scores of each store, told apart by the engines of all of them."""
    records = {store: records_of(store, suite, tell) for store in stores}
    usual = usual_engines([r for of_store in records.values() for r in of_store], suite)
    found = []
    for store, of_store in records.items():
        scores = collect(of_store, suite, usual)
        if not scores.values:
            raise UsageError(
                f"every run of {suite.id} in the store {store} failed: there is no score"
            )
        found.append((store, scores))
    return found


def _without_suite(names: Sequence[str]) -> str:
    """Return what is said where records are asked for without a suite."""
    if not names:
        return "records need a suite: add --suite, e.g. --suite atari100k"
    name = names[0]
    boards = sorted({b for s in published.sources() if s.agent == name for b in s.boards})
    if boards:
        return f"{name!r} is a published agent, and needs a suite: add --suite {boards[0]}"
    if _is_like_a_file(name):
        return _no_file(name)
    return (
        f"{_no_file(name)}; an agent of a store or a paper needs a suite: add --suite, e.g. "
        "--suite atari100k"
    )


def _unknown(name: str, known: Iterable[str], why: str) -> str:
    """Return what is said of a source that is neither a file nor an agent."""
    if _is_like_a_file(name):
        return _no_file(name)
    said = f"{UnknownName('agent', name, known)} There is {_no_file(name)}"
    return said + (f"; {why}" if why else "")


def _is_like_a_file(name: str) -> bool:
    return os.sep in name or bool(re.fullmatch(r".*\.[A-Za-z]\w{1,6}", name))


def _no_file(name: str) -> str:
    """Return that there is no such file, and what there is."""
    path, near = Path(name), list[str]()
    if path.parent.is_dir():
        near = get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1)
    said = f"no such file: {name}"
    if _is_like_a_file(name):
        said = f"cannot read {name}: no such file"
        if path.suffix and path.suffix not in READERS:
            said += f", and known are {', '.join(READERS)} and folders"
    return said + (f"; there is {path.parent / near[0]}" if near else "")
