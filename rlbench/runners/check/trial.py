"""An agent on trial: a task on a small budget, with what was played and answered kept."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, BudgetExhausted
from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    AgentPhase,
    Bools,
    Closer,
    Fitter,
    Observer,
    Saver,
    TaskInfo,
    Trainer,
    Transitions,
)
from rlbench.runners.check.findings import Skipped
from rlbench.runners.loops.common import dataset_info, make_agent, training_envs
from rlbench.runners.loops.evaluation import (
    global_randomness,
    set_global_randomness,
    untouched_global_randomness,
)
from rlbench.runners.loops.meter import MeteredEnv, Step, action_check
from rlbench.runners.loops.training import Rollout, is_end_of_budget, train_by_itself, train_until
from rlbench.runners.progress import Progress
from rlbench.runners.teachers.teacher import load_teacher
from rlbench.suites import Dataset, Scalar, Suite, Task

Actions = list[NDArray[Any]]

SLOTS = 3  # environments side by side in the evaluations of the checks
EPISODE_STEPS = 15  # after which episodes are truncated, so that some end
_EVAL_STEPS = 2 * EPISODE_STEPS + 2
REFUSALS = 1000  # steps or updates that an agent may try after the end of its budget
TEACHER = "uniform"  # of curricula
_SEED = 7
OTHER_SEED = 2**31 - 1  # the runner's seeds for agents are below 2^31


class _Overrun(BaseException):
    """An agent goes on although its budget is spent; not to be swallowed by it."""


class _Interrupted(BaseException):
    """Another agent goes on with the training; not to be swallowed either."""


class Seen(NamedTuple):
    """What an agent is asked for actions with."""

    obs: NDArray[Any]
    first: Bools


def _goes_on(agent: Agent) -> Agent:
    return agent


@dataclass
class Training:
    """What is seen of a training; it ends what would go on for ever.

    Attributes:
        agent: Who trains; after an interruption another one.
        half: Where in the budget `half_way` is called.
        budget: What may be spent.
        half_way: Takes who trained so far and returns who goes on.
        used: What was spent.
        actions: What was done in the environments.
        told: The updates that an agent told of.
        refusals: What was tried when the budget was spent.
    """

    agent: Agent
    half: int
    budget: int
    half_way: Callable[[Agent], Agent]
    used: int = 0
    actions: Actions = field(default_factory=list)
    told: set[int] = field(default_factory=set)
    refusals: int = 0

    @property
    def overrun(self) -> bool:
        """Whether the agent would have gone on for ever."""
        return self.refusals > REFUSALS

    def refuse(self) -> None:
        """Count what is tried when the budget is spent."""
        self.refusals += 1
        if self.overrun:
            raise _Overrun

    def hand_over(self) -> None:
        """Let another agent go on, if `half_way` returns another."""
        self.agent = self.half_way(self.agent)

    def checkpoint(self, update: int) -> None:
        """Take in what an agent that fits tells of its updates."""
        update = index(update)
        if update > self.budget:
            self.refuse()
            raise BudgetExhausted(f"the budget of {self.budget} updates is spent")
        if update < self.used:
            raise AgentError(
                f"fit called checkpoint({update}) after {self.used} updates: "
                "an agent that was loaded goes on from where it was saved"
            )
        is_half = update == self.half and update not in self.told
        self.used = update
        self.told.add(update)
        if is_half:
            agent = self.agent
            self.hand_over()
            if self.agent is not agent:
                raise _Interrupted


class _Recorder(MeteredEnv):
    """A metered environment that notes the actions."""

    def __init__(self, env: VectorEnv[Any, Any, Any], training: Training) -> None:
        super().__init__(env, training.budget)
        self._training = training

    def step(self, actions: Any) -> Step:
        """Play one step, as `MeteredEnv` does."""
        if self.used >= self._training.budget:
            self._training.refuse()
        else:
            self._training.actions.append(np.array(actions))
        return super().step(actions)


class Guard:
    """Passes calls on to an agent, and notes the arrays that were not left as they were."""

    def __init__(self, agent: Agent) -> None:
        self.changed: set[str] = set()
        self._agent = agent

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Ask the agent for actions."""
        with self._watch("act", obs=obs, first=first):
            return self._agent.act(obs, first, phase=phase)

    @contextmanager
    def _watch(self, method: str, **arrays: Any) -> Iterator[None]:
        before = {name: array.tobytes() for name, array in arrays.items() if array is not None}
        yield
        for name, content in before.items():
            if arrays[name].tobytes() != content:
                self.changed.add(f"{name} in {method}()")


class ObserverGuard(Guard):
    """A guard for an agent that learns from transitions."""

    def observe(self, batch: Transitions) -> None:
        """Let the agent observe."""
        with self._watch("observe", **batch._asdict()):
            cast(Observer, self._agent).observe(batch)


