"""Intervals of the differences of several pairs of agents that hold together.

The critical value is the quantile of the greatest, over all pairs, of the absolute differences of
bootstrap replicates about the observed ones, each over its standard error (max-t; Mogstad, Romano,
Shaikh & Wilhelm 2024, section 3). Pairs of scores that are all 0 or 1 have the intervals of
`difference` instead, adjusted by Bonferroni, and the other pairs share what is left of the level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.intervals import (
    NO_WIDTH,
    ONE_RUN,
    Estimate,
    has_one_run,
    no_interval,
    point_of,
    quantile_error,
    replicates_of,
    why_no_interval,
)
from rlbench.stats.pairs import difference
from rlbench.stats.permutation import ROUNDING, Pair, studentised
from rlbench.stats.proportions import METHOD as BY_FORMULA
from rlbench.stats.proportions import STATISTICS as OF_SUCCESSES
from rlbench.stats.proportions import are_successes
from rlbench.stats.resampling import CHUNK, Floats, keys_of, layout_of

METHOD = "max-t of the stratified bootstrap, rao-wu"
BONFERRONI = f"{BY_FORMULA}, Bonferroni"


class MaxT(NamedTuple):
    """Differences of pairs, all (pairs,).

    Attributes:
        points: The observed differences.
        margins: Of the intervals, to either side; 0 where the replicates do not vary.
        errors: The Monte Carlo standard errors of the margins.
        sure: Whether an interval misses 0.
    """

    points: Floats
    margins: Floats
    errors: Floats
    sure: NDArray[np.bool_]


def simultaneous_differences(
    agents: Mapping[str, list[Floats]],
    pairs: Sequence[Pair],
    statistic: str,
    *,
    alpha: float,
    repetitions: int = 10_000,
    seed: int = 0,
) -> tuple[list[Estimate], list[bool]]:
    """Estimate the difference of each pair, with intervals that hold together.

    Args:
        agents: By agent, one array (runs,) a task.
        pairs: Of these agents.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The chance that any interval misses its difference.
        repetitions: Resamples.
        seed: Of the resampling.

    Returns:
        The estimates, and whether each interval misses 0. Where an agent has one run of a task
        there is no interval, and nothing is sure. Where no run of a pair varies there is none
        either, and the observed difference decides.
    """
    drawn, by_formula = [], []
    points = {agent: point_of(tasks, statistic) for agent, tasks in agents.items()}
    single = {agent for agent, tasks in agents.items() if has_one_run(tasks)}
    succeeding = {agent for agent, tasks in agents.items() if are_successes(tasks)}
    for pair in pairs:
        scores = [task for agent in pair for task in agents[agent]]
        is_counted = statistic in OF_SUCCESSES and succeeding.issuperset(pair)
        if is_counted and not why_no_interval(scores):
            by_formula.append(pair)
        elif single.isdisjoint(pair):
            drawn.append(pair)
    found: dict[Pair, tuple[Estimate, bool]] = {}
    for a, b in by_formula:
        gap = difference(agents[a], agents[b], statistic, level=1 - alpha / len(pairs), seed=seed)
        sure = gap.low is not None and gap.high is not None and (gap.low > 0 or gap.high < 0)
        method = gap.method if gap.low is None else BONFERRONI
        found[a, b] = replace(gap, method=method, level=1 - alpha), sure
    if drawn:
        rest = alpha * (1 - len(by_formula) / len(pairs))
        gaps = max_t(agents, drawn, statistic, alpha=rest, repetitions=repetitions, seed=seed)
        found |= {
            pair: (_estimate(gaps, place, alpha, repetitions), bool(gaps.sure[place]))
            for place, pair in enumerate(drawn)
        }
    for a, b in pairs:
        if (a, b) not in found:
            found[a, b] = no_interval(points[a] - points[b], 1 - alpha, ONE_RUN), False
    return [found[pair][0] for pair in pairs], [found[pair][1] for pair in pairs]


def max_t(
    agents: Mapping[str, list[Floats]],
    pairs: Sequence[Pair],
    statistic: str,
    *,
    alpha: float,
    method: str = "rao-wu",
    repetitions: int = 10_000,
    seed: int = 0,
) -> MaxT:
    """Return the differences of pairs with the margins of their simultaneous intervals.

    Where two agents do not vary, the observed difference decides, and the pair has no part in the
    critical value.

    Args:
        agents: By agent, one array (runs,) a task, at least two runs.
        pairs: Of agents.
        statistic: A name that `bootstrap` knows.
        alpha: The level, over all pairs.
        method: ``rao-wu`` or ``percentile``, as `bootstrap` draws.
        repetitions: Resamples.
        seed: Of the resampling.
    """
    asked = {agent for pair in pairs for agent in pair}
    replicates = {
        agent: replicates_of(
            [task[:, None] for task in tasks], [statistic], layout_of(tasks, method), repetitions,
            key,
        )[0, 0]
        for (agent, tasks), key in zip(agents.items(), keys_of(seed, len(agents)), strict=True)
        if agent in asked
    }  # fmt: skip
    points = {agent: point_of(agents[agent], statistic) for agent in asked}
    heights = {agent: max(np.abs(task).max() for task in agents[agent]) for agent in asked}
    gaps = np.array([points[a] - points[b] for a, b in pairs])
    scales = np.array([max(heights[a], heights[b]) for a, b in pairs])
    errors = np.empty(len(pairs))
    greatest = np.zeros(repetitions)
    step = max(1, CHUNK // repetitions)
    for begin in range(0, len(pairs), step):
        some = slice(begin, begin + step)
        drawn = np.stack([replicates[a] - replicates[b] for a, b in pairs[some]])
        spreads = drawn.std(axis=1)
        spreads[spreads <= ROUNDING * scales[some]] = 0.0
        errors[some] = spreads
        vary = spreads > 0
        off = studentised(
            (drawn - gaps[some, None])[vary], spreads[vary, None], scales[some][vary, None]
        )
        np.maximum(greatest, np.abs(off).max(axis=0, initial=0.0), out=greatest)
    greatest.sort()
    critical = float(np.quantile(greatest, 1 - alpha))
    return MaxT(
        points=gaps,
        margins=critical * errors,
        errors=quantile_error(greatest, 1 - alpha) * errors,
        sure=np.abs(studentised(gaps, errors, scales)) > critical,
    )


def _estimate(gaps: MaxT, place: int, alpha: float, repetitions: int) -> Estimate:
    point, margin = float(gaps.points[place]), float(gaps.margins[place])
    if not margin:
        return no_interval(point, 1 - alpha, NO_WIDTH)
    return Estimate(
        point=point, low=point - margin, high=point + margin, method=METHOD, level=1 - alpha,
        repetitions=repetitions, monte_carlo_error=float(gaps.errors[place]),
    )  # fmt: skip
