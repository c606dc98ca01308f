"""Agents of Stable-Baselines3 and sb3-contrib: ``sb3:PPO``, ``sb3:RecurrentPPO``, ...

They own their loop: the algorithm's `learn` runs on the metered environments, whose budget ends
it. Options are those of the algorithm's constructor (``-o learning_rate=0.001``), besides `policy`
(by default the one that fits the observations) and `deterministic` (how to act in evaluation).
"""

from importlib import import_module, metadata
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, MissingExtra, UnknownName
from rlbench.runners.agent import SB3, Agent, AgentFactory, AgentPhase, Bools, TaskInfo
from rlbench.suites import Scalar

ALGORITHMS = {
    **dict.fromkeys(("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3"), "stable_baselines3"),
    **dict.fromkeys(("ARS", "CrossQ", "QRDQN", "RecurrentPPO", "TQC", "TRPO"), "sb3_contrib"),
}
DISTRIBUTIONS = {"stable_baselines3": "stable-baselines3", "sb3_contrib": "sb3-contrib"}


def identify(spec: str) -> tuple[str, str, None]:
    """Return the algorithm that a spec names, the release of its package, and no source hash.

    Raises:
        MissingExtra: The package is not installed.
        UnknownName: There is no such algorithm.
    """
    algorithm = spec.removeprefix(SB3)
    if algorithm not in ALGORITHMS:
        raise UnknownName("algorithm", algorithm, ALGORITHMS)
    distribution = DISTRIBUTIONS[ALGORITHMS[algorithm]]
    try:
        return algorithm, f"{distribution}-{metadata.version(distribution)}", None
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(f"the agent {spec!r}", "sb3") from error


def make_factory(spec: str) -> AgentFactory:
    """Return a factory of agents that train by the algorithm of a spec."""
    algorithm = identify(spec)[0]

    def make(
        task: TaskInfo,
        *,
        seed: int,
        device: str,
        policy: str = "",
        deterministic: bool = True,
        **options: Scalar,
    ) -> Agent:
        kind = getattr(import_module(ALGORITHMS[algorithm]), algorithm)
        chosen = policy or _policy_for(task, recurrent=algorithm == "RecurrentPPO")
        options = {"seed": seed % 2**32, "device": device, **options}
        return SB3Agent(kind, chosen, task, options, deterministic=deterministic)

    return make


class SB3Agent:
    """An algorithm with its model, which is made when training begins.

    Args:
        kind: The algorithm's class.
        policy: The name of a policy.
        task: What is played.
        options: For the class.
        deterministic: Act by the mode of the policy in evaluation.
    """

    def __init__(
        self,
        kind: Any,
        policy: str,
        task: TaskInfo,
        options: dict[str, Scalar],
        *,
        deterministic: bool,
    ) -> None:
        self._kind, self._policy, self._task = kind, policy, task
        self._options, self._deterministic = options, deterministic
        self._model: Any = None
        self._state: Any = None

    def train(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Learn until the budget is spent."""
        from rlbench.runners.adapters.sb3_env import SB3Env

        self._model = self._kind(self._policy, SB3Env(env), **self._options)
        self._model.learn(total_timesteps=self._task.budget)

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions in evaluation; the recurrent state restarts where episodes do."""
        if self._model is None:
            raise AgentError("the algorithm acts after training only")
        if first.all():
            self._state = None
        actions, self._state = self._model.predict(
            obs, state=self._state, episode_start=first, deterministic=self._deterministic
        )
        return np.asarray(actions)


def _policy_for(task: TaskInfo, *, recurrent: bool) -> str:
    space = task.observation_space
    image = isinstance(space, Box) and len(space.shape) == 3 and space.dtype == np.uint8
    return ("Cnn" if image else "Mlp") + ("LstmPolicy" if recurrent else "Policy")
