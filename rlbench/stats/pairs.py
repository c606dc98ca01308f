"""Two agents on the same tasks: differences, and how likely one beats the other."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats.aggregates import ScoresLike, columns, probability_of_improvement, same_tasks
from rlbench.stats.intervals import (
    METHODS,
    Estimate,
    Statistic,
    check_options,
    estimate_by_formula,
    estimate_from,
    no_interval,
    point_of,
    replicates_of,
    tails_of,
    why_no_interval,
)
from rlbench.stats.kernels import improvements, work
from rlbench.stats.permutation import Pair
from rlbench.stats.proportions import METHOD as BY_RATE
from rlbench.stats.proportions import STATISTICS as OF_SUCCESSES
from rlbench.stats.proportions import (
    are_successes,
    clopper_pearson,
    difference_ends,
    ends_of_successes,
)
from rlbench.stats.resampling import Floats, keys_of, layout_of

PairMethod = Literal["rao-wu", "percentile", "basic"]
Shared = Literal["levels", "data", "tests"]

SHARED = ("levels", "data", "tests")
PAIR_METHODS = tuple(method for method in METHODS if method != "bca")


def difference(
    x: ScoresLike,
    y: ScoresLike,
    statistic: Statistic,
    *,
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    shared: Shared | None = None,
) -> Estimate:
    """Estimate the difference ``statistic(x) - statistic(y)`` of two agents.

    The two are resampled independently: runs of different agents share no luck, even at equal
    seeds. Only where equal seeds gave both agents the same levels, the same data or the same
    tests may their runs be paired, and then `shared` must say which.

    Args:
        x: (runs, tasks), or one array (runs,) a task.
        y: The other agent's scores on the same tasks; the numbers of runs may differ.
        statistic: A name or a function, as `bootstrap` takes it.
        method: ``rao-wu``, ``percentile`` or ``basic``.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.
        shared: What run i of x and run i of y of a task have in common: ``levels``, ``data`` or
            ``tests``. The two are then drawn together.

    Raises:
        InvalidScores: The numbers of tasks differ, scores are bad, an option is out of range, or
            paired agents have different numbers of runs on a task.
        UnknownName: There is no such statistic, method or thing to share.
    """
    check_options(method, repetitions, level, PAIR_METHODS)
    agents = same_tasks(x, y)
    if shared is not None:
        _check_pairing(agents, shared)
    keys = keys_of(seed, 2)
    if shared is not None:
        keys[1] = keys[0]
    how = method if shared is None else f"{method}, paired by seed (shared {shared})"
    if (known := _without_drawing(agents, statistic, method, level, shared)) is not None:
        return known
    first, second = (
        _drawn(tasks, statistic, method, repetitions, key)
        for tasks, key in zip(agents, keys, strict=True)
    )
    point = point_of(agents[0], statistic) - point_of(agents[1], statistic)
    return estimate_from(point, first - second, tails_of(level), method, level, how)


def differences(
    scores: Mapping[str, Mapping[str, ArrayLike]],
    pairs: Iterable[Pair],
    statistic: Statistic,
    *,
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[Pair, Estimate]:
    """Estimate the difference of many pairs, each on the tasks that both agents have.

    The numbers are those of `difference` for each pair by itself, by ``rao-wu``. There the
    resamples of an agent depend on its scores and on which of the two it is, and on nothing else of
    the pair. So each agent is resampled at most twice for each set of tasks, however many pairs it
    is in.

    Args:
        scores: By agent, then by task: (runs,).
        pairs: Of these agents; each has a task in common.
        statistic: A name or a function, as `bootstrap` takes it.
        repetitions: Resamples.
        level: Nominal coverage of each interval, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: Two agents have no task in common, scores are bad, or an option is out of
            range.
        UnknownName: There is no such statistic.
    """
    check_options("rao-wu", repetitions, level, PAIR_METHODS)
    keys = keys_of(seed, 2)

    @cache
    def of(agent: str, tasks: tuple[str, ...]) -> list[Floats]:
        return columns([scores[agent][task] for task in tasks], f"scores of {agent!r}")

    @cache
    def drawn(agent: str, tasks: tuple[str, ...], side: int) -> Floats:
        return _drawn(of(agent, tasks), statistic, "rao-wu", repetitions, keys[side])

    @cache
    def point(agent: str, tasks: tuple[str, ...]) -> float:
        return point_of(of(agent, tasks), statistic)

    found = {}
    for a, b in pairs:
        common = tuple(task for task in scores[a] if task in scores[b])
        if not common:
            raise InvalidScores(f"{a!r} and {b!r} have no task in common")
        estimate = _without_drawing(
            (of(a, common), of(b, common)), statistic, "rao-wu", level, shared=None
        )
        found[a, b] = estimate or estimate_from(
            point(a, common) - point(b, common), drawn(a, common, 0) - drawn(b, common, 1),
            tails_of(level), "rao-wu", level,
        )  # fmt: skip
    return found


def _drawn(
    tasks: list[Floats], statistic: Statistic, method: str, repetitions: int, key: int
) -> Floats:
    """Return an agent's statistic of each resample, (repetitions,)."""
    replicates: Floats = replicates_of(
        [task[:, None] for task in tasks], [statistic], layout_of(tasks, method), repetitions, key
    )[0, 0]
    return replicates


