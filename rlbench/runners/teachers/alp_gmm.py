"""ALP-GMM: teach where the absolute learning progress is high.

Portelas, Colas, Hofmann and Oudeyer 2019 (arXiv:1910.07224). The constants are those of
TeachMyAgent (Romac et al. 2021, arXiv:2103.09815); the first paper fits every 250 episodes and
draws 20% evenly.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common, mixtures
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.mixtures import Mixture

__version__ = "1"

_FEW = 5  # no progress is computed until more episodes than these are known
_BUFFER = 500  # episodes that are not in the tree yet


def make(
    task: TaskInfo,
    *,
    seed: int,
    fit_every: int = 150,
    random_share: float = 0.05,
    fewest_gaussians: int = 2,
    most_gaussians: int = 9,
) -> "ALPGMM":
    """Make the teacher of a run.

    Args:
        task: What is played. If its suite says which tasks are easy, these are taught first.
        seed: Of all draws and fits.
        fit_every: Episodes between two fits, each of which sees as many.
        random_share: The share of tasks that are drawn evenly.
        fewest_gaussians: Of the mixtures that are tried.
        most_gaussians: Of the mixtures that are tried.

    Raises:
        UsageError: An option does not fit.
    """
    common.check_share("random_share", random_share)
    common.check_count("fewest_gaussians", fewest_gaussians)
    common.check_count("most_gaussians", most_gaussians, fewest_gaussians)
    common.check_count("fit_every", fit_every, max(2, most_gaussians))
    counts = range(fewest_gaussians, most_gaussians + 1)
    return ALPGMM(task, seed, fit_every, random_share, counts)


class LearningProgress:
    """The absolute learning progress of each episode.

    It is the difference between the return of an episode and that of the nearest task before it,
    by the Euclidean distance between raw parameters.

    Args:
        dimensions: Of the parameters.
    """

    def __init__(self, dimensions: int) -> None:
        self.parameters = np.empty((_BUFFER, dimensions))
        self.returns = np.empty(_BUFFER)
        self.size = 0
        self._tree: cKDTree | None = None
        self._in_tree = 0

    def add(self, parameters: Floats, score: float) -> float:
        """Take in an episode, and return its progress, 0 for the first few."""
        progress = 0.0
        if self.size > _FEW:
            progress = abs(score - float(self.returns[self._nearest(parameters)]))
        if self.size == len(self.returns):
            self.parameters = np.concatenate([self.parameters, np.empty_like(self.parameters)])
            self.returns = np.concatenate([self.returns, np.empty_like(self.returns)])
        self.parameters[self.size], self.returns[self.size] = parameters, score
        self.size += 1
        return progress

    def _nearest(self, parameters: Floats) -> int:
        """Return the number of the nearest task, or of one of the nearest."""
        if self.size - self._in_tree >= _BUFFER:
            self._in_tree = self.size
            self._tree = cKDTree(self.parameters[: self.size].copy())
        distances = ((self.parameters[self._in_tree : self.size] - parameters) ** 2).sum(axis=1)
        if self._tree is None:
            return int(distances.argmin())
        distance, old = self._tree.query(parameters)
        if len(distances) and distances.min() < distance**2:
            return self._in_tree + int(distances.argmin())
        return int(old)


class ALPGMM:
    """Fits Gaussians to tasks with their learning progress and draws from those of high progress.

    Args:
        task: What is played.
        seed: Of all draws and fits.
        fit_every: Episodes between two fits.
        random_share: The share of tasks that are drawn evenly.
        counts: Numbers of Gaussians to try.
    """

    def __init__(
        self, task: TaskInfo, seed: int, fit_every: int, random_share: float, counts: range
    ) -> None:
        self._low, self._high = common.bounds_of(task)
        self._easy = common.easy_tasks(task)
        self._random = np.random.default_rng(seed)
        self._fit_seed = seed % 2**32
        self._fit_every, self._random_share, self._counts = fit_every, random_share, counts
        self._progress = LearningProgress(len(self._low))
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
        # A mean progress can be a rounding error below 0.
        index = common.choose(self._random, np.maximum(self.mixture.means[:, -1], 0.0))
        return self.mixture.draw(self._random, index, len(self._low))

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Note the progress of each episode, and fit Gaussians when there are enough new ones."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            self._rows.append(np.append(task, self._progress.add(task, score)))
            if len(self._rows) == self._fit_every:
                self.mixture = mixtures.fit(np.array(self._rows), self._counts, self._fit_seed)
                self._rows = []

    def save(self, folder: Path) -> None:
        """Write all episodes, the new rows and the Gaussians."""
        known = self._progress
        arrays = {
            "parameters": known.parameters[: known.size],
            "returns": known.returns[: known.size],
            "rows": np.reshape(self._rows, (-1, len(self._low) + 1)),
        }
        if self.mixture is not None:
            arrays |= {"means": self.mixture.means, "covariances": self.mixture.covariances}
        common.save_state(folder, self._random, arrays)

    def load(self, folder: Path) -> None:
        """Go on from what was saved."""
        arrays = common.load_state(folder, self._random)
        self._progress = LearningProgress(len(self._low))
        # Among equally near tasks the tree chooses by its size, so it must be built as it was.
        for task, score in zip(arrays["parameters"], arrays["returns"].tolist(), strict=True):
            self._progress.add(task, score)
        self._rows = list(arrays["rows"])
        if "means" in arrays:
            self.mixture = Mixture(arrays["means"], arrays["covariances"])
