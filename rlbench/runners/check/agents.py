"""The contract between agents and the runner, executed.

As a program it is the process that `rlbench check` runs an agent in. It reads what to check as one
line of JSON from standard input, and holds on to that pipe: when the parent dies, the pipe closes
and the process ends. It writes a finding a line; whatever the agent prints goes to standard error.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from rlbench import suites
from rlbench.errors import AgentError, RLBenchError
from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    AgentPhase,
    Fitter,
    Observer,
    Saver,
    TaskInfo,
    Trainer,
    Valuer,
    load_factory,
)
from rlbench.runners.agents.resolving import open_options
from rlbench.runners.check.findings import Finding, Skipped, describe
from rlbench.runners.check.trial import (
    EPISODE_STEPS,
    OTHER_SEED,
    REFUSALS,
    SLOTS,
    TEACHER,
    Actions,
    Guard,
    ObserverGuard,
    Seen,
    Training,
    Trial,
    act,
    material,
)
from rlbench.runners.children import end_with_parent, keep_output, what_is_asked
from rlbench.runners.loops.common import ways_of
from rlbench.runners.loops.curriculum import value_of
from rlbench.runners.loops.evaluation import (
    untouched_global_randomness,
)
from rlbench.runners.loops.meter import action_check
from rlbench.runners.loops.offline import run_offline
from rlbench.runners.loops.online import run_online
from rlbench.runners.progress import Progress
from rlbench.runners.teachers.teacher import load_teacher
from rlbench.suites import Scalar, Suite, Task


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
            "episodes": SLOTS + 2,
            "eval_envs": SLOTS,
            "max_episode_steps": min(EPISODE_STEPS, suite.protocol_of(task).max_episode_steps),
        }
    )
    info, dataset = material(suite, task)
    action_check(info.action_space, 1)
    trial = Trial(suite, task, factory, config, device, info, dataset)
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


def _makes(trial: Trial) -> str:
    return " and ".join(f"{way}()" for way in ("it has act", *ways_of(trial.make())))


def _acts_in_training(trial: Trial) -> str:
    agent = trial.make()
    if trial.dataset is not None:
        raise Skipped("there are no training environments")
    if isinstance(agent, Trainer):
        raise Skipped("the agent owns its loop")
    seen = _first_of_training(trial)
    n = trial.info.num_envs
    actions = action_check(trial.info.action_space, n)(act(agent, *seen, "train"))
    return f"{actions.shape} {actions.dtype} for a batch of {n}"


def _trains(trial: Trial) -> str:
    trial.agent = trial.make()
    trial.training = trial.train(trial.agent)
    trial.skip_unless_trained()
    ways = ways_of(trial.agent)
    how = "act, without learning" if not ways else ways[0].replace("observe", "act and observe")
    return f"{trial.training.used} {trial.info.unit} by {how}"


def _keeps_to_the_budget(trial: Trial) -> str:
    if not isinstance(trial.agent, Trainer | Fitter):
        raise Skipped("the runner owns the loop and counts")
    training, unit = trial.training, trial.info.unit
    way = f"{ways_of(trial.agent)[0]}()"
    if training.overrun:
        raise AgentError(
            f"{way} went on for {REFUSALS} {unit} after its budget of {training.budget} was "
            "spent: let BudgetExhausted pass"
        )
    if isinstance(trial.agent, Fitter):
        _expect_all_updates(trial, training)
    elif training.used == 0:
        raise AgentError("train() made no step in the environment that it was given")
    return f"{way} used {training.used} of {training.budget} {unit}"


def _expect_all_updates(trial: Trial, training: Training) -> None:
    for point in trial.info.eval_points:
        if point > training.used:
            raise AgentError(f"fit() returned after {training.used} of {training.budget} updates")
        if point not in training.told:
            raise AgentError(
                f"fit() did not call checkpoint({point}): call it after every update, or at "
                "least at those in TaskInfo.eval_points"
            )


def _acts_in_evaluation(trial: Trial) -> str:
    trial.seen, trial.answers = trial.play(trial.agent)
    answer = trial.answers[0]
    return f"{answer.shape} {answer.dtype} for a batch of {SLOTS}"


def _takes_any_batch_size(trial: Trial) -> str:
    for slots in (1, SLOTS + 2):
        trial.play(trial.agent, slots)
    return f"evaluated on batches of {SLOTS}, 1 and {SLOTS + 2}, one after the other"


def _leaves_arrays_alone(trial: Trial) -> str:
    agent = trial.make()
    guard: Guard
    if isinstance(agent, Trainer) or trial.dataset is not None:
        guard = Guard(trial.agent)
    else:
        guard = ObserverGuard(agent) if isinstance(agent, Observer) else Guard(agent)
        trial.train(guard)
    trial.evaluate(guard)
    if guard.changed:
        raise AgentError(f"the agent changed {', '.join(sorted(guard.changed))}: copy it first")
    if trial.dataset is not None:
        return "observations are as they were, and the dataset cannot be written to"
    return "observations and batches are as they were"


def _says_values(trial: Trial) -> str:
    agent = trial.agent
    if not isinstance(agent, Valuer):
        raise Skipped("the agent has no value()")
    obs = trial.seen[0].obs
    values = value_of(agent, obs)
    again = value_of(agent, obs)
    if not np.array_equal(values, again):
        raise AgentError(f"value answered {values} and then {again}: asking must change nothing")
    return f"{len(values)} values"


def _repeats_itself(trial: Trial) -> str:
    agent = trial.make()
    actions = trial.train(agent).actions
    answers = _answer(agent, trial.seen, "eval")
    _compare("training", trial.training.actions, actions, "two agents of the same seed")
    _compare("evaluation", trial.answers, answers, "two agents of the same seed")
    return f"{len(actions)} actions in training, {len(answers)} in evaluation"


def _differs_by_seed(trial: Trial) -> str:
    agent = trial.make(OTHER_SEED)
    actions = trial.train(agent).actions
    answers = _answer(agent, trial.seen, "eval")
    if _equal(actions, trial.training.actions) and _equal(answers, trial.answers):
        raise Skipped("it acts the same: the agent draws nothing, or not from its seed")
    return "it acts differently"


def _learns_nothing_in_evaluation(trial: Trial) -> str:
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


def _saves_and_loads(trial: Trial) -> str:
    agent = trial.agent
    has = [name for name in ("save", "load") if getattr(agent, name, None) is not None]
    if not has:
        raise Skipped("the agent has neither save() nor load()")
    if len(has) == 1:
        raise AgentError(f"the agent has {has[0]}() only")
    copy = trial.reload(agent)
    asked: list[tuple[AgentPhase, list[Seen]]] = [("eval", trial.seen)]
    if trial.dataset is None and not isinstance(agent, Trainer):
        asked.append(("train", [_first_of_training(trial)]))
    for phase, seen in asked:
        what = "training" if phase == "train" else "evaluation"
        mine, its = _answer(agent, seen, phase), _answer(copy, seen, phase)
        _compare(what, mine, its, "the saved agent and the loaded one")
    return "the loaded agent acts as the saved one"


def _resumes(trial: Trial) -> str:
    if not isinstance(trial.agent, Saver):
        raise Skipped("the agent has neither save() nor load()")
    if isinstance(trial.agent, Trainer):
        raise Skipped("the agent owns its loop: its runs begin anew")
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
            ": an interruption would change a run",
        )  # fmt: skip
    return "a loaded agent goes on as if there had been no interruption"


def _runs(trial: Trial) -> str:
    suite = trial.suite.make_unofficial({"budget": 2 * trial.info.budget})
    execute: Callable[..., None] = partial(run_online, teacher=load_teacher(TEACHER))
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
    run: Callable[[Trial], str]
    needs: tuple[str, ...] = ()


_CHECKS = (
    _Check("make", _makes),
    _Check("act in training", _acts_in_training, ("make",)),
    _Check("train", _trains, ("act in training", "make")),
    _Check("exact budget", _keeps_to_the_budget, ("train",)),
    _Check("act in evaluation", _acts_in_evaluation, ("exact budget",)),
    _Check("batch sizes", _takes_any_batch_size, ("act in evaluation",)),
    _Check("arrays unchanged", _leaves_arrays_alone, ("act in evaluation",)),
    _Check("value", _says_values, ("act in evaluation",)),
    _Check("same seed", _repeats_itself, ("act in evaluation",)),
    _Check("another seed", _differs_by_seed, ("same seed",)),
    _Check("evaluation changes nothing", _learns_nothing_in_evaluation, ("same seed",)),
    _Check("save and load", _saves_and_loads, ("same seed",)),
    _Check("resume", _resumes, ("save and load",)),
    _Check("smoke run", _runs, ("act in evaluation",)),
)
NAMES = tuple(check.name for check in _CHECKS)


def _execute(check: _Check, trial: Trial) -> Finding:
    """Run a check; nothing that an agent raises gets out."""
    try:
        return Finding(check.name, "passed", check.run(trial))
    except Skipped as reason:
        return Finding(check.name, "skipped", str(reason))
    except (Exception, SystemExit) as error:
        return Finding(check.name, "failed", describe(error))


def _answer(agent: Agent, seen: Sequence[Seen], phase: AgentPhase) -> Actions:
    """Ask an agent for actions with what another one saw."""
    with untouched_global_randomness():
        return [np.array(act(agent, obs.copy(), first.copy(), phase)) for obs, first in seen]


def _first_of_training(trial: Trial) -> Seen:
    """Return the first observations of training."""
    env = trial.envs()
    obs, _ = env.reset()
    env.close()
    return Seen(obs, np.ones(trial.info.num_envs, dtype=np.bool_))


def _compare(what: str, left: Actions, right: Actions, who: str, so: str = "") -> None:
    """Raise unless the actions are the same, saying where they begin to differ."""
    if _equal(left, right):
        return
    pairs = enumerate(zip(left, right, strict=False))
    step = next((k for k, (a, b) in pairs if not np.array_equal(a, b)), min(len(left), len(right)))
    raise AgentError(f"{who} act differently in {what}, from step {step} on{so}")


def _equal(left: Actions, right: Actions) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def main() -> None:
    """Check the agent that standard input names."""
    send = keep_output()
    asked = what_is_asked()
    threading.Thread(target=end_with_parent, daemon=True).start()
    load = cache(load_factory)

    def factory(info: TaskInfo, **options: Any) -> Agent:
        # Imported in the first check, so that what importing raises is a finding of it.
        return load(asked["agent"])(info, **options)

    try:
        suite = suites.get(asked["suite"])
        for finding in check_contract(
            suite, suite.task(asked["task"]), factory, config=open_options(asked["config"]),
            device=asked["device"], steps=asked["steps"],
        ):  # fmt: skip
            send(finding._asdict())
    except RLBenchError as error:
        send({"error": str(error)})
    sys.stderr.flush()
    # Not sys.exit: threads that an agent left running must not keep the process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
