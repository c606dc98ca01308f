"""Procgen where it is installed; its extra is large, so most machines do without."""

from types import ModuleType

import pytest

from rlbench import suites
from rlbench.errors import UsageError


def envs() -> ModuleType:
    """Return the module of Procgen's environments, or skip and say what is missing."""
    try:
        suites.get("procgen-easy").load_factory()
    except UsageError as error:
        pytest.skip(str(error))
    from rlbench.suites.procgen import envs

    return envs
