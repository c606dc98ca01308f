"""Agents that are named for a comparison, and the runs of all of them together."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.api.asking import TEACHER_PREFIX
from rlbench.api.clusters import Placement, Work, find_places
from rlbench.api.running import Wanted, find_agent, find_teacher, given_of_policy, want
from rlbench.api.stores import loaded_or_empty
from rlbench.errors import UsageError
from rlbench.results import Identity, Record, identities
from rlbench.results.labels import labels
from rlbench.results.values import parse_assignments
from rlbench.runners import Resolved, Run
from rlbench.runners.run import Players
from rlbench.suites import Suite, Task

_NAMED = re.compile(r"(?:([^=:/\[]{1,100})=)?(.+?)(?:\s*\[(.*)\])?", re.DOTALL)


class Entrant(NamedTuple):
    """An agent as a user names it.

    Attributes:
        name: Its display name, or nothing for its own.
        agent: What names it.
        config: Its options; those of the teacher begin with ``teacher.``.
        teacher: What names its teacher, in a curriculum.
    """

    name: str
    agent: str
    config: Mapping[str, Any]
    teacher: str = ""


class Entrants(NamedTuple):
    """Agents that are compared on a suite.

    Attributes:
        suite: The suite.
        tasks: Those of its tasks that they are compared on.
        agents: By label.
        teachers: By the label of the agent, in a curriculum.
    """

    suite: Suite
    tasks: list[Task]
    agents: dict[str, Resolved]
    teachers: dict[str, Resolved]

    def runs(self, label: str, seeds: Iterable[int]) -> list[Identity]:
        """Return the runs of an agent, seed by seed."""
        agent, teacher = self.agents[label], self.teachers.get(label)
        of_teacher = teacher.id if teacher else None
        return identities(self.suite, self.tasks, agent.id, seeds, of_teacher)


def resolve_entrants(
    suite: Suite,
    tasks: Sequence[Task],
    named: Sequence[Entrant],
    *,
    trains: bool = True,
    trust: bool = False,
) -> Entrants:
    """Return the agents that are named for a comparison.

    Args:
        suite: The suite.
        tasks: Some of its tasks.
        named: The agents.
        trains: They train; else they are policies, which were given pretraining.
        trust: Accept files of data that run code when they are loaded.

    Raises:
        UsageError: There are fewer than two agents, two are the same, one cannot be found, one of a
            curriculum has no teacher, or policies are compared on a curriculum.
    """
    if suite.protocol.kind == "curriculum" and not trains:
        raise UsageError(f"{suite.id} is a curriculum, which trains: compare agents with --run")
    suite.load_factory()
    if len(named) < 2:
        raise UsageError("a comparison needs at least two agents: name them before the options")
    found = [_resolved(suite, one, trains=trains, trust=trust) for one in named]
    of_agents = [
        identities(suite, tasks[:1], who.id, [0], teacher.id if teacher else None)[0]
        for who, teacher in found
    ]
    shown = labels(of_agents)
    if len(shown) < len(found):
        raise UsageError(
            "two of the agents are the same: give one of them another name, NAME=AGENT"
        )
    by_label = {shown[one.agent_key]: who for one, who in zip(of_agents, found, strict=True)}
    return Entrants(
        suite,
        list(tasks),
        {label: who for label, (who, _) in by_label.items()},
        {label: teacher for label, (_, teacher) in by_label.items() if teacher is not None},
    )


def _resolved(
    suite: Suite, one: Entrant, *, trains: bool, trust: bool
) -> tuple[Resolved, Resolved | None]:
    """Return an agent, and its teacher in a curriculum."""
    own = {k: v for k, v in one.config.items() if not k.startswith(TEACHER_PREFIX)}
    given = () if trains else given_of_policy(one.agent)
    who, _ = find_agent(one.agent, own, one.name, given, trust=trust)
    return who, find_teacher(suite, one.teacher, one.config)


def with_teachers(suite: Suite, named: Iterable[Entrant], teacher: str) -> list[Entrant]:
    """Return agents with the teachers that they name, as ``AGENT+TEACHER``.

    Args:
        suite: The suite. If it is no curriculum, a plus is part of an agent's name.
        named: The agents.
        teacher: Of those that name none.
    """
    if suite.protocol.kind != "curriculum":
        return [one._replace(teacher=teacher) for one in named]
    found = []
    for one in named:
        agent, _, own = one.agent.rpartition("+")
        if agent:
            found.append(one._replace(agent=agent.strip(), teacher=own.strip()))
        else:
            found.append(one._replace(teacher=teacher))
    return found


def parse_entrant(spec: str) -> Entrant:
    """Return the agent in ``[NAME=]AGENT[ [OPTION=VALUE, ...]]``.

    >>> parse_entrant("wide=my_agent.py [width=512]")
    Entrant(name='wide', agent='my_agent.py', config={'width': 512}, teacher='')
    >>> parse_entrant("sac [hidden=[64,64], gamma=.9]").config
    {'hidden': [64, 64], 'gamma': 0.9}
    """
    match = _NAMED.fullmatch(spec.strip())
    if match is None:
        raise UsageError(f"{spec!r} names no agent")
    name, agent, options = match.groups()
    return Entrant((name or "").strip(), agent, parse_assignments(options or ""))


def raw_scores(
    entrants: Entrants, name: str, seeds: Sequence[int], records: Mapping[str, Record]
) -> NDArray[np.float64]:
    """Return an agent's raw scores, (seeds, tasks); NaN where a run has none.

    Args:
        entrants: The agents, on a suite.
        name: The label of one of them.
        seeds: Of the runs.
        records: Those that ended well, by key.
    """
    runs = entrants.runs(name, seeds)
    found = [records[run.key].score if run.key in records else np.nan for run in runs]
    return np.array(found).reshape(len(seeds), len(entrants.tasks))


def normalised(entrants: Entrants, raw: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return (seeds, tasks) raw scores as one array (seeds,) of normalised ones a task."""
    return [entrants.suite.normalise(task, raw[:, k]) for k, task in enumerate(entrants.tasks)]


