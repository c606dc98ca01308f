"""Retention by the type of disturbance, of suites with clean tasks or a clean evaluation."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.results.scores import NamedScores
from rlbench.stats import retention
from rlbench.stats.pairs import PairMethod
from rlbench.suites import Suite

CLEAN = "clean"  # an evaluation of this name, if it is the main one


class RetentionRow(NamedTuple):
    """The share of its clean score that an agent keeps under one type of disturbance.

    `point`, `low` and `high` are None where there is none. `runs` is the smallest number of runs of
    a task; `tasks` counts those that the number speaks of, out of `tasks_of_type`; `left_out`
    counts the games in which no clean score is significantly above 0, which `games_left_out` names.
    """

    agent: str
    type: str
    point: float | None
    low: float | None
    high: float | None
    method: str
    runs: int
    tasks: int
    left_out: int
    games_left_out: str
    tasks_of_type: int


def clean_versions(suite: Suite) -> dict[str, str]:
    """Return the clean version of each disturbed one; none where a suite has neither.

    A version is a task or, in a suite whose main evaluation is ``clean``, an evaluation of a task,
    named as `evaluations_apart` names it.
    """
    if has_clean_evaluation(suite):
        return {
            f"{task.name}/{evaluation}": f"{task.name}/{CLEAN}"
            for task in suite.tasks
            for evaluation in suite.protocol.evaluations
            if evaluation != CLEAN
        }
    return {task.name: task.clean for task in suite.tasks if task.clean}


def has_clean_evaluation(suite: Suite) -> bool:
    """Say whether one trained policy is evaluated clean and disturbed."""
    return suite.protocol.main_evaluation == CLEAN


def evaluations_apart(
    tasks: Mapping[str, Sequence[NamedScores]],
) -> dict[str, NDArray[np.float64]]:
    """Return the scores (runs,) of the last evaluations of runs, by ``task/evaluation``.

    Args:
        tasks: Task to the scores of each run, as `Scores.named` returns them.
    """
    found = {}
    for task, runs in tasks.items():
        last = [run[max(run)] for run in runs]
        for evaluation in last[0]:
            found[f"{task}/{evaluation}"] = np.array([run[evaluation] for run in last])
    return found


def retention_rows(
    agents: Mapping[str, Mapping[str, NDArray[np.float64]]],
    suite: Suite,
    *,
    method: PairMethod = "rao-wu",
    by_strength: bool = False,
) -> list[RetentionRow]:
    """Return one row an agent and type: what stands behind the ``/`` of a version's name.

    Args:
        agents: Agent, then task or version, to normalised scores (runs,). Agents without runs on a
            clean version and on a disturbed one of it have no rows.
        suite: Their suite; of one without clean versions there are no rows.
        method: Of the intervals, as `stats.retention` takes it.
        by_strength: Tell the strengths of a type apart.
    """
    clean_of = clean_versions(suite)
    types: dict[str, list[str]] = {}
    for name in clean_of:
        kind = name.partition("/")[2]
        types.setdefault(kind if by_strength else re.sub(r"[-_]\d$", "", kind), []).append(name)
    rows = []
    for agent, tasks in agents.items():
        for kind, names in types.items():
            pairs = {name: clean_of[name] for name in names if {name, clean_of[name]} <= set(tasks)}
            if pairs:
                rows.append(_row(agent, kind, tasks, pairs, len(names), method, suite))
    return rows


def _row(
    agent: str,
    kind: str,
    tasks: Mapping[str, NDArray[np.float64]],
    pairs: Mapping[str, str],
    total: int,
    method: PairMethod,
    suite: Suite,
) -> RetentionRow:
    """Return the row of an agent's disturbed tasks, named with their clean ones."""
    clean = list(dict.fromkeys(pairs.values()))
    games = [clean.index(name) for name in pairs.values()]
    scores = [tasks[name] for name in clean], [tasks[name] for name in pairs]
    estimate, left_out = retention(*scores, games=games, method=method)
    return RetentionRow(
        agent=agent,
        type=kind,
        point=estimate.point if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        method=estimate.method
        if estimate
        else f"none: no clean mean is significantly above {suite.references[0]}",
        runs=min(len(runs) for part in scores for runs in part),
        tasks=sum(game not in left_out for game in games),
        left_out=len(left_out),
        games_left_out=", ".join(clean[game].partition("/")[0] for game in left_out),
        tasks_of_type=total,
    )
