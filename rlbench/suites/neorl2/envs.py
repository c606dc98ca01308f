"""The environments of NeoRL-2: a simulator's slots side by side, or one for gymnasium.

`rlbench.envs` registers ``rlbench/<task>-v0`` with gymnasium.
"""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.errors import MissingExtra, UsageError
from rlbench.suites.envs import Mask, Obs, refuse_seed
from rlbench.suites.fetching import data_folder
from rlbench.suites.neorl2.protocols import NEORL2, base_of
from rlbench.suites.neorl2.simulator import EquationSimulator, Floats, Simulator, finite_actions
from rlbench.suites.suite import Constant, Split, Task

Step = tuple[Obs, NDArray[np.float64], Mask, Mask, dict[str, Any]]


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "NeoRL2Envs":
    """Make the environments of one task; see `Suite.make`."""
    simulator = make_simulator(base_of(task), num_envs, mode=str(constants["mode"]))
    limit: Any = constants["max_episode_steps"]
    return NeoRL2Envs(simulator, num_envs, stream, limit)


def make_simulator(
    name: str, num_envs: int, *, mode: str = "train", reference: bool = False
) -> Simulator:
    """Make the simulator of a task.

    Args:
        name: Of the task.
        num_envs: The number of slots.
        mode: ``train``, or any other for the variant that the original tests on.
        reference: Keep the original's quirks: observations in its dtype, and what its resets
            forget to reset (Fusion's actuators, RocketRecovery's wind).

    Raises:
        UsageError: The task needs files that are not here.
        ModuleNotFoundError: It needs a library that is not installed.
    """
    return _SIMULATORS[name](num_envs, mode, reference)


def space_pair(name: str) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    """Return the spaces of observations and of actions of a task.

    Raises:
        MissingExtra: The task needs an extra that is not installed.
        UsageError: It needs files that are not here.
    """
    try:
        simulator = make_simulator(name, 1)
    except ModuleNotFoundError as error:
        extra = NEORL2.task(name).extra
        raise MissingExtra(f"the task {name}", extra, error.name or "") from error
    spaces = simulator.observation_space, simulator.action_space
    simulator.close()
    return spaces


