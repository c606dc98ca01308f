"""GoalGAN: a generator of tasks that are neither too easy nor too hard.

Florensa, Held, Geng and Abbeel 2018 (arXiv:1705.06366), with the constants of TeachMyAgent (Romac
et al. 2021, arXiv:2103.09815).
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.networks import linear, load_networks, save_networks

__version__ = "1"

_BATCH = 64
_ROUNDS, _FIRST_ROUNDS = 250, 500  # of training: in an update, and before the first episode
_EASY = 1000  # tasks that are learned from before the first episode
_RATE, _DECAY, _EPSILON = 1e-3, 0.9, 1e-10  # of RMSProp, as TensorFlow has it


def make(
    task: TaskInfo,
    *,
    seed: int,
    noise: float = 0.1,
    update_every: int = 100,
    old_share: float = 0.1,
    rollouts: int = 2,
    too_hard: float = 0.25,
    too_easy: float = 0.75,
    distance: float = 0.01,
) -> "GoalGAN":
    """Make the teacher of a run.

    Args:
        task: What is played. Its suite must say which returns are good. If it says which tasks
            are easy, the generator begins with these, and else with a tenth of each range around
            a task drawn evenly.
        seed: Of all draws.
        noise: Deviation of what is added to a generated task, in ranges of the parameters.
        update_every: Generated tasks between two updates.
        old_share: The share of tasks that are mastered ones, with noise.
        rollouts: Episodes of each generated task.
        too_hard: The share of them to be mastered, at least, for the task to be a good one.
        too_easy: The same, at most.
        distance: Of mastered tasks that are kept from each other, in diagonals of the space.

    Raises:
        UsageError: An option does not fit, or the suite does not say which returns are good.
    """
    mastered = common.mastered_above(task, "goal-gan")
    common.check_share("old_share", old_share)
    common.check_count("update_every", update_every)
    common.check_count("rollouts", rollouts)
    for name, value in (("noise", noise), ("distance", distance)):
        if not value >= 0.0:
            raise UsageError(f"the teacher's option {name} must be 0 or more, not {value}")
    if not 0.0 <= too_hard <= too_easy <= 1.0:
        raise UsageError("the teacher's options must have 0 <= too_hard <= too_easy <= 1")
    return GoalGAN(
        task, seed, mastered, noise=noise, update_every=update_every, old_share=old_share,
        rollouts=rollouts, good=(too_hard, too_easy), distance=distance,
    )  # fmt: skip


@dataclass(slots=True)
class Goal:
    """A generated task.

    Attributes:
        task: (d,) Its parameters.
        asked: How many of its episodes were proposed.
        mastered: Of each episode that has ended, whether it was.
    """

    task: Floats
    asked: int = 0
    mastered: list[bool] = field(default_factory=list)


class GAN:
    """A least-squares GAN (Mao et al. 2017): layers of 256 and 256 against 128 and 128.

    Args:
        dimensions: Of a task, and of the noise that it is made from.
        random: Of all draws.
    """

    def __init__(self, dimensions: int, random: np.random.Generator) -> None:
        self._dimensions, self._random = dimensions, random
        self.generator = nn.Sequential(
            linear(random, dimensions, 256), nn.ReLU(), linear(random, 256, 256), nn.ReLU(),
            linear(random, 256, dimensions), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            linear(random, dimensions, 128), nn.LeakyReLU(0.2), linear(random, 128, 128),
            nn.LeakyReLU(0.2), linear(random, 128, 1),
        )  # fmt: skip
        self.optimisers = [
            torch.optim.RMSprop(net.parameters(), lr=_RATE, alpha=_DECAY, eps=_EPSILON)
            for net in (self.generator, self.discriminator)
        ]

    def draw(self, n: int) -> torch.Tensor:
        """Return (n, d) tasks in [-1, 1], with gradients."""
        noise = self._random.standard_normal((n, self._dimensions))
        tasks: torch.Tensor = self.generator(torch.as_tensor(noise, dtype=torch.float32))
        return tasks

    def train(self, tasks: Floats, labels: NDArray[np.bool_], rounds: int) -> None:
        """Learn to draw tasks like those that are labelled.

        A round is one step of each network. Batches go through the tasks in turn.

        Args:
            tasks: (n, d)
            labels: (n,)
            rounds: How many.
        """
        real = torch.as_tensor(tasks, dtype=torch.float32)
        wanted = torch.as_tensor(2.0 * labels - 1.0, dtype=torch.float32)
        for k in range(rounds):
            size = min(_BATCH, len(tasks))
            batch = torch.arange(k * size, (k + 1) * size) % len(tasks)
            drawn = self.draw(_BATCH)
            judged = self.discriminator(torch.cat([real[batch], drawn.detach()]))[:, 0]
            target = torch.cat([wanted[batch], -torch.ones(_BATCH)])
            self._step(1, ((target - judged) ** 2).mean())
            self._step(0, ((self.discriminator(drawn) - 1.0) ** 2).mean())

    def _step(self, which: int, loss: torch.Tensor) -> None:
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        self.optimisers[which].step()

    def parts(self) -> dict[str, object]:
        """Return what is to be saved."""
        first, second = self.optimisers
        return {
            "generator": self.generator, "discriminator": self.discriminator,
            "generator_optimiser": first, "discriminator_optimiser": second,
        }  # fmt: skip


class GoalGAN:
    """Draws tasks from a generator that learns from those that are mastered now and then.

    Args:
        task: What is played.
        seed: Of all draws.
        mastered_above: The return above which an episode is mastered.
        noise: Added to tasks, in ranges.
        update_every: Generated tasks between two updates.
        old_share: The share of mastered tasks.
        rollouts: Episodes of each generated task.
        good: The shares of them, at least and at most, that are to be mastered.
        distance: Between mastered tasks, in diagonals of the space.

    Attributes:
        old: (d,) each, tasks that were mastered more often than `good` says.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        mastered_above: float,
        *,
        noise: float,
        update_every: int,
        old_share: float,
        rollouts: int,
        good: tuple[float, float],
        distance: float,
    ) -> None:
        self._low, self._high = common.bounds_of(task)
        self._width = self._high - self._low
        self._centre = (self._low + self._high) / 2
        self._random = np.random.default_rng(seed)
        self._mastered_above, self._noise = mastered_above, noise * self._width
        self._update_every, self._old_share = update_every, old_share
        self._rollouts, self._good = rollouts, good
        self._distance = distance * float(np.linalg.norm(self._width))
        self._goals: list[Goal] = []
        self._tried: list[Floats] = []
        self._labels: list[bool] = []
        self.old: list[Floats] = []
        self._gan = GAN(len(self._low), self._random)
        mean, deviation = common.easy_tasks(task) or (
            self._random.uniform(self._low, self._high), 0.1 * self._width,
        )  # fmt: skip
        easy = self._clip(self._random.normal(mean, deviation, (_EASY, len(self._low))))
        self._train(easy, np.ones(_EASY, dtype=np.bool_), _FIRST_ROUNDS)

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        return np.reshape([self._propose_one() for _ in range(n)], (n, len(self._low)))

    def _propose_one(self) -> Floats:
        goal = next((goal for goal in self._goals if goal.asked < self._rollouts), None)
        if goal is None:
            noise = self._random.normal(0.0, self._noise)
            if self.old and self._random.random() < self._old_share:
                return self._clip(self.old[self._random.integers(len(self.old))] + noise)
            goal = Goal(self._clip(self._generate() + noise))
            self._goals.append(goal)
        goal.asked += 1
        return goal.task

    def _generate(self) -> Floats:
        """Return a (d,) task of the generator, perhaps beyond the space."""
        drawn: Floats = self._gan.draw(1).detach().numpy()[0].astype(np.float64)
        return self._centre + self._width * drawn

    def _clip(self, tasks: Floats) -> Floats:
        return np.clip(tasks, self._low, self._high)

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Label tasks that have had all their episodes, and learn from them."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            goal = next((goal for goal in self._goals if (goal.task == task).all()), None)
            if goal is None:  # an old one
                continue
            goal.mastered.append(score > self._mastered_above)
            if len(goal.mastered) == self._rollouts:
                self._goals.remove(goal)
                self._label(goal)

    def _label(self, goal: Goal) -> None:
        share, (least, most) = float(np.mean(goal.mastered)), self._good
        self._tried.append(goal.task)
        self._labels.append(least <= share <= most)
        if share > most and self._is_new(goal.task):
            self.old.append(goal.task)
        if len(self._tried) == self._update_every:
            if any(self._labels):
                self._train(np.array(self._tried), np.array(self._labels), _ROUNDS)
            self._tried, self._labels = [], []

    def _is_new(self, task: Floats) -> bool:
        return not self.old or bool(
            np.linalg.norm(np.array(self.old) - task, axis=1).min() > self._distance
        )

    def _train(self, tasks: Floats, labels: NDArray[np.bool_], rounds: int) -> None:
        width = np.maximum(self._width, 1e-6)
        self._gan.train((tasks - self._centre) / width, labels, rounds)

    def save(self, folder: Path) -> None:
        """Write the networks, the goals and the mastered tasks."""
        goals, d = self._goals, len(self._low)
        arrays = {
            "goals": np.reshape([goal.task for goal in goals], (-1, d)),
            "counts": np.array(
                [(len(goal.mastered), sum(goal.mastered)) for goal in goals], dtype=int
            ),
            "tried": np.reshape(self._tried, (-1, d)), "labels": np.array(self._labels, dtype=bool),
            "old": np.reshape(self.old, (-1, d)),
        }  # fmt: skip
        common.save_state(folder, self._random, arrays)
        save_networks(folder, **self._gan.parts())

    def load(self, folder: Path) -> None:
        """Go on from what was saved; episodes that had not ended are proposed again."""
        arrays = common.load_state(folder, self._random)
        load_networks(folder, **self._gan.parts())
        self._goals = [
            Goal(task, ended, [k < mastered for k in range(ended)])
            for task, (ended, mastered) in zip(
                arrays["goals"], arrays["counts"].tolist(), strict=True
            )
        ]
        self._tried, self._labels = list(arrays["tried"]), arrays["labels"].tolist()
        self.old = list(arrays["old"])
