"""What is run: suites, their tasks and protocols.

>>> from rlbench import suites
>>> suites.get("atari100k").task("pong").high
14.6
"""

from rlbench.suites.dataset import Dataset, Episodes
from rlbench.suites.files import names_file
from rlbench.suites.registry import get, load_all, load_file, names
from rlbench.suites.suite import (
    Constant,
    Protocol,
    Role,
    Scalar,
    Split,
    Suite,
    Task,
    sha256_of,
    slug,
)

__all__ = [
    "Constant",
    "Dataset",
    "Episodes",
    "Protocol",
    "Role",
    "Scalar",
    "Split",
    "Suite",
    "Task",
    "get",
    "load_all",
    "load_file",
    "names",
    "names_file",
    "sha256_of",
    "slug",
]
