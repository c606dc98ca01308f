"""Studies: files that say which agents are compared, on what and how; tuning and ablations too."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rlbench.api.asking import DEFAULT_STORE, parse_seeds, parse_suite
from rlbench.api.clusters import Placement
from rlbench.api.entrants import Entrant
from rlbench.errors import InvalidRecord, UnknownName, UsageError
from rlbench.files import read_bounded
from rlbench.results.record import check_schema
from rlbench.results.values import plain, unofficial_text
from rlbench.suites import Suite, Task

MAX_BYTES = 200_000
_SETTINGS = {"statistic": "iqm", "alpha": 0.05, "batch": 5, "max_batches": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Settings of an agent of which one is chosen before the comparison.

    Attributes:
        settings: Options, each over those of the agent.
        seeds: Of the runs that it is chosen by; none of them is one of the comparison.
    """

    settings: tuple[Mapping[str, Any], ...]
    seeds: tuple[int, ...]


class Part(NamedTuple):
    """What an agent of the file says itself.

    Attributes:
        name: Its name.
        agent: What names it, or nothing if its base says.
        teacher: The same of its teacher, in a curriculum.
        options: Its options; those of the teacher begin with ``teacher.``.
    """

    name: str
    agent: str
    teacher: str
    options: Mapping[str, Any]


class NamedSuite(NamedTuple):
    """A suite of the study.

    Attributes:
        suite: What names it.
        tasks: Some of its tasks, with commas; all if there is nothing.
        unofficial: Constants that are changed, as the command line writes them.
    """

    suite: str
    tasks: str
    unofficial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a file says.

    Attributes:
        suites: Those that the agents are compared on, each by its own plan.
        store: Where records go.
        figures: Where figures go, if anywhere.
        placement: The backend, and what is asked of it.
        settings: As `rlbench.api.sequential.plan_of` takes them.
        agents: By name, what each is made of: its first base first, itself last.
        tuning: By the name of an agent that is tuned.
    """

    suites: tuple[NamedSuite, ...]
    store: Path
    figures: Path | None
    placement: Placement
    settings: Mapping[str, Any]
    agents: Mapping[str, tuple[Part, ...]]
    tuning: Mapping[str, Tuning] = field(default_factory=dict)

    def entrant(self, name: str, chosen: Mapping[str, Mapping[str, Any]]) -> Entrant:
        """Return an agent of the study.

        Args:
            name: Its name.
            chosen: The setting that was chosen for each agent that is tuned. It stands over the
                options of that agent, and below those of agents that have it as a base.
        """
        agent, teacher, config = "", "", dict[str, Any]()
        for part in self.agents[name]:
            agent, teacher = part.agent or agent, part.teacher or teacher
            config |= {**part.options, **chosen.get(part.name, {})}
        return Entrant(name=name, agent=agent, config=config, teacher=teacher)


def read_study(path: Path) -> Study:
    """Read the study in a file of TOML.

    Raises:
        UsageError: It cannot be read, or does not say what a study is.
    """
    try:
        data = tomllib.loads(read_bounded(path, MAX_BYTES).decode())
        check_schema(data, "study")
        for agent in data["agents"].values():
            for options in (agent.get("options", {}), *agent.get("tune", {}).get("settings", ())):
                plain(options)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (InvalidRecord, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not a study: {str(error)[:200]}") from error
    agents = data["agents"]
    settings = {**_SETTINGS, **data.get("comparison", {})}
    if (baseline := settings.get("baseline")) is not None and baseline not in agents:
        raise UnknownName(f"baseline in {path}:", baseline, agents)
    study = Study(
        suites=_suites(data, path),
        store=Path(data.get("store", DEFAULT_STORE)),
        figures=Path(data["figures"]) if "figures" in data else None,
        placement=Placement(
            backend=data.get("backend", "local"),
            address=data.get("ray_address", "auto"),
            options={name: data.get(name, {}) for name in ("ray", "slurm")},
        ),
        settings=settings,
        agents={name: _lineage(name, agents, path) for name in agents},
        tuning={
            name: Tuning(
                settings=tuple(agent["tune"]["settings"]),
                seeds=tuple(parse_seeds(agent["tune"]["seeds"])),
            )
            for name, agent in agents.items()
            if "tune" in agent
        },
    )
    _check_seeds(study, path)
    return study


def _suites(data: Mapping[str, Any], path: Path) -> tuple[NamedSuite, ...]:
    """Return the suites that a file names, either in the tables ``suites`` or as its only one."""
    own = sorted({"suite", "tasks", "unofficial"} & set(data))
    if "suites" in data and own:
        raise UsageError(f"{path}: {own[0]} belongs into the tables [[suites]], as there are some")
    if "suites" not in data and "suite" not in data:
        raise UsageError(f'{path}: it names no suite: write suite = "atari100k", or [[suites]]')
    return tuple(
        NamedSuite(
            one["suite"],
            ",".join(one.get("tasks", ())),
            unofficial_text(one.get("unofficial", {})),
        )
        for one in data.get("suites", [data])
    )


def _lineage(name: str, agents: Mapping[str, Any], path: Path) -> tuple[Part, ...]:
    """Return what an agent is made of: its first base, then what follows from it, then itself."""
    chain: list[str] = [name]
    while base := agents[chain[-1]].get("base"):
        if base in chain or base not in agents:
            raise UsageError(f"{path}: the base of agent {name!r} is not another agent of the file")
        chain.append(base)
    if not any("agent" in agents[one] for one in chain):
        raise UsageError(f'{path}: agent {name!r} has no agent = "...", and no base that has one')
    return tuple(
        Part(one, said.get("agent", ""), said.get("teacher", ""), said.get("options", {}))
        for one in reversed(chain)
        for said in [agents[one]]
    )


def _check_seeds(study: Study, path: Path) -> None:
    """Raise UsageError if an agent is tuned on seeds that it is compared on."""
    first = study.settings.get("first_seed", 0)
    compared = range(first, first + study.settings["batch"] * study.settings["max_batches"])
    for name, tuning in study.tuning.items():
        if shared := sorted(set(compared) & set(tuning.seeds)):
            raise UsageError(
                f"{path}: agent {name!r} is tuned on seed {shared[0]}, which is one of the "
                f"comparison ({compared[0]} to {compared[-1]}): tune on others, e.g. 10000-10002"
            )


def suites_of(study: Study, file: Path) -> list[tuple[Suite, list[Task]]]:
    """Return the suites of a study, each with the tasks that agents are compared on.

    Raises:
        UsageError: One cannot be found, or is named twice.
    """
    found: list[tuple[Suite, list[Task]]] = []
    for one in study.suites:
        suite = parse_suite(one.suite, one.unofficial)
        if suite.name in {other.name for other, _ in found}:
            raise UsageError(f"{file}: the suite {suite.name} is named twice: use two files")
        named = {suite.task(name.strip()).name for name in one.tasks.split(",") if name.strip()}
        found.append((suite, [task for task in suite.tasks if not named or task.name in named]))
    return found
