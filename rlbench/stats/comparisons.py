"""Comparisons of agents at a fixed number of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.aggregates import AGGREGATES, ScoresLike, columns, same_tasks
from rlbench.stats.intervals import Estimate, point_of
from rlbench.stats.kernels import work
from rlbench.stats.pairs import PairMethod, difference, improvement
from rlbench.stats.permutation import (
    ROUNDING,
    STATISTICS,
    Pair,
    Sizes,
    differences_of,
    paths_of,
    permuted_statistics,
    scales_of,
    studentised,
)
from rlbench.stats.resampling import Floats, keys_of
from rlbench.stats.simultaneous import simultaneous_differences

TestStatistic = Literal["mean", "median", "iqm"]
TIE = 1e-9  # of a standard error, or of the statistic: those that are equal but for rounding

MAX_T = "stratified permutation test, step-down max-T"
HOLM = "stratified permutation test, Holm"
Adjustment = Literal["max-t", "holm"]
Decision = Literal["larger", "smaller", "differ", "not separated"]
MIN_RUNS = 3  # a task: with fewer, which statistic is larger errs too often: docs/comparisons.md
REACHING_0 = "; it reaches 0, since the tests do not agree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The comparison of two agents on the same tasks.

    Attributes:
        a: The first agent.
        b: The second agent.
        difference: The statistic of a less that of b. Its interval holds together with those of
            all other pairs, and misses 0 only where the decision is ``larger`` or ``smaller``.
        improvement: The probability that a run of a beats a run of b, with an interval for this
            pair alone.
        cliffs_delta: Twice the probability of improvement, less 1: from -1 to 1.
        p_value: That the two have the same distribution on every task, adjusted for all pairs.
        test: How the p-value was made.
        decision: ``larger`` or ``smaller`` where the p-value is at most alpha and the interval
            misses 0. ``differ`` where the p-value alone says so: the distributions differ, and
            which statistic is larger is not established. Else ``not separated``, which does not
            say that the two are equal.
    """

    a: str
    b: str
    difference: Estimate
    improvement: Estimate
    cliffs_delta: float
    p_value: float
    test: str
    decision: Decision

    @property
    def is_widened(self) -> bool:
        """Whether the interval missed 0 before it was widened to reach it."""
        return self.difference.method.endswith(REACHING_0)


class Separation(NamedTuple):
    """What decides a pair: see `Comparison`."""

    difference: Estimate
    p_value: float
    test: str
    decision: Decision


class TaskComparison(NamedTuple):
    """Two agents on one task: the difference of means, and its p-value adjusted for all."""

    a: str
    b: str
    task: int
    difference: float
    p_value: float
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Whether two agents differ by less than a margin.

    Attributes:
        equivalent: Whether the interval lies inside the margin.
        margin: In the unit of the statistic.
        difference: With the interval of level 1 - 2 alpha that decides.
    """

    equivalent: bool
    margin: float
    difference: Estimate


def compare(
    scores: Mapping[str, ScoresLike],
    *,
    statistic: TestStatistic = "iqm",
    alpha: float = 0.05,
    adjustment: Adjustment | None = None,
    permutations: int = 10_000,
    repetitions: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Compare all pairs of agents.

    Two things must agree before one agent is said to be better: a permutation test and an interval.

    The p-values are of permutations of runs within tasks, and of differences over their standard
    errors (`rlbench.stats.permutation`). With as many runs of every agent on a task, all pairs
    share their permutations, and the step-down max-T of Westfall & Young (1993) takes account of
    how the pairs depend on each other. Else each pair is permuted by itself and its p-value is
    adjusted by Holm (1979), which holds whatever the other agents do. Such a test tells
    distributions apart: agents of equal IQM that are as good in different ways differ too.

    The intervals hold for all pairs together (`rlbench.stats.simultaneous`). They speak of the
    statistic, and are too narrow at few runs; with fewer than three runs on a task none is good
    enough to say which agent is better. An interval is widened to reach 0 where the two do not
    agree.

    For two agents of the same distribution the level is exact. For more, and for agents that are
    as good in different ways, it was measured: docs/comparisons.md.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; numbers of runs may differ.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The chance that any pair of the same distribution is told apart; also 1 less the
            level of the intervals.
        adjustment: ``max-t`` or ``holm``; by default as said above.
        permutations: To draw where there are more than so many.
        repetitions: Resamples of the intervals.
        seed: Of the drawing.

    Returns:
        One comparison a pair, in the order of the agents.

    Raises:
        InvalidScores: Fewer than two agents, different tasks, bad scores, an option out of range,
            or max-t is asked for with different numbers of runs.
        UnknownName: There is no such statistic.
    """
    agents = agents_of(scores, alpha)
    with work(_draws(agents, permutations, repetitions, improved=True)):
        separated = separate(
            agents, statistic, alpha=alpha, adjustment=adjustment, permutations=permutations,
            repetitions=repetitions, seed=seed,
        )  # fmt: skip
        chances = [
            improvement(agents[a], agents[b], repetitions=repetitions, level=1 - alpha, seed=seed)
            for a, b in separated
        ]
    return [
        Comparison(
            a=a, b=b, improvement=chance, cliffs_delta=2 * chance.point - 1,
            **separation._asdict(),
        )
        for ((a, b), separation), chance in zip(separated.items(), chances, strict=True)
    ]  # fmt: skip


