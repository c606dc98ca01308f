"""Environments that are disturbed: one, or several side by side."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlbench.disturbances.effects import Slot
from rlbench.disturbances.kinds import Disturbance
from rlbench.errors import UsageError


class DisturbedEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment under a disturbance.

    Args:
        env: Any environment whose spaces the disturbance fits.
        disturbance: What goes wrong.
        seed: Of its random streams, apart from those of the environment. A seed that is given to
            `reset` goes to the environment, and the disturbance begins again at its first episode.

    Raises:
        UsageError: The disturbance does not fit the spaces.

    >>> from rlbench.disturbances import Crop
    >>> env = DisturbedEnv(gymnasium.make("CartPole-v1"), Crop(0.5), seed=0)
    >>> env.reset(seed=0)[0][:2].tolist()  # position and velocity of the cart are hidden
    [0.0, 0.0]
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        disturbance: Disturbance,
        *,
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        RecordConstructorArgs.__init__(self, disturbance=disturbance, seed=seed)
        gymnasium.Wrapper.__init__(self, env)
        spaces = env.observation_space, env.action_space
        self._slot = Slot(disturbance, *spaces, _root_of(seed), 0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._slot.begin(again=seed is not None)
        return self._slot.observation(obs), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one step."""
        obs, reward, terminated, truncated, info = self.env.step(self._slot.action(action))
        paid = self._slot.reward(float(reward), terminated or truncated)
        return self._slot.observation(obs), paid, terminated, truncated, info


class DisturbedVectorEnv(VectorWrapper[Any, Any, Any, Any, NDArray[Any]]):
    """A vector environment under a disturbance, which acts in each slot apart.

    The final observations in ``info["final_obs"]`` are disturbed like all others.

    Args:
        env: Resets a slot in the step that ends its episode (``AutoresetMode.SAME_STEP``), as
            those of `Suite.make` do.
        disturbance: What goes wrong.
        seed: Of its random streams; see `DisturbedEnv`.

    Raises:
        UsageError: The disturbance does not fit the spaces, or the environment resets otherwise.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, NDArray[Any]],
        disturbance: Disturbance,
        *,
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        super().__init__(env)
        if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise UsageError(
                "DisturbedVectorEnv needs an environment with autoreset_mode SAME_STEP, not "
                f"{env.metadata.get('autoreset_mode')}"
            )
        root = _root_of(seed)
        spaces = env.single_observation_space, env.single_action_space
        self._stage = disturbance.stage
        self._slots = [Slot(disturbance, *spaces, root, i) for i in range(env.num_envs)]
        self._active = list(range(env.num_envs))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all slots.

        Raises:
            UsageError: Only some slots are to be reset.
        """
        if options and "reset_mask" in options:
            raise UsageError("DisturbedVectorEnv resets all slots together: leave reset_mask out")
        obs, info = self.env.reset(seed=seed, options=options)
        for slot in self._slots:
            slot.begin(again=seed is not None)
        return self._observations(obs), info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one step in every slot."""
        if self._stage == "action":
            actions = np.array(actions)
            for i in self._active:
                actions[i] = self._slots[i].action(actions[i])
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        if self._stage == "reward":
            rewards = np.array(rewards, dtype=np.float64)
            for i in self._active:
                rewards[i] = self._slots[i].reward(float(rewards[i]), bool(ended[i]))
        if ended.any():
            info = self._end(ended, info)
        return self._observations(obs), rewards, terminated, truncated, info

    def draw(self, slot: int) -> NDArray[np.uint8] | None:
        """Return what the environment draws of a slot, undisturbed; None where it draws nothing."""
        draw: Any = getattr(self.env, "draw", None)
        return draw(slot) if draw is not None else None

    def retire(self, mask: NDArray[np.bool_]) -> None:
        """End the disturbing of slots for good, and their stepping if the environment can.

        Args:
            mask: (n,) True for slots whose observations, rewards and flags mean nothing from the
                next step on.
        """
        self._active = [i for i in self._active if not mask[i]]
        retire = getattr(self.env, "retire", None)
        if retire is not None:
            retire(mask)

    def _end(self, ended: NDArray[np.bool_], info: dict[str, Any]) -> dict[str, Any]:
        """Disturb final observations, and begin the next episodes of their slots."""
        final = info["final_obs"].copy()
        for i in self._active:
            if ended[i]:
                final[i] = self._slots[i].observation(final[i])
                self._slots[i].begin()
        return {**info, "final_obs": final}

    def _observations(self, obs: NDArray[Any]) -> NDArray[Any]:
        if self._stage != "observation":
            return obs
        obs = obs.copy()
        for i in self._active:
            obs[i] = self._slots[i].observation(obs[i])
        return obs


def _root_of(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
