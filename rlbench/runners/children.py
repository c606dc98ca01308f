"""What the processes have in common that a command starts: they are asked, and end, by a pipe."""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn


def what_is_asked() -> Any:
    """Return the JSON data in the first line of standard input.

    Raises:
        SystemExit: The line did not come whole: whoever would have asked is gone.
    """
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        raise SystemExit(1)
    return json.loads(line)


def keep_output() -> Callable[[Any], None]:
    """Keep standard output for answers: what any code prints from now on goes to standard error.

    Returns:
        What sends one answer, as a line of JSON. If the parent is gone it ends the process group.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def send(answer: Any) -> None:
        line = json.dumps(answer, allow_nan=False) + "\n"
        try:
            answers.write(line)
            answers.flush()
        except BrokenPipeError:
            _end_group()

    return send


def end_with_parent() -> None:
    """Wait until the parent closes its end of standard input, then end the process group."""
    while os.read(0, 1):
        pass
    _end_group()


def _end_group() -> NoReturn:
    """End the process and, if it leads its group, all that it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
