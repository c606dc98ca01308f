"""Fixtures of all tests."""

from pathlib import Path

import pytest
from support.golden import folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of golden cases, or skip."""
    if not folder().is_dir():
        pytest.skip(f"no golden cases at {folder()}: RLBENCH_GOLDEN names no folder")
    return folder()
