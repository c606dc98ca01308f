"""How many times fewer steps an agent needs than a baseline to reach the baseline's final score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores
from rlbench.stats.curves import curves_of, steps_of
from rlbench.stats.intervals import (
    POINTS,
    check_options,
    point_of,
    replicates_of,
    tails_of,
    why_no_interval,
)
from rlbench.stats.resampling import Floats, keys_of, layout_of

METHOD = "stratified bootstrap of whole curves, rao-wu, widened by the space between evaluations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """The ratio of a baseline's steps to an agent's steps, to reach one score.

    Attributes:
        score: To be reached: the baseline's at its last point.
        baseline_steps: The first point at which the baseline has it.
        steps: The first point at which the agent has it, or None if it never has.
        point: The first over the second, or None if the agent never reaches the score.
        low: The lower end of the interval; 0 where resamples of the agent never reach the score too
            often for a lower bound; None where there is no interval.
        high: The upper end; infinite where too many resamples reach the score at their first point,
            so that there is no upper bound; None where there is no interval.
        method: How the interval was made, or why there is none.
        level: The nominal coverage.
        repetitions: Resamples drawn; 0 where there is no interval.
    """

    score: float
    baseline_steps: float
    steps: float | None
    point: float | None
    low: float | None
    high: float | None
    method: str
    level: float
    repetitions: int


def speedup(
    agent: NDArray[np.float64] | Sequence[ArrayLike],
    agent_steps: ArrayLike,
    baseline: NDArray[np.float64] | Sequence[ArrayLike],
    baseline_steps: ArrayLike,
    *,
    statistic: str = "iqm",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Speedup:
    """Estimate how many times fewer steps an agent needs to reach a baseline's final score.

    A score is reached at the first evaluation point where the statistic over all tasks is at least
    as large; nothing is interpolated. Whole curves are resampled, of the agent and of the baseline
    by themselves; each resample has its own final score to reach. Evaluations before the first step
    are left out. The real first step lies between
    an evaluation and the one before it, so the lower end takes the earlier step of the baseline and
    the later one of the agent, and the upper end the other two. An agent that never reaches the
    score needs more steps than its last point.

    Args:
        agent: (runs, tasks, points), or one array (runs, points) a task.
        agent_steps: (points,) increasing.
        baseline: The same of the baseline, on the same tasks; at points of its own.
        baseline_steps: Its steps.
        statistic: ``iqm``, ``mean`` or ``median``; a larger one is better.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.

    Raises:
        InvalidScores: Curves or steps are bad, tasks differ, or an option is out of range.

    >>> speedup([[[0.0, 2.0, 4.0]]], [1, 2, 3], [[[0.0, 1.0, 2.0]]], [1, 2, 3]).point
    1.5
    """
    check_options("rao-wu", repetitions, level)
    if statistic not in POINTS or statistic == "optimality_gap":
        raise InvalidScores(f"a speed-up is of iqm, mean or median, not of {statistic!r}")
    agent_curves, agent_at = _trained(agent, agent_steps)
    base_curves, base_at = _trained(baseline, baseline_steps)
    if len(agent_curves) != len(base_curves):
        raise InvalidScores(
            f"the agent has {len(agent_curves)} tasks and the baseline has {len(base_curves)}"
        )
    own, other = (
        np.array([[point_of([task[:, k] for task in tasks], statistic)] for k in range(len(at))])
        for tasks, at in ((agent_curves, agent_at), (base_curves, base_at))
    )
    score = float(other[-1, 0])
    _, needed = (float(step[0]) for step in reached(other, base_at, np.array([score])))
    _, mine = (float(step[0]) for step in reached(own, agent_at, np.array([score])))
    point = needed / mine if np.isfinite(mine) else None
    low = high = None
    drawn = 0
    method = why_no_interval(agent_curves) or why_no_interval(base_curves) or METHOD
    if method == METHOD:
        drawn = repetitions
        keys = keys_of(seed, 2)
        own, other = (
            replicates_of(tasks, [statistic], layout_of(tasks, "rao-wu"), repetitions, key)[0]
            for tasks, key in zip((agent_curves, base_curves), keys, strict=True)
        )
        needed_from, needed_to = reached(other, base_at, other[-1])
        mine_from, mine_to = reached(own, agent_at, other[-1])
        tails = tails_of(level)
        with np.errstate(divide="ignore"):
            # Infinite ends stay infinite: no interpolation between order statistics.
            low = float(np.quantile(needed_from / mine_to, tails[0], method="lower"))
            high = float(np.quantile(needed_to / mine_from, tails[1], method="higher"))
    return Speedup(
        score=score, baseline_steps=needed, steps=mine if np.isfinite(mine) else None, point=point,
        low=low, high=high, method=method, level=level, repetitions=drawn,
    )  # fmt: skip


def _trained(
    scores: NDArray[np.float64] | Sequence[ArrayLike], steps: ArrayLike
) -> tuple[list[Floats], Floats]:
    """Return curves (runs, points) a task and their steps, after the first step of training."""
    curves = curves_of(scores)
    at = steps_of(steps, curves)
    return [task[:, at > 0] for task in curves], at[at > 0]


def reached(curves: Floats, steps: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return between which two steps each curve reaches a score.

    Args:
        curves: (points, curves).
        steps: (points,) increasing.
        scores: (curves,).

    Returns:
        The step before the first point that has the score, 0 where that is the first; and the step
        of that point. Where none has it, the last step and infinity.
    """
    has = curves >= scores
    first = np.where(has.any(axis=0), has.argmax(axis=0), len(steps))
    bounds = np.concatenate([[0.0], steps, [np.inf]])
    return bounds[first], bounds[first + 1]
