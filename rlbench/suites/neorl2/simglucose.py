"""Simglucose: give insulin to patients with diabetes who eat six meals a day.

The model of a patient is that of the UVa/Padova simulator of 2008, an ordinary differential
equation of 13 states, as in jxx123/simglucose (MIT); ``patients.csv`` holds its 30 patients. Meals
are given in grams of carbohydrates. The original integrates by an adaptive method; here each
minute is two steps of the classical Runge-Kutta method.
"""

import csv
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.compiled import compiled
from rlbench.suites.neorl2.simulator import (
    Actions,
    Equations,
    Floats,
    Mask,
    action_box,
    no_rows,
    observation_box,
)

MINUTES = 3  # of a step
_STATES = 13
_SEEN = 30  # parameters of the patient that are observed
_LOW, _HIGH = 10.0, 600.0  # mg/dL, what the sensor can show
_DEAD_LOW, _DEAD_HIGH = 40.0, 600.0  # mg/dL
_EATING = 5.0  # g/min
_MEALS = {420: 45.0, 570: 10.0, 720: 70.0, 900: 10.0, 1080: 80.0, 1290: 10.0}  # minute of day: g

# What `patients.csv` has of a patient after the 13 states: the first 30 are observed.
PARAMETERS = (
    "BW", "Fsnc", "Ib", "Km0", "Vi", "Vm0", "Vmx", "b", "d", "f", "k1", "k2", "ka1", "ka2", "kabs",
    "kd", "ke1", "ke2", "ki", "kmax", "kp1", "kp2", "kp3", "ksc", "m1", "m2", "m30", "m4", "p2u",
    "u2ss", "kmin", "Vg",
)  # fmt: skip
_VG = PARAMETERS.index("Vg")


class Patients(NamedTuple):
    """The table of patients.

    Attributes:
        names: E.g. ``adult#003``.
        first: (30, 13) States with which they begin.
        parameters: (30, 32) In the order of `PARAMETERS`.
    """

    names: tuple[str, ...]
    first: Floats
    parameters: Floats


class State(NamedTuple):
    """The patients of n slots.

    Attributes:
        body: (n, 13) States of the equation.
        meal: (n, 4) What the stomach held when eating began (mg), what was eaten since (g), what
            is still to be eaten (g), and what was eaten in the last minute (g).
        shown: (n,) What the sensor shows, mg/dL.
        seen: (n,) The mean of what it showed in the last three minutes.
        true: (n,) The mean of the true values in these minutes, mg/dL.
        minute: (n,) Of the day, 0 to 1439.
        parameters: (n, 32) In the order of `PARAMETERS`.
    """

    body: Floats
    meal: Floats
    shown: Floats
    seen: Floats
    true: Floats
    minute: NDArray[np.int64]
    parameters: Floats


