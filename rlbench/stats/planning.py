"""How many runs a comparison needs, from the runs there are."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import TestStatistic, agents_of
from rlbench.stats.intervals import point_of, replicates_of
from rlbench.stats.permutation import number_of_paths
from rlbench.stats.resampling import Floats, keys_of, layout_of

RUNS = (2, 3, 5, 10, 15, 20, 30, 50, 100)
MOST_RUNS = 10_000


class PlanRow(NamedTuple):
    """What a number of runs a task would give one pair of agents.

    Attributes:
        a: The first agent.
        b: The second agent.
        runs: Runs a task of either.
        power: The chance to separate the two, if the difference is the one seen so far.
        width: Of the 1 - alpha interval of the difference.
    """

    a: str
    b: str
    runs: int
    power: float
    width: float


def plan(
    scores: Mapping[str, ScoresLike],
    *,
    runs: Sequence[int] = RUNS,
    statistic: TestStatistic = "iqm",
    alpha: float = 0.05,
    repetitions: int = 2_000,
    seed: int = 0,
) -> list[PlanRow]:
    """Return power and width of intervals for numbers of runs, from pilot scores.

    The variance of each agent's statistic is that of the N - 1 bootstrap of its pilot runs, taken
    to fall with the number of runs; power is that of a normal test of the difference seen in the
    pilot, at alpha divided by the number of pairs (Colas, Sigaud & Oudeyer 2018, section 4). The
    pilot's difference is itself uncertain: a plan is as good as its pilot. Numbers of runs with too
    few permutations for the level have no power.

    Args:
        scores: By agent, at least two runs a task: (runs, tasks), or one array (runs,) a task.
        runs: Numbers of runs a task to plan for.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs.
        repetitions: Resamples.
        seed: Of the resampling.

    Returns:
        One row a pair and number of runs.

    Raises:
        InvalidScores: A task has one run, fewer than two agents, different tasks, bad scores, or
            an option is out of range.
        UnknownName: There is no such statistic.
    """
    if not runs or min(runs) < 1:
        raise InvalidScores("plan for at least one run a task")
    rows = []
    for pilot in _pilots(scores, statistic, alpha, repetitions, seed):
        rows += [
            PlanRow(pilot.a, pilot.b, n, pilot.power(n), pilot.width(n, 1 - alpha)) for n in runs
        ]
    return rows


def runs_needed(
    scores: Mapping[str, ScoresLike],
    *,
    power: float = 0.8,
    statistic: TestStatistic = "iqm",
    alpha: float = 0.05,
    repetitions: int = 2_000,
    seed: int = 0,
) -> dict[tuple[str, str], int | None]:
    """Return how many runs a task each pair needs to be separated with some power.

    Args:
        scores: As `plan` takes them.
        power: The chance to separate the pair, if the difference is the one seen so far.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs.
        repetitions: Resamples.
        seed: Of the resampling.

    Returns:
        By pair, the least number of runs, or None where 10,000 are not enough.

    Raises:
        InvalidScores: As `plan` does, or the power is out of range.
        UnknownName: There is no such statistic.
    """
    if not 0 < power < 1:
        raise InvalidScores(f"power {power} must be inside (0, 1)")
    needed: dict[tuple[str, str], int | None] = {}
    for pilot in _pilots(scores, statistic, alpha, repetitions, seed):
        low, high = 1, MOST_RUNS
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if pilot.power(middle) >= power else (middle + 1, high)
        needed[pilot.a, pilot.b] = low if pilot.power(low) >= power else None
    return needed


class _Pilot(NamedTuple):
    """One pair in the pilot: its difference, and the variance of it if there were one run a task.

    `level` is that of the pair's test.
    """

    a: str
    b: str
    gap: float
    variance: float
    tasks: int
    level: float

    def power(self, runs: int) -> float:
        if 2 / number_of_paths([(runs, runs)] * self.tasks) > self.level:
            return 0.0
        error = (self.variance / runs) ** 0.5
        if not error:
            return float(self.gap != 0)
        normal = NormalDist()
        shift, critical = abs(self.gap) / error, normal.inv_cdf(1 - self.level / 2)
        return normal.cdf(shift - critical) + normal.cdf(-shift - critical)

    def width(self, runs: int, level: float) -> float:
        return 2 * NormalDist().inv_cdf((1 + level) / 2) * float((self.variance / runs) ** 0.5)


def _pilots(
    scores: Mapping[str, ScoresLike], statistic: str, alpha: float, repetitions: int, seed: int
) -> list[_Pilot]:
    agents = agents_of(scores, alpha)
    for agent, tasks in agents.items():
        if min(len(task) for task in tasks) < 2:
            raise InvalidScores(f"{agent!r} has a task with one run: a plan needs at least two")
    keys = keys_of(seed, len(agents))
    points = {agent: point_of(tasks, statistic) for agent, tasks in agents.items()}
    variances = {
        agent: _variance(tasks, statistic, repetitions, key)
        for (agent, tasks), key in zip(agents.items(), keys, strict=True)
    }
    pairs = list(combinations(agents, 2))
    return [
        _Pilot(
            a=a,
            b=b,
            gap=points[a] - points[b],
            variance=variances[a] + variances[b],
            tasks=len(agents[a]),
            level=alpha / len(pairs),
        )
        for a, b in pairs
    ]


def _variance(tasks: Sequence[Floats], statistic: str, repetitions: int, key: int) -> float:
    """Return the variance of a statistic, times the harmonic mean of its tasks' runs."""
    layout = layout_of(tasks, "rao-wu")
    columns = [task[:, None] for task in tasks]
    replicates = replicates_of(columns, [statistic], layout, repetitions, key)
    runs = len(tasks) / sum(1 / len(task) for task in tasks)
    return float(np.var(replicates)) * runs