@dataclass
class Trial:
    """What the checks share: the task on a small budget, and the first agent that was trained."""

    suite: Suite
    task: Task
    factory: AgentFactory
    config: Mapping[str, Scalar]
    device: str
    info: TaskInfo
    dataset: Dataset | None
    made: list[Agent] = field(default_factory=list)
    agent: Agent = field(init=False)
    training: Training = field(init=False)
    seen: list[Seen] = field(init=False)
    answers: Actions = field(init=False)

    def make(self, seed: int = _SEED) -> Agent:
        """Make an agent."""
        agent = make_agent(
            self.factory, self.info, seed=seed, device=self.device, config=self.config
        )
        self.made.append(agent)
        return agent

    def close(self, keep: Agent | None = None) -> None:
        """Close the agents that were made; that a run closes its agent is for the smoke run."""
        for agent in self.made:
            if agent is not keep and isinstance(agent, Closer):
                with suppress(Exception):
                    agent.close()
        self.made = [agent for agent in self.made if agent is keep]

    def envs(self) -> VectorEnv[Any, Any, Any]:
        """Make the environments of training, always of the same stream."""
        return training_envs(self.suite, self.task, seed=0, teacher=load_teacher(TEACHER))[0]

    def train(self, agent: Agent, half_way: Callable[[Agent], Agent] = _goes_on) -> Training:
        """Train an agent for the small budget.

        Args:
            agent: It begins.
            half_way: See `Training`; an agent with a loop of its own goes on in any case.
        """
        training = Training(agent, self.info.eval_points[0], self.info.budget, half_way)
        with suppress(_Overrun):  # the training says so
            if self.dataset is None:
                self._act_and_learn(training)
            else:
                self._fit(training, self.dataset)
        return training

    def _act_and_learn(self, training: Training) -> None:
        meter = _Recorder(self.envs(), training)
        points, nothing = self.info.eval_points, lambda: None
        try:
            if isinstance(training.agent, Trainer):
                left = list(points[:-1])

                def half_way() -> None:
                    if left and meter.used >= left[0]:
                        left.pop()
                        training.hand_over()

                train_by_itself(training.agent, meter, Progress(), nothing, half_way)
                return
            rollout = Rollout(meter.reset()[0], np.ones(meter.num_envs, dtype=np.bool_))
            for point in points:
                for _ in train_until(training.agent, meter, rollout, point, Progress(), nothing):
                    pass
                if point < training.budget:
                    training.hand_over()
        finally:
            training.used = meter.used
            meter.close()

    def _fit(self, training: Training, dataset: Dataset) -> None:
        agent, budget = training.agent, training.budget
        if not isinstance(agent, Fitter):
            return
        try:
            call("fit", agent.fit, dataset, updates=budget, checkpoint=training.checkpoint)
        except _Interrupted:
            self._fit(training, dataset)
        except AgentError as error:
            if not is_end_of_budget(error):
                raise

    def play(self, agent: Agent, slots: int = SLOTS) -> tuple[list[Seen], Actions]:
        """Let an agent play in evaluation; return what it saw and what it answered."""
        env = self.suite.make(self.task, split="eval", num_envs=slots, seed=0)
        check = action_check(env.single_action_space, slots)
        seen, answers = [], []
        try:
            obs, _ = env.reset()
            first = np.ones(slots, dtype=np.bool_)
            with untouched_global_randomness():
                for _ in range(_EVAL_STEPS):
                    seen.append(Seen(obs.copy(), first.copy()))
                    actions = check(act(agent, obs, first, "eval"))
                    answers.append(actions.copy())
                    obs, _, terminated, truncated, _ = env.step(actions)
                    first = terminated | truncated
        finally:
            env.close()
        return seen, answers

    def evaluate(self, agent: Agent) -> Agent:
        """Let an agent play in evaluation; return it, to go on."""
        self.play(agent)
        return agent

    def reload(self, agent: Agent) -> Agent:
        """Return a new agent that has loaded what an agent saved, as after an interruption."""
        assert isinstance(agent, Saver)
        randomness = global_randomness()
        with tempfile.TemporaryDirectory() as folder:
            call("save", agent.save, Path(folder))
            copy = self.make()
            assert isinstance(copy, Saver)
            call("load", copy.load, Path(folder))
        set_global_randomness(randomness)
        return copy

    def skip_unless_trained(self) -> None:
        """Skip the check if the agent, in an offline suite, does not learn."""
        if self.dataset is not None and not isinstance(self.agent, Fitter):
            raise Skipped("the agent does not learn")


def material(suite: Suite, task: Task) -> tuple[TaskInfo, Dataset | None]:
    """Return what agents are told of a task, and what they fit, if it is an offline one."""
    if suite.protocol_of(task).kind != "offline":
        env, info = training_envs(suite, task, seed=0, teacher=load_teacher(TEACHER))
        env.close()
        return info, None
    dataset = suite.dataset(task)
    return dataset_info(suite, task, dataset), dataset


def act(agent: Agent, obs: NDArray[Any], first: Bools, phase: AgentPhase) -> Any:
    """Ask an agent for actions."""
    return call("act", agent.act, obs, first, phase=phase)


def call(name: str, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a method of the agent and say its name if it raises."""
    try:
        return method(*args, **options)
    except AgentError:
        raise
    except Exception as error:
        raise AgentError(f"{name} raised {type(error).__name__}: {error}") from error