def _draws(
    agents: Mapping[str, list[Floats]], permutations: int, repetitions: int, *, improved: bool
) -> int:
    """Return how many runs are drawn: by pair for p-values, by agent for intervals.

    Args:
        agents: By agent, one array (runs,) a task.
        permutations: Of each pair.
        repetitions: Resamples.
        improved: Whether those of pairs are drawn, too, for probabilities of improvement.
    """
    runs = sum(len(task) for tasks in agents.values() for task in tasks)
    of_pairs = runs * (len(agents) - 1)
    return of_pairs * permutations + (runs + improved * of_pairs) * repetitions


def separate(
    agents: Mapping[str, list[Floats]],
    statistic: str,
    *,
    alpha: float,
    adjustment: Adjustment | None = None,
    permutations: int = 10_000,
    repetitions: int = 10_000,
    seed: int = 0,
) -> dict[Pair, Separation]:
    """Decide all pairs of agents as `compare` says, in their order.

    Args:
        agents: By agent, one array (runs,) a task.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs.
        adjustment: Of the p-values.
        permutations: To draw where there are more than so many.
        repetitions: Resamples of the intervals.
        seed: Of the drawing.
    """
    pairs = list(combinations(agents, 2))
    with work(_draws(agents, permutations, repetitions, improved=False)):
        p_values, test = p_values_of(agents, pairs, statistic, adjustment, permutations, seed)
        gaps, sure = simultaneous_differences(
            agents, pairs, statistic, alpha=alpha, repetitions=repetitions, seed=seed
        )
    found = {}
    for pair, p_value, gap, misses in zip(pairs, p_values.tolist(), gaps, sure, strict=True):
        decision: Decision = "not separated"
        if p_value <= alpha:
            of_pair = {agent: agents[agent] for agent in pair}
            if misses and not has_too_few_runs(of_pair):
                decision = "larger" if gap.point > 0 else "smaller"
            else:
                decision = "differ"
        if decision in ("differ", "not separated"):
            gap = reaching_0(gap)
        found[pair] = Separation(gap, p_value, test, decision)
    return found


def has_too_few_runs(agents: Mapping[str, list[Floats]]) -> bool:
    """Say whether any agent has fewer than `MIN_RUNS` on a task."""
    return min(len(task) for tasks in agents.values() for task in tasks) < MIN_RUNS


def reaching_0(gap: Estimate) -> Estimate:
    """Return an estimate whose interval, if there is one, does not miss 0."""
    if gap.low is None or gap.high is None or gap.low <= 0 <= gap.high:
        return gap
    low, high = min(gap.low, 0.0), max(gap.high, 0.0)
    return replace(gap, low=low, high=high, method=gap.method + REACHING_0)


