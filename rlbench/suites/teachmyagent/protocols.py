"""TeachMyAgent: curricula on parkour and stump tracks.

The protocols of 20,000,000 steps are those of Romac et al. 2021 and of flowersteam/TeachMyAgent
(commit ce15344); those of 1,000,000 steps are ours, for people without a cluster.
"""

from dataclasses import replace

from rlbench.suites.papers import Constants, Field, field, number
from rlbench.suites.suite import Protocol, Scalar, Suite, Task

_MASTERED = 230.0
_FACTORY = "rlbench.suites.teachmyagent.envs:make"

# The original's terrain network, drawn once and never trained, and its test sets (MIT).
SHA256 = {
    "parkour_cppn.npz": "e2b7925bdf429662fea53a8d79e4e7d96cef24dd90e743b3d05412a21244f931",
    "parkour_test_sets.npz": "1594628383916448d3a4ffbbef62665a145eccadabaf5d148e07f533bdc69668",
}

_NOTES = (
    "A teacher proposes the parameters of each training episode. It may know the range of rewards "
    "and the return from which a task counts as mastered, but not which tasks are easy (what the "
    "original calls low expert knowledge).",
    "The score of a run is the percentage of 100 fixed test tasks whose return is above 230, one "
    "episode each, after the last training step. The original's code says above; its paper and "
    "model cards say 230 or more.",
    "Many test tasks cannot be solved by every body, so 100 is out of reach.",
)
_REFERENCE_SOURCE = "by definition: a percentage of test tasks"


def _protocol(environment: dict[str, Scalar]) -> Protocol:
    return Protocol(
        kind="curriculum",
        budget=20_000_000,
        eval_points=tuple(range(500_000, 20_000_000, 500_000)),
        episodes=100,
        eval_envs=100,
        max_episode_steps=2000,
        score_rule="percent_above",
        score_threshold=_MASTERED,
        environment=environment,
    )


def _task(name: str, **overrides: Scalar) -> Task:
    return Task(name=name, low=0.0, high=100.0, overrides=overrides)


def _parkour_task(name: str, **overrides: Scalar) -> Task:
    assets = {name.partition(".")[0] + "_sha256": digest for name, digest in SHA256.items()}
    return replace(_task(name, **overrides), assets=assets)


def _in_a_million(suite: Suite) -> Suite:
    """Return a suite with a budget of 1,000,000 steps."""
    protocol = replace(suite.protocol, budget=1_000_000, eval_points=(250_000, 500_000, 750_000))
    return replace(
        suite,
        name=f"{suite.name}-1m",
        title=f"{suite.title}, 1,000,000 steps",
        summary=suite.summary.replace("20,000,000", "1,000,000"),
        notes=(*suite.notes, "The budget is a twentieth of the original's."),
        protocol=protocol,
        papers="",
    )


def fields(constants: Constants) -> dict[str, Field]:
    """Return what tells published protocols apart; the budget is in steps."""
    return {
        "budget": number(constants, "budget"),
        "expert_knowledge": field(constants, "expert_knowledge"),
        "mastered_above": field(constants, "score_threshold"),
    }


PARKOUR = Suite(
    name="parkour",
    version=1,
    title="TeachMyAgent, parkour",
    summary="3 bodies on generated terrain with water and creepers, 20,000,000 steps each.",
    notes=(
        *_NOTES,
        "The terrain is drawn by a fixed network from three numbers of the box called medium, "
        "[-0.35, 0.05] x [0.6, 1.0] x [-0.1, 0.3]. The other parameters are the water level in "
        "[0, 1], and the height [0, 4] and spacing [0, 5] of the creepers.",
    ),
    protocol=_protocol(
        {
            "body": "old_classic_bipedal",
            "lidar": "down",
            "test_set": "walking",
            "terrain": "medium",
            "network": "original",
            "expert_knowledge": "low",
        }
    ),
    tasks=(
        _parkour_task("bipedal_walker"),
        _parkour_task("fish", body="fish", lidar="full", test_set="swimming"),
        _parkour_task(
            "climber",
            body="climbing_profile_chimpanzee",
            lidar="up",
            test_set="climbing",
        ),
    ),
    references=("none", "all"),
    reference_source=_REFERENCE_SOURCE,
    factory=_FACTORY,
    papers="rlbench.suites.teachmyagent.protocols:fields",
    replays=False,
    parameters=(
        "terrain 1",
        "terrain 2",
        "terrain 3",
        "water",
        "creeper height",
        "creeper spacing",
    ),
    extra="parkour",
    packages=("box2d",),
    engines="rlbench.suites.teachmyagent:engines.json",
)

STUMP_TRACKS = Suite(
    name="stump-tracks",
    version=1,
    title="TeachMyAgent, stump tracks",
    summary="Challenges of a teacher on tracks with stumps, 20,000,000 steps each.",
    notes=(
        *_NOTES,
        "The parameters are the mean height of the stumps and the space between them, in [0, 6]. "
        "All challenges are tested on the same 10 x 10 grid, of heights in [0, 3] and spaces in "
        "[0, 6]. In `rugged` each dimension is cut in four intervals whose order is shuffled.",
        "The challenge of the forgetful student concerns the agent and is not here. The original "
        "publishes charts but no figures, so there are no published scores.",
    ),
    protocol=_protocol(
        {
            "body": "old_classic_bipedal",
            "lidar": "down",
            "test_set": "stumps",
            "height_low": 0.0,
            "height_high": 3.0,
            "shuffled": False,
            "expert_knowledge": "low",
        }
    ),
    tasks=(
        _task("plain"),
        _task("mostly_unfeasible", height_high=9.0),
        _task("mostly_feasible", height_low=-3.0),
        _task("rugged", shuffled=True),
        _task("spider", body="spider"),
        _task("small_bipedal", body="small_bipedal"),
    ),
    references=("none", "all"),
    reference_source=_REFERENCE_SOURCE,
    factory=_FACTORY,
    replays=False,
    parameters=("stump height", "space between stumps"),
    extra="parkour",
    packages=("box2d",),
    engines="rlbench.suites.teachmyagent:engines.json",
)

PARKOUR_1M = _in_a_million(PARKOUR)
STUMP_TRACKS_1M = _in_a_million(STUMP_TRACKS)

PARKOUR_BODIES = replace(
    PARKOUR,
    name="parkour-bodies",
    title="TeachMyAgent, parkour with every body",
    summary="13 bodies on generated terrain with water and creepers, 20,000,000 steps each.",
    notes=(
        *PARKOUR.notes,
        "Walkers and the amphibian are tested on the tasks for walking, which the original picked "
        "for a bipedal walker; nobody has picked any for the amphibian.",
    ),
    tasks=(
        *(
            _parkour_task(body, body=body)
            for body in (
                "old_classic_bipedal", "classic_bipedal", "small_bipedal", "old_big_quadru",
                "big_quadru", "spider", "millipede", "wheel", "profile_chimpanzee",
            )
        ),
        _parkour_task("amphibious_bipedal", body="amphibious_bipedal", lidar="full"),
        _parkour_task("fish", body="fish", lidar="full", test_set="swimming"),
        *(
            _parkour_task(body, body=body, lidar="up", test_set="climbing")
            for body in ("climbing_profile_chimpanzee", "climbing_chest_profile_chimpanzee")
        ),
    ),
    papers="",
)  # fmt: skip
