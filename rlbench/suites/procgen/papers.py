"""The fields of published protocols on Procgen, in the terms of our constants."""

from rlbench.suites.papers import Constants, Field, field, number


def fields(constants: Constants) -> dict[str, Field]:
    """Return what tells protocols apart; the budget is in steps."""
    return {
        "budget": number(constants, "budget"),
        "levels": field(constants, "distribution_mode"),
        "train_levels": _levels(number(constants, "train_levels")),
        "scored_on": f"{_levels(number(constants, 'eval_levels'))} levels",
    }


def _levels(number: int) -> str:
    return str(number) if number else "all"
