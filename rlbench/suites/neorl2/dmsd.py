"""DMSD: two masses between three springs and three dampers, each to be pushed to its own target."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.neorl2.simulator import (
    Actions,
    Equations,
    Floats,
    action_box,
    no_rows,
    observation_box,
)

_SPRING, _DAMPER, _FORCE = 2.0, 4.0, 30.0  # N/m, N s/m, N at an action of 1
_DT = 0.2  # seconds
_SWITCH = 50  # the step from which on the second targets count
_MASS = {"train": 20.0}  # kg
_OTHER_MASS = 30.0  # in other modes


class State(NamedTuple):
    """The masses in n slots.

    Attributes:
        moving: (n, 4) Places of both masses, then their speeds.
        targets: (n, 4) Both targets of the first mass, then both of the second.
        step: (n,) Steps since the episode began.
    """

    moving: Floats
    targets: Floats
    step: NDArray[np.int64]


def draw_start(random: np.random.Generator) -> Floats:
    """Draw places U(-.25, .25), speeds U(-.1, .1), and for each mass one or two targets."""
    places = random.uniform(-0.25, 0.25, 2)
    speeds = random.uniform(-0.1, 0.1, 2)
    targets = random.uniform(-1.5, 1.5, (2, 2))
    once = random.random(2) < 0.5
    targets[once, 1] = targets[once, 0]
    return np.concatenate([places, speeds, targets.ravel()])


def begin(start: Floats) -> State:
    """Return states (k, ...) from (k, 8): places, speeds, two targets of each mass."""
    return State(start[:, :4].copy(), start[:, 4:].copy(), np.zeros(len(start), np.int64))


def advance(state: State, action: Actions, mass: float) -> State:
    """Push by (n, 2) actions: a step of the explicit Euler method."""
    x1, x2, v1, v2 = state.moving.T
    force = _FORCE * np.minimum(np.maximum(action.astype(np.float64), -1.0), 1.0)
    pull1 = -2 * _SPRING * x1 + _SPRING * x2 - 2 * _DAMPER * v1 + _DAMPER * v2 + force[:, 0]
    pull2 = -2 * _SPRING * x2 + _SPRING * x1 - 2 * _DAMPER * v2 + _DAMPER * v1 + force[:, 1]
    moving = np.empty_like(state.moving)
    moving[:, 0] = x1 + _DT * v1
    moving[:, 1] = x2 + _DT * v2
    moving[:, 2] = v1 + _DT / mass * pull1
    moving[:, 3] = v2 + _DT / mass * pull2
    return State(moving, state.targets, state.step + 1)


def observe(state: State) -> Floats:
    """Return (n, 6): places, speeds, the targets of this step."""
    obs = np.empty((len(state.moving), 6))
    obs[:, :4] = state.moving
    second = state.step >= _SWITCH
    obs[:, 4] = np.where(second, state.targets[:, 1], state.targets[:, 0])
    obs[:, 5] = np.where(second, state.targets[:, 3], state.targets[:, 2])
    return obs


def reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) -sum(ln(|place - target| + .01)) of what follows, computed in float32."""
    seen = next_obs.astype(np.float32)
    logs = np.log(np.abs(seen[:, :2] - seen[:, 4:]) + np.float32(0.01))
    rewards: Floats = -(logs[:, 0] + logs[:, 1]).astype(np.float64)
    return rewards


def equations(mode: str, *, reference: bool) -> Equations[State]:
    """Return the task.

    Args:
        mode: ``train``, or another with heavier masses.
        reference: Observations are float64, as the original's.
    """
    mass = _MASS.get(mode, _OTHER_MASS)
    dtype = np.float64 if reference else np.float32
    return Equations(
        observation_space=observation_box(6, dtype),
        action_space=action_box(2),
        draw_start=draw_start,
        draw_rows=no_rows,
        begin=lambda start, before: begin(start),
        advance=lambda state, action, row: advance(state, action, mass),
        observe=lambda state: observe(state).astype(dtype),
        reward=reward,
    )
