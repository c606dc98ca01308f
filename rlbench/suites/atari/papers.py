"""The fields of published protocols on Atari games, in the terms of our constants."""

from rlbench.suites.papers import Constants, Field, field, number, picture


def fields(constants: Constants) -> dict[str, Field]:
    """Return what tells protocols apart; the budget is in frames of play."""
    reported = constants["life_loss_signal"]
    return {
        "budget": number(constants, "budget") * number(constants, "frame_skip"),
        "sticky_actions": field(constants, "sticky_actions"),
        "action_set": "all" if constants["full_action_set"] else "minimal",
        "image": picture(constants, "gray" if constants["grayscale"] else "colour"),
        "resize": "area",
        "stack": field(constants, "stack"),
        "no_ops": f"0 to {number(constants, 'noop_max') - 1} frames"
        if constants["noop_max"]
        else "none",
        "life_loss": "reported, the game goes on" if reported else "not reported",
        "episode_limit": field(constants, "max_episode_steps"),
    }
