"""What was done and what it led to: actions are kept, the rest is hashed."""

import hashlib
import zlib
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from numpy.typing import NDArray

from rlbench.results import Replay

HASHED_STEPS = 64  # of an evaluation: hashing all of its observations would take too long
MAX_BYTES = 2**27  # of the actions of an evaluation that are kept
COMPRESSION = 6  # of these, by zlib


class TrainingTrace:
    """The training actions of a run, and a hash of what they led to.

    Args:
        space: The actions of one environment.
        num_envs: Environments side by side.

    Attributes:
        dtype: In which actions are kept: the smallest that holds a discrete space.
    """

    def __init__(self, space: Space[Any], num_envs: int) -> None:
        self.dtype = action_dtype(space)
        self._shape = (-1, num_envs, *(space.shape or ()))
        self._hash = hashlib.sha256()
        self._actions: list[bytes] = []

    def add(
        self,
        action: NDArray[Any],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Take in a step; all are (n, ...)."""
        content = np.asarray(action).astype(self.dtype).tobytes()
        self._actions.append(content)
        self._hash.update(content + reward.tobytes() + terminated.tobytes() + truncated.tobytes())

    def digest(self, obs: NDArray[Any]) -> str:
        """Return the hash of all steps and of what is observed now."""
        copy = self._hash.copy()
        copy.update(np.ascontiguousarray(obs).data)
        return copy.hexdigest()

    def pending(self) -> bytes:
        """Return the actions since `clear`."""
        return b"".join(self._actions)

    def clear(self) -> None:
        """Forget the actions: they are kept elsewhere."""
        self._actions.clear()

    def parse(self, content: bytes) -> NDArray[Any]:
        """Return (steps, n, ...) actions, in the dtype that environments take."""
        actions = np.frombuffer(content, self.dtype).reshape(self._shape)
        return actions.astype(np.int64) if actions.dtype.kind in "iu" else actions


class EvaluationTrace:
    """The actions of an evaluation, and hashes of what the first steps led to.

    Args:
        space: The actions of one environment.
    """

    def __init__(self, space: Space[Any]) -> None:
        self._dtype = action_dtype(space)
        self._actions: list[bytes] = []
        self._size = 0
        self._shape: tuple[int, ...] = ()
        self._hashes: list[str] = []

    def start(self, obs: NDArray[Any]) -> None:
        """Take in the first observations, (n, ...)."""
        self._add_hash(np.ascontiguousarray(obs).data)

    def step(
        self,
        action: NDArray[Any],
        obs: NDArray[Any],
        reward: NDArray[np.float64],
        ended: NDArray[np.bool_],
    ) -> None:
        """Take in a step; all are (n, ...)."""
        if self._size < MAX_BYTES:
            content = action.astype(self._dtype).tobytes()
            self._shape = action.shape
            self._actions.append(content)
            self._size += len(content)
        if len(self._hashes) <= HASHED_STEPS:
            self._add_hash(np.ascontiguousarray(obs).data, reward.tobytes(), ended.tobytes())

    def finish(self) -> tuple[Replay, bytes]:
        """Return what goes into the record, and the file that goes beside it."""
        content = zlib.compress(b"".join(self._actions), COMPRESSION)
        replay = Replay(
            actions=hashlib.sha256(content).hexdigest(),
            dtype=self._dtype.name,
            shape=(len(self._actions), *self._shape),
            hashes=tuple(self._hashes),
        )
        return replay, content

    def _add_hash(self, *parts: Any) -> None:
        digest = hashlib.sha256(self._hashes[-1].encode() if self._hashes else b"")
        for part in parts:
            digest.update(part)
        self._hashes.append(digest.hexdigest()[:16])


def action_dtype(space: Space[Any]) -> np.dtype[Any]:
    """Return the smallest dtype that holds the actions of a space."""
    if isinstance(space, Discrete):
        last = int(space.start + space.n - 1)
        return np.promote_types(np.min_scalar_type(int(space.start)), np.min_scalar_type(last))
    assert isinstance(space, Box)
    return np.dtype(space.dtype)
