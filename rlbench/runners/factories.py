"""Where the factories of agents and teachers are: in files that are run, or in modules."""

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from rlbench.errors import UnknownName, UsageError

_DEFAULT = "make"


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


def registered(kind: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return ``module:factory`` by name; our own names cannot be taken by another package.

    Args:
        kind: ``agent`` or ``teacher``; the entry-point group is ``rlbench.<kind>s``.
        own: Our own.
    """
    return {point.name: point.value for point in entry_points(group=f"rlbench.{kind}s")} | {**own}


def find(kind: str, spec: str, own: Mapping[str, str]) -> Place:
    """Return where the factory that a spec names is, without running any code.

    Args:
        kind: ``agent`` or ``teacher``.
        spec: A registered name, ``module:factory``, ``file.py``, ``file.py:factory``, or the bare
            name of a file in the current folder or of an importable module.
        own: ``module:factory`` by our own names.

    Raises:
        UnknownName: There is none.
    """
    known = registered(kind, own)
    target, _, factory = known.get(spec, spec).partition(":")
    factory = factory or _DEFAULT
    is_file = target.endswith(".py") or "/" in target
    path = Path(target if is_file else f"{target}.py")
    if spec not in known and path.is_file():
        return Place(
            spec=spec, module=path.stem, factory=factory, path=path.resolve(), is_file=True
        )
    if not is_file:
        origin = _module_path(target)
        if origin is not None:
            return Place(spec=spec, module=target, factory=factory, path=origin, is_file=False)
    raise UnknownName(
        kind, spec, [*known, *(p.stem for p in sorted(Path().glob("*.py")))],
        see=f"rlbench list {kind}s",
    )  # fmt: skip


def identify(place: Place) -> tuple[str, str, str | None]:
    """Return the name, the version and, where it states no version, the file's sha256.

    Raises:
        UnknownName: The file has no such factory.
        UsageError: The file is not Python.
    """
    version = _check_file(place) if place.path.suffix == ".py" else ""
    name = place.module.rpartition(".")[2]
    return name, version, None if version else hashlib.sha256(place.path.read_bytes()).hexdigest()


def defines(place: Place, name: str) -> bool:
    """Say whether a Python file binds a name, without running it."""
    if place.path.suffix != ".py":
        return False
    return name in _top_level(_parse(place).body)[0]


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
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found and found.origin and found.has_location else None


def _parse(place: Place) -> ast.Module:
    try:
        return ast.parse(place.path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"the file {place.path} is not Python: {error}") from error


def _check_file(place: Place) -> str:
    """Return the ``__version__`` that a file states, or nothing; raise if it has no factory."""
    names, version = _top_level(_parse(place).body)
    if not names & {place.factory, "*", "__getattr__"}:
        raise UnknownName(f"factory in {place.path}:", place.factory, sorted(names))
    return version


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
    """Run a file as a module; files beside it can be imported."""
    sys.path.append(str(place.path.parent))
    spec = importlib.util.spec_from_file_location(place.module, place.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[place.module] = module
    spec.loader.exec_module(module)
    return module
