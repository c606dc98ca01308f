"""Where the factories of agents and teachers are, and what they take.

A file is read without being run. All else imports code: it belongs into the process of a run, or
into `rlbench.runners.agents.describe`.
"""

import ast
import glob
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rlbench.errors import UnknownName, UsageError
from rlbench.registry import Registry
from rlbench.results.identity import check_given
from rlbench.results.values import plain

RESERVED = ("task", "seed", "device")  # what the runner itself hands to a factory
OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")  # a name
MAX_VERSION = 100

_DEFAULT = "make"
_INSTALLED = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a factory is.

    Attributes:
        spec: What named it.
        module: The name of the module.
        factory: The name of the factory in it.
        path: The module's file.
        is_file: The file is to be run by its path, not imported by its name.
    """

    spec: str
    module: str
    factory: str
    path: Path
    is_file: bool

    @property
    def name(self) -> str:
        """The module's name without its packages."""
        return self.module if self.is_file else self.module.rpartition(".")[2]

    @property
    def canonical(self) -> str:
        """The factory's name, however it was named."""
        return f"{self.module}:{self.factory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a factory takes, and says of what it makes.

    Attributes:
        defaults: The options that have a default value which JSON can hold.
        names: All options that it takes; None if it takes any.
        required: The options without a default value.
        given: What the agent is given, see `rlbench.results.identity.GIVEN`.
        has_group: A `make_group` stands beside the factory.
        aside: Options that change nothing of what is learned: they are no part of the identity.
    """

    defaults: Mapping[str, Any]
    names: tuple[str, ...] | None
    required: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    has_group: bool = False
    aside: tuple[str, ...] = ()


def find_file(spec: str, known: Mapping[str, str], folder: Path = Path()) -> Place | None:
    """Return where the factory is if a spec names a file, without running any code.

    Args:
        spec: See `find`.
        known: ``module:factory`` by registered names, which go before files.
        folder: Where it was named.
    """
    target, _, factory = spec.partition(":")
    path = folder / (target if _is_path(target) else f"{target}.py")
    if spec in known or not path.is_file():
        return None
    return Place(
        spec=spec, module=path.stem, factory=factory or _DEFAULT, path=path.resolve(), is_file=True
    )


def find_module(spec: str, folder: Path) -> Place | None:
    """Return where the factory is in a module, without importing it or the packages it is in.

    Args:
        spec: ``module:factory``, or ``module``.
        folder: It is searched last.
    """
    name, _, factory = spec.partition(":")
    found, places = None, [*sys.path, str(folder)]
    for k in range(1, len(parts := name.split(".")) + 1):
        found = importlib.machinery.PathFinder.find_spec(".".join(parts[:k]), places)
        if found is None:
            return None
        places = list(found.submodule_search_locations or [])
    if found is None or found.origin is None or not found.has_location:
        return None
    path = Path(found.origin)
    return Place(spec=spec, module=name, factory=factory or _DEFAULT, path=path, is_file=False)


def check_name(place: Place) -> None:
    """Raise UsageError if a file has the name of a module of Python's own, or of an installed one.

    Run as a module, it would take that one's place for all other code.
    """
    name = place.module
    if name in sys.stdlib_module_names:
        whose = "of Python's standard library"
    else:
        found = importlib.machinery.PathFinder.find_spec(name, [*_INSTALLED])
        if found is None or found.origin is None or Path(found.origin).resolve() == place.path:
            return
        whose = f"that is installed ({found.origin})"
    raise UsageError(
        f"the file {place.path} has the name of the module {name!r} {whose}: rename the file"
    )


def find(registry: Registry, spec: str) -> Place:
    """Return where the factory that a spec names is; the packages that it is in are imported.

    Args:
        registry: Of agents or teachers.
        spec: A registered name, ``module:factory``, ``file.py``, ``file.py:factory``, or the bare
            name of a file in the current folder or of an importable module.

    Raises:
        UnknownName: There is none.
    """
    known = registry.targets()
    if place := find_file(spec, known):
        return place
    target, _, factory = known.get(spec, spec).partition(":")
    origin = None if _is_path(target) else _module_path(target)
    if origin is None:
        raise unknown(registry.kind, spec, known)
    return Place(spec=spec, module=target, factory=factory or _DEFAULT, path=origin, is_file=False)


def unknown(kind: str, spec: str, known: Iterable[str]) -> UnknownName:
    """Return the error that a spec names nothing; of a file it says where it was looked for."""
    if names_file(spec):
        return _no_file(kind, spec, Path(spec.partition(":")[0]))
    names = [*known, *(path.stem for path in sorted(Path().glob("*.py")))]
    return UnknownName(kind, spec, names, see=f"rlbench list {kind}s")


def _no_file(kind: str, spec: str, path: Path) -> UnknownName:
    folder = path.parent
    here = folder.resolve()
    if not folder.is_dir():
        return UnknownName(kind, spec, [], why=f"there is no folder {here}")
    elsewhere = Path().glob(f"[!.]*/{glob.escape(path.name)}") if path.name else ()
    files = [str(found) for found in (*sorted(elsewhere), *sorted(folder.glob("*.py")))]
    see = "" if files else "rlbench init, which writes one"
    return UnknownName(kind, spec, files, see=see, why=f"there is no such file in {here}")


def without_folders(spec: str) -> str:
    """Return a spec without the folders in it: ``two.py:left`` for ``a/two.py:left``."""
    target, colon, factory = spec.partition(":")
    return f"{Path(target).name}{colon}{factory}" if _is_path(target) else spec


def names_file(spec: str) -> bool:
    """Say whether a spec that is no registered name can name a file only."""
    return _is_path(spec.partition(":")[0])


def _is_path(target: str) -> bool:
    return target.endswith(".py") or "/" in target


def stated_version(place: Place) -> str:
    """Return the ``__version__`` that a file states, or nothing, without running it.

    Raises:
        UnknownName: The file has no such factory.
        UsageError: The file is not Python, or what it states is too long for a version.
    """
    if place.path.suffix != ".py":
        return ""
    names, version = _top_level(_parse(place).body)
    if not names & {place.factory, "*", "__getattr__"}:
        raise UnknownName(f"factory in {place.path}:", place.factory, sorted(names))
    if len(version) > MAX_VERSION or not version.isprintable():
        raise UsageError(
            f"the __version__ in {place.path} must be printable, of at most {MAX_VERSION}"
            " characters"
        )
    return version


def describe(place: Place) -> Signature:
    """Import a factory and return what it takes.

    Raises:
        UsageError: The module has no such factory, or what it says of itself cannot be read.
    """
    factory = load(place)
    if factory is None:
        raise UsageError(f"{place.spec!r} has no function or class {place.factory!r}")
    return stated_by(factory, vars(sys.modules[place.module]), place.path.name)


def stated_by(
    factory: Callable[..., Any], stated: Mapping[str, Any], where: str = "the agent"
) -> Signature:
    """Return what a factory takes, and what its module states.

    Args:
        factory: The factory.
        stated: The names of its module.
        where: What messages call it.

    Raises:
        UsageError: What it says of itself cannot be read.
    """
    given = getattr(factory, "given", stated.get("GIVEN", ()))
    if not isinstance(given, list | tuple | set | frozenset) or not all(
        isinstance(word, str) for word in given
    ):
        raise UsageError(f"GIVEN in {where} is not a tuple of words: {given!r}")
    return signature_of(
        factory,
        given=check_given(given),
        has_group=callable(stated.get("make_group")),
    )


def signature_of(
    factory: Callable[..., Any], *, given: tuple[str, ...] = (), has_group: bool = False
) -> Signature:
    """Return what a factory takes besides its first argument and what the runner hands over."""
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # written in C, it does not say
        return Signature(defaults={}, names=None, given=given, has_group=has_group)
    named = [
        p
        for p in parameters[1:]
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and p.name not in RESERVED
        and OPTION.fullmatch(p.name)
    ]
    defaults = {}
    for p in named:
        try:
            defaults[p.name] = plain(p.default)
        except ValueError:
            continue  # the hash of the source covers it, or the version
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return Signature(
        defaults=defaults,
        names=None if takes_any else tuple(p.name for p in named),
        required=tuple(p.name for p in named if p.default is p.empty),
        given=given,
        has_group=has_group,
    )


def load(place: Place, attribute: str | None = None) -> Callable[..., Any] | None:
    """Import a factory, or another function beside it; return None if there is none."""
    module = _run_file(place) if place.is_file else importlib.import_module(place.module)
    found = getattr(module, attribute or place.factory, None)
    return found if callable(found) else None


def _module_path(name: str) -> Path | None:
    """Return the file of an importable module; the current folder is searched last."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    if not name or name.startswith("."):
        return None
    try:
        found = importlib.util.find_spec(name)
    except ValueError:
        return None
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            return None
        raise  # something that one of its packages imports
    return Path(found.origin) if found and found.origin and found.has_location else None


