"""Arrays of data files, mapped from unpacked copies instead of held in memory.

Compressed files cannot be mapped. The copy of one lies in ``mapped`` in rlbench's cache folder, in
a folder named by a sha256 of the file and of how it is read. There each array is an ``.npy`` file,
named by the array and the sha256 of its bytes; ``names`` lists them.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from rlbench.files import open_regular

Arrays = dict[str, NDArray[Any]]


def copies_folder() -> Path:
    """Return where the copies are; it may be deleted at any time."""
    return user_cache_path("rlbench", appauthor=False) / "mapped"


def mapped(content: bytes, kind: str, unpack: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
    """Return the arrays of a file, mapped and read-only.

    The first call writes the copy, whole or not at all. Later ones check every hash, and write a
    damaged copy anew. Where no copy can be written, the arrays are held in memory.

    Args:
        content: Of the file.
        kind: What tells ways to read the same bytes apart.
        unpack: Reads and checks the arrays of the file, by their names.

    Raises:
        Exception: What `unpack` raises; nothing is written then.
    """
    found_by = hashlib.sha256(f"{kind}\n".encode())
    found_by.update(content)
    folder = copies_folder() / found_by.hexdigest()
    found = _open(folder)
    if found is None:
        arrays = unpack()
        with suppress(OSError):
            _write(folder, arrays)
        found = _open(folder)
        if found is None or found.keys() != arrays.keys():
            return dict(arrays)
    return found


def _open(folder: Path) -> Arrays | None:
    """Return the arrays of a copy; None unless it is here and as it was written."""
    found: Arrays = {}
    try:
        names = (folder / "names").read_text(encoding="utf-8").split()
        for name in names:
            path = folder / Path(name).name
            with open_regular(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            key, _, wanted = path.stem.rpartition("-")
            if digest != wanted:
                return None
            found[key] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError):
        return None
    return found


def _write(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a copy under another name, and give it its own when it is complete."""
    temporary = folder.with_name(f".{uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        names = []
        for key, array in arrays.items():
            path = temporary / f"{key}.npy"
            np.save(path, array, allow_pickle=False)
            with open_regular(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            names.append(f"{key}-{digest}.npy")
            path.rename(temporary / names[-1])
        (temporary / "names").write_text("\n".join(names), encoding="utf-8")
        if _open(folder) is None:  # else another process was faster
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
