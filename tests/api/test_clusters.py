"""What is asked of a backend, as far as that can be told without a cluster."""

from importlib.util import find_spec
from typing import Any

import pytest

from rlbench import suites
from rlbench.api.clusters import Placement, Work, find_places
from rlbench.errors import MissingExtra, UnknownName, UsageError
from rlbench.runners import Recipe, run_all
from rlbench.runners.backends.ray import Needs
from rlbench.runners.run import Players


def work(*, runs: int = 3, has_group: bool = False) -> Work:
    agent = Recipe(spec="random", options={})
    suite = suites.get("atari100k")
    return Work(suite=suite, players=[Players(agent)], runs=runs, has_group=has_group)


def test_here() -> None:
    places, execute = find_places(Placement(jobs=2), work())
    assert len(places.slots) == 2
    assert execute is run_all


def test_a_backend_that_is_none() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'ray'"):
        find_places(Placement(backend="rai"), work())


@pytest.mark.parametrize(("backend", "module"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_extra_that_is_missing(backend: str, module: str) -> None:
    if find_spec(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(MissingExtra, match=rf"pip install 'rlbench\[{backend}\]'"):
        find_places(Placement(backend=backend), work())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cpu": 2}, "Did you mean 'cpus'"),
        ({"cpus": 0}, r"cpus in \[ray\] cannot be 0"),
        ({"cpus": True}, "cannot be True"),
        ({"shared_store": "no"}, "cannot be 'no'"),
        ({"runtime_env": "."}, "cannot be '.'"),
    ],
)
def test_options_of_a_table(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_places(Placement(backend="ray", options={"ray": options}), work())


@pytest.mark.parametrize(
    ("needs", "resources", "fit"),
    [
        (Needs(), {"CPU": 2.0}, 2),
        (Needs(cpus=2), {"CPU": 3.0}, 1),
        (Needs(cpus=1, gpus=0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Needs(cpus=1, gpus=1 / 3), {"CPU": 16.0, "GPU": 1.0}, 3),
        (Needs(cpus=4, gpus=0.5), {"CPU": 4.0, "GPU": 2.0}, 1),
        (Needs(cpus=1, gpus=1), {"CPU": 4.0}, 0),
        (Needs(), {}, 0),
    ],
)
def test_how_often_a_worker_fits(needs: Needs, resources: dict[str, float], fit: int) -> None:
    assert needs.fit(resources) == fit


@pytest.mark.skipif(not find_spec("submitit"), reason="submitit is not installed")
@pytest.mark.parametrize(
    ("asked", "has_group", "slots", "group", "gpus"),
    [
        ({}, False, 3, 1, None),
        ({"device": "cuda"}, False, 3, 1, 1),
        ({"device": "cuda", "runs_per_gpu": 2}, True, 2, 2, 1),
        ({"jobs": 1}, False, 1, 1, None),
    ],
)
def test_jobs(asked: dict[str, Any], has_group: bool, slots: int, group: int, gpus: Any) -> None:
    places, execute = find_places(Placement(backend="slurm", **asked), work(has_group=has_group))
    assert (len(places.slots), places.group, places.threads) == (slots, group, 1)
    parameters: dict[str, Any] = getattr(execute, "keywords")["parameters"]  # noqa: B009
    assert parameters.get("gpus_per_node") == gpus


@pytest.mark.skipif(not find_spec("submitit"), reason="submitit is not installed")
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"device": "cuda:1"}, "a cluster chooses the GPUs"),
        ({"runs_per_gpu": 2}, "needs --device cuda"),
        ({"runs_per_gpu": 2, "device": "cuda"}, "a GPU of its own"),
        ({"options": {"slurm": {"mem": {}}}}, r"values in \[slurm\]"),
    ],
)
def test_what_does_not_fit(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_places(Placement(backend="slurm", **asked), work())
