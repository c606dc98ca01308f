"""Soft indicators, the parts of rewards (`dm_control.utils.rewards`), for arrays of any shape."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sigmoid = Callable[[Floats, float], Floats]


def gaussian(x: Floats, at_margin: float) -> Floats:
    """Fall like a Gaussian from 1 at 0 to a value at 1."""
    scale = np.sqrt(-2 * np.log(at_margin))
    fallen: Floats = np.exp(-0.5 * (x * scale) ** 2)
    return fallen


def linear(x: Floats, at_margin: float) -> Floats:
    """Fall linearly from 1 at 0 to a value at 1, and on to 0."""
    scaled = x * (1 - at_margin)
    return np.where(np.abs(scaled) < 1, 1 - scaled, 0.0)


def quadratic(x: Floats, at_margin: float) -> Floats:
    """Fall quadratically from 1 at 0 to a value at 1, and on to 0."""
    scaled = x * np.sqrt(1 - at_margin)
    return np.where(np.abs(scaled) < 1, 1 - scaled**2, 0.0)


def long_tail(x: Floats, at_margin: float) -> Floats:
    """Fall like 1 / (1 + x^2) from 1 at 0 to a value at 1."""
    fallen: Floats = 1 / ((x * np.sqrt(1 / at_margin - 1)) ** 2 + 1)
    return fallen


def reciprocal(x: Floats, at_margin: float) -> Floats:
    """Fall like 1 / (1 + x) from 1 at 0 to a value at 1."""
    fallen: Floats = 1 / (np.abs(x) * (1 / at_margin - 1) + 1)
    return fallen


def tolerance(
    x: Floats,
    lower: float = 0.0,
    upper: float = 0.0,
    margin: float = 0.0,
    sigmoid: Sigmoid = gaussian,
    at_margin: float = 0.1,
) -> Floats:
    """Return 1 within bounds, and less the farther a value is outside.

    Args:
        x: Values.
        lower: The lower bound, inclusive.
        upper: The upper bound, inclusive.
        margin: The distance from the nearer bound at which the result is `at_margin`; 0 for a
            result of 0 everywhere outside.
        sigmoid: How it falls.
        at_margin: See `margin`.

    >>> tolerance(np.array([0.5, 2.0, 3.0]), 0, 1, margin=1, sigmoid=linear, at_margin=0.5)
    array([1. , 0.5, 0. ])
    """
    inside = (lower <= x) & (x <= upper)
    if margin == 0:
        return np.where(inside, 1.0, 0.0)
    distance = np.where(x < lower, lower - x, x - upper) / margin
    return np.where(inside, 1.0, sigmoid(distance, at_margin))


def small_control(ctrl: Floats) -> Floats:
    """Return (n,) how small the controls (n, nu) are on average, from .8 to 1."""
    small: Floats = tolerance(ctrl, margin=1, sigmoid=quadratic, at_margin=0).mean(axis=1)
    return (small + 4) / 5
