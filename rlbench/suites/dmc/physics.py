"""Changed physics: masses, friction, damping, actuators' gain and gravity times a factor each."""

from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.suites.dmc.families import FACTORS
from rlbench.suites.dmc.rewards import Floats
from rlbench.suites.dmc.scene import Scene

# Fields of `mujoco.MjModel` and the factors that multiply them. Inertias grow with masses, as with
# a density.
_FIELDS = {
    "body_mass": "mass",
    "body_inertia": "mass",
    "geom_friction": "friction",
    "dof_damping": "damping",
    "actuator_gainprm": "gain",
    "opt.gravity": "gravity",
}
_STREAM = int.from_bytes(b"context", "big")


class Region(NamedTuple):
    """Contexts whose largest entry in magnitude is in (low, high].

    A context (5,) holds the base-2 logarithms of the `FACTORS`: 0 is a factor of 1, 1 doubles.
    """

    low: float
    high: float

    def draw(self, random: np.random.Generator) -> Floats:
        """Draw a context (5,) uniformly from the region."""
        while True:
            context = random.uniform(-self.high, self.high, len(FACTORS))
            if np.abs(context).max() > self.low:
                return context


def region_of(low: float, high: float) -> Region:
    """Return a region.

    Raises:
        UsageError: There is nothing between the two.
    """
    if not 0 <= low < high:
        raise UsageError(f"contexts need 0 <= context_low < context_high, not {low} and {high}")
    return Region(low, high)


def rescale(model: mujoco.MjModel, factors: Sequence[float]) -> None:
    """Multiply a model's parameters by the values (5,) of `FACTORS`.

    Raises:
        UsageError: A factor is not above 0.
    """
    for name, factor in zip(FACTORS, factors, strict=True):
        if not 0 < factor < np.inf:
            raise UsageError(f"{name} must be a factor above 0, not {factor}")
    for field, name in _FIELDS.items():
        values = _values(model, field)
        values *= factors[FACTORS.index(name)]
    mujoco.mj_setConst(model, mujoco.MjData(model))


class Contexts:
    """The physics of simulations, drawn anew for each episode.

    Args:
        region: What is drawn from.
        seeds: (n,) Of the slots; the k-th context of a slot follows from its seed alone.
        model: The task's.
        scene: Where starts are drawn: a copy of the model, and its data.
        batch: The simulations.

    Attributes:
        now: (n, 5) The context of each slot.
    """

    def __init__(
        self,
        region: Region,
        seeds: NDArray[np.int64],
        model: mujoco.MjModel,
        scene: Scene,
        batch: Batch,
    ) -> None:
        self.now: Floats = np.zeros((len(seeds), len(FACTORS)))
        self._region, self._scene, self._batch = region, scene, batch
        self._random = [np.random.default_rng([seed, _STREAM]) for seed in seeds.tolist()]
        self._fields = [
            (
                FACTORS.index(name), _values(model, field), _values(scene.model, field),
                batch.expand(field),
            )
            for field, name in _FIELDS.items()
        ]  # fmt: skip

    def begin(self, slot: int) -> None:
        """Draw the context of an episode, for a simulation and for the scene of its start."""
        self.now[slot] = self._region.draw(self._random[slot])
        factors = np.exp2(self.now[slot])
        for number, original, of_scene, of_batch in self._fields:
            of_scene[:] = original * factors[number]
            of_batch[slot] = of_scene
        mujoco.mj_setConst(self._scene.model, self._scene.data)
        self._batch.set_const([slot])


def _values(model: mujoco.MjModel, field: str) -> Floats:
    """Return a field of a model, to be written into."""
    owner = model.opt if field.startswith("opt.") else model
    values: Floats = getattr(owner, field.removeprefix("opt."))
    return values
