"""The teacher that every other has to beat: tasks drawn evenly, whatever comes of them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.files import read_bounded
from rlbench.results import strict_json
from rlbench.runners.agents.agent import Bools, TaskInfo

__version__ = "1"


def make(task: TaskInfo, *, seed: int) -> "UniformTeacher":
    """Make the teacher of a run."""
    return UniformTeacher(task, seed)


class UniformTeacher:
    """Proposes parameters drawn evenly from their space.

    Args:
        task: What is played.
        seed: Of the draws.
    """

    def __init__(self, task: TaskInfo, seed: int) -> None:
        assert task.parameter_space is not None
        self._space = task.parameter_space
        self._random = np.random.default_rng(seed)

    def propose(self, n: int) -> NDArray[Any]:
        """Return (n, d) parameters."""
        low, high = self._space.low, self._space.high
        return self._random.uniform(low, high, size=(n, *self._space.shape))

    def report(
        self,
        parameters: NDArray[np.float64],
        returns: NDArray[np.float64],
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[Any],
    ) -> None:
        """Learn nothing."""

    def save(self, folder: Path) -> None:
        """Write the state of the draws."""
        text = strict_json.dump(dict(self._random.bit_generator.state))
        (folder / "random.json").write_text(text, encoding="ascii")

    def load(self, folder: Path) -> None:
        """Go on with the draws that were saved."""
        self._random.bit_generator.state = strict_json.load(
            read_bounded(folder / "random.json", strict_json.MAX_BYTES)
        )
