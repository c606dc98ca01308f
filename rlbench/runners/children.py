"""What the processes have in common that a command starts: they are asked, and end, by a pipe."""

import json
import os
import signal
import sys
from typing import Any


def what_is_asked() -> Any:
    """Return the JSON data in the first line of standard input.

    Raises:
        SystemExit: The line did not come whole: whoever would have asked is gone.
    """
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        raise SystemExit(1)
    return json.loads(line)


def end_with_parent() -> None:
    """Wait until the parent closes its end of standard input, then end the process group."""
    while os.read(0, 1):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
