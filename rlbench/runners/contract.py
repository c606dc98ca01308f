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
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench import suites
from rlbench.errors import AgentError, RLBenchError
from rlbench.runners.agent import (
    Agent,
    AgentFactory,
    AgentPhase,
    Bools,
    Closer,
    Observer,
    TaskInfo,
    Trainer,
    Transitions,
    load_factory,
)
from rlbench.runners.evaluation import untouched_global_randomness
from rlbench.runners.meter import MeteredEnv, Step, action_check
from rlbench.runners.online import (
    Rollout,
    make_agent,
    run_online,
    task_info,
    train_by_itself,
    train_until,
)
from rlbench.runners.progress import Progress
from rlbench.runners.worker import end_with_parent
from rlbench.suites import Scalar, Suite, Task

Outcome = Literal["passed", "failed", "skipped"]
Actions = list[NDArray[Any]]

_SLOTS = 3  # environments side by side in the evaluations of the checks
_EPISODE_STEPS = 15  # after which episodes are truncated, so that some end
_EVAL_STEPS = 2 * _EPISODE_STEPS + 2
_REFUSALS = 1000  # steps that an agent may try after the end of its budget
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
    """An agent goes on stepping although its budget is spent; not to be swallowed by it."""


class _Seen(NamedTuple):
    """What an agent is asked for actions with."""

    obs: NDArray[Any]
    first: Bools


