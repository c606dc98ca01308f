"""Agents of Stable-Baselines3, sb3-contrib and sbx: ``sb3:PPO``, ``sb3:RecurrentPPO``, ``sbx:SAC``.

They own their loop: the algorithm's `learn` runs on the metered environments, whose budget ends
it. Options are those of the algorithm's constructor (``-o learning_rate=0.001``), and these:

- `policy`: by default the one that fits the observations;
- `deterministic`: how to act in evaluation;
- `clip_reward`: learn from the sign of each reward;
- `terminal_on_life_loss`: learn as if an episode ended where a life is lost;
- `frame_stack`, `channels_order`: observations in one, stacked ``first`` or ``last``;
- `normalize`: true, or options of `VecNormalize`; its statistics stand still in evaluation.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, MissingExtra, UnknownName, UsageError
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
ASIDE = ("stats_window_size", "tensorboard_log", "verbose")  # what is logged, and where
NORMALIZE = ("clip_obs", "clip_reward", "epsilon", "gamma", "norm_obs", "norm_reward")
CLASSES: dict[
    str, dict[str, tuple[str, ...]]
] = {  # where names in `policy_kwargs` are looked up, by package
    "sbx": {"activation_fn": ("flax.linen",), "optimizer_class": ("optax",)},
    "": {
        "activation_fn": ("torch.nn",),
        "features_extractor_class": ("stable_baselines3.common.torch_layers",),
        "optimizer_class": (
            "torch.optim",
            "stable_baselines3.common.sb2_compat.rmsprop_tf_like",
        ),
    },
}
EXTRAS = {"stable_baselines3": "sb3", "sb3_contrib": "sb3", "sbx": "sbx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an algorithm is shown of a task.

    Attributes:
        clip_reward: The sign of each reward only.
        terminal_on_life_loss: The loss of a life as the end of an episode.
        frame_stack: Observations in one; 1 for no stack.
        channels_order: Where they are stacked: ``first``, ``last``, or empty for where it seems
            right.
        normalize: Whether it is `VecNormalize`d, or how.
    """

    clip_reward: bool = False
    terminal_on_life_loss: bool = False
    frame_stack: int = 1
    channels_order: str = ""
    normalize: bool | Mapping[str, Any] = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UnknownName: `normalize` has a name that is no option of `VecNormalize`.
            UsageError: A value does not fit.
        """
        for name in ("clip_reward", "terminal_on_life_loss"):
            if type(getattr(self, name)) is not bool:
                raise UsageError(f"{name} is true or false, not {getattr(self, name)!r}")
        if type(self.frame_stack) is not int or not 1 <= self.frame_stack <= 1000:
            raise UsageError(f"frame_stack is a number, 1 to 1000, not {self.frame_stack!r}")
        if self.channels_order not in ("", "first", "last"):
            raise UsageError(f"channels_order is first or last, not {self.channels_order!r}")
        if not isinstance(self.normalize, bool | Mapping):
            raise UsageError(
                f"normalize is true, false or options of VecNormalize, not {self.normalize!r}"
            )
        for name in self.normalize if isinstance(self.normalize, Mapping) else ():
            if name not in NORMALIZE:
                raise UnknownName("option of VecNormalize:", name, NORMALIZE)

    @property
    def stack(self) -> tuple[int, str | None]:
        """Frames and channels order as Stable-Baselines3 takes them."""
        return self.frame_stack, self.channels_order or None


_VIEW = asdict(View())


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
    own = {"policy": "", "deterministic": True, **_VIEW}
    defaults = {name: value for name, value in found.defaults.items() if name[0] != "_"}
    names = found.names and tuple(n for n in found.names if n != "env" and n[0] != "_")
    return Signature(defaults={**defaults, **own}, names=names and (*names, *own), aside=ASIDE)


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
        view = View(**{name: options.pop(name) for name in _VIEW if name in options})
        kind = getattr(import_module(package), algorithm)
        chosen = policy or _policy_for(task, recurrent=algorithm == "RecurrentPPO")
        options = {"seed": seed % 2**32, **_as_constructed(package, task, options)}
        if package == "sbx":
            _use_jax_device(device)
        else:
            options = {"device": device, **options}
        made = SB3Valuer if package == "stable_baselines3" else SB3Agent
        return made(kind, chosen, task, options, view, deterministic=deterministic)

    return make


class SB3Player:
    """A model that acts.

    Args:
        model: The model, or None where it is yet to be made.
        task: What is played.
        view: What the model is shown of it.
        normalizer: The `VecNormalize` with whose statistics the model sees, if there is one.
        deterministic: Act by the mode of the policy.
    """

    def __init__(
        self, model: Any, task: TaskInfo, view: View, normalizer: Any, *, deterministic: bool
    ) -> None:
        self._model, self._task, self._view = model, task, view
        self._normalizer = normalizer
        self._deterministic = deterministic
        self._states: dict[AgentPhase, Any] = {}
        self._stacks: dict[AgentPhase, Any] = {}

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions; the recurrent state restarts where episodes do."""
        if first.all():
            self._states[phase] = None
        actions, self._states[phase] = self._model.predict(
            self._see(obs, first, phase),
            state=self._states.get(phase),
            episode_start=first,
            deterministic=self._deterministic,
        )
        return np.asarray(actions)

    def _see(self, obs: NDArray[Any], first: Bools, phase: AgentPhase) -> NDArray[Any]:
        """Return (n, ...) observations as training shows them; no statistics change."""
        if self._view.frame_stack > 1:
            if phase not in self._stacks:
                from rlbench.runners.agents.adapters.sb3_env import FrameStack

                space = self._task.observation_space
                self._stacks[phase] = FrameStack(space, *self._view.stack)
            obs = self._stacks[phase].add(obs, first)
        if self._normalizer is not None:
            obs = self._normalizer.normalize_obs(obs)
        return obs


