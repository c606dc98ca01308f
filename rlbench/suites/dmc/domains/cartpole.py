"""Cart and pole."""

from collections.abc import Callable
from functools import partial
from xml.etree.ElementTree import Element, SubElement

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import ZZ, ZZ_XZ, Domain
from rlbench.suites.dmc.models import named
from rlbench.suites.dmc.rewards import Floats, small_control, tolerance
from rlbench.suites.dmc.scene import Scene, State


class Cartpole(Domain):
    """Balance poles on a cart, from near the top or from below.

    Args:
        model: The task's.
        swing_up: Poles start below.
        sparse: The reward is 1 near the top and in the middle, otherwise 0.
    """

    fields = ("xmat",)

    def __init__(self, model: mujoco.MjModel, *, swing_up: bool, sparse: bool = False) -> None:
        super().__init__(model)
        self._swing_up, self._sparse = swing_up, sparse

    def start(self, scene: Scene, random: RandomState) -> None:
        """Put the cart near the middle, and poles near the bottom or the top."""
        qpos, qvel, count = scene.data.qpos, scene.data.qvel, self.model.nv
        if self._swing_up:
            qpos[0] = 0.01 * random.randn()
            qpos[1] = np.pi + 0.01 * random.randn()
            qpos[2:] = 0.1 * random.randn(count - 2)
        else:
            qpos[0] = random.uniform(-0.1, 0.1)
            qpos[1:] = random.uniform(-0.034, 0.034, count - 1)
        qvel[:] = 0.01 * random.randn(count)

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return the cart's place, cosines and sines of the poles, and velocities."""
        angles = state.xmat[:, 2:, ZZ_XZ].reshape(len(state.qpos), -1)
        return state.qpos[:, :1], angles, state.qvel

    def reward(self, state: State) -> Floats:
        """Reward poles that are upright, a cart in the middle, little speed and force."""
        cart, cosines = state.qpos[:, 0], state.xmat[:, 2:, ZZ]
        if self._sparse:
            balanced: Floats = tolerance(cosines, 0.995, 1).prod(axis=1)
            return tolerance(cart, -0.25, 0.25) * balanced
        upright = ((cosines + 1) / 2).sum(axis=1) / cosines.shape[1]
        centred = (1 + tolerance(cart, margin=2)) / 2
        slow = (1 + tolerance(state.qvel[:, 1:], margin=5).min(axis=1)) / 2
        rewards: Floats = upright * small_control(state.ctrl) * slow * centred
        return rewards


def poles(count: int) -> Callable[[Element], None]:
    """Return what puts more poles on the first one."""
    return partial(_add_poles, count=count)


def _add_poles(root: Element, count: int) -> None:
    parent = named(root, "body", "pole_1")
    for k in range(2, count + 1):
        child = SubElement(parent, "body", name=f"pole_{k}", pos="0 0 1", childclass="pole")
        SubElement(child, "joint", name=f"hinge_{k}")
        SubElement(child, "geom", name=f"pole_{k}")
        parent = child
    world = root.find("./worldbody")
    assert world is not None
    floor = world.find("./geom")
    assert floor is not None
    floor.set("pos", f"0 0 {1 - count - 0.05}")
    first, second = world.findall("./camera")[:2]
    first.set("pos", f"0 {-1 - 2 * count} 1")
    second.set("pos", f"0 {-2 * count} 2")
