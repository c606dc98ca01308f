"""What all loops share: making agents and their environments, checkpoints."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gymnasium.vector import VectorEnv

from rlbench.errors import AgentError, StaleCheckpoint, UsageError
from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    Closer,
    Saver,
    TaskInfo,
)
from rlbench.runners.checkpoint import Checkpoint, Checkpoints, replayed_actions
from rlbench.runners.loops.curriculum import Curriculum
from rlbench.runners.loops.evaluation import (
    global_randomness,
)
from rlbench.runners.progress import Progress
from rlbench.runners.teachers.teacher import TeacherFactory
from rlbench.suites import Dataset, Scalar, Suite, Task


def give_back(agent: Agent) -> None:
    """Give back what an agent holds."""
    if isinstance(agent, Closer):
        agent.close()


def resumable(checkpoints: Checkpoints | None, progress: Progress) -> Checkpoint | None:
    """Return the checkpoint that a run goes on from, if there is one.

    Raises:
        StaleCheckpoint: The engine is not the one under which it was written.
    """
    checkpoint = checkpoints.latest() if checkpoints else None
    if checkpoint is not None and checkpoint.engine != progress.engine:
        raise StaleCheckpoint(
            "the engine does not behave as it did when the checkpoint was written"
        )
    return checkpoint


def seed_of_agent(suite: Suite, task: Task, seed: int) -> int:
    """Return the agent's own seed, below 2^31."""
    return int(suite.stream(task, "agent", seed).generate_state(1)[0]) >> 1


def save(agent: Agent, folder: Path) -> None:
    """Have an agent save itself into ``agent`` in a folder.

    Raises:
        AgentError: It raised; for a full disk, OSError.
    """
    (folder / "agent").mkdir()
    assert isinstance(agent, Saver)
    try:
        agent.save(folder / "agent")
    except (AgentError, OSError):
        raise
    except Exception as error:
        raise AgentError(f"save raised {type(error).__name__}: {error}") from error


def load(agent: Agent, checkpoint: Checkpoint) -> None:
    """Have a new agent load what another of its kind saved.

    Raises:
        StaleCheckpoint: It could not.
    """
    if not isinstance(agent, Saver):
        raise StaleCheckpoint("the agent has no save() and load() any more")
    try:
        agent.load(checkpoint.folder / "agent")
    except Exception as error:
        raise StaleCheckpoint(f"load raised {type(error).__name__}: {error}") from error


def take_up(progress: Progress, checkpoint: Checkpoint) -> None:
    """Go on from what earlier attempts have done."""
    progress.earlier = dict(checkpoint.seconds)
    progress.evaluations = list(checkpoint.evaluations)
    progress.replay, progress.actions = checkpoint.replay, replayed_actions(checkpoint)
    progress.resumed = checkpoint.budget_used


def save_checkpoint(
    checkpoints: Checkpoints,
    write: Callable[[Path], None],
    progress: Progress,
    *,
    actions: bytes,
    digest: str,
) -> bool:
    """Write a checkpoint; say whether there was room for it. The run goes on without one."""
    try:
        checkpoints.save(
            write, actions, progress.actions,
            budget_used=progress.budget_used,
            digest=digest,
            evaluations=tuple(progress.evaluations),
            training=progress.training,
            proposals=progress.proposals,
            replay=progress.replay,
            engine=progress.engine,
            seconds=progress.all_seconds(),
            parts=list(progress.parts),
            randomness=global_randomness(),
        )  # fmt: skip
    except OSError as error:
        print(f"rlbench: no checkpoint was written: {error}", file=sys.stderr, flush=True)
        return False
    return True


def training_envs(
    suite: Suite,
    task: Task,
    *,
    seed: int,
    part: int = 0,
    teacher: TeacherFactory | None = None,
) -> tuple[VectorEnv[Any, Any, Any], TaskInfo]:
    """Make the environments that an agent trains on, and say what it is told of them.

    Args:
        suite: The suite.
        task: One of its tasks.
        seed: The run's seed.
        part: Which part of the stream of randomness, see `Suite.stream`.
        teacher: Makes the teacher, who is in between in a curriculum.
    """
    protocol = suite.protocol_of(task)
    env = suite.make(task, split="train", num_envs=protocol.train_envs, seed=seed, part=part)
    info = task_info(suite, task, env)
    if protocol.kind == "curriculum":
        teacher_seed = int(suite.stream(task, "teacher", seed).generate_state(1)[0]) >> 1
        env = Curriculum(env, teacher, info, seed=teacher_seed)
    return env, info


def task_info(suite: Suite, task: Task, env: VectorEnv[Any, Any, Any]) -> TaskInfo:
    """Return what an agent is told of a task, given its training environments."""
    return _info_of(
        suite,
        task,
        observation_space=env.single_observation_space,
        action_space=env.single_action_space,
        num_envs=env.num_envs,
        parameter_space=getattr(env, "parameter_space", None),
        knowledge=dict(getattr(env, "knowledge", {})),
    )


def dataset_info(suite: Suite, task: Task, dataset: Dataset) -> TaskInfo:
    """Return what an agent is told of a task that it learns from a dataset."""
    return _info_of(
        suite,
        task,
        observation_space=dataset.observation_space,
        action_space=dataset.action_space,
        num_envs=0,
    )


def _info_of(suite: Suite, task: Task, **known: Any) -> TaskInfo:
    """Return what an agent is told of a task: what the protocol says, and what else is known."""
    protocol = suite.protocol_of(task)
    return TaskInfo(
        suite=suite.id,
        task=task.name,
        budget=protocol.budget,
        unit=protocol.unit,
        max_episode_steps=protocol.max_episode_steps,
        kind=protocol.kind,
        eval_points=protocol.points,
        **known,
    )


def make_agent(
    factory: AgentFactory, info: TaskInfo, *, seed: int, device: str, config: Mapping[str, Scalar]
) -> Agent:
    """Make an agent and see that it is one.

    Raises:
        AgentError: The factory raised, or the agent cannot act, learns in two ways, or not in the
            way of the suite.
    """
    try:
        agent = factory(info, seed=seed, device=device, **config)
    except (AgentError, UsageError):
        raise
    except Exception as error:
        raise AgentError(f"making the agent raised {type(error).__name__}: {error}") from error
    return check_agent(agent, info)


def check_agent(agent: Agent, info: TaskInfo) -> Agent:
    """Return what a factory made, having seen that it is an agent for the task.

    Raises:
        AgentError: It cannot act, learns in two ways, or not in the way of the suite.
    """
    if not callable(getattr(agent, "act", None)):
        raise AgentError(f"the factory made a {type(agent).__name__}, which has no act()")
    ways = ways_of(agent)
    if len(ways) > 1:
        named = " and ".join(f"{way}()" for way in ways)
        raise AgentError(f"the agent has {named}: it can learn in one way only")
    if ways and (ways == ["fit"]) != (info.kind == "offline"):
        raise AgentError(
            f"the agent learns by {ways[0]}(), which does not fit the suite {info.suite}: it is "
            f"{info.kind}"
        )
    return agent


def ways_of(agent: Agent) -> list[str]:
    """Return the methods by which an agent learns; there should be one at most."""
    return [way for way in ("train", "observe", "fit") if hasattr(agent, way)]
