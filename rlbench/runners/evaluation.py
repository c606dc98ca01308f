"""Evaluation: a fixed share of full episodes in every slot, on environments of its own."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, InvalidEnvironment
from rlbench.results import Evaluation
from rlbench.runners.agent import Agent
from rlbench.runners.meter import action_check


def evaluate(
    agent: Agent,
    env: VectorEnv[Any, Any, Any],
    *,
    episodes: int,
    budget_used: int = 0,
    progress: Callable[[int], None] = lambda finished: None,
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
        obs, reward, terminated, truncated, info = env.step(check(actions))
        running_return += reward
        running_length += 1
        first = terminated | truncated
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


@contextmanager
def untouched_global_randomness() -> Iterator[None]:
    """Put the global random generators back afterwards, those of torch too if it is loaded."""
    torch: Any = sys.modules.get("torch")
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 - agents may use it; we only put it back
    torch_state = torch.get_rng_state() if torch else None
    cuda_states = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch_state is not None:
            torch.set_rng_state(torch_state)
        if cuda_states is not None:
            torch.cuda.set_rng_state_all(cuda_states)
