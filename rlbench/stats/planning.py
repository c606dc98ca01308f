"""How many runs a comparison needs, from the runs there are."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import (
    MIN_RUNS,
    TestStatistic,
    agents_of,
    pooled_of,
    sizes_of,
    step_down,
)
from rlbench.stats.constant import standard_error
from rlbench.stats.intervals import point_of, replicates_of
from rlbench.stats.kernels import work
from rlbench.stats.permutation import (
    differences_of,
    has_errors,
    number_of_paths,
    paths_of,
    permuted_statistics,
)
from rlbench.stats.resampling import Floats, keys_of, layout_of

RUNS = (3, 5, 10, 15, 20, 30, 50, 100)
MOST_RUNS = 10_000
LIKELY = 0.8  # the level of the interval of a pilot's difference that gives a range of runs
PATHS = 1_000  # for the deviation over paths, where the test divides by that; more are not coarse


class RunsNeeded(NamedTuple):
    """How many runs a task one pair of agents needs, at least `comparisons.MIN_RUNS`.

    None says that 10,000 are not enough.

    Attributes:
        low: If the difference is the greatest of its 80 % interval in the pilot.
        runs: If it is the one seen in the pilot, or given.
        high: If it is the least of that interval; None also where the interval holds 0.
    """

    low: int | None
    runs: int | None
    high: int | None


class PlanRow(NamedTuple):
    """The expected power and width of one pair of agents with a number of runs a task.

    Attributes:
        a: The first agent.
        b: The second agent.
        runs: Runs a task of either.
        power: The chance to separate the two, if the difference is the one planned for.
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
    difference: float | None = None,
    repetitions: int = 2_000,
    seed: int = 0,
) -> list[PlanRow]:
    """Return the expected power and interval width for numbers of runs, from pilot scores.

    The variance of each agent's statistic is that of the N - 1 bootstrap of its pilot runs, taken
    to fall with the number of runs. Power is that of Welch's t test of the difference, at alpha
    divided by the number of pairs (Colas, Sigaud & Oudeyer 2018, section 4), or at the greatest
    p-value below it that permutations of so few runs can have. The difference is divided by what
    `compare` divides it by: its standard error, or for the median its standard deviation over
    permutations of the pilot, and then the test is a normal one. The pilot's difference is itself
    uncertain: a plan is as good as its pilot. A number of runs with which `compare` decides
    nothing, or that has too few permutations for the level, has no power.

    Args:
        scores: By agent, at least two runs a task: (runs, tasks), or one array (runs,) a task.
        runs: Numbers of runs a task to plan for.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs.
        difference: To plan for, in the unit of the statistic; by default that seen in the pilot.
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
    for pilot in _pilots(scores, statistic, alpha, difference, repetitions, seed):
        rows += [
            PlanRow(pilot.a, pilot.b, n, pilot.power(n, pilot.gap), pilot.width(n, 1 - alpha))
            for n in runs
        ]
    return rows


def runs_needed(
    scores: Mapping[str, ScoresLike],
    *,
    power: float = 0.8,
    statistic: TestStatistic = "iqm",
    alpha: float = 0.05,
    difference: float | None = None,
    repetitions: int = 2_000,
    seed: int = 0,
) -> dict[tuple[str, str], RunsNeeded]:
    """Return how many runs a task each pair needs to be separated with a given power.

    The range is wide after a small pilot, and honest: three runs tell little of a difference. The
    pilot's runs cannot be topped up to the number found and tested again, which errs more often
    than alpha: compare new runs, or plan for `adastop`.

    Args:
        scores: As `plan` takes them.
        power: The chance to separate the pair.
        statistic: ``iqm``, ``mean`` or ``median``.
        alpha: The level, over all pairs.
        difference: To plan for, in the unit of the statistic; by default those of the pilot's
            interval.
        repetitions: Resamples.
        seed: Of the resampling.

    Returns:
        By pair, the least numbers of runs; all three are the same for a given difference.

    Raises:
        InvalidScores: As `plan` does, or the power is out of range.
        UnknownName: There is no such statistic.
    """
    if not 0 < power < 1:
        raise InvalidScores(f"power {power} must be inside (0, 1)")
    found = {}
    for pilot in _pilots(scores, statistic, alpha, difference, repetitions, seed):
        greatest, least = pilot.gap + pilot.doubt, max(pilot.gap - pilot.doubt, 0.0)
        found[pilot.a, pilot.b] = RunsNeeded(
            *(_least_runs(pilot, gap, power) for gap in (greatest, pilot.gap, least))
        )
    return found


class _Pilot(NamedTuple):
    """One pair in the pilot, and what to plan for.

    Attributes:
        a: The first agent.
        b: The second agent.
        gap: The absolute difference to plan for.
        doubt: How much greater or less it may well be.
        variance: Of the difference if there were one run a task.
        divisor: The square of what the test divides the difference by, if there were one run.
        freedom: The degrees of freedom of its standard error, for each run after the first;
            infinity where the test divides by something else.
        level: Of the pair's test.
        tasks: The number of tasks.
        statistic: What is compared.
    """

    a: str
    b: str
    gap: float
    doubt: float
    variance: float
    divisor: float
    freedom: float
    level: float
    tasks: int
    statistic: str

    def power(self, runs: int, gap: float) -> float:
        level = _level_of(runs, self.tasks, self.statistic, self.level)
        if runs < MIN_RUNS or not level:
            return 0.0
        error, divisor = ((square / runs) ** 0.5 for square in (self.variance, self.divisor))
        if not error:
            return float(gap != 0)
        if np.isinf(self.freedom):
            normal = NormalDist()
            critical = normal.inv_cdf(1 - level / 2) * divisor
            return normal.cdf((gap - critical) / error) + normal.cdf((-gap - critical) / error)
        return _power_of_t(gap / error, self.freedom * (runs - 1), level)

    def width(self, runs: int, level: float) -> float:
        return 2 * NormalDist().inv_cdf((1 + level) / 2) * float((self.variance / runs) ** 0.5)


def _least_runs(pilot: _Pilot, gap: float, power: float) -> int | None:
    if pilot.power(MOST_RUNS, gap) < power:
        return None
    low, high = MIN_RUNS, MOST_RUNS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if pilot.power(middle, gap) >= power else (middle + 1, high)
    return low


def _pilots(
    scores: Mapping[str, ScoresLike],
    statistic: str,
    alpha: float,
    difference: float | None,
    repetitions: int,
    seed: int,
) -> list[_Pilot]:
    agents = agents_of(scores, alpha)
    for agent, tasks in agents.items():
        if min(len(task) for task in tasks) < 2:
            raise InvalidScores(f"{agent!r} has a task with one run: a plan needs at least two")
    if difference is not None and not 0 < difference < np.inf:
        raise InvalidScores(f"the difference {difference} to plan for must be positive")
    *keys, path_key = keys_of(seed, len(agents) + 1)
    points = {agent: point_of(tasks, statistic) for agent, tasks in agents.items()}
    with work(repetitions * sum(len(task) for tasks in agents.values() for task in tasks)):
        variances = {
            agent: _variance(tasks, statistic, repetitions, key)
            for (agent, tasks), key in zip(agents.items(), keys, strict=True)
        }
    runs = {agent: _mean_runs(tasks) for agent, tasks in agents.items()}
    pairs = list(combinations(agents, 2))
    number = len(next(iter(agents.values())))
    found = []
    for a, b in pairs:
        variance = variances[a] * runs[a] + variances[b] * runs[b]
        doubt = NormalDist().inv_cdf((1 + LIKELY) / 2) * (variances[a] + variances[b]) ** 0.5
        found.append(
            _Pilot(
                a=a,
                b=b,
                gap=abs(points[a] - points[b]) if difference is None else difference,
                doubt=doubt if difference is None else 0.0,
                variance=variance,
                divisor=_divisor(agents, (a, b), statistic, variance, path_key),
                freedom=_freedom(agents, (a, b), statistic),
                level=alpha / len(pairs),
                tasks=number,
                statistic=statistic,
            )
        )
    return found


@cache
def _level_of(runs: int, tasks: int, statistic: str, level: float) -> float:
    """Return the greatest p-value at most a level that so few runs can have; 0 if there is none.

    P-values are about multiples of the least, that of agents as far apart as can be. Two paths at
    least have it: exchanging the agents changes no absolute difference. For the IQM of few runs
    there are more, since it ignores some of them.
    """
    sizes = [(runs, runs)] * tasks
    if number_of_paths(sizes) > PATHS:
        return level
    apart = np.tile(np.arange(2.0 * runs), tasks) + np.tile(np.repeat([99.0, 0.0], runs), tasks)
    least = float(step_down(permuted_statistics(apart[None], sizes, statistic, PATHS, 0))[0])
    return int(level / least + 1e-9) * least


def _power_of_t(shift: float, freedom: float, level: float) -> float:
    """Return the power of a two-sided t test, of a difference in standard errors."""
    from scipy.special import nctdtr, stdtrit

    critical = float(stdtrit(freedom, 1 - level / 2))
    # nctdtr is not a number where it is next to 0.
    below, within = np.nan_to_num(nctdtr(freedom, shift, np.array([-critical, critical])))
    return float(below + 1 - within)


def _freedom(agents: Mapping[str, list[Floats]], pair: tuple[str, str], statistic: str) -> float:
    """Return the degrees of freedom of a pair for each run after the first (Satterthwaite 1946)."""
    if not has_errors(statistic, sizes_of(agents, pair)):
        return np.inf
    errors, freedoms = zip(*(standard_error(agents[a], statistic) for a in pair), strict=True)
    runs = (_mean_runs(agents[agent]) - 1 for agent in pair)
    each = [
        error**4 * n / freedom for error, freedom, n in zip(errors, freedoms, runs, strict=True)
    ]
    return sum(error**2 for error in errors) ** 2 / sum(each) if any(each) else np.inf


def _divisor(
    agents: Mapping[str, list[Floats]],
    pair: tuple[str, str],
    statistic: str,
    variance: float,
    key: int,
) -> float:
    """Return the square of what a test divides a difference by, if there were one run a task."""
    sizes = sizes_of(agents, pair)
    if has_errors(statistic, sizes):
        return variance
    pooled = pooled_of(agents, [pair])
    paths = paths_of(sizes, PATHS, key)
    gaps = np.concatenate([differences_of(part, pooled, sizes, statistic) for part in paths])
    runs = 2 / sum(1 / _mean_runs(agents[agent]) for agent in pair)
    return float(gaps.var()) * runs


def _variance(tasks: Sequence[Floats], statistic: str, repetitions: int, key: int) -> float:
    """Return the variance of a statistic in the N - 1 bootstrap."""
    layout = layout_of(tasks, "rao-wu")
    columns = [task[:, None] for task in tasks]
    return float(np.var(replicates_of(columns, [statistic], layout, repetitions, key)))


def _mean_runs(tasks: Sequence[Floats]) -> float:
    """Return the harmonic mean of the tasks' runs."""
    return len(tasks) / sum(1 / len(task) for task in tasks)
