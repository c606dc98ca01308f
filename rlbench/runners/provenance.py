"""Where a run was made."""

import os
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rlbench import __version__
from rlbench.errors import UsageError
from rlbench.runners.run import Run
from rlbench.suites import Suite

_PACKAGES = ("numpy", "gymnasium", "torch")


def provenance(run: Run) -> dict[str, str | int | float | None]:
    """Return where a run was made: hardware, device, versions of what matters for its task."""
    numbers = dict(versions_of(_PACKAGES))
    with suppress(UsageError):  # the suite's file may have been changed meanwhile
        suite = run.suite
        numbers |= dict(versions_of(suite.task(run.identity.task).packages))
        numbers |= engine_versions(suite)
    versions = {f"version_{name}": number for name, number in numbers.items()}
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


def versions_of(packages: Iterable[str]) -> list[tuple[str, str]]:
    """Return the distributions that are installed, each with its version."""
    found = []
    for package in dict.fromkeys(packages):
        with suppress(PackageNotFoundError):
            found.append((package, version(package)))
    return found


def engine_versions(suite: Suite) -> dict[str, str]:
    """Return the versions of what a suite's environments are made of, by name."""
    return suite.own_versions() if suite.versions else dict(versions_of(suite.packages))


def _gpu(device: str) -> dict[str, str]:
    """Return the name of the GPU, if the agent has loaded what can tell."""
    torch: Any = sys.modules.get("torch")
    with suppress(Exception):
        if device.startswith("cuda") and torch is not None:
            return {"gpu": str(torch.cuda.get_device_name(device))}
    return {}
