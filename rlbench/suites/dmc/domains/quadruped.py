"""The quadruped."""

from functools import partial
from math import inf
from typing import ClassVar
from xml.etree.ElementTree import Element

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import ZZ, Domain
from rlbench.suites.dmc.domains.small import length
from rlbench.suites.dmc.models import Edit, named, remove
from rlbench.suites.dmc.rewards import Floats, linear, tolerance
from rlbench.suites.dmc.scene import Scene, State, bodies, hinges, sensors, sensors_of, sites, unit

_KINDS = mujoco.mjtSensor
_WALLS = ("wall_px", "wall_py", "wall_nx", "wall_ny")


class Quadruped(Domain):
    """Move forward at a speed.

    Args:
        model: The task's.
        speed: To be reached.
    """

    fields: ClassVar[tuple[str, ...]] = ("xmat", "sensordata")

    def __init__(self, model: mujoco.MjModel, *, speed: float) -> None:
        super().__init__(model)
        self._speed = speed
        (self._torso,) = bodies(model, "torso")
        self._root = int(model.joint("root").qposadr[0])
        self._angles, self._turns = hinges(model)
        self._moved = sensors(model, "velocimeter")
        self._speed_at = int(model.sensor("velocimeter").adr[0])
        self._imu = sensors_of(model, _KINDS.mjSENS_GYRO, _KINDS.mjSENS_ACCELEROMETER)
        self._forces = sensors_of(model, _KINDS.mjSENS_FORCE, _KINDS.mjSENS_TORQUE)

    def start(self, scene: Scene, random: RandomState) -> None:
        """Turn the body anyhow, as low as it touches nothing."""
        self._place(scene, unit(random.randn(4)))

    def _place(self, scene: Scene, turned: Floats, x: float = 0.0, y: float = 0.0) -> None:
        """Lift the body by centimetres until it touches nothing."""
        height = 0.0
        for _ in range(10_000):
            scene.reset()
            scene.data.qpos[self._root : self._root + 7] = x, y, height, *turned
            scene.settle()
            if not scene.touches:
                return
            height += 0.01
        raise RuntimeError("found no start of the quadruped without a collision at 10,000 heights")

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return joints, activations, the torso's motion and uprightness, forces at the toes."""
        sensed = state.sensordata
        return (
            state.qpos[:, self._angles], state.qvel[:, self._turns], state.act,
            sensed[:, self._moved], state.xmat[:, self._torso, ZZ, None], sensed[:, self._imu],
            np.arcsinh(sensed[:, self._forces]),
        )  # fmt: skip

    def reward(self, state: State) -> Floats:
        """Reward an upright torso and speed."""
        speed = state.sensordata[:, self._speed_at]
        move = tolerance(speed, self._speed, inf, self._speed, linear, 0.5)
        return self._upright(state) * move

    def _upright(self, state: State, within: float = 0.0) -> Floats:
        """Return (n,) how upright the torso is; 1 within an angle in degrees."""
        cosine = float(np.cos(np.deg2rad(within)))
        return tolerance(state.xmat[:, self._torso, ZZ], cosine, inf, 1 + cosine, linear, 0)


class Fetch(Quadruped):
    """Bring a ball to the middle."""

    fields = ("xmat", "xpos", "site_xpos", "sensordata")

    def __init__(self, model: mujoco.MjModel) -> None:
        super().__init__(model, speed=0.0)
        (self._ball,) = bodies(model, "ball")
        self._target, self._workspace = sites(model, "target", "workspace")
        self._thrown = int(model.joint("ball_root").qposadr[0])
        self._flies = int(model.joint("ball_root").dofadr[0])
        self._moves = int(model.joint("root").dofadr[0])
        floor = float(model.geom_size[model.geom("floor").id, 0])
        self._spawn, self._arena = 0.9 * floor, floor * float(np.sqrt(2))
        ball = model.geom_size[model.geom("ball").id, 0]
        self._near = float(model.site_size[self._workspace, 0] + ball)
        self._radius = float(model.site_size[self._target, 0])

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the body and the ball anywhere."""
        azimuth = random.uniform(0, 2 * np.pi)
        turned = np.array((np.cos(azimuth / 2), 0, 0, np.sin(azimuth / 2)))
        x, y = random.uniform(-self._spawn, self._spawn, size=2)
        self._place(scene, turned, x, y)
        ball, flies = self._thrown, self._flies
        scene.data.qpos[ball : ball + 2] = random.uniform(-self._spawn, self._spawn, size=2)
        scene.data.qpos[ball + 2] = 2
        scene.data.qvel[flies : flies + 2] = 5 * random.randn(2)

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return what `Quadruped` does, and ball and target seen from the torso."""
        torso, flies, moves = state.xpos[:, self._torso], self._flies, self._moves
        ball = np.stack(
            (
                state.xpos[:, self._ball] - torso,
                state.qvel[:, flies : flies + 3] - state.qvel[:, moves : moves + 3],
                state.qvel[:, flies + 3 : flies + 6],
                state.site_xpos[:, self._target] - torso,
            ),
            axis=1,
        )
        frames = state.xmat[:, self._torso].reshape(-1, 3, 3)
        return *super().observe(state), np.matmul(ball, frames).reshape(len(ball), -1)

    def reward(self, state: State) -> Floats:
        """Reward an upright torso near the ball, and the ball near the target."""
        ball = state.xpos[:, self._ball]
        to_ball = length((state.site_xpos[:, self._workspace] - ball)[:, :2])
        to_target = length((state.site_xpos[:, self._target] - ball)[:, :2])
        reach = tolerance(to_ball, 0, self._near, self._arena, linear, 0)
        fetch = tolerance(to_target, 0, self._radius, self._arena, linear, 0)
        return self._upright(state) * (reach * (0.5 + 0.5 * fetch))


def arena(*, floor: float = 0.0, ball: bool = False) -> Edit:
    """Return what leaves a floor of some size and, if wanted, walls, ball and target."""
    return partial(_keep, floor=floor, ball=ball)


def _keep(root: Element, floor: float, ball: bool) -> None:
    if floor:
        named(root, "geom", "floor").set("size", f"{floor} {floor} .5")
    if not ball:
        for wall in _WALLS:
            remove(root, "geom", wall)
        remove(root, "body", "ball")
        remove(root, "site", "target")
    remove(root, "geom", "terrain")
    for sensor in root.findall("./sensor"):
        for finder in sensor.findall("./rangefinder"):
            sensor.remove(finder)
