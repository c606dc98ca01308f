"""A run: the unit of work, of failure and of storage."""

import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.results import Identity
from rlbench.runners.agents.resolving import Recipe
from rlbench.suites import Suite

# Signals to a worker: to keep a checkpoint and leave, and to say what its threads are doing.
LEAVE = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]
CHANGED = "the files of the {} were changed since the command began; the same command runs them"
STACK_DUMP = getattr(signal, "SIGUSR2", None)  # there is none on Windows


class Players(NamedTuple):
    """Who takes part in a run.

    Attributes:
        agent: What the agent is made from.
        teacher: What the teacher is made from, if there is one.
    """

    agent: Recipe
    teacher: Recipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as a worker gets it.

    Attributes:
        identity: What is run.
        agent: What the agent is made from.
        teacher: What the teacher is made from, if there is one.
        store: The folder that the record goes to.
        device: Passed on to the agent.
        threads: Threads that numerical libraries may use.
        checkpoint_every: Seconds between two checkpoints.
        track: Trackers that are told of it.
        eval_points: Extra evaluation points, besides the protocol's.
        trains: Spend the budget; else the agent is evaluated as it is made.
        suite_spec: What names the suite here, see `Suite.spec`; by default its id.
        attempt: Which attempt it is, from 1.
        signalled: Attempts that were ended by signals that no command of ours sent.
    """

    identity: Identity
    agent: Recipe
    teacher: Recipe | None
    store: str
    device: str
    threads: int
    checkpoint_every: float
    track: tuple[str, ...] = ()
    eval_points: tuple[int, ...] = ()
    trains: bool = True
    suite_spec: str = ""
    attempt: int = 1
    signalled: int = 0

    @property
    def attempts(self) -> dict[str, float]:
        """The counts of attempts in the record's `timing`."""
        return {"attempts": self.attempt, "signalled": self.signalled}

    @property
    def players(self) -> Players:
        """Who takes part."""
        return Players(self.agent, self.teacher)

    @property
    def key(self) -> str:
        """The key of the run."""
        return self.identity.key

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for another process."""
        return {**asdict(self), "identity": self.identity.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the run in plain data."""
        parts = {
            "identity": Identity.from_dict(data["identity"]),
            "agent": Recipe(**data["agent"]),
            "teacher": data["teacher"] and Recipe(**data["teacher"]),
            **{name: tuple(data[name]) for name in ("track", "eval_points")},
        }
        return cls(**{**data, **parts})

    @property
    def suite(self) -> Suite:
        """The suite, with the run's unofficial constants.

        Raises:
            UsageError: It is not what it was when the command began, or not there any more.
        """
        identity = self.identity
        suite = suites.get(self.suite_spec or identity.suite).make_unofficial(identity.unofficial)
        if suite.id != identity.suite or suite.digest(suite.task(identity.task)) != identity.digest:
            raise UsageError(CHANGED.format("suite"))
        return suite
