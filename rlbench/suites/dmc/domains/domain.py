"""What a domain is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import mujoco
from numpy.random import RandomState

from rlbench.suites.dmc.rewards import Floats
from rlbench.suites.dmc.scene import Scene, State, randomize_joints

# Entries of a rotation matrix that is stored in 9 numbers: `ZY` is row z, column y. Slices make
# views, where lists would copy.
XZ, ZY, ZZ = 2, 7, 8
XX_XZ, ZZ_XZ, Z_ROW = slice(0, 3, 2), slice(8, None, -6), slice(6, 9)


class Domain(ABC):
    """A task's starts, observations and rewards, equal to dm_control's.

    Args:
        model: The task's; a domain may change it once, before anything is simulated.

    Attributes:
        fields: What `observe` and `reward` read of the data, besides qpos, qvel, act and ctrl.
        varied: What `start` writes in the model.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    varied: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model = model

    def start(self, scene: Scene, random: RandomState) -> None:
        """Write an episode's start into a scene that was just reset.

        Everything random is drawn from `random` in dm_control's order.
        """
        randomize_joints(scene, random)

    @abstractmethod
    def observe(self, state: State) -> tuple[Floats, ...]:
        """Return the observations' parts in dm_control's order, (n, k) each."""

    @abstractmethod
    def reward(self, state: State) -> Floats:
        """Return the rewards of the control step that led to a state, (n,)."""
