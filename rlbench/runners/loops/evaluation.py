"""Evaluation: a fixed share of full episodes in every slot, on environments of its own."""

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, InvalidEnvironment
from rlbench.limits import MAX_VALUE
from rlbench.results import Evaluation
from rlbench.runners.agents.agent import Agent
from rlbench.runners.loops.meter import action_check
from rlbench.runners.loops.traces import EvaluationTrace
from rlbench.runners.progress import Progress
from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import EpisodeClock, Retiring, check_final_obs


class EvalPoint(NamedTuple):
    """Where in the budget an agent is evaluated.

    Attributes:
        budget: Once so much is spent.
        extra: The user asked for it, not the protocol.
    """

    budget: int
    extra: bool = False


def next_point(
    protocol: Protocol, extra: Iterable[int], done: Sequence[Evaluation]
) -> EvalPoint | None:
    """Return where the agent is evaluated next, given the evaluations so far; None after the end.

    Several environments side by side may step over a point: the evaluation then stands for all
    points that were passed, but an extra one never for one of the protocol.
    """
    passed = max((e.budget_used for e in done), default=0)
    official = max((e.budget_used for e in done if not e.extra), default=0)
    left = [EvalPoint(point) for point in protocol.points if point > official]
    more = [EvalPoint(point, True) for point in extra if passed < point < protocol.budget]
    return min([*left, *more], default=None)  # at the same budget the protocol's goes first


def evaluate(
    agent: Agent,
    env: VectorEnv[Any, Any, Any],
    *,
    episodes: int,
    name: str = "test",
    budget_used: int = 0,
    max_episode_steps: int | None = None,
    progress: Callable[[int], None] = lambda finished: None,
    trace: EvaluationTrace | None = None,
) -> Evaluation:
    """Play full episodes with an agent that does not learn.

    Every slot plays the same number of episodes, give or take one that is settled beforehand, so
    that short episodes are not counted more often than long ones. A slot that has played its
    share is retired.

    Args:
        agent: The agent; it is asked for actions with ``phase="eval"``.
        env: Fresh environments, as `Suite.make` makes them.
        episodes: How many to play.
        name: Of the evaluation, for the record.
        budget_used: What training has spent, for the record.
        max_episode_steps: Steps after which an episode must have ended; None for any number.
        progress: Called after every vector step with the number of episodes finished.
        trace: Takes in what is played.

    Returns:
        Raw returns, lengths and other measures, in the order of slots.

    Raises:
        AgentError: The agent raised or answered no valid actions.
        InvalidEnvironment: A return is not finite or beyond 1e15, an episode is too long or ended
            without its true final observation, or the environment does not measure all episodes
            alike.
    """
    n = env.num_envs
    check = action_check(env.single_action_space, n)
    retire = env.retire if isinstance(env, Retiring) else None
    tally = _Tally(n, episodes, max_episode_steps)
    obs, info = env.reset()
    if trace is not None:
        trace.start(obs)
    first = np.ones(n, dtype=np.bool_)
    tally.begin(obs, info, first)
    while tally.finished < episodes:
        actions = check(_act(agent, obs, first))
        obs, reward, terminated, truncated, info = env.step(actions)
        first = terminated | truncated
        if trace is not None:
            trace.step(actions, obs, reward, first)
        if tally.step(reward, first, info):
            check_final_obs(obs, info)
        tally.begin(obs, info, first)
        if retire is not None and (first & (tally.quota == 0)).any():
            retire(tally.quota == 0)
        progress(tally.finished)
    return tally.evaluation(name, budget_used)


def _act(agent: Agent, obs: NDArray[Any], first: NDArray[np.bool_]) -> Any:
    try:
        return agent.act(obs, first, phase="eval")
    except AgentError:
        raise
    except Exception as error:
        raise AgentError(f"act raised {type(error).__name__}: {error}") from error


