"""`stori26@1`: the 26 games of Atari 100k, clean and under 17 disturbances in three strengths."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rlbench.suites.atari.protocols import ATARI100K_RGB64
from rlbench.suites.suite import Constant, Scalar, Split, Task

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

CLEAN = "clean"


class _Strength(NamedTuple):
    """One strength of a mode.

    Attributes:
        mode: The name of the disturbance.
        strength: 1 to 3.
        amount: Its probability, share of the picture, radius or standard deviation; 0 without one.
        steps: Its steps; 0 without any.
    """

    mode: str
    strength: int
    amount: float
    steps: int = 0


STRENGTHS = (
    _Strength("action-corruption", 1, 0.1),
    _Strength("action-corruption", 2, 0.3),
    _Strength("action-corruption", 3, 0.5),
    _Strength("sticky", 1, 0.25),
    _Strength("sticky", 2, 0.5),
    _Strength("sticky", 3, 0.75),
    _Strength("action-delay", 1, 0.0, 1),
    _Strength("action-delay", 2, 0.0, 2),
    _Strength("action-delay", 3, 0.0, 4),
    _Strength("frame-drop", 1, 0.1),
    _Strength("frame-drop", 2, 0.3),
    _Strength("frame-drop", 3, 0.5),
    _Strength("frame-freeze", 1, 0.02, 8),
    _Strength("frame-freeze", 2, 0.05, 8),
    _Strength("frame-freeze", 3, 0.1, 8),
    _Strength("observation-delay", 1, 0.0, 1),
    _Strength("observation-delay", 2, 0.0, 2),
    _Strength("observation-delay", 3, 0.0, 4),
    _Strength("gaussian-noise", 1, 0.05),
    _Strength("gaussian-noise", 2, 0.1),
    _Strength("gaussian-noise", 3, 0.2),
    _Strength("salt-and-pepper", 1, 0.01),
    _Strength("salt-and-pepper", 2, 0.05),
    _Strength("salt-and-pepper", 3, 0.1),
    _Strength("occlusion", 1, 0.25),
    _Strength("occlusion", 2, 0.4),
    _Strength("occlusion", 3, 0.55),
    _Strength("crop", 1, 0.25),
    _Strength("crop", 2, 0.5),
    _Strength("crop", 3, 0.75),
    _Strength("disc", 1, 0.5),
    _Strength("disc", 2, 0.35),
    _Strength("disc", 3, 0.2),
    _Strength("blackout", 1, 0.1),
    _Strength("blackout", 2, 0.3),
    _Strength("blackout", 3, 0.5),
    _Strength("reward-noise", 1, 0.5),
    _Strength("reward-noise", 2, 1.0),
    _Strength("reward-noise", 3, 2.0),
    _Strength("reward-drop", 1, 0.25),
    _Strength("reward-drop", 2, 0.5),
    _Strength("reward-drop", 3, 0.75),
    _Strength("reward-delay", 1, 0.0, 5),
    _Strength("reward-delay", 2, 0.0, 20),
    _Strength("reward-delay", 3, 0.0, 80),
    _Strength("sudden-drift", 1, 0.5, 1000),
    _Strength("sudden-drift", 2, 0.5, 500),
    _Strength("sudden-drift", 3, 0.5, 250),
    _Strength("cyclic-drift", 1, 0.5, 1000),
    _Strength("cyclic-drift", 2, 0.5, 500),
    _Strength("cyclic-drift", 3, 0.5, 250),
)


def _tasks_of(game: Task) -> tuple[Task, ...]:
    """Return the clean task of a game and its disturbed versions."""
    clean = f"{game.name}/{CLEAN}"
    return (
        replace(game, name=clean),
        *(
            replace(
                game,
                name=f"{game.name}/{row.mode}-{row.strength}",
                overrides={
                    "disturbance": row.mode,
                    "strength": row.strength,
                    "amount": row.amount,
                    "steps": row.steps,
                },
                clean=clean,
            )
            for row in STRENGTHS
        ),
    )


_NONE: Mapping[str, Scalar] = {"disturbance": "none", "strength": 0, "amount": 0.0, "steps": 0}

STORI26 = replace(
    ATARI100K_RGB64,
    name="stori26",
    title="STORI-26",
    summary="26 Atari games, clean and under 17 disturbances in 3 strengths, 100,000 steps each.",
    notes=(
        "The tasks are GAME/clean and GAME/MODE-STRENGTH, e.g. Pong/sticky-2. Training and "
        "evaluation have the same disturbance, except for rewards: reward-noise, reward-drop and "
        "reward-delay act in training only, since an evaluation counts true rewards.",
        "A disturbance acts on agent steps: on the action of a step, and on the picture of a step "
        "after pooling and resizing. In the original STORI it acts on each frame of the emulator, "
        "before two frames are pooled. So what a mask hides can shine through from the other "
        "frame, and an action is disturbed more often. You cannot compare scores of the two.",
        "What is drawn at step t of episode e in a slot depends on the slot's stream, e and t "
        "alone: not on actions, on the game or on other episodes.",
        *ATARI100K_RGB64.notes[:-1],
        "All tasks of a game are normalised by the random and human scores of the game as it is, "
        "so 0 is random play in the clean task only. `rlbench stats --suite stori26 --retention` "
        "gives the share of the clean score that an agent keeps under each disturbance.",
    ),
    protocol=replace(
        ATARI100K_RGB64.protocol,
        environment={**ATARI100K_RGB64.protocol.environment, **_NONE},
    ),
    tasks=tuple(task for game in ATARI100K_RGB64.tasks for task in _tasks_of(game)),
    reference_source=f"of the undisturbed games: {ATARI100K_RGB64.reference_source}",
    factory="rlbench.suites.stori.stori26:make",
    papers="",
)


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "VectorEnv[Any, Any, Any]":
    """Make the environments of one task; see `Suite.make`.

    Raises:
        UsageError: The constants name no disturbance, or one of its parameters is out of range.
    """
    from rlbench.disturbances import DisturbedVectorEnv, disturbance_of
    from rlbench.suites.atari import envs

    env = envs.make(task, constants, split=split, num_envs=num_envs, stream=stream)
    c: dict[str, Any] = dict(constants)
    if c["disturbance"] == "none":
        return env
    disturbance = disturbance_of(c["disturbance"], c["amount"], c["steps"])
    if disturbance.stage == "reward" and split == "eval":
        return env
    return DisturbedVectorEnv(env, disturbance, seed=stream)
