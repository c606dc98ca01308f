"""How many CPUs this process may use."""

import os
from pathlib import Path


def usable_cpus() -> int:
    """Return how many CPUs this process may use, at least 1.

    That is the machine's number, or fewer where a scheduler or `taskset` gave the process some of
    them, or a container a share of their time.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = container_limit("cpu.max").split()
    if len(share) == 2 and share[0].isdecimal() and share[1].isdecimal() and int(share[1]):
        usable = min(usable or 1, round(int(share[0]) / int(share[1])))
    return max(1, usable or 1)


def container_limit(name: str) -> str:
    """Return a limit of the Linux container, e.g. ``cpu.max``; nothing where there is none."""
    try:
        return Path("/sys/fs/cgroup", name).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
