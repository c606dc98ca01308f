"""OpenAI's own build of Procgen: fetched from its wheel, kept with the data, and checked.

Some instructions of its `Game::step` are changed. As it was, a step that ended an episode began the
next one before it drew, so nobody saw the last frame. Now an ended episode waits, as in envpool,
the action -1 begins the next one, and -2 leaves a game as it is.
"""

import hashlib
import os
import platform
import shutil
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rlbench.errors import FetchError, UsageError, one_line
from rlbench.files import read_bounded, replace_file, sync
from rlbench.suites.fetching import MAX_BYTES, TIMEOUT, Progress, data_folder, fetch, status_of

NAME = "procgen-reference"
VERSION, QT = "0.10.7", "5.13.2"  # Qt is compiled in
WHEEL = "procgen-0.10.7-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
HOST = (
    "https://files.pythonhosted.org/packages/eb/9e"
    "/4dea48895a9350ff045ae724cbebf1fb8f2d2eafff16b6a39fc8842e1084"
)
# Of the wheel, of the library as it is kept, and `content_hash` of all that is kept.
SHA256 = "4b594d14e42f0f2166e59a9e294477b906eb99c90c3343b570b7124cbc865f53"
LIBRARY_SHA256 = "029bded8e22d660f54629ffaaa24fce0aca6714a14c538e7480b63d4728915dd"
CONTENT = "4dc702f90886551266e0be7e72293d8e951237f0e987e26921311d415f6711ad"

LIBRARY = "prebuilt/libenv.so"
ASSETS = "assets"
_INSIDE = "procgen/data/"  # of the wheel
_LICENCE = f"procgen-{VERSION}.dist-info/LICENSE"

# By their place in the library: what instructions were, and what they become.
_CHANGES = {
    place: (bytes.fromhex(old), bytes.fromhex(new))
    for place, old, new in (
        # Instead of the action -1, all below 0 are treated apart:
        (0x73497, "83bf98270000ff 488b4028 0f8438010000", "83bf9827000000 488b4028 0f8c38010000"),
        # -1 goes to where the next episode is begun; others take back the step that was counted.
        (
            0x735E0,
            "8b97b8270000 31c9 c7879027000000000000 66898f94270000 89",
            "83bf98270000ff 0f8446ffffff 83afc067000001 4c8b65f8 c9 c3",
        ),
        # The end of an episode goes past that place.
        (0x7352B, "41898424a4270000", "e9a0000000909090"),
    )
}


def folder() -> Path:
    """Return where it is kept."""
    return data_folder() / NAME


def is_here() -> bool:
    """Say whether it was fetched, and can be loaded on this machine."""
    return _is_supported() and folder().is_dir()


def _is_supported() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def status() -> str:
    """Say whether it is here: ``verified``, ``missing`` or ``other``."""
    if not folder().is_dir():
        return "missing"
    try:
        return "verified" if content_hash(folder()) == CONTENT else "other"
    except OSError:
        return "other"


def library(place: Path) -> Path:
    """Return the library in a folder, after a look at its sha256; that of all files takes longer.

    Raises:
        UsageError: It is not what was fetched.
    """
    path = place / LIBRARY
    if status_of(path, LIBRARY_SHA256) != "verified":
        raise UsageError(
            f"{path} changed since it was fetched: rlbench data fetch {NAME}, or delete {place}"
        )
    return path


def content_hash(place: Path) -> str:
    """Return the sha256 of the names and contents of all files in a folder.

    Raises:
        OSError: A file cannot be read, or is too large.
    """
    names = sorted(
        path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()
    )
    found = hashlib.sha256()
    for name in names:
        content = hashlib.sha256(read_bounded(place / name, MAX_BYTES)).hexdigest()
        found.update(f"{content} {name}\n".encode())
    return found.hexdigest()


def fetch_reference(
    *,
    host: str = HOST,
    timeout: float = TIMEOUT,
    progress: Progress = lambda name, here, total: None,
) -> None:
    """Fetch the wheel, unless it is in the data folder already, and unpack what is needed of it.

    Args:
        host: Instead of the Python Package Index's.
        timeout: Seconds to wait for any byte.
        progress: Told how far it is.

    Raises:
        UsageError: It cannot be loaded on this machine.
        FetchError: It cannot be fetched, or cannot be written.
    """
    if not _is_supported():
        raise UsageError("OpenAI's build of Procgen is for Linux on x86-64")
    wheel = data_folder() / WHEEL
    try:
        if not _is_wheel(wheel):
            url = f"{host}/{WHEEL}"
            fetch(url, wheel, _check_wheel, limit=MAX_BYTES, timeout=timeout, progress=progress)
        unpack(wheel, folder())
        wheel.unlink()
    except OSError as error:
        raise FetchError(f"cannot write {folder()}: {error.strerror or error}") from error


def _is_wheel(path: Path) -> bool:
    try:
        _check_wheel(read_bounded(path, MAX_BYTES))
    except (OSError, FetchError):
        return False
    return True


def _check_wheel(content: bytes) -> None:
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise FetchError(f"{WHEEL} has another sha256 than the official file")


def unpack(wheel: Path, place: Path) -> None:
    """Unpack the library, its pictures and the licence, in the place of what is there.

    Args:
        wheel: Of OpenAI's package.
        place: The folder, complete or not there.

    Raises:
        FetchError: The wheel holds other things than it should.
        OSError: A file cannot be read or written.
    """
    with TemporaryDirectory(prefix=f".{NAME}-", dir=place.parent) as apart:
        whole = Path(apart, NAME)
        try:
            with zipfile.ZipFile(wheel) as archive:
                members = {m: _name(m.filename) for m in archive.infolist() if not m.is_dir()}
                if sum(member.file_size for member in members) > MAX_BYTES:
                    raise FetchError(f"what is in {wheel} is over the limit")
                for member, name in members.items():
                    if name:
                        _write(whole / name, archive.read(member))
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError) as error:
            raise FetchError(f"{wheel} cannot be unpacked: {one_line(error)}") from error
        shutil.rmtree(place, ignore_errors=True)
        os.rename(whole, place)
    sync(place.parent)


def _name(inside: str) -> str:
    """Return what a member of the wheel is called in the folder; empty if it is not kept.

    Raises:
        FetchError: It would lead out of the folder.
    """
    if inside == _LICENCE:
        return "LICENSE.txt"
    name = inside.removeprefix(_INSIDE)
    if name == inside or not name.startswith((LIBRARY, f"{ASSETS}/")):
        return ""
    if ".." in PurePosixPath(name).parts:
        raise FetchError(f"the wheel holds a file named {inside!r}")
    return name


def _write(path: Path, content: bytes) -> None:
    """Write a file; in the library, the instructions are changed."""
    if path.name == Path(LIBRARY).name:
        for place, (old, new) in _CHANGES.items():
            if content[place : place + len(old)] != old:
                raise FetchError(f"{path.name} has another instruction at {place:#x}")
            content = content[:place] + new + content[place + len(old) :]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
