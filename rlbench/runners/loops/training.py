"""How an agent is trained up to a point in the budget: by the runner, or in a loop of its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import AgentError, BudgetExhausted, RunError
from rlbench.runners.agents.agent import (
    Agent,
    Bools,
    Observer,
    Trainer,
    Transitions,
)
from rlbench.runners.loops.meter import MeteredEnv
from rlbench.runners.loops.traces import TrainingTrace
from rlbench.runners.progress import Progress


@dataclass(slots=True)
class Rollout:
    """Where the training environments are.

    Attributes:
        obs: (n, ...) What the next actions answer.
        first: (n,) Whether it opened an episode.
    """

    obs: NDArray[Any]
    first: Bools


def train_until(
    agent: Agent,
    meter: MeteredEnv,
    rollout: Rollout,
    point: int,
    progress: Progress,
    rest: Callable[[], None],
    trace: TrainingTrace | None = None,
) -> Iterator[None]:
    """Train until a point in the budget is reached.

    Args:
        agent: Acts, and observes if it can.
        meter: The environments.
        rollout: Where they are; brought up to date.
        point: Where to end.
        progress: Told of the budget.
        rest: Called after every step, when all is at rest.
        trace: Takes in the steps.

    Yields:
        Nothing, after every action, step and observation.

    Raises:
        AgentError: The agent raised, or answered what no agent may answer.
    """
    observe = agent.observe if isinstance(agent, Observer) else None
    no_life_lost = np.zeros(meter.num_envs, dtype=np.bool_)
    while meter.used < point:
        obs, first = rollout.obs, rollout.first
        try:
            action = agent.act(obs, first, phase="train")
        except AgentError:
            raise
        except Exception as error:
            raise AgentError(f"act raised {type(error).__name__}: {error}") from error
        yield
        next_obs, reward, terminated, truncated, info = meter.step(action)
        if trace is not None:
            trace.add(action, reward, terminated, truncated)
        yield
        ended = info["ended"]
        if observe is not None:
            batch = Transitions(
                obs, np.asarray(action), reward, terminated, truncated,
                true_next_obs(next_obs, ended, info), info.get("life_lost", no_life_lost),
                first, info["active"], info.get("parameters"),
            )  # fmt: skip
            try:
                observe(batch)
            except AgentError:
                raise
            except Exception as error:
                raise AgentError(f"observe raised {type(error).__name__}: {error}") from error
        rollout.obs, rollout.first = next_obs, ended
        progress.budget_used = meter.used
        yield
        rest()


def train_by_itself(
    agent: Trainer,
    meter: MeteredEnv,
    progress: Progress,
    tick: Callable[[], None],
    evaluate_if_reached: Callable[[], None],
) -> None:
    """Let an agent train in a loop of its own, evaluating it inside where a point is reached.

    The agent trains until it returns, or until the budget is spent and the environment says so.
    """
    failures: list[Exception] = []

    def after_step() -> None:
        progress.budget_used = meter.used
        tick()
        try:
            evaluate_if_reached()
        except Exception as error:
            # The agent's loop may swallow it; the run fails all the same.
            failures.append(error)
            raise

    meter.after_step = after_step
    try:
        agent.train(meter)
    except Exception as error:
        if not failures and not is_end_of_budget(error):
            if isinstance(error, RunError):
                raise
            raise AgentError(
                f"train raised {type(error).__name__}: {error}{_advice(error)}"
            ) from error
    failure = failures[0] if failures else meter.failure
    if failure is not None:
        raise failure
    meter.after_step = None
    progress.training = meter.training()


def _advice(error: Exception) -> str:
    """Return what to do about an error that a library raises of the environments themselves."""
    if isinstance(error, ValueError) and MeteredEnv.__name__ in str(error):
        for frame, _ in walk_tb(error.__traceback__):
            if str(frame.f_globals.get("__name__")).startswith("stable_baselines3."):
                return (
                    "; Stable-Baselines3 takes SB3Env(env): import it from"
                    " rlbench.runners.agents.adapters.sb3_env"
                )
    return ""


def is_end_of_budget(error: BaseException | None) -> bool:
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
