"""AGAIN: ALP-GMM that begins with the curriculum of an earlier student like this one.

Portelas, Romac, Hofmann and Oudeyer 2020 (arXiv:2011.08463): the variant that goes on by returns.
The differences are on the page docs/teachers.md.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.results.curricula import EarlierCurriculum, read_curricula
from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common, mixtures
from rlbench.runners.teachers.alp_gmm import ALPGMM, LearningProgress
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.mixtures import Mixture

__version__ = "1"

GIVEN = ("earlier_data",)


def make(
    task: TaskInfo,
    *,
    seed: int,
    history: str,
    pretest: int = 500,
    neighbours: int = 5,
    block: int = 100,
    least_progress: float = 0.2,
    recent: int = 50,
    random_share: float = 0.1,
    later_random_share: float = 0.02,
    fit_every: int = 150,
    fewest_gaussians: int = 2,
    most_gaussians: int = 9,
) -> "AGAIN":
    """Make the teacher of a run.

    Args:
        task: What is played.
        seed: Of all draws and fits.
        history: A file of earlier curricula, which ``rlbench export --proposals`` writes.
        pretest: Episodes, taught as by ALP-GMM, by which the student is compared with earlier ones.
        neighbours: Earlier students that are most like it; the curriculum of the best is taught.
        block: Kept episodes of an earlier student, in which Gaussians are fitted.
        least_progress: Of a Gaussian that is taught, in ranges of the returns.
        recent: Newest episodes whose mean return says when to go on.
        random_share: The share of tasks that are drawn evenly in the pretest and at the end.
        later_random_share: The same in between.
        fit_every: Episodes between two fits, as for those below of `mixtures.MixtureTeacher`.
        fewest_gaussians: Of the mixtures that are tried.
        most_gaussians: Of the mixtures that are tried.

    Raises:
        UsageError: An option does not fit, or the file is no file of curricula of such tasks.
    """
    common.check_count("pretest", pretest)
    common.check_count("neighbours", neighbours)
    common.check_count("recent", recent)
    common.check_count("block", block, max(2, most_gaussians))
    common.check_share("later_random_share", later_random_share)
    if not least_progress >= 0.0:
        raise UsageError("the teacher's option least_progress must be 0 or more")
    low, _ = common.bounds_of(task)
    return AGAIN(
        task, seed, read_curricula(Path(history), len(low)), pretest=pretest,
        neighbours=neighbours, block=block, least_progress=least_progress, recent=recent,
        later_random_share=later_random_share, random_share=random_share, fit_every=fit_every,
        fewest_gaussians=fewest_gaussians, most_gaussians=most_gaussians,
    )  # fmt: skip


class Stage(NamedTuple):
    """A part of an earlier student's curriculum.

    Attributes:
        niches: Gaussians of high learning progress, which is the last dimension.
        bar: The mean return that the earlier student reached in them.
    """

    niches: Mixture
    bar: float


def unlikeness(
    earlier: EarlierCurriculum, parameters: Floats, returns: Floats, width: Floats
) -> float:
    """Return how far the first returns of an earlier student are from those of this one.

    It is the mean distance between a return of the earlier student and this one's in the nearest
    task, by the Euclidean distance in ranges of the parameters.

    Args:
        earlier: What the earlier student was taught.
        parameters: (n, d) The first n tasks of this one.
        returns: (n,) In them.
        width: (d,) The ranges.
    """
    tasks, scores = earlier.episodes
    first = slice(max(1, len(returns) // earlier.every))
    away = (tasks[first, None] - parameters[None]) / np.maximum(width, 1e-12)
    nearest = (away**2).sum(axis=2).argmin(axis=1)
    return float(np.abs(scores[first] - returns[nearest]).mean())


def choose_earlier(
    history: Sequence[EarlierCurriculum], parameters: Floats, returns: Floats, width: Floats, k: int
) -> int:
    """Return the number of the best of the k earlier students that are most like this one.

    Args:
        history: The earlier ones.
        parameters: See `unlikeness`, as for those below.
        returns: The same.
        width: The same.
        k: How many are compared by their scores.
    """
    far = [unlikeness(earlier, parameters, returns, width) for earlier in history]
    near: list[int] = np.argsort(far, kind="stable")[:k].tolist()
    return max(near, key=lambda number: history[number].score)


def stages_of(
    earlier: EarlierCurriculum,
    counts: range,
    seed: int,
    *,
    block: int,
    least_progress: float,
    recent: int,
) -> list[Stage]:
    """Return the stages of an earlier curriculum that had high progress.

    Gaussians are fitted to the tasks and the learning progress of each block of episodes. The bar
    is the mean of the last returns of the next block in them.

    Args:
        earlier: The curriculum.
        counts: Numbers of Gaussians to try.
        seed: Of each fit.
        block: Episodes in a block.
        least_progress: Of a Gaussian.
        recent: How many returns count for the bar, at most.
    """
    tasks, returns = earlier.episodes
    known = LearningProgress(tasks.shape[1])
    progress = [known.add(*pair) for pair in zip(tasks, returns.tolist(), strict=True)]
    rows = np.column_stack([tasks, progress])
    stages = []
    for start in range(0, len(rows) - block, block):
        mixture = mixtures.fit(rows[start : start + block], counts, seed)
        kept = mixture.means[:, -1] > least_progress
        following = slice(start + block, start + 2 * block)
        inside = kept[mixture.nearest(tasks[following])]
        if inside.any():
            bar = float(returns[following][inside][-recent:].mean())
            stages.append(Stage(Mixture(mixture.means[kept], mixture.covariances[kept]), bar))
    return stages


class AGAIN(ALPGMM):
    """Teaches as ALP-GMM, and from the pretest on also what an earlier student progressed in.

    Args:
        task: What is played.
        seed: Of all draws and fits.
        history: Curricula of earlier students.
        pretest: Episodes before one of them is chosen.
        neighbours: How many are compared by their scores.
        block: Episodes in which Gaussians are fitted to it.
        least_progress: Of these, in ranges of the returns.
        recent: Episodes whose mean return says when to go on.
        later_random_share: The share of even tasks while its curriculum is taught.
        options: See `MixtureTeacher`.

    Attributes:
        chosen: The number of the earlier curriculum; -1 before the pretest has ended.
        stage: The number of its stage that is taught.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        history: Sequence[EarlierCurriculum],
        *,
        pretest: int,
        neighbours: int,
        block: int,
        least_progress: float,
        recent: int,
        later_random_share: float,
        **options: Any,
    ) -> None:
        super().__init__(task, seed, **options)
        self._history, self._pretest, self._neighbours = history, pretest, neighbours
        self._block, self._recent = block, recent
        self._later_random_share = later_random_share
        self._least_progress = least_progress * _range_of_returns(task, history)
        self.chosen, self.stage = -1, 0
        self._stages: list[Stage] = []
        self._asked: set[bytes] = set()  # tasks of the stage whose episodes have not ended
        self._returns: deque[float] = deque(maxlen=recent)  # of the newest of the others

    @property
    def teaches_earlier(self) -> bool:
        """Whether a stage of the earlier curriculum is taught."""
        return self.stage < len(self._stages)

    def _propose_one(self) -> Floats:
        if not self.teaches_earlier:
            return super()._propose_one()
        if self._random.random() < self._later_random_share:
            return self._random.uniform(self._low, self._high)
        earlier, own = self._stages[self.stage].niches, self.mixture
        weights = earlier.means[:, -1]
        if own is not None:
            weights = np.concatenate([weights, self._weights(own)])
        index = common.choose(self._random, weights)
        if own is not None and index >= len(earlier.means):
            return own.draw(self._random, index - len(earlier.means), len(self._low))
        drawn = earlier.draw(self._random, index, len(self._low))
        self._asked.add(np.clip(drawn, self._low, self._high).tobytes())
        return drawn

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Note each episode; choose an earlier curriculum, or go on in it, when it is time."""
        super().report(parameters, returns, lengths, successes, first_obs)
        for task, score in zip(parameters, returns.tolist(), strict=True):
            if task.tobytes() in self._asked:
                self._asked.remove(task.tobytes())
                self._returns.append(score)
        if self.chosen < 0 and self._progress.size >= self._pretest:
            self._choose()
        elif (
            self.teaches_earlier
            and len(self._returns) == self._recent
            and np.mean(self._returns) >= self._stages[self.stage].bar
        ):
            self.stage += 1
            self._returns.clear()

    def _choose(self) -> None:
        known = self._progress
        self.chosen = choose_earlier(
            self._history, known.parameters[: self._pretest], known.returns[: self._pretest],
            self._high - self._low, self._neighbours,
        )  # fmt: skip
        self._begin_earlier()

    def _begin_earlier(self) -> None:
        self._stages = stages_of(
            self._history[self.chosen], self._counts, self._fit_seed, block=self._block,
            least_progress=self._least_progress, recent=self._recent,
        )  # fmt: skip

    def _arrays(self) -> dict[str, NDArray[Any]]:
        more = {"at": np.array([self.chosen, self.stage]), "recent": np.array(self._returns)}
        return super()._arrays() | more

    def _take_up(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super()._take_up(arrays)
        self.chosen, self.stage = arrays["at"].tolist()
        self._asked.clear()
        self._returns.extend(arrays["recent"].tolist())
        if self.chosen >= 0:
            self._begin_earlier()


def _range_of_returns(task: TaskInfo, history: Sequence[EarlierCurriculum]) -> float:
    """Return the range that the suite states, or else that of the earlier returns."""
    if "returns_low" in task.knowledge:
        low, high = task.knowledge["returns_low"], task.knowledge["returns_high"]
        assert not isinstance(low, tuple)
        assert not isinstance(high, tuple)
        return high - low
    returns = np.concatenate([earlier.returns for earlier in history])
    return float(returns.max() - returns.min())
