"""The DeepMind Control Suite from states, from pixels, its hardest bodies, and a small selection.

The 20 tasks from pixels are those of DreamerV3's released scores
(Hafner et al. 2025); from states there are 8 more, the dog's, the humanoid's and fish swim, which
makes the 28 of SimbaV2's (Lee et al. 2025). Picture, stack and cameras are those of DrQ-v2's code
(Yarats et al. 2022).
"""

from dataclasses import replace

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

_MINI = ("ball_in_cup_catch", "cartpole_swingup", "cheetah_run", "walker_walk")
_NOTES = (
    "A step is one decision of the agent: its action is repeated for two control steps. An episode "
    "is 500 steps (1,000 control steps) and ends by time only, so it is truncated, never "
    "terminated. The budget counts steps. Papers count control steps and call them frames or "
    '"env steps".',
    "The score of a run is the mean return of 10 episodes after the last training step.",
    "The reward of a control step is in [0, 1], so a return is in [0, 1000] by definition.",
    "Actions are in [-1, 1], scaled to what the actuators take. States, rewards and random starts "
    "are those of dm_control, computed in float64 by mujoco.batch; observations are float32.",
    "MuJoCo's versions differ in their trajectories. Each record holds the versions of MuJoCo and "
    "dm_control, and a hash of what the engine does.",
)


def _tasks(names: tuple[str, ...], *, cameras: bool = False) -> tuple[Task, ...]:
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


def _protocol(budget: int = 500_000, every: int = 25_000, **environment: Scalar) -> Protocol:
    return Protocol(
        budget=budget,
        eval_points=tuple(range(every, budget, every)),
        episodes=10,
        eval_envs=10,
        max_episode_steps=500,
        environment={"action_repeat": 2, **environment},
    )


DMC_STATE = Suite(
    name="dmc-state",
    version=1,
    title="DeepMind Control from states",
    summary="28 tasks of continuous control from states, 500,000 steps (1,000,000 control steps) "
    "each.",
    notes=_NOTES,
    protocol=_protocol(observation="state"),
    tasks=_tasks(_STATE),
    references=("min", "max"),
    reference_source="by definition: each of 1,000 control steps has a reward in [0, 1]",
    factory="rlbench.suites.dmc.envs:make",
    papers="rlbench.suites.dmc.papers:fields",
    extra="dmc",
    packages=("mujoco", "dm-control"),
    # Contacts amplify last digits, which differ from one processor to another: so few steps.
    engine_steps=20,
    engine_digits=4,
    engines="rlbench.suites.dmc:engines.json",
)

DMC_HARD = replace(
    DMC_STATE,
    name="dmc-hard",
    title="DeepMind Control, hard bodies",
    summary="The dog and the humanoid from states, 500,000 steps (1,000,000 control steps) each.",
    tasks=_tasks(_HARD),
)

DMC_MINI = replace(
    DMC_STATE,
    name="dmc-mini",
    title="DeepMind Control, a small selection",
    summary="4 tasks for one computer, 50,000 steps (100,000 control steps) each, from states.",
    protocol=_protocol(50_000, 5_000, observation="state"),
    tasks=_tasks(_MINI),
)

DMC_VISION = replace(
    DMC_STATE,
    name="dmc-vision",
    title="DeepMind Control from pixels",
    summary="20 tasks of continuous control from pixels, 500,000 steps (1,000,000 control steps) "
    "each.",
    notes=(
        *_NOTES,
        "The picture is 84x84 in colour from the camera 0 (quadruped: 2), three of them stacked, "
        "as in DrQ-v2; others take 64x64. An episode begins with three copies of the first one.",
        "Pictures are those of dm_control: its shadows and anti-aliasing. OpenGL's implementations "
        "differ in single pixels, so the hash of the engine tells them apart.",
    ),
    protocol=_protocol(observation="pixels", height=84, width=84, stack=3, camera=0),
    tasks=_tasks(_VISION, cameras=True),
)
