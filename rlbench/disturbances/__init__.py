"""Disturbances of any environment: of what an agent does, sees or is paid.

A disturbance is data, with parameters that fit every environment: shares of the picture,
probabilities, steps. `DisturbedEnv` and `DisturbedVectorEnv` put one over an environment; wrappers
may stand over each other. Steps are those of the environment that is wrapped.

Pictures are (height, width) or (height, width, 1, 3 or 4 channels), and may have a first axis for a
stack, all of whose frames are disturbed alike. Vectors (n,) count as a picture one pixel high where
that makes sense; what is hidden of them turns 0.

Every episode of every slot has a random stream of its own, drawn from (seed, disturbance, slot,
episode), and as much is drawn at each of its steps whatever comes of it. So what is drawn at step t
of episode e of slot i depends on nothing else: not on actions, on the game, on the lengths of other
episodes, or on how many slots there are.
"""

from rlbench.disturbances.kinds import (
    ActionCorruption,
    ActionDelay,
    Blackout,
    Crop,
    CyclicDrift,
    Disc,
    Disturbance,
    FrameDrop,
    FrameFreeze,
    GaussianNoise,
    ObservationDelay,
    Occlusion,
    RewardDelay,
    RewardDrop,
    RewardNoise,
    SaltAndPepper,
    StickyActions,
    SuddenDrift,
    disturbance_of,
)
from rlbench.disturbances.wrappers import DisturbedEnv, DisturbedVectorEnv

__all__ = [
    "ActionCorruption",
    "ActionDelay",
    "Blackout",
    "Crop",
    "CyclicDrift",
    "Disc",
    "Disturbance",
    "DisturbedEnv",
    "DisturbedVectorEnv",
    "FrameDrop",
    "FrameFreeze",
    "GaussianNoise",
    "ObservationDelay",
    "Occlusion",
    "RewardDelay",
    "RewardDrop",
    "RewardNoise",
    "SaltAndPepper",
    "StickyActions",
    "SuddenDrift",
    "disturbance_of",
]
