"""Bands: intervals at every point of a curve, or every threshold of a profile."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rlbench.errors import UnknownName
from rlbench.stats.intervals import tails_of
from rlbench.stats.resampling import Floats

CurveMethod = Literal["rao-wu", "percentile"]
Band = Literal["pointwise", "simultaneous"]

CURVE_METHODS = ("rao-wu", "percentile")
BANDS = ("pointwise", "simultaneous")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveEstimate:
    """A statistic at every point or threshold, with a band.

    Attributes:
        point: (k,) the statistic of the scores.
        low: (k,) the lower ends of the band, or None where there is none.
        high: (k,) the upper ends, or None.
        method: How the band was made, or why there is none. A pointwise band holds for each of
            the k by itself, a simultaneous one for all of them together.
        level: The nominal coverage.
        repetitions: Resamples drawn; 0 where none were needed.
    """

    point: Floats
    low: Floats | None
    high: Floats | None
    method: str
    level: float
    repetitions: int


def ends_of(replicates: Floats, level: float, band: str) -> tuple[Floats, Floats]:
    """Return the ends of a band, each (k,), from replicates (k, repetitions).

    Pointwise ends are percentiles. Simultaneous ones are moved outwards together, until the share
    `level` of the replicates lies inside at all k (Montiel Olea & Plagborg-Moller 2019,
    quantile-based sup-t bands).
    """
    tails = tails_of(level)
    if band == "simultaneous":
        ordered = np.sort(replicates, axis=1)
        # How far inside a replicate lies at its most extreme k: the least share of replicates
        # at or beyond it.
        depth = np.full(replicates.shape[1], replicates.shape[1])
        for values, others in zip(replicates, ordered, strict=True):
            np.minimum(depth, np.searchsorted(others, values, side="right"), out=depth)
            np.minimum(depth, len(others) - np.searchsorted(others, values), out=depth)
        tail = float(np.quantile(depth - 1, 1 - level, method="lower")) / (len(depth) - 1 or 1)
        tails = tail, 1 - tail
    low, high = np.quantile(replicates, tails, axis=1)
    return low, high


def no_band(point: Floats, level: float, why: str) -> CurveEstimate:
    """Return the estimate without a band, for a reason."""
    return CurveEstimate(point=point, low=None, high=None, method=why, level=level, repetitions=0)


def check_band(band: str) -> None:
    """Raise UnknownName unless there is such a band."""
    if band not in BANDS:
        raise UnknownName("band", band, BANDS)
