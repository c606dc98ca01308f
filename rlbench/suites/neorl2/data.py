"""NeoRL-2's data as an agent is given them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from rlbench.errors import UsageError
from rlbench.suites.dataset import Dataset, Episodes
from rlbench.suites.neorl2.envs import space_pair
from rlbench.suites.neorl2.files import DataFile, Trajectories, chosen, read
from rlbench.suites.neorl2.protocols import base_of
from rlbench.suites.suite import Constant, Task

_MODULES = "rlbench.suites.neorl2."
_REWARDS = {
    "Pipeline": "pipeline:reward",
    "Simglucose": "simglucose:reward",
    "RocketRecovery": "rocket:reward",
    "RandomFrictionHopper": "locomotion:hopper_reward",
    "DMSD": "dmsd:reward",
    "Fusion": "fusion:reward",
    "SafetyHalfCheetah": "locomotion:cheetah_reward",
}
# Those of Simglucose depend on what is not observed.
_TERMINALS = {
    "RocketRecovery": "rocket:terminal",
    "RandomFrictionHopper": "locomotion:hopper_terminal",
}


def load(task: Task, constants: Mapping[str, Constant]) -> Dataset:
    """Load what an agent learns from; see `Suite.dataset`.

    Raises:
        UsageError: A file is not here, is damaged, or is not the official one.
        MissingExtra: The task needs an extra that is not installed.
    """
    limits: dict[str, Any] = {
        "train": constants["train_trajectories"], "val": constants["validation_trajectories"]
    }  # fmt: skip
    found = {}
    base = base_of(task)
    for split, number in limits.items():
        file = DataFile(base, split)
        found[split] = as_episodes(
            _part(file, _chosen(file, number, constants["dataset"]), constants)
        )
    spaces = space_pair(base)
    for name, space in zip(("obs", "action"), spaces, strict=True):
        if getattr(found["train"], name).shape[1:] != space.shape:
            raise UsageError(f"the {name} of {task.name}'s data does not fit the task")
    return Dataset(
        train=found["train"],
        validation=found["val"],
        observation_space=spaces[0],
        action_space=spaces[1],
        reward=_function(_REWARDS[base]),
        terminal=_function(_TERMINALS[base]) if base in _TERMINALS else None,
    )


def _part(file: DataFile, data: Trajectories, constants: Mapping[str, Constant]) -> Trajectories:
    """Return the part of the trajectories that a suite of scarce data gives."""
    percent: Any = constants.get("percent", 100)
    if percent == 100:
        return data
    if not 0 < percent < 100:
        raise UsageError(f"the constant percent is from 1 to 100, not {percent}")
    seed: Any = constants["percent_seed"]
    return data.pick(chosen(file, len(data.ends), percent, seed))


def _chosen(file: DataFile, number: int, dataset: Constant) -> Trajectories:
    """Read the first trajectories of a file, 0 for all; only official ones, unless it is said."""
    if dataset not in ("train", "unverified"):
        raise UsageError(f"the constant dataset is train or unverified, not {dataset!r}")
    data, status = read(file)
    if status != "verified" and dataset == "train":
        why = "are not the official ones" if status == "other" else "cannot be verified"
        raise UsageError(
            f"the data in {file.path} {why}: rlbench data fetch neorl2 --task {file.task}, or try "
            "them with --unofficial dataset=unverified"
        )
    if number > len(data.ends):
        raise UsageError(f"{file.path} holds {len(data.ends)} trajectories, not {number}")
    return data.first(number)


def as_episodes(data: Trajectories) -> Episodes:
    """Return trajectories as agents get them."""
    first = np.zeros(len(data.reward), np.bool_)
    first[0] = True
    first[data.ends[:-1] + 1] = True
    return Episodes(
        obs=data.obs,
        action=data.action,
        reward=data.reward.astype(np.float64),
        next_obs=data.next_obs,
        terminated=data.done,
        truncated=data.truncated & ~data.done,
        first=first,
    )


def _function(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(_MODULES + module), name)