def _without_drawing(
    agents: tuple[list[Floats], list[Floats]],
    statistic: Statistic,
    method: str,
    level: float,
    shared: Shared | None,
) -> Estimate | None:
    """Return the difference where it has no interval, or one by a formula; else None."""
    scores = agents[0] + agents[1]
    why = why_no_interval(scores)
    by_rate = (
        method == "rao-wu"
        and shared is None
        and statistic in OF_SUCCESSES
        and all(map(are_successes, agents))
    )
    if not why and not by_rate:
        return None
    point = point_of(agents[0], statistic) - point_of(agents[1], statistic)
    if why:
        return no_interval(point, level, why)
    ends = _ends_of_successes(agents, str(statistic), level)
    return estimate_by_formula(point, ends, BY_RATE, level)


def _check_pairing(agents: tuple[list[Floats], list[Floats]], shared: str) -> None:
    if shared not in SHARED:
        raise UnknownName("thing that seeds share", shared, SHARED)
    for task, (a, b) in enumerate(zip(*agents, strict=True)):
        if len(a) != len(b):
            raise InvalidScores(
                f"runs cannot be paired: task {task} has {len(a)} of x and {len(b)} of y"
            )


def improvement(
    x: ScoresLike,
    y: ScoresLike,
    *,
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Estimate `probability_of_improvement` of x over y with an interval.

    The two are resampled independently (Agarwal et al. 2021, section 4.3). Where on every task all
    runs of one are above all of the other, resamples do not differ; the ends are then those of
    Clopper & Pearson (1934) for as many pairs as can be made of different runs of every task, which
    hold for unequal tasks too (Hoeffding 1956).

    Args:
        x: (runs, tasks), or one array (runs,) a task.
        y: The other agent's scores on the same tasks; the numbers of runs may differ.
        method: ``rao-wu``, ``percentile`` or ``basic``.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Raises:
        InvalidScores: The numbers of tasks differ, scores are bad, or an option is out of range.
        UnknownName: There is no such method.
    """
    check_options(method, repetitions, level, PAIR_METHODS)
    first, second = same_tasks(x, y)
    point = probability_of_improvement(first, second)
    if why := why_no_interval(first + second):
        return no_interval(point, level, why)
    if method == "rao-wu" and are_successes(first + second):
        # It is then 1/2 plus half the difference of the means.
        low, high = _ends_of_successes((first, second), "mean", level)
        return estimate_by_formula(point, (0.5 + low / 2, 0.5 + high / 2), BY_RATE, level)
    pairs = list(zip(first, second, strict=True))
    if all(a.min() > b.max() or a.max() < b.min() for a, b in pairs):
        disjoint = len(pairs) * min(len(task) for task in first + second)
        below, above = clopper_pearson(np.rint([point * disjoint]), disjoint, level)
        return estimate_by_formula(
            point, (float(below[0]), float(above[0])), "Clopper-Pearson, of pairs of runs", level
        )
    layouts = layout_of(first, method), layout_of(second, method)
    with work(repetitions * sum(map(len, first + second))):
        replicates = improvements(first, second, layouts, keys_of(seed, 2), repetitions)
    return estimate_from(point, replicates, tails_of(level), method, level)


def _ends_of_successes(
    agents: tuple[list[Floats], list[Floats]], statistic: str, level: float
) -> tuple[float, float]:
    """Return the ends of the interval of a difference of scores that are 0 or 1."""
    points = [point_of(tasks, statistic) for tasks in agents]
    one, two = (
        ends_of_successes(tasks, statistic, point, level)
        for tasks, point in zip(agents, points, strict=True)
    )
    return difference_ends((points[0], points[1]), one, two)
