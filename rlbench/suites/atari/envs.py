"""The environments of the Atari suites: ale-py's vector environment under a fixed protocol."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from ale_py import roms
from ale_py.vector_env import AtariVectorEnv
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.cpus import usable_cpus
from rlbench.errors import UsageError
from rlbench.suites.envs import refuse_seed, slot_seeds
from rlbench.suites.suite import Constant, Split, Task

# Emulators stepped together, by one thread where there are enough CPUs. Finished evaluation slots
# stop in groups of this size: large groups play on for their slowest slot, small ones cost a call
# each and a copy of what they return (benchmarks/runner_overhead.py). Groups of 10 would save about
# 1 % of a step while all slots play, and add 10 to 15 % to the steps of a whole evaluation (random
# play of Alien and Breakout). Training never stops a slot.
_GROUP = 5

Observation = NDArray[np.uint8]
Step = tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> "AtariEnvs":
    """Make the environments of one game; see `Suite.make`."""
    check_rom(task.assets["rom"], task.assets["rom_md5"])
    seeds = slot_seeds(stream, num_envs, split)
    return AtariEnvs(
        task.assets["rom"], constants, seeds, group=num_envs if split == "train" else _GROUP
    )


@cache
def check_rom(rom: str, md5: str) -> None:
    """Raise UsageError unless the installed ROM is the one that the protocol names."""
    path = Path(roms.__file__).parent / f"{rom}.bin"
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if found != md5:
        raise UsageError(
            f"the ROM {path} has md5 {found}, but the protocol needs {md5}: reinstall ale-py"
        )


class AtariEnvs(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Games of one ROM, each with a random stream of its own.

    Observations are (n, stack, height, width) of uint8, with a last axis of 3 in colour and
    without the stack axis where the stack is 1. Rewards are raw (n,) float64. An episode's end
    resets its slot within the step; `info` is that of `Suite.make`.

    The engine is ale-py's AtariVectorEnv with the options under which it equals gymnasium's
    AtariPreprocessing bit for bit. Its own `episodic_life` is not used: it resets the whole game
    when a life is lost.

    Args:
        rom: Which game.
        constants: Of the protocol.
        seeds: (n,) One a slot.
        group: Slots that are stepped, and stopped, together.
    """

    def __init__(
        self,
        rom: str,
        constants: Mapping[str, Constant],
        seeds: NDArray[np.int64],
        *,
        group: int = _GROUP,
    ) -> None:
        c: dict[str, Any] = dict(constants)
        self.num_envs = len(seeds)
        self._seeds: NDArray[np.int64] | None = seeds
        self._signals_lives = bool(c["life_loss_signal"])
        self._single_frame = c["stack"] == 1
        self._starts = [*range(0, self.num_envs, group), self.num_envs]
        self._groups = [
            AtariVectorEnv(
                rom,
                high - low,
                num_threads=min(ceil((high - low) / _GROUP), usable_cpus()),
                max_num_frames_per_episode=c["max_episode_steps"] * c["frame_skip"],
                repeat_action_probability=c["sticky_actions"],
                full_action_space=c["full_action_set"],
                autoreset_mode=AutoresetMode.SAME_STEP,
                img_height=c["height"],
                img_width=c["width"],
                grayscale=c["grayscale"],
                stack_num=c["stack"],
                frameskip=c["frame_skip"],
                maxpool=c["max_pool"],
                noop_max=c["noop_max"],
                reward_clipping=False,
                use_fire_reset=False,
            )
            for low, high in zip(self._starts, self._starts[1:], strict=False)
        ]
        self._active = np.ones(self.num_envs, dtype=np.bool_)
        self._running = list(range(len(self._groups)))
        self._results: list[tuple[Any, ...]] = [()] * len(self._groups)
        self._lives = np.zeros(self.num_envs, dtype=np.int32)

        picture = (c["height"], c["width"]) + (() if c["grayscale"] else (3,))
        shape = picture if self._single_frame else (c["stack"], *picture)
        self.single_observation_space = Box(0, 255, shape, np.uint8)
        self.single_action_space = Discrete(len(self._groups[0].ale.get_action_set()))
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
        # Seeding an emulator loads its ROM anew (about 70 ms), so the groups do it side by side.
        with ThreadPoolExecutor(len(self._groups)) as pool:
            self._results = list(pool.map(self._reset_group, range(len(self._groups))))
        self._seeds = None
        obs, _, _, _, info = self._gather()
        return obs, {"start": info["start"]}

    def _reset_group(self, k: int) -> tuple[Any, ...]:
        low, high = self._starts[k : k + 2]
        seeds = None if self._seeds is None else self._seeds[low:high]
        obs, info = self._groups[k].reset(seed=seeds)
        nothing = np.zeros(high - low, dtype=np.bool_)
        return obs, np.zeros(high - low, dtype=np.int32), nothing, nothing, info

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Play one step in every slot that is not retired."""
        if len(self._groups) == 1 and self._running:
            self._results[0] = self._groups[0].step(actions)
            return self._gather()
        for k in self._running:
            self._groups[k].send(actions[self._starts[k] : self._starts[k + 1]])
        # The last group first: by then most others are done, and this thread wakes less often.
        for k in reversed(self._running):
            self._results[k] = self._groups[k].recv()
        return self._gather()

    def retire(self, mask: NDArray[np.bool_]) -> None:
        """End the stepping of slots for good, e.g. of those that have played their episodes.

        Args:
            mask: (n,) True for slots whose observations, rewards and flags mean nothing from the
                next step on.
        """
        self._active &= ~mask
        for k in list(self._running):
            low, high = self._starts[k : k + 2]
            if not self._active[low:high].any():
                self._running.remove(k)
                obs, reward, terminated, _, info = self._results[k]
                nothing = np.zeros_like(terminated)
                self._results[k] = (obs, np.zeros_like(reward), nothing, nothing, info)

    def _gather(self) -> Step:
        """Put the groups' last results together."""
        if len(self._results) == 1:
            obs, reward, terminated, truncated, info = self._results[0]
            lives, start = info["lives"], info["episode_frame_number"]
            final_obs = info.get("final_obs")
        else:
            parts = self._results
            obs, reward, terminated, truncated = (
                np.concatenate([part[i] for part in parts]) for i in range(4)
            )
            lives = np.concatenate([part[4]["lives"] for part in parts])
            start = np.concatenate([part[4]["episode_frame_number"] for part in parts])
            final_obs = None
            if any("final_obs" in part[4] for part in parts):
                final_obs = np.concatenate([part[4].get("final_obs", part[0]) for part in parts])
        out: dict[str, Any] = {"start": start}
        if final_obs is not None:
            out["final_obs"] = final_obs[:, 0] if self._single_frame else final_obs
        if self._signals_lives:
            lost = lives < self._lives
            if np.count_nonzero(lost):
                lost &= ~(terminated | truncated)
            out["life_lost"] = lost
            self._lives = lives
        if self._single_frame:
            obs = obs[:, 0]
        return obs, reward.astype(np.float64), terminated, truncated, out

    def close_extras(self, **kwargs: Any) -> None:
        """Let the emulators go."""
        self._groups.clear()
