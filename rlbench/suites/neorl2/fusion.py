"""Fusion: steer the plasma of a tokamak to targets by its current and shape, once a second.

The plasma is predicted by neural networks that were trained on KSTAR (jaem-seo/AI_tokamak_control,
MIT), in `fusion_networks`. A step sets the actuators and predicts 1.9 seconds. All inputs are
stored in thousandths, cut off as the original does.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.neorl2.fusion_networks import WINDOW, Networks
from rlbench.suites.neorl2.simulator import (
    Actions,
    Equations,
    Floats,
    action_box,
    observation_box,
)

# Of inputs: Ip, Bt, GW, Pnb a, b, c, Pec2, Pec3, Zec2, Zec3, Rin, Rout, elong, uptri, lotri.
_FIRST = (500, 1800, 275, 1500, 1500, 500, 0, 0, 0, 0, 1320, 2220, 1700, 300, 750)
_ACTUATORS = [0, 12, 13, 14, 10, 11]  # what actions set, in their order
_LOWEST = np.array([0.3, 1.6, 0.1, 0.5, 1.265, 2.18])
_HIGHEST = np.array([0.8, 2.0, 0.5, 0.9, 1.36, 2.29])
_BEAMS = [3, 4, 5]  # Pnb, drawn in every step
_BEAM_LIMITS = np.array([1.75, 1.75, 1.5])
_TARGET_LOWEST = np.array([1.1, 3.8, 0.84])  # of betaP, q95, li
_TARGET_HIGHEST = np.array([2.1, 6.2, 1.06])
_FIRST_TARGETS = (1600, 5000, 950)
_SCALE = np.array([0.2, 0.5, 0.05], np.float32)  # of errors, in the reward
_INCREMENTS = 20  # in which the actuators move
_YEAR = 2021.0
_LIMITER = 1.2651  # Rin beyond which the configuration is another


class State(NamedTuple):
    """The plasma in n slots.

    Attributes:
        inputs: (n, 15) int64, in thousandths.
        targets: (n, 3) int64, betaP, q95 and li in thousandths.
        window: (n, 10, 21) float32, outputs and inputs of the last predictions, oldest first.
        outputs: (n, 3) betaP, q95, li.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    window: NDArray[np.float32]
    outputs: Floats


def draw_rows(random: np.random.Generator, steps: int) -> Floats:
    """Draw, for each step, the targets and the beam powers that follow it."""
    draws = random.random((steps, 6))
    draws[:, :3] = _TARGET_LOWEST + (_TARGET_HIGHEST - _TARGET_LOWEST) * draws[:, :3]
    draws[:, 3:] *= _BEAM_LIMITS
    return draws


def begin(start: Floats, before: State | None, networks: Networks) -> State:
    """Return plasmas (k, ...) that have long been under their inputs.

    Args:
        start: (k, 0)
        before: What the slots were in, if their inputs and targets stay, as in the original.
        networks: What predicts.
    """
    k = len(start)
    if before is None:
        inputs = np.tile(np.array(_FIRST, np.int64), (k, 1))
        targets = np.tile(np.array(_FIRST_TARGETS, np.int64), (k, 1))
    else:
        inputs, targets = before.inputs, before.targets
    columns = _columns(inputs)
    outputs = networks.steady(columns)
    row = np.concatenate([outputs.astype(np.float32), columns], axis=1)
    window = np.repeat(row[:, None], WINDOW, axis=1)
    return State(inputs, targets, window, _seen(outputs, inputs, networks))


def advance(state: State, action: Actions, row: Floats, networks: Networks) -> State:
    """Set the actuators by (n, 6) actions, predict, and take targets and beams from (n, 6) rows."""
    inputs = state.inputs.copy()
    share = (np.clip(action.astype(np.float64), -1.0, 1.0) + 1.0) / 2.0
    value = inputs[:, _ACTUATORS] / 1000.0
    increment = (share * (_HIGHEST - _LOWEST) + _LOWEST - value) / _INCREMENTS
    for _ in range(_INCREMENTS):  # their sum is not the product in the last digit
        value = value + increment
    inputs[:, _ACTUATORS] = (1000.0 * value).astype(np.int64)
    window, outputs = networks.predict(state.window, _columns(inputs))
    seen = _seen(outputs, inputs, networks)
    targets = (1000.0 * row[:, :3]).astype(np.int64)
    inputs[:, _BEAMS] = (1000.0 * row[:, 3:]).astype(np.int64)
    return State(inputs, targets, window, seen)


def _columns(inputs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (n, 17) what the networks see of (n, 15) inputs."""
    value = inputs / 1000.0
    columns = np.empty((len(value), 17))
    columns[:, :9] = value[:, [0, 1, 3, 4, 5, 6, 7, 8, 9]]
    columns[:, 9] = (value[:, 10] + value[:, 11]) / 2.0
    columns[:, 10] = (value[:, 11] - value[:, 10]) / 2.0
    columns[:, 11:14] = value[:, 12:]
    columns[:, 14] = value[:, 10] > _LIMITER
    columns[:, 15] = value[:, 2]
    columns[:, 16] = _YEAR
    return columns.astype(np.float32)


def _seen(outputs: Floats, inputs: NDArray[np.int64], networks: Networks) -> Floats:
    """Return (n, 3) betaP, q95 and li of (n, 4) betaN, q95, q0 and li."""
    columns = _columns(inputs)
    beta = outputs[:, :1].astype(np.float32)
    features = np.concatenate([beta, columns[:, [0, 1, 9, 10, 11, 12, 13]]], axis=1)
    return np.stack([networks.pressure(features), outputs[:, 1], outputs[:, 3]], axis=1)


def observe(state: State) -> NDArray[np.float32]:
    """Return (n, 15): six actuators, betaP, q95, li, their targets, three beam powers."""
    obs = np.empty((len(state.inputs), 15), np.float32)
    obs[:, :6] = state.inputs[:, _ACTUATORS] / 1000.0
    obs[:, 6:9] = state.outputs
    obs[:, 9:12] = state.targets / 1000.0
    obs[:, 12:] = state.inputs[:, _BEAMS] / 1000.0
    return obs


def reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) -ln of the root mean square of the scaled errors, by the targets of `obs`."""
    error = (next_obs[:, 6:9].astype(np.float32) - obs[:, 9:12].astype(np.float32)) / _SCALE
    square = error * error
    mean = (square[:, 0] + square[:, 1] + square[:, 2]) / np.float32(3.0)
    return -np.log(np.sqrt(mean)).astype(np.float64)


def equations(networks: Networks, *, reference: bool) -> Equations[State]:
    """Return the task; it is the same in all modes.

    Args:
        networks: What predicts.
        reference: An episode begins with the actuators, targets and beams of the one before it.
    """
    return Equations(
        observation_space=observation_box(15),
        action_space=action_box(6),
        draw_start=lambda random: np.zeros(0),
        draw_rows=draw_rows,
        begin=lambda start, before: begin(start, before if reference else None, networks),
        advance=lambda state, action, row: advance(state, action, row, networks),
        observe=observe,
        reward=reward,
    )
