"""Simulations of one task side by side, as fast as MuJoCo steps them.

Physics is `mujoco.batch`; states and sensors are those of dm_control bit for bit. Everything is
float64.
"""

import copy

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.random import RandomState
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment
from rlbench.suites.dmc.rewards import Floats
from rlbench.suites.dmc.scene import Scene, State
from rlbench.suites.dmc.tasks import control_task

_VELOCITIES = int(mujoco.mjtStage.mjSTAGE_VEL)


class Simulations:
    """Simulations of one task.

    Args:
        task: Its name, e.g. ``walker_walk``.
        seeds: (n,) Of each simulation's `RandomState`: the k-th start is that of the k-th episode
            of dm_control's task of that seed.
        threads: That step the simulations; results do not depend on their number.

    Attributes:
        model: The task's model.
        scene: Holds the last start that was drawn.
        batch: The simulations.
        control_range: (nu, 2) The bounds of actions.

    Raises:
        UnknownName: There is no such task.
        UsageError: dm_control's files are not where they are in version 1.0.
    """

    def __init__(self, task: str, seeds: NDArray[np.int64], threads: int = 1) -> None:
        self.model, self._domain, self._steps = control_task(task).build()
        self.scene = Scene(copy.copy(self.model))
        self.batch = Batch(self.model, len(seeds), threads, persistent=True)
        self._random = [RandomState(seed) for seed in seeds.tolist()]
        names, varied = self._domain.fields, self._domain.varied
        of_model = {name: self.batch.expand(name) for name in varied}
        self._varied = [(getattr(self.scene.model, name), of_model[name]) for name in varied]
        of_data = {name: self.batch.bind(name) for name in ("qpos", "qvel", "act", "ctrl", *names)}
        self._state = State(**of_data, **of_model)
        self._start = self.scene.state(names, varied)
        self._warnings = self.batch.warning[:, :, 1]
        self.control_range: Floats = self.model.actuator_ctrlrange.copy()
        size = sum(part.shape[1] for part in self._domain.observe(self._start))
        self._obs = np.zeros((len(seeds), size))

    @property
    def obs(self) -> Floats:
        """Observations (n, k): those of the last `step` or, where it came later, `reset`."""
        return self._obs

    def reset(self, slot: int) -> None:
        """Begin an episode in one simulation, and observe its start."""
        self.scene.reset()
        self._domain.start(self.scene, self._random[slot])
        self.scene.settle()
        self.scene.write(self.batch.state[slot])
        for value, values in self._varied:
            values[slot] = value
        parts = self._domain.observe(self._start)
        self._obs[slot] = np.concatenate(parts, axis=1)[0]

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

    def observe(self) -> Floats:
        """Observe all simulations."""
        np.concatenate(self._domain.observe(self._state), axis=1, out=self._obs)
        return self._obs

    def check(self) -> None:
        """Look for trouble in the steps so far, where dm_control raises a `PhysicsError`.

        Raises:
            InvalidEnvironment: A simulation became unstable, or holds too many contacts.
        """
        if self._warnings.any():
            slot, kind = np.argwhere(self._warnings)[0].tolist()
            name = mujoco.mjtWarning(kind).name.removeprefix("mjWARN_")
            raise InvalidEnvironment(
                f"the simulation of slot {slot} became unstable: MuJoCo warns of {name}"
            )
