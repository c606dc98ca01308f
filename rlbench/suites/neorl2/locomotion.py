"""SafetyHalfCheetah and RandomFrictionHopper: gymnasium's models, stepped by MuJoCo.

A cheetah must not run faster than 3.2096 m/s. A hopper's foot grips differently in each episode.
Contacts depend on MuJoCo's version: the published data were made with 2.3.7.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from rlbench.suites.neorl2.simulator import (
    Actions,
    Floats,
    Mask,
    Outcome,
    Slots,
    action_box,
    no_rows,
    observation_box,
)

_FAST = 3.2096  # m/s, which is not safe
_CRASH = -100.0  # the reward of a step that is not
_FRICTION = (1.5, 2.5)
_TOTAL_MASS = re.compile(r' settotalmass="([0-9.]+)"')


class _Model(NamedTuple):
    """A robot.

    Attributes:
        file: Its model among gymnasium's.
        frames: Steps of the simulation in one of the task.
        size: Of qpos, and of qvel.
        actions: Their number.
        dt: Seconds of a step.
    """

    file: str
    frames: int
    size: int
    actions: int
    dt: float


_CHEETAH = _Model("half_cheetah.xml", 5, 9, 6, 0.05)
_HOPPER = _Model("hopper.xml", 4, 6, 3, 0.008)


class _Robots:
    """Robots in n slots; see `simulator.Simulator`."""

    def __init__(self, model: _Model, num_envs: int, seen: int, dtype: Any) -> None:
        from mujoco.batch import Batch  # MuJoCo 2.3.7, which made the data, has none

        self.observation_space = observation_box(seen, dtype)
        self.action_space = action_box(model.actions)
        self.draw_rows = no_rows
        self._model, self._dtype = model, dtype
        self._mj = load_model(model.file)
        self._batch = Batch(self._mj, num_envs, 1)
        self._qpos, self._qvel, self._ctrl = map(self._batch.bind, ("qpos", "qvel", "ctrl"))
        self._slots: Slots = np.arange(num_envs)

    def _start(self, slots: Slots, moved: Floats) -> None:
        """Begin in slots of the batch, (k, 2 size) away from the model's qpos and from rest."""
        size = self._model.size
        self._batch.reset(slots, stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._qpos[slots] += moved[:, :size]
        self._qvel[slots] = moved[:, size:]
        self._batch.forward(slots)

    def _advance(self, actions: Actions) -> Floats:
        """Play (n, a) actions; return (n,) forward speeds."""
        before = self._qpos[self._slots, 0]
        self._ctrl[self._slots] = actions
        whole = len(self._slots) == len(self._qpos)
        self._batch.step(None if whole else self._slots, nstep=self._model.frames)
        speed: Floats = (self._qpos[self._slots, 0] - before) / self._model.dt
        return speed

    def keep(self, slots: Slots) -> None:
        """Let go of slots; see `Simulator`."""
        self._slots = self._slots[slots]

    def close(self) -> None:
        """Nothing is held but memory."""


def load_model(file: str) -> Any:
    """Return one of gymnasium's models, its total mass set as newer versions of MuJoCo ask."""
    assets = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    text = (assets / file).read_text(encoding="utf-8")
    mass = _TOTAL_MASS.search(text)
    model = mujoco.MjModel.from_xml_string(_TOTAL_MASS.sub("", text))
    if mass:
        mujoco.mj_setTotalmass(model, float(mass.group(1)))
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


class HalfCheetahs(_Robots):
    """SafetyHalfCheetah; see `simulator.Simulator`.

    Observations (n, 18) are qpos, with the place, and qvel.

    Args:
        num_envs: The number of slots.
        reference: Observations are float64, as the original's.
    """

    def __init__(self, num_envs: int, *, reference: bool) -> None:
        super().__init__(_CHEETAH, num_envs, 18, np.float64 if reference else np.float32)

    def draw_start(self, random: np.random.Generator) -> Floats:
        """Draw by how much qpos, U(-.1, .1), and qvel, .1 N(0, 1), begin elsewhere."""
        size = self._model.size
        return np.concatenate([random.uniform(-0.1, 0.1, size), 0.1 * random.normal(size=size)])

    def begin(self, slots: Slots, start: Floats) -> NDArray[Any]:
        """Begin episodes; see `Simulator`."""
        self._start(self._slots[slots], start)
        return self._observe(self._slots[slots])

    def step(self, actions: Actions, row: Floats) -> Outcome:
        """Play a step; see `Simulator`."""
        speed = self._advance(actions)
        reward, cost = _judge(speed, actions)
        over = np.zeros(len(speed), np.bool_)
        return Outcome(self._observe(self._slots), reward, over, cost)

    def _observe(self, slots: Slots) -> NDArray[Any]:
        seen = np.concatenate([self._qpos[slots], self._qvel[slots]], axis=1)
        return seen.astype(self._dtype)


def _judge(speed: Floats, action: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return (n,) rewards and costs of a cheetah's speeds and (n, 6) actions."""
    unsafe = speed > _FAST
    effort = 0.1 * np.square(action).sum(axis=1)
    return np.where(unsafe, _CRASH, speed - effort), unsafe.astype(np.float64)


def cheetah_reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) rewards of (n, 18) observations and (n, 6) actions."""
    moved = next_obs[:, 0].astype(np.float64) - obs[:, 0].astype(np.float64)
    return _judge(moved / _CHEETAH.dt, action)[0]


class Hoppers(_Robots):
    """RandomFrictionHopper; see `simulator.Simulator`.

    Observations (n, 13) are qpos, with the place, qvel within [-10, 10] and the friction. The
    friction that is simulated is rounded to hundredths, as in the original.

    Args:
        num_envs: The number of slots.
        reference: Observations are float64, as the original's.
    """

    def __init__(self, num_envs: int, *, reference: bool) -> None:
        super().__init__(_HOPPER, num_envs, 13, np.float64 if reference else np.float32)
        foot = mujoco.mj_name2id(self._mj, mujoco.mjtObj.mjOBJ_GEOM, "foot_geom")
        self._grip: Floats = self._batch.expand("geom_friction")[:, foot, 0]
        self._friction = np.zeros(num_envs)

    def draw_start(self, random: np.random.Generator) -> Floats:
        """Draw by how much qpos and qvel begin elsewhere, U(-.005, .005), and the friction."""
        moved = random.uniform(-0.005, 0.005, 2 * self._model.size)
        return np.append(moved, random.uniform(*_FRICTION))

    def begin(self, slots: Slots, start: Floats) -> NDArray[Any]:
        """Begin episodes; see `Simulator`."""
        of_batch = self._slots[slots]
        self._friction[of_batch] = start[:, -1]
        self._grip[of_batch] = np.round(start[:, -1], 2)
        self._start(of_batch, start[:, :-1])
        return self._observe(of_batch).astype(self._dtype)

    def step(self, actions: Actions, row: Floats) -> Outcome:
        """Play a step; see `Simulator`."""
        speed = self._advance(actions)
        seen = self._observe(self._slots)
        reward = speed - 1e-3 * np.square(actions).sum(axis=1)
        # Whether speeds explode is asked before they are cut off.
        size = self._model.size
        state = np.concatenate([seen[:, :size], self._qvel[self._slots]], axis=1)
        return Outcome(seen.astype(self._dtype), reward, _fallen(state))

    def _observe(self, slots: Slots) -> Floats:
        speeds = np.clip(self._qvel[slots], -10.0, 10.0)
        parts = [self._qpos[slots], speeds, self._friction[slots, None]]
        return np.concatenate(parts, axis=1)


def hopper_reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) rewards of (n, 13) observations and (n, 3) actions: none for being alive."""
    moved = next_obs[:, 0].astype(np.float64) - obs[:, 0].astype(np.float64)
    effort: Floats = 1e-3 * np.square(action).sum(axis=1)
    return moved / _HOPPER.dt - effort


def hopper_terminal(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Mask:
    """Return (n,) whether hoppers have fallen, of (n, 13) observations."""
    return _fallen(next_obs[:, :12].astype(np.float64))


def _fallen(state: Floats) -> Mask:
    """Return (n,) whether hoppers of (n, 12) qpos and qvel are not healthy."""
    others = (np.abs(state[:, 2:]) < 100.0).all(axis=1)
    upright = (state[:, 1] > 0.7) & (np.abs(state[:, 2]) < 0.2)
    fallen: Mask = ~(others & upright)
    return fallen
