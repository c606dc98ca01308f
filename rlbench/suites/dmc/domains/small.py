"""Small bodies: acrobot, ball in cup, pendulum, point mass and reacher."""

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import XZ, ZZ, ZZ_XZ, Domain
from rlbench.suites.dmc.rewards import Floats, small_control, tolerance
from rlbench.suites.dmc.scene import Scene, State, bodies, geoms, randomize_joints, sites, unit


class Acrobot(Domain):
    """Swing two poles up by the joint between them.

    Args:
        model: The task's.
        sparse: The reward is 1 at the target, otherwise 0.
    """

    fields = ("xmat", "site_xpos")

    def __init__(self, model: mujoco.MjModel, *, sparse: bool = False) -> None:
        super().__init__(model)
        self._arms = bodies(model, "upper_arm", "lower_arm")
        self._target, self._tip = sites(model, "target", "tip")
        self._radius = float(model.site_size[self._target, 0])
        self._margin = 0.0 if sparse else 1.0

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put both joints at any angle."""
        scene.data.qpos[:] = random.uniform(-np.pi, np.pi, 2)

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return sines and cosines of the arms, and velocities."""
        arms = state.xmat[:, self._arms]
        return arms[:, :, XZ], arms[:, :, ZZ], state.qvel

    def reward(self, state: State) -> Floats:
        """Reward a tip that is near the target."""
        gap = state.site_xpos[:, self._target] - state.site_xpos[:, self._tip]
        return tolerance(length(gap), 0, self._radius, self._margin)


class BallInCup(Domain):
    """Catch a ball that hangs on a string from a cup."""

    fields = ("xpos", "site_xpos")

    def __init__(self, model: mujoco.MjModel) -> None:
        super().__init__(model)
        (self._target,), (self._ball,) = sites(model, "target"), bodies(model, "ball")
        self._x, self._z = (int(model.joint(name).qposadr[0]) for name in ("ball_x", "ball_z"))
        size = model.site_size[self._target, [0, 2]]
        self._room = size - model.geom_size[model.geom("ball").id, 0]

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the ball anywhere near the cup where it touches nothing."""
        while True:
            scene.data.qpos[self._x] = random.uniform(-0.2, 0.2)
            scene.data.qpos[self._z] = random.uniform(0.2, 0.5)
            scene.settle()
            if not scene.touches:
                return

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return positions and velocities."""
        return state.qpos, state.qvel

    def reward(self, state: State) -> Floats:
        """Reward a ball that is in the cup."""
        gap = np.abs(state.site_xpos[:, self._target, ::2] - state.xpos[:, self._ball, ::2])
        return np.where((gap < self._room).all(axis=1), 1.0, 0.0)


class Pendulum(Domain):
    """Swing a pole up that is too heavy to be lifted at once."""

    fields = ("xmat",)
    _UPRIGHT = float(np.cos(np.deg2rad(8)))

    def __init__(self, model: mujoco.MjModel) -> None:
        super().__init__(model)
        (self._pole,) = bodies(model, "pole")

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the pole at any angle."""
        scene.data.qpos[0] = random.uniform(-np.pi, np.pi)

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return cosine and sine of the pole, and its velocity."""
        return state.xmat[:, self._pole, ZZ_XZ], state.qvel

    def reward(self, state: State) -> Floats:
        """Reward a pole that stands within 8 degrees of the top."""
        return tolerance(state.xmat[:, self._pole, ZZ], self._UPRIGHT, 1)


class PointMass(Domain):
    """Push a point to the middle.

    Args:
        model: The task's.
        random_gains: Each episode has two directions of its own in which the actuators push.
    """

    fields = ("geom_xpos",)
    varied = ("wrap_prm",)

    def __init__(self, model: mujoco.MjModel, *, random_gains: bool = False) -> None:
        super().__init__(model)
        self._target, self._mass = geoms(model, "target", "pointmass")
        self._size = float(model.geom_size[self._target, 0])
        self._random_gains = random_gains

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the point anywhere; draw the directions."""
        randomize_joints(scene, random)
        if self._random_gains:
            first = unit(random.randn(2))
            while True:
                second = unit(random.randn(2))
                if abs(np.dot(first, second)) <= 0.9:
                    break
            scene.model.wrap_prm[:2], scene.model.wrap_prm[2:4] = first, second

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return positions and velocities."""
        return state.qpos, state.qvel

    def reward(self, state: State) -> Floats:
        """Reward a point near the target and little force."""
        gap = state.geom_xpos[:, self._target] - state.geom_xpos[:, self._mass]
        near = tolerance(length(gap), 0, self._size, self._size)
        return near * small_control(state.ctrl)


class Reacher(Domain):
    """Reach a target with an arm of two links.

    Args:
        model: The task's.
        radius: Of the target.
    """

    fields = ("geom_xpos",)
    varied = ("geom_pos",)

    def __init__(self, model: mujoco.MjModel, *, radius: float) -> None:
        super().__init__(model)
        self._target, self._finger = geoms(model, "target", "finger")
        model.geom_size[self._target, 0] = radius
        self._reach = float(model.geom_size[[self._target, self._finger], 0].sum())

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the arm and the target anywhere."""
        randomize_joints(scene, random)
        angle = random.uniform(0, 2 * np.pi)
        radius = random.uniform(0.05, 0.20)
        place = radius * np.sin(angle), radius * np.cos(angle)
        scene.model.geom_pos[self._target, :2] = place

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return positions, the way to the target, and velocities."""
        return state.qpos, self._gap(state), state.qvel

    def reward(self, state: State) -> Floats:
        """Reward a finger that touches the target."""
        return tolerance(length(self._gap(state)), 0, self._reach)

    def _gap(self, state: State) -> Floats:
        places = state.geom_xpos
        gap: Floats = places[:, self._target, :2] - places[:, self._finger, :2]
        return gap


def length(vectors: Floats) -> Floats:
    """Return (n,) the lengths of vectors (n, k)."""
    lengths: Floats = np.sqrt(np.einsum("ni,ni->n", vectors, vectors))
    return lengths
