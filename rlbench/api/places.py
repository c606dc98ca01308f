"""Where runs may be: what `--device`, `--jobs` and `--runs-per-gpu` make of this machine."""

import os
import re
import subprocess
from contextlib import suppress
from typing import NamedTuple

from rlbench.cpus import usable_cpus
from rlbench.errors import UsageError
from rlbench.runners import Slot


class Places(NamedTuple):
    """Where runs may be.

    Attributes:
        slots: One a worker.
        group: Runs that a worker executes in lock-step.
        threads: Threads a worker.
    """

    slots: list[Slot]
    group: int
    threads: int


def parse_places(
    device: str, *, jobs: int, runs_per_gpu: int, runs: int, has_group: bool
) -> Places:
    """Return where runs may be.

    Args:
        device: ``cpu``, ``auto``, ``cuda`` (all GPUs), ``cuda:0,1``, or what an agent understands.
        jobs: Workers at a time; 0 for as many as there are CPUs or places on GPUs.
        runs_per_gpu: Runs that share a GPU.
        runs: How many there are. Of all that is wanted, not of what is left: a run taken up later
            gets as many threads.
        has_group: The agent can make several that are stepped in lock-step.

    Raises:
        UsageError: There is no such GPU, or nothing that could share one.
    """
    cpus = usable_cpus()
    gpus = _chosen_gpus(device)
    if not gpus and runs_per_gpu > 1 and not has_group:
        raise UsageError(
            f"--runs-per-gpu {runs_per_gpu} needs --device cuda, or an agent with a make_group"
        )
    group = min(runs_per_gpu, runs) if has_group else 1
    if gpus:
        shares = 1 if has_group else runs_per_gpu
        places = [Slot("cuda:0", gpu) for _ in range(shares) for gpu in gpus]
    else:
        places = [Slot(_plain(device))] * (jobs or cpus)
    workers = -(-runs // group)
    slots = places[: min(jobs or len(places), workers)]
    return Places(slots, group, max(1, cpus // len(slots)))


def gpus_here() -> list[str]:
    """Return the names of the GPUs that programs started here may use, or none."""
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        present = listed.stdout.split()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return present if visible is None else [v for v in visible.split(",") if v.strip()]
    return []


def _chosen_gpus(device: str) -> list[str]:
    """Return the GPUs that a device names, by what CUDA_VISIBLE_DEVICES calls them."""
    if device == "auto":
        return gpus_here()
    match = re.fullmatch(r"cuda(?::(\d+(?:,\d+)*))?", device)
    if not match:
        return []
    here = gpus_here()
    if not here:
        raise UsageError(f"--device {device}: there is no GPU here; see rlbench doctor")
    chosen = [int(number) for number in match[1].split(",")] if match[1] else range(len(here))
    if max(chosen) >= len(here):
        raise UsageError(f"--device {device}: there are {len(here)} GPUs here, from 0")
    return [here[number] for number in dict.fromkeys(chosen)]


def _plain(device: str) -> str:
    return "cpu" if device == "auto" else device
