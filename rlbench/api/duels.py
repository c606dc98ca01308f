"""Duels of policies: rounds of evaluation episodes from common start states."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rlbench.api.entrants import Entrants, by_key, parse_entrant, resolve_entrants
from rlbench.errors import UnknownName, UsageError
from rlbench.results import Record, identities
from rlbench.stats import DuelResult, duel
from rlbench.suites import Suite, Task

By = Literal["return", "wins"]
BY: tuple[By, ...] = ("return", "wins")

Returns = dict[str, NDArray[np.float64]]  # by policy: (starts, tasks)


def policies_of(
    suite: Suite, tasks: Sequence[Task], specs: Sequence[str], episodes: int, *, trust: bool
) -> Entrants:
    """Return policies on a suite whose runs are rounds: as many slots as episodes.

    The random stream of an evaluation does not depend on who is evaluated, and each slot plays one
    episode, so that slot k of a seed begins in one state for all policies.

    Args:
        suite: The suite.
        tasks: Some of its tasks.
        specs: See `parse_entrant`.
        episodes: Of a round, a task.
        trust: Accept files of data that run code when they are loaded.

    Raises:
        UsageError: As `resolve_entrants` does.
    """
    changed = {"episodes": episodes, "eval_envs": episodes}
    rounds = suite.make_unofficial({**suite.unofficial, **changed})
    chosen = [rounds.task(task.name) for task in tasks]
    named = [parse_entrant(spec) for spec in specs]
    return resolve_entrants(rounds, chosen, named, trains=False, trust=trust)


def by_of(name: str, tasks: Iterable[Task]) -> By:
    """Return what policies are compared by; without a name by returns if these are bounded.

    Raises:
        UnknownName: There is nothing of that name.
        UsageError: Returns are not bounded.
    """
    open_tasks = [task.name for task in tasks if not all(map(isfinite, task.returns))]
    if name not in ("", *BY):
        raise UnknownName("way to compare", name, BY)
    if name == "return" and open_tasks:
        raise UsageError(
            f"the suite states no bounds of returns for {', '.join(open_tasks)}: compare --by wins"
        )
    return "wins" if name == "wins" or open_tasks else "return"


def returns_so_far(entrants: Entrants, records: Iterable[Record]) -> Returns:
    """Return the returns of each policy in the rounds that are complete, in the order of seeds."""
    ok = by_key(records)
    episodes = entrants.suite.protocol_of(entrants.tasks[0]).episodes
    found = {}
    for label, who in entrants.agents.items():
        rounds: list[list[tuple[float, ...]]] = []
        while True:
            of_round = identities(entrants.suite, entrants.tasks, who.id, [len(rounds)])
            if not all(identity.key in ok for identity in of_round):
                break
            rounds.append([ok[identity.key].final.returns for identity in of_round])
        array = np.array(rounds, dtype=np.float64).reshape(-1, len(entrants.tasks), episodes)
        found[label] = array.swapaxes(1, 2).reshape(-1, len(entrants.tasks))
    return found


def decide(entrants: Entrants, returns: Returns, by: By, alpha: float) -> DuelResult | None:
    """Decide on what all policies have played, or on nothing before each has played a round."""
    if not all(map(len, returns.values())):
        return None
    widths = np.array([high - low for low, high in (task.returns for task in entrants.tasks)])
    differences = {}
    for a, b in combinations(entrants.agents, 2):
        both = min(len(returns[a]), len(returns[b]))
        gaps = returns[a][:both] - returns[b][:both]
        differences[a, b] = (np.sign(gaps) if by == "wins" else gaps / widths).mean(axis=1)
    return duel(differences, alpha=alpha)


def rows_of(result: DuelResult, returns: Returns) -> list[dict[str, object]]:
    """Return a row a pair: a, b, decision, difference, tested, p_value, starts.

    `difference` is that of the mean raw returns over tasks. `tested` is what the decision is about:
    the mean of the differences over the width of each task's bounds, or of wins less losses. The
    two can have different signs, as tasks with wide bounds dominate raw returns.
    """
    rows: list[dict[str, object]] = []
    for (a, b), decision in result.decisions.items():
        starts = result.starts[a, b]
        gap = returns[a][:starts].mean() - returns[b][:starts].mean()
        rows.append(
            {
                "a": a, "b": b, "decision": decision, "difference": float(gap),
                "tested": result.differences[a, b], "p_value": result.p_values[a, b],
                "starts": starts,
            }
        )  # fmt: skip
    return rows
