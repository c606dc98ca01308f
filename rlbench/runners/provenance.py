"""Where a run was made."""

import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rlbench import __version__
from rlbench.runners.run import Run

_PACKAGES = ("numpy", "gymnasium", "ale-py", "torch")


def provenance(run: Run) -> dict[str, str | int | float | None]:
    """Return where a run was made: versions, hardware, device."""
    versions: dict[str, str | int | float | None] = {}
    for package in _PACKAGES:
        try:
            versions[f"version_{package}"] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "version_rlbench": __version__,
        "version_python": platform.python_version(),
        **versions,
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "device": run.device,
        **_gpu(run.device),
        "threads": run.threads,
    }


def _gpu(device: str) -> dict[str, str]:
    """Return the name of the GPU, if the agent has loaded what can tell."""
    torch: Any = sys.modules.get("torch")
    with suppress(Exception):
        if device.startswith("cuda") and torch is not None:
            return {"gpu": str(torch.cuda.get_device_name(device))}
    return {}
