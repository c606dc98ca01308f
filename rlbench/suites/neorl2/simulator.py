"""What a simulator of NeoRL-2 is: equations stepped in n slots, with all randomness handed in.

An episode's exogenous values are a start (s,) and a row (e,) for each step. Everything else is a
function of these and of the actions, so recorded values can be put in the place of drawn ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from rlbench.errors import UsageError

Floats = NDArray[np.float64]
Actions = NDArray[np.float32]
Slots = NDArray[np.intp]
Mask = NDArray[np.bool_]

NOTHING: Floats = np.zeros(0)  # the start or the row of a simulator that draws none


class Outcome(NamedTuple):
    """What a step leads to.

    Attributes:
        obs: (n, d) Observations, before any slot begins anew.
        reward: (n,)
        terminated: (n,)
        cost: (n,) What is unsafe in the step; None where nothing is.
    """

    obs: NDArray[Any]
    reward: Floats
    terminated: Mask
    cost: Floats | None = None


class Simulator(Protocol):
    """A task in n slots.

    Attributes:
        observation_space: Of one slot; its dtype is that of the observations.
        action_space: Of one slot. Actions outside it are treated as the original does.
    """

    observation_space: Box
    action_space: Box

    def draw_start(self, random: np.random.Generator) -> Floats:
        """Draw the (s,) values with which an episode begins."""
        ...

    def draw_rows(self, random: np.random.Generator, steps: int) -> Floats:
        """Draw the (steps, e) values of an episode's next steps, a row a step."""
        ...

    def begin(self, slots: Slots, start: Floats) -> NDArray[Any]:
        """Begin episodes in k slots from (k, s) values; return their (k, d) observations."""
        ...

    def step(self, actions: Actions, row: Floats) -> Outcome:
        """Play (n, a) actions with (n, e) exogenous values."""
        ...

    def keep(self, slots: Slots) -> None:
        """Let go of all slots but those, which are numbered anew in their order."""
        ...

    def close(self) -> None:
        """Let the simulator go."""
        ...


def action_box(size: int) -> Box:
    """Return the space of actions, which all tasks have: a box of [-1, 1]."""
    return Box(-1.0, 1.0, (size,), np.float32)


def finite_actions(actions: NDArray[Any]) -> Actions:
    """Return (..., a) actions as simulators take them.

    Raises:
        UsageError: One is not finite in float32, which an engine would only log.
    """
    with np.errstate(over="ignore"):
        cast: Actions = np.asarray(actions, dtype=np.float32)
    if not np.isfinite(cast).all():
        (wrong, *_) = cast[~np.isfinite(cast).all(axis=-1)]
        raise UsageError(f"the action {wrong.tolist()} is not finite: numbers are in [-1, 1]")
    return cast


def observation_box(size: int, dtype: Any = np.float32) -> Box:
    """Return a space of observations without bounds: the published data leave the original's."""
    return Box(-np.inf, np.inf, (size,), dtype)


S = TypeVar("S", bound=tuple[Any, ...])  # a NamedTuple of arrays whose first axis is that of slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Equations(Generic[S]):
    """A simulator as pure functions; k and n are numbers of slots.

    Attributes:
        observation_space: See `Simulator`.
        action_space: The same.
        draw_start: The same.
        draw_rows: The same.
        begin: From (k, s) starts, and the state in which the slots were before, if any, to a
            state.
        advance: From a state, (n, a) actions and (n, e) rows to the next state, in new arrays.
        observe: From a state to (n, d) observations.
        reward: From (n, d) observations, (n, a) actions and the (n, d) next observations to (n,).
        terminal: From a state to (n,) whether it ends the episode; None if none does.
    """

    observation_space: Box
    action_space: Box
    draw_start: Callable[[np.random.Generator], Floats]
    draw_rows: Callable[[np.random.Generator, int], Floats]
    begin: Callable[[Floats, S | None], S]
    advance: Callable[[S, Actions, Floats], S]
    observe: Callable[[S], NDArray[Any]]
    reward: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], Floats]
    terminal: Callable[[S], Mask] | None = None


class EquationSimulator(Generic[S]):
    """Slots of equations; see `Simulator`.

    Args:
        equations: The task.
        num_envs: The number of slots.
    """

    def __init__(self, equations: Equations[S], num_envs: int) -> None:
        self.observation_space = equations.observation_space
        self.action_space = equations.action_space
        self.draw_start, self.draw_rows = equations.draw_start, equations.draw_rows
        self._equations, self._n = equations, num_envs
        self.state: S | None = None
        self._obs = np.zeros((num_envs, *self.observation_space.shape))

    def begin(self, slots: Slots, start: Floats) -> NDArray[Any]:
        """Begin episodes; see `Simulator`."""
        begun = self._equations.begin(start, _rows_of(self.state, slots))
        obs = self._equations.observe(begun)
        if len(slots) == self._n:
            self.state, self._obs = begun, obs
            return obs
        if self.state is None:
            raise RuntimeError("begin an episode in every slot first")
        for whole, part in zip(self.state, begun, strict=True):
            whole[slots] = part
        self._obs = self._obs.copy()  # the caller has the one before
        self._obs[slots] = obs
        return obs

    def step(self, actions: Actions, row: Floats) -> Outcome:
        """Play a step; see `Simulator`."""
        if self.state is None:
            raise RuntimeError("begin an episode in every slot first")
        equations, before = self._equations, self._obs
        self.state = equations.advance(self.state, actions, row)
        self._obs = equations.observe(self.state)
        over = equations.terminal(self.state) if equations.terminal else np.zeros(self._n, np.bool_)
        return Outcome(self._obs, equations.reward(before, actions, self._obs), over)

    def keep(self, slots: Slots) -> None:
        """Let go of slots; see `Simulator`."""
        self._n = len(slots)
        self._obs = self._obs[slots]
        self.state = _rows_of(self.state, slots)

    def close(self) -> None:
        """Nothing is held."""


def _rows_of(state: S | None, slots: Slots) -> S | None:
    """Return the state of some slots, in new arrays."""
    if state is None:
        return None
    rows: Any = [array[slots] for array in state]
    kept: S = type(state)(*rows)
    return kept


def no_rows(random: np.random.Generator, steps: int) -> Floats:
    """Draw nothing in an episode's steps."""
    return np.zeros((steps, 0))
