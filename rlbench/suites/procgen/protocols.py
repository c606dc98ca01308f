"""Procgen: generalisation to levels that were not trained on, and sample efficiency on all levels.

Protocols and ranges are those of Cobbe et al. 2020. The easy minimum of jumper and of leaper is 3
in public copies of the paper's table, but 1 and 1.5 in the authors' own `constants.py` (the hard
values); here the paper's stand, which other papers normalise by.
"""

from collections.abc import Mapping
from math import inf
from typing import Literal, NamedTuple

from rlbench.suites.suite import Protocol, Scalar, Suite, Task


class _Game(NamedTuple):
    """A game with its ranges, ``(min, max)``, and the steps after which an episode is cut off.

    `solved` is what a game pays that has one reward, for completing a level.
    """

    name: str
    easy: tuple[float, float]
    hard: tuple[float, float]
    limit: int = 1000
    solved: float = inf


_GAMES = (
    _Game("bigfish", (1.0, 40.0), (0.0, 40.0), 6000),
    _Game("bossfight", (0.5, 13.0), (0.5, 13.0), 4000),
    _Game("caveflyer", (3.5, 12.0), (2.0, 13.4)),
    _Game("chaser", (0.5, 13.0), (0.5, 14.2)),
    _Game("climber", (2.0, 12.6), (1.0, 12.6)),
    _Game("coinrun", (5.0, 10.0), (5.0, 10.0), solved=10.0),
    _Game("dodgeball", (1.5, 19.0), (1.5, 19.0)),
    _Game("fruitbot", (-1.5, 32.4), (-0.5, 27.2)),
    _Game("heist", (3.5, 10.0), (2.0, 10.0), solved=10.0),
    _Game("jumper", (3.0, 10.0), (1.0, 10.0), solved=10.0),
    _Game("leaper", (3.0, 10.0), (1.5, 10.0), 500, solved=10.0),
    _Game("maze", (5.0, 10.0), (4.0, 10.0), 500, solved=10.0),
    _Game("miner", (1.5, 13.0), (1.5, 20.0)),
    _Game("ninja", (3.5, 10.0), (2.0, 10.0), solved=10.0),
    _Game("plunder", (4.5, 30.0), (3.0, 30.0), 4000),
    _Game("starpilot", (2.5, 64.0), (1.5, 35.0)),
)

_GENERAL = (
    "The picture is 64x64 in colour, without stack, frame skip or sticky actions; there are 15 "
    "actions, of which some do the same. Time-outs truncate.",
    "The policy is evaluated as the agent samples it. Scores may lie outside of [0, 1] and are not "
    "clipped.",
)
_LEVELS = (
    "Training plays levels 0 to the number of training levels less one. The evaluation `test` "
    "draws from all 2^31 - 1 levels, `train` from the training levels. A run's score is its test "
    "score; the generalisation gap is train less test.",
)
_MINI = ("coinrun", "bigfish", "maze", "starpilot")


def _suite(
    name: str,
    title: str,
    summary: str,
    *,
    mode: Literal["easy", "hard"],
    levels: int,
    budget: int,
    points: int = 10,
    episodes: int = 1000,
    games: tuple[str, ...] = (),
) -> Suite:
    """Return a suite of Procgen.

    Args:
        name: Its name.
        title: Its title.
        summary: What is trained on and evaluated on.
        mode: How hard the levels are.
        levels: How many to train on; 0 for all, without an evaluation of its own.
        budget: In steps.
        points: How often the agent is evaluated, the end included.
        episodes: Of each evaluation at the end.
        games: Which; by default all 16.
    """
    evaluations: dict[str, Mapping[str, Scalar]] = {"test": {}}
    if levels:
        evaluations["train"] = {"eval_levels": levels}
    played = f"{episodes:,} episodes of each evaluation" if levels else f"{episodes:,} episodes"
    return Suite(
        name=name,
        version=1,
        title=title,
        summary=summary,
        notes=(
            *(_LEVELS if levels else ()),
            *_GENERAL,
            f"The agent is evaluated {points} times, equally spaced: 100 episodes of each "
            f"evaluation before the end, {played} at the end, as many in each of 100 slots.",
        ),
        protocol=Protocol(
            budget=budget,
            train_envs=64,
            eval_points=tuple(range(budget // points, budget, budget // points)),
            episodes=episodes,
            point_episodes=100,
            eval_envs=100,
            evaluations=evaluations,
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
        tasks=tuple(_task(game, mode) for game in _GAMES if not games or game.name in games),
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
        packages=("envpool", "procgen", "Qt"),
        versions="rlbench.suites.procgen.engine:versions",
        engines="rlbench.suites.procgen:engines.json",
    )


def _task(game: _Game, mode: Literal["easy", "hard"]) -> Task:
    """Return a game's task in a mode."""
    low, high = game.easy if mode == "easy" else game.hard
    return Task(
        name=game.name,
        low=low,
        high=high,
        overrides={} if game.limit == 1000 else {"max_episode_steps": game.limit},
        returns=(0.0, game.solved) if game.solved < inf else (-inf, inf),
    )


PROCGEN_EASY = _suite(
    "procgen-easy", "Procgen, easy",
    "16 games, 200 easy levels to train on, 25,000,000 steps each; evaluated on all levels.",
    mode="easy", levels=200, budget=25_000_000,
)  # fmt: skip
PROCGEN_HARD = _suite(
    "procgen-hard", "Procgen, hard",
    "16 games, 500 hard levels to train on, 200,000,000 steps each; evaluated on all levels.",
    mode="hard", levels=500, budget=200_000_000,
)  # fmt: skip
PROCGEN_EASY_ALL = _suite(
    "procgen-easy-all", "Procgen, easy, sample efficiency",
    "16 games, trained and evaluated on all easy levels, 25,000,000 steps each.",
    mode="easy", levels=0, budget=25_000_000,
)  # fmt: skip
PROCGEN_HARD_ALL = _suite(
    "procgen-hard-all", "Procgen, hard, sample efficiency",
    "16 games, trained and evaluated on all hard levels, 200,000,000 steps each.",
    mode="hard", levels=0, budget=200_000_000,
)  # fmt: skip
PROCGEN_MINI = _suite(
    "procgen-mini", "Procgen, mini",
    "4 games, 200 easy levels to train on, 2,000,000 steps each, for people without a cluster.",
    mode="easy", levels=200, budget=2_000_000, points=4, episodes=200, games=_MINI,
)  # fmt: skip
