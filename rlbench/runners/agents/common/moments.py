"""Running means and variances, by which observations and rewards are normalised."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

CLIP = 10.0  # of what is normalised, in standard deviations
_FIRST = 1e-4  # numbers that the first variance, 1, counts as
_SMALL = 1e-8


class Moments:
    """Running mean and variance (Chan, Golub and LeVeque 1979, eq. 2.1), beginning at 0 and 1.

    Args:
        size: Numbers in a row.

    Attributes:
        state: (3, size) count, mean and variance.
    """

    def __init__(self, size: int) -> None:
        self.state = torch.zeros(3, size, dtype=torch.float64)
        self.state[0], self.state[2] = _FIRST, 1.0

    def add(self, rows: NDArray[Any]) -> None:
        """Take in (n, size) numbers."""
        new = torch.from_numpy(np.asarray(rows, dtype=np.float64))
        count, mean, variance = self.state.clone()
        total = count + len(new)
        apart = new.mean(0) - mean
        squares = variance * count + new.var(0, correction=0) * len(new)
        self.state[0], self.state[1] = total, mean + apart * len(new) / total
        self.state[2] = (squares + apart**2 * count * len(new) / total) / total

    def deviation(self) -> NDArray[np.float64]:
        """Return the (size,) standard deviations."""
        deviation: NDArray[np.float64] = np.sqrt(self.state[2].numpy() + _SMALL)
        return deviation

    def normalise(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return (n, size) numbers less the mean, by the standard deviation, clipped."""
        scaled: NDArray[np.float64] = (rows - self.state[1].numpy()) / self.deviation()
        return scaled.clip(-CLIP, CLIP).astype(np.float32)
