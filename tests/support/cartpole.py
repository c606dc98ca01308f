"""A curriculum with nothing to install: poles of other lengths on carts that are pushed harder.

The equations are those of gymnasium's ``CartPole-v1``, with a pole and a push for every slot.
"""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.runners import TaskInfo, Transitions
from rlbench.suites import Protocol, Suite, Task

OBSERVATIONS = Box(-np.inf, np.inf, (4,), np.float32)
PUSHES = Discrete(2)
PARAMETERS = Box(np.array([0.2, 3.0]), np.array([2.0, 15.0]), dtype=np.float64)  # length, push
HALF_LENGTHS, FORCES = (0.25, 0.5, 1.0, 1.75), (4.0, 7.0, 10.0, 14.0)
TESTS = np.array([(length, force) for length in HALF_LENGTHS for force in FORCES])
TRACK, LEAN = 2.4, np.deg2rad(12.0)  # beyond them it has fallen
STEP = 0.02  # seconds
CART, POLE = 1.0, 0.1  # their masses
GRAVITY = 9.8


def push(
    state: NDArray[Any],
    right: NDArray[np.bool_],
    parameters: NDArray[Any],
    gravity: float = GRAVITY,
) -> NDArray[np.float64]:
    """Return the (n, 4) states that follow when carts are pushed right or left.

    Args:
        state: (n, 4) Place, speed, angle and its speed.
        right: (n,) Which way.
        parameters: (n, 2) Half the pole's length, and the force.
        gravity: Of the planet.
    """
    _, speed, angle, turning = state.T
    length, force = parameters.T
    cosine, sine = np.cos(angle), np.sin(angle)
    whole, moment = CART + POLE, POLE * length
    pushed = (np.where(right, force, -force) + moment * turning**2 * sine) / whole
    turn = gravity * sine - cosine * pushed
    turn /= length * (4.0 / 3.0 - POLE * cosine**2 / whole)
    rates = np.stack([speed, pushed - moment * turn * cosine / whole, turning, turn], axis=1)
    return state + STEP * rates


