"""The original's terrain network and test sets, in the folder ``original`` with their licence."""

import hashlib
import io
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.suites.teachmyagent.protocols import SHA256
from rlbench.suites.teachmyagent.terrain import Singles, seeded_network

_NETWORK_SEED = 20_210_318  # of the unofficial network


def load_network(name: str) -> list[Singles]:
    """Return the five matrices that draw the terrain.

    Args:
        name: ``original``, or ``seeded`` for one drawn anew by the same law.

    Raises:
        UsageError: The file is missing or damaged.
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
        UsageError: The file is missing or damaged.
    """
    return _read("parkour_test_sets.npz")[name]


@cache
def _read(name: str) -> dict[str, NDArray[Any]]:
    file = resources.files(__package__).joinpath("original", name)
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise UsageError(
            f"{name}, which comes with rlbench, is missing or not the file that the protocol "
            "names: install rlbench again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files if arrays[key].dtype.kind == "f"}
