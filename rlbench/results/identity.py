"""Identities: what is run, by which agent, and the key that follows from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

from rlbench.errors import InvalidRecord, UnknownName
from rlbench.results.values import plain
from rlbench.suites import Constant, Suite, Task, sha256_of, slug

GIVEN = {
    "chosen_resets": "training episodes began in states that were chosen or stored",
    "demonstrations": "behaviour of experts",
    "earlier_data": "experience gathered before the run",
    "eval_adaptation": "it goes on learning or searching during evaluation",
    "human_labels": "preferences, rewards or other labels by people",
    "language_model": "answers of a language model",
    "pretraining": "parameters learned before the run",
    "shared_seeds": "data or parameters shared between the runs of several seeds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentId:
    """The identity of an agent or a teacher.

    Attributes:
        name: The display name.
        version: The agent's own word for its version; empty if it has none.
        spec: How it was named, without the folders of the machine.
        config: All its options, defaults included: JSON data. A file stands as
            ``{"file": name, "sha256": ...}``.
        source: sha256 of its files if it has no version.
        factory: What makes it: ``module:function``, ``cmd``, or ``sb3:`` and an algorithm.
        given: What it was given besides the run's own budget, sorted: names in `GIVEN`.
    """

    name: str
    version: str
    spec: str
    config: Mapping[str, Any]
    source: str | None
    factory: str = ""
    given: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        """Return the content of the identity: everything except how the agent was named."""
        return {name: value for name, value in self.to_dict().items() if name != "spec"}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain_fields = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**plain_fields, "config": dict(self.config), "given": list(self.given)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the agent in plain data; in records of schema 1 some fields are missing."""
        return cls(**{**data, "given": tuple(data.get("given", ()))})


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The identity of a run: everything that determines its outcome.

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

    @cached_property
    def digest(self) -> str:
        """The digest of the constants: scores of different digests never mix."""
        return sha256_of(self.constants)

    @cached_property
    def key(self) -> str:
        """The first 16 hexadecimal digits of the hash of what is run."""
        if self.old_key:
            return self.old_key
        content = {
            "digest": self.digest,
            "task": self.task,
            **self._players(),
            "seed": self.seed,
        }
        return sha256_of(content)[:16]

    @cached_property
    def agent_key(self) -> str:
        """The first 16 hexadecimal digits of the hash of agent and teacher.

        Runs that share it are runs of one agent: their scores may be pooled.
        """
        return sha256_of(self._players())[:16]

    def _players(self) -> dict[str, Any]:
        return {
            "agent": self.agent.content(),
            "teacher": self.teacher and self.teacher.content(),
        }

    @property
    def folder(self) -> tuple[str, str, str]:
        """The folder of its records in a store: suite, agent, task."""
        return (folder_of(self.suite), slug(self.agent.name), slug(self.task))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as records hold it."""
        return {
            "suite": self.suite,
            "task": self.task,
            "digest": self.digest,
            "constants": _listed(self.constants),
            "unofficial": _listed(self.unofficial),
            "agent": self.agent.to_dict(),
            "teacher": self.teacher and self.teacher.to_dict(),
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
            agent=AgentId.from_dict(data["agent"]),
            teacher=data["teacher"] and AgentId.from_dict(data["teacher"]),
            seed=data["seed"],
        )


def folder_of(suite: str) -> str:
    """Return the name of the folder of a suite, given its id, in a store."""
    return slug(suite.replace("@", "-"))


def _listed(constants: Mapping[str, Constant]) -> dict[str, Any]:
    return {n: list(v) if isinstance(v, tuple) else v for n, v in constants.items()}


def _tupled(constants: Mapping[str, Any]) -> dict[str, Constant]:
    return {n: tuple(v) if isinstance(v, list) else v for n, v in constants.items()}


def check_given(words: Iterable[str]) -> tuple[str, ...]:
    """Return what an agent was given, sorted and without repeats.

    Raises:
        UnknownName: A word is not in `GIVEN`.
    """
    found = sorted(set(words))
    for word in found:
        if word not in GIVEN:
            raise UnknownName("thing that an agent can be given:", word, GIVEN)
    return tuple(found)


def check_identity(identity: Identity) -> None:
    """Raise InvalidRecord if the parts of an identity contradict each other."""
    constants = _listed(identity.constants)
    for name, value in _listed(identity.unofficial).items():
        stated = constants.get(name)
        if name == "suite" or type(value) is not type(stated) or value != stated:
            raise InvalidRecord(
                f"it names {name}={value!r} as unofficial, but its constant is {stated!r}"
            )
    for agent in filter(None, (identity.agent, identity.teacher)):
        if list(agent.given) != sorted(set(agent.given)):
            raise InvalidRecord("what its agent was given is not sorted")
        try:
            for value in agent.config.values():
                plain(value)
        except ValueError as error:
            raise InvalidRecord(f"its agent's options: {error}") from error


def identities(
    suite: Suite,
    tasks: Sequence[Task],
    agent: AgentId,
    seeds: Iterable[int],
    teacher: AgentId | None = None,
) -> list[Identity]:
    """Return the runs to do, seed by seed, so that early results cover all tasks."""
    return [
        Identity(
            suite=suite.id,
            task=task.name,
            constants=suite.constants(task),
            unofficial=suite.unofficial_of(task),
            agent=agent,
            teacher=teacher,
            seed=seed,
        )
        for seed in seeds
        for task in tasks
    ]