def compare_tasks(
    scores: Mapping[str, ScoresLike],
    *,
    alpha: float = 0.05,
    permutations: int = 10_000,
    seed: int = 0,
) -> list[TaskComparison]:
    """Compare all pairs of agents on every task, by means.

    The step-down max-T of Westfall & Young (1993) over all pairs and tasks together: the chance
    that any pair of the same distribution on a task is told apart there is at most alpha.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; on a task, all agents must
            have as many runs.
        alpha: The level, over all pairs and tasks.
        permutations: To draw where there are more than so many.
        seed: Of the drawing.

    Raises:
        InvalidScores: Fewer than two agents, different tasks or numbers of runs, bad scores, or
            an option out of range.
    """
    agents = agents_of(scores, alpha)
    pairs = list(combinations(agents, 2))
    sizes = sizes_of(agents, pairs[0])
    if not _shared(agents):
        raise InvalidScores("on each task all agents must have the same number of runs")
    ends = np.cumsum([n + m for n, m in sizes])[:-1]
    pooled = np.split(pooled_of(agents, pairs), ends, axis=1)
    values = np.concatenate(
        [
            np.concatenate(
                [
                    differences_of(part, scored, [size], "mean")
                    for part, scored, size in zip(
                        np.split(masks, ends, axis=1), pooled, sizes, strict=True
                    )
                ],
                axis=1,
            )
            for masks in paths_of(sizes, permutations, keys_of(seed)[0])
        ]
    )  # (paths, tasks x pairs)
    scales = np.concatenate([scales_of(scored) for scored in pooled])
    values[np.abs(values) <= ROUNDING * scales] = 0.0
    p_values = step_down(studentised(values, values.std(axis=0), scales))
    rows = []
    for at, p_value in enumerate(p_values.tolist()):
        task, (a, b) = at // len(pairs), pairs[at % len(pairs)]
        gap = float(values[0, at])
        rows.append(TaskComparison(a, b, task, gap, p_value, _decision(gap, p_value, alpha)))
    return rows


def p_values_of(
    agents: Mapping[str, list[Floats]],
    pairs: Sequence[Pair],
    statistic: str,
    adjustment: Adjustment | None,
    permutations: int,
    seed: int,
) -> tuple[Floats, str]:
    """Return the adjusted p-value of each pair, (pairs,), and how they were adjusted.

    Raises:
        InvalidScores: max-t is asked for with different numbers of runs.
        UnknownName: There is no such statistic.
    """
    if statistic not in STATISTICS:
        raise UnknownName("statistic", statistic, STATISTICS)
    shared = _shared(agents)
    if adjustment == "max-t" and not shared:
        raise InvalidScores("max-t needs the same number of runs of every agent on a task")
    if shared and adjustment != "holm":
        sizes = sizes_of(agents, pairs[0])
        values = permuted_statistics(
            pooled_of(agents, pairs), sizes, statistic, permutations, keys_of(seed)[0]
        )
        return step_down(values), MAX_T
    alone = []
    for pair, key in zip(pairs, keys_of(seed, len(pairs)), strict=True):
        sizes = sizes_of(agents, pair)
        values = permuted_statistics(pooled_of(agents, [pair]), sizes, statistic, permutations, key)
        alone.append(float(step_down(values)[0]))
    return holm(alone), HOLM


def step_down(values: Floats) -> Floats:
    """Return adjusted p-values of absolute statistics (Westfall & Young 1993, algorithm 2.8).

    Args:
        values: (paths, hypotheses) studentised differences, so that no hypothesis counts more for
            the scale of its scores; path 0 is what was observed.

    Returns:
        (hypotheses,) p-values; the observed path counts among all.
    """
    sized = np.abs(values)
    order = np.argsort(-sized[0], kind="stable")
    # The greatest among the hypotheses that are not more extreme than each.
    greatest = np.maximum.accumulate(sized[:, order[::-1]], axis=1)[:, ::-1]
    found = (greatest >= sized[0, order] * (1 - TIE) - TIE).mean(axis=0)
    p_values = np.empty(len(order))
    p_values[order] = np.maximum.accumulate(found)
    return p_values


