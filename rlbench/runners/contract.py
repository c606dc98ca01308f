"""The contract between agents and the runner, executed.

As a program it is the process that `rlbench check` runs an agent in. It reads what to check as one
line of JSON from standard input, and holds on to that pipe: when the parent dies, the pipe closes
and the process ends. It writes a finding a line; whatever the agent prints goes to standard error.
"""

import json
import os
import sys
import sysconfig
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from operator import index
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench import suites
from rlbench.errors import AgentError, BudgetExhausted, RLBenchError
from rlbench.runners.agent import (
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
    load_factory,
)
from rlbench.runners.children import end_with_parent, what_is_asked
from rlbench.runners.curriculum import load_teacher
from rlbench.runners.evaluation import (
    global_randomness,
    set_global_randomness,
    untouched_global_randomness,
)
from rlbench.runners.meter import MeteredEnv, Step, action_check
from rlbench.runners.offline import run_offline
from rlbench.runners.online import (
    Rollout,
    is_end_of_budget,
    make_agent,
    run_online,
    task_info,
    train_by_itself,
    train_until,
    training_envs,
)
from rlbench.runners.progress import Progress
from rlbench.runners.resolving import open_options
from rlbench.suites import Dataset, Scalar, Suite, Task

Outcome = Literal["passed", "failed", "skipped"]
Actions = list[NDArray[Any]]

_SLOTS = 3  # environments side by side in the evaluations of the checks
_EPISODE_STEPS = 15  # after which episodes are truncated, so that some end
_EVAL_STEPS = 2 * _EPISODE_STEPS + 2
_REFUSALS = 1000  # steps or updates that an agent may try after the end of its budget
_TEACHER = "uniform"  # of curricula
_SEED, _OTHER_SEED = 7, 2**31 - 1  # the runner's seeds for agents are below 2^31
_MAX_DETAIL = 500


class Finding(NamedTuple):
    """What came of one check.

    Attributes:
        name: The check's.
        status: ``passed``, ``failed`` or ``skipped``.
        detail: What was seen, in one line.
    """

    name: str
    status: Outcome
    detail: str


class _Skipped(Exception):
    """A check does not apply to the agent."""


class _Overrun(BaseException):
    """An agent goes on although its budget is spent; not to be swallowed by it."""


class _Interrupted(BaseException):
    """Another agent goes on with the training; not to be swallowed either."""


class _Seen(NamedTuple):
    """What an agent is asked for actions with."""

    obs: NDArray[Any]
    first: Bools


def _goes_on(agent: Agent) -> Agent:
    return agent


@dataclass
class _Training:
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
        return self.refusals > _REFUSALS

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

    def __init__(self, env: VectorEnv[Any, Any, Any], training: _Training) -> None:
        super().__init__(env, training.budget)
        self._training = training

    def step(self, actions: Any) -> Step:
        """Play one step, as `MeteredEnv` does."""
        if self.used >= self._training.budget:
            self._training.refuse()
        else:
            self._training.actions.append(np.array(actions))
        return super().step(actions)


class _Guard:
    """Passes calls on to an agent, and notes the arrays that were not left as they were."""

    def __init__(self, agent: Agent) -> None:
        self.changed: set[str] = set()
        self._agent = agent

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        with self._watch("act", obs=obs, first=first):
            return self._agent.act(obs, first, phase=phase)

    @contextmanager
    def _watch(self, method: str, **arrays: Any) -> Iterator[None]:
        before = {name: array.tobytes() for name, array in arrays.items() if array is not None}
        yield
        for name, content in before.items():
            if arrays[name].tobytes() != content:
                self.changed.add(f"{name} in {method}()")


class _ObserverGuard(_Guard):
    """A guard for an agent that learns from transitions."""

    def observe(self, batch: Transitions) -> None:
        with self._watch("observe", **batch._asdict()):
            cast(Observer, self._agent).observe(batch)


