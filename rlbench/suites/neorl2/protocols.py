"""NeoRL-2: seven tasks to be learned from near-real-world datasets.

Protocol and ranges are those of Gao et al. 2025 (arXiv 2503.19267) and of polixir/NeoRL2 (commit
b50d91d).
"""

from typing import NamedTuple

from rlbench.suites.papers import Constants, Field, field, number
from rlbench.suites.suite import Protocol, Scalar, Suite, Task


class _Task(NamedTuple):
    """A task with its range and its limits.

    Attributes:
        name: Its name.
        low: The score that is normalised to 0.
        high: The score that is normalised to 1.
        steps: After which an episode is cut off.
        trajectories: Of the training data that count; 0 for all that the file holds.
        extra: The optional dependencies that it needs.
        package: The distribution whose version matters.
    """

    name: str
    low: float
    high: float
    steps: int
    trajectories: int = 0
    extra: str = ""
    package: str = ""


_TASKS = (
    _Task("Pipeline", -296.0, 751.0, 1000),
    _Task("Simglucose", 9.75, 475.0, 480),
    _Task("RocketRecovery", -176.0, 208.0, 500, 100, "neorl2", "box2d"),
    _Task("RandomFrictionHopper", -3.0, 503.0, 1000, 0, "neorl2", "mujoco"),
    _Task("DMSD", 30.6, 849.51, 100),
    _Task("Fusion", -107.601, 98.05, 100, 20),
    _Task("SafetyHalfCheetah", -283.0, 2507.0, 1000, 0, "neorl2", "mujoco"),
)


def _overrides(task: _Task) -> dict[str, Scalar]:
    changed: dict[str, Scalar] = {"max_episode_steps": task.steps}
    return changed | ({"train_trajectories": task.trajectories} if task.trajectories else {})


def fields(constants: Constants) -> dict[str, Field]:
    """Return what tells published protocols apart; the budget is in updates."""
    return {
        "budget": number(constants, "budget"),
        "dataset": field(constants, "dataset"),
    }


NEORL2 = Suite(
    name="neorl2",
    version=1,
    title="NeoRL-2",
    summary="7 tasks with delays, limits and scarce data, 1,000,000 updates from a dataset each.",
    notes=(
        "An agent learns from the training data; it may choose by the validation data, never by "
        "the return in the environment.",
        "The score of a run is the mean return of 1,000 episodes after the last update. Papers "
        "print 100 times the normalised score.",
        "The datasets are nominally 100,000 transitions; the original's loader keeps the first 100 "
        "trajectories of RocketRecovery and the first 20 of Fusion. The validation data of Fusion "
        "hold its training data.",
    ),
    protocol=Protocol(
        kind="offline",
        budget=1_000_000,
        unit="updates",
        episodes=1000,
        eval_envs=100,
        max_episode_steps=1000,
        environment={"dataset": "train", "train_trajectories": 0, "mode": "train"},
    ),
    tasks=tuple(
        Task(
            name=task.name,
            low=task.low,
            high=task.high,
            overrides=_overrides(task),
            extra=task.extra,
            packages=(task.package,) if task.package else (),
            starts_vary=task.name != "Fusion",
        )
        for task in _TASKS
    ),
    references=("min", "max"),
    reference_source="polixir/NeoRL2@b50d91d neorl2/envs/info.py",
    factory="rlbench.suites.neorl2.envs:make",
    papers="rlbench.suites.neorl2.protocols:fields",
    extra="",
)
