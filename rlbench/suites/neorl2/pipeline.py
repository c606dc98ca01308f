"""Pipeline: hold the flow at the end of a long pipe at a target, by a gate at its beginning.

The flow at the end is the gate's 19 steps ago (100 m at 5 m a step). The target jumps now and then.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.neorl2.simulator import (
    Actions,
    Equations,
    Floats,
    action_box,
    observation_box,
)

TARGETS = np.array([50.0, 80.0, 110.0, 140.0])
_SWITCH = 0.003  # how likely a target is drawn anew in a step
_LAG = 19  # steps from the gate to the end
_PAST = 25  # flows and actions of the past that are seen
_LARGEST = np.float32(200.0)  # flow
_ONE = np.float32(1.0)


class State(NamedTuple):
    """The pipe in n slots; newest first in all that is remembered.

    Attributes:
        flow: (n, 45) float32, the gate's flow now and in the 44 steps before.
        action: (n, 25) float32, the last actions, clipped.
        target: (n,) float32.
    """

    flow: NDArray[np.float32]
    action: NDArray[np.float32]
    target: NDArray[np.float32]


def draw_start(random: np.random.Generator) -> Floats:
    """Draw the first flow, U(80, 120), and the first target."""
    return np.array([random.uniform(80.0, 120.0), random.choice(TARGETS)])


def draw_rows(random: np.random.Generator, steps: int) -> Floats:
    """Draw, for each step, the target that it switches to, or NaN where it stays."""
    draws = random.random((steps, 2))
    drawn = TARGETS[(draws[:, 1] * len(TARGETS)).astype(np.intp)]
    return np.where(draws[:, 0] < _SWITCH, drawn, np.nan)[:, None]


def begin(start: Floats) -> State:
    """Return pipes (k, ...) in which one flow has always been, from (k, 2) flows and targets."""
    k = len(start)
    flow = np.repeat(start[:, :1].astype(np.float32), _LAG + 1 + _PAST, axis=1)
    return State(flow, np.zeros((k, _PAST), np.float32), start[:, 1].astype(np.float32))


def advance(state: State, action: Actions, row: Floats) -> State:
    """Open or close the gate by (n, 1) actions, and switch to the targets (n, 1) that are not NaN.

    The flows are float32, as in the original.
    """
    moved = np.minimum(np.maximum(action, -_ONE), _ONE)
    flow, actions = np.empty_like(state.flow), np.empty_like(state.action)
    flow[:, 1:] = state.flow[:, :-1]
    flow[:, :1] = np.minimum(np.maximum(state.flow[:, :1] + moved, 0), _LARGEST)
    actions[:, 1:] = state.action[:, :-1]
    actions[:, :1] = moved
    drawn = row[:, 0].astype(np.float32)
    return State(flow, actions, np.where(np.isnan(drawn), state.target, drawn))


def observe(state: State) -> NDArray[np.float32]:
    """Return (n, 52): flow at the end, target, the 25 flows there before, the last 25 actions."""
    obs = np.empty((len(state.flow), 2 + 2 * _PAST), np.float32)
    obs[:, 0] = state.flow[:, _LAG]
    obs[:, 1] = state.target
    obs[:, 2 : 2 + _PAST] = state.flow[:, _LAG + 1 :]
    obs[:, 2 + _PAST :] = state.action
    return obs


def reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) ((200 - |flow - target|) / 100)^2 - 3 of what follows, computed in float32."""
    seen = next_obs[:, :2].astype(np.float32)
    near = (_LARGEST - np.abs(seen[:, 0] - seen[:, 1])) * np.float32(0.01)
    rewards: Floats = (near * near - np.float32(3.0)).astype(np.float64)
    return rewards


def equations() -> Equations[State]:
    """Return the task; it is the same in all modes."""
    return Equations(
        observation_space=observation_box(2 + 2 * _PAST),
        action_space=action_box(1),
        draw_start=draw_start,
        draw_rows=draw_rows,
        begin=lambda start, before: begin(start),
        advance=advance,
        observe=observe,
        reward=reward,
    )
