"""Evaluation: a fixed share of full episodes in every slot, on environments of its own."""

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, InvalidEnvironment
from rlbench.results import Evaluation
from rlbench.runners.agent import Agent
from rlbench.runners.meter import action_check
from rlbench.runners.progress import Progress
from rlbench.runners.traces import EvaluationTrace
from rlbench.suites import Suite, Task


def evaluate(
    agent: Agent,
    env: VectorEnv[Any, Any, Any],
    *,
    episodes: int,
    budget_used: int = 0,
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
        budget_used: What training has spent, for the record.
        progress: Called after every vector step with the number of episodes finished.
        trace: Takes in what is played.

    Returns:
        Raw returns and lengths, in the order of slots.

    Raises:
        AgentError: The agent raised or answered no valid actions.
        InvalidEnvironment: A return is not finite.
    """
    n = env.num_envs
    check = action_check(env.single_action_space, n)
    retire = getattr(env, "retire", None)
    quota = np.full(n, episodes // n) + (np.arange(n) < episodes % n)
    returns: list[list[float]] = [[] for _ in range(n)]
    lengths: list[list[int]] = [[] for _ in range(n)]
    starts: set[int] = set()
    running_return = np.zeros(n)
    running_length = np.zeros(n, dtype=np.int64)

    obs, info = env.reset()
    if trace is not None:
        trace.start(obs)
    first = np.ones(n, dtype=np.bool_)
    starts.update(_starts(obs, info, quota > 0))
    finished = 0
    while finished < episodes:
        try:
            actions = agent.act(obs, first, phase="eval")
        except AgentError:
            raise
        except Exception as error:
            raise AgentError(f"act raised {type(error).__name__}: {error}") from error
        actions = check(actions)
        obs, reward, terminated, truncated, info = env.step(actions)
        running_return += reward
        running_length += 1
        first = terminated | truncated
        if trace is not None:
            trace.step(actions, obs, reward, first)
        if first.any():
            for slot in np.flatnonzero(first & (quota > 0)):
                returns[slot].append(float(running_return[slot]))
                lengths[slot].append(int(running_length[slot]))
                finished += 1
                quota[slot] -= 1
            running_return[first] = 0.0
            running_length[first] = 0
            starts.update(_starts(obs, info, first & (quota > 0)))
            if retire is not None and (first & (quota == 0)).any():
                retire(quota == 0)
        progress(finished)
    flat = tuple(value for slot in returns for value in slot)
    if not np.isfinite(flat).all():
        raise InvalidEnvironment("an evaluation return is not finite")
    return Evaluation(
        budget_used=budget_used,
        returns=flat,
        lengths=tuple(value for slot in lengths for value in slot),
        distinct_starts=len(starts),
    )


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
) -> None:
    """Evaluate an agent on fresh environments, leaving global randomness as it was.

    Args:
        agent: The agent.
        suite: The suite.
        task: One of its tasks.
        seed: The run's seed.
        progress: Gets the evaluation.
        tick: Called at the start and after every vector step.

    Raises:
        RunError: As `evaluate`.
    """
    protocol = suite.protocol_of(task)
    progress.episodes = 0
    tick()

    def finished(episodes: int) -> None:
        progress.episodes = episodes
        tick()

    slots = min(protocol.eval_envs, protocol.episodes)
    env = suite.make(task, split="eval", num_envs=slots, seed=seed)
    trace = EvaluationTrace(env.single_action_space)
    try:
        with untouched_global_randomness():
            evaluation = evaluate(
                agent, env, episodes=protocol.episodes, budget_used=progress.budget_used,
                progress=finished, trace=trace,
            )  # fmt: skip
    finally:
        env.close()
    progress.evaluations.append(evaluation)
    progress.replay, progress.actions = trace.finish()


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
