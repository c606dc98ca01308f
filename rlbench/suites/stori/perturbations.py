"""What a perturbation is: rows of a stage, conditions and effects, as data.

A row says at which stage of an emulator frame it acts, when, and what it does. Conditions are
looked at in order, and all must hold; a row without any always acts. Addresses are bytes of the
game's RAM, rectangles are in pixels of the 210x160 picture, both ends included.
"""

from dataclasses import dataclass
from typing import Literal

Stage = Literal["action", "before", "after", "picture"]
# A byte as it was when the episode began; as it stood before this frame; as the frame before left
# it, before any row wrote into it.
Since = Literal["start", "previous", "seen"]
Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Chance:
    """Holds with a probability: one uniform draw a frame."""

    probability: float


@dataclass(frozen=True, slots=True)
class Toggled:
    """A switch that is off at first and turned over with a probability; holds while it is on."""

    probability: float


@dataclass(frozen=True, slots=True)
class Changed:
    """Holds if some of the bytes (`exactly`: so many) differ from what they were."""

    bytes: tuple[int, ...]
    since: Since
    exactly: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """Holds if one of the bytes had the value in the frame before and has it no more."""

    bytes: tuple[int, ...]
    value: int


@dataclass(frozen=True, slots=True)
class HasBit:
    """Holds if one of the byte's lowest bits is set."""

    byte: int
    bits: int


@dataclass(frozen=True, slots=True)
class Fires:
    """Holds if the action that was executed is one of FIRE, UPFIRE, RIGHTFIRE and LEFTFIRE."""


@dataclass(frozen=True, slots=True)
class Once:
    """Holds until the row has acted in this episode, or has for each value of a byte's remainder.

    It has acted when its conditions have held, whether or not anything then changed.

    Attributes:
        byte: The address, or None for once an episode.
        modulus: What the byte is divided by.
    """

    byte: int | None = None
    modulus: int = 1


@dataclass(frozen=True, slots=True)
class NotBefore:
    """Holds from so many frames on."""

    frame: int


Condition = Chance | Toggled | Changed | Left | HasBit | Fires | Once | NotBefore


@dataclass(frozen=True, slots=True)
class RandomAction:
    """Executes an action that is drawn uniformly, from the first `number` ones or from all."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """Of a grid of bytes, those in columns whose stretch of the screen covers an object.

    The column of byte i is i % columns. Column c reaches from left + width c to
    left + width (c + 1) - 1.

    Attributes:
        byte: That holds the object's x.
        columns: Of the grid.
        left: Of the grid, in pixels.
        width: Of a column, in pixels.
    """

    byte: int
    columns: int
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Restore:
    """Gives bytes that differ their old values back.

    Attributes:
        bytes: Which may be restored.
        since: Differ from when.
        one: Only one of them, drawn uniformly.
        under: Only those in these columns.
        cancels_reward: The frame's reward becomes 0, if a byte was restored.
        is_score: The bytes are what the emulator computes rewards from, so that it takes the reward
            back in the next frame.
    """

    bytes: tuple[int, ...]
    since: Since
    one: bool = False
    under: Column | None = None
    cancels_reward: bool = False
    is_score: bool = False


@dataclass(frozen=True, slots=True)
class CopyStart:
    """Writes into bytes what others held when the episode began: (to, from)."""

    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Poke:
    """What is written into a byte: ``(old & keep) | value``.

    Attributes:
        byte: The address.
        value: What is written.
        keep: Bits of the old value that stay.
        only_if: The byte must hold this, else nothing is written.
        below: The byte must hold less than this, else nothing is written.
    """

    byte: int
    value: int
    keep: int = 0
    only_if: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class PokeByTable:
    """Writes a table's entry at the remainder of another byte."""

    byte: int
    table: tuple[int, ...]
    index: int


@dataclass(frozen=True, slots=True)
class Write:
    """Writes bytes into the RAM."""

    pokes: tuple[Poke, ...]


@dataclass(frozen=True, slots=True)
class OtherValue:
    """Writes into a byte one of the values below `number` that it is not at, drawn uniformly."""

    byte: int
    number: int


@dataclass(frozen=True, slots=True)
class ClearOneBit:
    """Clears one of the byte's lowest bits that are set, drawn uniformly."""

    byte: int
    bits: int


@dataclass(frozen=True, slots=True)
class NoReward:
    """The frame's reward becomes 0."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of one colour."""

    left: int
    right: int
    top: int
    bottom: int
    colour: Colour = BLACK


@dataclass(frozen=True, slots=True)
class Paint:
    """Paints rectangles over the picture, the last one on top."""

    rectangles: tuple[Rectangle, ...]


@dataclass(frozen=True, slots=True)
class Disc:
    """Leaves a disc about a point that is drawn uniformly; what is farther away turns black."""

    radius: int


@dataclass(frozen=True, slots=True)
class Peek:
    """Shows the picture that the game would draw with other bytes in its RAM.

    Attributes:
        pokes: The bytes.
        always: A picture is taken even if no byte changes.
    """

    pokes: tuple[Poke | PokeByTable, ...]
    always: bool = True


Effect = (
    RandomAction | Restore | CopyStart | Write | OtherValue | ClearOneBit | NoReward | Paint | Disc
    | Peek
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One perturbation.

    Attributes:
        stage: Before the action is chosen, before the frame, after it, or on its picture.
        when: All of these must hold.
        effects: What is done then.
        otherwise: What is done if not.
    """

    stage: Stage
    when: tuple[Condition, ...]
    effects: tuple[Effect, ...]
    otherwise: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """When rows are in force: kind 2.2, concept drift.

    Attributes:
        kind: ``always``; ``sudden``: from a step on; ``cyclic``: in every other stretch of steps.
        steps: The length of a stretch.
    """

    kind: Literal["always", "sudden", "cyclic"] = "always"
    steps: int = 0

    def in_force(self, step: int) -> bool:
        """Say whether rows are in force in a step, the first of which is 0."""
        if self.kind == "always":
            return True
        if self.kind == "sudden":
            return step >= self.steps
        return step // self.steps % 2 == 1
