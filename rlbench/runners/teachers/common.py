"""What several teachers do alike: drawing parameters, and keeping what they know."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.files import read_bounded
from rlbench.results import strict_json
from rlbench.runners.agents.agent import TaskInfo

Floats = NDArray[np.float64]


def bounds_of(task: TaskInfo) -> tuple[Floats, Floats]:
    """Return the (d,) lowest and highest parameters of a curriculum's tasks."""
    space = task.parameter_space
    assert space is not None
    return space.low.astype(np.float64), space.high.astype(np.float64)


def mastered_above(task: TaskInfo, teacher: str) -> float:
    """Return the return above which a task counts as mastered.

    Raises:
        UsageError: The suite does not let a teacher know it.
    """
    if "mastered_above" not in task.knowledge:
        raise UsageError(
            f"the teacher {teacher} needs to know which returns are good, but the suite "
            f"{task.suite} does not say: its knowledge has no 'mastered_above'"
        )
    value = task.knowledge["mastered_above"]
    assert not isinstance(value, tuple)
    return value


def easy_tasks(task: TaskInfo) -> tuple[Floats, Floats] | None:
    """Return the (d,) mean and standard deviation of easy tasks, or None if it is not known."""
    if "easy_mean" not in task.knowledge:
        return None
    mean, deviation = task.knowledge["easy_mean"], task.knowledge["easy_deviation"]
    return np.asarray(mean, dtype=np.float64), np.asarray(deviation, dtype=np.float64)


def choose(random: np.random.Generator, weights: Floats) -> int:
    """Draw an index with a probability in proportion to its weight; evenly if all are 0.

    Args:
        random: Of the draw.
        weights: (k,) None negative.
    """
    total = weights.sum()
    if total <= 0.0:
        return int(random.integers(len(weights)))
    return int(random.choice(len(weights), p=weights / total))


def check_share(name: str, value: float) -> None:
    """Raise UsageError unless an option is a probability."""
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"the teacher's option {name} must be in [0, 1], not {value}")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise UsageError unless an option is a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"the teacher's option {name} must be a whole number >= {least}")


def save_state(folder: Path, random: np.random.Generator, arrays: Mapping[str, Any]) -> None:
    """Write the state of the draws and arrays of numbers into an empty folder."""
    text = strict_json.dump(dict(random.bit_generator.state))
    (folder / "random.json").write_text(text, encoding="ascii")
    with (folder / "arrays.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_state(folder: Path, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Set the state of the draws to what was saved, and return the arrays."""
    random.bit_generator.state = strict_json.load(
        read_bounded(folder / "random.json", strict_json.MAX_BYTES)
    )
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        return dict(file)
