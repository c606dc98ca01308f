"""Looking for worker processes."""

from pathlib import Path

WORKER = b"rlbench.runners.backends.worker"


def workers_in(folder: Path) -> list[int]:
    """Return the workers that run in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if (
                b"rlbench.runners.backends.worker" in command
                and (process / "cwd").resolve() == folder
            ):
                found.append(int(process.name))
        except OSError:
            continue
    return found
