"""SPDL, self-paced deep learning: a Gaussian of tasks that moves from easy ones to all.

Klink, D'Eramo, Peters and Pajarinen 2020 (arXiv:2004.11812), with the constants of TeachMyAgent
(Romac et al. 2021, arXiv:2103.09815).
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.runners.agents.agent import Bools, TaskInfo
from rlbench.runners.teachers import common
from rlbench.runners.teachers.common import Floats

__version__ = "1"

_DAMPING, _ROUNDS, _RESIDUAL = 1e-2, 10, 1e-10  # of the conjugate gradient
_HALVINGS = 10  # of the step
_SLACK = 1.5  # times the largest divergence is taken too
_MOST_ALPHA, _LEAST_DIVERGENCE = 1e5, 1e-10
_LEAST_DEVIATION = 1e-3  # of a parameter that has one value only


def make(
    task: TaskInfo,
    *,
    seed: int,
    update_every: int = 50_000,
    first_update: int = 200_000,
    free_updates: int = 9,
    zeta: float = 0.25,
    max_divergence: float = 0.1,
    episodes: int = 1000,
    discount: float = 0.99,
) -> "SPDL":
    """Make the teacher of a run.

    Args:
        task: What is played. If its suite says which tasks are easy, the Gaussian begins with
            these, and else with a tenth of each range around a task drawn evenly.
        seed: Of all draws.
        update_every: Steps between two updates.
        first_update: Steps before the first update.
        free_updates: Updates in which nothing draws the Gaussian towards all tasks.
        zeta: How strongly it is drawn there, in proportion to the mean discounted return.
        max_divergence: Of the Gaussians before and after an update.
        episodes: The most that an update sees, the newest ones.
        discount: Of each step's reward.

    Raises:
        UsageError: An option does not fit.
    """
    common.check_count("update_every", update_every)
    common.check_count("first_update", first_update, 0)
    common.check_count("free_updates", free_updates, 0)
    common.check_count("episodes", episodes)
    common.check_share("discount", discount)
    for name, value in (("zeta", zeta), ("max_divergence", max_divergence)):
        if not value > 0.0:
            raise UsageError(f"the teacher's option {name} must be above 0, not {value}")
    return SPDL(
        task, seed, update_every=update_every, first_update=first_update,
        free_updates=free_updates, zeta=zeta, max_divergence=max_divergence, episodes=episodes,
        discount=discount,
    )  # fmt: skip


class Gaussian(NamedTuple):
    """A Gaussian.

    Its flat parameters are the mean, the logarithms of the factor's diagonal, and what is below.

    Attributes:
        mean: (d,)
        factor: (d, d) Lower triangular; the covariance is the factor times its transpose.
    """

    mean: Floats
    factor: Floats

    def flatten(self) -> Floats:
        """Return the (d + d (d + 1) / 2,) parameters."""
        below = np.tril_indices(len(self.mean), -1)
        return np.concatenate([self.mean, np.log(np.diag(self.factor)), self.factor[below]])

    def moved(self, step: Floats) -> "Gaussian":
        """Return the Gaussian whose parameters differ by a step."""
        d, flat = len(self.mean), self.flatten() + step
        factor = np.diag(np.exp(flat[d : 2 * d]))
        factor[np.tril_indices(d, -1)] = flat[2 * d :]
        return Gaussian(flat[:d], factor)

    def whiten(self, tasks: Floats) -> Floats:
        """Return (n, d) draws as those of a standard Gaussian that they were made from."""
        return np.asarray(np.linalg.solve(self.factor, (tasks - self.mean).T).T)

    def log_density(self, tasks: Floats) -> Floats:
        """Return (n,) logarithms of the density, up to a constant."""
        white = self.whiten(tasks)
        return np.asarray(-0.5 * (white**2).sum(axis=1) - np.log(np.diag(self.factor)).sum())


def divergence(p: Gaussian, q: Gaussian) -> float:
    """Return the Kullback-Leibler divergence KL(p || q)."""
    ratio = np.linalg.solve(q.factor, p.factor)
    distance = np.linalg.solve(q.factor, p.mean - q.mean)
    logs = np.log(np.diag(q.factor)).sum() - np.log(np.diag(p.factor)).sum()
    return float(0.5 * ((ratio**2).sum() + (distance**2).sum() - len(p.mean)) + logs)


def _flat_gradient(by_mean: Floats, by_factor: Floats, p: Gaussian) -> Floats:
    """Return a gradient by the parameters, from those by mean and (d, d) factor."""
    diagonal = np.diag(by_factor) * np.diag(p.factor)
    return np.concatenate([by_mean, diagonal, by_factor[np.tril_indices(len(by_mean), -1)]])


def gradient(p: Gaussian, target: Gaussian, tasks: Floats, values: Floats, alpha: float) -> Floats:
    """Return the gradient of `objective` at the Gaussian that the tasks were drawn from."""
    inverse, white = np.linalg.inv(p.factor), p.whiten(tasks)
    spread = (white.T * values) @ white / len(tasks) - values.mean() * np.eye(len(p.mean))
    expected = _flat_gradient(inverse.T @ (white.T @ values) / len(tasks), inverse.T @ spread, p)
    precision = np.linalg.inv(target.factor @ target.factor.T)
    diverging = _flat_gradient(
        precision @ (p.mean - target.mean), precision @ p.factor - inverse.T, p
    )
    return expected - alpha * diverging


def objective(
    p: Gaussian, old: Gaussian, target: Gaussian, tasks: Floats, values: Floats, alpha: float
) -> float:
    """Return the expected value of tasks, less alpha times the divergence from the target.

    Args:
        p: Of which it is estimated, by importance weights.
        old: From which the tasks were drawn.
        target: All tasks.
        tasks: (n, d)
        values: (n,) What the agent expects in them.
        alpha: The weight.
    """
    weights = np.exp(p.log_density(tasks) - old.log_density(tasks))
    return float((weights * values).mean()) - alpha * divergence(p, target)


def fisher(p: Gaussian) -> Floats:
    """Return the Fisher information of the parameters, the Hessian of the divergence at 0."""
    d, inverse = len(p.mean), np.linalg.inv(p.factor)
    rows, columns = (np.concatenate([np.arange(d), low]) for low in np.tril_indices(d, -1))
    moves = np.zeros((len(rows), d, d))
    moves[np.arange(len(rows)), rows, columns] = 1.0
    moves[np.arange(d), np.arange(d), np.arange(d)] = np.diag(p.factor)
    moves = inverse @ moves
    diagonals = moves[:, np.arange(d), np.arange(d)]
    information = np.zeros((d + len(rows), d + len(rows)))
    information[:d, :d] = inverse.T @ inverse
    information[d:, d:] = np.einsum("kij,lij->kl", moves, moves) + diagonals @ diagonals.T
    return information


def conjugate_gradient(matrix: Floats, right: Floats) -> Floats:
    """Return about what the matrix maps onto the right side, in a few rounds."""
    found, rest = np.zeros_like(right), right.copy()
    direction, size = rest.copy(), float(rest @ rest)
    for _ in range(_ROUNDS):
        mapped = matrix @ direction
        length = size / float(direction @ mapped)
        found += length * direction
        rest -= length * mapped
        size, before = float(rest @ rest), size
        if size < _RESIDUAL:
            break
        direction = rest + size / before * direction
    return found


class SPDL:
    """Draws tasks from a Gaussian, which it moves to where the agent expects high returns.

    Args:
        task: What is played.
        seed: Of all draws.
        update_every: Steps between two updates.
        first_update: Steps before the first update.
        free_updates: Updates without the target.
        zeta: The weight of the target.
        max_divergence: Of an update.
        episodes: The most that an update sees.
        discount: Of each step's reward.

    Attributes:
        discount: See `Discounter`.
        gaussian: Of the tasks.
        target: Of all tasks: the deviation is a quarter of each range.
        updates: How many there were.
    """

    def __init__(
        self,
        task: TaskInfo,
        seed: int,
        *,
        update_every: int,
        first_update: int,
        free_updates: int,
        zeta: float,
        max_divergence: float,
        episodes: int,
        discount: float,
    ) -> None:
        self._low, self._high = common.bounds_of(task)
        self._random = np.random.default_rng(seed)
        self._update_every, self._first_update = update_every, first_update
        self._free_updates, self._zeta = free_updates, zeta
        self._max_divergence = max_divergence
        self.discount = discount
        width = self._high - self._low
        easy = common.easy_tasks(task)
        start = easy or (self._random.uniform(self._low, self._high), 0.1 * width)
        self.gaussian = _diagonal(*start)
        self.target = _diagonal((self._low + self._high) / 2, width / 4)
        self.updates = self._steps = 0
        self._tasks: deque[Floats] = deque(maxlen=episodes)
        self._first_obs: deque[NDArray[Any]] = deque(maxlen=episodes)
        self._returns: list[float] = []  # discounted, of all episodes since the last update
        self._value: Callable[[NDArray[Any]], Floats] | None = None

    def ask(self, value: Callable[[NDArray[Any]], Floats]) -> None:
        """Take what says the agent's values of observations."""
        self._value = value

    def propose(self, n: int) -> Floats:
        """Return (n, d) parameters."""
        white = self._random.standard_normal((n, len(self._low)))
        return np.clip(self.gaussian.mean + white @ self.gaussian.factor.T, self._low, self._high)

    def report(
        self,
        parameters: Floats,
        returns: Floats,
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[np.float64],
        *,
        discounted: Floats,
    ) -> None:
        """Note episodes, and move the Gaussian when there were enough steps."""
        for task, obs, score, length in zip(
            parameters, first_obs, discounted.tolist(), lengths.tolist(), strict=True
        ):
            self._tasks.append(task.copy())
            self._first_obs.append(obs.copy())
            self._returns.append(score)
            before, self._steps = self._steps // self._update_every, self._steps + length
            if self._steps >= self._first_update and self._steps // self._update_every > before:
                self._update()

    def _update(self) -> None:
        """Move the Gaussian by one step along the natural gradient."""
        assert self._value is not None, "nobody was asked"
        self.updates += 1
        tasks, values = np.array(self._tasks), self._value(np.array(self._first_obs))
        alpha = 0.0
        if self.updates > self._free_updates:
            far = max(divergence(self.gaussian, self.target), _LEAST_DIVERGENCE)
            alpha = min(_MOST_ALPHA, self._zeta * max(0.0, float(np.mean(self._returns))) / far)
        self.gaussian = stepped(
            self.gaussian, self.target, tasks, values, alpha, self._max_divergence
        )
        for noted in (self._tasks, self._first_obs, self._returns):
            noted.clear()

    def save(self, folder: Path) -> None:
        """Write the Gaussian, and the episodes since the last update."""
        arrays = {
            "mean": self.gaussian.mean, "factor": self.gaussian.factor,
            "counts": np.array([self.updates, self._steps]),
            "tasks": np.array(self._tasks), "first_obs": np.array(self._first_obs),
            "returns": np.array(self._returns),
        }  # fmt: skip
        common.save_state(folder, self._random, arrays)

    def load(self, folder: Path) -> None:
        """Go on from what was saved."""
        arrays = common.load_state(folder, self._random)
        self.gaussian = Gaussian(arrays["mean"], arrays["factor"])
        self.updates, self._steps = arrays["counts"].tolist()
        self._tasks.extend(arrays["tasks"])
        self._first_obs.extend(arrays["first_obs"])
        self._returns = arrays["returns"].tolist()