@cache
def patients() -> Patients:
    """Return the table of patients."""
    text = resources.files(__package__).joinpath("patients.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    first = [[float(row[f"x{i}"]) for i in range(1, _STATES + 1)] for row in rows]
    parameters = [[float(row[name]) for name in PARAMETERS] for row in rows]
    return Patients(tuple(row["name"] for row in rows), np.array(first), np.array(parameters))


def patients_of(mode: str) -> NDArray[np.intp]:
    """Return which patients a mode has: numbers 1 to 5 of each age to train, else 6 to 10."""
    low, high = (1, 5) if mode == "train" else (6, 10)
    numbers = [int(name.partition("#")[2]) for name in patients().names]
    return np.flatnonzero([low <= number <= high for number in numbers])


def draw_start(random: np.random.Generator, among: NDArray[np.intp]) -> Floats:
    """Draw a patient, and the hour of the day at which the episode begins."""
    return np.array([random.choice(among), random.integers(24)], dtype=np.float64)


def begin(start: Floats) -> State:
    """Return states (k, ...) from (k, 2): rows of the table, and hours."""
    table, row = patients(), start[:, 0].astype(np.intp)
    body, parameters = table.first[row], table.parameters[row]
    true = body[:, 12] / parameters[:, _VG]
    shown = np.clip(true, _LOW, _HIGH)
    minute = start[:, 1].astype(np.int64) * 60
    meal = np.zeros((len(row), 4))
    return State(body, meal, shown, shown.copy(), true, minute, parameters)


def insulin(action: Actions) -> Floats:
    """Return (n,) U/min of (n, 1) actions: what the pump can give, in steps of .05/6000, up to 30.

    An action of 1 is 5 U/min, which kills; useful ones are about -.999 to -.97.
    """
    asked = (np.clip(action[:, 0].astype(np.float64), -1.0, 1.0) + 1.0) * 2.5
    return np.minimum(np.round(asked * 6000.0 / 0.05) * 0.05 / 6000.0, 30.0)


def advance(state: State, action: Actions) -> State:
    """Give insulin for three minutes by (n, 1) actions."""
    body, meal, shown = state.body.copy(), state.meal.copy(), state.shown.copy()
    seen, true = np.empty_like(shown), np.empty_like(shown)
    _live(body, meal, shown, seen, true, state.minute, state.parameters, insulin(action), _TABLE)
    minute = (state.minute + MINUTES) % 1440
    return State(body, meal, shown, seen, true, minute, state.parameters)


_TABLE = np.zeros(1440)  # g of the meal that begins in a minute of the day
_TABLE[list(_MEALS)] = list(_MEALS.values())


@compiled(nogil=True, error_model="numpy")
def _live(
    body: Floats,
    meal: Floats,
    shown: Floats,
    seen: Floats,
    true: Floats,
    minute: NDArray[np.int64],
    parameters: Floats,
    dose: Floats,
    meals: Floats,
) -> None:
    """Live three minutes in every slot, in place; `seen` and `true` are filled."""
    stages = np.empty((4, 13))
    other = np.empty(13)
    for slot in range(len(body)):
        x, food, p = body[slot], meal[slot], parameters[slot]
        seen[slot] = true[slot] = 0.0
        for m in range(3):
            food[2] += meals[(minute[slot] + m) % 1440]
            bite = min(5.0, food[2])
            food[2] = max(0.0, food[2] - bite)
            if bite > 0.0 and food[3] <= 0.0:
                food[0] = x[0] + x[1]
                food[1] = 0.0
            if bite > 0.0:
                food[1] += bite
            food[3] = bite
            for _ in range(2):
                _slope(x, stages[0], p, dose[slot], bite, food[0] + food[1] * 1000.0)
                for stage in range(1, 4):
                    part = 0.5 if stage == 3 else 0.25
                    for i in range(13):
                        other[i] = x[i] + part * stages[stage - 1, i]
                    _slope(other, stages[stage], p, dose[slot], bite, food[0] + food[1] * 1000.0)
                for i in range(13):
                    inner = stages[1, i] + stages[2, i]
                    x[i] += (stages[0, i] + 2.0 * inner + stages[3, i]) / 12.0
            value = x[12] / p[31]
            if m == 2:
                shown[slot] = min(max(value, 10.0), 600.0)
            seen[slot] += shown[slot] / 3.0
            true[slot] += value / 3.0


@compiled(nogil=True, error_model="numpy")
def _slope(x: Floats, out: Floats, p: Floats, dose: float, bite: float, taken: float) -> None:
    """Fill in (13,) what the states change by in a minute.

    Args:
        x: (13,) Stomach solid and liquid, gut (mg); plasma and tissue glucose (mg/kg); plasma
            insulin (pmol/kg); insulin's action on use, two delays of its action on production;
            insulin in liver and twice under the skin; glucose under the skin.
        out: What is filled.
        p: (32,) In the order of `PARAMETERS`.
        dose: Insulin, U/min.
        bite: Eaten in this minute, g.
        taken: What was in the stomach when eating began, and what was eaten since, mg.
    """
    weight, kabs, kmax, kmin = p[0], p[14], p[19], p[30]
    stomach = x[0] + x[1]
    empties = kmax
    if taken > 0.0:
        b, d = p[7], p[8]
        aa, cc = 2.5 / (1.0 - b) / taken, 2.5 / d / taken
        empties = kmin + (kmax - kmin) / 2.0 * (
            np.tanh(aa * (stomach - b * taken)) - np.tanh(cc * (stomach - d * taken)) + 2.0
        )
    out[0] = bite * 1000.0 - kmax * x[0]
    out[1] = kmax * x[0] - x[1] * empties
    out[2] = empties * x[1] - kabs * x[2]

    made = max(p[20] - p[21] * x[3] - p[22] * x[8], 0.0)
    eaten = p[9] * kabs * x[2] / weight
    lost = max(p[16] * (x[3] - p[17]), 0.0)
    used = (p[5] + p[6] * x[6]) * x[4] / (p[3] + x[4])
    out[3] = made + eaten - p[1] - lost - p[10] * x[3] + p[11] * x[4]
    out[4] = p[10] * x[3] - p[11] * x[4] - used

    level = x[5] / p[4]
    out[5] = p[24] * x[9] + p[12] * x[10] + p[13] * x[11] - (p[25] + p[27]) * x[5]
    out[6] = p[28] * (level - p[2] - x[6])
    out[7] = p[18] * (level - x[7])
    out[8] = p[18] * (x[7] - x[8])
    out[9] = p[25] * x[5] - (p[24] + p[26]) * x[9]
    out[10] = dose * 6000.0 / weight - (p[12] + p[15]) * x[10]
    out[11] = p[15] * x[10] - p[13] * x[11]
    out[12] = p[23] * (x[3] - x[12])
    for i in (3, 4, 5, 9, 10, 11, 12):
        if x[i] < 0.0:
            out[i] = 0.0


def observe(state: State) -> Floats:
    """Return (n, 31): the mean of three minutes' sensor values, and 30 parameters."""
    obs = np.empty((len(state.seen), 1 + _SEEN))
    obs[:, 0] = state.seen
    obs[:, 1:] = state.parameters[:, :_SEEN]
    return obs


def risk(glucose: Floats) -> Floats:
    """Return Kovatchev's blood glucose risk of mg/dL: 10 (1.509 (ln(g)^1.084 - 5.381))^2."""
    scaled: Floats = 1.509 * (np.log(glucose) ** 1.084 - 5.381)
    return 10.0 * scaled**2


def reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) 1 + what risk falls by, in hundredths; -15 from 40 mg/dL down, 0 from 600 up."""
    before, after = (seen[:, 0].astype(np.float64) for seen in (obs, next_obs))
    gained = 1.0 + (risk(before) - risk(after)) / 100.0
    return np.where(after <= _DEAD_LOW, -15.0, np.where(after >= _DEAD_HIGH, 0.0, gained))


def terminal(state: State) -> Mask:
    """Return (n,) whether the true mean of three minutes, which is not observed, is deadly."""
    return (state.true < _DEAD_LOW) | (state.true > _DEAD_HIGH)


def equations(mode: str, *, reference: bool) -> Equations[State]:
    """Return the task.

    Args:
        mode: ``train``, or another with other patients.
        reference: Observations are float64, as the original's.
    """
    among, dtype = patients_of(mode), np.float64 if reference else np.float32
    return Equations(
        observation_space=observation_box(1 + _SEEN, dtype),
        action_space=action_box(1),
        draw_start=lambda random: draw_start(random, among),
        draw_rows=no_rows,
        begin=lambda start, before: begin(start),
        advance=lambda state, action, row: advance(state, action),
        observe=lambda state: observe(state).astype(dtype),
        reward=reward,
        terminal=terminal,
    )