def _parse(place: Place) -> ast.Module:
    try:
        return ast.parse(place.path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read the file {place.path}: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"the file {place.path} is not Python: {error}") from error


def _top_level(body: Iterable[ast.stmt]) -> tuple[set[str], str]:
    """Return the names that statements bind in their module, and the ``__version__`` stated."""
    names: set[str] = set()
    version = ""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names.update((alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound = {target.id for target in targets if isinstance(target, ast.Name)}
            names |= bound
            if "__version__" in bound and isinstance(node.value, ast.Constant):
                version = str(node.value.value)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            more, stated = _top_level(inner)
            names |= more
            version = stated or version
    return names, version


def _run_file(place: Place) -> ModuleType:
    """Run a file as a module; files beside it can be imported.

    Raises:
        UsageError: It imports relatively, which a file that is run by its path cannot.
    """
    sys.path.append(str(place.path.parent))
    spec = importlib.util.spec_from_file_location(place.module, place.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[place.module] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        if "relative import with no known parent" not in str(error):
            raise
        folder, name = _module_of(place.path)
        raise UsageError(
            f"{place.path.name} imports relatively, so it must be imported as a part of its"
            f" package: name it as {name}:{place.factory}, in the folder {folder}"
        ) from error
    return module


def _module_of(path: Path) -> tuple[Path, str]:
    """Return a file's full name as a module, and the folder that it is imported from."""
    folder, parts = path.parent.parent, [path.parent.name, path.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    return folder, ".".join(parts)
