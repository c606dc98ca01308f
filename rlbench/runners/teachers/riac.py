"""RIAC: cut the space of tasks where learning progress differs, and teach where it is high.

Baranes and Oudeyer 2009 (doi:10.1109/TAMD.2009.2037513), with the constants of TeachMyAgent
(Romac et al. 2021, arXiv:2103.09815).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common
from rlbench.runners.teachers.common import Floats

__version__ = "1"

_REDRAWS = 100  # of a cut that leaves too few episodes on one side
_NOISE = 0.1  # deviation around a task taught again, in raw units of the parameters
_INSIDE = 1e-5  # how far a task taught again stays from the sides of its region


def make(
    task: TaskInfo,
    *,
    seed: int,
    region: int = 150,
    cuts: int = 75,
    least_share: float = 0.05,
    least_width: float = 0.1,
    discard_share: float = 0.25,
    again_share: float = 0.1,
    random_share: float = 0.2,
) -> "RIAC":
    """Make the teacher of a run.

    Args:
        task: What is played.
        seed: Of all draws.
        region: Episodes that a region holds before it is cut; its progress is over as many.
        cuts: Random cuts to choose from.
        least_share: Of these episodes, what each side of a cut must hold.
        least_width: Of the whole range of each parameter, what each side must span.
        discard_share: The share of its episodes, the oldest, that a region without a cut forgets.
        again_share: The share of tasks near the one of the lowest return in a region.
        random_share: The share of tasks that are drawn evenly from the whole space.

    Raises:
        UsageError: An option does not fit.
    """
    common.check_count("region", region, 4)
    common.check_count("cuts", cuts)
    for name, share in (
        ("least_share", least_share), ("least_width", least_width),
        ("discard_share", discard_share), ("again_share", again_share),
        ("random_share", random_share),
    ):  # fmt: skip
        common.check_share(name, share)
    if again_share + random_share > 1.0:
        raise UsageError("the teacher's options again_share and random_share must sum to <= 1")
    if int(region * discard_share) < 1:
        raise UsageError("the teacher's option discard_share must make a region forget an episode")
    return RIAC(
        task, seed, region=region, cuts=cuts, least=region * least_share,
        least_width=least_width, discard=int(region * discard_share),
        shares=(again_share, again_share + random_share),
    )  # fmt: skip


def absolute_progress(returns: Sequence[float], window: int) -> float:
    """Return how far the mean of the newer half of the newest returns is from that of the older.

    Args:
        returns: In the order of the episodes; of fewer than 3 the progress is 0.
        window: Of how many of them.
    """
    if len(returns) <= 2:
        return 0.0
    recent = np.asarray(returns[-window:])
    half = len(recent) // 2
    return abs(float(recent[:-half].mean() - recent[-half:].mean()))


@dataclass(slots=True)
class Region:
    """A box of tasks.

    Attributes:
        low: (d,)
        high: (d,)
        tasks: (d,) each, of the newest episodes.
        returns: Of the same episodes.
        progress: In them.
        cut: The parameter by whose value it was cut, that value, and the numbers of the regions
            below and from it on; None for a leaf.
    """

    low: Floats
    high: Floats
    tasks: list[Floats] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    progress: float = 0.0
    cut: tuple[int, float, int, int] | None = None


class RIAC:
    """Cuts regions in two, and draws from regions in proportion to their progress.

    The original gives both parts of a region the progress of the last cut that it tried, until
    their next episodes. Here it is that of the cut it chose.

    Args:
        task: What is played.
        seed: Of all draws.
        region: Episodes that a region holds before it is cut.
        cuts: Random cuts to choose from.
        least: Episodes that each side of a cut must hold.
        least_width: Of the whole range, what each side must span.
        discard: Episodes that a region without a cut forgets.
        shares: Cumulative, of tasks taught again and of those from the whole space.

    Attributes:
        regions: The whole space, then all regions that were cut from it, the inner ones too.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        *,
        region: int,
        cuts: int,
        least: float,
        least_width: float,
        discard: int,
        shares: tuple[float, float],
    ) -> None:
        low, high = common.bounds_of(task)
        self._random = np.random.default_rng(seed)
        self._size, self._cuts, self._least, self._discard = region, cuts, least, discard
        self._least_width = least_width * (high - low)
        self._again, self._even = shares
        self.regions = [Region(low, high)]

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        return np.reshape([self._propose_one() for _ in range(n)], (n, len(self.regions[0].low)))

    def _propose_one(self) -> Floats:
        chance = self._random.random()
        if self._again <= chance < self._even:
            return self._random.uniform(self.regions[0].low, self.regions[0].high)
        progress = np.array([region.progress for region in self.regions])
        region = self.regions[common.choose(self._random, progress)]
        if chance >= self._even or not region.returns:
            return self._random.uniform(region.low, region.high)
        worst = region.tasks[int(np.argmin(region.returns))]
        near = self._random.normal(worst, _NOISE)
        return np.clip(near, region.low + _INSIDE, region.high - _INSIDE)

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Put each episode into the regions that hold it, and cut those that are full."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            number: int | None = 0
            while number is not None:
                region = self.regions[number]
                region.tasks = [*region.tasks[-self._size :], task.copy()]
                region.returns = [*region.returns[-self._size :], score]
                region.progress = absolute_progress(region.returns, self._size)
                number = self._below(region, task)
            if len(region.returns) > self._size:
                self._cut(region)

    @staticmethod
    def _below(region: Region, task: Floats) -> int | None:
        """Return the number of the part of a region that holds a task."""
        if region.cut is None:
            return None
        dimension, value, below, above = region.cut
        return below if task[dimension] < value else above

    def _cut(self, region: Region) -> None:
        """Cut a region where the progress of both sides differs most, or make it forget."""
        tasks, returns = np.array(region.tasks), np.array(region.returns)
        best, found = -1.0, None
        for _ in range(self._cuts):
            drawn = self._draw_cut(region, tasks)
            if drawn is None:
                continue
            dimension, value = drawn
            is_below = tasks[:, dimension] < value
            sides = [absolute_progress(returns[mask].tolist(), self._size)
                     for mask in (is_below, ~is_below)]  # fmt: skip
            if abs(sides[0] - sides[1]) >= best:
                best, found = abs(sides[0] - sides[1]), (dimension, value, is_below, sides)
        if found is None:
            del region.tasks[: self._discard], region.returns[: self._discard]
            return
        dimension, value, is_below, sides = found
        first = len(self.regions)
        region.cut = (dimension, value, first, first + 1)
        for mask, progress, is_above in zip((is_below, ~is_below), sides, (0, 1), strict=True):
            low, high = region.low.copy(), region.high.copy()
            (low if is_above else high)[dimension] = value
            part = Region(low, high, list(tasks[mask]), returns[mask].tolist(), progress)
            self.regions.append(part)

    def _draw_cut(self, region: Region, tasks: Floats) -> tuple[int, float] | None:
        """Draw a parameter and a value, or None if one side would be too small."""
        for _ in range(_REDRAWS):
            dimension = int(self._random.integers(len(region.low)))
            value = float(self._random.uniform(region.low[dimension], region.high[dimension]))
            below = int((tasks[:, dimension] < value).sum())
            if min(below, len(tasks) - below) >= self._least:
                widths = value - region.low[dimension], region.high[dimension] - value
                return (dimension, value) if min(widths) >= self._least_width[dimension] else None
        return None

    def save(self, folder: Path) -> None:
        """Write all regions."""
        d = len(self.regions[0].low)
        arrays = {
            "bounds": np.array([(region.low, region.high) for region in self.regions]),
            "cuts": np.array([region.cut or (-1, 0, 0, 0) for region in self.regions]),
            "progress": np.array([region.progress for region in self.regions]),
            "sizes": np.array([len(region.returns) for region in self.regions]),
            "tasks": np.concatenate([np.reshape(r.tasks, (-1, d)) for r in self.regions]),
            "returns": np.concatenate([r.returns for r in self.regions]),
        }
        common.save_state(folder, self._random, arrays)

    def load(self, folder: Path) -> None:
        """Go on from what was saved."""
        arrays = common.load_state(folder, self._random)
        ends = np.cumsum(arrays["sizes"])[:-1]
        self.regions = []
        for (low, high), cut, progress, tasks, returns in zip(
            arrays["bounds"], arrays["cuts"].tolist(), arrays["progress"].tolist(),
            np.split(arrays["tasks"], ends), np.split(arrays["returns"], ends), strict=True,
        ):  # fmt: skip
            dimension, value, below, above = cut
            parts = None if dimension < 0 else (int(dimension), value, int(below), int(above))
            self.regions.append(Region(low, high, list(tasks), returns.tolist(), progress, parts))
