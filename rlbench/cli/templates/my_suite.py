"""A suite for rlbench: environments of your own, and what must be the same to compare scores.

    rlbench check --suite my_suite.py
    rlbench run --suite my_suite.py --agent random --seeds 3
    rlbench leaderboard build --suite my_suite.py

The text of this file, and of those that it imports from its folder, is part of the digest: change
it, and new runs stand apart from the old ones.
"""

from functools import partial

import gymnasium

from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import make_slots


def make_one(name, limit, gravity):
    """Make one environment: put your own here, and its wrappers around it."""
    env = gymnasium.make(name, max_episode_steps=limit)
    if name.startswith("CartPole"):
        env.unwrapped.gravity = gravity
    return env


def make(task, constants, *, split, num_envs, stream):
    """Make seeded environments side by side; rlbench calls this."""
    limit = constants["max_episode_steps"]
    one = partial(make_one, task.name, limit, constants["gravity"])
    return make_slots(one, num_envs=num_envs, split=split, stream=stream, max_episode_steps=limit)


SUITE = Suite(
    name="my-suite",
    version=1,  # raise it when you change what is run
    title="My suite",
    summary="Classic control on a small budget.",
    protocol=Protocol(
        budget=20_000,  # training steps
        eval_points=(5_000, 10_000),  # evaluations before the end, for learning curves
        episodes=20,  # of an evaluation
        eval_envs=10,  # that are played side by side
        max_episode_steps=500,
        environment={"gravity": 9.8},  # constants of your own: make() gets them
    ),
    tasks=(
        # The scores that count as 0 and 1, and all that an episode can have, if you know it.
        Task(name="CartPole-v1", low=23.7, high=475.0, returns=(0.0, 500.0)),
        Task(name="Acrobot-v1", low=-497.1, high=-100.0, returns=(-500.0, 0.0)),
    ),
    references=("random", "solved"),
    reference_source="random: 100 episodes; solved: the thresholds that gymnasium registers",
    factory=f"{__name__}:make",
    extra="",
)
