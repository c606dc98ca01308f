"""The disturbances, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from rlbench.errors import UnknownName, UsageError

Stage = Literal["action", "observation", "reward"]
_AT_MOST_1 = ("probability", "share", "side")


@dataclass(frozen=True, slots=True)
class _Base:
    """What all disturbances have: parameters that are checked."""

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "steps":
                fits, what = isinstance(value, int) and value >= 1, "a whole number from 1 on"
            elif field.name in _AT_MOST_1:
                fits, what = 0 <= value <= 1, "in [0, 1]"
            else:
                fits, what = 0 <= value < float("inf"), "0 or more"
            if not fits:
                raise UsageError(f"{field.name} of {type(self).__name__} must be {what}: {value}")


@dataclass(frozen=True, slots=True)
class ActionCorruption(_Base):
    """With a probability, an action drawn uniformly from all is executed instead."""

    name: ClassVar[str] = "action-corruption"
    stage: ClassVar[Stage] = "action"
    probability: float


@dataclass(frozen=True, slots=True)
class StickyActions(_Base):
    """With a probability, the action executed before is executed again."""

    name: ClassVar[str] = "sticky"
    stage: ClassVar[Stage] = "action"
    probability: float


@dataclass(frozen=True, slots=True)
class ActionDelay(_Base):
    """Actions are executed some steps later; before the first one, action 0 or zeros are."""

    name: ClassVar[str] = "action-delay"
    stage: ClassVar[Stage] = "action"
    steps: int


@dataclass(frozen=True, slots=True)
class FrameDrop(_Base):
    """With a probability, an observation is lost and the last one that came is shown again."""

    name: ClassVar[str] = "frame-drop"
    stage: ClassVar[Stage] = "observation"
    probability: float


@dataclass(frozen=True, slots=True)
class FrameFreeze(_Base):
    """With a probability, the last observation stays for some steps more."""

    name: ClassVar[str] = "frame-freeze"
    stage: ClassVar[Stage] = "observation"
    probability: float
    steps: int = 8


@dataclass(frozen=True, slots=True)
class ObservationDelay(_Base):
    """Observations come some steps late; before them, the episode's first one is shown."""

    name: ClassVar[str] = "observation-delay"
    stage: ClassVar[Stage] = "observation"
    steps: int


@dataclass(frozen=True, slots=True)
class GaussianNoise(_Base):
    """Adds noise of a standard deviation in units of the range, then clips (and rounds integers).

    The range is that of the space; an entry without both bounds has the range 1.
    """

    name: ClassVar[str] = "gaussian-noise"
    stage: ClassVar[Stage] = "observation"
    sd: float


@dataclass(frozen=True, slots=True)
class SaltAndPepper(_Base):
    """Each pixel turns black or white, with the probability of half the share each."""

    name: ClassVar[str] = "salt-and-pepper"
    stage: ClassVar[Stage] = "observation"
    share: float


@dataclass(frozen=True, slots=True)
class Occlusion(_Base):
    """Hides a square, inside the picture at a place drawn anew each step.

    Its side is given in heights of the picture.
    """

    name: ClassVar[str] = "occlusion"
    stage: ClassVar[Stage] = "observation"
    side: float


@dataclass(frozen=True, slots=True)
class Crop(_Base):
    """Hides a share of the picture on the left; of a vector, its first entries."""

    name: ClassVar[str] = "crop"
    stage: ClassVar[Stage] = "observation"
    share: float


@dataclass(frozen=True, slots=True)
class Disc(_Base):
    """Hides all but a disc about a pixel that is drawn anew each step.

    Its radius is given in heights of the picture.
    """

    name: ClassVar[str] = "disc"
    stage: ClassVar[Stage] = "observation"
    radius: float


@dataclass(frozen=True, slots=True)
class Blackout(_Base):
    """With a probability, hides the whole observation."""

    name: ClassVar[str] = "blackout"
    stage: ClassVar[Stage] = "observation"
    probability: float


@dataclass(frozen=True, slots=True)
class RewardNoise(_Base):
    """Multiplies rewards by 1 plus normal noise."""

    name: ClassVar[str] = "reward-noise"
    stage: ClassVar[Stage] = "reward"
    sd: float


@dataclass(frozen=True, slots=True)
class RewardDrop(_Base):
    """With a probability, the reward becomes 0."""

    name: ClassVar[str] = "reward-drop"
    stage: ClassVar[Stage] = "reward"
    probability: float


@dataclass(frozen=True, slots=True)
class RewardDelay(_Base):
    """Rewards are paid some steps later; what is owed when the episode ends is paid then."""

    name: ClassVar[str] = "reward-delay"
    stage: ClassVar[Stage] = "reward"
    steps: int


@dataclass(frozen=True, slots=True)
class SuddenDrift(_Base):
    """From a step of the episode on, hides a share of the picture on the left."""

    name: ClassVar[str] = "sudden-drift"
    stage: ClassVar[Stage] = "observation"
    steps: int
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class CyclicDrift(_Base):
    """In every other stretch of so many steps, hides a share of the picture on the left."""

    name: ClassVar[str] = "cyclic-drift"
    stage: ClassVar[Stage] = "observation"
    steps: int
    share: float = 0.5


Disturbance = (
    ActionCorruption | StickyActions | ActionDelay | FrameDrop | FrameFreeze | ObservationDelay
    | GaussianNoise | SaltAndPepper | Occlusion | Crop | Disc | Blackout | RewardNoise | RewardDrop
    | RewardDelay | SuddenDrift | CyclicDrift
)  # fmt: skip

_BY_NAME: Mapping[str, type[Disturbance]] = {kind.name: kind for kind in get_args(Disturbance)}


def disturbance_of(name: str, amount: float, steps: int) -> Disturbance:
    """Return the disturbance of that name.

    Args:
        name: As in `Disturbance.name`, e.g. ``sticky``.
        amount: Its probability, share, radius and so on, if it has one.
        steps: Its steps, if it has some.

    Raises:
        UnknownName: There is no such disturbance.
        UsageError: A parameter is out of range.

    >>> disturbance_of("frame-freeze", 0.05, 8)
    FrameFreeze(probability=0.05, steps=8)
    """
    if name not in _BY_NAME:
        raise UnknownName("disturbance", name, _BY_NAME)
    kind = _BY_NAME[name]
    values: dict[str, Any] = {
        field.name: steps if field.name == "steps" else amount for field in fields(kind)
    }
    return kind(**values)
