"""Which suites there are: our own, and those of other packages (`rlbench.suites` entry points)."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from rlbench.errors import UnknownName, UsageError, one_line
from rlbench.registry import Entry, Registry
from rlbench.suites.suite import Protocol, Suite, Task, slug

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
        "dmc-state": Entry("rlbench.suites.dmc:DMC_STATE"),
        "dmc-vision": Entry("rlbench.suites.dmc:DMC_VISION"),
        "dmc-hard": Entry("rlbench.suites.dmc:DMC_HARD"),
        "procgen-easy": Entry("rlbench.suites.procgen:PROCGEN_EASY"),
        "procgen-hard": Entry("rlbench.suites.procgen:PROCGEN_HARD"),
        "parkour": Entry("rlbench.suites.parkour:PARKOUR"),
        "stump-tracks": Entry("rlbench.suites.parkour:STUMP_TRACKS"),
        "neorl2": Entry("rlbench.suites.neorl2.protocols:NEORL2"),
    },
)


def names() -> list[str]:
    """Return the names of all suites, our own first."""
    return list(SUITES.targets())


def get(name: str) -> Suite:
    """Return a suite.

    Args:
        name: ``atari100k`` or, with the version that is meant, ``atari100k@1``.

    Raises:
        UnknownName: There is no such suite.
        UsageError: The suite is here in another version, or its entry point is broken.
    """
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
        raise UsageError(f"the suite {base!r} is here in version {suite.version}, not {version}")
    return suite


def load_all() -> tuple[list[Suite], list[str]]:
    """Return all suites, and what is wrong with those that cannot be loaded, a line each."""
    found, problems = [], []
    for name in names():
        try:
            found.append(get(name))
        except UsageError as error:
            problems.append(str(error))
    return found, problems


def load_file(spec: str) -> tuple[Suite, str]:
    """Return the suite in a Python file; its code runs in this process.

    A file that holds no suite but a ``make``, the function that makes environments, stands for a
    suite of one task.

    Args:
        spec: ``my_suite.py``, or with the attribute that is meant ``my_suite.py:SUITE``.

    Returns:
        The suite, and in one line what was assumed, if anything.

    Raises:
        UsageError: The file cannot be read or imported, or holds no suite or several.
    """
    target, _, attribute = spec.partition(":")
    path = Path(target).resolve()
    if not path.is_file():
        raise UsageError(f"there is no file {target}")
    try:
        module = _import_file(path)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # whatever the file raises
        raise UsageError(f"{path.name} cannot be imported: {one_line(error)}") from error
    suites = {name: value for name, value in vars(module).items() if isinstance(value, Suite)}
    if not suites and not attribute and callable(getattr(module, "make", None)):
        suite = _suite_around(path.stem)
        return suite, f"{path.name} holds make() but no Suite; assumed: {suite.summary}"
    if attribute and attribute not in suites:
        raise UnknownName(f"suite in {path.name}:", attribute, suites)
    if not suites:
        raise UsageError(f"{path.name} holds neither an rlbench.suites.Suite nor a make()")
    first = next(iter(suites))
    if not attribute and len({id(suite) for suite in suites.values()}) > 1:
        names = ", ".join(suites)
        raise UsageError(f"{path.name} holds {names}: name one, e.g. {path.name}:{first}")
    return suites[attribute or first], ""


def _suite_around(module: str) -> Suite:
    """Return a suite whose environments a module's ``make`` makes."""
    protocol = Protocol(
        budget=100_000, episodes=10, eval_envs=4, max_episode_steps=1000, environment={}
    )
    return Suite(
        name=slug(module),
        version=1,
        title=module,
        summary=f"one task {module!r}, at most {protocol.max_episode_steps} steps an episode, no "
        "constants of the environment, starts that vary",
        protocol=protocol,
        tasks=(Task(name=module, low=0.0, high=1.0),),
        references=("0", "1"),
        reference_source="",
        factory=f"{module}:make",
        extra="",
    )


def _import_file(path: Path) -> ModuleType:
    """Import a file under its bare name, by which the suite in it names its factory."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module(path.stem)
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path:
        raise UsageError(f"{path.name} has the name of another module: rename the file")
    return module