def holm(p_values: Sequence[float]) -> Floats:
    """Return p-values adjusted for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def equivalent(
    x: ScoresLike,
    y: ScoresLike,
    margin: float,
    *,
    statistic: TestStatistic = "iqm",
    alpha: float = 0.05,
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    seed: int = 0,
) -> Equivalence:
    """Say whether two agents differ by less than a margin, at level alpha.

    Two one-sided tests by their interval (Schuirmann 1987): the interval of level 1 - 2 alpha of
    the difference must lie inside (-margin, margin). It is as right as that interval covers.

    Args:
        x: (runs, tasks), or one array (runs,) a task.
        y: The other agent's scores on the same tasks.
        margin: The difference that would matter, in the unit of the statistic; it must be chosen
            before the scores are seen.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, below 1/2.
        method: Of the interval, as `difference` takes it.
        repetitions: Resamples.
        seed: Of the resampling.

    Raises:
        InvalidScores: The margin is not positive, scores are bad, or an option is out of range.
        UnknownName: There is no such statistic or method.
    """
    if not margin > 0 or not 0 < alpha < 0.5:
        raise InvalidScores(f"margin {margin} must be positive and alpha {alpha} in (0, 0.5)")
    gap = difference(
        x, y, statistic, method=method, repetitions=repetitions, level=1 - 2 * alpha, seed=seed
    )
    inside = gap.low is not None and gap.high is not None and -margin < gap.low <= gap.high < margin
    return Equivalence(equivalent=inside, margin=margin, difference=gap)


def leave_one_task_out(
    scores: Mapping[str, ScoresLike], *, statistic: str = "iqm"
) -> dict[str, tuple[int, int, int]]:
    """Return how much the ranks of agents depend on single tasks.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task.
        statistic: A name that `bootstrap` knows; a greater one is better, except that a lower
            optimality gap is.

    Returns:
        By agent: its rank over all tasks, and the best and the worst when any one is left out.

    Raises:
        InvalidScores: Fewer than two agents or tasks, different tasks, or bad scores.
        UnknownName: There is no such statistic.
    """
    agents = agents_of(scores, 0.05)
    number = len(next(iter(agents.values())))
    if number < 2:
        raise InvalidScores("leaving one task out needs at least two tasks")
    known = AGGREGATES.get(statistic)
    sign = 1 if known and known.lower_is_better else -1

    def ranks(kept: Sequence[int]) -> list[int]:
        points = [sign * point_of([tasks[t] for t in kept], statistic) for tasks in agents.values()]
        return [1 + sum(other < point for other in points) for point in points]

    everything = ranks(range(number))
    without = np.array([ranks([t for t in range(number) if t != out]) for out in range(number)])
    return {
        agent: (everything[k], int(without[:, k].min()), int(without[:, k].max()))
        for k, agent in enumerate(agents)
    }


def agents_of(scores: Mapping[str, ScoresLike], alpha: float) -> dict[str, list[Floats]]:
    """Return the scores of agents as one array (runs,) a task.

    Raises:
        InvalidScores: Fewer than two agents, different tasks, bad scores, or alpha out of range.
    """
    if len(scores) < 2:
        raise InvalidScores("a comparison needs at least two agents")
    if not 0 < alpha < 1:
        raise InvalidScores(f"alpha {alpha} must be inside (0, 1)")
    agents = {agent: columns(values, f"scores of {agent!r}") for agent, values in scores.items()}
    first = next(iter(agents.values()))
    for tasks in agents.values():
        same_tasks(first, tasks)
    return agents


def _shared(agents: Mapping[str, list[Floats]]) -> bool:
    """Say whether all agents have the same number of runs on each task."""
    return len({tuple(len(task) for task in tasks) for tasks in agents.values()}) == 1


def sizes_of(agents: Mapping[str, list[Floats]], pair: Pair) -> list[Sizes]:
    """Return how many runs the two agents of a pair have, task by task."""
    a, b = (agents[agent] for agent in pair)
    return [(len(x), len(y)) for x, y in zip(a, b, strict=True)]


def pooled_of(agents: Mapping[str, list[Floats]], pairs: Sequence[Pair]) -> Floats:
    """Return the scores of pairs, (pairs, runs): task by task, the first agent's runs first."""
    return np.stack(
        [
            np.concatenate(
                [part for task in zip(agents[a], agents[b], strict=True) for part in task]
            )
            for a, b in pairs
        ]
    )


def _decision(
    gap: float, p_value: float, alpha: float
) -> Literal["larger", "smaller", "not separated"]:
    if p_value > alpha or gap == 0:
        return "not separated"
    return "larger" if gap > 0 else "smaller"
