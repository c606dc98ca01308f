"""NeoRL-2's data as an agent is given them, and what they are like."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import MissingExtra, UsageError
from rlbench.suites.dataset import Dataset, Episodes
from rlbench.suites.neorl2.envs import make_simulator
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
_BINS = 10  # of each number, in `Description.coverage`
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class Description(NamedTuple):
    """What a dataset is like.

    Attributes:
        transitions: Their number.
        episodes: Their number.
        terminated: Episodes that ended in a terminal state.
        lengths: (3,) The shortest, the mean and the longest episode, in steps.
        mean: Of the returns.
        deviation: Of the returns, the square root of their mean squared difference from the mean.
        quantiles: (7,) Of the returns, at `QUANTILES`.
        quality: The mean return, normalised as scores are: the trajectory quality of Schweighofer
            et al. 2022 (arXiv 2111.04714), between the protocol's scores instead of those of a
            random and an expert policy.
        coverage: Distinct cells of (observation, action), a transition: each number's range in
            the dataset is cut in 10. Schweighofer et al. relate the distinct pairs to those of a
            replay buffer, which NeoRL-2 does not have.
    """

    transitions: int
    episodes: int
    terminated: int
    lengths: NDArray[np.float64]
    mean: float
    deviation: float
    quantiles: NDArray[np.float64]
    quality: float
    coverage: float


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
        found[split] = _episodes(
            _part(file, _chosen(file, number, constants["dataset"]), constants)
        )
    try:
        simulator = make_simulator(base, 1)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the task {task.name}", task.extra, error.name or "") from error
    spaces = simulator.observation_space, simulator.action_space
    simulator.close()
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


def _episodes(data: Trajectories) -> Episodes:
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


def describe(data: Trajectories, task: Task) -> Description:
    """Say what trajectories of a task are like."""
    ends = data.ends
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    returns = np.add.reduceat(data.reward.astype(np.float64), starts)
    mean = float(returns.mean())
    return Description(
        transitions=len(data.reward),
        episodes=len(ends),
        terminated=int(data.done[ends].sum()),
        lengths=np.array([lengths.min(), lengths.mean(), lengths.max()], np.float64),
        mean=mean,
        deviation=float(returns.std()),
        quantiles=np.quantile(returns, QUANTILES),
        quality=(mean - task.low) / (task.high - task.low),
        coverage=_coverage(np.concatenate([data.obs, data.action], axis=1)),
    )


def _coverage(pairs: NDArray[np.float32]) -> float:
    """Return the number of distinct cells over that of the rows of (N, d) pairs."""
    low, high = pairs.min(axis=0), pairs.max(axis=0)
    width = np.where(high > low, high - low, 1)
    cells = np.minimum((pairs - low) / width * _BINS, _BINS - 1).astype(np.uint8)
    rows = np.ascontiguousarray(cells).view(np.dtype((np.void, cells.shape[1]))).ravel()
    return len(np.unique(rows)) / len(rows)