class _Recorder(MeteredEnv):
    """A metered environment that keeps the actions, and ends what would go on for ever."""

    def __init__(self, env: VectorEnv[Any, Any, Any], budget: int) -> None:
        super().__init__(env, budget)
        self.budget = budget
        self.actions: Actions = []
        self.refusals = 0

    @property
    def overrun(self) -> bool:
        """Whether the agent would have gone on for ever."""
        return self.refusals > _REFUSALS

    def step(self, actions: Any) -> Step:
        """Play one step, as `MeteredEnv` does."""
        if self.used >= self.budget:
            self.refusals += 1
            if self.overrun:
                raise _Overrun
            return super().step(actions)
        self.actions.append(np.array(actions))
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
    made: list[Agent] = field(default_factory=list)
    agent: Agent = field(init=False)
    meter: _Recorder = field(init=False)
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

    def env(self, split: Literal["train", "eval"], num_envs: int) -> VectorEnv[Any, Any, Any]:
        """Make environments, always of the same stream."""
        return self.suite.make(self.task, split=split, num_envs=num_envs, seed=0)

    def train(self, agent: Agent, *, evaluated: bool = False) -> _Recorder:
        """Train an agent for the small budget, with an evaluation half-way or without."""
        budget = self.info.budget
        meter = _Recorder(self.env("train", self.info.num_envs), budget)
        half = [max(1, budget // 2)] if evaluated else []
        try:
            if isinstance(agent, Trainer):
                train_by_itself(
                    agent, meter, half, Progress(), lambda: None, lambda: self.evaluate(agent)
                )
            else:
                rollout = Rollout(meter.reset()[0], np.ones(meter.num_envs, dtype=np.bool_))
                for point in [*half, budget]:
                    for _ in train_until(agent, meter, rollout, point, Progress(), lambda: None):
                        pass
                    if point < budget:
                        self.evaluate(agent)
        except _Overrun:
            pass  # the meter says so
        finally:
            meter.close()
        return meter

    def play(self, agent: Agent, slots: int = _SLOTS) -> tuple[list[_Seen], Actions]:
        """Let an agent play in evaluation; return what it saw and what it answered."""
        env = self.env("eval", slots)
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

    def evaluate(self, agent: Agent) -> None:
        """Let an agent play in evaluation."""
        self.play(agent)


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
        steps: The training budget of a check; the smoke run has twice as much.

    Yields:
        A finding a check, in the order of `NAMES`. What makes no sense after an earlier failure
        is skipped.

    Raises:
        RLBenchError: The suite's environments cannot be made.
    """
    suite = suite.make_unofficial(
        {
            "budget": steps,
            "episodes": _SLOTS + 2,
            "eval_envs": _SLOTS,
            "max_episode_steps": min(_EPISODE_STEPS, suite.protocol_of(task).max_episode_steps),
        }
    )
    num_envs = suite.protocol_of(task).train_envs
    env = suite.make(task, split="train", num_envs=num_envs, seed=0)
    info = task_info(suite, task, env)
    action_check(info.action_space, num_envs)
    env.close()
    trial = _Trial(suite, task, factory, config, device, info)
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


def _makes(trial: _Trial) -> str:
    agent = trial.make()
    if isinstance(agent, Trainer):
        return "it has act() and train()"
    return "it has act() and observe()" if isinstance(agent, Observer) else "it has act()"


def _acts_in_training(trial: _Trial) -> str:
    agent = trial.make()
    if isinstance(agent, Trainer):
        raise _Skipped("the agent owns its loop")
    seen = _first_of_training(trial)
    n = trial.info.num_envs
    actions = action_check(trial.info.action_space, n)(_act(agent, *seen, "train"))
    return f"{actions.shape} {actions.dtype} for a batch of {n}"


def _trains(trial: _Trial) -> str:
    trial.agent = trial.make()
    trial.meter = trial.train(trial.agent)
    how = "train" if isinstance(trial.agent, Trainer) else "act and observe"
    if not isinstance(trial.agent, Trainer | Observer):
        how = "act, without learning"
    return f"{trial.meter.used} steps by {how}"


def _keeps_to_the_budget(trial: _Trial) -> str:
    if not isinstance(trial.agent, Trainer):
        raise _Skipped("the runner owns the loop and counts")
    meter = trial.meter
    if meter.overrun:
        raise AgentError(
            f"train() went on for {_REFUSALS} steps after its budget of {meter.budget} was spent: "
            "let BudgetExhausted pass"
        )
    if meter.used == 0:
        raise AgentError("train() made no step in the environment that it was given")
    return f"train() used {meter.used} of {meter.budget} steps"


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
    if isinstance(agent, Trainer):
        guard = _Guard(trial.agent)
    else:
        guard = _ObserverGuard(agent) if isinstance(agent, Observer) else _Guard(agent)
        trial.train(guard)
    trial.evaluate(guard)
    if guard.changed:
        raise AgentError(f"the agent changed {', '.join(sorted(guard.changed))}: copy it first")
    return "observations and batches are as they were"


def _repeats_itself(trial: _Trial) -> str:
    agent = trial.make()
    meter = trial.train(agent)
    answers = _answer(agent, trial.seen, "eval")
    _compare("training", trial.meter.actions, meter.actions, "two agents of the same seed")
    _compare("evaluation", trial.answers, answers, "two agents of the same seed")
    return f"{len(meter.actions)} actions in training, {len(answers)} in evaluation"


def _differs_by_seed(trial: _Trial) -> str:
    agent = trial.make(_OTHER_SEED)
    meter = trial.train(agent)
    answers = _answer(agent, trial.seen, "eval")
    if _equal(meter.actions, trial.meter.actions) and _equal(answers, trial.answers):
        raise _Skipped("it acts alike: the agent draws nothing, or not from its seed")
    return "it acts otherwise"


def _learns_nothing_in_evaluation(trial: _Trial) -> str:
    meter = trial.train(trial.make(), evaluated=True)
    _compare(
        "training", trial.meter.actions, meter.actions,
        "an agent that was evaluated half-way and one that was not",
    )  # fmt: skip
    return "training goes on as if there had been none"


def _saves_and_loads(trial: _Trial) -> str:
    agent = trial.agent
    save, load = getattr(agent, "save", None), getattr(agent, "load", None)
    if save is None and load is None:
        raise _Skipped("the agent has neither save() nor load()")
    if save is None or load is None:
        raise AgentError(f"the agent has {'load' if save is None else 'save'}() only")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _call("save", save, folder)
        copy = trial.make()
        _call("load", cast(Any, copy).load, folder)
        asked: list[tuple[AgentPhase, list[_Seen]]] = [("eval", trial.seen)]
        if not isinstance(agent, Trainer):
            asked.append(("train", [_first_of_training(trial)]))
        for phase, seen in asked:
            what = "training" if phase == "train" else "evaluation"
            mine, its = _answer(agent, seen, phase), _answer(copy, seen, phase)
            _compare(what, mine, its, "the saved agent and the loaded one")
    return "the loaded agent acts as the saved one"


def _runs(trial: _Trial) -> str:
    suite = trial.suite.make_unofficial({"budget": 2 * trial.info.budget})
    progress = Progress()
    run_online(
        suite, trial.task, trial.factory, config=trial.config, seed=1, device=trial.device,
        progress=progress,
    )  # fmt: skip
    episodes = sum(len(evaluation.returns) for evaluation in progress.evaluations)
    return f"{progress.budget_used} steps of training, {episodes} episodes of evaluation"


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
    env = trial.env("train", trial.info.num_envs)
    obs, _ = env.reset()
    env.close()
    return _Seen(obs, np.ones(trial.info.num_envs, dtype=np.bool_))


def _compare(what: str, left: Actions, right: Actions, who: str) -> None:
    """Raise unless the actions are the same, saying where they begin to differ."""
    if _equal(left, right):
        return
    pairs = enumerate(zip(left, right, strict=False))
    step = next((k for k, (a, b) in pairs if not np.array_equal(a, b)), min(len(left), len(right)))
    raise AgentError(f"{who} act differently in {what}, from step {step} on")


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
    asked = json.loads(sys.stdin.readline())
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
            suite, suite.task(asked["task"]), factory, config=asked["config"],
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
