"""The dog."""

from functools import partial
from math import inf
from xml.etree.ElementTree import Element

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import Z_ROW, ZZ, Domain
from rlbench.suites.dmc.domains.swimmers import into
from rlbench.suites.dmc.models import Edit, named, remove
from rlbench.suites.dmc.rewards import Floats, linear, tolerance
from rlbench.suites.dmc.scene import Scene, State, bodies, hinges, sensors

_UPRIGHT = float(np.cos(np.deg2rad(30)))


class Dog(Domain):
    """Stand or move forward at a speed.

    Args:
        model: The task's.
        speed: To be reached; 0 to stand.
    """

    fields = ("xmat", "xpos", "sensordata")

    def __init__(self, model: mujoco.MjModel, *, speed: float) -> None:
        super().__init__(model)
        self._speed = speed
        self._torso, self._pelvis, skull = bodies(model, "torso", "pelvis", "skull")
        self._upright = [skull, self._torso, self._pelvis]
        self._root = int(model.joint("root").qposadr[0])
        self._angles, self._turns = hinges(model)
        self._moved = sensors(model, "torso_linvel")
        self._inertial = sensors(model, "accelerometer", "velocimeter", "gyro")
        self._feet = sensors(model, "foot_L", "foot_R", "hand_L", "hand_R")
        self._touch = sensors(model, "palm_L", "palm_R", "sole_L", "sole_R")
        heights = Scene(model).data.xpos[[self._torso, self._pelvis], 2] * 0.9
        self._heights = heights.tolist()
        self._weight = float(-model.opt.gravity[2] * model.body_subtreemass[self._torso])

    def start(self, scene: Scene, random: RandomState) -> None:
        """Turn the standing dog about, push it, and draw the actuators' activations."""
        azimuth = random.uniform(0, 2 * np.pi)
        turned = np.cos(azimuth / 2), 0, 0, np.sin(azimuth / 2)
        scene.data.qpos[self._root + 3 : self._root + 7] = turned
        for k in (0, 1, 5):
            scene.data.qvel[k] = 2 * random.randn()
        for k, (low, high) in enumerate(self.model.actuator_ctrlrange.tolist()):
            scene.data.act[k] = random.uniform(low, high)

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return joints, heights, uprightness, motion, forces at the feet, and activations."""
        sensed = state.sensordata
        upright = state.xmat[:, self._upright, Z_ROW].reshape(len(sensed), -1)
        return (
            state.qpos[:, self._angles], state.qvel[:, self._turns],
            state.xpos[:, [self._torso, self._pelvis], 2], upright,
            into(sensed[:, self._moved], state.xmat[:, self._torso]), sensed[:, self._inertial],
            sensed[:, self._feet], sensed[:, self._touch], state.act,
        )  # fmt: skip

    def reward(self, state: State) -> Floats:
        """Reward heights, uprightness, weight on the feet, and the speed: their product."""
        (torso, pelvis), sensed = self._heights, state.sensordata
        rewards = tolerance(state.xpos[:, self._torso, 2], torso, inf, torso)
        rewards = rewards * tolerance(state.xpos[:, self._pelvis, 2], pelvis, inf, pelvis)
        upright = state.xmat[:, self._upright, ZZ]
        rewards *= tolerance(upright, _UPRIGHT, inf, _UPRIGHT + 1, linear, 0).prod(axis=1)
        load = sensed[:, self._touch].sum(axis=1)
        rewards *= tolerance(load, self._weight, inf, self._weight, linear, 0.9)
        if self._speed:
            forward = into(sensed[:, self._moved], state.xmat[:, self._torso])[:, 0]
            margin = max(1.0, self._speed)
            move = tolerance(forward, self._speed, 2 * self._speed, margin, linear, 0)
            rewards *= (4 * move + 1) / 5
        return rewards


def arena(floor: float) -> Edit:
    """Return what leaves a floor of some size, and neither ball nor walls."""
    return partial(_keep, floor=floor)


def _keep(root: Element, floor: float) -> None:
    named(root, "geom", "floor").set("size", f"{floor} {floor} .1")
    remove(root, "body", "ball")
    remove(root, "geom", "target")
    for camera in ("ball", "head"):
        remove(root, "camera", camera)
    for wall in ("px", "nx", "py", "ny"):
        remove(root, "geom", f"wall_{wall}")
