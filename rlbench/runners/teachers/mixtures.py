"""Gaussian mixtures over tasks and how they went, fitted by scikit-learn, and their teachers."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common
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

    def nearest(self, tasks: Floats) -> NDArray[np.intp]:
        """Return, for each of (n, d) tasks, the Gaussian of the highest density in their d."""
        d = tasks.shape[1]
        densities = [
            multivariate_normal.logpdf(tasks, mean[:d], covariance[:d, :d], allow_singular=True)
            for mean, covariance in zip(self.means, self.covariances, strict=True)
        ]
        return np.asarray(np.reshape(densities, (len(self.means), len(tasks))).argmax(axis=0))


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


class MixtureTeacher(ABC):
    """Fits Gaussians to tasks and how they went, and draws tasks from some of the Gaussians.

    Args:
        task: What is played. If its suite says which tasks are easy, these are taught first.
        seed: Of all draws and fits.
        fit_every: Episodes between two fits, each of which sees as many.
        random_share: The share of tasks that are drawn evenly.
        fewest_gaussians: Of the mixtures that are tried.
        most_gaussians: Of the mixtures that are tried.

    Attributes:
        mixture: The last one that was fitted.

    Raises:
        UsageError: An option does not fit.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        *,
        fit_every: int,
        random_share: float,
        fewest_gaussians: int,
        most_gaussians: int,
    ) -> None:
        common.check_share("random_share", random_share)
        common.check_count("fewest_gaussians", fewest_gaussians)
        common.check_count("most_gaussians", most_gaussians, fewest_gaussians)
        common.check_count("fit_every", fit_every, max(2, most_gaussians))
        self._low, self._high = common.bounds_of(task)
        self._easy = common.easy_tasks(task)
        self._random = np.random.default_rng(seed)
        self._fit_seed = seed % 2**32
        self._fit_every, self._random_share = fit_every, random_share
        self._counts = range(fewest_gaussians, most_gaussians + 1)
        self._rows: list[Floats] = []
        self.mixture: Mixture | None = None

    @abstractmethod
    def _row(self, task: Floats, score: float) -> Floats:
        """Return what a fit sees of an episode: its (d,) task, and more numbers."""

    @abstractmethod
    def _weights(self, mixture: Mixture) -> Floats:
        """Return (k,) how much each Gaussian is to be taught."""

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        tasks = [self._propose_one() for _ in range(n)]
        return np.clip(np.reshape(tasks, (n, len(self._low))), self._low, self._high)

    def _propose_one(self) -> Floats:
        if self.mixture is None and self._easy is not None:
            return self._random.normal(*self._easy)
        if self.mixture is None or self._random.random() < self._random_share:
            return self._random.uniform(self._low, self._high)
        index = common.choose(self._random, self._weights(self.mixture))
        return self.mixture.draw(self._random, index, len(self._low))

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Note each episode, and fit Gaussians when there are enough new ones."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            self._rows.append(self._row(task, score))
            if len(self._rows) == self._fit_every:
                self.mixture = fit(np.array(self._rows), self._counts, self._fit_seed)
                self._rows = []

    def save(self, folder: Path) -> None:
        """Write the new rows, the Gaussians, and what more the teacher knows."""
        common.save_state(folder, self._random, self._arrays())

    def load(self, folder: Path) -> None:
        """Go on from what was saved."""
        self._take_up(common.load_state(folder, self._random))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that the teacher knows, besides the state of its draws."""
        arrays = {"rows": np.array(self._rows)}
        if self.mixture is not None:
            arrays |= {"means": self.mixture.means, "covariances": self.mixture.covariances}
        return arrays

    def _take_up(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Know what `_arrays` returned."""
        self._rows = list(arrays["rows"])
        if "means" in arrays:
            self.mixture = Mixture(arrays["means"], arrays["covariances"])
