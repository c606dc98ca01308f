"""NeoRL-2's files: where they are kept."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def data_folder() -> Path:
    """Return where data are kept: ``RLBENCH_DATA``, or a folder in the user's cache."""
    named = os.environ.get("RLBENCH_DATA")
    return Path(named) if named else user_cache_path("rlbench", appauthor=False) / "data"
