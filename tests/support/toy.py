"""A suite with nothing to install: walks of known length and return, for tests of the runner."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from rlbench.suites import Protocol, Suite, Task


class Walks(VectorEnv):
    """Episodes whose length is drawn, and whose return equals their length.

    An evaluation that counted short episodes more often would show in the mean return.
    """

    def __init__(
        self,
        num_envs: int,
        stream: np.random.SeedSequence,
        space: Any,
        reward: float,
        limit: int = 30,
    ):
        self.num_envs = num_envs
        self.single_observation_space = Box(0, np.inf, (2,), np.float64)
        self.single_action_space = space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(space, num_envs)
        self.metadata = {}
        self.generators = [np.random.default_rng(child) for child in stream.spawn(num_envs)]
        self.lengths = np.zeros(num_envs, dtype=int)
        self.clocks = np.zeros(num_envs, dtype=int)
        self.reward, self.limit = reward, limit
        self.drawn: list[list[int]] = [[] for _ in range(num_envs)]
        self.retired = np.zeros(num_envs, dtype=bool)

    def _begin(self, slot: int) -> None:
        self.lengths[slot] = int(self.generators[slot].choice([1, 2, 30]))
        self.drawn[slot].append(int(self.lengths[slot]))
        self.clocks[slot] = 0

    def _obs(self) -> np.ndarray:
        return np.stack([self.lengths, self.clocks], axis=1).astype(np.float64)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        for slot in range(self.num_envs):
            self._begin(slot)
        return self._obs(), {}

    def step(self, actions: np.ndarray):
        self.clocks += 1
        terminated = self.clocks >= self.lengths
        truncated = ~terminated & (self.clocks >= self.limit)
        ended = terminated | truncated
        final = self._obs()
        for slot in np.flatnonzero(ended):
            self._begin(slot)
        info = {"final_obs": final} if ended.any() else {}
        reward = np.full(self.num_envs, self.reward)
        return self._obs(), reward, terminated, truncated, info

    def retire(self, mask: np.ndarray) -> None:
        self.retired |= mask


class FixedWalks(Walks):
    """Walks that are all alike."""

    def _begin(self, slot: int) -> None:
        self.drawn[slot].append(3)
        self.lengths[slot], self.clocks[slot] = 3, 0


def make_fixed(task: Task, constants: Mapping[str, Any], **rest: Any) -> Walks:
    limit = constants["max_episode_steps"]
    return FixedWalks(rest["num_envs"], rest["stream"], Discrete(4), 1.0, limit)


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: str,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> Walks:
    space = Box(-1, 1, (3,), np.float32) if constants["continuous"] else Discrete(4)
    limit = constants["max_episode_steps"]
    return Walks(num_envs, stream, space, float(constants["reward"]), limit)


TOY = Suite(
    name="toy",
    version=1,
    title="Toy",
    summary="Walks.",
    protocol=Protocol(
        budget=50,
        train_envs=1,
        eval_points=(),
        episodes=6,
        eval_envs=4,
        max_episode_steps=30,
        environment={"continuous": False, "reward": 1.0},
    ),
    tasks=(Task(name="Walk", low=0.0, high=10.0),),
    references=("nothing", "ten steps"),
    reference_source="made up",
    factory="support.toy:make",
    extra="none",
)

# One whose engine does not do what is expected of it, and one whose resets do not vary.
ODD = replace(TOY, name="toy-odd", engines="support:engines.json", packages=("numpy",))
FIXED = replace(TOY, name="toy-fixed", factory="support.toy:make_fixed")
# A board of published scores, as suites are that cannot be run.
BOARD = replace(TOY, name="toy-board", factory="")
