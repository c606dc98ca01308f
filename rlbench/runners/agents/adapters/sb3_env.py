"""Environments as Stable-Baselines3 takes them; importing this imports it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv


class SB3Env(VecEnv):  # type: ignore[misc]
    """The runner's environments under the interface of Stable-Baselines3.

    Both restart in the step that ends an episode; they differ in how they say it.

    Args:
        env: The environments.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._env = env
        self._actions: NDArray[Any] = np.empty(0)

    def reset(self) -> NDArray[Any]:
        """Begin new episodes."""
        obs: NDArray[Any] = self._env.reset()[0]
        return obs

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Play one step."""
        obs, reward, terminated, truncated, info = self._env.step(self._actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self._env.num_envs)]
        for slot in np.flatnonzero(ended):
            infos[slot]["terminal_observation"] = info["final_obs"][slot]
            infos[slot]["TimeLimit.truncated"] = bool(truncated[slot] and not terminated[slot])
        return obs, reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """Leave them open: they are the runner's."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Ignore seeds: the run has its own streams."""
        return [None] * self._env.num_envs

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