class _Tally:
    """The episodes of an evaluation, slot by slot.

    Args:
        n: Slots.
        episodes: How many are to be played.
        max_episode_steps: How long they may be.

    Attributes:
        quota: (n,) How many each slot has yet to finish.
        finished: How many are finished.
    """

    def __init__(self, n: int, episodes: int, max_episode_steps: int | None) -> None:
        self.quota = np.full(n, episodes // n) + (np.arange(n) < episodes % n)
        self.finished = 0
        self._episodes = episodes
        self._returns: list[list[float]] = [[] for _ in range(n)]
        self._lengths: list[list[int]] = [[] for _ in range(n)]
        self._measures: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in range(n)])
        self._starts: set[int] = set()
        self._clock = EpisodeClock(n, max_episode_steps)
        self._running_return = np.zeros(n)
        self._running_length = np.zeros(n, dtype=np.int64)

    def begin(self, obs: NDArray[Any], info: dict[str, Any], first: NDArray[np.bool_]) -> None:
        """Note in which states the marked slots begin an episode."""
        self._starts.update(_starts(obs, info, first & (self.quota > 0)))

    def step(
        self, reward: NDArray[np.float64], ended: NDArray[np.bool_], info: dict[str, Any]
    ) -> bool:
        """Take in a step and the episodes that it ends; say whether there are any."""
        self._running_return += reward
        self._running_length += 1
        self._clock.tick()
        if not ended.any():
            return False
        measures = info.get("measures", {})
        for slot in np.flatnonzero(ended & (self.quota > 0)):
            self._returns[slot].append(float(self._running_return[slot]))
            self._lengths[slot].append(int(self._running_length[slot]))
            for name, values in measures.items():
                self._measures[name][slot].append(float(values[slot]))
            self.finished += 1
            self.quota[slot] -= 1
        self._running_return[ended] = 0.0
        self._running_length[ended] = 0
        self._clock.end(ended, self.quota > 0)
        return True

    def evaluation(self, name: str, budget_used: int) -> Evaluation:
        """Return all in the order of slots.

        Raises:
            InvalidEnvironment: A number is not finite or too large, or not all episodes have one.
        """
        returns = _flat(self._returns)
        measures = {name: _flat(values) for name, values in self._measures.items()}
        for what, values in {"return": returns, **measures}.items():
            if not (np.abs(values) <= MAX_VALUE).all():
                raise InvalidEnvironment(f"an evaluation {what} is not finite, or beyond 1e15")
            if len(values) != self._episodes:
                raise InvalidEnvironment(f"not all episodes of an evaluation have a {what!r}")
        return Evaluation(
            name=name,
            budget_used=budget_used,
            returns=returns,
            lengths=tuple(value for slot in self._lengths for value in slot),
            distinct_starts=len(self._starts),
            measures=measures,
        )


def _flat(slots: Iterable[Iterable[float]]) -> tuple[float, ...]:
    return tuple(value for slot in slots for value in slot)


def _starts(obs: NDArray[Any], info: dict[str, Any], mask: NDArray[np.bool_]) -> Iterator[int]:
    """Yield a number for the state in which each marked slot begins its episode.

    It is the suite's own, or the hash of the first observation where the suite has none.
    """
    for slot in np.flatnonzero(mask):
        yield int(info["start"][slot]) if "start" in info else hash(obs[slot].tobytes())


def evaluate_afresh(
    agent: Agent,
    suite: Suite,
    task: Task,
    seed: int,
    progress: Progress,
    tick: Callable[[], None],
    *,
    final: bool,
    extra: bool = False,
) -> None:
    """Play the protocol's evaluations on fresh environments, leaving global randomness as it was.

    Extra evaluations have a stream of their own: the others come out alike with and without them.

    Args:
        agent: The agent.
        suite: The suite.
        task: One of its tasks.
        seed: The run's seed.
        progress: Gets the evaluations.
        tick: Called at the start and after every vector step.
        final: It is the end of the run.
        extra: The user asked for it, not the protocol.

    Raises:
        RunError: As `evaluate`.
    """
    protocol = suite.protocol_of(task)
    episodes = protocol.episodes if final else protocol.episodes_at_points
    train_seconds = round(progress.all_seconds().get("train", 0.0), 3)

    def finished(number: int) -> None:
        progress.episodes = number
        tick()

    found = []
    for name in protocol.evaluations:
        finished(0)
        env = suite.make(
            task, split="eval", num_envs=min(protocol.eval_envs, episodes), seed=seed,
            evaluation=name, role="extra" if extra else None,
        )  # fmt: skip
        is_main = name == protocol.main_evaluation and not extra
        trace = EvaluationTrace(env.single_action_space) if is_main else None
        try:
            with untouched_global_randomness():
                evaluation = evaluate(
                    agent, env, episodes=episodes, name=name, budget_used=progress.budget_used,
                    max_episode_steps=protocol.max_episode_steps, progress=finished, trace=trace,
                )  # fmt: skip
        finally:
            env.close()
        found.append(replace(evaluation, train_seconds=train_seconds, extra=extra))
        if trace is not None:
            progress.replay, progress.actions = trace.finish()
    progress.evaluations += found


@contextmanager
def untouched_global_randomness() -> Iterator[None]:
    """Put the global random generators back afterwards, those of torch too if it is loaded."""
    state = global_randomness()
    try:
        yield
    finally:
        set_global_randomness(state)


def global_randomness() -> dict[str, Any]:
    """Return the state of Python's, numpy's and torch's global generators, as JSON data."""
    torch: Any = sys.modules.get("torch")
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - agents use it
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, gauss],
    }
    if torch:
        state["torch"] = torch.get_rng_state().numpy().tobytes().hex()
        if torch.cuda.is_initialized():
            states = torch.cuda.get_rng_state_all()
            state["cuda"] = [one.cpu().numpy().tobytes().hex() for one in states]
    return state


def set_global_randomness(state: Mapping[str, Any]) -> None:
    """Bring global generators into a state that `global_randomness` returned."""
    torch: Any = sys.modules.get("torch")
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002 - agents use it

    def tensor(text: str) -> Any:
        return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)

    if torch and "torch" in state:
        torch.set_rng_state(tensor(state["torch"]))
    if torch and torch.cuda.is_available() and len(state.get("cuda", ())) > 0:
        torch.cuda.set_rng_state_all([tensor(text) for text in state["cuda"]])
