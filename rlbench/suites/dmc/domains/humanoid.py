"""Humanoids: the suite's own and the one of CMU's motion capture."""

from math import inf

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import Z_ROW, ZY, ZZ, Domain
from rlbench.suites.dmc.domains.small import length
from rlbench.suites.dmc.rewards import Floats, linear, small_control, tolerance
from rlbench.suites.dmc.scene import Scene, State, bodies, randomize_joints


class Humanoid(Domain):
    """Stand, walk or run.

    Args:
        model: The task's.
        speed: To be reached; 0 to stand.
        pure: Observations are positions and velocities alone.
        cmu: The model is that of CMU's motion capture.
    """

    fields = ("xmat", "xpos", "sensordata")
    _HEIGHT = 1.4

    def __init__(
        self, model: mujoco.MjModel, *, speed: float, pure: bool = False, cmu: bool = False
    ) -> None:
        super().__init__(model)
        self._speed, self._pure = speed, pure
        torso, sides = ("thorax", ("l", "r")) if cmu else ("torso", ("left_", "right_"))
        self._up = ZY if cmu else ZZ
        self._torso, self._head = bodies(model, torso, "head")
        self._limbs = bodies(model, *(side + limb for side in sides for limb in ("hand", "foot")))
        moved = int(model.sensor(f"{torso}_subtreelinvel").adr[0])
        self._moved, self._along = slice(moved, moved + 3), slice(moved, moved + 2)

    def start(self, scene: Scene, random: RandomState) -> None:
        """Turn and bend the body anyhow, until it touches nothing."""
        while True:
            randomize_joints(scene, random)
            scene.settle()
            if not scene.touches:
                return

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return joints, height, limbs seen from the torso, its uprightness, and velocities."""
        if self._pure:
            return state.qpos, state.qvel
        turned = state.xmat[:, self._torso]
        limbs = state.xpos[:, self._limbs] - state.xpos[:, self._torso, None]
        limbs = np.matmul(limbs, turned.reshape(-1, 3, 3)).reshape(len(limbs), -1)
        return (
            state.qpos[:, 7:], state.xpos[:, self._head, 2:], limbs, turned[:, Z_ROW],
            state.sensordata[:, self._moved], state.qvel,
        )  # fmt: skip

    def reward(self, state: State) -> Floats:
        """Reward a head that is high, a torso upright, little force, and the speed."""
        height = state.xpos[:, self._head, 2]
        standing = tolerance(height, self._HEIGHT, inf, self._HEIGHT / 4)
        upright = tolerance(state.xmat[:, self._torso, self._up], 0.9, inf, 1.9, linear, 0)
        stand = small_control(state.ctrl) * (standing * upright)
        moved = state.sensordata[:, self._along]
        if self._speed == 0:
            still: Floats = tolerance(moved, margin=2).mean(axis=1)
            return stand * still
        move = tolerance(length(moved), self._speed, inf, self._speed, linear, 0)
        return stand * ((5 * move + 1) / 6)
