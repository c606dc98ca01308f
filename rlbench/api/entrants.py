"""Agents that are named for a comparison, and the runs of all of them together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rlbench.api.asking import parse_options
from rlbench.api.places import parse_places
from rlbench.api.running import Wanted, find_agent, given_of_policy, want
from rlbench.errors import UsageError
from rlbench.results.labels import labels
from rlbench.runners import Resolved, Run, identities
from rlbench.suites import Suite, Task

_NAMED = re.compile(r"(?:([^=:/\[]{1,100})=)?(.+?)(?:\s*\[(.*)\])?", re.DOTALL)


class Entrants(NamedTuple):
    """Agents that are compared on a suite.

    Attributes:
        suite: The suite.
        tasks: Those of its tasks that they are compared on.
        agents: By label.
    """

    suite: Suite
    tasks: list[Task]
    agents: dict[str, Resolved]


def resolve_entrants(
    suite: Suite,
    tasks: Sequence[Task],
    specs: Sequence[str],
    *,
    trains: bool = True,
    trust: bool = False,
) -> Entrants:
    """Return the agents that are named for a comparison.

    Args:
        suite: The suite.
        tasks: Some of its tasks.
        specs: Each ``[NAME=]AGENT[ [OPTION=VALUE, ...]]``: ``wide=my_agent.py [width=512]``.
        trains: They train; else they are policies, which were given pretraining.
        trust: Accept files of data that run code when they are loaded.

    Raises:
        UsageError: The suite is a curriculum, there are fewer than two agents, two are the same,
            or one cannot be found.
    """
    if suite.protocol.kind == "curriculum":
        raise UsageError(f"{suite.id} is a curriculum: its agents are run with `rlbench run`")
    suite.load_factory()
    found = [_resolve(spec, trains=trains, trust=trust) for spec in specs]
    if len(found) < 2:
        raise UsageError("a comparison needs at least two agents: name them before the options")
    of_agents = [identities(suite, tasks[:1], who.id, [0])[0] for who in found]
    named = labels(of_agents)
    if len(named) < len(found):
        raise UsageError(
            "two of the agents are the same: give one of them another name, NAME=AGENT"
        )
    agents = {named[one.agent_key]: who for one, who in zip(of_agents, found, strict=True)}
    return Entrants(suite, list(tasks), agents)


def _resolve(spec: str, *, trains: bool, trust: bool) -> Resolved:
    match = _NAMED.fullmatch(spec.strip())
    if match is None:
        raise UsageError(f"{spec!r} names no agent")
    name, agent, options = match.groups()
    config = parse_options([part for part in (options or "").split(",") if part.strip()])
    given = () if trains else given_of_policy(agent)
    return find_agent(agent, config, (name or "").strip(), given, trust=trust)[0]


def want_of_all(
    entrants: Entrants,
    names: Iterable[str],
    seeds: Sequence[int],
    *,
    store: Path,
    device: str = "cpu",
    jobs: int = 0,
    runs_per_gpu: int = 1,
) -> list[Wanted]:
    """Return the runs of some agents that are wanted, by agent, all with the places they share.

    Args:
        entrants: The agents, on a suite.
        names: Labels of some of them.
        seeds: Of the runs.
        store: See `want`, as for those below.
        device: The same.
        jobs: The same.
        runs_per_gpu: The same.

    Raises:
        UsageError: Something does not fit.
    """
    wanted = [
        want(
            entrants.suite, entrants.tasks, entrants.agents[name], seeds,
            store=store, device=device, jobs=jobs, runs_per_gpu=runs_per_gpu,
        )
        for name in names
    ]  # fmt: skip
    places = parse_places(
        device,
        jobs=jobs,
        runs_per_gpu=runs_per_gpu,
        runs=sum(len(of_agent.identities) for of_agent in wanted),
        has_group=all(of_agent.agent.has_group for of_agent in wanted),
    )
    return [replace(of_agent, places=places) for of_agent in wanted]


def in_turn(of_agents: Sequence[Sequence[Run]]) -> list[Run]:
    """Return the runs of all agents, seed by seed, so that early results span agents and tasks."""
    runs = [run for of_agent in of_agents for run in of_agent]
    return sorted(runs, key=lambda run: run.identity.seed)
