"""ADR, automatic domain randomization: a box of tasks that grows as its edges are mastered.

OpenAI et al. 2019 (arXiv:1910.07113), with the constants of TeachMyAgent (Romac et al. 2021,
arXiv:2103.09815).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common
from rlbench.runners.teachers.common import Floats

__version__ = "1"


def make(
    task: TaskInfo,
    *,
    seed: int,
    step: float = 0.1,
    edge_share: float = 0.7,
    shrink_at: float = 0.0,
    grow_at: float = 180.0,
    queue: int = 10,
) -> "ADR":
    """Make the teacher of a run.

    Args:
        task: What is played. Its suite must say which returns are good. If it says which tasks
            are easy, the box begins at their mean, and else at a task drawn evenly.
        seed: Of all draws.
        step: By how much an edge moves, in raw units of the parameters.
        edge_share: The share of tasks with one parameter on an edge of the box.
        shrink_at: The mean return at which an edge moves inwards, and below.
        grow_at: The mean return at which an edge moves outwards, and above.
        queue: Episodes on an edge, of which that mean is.

    Raises:
        UsageError: An option does not fit, or the suite does not say which returns are good.
    """
    common.mastered_above(task, "adr")
    common.check_share("edge_share", edge_share)
    common.check_count("queue", queue)
    if not step > 0.0:
        raise UsageError(f"the teacher's option step must be above 0, not {step}")
    if not shrink_at < grow_at:
        raise UsageError("the teacher's option shrink_at must be below grow_at")
    return ADR(task, seed, step, edge_share, (shrink_at, grow_at), queue)


class ADR:
    """Draws from a box of tasks, often on its edges, and moves the edges.

    The original draws from a generator that starts anew whenever the box changes, so its tasks
    repeat. Here the draws go on.

    Args:
        task: What is played.
        seed: Of all draws.
        step: By how much an edge moves.
        edge_share: The share of tasks on an edge.
        thresholds: The mean returns at which an edge moves inwards and outwards.
        queue: Episodes on an edge, of which that mean is.

    Attributes:
        box: (2, d) float32 Lower and upper edges; of the original's precision, in which steps add
            up to exactly what it has.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        step: float,
        edge_share: float,
        thresholds: tuple[float, float],
        queue: int,
    ) -> None:
        low, high = common.bounds_of(task)
        self._space = np.stack([low, high])
        self._random = np.random.default_rng(seed)
        easy = common.easy_tasks(task)
        start = self._random.uniform(low, high) if easy is None else np.clip(easy[0], low, high)
        self.box = np.stack([start, start]).astype(np.float32)
        self._step, self._edge_share, self._thresholds = step, edge_share, thresholds
        self._queue = queue
        self._returns: list[list[list[float]]] = [[[] for _ in low] for _ in range(2)]

    @property
    def _edges(self) -> Floats:
        """The (2, d) edges in the space, that float32 may round out of it."""
        low, high = self._space
        return np.clip(self.box.astype(np.float64), low, high)

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        edges = self._edges
        tasks = self._random.uniform(edges[0], edges[1], size=(n, edges.shape[1]))
        for task in tasks:
            if self._random.random() < self._edge_share:
                dimension = self._random.integers(len(task))
                side = self._random.integers(2)
                if (edges[:, dimension] != self._space[:, dimension]).any():
                    task[dimension] = edges[side, dimension]
        return tasks

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Note returns on edges, and move each edge that has enough of them."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            for side, dimension in np.argwhere(self._edges == task).tolist():
                found = self._returns[side][dimension]
                found.append(score)
                if len(found) == self._queue:
                    self._move(side, dimension, float(np.mean(found)))
                    found.clear()

    def _move(self, side: int, dimension: int, mean: float) -> None:
        """Move an edge outwards, inwards or not at all."""
        shrink_at, grow_at = self._thresholds
        outwards = np.float32(self._step if side else -self._step)
        edge, other = self.box[side, dimension], self.box[1 - side, dimension]
        if mean >= grow_at:
            edge = np.clip(edge + outwards, *self._space[:, dimension])
        elif mean <= shrink_at:
            edge -= outwards
            edge = max(edge, other) if side else min(edge, other)
        self.box[side, dimension] = edge

    def save(self, folder: Path) -> None:
        """Write the box and the returns on its edges."""
        rows = [
            (side, dimension, score)
            for side, sides in enumerate(self._returns)
            for dimension, found in enumerate(sides)
            for score in found
        ]
        arrays = {"box": self.box, "returns": np.reshape(rows, (-1, 3))}
        common.save_state(folder, self._random, arrays)

    def load(self, folder: Path) -> None:
        """Go on from what was saved."""
        arrays = common.load_state(folder, self._random)
        self.box = arrays["box"]
        self._returns = [[[] for _ in self.box[0]] for _ in range(2)]
        for side, dimension, score in arrays["returns"].tolist():
            self._returns[int(side)][int(dimension)].append(score)
