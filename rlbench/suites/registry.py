"""Which suites there are: our own, and those of other packages (`rlbench.suites` entry points)."""

import importlib
from importlib.metadata import entry_points

from rlbench.errors import UnknownName, UsageError
from rlbench.suites.suite import Suite

_OWN = {
    "atari100k": "rlbench.suites.atari.protocols:ATARI100K",
    "atari100k-sticky": "rlbench.suites.atari.protocols:ATARI100K_STICKY",
    "atari100k-rgb64": "rlbench.suites.atari.protocols:ATARI100K_RGB64",
    "stori": "rlbench.suites.stori:STORI",
    "stori-original": "rlbench.suites.stori:STORI_ORIGINAL",
    "stori-transfer": "rlbench.suites.stori:STORI_TRANSFER",
    "stori26": "rlbench.suites.stori:STORI26",
    "dmc-state": "rlbench.suites.dmc:DMC_STATE",
    "dmc-vision": "rlbench.suites.dmc:DMC_VISION",
    "dmc-hard": "rlbench.suites.dmc:DMC_HARD",
    "procgen-easy": "rlbench.suites.procgen:PROCGEN_EASY",
    "procgen-hard": "rlbench.suites.procgen:PROCGEN_HARD",
    "parkour": "rlbench.suites.parkour:PARKOUR",
    "stump-tracks": "rlbench.suites.parkour:STUMP_TRACKS",
    "neorl2": "rlbench.suites.neorl2:NEORL2",
}


def _registered() -> dict[str, str]:
    """Return ``module:attribute`` by name; our own names cannot be taken by another package."""
    return {point.name: point.value for point in entry_points(group="rlbench.suites")} | _OWN


def names() -> list[str]:
    """Return the names of all suites, our own first."""
    return [*_OWN, *sorted(set(_registered()) - set(_OWN))]


def get(name: str) -> Suite:
    """Return a suite.

    Args:
        name: ``atari100k`` or, with the version that is meant, ``atari100k@1``.

    Raises:
        UnknownName: There is no such suite.
        UsageError: The suite is here, but in another version.
    """
    base, _, version = name.partition("@")
    target = _OWN.get(base) or _registered().get(base)
    if target is None:
        raise UnknownName("suite", name, names(), see="rlbench list suites")
    module, _, attribute = target.partition(":")
    suite = getattr(importlib.import_module(module), attribute)
    if not isinstance(suite, Suite):
        raise UsageError(f"the entry point {target!r} of the suite {base!r} is not a Suite")
    if version and version != str(suite.version):
        raise UsageError(f"the suite {base!r} is here in version {suite.version}, not {version}")
    return suite
