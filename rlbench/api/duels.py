"""Duels of policies: rounds of evaluation episodes from common start states."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.api.batches import Execute
from rlbench.api.clusters import Placement
from rlbench.api.entrants import Entrant, Entrants, by_key, resolve_entrants, want_of_all
from rlbench.api.running import Wanted
from rlbench.api.stores import loaded_or_empty
from rlbench.errors import UnknownName, UsageError
from rlbench.results import Record, identities
from rlbench.stats import DuelResult, duel
from rlbench.suites import Suite, Task

By = Literal["return", "wins"]
BY: tuple[By, ...] = ("return", "wins")

Returns = dict[str, NDArray[np.float64]]  # by policy: (starts, tasks)


def policies_of(
    suite: Suite, tasks: Sequence[Task], named: Sequence[Entrant], episodes: int, *, trust: bool
) -> Entrants:
    """Return policies on a suite whose runs are rounds: as many slots as episodes.

    The random stream of an evaluation does not depend on who is evaluated, and each slot plays one
    episode, so that slot k of a seed begins in one state for all policies.

    Args:
        suite: The suite.
        tasks: Some of its tasks.
        named: The policies.
        episodes: Of a round, a task.
        trust: Accept files of data that run code when they are loaded.

    Raises:
        UsageError: As `resolve_entrants` does.
    """
    changed = {"episodes": episodes, "eval_envs": episodes}
    rounds = suite.make_unofficial({**suite.unofficial, **changed})
    chosen = [rounds.task(task.name) for task in tasks]
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


class Round(NamedTuple):
    """Where a duel stands, and the round that comes next.

    Attributes:
        result: What is decided; None before each policy has played a round.
        returns: Those so far.
        needed: The policies that are undecided.
        done: How many rounds they have played.
        wanted: Their runs of the next round, by policy; none after the last round.
    """

    result: DuelResult | None
    returns: Returns
    needed: tuple[str, ...]
    done: int
    wanted: dict[str, Wanted]


def next_round(
    entrants: Entrants, by: By, alpha: float, *, max_rounds: int, store: Path, placement: Placement
) -> Round:
    """Return where a duel stands.

    Args:
        entrants: The policies.
        by: What they are compared by.
        alpha: The level.
        max_rounds: How many rounds at most.
        store: Where records are.
        placement: Where rounds are played.
    """
    episodes = entrants.suite.protocol_of(entrants.tasks[0]).episodes
    returns = returns_so_far(entrants, loaded_or_empty(store, entrants.suite).records)
    result = decide(entrants, returns, by, alpha)
    needed = tuple(entrants.agents) if result is None else result.undecided_policies
    done = min((len(returns[name]) // episodes for name in needed), default=max_rounds)
    wanted = {}
    if done < max_rounds:
        found = want_of_all(entrants, needed, [done], store=store, placement=placement)
        wanted = dict(zip(needed, found, strict=True))
    return Round(result, returns, needed, done, wanted)


def play(
    entrants: Entrants, by: By, alpha: float, *, execute: Execute, **where: Any
) -> tuple[int, Round]:
    """Play rounds until all pairs are decided, the last round is over, or a run has no score.

    Args:
        entrants: The policies.
        by: What they are compared by.
        alpha: The level.
        execute: Does the runs of a round.
        where: As `next_round` takes it.

    Returns:
        An exit code if runs have no score, else 0; and where the duel stands.
    """
    while (at := next_round(entrants, by, alpha, **where)).wanted:
        if code := execute(list(at.wanted.values()), f"round {at.done + 1}"):
            return code, at
    return 0, at


def described(by: By, tasks: int, episodes: int, alpha: float) -> str:
    """Say what is compared, and how."""
    what = {
        "return": "by mean return, over the width of the bounds that the suite states",
        "wins": "by which of two policies gets more from a start state (the suite states no bounds "
        "of returns, or --by wins)",
    }[by]
    return (
        f"A duel {what}: {episodes} common start states a round on each of {tasks} tasks; bets, "
        f"level {alpha:g} at any time, over all pairs. No training budget is spent."
    )


def tested_text(by: By) -> str:
    """Say what the columns of `rows_of` are."""
    tested = "over the width of the bounds" if by == "return" else "of wins less losses"
    return f"difference: of the mean returns over tasks; tested: {tested}"


def sentence(row: Mapping[str, Any], by: By) -> str:
    """Return a row in words."""
    a, b, starts = row["a"], row["b"], row["starts"]
    if row["decision"] == "undecided":
        return f"{a} and {b} are undecided after {starts} start states."
    is_first = row["decision"] == "better"
    first, second = (a, b) if is_first else (b, a)
    what = "has the larger mean return" if by == "return" else "gets more from most start states"
    if by == "return" and (row["difference"] > 0) != is_first:
        what += " over the width of the bounds"
    return f"{first} {what}, compared with {second}: decided within {starts} start states."


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
