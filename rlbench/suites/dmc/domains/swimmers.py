"""Bodies in water: fish and swimmer."""

from functools import partial
from xml.etree.ElementTree import Element, SubElement

import mujoco
import numpy as np
from numpy.random import RandomState

from rlbench.suites.dmc.domains.domain import ZZ, Domain
from rlbench.suites.dmc.domains.small import length
from rlbench.suites.dmc.models import Edit
from rlbench.suites.dmc.rewards import Floats, long_tail, tolerance
from rlbench.suites.dmc.scene import Scene, State, bodies, geoms, randomize_joints, unit

_FINS = (
    "tail1", "tail_twist", "tail2", "finright_roll", "finright_pitch", "finleft_roll",
    "finleft_pitch",
)  # fmt: skip


class Fish(Domain):
    """Keep upright, or swim to a target.

    Args:
        model: The task's.
        swim: The task is to swim.
    """

    fields = ("xmat", "geom_xpos", "geom_xmat")
    varied = ("geom_pos",)

    def __init__(self, model: mujoco.MjModel, *, swim: bool) -> None:
        super().__init__(model)
        self._swim = swim
        (self._torso,) = bodies(model, "torso")
        self._mouth, self._target = geoms(model, "mouth", "target")
        self._radii = float(model.geom_size[[self._mouth, self._target], 0].sum())
        self._fins = [int(model.joint(name).qposadr[0]) for name in _FINS]
        self._root = int(model.joint("root").qposadr[0])
        if not swim:
            model.geom_rgba[self._target, 3] = 0

    def start(self, scene: Scene, random: RandomState) -> None:
        """Turn the fish anyhow, bend it a little, and put the target anywhere."""
        scene.data.qpos[self._root + 3 : self._root + 7] = unit(random.randn(4))
        for fin in self._fins:
            scene.data.qpos[fin] = random.uniform(-0.2, 0.2)
        if self._swim:
            place = [random.uniform(*span) for span in ((-0.4, 0.4), (-0.4, 0.4), (0.1, 0.3))]
            scene.model.geom_pos[self._target] = place

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return fins, uprightness, of swimming the way to the target, and velocities."""
        fins, upright = state.qpos[:, self._fins], state.xmat[:, self._torso, ZZ, None]
        if not self._swim:
            return fins, upright, state.qvel
        return fins, upright, self._gap(state), state.qvel

    def reward(self, state: State) -> Floats:
        """Reward being upright, and a mouth near the target."""
        upright = state.xmat[:, self._torso, ZZ]
        if not self._swim:
            return tolerance(upright, 1, 1, margin=1)
        near = tolerance(length(self._gap(state)), 0, self._radii, 2 * self._radii)
        rewards: Floats = (7 * near + 0.5 * (upright + 1)) / 8
        return rewards

    def _gap(self, state: State) -> Floats:
        """Return (n, 3) the way from the mouth to the target, seen from the mouth."""
        way = state.geom_xpos[:, self._target] - state.geom_xpos[:, self._mouth]
        return into(way, state.geom_xmat[:, self._mouth])


class Swimmer(Domain):
    """Swim to a target with a chain of links."""

    fields = ("xmat", "geom_xpos", "sensordata")
    varied = ("geom_pos", "light_pos")

    def __init__(self, model: mujoco.MjModel) -> None:
        super().__init__(model)
        (self._head,) = bodies(model, "head")
        self._nose, self._target = geoms(model, "nose", "target")
        self._size = float(model.geom_size[self._target, 0])
        self._light = model.light("target_light").id
        links = np.arange(12, model.nsensordata).reshape(-1, 6)
        self._speeds = links[:, [0, 1, 5]].ravel()

    def start(self, scene: Scene, random: RandomState) -> None:
        """Bend the body anyhow, and put the target anywhere, sometimes near."""
        randomize_joints(scene, random)
        box = 0.3 if random.rand() < 0.2 else 2
        place = random.uniform(-box, box, size=2)
        scene.model.geom_pos[self._target, :2] = place
        scene.model.light_pos[self._light, :2] = place

    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return joints, the way to the target, and the links' velocities."""
        return state.qpos[:, 3:], self._gap(state), state.sensordata[:, self._speeds]

    def reward(self, state: State) -> Floats:
        """Reward a nose near the target."""
        size = self._size
        return tolerance(length(self._gap(state)), 0, size, 5 * size, long_tail)

    def _gap(self, state: State) -> Floats:
        way = state.geom_xpos[:, self._target] - state.geom_xpos[:, self._nose]
        return into(way, state.xmat[:, self._head])[:, :2]


def links(count: int) -> Edit:
    """Return what makes a swimmer of some links."""
    return partial(_add_links, count=count)


def _add_links(root: Element, count: int) -> None:
    actuator, sensor = SubElement(root, "actuator"), SubElement(root, "sensor")
    parent = root.find("./worldbody/body")
    assert parent is not None
    for camera in parent.findall("./camera"):
        if camera.get("mode") == "trackcom":
            place = camera.get("pos", "").split(" ")
            camera.set("pos", " ".join(str(float(x) * (count / 6.0)) for x in place))
    for k in range(count - 1):
        child = SubElement(parent, "body", name=f"segment_{k}", pos="0 .1 0")
        SubElement(child, "geom", {"class": "visual", "name": f"visual_{k}"})
        SubElement(child, "geom", {"class": "inertial", "name": f"inertial_{k}"})
        SubElement(child, "site", name=f"site_{k}")
        limit = 360.0 / count
        SubElement(child, "joint", name=f"joint_{k}", range=f"{-limit} {limit}")
        SubElement(actuator, "motor", name=f"motor_{k}", joint=f"joint_{k}")
        SubElement(sensor, "velocimeter", name=f"velocimeter_{k}", site=f"site_{k}")
        SubElement(sensor, "gyro", name=f"gyro_{k}", site=f"site_{k}")
        parent = child


def into(vectors: Floats, frames: Floats) -> Floats:
    """Return vectors (n, 3) as they are in frames, (n, 9) by rows."""
    turned: Floats = np.matmul(vectors[:, None], frames.reshape(-1, 3, 3))[:, 0]
    return turned
