"""Bodies in a plane: cheetah, finger, hopper and walker."""

from math import inf

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import XX_XZ, ZZ, Domain
from rlbench.suites.dmc.domains.small import length
from rlbench.suites.dmc.rewards import Floats, linear, small_control, tolerance
from rlbench.suites.dmc.scene import Scene, State, bodies, randomize_joints, sensors, sites


class Cheetah(Domain):
    """Run."""

    fields = ("sensordata",)
    _SPEED = 10.0

    def __init__(self, model: mujoco.MjModel) -> None:
        super().__init__(model)
        self._speed = int(model.sensor("torso_subtreelinvel").adr[0])
        self._limited = model.jnt_limited == 1
        self._low, self._high = model.jnt_range[self._limited].T

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put limbs anywhere and let the body come to rest."""
        scene.data.qpos[self._limited] = random.uniform(self._low, self._high)
        scene.step(200)
        scene.data.time = 0

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return positions but the horizontal one, and velocities."""
        return state.qpos[:, 1:], state.qvel

    def reward(self, state: State) -> Floats:
        """Reward speed."""
        speed = state.sensordata[:, self._speed]
        return tolerance(speed, self._SPEED, inf, self._SPEED, linear, 0)


class Finger(Domain):
    """Turn a free body by a finger.

    Args:
        model: The task's.
        radius: Of the target that the body's tip is to be turned to; 0 to keep it spinning.
    """

    fields = ("sensordata",)
    varied = ("site_pos",)
    _SPIN = 15.0

    def __init__(self, model: mujoco.MjModel, *, radius: float = 0.0) -> None:
        super().__init__(model)
        self._radius = radius
        (self._target,) = sites(model, "target")
        if radius:
            model.site_size[self._target, 0] = radius
        else:
            model.site_rgba[[self._target, *sites(model, "tip")], 3] = 0
            model.dof_damping[model.joint("hinge").dofadr[0]] = 0.03
        self._reach = model.geom_size[model.geom("cap1").id].sum()
        self._angles = sensors(model, "proximal", "distal")
        places = [int(model.sensor(name).adr[0]) for name in ("tip", "spinner", "target")]
        self._tip, self._hinge, self._mark = (slice(at, at + 3, 2) for at in places)
        self._spin = int(model.sensor("hinge_velocity").adr[0])
        self._speeds = sensors(model, "proximal_velocity", "distal_velocity", "hinge_velocity")
        self._touch = sensors(model, "touchtop", "touchbottom")

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the target and then the joints anywhere where nothing touches."""
        if self._radius:
            angle = random.uniform(-np.pi, np.pi)
            x, _, z = scene.data.xanchor[self.model.joint("hinge").id]
            place = x + self._reach * np.sin(angle), z + self._reach * np.cos(angle)
            scene.model.site_pos[self._target, ::2] = place
        for _ in range(1000):
            randomize_joints(scene, random)
            scene.settle()
            if not scene.touches:
                return
        raise RuntimeError("found no start of the finger without a collision in 1,000 draws")

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return angles, the tip, velocities, touch, and of turning the target."""
        sensed = state.sensordata
        tip = sensed[:, self._tip] - sensed[:, self._hinge]
        parts: tuple[Floats, ...] = (
            sensed[:, self._angles], tip, sensed[:, self._speeds],
            np.log1p(sensed[:, self._touch]),
        )  # fmt: skip
        if not self._radius:
            return parts
        target = sensed[:, self._mark] - sensed[:, self._hinge]
        return *parts, target, (length(target - tip) - self._radius)[:, None]

    def reward(self, state: State) -> Floats:
        """Reward a body that spins fast, or a tip that is in the target."""
        sensed = state.sensordata
        if not self._radius:
            return np.where(sensed[:, self._spin] <= -self._SPIN, 1.0, 0.0)
        hinge = sensed[:, self._hinge]
        gap = (sensed[:, self._mark] - hinge) - (sensed[:, self._tip] - hinge)
        return np.where(length(gap) - self._radius <= 0, 1.0, 0.0)


class Hopper(Domain):
    """Stand or hop on one leg.

    Args:
        model: The task's.
        hop: The task is to hop.
    """

    fields = ("xipos", "sensordata")
    _HEIGHT, _SPEED = 0.6, 2.0

    def __init__(self, model: mujoco.MjModel, *, hop: bool) -> None:
        super().__init__(model)
        self._hop = hop
        self._torso, self._foot = bodies(model, "torso", "foot")
        self._speed = int(model.sensor("torso_subtreelinvel").adr[0])
        self._touch = sensors(model, "touch_toe", "touch_heel")

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return positions but the horizontal one, velocities and touch."""
        return state.qpos[:, 1:], state.qvel, np.log1p(state.sensordata[:, self._touch])

    def reward(self, state: State) -> Floats:
        """Reward standing, with speed or with little force."""
        height = state.xipos[:, self._torso, 2] - state.xipos[:, self._foot, 2]
        standing = tolerance(height, self._HEIGHT, 2)
        if not self._hop:
            return standing * small_control(state.ctrl)
        speed = state.sensordata[:, self._speed]
        return standing * tolerance(speed, self._SPEED, inf, self._SPEED / 2, linear, 0.5)


class Walker(Domain):
    """Stand, walk or run on two legs.

    Args:
        model: The task's.
        speed: To be reached; 0 to stand.
    """

    fields = ("xmat", "xpos", "sensordata")
    _HEIGHT = 1.2

    def __init__(self, model: mujoco.MjModel, *, speed: float) -> None:
        super().__init__(model)
        self._speed = speed
        (self._torso,) = bodies(model, "torso")
        self._sensed = int(model.sensor("torso_subtreelinvel").adr[0])

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return orientations of all parts, the torso's height, and velocities."""
        turned = state.xmat[:, 1:, XX_XZ].reshape(len(state.qpos), -1)
        return turned, state.xpos[:, self._torso, 2:], state.qvel

    def reward(self, state: State) -> Floats:
        """Reward a torso that is high and upright, and speed."""
        height = state.xpos[:, self._torso, 2]
        standing = tolerance(height, self._HEIGHT, inf, self._HEIGHT / 2)
        upright = (1 + state.xmat[:, self._torso, ZZ]) / 2
        stand: Floats = (3 * standing + upright) / 4
        if self._speed == 0:
            return stand
        speed = state.sensordata[:, self._sensed]
        move = tolerance(speed, self._speed, inf, self._speed / 2, linear, 0.5)
        return stand * (5 * move + 1) / 6
