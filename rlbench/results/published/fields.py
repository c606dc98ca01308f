"""What tells published scores apart: protocols field by field, and how they differ from ours.

A field that nobody could find out is None. Scores are ranked only among rows whose fields are all
known and the same. The budget counts frames of play (Atari, STORI), control steps (DMC), steps
(Procgen, parkour) or updates (NeoRL-2); the episode limit is that of training, in steps.
"""

from collections.abc import Mapping
from typing import NamedTuple

from rlbench.suites import Suite
from rlbench.suites.papers import Field

Fields = Mapping[str, Field]

SEPARATE = "separate evaluation"
LAST = "last"
BEST_OF_GRID = "best of grid"
DIGITISED = "digitised"
NEVER_RANKED: Mapping[str, str] = {
    BEST_OF_GRID: "its options were chosen by the score that it reports",
    DIGITISED: "its scores were read from a picture",
}
_ABOUT = 0.005  # logs end a little before or after the budget; so much is the same budget


class Deviation(NamedTuple):
    """A field in which a protocol differs from another.

    Attributes:
        field: The field.
        ours: The suite's value.
        theirs: The published one; None if it is not known.
    """

    field: str
    ours: Field
    theirs: Field


def fields_of(suite: Suite) -> dict[str, Field]:
    """Return the fields of a suite's protocol, computed from its constants.

    Raises:
        UsageError: No published score is of a suite like it.
    """
    return {
        **suite.paper_fields(),
        "episodes": suite.protocol.episodes,
        "score": SEPARATE,
        "selection": LAST,
    }


def differences(ours: Fields, theirs: Fields) -> tuple[Deviation, ...]:
    """Return the fields in which a published protocol differs, or may differ, from ours."""
    return tuple(
        Deviation(name, value, theirs[name])
        for name, value in ours.items()
        if theirs[name] is None or not _same(name, value, theirs[name])
    )


def in_words(deviations: tuple[Deviation, ...]) -> str:
    """Return deviations in one line, e.g. ``no ops 0 to 29 agent steps (ours 0 to 29 frames)``."""
    known = [
        f"{_name(d.field)} {_text(d.theirs)} (ours {_text(d.ours)})"
        for d in deviations
        if d.theirs is not None
    ]
    unknown = [_name(d.field) for d in deviations if d.theirs is None]
    return "; ".join([*known, *([f"not known: {', '.join(unknown)}"] if unknown else [])]) or "none"


def _same(name: str, ours: Field, theirs: Field) -> bool:
    if name == "budget" and isinstance(ours, int) and isinstance(theirs, int):
        return abs(theirs - ours) <= _ABOUT * ours
    return ours == theirs


def _name(field: str) -> str:
    return field.replace("_", " ")


def _text(value: Field) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