@dataclass
class _Trial:
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
    training: _Training = field(init=False)
    seen: list[_Seen] = field(init=False)
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
        return training_envs(self.suite, self.task, seed=0, teacher=load_teacher(_TEACHER))[0]

    def train(self, agent: Agent, half_way: Callable[[Agent], Agent] = _goes_on) -> _Training:
        """Train an agent for the small budget.

        Args:
            agent: It begins.
            half_way: See `_Training`; an agent with a loop of its own goes on in any case.
        """
        training = _Training(agent, self.info.eval_points[0], self.info.budget, half_way)
        with suppress(_Overrun):  # the training says so
            if self.dataset is None:
                self._act_and_learn(training)
            else:
                self._fit(training, self.dataset)
        return training

    def _act_and_learn(self, training: _Training) -> None:
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

    def _fit(self, training: _Training, dataset: Dataset) -> None:
        agent, budget = training.agent, training.budget
        if not isinstance(agent, Fitter):
            return
        try:
            _call("fit", agent.fit, dataset, updates=budget, checkpoint=training.checkpoint)
        except _Interrupted:
            self._fit(training, dataset)
        except AgentError as error:
            if not is_end_of_budget(error):
                raise

    def play(self, agent: Agent, slots: int = _SLOTS) -> tuple[list[_Seen], Actions]:
        """Let an agent play in evaluation; return what it saw and what it answered."""
        env = self.suite.make(self.task, split="eval", num_envs=slots, seed=0)
        check = action_check(env.single_action_space, slots)
        seen, answers = [], []
        try:
            obs, _ = env.reset()
            first = np.ones(slots, dtype=np.bool_)
            with untouched_global_randomness():
                for _ in range(_EVAL_STEPS):
                    seen.append(_Seen(obs.copy(), first.copy()))
                    actions = check(_act(agent, obs, first, "eval"))
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
            _call("save", agent.save, Path(folder))
            copy = self.make()
            assert isinstance(copy, Saver)
            _call("load", copy.load, Path(folder))
        set_global_randomness(randomness)
        return copy

    def skip_unless_trained(self) -> None:
        """Skip the check if the agent, in an offline suite, does not learn."""
        if self.dataset is not None and not isinstance(self.agent, Fitter):
            raise _Skipped("the agent does not learn")


