"""The tasks by name: model, domain and control step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mujoco

from rlbench.errors import UnknownName
from rlbench.suites.dmc.domains import cartpole, dog, quadruped, swimmers
from rlbench.suites.dmc.domains.cartpole import Cartpole
from rlbench.suites.dmc.domains.dog import Dog
from rlbench.suites.dmc.domains.domain import Domain
from rlbench.suites.dmc.domains.humanoid import Humanoid
from rlbench.suites.dmc.domains.planar import Cheetah, Finger, Hopper, Walker
from rlbench.suites.dmc.domains.quadruped import Fetch, Quadruped
from rlbench.suites.dmc.domains.small import Acrobot, BallInCup, Pendulum, PointMass, Reacher
from rlbench.suites.dmc.domains.swimmers import Fish, Swimmer
from rlbench.suites.dmc.models import Edit, load

CONTROL_STEPS = 1000  # of an episode, in every task


@dataclass(frozen=True, slots=True)
class ControlTask:
    """What a task is made of.

    Attributes:
        model: The model's file.
        domain: Makes the domain from the compiled model.
        control_step: Seconds; 0 for the model's physics step.
        options: Of `domain`.
        edit: Changes the model's file.
        assets: A folder of files that the model refers to.
    """

    model: str
    domain: Callable[..., Domain]
    control_step: float
    options: Mapping[str, Any] = field(default_factory=dict)
    edit: Edit | None = None
    assets: str = ""

    def build(self) -> tuple[mujoco.MjModel, Domain, int]:
        """Return the compiled model, its domain, and the physics steps of a control step.

        Raises:
            UsageError: dm_control's files are not where they are in dm_control 1.0.
        """
        model = load(self.model, self.edit, self.assets)
        physics = model.opt.timestep
        steps = round((self.control_step or physics) / physics)
        return model, self.domain(model, **self.options), steps


def _cartpole(count: int = 1, **options: Any) -> ControlTask:
    edit = cartpole.poles(count) if count > 1 else None
    return ControlTask("cartpole", Cartpole, 0, options, edit)


def _quadruped(speed: float) -> ControlTask:
    edit = quadruped.arena(floor=20 * speed)
    return ControlTask("quadruped", Quadruped, 0.02, {"speed": speed}, edit)


def _dog(speed: float) -> ControlTask:
    edit = dog.arena(15 * (speed or 1))
    return ControlTask("dog", Dog, 0.015, {"speed": speed}, edit, "dog_assets")


TASKS: Mapping[str, ControlTask] = {
    "acrobot_swingup": ControlTask("acrobot", Acrobot, 0),
    "acrobot_swingup_sparse": ControlTask("acrobot", Acrobot, 0, {"sparse": True}),
    "ball_in_cup_catch": ControlTask("ball_in_cup", BallInCup, 0.02),
    "cartpole_balance": _cartpole(swing_up=False),
    "cartpole_balance_sparse": _cartpole(swing_up=False, sparse=True),
    "cartpole_swingup": _cartpole(swing_up=True),
    "cartpole_swingup_sparse": _cartpole(swing_up=True, sparse=True),
    "cartpole_three_poles": _cartpole(3, swing_up=True),
    "cartpole_two_poles": _cartpole(2, swing_up=True),
    "cheetah_run": ControlTask("cheetah", Cheetah, 0),
    "dog_run": _dog(9),
    "dog_stand": _dog(0),
    "dog_trot": _dog(3),
    "dog_walk": _dog(1),
    "finger_spin": ControlTask("finger", Finger, 0.02),
    "finger_turn_easy": ControlTask("finger", Finger, 0.02, {"radius": 0.07}),
    "finger_turn_hard": ControlTask("finger", Finger, 0.02, {"radius": 0.03}),
    "fish_swim": ControlTask("fish", Fish, 0.04, {"swim": True}),
    "fish_upright": ControlTask("fish", Fish, 0.04, {"swim": False}),
    "hopper_hop": ControlTask("hopper", Hopper, 0.02, {"hop": True}),
    "hopper_stand": ControlTask("hopper", Hopper, 0.02, {"hop": False}),
    "humanoid_CMU_run": ControlTask("humanoid_CMU", Humanoid, 0.02, {"speed": 10, "cmu": True}),
    "humanoid_CMU_stand": ControlTask("humanoid_CMU", Humanoid, 0.02, {"speed": 0, "cmu": True}),
    "humanoid_CMU_walk": ControlTask("humanoid_CMU", Humanoid, 0.02, {"speed": 1, "cmu": True}),
    "humanoid_run": ControlTask("humanoid", Humanoid, 0.025, {"speed": 10}),
    "humanoid_run_pure_state": ControlTask(
        "humanoid", Humanoid, 0.025, {"speed": 10, "pure": True}
    ),
    "humanoid_stand": ControlTask("humanoid", Humanoid, 0.025, {"speed": 0}),
    "humanoid_walk": ControlTask("humanoid", Humanoid, 0.025, {"speed": 1}),
    "pendulum_swingup": ControlTask("pendulum", Pendulum, 0),
    "point_mass_easy": ControlTask("point_mass", PointMass, 0),
    "point_mass_hard": ControlTask("point_mass", PointMass, 0, {"random_gains": True}),
    "quadruped_fetch": ControlTask("quadruped", Fetch, 0.02, edit=quadruped.arena(ball=True)),
    "quadruped_run": _quadruped(5),
    "quadruped_walk": _quadruped(0.5),
    "reacher_easy": ControlTask("reacher", Reacher, 0, {"radius": 0.05}),
    "reacher_hard": ControlTask("reacher", Reacher, 0, {"radius": 0.015}),
    "swimmer_swimmer15": ControlTask("swimmer", Swimmer, 0.03, edit=swimmers.links(15)),
    "swimmer_swimmer6": ControlTask("swimmer", Swimmer, 0.03, edit=swimmers.links(6)),
    "walker_run": ControlTask("walker", Walker, 0.025, {"speed": 8}),
    "walker_stand": ControlTask("walker", Walker, 0.025, {"speed": 0}),
    "walker_walk": ControlTask("walker", Walker, 0.025, {"speed": 1}),
}


def control_task(name: str) -> ControlTask:
    """Return a task.

    Raises:
        UnknownName: There is none of that name.
    """
    try:
        return TASKS[name]
    except KeyError:
        raise UnknownName("DeepMind Control task", name, list(TASKS)) from None
