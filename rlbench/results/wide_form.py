"""Tables in wide form: a row a run and a column a task, or a column an agent."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.results.formats.content import stem_of
from rlbench.results.reading import (
    AGENTS,
    OF_LOGS,
    TASKS,
    Reading,
    Roles,
    fold,
    from_outside,
    in_words,
    words,
)
from rlbench.results.score_files import TASK_OF_ARRAY, ScoreFile, as_arrays
from rlbench.results.tables import Table, numbers_in, place_of, some
from rlbench.results.task_names import are_tasks, fold_task, tasks_among


def runs_of_wide(table: Table, roles: Roles, reading: Reading) -> ScoreFile:
    """Return the scores of a table in wide form, as `rlbench.results.forms.runs_of` says."""
    header = table.header
    roles_of_wide = ("agent", "seed", "status")
    known = {role: roles.known[role] for role in roles_of_wide if role in roles.known}
    columns = [k for k in range(len(header)) if k not in {*known.values(), *roles.unnamed}]
    if not columns:
        raise InvalidScores(f"{table.path} has no scores: its columns are {', '.join(header)}")
    _refuse_logs(table, roles, columns, reading)
    names = [header[k] for k in columns]
    are_agents = _columns_are(table, names, known, reading) == AGENTS
    if not are_agents:
        _refuse_spellings(table, names)
    runs = _of_agents if are_agents else _of_tasks
    found, seeds = runs(table, columns, known, reading)
    taken = {role: header[k] for role, k in known.items() if role != "status"}
    if are_agents:
        taken |= {"agents": some(names), "task": reading.task or "unnamed"}
    else:
        if "agent" not in known:
            taken = {"agent": from_outside(reading.agent, table.path), **taken}
        taken["tasks"] = some(names)
    return ScoreFile(
        as_arrays(table.path, {agent: tasks for agent, tasks in found.items() if tasks}),
        ". ".join([in_words(header, taken, roles.unnamed), *roles.remarks]),
        seeds if "seed" in known else {},
        is_batch=are_agents,
    )


_Scores = dict[str, dict[str, NDArray[np.float64]]]
_Seeds = dict[str, dict[str, list[str]]]


def _of_agents(
    table: Table, columns: Sequence[int], known: Mapping[str, int], reading: Reading
) -> tuple[_Scores, _Seeds]:
    """Return scores and seeds of a column an agent, in the order of seeds."""
    rows = _in_order(table, range(table.size), known)
    task = reading.task or TASK_OF_ARRAY.format(1)
    filled = {k: [n for n in rows if table.columns[k][n]] for k in columns}
    found = {table.header[k]: {task: numbers_in(table, k, at)} for k, at in filled.items() if at}
    seeds = {table.header[k]: {task: _seeds_at(table, at, known)} for k, at in filled.items()}
    return found, seeds


def _of_tasks(
    table: Table, columns: Sequence[int], known: Mapping[str, int], reading: Reading
) -> tuple[_Scores, _Seeds]:
    """Return scores and seeds of a column a task, agent by agent, in the order of seeds."""
    agents = [reading.agent or stem_of(table.path)] * table.size
    if "agent" in known:
        agents = table.columns[known["agent"]]
    of_agent: dict[str, list[int]] = {}
    for n, agent in enumerate(agents):
        of_agent.setdefault(agent, []).append(n)
    found: _Scores = {}
    seeds: _Seeds = {}
    for agent, rows in of_agent.items():
        ordered = _in_order(table, rows, known)
        filled = {k: [n for n in ordered if table.columns[k][n]] for k in columns}
        found[agent] = {table.header[k]: numbers_in(table, k, at) for k, at in filled.items() if at}
        seeds[agent] = {
            table.header[k]: _seeds_at(table, at, known) for k, at in filled.items() if at
        }
    return found, seeds


def _seeds_at(table: Table, rows: Sequence[int], known: Mapping[str, int]) -> list[str]:
    return [table.columns[known["seed"]][n] for n in rows] if "seed" in known else []


def _in_order(table: Table, rows: Sequence[int], known: Mapping[str, int]) -> list[int]:
    """Return the rows of one agent in the order of seeds, or as they are without.

    Raises:
        InvalidScores: A seed appears twice.
    """
    if "seed" not in known:
        return list(rows)
    seeds = table.columns[known["seed"]]
    seen: dict[str, int] = {}
    for n in rows:
        if (there := seen.setdefault(seeds[n], n)) != n:
            agent = f"agent {table.columns[known['agent']][n]!r}, " if "agent" in known else ""
            raise InvalidScores(
                f"{table.path}, {table.places[n]}: {agent}seed {seeds[n]!r} already exists, in "
                f"{table.places[there]}"
            )
    return sorted(rows, key=lambda n: place_of(seeds[n]))


def _refuse_spellings(table: Table, names: Sequence[str]) -> None:
    """Refuse two columns of one task."""
    named: dict[str, str] = {}
    for name in names:
        if (other := named.setdefault(fold_task(name), name)) != name:
            raise InvalidScores(f"{table.path} spells one task in two ways: {other!r} and {name!r}")


def _refuse_logs(table: Table, roles: Roles, columns: Sequence[int], reading: Reading) -> None:
    """Refuse a table whose columns look like a log's rather than like tasks."""
    header = table.header
    names = [header[k] for k in columns]
    if reading.wide or reading.columns_are:
        return
    if len(tasks_among(names, reading.suite)) == len(names) if reading.suite else are_tasks(names):
        return
    why = ""
    if "task" in roles.known:
        why = f"{header[roles.known['task']]!r} are tasks, and no column is known as scores"
    else:
        odd = [
            name
            for name in names
            if words(name) & OF_LOGS or name.endswith(("__MIN", "__MAX")) or not fold(name)
            or fold(name).startswith("unnamed:")
        ]  # fmt: skip
        odd += [header[roles.known[r]] for r in ("step", "metric") if r in roles.known]
        if odd:
            why = f"{some([name or 'a column without a name' for name in odd])} looks like a log's"
    if "metric" in roles.known:
        why = f"{header[roles.known['metric']]!r} are metrics: name one with --metric"
    if why:
        guess = header[columns[-1]] or "NAME"
        raise InvalidScores(
            f"{table.path}: what its columns {', '.join(name or repr(name) for name in header)} "
            f"are is not clear: {why}. Name them, e.g. --columns score={guess}, or say --wide if "
            "every column is a task"
        )


def _columns_are(
    table: Table, names: Sequence[str], known: Mapping[str, int], reading: Reading
) -> str:
    """Return what the columns of a wide table are.

    Raises:
        InvalidScores: Neither a column of agents, nor the user, nor a suite's tasks say so.
    """
    if "agent" in known:
        if reading.columns_are == AGENTS:
            agents = table.header[known["agent"]]
            raise InvalidScores(
                f"{table.path} has a column of agents, {agents!r}: its columns are tasks"
            )
        return TASKS
    if reading.columns_are:
        return reading.columns_are
    if reading.task and reading.agent:
        raise InvalidScores(
            f"{table.path} has a column a task or an agent: leave --agent or --task out"
        )
    if reading.task:
        return AGENTS
    if reading.agent or reading.wide:
        return TASKS
    if tasks_among(names, reading.suite) if reading.suite else are_tasks(names):
        return TASKS  # a name that is none of the suite's is refused later
    raise InvalidScores(
        f"{table.path}: its columns {some(names)} may be tasks or agents: say --columns-are agents "
        "or --columns-are tasks"
    )
