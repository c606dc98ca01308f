"""Files: opened without waiting, read up to a limit, and written whole or not at all.

What is written has its name only once it is complete, whatever ends the process meanwhile.
"""

import errno
import os
import stat
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path
from uuid import uuid4

TEMPORARY = "." + "[0-9a-f]" * 32  # matches the names that incomplete files have

# What file systems without hard links say.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

# A named pipe would make an ordinary open wait for its other end. Windows has no such flag.
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, to be read.

    Raises:
        OSError: It cannot be opened, or is a folder, a named pipe or a device.
    """
    return open(path, "rb", opener=_open)


def open_to_append(path: Path) -> BufferedWriter:
    """Open a regular file, or a link to one, to be written to at its end; it is made if need be.

    Raises:
        OSError: It cannot be opened, or is a folder, a named pipe or a device.
    """
    return open(path, "ab", opener=_open)


def read_bounded(path: Path, limit: int) -> bytes:
    """Return the content of a regular file; no more than `limit` + 1 bytes of it are read.

    Raises:
        OSError: It cannot be read, or is no regular file; `errno.EFBIG` if it is too large.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"over the limit of {limit:,} bytes")
    return content


def write_apart(folder: Path, content: bytes, *, durable: bool = True) -> Path:
    """Write a complete file under a name of its own, for `replace_file` or `give_name`.

    Args:
        folder: Where; it is there.
        content: What.
        durable: Wait until it is on the disk.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    path = folder / f".{uuid4().hex}"
    _write_new(path, content, durable=durable)
    return path


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file, in the place of the one that is there, if there is one.

    Args:
        path: The file, in a folder that is there.
        content: What it holds.
        durable: Wait until it is on the disk.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    temporary = write_apart(path.parent, content, durable=durable)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def add_file(path: Path, content: bytes, *, apart: Path | None = None) -> None:
    """Write a file that must not be there yet, and wait until it is on the disk.

    Args:
        path: The file, in a folder that is there.
        content: What it holds.
        apart: The folder in which it is written first, on the same file system; by default that
            of the file.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be written.
    """
    temporary = write_apart(apart or path.parent, content)
    try:
        give_name(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    sync(path.parent)


def give_name(temporary: Path, path: Path) -> None:
    """Give a complete file a name besides, by a hard link.

    On a file system that has none it is copied; a crash may then leave a torn copy, which is for
    its reader to see.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be done.
    """
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write_new(path, temporary.read_bytes(), durable=True)


def _write_new(path: Path, content: bytes, *, durable: bool) -> None:
    """Write a file that is not there yet; nothing is left of it if that fails."""
    with path.open("xb") as file:
        try:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: It cannot be opened, or the disk fails.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: str, flags: int) -> int:
    """Return a descriptor of a regular file, as the `opener` of `open` does."""
    if os.path.exists(path):
        _check_regular(os.stat(path))  # opening some devices has effects
    descriptor = os.open(path, flags | _NO_WAITING, 0o666)
    try:
        _check_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result) -> None:
    """Raise OSError unless it is that of a regular file."""
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
