"""A body on a track, in Box2D: one world an episode.

Everything is made in the order of the original, and what looks odd is its own: with the same
terrain, push and actions, observations and rewards are the original's to the last bit. Box2D's
contacts depend on the order in which things were made, so a body is made and destroyed before the
track is.
"""

import warnings
from typing import Any

import numpy as np

from rlbench.suites.teachmyagent import kernels
from rlbench.suites.teachmyagent.bodies import STEPS_TO_LIVE, Body, Joint, Part
from rlbench.suites.teachmyagent.terrain import HEIGHT, START, Track

with warnings.catch_warnings():
    # Made by SWIG, it warns when it is imported; where warnings are errors, it would crash.
    warnings.simplefilter("ignore", DeprecationWarning)
    from Box2D import (
        b2_staticBody,
        b2BodyDef,
        b2CircleShape,
        b2ContactListener,
        b2EdgeShape,
        b2FixtureDef,
        b2PolygonShape,
        b2World,
    )

FPS = 50
_DT = 1.0 / FPS
_VELOCITY_ITERATIONS, _POSITION_ITERATIONS = 180, 60
_FRICTION = 2.5
_CATEGORY = 0x20  # of bodies
_FALLEN = -100.0
_GRASP_MARGIN = 0.01
_HANG_STEPS = 5

# What a thing is, kept with its Box2D body: below _GROUND the index of a part.
_KEYS = list(range(4000))
_GROUND, _CEILING, _CREEPER, _WATER = 100, 1000, 2000, 3000


def _who(contact: Any) -> tuple[int, int, bool]:
    """Return the index of the part that touches, what it touches, and if either is a sensor."""
    a, b = contact.fixtureA, contact.fixtureB
    one, other = a.body.userData, b.body.userData
    is_sensor = a.sensor or b.sensor
    return (one, other, is_sensor) if one < _GROUND else (other, one, is_sensor)


class _Contacts(b2ContactListener):  # type: ignore[misc]
    """What a body touches on stump tracks.

    Attributes:
        noted: Of each part, whether it touches something.
        wet: The parts in water, in the order in which they came into it.
        touched: Of hands, what they touch, in the order of first touches.
        has_fallen: A part that must not has touched something.
    """

    def __init__(self, body: Body, *, on_stumps: bool) -> None:
        super().__init__()
        self._feels = [part.feels for part in body.parts]
        self._critical = [body.is_critical(part, on_stumps=on_stumps) for part in body.parts]
        self._hands = [part.is_sensor for part in body.parts]
        self._may_hit_ceilings = body.kind == "climber"
        self.noted = [False] * len(body.parts)
        self.wet: list[int] = []
        self.touched: dict[int, list[int]] = {}
        self.has_fallen = False

    def BeginContact(self, contact: Any) -> None:
        part, _, _ = _who(contact)
        self._begin(part, is_critical=self._critical[part])

    def EndContact(self, contact: Any) -> None:
        self._end(_who(contact)[0])

    def _begin(self, part: int, *, is_critical: bool) -> None:
        if self._feels[part]:
            self.noted[part] = True
            self.has_fallen = self.has_fallen or is_critical

    def _end(self, part: int) -> None:
        if self._feels[part]:
            self.noted[part] = False


class _ParkourContacts(_Contacts):
    """What a body touches in parkour.

    An end clears what is noted, whether or not a sensor was touched: leaving a creeper looks like
    leaving the ground.
    """

    def BeginContact(self, contact: Any) -> None:
        part, other, is_sensor = _who(contact)
        if other == _WATER:
            if not self._hands[part]:
                self.wet.append(part)
        elif self._hands[part]:
            if other >= _CEILING:
                self.noted[part] = True
                self.touched.setdefault(part, []).append(other)
        elif not is_sensor:
            may_hit = self._may_hit_ceilings and other >= _CEILING
            self._begin(part, is_critical=self._critical[part] and not may_hit)

    def EndContact(self, contact: Any) -> None:
        part, other, _ = _who(contact)
        if other == _WATER:
            if not self._hands[part]:
                self.wet.remove(part)
        elif self._hands[part]:
            touched = self.touched.get(part, [])
            if self.noted[part] and other in touched:
                touched.remove(other)
                self.noted[part] = bool(touched)
        else:
            self._end(part)


