"""What a cluster needs of this machine's files: the code of agents, teachers and suites; data.

They are copied into a folder that is sent to the nodes, where workers start in it. Packages that
are installed here must be installed there.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlbench.errors import UsageError
from rlbench.registry import Registry
from rlbench.runners.agents import factories
from rlbench.runners.agents.agent import AGENTS, COMMAND, SB3_ZIP
from rlbench.runners.agents.resolving import Recipe
from rlbench.runners.run import Players, Run
from rlbench.runners.teachers.teacher import TEACHERS
from rlbench.sources import is_installed, sources
from rlbench.suites import Suite
from rlbench.suites import files as suite_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """How runs are named where the folder is.

    Attributes:
        players: Those of the runs, each with what makes them there.
        suite: What names the suite.
    """

    players: Sequence[tuple[Players, Players]]
    suite: str

    def rename(self, run: Run) -> Run:
        """Return a run as a worker there takes it."""
        agent, teacher = next(there for here, there in self.players if here == run.players)
        return replace(run, agent=agent, teacher=teacher, suite_spec=self.suite)


def ship(players: Sequence[Players], suite: Suite, folder: Path) -> Shipped:
    """Copy what the runs of agents need into a folder.

    These are the files that the hashes of agents, teachers and suite cover, and those that options
    name. Other files are for the user to send. Files of different agents may have one name.

    Args:
        players: What makes each agent and its teacher.
        suite: The suite.
        folder: An empty folder.

    Raises:
        UsageError: A file cannot be read, or it is not known which files are needed.
    """
    try:
        return Shipped(
            players=[(here, _players(here, folder, str(k))) for k, here in enumerate(players)],
            suite=_suite(suite, folder),
        )
    except OSError as error:
        raise UsageError(
            f"cannot send {error.filename} to the cluster: {error.strerror}"
        ) from error


def _players(here: Players, folder: Path, name: str) -> Players:
    """Copy the code and the files of an agent and its teacher; return what makes them there."""
    teacher = here.teacher and _recipe(TEACHERS, here.teacher, folder, name)
    return Players(_recipe(AGENTS, here.agent, folder, name), teacher)


def _recipe(registry: Registry, recipe: Recipe, folder: Path, name: str) -> Recipe:
    spec = _code(registry, recipe.spec, folder, name)
    options = {option: _option(value, folder) for option, value in recipe.options.items()}
    return Recipe(spec=spec, options=options)


def _code(registry: Registry, spec: str, folder: Path, name: str) -> str:
    """Copy the code of a factory; return what names it from the folder."""
    if registry is AGENTS and spec.startswith((COMMAND, SB3_ZIP)):
        raise UsageError(
            f'the files that the agent {spec!r} needs are not known: write working_dir = "."'
            " into the table [ray.runtime_env] of the file of --config: it sends this folder"
        )
    if spec in registry.own:
        return spec
    known = registry.targets()
    place = factories.find_file(spec, known)
    if place is not None:
        below = Path(registry.kind, name)
        _copy(sources(place.path), folder / below)
        return f"{below / place.path.name}:{place.factory}"
    place = factories.find_module(known.get(spec, spec), Path.cwd())
    if place is not None and not is_installed(place.path):
        _copy(sources(place.path, place.module), folder)
    return spec


def _option(value: Any, folder: Path) -> Any:
    if not (isinstance(value, Mapping) and set(value) == {"file", "sha256"}):
        return value
    path = Path(value["file"])
    below = Path("files", value["sha256"][:16], path.name)
    _copy({str(below): path}, folder)
    return {**value, "file": str(below)}


def _suite(suite: Suite, folder: Path) -> str:
    if not suite.file:
        return suite.spec
    _copy(suite_files.files_of(suite), folder / "suite")
    target, colon, attribute = suite.file.partition(":")
    return f"suite/{Path(target).name}{colon}{attribute}"


def _copy(files: Mapping[str, Path], folder: Path) -> None:
    for name, path in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
