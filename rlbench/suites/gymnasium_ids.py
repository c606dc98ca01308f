"""The environments of suites in TOML files: a gymnasium id under wrappers.

A task's constants say all of it, see `rlbench.suites.toml_files`.
"""

import importlib
import json
import re
import warnings
from collections.abc import Mapping
from functools import partial
from importlib import metadata
from typing import Any

import gymnasium
import numpy as np
from gymnasium import wrappers
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv

from rlbench.errors import InvalidEnvironment, UnknownName, UsageError, one_line
from rlbench.suites.envs import check_space, make_slots
from rlbench.suites.suite import Constant, Split, Task

_DRAWN = "rgb_array"


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
    drawn: bool = False,
) -> VectorEnv[Any, Any, Any]:
    """Make the environments of a task."""
    return make_slots(
        partial(make_one, constants, drawn=drawn), num_envs=num_envs, split=split, stream=stream,
        max_episode_steps=_limit(constants),
    )  # fmt: skip


# The same with the render mode ``rgb_array``, if the environments have it.
make_drawn = partial(make, drawn=True)


def make_one(constants: Mapping[str, Constant], *, drawn: bool = False) -> gymnasium.Env[Any, Any]:
    """Make one environment.

    Args:
        constants: Of a task: ``gymnasium_id``, ``kwargs``, ``wrappers``, ``packages``,
            ``max_episode_steps``.
        drawn: Give it the render mode ``rgb_array``, if it has it.

    Raises:
        UsageError: There is no such environment, a package is missing, or a wrapper does not fit.
    """
    name, limit = str(constants["gymnasium_id"]), _limit(constants)
    for package in str(constants["packages"]).split():
        _import(package)
    if name not in gymnasium.registry:
        raise UnknownName(
            "gymnasium id", name, gymnasium.registry,
            why="a package that registers it may be missing in packages = [...]",
        )  # fmt: skip
    with warnings.catch_warnings():
        # Which version is meant was decided by the suite; spaces are as gymnasium makes them.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", ".*(is out of date|precision lowered)", UserWarning)
        env = _made(name, limit, constants)
        if drawn and _DRAWN in env.metadata.get("render_modes", ()):
            env.close()
            env = _made(name, limit, constants, render_mode=_DRAWN)
        return _wrapped(env, name, constants)


def _made(
    name: str, limit: int, constants: Mapping[str, Constant], **more: str
) -> gymnasium.Env[Any, Any]:
    try:
        return gymnasium.make(
            name, max_episode_steps=limit, disable_env_checker=True,
            **json.loads(str(constants["kwargs"])), **more,
        )  # fmt: skip
    except DependencyNotInstalled as error:
        raise UsageError(f"{name} cannot be made: {' '.join(str(error).split())}") from error
    except ModuleNotFoundError as error:
        folder = re.match(r"gymnasium\.envs\.(\w+)", str(gymnasium.registry[name].entry_point))
        mend = f": pip install 'gymnasium[{folder[1].replace('_', '-')}]'" if folder else ""
        raise UsageError(f"{name} cannot be made: {one_line(error)}{mend}") from error
    except Exception as error:  # whatever another package's environment raises
        raise UsageError(f"{name} cannot be made: {one_line(error)}") from error


def _wrapped(
    env: gymnasium.Env[Any, Any], name: str, constants: Mapping[str, Constant]
) -> gymnasium.Env[Any, Any]:
    for wrapper, arguments in json.loads(str(constants["wrappers"])):
        try:
            env = getattr(wrappers, wrapper)(env, **arguments)
        except Exception as error:
            env.close()
            raise UsageError(f"{wrapper} cannot wrap {name}: {one_line(error)}") from error
    return env


def check(constants: Mapping[str, Constant]) -> None:
    """Make a task's environment once, and look at its spaces.

    Raises:
        UsageError: It cannot be made, its observations are not one array, or its actions are not
            supported.
    """
    env = make_one(constants)
    name = constants["gymnasium_id"]
    try:
        try:
            check_space(env.observation_space)
        except InvalidEnvironment as error:
            raise UsageError(f"{name}: {error}") from error
        if not isinstance(env.action_space, Box | Discrete):
            raise UsageError(
                f"{name} has actions in {type(env.action_space).__name__}, which are not "
                "supported: they must be discrete or a box"
            )
    finally:
        env.close()


def _limit(constants: Mapping[str, Constant]) -> int:
    limit = constants["max_episode_steps"]
    assert isinstance(limit, int)
    return limit


def _import(package: str) -> None:
    """Import a module that registers environments; it must be of an installed package.

    Raises:
        UsageError: It is not, or it cannot be imported.
    """
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        if package not in metadata.packages_distributions():
            raise UsageError(
                f"the package {package!r} is not installed: pip install {package}"
            ) from None
    try:
        importlib.import_module(package)
    except Exception as error:
        raise UsageError(
            f"the package {package!r} cannot be imported: {one_line(error)}"
        ) from error
