"""The DeepMind Control Suite from states, from pixels, and its hardest bodies, as boards.

The environments are to come. The 20 tasks from pixels are those of DreamerV3's released scores
(Hafner et al. 2025); from states there are 8 more, the dog's, the humanoid's and fish swim, which
makes the 28 of SimbaV2's (Lee et al. 2025). Picture, stack and cameras are those of DrQ-v2's code
(Yarats et al. 2022).
"""

from rlbench.suites.papers import Constants, Field, field, number, picture
from rlbench.suites.suite import Protocol, Scalar, Suite, Task

_VISION = (
    "acrobot_swingup", "ball_in_cup_catch", "cartpole_balance", "cartpole_balance_sparse",
    "cartpole_swingup", "cartpole_swingup_sparse", "cheetah_run", "finger_spin",
    "finger_turn_easy", "finger_turn_hard", "hopper_hop", "hopper_stand", "pendulum_swingup",
    "quadruped_run", "quadruped_walk", "reacher_easy", "reacher_hard", "walker_run",
    "walker_stand", "walker_walk",
)  # fmt: skip
_HARD = (
    "dog_run", "dog_stand", "dog_trot", "dog_walk", "humanoid_run", "humanoid_stand",
    "humanoid_walk",
)  # fmt: skip
_STATE = tuple(sorted((*_VISION, *_HARD, "fish_swim")))

_NOTES = (
    "A step repeats its action for two control steps; an episode is 1,000 control steps, which are "
    "500 steps, and ends by time only. The budget of 500,000 steps is 1,000,000 control steps, "
    'which papers call frames or "env steps".',
    "The score of a run is the mean return of 10 episodes after the last training step.",
    "The reward of a control step is in [0, 1], so a return is in [0, 1000] by definition.",
)
_REFERENCE_SOURCE = "by definition: each of 1,000 control steps has a reward in [0, 1]"


def _tasks(names: tuple[str, ...], *, cameras: bool) -> tuple[Task, ...]:
    quadruped: dict[str, Scalar] = {"camera": 2}
    return tuple(
        Task(
            name=name,
            low=0.0,
            high=1000.0,
            returns=(0.0, 1000.0),
            overrides=quadruped if cameras and name.startswith("quadruped") else {},
        )
        for name in names
    )


def _protocol(**environment: Scalar) -> Protocol:
    return Protocol(
        budget=500_000,
        eval_points=tuple(range(25_000, 500_000, 25_000)),
        episodes=10,
        eval_envs=10,
        max_episode_steps=500,
        environment={"action_repeat": 2, **environment},
    )


def fields(constants: Constants) -> dict[str, Field]:
    """Return what tells published protocols apart; the budget is in control steps."""
    pixels = constants["observation"] == "pixels"
    return {
        "budget": number(constants, "budget") * number(constants, "action_repeat"),
        "action_repeat": field(constants, "action_repeat"),
        "observation": picture(constants, "colour") if pixels else "state",
        "stack": field(constants, "stack") if pixels else 1,
    }


DMC_STATE = Suite(
    name="dmc-state",
    version=1,
    title="DeepMind Control from states",
    summary="28 tasks of continuous control from states, 1,000,000 control steps each.",
    notes=_NOTES,
    protocol=_protocol(observation="state"),
    tasks=_tasks(_STATE, cameras=False),
    references=("min", "max"),
    reference_source=_REFERENCE_SOURCE,
    factory="",
    papers="rlbench.suites.dmc:fields",
    extra="",
)

DMC_HARD = Suite(
    name="dmc-hard",
    version=1,
    title="DeepMind Control, hard bodies",
    summary="The dog and the humanoid from states, 1,000,000 control steps each.",
    notes=_NOTES,
    protocol=_protocol(observation="state"),
    tasks=_tasks(_HARD, cameras=False),
    references=("min", "max"),
    reference_source=_REFERENCE_SOURCE,
    factory="",
    papers="rlbench.suites.dmc:fields",
    extra="",
)

DMC_VISION = Suite(
    name="dmc-vision",
    version=1,
    title="DeepMind Control from pixels",
    summary="20 tasks of continuous control from pixels, 1,000,000 control steps each.",
    notes=(
        *_NOTES,
        "The picture is 84x84 in colour from the camera 0 (quadruped: 2), three of them stacked, "
        "as in DrQ-v2; others take 64x64.",
    ),
    protocol=_protocol(observation="pixels", height=84, width=84, stack=3, camera=0),
    tasks=_tasks(_VISION, cameras=True),
    references=("min", "max"),
    reference_source=_REFERENCE_SOURCE,
    factory="",
    papers="rlbench.suites.dmc:fields",
    extra="",
)
