"""Which suites there are: our own, those of other packages (entry points), and those in files."""

import importlib

from rlbench.errors import UnknownName, UsageError, one_line
from rlbench.registry import Entry, Registry
from rlbench.suites import files
from rlbench.suites.suite import Suite

SUITES = Registry(
    "suite",
    {
        "atari100k": Entry("rlbench.suites.atari.protocols:ATARI100K"),
        "atari100k-sticky": Entry("rlbench.suites.atari.protocols:ATARI100K_STICKY"),
        "atari100k-rgb64": Entry("rlbench.suites.atari.protocols:ATARI100K_RGB64"),
        "stori": Entry("rlbench.suites.stori:STORI"),
        "stori-original": Entry("rlbench.suites.stori:STORI_ORIGINAL"),
        "stori-transfer": Entry("rlbench.suites.stori:STORI_TRANSFER"),
        "stori26": Entry("rlbench.suites.stori:STORI26"),
        "dmc-state": Entry("rlbench.suites.dmc.protocols:DMC_STATE"),
        "dmc-vision": Entry("rlbench.suites.dmc.protocols:DMC_VISION"),
        "dmc-hard": Entry("rlbench.suites.dmc.protocols:DMC_HARD"),
        "dmc-mini": Entry("rlbench.suites.dmc.protocols:DMC_MINI"),
        "dmc-context": Entry("rlbench.suites.dmc.families:DMC_CONTEXT"),
        "dmc-context-visible": Entry("rlbench.suites.dmc.families:DMC_CONTEXT_VISIBLE"),
        "dmc-transfer": Entry("rlbench.suites.dmc.families:DMC_TRANSFER"),
        "dmc-transfer-vision": Entry("rlbench.suites.dmc.families:DMC_TRANSFER_VISION"),
        "dmc-frequency": Entry("rlbench.suites.dmc.families:DMC_FREQUENCY"),
        "procgen-easy": Entry("rlbench.suites.procgen.protocols:PROCGEN_EASY"),
        "procgen-hard": Entry("rlbench.suites.procgen.protocols:PROCGEN_HARD"),
        "procgen-easy-all": Entry("rlbench.suites.procgen.protocols:PROCGEN_EASY_ALL"),
        "procgen-hard-all": Entry("rlbench.suites.procgen.protocols:PROCGEN_HARD_ALL"),
        "procgen-mini": Entry("rlbench.suites.procgen.protocols:PROCGEN_MINI"),
        "parkour": Entry("rlbench.suites.teachmyagent.protocols:PARKOUR"),
        "parkour-1m": Entry("rlbench.suites.teachmyagent.protocols:PARKOUR_1M"),
        "parkour-bodies": Entry("rlbench.suites.teachmyagent.protocols:PARKOUR_BODIES"),
        "stump-tracks": Entry("rlbench.suites.teachmyagent.protocols:STUMP_TRACKS"),
        "stump-tracks-1m": Entry("rlbench.suites.teachmyagent.protocols:STUMP_TRACKS_1M"),
        "neorl2": Entry("rlbench.suites.neorl2.protocols:NEORL2"),
        "neorl2-scarce": Entry("rlbench.suites.neorl2.protocols:NEORL2_SCARCE"),
    },
)


def names() -> list[str]:
    """Return the names of all suites, our own first."""
    return list(SUITES.targets())


def get(name: str) -> Suite:
    """Return a suite.

    Args:
        name: ``atari100k`` or, with the version that is meant, ``atari100k@1``; or a file:
            ``my_suite.toml``, ``my_suite.py`` or ``my_suite.py:SUITE``. The ids that records hold
            end in a version, so they never name a file.

    Raises:
        UnknownName: There is no such suite.
        UsageError: The suite is here in another version, its entry point is broken, or its file
            cannot be read.
    """
    if files.names_file(name):
        suite, assumed = load_file(name)
        if assumed:
            raise UsageError(
                f"{assumed}; rlbench check --suite accepts this, but a run needs a Suite"
            )
        return suite
    base, _, version = name.partition("@")
    own = SUITES.own.get(base)
    target = own.target if own else SUITES.targets().get(base)
    if target is None:
        raise UnknownName("suite", name, names(), see="rlbench list suites")
    module, _, attribute = target.partition(":")
    what = f"the entry point {target!r} of the suite {base!r}"
    try:
        suite = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever another package's module raises
        raise UsageError(f"{what} is broken: {one_line(error)}") from error
    if not isinstance(suite, Suite):
        raise UsageError(f"{what} is not a Suite")
    if version and version != str(suite.version):
        raise UsageError(f"the suite {base!r} has version {suite.version} here, not {version}")
    return suite


def load_all() -> tuple[list[Suite], list[str]]:
    """Return all suites, and one line on each that cannot be loaded."""
    found, problems = [], []
    for name in names():
        try:
            found.append(get(name))
        except UsageError as error:
            problems.append(str(error))
    return found, problems


def load_file(spec: str) -> tuple[Suite, str]:
    """Return the suite in a file, and one line on what was assumed, if anything.

    Args:
        spec: See `rlbench.suites.files.load_file`.

    Raises:
        UsageError: The file cannot be read, holds no suite or several, or what it says of it makes
            no sense.
    """
    return files.load_file(spec, SUITES.own)
