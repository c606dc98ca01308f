"""Setter-Solver: a setter draws tasks of a wanted feasibility, as a judge sees it.

Racanière, Lampinen, Santoro, Reichert, Firoiu and Lillicrap 2020 (arXiv:1909.12892), with the
constants of TeachMyAgent (Romac et al. 2021, arXiv:2103.09815).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common
from rlbench.runners.teachers.common import Floats
from rlbench.runners.teachers.flow import Flow
from rlbench.runners.teachers.networks import linear, load_networks, save_networks

__version__ = "1"

_JUDGE = 64  # the width of its two layers
_LEAST_FEASIBLE = 1e-8
_INSIDE = 1e-4  # how far the density is asked from the edges of the space


def make(
    task: TaskInfo,
    *,
    seed: int,
    update_every: int = 50,
    noise: float = 0.1,
    hidden: int = 64,
    rate: float = 3e-4,
) -> "SetterSolver":
    """Make the teacher of a run.

    Args:
        task: What is played. Its suite must say which returns are good.
        seed: Of all draws.
        update_every: Episodes between two updates, of one step each.
        noise: The most that is added to mastered tasks that the setter learns to draw, in ranges.
        hidden: The width of the setter's networks.
        rate: The learning rate of Adam, of both networks.

    Raises:
        UsageError: An option does not fit, or the suite does not say which returns are good.
    """
    mastered = common.mastered_above(task, "setter-solver")
    common.check_count("update_every", update_every)
    common.check_count("hidden", hidden)
    if not noise >= 0.0:
        raise UsageError(f"the teacher's option noise must be 0 or more, not {noise}")
    if not rate > 0.0:
        raise UsageError(f"the teacher's option rate must be above 0, not {rate}")
    return SetterSolver(
        task, seed, mastered, update_every=update_every, noise=noise, hidden=hidden, rate=rate
    )


class Episode(NamedTuple):
    """What is learned from.

    Attributes:
        task: (d,) In [0, 1].
        latent: (d,) What the setter made it from.
        feasibility: That it was to have.
        mastered: Whether it was.
    """

    task: Floats
    latent: Floats
    feasibility: float
    mastered: bool


class SetterSolver:
    """Draws tasks of any feasibility, from a setter that learns with a judge.

    The judge learns which tasks are mastered. The setter learns that the judge agrees with the
    feasibility it was asked for, that mastered tasks are likely, and that tasks are spread out.

    Args:
        task: What is played.
        seed: Of all draws.
        mastered_above: The return above which an episode is mastered.
        update_every: Episodes between two updates.
        noise: Added to mastered tasks.
        hidden: The width of the setter's networks.
        rate: The learning rate.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        mastered_above: float,
        *,
        update_every: int,
        noise: float,
        hidden: int,
        rate: float,
    ) -> None:
        self._low, self._high = common.bounds_of(task)
        self._random = np.random.default_rng(seed)
        self._mastered_above, self._noise = mastered_above, noise
        self._update_every = update_every
        d, random = len(self._low), self._random
        self.setter = Flow(d, hidden, random)
        self.judge = nn.Sequential(
            linear(random, d, _JUDGE, torch.float64), nn.ReLU(),
            linear(random, _JUDGE, _JUDGE, torch.float64), nn.ReLU(),
            linear(random, _JUDGE, 1, torch.float64),
        )  # fmt: skip
        self._optimisers = [
            torch.optim.Adam(net.parameters(), lr=rate) for net in (self.setter.layers, self.judge)
        ]
        self._ready: list[Episode] = []
        self._pending: list[tuple[Floats, Episode]] = []
        self._episodes: list[Episode] = []

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        return np.reshape([self._propose_one() for _ in range(n)], (n, len(self._low)))

    def _propose_one(self) -> Floats:
        if not self._ready:
            self._ready = self._draw_some(self._update_every)
        episode = self._ready.pop()
        task = np.clip(self._low + episode.task * (self._high - self._low), self._low, self._high)
        self._pending.append((task, episode))
        return task

    def _draw_some(self, n: int) -> list[Episode]:
        """Draw as many as the next update needs: in one pass through the network that is quick."""
        feasibility = self._random.uniform(_LEAST_FEASIBLE, 1.0, size=n)
        latent = self._random.standard_normal((n, len(self._low)))
        drawn = self.draw(latent, feasibility)
        rows = zip(drawn, latent, feasibility.tolist(), strict=True)
        return [Episode(*row, mastered=False) for row in rows]

    def draw(self, latent: Floats, feasibility: Floats) -> Floats:
        """Return (n, d) tasks in [0, 1] of (n, d) draws and (n,) feasibilities."""
        with torch.no_grad():
            drawn = self.setter.sample(
                torch.as_tensor(latent), torch.as_tensor(feasibility)[:, None]
            )
        return np.asarray(drawn[0], dtype=np.float64)

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
    ) -> None:
        """Note which tasks were mastered, and learn when there are enough."""
        for task, score in zip(parameters, returns.tolist(), strict=True):
            number = next(k for k, (asked, _) in enumerate(self._pending) if (asked == task).all())
            _, episode = self._pending.pop(number)
            self._episodes.append(episode._replace(mastered=score > self._mastered_above))
            if len(self._episodes) == self._update_every:
                self._learn()
                self._episodes, self._ready = [], []

    def _learn(self) -> None:
        """Make a step of the judge, then one of the setter."""
        columns = zip(*self._episodes, strict=True)
        tasks, latent, feasibility, mastered = (
            torch.as_tensor(np.array(column, dtype=np.float64)) for column in columns
        )
        judged = self.judge(tasks)[:, 0]
        self._step(1, functional.binary_cross_entropy_with_logits(judged, mastered))
        condition = feasibility[:, None]
        drawn, log_density = self.setter.sample(latent, condition)
        wanted = torch.logit(feasibility)
        loss = ((self.judge(drawn)[:, 0] - wanted) ** 2).mean() + log_density.mean()
        good = mastered > 0.0
        if good.any():
            noise = self._random.uniform(0.0, self._noise, size=tasks[good].shape)
            near = (tasks[good] + torch.as_tensor(noise)).clamp(_INSIDE, 1.0 - _INSIDE)
            loss = loss - self.setter.log_density(near, condition[good]).mean()
        self._step(0, loss)

    def _step(self, which: int, loss: torch.Tensor) -> None:
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        loss.backward()
        self._optimisers[which].step()

    def save(self, folder: Path) -> None:
        """Write the networks, and the episodes since the last update."""
        arrays = {
            name: np.array([[*e.task, *e.latent, e.feasibility, e.mastered] for e in episodes])
            for name, episodes in (("episodes", self._episodes), ("ready", self._ready))
        }
        common.save_state(folder, self._random, arrays)
        save_networks(folder, **self._parts())

    def load(self, folder: Path) -> None:
        """Go on from what was saved; episodes that had not ended are forgotten."""
        d = len(self._low)
        arrays = common.load_state(folder, self._random)
        load_networks(folder, **self._parts())
        self._pending = []
        self._episodes, self._ready = (
            [Episode(row[:d], row[d:-2], float(row[-2]), bool(row[-1])) for row in arrays[name]]
            for name in ("episodes", "ready")
        )

    def _parts(self) -> dict[str, object]:
        first, second = self._optimisers
        return {
            "setter": self.setter.layers, "judge": self.judge,
            "setter_optimiser": first, "judge_optimiser": second,
        }  # fmt: skip
