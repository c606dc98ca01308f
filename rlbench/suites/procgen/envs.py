"""The environments of Procgen: an engine's, reset in the step that ends an episode."""

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
from rlbench.suites.procgen.games import ACTIONS, SIDE, Engine, Frames, Game, Slots
from rlbench.suites.suite import Constant, Split, Task

engine.chosen().load()  # what is missing is said before a run begins

Step = tuple[Frames, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]

_OPTIONS = ("center_agent", "use_backgrounds", "restrict_themes", "use_monochrome_assets")


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
    if (c["height"], c["width"]) != (SIDE, SIDE):
        raise UsageError("Procgen draws 64x64 pixels: height and width cannot be changed")
    if c["distribution_mode"] not in ("easy", "hard"):
        raise UsageError(f"distribution_mode is easy or hard, not {c['distribution_mode']!r}")
    if levels < 0:
        raise UsageError(f"{split}_levels is a number of levels, 0 for all, not {levels}")
    game = Game(
        name=task.name,
        mode=c["distribution_mode"],
        levels=levels,
        options={name: c[name] for name in _OPTIONS},
    )
    return ProcgenEnvs(game, slot_seeds(stream, num_envs, split), limit=c["max_episode_steps"])


class ProcgenEnvs(VectorEnv[Frames, NDArray[np.int64], NDArray[Any]]):
    """Slots of one game, each drawing its levels from a random stream of its own.

    Observations are (n, 64, 64, 3) uint8, rewards raw (n,) float64. ``info["start"]`` (n,) holds
    the level of each slot's episode. An episode that lasts to the time limit is truncated, however
    it ended there: Procgen itself does not tell a time-out from another end.

    Args:
        game: The game.
        seeds: (n,) One a slot.
        limit: Steps after which an episode is truncated.
        played_by: The engine; by default the one that plays here.
    """

    def __init__(
        self,
        game: Game,
        seeds: NDArray[np.int64],
        *,
        limit: int,
        played_by: Engine | None = None,
    ) -> None:
        n = self.num_envs = len(seeds)
        self._games = (played_by or engine.chosen()).make_games(game, seeds.tolist())
        self._limit = limit
        self._all = self._running = np.arange(n, dtype=np.int32)
        self._lengths = np.zeros(n, dtype=np.int64)  # of the episodes
        self._levels = np.zeros(n, dtype=np.int64)
        self.single_observation_space = Box(0, 255, (SIDE, SIDE, 3), np.uint8)
        self.single_action_space = Discrete(ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, dict[str, Any]]:
        """Begin new episodes in all slots; the streams go on from where they are.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        obs = self._begin(self._all)
        return obs, {"start": self._levels.copy()}

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Play one step in every slot that is not retired."""
        slots = self._running
        if not len(slots):
            return self._nothing()
        obs, reward, done = self._games.step(slots, np.asarray(actions, dtype=np.int32)[slots])
        self._lengths += 1
        late = self._lengths[slots] >= self._limit
        ended = done | late
        info: dict[str, Any] = {}
        if ended.any():
            final = np.zeros(obs.shape, dtype=np.uint8)
            final[ended] = obs[ended]
            obs[ended] = self._begin(slots[ended])
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
        obs = np.zeros((n, SIDE, SIDE, 3), dtype=np.uint8)
        no = np.zeros(n, dtype=np.bool_)
        return obs, np.zeros(n), no, no.copy(), {"start": self._levels.copy()}

    def _begin(self, slots: Slots) -> Frames:
        """Begin new episodes in some slots (k,); return their observations (k, 64, 64, 3)."""
        obs, self._levels[slots] = self._games.begin(slots)
        self._lengths[slots] = 0
        return obs

    def _spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an array of running slots as one of all slots."""
        if len(values) == self.num_envs:
            return values
        whole = np.zeros((self.num_envs, *values.shape[1:]), dtype=values.dtype)
        whole[self._running] = values
        return whole

    def close_extras(self, **kwargs: Any) -> None:
        """Let the games go."""
        self._games.close()
