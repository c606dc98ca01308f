"""What teachers proposed in earlier runs, in one file for those that begin with it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidRecord, UsageError
from rlbench.files import read_bounded
from rlbench.results import strict_json
from rlbench.results.record import Record

MAX_BYTES = 100_000_000
_FORMAT = "rlbench curricula 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCurriculum:
    """A curriculum of an earlier run.

    Attributes:
        key: Of the run.
        sha256: Of its record.
        task: Its name.
        agent: The agent's name.
        score: The run's.
        every: One episode in so many is here.
        parameters: (n, d) Of the tasks, in the order in which their episodes ended.
        returns: (n,) Raw.
    """

    key: str
    sha256: str
    task: str
    agent: str
    score: float
    every: int
    parameters: tuple[tuple[float, ...], ...]
    returns: tuple[float, ...]

    @property
    def episodes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The (n, d) parameters and the (n,) returns."""
        return np.array(self.parameters), np.array(self.returns)


def curricula_of(records: Iterable[Record]) -> list[EarlierCurriculum]:
    """Return the curricula of runs that ended well, by their keys."""
    found = [
        EarlierCurriculum(
            key=record.identity.key, sha256=record.sha256, task=record.identity.task,
            agent=record.identity.agent.name, score=record.score, every=record.proposals.every,
            parameters=record.proposals.parameters, returns=record.proposals.returns,
        )
        for record in records
        if record.status == "ok" and record.proposals and record.proposals.returns
    ]  # fmt: skip
    return sorted(found, key=lambda curriculum: curriculum.key)


def dump_curricula(curricula: Iterable[EarlierCurriculum]) -> bytes:
    """Return the file; the same curricula always give the same bytes."""
    content = {"format": _FORMAT, "curricula": [asdict(one) for one in curricula]}
    return (strict_json.dump(content) + "\n").encode("ascii")


def read_curricula(path: Path, dimensions: int) -> list[EarlierCurriculum]:
    """Read a file of curricula.

    Args:
        path: What `dump_curricula` returned.
        dimensions: How many parameters a task has.

    Raises:
        UsageError: It is no such file, it is empty, or its tasks have other parameters.
    """
    try:
        content = strict_json.load(read_bounded(path, MAX_BYTES), MAX_BYTES)
        if content["format"] != _FORMAT:
            raise ValueError
        found = [_checked(EarlierCurriculum(**one)) for one in content["curricula"]]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (InvalidRecord, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path.name} is not a file of curricula: rlbench export --proposals writes one"
        ) from error
    if not found:
        raise UsageError(f"{path.name} holds no curricula")
    sizes = {one.episodes[0].shape[1] for one in found}
    if sizes != {dimensions}:
        raise UsageError(
            f"the tasks in {path.name} have {sorted(sizes)} parameters, those of this suite"
            f" {dimensions}"
        )
    return found


def _checked(one: EarlierCurriculum) -> EarlierCurriculum:
    """Return a curriculum, having seen that its numbers are what they should be."""
    parameters, returns = one.episodes
    numbers = (parameters, returns, np.asarray(one.score))
    if parameters.ndim != 2 or returns.shape != (len(parameters),) or len(returns) == 0:
        raise ValueError
    if any(array.dtype.kind not in "if" or not np.isfinite(array).all() for array in numbers):
        raise ValueError
    if type(one.every) is not int or one.every < 1:
        raise ValueError
    return one
