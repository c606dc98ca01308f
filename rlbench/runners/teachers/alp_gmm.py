"""ALP-GMM: teach where the absolute learning progress is high.

Portelas, Colas, Hofmann and Oudeyer 2019 (arXiv:1910.07224). The constants are those of
TeachMyAgent (Romac et al. 2021, arXiv:2103.09815); the first paper fits every 250 episodes and
draws 20% evenly.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from rlbench.runners.agents.agent import TaskInfo
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.mixtures import Mixture, MixtureTeacher

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
    return ALPGMM(
        task, seed, fit_every=fit_every, random_share=random_share,
        fewest_gaussians=fewest_gaussians, most_gaussians=most_gaussians,
    )  # fmt: skip


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


class ALPGMM(MixtureTeacher):
    """Fits Gaussians to tasks with their learning progress and draws from those of high progress.

    Args:
        task: See `MixtureTeacher`, as for `seed` and `options`.
        seed: The same.
        options: The same.
    """

    def __init__(self, task: TaskInfo, seed: int, **options: Any) -> None:
        super().__init__(task, seed, **options)
        self._progress = LearningProgress(len(self._low))

    def _row(self, task: Floats, score: float) -> Floats:
        return np.append(task, self._progress.add(task, score))

    def _weights(self, mixture: Mixture) -> Floats:
        # A mean progress can be a rounding error below 0.
        return np.maximum(mixture.means[:, -1], 0.0)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        known = self._progress
        episodes = {
            "parameters": known.parameters[: known.size], "returns": known.returns[: known.size],
        }  # fmt: skip
        return super()._arrays() | episodes

    def _take_up(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super()._take_up(arrays)
        self._progress = LearningProgress(len(self._low))
        # Among equally near tasks the tree chooses by its size, so it must be built as it was.
        for task, score in zip(arrays["parameters"], arrays["returns"].tolist(), strict=True):
            self._progress.add(task, score)
