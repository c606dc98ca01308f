"""Futility: stop comparing two agents once a difference that matters can be ruled out.

Equal agents would otherwise go on to the last look. The user names a difference of the statistic
that matters, e.g. an IQM of .1. At each look but the last, a pair is accepted as not separated if
its difference, seen as d with the standard error s, lies far enough below the one that matters, D:

    |d| + t s < D,

where t is the 1 - `SPENDING` / looks quantile of Student's t distribution. So if the difference is
D, the chance that any look accepts the pair is at most `SPENDING` (Bonferroni; spending linear over
the looks, as that of alpha: Lan & DeMets 1983). Not all of these pairs would have been separated
later. In a model of normal differences, at most .05 of power is lost at D, whatever the power
(`cost`; benchmarks/futility.py has what real plans lost).

Futility can only make fewer rejections, so the level holds as it does without (it is non-binding;
Pampallona, Tsiatis & Kim 2001).
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores, UsageError
from rlbench.stats.resampling import Floats

SPENDING = 0.1  # of the chance to accept a pair whose difference is the one that matters
_PATHS = 20_000


class FutilityCost(NamedTuple):
    """What futility costs and saves, in a model of normal differences.

    Attributes:
        power: The power without futility, at the difference that matters.
        lost: What of it is lost.
        saved: The share of the runs that two equal agents are saved, on average.
    """

    power: float
    lost: float
    saved: float


def check_futility(difference: float | None, rule: str) -> None:
    """Raise unless a difference can be ruled out by a rule of AdaStop.

    Raises:
        InvalidScores: The difference is not positive and finite.
        UsageError: The rule has no standard errors.
    """
    if difference is None:
        return
    if not 0 < difference < np.inf:
        raise InvalidScores(f"futility {difference} must be a positive difference of the statistic")
    if rule != "studentised":
        raise UsageError(f"futility needs standard errors, which the rule {rule!r} does not have")


def is_ruled_out(gap: float, error: float, difference: float, degrees: int, looks: int) -> bool:
    """Say whether a look rules out a difference, of either sign.

    Args:
        gap: The difference that was seen.
        error: Its standard error.
        difference: The one that matters, positive.
        degrees: Degrees of freedom of the error: the runs of both agents, less one for each task of
            each. With none there is no error yet.
        looks: How many looks there may be.
    """
    from scipy.special import stdtrit

    if degrees < 1:
        return False
    quantile = float(stdtrit(degrees, 1 - SPENDING / looks))
    return bool(abs(gap) + quantile * error < difference)


def cost(looks: int, *, alpha: float = 0.05, power: float = 0.9, seed: int = 0) -> FutilityCost:
    """Return what futility costs at the difference that matters, and what it saves equal agents.

    Two agents are compared by the difference of two normal means, whose error is known, and alpha
    is spent linearly over the looks, as by `adastop`. 20,000 simulations.

    Args:
        looks: How many there may be.
        alpha: The level.
        power: The power that the plan has at the difference that matters, without futility.
        seed: Of the simulation.

    Raises:
        InvalidScores: An option is out of range.
    """
    if looks < 1 or not 0 < alpha < 1 or not alpha < power < 1:
        raise InvalidScores(
            f"looks {looks} must be at least 1, alpha {alpha} inside (0, 1), power {power} above it"
        )
    share = np.arange(1, looks + 1) / looks
    steps = np.random.default_rng(seed).standard_normal((_PATHS, looks)) / np.sqrt(looks)
    paths = steps.cumsum(axis=1)
    errors = 1 / np.sqrt(share)  # in units of that at the last look
    boundaries = _boundaries(np.abs(paths / share / errors), alpha)
    quantile = NormalDist().inv_cdf(1 - SPENDING / looks)

    def stops(true: float, difference: float) -> tuple[float, float, float]:
        """Return power without and with futility, and the share of the looks that were taken."""
        seen = np.abs(paths / share + true)
        apart = _first(seen / errors > boundaries)
        futile = seen + quantile * errors < difference
        futile[:, -1] = False
        given_up = _first(futile)
        separated = (apart < looks) & (apart <= given_up)
        taken = np.minimum(np.minimum(apart, given_up) + 1, looks) / looks
        return float((apart < looks).mean()), float(separated.mean()), float(taken.mean())

    low, high = 0.0, 20.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if stops(middle, middle)[0] < power else (low, middle)
    without, within, _ = stops(high, high)
    return FutilityCost(power=without, lost=without - within, saved=1 - stops(0.0, high)[2])


def _boundaries(sized: Floats, alpha: float) -> Floats:
    """Return what studentised differences exceed in alpha / looks of the paths at each look."""
    looks = sized.shape[1]
    alive = np.ones(len(sized), dtype=bool)
    found = np.empty(looks)
    for look in range(looks):
        values = np.sort(sized[alive, look])
        found[look] = values[-max(1, int(alpha / looks * len(sized)))]
        alive &= sized[:, look] <= found[look]
    return found


def _first(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first look at which a flag is set, (paths, looks) to (paths,); looks if never."""
    return np.asarray(np.where(flags.any(axis=1), flags.argmax(axis=1), flags.shape[1]))
