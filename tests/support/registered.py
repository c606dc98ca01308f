"""The suites of the tests, registered as another package would register its own."""

import os
from collections.abc import Mapping
from pathlib import Path

SUITES = {
    "pendulum-offline": "support.pendulum:PENDULUM",
    "cartpole-curriculum": "support.cartpole:CARTPOLE",
    "cartpole-onward": "support.cartpole:CARTPOLE_ONWARD",
    "toy-odd": "support.toy:ODD",
    "toy-fixed": "support.toy:FIXED",
}


def register(folder: Path, suites: Mapping[str, str] = SUITES) -> dict[str, str]:
    """Write into a folder what an installed package with suites leaves behind.

    Args:
        folder: Where; it is made.
        suites: ``module:attribute`` by the suites' names.

    Returns:
        The environment variables under which Python finds it, and the modules of the tests.
    """
    installed = folder / "suites_of_the_tests-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: suites-of-the-tests\nVersion: 1\n"
    )
    lines = [f"{name} = {target}" for name, target in suites.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[rlbench.suites]", *lines, ""]))
    path = [str(folder), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, path))}
