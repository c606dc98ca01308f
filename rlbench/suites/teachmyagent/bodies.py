"""The 13 bodies: parts, joints and numbers, read from ``bodies.json``.

Lengths there are in pixels (``_px``, 30 to a metre) or in metres (``_m``). Places are relative to
where the body is put down.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from rlbench.errors import UnknownName

SCALE = 30.0  # pixels of a metre
STEPS_TO_LIVE = 600  # in a row under water (swimmers: outside it), after which a body cannot move

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A rigid part of a body.

    Attributes:
        name: Of its kind, e.g. ``lower_leg``; a body may have several of one name.
        shape: A ``box`` is given by its corners too, but Box2D makes it of its half extents.
        vertices: Around it, in metres; none of a circle.
        radius: Of a circle, in metres.
        offset: From where the body is put down, in metres.
        angle: In radians.
        density: kg per square metre.
        friction: Coulomb's.
        mask: Of the collision categories that it touches.
        is_sensor: It is felt by nothing; a hand that can grasp.
        feels: A contact with it is noted.
        is_critical: A contact with it may end the episode.
        mass: In kg, as the original reports it.
    """

    name: str
    shape: Literal["box", "polygon", "circle"]
    vertices: tuple[Point, ...]
    radius: float
    offset: Point
    angle: float
    density: float
    friction: float
    mask: int
    is_sensor: bool
    feels: bool
    is_critical: bool
    mass: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What holds two parts together.

    Attributes:
        is_weld: Stiff; all others are hinges.
        a: Index of a part.
        b: Index of a part.
        anchor: Where, from where the body is put down; None where `anchor_a` and `anchor_b` say.
        anchor_a: In the frame of part `a`.
        anchor_b: In the frame of part `b`.
        lower: Limit of the angle, in radians.
        upper: Limit of the angle, in radians.
        has_motor: An action drives it.
        speed: Of the motor, in rad/s.
        correction: Added to the observed angle.
        contact: Index of the part whose contact is observed with it, or -1.
    """

    is_weld: bool
    a: int
    b: int
    anchor: Point | None
    anchor_a: Point
    anchor_b: Point
    lower: float
    upper: float
    has_motor: bool
    speed: float
    correction: float
    contact: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One of the bodies.

    Attributes:
        name: E.g. ``fish``.
        kind: What it can do: ``walker``, ``swimmer``, ``climber`` or ``amphibian``.
        torque: The largest of a motor, in N m.
        torque_penalty: What a unit of action costs, divided by 80.
        height: Of its centre above the ground where it is put down, in metres.
        stump_height: The same on stump tracks.
        minds_its_angle: A tilted head costs reward.
        head: Index of the part that sees.
        parts: All parts, those that grasp last.
        order: Indices of the parts in the order in which they are made.
        joints: In the order in which they are made, those with motors in the order of the actions.
        action_size: Number of actions: motors, then hands.
        observation_size: Number of observations in parkour.
        stump_observation_size: Number of observations on stump tracks.
    """

    name: str
    kind: Literal["walker", "swimmer", "climber", "amphibian"]
    torque: float
    torque_penalty: float
    height: float
    stump_height: float
    minds_its_angle: bool
    head: int
    parts: tuple[Part, ...]
    order: tuple[int, ...]
    joints: tuple[Joint, ...]
    action_size: int
    observation_size: int
    stump_observation_size: int

    @property
    def pushed(self) -> tuple[int, ...]:
        """Indices of the parts that the push at the start of an episode meets."""
        if self.kind == "swimmer":
            return ()
        squares = tuple(k for k, part in enumerate(self.parts) if part.name == "body")
        return squares if self.name == "millipede" else (self.head,)

    def is_critical(self, part: Part, *, on_stumps: bool) -> bool:
        """Say whether a contact of a part with the ground ends the episode.

        In parkour, walkers but the chimpanzee may fall.
        """
        lenient = self.kind == "walker" and self.name != "profile_chimpanzee"
        return part.is_critical and (on_stumps or not lenient)


def names() -> list[str]:
    """Return the names of all bodies.

    >>> len(names())
    13
    """
    return list(_read())


@cache
def load(name: str) -> Body:
    """Return a body.

    Raises:
        UnknownName: There is none of that name.

    >>> load("fish").action_size
    4
    """
    found = _read()
    if name not in found:
        raise UnknownName("body", name, found)
    b = found[name]
    height = b["center_height_px"] / SCALE
    return Body(
        name=name,
        kind=b["type"].lower(),
        torque=float(b["torque"]),
        torque_penalty=b["torque_penalty"],
        height=height,
        stump_height=2 * b["leg_h_px"] / SCALE if b["old_morphology"] else height,
        minds_its_angle=not b["no_head_angle_penalty"],
        head=b["head_index"],
        parts=tuple(map(_part, b["parts"])),
        order=tuple(b["creation_order"]),
        joints=tuple(map(_joint, b["joints"])),
        action_size=b["n_actions"],
        observation_size=b["parkour_obs"],
        stump_observation_size=b["stump_obs"],
    )


@cache
def _read() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("bodies.json").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text)["bodies"]
    return found


def _part(p: dict[str, Any]) -> Part:
    return Part(
        name=p["name"],
        shape=p["shape"],
        vertices=tuple((x / SCALE, y / SCALE) for x, y in p["vertices_px"]),
        radius=p["radius_px"] / SCALE,
        offset=tuple(p["rel_pos_m"]),
        angle=p["angle"],
        density=p["density"],
        friction=p["friction"],
        mask=p["mask"],
        is_sensor=p["sensor"],
        feels=p["check_contact"],
        is_critical=p["critical_if_flag"],
        mass=p["mass"],
    )


def _joint(j: dict[str, Any]) -> Joint:
    contact = j.get("contact_body")
    return Joint(
        is_weld=j["type"] == "weld",
        a=j["a"],
        b=j["b"],
        anchor=tuple(j["anchor_rel_m"]) if j["built_with"] == "anchor" else None,
        anchor_a=tuple(j.get("localA_m", (0.0, 0.0))),
        anchor_b=tuple(j.get("localB_m", (0.0, 0.0))),
        lower=j.get("lower", 0.0),
        upper=j.get("upper", 0.0),
        has_motor=j.get("motor", False),
        speed=float(j.get("speed", 0.0)),
        correction=j.get("angle_correction", 0.0),
        contact=-1 if contact is None else contact,
    )
