"""Atari 100k: the canonical protocol and its variants."""

from dataclasses import replace

from rlbench.suites.atari.games import GAMES, REFERENCE_SOURCE
from rlbench.suites.suite import Protocol, Scalar, Suite, Task

# fmt: off
_NAMES = {
    "Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing", "Breakout",
    "ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway", "Frostbite", "Gopher", "Hero",
    "Jamesbond", "Kangaroo", "Krull", "KungFuMaster", "MsPacman", "Pong", "PrivateEye", "Qbert",
    "RoadRunner", "Seaquest", "UpNDown",
}
# fmt: on

_TASKS = tuple(
    Task(
        name=game.name,
        low=game.random,
        high=game.human,
        assets={"rom": game.rom, "rom_md5": game.rom_md5},
    )
    for game in GAMES
    if game.name in _NAMES
)

_PROTOCOL = Protocol(
    budget=100_000,
    train_envs=1,
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
        "grayscale": True,
        "height": 84,
        "width": 84,
        "stack": 4,
    },
)

_NOTES = (
    "The budget is 100,000 agent steps, which are 400,000 frames of play. Every call of step "
    "counts as one; resets and the no-op frames that they play are free.",
    "A reset plays 0 to 29 no-op frames: (next word of the slot's MT19937 x 30) >> 32. Without "
    "sticky actions the emulator is deterministic, so 100 evaluation episodes have at most 30 "
    "distinct starts; each record says how many it had.",
    "Rewards are raw and agents clip them as they like. Losing a life is reported (life_lost) and "
    "the game goes on; only the end of the game terminates an episode, and 27,000 steps (108,000 "
    "frames, no-ops not counted) truncate it.",
    "The score of a run is the mean raw return of 100 full episodes after the last training step, "
    "one in each of 100 slots. No exploration is added; an agent that wants some (0.001 is usual "
    "for value-based agents) adds it itself.",
    "The reference scores are older than this protocol, so random play under it does not "
    "normalise to 0 exactly. The agent `random`, which draws from the minimal action set, was "
    "measured at .013 on Pong and -.014 on Breakout (standard errors .001 and .003, 300 episodes "
    "each). On Boxing it was .04 (standard error .013, 1,100 episodes).",
)

ATARI100K = Suite(
    name="atari100k",
    version=1,
    title="Atari 100k",
    summary="26 Atari games in 100,000 steps each, without sticky actions.",
    notes=_NOTES,
    protocol=_PROTOCOL,
    tasks=_TASKS,
    references=("random", "human"),
    reference_source=REFERENCE_SOURCE,
    factory="rlbench.suites.atari.envs:make",
    papers="rlbench.suites.atari.papers:fields",
    extra="atari",
    packages=("ale-py",),
    engines="rlbench.suites.atari:engines.json",
)


def _variant(
    name: str, title: str, summary: str, notes: tuple[str, ...], **values: Scalar
) -> Suite:
    """Return Atari 100k with other constants, as a suite of its own."""
    protocol = replace(_PROTOCOL, environment={**_PROTOCOL.environment, **values})
    return replace(
        ATARI100K, name=name, title=title, summary=summary, notes=notes, protocol=protocol,
        starts_vary=protocol.environment["noop_max"] != 0,
    )  # fmt: skip


ATARI100K_STICKY = _variant(
    "atari100k-sticky",
    "Atari 100k, sticky actions",
    "Atari 100k with the stochasticity that Machado et al. 2018 recommend.",
    (
        _NOTES[0],
        "In every frame the emulator repeats the previous action with probability .25; all 18 "
        "actions are legal; there are no no-ops and lost lives are not reported (Machado et al. "
        "2018, section 5). Every episode starts in the same state.",
        *_NOTES[3:4],
        "The reference scores were not taken under this protocol.",
    ),
    sticky_actions=0.25,
    full_action_set=True,
    noop_max=0,
    life_loss_signal=False,
)

ATARI100K_RGB64 = _variant(
    "atari100k-rgb64",
    "Atari 100k, 64x64 colour",
    "Atari 100k with the picture of the world-model line: 64x64 in colour, no stack.",
    (
        *_NOTES[:1],
        "The picture is 64x64x3, resized by area after pooling the last two frames, as in DIAMOND; "
        "IRIS and DreamerV3 resize bilinearly.",
        *_NOTES[1:],
    ),
    grayscale=False,
    height=64,
    width=64,
    stack=1,
)
