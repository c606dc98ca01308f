"""Recordings of TeachMyAgent, and their tracks."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def skip_without_box2d() -> None:
    """Skip the module that calls this where Box2D is missing."""
    if importlib.util.find_spec("Box2D") is None:  # importing it here would warn
        pytest.skip("no Box2D: pip install 'rlbench[parkour]'", allow_module_level=True)


def recording(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what a recording says of itself, and its arrays."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("meta"))), arrays


def track_of(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    """Return the track on which a recording was made."""
    from rlbench.suites.teachmyagent import terrain

    if meta["env"] == "parkour":
        x = arrays["terrain_x"]
        begins = arrays["creepers"][:, 0]
        return terrain.Track(
            x=x,
            ground=arrays["ground_y"],
            ceiling=arrays["ceiling_y"],
            creepers=arrays["creepers"],
            creepers_at=tuple(np.abs(x - begins[:, None]).argmin(axis=1).tolist()),
            water=meta["water_y"],
            floor=-1000.0 / arrays["params"][7],
            stumps=np.zeros((0, 4)),
            end=terrain.PARKOUR_END,
        )
    right, low, left, high = arrays["stumps"][:, [0, 1, 4, 5]].T
    return terrain.Track(
        x=arrays["terrain_x"],
        ground=arrays["terrain_y"],
        creepers=np.zeros((0, 4)),
        stumps=np.stack([left, low, right - left, high - low], axis=1),
        end=terrain.STUMPS_END,
    )