def _diagonal(mean: Floats, deviation: Floats) -> Gaussian:
    return Gaussian(mean, np.diag(np.maximum(deviation, _LEAST_DEVIATION)))


def stepped(
    old: Gaussian,
    target: Gaussian,
    tasks: Floats,
    values: Floats,
    alpha: float,
    max_divergence: float,
) -> Gaussian:
    """Return the Gaussian after one step that raises `objective`.

    The step along the natural gradient is scaled to the largest divergence, then halved until it
    stays below 1.5 times that, or raises the objective; if 10 halvings do not do, there is none.

    Args:
        old: From which the tasks were drawn.
        target: All tasks.
        tasks: (n, d)
        values: (n,) What the agent expects in them.
        alpha: The weight of the divergence from the target.
        max_divergence: Of the Gaussians before and after.
    """
    slope = gradient(old, target, tasks, values, alpha)
    if np.linalg.norm(slope) < 1e-10:
        return old
    metric = fisher(old) + _DAMPING * np.eye(len(slope))
    step = conjugate_gradient(metric, slope)
    step /= np.sqrt(0.5 * step @ metric @ step / max_divergence)
    before = objective(old, old, target, tasks, values, alpha)
    for _ in range(_HALVINGS):
        new = old.moved(step)
        if (
            divergence(old, new) <= _SLACK * max_divergence
            or objective(new, old, target, tasks, values, alpha) >= before
        ):
            return new
        step = step / 2
    return old
