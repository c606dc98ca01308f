"""Identities: what is run, by which agent, and the key that follows from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from rlbench.suites import Constant, Scalar, sha256_of, slug


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentId:
    """Which agent it is, or which teacher.

    Attributes:
        name: The display name.
        version: The agent's own word for its version; empty if it has none.
        spec: How it was named on the command line.
        config: The options that it was given.
        source: sha256 of its file if it has no version.
    """

    name: str
    version: str
    spec: str
    config: Mapping[str, Scalar]
    source: str | None

    def content(self) -> dict[str, Any]:
        """Return what tells it from every other: all but how it was named."""
        return {
            "agent": f"{self.name}@{self.version}",
            "config": dict(self.config),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is run: all that a run's outcome is a function of.

    Attributes:
        suite: The suite's id, e.g. ``atari100k@1``.
        task: The task's display name.
        constants: Everything that the digest covers.
        unofficial: Constants that were changed for trying things out.
        agent: The agent.
        teacher: The curriculum's teacher, if there is one.
        seed: The seed.
        old_key: The key in a record of schema 1, else empty.
    """

    suite: str
    task: str
    constants: Mapping[str, Constant]
    unofficial: Mapping[str, Constant]
    agent: AgentId
    teacher: AgentId | None
    seed: int
    old_key: str = ""

    @property
    def digest(self) -> str:
        """The digest of the constants: scores of different digests never mix."""
        return sha256_of(self.constants)

    @property
    def key(self) -> str:
        """The first 16 hexadecimal digits of the hash of what is run."""
        if self.old_key:
            return self.old_key
        content = {
            "digest": self.digest,
            "task": self.task,
            **self.agent.content(),
            "teacher": self.teacher and self.teacher.content(),
            "seed": self.seed,
        }
        return sha256_of(content)[:16]

    @property
    def folder(self) -> tuple[str, str, str]:
        """Where its records stand in a store: suite, agent, task."""
        return (slug(self.suite.replace("@", "-")), slug(self.agent.name), slug(self.task))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as records hold it."""
        return {
            "suite": self.suite,
            "task": self.task,
            "digest": self.digest,
            "constants": _listed(self.constants),
            "unofficial": _listed(self.unofficial),
            "agent": asdict(self.agent),
            "teacher": self.teacher and asdict(self.teacher),
            "seed": self.seed,
            "key": self.key,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the identity in plain data; the digest and the key are computed, not read."""
        return cls(
            suite=data["suite"],
            task=data["task"],
            constants=_tupled(data["constants"]),
            unofficial=_tupled(data["unofficial"]),
            agent=AgentId(**data["agent"]),
            teacher=data["teacher"] and AgentId(**data["teacher"]),
            seed=data["seed"],
        )


def _listed(constants: Mapping[str, Constant]) -> dict[str, Any]:
    return {n: list(v) if isinstance(v, tuple) else v for n, v in constants.items()}


def _tupled(constants: Mapping[str, Any]) -> dict[str, Constant]:
    return {n: tuple(v) if isinstance(v, list) else v for n, v in constants.items()}
