"""A registered suite that is run in a second: classic control on a tiny official budget."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium

from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import make_slots
from support.registered import register

AGENT = """
import numpy as np


class Biased:
    def __init__(self, task, seed, bias):
        self.space, self.bias = task.action_space, bias
        train, evaluation = np.random.default_rng(seed).spawn(2)
        self.random = {"train": train, "eval": evaluation}

    def act(self, obs, first, *, phase):
        drawn = self.random[phase].random(len(obs)) < self.bias
        if hasattr(self.space, "n"):
            return drawn.astype(np.int64)
        return np.where(drawn, self.space.high[0], self.space.low[0])[:, None].astype(np.float32)


class Breaks:
    def act(self, obs, first, *, phase):
        raise ValueError("no")


def make(task, *, seed, device, bias=0.5, breaks=False):
    pendulum = not hasattr(task.action_space, "n")
    return Breaks() if breaks and pendulum and seed % 2 else Biased(task, seed, bias)
"""


def make_one(name: str, limit: int) -> gymnasium.Env:
    return gymnasium.make(name, max_episode_steps=limit)


def make(task: Task, constants: Mapping[str, Any], **rest: Any) -> Any:
    limit = constants["max_episode_steps"]
    one = partial(make_one, task.name, limit)
    return make_slots(one, max_episode_steps=limit, **rest)


CLASSIC = Suite(
    name="classic",
    version=1,
    title="Classic control",
    summary="At once.",
    protocol=Protocol(
        budget=100,
        train_envs=2,
        eval_points=(50,),
        episodes=12,
        point_episodes=10,
        eval_envs=6,
        max_episode_steps=60,
        environment={"level": 1},
    ),
    tasks=(
        Task(name="CartPole-v1", low=10.0, high=60.0, returns=(0.0, 60.0)),
        Task(name="Pendulum-v1", low=-500.0, high=0.0, returns=(-1000.0, 0.0)),
    ),
    references=("random", "solved"),
    reference_source="made up",
    factory="support.classic:make",
    extra="none",
)


@contextmanager
def registered(folder: Path) -> Iterator[None]:
    """Register the suite, as an installed package would, for this process and those it starts."""
    import pytest  # here, since workers load this module and need not wait for pytest

    with pytest.MonkeyPatch.context() as patch:
        for name, value in register(folder, {"classic": "support.classic:CLASSIC"}).items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(folder))
        yield
