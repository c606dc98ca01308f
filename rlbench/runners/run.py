"""A run: the unit of work, of failure and of storage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rlbench import suites
from rlbench.results import AgentId, Identity
from rlbench.suites import Suite, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as it is handed to a worker.

    Attributes:
        identity: What is run.
        store: The folder that the record goes to.
        device: Passed on to the agent.
        threads: Threads that numerical libraries may use.
    """

    identity: Identity
    store: str
    device: str
    threads: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for another process."""
        return {
            "identity": self.identity.to_dict(),
            "store": self.store,
            "device": self.device,
            "threads": self.threads,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the run in plain data."""
        return cls(**{**data, "identity": Identity.from_dict(data["identity"])})

    @property
    def suite(self) -> Suite:
        """The suite, with the run's unofficial constants."""
        return suites.get(self.identity.suite).make_unofficial(self.identity.unofficial)


def identities(
    suite: Suite, tasks: Sequence[Task], agent: AgentId, seeds: Iterable[int]
) -> list[Identity]:
    """Return what is to be run, seed by seed, so that early results span all tasks."""
    return [
        Identity(
            suite=suite.id,
            task=task.name,
            constants=suite.constants(task),
            unofficial=dict(suite.unofficial),
            agent=agent,
            teacher=None,
            seed=seed,
        )
        for seed in seeds
        for task in tasks
    ]