class SB3Agent(SB3Player):
    """An algorithm with its model, which is made when training begins.

    Args:
        kind: The algorithm's class.
        policy: The name of a policy.
        task: What is played.
        options: For the class.
        view: What the algorithm is shown of the task.
        deterministic: Act by the mode of the policy in evaluation.
    """

    def __init__(
        self,
        kind: Any,
        policy: str,
        task: TaskInfo,
        options: dict[str, Any],
        view: View,
        *,
        deterministic: bool,
    ) -> None:
        super().__init__(None, task, view, None, deterministic=deterministic)
        self._kind, self._policy, self._options = kind, policy, options
        self._spare: dict[str, Any] = {}

    def train(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Learn until the budget is spent."""
        from rlbench.runners.agents.adapters.sb3_env import SB3Env, wrap

        view, normalize = self._view, self._view.normalize
        slots = SB3Env(
            env, clip_reward=view.clip_reward, terminal_on_life_loss=view.terminal_on_life_loss
        )
        gamma = {"gamma": self._options["gamma"]} if "gamma" in self._options else {}
        more = normalize if isinstance(normalize, Mapping) else {}
        wrapped, self._normalizer = wrap(
            slots, *view.stack, None if normalize is False else {**gamma, **more}
        )
        self._model = self._kind(self._policy, wrapped, **self._options)
        self._model.learn(total_timesteps=self._task.budget)

    def save(self, folder: Path) -> None:
        """Write the model and the statistics in the formats of Stable-Baselines3.

        That is ``model.zip``, which ``sb3-zip:`` takes, and ``vecnormalize.pkl``.
        """
        self._check_trained("is saved")
        self._model.save(folder / "model.zip")
        if self._normalizer is not None:
            self._normalizer.save(folder / "vecnormalize.pkl")

    def load(self, folder: Path) -> None:
        """Become what `save` wrote, to act; the files hold pickles."""
        from rlbench.runners.agents.adapters.sb3_env import load_normalizer, stacked_space

        device = {"device": self._options["device"]} if "device" in self._options else {}
        # Loading makes the replay buffer anew, at its full size and of no use here.
        unused = {"buffer_size": 1}
        self._model = self._kind.load(folder / "model.zip", custom_objects=unused, **device)
        if self._view.normalize is not False:
            space = self._task.observation_space
            if self._view.frame_stack > 1:
                space = stacked_space(space, *self._view.stack)
            self._normalizer = load_normalizer(folder / "vecnormalize.pkl", space)

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Choose actions in evaluation, by randomness that is not training's."""
        self._check_trained("acts")
        if self._deterministic:
            return super().act(obs, first, phase=phase)
        self._swap_generators()
        try:
            return super().act(obs, first, phase=phase)
        finally:
            self._swap_generators()

    def _check_trained(self, does: str) -> None:
        if self._model is None:
            raise AgentError(f"the algorithm {does} after training only")

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


class SB3Valuer(SB3Agent):
    """An algorithm of Stable-Baselines3 itself, whose critic says what it expects."""

    def value(self, obs: NDArray[Any]) -> NDArray[Any]:
        """Return (n,) values of observations that opened episodes, by the critic.

        Of critics of actions it is the value of the policy's mode, or of the best action; of two
        critics the lower.
        """
        from rlbench.runners.agents.adapters.sb3_values import values_of

        self._check_trained("says values")
        first = np.ones(len(obs), dtype=np.bool_)
        return values_of(self._model.policy, self._see(obs, first, "eval"))


def _as_constructed(package: str, task: TaskInfo, options: dict[str, Any]) -> dict[str, Any]:
    """Return options as an algorithm's constructor takes them, from JSON data.

    Names of classes in `policy_kwargs` become classes, a list as `train_freq` a tuple, and a number
    as `action_noise` normal noise of that standard deviation.

    Raises:
        UsageError: There is no such class.
    """
    made = dict(options)
    if isinstance(options.get("policy_kwargs"), Mapping):
        places = CLASSES.get(package, CLASSES[""])
        made["policy_kwargs"] = {
            name: _class_in(places[name], name, value)
            if name in places and isinstance(value, str)
            else value
            for name, value in options["policy_kwargs"].items()
        }
    if isinstance(options.get("train_freq"), list):
        made["train_freq"] = tuple(options["train_freq"])
    deviation = options.get("action_noise")
    if isinstance(deviation, int | float):
        noise: Any = import_module("stable_baselines3.common.noise")
        zeros = np.zeros(task.action_space.shape or ())
        made["action_noise"] = noise.NormalActionNoise(zeros, zeros + deviation)
    return made


def _class_in(modules: tuple[str, ...], option: str, name: str) -> Any:
    """Return what a name in `policy_kwargs` stands for."""
    for module in modules:
        found = getattr(import_module(module), name, None)
        if callable(found):
            return found
    raise UsageError(f"policy_kwargs: {option}={name!r} is not in {' or '.join(modules)}")


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
