"""The online loop: an agent learns by acting, the runner counts and evaluates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from rlbench.errors import StaleCheckpoint
from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    Saver,
    Trainer,
)
from rlbench.runners.checkpoint import Checkpoint, Checkpoints
from rlbench.runners.engine import examine_engine
from rlbench.runners.loops.common import (
    give_back,
    load,
    make_agent,
    resumable,
    save,
    save_checkpoint,
    seed_of_agent,
    take_up,
    training_envs,
)
from rlbench.runners.loops.curriculum import Curriculum
from rlbench.runners.loops.evaluation import (
    EvalPoint,
    evaluate_afresh,
    next_point,
    set_global_randomness,
)
from rlbench.runners.loops.meter import MeteredEnv
from rlbench.runners.loops.traces import TrainingTrace
from rlbench.runners.loops.training import Rollout, train_by_itself, train_until
from rlbench.runners.progress import Leave, Progress
from rlbench.runners.teachers.teacher import TeacherFactory
from rlbench.suites import Scalar, Suite, Task


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
            UsageError: A curriculum's teacher asks what the agent cannot answer.
            StaleCheckpoint: The checkpoint does not fit any more.
            Leave: The run was asked to stop, and has kept what it could.
        """
        progress, meter = self._progress, self._meter
        if self._curriculum is not None:
            self._curriculum.meet(agent)
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
                f"replaying the first {checkpoint.budget_used} steps led elsewhere"
            )
        return rollout

    def _can_save(self, agent: Agent) -> bool:
        return (
            self._checkpoints is not None
            and isinstance(agent, Saver)
            and (self._curriculum is None or self._curriculum.can_save(replays=self._suite.replays))
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
