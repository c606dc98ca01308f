"""Procgen where it is installed; its extra is large, so most machines do without."""

from types import ModuleType

import pytest

from rlbench.errors import RLBenchError
from rlbench.suites.procgen import libenv, pool, reference
from rlbench.suites.procgen.games import Engine

ENGINES: dict[str, Engine] = {"envpool": pool, "reference": libenv}


def engine(name: str) -> Engine:
    """Return an engine, or skip and say what is missing."""
    if name == "reference" and not reference.is_here():
        pytest.skip(f"no {reference.folder()}: rlbench data fetch {reference.NAME}")
    try:
        ENGINES[name].load()
    except (RLBenchError, ModuleNotFoundError) as error:
        pytest.skip(str(error))
    return ENGINES[name]


def envs() -> ModuleType:
    """Return the module of Procgen's environments, for the engine that plays here."""
    from rlbench.suites.procgen import envs

    return envs
