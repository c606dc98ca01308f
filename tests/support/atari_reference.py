"""The Atari protocols in plain Python, one frame at a time, over gymnasium's own wrappers."""

from collections.abc import Callable
from typing import Any

import ale_py
import gymnasium as gym
import numpy as np
from gymnasium.wrappers import AtariPreprocessing

gym.register_envs(ale_py)


def raw_word_noops(seed: int, noop_max: int) -> Callable[[], int]:
    """Return what draws the no-ops of ale-py's vector environment: (word x noop_max) >> 32."""
    words = np.random.RandomState(seed)
    return lambda: int(words.randint(0, 2**32, dtype=np.uint32)) * noop_max >> 32


class RawSeedPreprocessing(AtariPreprocessing):
    """AtariPreprocessing with a raw emulator seed, which gymnasium would hash first.

    Args:
        env: A game without preprocessing.
        seed: The emulator's seed.
        noops: Says how many no-op frames a reset plays.
        max_frames: Frames, not counting no-ops, after which an episode is truncated.
        draw_end: Draw the frame in which a game ends, and pool only whole skips, as envpool does;
            gymnasium and ale-py pool what was drawn before.
        options: Those of AtariPreprocessing.
    """

    def __init__(
        self,
        env: gym.Env,
        *,
        seed: int,
        noops: Callable[[], int],
        max_frames: int = 108_000,
        draw_end: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(env, noop_max=0, **options)
        self.noops = noops
        self.max_frames = max_frames
        self.draw_end = draw_end
        self.frames = 0
        self.ale.setInt("random_seed", seed)
        self.ale.loadROM(ale_py.roms.get_rom_path(env.unwrapped._game))

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.ale.reset_game()
        for _ in range(self.noops()):
            self.ale.act(0)
            if self.ale.game_over():
                self.ale.reset_game()
        self.frames = 0
        self._capture(0)
        self.obs_buffer[1].fill(0)
        return self._get_obs(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward, ended = 0.0, False
        for skipped in range(self.frame_skip):
            reward += self.ale.act(self.env.unwrapped._action_set[action])
            self.frames += 1
            ended = self.ale.game_over() or self.frames >= self.max_frames
            if skipped >= self.frame_skip - 2 and (self.draw_end or not ended):
                # Which buffer is pooled into matters only for the stale picture of an end.
                drawn = skipped - self.frame_skip + 2
                self._capture(drawn if self.draw_end else 1 - drawn)
            if ended:
                if self.draw_end and skipped < self.frame_skip - 1:
                    self.obs_buffer[1].fill(0)
                break
        terminated = self.ale.game_over()
        return self._get_obs(), reward, terminated, ended and not terminated, {}

    def _capture(self, index: int) -> None:
        capture = self.ale.getScreenGrayscale if self.grayscale_obs else self.ale.getScreenRGB
        capture(self.obs_buffer[index])


class FrameStack:
    """The last four frames; what is missing after a reset is black, or the first frame again."""

    def __init__(self, env: AtariPreprocessing, *, repeat_first: bool = False) -> None:
        self.env = env
        self.repeat_first = repeat_first
        self.frames = np.zeros((4, *env.observation_space.shape), dtype=np.uint8)

    def reset(self, **options: Any) -> np.ndarray:
        frame, _ = self.env.reset(**options)
        self.frames = np.zeros_like(self.frames)
        self.frames[-1 if not self.repeat_first else slice(None)] = frame
        return self.frames

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        frame, reward, terminated, truncated, _ = self.env.step(action)
        self.frames = np.concatenate([self.frames[1:], frame[None]])
        return self.frames, float(reward), terminated, truncated

    @property
    def lives(self) -> int:
        return int(self.env.ale.lives())


def raw_game(game: str, *, sticky: float = 0.0, full_action_set: bool = False) -> gym.Env:
    """Return a game without any preprocessing."""
    return gym.make(
        f"ALE/{game}-v5",
        frameskip=1,
        repeat_action_probability=sticky,
        full_action_space=full_action_set,
        disable_env_checker=True,
    ).env
