"""dm_control's own environments, the oracle of the suite's engine."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np


def load(name: str, seed: int) -> Any:
    """Return dm_control's environment of one of our tasks, e.g. ``walker_walk``."""
    kept = os.environ.get("MUJOCO_GL")
    os.environ["MUJOCO_GL"] = "disabled"  # read when dm_control is imported
    try:
        from dm_control import suite
    finally:
        os.environ.pop("MUJOCO_GL")
        if kept is not None:
            os.environ["MUJOCO_GL"] = kept
    domains = sorted(suite.TASKS_BY_DOMAIN, key=len, reverse=True)
    domain = next(domain for domain in domains if name.startswith(f"{domain}_"))
    return suite.load(domain, name[len(domain) + 1 :], task_kwargs={"random": seed})


def flat(observation: Mapping[str, Any]) -> np.ndarray:
    """Return (k,) an observation's parts in their order."""
    return np.concatenate([np.ravel(part) for part in observation.values()])