class Scene:
    """An episode.

    Args:
        body: Of which kind.
        track: What it moves on.
        push: The force in N on its head at the start.
        lidar: Which of `kernels.LIDARS`.

    Attributes:
        observation: (d,) What it sees now; written into by every step.
        score: The undiscounted return so far.
        under: Steps in a row under water.
        outside: Steps in a row above it.
    """

    def __init__(self, body: Body, track: Track, *, push: float, lidar: str) -> None:
        self.body, self.track = body, track
        on_stumps = track.water is None
        self._is_climbing = body.kind == "climber" and not on_stumps
        kind = _Contacts if on_stumps else _ParkourContacts
        self._contacts = kind(body, on_stumps=on_stumps)  # the world does not keep it alive
        self._world = b2World()
        self._static = b2BodyDef(type=b2_staticBody)

        place = (START, HEIGHT + (body.stump_height if on_stumps else body.height))
        for part in self._make_body(place, 0.0):
            self._world.DestroyBody(part)
        self._world.contactListener = self._contacts
        self._make_track()
        self.parts = self._make_body(place, push)
        self._prepare(lidar)
        self._begin()

    def _make_body(self, place: tuple[float, float], push: float) -> list[Any]:
        """Make the body's parts and joints; return the parts in the order of `Body.parts`."""
        parts: list[Any] = [None] * len(self.body.parts)
        self.joints: list[Any] = []
        for index in self.body.order:
            parts[index] = self._make_part(self.body.parts[index], place, index)
            if index in self.body.pushed:
                parts[index].ApplyForceToCenter((push, 0.0), True)
            while len(self.joints) < len(self.body.joints):
                joint = self.body.joints[len(self.joints)]
                if parts[joint.a] is None or parts[joint.b] is None:
                    break
                self.joints.append(self._make_joint(joint, place, parts))
        return parts

    def _make_part(self, part: Part, place: tuple[float, float], index: int) -> Any:
        if part.shape == "circle":
            shape = b2CircleShape(radius=part.radius)
        elif part.shape == "box":
            corner = part.vertices[2]
            shape = b2PolygonShape(box=corner)
        else:
            shape = b2PolygonShape(vertices=list(part.vertices))
        fixture = b2FixtureDef(
            shape=shape, density=part.density, friction=part.friction, restitution=0.0,
            categoryBits=_CATEGORY, maskBits=part.mask, isSensor=part.is_sensor,
        )  # fmt: skip
        return self._world.CreateDynamicBody(
            position=(place[0] + part.offset[0], place[1] + part.offset[1]),
            angle=part.angle,
            fixtures=fixture,
            userData=_KEYS[index],
        )

    def _make_joint(self, joint: Joint, place: tuple[float, float], parts: list[Any]) -> Any:
        if joint.anchor is None:
            where = {"localAnchorA": joint.anchor_a, "localAnchorB": joint.anchor_b}
        else:
            where = {"anchor": (place[0] + joint.anchor[0], place[1] + joint.anchor[1])}
        ends = {"bodyA": parts[joint.a], "bodyB": parts[joint.b], **where}
        if joint.is_weld:
            return self._world.CreateWeldJoint(**ends)
        return self._world.CreateRevoluteJoint(
            **ends, enableMotor=joint.has_motor, enableLimit=True,
            lowerAngle=joint.lower, upperAngle=joint.upper,
        )  # fmt: skip

    def _make_track(self) -> None:
        """Make a static body of every edge, creeper and stump, and of the water."""
        track = self.track
        self._graspable: dict[int, tuple[Any, tuple[float, float, float, float]]] = {}
        for x, y, w, h in track.stumps.tolist():
            box = b2PolygonShape(vertices=[(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
            self._make_static(b2FixtureDef(shape=box, friction=_FRICTION), _GROUND)
        edge = b2EdgeShape()
        ground = b2FixtureDef(shape=edge, friction=_FRICTION, categoryBits=1, maskBits=0xFFFF)
        hanging = b2PolygonShape()
        creeper = b2FixtureDef(shape=hanging, density=5.0, isSensor=True)
        xs, lows = track.x.tolist(), track.ground.tolist()
        highs = None if track.ceiling is None else track.ceiling.tolist()
        creepers = dict(zip(track.creepers_at, enumerate(track.creepers.tolist()), strict=True))
        for i in range(len(xs) - 1):
            edge.vertices = (xs[i], lows[i]), (xs[i + 1], lows[i + 1])
            self._make_static(ground, _GROUND)
            if highs is None:
                continue
            key = _CEILING + i
            edge.vertices = (xs[i], highs[i]), (xs[i + 1], highs[i + 1])
            y, z = sorted(highs[i : i + 2])
            self._graspable[key] = self._make_static(ground, key), (xs[i], y, xs[i + 1], z)
            if i in creepers:
                key, (x, y, w, h) = _CREEPER + creepers[i][0], creepers[i][1]
                hanging.vertices = [(x, y), (x + w, y), (x + w, y - h), (x, y - h)]
                self._graspable[key] = self._make_static(creeper, key), (x, y - h, x + w, y)
        if track.water is not None:
            water = b2PolygonShape(vertices=list(kernels.water_corners(track)))
            self._make_static(b2FixtureDef(shape=water, density=1.0, isSensor=True), _WATER)

    def _make_static(self, fixture: Any, key: int) -> Any:
        """Make a body of one fixture that stands still."""
        definition = self._static
        definition.fixtures, definition.userData = fixture, _KEYS[key]
        return self._world.CreateBody(definition)

    def _prepare(self, lidar: str) -> None:
        """Keep at hand what every step needs."""
        body, track = self.body, self.track
        self._head = self.parts[body.head]
        self._sensors = [k for k, part in enumerate(body.parts) if part.is_sensor]
        self._motors = [
            (made, joint.speed, joint.correction, joint.contact)
            for made, joint in zip(self.joints, body.joints, strict=True)
            if joint.has_motor
        ]
        self._rays = kernels.ray_ends(lidar)
        self._edges, self._polygons = kernels.edges_of(track), kernels.polygons_of(track)
        has_water = track.water is not None
        self._wide = int(has_water)
        size = body.observation_size if has_water else body.stump_observation_size
        self.observation = np.zeros(size)
        self._seen = size - kernels.RAYS * (2 if has_water else 1)  # numbers before the lidar's
        # What hands hold, and whether they are to grasp.
        self._held: dict[int, Any] = {}
        self._is_ready = dict.fromkeys(self._sensors, False)
        if has_water:
            self._prepare_water()

    def _prepare_water(self) -> None:
        body = self.body
        n = len(body.parts)
        self._water = np.array(kernels.water_corners(self.track), np.float32)
        self._fixed = np.zeros((n, 7), np.float32)
        self._corners = np.zeros((n, 8, 2), np.float32)
        self._counts = np.zeros(n, np.int64)
        self._motor_of: list[Any] = [None] * n
        for k, (part, made) in enumerate(zip(body.parts, self.parts, strict=True)):
            if part.is_sensor:
                continue
            vertices = made.fixtures[0].shape.vertices
            self._corners[k, : len(vertices)] = vertices
            self._counts[k] = len(vertices)
            center = made.localCenter
            self._fixed[k, :3] = center.x, center.y, made.inertia
        for joint, made in zip(body.joints, self.joints, strict=True):
            if joint.has_motor:
                anchor = made.GetLocalAnchorB()
                limits = made.lowerLimit, made.upperLimit
                self._fixed[joint.b, 3:] = anchor.x, anchor.y, *limits
                self._motor_of[joint.b] = made
        self._wet_parts = np.zeros(n, np.int64)
        self._wet_state = np.zeros((n, 9))
        self._wet_forces = np.zeros((n, 4))

    def _begin(self) -> None:
        """Play the steps before an episode: one of no action, of climbers some that hang."""
        self.under = self.outside = 0
        self._shaping: float | None = None
        self.score = 0.0
        action = [0.0] * self.body.action_size
        if self._is_climbing:
            self._hang(action)
            for _ in range(_HANG_STEPS):
                self.step(action)
        self.step(action)
        self.under = self.outside = 0
        self.score = 0.0

    def _hang(self, action: list[float]) -> None:
        """Move the body up to the ceiling, and the action's hands to grasp it."""
        assert self.track.ceiling is not None
        ceiling = float(self.track.ceiling[0])
        hands = self._sensors[::-1]
        rise = ceiling - self.parts[hands[0]].position.y
        for number, hand in enumerate(hands):
            action[-1 - number] = 1.0
            made = self.parts[hand]
            made.position = (made.position.x, ceiling)
        for part, made in zip(self.body.parts, self.parts, strict=True):
            if not part.is_sensor:
                made.position = (made.position.x, made.position.y + rise)

    def step(self, action: list[float]) -> tuple[float, bool]:
        """Play one step.

        Args:
            action: Of each motor, its direction and share of its torque in [-1, 1], and of each
                hand, whether it grasps (above 0).

        Returns:
            The reward, and whether the episode is over.
        """
        body = self.body
        is_dead = self._is_dead()
        if is_dead:
            action = [0.0] * body.action_size
        torque = body.torque
        for (motor, speed, _, _), a in zip(self._motors, action, strict=False):
            if a > 0.0:
                motor.motorSpeed = speed
                motor.maxMotorTorque = torque * a if a < 1.0 else torque
            elif a < 0.0:
                motor.motorSpeed = -speed
                motor.maxMotorTorque = torque * -a if a > -1.0 else torque
            else:
                motor.motorSpeed = 0.0
                motor.maxMotorTorque = 0.0
        if self._is_climbing:
            self._open_hands(action)
        self._world.Step(_DT, _VELOCITY_ITERATIONS, _POSITION_ITERATIONS)
        if self._is_climbing:
            self._close_hands()
        if self._contacts.wet:
            self._push_by_water()
        x, angle = self._observe(is_dead)
        return self._judge(x, angle, action)

    def rays(self) -> list[tuple[float, float]]:
        """Return where the rays of the lidar end."""
        place = self._head.position
        shares = self.observation[self._seen : self._seen + kernels.RAYS, None]
        ends = (place.x, place.y) + self._rays * shares
        return [(x, y) for x, y in ends.tolist()]

    def hands(self) -> list[int]:
        """Return the indices of the hands that hold something."""
        return list(self._held)

    def _is_dead(self) -> bool:
        kind = self.body.kind
        if kind == "amphibian":
            return False
        return (self.outside if kind == "swimmer" else self.under) > STEPS_TO_LIVE

    def _observe(self, is_dead: bool) -> tuple[float, float]:
        """Write the observation; return where the head is and its angle."""
        head, out = self._head, self.observation
        position, velocity = head.position, head.linearVelocity
        x, y, angle = position.x, position.y, head.angle
        seen = [
            angle,
            2.0 * head.angularVelocity / FPS,
            0.3 * velocity.x * (600 / 30) / FPS,
            0.3 * velocity.y * (400 / 30) / FPS,
        ]
        if self.track.water is not None:
            is_under = y <= self.track.water
            if not is_dead:
                if is_under:
                    self.under, self.outside = self.under + 1, 0
                else:
                    self.under, self.outside = 0, self.outside + 1
            seen += (1.0 if is_under else 0.0, 1.0 if is_dead else 0.0)
        contacts = self._contacts.noted
        for motor, speed, correction, contact in self._motors:
            seen.append(motor.angle + correction)
            seen.append(motor.speed / speed)
            if contact >= 0:
                seen.append(1.0 if contacts[contact] else 0.0)
        for hand in self._sensors:
            seen += (float(contacts[hand]), float(hand in self._held))
        out[: self._seen] = seen
        kernels.cast_rays(
            x, y, self._rays, self._edges, self._polygons, self._wide, out, self._seen
        )
        return x, angle

    def _judge(self, x: float, angle: float, action: list[float]) -> tuple[float, bool]:
        """Return the reward, and whether the episode is over."""
        body = self.body
        shaping = 130 * x / 30
        if body.minds_its_angle:
            shaping -= 5.0 * abs(angle)
        reward = 0.0 if self._shaping is None else shaping - self._shaping
        self._shaping = shaping
        cost = body.torque_penalty * 80
        for a in action:
            reward -= cost * min(abs(a), 1.0)
        is_over = False
        if self._contacts.has_fallen or x < 0:
            reward, is_over = _FALLEN, True
        if x > self.track.end:
            is_over = True
        self.score += reward
        return reward, is_over

    def _open_hands(self, action: list[float]) -> None:
        """Note which hands are to grasp; the others let go."""
        for number, hand in enumerate(self._sensors):
            ready = action[len(action) - len(self._sensors) + number] > 0
            self._is_ready[hand] = ready
            if not ready and hand in self._held:
                self._world.DestroyJoint(self._held.pop(hand))

    def _close_hands(self) -> None:
        """Let each hand that is to grasp hold what it touches first."""
        for hand, touched in self._contacts.touched.items():
            if not touched or not self._is_ready[hand] or hand in self._held:
                continue
            other, (left, low, right, high) = self._graspable[touched[0]]
            made = self.parts[hand]
            center = made.worldCenter
            reach = self.body.parts[hand].radius + _GRASP_MARGIN
            if (
                left <= center.x + reach
                and center.x - reach <= right
                and low <= center.y + reach
                and center.y - reach <= high
            ):
                self._held[hand] = self._world.CreateRevoluteJoint(
                    bodyA=made, bodyB=other, anchor=center
                )
            else:
                del touched[0]
                self._contacts.noted[hand] = bool(touched)

    def _push_by_water(self) -> None:
        """Apply the water's forces, which act in the next step."""
        rows, wet = [], self._contacts.wet
        for part in wet:
            made, motor = self.parts[part], self._motor_of[part]
            direction, center = made.GetWorldVector((1.0, 0.0)), made.worldCenter
            velocity = made.linearVelocity
            torque, angle = (motor.GetMotorTorque(60.0), motor.angle) if motor else (0.0, 0.0)
            rows.append((
                direction.x, direction.y, center.x, center.y, velocity.x, velocity.y,
                made.angularVelocity, torque, angle,
            ))  # fmt: skip
        n = len(rows)
        self._wet_parts[:n] = wet
        self._wet_state[:n] = rows
        kernels.water_forces(
            self._water, self._wet_parts, self._wet_state, self._fixed, self._corners,
            self._counts, n, self._wet_forces,
        )  # fmt: skip
        forces = self._wet_forces[:n].tolist()
        for part, (x, y, torque, is_cut) in zip(wet, forces, strict=True):
            if is_cut:
                made = self.parts[part]
                made.ApplyForceToCenter((x, y), True)
                made.ApplyTorque(torque, True)
