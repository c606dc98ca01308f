"""The online loop: an agent learns by acting, the runner counts and evaluates."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, BudgetExhausted, RunError, StaleCheckpoint, UsageError
from rlbench.runners.agent import (
    Agent,
    AgentFactory,
    Bools,
    Closer,
    Observer,
    Saver,
    TaskInfo,
    Trainer,
    Transitions,
)
from rlbench.runners.checkpoint import Checkpoint, Checkpoints, replayed_actions
from rlbench.runners.curriculum import Curriculum, TeacherFactory
from rlbench.runners.engine import examine_engine
from rlbench.runners.evaluation import (
    EvalPoint,
    evaluate_afresh,
    global_randomness,
    next_point,
    set_global_randomness,
)
from rlbench.runners.meter import MeteredEnv
from rlbench.runners.progress import Leave, Progress
from rlbench.runners.traces import TrainingTrace
from rlbench.suites import Scalar, Suite, Task


@dataclass(slots=True)
class Rollout:
    """Where the training environments are.

    Attributes:
        obs: (n, ...) What the next actions answer.
        first: (n,) Whether it opened an episode.
    """

    obs: NDArray[Any]
    first: Bools


class OnlineRun:
    """A run in the making: environments and budget, before there is an agent.

    Args:
        suite: The suite.
        task: One of its tasks.
        seed: The run's seed.
        progress: Filled as the run goes on; it holds the results.
        tick: Called at the start of every phase and after every vector step. It may raise `Leave`,
            to end this attempt.
        teacher: Makes the teacher, in a curriculum.
        checkpoints: Where the run goes on from, and keeps what it is to go on from.
        eval_points: Extra evaluation points, besides the protocol's.

    Attributes:
        info: What the agent is told.
        agent_seed: The agent's own seed.
    """

    def __init__(
        self,
        suite: Suite,
        task: Task,
        *,
        seed: int,
        progress: Progress,
        tick: Callable[[], None],
        teacher: TeacherFactory | None = None,
        checkpoints: Checkpoints | None = None,
        eval_points: Sequence[int] = (),
    ) -> None:
        protocol = suite.protocol_of(task)
        self._protocol, self._extra = protocol, eval_points
        self._suite, self._task, self._seed = suite, task, seed
        self._progress, self._tick, self._checkpoints = progress, tick, checkpoints
        with progress.clock("start"):
            progress.engine = examine_engine(suite, task)
            self._resumed = resumable(checkpoints, progress)
            part = 0
            if self._resumed is not None and not suite.replays:
                progress.parts = (*self._resumed.parts, self._resumed.budget_used)
                part = len(progress.parts)
            env, self.info = training_envs(suite, task, seed=seed, part=part, teacher=teacher)
            self.agent_seed = seed_of_agent(suite, task, seed)
            self._curriculum = env if isinstance(env, Curriculum) else None
            self._meter = MeteredEnv(env, protocol.budget, protocol.max_episode_steps)
        progress.refresh = self._note_training
        self._trace = TrainingTrace(env.single_action_space, env.num_envs)

    def steps(self, agent: Agent) -> Iterator[None]:
        """Train an agent within the budget and evaluate it at the evaluation points.

        Yields:
            Nothing, after every action, step and observation of training; not at all while an
            agent owns its loop, nor in evaluations.

        Raises:
            RunError: The agent or the environment failed; `progress` says where.
            StaleCheckpoint: The checkpoint does not fit any more.
            Leave: The run was asked to stop, and has kept what it could.
        """
        progress, meter = self._progress, self._meter
        if isinstance(agent, Trainer):
            with progress.clock("train"):
                self._tick()
                train_by_itself(
                    agent, meter, progress, self._tick, partial(self._evaluate_if_reached, agent)
                )
            self._evaluate(agent, final=True)
        else:
            rollout = self._begin(agent)
            can_save = self._can_save(agent)
            rest = partial(self._rest, agent, rollout) if can_save else self._tick
            trace = self._trace if can_save and self._suite.replays else None
            while point := self._next_point():
                with progress.clock("train"):
                    rest()
                    yield from train_until(
                        agent, meter, rollout, point.budget, progress, rest, trace
                    )
                    if can_save:
                        self._save_if_due(agent, rollout, evaluation=True)
                self._evaluate(agent, final=meter.used == self._protocol.budget, extra=point.extra)
        progress.phase = "end"

    def close(self) -> None:
        """Give back the environments."""
        self._meter.close()

    def _begin(self, agent: Agent) -> Rollout:
        """Begin to train, or go on from the checkpoint."""
        progress = self._progress
        checkpoint = self._resumed
        if checkpoint is None:
            obs, _ = self._meter.reset()
            return Rollout(obs, np.ones(self._meter.num_envs, dtype=np.bool_))
        with progress.clock("start"):
            load(agent, checkpoint)
            take_up(progress, checkpoint)
            if self._suite.replays:
                rollout = self._play_again(checkpoint)
            else:
                self._meter.go_on(checkpoint.budget_used, checkpoint.training)
                if self._curriculum is not None:
                    assert checkpoint.proposals is not None
                    self._curriculum.go_on(
                        checkpoint.folder / "teacher", checkpoint.budget_used,
                        checkpoint.training.episodes, checkpoint.proposals,
                    )  # fmt: skip
                obs, _ = self._meter.reset()
                rollout = Rollout(obs, np.ones(self._meter.num_envs, dtype=np.bool_))
            progress.budget_used = self._meter.used
            self._note_training()
            set_global_randomness(checkpoint.randomness)
        return rollout

    def _play_again(self, checkpoint: Checkpoint) -> Rollout:
        """Bring fresh environments to where those of the last attempt were."""
        assert self._checkpoints is not None
        obs, _ = self._meter.reset()
        rollout = Rollout(obs, np.ones(self._meter.num_envs, dtype=np.bool_))
        for action in self._trace.parse(self._checkpoints.actions_until(checkpoint)):
            rollout.obs, reward, terminated, truncated, info = self._meter.step(action)
            rollout.first = info["ended"]
            self._trace.add(action, reward, terminated, truncated)
            self._progress.budget_used = self._meter.used
            self._tick()
        self._trace.clear()
        if self._trace.digest(rollout.obs) != checkpoint.digest:
            raise StaleCheckpoint(
                f"playing the first {checkpoint.budget_used} steps again led elsewhere"
            )
        return rollout

    def _can_save(self, agent: Agent) -> bool:
        return (
            self._checkpoints is not None
            and isinstance(agent, Saver)
            and (self._suite.replays or self._curriculum is None or self._curriculum.can_save)
        )

    def _rest(self, agent: Agent, rollout: Rollout) -> None:
        """Use a moment in which a checkpoint can be written."""
        try:
            self._tick()
        except Leave:
            self._save(agent, rollout)
            raise
        self._save_if_due(agent, rollout)

    def _save_if_due(self, agent: Agent, rollout: Rollout, *, evaluation: bool = False) -> None:
        assert self._checkpoints is not None
        if self._checkpoints.is_due(evaluation=evaluation):
            self._save(agent, rollout)

    def _save(self, agent: Agent, rollout: Rollout) -> None:
        assert self._checkpoints is not None
        self._note_training()
        replays = self._suite.replays

        def write(folder: Path) -> None:
            save(agent, folder)
            if self._curriculum is not None and not replays:
                self._curriculum.save(folder / "teacher")

        kept = save_checkpoint(
            self._checkpoints, write, self._progress,
            actions=self._trace.pending() if replays else b"",
            digest=self._trace.digest(rollout.obs) if replays else "",
        )  # fmt: skip
        if kept:
            self._trace.clear()

    def _next_point(self) -> EvalPoint | None:
        return next_point(self._protocol, self._extra, self._progress.evaluations)

    def _evaluate_if_reached(self, agent: Agent) -> None:
        """Evaluate an agent that owns its loop; the end is for when it has returned."""
        while self._meter.used < self._protocol.budget:
            point = self._next_point()
            if point is None or self._meter.used < point.budget:
                return
            self._evaluate(agent, final=False, extra=point.extra)

    def _evaluate(self, agent: Agent, *, final: bool, extra: bool = False) -> None:
        self._note_training()
        with self._progress.clock("eval"), self._meter.locked():
            evaluate_afresh(
                agent, self._suite, self._task, self._seed, self._progress, self._tick,
                final=final, extra=extra and not final,
            )  # fmt: skip

    def _note_training(self) -> None:
        self._progress.training = self._meter.training()
        if self._curriculum is not None:
            self._progress.proposals = self._curriculum.proposals()


def run_online(
    suite: Suite,
    task: Task,
    factory: AgentFactory,
    *,
    config: Mapping[str, Scalar],
    seed: int,
    device: str,
    progress: Progress,
    tick: Callable[[], None] = lambda: None,
    teacher: TeacherFactory | None = None,
    checkpoints: Checkpoints | None = None,
    eval_points: Sequence[int] = (),
) -> None:
    """Make an agent, train it within the task's budget and evaluate it.

    Args:
        suite: The suite.
        task: One of its tasks.
        factory: Makes the agent.
        config: Options for the factory.
        seed: The run's seed.
        device: Passed on to the factory.
        progress: See `OnlineRun`, as for those below.
        tick: The same.
        teacher: The same.
        checkpoints: The same.
        eval_points: The same.

    Raises:
        RunError: The agent or the environment failed; `progress` says where.
        StaleCheckpoint: The checkpoint does not fit any more.
        Leave: The run was asked to stop.
    """
    run = OnlineRun(
        suite, task, seed=seed, progress=progress, tick=tick, teacher=teacher,
        checkpoints=checkpoints, eval_points=eval_points,
    )  # fmt: skip
    try:
        with progress.clock("start"):
            agent = make_agent(factory, run.info, seed=run.agent_seed, device=device, config=config)
        try:
            for _ in run.steps(agent):
                pass
        finally:
            give_back(agent)
    finally:
        run.close()


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
    protocol = suite.protocol_of(task)
    return TaskInfo(
        suite=suite.id,
        task=task.name,
        observation_space=env.single_observation_space,
        action_space=env.single_action_space,
        num_envs=env.num_envs,
        budget=protocol.budget,
        unit=protocol.unit,
        max_episode_steps=protocol.max_episode_steps,
        kind=protocol.kind,
        eval_points=protocol.points,
        parameter_space=getattr(env, "parameter_space", None),
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
    ways = [f"{way}()" for way in ("train", "observe", "fit") if hasattr(agent, way)]
    if len(ways) > 1:
        raise AgentError(f"the agent has {' and '.join(ways)}: it can learn in one way only")
    if ways and (ways == ["fit()"]) != (info.kind == "offline"):
        raise AgentError(
            f"the agent learns by {ways[0]}, which does not fit the suite {info.suite}: it is "
            f"{info.kind}"
        )
    return agent


def train_until(
    agent: Agent,
    meter: MeteredEnv,
    rollout: Rollout,
    point: int,
    progress: Progress,
    rest: Callable[[], None],
    trace: TrainingTrace | None = None,
) -> Iterator[None]:
    """Train until a point in the budget is reached.

    Args:
        agent: Acts, and observes if it can.
        meter: The environments.
        rollout: Where they are; brought up to date.
        point: Where to end.
        progress: Told of the budget.
        rest: Called after every step, when all is at rest.
        trace: Takes in the steps.

    Yields:
        Nothing, after every action, step and observation.

    Raises:
        AgentError: The agent raised, or answered what no agent may answer.
    """
    observe = agent.observe if isinstance(agent, Observer) else None
    no_life_lost = np.zeros(meter.num_envs, dtype=np.bool_)
    while meter.used < point:
        obs, first = rollout.obs, rollout.first
        try:
            action = agent.act(obs, first, phase="train")
        except AgentError:
            raise
        except Exception as error:
            raise AgentError(f"act raised {type(error).__name__}: {error}") from error
        yield
        next_obs, reward, terminated, truncated, info = meter.step(action)
        if trace is not None:
            trace.add(action, reward, terminated, truncated)
        yield
        ended = info["ended"]
        if observe is not None:
            batch = Transitions(
                obs, np.asarray(action), reward, terminated, truncated,
                true_next_obs(next_obs, ended, info), info.get("life_lost", no_life_lost),
                first, info["active"], info.get("parameters"),
            )  # fmt: skip
            try:
                observe(batch)
            except AgentError:
                raise
            except Exception as error:
                raise AgentError(f"observe raised {type(error).__name__}: {error}") from error
        rollout.obs, rollout.first = next_obs, ended
        progress.budget_used = meter.used
        yield
        rest()


def train_by_itself(
    agent: Trainer,
    meter: MeteredEnv,
    progress: Progress,
    tick: Callable[[], None],
    evaluate_if_reached: Callable[[], None],
) -> None:
    """Let an agent train in a loop of its own, evaluating it inside where a point is reached.

    The agent trains until it returns, or until the budget is spent and the environment says so.
    """
    failures: list[Exception] = []

    def after_step() -> None:
        progress.budget_used = meter.used
        tick()
        try:
            evaluate_if_reached()
        except Exception as error:
            # The agent's loop may swallow it; the run fails all the same.
            failures.append(error)
            raise

    meter.after_step = after_step
    try:
        agent.train(meter)
    except Exception as error:
        if not failures and not is_end_of_budget(error):
            if isinstance(error, RunError):
                raise
            raise AgentError(f"train raised {type(error).__name__}: {error}") from error
    failure = failures[0] if failures else meter.failure
    if failure is not None:
        raise failure
    meter.after_step = None
    progress.training = meter.training()


def is_end_of_budget(error: BaseException | None) -> bool:
    """Say whether an exception is, or was raised while handling, the end of the budget."""
    while error is not None:
        if isinstance(error, BudgetExhausted):
            return True
        error = error.__cause__ or error.__context__
    return False


def true_next_obs(
    obs: NDArray[Any], ended: NDArray[np.bool_], info: Mapping[str, Any]
) -> NDArray[Any]:
    """Return (n, ...) observations with those of new episodes replaced by the final ones."""
    if "final_obs" not in info or not ended.any():
        return obs
    mask = ended.reshape(-1, *[1] * (obs.ndim - 1))
    return np.where(mask, info["final_obs"], obs)
