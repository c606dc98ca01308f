"""NeoRL-2: seven tasks to be learned from near-real-world datasets.

Protocol and ranges are those of Gao et al. 2025 (arXiv 2503.19267) and of polixir/NeoRL2 (commit
b50d91d).
"""

import hashlib
from dataclasses import replace
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
        validation: The same of the validation data.
        extra: The optional dependencies that it needs.
        package: The distribution whose version matters.
        data: The mean return of the training data that count. Those of Pipeline, RocketRecovery
            and RandomFrictionHopper are what Gao et al. state, the others are of the files.
    """

    name: str
    low: float
    high: float
    steps: int
    trajectories: int = 0
    validation: int = 0
    extra: str = ""
    package: str = ""
    data: float = 0.0


_TASKS = (
    _Task("Pipeline", -296.0, 751.0, 1000, data=429.01),
    _Task("Simglucose", 9.75, 475.0, 480, data=353.4519),
    _Task("RocketRecovery", -176.0, 208.0, 500, 100, 25, "neorl2", "box2d", 113.0465),
    _Task("RandomFrictionHopper", -3.0, 503.0, 1000, 0, 0, "neorl2", "mujoco", 142.3537),
    _Task("DMSD", 30.6, 849.51, 100, data=494.4527),
    _Task("Fusion", -107.601, 98.05, 100, 20, 5, data=-7.3487),
    _Task("SafetyHalfCheetah", -283.0, 2507.0, 1000, 0, 0, "neorl2", "mujoco", 1769.3082),
)

# Of the trajectories of `NEORL2_SCARCE`, in percent.
PERCENTAGES = (100, 50, 10, 1)
# The mean return of the trajectories that these are, where the official file is at hand.
_SCARCE_DATA = {
    "Simglucose/50%": 341.6753,
    "Simglucose/10%": 338.3751,
    "Simglucose/1%": 479.9061,
    "DMSD/50%": 493.0354,
    "DMSD/10%": 488.8243,
    "DMSD/1%": 493.7144,
    "Fusion/50%": -3.0175,
    "Fusion/10%": 1.3065,
    "Fusion/1%": 4.0382,
    "SafetyHalfCheetah/50%": 1792.1113,
    "SafetyHalfCheetah/10%": 1753.1985,
    "SafetyHalfCheetah/1%": 1757.1935,
}


# Of trajectories, those that count in the training and in the validation data; 0 for all.
TRAJECTORIES = {task.name: (task.trajectories, task.validation) for task in _TASKS}

# Of the official files: polixir/NeoRL2@b50d91d neorl2/envs/info.py.
MD5 = {
    "RocketRecovery-train": "b1a7bf1ec16cfef390b6b1cec2b13ddc",
    "RocketRecovery-val": "0b25bd998e92b4f808f8ee5207ce06dd",
    "Fusion-train": "98979f97e0b59dd46bbb9237176a68ab",
    "Fusion-val": "9baa5556fac98b86ab9b58040da17d86",
    "DMSD-train": "88dfa39aa18904e809056b51c2e6319b",
    "DMSD-val": "be6c39c0e73c17029206e714068f26b7",
    "SafetyHalfCheetah-train": "c35efec4a25fb45837487ba00f74e1ed",
    "SafetyHalfCheetah-val": "da65ba51a4cc17370572da3c801d228b",
    "RandomFrictionHopper-train": "3ef2c41483689729d3b5a3aef3b7b8f7",
    "RandomFrictionHopper-val": "2628f354222de37803451c63e84a1269",
    "Simglucose-train": "6195a3634379f576958440b7e0c8fc53",
    "Simglucose-val": "6df907556cbc96002757f6d652be9d92",
    "Pipeline-train": "59902b333be6edb9252acfc2302cc1ed",
    "Pipeline-val": "c502f529db1de55ebf37d63e1defca56",
}

# Of the networks of Fusion, in polixir/NeoRL2 neorl2/envs/data/fusion_lstm/weights.
NETWORK_SHA256 = {
    "nn/best_model0.onnx": "f3af295adcd7b3729f1d8dabdd13d94164b47f75412bc5aac05e6867adb2174d",
    "lstm/best_model0.onnx": "6a79e1861eec74eb34933982bdad59e0a5d40d9a2cde280d1c5c51e8c468a72c",
    "lstm/best_model1.onnx": "5de3b8032d81781413d024e07ed6589e1c28c72ccc6d65988e85850002b285a5",
    "lstm/best_model2.onnx": "3d210f243edc3979be992443a5a31b132b93803a6a7cd861576732bb37a29346",
    "lstm/best_model3.onnx": "4c38654a64cca32cc74f5f1225d0896d0dd83cbb358660b9b5af80b8d24be360",
    "lstm/best_model4.onnx": "58d77dc018fbaa23094b4d56597542f037c70822c0e6ccb9783624812559c1c2",
    "lstm/best_model5.onnx": "203eea2a08e2dbdcece8ac84a2f2e3538460e03ea92abb07932063cb58b4eae0",
    "lstm/best_model6.onnx": "de5909fa0e98c8b6a4bf3aa49bd4d13362ff449a2eb6cdb9e7ec6c47d5599b16",
    "lstm/best_model7.onnx": "068725935f6167cd53546a4e76214c2e53b6e14603747fe5f901efcc3599cc50",
    "lstm/best_model8.onnx": "5b1ab7e672d0b2b6bf2d9f41848df9c9c4bee41b51075256b81985b4de5f7f7b",
    "lstm/best_model9.onnx": "9dde5ae9db1e3ae919bb3f271f29b122146cecd587419ce01fafb092dc62872b",
    "bpw/best_model0.onnx": "ed0adbeec79d16d3db4e28141592ae309817ab5af31635dd4f0e475d334b88ad",
    "bpw/best_model1.onnx": "9d4e7f3042bfcf6a51ee2896040d77c997eac23d5a08f354e61b71c1d409baac",
    "bpw/best_model2.onnx": "2d7a0e9a23ee62803cda1893f4a43dcc7605ed0cf6eec146c17db79de65e2b08",
    "bpw/best_model3.onnx": "72b79e4294cd974a78da34e71a21a5859660f183e06774de2c213bb28cb311b7",
    "bpw/best_model4.onnx": "60bd9466a49690e081923ba9ae80adee8b152417db51b4eafde8b560d8227a3e",
    "bpw/best_model5.onnx": "4d95265331b7a5361fe860f478b4f9ff01a4e624f71f6cefddbcee80beca1055",
    "bpw/best_model6.onnx": "7cfe78a3fd0a83cf40115e0912f5dbdddc9694a076b34d36ed2ecd7f698ba6a1",
    "bpw/best_model7.onnx": "59280e6299ac679eb684d7b3a9ac58a33a647b3393c40ab9036500610d7d3d63",
    "bpw/best_model8.onnx": "8872ebfaad7a29d54209f75ca39cec46839a1befb83dc2bc22780a36584e79bb",
    "bpw/best_model9.onnx": "2cd5054a23f5197221e6654c534e601c3fead3d330f56b9ba21f0674788e705e",
}


def _assets(task: str) -> dict[str, str]:
    """Return the checksums of what a task loads."""
    found = {f"{split}_md5": MD5[f"{task}-{split}"] for split in ("train", "val")}
    if task == "Fusion":
        lines = "".join(f"{name} {digest}\n" for name, digest in NETWORK_SHA256.items())
        found["networks_sha256"] = hashlib.sha256(lines.encode()).hexdigest()
    return found


def _overrides(task: _Task) -> dict[str, Scalar]:
    changed: dict[str, Scalar] = {"max_episode_steps": task.steps}
    if task.trajectories:
        changed["train_trajectories"] = task.trajectories
        changed["validation_trajectories"] = task.validation
    return changed


def base_of(task: Task) -> str:
    """Return the name of the simulator and the data of a task: ``DMSD`` of ``DMSD/10%``."""
    return task.name.partition("/")[0]


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
        "trajectories of RocketRecovery (25 to validate) and the first 20 of Fusion (5). Fusion's "
        "validation data are the first 5 of its training data.",
    ),
    protocol=Protocol(
        kind="offline",
        budget=1_000_000,
        unit="updates",
        episodes=1000,
        eval_envs=100,
        max_episode_steps=1000,
        environment={
            "dataset": "train",
            "train_trajectories": 0,
            "validation_trajectories": 0,
            "mode": "train",
        },
    ),
    tasks=tuple(
        Task(
            name=task.name,
            low=task.low,
            high=task.high,
            overrides=_overrides(task),
            assets=_assets(task.name),
            extra=task.extra,
            packages=(task.package,) if task.package else (),
            starts_vary=task.name != "Fusion",
            data=task.data,
        )
        for task in _TASKS
    ),
    references=("min", "max"),
    reference_source="polixir/NeoRL2@b50d91d neorl2/envs/info.py",
    factory="rlbench.suites.neorl2.envs:make",
    dataset_factory="rlbench.suites.neorl2.data:load",
    papers="rlbench.suites.neorl2.protocols:fields",
    extra="",
    # As far as processors agree: numpy, BLAS and MuJoCo take other instructions on each.
    engine_steps=20,
    engine_digits=4,
)


def _scarce(task: Task, percent: int) -> Task:
    """Return a task with a part of its trajectories."""
    name = f"{task.name}/{percent}%"
    whole = percent == PERCENTAGES[0]
    return replace(
        task,
        name=name,
        overrides={**task.overrides, "percent": percent},
        clean="" if whole else f"{task.name}/{PERCENTAGES[0]}%",
        data=task.data if whole else _SCARCE_DATA.get(name),
    )


NEORL2_SCARCE = replace(
    NEORL2,
    name="neorl2-scarce",
    title="NeoRL-2 with scarce data",
    summary="The 7 tasks of NeoRL-2 with 100, 50, 10 and 1% of their trajectories.",
    notes=(
        "As neorl2@1, but an agent gets only a part of the training and validation trajectories. "
        "Their numbers are rounded up, so there is at least one of each.",
        "The trajectories are ordered by the sha256 of '<seed> <task> <train or val> <number>', "
        "with seed 0 and numbers from 0, and an agent gets the first of them. So all agents "
        "get the same ones, and each part contains the smaller parts.",
        "`rlbench stats --retention` prints the share of its score with all trajectories that an "
        "agent keeps.",
    ),
    protocol=replace(
        NEORL2.protocol,
        environment={**NEORL2.protocol.environment, "percent": 100, "percent_seed": 0},
    ),
    tasks=tuple(_scarce(task, percent) for task in NEORL2.tasks for percent in PERCENTAGES),
    papers="",
)
