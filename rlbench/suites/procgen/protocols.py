"""Procgen: generalisation to levels that were not trained on, easy and hard, as boards.

Protocols and ranges are those of Cobbe et al. 2020; the environments are to come. The easy minimum
of jumper and of leaper is 3 in public copies of the paper's table, but 1 and 1.5 in the authors'
own `constants.py` (the hard values); here the paper's stand, which other papers normalise by.
"""

from typing import NamedTuple

from rlbench.suites.suite import Protocol, Suite, Task


class _Game(NamedTuple):
    """A game with its ranges, ``(min, max)``, and the steps after which an episode is cut off."""

    name: str
    easy: tuple[float, float]
    hard: tuple[float, float]
    limit: int = 1000


_GAMES = (
    _Game("bigfish", (1.0, 40.0), (0.0, 40.0), 6000),
    _Game("bossfight", (0.5, 13.0), (0.5, 13.0), 4000),
    _Game("caveflyer", (3.5, 12.0), (2.0, 13.4)),
    _Game("chaser", (0.5, 13.0), (0.5, 14.2)),
    _Game("climber", (2.0, 12.6), (1.0, 12.6)),
    _Game("coinrun", (5.0, 10.0), (5.0, 10.0)),
    _Game("dodgeball", (1.5, 19.0), (1.5, 19.0)),
    _Game("fruitbot", (-1.5, 32.4), (-0.5, 27.2)),
    _Game("heist", (3.5, 10.0), (2.0, 10.0)),
    _Game("jumper", (3.0, 10.0), (1.0, 10.0)),
    _Game("leaper", (3.0, 10.0), (1.5, 10.0), 500),
    _Game("maze", (5.0, 10.0), (4.0, 10.0), 500),
    _Game("miner", (1.5, 13.0), (1.5, 20.0)),
    _Game("ninja", (3.5, 10.0), (2.0, 10.0)),
    _Game("plunder", (4.5, 30.0), (3.0, 30.0), 4000),
    _Game("starpilot", (2.5, 64.0), (1.5, 35.0)),
)

_NOTES = (
    "Training plays levels 0 to the number of training levels less one; evaluation draws from all "
    "levels, with the policy sampled as the agent samples it.",
    "The picture is 64x64 in colour, without stack, frame skip or sticky actions; there are 15 "
    "actions, of which some do the same.",
    "The score of a run is the mean return of 1,000 test episodes after the last training step. "
    "After each tenth of the budget 100 test episodes and 100 on training levels are played. "
    "Scores may lie outside of [0, 1] and are not clipped.",
)


def _suite(mode: str, levels: int, budget: int) -> Suite:
    """Return the board of a mode, ``easy`` or ``hard``."""
    return Suite(
        name=f"procgen-{mode}",
        version=1,
        title=f"Procgen, {mode}",
        summary=f"16 games, {levels} {mode} levels to train on, {budget:,} steps each; all levels "
        "to be evaluated on.",
        notes=_NOTES,
        protocol=Protocol(
            budget=budget,
            train_envs=64,
            eval_points=tuple(range(budget // 10, budget, budget // 10)),
            episodes=1000,
            point_episodes=100,
            eval_envs=100,
            evaluations={"test": {}, "train": {"eval_levels": levels}},
            max_episode_steps=1000,
            environment={
                "distribution_mode": mode,
                "train_levels": levels,
                "eval_levels": 0,
                "center_agent": True,
                "use_backgrounds": True,
                "restrict_themes": False,
                "use_monochrome_assets": False,
                "height": 64,
                "width": 64,
            },
        ),
        tasks=tuple(
            Task(
                name=game.name,
                low=(game.easy if mode == "easy" else game.hard)[0],
                high=(game.easy if mode == "easy" else game.hard)[1],
                overrides={} if game.limit == 1000 else {"max_episode_steps": game.limit},
            )
            for game in _GAMES
        ),
        references=("min", "max"),
        reference_source=(
            "Cobbe et al. 2020, appendix C; openai/train-procgen@1a2ae21 constants.py has the same "
            "but for the easy minimum of jumper (1) and leaper (1.5). The hard ranges are also in "
            "openai/phasic-policy-gradient@7295473 and danijar/dreamerv3@e3f0224, all alike"
        ),
        factory="rlbench.suites.procgen.envs:make",
        papers="rlbench.suites.procgen.papers:fields",
        replays=False,
        extra="procgen",
        packages=("envpool", "Qt"),
    )


PROCGEN_EASY = _suite("easy", 200, 25_000_000)
PROCGEN_HARD = _suite("hard", 500, 200_000_000)