def _pipeline(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2 import pipeline

    return EquationSimulator(pipeline.equations(), num_envs)


def _dmsd(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2 import dmsd

    return EquationSimulator(dmsd.equations(mode, reference=reference), num_envs)


def _simglucose(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2 import simglucose

    return EquationSimulator(simglucose.equations(mode, reference=reference), num_envs)


def _fusion(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2 import fusion, fusion_networks

    networks = fusion_networks.load(data_folder() / "neorl2" / "fusion")
    return EquationSimulator(fusion.equations(networks, reference=reference), num_envs)


def _rocket(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2.rocket import Rockets

    return Rockets(num_envs, mode, reference=reference)


def _hopper(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2.locomotion import Hoppers

    return Hoppers(num_envs, reference=reference)


def _cheetah(num_envs: int, mode: str, reference: bool) -> Simulator:
    from rlbench.suites.neorl2.locomotion import HalfCheetahs

    return HalfCheetahs(num_envs, reference=reference)


_SIMULATORS: dict[str, Callable[[int, str, bool], Simulator]] = {
    "Pipeline": _pipeline,
    "Simglucose": _simglucose,
    "RocketRecovery": _rocket,
    "RandomFrictionHopper": _hopper,
    "DMSD": _dmsd,
    "Fusion": _fusion,
    "SafetyHalfCheetah": _cheetah,
}


class NeoRL2Envs(VectorEnv[Obs, NDArray[Any], NDArray[Any]]):
    """Slots of one task, each with a random stream of its own; see `Suite.make`.

    ``info["measures"]["cost"]`` (n,) is the sum of an episode's costs, where the task has costs.

    Args:
        simulator: Of `num_envs` slots.
        num_envs: The number of slots.
        stream: What all that is random is drawn from.
        limit: Steps after which an episode is truncated.
    """

    def __init__(
        self, simulator: Simulator, num_envs: int, stream: np.random.SeedSequence, limit: int
    ) -> None:
        self.num_envs = num_envs
        self.single_observation_space = simulator.observation_space
        self.single_action_space = simulator.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self._simulator, self._limit = simulator, limit
        self._random = [np.random.default_rng(child) for child in stream.spawn(num_envs)]
        self._active = np.arange(num_envs)
        self._rows: Floats | None = None  # (n, limit, e)
        self._clock = np.zeros(num_envs, dtype=np.intp)
        self._cost = np.zeros(num_envs)
        self._obs: Obs = np.zeros(self.observation_space.shape or (), self.observation_space.dtype)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin new episodes in all slots; the streams go on from where they are.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        obs = self._begin(np.arange(len(self._active)))
        self._obs = self._whole(obs, self._obs)
        return self._obs, {}

    def step(self, actions: NDArray[Any]) -> Step:
        """Play one step in every slot that is not retired."""
        active = self._active
        whole = len(active) == self.num_envs
        if self._rows is None:
            raise UsageError("the environments are stepped before they are reset: call reset()")
        actions = np.asarray(actions)
        row = self._rows[active, self._clock[active]] if self._rows.shape[2] else self._rows[:, 0]
        if not whole:
            actions, row = actions[active], row[: len(active)]
        out = self._simulator.step(finite_actions(actions), row)
        self._clock[active] += 1
        late = self._clock[active] >= self._limit
        truncated = late & ~out.terminated
        ended = late | out.terminated
        info: dict[str, Any] = {}
        if out.cost is not None:
            self._cost[active] += out.cost
        obs = out.obs
        if ended.any():
            info["final_obs"] = self._whole(obs, self._obs)
            if out.cost is not None:
                info["measures"] = {"cost": self._cost.copy()}
            begun = self._begin(np.flatnonzero(ended))
            obs = obs.copy()
            obs[ended] = begun
        self._obs = self._whole(obs, self._obs)
        if whole:
            return self._obs, out.reward, out.terminated, truncated, info
        rewards, (over, cut) = np.zeros(self.num_envs), np.zeros((2, self.num_envs), np.bool_)
        rewards[active], over[active], cut[active] = out.reward, out.terminated, truncated
        return self._obs, rewards, over, cut, info

    def retire(self, mask: Mask) -> None:
        """End the stepping of the marked slots (n,) for good."""
        stay = np.flatnonzero(~mask[self._active])
        if 0 < len(stay) < len(self._active):
            self._active = self._active[stay]
            self._simulator.keep(stay)

    def close_extras(self, **kwargs: Any) -> None:
        """Let the simulator go."""
        self._simulator.close()

    def _begin(self, among: NDArray[np.intp]) -> Obs:
        """Begin episodes in some of the active slots; return their observations."""
        starts, slots = [], self._active[among]
        for slot in slots.tolist():
            random = self._random[slot]
            starts.append(self._simulator.draw_start(random))
            rows = self._simulator.draw_rows(random, self._limit)
            if self._rows is None:
                self._rows = np.zeros((self.num_envs, *rows.shape))
            self._rows[slot] = rows
        self._clock[slots] = 0
        self._cost[slots] = 0.0
        return self._simulator.begin(among, np.array(starts))

    def _whole(self, obs: Obs, before: Obs) -> Obs:
        """Return observations of all slots: of the active ones these, of the others the last."""
        if len(self._active) == self.num_envs:
            return obs
        whole = before.copy()
        whole[self._active] = obs
        return whole


class NeoRL2Env(gymnasium.Env[Obs, NDArray[Any]]):
    """One environment of a task.

    ``reset(options={"start": (s,)})`` begins with given exogenous values, and ``info["cost"]`` of
    a step is its cost, where the task has costs.

    Args:
        task: Its name.
        mode: ``train``, or any other for the variant that the original tests on.
        reference: Keep the original's quirks; see `make_simulator`.

    Raises:
        MissingExtra: The task needs an extra that is not installed.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own)

    def __init__(self, task: str, mode: str = "train", reference: bool = False) -> None:
        found = NEORL2.task(task)
        try:
            self._simulator = make_simulator(found.name, 1, mode=mode, reference=reference)
        except ModuleNotFoundError as error:
            raise MissingExtra(f"the task {found.name}", found.extra, error.name or "") from error
        self.observation_space = self._simulator.observation_space
        self.action_space = self._simulator.action_space
        self._steps = NEORL2.protocol_of(found).max_episode_steps
        self._rows = np.zeros((0, 0))
        self._clock = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin an episode; see gymnasium's `Env.reset`."""
        super().reset(seed=seed)
        start = self._simulator.draw_start(self.np_random)
        self._rows, self._clock = self._simulator.draw_rows(self.np_random, self._steps), 0
        start = np.asarray((options or {}).get("start", start), dtype=np.float64)
        obs: Obs = self._simulator.begin(np.arange(1), start[None])[0]
        return obs.copy(), {}

    def step(self, action: NDArray[Any]) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        """Play a step; see gymnasium's `Env.step`."""
        if self._clock == len(self._rows):
            self._rows, self._clock = self._simulator.draw_rows(self.np_random, self._steps), 0
        row = self._rows[self._clock : self._clock + 1]
        self._clock += 1
        out = self._simulator.step(finite_actions(action)[None], row)
        info = {} if out.cost is None else {"cost": float(out.cost[0])}
        return out.obs[0].copy(), float(out.reward[0]), bool(out.terminated[0]), False, info

    def close(self) -> None:
        """Let the simulator go."""
        self._simulator.close()
