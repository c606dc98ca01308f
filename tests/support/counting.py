"""Environments of gymnasium's own kinds, as a suite's author would return them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from rlbench.suites import Protocol, Suite, Task

OBS_DIM = 3


class Counting(gymnasium.Env):
    """An episode has a number and a length, both drawn; it observes number, clock and length.

    A reward is the clock. Action 3 goes on for ever.
    """

    observation_space = Box(-np.inf, np.inf, (OBS_DIM,), np.float32)
    action_space = Discrete(4)

    def _obs(self) -> np.ndarray:
        return np.array([self.number, self.clock, self.length], dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None):
        super().reset(seed=seed)
        self.number = int(self.np_random.integers(1, 2**20))
        self.length = int(self.np_random.integers(2, 6))
        self.clock = 0
        return self._obs(), {"start": self.number, "secret": self.length}

    def step(self, action: Any):
        self.clock += 1
        ended = self.clock >= self.length and action != 3
        info: dict[str, Any] = {"life_lost": self.clock == 1, "secret": self.length}
        if ended:
            info |= {"success": self.length > 3, "measures": {"twice": 2.0 * self.clock}}
        return self._obs(), float(self.clock), ended, False, info


def vector(kind: type, mode: AutoresetMode, n: int, **options: Any) -> VectorEnv:
    """Return gymnasium's vector environment of so many."""
    made: VectorEnv = kind([Counting] * n, autoreset_mode=mode, **options)
    return made


def suite_of(factory: str, **protocol: Any) -> Suite:
    """Return a suite whose environments a function of this module makes."""
    values: dict[str, Any] = {
        "budget": 60, "episodes": 6, "eval_envs": 3, "max_episode_steps": 9,
        "environment": {"engine": "sync", "mode": "SameStep"}, **protocol,
    }  # fmt: skip
    return Suite(
        name="counting",
        version=1,
        title="Counting",
        summary="Clocks.",
        protocol=Protocol(**values),
        tasks=(Task(name="Clock", low=0.0, high=10.0),),
        references=("nothing", "ten"),
        reference_source="made up",
        factory=f"support.counting:{factory}",
        extra="",
    )


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: str,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> VectorEnv:
    """Make them as gymnasium does, of the kind and in the mode that the constants say."""
    kinds: dict[str, Callable[..., VectorEnv]] = {
        "sync": SyncVectorEnv,
        "async": partial(AsyncVectorEnv, context="fork"),
    }
    mode = AutoresetMode(constants["mode"])
    return kinds[constants["engine"]]([Counting] * num_envs, autoreset_mode=mode)


COUNTING = suite_of("make")


def counting(kind: str, mode: AutoresetMode, **constants: Any) -> Suite:
    """Return the suite with one of gymnasium's vector environments, in one of its modes."""
    suite = COUNTING.make_unofficial(constants)
    protocol = suite.protocol
    environment = {**protocol.environment, "engine": kind, "mode": mode.value}
    return replace(suite, protocol=replace(protocol, environment=environment))


OTHER: list[Callable[[], Any]] = []  # what a test has the suite make


def make_other(*args: Any, **options: Any) -> Any:
    """Make what a test has put into `OTHER`."""
    return OTHER[0]()
