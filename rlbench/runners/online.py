"""The online loop: an agent learns by acting, the runner counts and evaluates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, BudgetExhausted, RunError, UsageError
from rlbench.results import Evaluation, Phase, Training
from rlbench.runners.agent import (
    Agent,
    AgentFactory,
    Closer,
    Observer,
    TaskInfo,
    Trainer,
    Transitions,
)
from rlbench.runners.evaluation import evaluate, untouched_global_randomness
from rlbench.runners.meter import MeteredEnv
from rlbench.suites import Scalar, Suite, Task


@dataclass(slots=True)
class Progress:
    """Where a run is; what is known of it if it fails.

    Attributes:
        phase: What is going on.
        budget_used: Training budget spent.
        episodes: Evaluation episodes finished at the present checkpoint.
        evaluations: Finished evaluations.
        training: The training episodes, once training has ended.
        seconds: Wall time by phase.
    """

    phase: Phase = "start"
    budget_used: int = 0
    episodes: int = 0
    evaluations: list[Evaluation] = field(default_factory=list)
    training: Training = Training(episodes=0, ends=(), returns=())  # noqa: RUF009 - it is frozen
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def clock(self, phase: Phase) -> Iterator[None]:
        """Enter a phase and add up the time spent in it; a phase inside another pauses it.

        After an error the phase stays as it is, for the record.
        """
        outer, self.phase = self.phase, phase
        started, inside = perf_counter(), sum(self.seconds.values())
        try:
            yield
            self.phase = outer
        finally:
            nested = sum(self.seconds.values()) - inside
            own = perf_counter() - started - nested
            self.seconds[phase] = self.seconds.get(phase, 0.0) + own


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
) -> None:
    """Train an agent within the task's budget and evaluate it at the protocol's checkpoints.

    Args:
        suite: The suite.
        task: One of its tasks.
        factory: Makes the agent.
        config: Options for the factory.
        seed: The run's seed.
        device: Passed on to the factory.
        progress: Filled as the run goes on; it holds the results.
        tick: Called at the start of every phase and after every vector step.

    Raises:
        RunError: The agent or the environment failed; `progress` says where.
    """
    protocol = suite.protocol_of(task)
    with progress.clock("start"):
        env = suite.make(task, split="train", num_envs=protocol.train_envs, seed=seed)
        meter = MeteredEnv(env, protocol.budget)
        info = task_info(suite, task, env)
        agent_seed = int(suite.stream(task, "agent", seed).generate_state(1)[0]) >> 1
        agent = make_agent(factory, info, seed=agent_seed, device=device, config=config)

    points = sorted({p for p in protocol.checkpoints if p < protocol.budget} | {protocol.budget})

    def evaluate_now() -> None:
        with progress.clock("eval"):
            tick()
            _evaluate_now(agent, suite, task, seed, progress, tick)

    try:
        if isinstance(agent, Trainer):
            with progress.clock("train"):
                tick()
                train_by_itself(agent, meter, points[:-1], progress, tick, evaluate_now)
            evaluate_now()
        else:
            trainer = train(agent, meter, points, progress, tick)
            for _ in points:
                with progress.clock("train"):
                    tick()
                    next(trainer)
                evaluate_now()
    finally:
        meter.close()
        if isinstance(agent, Closer):
            agent.close()
    progress.phase = "end"


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
    )


def make_agent(
    factory: AgentFactory, info: TaskInfo, *, seed: int, device: str, config: Mapping[str, Scalar]
) -> Agent:
    """Make an agent and see that it is one.

    Raises:
        AgentError: The factory raised, or the agent cannot act or learns in two ways.
    """
    try:
        agent = factory(info, seed=seed, device=device, **config)
    except (AgentError, UsageError):
        raise
    except Exception as error:
        raise AgentError(f"making the agent raised {type(error).__name__}: {error}") from error
    if not callable(getattr(agent, "act", None)):
        raise AgentError(f"the factory made a {type(agent).__name__}, which has no act()")
    if isinstance(agent, Trainer) and isinstance(agent, Observer):
        raise AgentError("the agent has train() and observe(): it can learn in one way only")
    return agent


def train(
    agent: Agent,
    meter: MeteredEnv,
    points: Sequence[int],
    progress: Progress,
    tick: Callable[[], None],
) -> Iterator[None]:
    """Train, pausing whenever one of the points in the budget is reached."""
    observe = agent.observe if isinstance(agent, Observer) else None
    no_life_lost = np.zeros(meter.num_envs, dtype=np.bool_)
    obs, _ = meter.reset()
    first = np.ones(meter.num_envs, dtype=np.bool_)
    for point in points:
        while meter.used < point:
            try:
                action = agent.act(obs, first, phase="train")
            except AgentError:
                raise
            except Exception as error:
                raise AgentError(f"act raised {type(error).__name__}: {error}") from error
            next_obs, reward, terminated, truncated, info = meter.step(action)
            ended = info["ended"]
            if observe is not None:
                batch = Transitions(
                    obs, np.asarray(action), reward, terminated, truncated,
                    true_next_obs(next_obs, ended, info), info.get("life_lost", no_life_lost),
                    first, info["active"],
                )  # fmt: skip
                try:
                    observe(batch)
                except AgentError:
                    raise
                except Exception as error:
                    raise AgentError(f"observe raised {type(error).__name__}: {error}") from error
            obs, first = next_obs, ended
            progress.budget_used = meter.used
            tick()
        progress.training = meter.training()
        yield


def train_by_itself(
    agent: Trainer,
    meter: MeteredEnv,
    points: Sequence[int],
    progress: Progress,
    tick: Callable[[], None],
    evaluate_now: Callable[[], None],
) -> None:
    """Let an agent train in a loop of its own, evaluating it inside at points in the budget.

    The agent trains until it returns, or until the budget is spent and the environment says so.
    """
    left = list(points)
    failures: list[Exception] = []

    def after_step() -> None:
        progress.budget_used = meter.used
        tick()
        while left and meter.used >= left[0]:
            left.pop(0)
            try:
                evaluate_now()
            except Exception as error:
                # The agent's loop may swallow it; the run fails all the same.
                failures.append(error)
                raise

    meter.after_step = after_step
    try:
        agent.train(meter)
    except Exception as error:
        if not failures and not _is_end_of_budget(error):
            if isinstance(error, RunError):
                raise
            raise AgentError(f"train raised {type(error).__name__}: {error}") from error
    if failures:
        raise failures[0]
    meter.after_step = None
    progress.training = meter.training()


def _is_end_of_budget(error: BaseException | None) -> bool:
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


def _evaluate_now(
    agent: Agent, suite: Suite, task: Task, seed: int, progress: Progress, tick: Callable[[], None]
) -> None:
    """Evaluate on fresh environments, leaving global randomness as it was."""
    protocol = suite.protocol_of(task)
    progress.episodes = 0

    def finished(episodes: int) -> None:
        progress.episodes = episodes
        tick()

    slots = min(protocol.eval_envs, protocol.episodes)
    env = suite.make(task, split="eval", num_envs=slots, seed=seed)
    try:
        with untouched_global_randomness():
            evaluation = evaluate(
                agent, env, episodes=protocol.episodes, budget_used=progress.budget_used,
                progress=finished,
            )  # fmt: skip
    finally:
        env.close()
    progress.evaluations.append(evaluation)
