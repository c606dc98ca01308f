"""Ranks with their uncertainty: which ranks an agent may have, and tiers of agents."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import TestStatistic, agents_of, p_values_of
from rlbench.stats.intervals import point_of, replicates_of
from rlbench.stats.permutation import ROUNDING, Pair, groups_of, studentised
from rlbench.stats.resampling import Floats, keys_of, layout_of

MIN_RUNS = 3  # from here on the sets were measured to hold: docs/comparisons.md
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
    """Return which ranks each agent may have, all together right with chance 1 - alpha.

    As in Mogstad, Romano, Shaikh & Wilhelm (2024): an agent's rank is at least 1 plus the number
    of agents that are better than it for sure, and at most the number of agents less those that are
    worse for sure. They take "for sure" from a bootstrap of maximal t statistics, which is wrong
    too often at few runs. Here it takes two tests that err in different places: the step-down
    permutation test of `compare`, which holds at any number of runs where agents have the same
    distribution, and maximal t statistics of the N - 1 bootstrap, which also hold for agents that
    are as good in different ways.

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
    points = {agent: point_of(tasks, statistic) for agent, tasks in agents.items()}
    order = sorted(agents, key=lambda agent: (-points[agent], agent))
    if min(len(task) for tasks in agents.values() for task in tasks) < MIN_RUNS:
        return [RankRow(agent, points[agent], None, None, "", TOO_FEW_RUNS) for agent in order]
    pairs = list(combinations(order, 2))
    p_values, test = p_values_of(agents, pairs, statistic, None, permutations, seed)
    apart = {pair for pair, p in zip(pairs, p_values.tolist(), strict=True) if p <= alpha}
    apart &= separated_by_max_t(
        agents, pairs, statistic, alpha=alpha, repetitions=repetitions, seed=seed
    )
    tiers = tiers_of(order, apart)
    return [
        RankRow(
            agent=agent,
            point=points[agent],
            low=1 + sum(pair[1] == agent for pair in apart),
            high=len(order) - sum(pair[0] == agent for pair in apart),
            tier=tiers[agent],
            method=f"{test}, and max-t of the stratified bootstrap, rao-wu",
        )
        for agent in order
    ]


def separated_by_max_t(
    agents: Mapping[str, list[Floats]],
    pairs: Sequence[Pair],
    statistic: str,
    *,
    alpha: float,
    method: str = "rao-wu",
    repetitions: int = 10_000,
    seed: int = 0,
) -> set[Pair]:
    """Return the pairs whose difference is more standard errors from 0 than chance would have it.

    The critical value is the 1 - alpha quantile of the greatest, over all pairs, of the replicates'
    differences about the observed one, each over its standard error. Where two agents do not vary,
    the observed difference decides, and the pair has no part in the critical value.

    Args:
        agents: By agent, one array (runs,) a task, at least two runs.
        pairs: Of agents.
        statistic: A name that `bootstrap` knows.
        alpha: The level, over all pairs.
        method: ``rao-wu`` or ``percentile``, as `bootstrap` draws.
        repetitions: Resamples.
        seed: Of the resampling.
    """
    replicates = {
        agent: replicates_of(
            [task[:, None] for task in tasks], [statistic], layout_of(tasks, method), repetitions,
            key,
        )[0, 0]
        for (agent, tasks), key in zip(agents.items(), keys_of(seed, len(agents)), strict=True)
    }  # fmt: skip
    points = {agent: point_of(tasks, statistic) for agent, tasks in agents.items()}
    gaps = np.array([points[a] - points[b] for a, b in pairs])
    drawn = np.stack([replicates[a] - replicates[b] for a, b in pairs])
    errors = drawn.std(axis=1)
    scales = np.array([np.abs(np.concatenate(agents[a] + agents[b])).max() for a, b in pairs])
    vary = errors > ROUNDING * scales
    off = studentised((drawn - gaps[:, None])[vary], errors[vary, None], scales[vary, None])
    critical = np.quantile(np.abs(off).max(axis=0, initial=0.0), 1 - alpha)
    found = np.abs(studentised(gaps, errors, scales)) > critical
    return {pair for pair, apart in zip(pairs, found.tolist(), strict=True) if apart}


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
    groups.sort(key=lambda group: sorted(order.index(agent) for agent in group))
    return {
        agent: "".join(_letter(k) for k, group in enumerate(groups) if agent in group)
        for agent in order
    }


def _letter(number: int) -> str:
    """Return a, b, ..., z, then a1, b1, and so on."""
    round_, letter = np.divmod(number, 26)
    return chr(ord("a") + int(letter)) + (str(round_) if round_ else "")
