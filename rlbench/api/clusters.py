"""Which backend runs go to, and where they may be there: `--backend` and its tables of options."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rlbench.api.places import Places, parse_places
from rlbench.errors import UnknownName, UsageError
from rlbench.runners import Run, Slot, run_all
from rlbench.runners.run import Players
from rlbench.suites import Suite

BACKENDS = ("local", "ray", "slurm")

FoundPlaces = tuple[Places, Callable[..., None]]  # where runs may be, and what executes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where runs are to be: a backend, and what is asked of it.

    Attributes:
        backend: One of `BACKENDS`.
        address: Of a Ray cluster.
        options: By backend, what the tables of the file of ``--config`` hold.
        device: See `parse_places`, as for those below.
        jobs: The same.
        runs_per_gpu: The same.
    """

    backend: str = "local"
    address: str = "auto"
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    device: str = "cpu"
    jobs: int = 0
    runs_per_gpu: int = 1


class Work(NamedTuple):
    """What is to be run: its code goes to a cluster.

    Attributes:
        suite: The suite.
        players: What makes each agent, and its teacher in a curriculum.
        runs: How many runs there are.
        has_group: Each agent can make several that are stepped in lock-step.
    """

    suite: Suite
    players: Sequence[Players]
    runs: int
    has_group: bool


def find_places(placement: Placement, work: Work) -> FoundPlaces:
    """Return where runs may be, and what executes them as `run_all` does.

    Raises:
        UsageError: Something does not fit, or there is no such cluster.
        MissingExtra: The backend needs an extra.
    """
    if placement.backend == "ray":
        return _on_ray(placement, work)
    if placement.backend == "slurm":
        return _by_slurm(placement, work)
    if placement.backend != "local":
        raise UnknownName("backend", placement.backend, BACKENDS)
    places = parse_places(
        placement.device, jobs=placement.jobs, runs_per_gpu=placement.runs_per_gpu, runs=work.runs,
        has_group=work.has_group,
    )  # fmt: skip
    return places, run_all


def _on_ray(placement: Placement, work: Work) -> FoundPlaces:
    from rlbench.runners.backends.ray import Needs, RayBackend, connect
    from rlbench.runners.backends.shipping import ship

    options = _ray_options(placement)
    environment = dict(options.get("runtime_env", {}))
    rename: Callable[[Run], Run] = _in_place
    with tempfile.TemporaryDirectory(prefix="rlbench-") as folder:
        if "working_dir" not in environment:
            rename = ship(work.players, work.suite, Path(folder)).rename
            environment["working_dir"] = folder
        ray = connect(placement.address, environment)
    wants_gpus, group = _gpus(placement, work, has_gpus=bool(ray.cluster_resources().get("GPU")))
    needs = Needs(
        cpus=float(options.get("cpus", 1)),
        gpus=(1.0 if group > 1 else 1.0 / placement.runs_per_gpu) if wants_gpus else 0.0,
    )
    backend = RayBackend(ray, needs=needs, rename=rename, shares=options.get("shared_store"))
    most = placement.jobs or backend.room()
    if not most:
        raise UsageError(
            f"no node of the cluster has {needs.cpus:g} CPUs and {needs.gpus:g} GPUs for a run; "
            "if it grows on demand, say --jobs"
        )
    slots = [Slot("cuda:0" if wants_gpus else "cpu")] * min(most, -(-work.runs // group))
    return Places(slots, group, max(1, int(needs.cpus))), partial(run_all, backend=backend)


def _ray_options(placement: Placement) -> Mapping[str, Any]:
    """Return what the table [ray] holds.

    Raises:
        UsageError: It holds something else.
    """
    options = placement.options.get("ray", {})
    kinds: dict[str, tuple[type, ...]] = {
        "cpus": (int, float), "runtime_env": (dict,), "shared_store": (bool,)
    }  # fmt: skip
    for name, value in options.items():
        if name not in kinds:
            raise UnknownName("option in [ray]:", name, kinds)
        if type(value) not in kinds[name] or (name == "cpus" and not value > 0):
            raise UsageError(f"{name} in [ray] cannot be {value!r}")
    return options


def _in_place(run: Run) -> Run:
    """Return a run whose files have the same names in the working folder."""
    return run


def _gpus(placement: Placement, work: Work, *, has_gpus: bool) -> tuple[bool, int]:
    """Return whether runs use GPUs, and how many share a worker."""
    if placement.device not in ("cpu", "auto", "cuda"):
        raise UsageError(
            f"--device {placement.device}: a cluster chooses the GPUs; say cpu, cuda or auto"
        )
    group = min(placement.runs_per_gpu, work.runs) if work.has_group else 1
    wants = placement.device == "cuda" or (placement.device == "auto" and has_gpus)
    if not wants and placement.runs_per_gpu > 1 and not work.has_group:
        raise UsageError(
            f"--runs-per-gpu {placement.runs_per_gpu} needs --device cuda, or an agent with a"
            " make_group"
        )
    return wants, group


def _by_slurm(placement: Placement, work: Work) -> FoundPlaces:
    from rlbench.runners.backends.slurm import check_parameters, run_array

    parameters = dict(placement.options.get("slurm", {}))
    check_parameters(parameters)
    wants_gpus, group = _gpus(placement, work, has_gpus="gpus_per_node" in parameters)
    if wants_gpus and placement.runs_per_gpu > 1 and not work.has_group:
        raise UsageError("a job has a GPU of its own: --runs-per-gpu needs a make_group here")
    if wants_gpus:
        parameters.setdefault("gpus_per_node", 1)
    slots = [Slot("cuda:0" if wants_gpus else "cpu")] * (placement.jobs or -(-work.runs // group))
    threads = int(parameters.setdefault("cpus_per_task", 1))
    return Places(slots, group, threads), partial(run_array, parameters=parameters)
