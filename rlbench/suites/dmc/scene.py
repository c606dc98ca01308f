"""One simulation in which an episode's start is found, as dm_control's `Physics` does it."""

from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

_NO_ACTUATION = int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
_RK4 = int(mujoco.mjtIntegrator.mjINT_RK4)
_INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)
_HINGE, _SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
_BALL, _FREE = int(mujoco.mjtJoint.mjJNT_BALL), int(mujoco.mjtJoint.mjJNT_FREE)


Columns = NDArray[np.intp] | slice


class State(SimpleNamespace):
    """Fields of `mujoco.MjData` and `MjModel` by name, of n simulations: arrays (n, ...) each."""


class Scene:
    """A model and its data.

    The calls are those of dm_control's `Physics`, in its order, so that positions, contacts and the
    solver's warm start are the same bit for bit.

    Args:
        model: A copy that this scene may write into.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.reset()

    def reset(self) -> None:
        """Go to the model's default state."""
        mujoco.mj_resetData(self.model, self.data)
        self.settle()

    def settle(self) -> None:
        """Compute all that follows from the state; actuators do not act."""
        options = self.model.opt
        kept = options.disableflags
        options.disableflags = kept | _NO_ACTUATION
        mujoco.mj_forward(self.model, self.data)
        options.disableflags = kept

    def step(self, count: int) -> None:
        """Play physics steps; afterwards positions and velocities are up to date."""
        if self.model.opt.integrator == _RK4:
            mujoco.mj_step(self.model, self.data, count)
        else:
            mujoco.mj_step2(self.model, self.data)
            if count > 1:
                mujoco.mj_step(self.model, self.data, count - 1)
        mujoco.mj_step1(self.model, self.data)

    @property
    def touches(self) -> bool:
        """Whether anything is in contact."""
        return bool(self.data.ncon > 0)

    def state(self, fields: tuple[str, ...], varied: tuple[str, ...]) -> State:
        """Return live views of fields with a first axis of 1.

        Args:
            fields: Of the data, besides qpos, qvel, act and ctrl.
            varied: Of the model.
        """
        of_data = {name: getattr(self.data, name) for name in ("qpos", "qvel", "act", "ctrl")}
        of_data |= {name: getattr(self.data, name) for name in fields}
        of_model = {name: getattr(self.model, name) for name in varied}
        return State(**{name: field[None] for name, field in (of_data | of_model).items()})

    def write(self, row: NDArray[np.float64]) -> None:
        """Write the whole state into a row of a batch's states."""
        mujoco.mj_getState(self.model, self.data, row, _INTEGRATION)


def randomize_joints(scene: Scene, random: RandomState) -> None:
    """Draw joints from their range, joints without one from all angles or orientations.

    One draw a joint in the model's order; a free joint's orientation is of uniform draws in [0, 1),
    as in dm_control, whose authors keep this for the sake of comparable results.
    """
    model, qpos = scene.model, scene.data.qpos
    kinds, limited, ranges, places = (
        model.jnt_type.tolist(), model.jnt_limited.tolist(), model.jnt_range.tolist(),
        model.jnt_qposadr.tolist(),
    )  # fmt: skip
    for kind, is_limited, (low, high), at in zip(kinds, limited, ranges, places, strict=True):
        if is_limited:
            if kind in (_HINGE, _SLIDE):
                qpos[at] = random.uniform(low, high)
        elif kind == _HINGE:
            qpos[at] = random.uniform(-np.pi, np.pi)
        elif kind == _BALL:
            qpos[at : at + 4] = unit(random.randn(4))
        elif kind == _FREE:
            qpos[at + 3 : at + 7] = unit(random.rand(4))


def unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a vector over its length."""
    scaled: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return scaled


def bodies(model: mujoco.MjModel, *names: str) -> list[int]:
    """Return the numbers of bodies."""
    return [model.body(name).id for name in names]


def geoms(model: mujoco.MjModel, *names: str) -> list[int]:
    """Return the numbers of geoms."""
    return [model.geom(name).id for name in names]


def sites(model: mujoco.MjModel, *names: str) -> list[int]:
    """Return the numbers of sites."""
    return [model.site(name).id for name in names]


def sensors(model: mujoco.MjModel, *names: str) -> Columns:
    """Return the places of sensors in `sensordata`, those of the first one first."""
    found = [model.sensor(name) for name in names]
    return columns(np.concatenate([s.adr[0] + np.arange(s.dim[0]) for s in found]))


def sensors_of(model: mujoco.MjModel, *kinds: mujoco.mjtSensor) -> Columns:
    """Return the places of all sensors of some kinds in `sensordata`."""
    numbers = np.flatnonzero(np.isin(model.sensor_type, [int(kind) for kind in kinds]))
    return sensors(model, *(model.sensor(int(k)).name for k in numbers))


def hinges(model: mujoco.MjModel) -> tuple[Columns, Columns]:
    """Return the places of all hinges in `qpos` and in `qvel`."""
    chosen = model.jnt_type == _HINGE
    return columns(model.jnt_qposadr[chosen]), columns(model.jnt_dofadr[chosen])


def columns(places: NDArray[Any]) -> Columns:
    """Return places as a slice if they follow each other, which makes reading them a view."""
    first, count = int(places[0]), len(places)
    if (places == first + np.arange(count)).all():
        return slice(first, first + count)
    return places.astype(np.intp)
