"""The environments of the DeepMind Control suites."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.disturbances import DisturbedVectorEnv, disturbance_of
from rlbench.suites.dmc.engine import Simulations
from rlbench.suites.dmc.families import FACTORS
from rlbench.suites.dmc.physics import Region, region_of
from rlbench.suites.dmc.rendering import Camera
from rlbench.suites.dmc.tasks import CONTROL_STEPS
from rlbench.suites.envs import refuse_seed, slot_seeds
from rlbench.suites.suite import Constant, Split, Task

Observation = NDArray[np.float32] | NDArray[np.uint8]
Step = tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "ControlEnvs":
    """Make the environments of one task; see `Suite.make`."""
    return ControlEnvs(task.name, constants, slot_seeds(stream, num_envs, split))


def make_context(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "ControlEnvs":
    """Make the environments of one task, whose physics are drawn anew for each episode.

    Raises:
        UsageError: The constants name no region of contexts.
    """
    c: dict[str, Any] = dict(constants)
    return ControlEnvs(
        task.name,
        constants,
        slot_seeds(stream, num_envs, split),
        region=region_of(c["context_low"], c["context_high"]),
        shows_context=c["context_visible"],
    )


def make_transfer(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> VectorEnv[Any, Any, Any]:
    """Make the environments of one task, with changed physics and under a disturbance, if any.

    Raises:
        UsageError: The constants name no disturbance, or one of its parameters is out of range.
    """
    c: dict[str, Any] = dict(constants)
    factors = tuple(c[name] for name in FACTORS)
    env = ControlEnvs(
        task.name,
        constants,
        slot_seeds(stream, num_envs, split),
        factors=() if set(factors) == {1.0} else factors,
    )
    if c["disturbance"] == "none":
        return env
    disturbance = disturbance_of(c["disturbance"], c["amount"], c["steps"])
    return DisturbedVectorEnv(env, disturbance, seed=stream)


class ControlEnvs(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """Simulations of one task, each with a random stream of its own.

    Observations are states (n, k) of float32, or pictures (n, stack, height, width, 3) of uint8.
    Actions are in [-1, 1] and scaled to what the actuators take. A step repeats its action for
    some control steps and adds their rewards up, (n,) float64; inside everything is float64.
    Episodes end by time only, all in the same step; slots then reset within the step, and `info`
    is that of `Suite.make`. The k-th episode of a slot is that of dm_control's task with a
    `RandomState` of the slot's seed.

    Args:
        task: Its name, e.g. ``walker_walk``.
        constants: Of the protocol.
        seeds: (n,) of the slots.
        threads: As `Simulations` takes them.
        factors: The same.
        region: The same. The starts of episodes are drawn as without a region.
        shows_context: Observations of states end with the context (5,).
    """

    def __init__(
        self,
        task: str,
        constants: Mapping[str, Constant],
        seeds: NDArray[np.int64],
        threads: int = 0,
        *,
        factors: Sequence[float] = (),
        region: Region | None = None,
        shows_context: bool = False,
    ) -> None:
        c: dict[str, Any] = dict(constants)
        self.num_envs = len(seeds)
        self._simulations = Simulations(task, seeds, threads, factors=factors, region=region)
        self._context = self._simulations.contexts if shows_context else None
        self._repeat = c["action_repeat"]
        self._limit = min(CONTROL_STEPS, c["max_episode_steps"] * self._repeat)
        self._clock = 0
        self._active = np.ones(self.num_envs, dtype=np.bool_)
        self._stepped: NDArray[np.intp] | None = None
        self._is_over = False
        self._pictures: _Pictures | None = None
        self._look: _Look | None = None
        low, high = self._simulations.control_range.T
        self._scale = None if (low == -1).all() and (high == 1).all() else (low, (high - low) / 2)
        self.single_action_space = Box(-1, 1, low.shape, np.float32)
        if c["observation"] == "pixels":
            self._pictures = _Pictures(self._simulations, c)
            self.single_observation_space = Box(0, 255, self._pictures.shape[1:], np.uint8)
        else:
            size = self._simulations.obs_size + (len(FACTORS) if shows_context else 0)
            self.single_observation_space = Box(-np.inf, np.inf, (size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin new episodes in all slots; the streams go on from where they are.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        return self._begin(), {}

    def step(self, actions: NDArray[np.floating[Any]]) -> Step:
        """Play one step in every slot that is not retired.

        Raises:
            InvalidEnvironment: A simulation became unstable.
        """
        controls = np.asarray(actions, dtype=np.float64)
        if self._scale is not None:
            low, half = self._scale
            controls = low + (controls + 1) * half
        nothing, truncated = np.zeros((2, self.num_envs), dtype=np.bool_)
        if self._is_over:
            return self._observe(), np.zeros(self.num_envs), nothing, truncated, {}
        steps = min(self._repeat, self._limit - self._clock)
        rewards = self._simulations.step(controls, self._stepped)
        for _ in range(steps - 1):
            rewards = rewards + self._simulations.step(controls, self._stepped)
        if self._stepped is not None:
            rewards[~self._active] = 0
        self._simulations.check()
        self._clock += steps
        obs = self._observe()
        if self._clock < self._limit:
            return obs, rewards, nothing, truncated, {}
        return self._begin(), rewards, nothing, self._active.copy(), {"final_obs": obs}

    def retire(self, mask: NDArray[np.bool_]) -> None:
        """End the stepping of the marked slots (n,) for good."""
        self._active &= ~mask
        self._is_over = not self._active.any()
        self._stepped = None if self._active.all() else np.flatnonzero(self._active)

    def draw(self, slot: int) -> NDArray[np.uint8] | None:
        """Return the picture (240, 320, 3) of a slot; None where observations are pictures.

        Raises:
            UsageError: There is no OpenGL to draw with.
        """
        if self._pictures is not None:
            return None
        if self._look is None:
            self._look = _Look(self._simulations)
        return self._look.at(slot)

    def _begin(self) -> Observation:
        """Begin new episodes, and return their first observations."""
        self._clock = 0
        slots = np.flatnonzero(self._active).tolist()
        if self._pictures is not None:
            for slot in slots:
                self._simulations.reset(slot)
                self._pictures.begin(slot)
            return self._pictures.stacks.copy()
        obs = np.zeros((self.num_envs, self._simulations.obs_size), dtype=np.float32)
        for slot in slots:
            obs[slot] = self._simulations.reset(slot)
        return self._with_context(obs)

    def _observe(self) -> Observation:
        if self._pictures is None:
            return self._with_context(self._simulations.observe(np.float32))
        for slot in np.flatnonzero(self._active).tolist():
            self._pictures.add(slot)
        return self._pictures.stacks.copy()

    def _with_context(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._context is None:
            return obs
        return np.concatenate([obs, self._context.now], axis=1, dtype=np.float32)

    def close_extras(self, **kwargs: Any) -> None:
        """Free what draws."""
        for camera in (self._pictures, self._look):
            if camera is not None:
                camera.close()


class _Look:
    """What people see of simulations whose agents see states."""

    def __init__(self, simulations: Simulations) -> None:
        self._simulations = simulations
        self._model = copy.copy(simulations.model)
        self._data = mujoco.MjData(self._model)
        self._camera = Camera(self._model, 0, 240, 320)

    def at(self, slot: int) -> NDArray[np.uint8]:
        """Return a picture of a slot."""
        self._simulations.place(slot, self._model, self._data)
        return self._camera.picture(self._data).copy()

    def close(self) -> None:
        """Free the camera."""
        self._camera.close()


class _Pictures:
    """The last pictures of each slot."""

    def __init__(self, simulations: Simulations, constants: Mapping[str, Any]) -> None:
        c = constants
        self._simulations = simulations
        self._data = mujoco.MjData(simulations.model)
        self._camera = Camera(simulations.model, c["camera"], c["height"], c["width"])
        n = simulations.batch.nsim
        self.shape = n, c["stack"], c["height"], c["width"], 3
        self.stacks = np.zeros(self.shape, dtype=np.uint8)

    def begin(self, slot: int) -> None:
        """Fill a slot's stack with the start that was drawn last."""
        self.stacks[slot] = self._camera.picture(self._simulations.scene.data)

    def add(self, slot: int) -> None:
        """Put a picture of a slot's state at the end of its stack."""
        self._simulations.batch.get_data(slot, self._data)
        self.stacks[slot, :-1] = self.stacks[slot, 1:]
        self.stacks[slot, -1] = self._camera.picture(self._data)

    def close(self) -> None:
        """Free the camera."""
        self._camera.close()
