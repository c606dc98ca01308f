"""What an offline dataset is like: its episodes, their returns, and how much it covers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.dataset import Episodes

_BINS = 10  # of each number, in `Description.coverage`
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class Description(NamedTuple):
    """What a dataset is like.

    Attributes:
        transitions: Their number.
        episodes: Their number.
        terminated: Episodes that ended in a terminal state.
        lengths: (3,) The shortest, the mean and the longest episode, in steps.
        mean: Of the returns.
        deviation: Of the returns, the square root of their mean squared difference from the mean.
        quantiles: (7,) Of the returns, at `QUANTILES`.
        quality: The mean return, normalised as scores are: the trajectory quality of Schweighofer
            et al. 2022 (arXiv 2111.04714), between the protocol's scores instead of those of a
            random and an expert policy. None where no scores are given.
        coverage: Distinct cells of (observation, action), a transition: each number's range in
            the dataset is cut in 10. Schweighofer et al. relate the distinct pairs to those of a
            replay buffer, which most datasets come without.
    """

    transitions: int
    episodes: int
    terminated: int
    lengths: NDArray[np.float64]
    mean: float
    deviation: float
    quantiles: NDArray[np.float64]
    quality: float | None
    coverage: float


def returns_of(data: Episodes) -> NDArray[np.float64]:
    """Return the (E,) returns of the episodes, in their order."""
    returns: NDArray[np.float64] = np.add.reduceat(data.reward, np.flatnonzero(data.first))
    return returns


def lengths_of(data: Episodes) -> NDArray[np.int64]:
    """Return the (E,) lengths of the episodes in steps."""
    return np.diff(np.append(np.flatnonzero(data.first), len(data))).astype(np.int64)


def describe(data: Episodes, ends: tuple[float, float] | None = None) -> Description:
    """Say what episodes are like.

    Args:
        data: The episodes.
        ends: The scores that are normalised to 0 and to 1, if there are any.
    """
    returns, lengths = returns_of(data), lengths_of(data)
    mean = float(returns.mean())
    return Description(
        transitions=len(data),
        episodes=len(returns),
        terminated=int(data.terminated.sum()),
        lengths=np.array([lengths.min(), lengths.mean(), lengths.max()], np.float64),
        mean=mean,
        deviation=float(returns.std()),
        quantiles=np.quantile(returns, QUANTILES),
        quality=(mean - ends[0]) / (ends[1] - ends[0]) if ends else None,
        coverage=coverage_of(data),
    )


def coverage_of(data: Episodes) -> float:
    """Return the distinct cells of (observation, action) over the number of transitions."""
    pairs = np.concatenate([_flat(data.obs), _flat(data.action)], axis=1)
    low, high = pairs.min(axis=0), pairs.max(axis=0)
    width = np.where(high > low, high - low, 1)
    cells = np.minimum((pairs - low) / width * _BINS, _BINS - 1).astype(np.uint8)
    rows = np.ascontiguousarray(cells).view(np.dtype((np.void, cells.shape[1]))).ravel()
    return len(np.unique(rows)) / len(rows)


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    rows = array.reshape(len(array), -1)
    return rows if rows.dtype.kind == "f" else rows.astype(np.float32)
