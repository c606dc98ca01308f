"""A suite that breaks the contract in the way that one of its constants says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from rlbench.suites import Suite, Task
from rlbench.suites.envs import make_slots
from support.counting import Counting, suite_of


class Broken(VectorWrapper):
    """Sound slots with a fault put over them."""

    def __init__(self, env: VectorEnv, fault: str) -> None:
        super().__init__(env)
        self.fault = fault
        self.metadata = {}
        self.waiting = np.zeros(env.num_envs, dtype=bool)
        self.begun: np.ndarray | None = None
        self.buffer = np.zeros((env.num_envs, 3), dtype=np.float32)
        if fault == "shape":
            self.observation_space = env.single_observation_space

    def reset(self, *, seed: Any = None, options: Any = None):
        obs, info = self.env.reset(options=options)
        self.waiting[:] = False
        if self.fault == "no reset":  # the first reset counts, the others lead to the same
            self.begun = obs if self.begun is None else self.begun
            return self.begun.copy(), {}
        return obs, info

    def step(self, actions: Any):
        obs, reward, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        match self.fault:
            case "next episode" if ended.any():
                info["final_obs"] = obs.copy()
            case "previous mode" | "unsaid mode" if ended.any():
                obs, info["final_obs"] = info["final_obs"], info["final_obs"]
                if self.fault == "unsaid mode":
                    del info["final_obs"]
            case "crowd":
                reward = reward / self.num_envs
            case "buffer":
                self.buffer[:] = obs
                obs = self.buffer
            case "float32":
                reward = reward.astype(np.float32)
            case "nan":
                reward = np.where(reward > 3, np.nan, reward)
            case "arrays in arrays" if ended.any():
                final = np.full(self.num_envs, None)
                for slot in np.flatnonzero(ended):
                    final[slot] = info["final_obs"][slot]
                info["final_obs"] = final
        return obs, reward, terminated, truncated, info

    def retire(self, mask: np.ndarray) -> None:
        self.env.retire(mask if self.fault != "retire" else np.ones_like(mask))


class Outside(Counting):
    def _obs(self) -> np.ndarray:
        return super()._obs() * np.nan


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: Any,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> VectorEnv:
    """Make sound environments, and break them."""
    fault = constants["fault"]
    if fault == "error":
        raise ZeroDivisionError("no environment")
    streams = {"own stream": np.random.SeedSequence(), "one stream": np.random.SeedSequence(4)}
    env = make_slots(
        Outside if fault == "outside" else Counting,
        num_envs=num_envs + (fault == "more slots"),
        split=split,
        stream=streams.get(fault, stream),
        max_episode_steps=10**6 if fault == "endless" else constants["max_episode_steps"],
    )
    return Broken(env, fault)


def broken(fault: str) -> Suite:
    """Return a suite with a fault, by its name in `Broken` and `make`."""
    suite = suite_of("make", environment={"fault": fault}, max_episode_steps=4)
    return replace(suite, factory="support.broken:make")
