"""Soft indicators, the parts of rewards (`dm_control.utils.rewards`), for arrays of any shape.

They are dm_control's bit for bit, in fewer calls: what is within bounds has distance 0 from them,
and all that falls with distance is exactly 1 there.
"""

from collections.abc import Callable
from functools import cache
from math import inf

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Fall = Callable[[Floats, float], Floats]


def gaussian(x: Floats, at_margin: float) -> Floats:
    """Fall like a Gaussian from 1 at 0 to a value at 1."""
    fallen: Floats = np.exp(-0.5 * (x * _gaussian_scale(at_margin)) ** 2)
    return fallen


@cache
def _gaussian_scale(at_margin: float) -> float:
    return float(np.sqrt(-2 * np.log(at_margin)))


def linear(x: Floats, at_margin: float) -> Floats:
    """Fall linearly from 1 at 0 to a value at 1, and on to 0."""
    fallen: Floats = np.maximum(1 - x * (1 - at_margin), 0.0)
    return fallen


def quadratic(x: Floats, at_margin: float) -> Floats:
    """Fall quadratically from 1 at 0 to a value at 1, and on to 0."""
    fallen: Floats = np.maximum(1 - (x * (1 - at_margin) ** 0.5) ** 2, 0.0)
    return fallen


def long_tail(x: Floats, at_margin: float) -> Floats:
    """Fall like 1 / (1 + x^2) from 1 at 0 to a value at 1."""
    fallen: Floats = 1 / ((x * (1 / at_margin - 1) ** 0.5) ** 2 + 1)
    return fallen


def tolerance(
    x: Floats,
    lower: float = 0.0,
    upper: float = 0.0,
    margin: float = 0.0,
    fall: Fall = gaussian,
    at_margin: float = 0.1,
) -> Floats:
    """Return 1 within bounds, and less the farther a value is outside.

    Args:
        x: Values.
        lower: The lower bound, inclusive.
        upper: The upper bound, inclusive.
        margin: The distance from the nearer bound at which the result is `at_margin`; 0 for a
            result of 0 everywhere outside.
        fall: How it falls.
        at_margin: See `margin`.

    >>> tolerance(np.array([0.5, 2.0, 3.0]), 0, 1, margin=1, fall=linear, at_margin=0.5)
    array([1. , 0.5, 0. ])
    """
    if margin == 0:
        return ((lower <= x) & (x <= upper)).astype(np.float64)
    if lower == upper == 0:
        distance = np.abs(x)
    elif upper == inf:
        distance = np.maximum(lower - x, 0.0)
    else:
        distance = np.maximum(np.maximum(lower - x, x - upper), 0.0)
    return fall(distance / margin, at_margin)


def small_control(ctrl: Floats) -> Floats:
    """Return (n,) how small the controls (n, nu) are on average, from .8 to 1."""
    small: Floats = quadratic(np.abs(ctrl), 0).sum(axis=1) / ctrl.shape[1]
    return (small + 4) / 5
