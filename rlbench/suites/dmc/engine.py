"""Simulations of one task side by side, as fast as MuJoCo steps them.

Physics is `mujoco.batch`; states and sensors are those of dm_control bit for bit. Everything is
float64.
"""

import copy
import os
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.random import RandomState
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment
from rlbench.suites.dmc.physics import Contexts, Region, rescale
from rlbench.suites.dmc.rewards import Floats
from rlbench.suites.dmc.scene import Scene, State
from rlbench.suites.dmc.tasks import control_task
from rlbench.suites.mujoco_warnings import divert_mujoco_warnings

# Simulations x physics steps x degrees of freedom that a thread has to step, or it is not worth its
# waking: that takes about a millisecond, and waking one about .1 to .2.
_WORK = 700
_VELOCITIES = int(mujoco.mjtStage.mjSTAGE_VEL)
_INTEGRATION = int(mujoco.mjtState.mjSTATE_INTEGRATION)


class Simulations:
    """Simulations of one task.

    Args:
        task: Its name, e.g. ``walker_walk``.
        seeds: (n,) Of each simulation's `RandomState`: the k-th start is that of the k-th episode
            of dm_control's task of that seed.
        threads: That step the simulations; results do not depend on their number. By default as
            many as ``OMP_NUM_THREADS`` says, or one, if each has enough to do.
        factors: (5,) That change the physics of all episodes, see `families.FACTORS`; none by
            default.
        region: Where each episode's context is drawn from; without one, physics stay the same.

    Attributes:
        model: The task's model.
        scene: Holds the last start that was drawn.
        batch: The simulations.
        contexts: The physics of each simulation's episode; None where there is no region.
        control_range: (nu, 2) The bounds of actions.
        obs_size: The length k of an observation.

    Raises:
        UnknownName: There is no such task.
        UsageError: dm_control's files are not where they are in version 1.0, or a factor is not
            above 0.
    """

    def __init__(
        self,
        task: str,
        seeds: NDArray[np.int64],
        threads: int = 0,
        *,
        factors: Sequence[float] = (),
        region: Region | None = None,
    ) -> None:
        divert_mujoco_warnings()
        self.model, self._domain, self._steps = control_task(task).build()
        if factors:
            rescale(self.model, factors)
        self.scene = Scene(copy.copy(self.model))
        threads = threads or _threads(len(seeds) * self._steps * self.model.nv)
        self.batch = Batch(self.model, len(seeds), threads, persistent=True)
        self.contexts = (
            None if region is None else Contexts(region, seeds, self.model, self.scene, self.batch)
        )
        self._random = [RandomState(seed) for seed in seeds.tolist()]
        names, varied = self._domain.fields, self._domain.varied
        of_model = {name: self.batch.expand(name) for name in varied}
        self._varied = [(getattr(self.scene.model, name), of_model[name]) for name in varied]
        self._expanded = of_model
        of_data = {name: self.batch.bind(name) for name in ("qpos", "qvel", "act", "ctrl", *names)}
        self._state = State(**of_data, **of_model)
        self._start = self.scene.state(names, varied)
        self._warnings = self.batch.warning[:, :, 1]
        self._start_warnings = self.scene.data.warning
        self.control_range: Floats = self.model.actuator_ctrlrange.copy()
        self.obs_size = sum(part.shape[1] for part in self._domain.observe(self._start))

    def reset(self, slot: int) -> Floats:
        """Begin an episode in one simulation, and return the observation (k,) of its start.

        Raises:
            InvalidEnvironment: The start is unstable, or holds too many contacts.
        """
        if self.contexts is not None:
            self.contexts.begin(slot)
        self.scene.reset()
        self._domain.start(self.scene, self._random[slot])
        self.scene.settle()
        _refuse_warnings(self._start_warnings.number[None], slot)
        self.scene.write(self.batch.state[slot])
        for value, values in self._varied:
            values[slot] = value
        obs: Floats = np.concatenate(self._domain.observe(self._start), axis=1)[0]
        return obs

    def step(self, controls: Floats, slots: NDArray[np.intp] | None = None) -> Floats:
        """Play one control step and return the rewards (n,).

        Args:
            controls: (n, nu) within `control_range`.
            slots: The simulations that are stepped; all by default. Rewards of the others mean
                nothing.
        """
        self._state.ctrl[:] = controls
        self.batch.step(slots, nstep=self._steps, stage=_VELOCITIES)
        return self._domain.reward(self._state)

    def observe(self, dtype: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
        """Observe all simulations (n, k) after a step."""
        parts = self._domain.observe(self._state)
        return np.concatenate(parts, axis=1, dtype=dtype, casting="same_kind")

    def place(self, slot: int, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Put all parts of a copy of the model where they are in a simulation now."""
        for name, values in self._expanded.items():
            getattr(model, name)[:] = values[slot]
        mujoco.mj_setState(model, data, self.batch.state[slot], _INTEGRATION)
        mujoco.mj_forward(model, data)

    def check(self) -> None:
        """Look for trouble in the steps so far, where dm_control raises a `PhysicsError`.

        Raises:
            InvalidEnvironment: A simulation became unstable, or holds too many contacts.
        """
        _refuse_warnings(self._warnings)


def _threads(work: int) -> int:
    """Return how many threads do some work: as many as the runner grants, if they pay."""
    granted = os.environ.get("OMP_NUM_THREADS", "1")
    wanted = int(granted) if granted.isdecimal() else 1
    return max(1, min(wanted, work // _WORK))


def _refuse_warnings(counts: NDArray[Any], first: int = 0) -> None:
    """Raise InvalidEnvironment if MuJoCo warned: counts (n, kinds) of the slots from the first."""
    if counts.any():
        slot, kind = np.argwhere(counts)[0].tolist()
        name = mujoco.mjtWarning(kind).name.removeprefix("mjWARN_")
        raise InvalidEnvironment(
            f"the simulation of slot {first + slot} became unstable: MuJoCo warns of {name}"
        )
