"""Gaussian mixtures over tasks and how they went, fitted by scikit-learn."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from rlbench.runners.teachers.common import Floats


@dataclass(frozen=True, slots=True)
class Mixture:
    """Gaussians, without their weights: teachers weigh them anew.

    Attributes:
        means: (k, m)
        covariances: (k, m, m)
    """

    means: Floats
    covariances: Floats

    def draw(self, random: np.random.Generator, index: int, dimensions: int) -> Floats:
        """Draw from the first dimensions of one of the Gaussians, (dimensions,)."""
        mean = self.means[index, :dimensions]
        covariance = self.covariances[index, :dimensions, :dimensions]
        return random.multivariate_normal(mean, covariance, check_valid="ignore")


def fit(rows: NDArray[np.float64], counts: Sequence[int], seed: int) -> Mixture:
    """Fit a mixture for each number of Gaussians and return the one of the lowest AIC.

    Fits use one thread: rows are few, and more threads would add up in another order.

    Args:
        rows: (n, m) With n no smaller than any of the counts.
        counts: Numbers of Gaussians to try; the first of equals wins.
        seed: Of each fit, below 2**32.
    """
    best, lowest = None, np.inf
    for count in counts:
        mixture = GaussianMixture(n_components=count, covariance_type="full", random_state=seed)
        with threadpool_limits(1), warnings.catch_warnings():
            # Rows may repeat, and 100 iterations may not be enough: the original goes on too.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(rows)
        criterion = mixture.aic(rows)
        if best is None or criterion < lowest:
            best, lowest = mixture, criterion
    assert best is not None
    return Mixture(best.means_, best.covariances_)
