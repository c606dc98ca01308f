"""What tells published scores apart: protocols field by field, and how they differ from ours.

A field that nobody could find out is None. Scores are ranked only among rows whose fields are all
known and the same. The budget counts frames of play (Atari, STORI), control steps (DMC), steps
(Procgen, parkour) or updates (NeoRL-2); the episode limit is that of training, in steps.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rlbench.errors import UsageError
from rlbench.suites import Constant, Suite

Field = bool | int | float | str | None
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
    if suite.name not in _BOARDS:
        raise UsageError(
            f"there are no published scores of {suite.id}; there are of {', '.join(_BOARDS)}"
        )
    constants = suite.protocol.constants()
    return {
        **_BOARDS[suite.name](constants),
        "episodes": _number(constants, "episodes"),
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


def _number(constants: Mapping[str, Constant], name: str) -> int:
    value = constants[name]
    assert isinstance(value, int)
    return value


def _field(constants: Mapping[str, Constant], name: str) -> Field:
    value = constants[name]
    assert not isinstance(value, tuple)
    return value


def _picture(constants: Mapping[str, Constant], colours: str) -> str:
    return f"{constants['height']}x{constants['width']} {colours}"


def _atari(constants: Mapping[str, Constant]) -> dict[str, Field]:
    reported = constants["life_loss_signal"]
    return {
        "budget": _number(constants, "budget") * _number(constants, "frame_skip"),
        "sticky_actions": _field(constants, "sticky_actions"),
        "action_set": "all" if constants["full_action_set"] else "minimal",
        "image": _picture(constants, "gray" if constants["grayscale"] else "colour"),
        "resize": "area",
        "stack": _field(constants, "stack"),
        "no_ops": f"0 to {_number(constants, 'noop_max') - 1} frames"
        if constants["noop_max"]
        else "none",
        "life_loss": "reported, the game goes on" if reported else "not reported",
        "episode_limit": _field(constants, "max_episode_steps"),
    }


def _dmc(constants: Mapping[str, Constant]) -> dict[str, Field]:
    pixels = constants["observation"] == "pixels"
    return {
        "budget": _number(constants, "budget") * _number(constants, "action_repeat"),
        "action_repeat": _field(constants, "action_repeat"),
        "observation": _picture(constants, "colour") if pixels else "state",
        "stack": _field(constants, "stack") if pixels else 1,
    }


def _procgen(constants: Mapping[str, Constant]) -> dict[str, Field]:
    return {
        "budget": _number(constants, "budget"),
        "levels": _field(constants, "distribution_mode"),
        "train_levels": _levels(_number(constants, "train_levels")),
        "scored_on": f"{_levels(_number(constants, 'eval_levels'))} levels",
    }


def _levels(number: int) -> str:
    return str(number) if number else "all"


def _curriculum(constants: Mapping[str, Constant]) -> dict[str, Field]:
    return {
        "budget": _number(constants, "budget"),
        "expert_knowledge": _field(constants, "expert_knowledge"),
        "mastered_above": _field(constants, "score_threshold"),
    }


def _offline(constants: Mapping[str, Constant]) -> dict[str, Field]:
    return {
        "budget": _number(constants, "budget"),
        "dataset": _field(constants, "dataset"),
    }


_BOARDS: Mapping[str, Callable[[Mapping[str, Constant]], dict[str, Field]]] = {
    "atari100k": _atari,
    "atari100k-sticky": _atari,
    "atari100k-rgb64": _atari,
    "stori": _atari,
    "stori-original": _atari,
    "dmc-state": _dmc,
    "dmc-vision": _dmc,
    "dmc-hard": _dmc,
    "procgen-easy": _procgen,
    "procgen-hard": _procgen,
    "parkour": _curriculum,
    "neorl2": _offline,
}
