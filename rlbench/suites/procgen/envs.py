"""The environments of Procgen: envpool's, reset in the step that ends an episode."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.suites.envs import refuse_seed, slot_seeds
from rlbench.suites.procgen import engine
from rlbench.suites.suite import Constant, Split, Task

engine.library()  # what is missing is said before a run begins

Observation = NDArray[np.uint8]
Step = tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]

_SIDE = 64  # of the picture, in pixels
_ACTIONS = 15
_OPTIONS = ("center_agent", "use_backgrounds", "restrict_themes", "use_monochrome_assets")
_SHOWN = ("obs", "reward", "done", "elapsed_step", "info:level_seed")


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "ProcgenEnvs":
    """Make the environments of one game; see `Suite.make`."""
    c: dict[str, Any] = dict(constants)
    levels = c[f"{split}_levels"]
    if (c["height"], c["width"]) != (_SIDE, _SIDE):
        raise UsageError("Procgen draws 64x64 pixels: height and width cannot be changed")
    if c["distribution_mode"] not in ("easy", "hard"):
        raise UsageError(f"distribution_mode is easy or hard, not {c['distribution_mode']!r}")
    if levels < 0:
        raise UsageError(f"{split}_levels is a number of levels, 0 for all, not {levels}")
    game = engine.Game(
        name=task.name,
        mode=c["distribution_mode"],
        levels=levels,
        options={name: c[name] for name in _OPTIONS},
    )
    return ProcgenEnvs(game, slot_seeds(stream, num_envs, split), limit=c["max_episode_steps"])


class ProcgenEnvs(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Slots of one game, each drawing its levels from a random stream of its own.

    Observations are (n, 64, 64, 3) uint8, rewards raw (n,) float64. ``info["start"]`` (n,) holds
    the level of each slot's episode. An episode that lasts to the time limit is truncated, however
    it ended there: Procgen itself does not tell a time-out from another end.

    Args:
        game: The game.
        seeds: (n,) One a slot.
        limit: Steps after which an episode is truncated.
    """

    def __init__(self, game: engine.Game, seeds: NDArray[np.int64], *, limit: int) -> None:
        n = self.num_envs = len(seeds)
        self._pool = engine.make_pool(game, seeds.tolist())
        self._shown = [self._pool._state_keys.index(name) for name in _SHOWN]
        self._limit = limit
        self._all = self._running = np.arange(n, dtype=np.int32)
        self._levels = np.zeros(n, dtype=np.int64)
        self.single_observation_space = Box(0, 255, (_SIDE, _SIDE, 3), np.uint8)
        self.single_action_space = Discrete(_ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin new episodes in all slots; the streams go on from where they are.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        obs = self._begin(self._all)
        return obs, {"start": self._levels.copy()}

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Play one step in every slot that is not retired."""
        ids = self._running
        if not len(ids):
            return self._nothing()
        self._pool._send([ids, ids, np.asarray(actions, dtype=np.int32)[ids]])
        obs, reward, done, length, _ = self._receive()
        late = length >= self._limit
        ended = done | late
        info: dict[str, Any] = {}
        if ended.any():
            final = np.zeros(obs.shape, dtype=np.uint8)
            final[ended] = obs[ended]
            obs[ended] = self._begin(ids[ended])
            info["final_obs"] = self._spread(final)
        info["start"] = self._levels.copy()
        rewards = self._spread(reward.astype(np.float64))
        return self._spread(obs), rewards, self._spread(done & ~late), self._spread(late), info

    def retire(self, mask: NDArray[np.bool_]) -> None:
        """End the stepping of slots for good, e.g. of those that have played their episodes.

        Args:
            mask: (n,) True for slots whose observations, rewards and flags mean nothing from the
                next step on.
        """
        self._running = self._running[~mask[self._running]]

    def _nothing(self) -> Step:
        """Return a step of slots that are all retired."""
        n = self.num_envs
        obs = np.zeros((n, _SIDE, _SIDE, 3), dtype=np.uint8)
        no = np.zeros(n, dtype=np.bool_)
        return obs, np.zeros(n), no, no.copy(), {"start": self._levels.copy()}

    def _begin(self, ids: NDArray[np.int32]) -> Observation:
        """Begin new episodes in some slots (k,); return their observations (k, 64, 64, 3)."""
        self._pool._reset(ids)
        obs, _, _, _, self._levels[ids] = self._receive()
        first: Observation = obs
        return first

    def _receive(self) -> list[NDArray[Any]]:
        """Return what is shown of the slots that were asked, in arrays of their own."""
        state = self._pool._recv()
        return [state[k] for k in self._shown]

    def _spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an array of running slots as one of all slots."""
        if len(values) == self.num_envs:
            return values
        whole = np.zeros((self.num_envs, *values.shape[1:]), dtype=values.dtype)
        whole[self._running] = values
        return whole

    def close_extras(self, **kwargs: Any) -> None:
        """Let the games go."""
        del self._pool
