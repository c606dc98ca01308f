"""Fixtures and where the golden cases are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of golden cases, or skip."""
    folder = Path(os.environ.get("RLBENCH_GOLDEN", Path(__file__).parents[2] / "shared/golden"))
    if not folder.is_dir():
        pytest.skip(f"no golden cases at {folder}: set RLBENCH_GOLDEN")
    return folder
