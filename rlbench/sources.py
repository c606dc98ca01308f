"""Which files hold the code of an agent or a suite: its own, and those imported from beside it."""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from rlbench.errors import UsageError

MAX_FILES = 1000
MAX_BYTES = 100_000_000

_INSTALLED = tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib"))


def sources(path: Path, module: str = "") -> dict[str, Path]:
    """Return the files that a module's code is in, without running it.

    These are the module and, of what is imported anywhere in it and in these files, that which is
    in its package, or beside it if it is in none. Imports through `importlib` are not followed.

    Args:
        path: The module's file.
        module: Its name, as it is imported; empty for a file that is run by its path.

    Returns:
        Files by their names below the folder that the top-level package is in, sorted.

    Raises:
        UsageError: They are too many or too large.
    """
    levels = module.count(".") + (path.name == "__init__.py") if module else 0
    root = path.parents[levels]
    package = module.partition(".")[0] if levels else ""
    found: dict[str, Path] = {}
    size = 0
    left = [path, *_packages_above(path, root)]
    while left:
        file = left.pop()
        name = file.relative_to(root).as_posix()
        if name in found:
            continue
        found[name] = file
        size += file.stat().st_size
        if len(found) > MAX_FILES or size > MAX_BYTES:
            raise UsageError(
                f"{path} imports more than {MAX_FILES:,} files or {MAX_BYTES // 10**6} MB from its"
                " own folder"
            )
        if file.suffix == ".py" and (package or root not in _INSTALLED):
            left += _imported(file, root, package)
    return dict(sorted(found.items()))


def is_installed(path: Path) -> bool:
    """Say whether a file is of Python itself, or of a package that is installed in it."""
    return any(path.is_relative_to(folder) for folder in _INSTALLED)


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packages_above(path: Path, root: Path) -> Iterator[Path]:
    """Yield the files of the packages that a file is in."""
    for folder in path.parents:
        if folder == root:
            return
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"


def _imported(file: Path, root: Path, package: str) -> Iterator[Path]:
    """Yield the files that a file imports, if they are in the package, or beside it."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return  # its own content counts, whatever it is
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, file, root)
            if base is None:
                continue
            names = [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top and (top == package if package else top not in sys.stdlib_module_names):
                yield from _files_of(name, root)


def _absolute(node: ast.ImportFrom, file: Path, root: Path) -> str | None:
    """Return the full name of the module that things are imported from, or None if it has none."""
    parts = [node.module] if node.module else []
    if node.level:
        folders = file.parent.relative_to(root).parts
        if node.level - 1 > len(folders):
            return None
        parts = [*folders[: len(folders) - node.level + 1], *parts]
    return ".".join(parts)


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """Yield the files of a module and of the packages that it is in, as far as there are any."""
    folder = root
    for part in name.split("."):
        for file in (folder / f"{part}.py", folder / part / "__init__.py"):
            if file.is_file():
                yield file
        folder /= part
