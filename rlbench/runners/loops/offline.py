"""The offline loop: an agent learns from a dataset, and is evaluated at fixed updates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import index

from rlbench.errors import AgentError, BudgetExhausted, RunError
from rlbench.runners.agents.agent import Agent, AgentFactory, Fitter, Saver, StepFitter
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.engine import examine_engine
from rlbench.runners.loops.common import (
    dataset_info,
    give_back,
    load,
    make_agent,
    resumable,
    save,
    save_checkpoint,
    seed_of_agent,
    take_up,
)
from rlbench.runners.loops.evaluation import (
    EvalPoint,
    evaluate_afresh,
    next_point,
    set_global_randomness,
)
from rlbench.runners.loops.training import is_end_of_budget
from rlbench.runners.progress import Leave, Progress
from rlbench.suites import Dataset, Protocol, Scalar, Suite, Task


class OfflineRun:
    """A run in the making: a dataset and what an agent is told, before there is one.

    Between the look at the engine and the first evaluation there is no environment.

    Args:
        suite: The suite.
        task: One of its tasks.
        seed: The run's seed.
        progress: Filled as the run goes on; it holds the results.
        tick: Called at the start of every phase, whenever the agent calls `checkpoint`, and after
            every vector step of an evaluation. It may raise `Leave`, to end this attempt.
        checkpoints: Where the run goes on from, and keeps what it is to go on from.
        eval_points: Extra evaluation points, besides the protocol's. An agent that calls
            `checkpoint` more rarely is evaluated at the first call after each.

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
        checkpoints: Checkpoints | None = None,
        eval_points: Sequence[int] = (),
    ) -> None:
        self._suite, self._task, self._seed = suite, task, seed
        self._progress, self._tick, self._checkpoints = progress, tick, checkpoints
        self._eval_points = eval_points
        with progress.clock("start"):
            tick()
            progress.engine = examine_engine(suite, task)
            self._dataset = suite.dataset(task)
            self.info = dataset_info(suite, task, self._dataset)
            self.agent_seed = seed_of_agent(suite, task, seed)

    def steps(self, agent: Agent) -> Iterator[None]:
        """Have an agent learn and evaluate it at fixed updates.

        Args:
            agent: One without `fit` is evaluated as it is.

        Yields:
            Nothing, whenever a `StepFitter` does.

        Raises:
            RunError: The agent or the environment failed; `progress` says where.
            StaleCheckpoint: The checkpoint does not fit any more.
            Leave: The run was asked to stop.
        """
        progress, tick = self._progress, self._tick
        evaluate = partial(
            evaluate_afresh, agent, self._suite, self._task, self._seed, progress, tick
        )
        protocol = self._suite.protocol_of(self._task)
        fitting = _Fitting(
            agent, protocol, self._eval_points, progress, tick, self._checkpoints, evaluate
        )
        fitting.go_on()
        if isinstance(agent, Fitter):
            yield from fitting.fit(agent, self._dataset)
        else:
            while point := fitting.next_point():
                fitting.checkpoint(point.budget)
        progress.phase = "end"

    def close(self) -> None:
        """Give back nothing: there are no environments."""


def run_offline(
    suite: Suite,
    task: Task,
    factory: AgentFactory,
    *,
    config: Mapping[str, Scalar],
    seed: int,
    device: str,
    progress: Progress,
    tick: Callable[[], None] = lambda: None,
    checkpoints: Checkpoints | None = None,
    eval_points: Sequence[int] = (),
) -> None:
    """Train an agent on the task's dataset and evaluate it at fixed updates.

    Args:
        suite: The suite.
        task: One of its tasks.
        factory: Makes the agent. One without `fit` is evaluated as it is.
        config: Options for the factory.
        seed: The run's seed.
        device: Passed on to the factory.
        progress: See `OfflineRun`, as for those below.
        tick: The same.
        checkpoints: The same.
        eval_points: The same.

    Raises:
        RunError: The agent or the environment failed; `progress` says where.
        StaleCheckpoint: The checkpoint does not fit any more.
        Leave: The run was asked to stop.
    """
    run = OfflineRun(
        suite, task, seed=seed, progress=progress, tick=tick, checkpoints=checkpoints,
        eval_points=eval_points,
    )  # fmt: skip
    with progress.clock("start"):
        agent = make_agent(factory, run.info, seed=run.agent_seed, device=device, config=config)
    try:
        for _ in run.steps(agent):
            pass
    finally:
        give_back(agent)


