"""The STORI suites: four Atari games under kinds of stochasticity and partial observation.

The 24 settings are those of `Exp_configs.json` in ARY2260/stori (commit 84a1380; Barsainyan, Lim
and Liu 2025, arXiv 2509.01793).
"""

from dataclasses import replace
from typing import NamedTuple

from rlbench.suites.atari.games import GAMES, REFERENCE_SOURCE
from rlbench.suites.suite import Protocol, Scalar, Suite, Task


class _Setting(NamedTuple):
    """What disturbs a game.

    Attributes:
        game: The game.
        name: The kind of the original's taxonomy, and a letter where the game has it twice.
        effect: What is done, as the original numbers it.
        probability: How likely it is done in a frame.
        drift: How the disturbance comes and goes (kind 2.2).
        drift_steps: After how many steps it does.
    """

    game: str
    name: str
    effect: str
    probability: float
    drift: str = "none"
    drift_steps: int = 0


_SETTINGS = (
    _Setting("Breakout", "1", "random action", 0.3),
    _Setting("Breakout", "2.1", "event 2", 0.25),
    _Setting("Breakout", "2.2", "blackout 10", 1.0, "sudden", 300),
    _Setting("Breakout", "3.1", "none", 0.0),
    _Setting("Breakout", "3.2A", "blackout 10", 1.0),
    _Setting("Breakout", "3.2B", "crop 1", 0.75),
    _Setting("Breakout", "3.2C", "crop 5", 1.0),
    _Setting("Boxing", "1", "random action", 0.3),
    _Setting("Boxing", "2.1", "event 1", 0.001),
    _Setting("Boxing", "2.2", "ram 2", 0.7, "sudden", 300),
    _Setting("Boxing", "3.1", "none", 0.0),
    _Setting("Boxing", "3.2A", "blackout 9", 1.0),
    _Setting("Boxing", "3.2B", "crop 2", 0.75),
    _Setting("Boxing", "3.2C", "ram 2", 0.7),
    _Setting("Gopher", "1", "random action", 0.3),
    _Setting("Gopher", "2.1", "event 2", 0.3),
    _Setting("Gopher", "2.2", "blackout 6", 1.0, "cyclic", 600),
    _Setting("Gopher", "3.1", "none", 0.0),
    _Setting("Gopher", "3.2", "blackout 6", 1.0),
    _Setting("BankHeist", "1", "random action of the first 10", 0.3),
    _Setting("BankHeist", "2.1", "event 3", 0.001),
    _Setting("BankHeist", "2.2", "ram 3", 0.75, "cyclic", 600),
    _Setting("BankHeist", "3.1", "none", 0.0),
    _Setting("BankHeist", "3.2", "ram 3", 0.75),
)

CLEAN = "3.1"  # the kind that disturbs nothing
_GAMES = {game.name: game for game in GAMES}


def _task(setting: _Setting) -> Task:
    game = _GAMES[setting.game]
    overrides: dict[str, Scalar] = {
        "stochasticity": setting.name[:3].rstrip("ABC"),
        "effect": setting.effect,
        "probability": setting.probability,
        "drift": setting.drift,
        "drift_steps": setting.drift_steps,
    }
    return Task(
        name=f"{game.name}/{setting.name}",
        low=game.random,
        high=game.human,
        assets={"rom": game.rom, "rom_md5": game.rom_md5},
        overrides=overrides,
        clean="" if setting.name == CLEAN else f"{game.name}/{CLEAN}",
    )


_KINDS = (
    "The kinds: in 1 the action is sometimes replaced, in 2.1 events of the game happen at random, "
    "and 2.2 drifts between 3.1 and another kind. 3.1 is the game as it is, and 3.2 hides parts of "
    "the picture. Probabilities are per frame, not per step."
)
_REFERENCES = (
    "The original has no normalised scores and no reference scores for its settings. Here all "
    "settings of a game are normalised by the random and human scores of the game as it is, so "
    "that they stand on one scale; 0 is random play in 3.1 only. `rlbench stats --retention` gives "
    "the share of the score in 3.1 that an agent keeps in each kind."
)

STORI = Suite(
    name="stori",
    version=1,
    title="STORI",
    summary="4 Atari games in 24 stochastic or partly observed settings, 100,000 steps each.",
    notes=(
        _KINDS,
        "The budget is 100,000 agent steps, which are 400,000 frames of play. Training and "
        "evaluation have the same setting.",
        "The settings are those of the original without its faults, which the protocol card "
        "lists. All randomness comes from the environment's seed, with one stream per "
        "perturbation. A cancelled hit does not give the opposite reward. Masks hide parts of the "
        "current frame's picture.",
        _REFERENCES,
    ),
    protocol=Protocol(
        budget=100_000,
        episodes=100,
        eval_envs=100,
        max_episode_steps=27_000,
        environment={
            "frame_skip": 4,
            "max_pool": True,
            "sticky_actions": 0.0,
            "full_action_set": False,
            "noop_max": 30,
            "life_loss_signal": True,
            "grayscale": False,
            "height": 64,
            "width": 64,
            "stack": 1,
            "stochasticity": CLEAN,
            "effect": "none",
            "probability": 0.0,
            "drift": "none",
            "drift_steps": 0,
            "train_clean": False,
            "original": False,
        },
    ),
    tasks=tuple(_task(setting) for setting in _SETTINGS),
    references=("random", "human"),
    reference_source=f"of the undisturbed games: {REFERENCE_SOURCE}",
    factory="rlbench.suites.stori.envs:make",
    papers="rlbench.suites.atari.papers:fields",
    extra="atari",
    packages=("ale-py",),
    engines="rlbench.suites.atari:engines.json",
)

STORI_ORIGINAL = replace(
    STORI,
    name="stori-original",
    title="STORI, as published",
    summary="STORI exactly as the original package does it, faults included.",
    notes=(
        _KINDS,
        STORI.notes[1],
        "Episodes begin without no-ops, as in the original's STORM. What the original draws from "
        "global generators comes from the environment's seed here. Given the same draws, every "
        "frame is the same, bit for bit.",
        "A hit that is cancelled in Boxing gives the opposite reward in the next frame. A hidden "
        "picture is that of one NOOP ahead. In 2.2 a sudden drift comes one step early, and each "
        "switch restarts the disturbance. `stori` corrects these.",
        _REFERENCES,
    ),
    protocol=replace(
        STORI.protocol,
        environment={**STORI.protocol.environment, "noop_max": 0, "original": True},
    ),
    starts_vary=False,
)

STORI_TRANSFER = replace(
    STORI,
    name="stori-transfer",
    title="STORI, transfer",
    summary="STORI's settings met for the first time in evaluation: trained in the game as it is.",
    notes=(
        _KINDS,
        "The budget is 100,000 agent steps, which are 400,000 frames of play. Training is in the "
        "game as it is (3.1), evaluation in the task's setting, which the agent is not told.",
        *STORI.notes[2:],
    ),
    protocol=replace(
        STORI.protocol, environment={**STORI.protocol.environment, "train_clean": True}
    ),
    papers="",
)
