"""How much of its clean score an agent keeps where something is disturbed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import ScoresLike, columns, iqm
from rlbench.stats.intervals import (
    Estimate,
    check_options,
    estimate_from,
    no_interval,
    tails_of,
    why_no_interval,
)
from rlbench.stats.pairs import PAIR_METHODS, PairMethod
from rlbench.stats.resampling import CHUNK, Floats, Ints, keys_of, layout_of, resamples

# A resampled clean mean counts as at least this share of the true one above `low`, so that a
# resample of poor runs has a large ratio and not one of the wrong sign.
_LEAST = 1e-6


class Retention(NamedTuple):
    """The share of the clean score that an agent keeps.

    Attributes:
        estimate: Of the share, or None where no game is left.
        left_out: Which games were left out, as numbers of clean tasks.
    """

    estimate: Estimate | None
    left_out: tuple[int, ...]


def retention(
    clean: ScoresLike,
    disturbed: ScoresLike,
    *,
    low: ArrayLike = 0.0,
    games: Sequence[int] | None = None,
    method: PairMethod = "rao-wu",
    repetitions: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Retention:
    """Estimate the share of its clean score that an agent keeps under a disturbance.

    A run with the score x on a disturbed version of game g keeps
    ``(x - low_g) / (mean clean score of g - low_g)``; the estimate is the IQM of that over runs,
    games and versions. 1 is all, 0 is no more than `low`, and a run may keep more than 1.

    Where an agent is hardly better than `low` when nothing disturbs it, the ratio means nothing.
    A game counts only if the lower end of Student's t interval of its clean mean, at `level`, is
    above `low`; so it needs two clean runs.

    In each resample, clean and disturbed runs are drawn apart, and the clean runs of a game once
    for all its versions. The games stay those that count.

    Args:
        clean: (runs, games), or one array (runs,) a game; raw or normalised.
        disturbed: (runs, tasks), or one array (runs,) a task; on the same scale.
        low: The score that counts as nothing, (games,) or one for all: 0 for normalised scores.
        games: (tasks,) of which clean game each disturbed task is a version; where it is not
            given, task i is one of game i.
        method: ``rao-wu``, ``percentile`` or ``basic``, as `bootstrap` takes it.
        repetitions: Resamples.
        level: Nominal coverage, between 0 and 1.
        seed: Of the resampling.

    Returns:
        The estimate, without interval where a task that counts has one run, and the games that
        were left out.

    Raises:
        InvalidScores: Scores are bad, an option is out of range, or disturbed tasks and games do
            not fit together.
        UnknownName: There is no such method.

    >>> kept = retention([[9.0, 11.0], [0.1, -0.1]], [[5.0, 7.0], [0.0, 0.0]])
    >>> kept.estimate, kept.left_out
    (None, (0, 1))
    >>> kept = retention([[9.9, 10.1], [0.1, -0.1]], [[5.0, 7.0], [0.0, 0.0]])
    >>> kept.estimate.point, kept.left_out
    (0.6, (1,))
    """
    check_options(method, repetitions, level, PAIR_METHODS)
    bases, tasks = columns(clean, "clean scores"), columns(disturbed, "disturbed scores")
    zeros = _zeros_of(low, len(bases))
    of = _games_of(games, len(bases), len(tasks))
    bases = [base - zero for base, zero in zip(bases, zeros, strict=True)]
    counts = [_is_above_zero(base, level) for base in bases]
    left_out = tuple(game for game in sorted(set(of)) if not counts[game])
    kept = [number for number, game in enumerate(of) if counts[game]]
    if not kept:
        return Retention(None, left_out)
    used = sorted({of[number] for number in kept})
    bases = [bases[game] for game in used]
    tasks = [tasks[number] - zeros[of[number]] for number in kept]
    where = np.array([used.index(of[number]) for number in kept])
    means = np.array([base.mean() for base in bases])
    point = iqm([task / means[game] for task, game in zip(tasks, where, strict=True)])
    if why := why_no_interval(bases + tasks):
        return Retention(no_interval(point, level, why), left_out)
    replicates = _replicates(bases, tasks, where, method, repetitions, keys_of(seed, 2))
    return Retention(estimate_from(point, replicates, tails_of(level), method, level), left_out)


def _zeros_of(low: ArrayLike, games: int) -> Floats:
    """Return what counts as nothing, (games,)."""
    zeros = np.asarray(low, dtype=np.float64)
    if zeros.shape not in ((), (games,)) or not np.isfinite(zeros).all():
        raise InvalidScores(f"low must be a number or (games,) = ({games},) finite ones: {low!r}")
    return np.broadcast_to(zeros, (games,))


def _games_of(games: Sequence[int] | None, bases: int, tasks: int) -> list[int]:
    """Return of which clean game each disturbed task is."""
    of = list(range(tasks) if games is None else games)
    if len(of) != tasks or not all(0 <= game < bases for game in of):
        raise InvalidScores(
            f"{tasks} disturbed tasks need a game each, of the {bases} clean ones: {of}"
        )
    return of


def _is_above_zero(scores: Floats, level: float) -> bool:
    """Say whether a mean is positive by more than its uncertainty."""
    from scipy.special import stdtrit

    n = len(scores)
    if n == 1:
        return False
    error = float(scores.std(ddof=1)) / n**0.5
    return bool(scores.mean() > stdtrit(n - 1, (1 + level) / 2) * error)


def _replicates(
    bases: list[Floats],
    tasks: list[Floats],
    where: Ints,
    method: str,
    repetitions: int,
    keys: Sequence[int],
) -> Floats:
    """Return the IQM of the ratios of each resample, (repetitions,)."""
    from rlbench.stats.kernels_numpy import task_means, trimmed_means

    below, above = layout_of(bases, method), layout_of(tasks, method)
    step = max(1, CHUNK // max(below.draws, above.draws))
    scores, clean = np.concatenate(tasks), np.concatenate(bases)
    least = _LEAST * np.array([base.mean() for base in bases])
    weights = np.repeat(above.weights, above.counts)
    game_of = np.repeat(where, above.counts)
    draws = zip(
        resamples(below, keys[0], repetitions, chunk=step * below.draws),
        resamples(above, keys[1], repetitions, chunk=step * above.draws),
        strict=True,
    )
    return np.concatenate(
        [
            trimmed_means(
                scores[ups] / np.maximum(task_means(clean[downs], below), least)[:, game_of],
                weights,
            )
            for downs, ups in draws
        ]
    )
