"""Covar-GMM: teach where returns rise with time.

Moulin-Frier, Nguyen and Oudeyer 2014 (doi:10.3389/fpsyg.2013.01006), with the constants of
TeachMyAgent (Romac et al. 2021, arXiv:2103.09815).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common, mixtures
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.mixtures import Mixture

__version__ = "1"


def make(
    task: TaskInfo,
    *,
    seed: int,
    fit_every: int = 150,
    random_share: float = 0.1,
    fewest_gaussians: int = 2,
    most_gaussians: int = 14,
    absolute: bool = False,
) -> "CovarGMM":
    """Make the teacher of a run.

    Args:
        task: What is played. If its suite says which tasks are easy, these are taught first.
        seed: Of all draws and fits.
        fit_every: Episodes between two fits, each of which sees as many.
        random_share: The share of tasks that are drawn evenly.
        fewest_gaussians: Of the mixtures that are tried.
        most_gaussians: Of the mixtures that are tried.
        absolute: Whether falling returns attract the teacher too.

    Raises:
        UsageError: An option does not fit.
    """
    common.check_share("random_share", random_share)
    common.check_count("fewest_gaussians", fewest_gaussians)
    common.check_count("most_gaussians", most_gaussians, fewest_gaussians)
    common.check_count("fit_every", fit_every, max(2, most_gaussians))
    counts = range(fewest_gaussians, most_gaussians + 1)
    return CovarGMM(task, seed, fit_every, random_share, counts, absolute=absolute)


class CovarGMM:
    """Fits Gaussians to tasks, times and returns; draws from those where the last two covary.

    Args:
        task: What is played.
        seed: Of all draws and fits.
        fit_every: Episodes between two fits.
        random_share: The share of tasks that are drawn evenly.
        counts: Numbers of Gaussians to try.
        absolute: Whether a negative covariance counts as a positive one.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        fit_every: int,
        random_share: float,
        counts: range,
        *,
        absolute: bool,
    ) -> None:
        self._low, self._high = common.bounds_of(task)
        self._easy = common.easy_tasks(task)
        self._random = np.random.default_rng(seed)
        self._fit_seed = seed % 2**32
        self._fit_every, self._random_share, self._counts = fit_every, random_share, counts
        self._absolute = absolute
        self._rows: list[Floats] = []
        self.mixture: Mixture | None = None

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        tasks = [self._propose_one() for _ in range(n)]
        return np.clip(np.reshape(tasks, (n, len(self._low))), self._low, self._high)

    def _propose_one(self) -> Floats:
        if self.mixture is None and self._easy is not None:
            return self._random.normal(*self._easy)
        if self.mixture is None or self._random.random() < self._random_share:
            return self._random.uniform(self._low, self._high)
        progress = self.mixture.covariances[:, -2, -1]
        weights = np.abs(progress) if self._absolute else np.maximum(progress, 0.0)
        index = common.choose(self._random, weights)
        return self.mixture.draw(self._random, index, len(self._low))

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Note when each episode ended, and fit Gaussians when there are enough new ones."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            time = len(self._rows) / self._fit_every  # in [0, 1)
            self._rows.append(np.append(task, [time, score]))
            if len(self._rows) == self._fit_every:
                self.mixture = mixtures.fit(np.array(self._rows), self._counts, self._fit_seed)
                self._rows = []

    def save(self, folder: Path) -> None:
        """Write the new rows and the Gaussians."""
        arrays = {"rows": np.reshape(self._rows, (-1, len(self._low) + 2))}
        if self.mixture is not None:
            arrays |= {"means": self.mixture.means, "covariances": self.mixture.covariances}
        common.save_state(folder, self._random, arrays)

    def load(self, folder: Path) -> None:
        """Go on from what was saved."""
        arrays = common.load_state(folder, self._random)
        self._rows = list(arrays["rows"])
        if "means" in arrays:
            self.mixture = Mixture(arrays["means"], arrays["covariances"])
