"""The environments of the STORI suites: disturbed games under a fixed protocol."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ale_py import ALEInterface, LoggerMode, roms
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.suites.atari.envs import Observation, Step, check_rom
from rlbench.suites.envs import refuse_seed, slot_seeds
from rlbench.suites.stori.engine import DisturbedGame, Stream
from rlbench.suites.stori.modes import HEIGHT, WIDTH, rows_of
from rlbench.suites.stori.perturbations import Row, Schedule
from rlbench.suites.stori.shrink import Shrinker
from rlbench.suites.suite import Constant, Split, Task

_LOADERS = 4  # threads that load ROMs side by side


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "StoriEnvs":
    """Make the environments of one setting; see `Suite.make`."""
    c: dict[str, Any] = dict(constants)
    clean = c["train_clean"] and split == "train"
    game = task.name.partition("/")[0]
    check_rom(task.assets["rom"], task.assets["rom_md5"])
    return StoriEnvs(
        task.assets["rom"],
        constants,
        slot_seeds(stream, num_envs, split),
        () if clean else rows_of(game, c["effect"], c["probability"]),
        Schedule(c["drift"], c["drift_steps"]) if c["drift"] != "none" else Schedule(),
    )


class StoriEnvs(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Games of one ROM that rows of perturbations disturb, each with random streams of its own.

    Observations are (n, height, width, 3) of uint8; rewards are raw (n,) float64. An episode's end
    resets its slot within the step; `info` is that of `Suite.make`. Without rows, it equals
    `AtariEnvs` of the same protocol bit for bit.

    Args:
        rom: The name of the ROM.
        constants: Of the protocol.
        seeds: (n,) of the slots.
        rows: What disturbs the games.
        schedule: When.
    """

    def __init__(
        self,
        rom: str,
        constants: Mapping[str, Constant],
        seeds: NDArray[np.int64],
        rows: tuple[Row, ...],
        schedule: Schedule,
    ) -> None:
        c: dict[str, Any] = dict(constants)
        self.num_envs = len(seeds)
        self._signals_lives = bool(c["life_loss_signal"])
        ALEInterface.setLoggerMode(LoggerMode.Error)
        with ThreadPoolExecutor(_LOADERS) as pool:
            self._slots = list(
                pool.map(lambda seed: _Slot(rom, c, int(seed), rows, schedule), seeds.tolist())
            )
        self._active = np.ones(self.num_envs, dtype=np.bool_)
        shape = (c["height"], c["width"], 3)
        self._obs = np.zeros((self.num_envs, *shape), dtype=np.uint8)
        self.single_observation_space = Box(0, 255, shape, np.uint8)
        self.single_action_space = Discrete(len(self._slots[0].game.actions))
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
        for slot, out in zip(self._slots, self._obs, strict=True):
            slot.reset(out)
        return self._obs.copy(), {"start": self._starts()}

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Play one step in every slot that is not retired."""
        n = self.num_envs
        rewards = np.zeros(n)
        terminated, truncated, life_lost = (np.zeros(n, dtype=np.bool_) for _ in range(3))
        final_obs: Observation | None = None
        for i in np.flatnonzero(self._active).tolist():
            slot = self._slots[i]
            lives = slot.ale.lives()
            rewards[i] = slot.step(int(actions[i]), self._obs[i])
            terminated[i] = slot.ale.game_over()
            truncated[i] = slot.has_timed_out and not terminated[i]
            if terminated[i] or truncated[i]:
                if final_obs is None:
                    final_obs = np.zeros_like(self._obs)
                final_obs[i] = self._obs[i]
                slot.reset(self._obs[i])
            else:
                life_lost[i] = slot.ale.lives() < lives
        out: dict[str, Any] = {"start": self._starts()}
        if final_obs is not None:
            ended = terminated | truncated
            out["final_obs"] = np.where(ended[:, None, None, None], final_obs, self._obs)
        if self._signals_lives:
            out["life_lost"] = life_lost
        return self._obs.copy(), rewards, terminated, truncated, out

    def retire(self, mask: NDArray[np.bool_]) -> None:
        """End the stepping of slots for good, e.g. of those that have played their episodes.

        Args:
            mask: (n,) True for slots whose observations, rewards and flags mean nothing from the
                next step on.
        """
        self._active &= ~mask

    def _starts(self) -> NDArray[np.int64]:
        return np.array([slot.start for slot in self._slots], dtype=np.int64)

    def close_extras(self, **kwargs: Any) -> None:
        """Let the emulators go."""
        self._slots.clear()


class _Slot:
    """One game with its protocol: no-ops, skipped frames, two frames pooled, resized.

    Attributes:
        start: How many no-op frames began the episode.
    """

    def __init__(
        self, rom: str, c: Mapping[str, Any], seed: int, rows: tuple[Row, ...], schedule: Schedule
    ) -> None:
        self.ale = ALEInterface()
        self.ale.setInt("random_seed", seed)
        self.ale.setFloat("repeat_action_probability", 0.0)
        self.ale.loadROM(Path(roms.__file__).parent / f"{rom}.bin")
        draws = [Stream(np.random.SeedSequence([seed, number])) for number in range(len(rows))]
        self._skip, self._noop_max = c["frame_skip"], c["noop_max"]
        self.game = DisturbedGame(
            self.ale, rows, schedule, draws, skip=self._skip, original=c["original"]
        )
        self._max_frames: int = c["max_episode_steps"] * self._skip
        self._shrink = Shrinker((HEIGHT, WIDTH), (c["height"], c["width"]))
        self._no_ops = np.random.RandomState(seed)
        # Two frames to be pooled, and one to draw the next into.
        self._pooled = [np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(2)]
        self._spare = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        self.start = 0

    @property
    def has_timed_out(self) -> bool:
        """Whether the episode has come to its last frame."""
        return self.game.frames >= self._max_frames

    def reset(self, out: NDArray[np.uint8]) -> None:
        """Begin an episode; put the first observation into `out`."""
        self.ale.reset_game()
        self.start = 0
        if self._noop_max:
            # As ale-py's vector environment draws them: from a raw word of the Mersenne Twister.
            word = int(self._no_ops.randint(0, 2**32, dtype=np.uint32))
            self.start = word * self._noop_max >> 32
        for _ in range(self.start):
            self.ale.act(0)
            if self.ale.game_over():
                self.ale.reset_game()
        self.game.begin(self._pooled[0])
        self._pooled[1].fill(0)
        self._observe(out)

    def step(self, action: int, out: NDArray[np.uint8]) -> float:
        """Play the frames of one step; put the observation into `out`, and return the reward."""
        reward = 0.0
        for _ in range(self._skip - 2):
            reward += self.game.frame(action)
            if self._has_ended():
                self._observe(out)
                return reward
        for number in (1, 0):
            reward += self.game.frame(action, self._spare)
            if self._has_ended():
                break  # an end is not drawn: what is pooled is of before
            self._pooled[number], self._spare = self._spare, self._pooled[number]
        self._observe(out)
        return reward

    def _has_ended(self) -> bool:
        return self.ale.game_over() or self.has_timed_out

    def _observe(self, out: NDArray[np.uint8]) -> None:
        pooled, other = self._pooled
        np.maximum(pooled, other, out=pooled)
        self._shrink(pooled, out)
