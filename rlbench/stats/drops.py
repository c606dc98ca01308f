"""By how much agents differ from their base, after a sequential comparison of many with one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from rlbench.stats.comparisons import Decision, has_too_few_runs, reaching_0
from rlbench.stats.intervals import Estimate
from rlbench.stats.resampling import Floats
from rlbench.stats.simultaneous import simultaneous_differences
from rlbench.stats.stopping import AdaStopResult


class Drop(NamedTuple):
    """The difference of an agent to its base.

    Attributes:
        difference: The statistic of the agent less that of the base. The interval holds together
            with those of all other agents, and misses 0 only where the decision says so.
        decision: As in `Comparison`: ``differ`` if the test tells the two apart, and the interval
            does not say which statistic is larger.
    """

    difference: Estimate
    decision: Decision


def drops(
    scores: Mapping[str, list[Floats]],
    result: AdaStopResult,
    *,
    base: str,
    statistic: str,
    alpha: float = 0.05,
    repetitions: int = 10_000,
    seed: int = 0,
) -> dict[str, Drop]:
    """Return the difference of each agent to its base, with intervals that match the test.

    The intervals are those of `simultaneous_differences` at the level alpha / looks: they hold
    together whichever look the comparison ended at (Bonferroni over the looks).

    Args:
        scores: By agent, the base among them, one array (runs,) a task: what the test looked at.
        result: What `adastop` said of each agent and the base.
        base: The agent that all others are compared with.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level of the test.
        repetitions: Resamples.
        seed: Of the resampling.

    Returns:
        By agent, in the order of the scores.
    """
    pairs = [(agent, base) for agent in scores if agent != base]
    gaps, sure = simultaneous_differences(
        scores, pairs, statistic, alpha=alpha / result.looks[1], repetitions=repetitions, seed=seed
    )
    found = {}
    for (agent, _), gap, misses in zip(pairs, gaps, sure, strict=True):
        said = result.decisions.get((agent, base)) or result.decisions[base, agent]
        decision: Decision = "not separated"
        if said in ("larger", "smaller"):
            is_sure = misses and not has_too_few_runs({a: scores[a] for a in (agent, base)})
            decision = ("larger" if gap.point > 0 else "smaller") if is_sure else "differ"
        if decision in ("differ", "not separated"):
            gap = reaching_0(gap)
        found[agent] = Drop(replace(gap, level=1 - alpha), decision)
    return found