def has_fallen(state: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (n,) whether the cart left its track, or the pole leans too far."""
    return (np.abs(state[:, 0]) > TRACK) | (np.abs(state[:, 2]) > LEAN)


class CartPoles(VectorEnv):
    """Carts with poles.

    Args:
        num_envs: Carts.
        stream: Of the states in which episodes begin.
        steps: After so many, a pole that still stands has been held.
        gravity: Of the planet.
        shares: The tests that each slot goes through; None in training, where episodes are begun
            by `reset` alone, with parameters.
    """

    def __init__(
        self,
        num_envs: int,
        stream: np.random.SeedSequence,
        steps: int,
        gravity: float,
        shares: list[NDArray[Any]] | None = None,
    ):
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = OBSERVATIONS, PUSHES
        self.observation_space = batch_space(OBSERVATIONS, num_envs)
        self.action_space = batch_space(PUSHES, num_envs)
        self.parameter_space = PARAMETERS
        self.metadata = {}
        self.generators = [np.random.default_rng(child) for child in stream.spawn(num_envs)]
        self.steps, self.gravity, self.shares = steps, gravity, shares
        self.state = np.zeros((num_envs, 4))
        self.parameters = np.zeros((num_envs, 2))
        self.clocks = np.zeros(num_envs, dtype=int)
        self.tests = np.full(num_envs, -1)
        self.episodes = np.zeros(num_envs, dtype=int)
        self.is_over = np.ones(num_envs, dtype=np.bool_)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray[Any], dict]:
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        if self.shares is not None:
            return self._begin(everywhere), self._start()
        mask = options["reset_mask"]
        self.parameters[mask] = options["parameters"][mask]
        return self._begin(mask), {}

    def step(self, actions: NDArray[Any]):
        assert not self.is_over.any(), "an episode that has ended was not begun anew"
        self.state = push(self.state, actions == 1, self.parameters, self.gravity)
        self.clocks += 1
        terminated = has_fallen(self.state)
        truncated = ~terminated & (self.clocks >= self.steps)
        self.is_over = terminated | truncated
        obs = self.state.astype(np.float32)
        info: dict[str, Any] = {"success": truncated}
        if self.shares is not None and self.is_over.any():
            info["final_obs"] = obs
            obs = self._begin(self.is_over.copy())
            info.update(self._start())
        return obs, np.ones(self.num_envs), terminated, truncated, info

    def _begin(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        for slot in np.flatnonzero(mask):
            if self.shares is not None:
                share = self.shares[slot]
                self.tests[slot] = share[self.episodes[slot] % len(share)]
                self.parameters[slot] = TESTS[self.tests[slot]]
            self.state[slot] = 0.1 * self.generators[slot].random(4) - 0.05
            self.episodes[slot] += 1
        self.clocks[mask] = 0
        self.is_over[mask] = False
        return self.state.astype(np.float32)

    def _start(self) -> dict[str, Any]:
        return {"start": self.tests.copy()}


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: str,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> CartPoles:
    """Make the environments; in evaluation every test is played by one slot, in a fixed order."""
    shares = [np.arange(slot, len(TESTS), num_envs) for slot in range(num_envs)]
    return CartPoles(
        num_envs,
        stream,
        constants["max_episode_steps"],
        constants["gravity"],
        shares if split == "eval" else None,
    )


class CrossEntropy:
    """Linear policies, drawn around those that held poles longest.

    Args:
        task: What is played.
        seed: Of its draws.
        population: Episodes between two looks at which were best.
        leave_at: Ask this process to leave after so many vector steps, as a cluster would, unless
            it was loaded.
    """

    def __init__(self, task: TaskInfo, seed: int, *, population: int = 32, leave_at: int = 0):
        n, d = task.num_envs, task.observation_space.shape[0]
        self.random = np.random.default_rng(seed)
        self.population, self.leave_at = population, leave_at
        self.steps = 0
        self.mean, self.spread = np.zeros(d), np.ones(d)
        self.tried: list[list[float]] = []  # the weights, then the return
        self.weights, self.returns = np.zeros((n, d)), np.zeros(n)

    def act(self, obs: NDArray[Any], first: NDArray[Any], *, phase: str) -> NDArray[np.int64]:
        if phase == "eval":
            return (obs @ self.mean > 0).astype(np.int64)
        drawn = self.random.normal(self.mean, self.spread, size=(int(first.sum()), len(self.mean)))
        self.weights[first], self.returns[first] = drawn, 0.0
        return ((obs * self.weights).sum(axis=1) > 0).astype(np.int64)

    def observe(self, batch: Transitions) -> None:
        self.returns += batch.reward
        for slot in np.flatnonzero(batch.active & (batch.terminated | batch.truncated)):
            self.tried.append([*self.weights[slot].tolist(), float(self.returns[slot])])
        if len(self.tried) >= self.population:
            table = np.array(self.tried)
            best = table[np.argsort(-table[:, -1], kind="stable")[: self.population // 4], :-1]
            self.mean, self.spread = best.mean(axis=0), best.std(axis=0) + 0.05
            self.tried = []
        self.steps += 1
        if self.steps == self.leave_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def save(self, folder: Path) -> None:
        names = ("mean", "spread", "weights", "returns")
        np.savez(folder / "arrays.npz", **{name: getattr(self, name) for name in names})
        state = {"random": self.random.bit_generator.state, "tried": self.tried, "at": self.steps}
        (folder / "state.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        with np.load(folder / "arrays.npz") as arrays:
            for name in arrays.files:
                setattr(self, name, arrays[name])
        state = json.loads((folder / "state.json").read_text())
        self.random.bit_generator.state = state["random"]
        self.tried, self.steps, self.leave_at = state["tried"], state["at"], 0


def make_agent(task: TaskInfo, *, seed: int, device: str, **options: Any) -> CrossEntropy:
    """Make the agent; it uses no device."""
    return CrossEntropy(task, seed, **options)


class ProgressTeacher:
    """Proposes tasks near which returns have changed of late, whichever way.

    Args:
        task: What is played.
        seed: Of its draws.
        bins: Along each parameter.
        quick: How fast its short memory forgets; the long one is ten times slower.
        even: The share of proposals that is drawn evenly.
    """

    def __init__(
        self, task: TaskInfo, seed: int, *, bins: int = 3, quick: float = 0.3, even: float = 0.2
    ):
        assert task.parameter_space is not None
        self.low = task.parameter_space.low
        self.width = (task.parameter_space.high - self.low) / bins
        self.shape = (bins,) * len(self.low)
        self.quick, self.even = quick, even
        self.random = np.random.default_rng(seed)
        self.memories = np.zeros((2, bins ** len(self.low)))
        self.reports = 0

    def propose(self, n: int) -> NDArray[np.float64]:
        progress = np.abs(self.memories[0] - self.memories[1])
        flat = np.full(progress.shape, 1.0 / len(progress))
        chances = progress / progress.sum() if progress.any() else flat
        chosen = self.random.choice(
            len(flat), size=n, p=(1 - self.even) * chances + self.even * flat
        )
        corner = np.stack(np.unravel_index(chosen, self.shape), axis=1)
        return self.low + (corner + self.random.random(corner.shape)) * self.width

    def report(self, parameters, returns, lengths, successes, first_obs) -> None:
        corner = ((parameters - self.low) / self.width).astype(int)
        bins = np.ravel_multi_index(tuple(corner.T), self.shape, mode="clip")
        for place, score in zip(bins, returns, strict=True):
            for memory, rate in zip(self.memories, (self.quick, self.quick / 10), strict=True):
                memory[place] += rate * (score - memory[place])
        self.reports += len(returns)

    def save(self, folder: Path) -> None:
        state = {
            "random": self.random.bit_generator.state,
            "memories": self.memories.tolist(),
            "reports": self.reports,
        }
        (folder / "state.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        self.random.bit_generator.state = state["random"]
        self.memories, self.reports = np.array(state["memories"]), state["reports"]


def make_teacher(task: TaskInfo, *, seed: int, **options: Any) -> ProgressTeacher:
    """Make the teacher."""
    return ProgressTeacher(task, seed, **options)


CARTPOLE = Suite(
    name="cartpole-curriculum",
    version=1,
    title="Cart-pole, a curriculum",
    summary="Hold poles of any length upright on carts that are pushed with any force.",
    protocol=Protocol(
        kind="curriculum",
        budget=10_000,
        train_envs=4,
        eval_points=(2_500, 5_000),
        episodes=len(TESTS),
        eval_envs=5,
        max_episode_steps=100,
        environment={"gravity": GRAVITY},
    ),
    tasks=(Task(name="Hold", low=0.0, high=100.0),),
    references=("nothing", "held throughout"),
    reference_source="the length of an episode",
    factory="support.cartpole:make",
    extra="none",
)
# The same, but taken up in new episodes.
CARTPOLE_ONWARD = replace(CARTPOLE, name="cartpole-onward", replays=False)
