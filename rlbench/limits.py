"""How large a score may be, for records, files and statistics alike."""

import math

import numpy as np
from numpy.typing import NDArray

MAX_VALUE = 1e15  # of a score, a return or another measure, in magnitude
DIVERGED = (
    "a run that diverged counts: give it the lowest score of the protocol, or its last score "
    "before, and report which"
)


def allowed(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which values are numbers of at most `MAX_VALUE` in magnitude, in their shape."""
    return np.asarray(np.abs(values) <= MAX_VALUE)


def advice(value: float) -> str:
    """Return what to tell the user of a value that is not allowed."""
    if math.isfinite(value):
        return f"numbers beyond {MAX_VALUE:g} are refused"
    return DIVERGED
