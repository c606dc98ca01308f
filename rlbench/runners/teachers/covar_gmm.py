"""Covar-GMM: teach where returns rise with time.

Moulin-Frier, Nguyen and Oudeyer 2014 (doi:10.3389/fpsyg.2013.01006), with the constants of
TeachMyAgent (Romac et al. 2021, arXiv:2103.09815).
"""

from typing import Any

import numpy as np

from rlbench.runners.agents.agent import TaskInfo
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.mixtures import Mixture, MixtureTeacher

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
    return CovarGMM(
        task, seed, absolute=absolute, fit_every=fit_every, random_share=random_share,
        fewest_gaussians=fewest_gaussians, most_gaussians=most_gaussians,
    )  # fmt: skip


class CovarGMM(MixtureTeacher):
    """Fits Gaussians to tasks, times and returns; draws from those where the last two covary.

    Args:
        task: See `MixtureTeacher`, as for `seed` and `options`.
        seed: The same.
        absolute: Whether a negative covariance counts as a positive one.
        options: The same.
    """

    def __init__(self, task: TaskInfo, seed: int, *, absolute: bool, **options: Any) -> None:
        super().__init__(task, seed, **options)
        self._absolute = absolute

    def _row(self, task: Floats, score: float) -> Floats:
        time = len(self._rows) / self._fit_every  # in [0, 1)
        return np.append(task, [time, score])

    def _weights(self, mixture: Mixture) -> Floats:
        progress = mixture.covariances[:, -2, -1]
        return np.abs(progress) if self._absolute else np.maximum(progress, 0.0)
