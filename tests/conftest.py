"""Fixtures of all tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.golden import folder

# Others may use the machine: no example takes too long.
settings.register_profile("rlbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rlbench")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of golden cases, or skip."""
    if not folder().is_dir():
        pytest.skip(f"no golden cases at {folder()}: RLBENCH_GOLDEN names no folder")
    return folder()