def check_contract(
    suite: Suite,
    task: Task,
    factory: AgentFactory,
    *,
    config: Mapping[str, Scalar],
    device: str,
    steps: int,
) -> Iterator[Finding]:
    """Run an agent through every check of the contract, on the suite's own environments.

    Args:
        suite: The suite.
        task: One of its tasks.
        factory: Makes the agent.
        config: Options for the factory.
        device: Passed on to the factory.
        steps: The training budget of a check, steps or updates; the smoke run has twice as much.

    Yields:
        A finding a check, in the order of `NAMES`. What makes no sense after an earlier failure
        is skipped.

    Raises:
        RLBenchError: The suite's environments cannot be made, or its dataset cannot be loaded.
    """
    protocol = replace(suite.protocol, eval_points=(max(1, steps // 2),), point_episodes=0)
    suite = replace(suite, protocol=protocol).make_unofficial(
        {
            "budget": steps,
            "episodes": _SLOTS + 2,
            "eval_envs": _SLOTS,
            "max_episode_steps": min(_EPISODE_STEPS, suite.protocol_of(task).max_episode_steps),
        }
    )
    info, dataset = _material(suite, task)
    action_check(info.action_space, 1)
    trial = _Trial(suite, task, factory, config, device, info, dataset)
    lost: set[str] = set()
    try:
        for check in _CHECKS:
            lacking = [need for need in check.needs if need in lost]
            if lacking:
                finding = Finding(check.name, "skipped", f"{lacking[0]!r} did not pass")
            else:
                finding = _execute(check, trial)
                trial.close(keep=getattr(trial, "agent", None))
            if lacking or finding.status == "failed":
                lost.add(check.name)
            yield finding
    finally:
        trial.close()


def _material(suite: Suite, task: Task) -> tuple[TaskInfo, Dataset | None]:
    """Return what agents are told of a task, and what they fit, if it is an offline one."""
    if suite.protocol_of(task).kind != "offline":
        env, info = training_envs(suite, task, seed=0, teacher=load_teacher(_TEACHER))
        env.close()
        return info, None
    dataset = suite.dataset(task)
    env = suite.make(task, split="eval", num_envs=1, seed=0)
    info = replace(
        task_info(suite, task, env), num_envs=0,
        observation_space=dataset.observation_space, action_space=dataset.action_space,
    )  # fmt: skip
    env.close()
    return info, dataset


def _way_of(agent: Agent) -> str:
    """Return the method by which an agent learns, if it does."""
    return next((way for way in ("train", "observe", "fit") if hasattr(agent, way)), "")


def _makes(trial: _Trial) -> str:
    way = _way_of(trial.make())
    return f"it has act() and {way}()" if way else "it has act()"


def _acts_in_training(trial: _Trial) -> str:
    agent = trial.make()
    if trial.dataset is not None:
        raise _Skipped("there are no training environments")
    if isinstance(agent, Trainer):
        raise _Skipped("the agent owns its loop")
    seen = _first_of_training(trial)
    n = trial.info.num_envs
    actions = action_check(trial.info.action_space, n)(_act(agent, *seen, "train"))
    return f"{actions.shape} {actions.dtype} for a batch of {n}"


def _trains(trial: _Trial) -> str:
    trial.agent = trial.make()
    trial.training = trial.train(trial.agent)
    trial.skip_unless_trained()
    way = _way_of(trial.agent)
    how = {"observe": "act and observe", "": "act, without learning"}.get(way, way)
    return f"{trial.training.used} {trial.info.unit} by {how}"


def _keeps_to_the_budget(trial: _Trial) -> str:
    if not isinstance(trial.agent, Trainer | Fitter):
        raise _Skipped("the runner owns the loop and counts")
    training, unit = trial.training, trial.info.unit
    way = f"{_way_of(trial.agent)}()"
    if training.overrun:
        raise AgentError(
            f"{way} went on for {_REFUSALS} {unit} after its budget of {training.budget} was "
            "spent: let BudgetExhausted pass"
        )
    if isinstance(trial.agent, Fitter):
        _expect_all_updates(trial, training)
    elif training.used == 0:
        raise AgentError("train() made no step in the environment that it was given")
    return f"{way} used {training.used} of {training.budget} {unit}"


def _expect_all_updates(trial: _Trial, training: _Training) -> None:
    for point in trial.info.eval_points:
        if point > training.used:
            raise AgentError(f"fit() returned after {training.used} of {training.budget} updates")
        if point not in training.told:
            raise AgentError(
                f"fit() did not call checkpoint({point}): call it after every update, or at "
                "least at those in TaskInfo.eval_points"
            )


def _acts_in_evaluation(trial: _Trial) -> str:
    trial.seen, trial.answers = trial.play(trial.agent)
    answer = trial.answers[0]
    return f"{answer.shape} {answer.dtype} for a batch of {_SLOTS}"


def _takes_any_batch_size(trial: _Trial) -> str:
    for slots in (1, _SLOTS + 2):
        trial.play(trial.agent, slots)
    return f"evaluated on batches of {_SLOTS}, 1 and {_SLOTS + 2}, one after the other"


def _leaves_arrays_alone(trial: _Trial) -> str:
    agent = trial.make()
    guard: _Guard
    if isinstance(agent, Trainer) or trial.dataset is not None:
        guard = _Guard(trial.agent)
    else:
        guard = _ObserverGuard(agent) if isinstance(agent, Observer) else _Guard(agent)
        trial.train(guard)
    trial.evaluate(guard)
    if guard.changed:
        raise AgentError(f"the agent changed {', '.join(sorted(guard.changed))}: copy it first")
    if trial.dataset is not None:
        return "observations are as they were, and the dataset cannot be written to"
    return "observations and batches are as they were"


def _repeats_itself(trial: _Trial) -> str:
    agent = trial.make()
    actions = trial.train(agent).actions
    answers = _answer(agent, trial.seen, "eval")
    _compare("training", trial.training.actions, actions, "two agents of the same seed")
    _compare("evaluation", trial.answers, answers, "two agents of the same seed")
    return f"{len(actions)} actions in training, {len(answers)} in evaluation"


def _differs_by_seed(trial: _Trial) -> str:
    agent = trial.make(_OTHER_SEED)
    actions = trial.train(agent).actions
    answers = _answer(agent, trial.seen, "eval")
    if _equal(actions, trial.training.actions) and _equal(answers, trial.answers):
        raise _Skipped("it acts alike: the agent draws nothing, or not from its seed")
    return "it acts otherwise"


def _learns_nothing_in_evaluation(trial: _Trial) -> str:
    trial.skip_unless_trained()
    who = "an agent that was evaluated half-way and one that was not"
    agent = trial.make()
    actions = trial.train(agent, trial.evaluate).actions
    _compare("training", trial.training.actions, actions, who)
    if isinstance(agent, Fitter):
        # The other is evaluated, too, but afterwards: what it draws there may go on.
        other = trial.make()
        trial.train(other)
        trial.evaluate(other)
        left, right = (_answer(one, trial.seen, "eval") for one in (other, agent))
        _compare("evaluation", left, right, who)
    return "training goes on as if there had been none"


def _saves_and_loads(trial: _Trial) -> str:
    agent = trial.agent
    has = [name for name in ("save", "load") if getattr(agent, name, None) is not None]
    if not has:
        raise _Skipped("the agent has neither save() nor load()")
    if len(has) == 1:
        raise AgentError(f"the agent has {has[0]}() only")
    copy = trial.reload(agent)
    asked: list[tuple[AgentPhase, list[_Seen]]] = [("eval", trial.seen)]
    if trial.dataset is None and not isinstance(agent, Trainer):
        asked.append(("train", [_first_of_training(trial)]))
    for phase, seen in asked:
        what = "training" if phase == "train" else "evaluation"
        mine, its = _answer(agent, seen, phase), _answer(copy, seen, phase)
        _compare(what, mine, its, "the saved agent and the loaded one")
    return "the loaded agent acts as the saved one"


def _resumes(trial: _Trial) -> str:
    if not isinstance(trial.agent, Saver):
        raise _Skipped("the agent has neither save() nor load()")
    if isinstance(trial.agent, Trainer):
        raise _Skipped("the agent owns its loop: its runs begin anew")
    trial.skip_unless_trained()
    training = trial.train(trial.make(), trial.reload)
    if isinstance(training.agent, Fitter):
        _expect_all_updates(trial, training)
    answers = _answer(training.agent, trial.seen, "eval")
    for what, left, right in (
        ("training", trial.training.actions, training.actions),
        ("evaluation", trial.answers, answers),
    ):
        _compare(
            what, left, right, "an agent that was interrupted half-way and one that was not",
            ": after an interruption a run would not be what it would have been",
        )  # fmt: skip
    return "a loaded agent goes on as if there had been no interruption"


def _runs(trial: _Trial) -> str:
    suite = trial.suite.make_unofficial({"budget": 2 * trial.info.budget})
    execute: Callable[..., None] = partial(run_online, teacher=load_teacher(_TEACHER))
    if trial.dataset is not None:
        execute = run_offline
    progress = Progress()
    execute(
        suite, trial.task, trial.factory, config=trial.config, seed=1, device=trial.device,
        progress=progress,
    )  # fmt: skip
    episodes = sum(len(evaluation.returns) for evaluation in progress.evaluations)
    spent = f"{progress.budget_used} {trial.info.unit} of training"
    return f"{spent}, {episodes} episodes of evaluation"


class _Check(NamedTuple):
    """A check: it returns what it saw, or raises."""

    name: str
    run: Callable[[_Trial], str]
    needs: tuple[str, ...] = ()


_CHECKS = (
    _Check("make", _makes),
    _Check("act in training", _acts_in_training, ("make",)),
    _Check("train", _trains, ("act in training", "make")),
    _Check("exact budget", _keeps_to_the_budget, ("train",)),
    _Check("act in evaluation", _acts_in_evaluation, ("exact budget",)),
    _Check("batch sizes", _takes_any_batch_size, ("act in evaluation",)),
    _Check("arrays unchanged", _leaves_arrays_alone, ("act in evaluation",)),
    _Check("same seed", _repeats_itself, ("act in evaluation",)),
    _Check("another seed", _differs_by_seed, ("same seed",)),
    _Check("evaluation changes nothing", _learns_nothing_in_evaluation, ("same seed",)),
    _Check("save and load", _saves_and_loads, ("same seed",)),
    _Check("resume", _resumes, ("save and load",)),
    _Check("smoke run", _runs, ("act in evaluation",)),
)
NAMES = tuple(check.name for check in _CHECKS)


def _execute(check: _Check, trial: _Trial) -> Finding:
    """Run a check; nothing that an agent raises gets out."""
    try:
        return Finding(check.name, "passed", check.run(trial))
    except _Skipped as reason:
        return Finding(check.name, "skipped", str(reason))
    except (Exception, SystemExit) as error:
        return Finding(check.name, "failed", describe(error))


def _act(agent: Agent, obs: NDArray[Any], first: Bools, phase: AgentPhase) -> Any:
    return _call("act", agent.act, obs, first, phase=phase)


def _call(name: str, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a method of the agent and say its name if it raises."""
    try:
        return method(*args, **options)
    except AgentError:
        raise
    except Exception as error:
        raise AgentError(f"{name} raised {type(error).__name__}: {error}") from error


def _answer(agent: Agent, seen: Sequence[_Seen], phase: AgentPhase) -> Actions:
    """Ask an agent for actions with what another one saw."""
    with untouched_global_randomness():
        return [np.array(_act(agent, obs.copy(), first.copy(), phase)) for obs, first in seen]


def _first_of_training(trial: _Trial) -> _Seen:
    """Return the first observations of training."""
    env = trial.envs()
    obs, _ = env.reset()
    env.close()
    return _Seen(obs, np.ones(trial.info.num_envs, dtype=np.bool_))


def _compare(what: str, left: Actions, right: Actions, who: str, so: str = "") -> None:
    """Raise unless the actions are the same, saying where they begin to differ."""
    if _equal(left, right):
        return
    pairs = enumerate(zip(left, right, strict=False))
    step = next((k for k, (a, b) in pairs if not np.array_equal(a, b)), min(len(left), len(right)))
    raise AgentError(f"{who} act differently in {what}, from step {step} on{so}")


def _equal(left: Actions, right: Actions) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def describe(error: BaseException) -> str:
    """Return what was raised, and where in the agent's code, in one line."""
    text = str(error) if isinstance(error, RLBenchError) else f"{type(error).__name__}: {error}"
    root = error.__cause__ or error
    ours = str(Path(__file__).parents[1])
    folders = (ours, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    others = (*(folder + os.sep for folder in folders), "<frozen")
    frames = [
        frame
        for frame in traceback.extract_tb(root.__traceback__)
        if not frame.filename.startswith(others)
    ]
    if frames:
        text += f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= _MAX_DETAIL else line[:_MAX_DETAIL] + " ..."


def main() -> None:
    """Check the agent that standard input names."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asked = what_is_asked()
    threading.Thread(target=end_with_parent, daemon=True).start()
    load = cache(load_factory)

    def factory(info: TaskInfo, **options: Any) -> Agent:
        # Imported in the first check, so that what importing raises is a finding of it.
        return load(asked["agent"])(info, **options)

    def send(**message: str) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    try:
        suite = suites.get(asked["suite"])
        for finding in check_contract(
            suite, suite.task(asked["task"]), factory, config=open_options(asked["config"]),
            device=asked["device"], steps=asked["steps"],
        ):  # fmt: skip
            send(**finding._asdict())
    except RLBenchError as error:
        send(error=str(error))
    sys.stderr.flush()
    # Not sys.exit: threads that an agent left running must not keep the process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
