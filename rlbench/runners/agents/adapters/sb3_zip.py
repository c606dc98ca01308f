"""Models saved by Stable-Baselines3 or sb3-contrib: ``sb3-zip:ppo.zip``; they learn nothing more.

The file holds pickles, and to read those is to run whatever they say. Here only its plain text is
read; the rest is left to the process of a run, and to files that one trusts. Options are
`deterministic` (how to act), `algorithm`, for a model that does not tell who saved it, and for one
that was trained so `frame_stack`, `channels_order` and ``normalize=@vecnormalize.pkl``, what its
`VecNormalize` saved.
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space

from rlbench.errors import AgentError, UnknownName, UsageError
from rlbench.runners.agents.adapters.sb3 import ALGORITHMS, SB3Player, View, release
from rlbench.runners.agents.agent import SB3, SB3_ZIP, Agent, AgentFactory, TaskInfo
from rlbench.runners.agents.factories import Signature
from rlbench.runners.agents.resolving import Found
from rlbench.sources import hash_file

NEEDS_TRUST = True
MAX_DATA = 2**26  # bytes of the member that is read; a model's weights are in others

_DEFAULTS = {"deterministic": True, "frame_stack": 1, "channels_order": "", "normalize": None}
_Alike = Callable[[Space[Any], Space[Any]], bool]
_PACKAGES = ALGORITHMS[SB3]
_ENV = "rlbench.runners.agents.adapters.sb3_env"
_SHARED_POLICIES = "stable_baselines3.common.policies"
_RECURRENT_POLICIES = "sb3_contrib.common.recurrent.policies"


def identify(spec: str, options: Mapping[str, Any]) -> Found:
    """Return what is known of a saved model: the name of its file, and the hash of its content.

    Raises:
        MissingExtra: The package that loads it is not installed.
        UnknownName: There is no such algorithm.
        UsageError: There is no such file, it is no saved model, or it does not tell its algorithm.
    """
    path = _path(spec)
    algorithm = find_algorithm(path, str(options.get("algorithm", "")))
    release(spec, _PACKAGES[algorithm])
    return Found(
        name=path.stem,
        factory=f"{SB3_ZIP}{algorithm}",
        spec=SB3_ZIP + path.name,
        version="",
        source=hash_file(path),
        files=(path.name,),
        signature=Signature(
            defaults={"algorithm": algorithm, **_DEFAULTS},
            names=("algorithm", *_DEFAULTS),
            given=("pretraining",),
        ),
    )


def make_factory(spec: str) -> AgentFactory:
    """Return a factory of agents that act by a saved model."""
    path = _path(spec)

    def make(
        task: TaskInfo,
        *,
        seed: int,
        device: str,
        algorithm: str = "",
        deterministic: bool = True,
        frame_stack: int = 1,
        channels_order: str = "",
        normalize: str | None = None,
    ) -> Agent:
        view = View(frame_stack=frame_stack, channels_order=channels_order)
        algorithm = find_algorithm(path, algorithm)
        kind = getattr(import_module(_PACKAGES[algorithm]), algorithm)
        # Loading makes the replay buffer anew, at its full size and of no use here.
        unused = {"buffer_size": 1}
        model = kind.load(path, device=device, custom_objects=unused, seed=seed % 2**32)
        space, normalizer = task.observation_space, None
        if frame_stack > 1:
            space = import_module(_ENV).stacked_space(space, *view.stack)
        if normalize is not None:
            normalizer = _load_normalizer(normalize, space)
        else:
            _check_spaces("observations", model.observation_space, space, _reads_alike)
        _check_spaces("actions", model.action_space, task.action_space, _acts_alike)
        return SB3Player(model, task, view, normalizer, deterministic=deterministic)

    return make


def find_algorithm(path: Path, given: str = "") -> str:
    """Return the algorithm that saved a model, reading the file's plain text only.

    Args:
        path: The file.
        given: Which algorithm it is, if that is known.

    Raises:
        UnknownName: There is no algorithm of the name given.
        UsageError: The file is no saved model, or does not tell its algorithm.
    """
    data = _read(path)
    if given and given not in _PACKAGES:
        raise UnknownName("algorithm", given, _PACKAGES)
    algorithm = given or _algorithm_of(data)
    if not algorithm:
        raise UsageError(
            f"{path} does not tell its algorithm, having a policy of its own; add -o algorithm="
            f" and one of {', '.join(_PACKAGES)}"
        )
    return algorithm


def _path(spec: str) -> Path:
    return Path(spec.removeprefix(SB3_ZIP))


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON in a saved model; pickles in it stay the text that they are stored as."""
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as file:
            size = file.getinfo("data").file_size
            if size > MAX_DATA:
                raise ValueError(f"{size:,} bytes of data")
            data = json.loads(file.read("data"))
        if not isinstance(data, dict):
            raise ValueError("its data are not a JSON object")
    except Exception as error:
        raise UsageError(f"{path} is not a model saved by Stable-Baselines3: {error}") from error
    return data


def _algorithm_of(data: Mapping[str, Any]) -> str:
    """Return the algorithm, or nothing if the policy is not one of the packages' own."""
    policy = data.get("policy_class")
    module = policy.get("__module__") if isinstance(policy, dict) else None
    if module == _RECURRENT_POLICIES:
        return "RecurrentPPO"
    if module == _SHARED_POLICIES:
        return "PPO" if "clip_range" in data else "TRPO" if "cg_max_steps" in data else "A2C"
    # Models of DDPG have TD3's policies, and act the same when they are loaded as TD3.
    modules = {f"{package}.{name.lower()}.policies": name for name, package in _PACKAGES.items()}
    return modules.get(str(module), "")


def _load_normalizer(path: str, space: Space[Any]) -> Any:
    try:
        return import_module(_ENV).load_normalizer(Path(path), space)
    except Exception as error:
        raise AgentError(
            f"the option normalize=@{Path(path).name} does not fit the task: {error}"
        ) from error


def _check_spaces(
    what: str,
    known: Space[Any],
    played: Space[Any],
    alike: _Alike,
) -> None:
    if not alike(known, played):
        raise AgentError(f"the model was saved for {what} in {known}, the task has {played}")


def _reads_alike(model: Space[Any], task: Space[Any]) -> bool:
    """Say whether a model takes a task's observations, whose bounds do not matter to it."""
    if not (isinstance(model, Box) and isinstance(task, Box)):
        return bool(model == task)
    shapes = [task.shape]
    if len(task.shape) == 3:
        shapes.append((task.shape[2], *task.shape[:2]))  # it puts channels first by itself
    return model.shape in shapes and model.dtype.kind == task.dtype.kind


def _acts_alike(model: Space[Any], task: Space[Any]) -> bool:
    """Say whether a model's actions are a task's; their precision does not matter."""
    if not (isinstance(model, Box) and isinstance(task, Box)):
        return bool(model == task)
    return model.shape == task.shape and bool(
        np.allclose(model.low, task.low) and np.allclose(model.high, task.high)
    )
