"""Teachers, and how one is found."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.registry import Entry, Registry
from rlbench.runners.agents import factories
from rlbench.runners.agents.agent import Bools
from rlbench.runners.agents.resolving import Resolved, find_python, resolve_found, version_of

TEACHERS = Registry(
    "teacher",
    {
        "uniform": Entry("rlbench.runners.teachers.uniform:make", "1"),
        "alp-gmm": Entry("rlbench.runners.teachers.alp_gmm:make", "1", "teachers"),
        "again": Entry("rlbench.runners.teachers.again:make", "1", "teachers"),
        "covar-gmm": Entry("rlbench.runners.teachers.covar_gmm:make", "1", "teachers"),
        "riac": Entry("rlbench.runners.teachers.riac:make", "1"),
        "adr": Entry("rlbench.runners.teachers.adr:make", "1"),
        "spdl": Entry("rlbench.runners.teachers.spdl:make", "1"),
        "goal-gan": Entry("rlbench.runners.teachers.goal_gan:make", "1", "teachers-torch"),
        "setter-solver": Entry(
            "rlbench.runners.teachers.setter_solver:make", "1", "teachers-torch"
        ),
    },
)


class Teacher(Protocol):
    """A teacher: it chooses the tasks that an agent trains on.

    Its factory is ``make(task: TaskInfo, *, seed: int, **config)``.
    """

    def propose(self, n: int) -> NDArray[Any]:
        """Return the (n, d) parameters of the next n episodes, in ``task.parameter_space``."""
        ...

    def report(
        self,
        parameters: NDArray[np.float64],
        returns: NDArray[np.float64],
        lengths: NDArray[np.int64],
        successes: Bools,
        first_obs: NDArray[Any],
    ) -> None:
        """Receive episodes that have ended.

        Args:
            parameters: (m, d) Of their tasks.
            returns: (m,) Raw.
            lengths: (m,) Steps.
            successes: (m,) Whether the suite counts the task as solved.
            first_obs: (m, ...) What was observed first.
        """
        ...


@runtime_checkable
class TeacherSaver(Protocol):
    """A teacher that can go on in a suite whose runs are taken up in new episodes."""

    def save(self, folder: Path) -> None:
        """Write all that it knows into an empty folder."""
        ...

    def load(self, folder: Path) -> None:
        """Become what was saved."""
        ...


@runtime_checkable
class Asker(Protocol):
    """A teacher that asks the agent what it expects: the agent must be a `Valuer`."""

    def ask(self, value: Callable[[NDArray[Any]], NDArray[np.float64]]) -> None:
        """Take what answers: (n,) values of (n, ...) observations. Called before `propose`."""
        ...


@runtime_checkable
class Discounter(Protocol):
    """A teacher whose `report` is also given ``discounted=``, the (m,) discounted returns.

    Attributes:
        discount: Of each step, in [0, 1].
    """

    discount: float


TeacherFactory = Callable[..., Teacher]


def resolve_teacher(spec: str, options: Mapping[str, Any]) -> Resolved:
    """Find a teacher, like an agent, without running any of its code in this process.

    Args:
        spec: A registered name, ``module:factory``, ``file.py``, ``file.py:factory``, or the bare
            name of a file in the current folder or of an importable module.
        options: The options for the factory: JSON data, and paths of files.

    Raises:
        UnknownName: There is no such teacher, no such factory in its file, or no such option of it.
        UsageError: The file is not Python or cannot be imported, or an option's value does not fit.
    """
    return resolve_found("teacher", spec, options, find_python(TEACHERS, spec))


def teacher_version(spec: str) -> tuple[str, str | None]:
    """Return version and source hash of a teacher, in the process of its run."""
    return version_of(TEACHERS, spec)


def load_teacher(spec: str) -> TeacherFactory:
    """Import a teacher's factory.

    Raises:
        UsageError: The module has no such factory.
    """
    place = factories.find(TEACHERS, spec)
    factory: TeacherFactory | None = factories.load(place)
    if factory is None:
        raise UsageError(f"the teacher {spec!r} has no function or class {place.factory!r}")
    return factory
