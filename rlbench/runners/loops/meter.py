"""The environment that agents are given: it counts the budget and checks what goes through it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlbench.errors import AgentError, BudgetExhausted, InvalidEnvironment
from rlbench.results.record import MAX_TRAINING_EPISODES, Training
from rlbench.suites.envs import EpisodeClock, check_final_obs

Check = Callable[[Any], NDArray[Any]]
Step = tuple[
    NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


def action_check(space: Space[Any], n: int) -> Check:
    """Return a function that checks a batch of actions.

    Args:
        space: The action space of one environment.
        n: The batch size.

    Returns:
        A function from (n, ...) actions to a numpy array of them. It raises `AgentError` for a
        wrong shape or dtype, NaN, or an action outside the space.

    Raises:
        InvalidEnvironment: The space is neither discrete nor a box.
    """
    if isinstance(space, Discrete):
        return _discrete_check(int(space.start), int(space.start + space.n), n)
    if isinstance(space, Box):
        return _box_check(space, n)
    raise InvalidEnvironment(f"actions in {space} are not supported")


def _discrete_check(start: int, stop: int, n: int) -> Check:
    def check(actions: Any) -> NDArray[Any]:
        array = _as_array(actions, (n,))
        if array.dtype.kind not in "iu":
            raise AgentError(f"act answered dtype {array.dtype}, not an integer dtype")
        low, high = (array.item(),) * 2 if n == 1 else (array.min(), array.max())
        if low < start or high >= stop:
            wrong = low if low < start else high
            raise AgentError(f"act answered action {wrong}, outside {start} to {stop - 1}")
        return array.astype(np.int64, copy=False)

    return check


def _box_check(space: Box, n: int) -> Check:
    def check(actions: Any) -> NDArray[Any]:
        array = _as_array(actions, (n, *space.shape))
        if array.dtype.kind != "f":
            raise AgentError(f"act answered dtype {array.dtype}, not a floating dtype")
        if not np.isfinite(array).all():
            raise AgentError("act answered NaN or an infinite action")
        array = array.astype(space.dtype, copy=False)
        if (array < space.low).any() or (array > space.high).any():
            raise AgentError(f"act answered an action outside {space}")
        return array

    return check


def _as_array(actions: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.asarray(actions)
    except Exception as error:
        raise AgentError(
            f"act returned {_named(actions)}, which is not an array: {error}"
        ) from error
    if array.dtype.kind not in "biuf":
        n = f"{shape[0]} action{'s'[: shape[0] != 1]}"
        of = f" of dtype {array.dtype}" if array.ndim else ""
        raise AgentError(f"act returned {_named(actions)}{of}: return an array of {n}")
    if array.shape != shape:
        raise AgentError(f"act answered shape {array.shape}, not {shape}")
    return array


def _named(value: Any) -> str:
    """Return ``None``, ``a dict``, or an array with its dtype."""
    if value is None:
        return "None"
    of = f" of dtype {value.dtype}" if isinstance(value, np.ndarray) else ""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}{of}"


@runtime_checkable
class Counting(Protocol):
    """Environments that are told before each step which slots are charged for it.

    Attributes:
        charged: (n,) Those slots.
    """

    charged: NDArray[np.bool_]


class MeteredEnv(VectorWrapper[NDArray[Any], Any, NDArray[Any], Any, NDArray[Any]]):
    """A suite's training environments that count the run's budget.

    Every call of `step` charges one unit a slot. In the last step only as many slots count as
    budget is left; ``info["active"]`` (n,) marks them. Then `step` raises `BudgetExhausted`;
    an agent that swallows it gets truncated episodes without reward for ever.

    Args:
        env: The environments.
        budget: What may be spent.
        max_episode_steps: Steps after which an episode must have ended; None for any number.

    Attributes:
        used: What has been spent.
        after_step: Called at the end of every step that was charged.
        failure: What the environment raised; an agent may swallow it, but not go on.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], budget: int, max_episode_steps: int | None = None
    ) -> None:
        super().__init__(env)
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        self.used = 0
        self.failure: Exception | None = None
        self.after_step: Callable[[], None] | None = None
        self._counting = env if isinstance(env, Counting) else None
        self._n = env.num_envs  # a wrapper asks all that it wraps
        self._budget = budget
        self._clock = EpisodeClock(env.num_envs, max_episode_steps)
        self._check = action_check(env.single_action_space, env.num_envs)
        self._all_active = np.ones(env.num_envs, dtype=np.bool_)
        self._all_active.flags.writeable = False
        self._last_obs: NDArray[Any] | None = None
        self._said_so = False
        self._is_locked = False
        self._returns = np.zeros(env.num_envs)
        self._episodes = 0
        self._ends: list[int] = []
        self._end_returns: list[float] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin new episodes; it costs nothing. A seed is ignored: the run has its own."""
        if self._is_locked:
            raise AgentError("the training environment was reset during an evaluation")
        self._returns[:] = 0.0
        self._clock.begin()
        obs, info = self.env.reset(options=options)
        self._last_obs = obs
        return obs, info

    def step(self, actions: Any) -> Step:
        """Play one step and charge it.

        Raises:
            AgentError: The actions do not fit, or the environment was never reset.
            BudgetExhausted: The budget is spent.
            InvalidEnvironment: A reward is not finite, an episode is too long, or one ended without
                its true final observation.
        """
        left = self._budget - self.used
        if self._is_locked:
            raise AgentError("the training environment was stepped during an evaluation")
        if self._last_obs is None:
            raise AgentError("step was called before reset")
        if left <= 0:
            return self._refuse()
        if self.failure is not None:
            raise self.failure
        checked = self._check(actions)
        active = self._all_active if left >= self._n else np.arange(self._n) < left
        if self._counting is not None:
            self._counting.charged = active
        try:
            obs, reward, terminated, truncated, info = self.env.step(checked)
        except Exception as error:
            self.failure = error
            raise
        if left < self._n:
            obs = np.where(active.reshape(-1, *[1] * (obs.ndim - 1)), obs, self._last_obs)
            reward, terminated, truncated = reward * active, terminated & active, truncated & active
        self.used += min(left, self._n)
        self._last_obs = obs
        self._returns += reward
        ended = terminated | truncated
        self._clock.tick()
        if np.count_nonzero(ended):  # takes a fifth of the time of ended.any()
            check_final_obs(obs, info)
            self._close_episodes(ended)
        info["active"] = active
        info["ended"] = ended
        if self.after_step is not None:
            self.after_step()
        return obs, reward, terminated, truncated, info

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Refuse to be stepped while an evaluation is running."""
        self._is_locked = True
        try:
            yield
        finally:
            self._is_locked = False

    def go_on(self, used: int, training: Training) -> None:
        """Continue from the budget that an earlier attempt spent, in new episodes."""
        self.used = used
        self._episodes = training.episodes
        self._ends, self._end_returns = list(training.ends), list(training.returns)

    def training(self) -> Training:
        """Return the episodes that have ended so far.

        Raises:
            InvalidEnvironment: A reward was not finite.
        """
        if not np.isfinite(self._returns).all():
            raise InvalidEnvironment("a training reward is not finite")
        self._drop_the_middle()
        return Training(
            episodes=self._episodes, ends=tuple(self._ends), returns=tuple(self._end_returns)
        )

    def _drop_the_middle(self) -> None:
        """Keep as many of the first and of the last episodes; it does not matter how often."""
        surplus = max(0, len(self._ends) - MAX_TRAINING_EPISODES)
        first = MAX_TRAINING_EPISODES // 2
        for kept in (self._ends, self._end_returns):
            del kept[first : first + surplus]

    def _close_episodes(self, ended: NDArray[np.bool_]) -> None:
        returns = self._returns[ended]
        if not np.isfinite(returns).all():
            raise InvalidEnvironment("a training reward is not finite")
        self._episodes += len(returns)
        self._end_returns += returns.tolist()
        self._ends += [self.used] * len(returns)
        if len(self._ends) > 2 * MAX_TRAINING_EPISODES:
            self._drop_the_middle()
        self._returns[ended] = 0.0
        self._clock.end(ended)

    def _refuse(self) -> Step:
        if not self._said_so:
            self._said_so = True
            raise BudgetExhausted(f"the budget of {self._budget} is spent")
        assert self._last_obs is not None
        nothing = np.zeros(self._n, dtype=np.bool_)
        info = {"active": nothing, "ended": ~nothing, "final_obs": self._last_obs}
        return self._last_obs, np.zeros(self._n), nothing, ~nothing, info

    @property
    def unwrapped(self) -> Self:
        """The metered environment itself, because agents may not reach the inner one."""
        return self