def by_key(records: Iterable[Record]) -> dict[str, Record]:
    """Return the records of runs that ended well, by key."""
    return {record.identity.key: record for record in records if record.status == "ok"}


def want_of_all(
    entrants: Entrants,
    names: Iterable[str],
    seeds: Sequence[int],
    *,
    store: Path,
    placement: Placement,
) -> list[Wanted]:
    """Return the runs of some agents that are wanted, by agent; all share the same places.

    Args:
        entrants: The agents, on a suite.
        names: Labels of some of them.
        seeds: Of the runs.
        store: The folder of records.
        placement: Where they may be.

    Raises:
        UsageError: Something does not fit.
    """
    named = list(names)
    agents = [entrants.agents[name] for name in named]
    teachers = [entrants.teachers.get(name) for name in named]
    players = [
        Players(agent.recipe, teacher.recipe if teacher else None)
        for agent, teacher in zip(agents, teachers, strict=True)
    ]
    found_places = find_places(
        placement,
        Work(
            suite=entrants.suite,
            players=players,
            runs=len(named) * len(entrants.tasks) * len(seeds),
            has_group=all(agent.has_group for agent in agents),
        ),
    )
    loaded = loaded_or_empty(store, entrants.suite)
    return [
        want(
            entrants.suite, entrants.tasks, agent, seeds, store=store, teacher=teacher,
            placement=placement, loaded=loaded, found_places=found_places,
        )
        for agent, teacher in zip(agents, teachers, strict=True)
    ]  # fmt: skip


def in_turn(of_agents: Sequence[Sequence[Run]]) -> list[Run]:
    """Return the runs of all agents, seed by seed, so that early results span agents and tasks."""
    runs = [run for of_agent in of_agents for run in of_agent]
    return sorted(runs, key=lambda run: run.identity.seed)
