"""What is said of offline agents: their data, their costs, how their scores were chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlbench.api.gathering import Gathered
from rlbench.api.scales import Agents
from rlbench.errors import UsageError
from rlbench.leaderboard.beside_data import DATA, NO_RUNS, DataRow, data_rows
from rlbench.leaderboard.measures import measure_rows
from rlbench.results.rankable import NOTHING, why_alone
from rlbench.stats import summarise, summarise_tasks
from rlbench.stats.constant import BY_TASK
from rlbench.suites import Suite

BEST_POINT = "best evaluation point (selected online)"
CHOSEN_ONLINE = "the evaluation points were chosen by these returns"
_OPTIMISTIC = (
    f"The {BEST_POINT}: the highest score of all evaluations of each run. It is chosen by the "
    "returns that it reports, so it is biased upwards. The score of the protocol is that of the "
    "last evaluation."
)


def at_best_points(found: Gathered) -> tuple[Agents, list[str]]:
    """Return the greatest score of each run over its evaluation points, and what must be said.

    Raises:
        UsageError: No agent has scores at several points.
    """
    best = {
        agent: {
            task: np.array([scores.max() for _, scores in runs]) for task, runs in tasks.items()
        }
        for agent, tasks in found.curves.items()
        if any(len(scores) > 1 for runs in tasks.values() for _, scores in runs)
    }
    if not best:
        raise UsageError(
            "--best-point needs runs with several evaluations: rlbench run --eval-points 10"
        )
    others = [agent for agent in found.agents if agent not in best]
    notes = [_OPTIMISTIC]
    if others:
        notes.append(f"Left out, with one evaluation a run: {', '.join(others)}.")
    return best, notes


def rows_beside_data(found: Gathered, suite: Suite | None, untested: str = "") -> list[DataRow]:
    """Return how agents compare with their data; nothing where the data are not known.

    Args:
        found: The agents.
        suite: Their suite, if it is known.
        untested: Why no agent can be tested.
    """
    data = suite.data_returns() if suite else {}
    why = {agent: why_alone(terms) for agent, terms in found.own.items()}
    why |= {agent: paper.source.never_ranked for agent, paper in found.published.items()}
    return data_rows(found.agents, data, dict.fromkeys(found.agents, untested) if untested else why)


def table_beside_data(rows: Sequence[DataRow]) -> list[dict[str, Any]]:
    """Return what `rows_beside_data` found, for a table of its own.

    Raises:
        UsageError: The data of the suite are not known.
    """
    if not rows:
        raise UsageError(
            "--against-data needs an offline suite whose data are known, e.g. --suite neorl2"
        )
    return [row._asdict() for row in rows]


def said_of_data(rows: Sequence[DataRow]) -> list[str]:
    """Return on how many tasks each agent is above its data, on average and surely."""
    if not rows:
        return []
    tested = [row for row in rows if row.surely_above is not None]
    average = ", ".join(f"{row.agent} {row.above} of {row.tasks}" for row in rows)
    notes = [f"Tasks on which the mean is above that of the {DATA}: {average}."]
    if tested:
        surely = ", ".join(f"{row.agent} {row.surely_above} of {row.tasks}" for row in tested)
        notes.append(f"Significantly above (95%, each agent by itself): {surely}. By {BY_TASK}.")
    for why in dict.fromkeys(row.test for row in rows if row.surely_above is None):
        names = ", ".join(row.agent for row in rows if row.test == why)
        notes.append(f"Not tested against the data: {names} ({why.removeprefix('none: ')}).")
    return notes


def with_data(
    rows: list[dict[str, Any]], suite: Suite | None, agents: Agents, *, per_task: bool
) -> list[dict[str, Any]]:
    """Return rows of aggregates, or of tasks, with those of the data behind them."""
    data = suite.data_returns() if suite else {}
    known = {task: [data[task]] for task in data if any(task in of for of in agents.values())}
    if not known:
        return rows
    name = DATA
    while name in agents:
        name += "*"
    found: Sequence[Any] = (
        summarise_tasks({name: known}) if per_task else summarise({name: list(known.values())})
    )
    about = {"low": None, "high": None, "method": NO_RUNS, "runs": 0}
    more = [row._asdict() | about for row in found]
    if per_task:
        more = [row | {"std": None} for row in more]
    return [*rows, *({**dict.fromkeys(rows[0]), **row} for row in more)]


def table_of_measures(found: Gathered) -> list[dict[str, Any]]:
    """Return a row an agent, task and measure, as `measure_rows` does.

    Raises:
        UsageError: Nothing was measured.
    """
    alone = {agent for agent in found.measures if why_alone(found.own.get(agent, NOTHING))}
    rows = measure_rows({a: of for a, of in found.measures.items() if a not in alone})
    if not rows:
        raise UsageError(
            "--measures needs runs of rlbench's own, on a task that measures more than the return, "
            "e.g. SafetyHalfCheetah of neorl2"
        )
    return [row._asdict() for row in rows]


def a_task_a_row(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row an agent and task with a cell a measure."""
    from rlbench.api.cells import cell

    names = dict.fromkeys(row["measure"] for row in rows)
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        begin = {"agent": row["agent"], "task": row["task"], "runs": row["runs"]}
        shown = table.setdefault((row["agent"], row["task"]), begin | dict.fromkeys(names))
        shown[row["measure"]] = cell(row, "mean")
    return list(table.values())
