"""Fixtures of all tests."""

from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import HealthCheck, settings
from support.golden import folder

# Others may use the machine: no example takes too long.
settings.register_profile("rlbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rlbench")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for no doctests in tests.

    That would import a file a first time and forgive that this fails; pytest would then take what
    is left of the module for a file without tests.
    """
    return [each for each in (yield) if not isinstance(each, DoctestModule)]


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of golden cases, or skip."""
    if not folder().is_dir():
        pytest.skip(f"no golden cases at {folder()}: RLBENCH_GOLDEN names no folder")
    return folder()
