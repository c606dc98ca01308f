"""Offline datasets in HDF5 files, as D4RL and Minari lay them out, read without trusting them.

Read are plain arrays of numbers that lie in the file itself. Links out of the file, data kept in
other files, objects, text and filters that load code are refused, and sizes are checked before
anything is read.
"""

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment, MissingExtra, UsageError, one_line
from rlbench.suites.dataset import Episodes

Array = NDArray[Any]

MAX_BYTES = 2_000_000_000  # of a file, and of the arrays in it
MAX_EPISODES = 1_000_000
_FILTERS = {1, 2, 3, 32000}  # deflate, shuffle, fletcher32, lzf: those that libraries bring
_MINARI = ("observations", "actions", "rewards", "terminations", "truncations")


def read_hdf5(content: bytes) -> Episodes:
    """Return the episodes in a file of D4RL's or of Minari's form.

    D4RL has ``observations``, ``actions``, ``rewards``, ``terminals``, and maybe ``timeouts`` and
    ``next_observations``; without ``timeouts`` an episode ends where it terminates. The last step
    of an episode that was cut off has no next observation there unless the file holds them, and is
    left out. Steps after the last end are left out as well. Minari has a group an episode.

    Raises:
        UsageError: It is no such file, or something in it is refused.
        MissingExtra: h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingExtra("reading HDF5 files", "minari", error.name or "") from error
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            reader = _Reader(h5py)
            if any(name.startswith("episode_") for name in file):
                return _minari(file, reader)
            return _d4rl(file, reader)
    except (UsageError, MissingExtra):
        raise
    except InvalidEnvironment as error:
        raise UsageError(str(error)) from error
    except Exception as error:  # whatever the library makes of a damaged file
        raise UsageError(f"it is not an HDF5 file, or a damaged one: {one_line(error)}") from error


class _Reader:
    """Reads arrays of one file, and counts their bytes.

    Args:
        h5py: The module.
    """

    def __init__(self, h5py: Any) -> None:
        self._h5py, self._bytes = h5py, 0

    def child(self, group: Any, name: str) -> Any:
        """Return what is under a name in a group, that lies in the file itself."""
        link = group.get(name, getlink=True)
        if link is None:
            raise UsageError(f"there is no {name} in {group.name}")
        if not isinstance(link, self._h5py.HardLink):
            raise UsageError(f"{name} is a link to somewhere else, which is refused")
        return group[name]

    def array(self, group: Any, name: str) -> Array:
        """Return an array of numbers."""
        data = self.child(group, name)
        if not isinstance(data, self._h5py.Dataset):
            raise UsageError(f"{name} is a group: only arrays are read")
        if data.dtype.kind not in "fbiu" or data.dtype.itemsize > 8:
            raise UsageError(f"{name} is an array of {data.dtype}, which is refused")
        if data.is_virtual or data.external:
            raise UsageError(f"{name} is kept in other files, which is refused")
        plist = data.id.get_create_plist()
        filters = {plist.get_filter(k)[0] for k in range(plist.get_nfilters())}
        if filters - _FILTERS:
            raise UsageError(f"{name} uses unsupported filters {sorted(filters - _FILTERS)}")
        self._bytes += math.prod(map(int, data.shape)) * data.dtype.itemsize
        if self._bytes > MAX_BYTES:
            raise UsageError(f"its arrays are over the limit of {MAX_BYTES:,} bytes")
        if not data.shape:
            raise UsageError(f"{name} is a single number, not an array")
        found: Array = data[()]
        return found


def _d4rl(file: Any, reader: _Reader) -> Episodes:
    obs, action, reward = (reader.array(file, k) for k in ("observations", "actions", "rewards"))
    terminated = _flags(reader.array(file, "terminals"), "terminals")
    _check_lengths({"actions": action, "rewards": reward, "terminals": terminated}, len(obs))
    truncated = np.zeros(len(obs), np.bool_)
    if "timeouts" in file:
        truncated = _flags(reader.array(file, "timeouts"), "timeouts")
        _check_lengths({"timeouts": truncated}, len(obs))
    truncated = truncated & ~terminated
    if "next_observations" in file:
        next_obs = reader.array(file, "next_observations")
        _check_lengths({"next_observations": next_obs}, len(obs))
        kept = np.ones(len(obs), np.bool_)
    else:
        # What follows the last step of an episode is not in the file; after a terminal state
        # nothing uses it.
        next_obs = np.concatenate([obs[1:], obs[-1:]])
        next_obs[terminated] = obs[terminated]
        kept = ~truncated
        truncated = np.append(truncated[1:], False) & ~terminated
    kept[_last(terminated | truncated) + 1 :] = False
    return _episodes(
        *(part[kept] for part in (obs, action, reward, next_obs, terminated, truncated))
    )


def _last(ends: NDArray[np.bool_]) -> int:
    found = np.flatnonzero(ends)
    if not len(found):
        raise UsageError("it holds no complete episode")
    return int(found[-1])


def _minari(file: Any, reader: _Reader) -> Episodes:
    names = [name for name in file if name.startswith("episode_")]
    if len(names) > MAX_EPISODES or not all(name[8:].isdecimal() for name in names):
        raise UsageError("its episodes are not numbered, or there are too many")
    parts: list[tuple[Array, ...]] = []
    for name in sorted(names, key=lambda name: int(name[8:])):
        group = reader.child(file, name)
        obs, action, reward, terminated, truncated = (reader.array(group, k) for k in _MINARI)
        over, cut = _flags(terminated, "terminations"), _flags(truncated, "truncations")
        _check_lengths({"actions": action, "terminations": over, "truncations": cut}, len(reward))
        _check_lengths({"observations": obs}, len(reward) + 1)
        if not len(reward):
            continue
        over, cut = over.copy(), cut & ~over
        cut[-1] = not over[-1]  # an episode that was recorded in part ends with what was recorded
        if over[:-1].any() or cut[:-1].any():
            raise UsageError(f"{name} has steps after its end")
        parts.append((obs[:-1], action, reward, obs[1:], over, cut))
    if not parts:
        raise UsageError("it holds no step")
    if len({tuple((a.shape[1:], a.dtype) for a in part) for part in parts}) > 1:
        raise UsageError("its episodes have arrays of different shapes or dtypes")
    return _episodes(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _check_lengths(arrays: Mapping[str, Array], number: int) -> None:
    for name, array in arrays.items():
        if len(array) != number:
            raise UsageError(f"{name} holds {len(array):,} rows, not {number:,}")


def _flags(array: Array, name: str) -> NDArray[np.bool_]:
    """Return flags, one a step."""
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1 or not np.isin(flat, (0, 1)).all():
        raise UsageError(f"{name} must hold 0 or 1 for each step")
    return flat.astype(np.bool_)


def _episodes(
    obs: Array, action: Array, reward: Array, next_obs: Array, terminated: Array, truncated: Array
) -> Episodes:
    rewards = reward[:, 0] if reward.ndim == 2 and reward.shape[1] == 1 else reward
    if rewards.ndim != 1 or next_obs.shape != obs.shape or not len(obs):
        raise UsageError("its arrays differ in length, or hold no step")
    return Episodes(
        obs=obs,
        action=action,
        reward=rewards.astype(np.float64),
        next_obs=next_obs.astype(obs.dtype, copy=False),
        terminated=terminated,
        truncated=truncated,
        first=np.append(True, (terminated | truncated)[:-1]),
    )
