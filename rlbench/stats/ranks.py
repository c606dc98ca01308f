"""Ranks with their uncertainty: which ranks an agent may have, and tiers of agents."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import (
    MAX_T,
    MIN_RUNS,
    Comparison,
    Decision,
    Separation,
    TestStatistic,
    agents_of,
    has_too_few_runs,
    separate,
)
from rlbench.stats.intervals import point_of
from rlbench.stats.many import rejected_of_many
from rlbench.stats.permutation import Pair, groups_of
from rlbench.stats.resampling import Floats
from rlbench.stats.simultaneous import METHOD, simultaneous_differences

TOO_FEW_RUNS = f"too few runs: fewer than {MIN_RUNS} on a task"


class RankRow(NamedTuple):
    """The rank set of one agent.

    `low` and `high` are the best and the worst rank that the agent may have, None with too few
    runs. Agents that share a letter of `tier` were not separated.
    """

    agent: str
    point: float
    low: int | None
    high: int | None
    tier: str
    method: str


def rank_sets(
    scores: Mapping[str, ScoresLike],
    *,
    statistic: TestStatistic = "iqm",
    alpha: float = 0.05,
    permutations: int = 10_000,
    repetitions: int = 10_000,
    seed: int = 0,
) -> list[RankRow]:
    """Return the rank set of each agent; all hold at once with probability 1 - alpha.

    As in Mogstad, Romano, Shaikh & Wilhelm (2024): an agent's rank is at least 1 plus the number
    of agents that are better than it for sure, and at most the number of agents less those that are
    worse for sure. They take "for sure" from a bootstrap of maximal t statistics, which is wrong
    too often at few runs. Here an agent is better for sure where `compare` says so, which takes
    that and a permutation test.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task.
        statistic: ``iqm``, ``mean`` or ``median``; 1 is the rank of the greatest.
        alpha: 1 less the confidence of all sets together.
        permutations: To draw where there are more than so many.
        repetitions: Resamples of the bootstrap.
        seed: Of the drawing.

    Returns:
        One row an agent, the greatest statistic first.

    Raises:
        InvalidScores: Fewer than two agents, different tasks, bad scores, or alpha out of range.
        UnknownName: There is no such statistic.
    """
    agents = agents_of(scores, alpha)
    if decided := _of_many(agents, statistic, alpha, permutations, repetitions, seed):
        return _ranks(agents, statistic, decided, MAX_T)
    separated = separate(
        agents, statistic, alpha=alpha, permutations=permutations, repetitions=repetitions,
        seed=seed,
    )  # fmt: skip
    return ranks_of_separations(agents, statistic, separated)


def ranks_of_separations(
    agents: Mapping[str, list[Floats]], statistic: str, separated: Mapping[Pair, Separation]
) -> list[RankRow]:
    """Return the rank sets that follow from what `separate` said of all pairs of agents.

    Args:
        agents: By agent, one array (runs,) a task.
        statistic: What was compared.
        separated: What `separate` returned.
    """
    decisions = {pair: found.decision for pair, found in separated.items()}
    return _ranks(agents, statistic, decisions, next(iter(separated.values())).test)


def _of_many(
    agents: Mapping[str, list[Floats]],
    statistic: str,
    alpha: float,
    permutations: int,
    repetitions: int,
    seed: int,
) -> dict[Pair, Decision]:
    """Return what `separate` decides of very many pairs; nothing if it is to decide itself."""
    pairs = list(combinations(agents, 2))
    rejected = rejected_of_many(
        agents, pairs, statistic, alpha=alpha, permutations=permutations, seed=seed
    )
    if rejected is None:
        return {}
    gaps, sure = simultaneous_differences(
        agents, pairs, statistic, alpha=alpha, repetitions=repetitions, seed=seed
    )
    return {
        pair: "not separated"
        if not (apart and misses)
        else "larger"
        if gap.point > 0
        else "smaller"
        for pair, apart, gap, misses in zip(pairs, rejected.tolist(), gaps, sure, strict=True)
    }


def ranks_of(
    scores: Mapping[str, ScoresLike],
    comparisons: Sequence[Comparison],
    *,
    statistic: TestStatistic = "iqm",
) -> list[RankRow]:
    """Return the rank sets that follow from the result of `compare` on the same scores.

    They are those of `rank_sets` with the same options, without doing the work again.

    Args:
        scores: As `compare` took them.
        comparisons: What it returned.
        statistic: That it compared.
    """
    agents = agents_of(scores, 1 - comparisons[0].difference.level)
    decisions = {(found.a, found.b): found.decision for found in comparisons}
    return _ranks(agents, statistic, decisions, comparisons[0].test)


def _ranks(
    agents: Mapping[str, list[Floats]],
    statistic: str,
    decisions: Mapping[Pair, Decision],
    test: str,
) -> list[RankRow]:
    points = {agent: point_of(tasks, statistic) for agent, tasks in agents.items()}
    order = sorted(agents, key=lambda agent: (-points[agent], agent))
    if has_too_few_runs(agents):
        return [RankRow(agent, points[agent], None, None, "", TOO_FEW_RUNS) for agent in order]
    apart = {
        (a, b) if decision == "larger" else (b, a)
        for (a, b), decision in decisions.items()
        if decision in ("larger", "smaller")
    }
    tiers = tiers_of(order, apart)
    above, below = (Counter(pair[side] for pair in apart) for side in (1, 0))
    return [
        RankRow(
            agent=agent,
            point=points[agent],
            low=1 + above[agent],
            high=len(order) - below[agent],
            tier=tiers[agent],
            method=f"{test}, and {METHOD}",
        )
        for agent in order
    ]


def tiers_of(order: Sequence[str], apart: set[Pair]) -> dict[str, str]:
    """Return letters such that two agents share one if and only if they are not apart.

    The compact letter display of Piepho (2004): a letter a group.

    Args:
        order: The agents, the best first.
        apart: Pairs of agents that are separated, each in that order.

    >>> tiers_of(["x", "y", "z"], {("x", "z")})
    {'x': 'a', 'y': 'ab', 'z': 'b'}
    """
    groups = groups_of(order, sorted(apart))
    place = {agent: number for number, agent in enumerate(order)}
    groups.sort(key=lambda group: sorted(place[agent] for agent in group))
    return {
        agent: "".join(_letter(k) for k, group in enumerate(groups) if agent in group)
        for agent in order
    }


def _letter(number: int) -> str:
    """Return a, b, ..., z, then a1, b1, and so on."""
    round_, letter = np.divmod(number, 26)
    return chr(ord("a") + int(letter)) + (str(round_) if round_ else "")
