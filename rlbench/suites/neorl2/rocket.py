"""RocketRecovery: bring a rocket down upright and slowly, in wind.

The rocket is the lander of gymnasium's LunarLander, of a hull and two legs, in a world of Box2D of
its own; numbers without a name are that lander's, in pixels, of which 30 are a metre.
"""

import math
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.neorl2.simulator import (
    Actions,
    Floats,
    Mask,
    Outcome,
    Slots,
    action_box,
    observation_box,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of SWIG
    import Box2D

Seen = NDArray[np.float32]  # (n, 7)

_SCALE = 30.0
_FPS = 50.0
_WIDTH, _HEIGHT = 600.0 / _SCALE, 400.0 / _SCALE
_GROUND = _HEIGHT / 4.0
_LEG_DOWN = 18.0 / _SCALE
_HULL = [(-14, 17), (-17, 0), (-17, -10), (17, -10), (17, 0), (14, 17)]
_LEG_AWAY, _LEG_WIDTH, _LEG_HEIGHT = 20.0 / _SCALE, 2.0 / _SCALE, 8.0 / _SCALE
_MAIN_POWER, _SIDE_POWER = 13.0, 0.6
_MAIN_BELOW, _SIDE_AWAY, _SIDE_ABOVE = 4.0 / _SCALE, 12.0 / _SCALE, 14.0 / _SCALE
_SIDE_BELOW = 17.0 / _SCALE
_VELOCITY_ITERATIONS, _POSITION_ITERATIONS = 180, 60
_FORCE = 500.0  # of the push with which an episode begins
_WIND = 10.0
_STRONGER = 1.2  # in other modes than `train`
_ONSETS = 9999  # of the wind
_LANDED = 0.05  # height at which an episode ends
_GOOD, _BAD = 100.0, -100.0


class _Rocket:
    """A rocket in its world.

    Args:
        force: (2,) The push with which it begins.
    """

    def __init__(self, force: Floats) -> None:
        self.world = Box2D.b2World(gravity=(0, -10))
        ground = self.world.CreateStaticBody(
            shapes=Box2D.b2EdgeShape(vertices=[(0, 0), (_WIDTH, 0)])
        )
        ends = [_WIDTH / 10.0 * i for i in range(11)]
        for left, right in pairwise(ends):
            ground.CreateEdgeFixture(
                vertices=[(left, _GROUND), (right, _GROUND)], density=0, friction=0.1
            )
        self.hull = self.world.CreateDynamicBody(
            position=(_WIDTH / 2.0, _HEIGHT),
            angle=0.0,
            fixtures=Box2D.b2FixtureDef(
                shape=Box2D.b2PolygonShape(vertices=[(x / _SCALE, y / _SCALE) for x, y in _HULL]),
                density=5.0,
                friction=0.1,
                categoryBits=0x0010,
                maskBits=0x001,  # collides with the ground only
                restitution=0.0,
            ),
        )
        self.hull.ApplyForceToCenter((float(force[0]), float(force[1])), True)
        self.legs = [self._leg(side) for side in (-1, 1)]

    def _leg(self, side: int) -> Any:
        """Make a leg and join it to the hull by a motor with limits."""
        leg = self.world.CreateDynamicBody(
            position=(_WIDTH / 2.0 - side * _LEG_AWAY, _HEIGHT),
            angle=side * 0.05,
            fixtures=Box2D.b2FixtureDef(
                shape=Box2D.b2PolygonShape(box=(_LEG_WIDTH, _LEG_HEIGHT)),
                density=1.0,
                restitution=0.0,
                categoryBits=0x0020,
                maskBits=0x001,
            ),
        )
        joint = Box2D.b2RevoluteJointDef(
            bodyA=self.hull,
            bodyB=leg,
            localAnchorA=(0, 0),
            localAnchorB=(side * _LEG_AWAY, _LEG_DOWN),
            enableMotor=True,
            enableLimit=True,
            maxMotorTorque=40,
            motorSpeed=0.3 * side,
        )
        joint.lowerAngle, joint.upperAngle = (0.4, 0.9) if side < 0 else (-0.9, -0.4)
        self.world.CreateJoint(joint)
        return leg

    def step(self, wind: float, main: float, side: float, spread: tuple[float, float]) -> None:
        """Simulate a fiftieth of a second.

        Args:
            wind: A force.
            main: Power of the main engine; 0 for off.
            side: Power of the side engines; its sign says which, 0 is off.
            spread: How much the engines' places are off.
        """
        hull = self.hull
        hull.ApplyForceToCenter((wind, 0.0), True)
        if main or side:
            self._burn(main, side, *spread)
        self.world.Step(1.0 / _FPS, _VELOCITY_ITERATIONS, _POSITION_ITERATIONS)

    def _burn(self, main: float, side: float, spread0: float, spread1: float) -> None:
        """Push by the engines."""
        hull = self.hull
        x, y = hull.position
        sine, cosine = math.sin(hull.angle), math.cos(hull.angle)
        if main:
            along = _MAIN_BELOW + 2.0 * spread0
            ox = sine * along - cosine * spread1
            oy = -cosine * along - sine * spread1
            push = _MAIN_POWER * main
            hull.ApplyLinearImpulse((-ox * push, -oy * push), (x + ox, y + oy), True)
        if side:
            away = 3.0 * spread1 + math.copysign(_SIDE_AWAY, side)
            ox = sine * spread0 - cosine * away
            oy = -cosine * spread0 - sine * away
            push = _SIDE_POWER * abs(side)
            place = (x + ox - sine * _SIDE_BELOW, y + oy + cosine * _SIDE_ABOVE)
            hull.ApplyLinearImpulse((-ox * push, -oy * push), place, True)


class Rockets:
    """RocketRecovery in n slots; see `simulator.Simulator`.

    A start is the first push (2,), and the wind's onset, a whole number. A row is how much the
    engines are off (2,), in [-1, 1].

    Args:
        num_envs: The number of slots.
        mode: ``train``, or another with stronger wind.
        reference: The wind of a slot goes on from episode to episode.
    """

    def __init__(self, num_envs: int, mode: str, *, reference: bool) -> None:
        self.observation_space, self.action_space = observation_box(7), action_box(2)
        self._rockets: list[_Rocket] = [_Rocket(np.zeros(2))] * num_envs
        self._wind = _WIND if mode == "train" else _STRONGER * _WIND
        self._clock = np.zeros(num_envs, dtype=np.int64)
        self._goes_on = np.zeros(num_envs, dtype=np.bool_)
        self._reference = reference
        self._seen = np.zeros((num_envs, 7))

    def draw_start(self, random: np.random.Generator) -> Floats:
        """Draw the first push and the wind's onset."""
        return np.append(random.uniform(-_FORCE, _FORCE, 2), random.integers(-_ONSETS, _ONSETS))

    def draw_rows(self, random: np.random.Generator, steps: int) -> Floats:
        """Draw how much the engines are off in each step."""
        return random.uniform(-1.0, 1.0, (steps, 2))

    def begin(self, slots: Slots, start: Floats) -> NDArray[Any]:
        """Begin episodes, and let the rockets fall for a step; see `Simulator`."""
        for slot, (*force, onset) in zip(slots.tolist(), start.tolist(), strict=True):
            if not self._goes_on[slot]:
                self._clock[slot] = int(onset)
            self._goes_on[slot] = self._reference
            self._rockets[slot] = _Rocket(np.array(force))
            self._play(slot, 0.0, 0.0, (0.0, 0.0))
        return self._seen[slots].astype(np.float32)

    def step(self, actions: Actions, row: Floats) -> Outcome:
        """Play a step; see `Simulator`."""
        before, self._seen = self._seen.astype(np.float32), np.empty_like(self._seen)
        burnt = np.clip(actions.astype(np.float64), -1.0, 1.0)
        main, side = _powers(burnt)
        for slot, spread in enumerate((row / _SCALE).tolist()):
            self._play(slot, float(main[slot]), float(side[slot]), spread)
        obs = self._seen.astype(np.float32)
        over = terminal(before, actions, obs)
        return Outcome(obs, _judge(before, main, side, obs, over), over)

    def _play(self, slot: int, main: float, side: float, spread: tuple[float, float]) -> None:
        """Play a step of one rocket and look at it."""
        rocket, i = self._rockets[slot], int(self._clock[slot])
        wind = self._wind * math.tanh(math.sin(0.02 * i) + math.sin(math.pi * 0.01 * i))
        self._clock[slot] += 1
        rocket.step(wind, main, side, spread)
        hull = rocket.hull
        (x, y), (vx, vy) = hull.position, hull.linearVelocity
        self._seen[slot] = (
            (x - _WIDTH / 2.0) / (_WIDTH / 2.0),
            (y - (_GROUND + _LEG_DOWN)) / (_HEIGHT / 2.0),
            vx * (_WIDTH / 2.0) / _FPS,
            vy * (_HEIGHT / 2.0) / _FPS,
            hull.angle,
            20.0 * hull.angularVelocity / _FPS,
            wind,
        )

    def keep(self, slots: Slots) -> None:
        """Let go of slots; see `Simulator`."""
        self._rockets = [self._rockets[slot] for slot in slots.tolist()]
        self._clock, self._goes_on = self._clock[slots], self._goes_on[slots]
        self._seen = self._seen[slots]

    def close(self) -> None:
        """Let the worlds go."""
        self._rockets.clear()


def _powers(action: Floats) -> tuple[Floats, Floats]:
    """Return (n,) powers of the main engine and, with a sign, of the side engines; 0 is off."""
    main = np.where(action[:, 0] > 0.0, (np.clip(action[:, 0], 0.0, 1.0) + 1.0) * 0.5, 0.0)
    side = np.where(np.abs(action[:, 1]) > 0.5, action[:, 1], 0.0)
    return main, side


def _judge(before: Seen, main: Floats, side: Floats, after: Seen, over: Mask) -> Floats:
    """Return (n,) rewards: what the shape improves by less fuel, or how good the landing is.

    They are computed in float32, as in the original.
    """
    good = (np.abs(after[:, 4]) < 0.3) & (np.abs(after[:, 2]) < 0.5) & (np.abs(after[:, 3]) < 2.0)
    flown: Any = _shape(after) - _shape(before)
    flown = flown - np.float32(0.3) * main.astype(np.float32)
    flown = flown - np.float32(0.03) * np.abs(side).astype(np.float32)
    return np.where(over, np.where(good, _GOOD, _BAD), flown.astype(np.float64))


def _shape(obs: Seen) -> Seen:
    """Return (n,) -100 (distance + speed + angle)."""
    distance = np.sqrt(obs[:, 0] * obs[:, 0] + obs[:, 1] * obs[:, 1])
    speed = np.sqrt(obs[:, 2] * obs[:, 2] + obs[:, 3] * obs[:, 3])
    hundred = np.float32(100.0)
    shape: Any = -hundred * distance - hundred * speed - hundred * np.abs(obs[:, 4])
    return np.asarray(shape)


def reward(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Floats:
    """Return (n,) rewards of (n, 7) observations and (n, 2) actions."""
    before, after = obs.astype(np.float32), next_obs.astype(np.float32)
    main, side = _powers(np.clip(action.astype(np.float64), -1.0, 1.0))
    return _judge(before, main, side, after, terminal(obs, action, next_obs))


def terminal(obs: NDArray[Any], action: NDArray[Any], next_obs: NDArray[Any]) -> Mask:
    """Return (n,) whether rockets have come down, of (n, 7) observations."""
    down: Mask = np.abs(next_obs[:, 1]) <= _LANDED
    return down
