"""Engines: what a fixed sequence of actions leads to tells one from another.

A version number hides silent changes: in ale-py 0.10.0 the one-argument form of ``act`` did
nothing. So every run begins by playing the same few steps in a fresh environment, and its record
keeps their hash. Runs are compared only where the hashes are equal.
"""

import hashlib
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment
from rlbench.results import Engine
from rlbench.runners.loops.evaluation import untouched_global_randomness
from rlbench.suites import Suite, Task

RESETS = 8  # before the steps: one state in all of them means that episodes do not vary
_SEED = 20_261_128


def examine_engine(suite: Suite, task: Task) -> Engine:
    """Play the fixed steps of a task in an environment of its own.

    It is an environment of the main evaluation, reset eight times and then stepped
    `Suite.engine_steps` times by actions that depend on the action space alone.

    Raises:
        InvalidEnvironment: Every reset of a task whose starts are to vary led to the same state, or
            a reward is not finite.
    """
    digest = hashlib.sha256()
    with untouched_global_randomness():
        env = suite.make(task, split="eval", num_envs=1, seed=0, role="engine")
        try:
            starts = set()
            for _ in range(RESETS):
                obs, info = env.reset()
                start = _bytes(obs, suite.engine_digits)
                # The suite may tell states apart that look alike.
                starts.add((start, *np.ravel(info.get("start", ())).tolist()))
                digest.update(start)
            vary = suite.starts_vary and task.starts_vary
            if len(starts) == 1 and vary and not suite.unofficial:
                raise InvalidEnvironment(
                    f"{RESETS} resets of {task.name} led to one state: a suite whose episodes "
                    "begin alike says so by starts_vary=False"
                )
            for action in fixed_actions(env.single_action_space, suite.engine_steps):
                obs, reward, terminated, truncated, _ = env.step(action)
                if not np.isfinite(reward).all():
                    raise InvalidEnvironment("a reward is not finite")
                for part in (obs, reward):
                    digest.update(_bytes(part, suite.engine_digits))
                digest.update(bytes([bool(terminated[0]), bool(truncated[0])]))
        finally:
            env.close()
    return Engine(
        fingerprint=digest.hexdigest()[:16], steps=suite.engine_steps, digits=suite.engine_digits
    )


def fixed_actions(space: Space[Any], steps: int) -> NDArray[Any]:
    """Return (steps, 1, ...) actions; numpy promises that these words never change."""
    if isinstance(space, Discrete):
        words = np.random.SeedSequence(_SEED).generate_state(steps, np.uint64)
        indices: NDArray[np.int64] = (words % np.uint64(space.n)).astype(np.int64)
        discrete: NDArray[np.int64] = (indices + int(space.start))[:, None]
        return discrete
    assert isinstance(space, Box)
    count = steps * int(np.prod(space.shape))
    words = np.random.SeedSequence(_SEED).generate_state(count, np.uint64)
    share = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    low = np.where(np.isfinite(space.low), space.low, -1.0).astype(np.float64)
    high = np.where(np.isfinite(space.high), space.high, 1.0).astype(np.float64)
    actions = low + (high - low) * share.reshape(steps, 1, *space.shape)
    typed: NDArray[Any] = actions.astype(space.dtype)
    return typed


def _bytes(values: NDArray[Any], digits: int | None) -> bytes:
    """Return what of an array goes into the hash: all of it, or so many significant digits."""
    if digits is None or values.dtype.kind != "f":
        return np.ascontiguousarray(values).tobytes()
    numbers = values.astype(np.float64).ravel() + 0.0  # no negative zero
    return " ".join(f"{number:.{digits - 1}e}" for number in numbers.tolist()).encode()
