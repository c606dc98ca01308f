"""What the checks find, and how it is said."""

import os
import sysconfig
import traceback
from pathlib import Path
from typing import Literal, NamedTuple

from rlbench.errors import RLBenchError

Outcome = Literal["passed", "failed", "skipped"]
_MAX_DETAIL = 500


class Finding(NamedTuple):
    """What came of one check.

    Attributes:
        name: The check's.
        status: ``passed``, ``failed`` or ``skipped``.
        detail: What was seen, in one line.
    """

    name: str
    status: Outcome
    detail: str


class Skipped(Exception):
    """A check does not apply."""


def describe(error: BaseException) -> str:
    """Return what was raised, and where in the agent's code, in one line."""
    text = str(error) if isinstance(error, RLBenchError) else f"{type(error).__name__}: {error}"
    root = error.__cause__ or error
    ours = str(Path(__file__).parents[2])
    folders = (ours, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    others = (*(folder + os.sep for folder in folders), "<frozen")
    frames = [
        frame
        for frame in traceback.extract_tb(root.__traceback__)
        if not frame.filename.startswith(others)
    ]
    if frames:
        text += f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= _MAX_DETAIL else line[:_MAX_DETAIL] + " ..."
