"""Environments as Stable-Baselines3 takes them; importing this imports it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack, VecNormalize
from stable_baselines3.common.vec_env.stacked_observations import StackedObservations


class SB3Env(VecEnv):  # type: ignore[misc]
    """The runner's environments under the interface of Stable-Baselines3.

    Give it to an algorithm in the `train` of an agent of your own:
    ``PPO("MlpPolicy", SB3Env(env))``. Wrappers of Stable-Baselines3 go around it.

    Both restart in the step that ends an episode; they differ in how they say it. Where an episode
    ends, its ``info`` has ``terminal_observation``, ``TimeLimit.truncated``, ``is_success`` if the
    suite says so, and ``episode`` with the raw return ``r``, the length ``l`` and the seconds ``t``
    since this was made, which Stable-Baselines3 logs as ``rollout/ep_rew_mean``.

    Args:
        env: The environments that `train` is given.
        clip_reward: Show the algorithm the sign of each reward: -1, 0 or 1.
        terminal_on_life_loss: Tell the algorithm that an episode ends where a life is lost, in
            suites that say so. The game goes on all the same.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        *,
        clip_reward: bool = False,
        terminal_on_life_loss: bool = False,
    ) -> None:
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._env = env
        self._clips, self._ends_lives = clip_reward, terminal_on_life_loss
        self._actions: NDArray[Any] = np.empty(0)
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, dtype=np.int64)
        self._started = time.perf_counter()

    def reset(self) -> NDArray[Any]:
        """Begin new episodes."""
        self._returns[:] = 0.0
        self._lengths[:] = 0
        obs: NDArray[Any] = self._env.reset()[0]
        return obs

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Play one step."""
        obs, reward, terminated, truncated, info = self._env.step(self._actions)
        self._returns += reward
        self._lengths += 1
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for slot in np.flatnonzero(ended).tolist():
            infos[slot] = {
                "terminal_observation": info["final_obs"][slot],
                "TimeLimit.truncated": bool(truncated[slot] and not terminated[slot]),
                "episode": {
                    "r": float(self._returns[slot]),
                    "l": int(self._lengths[slot]),
                    "t": round(time.perf_counter() - self._started, 6),
                },
            }
            if "success" in info:
                infos[slot]["is_success"] = bool(info["success"][slot])
        self._returns[ended] = 0.0
        self._lengths[ended] = 0
        if self._ends_lives and "life_lost" in info:
            for slot in np.flatnonzero(info["life_lost"] & ~ended).tolist():
                infos[slot] = {"terminal_observation": obs[slot], "TimeLimit.truncated": False}
            ended = ended | info["life_lost"]
        shown = np.sign(reward) if self._clips else reward
        return obs, shown.astype(np.float32), ended, infos

    def close(self) -> None:
        """Leave them open: they are the runner's."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Ignore seeds: the run has its own streams."""
        return [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the render mode; nothing else of the environments is shown."""
        if attr_name == "render_mode":
            return [None] * len(list(self._get_indices(indices)))
        raise AttributeError(f"the environments have no attribute {attr_name!r}")

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: nothing of the environments can be set."""
        raise AttributeError(f"the environments have no attribute {attr_name!r}")

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Refuse: no other method of the environments can be called."""
        raise AttributeError(f"the environments have no method {method_name!r}")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say that no environment is wrapped."""
        return [False] * len(list(self._get_indices(indices)))


def wrap(
    env: VecEnv, frame_stack: int, channels_order: str | None, normalize: Mapping[str, Any] | None
) -> tuple[VecEnv, VecNormalize | None]:
    """Wrap environments in those of Stable-Baselines3's wrappers that are wanted.

    Args:
        env: The environments.
        frame_stack: Observations in one; 1 for no stack.
        channels_order: Where frames are stacked, ``first`` or ``last``; None for where it seems
            right.
        normalize: Options for `VecNormalize`, or None to leave it out.

    Returns:
        The environments for an algorithm, and the `VecNormalize` among their wrappers.
    """
    if frame_stack > 1:
        env = VecFrameStack(env, frame_stack, channels_order)
    if normalize is None:
        return env, None
    normalizer = VecNormalize(env, **normalize)
    return normalizer, normalizer


class FrameStack:
    """Stacks the observations of an evaluation as `VecFrameStack` does those of training.

    Args:
        space: Of one observation.
        size: Observations in one.
        channels_order: As `wrap` takes it.
    """

    def __init__(self, space: Space[Any], size: int, channels_order: str | None) -> None:
        self._made_from = size, space, channels_order
        self._stack: Any = None

    def add(self, obs: NDArray[Any], first: NDArray[np.bool_]) -> NDArray[Any]:
        """Return (n, ...) stacks that end with the observations; new episodes begin with zeros."""
        if first.all():
            self._stack = StackedObservations(len(obs), *self._made_from)
            return np.array(self._stack.reset(obs))
        nothing = {"terminal_observation": obs[0]}  # it is not used
        return np.array(self._stack.update(obs, first, [dict(nothing) for _ in first])[0])


def stacked_space(space: Space[Any], size: int, channels_order: str | None) -> Space[Any]:
    """Return the space of stacks of observations."""
    stack: Any = StackedObservations(1, size, space, channels_order)
    stacked: Space[Any] = stack.stacked_observation_space
    return stacked


def load_normalizer(path: Path, space: Space[Any]) -> VecNormalize:
    """Load what `VecNormalize.save` wrote, to normalise observations of a space with.

    It holds pickles: whoever wrote the file is trusted.
    """
    stub = SimpleNamespace(num_envs=1, render_mode=None, observation_space=space)
    return VecNormalize.load(str(path), stub)
