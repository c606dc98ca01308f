"""The original's terrain network and test sets, which are fetched and not part of rlbench."""

import hashlib
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.suites.fetching import data_folder
from rlbench.suites.teachmyagent.protocols import SHA256
from rlbench.suites.teachmyagent.terrain import Singles, seeded_network

_MAX_BYTES = 1_000_000
_NETWORK_SEED = 20_210_318  # of the unofficial network


def load_network(name: str) -> list[Singles]:
    """Return the five matrices that draw the terrain.

    Args:
        name: ``original``, or ``seeded`` for one drawn anew by the same law.

    Raises:
        UsageError: The original's is not there, or not what it was.
    """
    if name == "seeded":
        return seeded_network(_NETWORK_SEED)
    arrays = _read("parkour_cppn.npz")
    return [arrays[f"w{number}"] for number in range(1, 6)]


def load_tests(name: str) -> NDArray[np.float64]:
    """Return the (100, 8) test tasks of a kind of body.

    Args:
        name: ``walking``, ``swimming`` or ``climbing``.

    Returns:
        Columns as `envs.ParkourEnv` takes its parameters.

    Raises:
        UsageError: They are not there, or not what they were.
    """
    return _read("parkour_test_sets.npz")[name]


def _read(name: str) -> dict[str, NDArray[Any]]:
    return _load(data_folder() / name, SHA256[name])


@cache
def _load(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise UsageError(
            f"parkour's {path.name} is not in {path.parent}: rlbench data fetch parkour says what "
            "to do; or play on unofficial terrain with --unofficial network=seeded,test_set=drawn"
        )
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UsageError(
            f"{path} is not the file that the protocol names: put it there again (rlbench "
            "data fetch parkour)"
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files if arrays[key].dtype.kind == "f"}