class _Fitting:
    """An agent that learns from a dataset, and what is done at its checkpoints."""

    def __init__(
        self,
        agent: Agent,
        protocol: Protocol,
        eval_points: Sequence[int],
        progress: Progress,
        tick: Callable[[], None],
        checkpoints: Checkpoints | None,
        evaluate: Callable[..., None],
    ) -> None:
        self._agent, self._progress, self._tick = agent, progress, tick
        self._evaluate = evaluate
        self._protocol, self._extra, self._budget = protocol, eval_points, protocol.budget
        self._checkpoints = checkpoints if isinstance(agent, Saver) else None
        self._failures: list[BaseException] = []

    def go_on(self) -> None:
        """Go on from the run's checkpoint, if it has one."""
        checkpoint = resumable(self._checkpoints, self._progress)
        if checkpoint is None:
            return
        progress = self._progress
        with progress.clock("start"):
            load(self._agent, checkpoint)
            take_up(progress, checkpoint)
            progress.budget_used = checkpoint.budget_used
            set_global_randomness(checkpoint.randomness)
        self._evaluate_if_reached()

    def fit(self, agent: Fitter, dataset: Dataset) -> Iterator[None]:
        """Have the agent fit; it may go on until it is told that the budget is spent."""
        progress, failures = self._progress, self._failures
        if progress.budget_used == self._budget:
            return
        with progress.clock("train"):
            self._tick()
            try:
                if isinstance(agent, StepFitter):
                    yield from agent.fit_steps(
                        dataset, updates=self._budget, checkpoint=self.checkpoint
                    )
                else:
                    agent.fit(dataset, updates=self._budget, checkpoint=self.checkpoint)
            except Exception as error:
                if not failures and not is_end_of_budget(error):
                    if isinstance(error, RunError):
                        raise
                    raise AgentError(f"fit raised {type(error).__name__}: {error}") from error
            if failures:
                raise failures[0]
            if progress.budget_used < self._budget:
                raise AgentError(
                    f"fit returned after {progress.budget_used} of {self._budget} updates"
                )

    def checkpoint(self, update: int) -> None:
        """Take in that so many updates were made; evaluate the agent and keep it when due."""
        if self._failures:
            raise self._failures[0]
        try:
            self._count(update)
            self._evaluate_if_reached()
            self._rest()
        except BudgetExhausted:
            raise
        except BaseException as error:
            # The agent's loop may swallow it; the run fails all the same.
            self._failures.append(error)
            raise

    def _count(self, update: int) -> None:
        progress = self._progress
        try:
            update = index(update)  # numpy's numbers do not go into records
        except TypeError:
            raise AgentError(
                f"fit called checkpoint({update!r}): it takes the number of updates made"
            ) from None
        if update > self._budget:
            raise BudgetExhausted(f"the budget of {self._budget} updates is spent")
        if update < progress.budget_used:
            raise AgentError(
                f"fit called checkpoint({update}) after {progress.budget_used} updates: "
                "an agent that was loaded goes on from where it was saved"
            )
        progress.budget_used = update

    def next_point(self, *, extra: bool = True) -> EvalPoint | None:
        """Return where the agent is evaluated next, with or without the extra points."""
        return next_point(self._protocol, self._extra if extra else (), self._progress.evaluations)

    def _evaluate_if_reached(self) -> None:
        used = self._progress.budget_used
        official, point = self.next_point(extra=False), self.next_point()
        if official is None or point is None or used < point.budget:
            return
        if used > official.budget:
            raise AgentError(
                f"fit did not call checkpoint({official.budget}): call it after every update, or "
                "at least at those in TaskInfo.eval_points"
            )
        if self._checkpoints and self._checkpoints.is_due(evaluation=True):
            self._save(self._checkpoints)
        with self._progress.clock("eval"):
            self._evaluate(final=used == self._budget, extra=used < official.budget)

    def _rest(self) -> None:
        try:
            self._tick()
        except Leave:
            if self._checkpoints:
                self._save(self._checkpoints)
            raise
        if self._checkpoints and self._checkpoints.is_due():
            self._save(self._checkpoints)

    def _save(self, checkpoints: Checkpoints) -> None:
        save_checkpoint(
            checkpoints, partial(save, self._agent), self._progress, actions=b"", digest=""
        )
