"""An offline suite with nothing to install: a pendulum, logged while a simple controller swung it.

The equations are those of gymnasium's ``Pendulum-v1``.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.runners import TaskInfo
from rlbench.suites import Dataset, Episodes, Protocol, Suite, Task

OBSERVATIONS = Box(np.float32([-1, -1, -8]), np.float32([1, 1, 8]), dtype=np.float32)
TORQUES = Box(-2.0, 2.0, (1,), np.float32)
GRAVITY = 10.0
STEP = 0.05  # seconds
STEPS = 200  # an episode
LOGGED = 48  # episodes, of which
VALIDATION = 8
LOG_SEED = 20_240_501


def swing(state: NDArray[Any], torque: NDArray[Any], gravity: float) -> NDArray[Any]:
    """Return the (n, 2) angles and speeds that follow; the angle is 0 where it stands upright."""
    angle, speed = state.T
    speed = np.clip(speed + STEP * (1.5 * gravity * np.sin(angle) + 3.0 * torque), -8.0, 8.0)
    return np.stack([angle + STEP * speed, speed], axis=1)


def look(state: NDArray[Any]) -> NDArray[Any]:
    """Return the (n, 3) observations of states."""
    angle, speed = state.T
    return np.stack([np.cos(angle), np.sin(angle), speed], axis=1).astype(np.float32)


def reward_in(state: NDArray[Any], torque: NDArray[Any]) -> NDArray[np.float64]:
    """Return (n,) rewards: what it costs not to stand still upright."""
    angle, speed = state.T
    angle = (angle + np.pi) % (2.0 * np.pi) - np.pi
    return -(angle**2 + 0.1 * speed**2 + 0.001 * torque**2)


def reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> NDArray[Any]:
    """Return (n,) rewards, from what an agent sees."""
    cosine, sine, speed = obs.astype(np.float64).T
    state = np.stack([np.arctan2(sine, cosine), speed], axis=1)
    return reward_in(state, action.astype(np.float64)[:, 0])


def terminal(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> NDArray[Any]:
    """Return (n,) False: a swing is only ever cut off."""
    return np.zeros(len(obs), dtype=np.bool_)


class Pendulums(VectorEnv):
    """Pendulums that begin anew in the step that cuts their episode off."""

    def __init__(self, num_envs: int, stream: np.random.SeedSequence, steps: int, gravity: float):
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = OBSERVATIONS, TORQUES
        self.observation_space = batch_space(OBSERVATIONS, num_envs)
        self.action_space = batch_space(TORQUES, num_envs)
        self.metadata = {}
        self.generators = [np.random.default_rng(child) for child in stream.spawn(num_envs)]
        self.steps, self.gravity = steps, gravity
        self.state = np.zeros((num_envs, 2))
        self.clocks = np.zeros(num_envs, dtype=int)

    def _begin(self, mask: NDArray[np.bool_]) -> None:
        for slot in np.flatnonzero(mask):
            angle, speed = 2.0 * self.generators[slot].random(2) - 1.0
            self.state[slot] = np.pi * angle, speed
        self.clocks[mask] = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[NDArray[Any], dict]:
        self._begin(np.ones(self.num_envs, dtype=np.bool_))
        return look(self.state), {}

    def step(self, actions: NDArray[Any]):
        torque = actions.astype(np.float64)[:, 0]
        rewards = reward_in(self.state, torque)
        self.state = swing(self.state, torque, self.gravity)
        self.clocks += 1
        obs = look(self.state)
        ended = self.clocks >= self.steps
        info = {}
        if ended.any():
            info["final_obs"] = obs
            self._begin(ended)
            obs = look(self.state)
        return obs, rewards, np.zeros_like(ended), ended, info


def make(
    task: Task,
    constants: Mapping[str, Any],
    *,
    split: str,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> Pendulums:
    """Make the environments, for evaluation: nobody trains on them."""
    assert split == "eval"
    return Pendulums(num_envs, stream, constants["max_episode_steps"], constants["gravity"])


def control(obs: NDArray[Any], noise: NDArray[Any]) -> NDArray[Any]:
    """Return (n, 1) torques: pump energy in, hold on near the top, and fumble.

    Args:
        obs: (n, 3) Observations.
        noise: (n,) Numbers of [0, 1).
    """
    cosine, sine, speed = obs.astype(np.float64).T
    energy = speed**2 / 6.0 + 5.0 * (cosine - 1.0)
    torque = np.where(cosine > 0.9, -10.0 * sine - 2.5 * speed, -0.6 * energy * speed)
    return np.clip(torque + 3.0 * (noise - 0.5), -2.0, 2.0).astype(np.float32)[:, None]


def log() -> dict[str, NDArray[Any]]:
    """Return (steps, episodes, ...) transitions that the controller made.

    They are the same on every machine, although sines may differ there in the last digit and a
    pendulum that falls doubles a difference several times a second: states are rounded to
    millionths after every step, so that a difference is gone before it can grow. Only uniform
    draws are used, which numpy makes from the generator's bits by a shift, in every release.
    """
    env = Pendulums(LOGGED, np.random.SeedSequence(LOG_SEED), STEPS, GRAVITY)
    env.reset()
    noise = np.random.default_rng(LOG_SEED)
    rows = []
    for _ in range(STEPS):
        state = np.round(env.state, 6)
        action = np.round(control(look(state), noise.random(LOGGED)), 3)
        torque = action.astype(np.float64)[:, 0]
        env.state = np.round(swing(state, torque, GRAVITY), 6)
        rows.append((look(state), action, reward_in(state, torque), look(env.state)))
    names = ("obs", "action", "reward", "next_obs")
    return {
        name: np.stack(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def sha256_of_log(transitions: Mapping[str, NDArray[Any]]) -> str:
    """Return the sha256 of transitions in ten-thousandths: beyond that, machines may differ."""
    digest = hashlib.sha256()
    for name, array in transitions.items():
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(np.rint(array.astype(np.float64) * 1e4).astype("<i8").tobytes())
    return digest.hexdigest()


def load_dataset(task: Task, constants: Mapping[str, Any]) -> Dataset:
    """Log the episodes again and see that they are those of the task.

    Raises:
        UsageError: They are others.
    """
    transitions = log()
    found, wanted = sha256_of_log(transitions), constants["dataset_sha256"]
    if found != wanted:
        raise UsageError(f"the dataset of {task.name} has the sha256 {found}, not {wanted}")
    return Dataset(
        train=_flat(transitions, slice(VALIDATION, None)),
        validation=_flat(transitions, slice(VALIDATION)),
        observation_space=OBSERVATIONS,
        action_space=TORQUES,
        reward=reward,
        terminal=terminal,
    )


def _flat(transitions: Mapping[str, NDArray[Any]], chosen: slice) -> Episodes:
    """Return some of the episodes, one after the other."""
    arrays = {
        name: array[:, chosen].swapaxes(0, 1).reshape(-1, *array.shape[2:])
        for name, array in transitions.items()
    }
    clock = np.arange(len(arrays["obs"])) % STEPS
    return Episodes(
        **arrays,
        terminated=np.zeros(len(clock), dtype=np.bool_),
        truncated=clock == STEPS - 1,
        first=clock == 0,
    )


class Cloner:
    """Learns to do what was done: mini-batch gradient descent on random features.

    Args:
        seed: Of its features and its draws.
        width: How many features.
        rate: The step size.
        leave_at: Ask this process to leave after so many updates, as a cluster would, unless it
            was loaded.
    """

    def __init__(self, seed: int, *, width: int = 96, rate: float = 2.0, leave_at: int = 0):
        self.random = np.random.default_rng(seed)
        self.directions = self.random.normal(size=(3, width)) * np.array([[2.0], [2.0], [0.5]])
        self.phases = self.random.uniform(0, 2 * np.pi, size=width)
        self.weights = np.zeros(width)
        self.rate, self.leave_at = rate, leave_at
        self.update = 0

    def features(self, obs: NDArray[Any]) -> NDArray[Any]:
        return np.cos(obs @ self.directions + self.phases) * np.sqrt(2.0 / len(self.phases))

    def act(self, obs: NDArray[Any], first: NDArray[Any], *, phase: str) -> NDArray[Any]:
        torque = np.clip(self.features(obs) @ self.weights, -2.0, 2.0)
        return torque.astype(np.float32)[:, None]

    def fit(self, dataset: Dataset, *, updates: int, checkpoint: Callable[[int], None]) -> None:
        train = dataset.train
        features, torque = self.features(train.obs), train.action[:, 0].astype(np.float64)
        while self.update < updates:
            batch = self.random.integers(len(train), size=64)
            error = features[batch] @ self.weights - torque[batch]
            self.weights -= self.rate * error @ features[batch] / len(batch)
            self.update += 1
            if self.update == self.leave_at:
                os.kill(os.getpid(), signal.SIGTERM)
            checkpoint(self.update)

    def save(self, folder: Path) -> None:
        np.save(folder / "weights.npy", self.weights)
        state = {"random": self.random.bit_generator.state, "update": self.update}
        (folder / "state.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        self.weights = np.load(folder / "weights.npy")
        state = json.loads((folder / "state.json").read_text())
        self.random.bit_generator.state = state["random"]
        self.update = state["update"]
        self.leave_at = 0


def make_cloner(task: TaskInfo, *, seed: int, device: str, **options: Any) -> Cloner:
    """Make the agent; it uses no device."""
    return Cloner(seed, **options)


PENDULUM = Suite(
    name="pendulum-offline",
    version=1,
    title="Pendulum, offline",
    summary="Learn to swing a pendulum up from what a fumbling controller did.",
    protocol=Protocol(
        kind="offline",
        budget=600,
        unit="updates",
        eval_points=(100, 300),
        episodes=10,
        eval_envs=4,
        max_episode_steps=STEPS,
        environment={"gravity": GRAVITY},
    ),
    tasks=(
        Task(
            name="Swing-up",
            low=-1220.0,
            high=-177.0,
            assets={
                "dataset_sha256": "cc41d78dc2e5f070116b2febfe28f21da033ae4e0a2ae63d3bce5b37fe5e0a7c"
            },
        ),
    ),
    references=("random", "controller"),
    reference_source="measured here",
    factory="support.pendulum:make",
    dataset_factory="support.pendulum:load_dataset",
    extra="none",
)
