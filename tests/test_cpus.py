"""How many CPUs this process may use, and so how many runs go side by side."""

import os
import subprocess
import sys

import pytest

from rlbench import cpus
from rlbench.cpus import usable_cpus

ONE_OF_THEM = """
import os
from rlbench.api.places import parse_places
from rlbench.cpus import usable_cpus

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
places = parse_places("cpu", jobs=0, runs_per_gpu=1, runs=100, has_group=False)
print(usable_cpus(), len(places.slots), places.threads)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_runs_go_only_where_the_scheduler_lets_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_OF_THEM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 1 1\n"


@pytest.mark.parametrize(
    ("share", "usable"),
    [
        ("", 64), ("max 100000", 64), ("150000 100000", 2), ("20000 100000", 1),
        ("9900000 100000", 64), ("1 0", 64), ("1 -1", 64), ("-1 1", 64), ("odd", 64),
    ],
)  # fmt: skip
def test_a_container_may_have_a_share(
    share: str, usable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpus, "container_limit", lambda name: {"cpu.max": share}[name])
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    assert usable_cpus() == usable
