"""Two classic tasks of gymnasium as a suite: one with discrete actions, one with a box."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import make_slots


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: str,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> VectorEnv:
    """Make the environments of a task, which is named as gymnasium names it."""
    limit = constants["max_episode_steps"]
    one = partial(gymnasium.make, task.name, max_episode_steps=limit)
    return make_slots(one, num_envs=num_envs, split=split, stream=stream, max_episode_steps=limit)


CONTROL = Suite(
    name="control",
    version=1,
    title="Classic control",
    summary="A pole to hold up and a pendulum to swing up.",
    protocol=Protocol(
        budget=20_000, episodes=10, eval_envs=5, max_episode_steps=200, environment={}
    ),
    tasks=(
        Task(name="CartPole-v1", low=0.0, high=200.0),
        Task(name="Pendulum-v1", low=-1600.0, high=0.0),
    ),
    references=("none", "all"),
    reference_source="by definition: a reward of 1 a step, and about the least that a swing gives",
    factory="support.control:make",
    extra="",
)
