"""The fields of published protocols on DeepMind Control, in the terms of our constants."""

from rlbench.suites.papers import Constants, Field, field, number, picture


def fields(constants: Constants) -> dict[str, Field]:
    """Return what tells published protocols apart; the budget is in control steps."""
    pixels = constants["observation"] == "pixels"
    return {
        "budget": number(constants, "budget") * number(constants, "action_repeat"),
        "action_repeat": field(constants, "action_repeat"),
        "observation": picture(constants, "colour") if pixels else "state",
        "stack": field(constants, "stack") if pixels else 1,
    }
