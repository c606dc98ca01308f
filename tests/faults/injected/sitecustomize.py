"""Python runs this when it starts: it kills the process at a place that a variable names.

The variable ``FAULT`` holds JSON: at the `nth` call of `call` (of ``os``, ``shutil`` or ``io``)
whose arguments `path` matches, and `when` (``before`` it, ``after`` it or, of a file that it
opens, in the ``middle`` of the first write), SIGKILL goes to `victims`. It happens once: then the
file `marker` is there.
"""

import io
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

MODULES = {"open": io, "rmtree": shutil}


def role() -> str:
    """Return what this process is."""
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    if b"rlbench.runners.backends.worker" in words:
        return "worker"
    return "command" if b"rlbench" in words else "other"


def kill(plan: dict[str, Any]) -> None:
    """Kill, unless it was done before."""
    try:
        marker = os.open(plan["marker"], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    os.close(marker)
    processes = {"self": os.getpid(), "parent": os.getppid()}
    for victim in plan["victims"]:
        os.kill(processes[victim], signal.SIGKILL)


def described(call: str, arguments: tuple[Any, ...]) -> str:
    """Return the arguments of a call as text: paths, and what a file is opened for."""
    if call in ("fsync", "fstat"):
        return os.readlink(f"/proc/self/fd/{arguments[0]}")
    kept = arguments[:2] if call in ("open", "link", "rename", "replace") else arguments[:1]
    return " ".join(os.fspath(a) for a in kept if isinstance(a, str | os.PathLike))


def write_half(write: Callable[[Any], int], flush: Callable[[], None], end: Callable[[], None],
               data: Any) -> int:  # fmt: skip
    """Write the first half of what is to be written, and the rest if there is a rest."""
    half = len(data) // 2
    write(data[:half])
    flush()
    end()
    return half + write(data[half:])


def arm(plan: dict[str, Any]) -> None:
    """Replace the function by one that kills when the time has come."""
    name, pattern, calls = plan["call"], re.compile(plan["path"]), 0
    module = MODULES.get(name, os)
    original = getattr(module, name)

    def watched(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += bool(pattern.search(described(name, arguments)))
        reached = calls == plan["nth"] and pattern.search(described(name, arguments))
        if reached and plan["when"] == "before":
            kill(plan)
        result = original(*arguments, **options)
        if reached and plan["when"] == "middle":
            result.write = partial(write_half, result.write, result.flush, partial(kill, plan))
        if reached and plan["when"] == "after":
            kill(plan)
        return result

    setattr(module, name, watched)


if "FAULT" in os.environ:
    fault = json.loads(os.environ["FAULT"])
    if role() == fault["who"]:
        arm(fault)
