"""Checkpoints between machines that share no disk: as an archive of files, in pieces."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from rlbench.files import sync
from rlbench.runners.checkpoint import Checkpoints, flush

PIECE = 4_000_000  # bytes of a piece


def newest(folder: Path) -> str:
    """Return the name of a run's newest checkpoint, or nothing."""
    return Checkpoints(folder, 0.0).newest_name()


def pack(folder: Path, archive: Path) -> str:
    """Write a run's newest checkpoint, and the actions that led to it, into an archive.

    A worker may write the next one meanwhile, and remove this one.

    Args:
        folder: Of the run's checkpoints.
        archive: The file.

    Returns:
        The checkpoint's name, or nothing if there is none, or it was removed.

    Raises:
        OSError: The archive cannot be written.
    """
    name = newest(folder)
    if not name:
        return ""
    try:
        state = json.loads((folder / name / "state.json").read_bytes())
        with tarfile.open(archive, "w") as file, (folder / "actions").open("rb") as actions:
            about = file.gettarinfo(fileobj=actions, arcname="actions")
            about.size = min(about.size, int(state["actions"]))
            file.addfile(about, actions)
            file.add(folder / name, arcname=name)
    except (FileNotFoundError, ValueError):
        return ""
    return name


def pieces(archive: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, a piece at a time; the last is empty."""
    with archive.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
    yield b""


def unpack(archive: Path, folder: Path) -> None:
    """Make the checkpoint in an archive the only one of a run.

    The actions come first: those of an older checkpoint are a part of them. The checkpoint then
    appears whole, by its name.

    Args:
        archive: As `pack` wrote it.
        folder: Of the run's checkpoints; it is made.

    Raises:
        OSError: It cannot be written, or the archive holds no checkpoint that is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid4().hex}"
    try:
        try:
            with tarfile.open(archive) as file:
                file.extractall(temporary, filter="data")
        except tarfile.TarError as error:
            raise OSError(f"what was received is not an archive: {error}") from error
        if Checkpoints(temporary, 0.0).latest() is None:
            raise OSError("the checkpoint was received incompletely")
        name = newest(temporary)
        flush(temporary)
        (temporary / "actions").replace(folder / "actions")
        shutil.rmtree(folder / name, ignore_errors=True)
        (temporary / name).rename(folder / name)
        sync(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for path in folder.iterdir():
        if path.is_dir() and path.name != name:
            with suppress(OSError):
                shutil.rmtree(path)
