"""What tests of RandomFrictionHopper share: where episodes of the data begin, and contacts."""

import random
from typing import Any

import numpy as np


def hopper_start(seed: int) -> np.ndarray:
    """Return how an episode of the published data begins, given its number.

    The original draws the friction from Python's global stream, the rest from its own.
    """
    stream = np.random.default_rng(seed)
    moved = [stream.uniform(-0.005, 0.005, 6) for _ in range(2)]
    return np.append(np.concatenate(moved), random.Random(seed).uniform(1.5, 2.5))


def touches_nothing(mujoco: Any, model: Any, state: Any, action: Any) -> bool:
    """Say whether a hopper touches nothing and bends no joint to its limit in a step."""
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = state[:6], state[6:]
    data.ctrl[:] = action
    for _ in range(4):
        mujoco.mj_step(model, data)
        if data.nefc:
            return False
    mujoco.mj_forward(model, data)
    return bool(data.nefc == 0)
