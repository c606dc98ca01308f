"""Synthetic students for teachers: what they can do of each task is known."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from rlbench.results.curricula import EarlierCurriculum
from rlbench.runners.agents.agent import TaskInfo
from rlbench.runners.teachers.teacher import Asker, load_teacher

Floats = NDArray[np.float64]
SIZE = 20  # tasks along each side of the grid of tests
KNOWN = {"mastered_above": 230.0, "returns_low": -150.0, "returns_high": 350.0}
EASY: dict[str, float | tuple[float, ...]] = {
    "easy_mean": (0.0, 6.0), "easy_deviation": (0.3, 0.6),
}  # fmt: skip


def stump_space() -> Box:
    return Box(np.array([0.0, 0.0]), np.array([3.0, 6.0]), dtype=np.float64)


def task_info(*, knows: bool = True, easy: bool = False, space: Box | None = None) -> TaskInfo:
    box = Box(-1.0, 1.0, (2,))
    knowledge = (KNOWN if knows else {}) | (EASY if easy else {})
    return TaskInfo(
        suite="stump-tracks@1", task="plain", observation_space=box, action_space=box, num_envs=1,
        budget=1000, unit="steps", max_episode_steps=2000, kind="curriculum",
        parameter_space=space or stump_space(), knowledge=knowledge,
    )  # fmt: skip


def teach(
    name: str, seed: int = 0, *, easy: bool = False, space: Box | None = None, **config: Any
) -> Any:
    """Make a registered teacher of stump tracks; one that asks hears of 1 everywhere."""
    teacher: Any = partial(load_teacher(name), task_info(easy=easy, space=space), seed=seed)(
        **config
    )
    if isinstance(teacher, Asker):
        teacher.ask(lambda obs: np.ones(len(obs)))
    return teacher


def earlier(key: str, tasks: Floats, returns: Floats, score: float = 0.0) -> EarlierCurriculum:
    """Return what was taught in an earlier run."""
    return EarlierCurriculum(
        key=key, sha256="", task="plain", agent="learner", score=score, every=1,
        parameters=tuple(map(tuple, tasks.tolist())), returns=tuple(returns.tolist()),
    )  # fmt: skip


def report(teacher: Any, tasks: Floats, returns: Floats) -> None:
    """Report episodes of 100 steps, whose first observations are their tasks."""
    more = {"discounted": returns} if hasattr(teacher, "discount") else {}
    teacher.report(tasks, returns, np.full(len(tasks), 100), returns > 230.0, tasks, **more)


class Student:
    """Learns from tasks near one point of the space: its region of progress, of an area of 25%.

    A task there returns 300 (1 - r^2) times the skill, and at most 300, where r is 0 at the point
    and 1 on the region's edge; each episode there raises the skill. All other tasks return 0,
    because they are too hard. Returns have noise of a deviation of 3.

    Args:
        seed: Of the noise.
        centre: Of the region: height and space.
    """

    rate = 0.0018

    def __init__(self, seed: int = 0, centre: tuple[float, float] = (1.8, 2.4)) -> None:
        self._random = np.random.default_rng(seed)
        self._centre, self.skill = np.array(centre), 0.0

    def ease(self, tasks: Floats) -> Floats:
        """Return 1 - r^2 of (..., 2) tasks, and 0 outside the region."""
        radius = np.sqrt(0.25 / np.pi) * np.array([3.0, 6.0])
        distance = (((tasks - self._centre) / radius) ** 2).sum(axis=-1)
        ease: Floats = np.maximum(0.0, 1.0 - distance)
        return ease

    def competence(self, tasks: Floats) -> Floats:
        return np.minimum(1.0, self.skill * self.ease(tasks))

    def progresses(self, task: Floats) -> bool:
        """Say whether the student's return of a task rises now."""
        return bool(self.ease(task) > 0.0 and self.competence(task) < 1.0)

    def play(self, task: Floats) -> float:
        """Play an episode, learn from it, and return its return."""
        if self.ease(task) > 0.0:
            self.skill += self.rate
        return 300.0 * float(self.competence(task)) + float(self._random.normal(0.0, 3.0))

    @property
    def mastered(self) -> int:
        """How many of 400 tests return more than 230."""
        axes = np.meshgrid(np.linspace(0.0, 3.0, SIZE), np.linspace(0.0, 6.0, SIZE))
        return int((300.0 * self.competence(np.stack(axes, axis=-1)) > 230.0).sum())


class Gambler:
    """Masters each task at times, the more seldom the harder it is, and learns nothing.

    The difficulty of a task is the mean of its height and of what its space is short of 6, in
    ranges; a task of .5 is mastered half of the time.

    Args:
        seed: Of its luck.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)

    def chance(self, tasks: Floats) -> Floats:
        """Return the probability that it masters each of (..., 2) tasks."""
        difficulty = tasks[..., 0] / 6.0 + (6.0 - tasks[..., 1]) / 12.0
        chance: Floats = 1.0 / (1.0 + np.exp(20.0 * (difficulty - 0.5)))
        return chance

    def play(self, task: Floats) -> float:
        """Play an episode, and return 300 or 0."""
        return 300.0 * float(self._random.random() < self.chance(task))
