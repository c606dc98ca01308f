"""Processes of the command and of its workers: how to start them and find them.

Nothing slow is imported here: workers of tests import it too.
"""

import signal
import sys
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "rlbench"]
WORKER = b"rlbench.runners.backends.worker"


def workers_in(folder: Path) -> list[int]:
    """Return the workers that run in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if WORKER in command and (process / "cwd").resolve() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def heed_interrupts() -> None:
    """Undo, in a process that begins, what a shell does to those in its background.

    They and all that they start ignore SIGINT.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
