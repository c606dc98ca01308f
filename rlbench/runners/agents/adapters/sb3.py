"""Agents of Stable-Baselines3, sb3-contrib and sbx: ``sb3:PPO``, ``sb3:RecurrentPPO``, ``sbx:SAC``.

They own their loop: the algorithm's `learn` runs on the metered environments, whose budget ends
it. Options are those of the algorithm's constructor (``-o learning_rate=0.001``), besides `policy`
(by default the one that fits the observations) and `deterministic` (how to act in evaluation).
"""

from collections.abc import Mapping
from copy import deepcopy
from importlib import import_module, metadata
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, MissingExtra, UnknownName
from rlbench.runners.agents.agent import SB3, SBX, Agent, AgentFactory, AgentPhase, Bools, TaskInfo
from rlbench.runners.agents.factories import Signature, signature_of
from rlbench.runners.agents.resolving import Found

ALGORITHMS = {
    SB3: {
        **dict.fromkeys(("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3"), "stable_baselines3"),
        **dict.fromkeys(("ARS", "CrossQ", "QRDQN", "RecurrentPPO", "TQC", "TRPO"), "sb3_contrib"),
    },
    SBX: dict.fromkeys(("CrossQ", "DDPG", "DQN", "PPO", "SAC", "TD3", "TQC"), "sbx"),
}
DISTRIBUTIONS = {
    "stable_baselines3": "stable-baselines3",
    "sb3_contrib": "sb3-contrib",
    "sbx": "sbx-rl",
}
NEEDS_IMPORT = True
EXTRAS = {"stable_baselines3": "sb3", "sb3_contrib": "sb3", "sbx": "sbx"}


def identify(spec: str, options: Mapping[str, Any]) -> Found:
    """Return what is known of an algorithm: its name, and the release of its package.

    Raises:
        MissingExtra: The package is not installed.
        UnknownName: There is no such algorithm.
    """
    algorithm, package = _find(spec)
    return Found(
        name=algorithm,
        factory=spec,
        spec=spec,
        version=release(spec, package),
        source=None,
        signature=Signature(defaults={}, names=None),
    )


def signature(spec: str) -> Signature:
    """Return what the algorithm's constructor takes, which its package is imported for."""
    algorithm, package = _find(spec)
    found = signature_of(getattr(import_module(package), algorithm))  # all but the policy
    own = {"policy": "", "deterministic": True}
    defaults = {name: value for name, value in found.defaults.items() if name[0] != "_"}
    names = found.names and tuple(n for n in found.names if n != "env" and n[0] != "_")
    return Signature(defaults={**defaults, **own}, names=names and (*names, *own))


def release(spec: str, package: str) -> str:
    """Return which release of a package the agent `spec` takes.

    Raises:
        MissingExtra: The package is not installed.
    """
    distribution = DISTRIBUTIONS[package]
    try:
        return f"{distribution}-{metadata.version(distribution)}"
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(f"the agent {spec!r}", EXTRAS[package]) from error


def make_factory(spec: str) -> AgentFactory:
    """Return a factory of agents that train by the algorithm of a spec."""
    algorithm, package = _find(spec)

    def make(
        task: TaskInfo,
        *,
        seed: int,
        device: str,
        policy: str = "",
        deterministic: bool = True,
        **options: Any,
    ) -> Agent:
        kind = getattr(import_module(package), algorithm)
        chosen = policy or _policy_for(task, recurrent=algorithm == "RecurrentPPO")
        options = {"seed": seed % 2**32, **options}
        if package == "sbx":
            _use_jax_device(device)
        else:
            options = {"device": device, **options}
        return SB3Agent(kind, chosen, task, options, deterministic=deterministic)

    return make


class SB3Player:
    """A model that acts.

    Args:
        model: The model, or None where it is yet to be made.
        deterministic: Act by the mode of the policy.
    """

    def __init__(self, model: Any, *, deterministic: bool) -> None:
        self._model = model
        self._deterministic = deterministic
        self._states: dict[AgentPhase, Any] = {}

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions; the recurrent state restarts where episodes do."""
        if first.all():
            self._states[phase] = None
        actions, self._states[phase] = self._model.predict(
            obs,
            state=self._states.get(phase),
            episode_start=first,
            deterministic=self._deterministic,
        )
        return np.asarray(actions)


class SB3Agent(SB3Player):
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
        options: dict[str, Any],
        *,
        deterministic: bool,
    ) -> None:
        super().__init__(None, deterministic=deterministic)
        self._kind, self._policy, self._task, self._options = kind, policy, task, options
        self._spare: dict[str, Any] = {}

    def train(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Learn until the budget is spent."""
        from rlbench.runners.agents.adapters.sb3_env import SB3Env

        self._model = self._kind(self._policy, SB3Env(env), **self._options)
        self._model.learn(total_timesteps=self._task.budget)

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions in evaluation, by randomness that is not training's."""
        if self._model is None:
            raise AgentError("the algorithm acts after training only")
        if self._deterministic:
            return super().act(obs, first, phase=phase)
        self._swap_generators()
        try:
            return super().act(obs, first, phase=phase)
        finally:
            self._swap_generators()

    def _swap_generators(self) -> None:
        """Exchange what training draws from, besides global generators, with a copy."""
        model = self._model
        for owner, name in ((model, "action_space"), (model.policy, "key")):
            if hasattr(owner, name):
                current = getattr(owner, name)
                if name not in self._spare:
                    self._spare[name] = deepcopy(current)
                setattr(owner, name, self._spare[name])
                self._spare[name] = current


def _find(spec: str) -> tuple[str, str]:
    """Return the algorithm that a spec names and the package that has it."""
    prefix, _, algorithm = spec.partition(":")
    known = ALGORITHMS[f"{prefix}:"]
    if algorithm not in known:
        raise UnknownName("algorithm", algorithm, known)
    return algorithm, known[algorithm]


def _use_jax_device(device: str) -> None:
    """Have JAX compute on a device that is named as for torch: ``cpu``, ``cuda``, ``cuda:1``."""
    jax: Any = import_module("jax")
    platform, _, index = device.partition(":")
    jax.config.update("jax_default_device", jax.devices(platform)[int(index or 0)])


def _policy_for(task: TaskInfo, *, recurrent: bool) -> str:
    space = task.observation_space
    image = isinstance(space, Box) and len(space.shape) == 3 and space.dtype == np.uint8
    return ("Cnn" if image else "Mlp") + ("LstmPolicy" if recurrent else "Policy")
