"""Files that others may have made: opened without waiting, read up to a limit."""

import errno
import os
import stat
from io import BufferedReader, BufferedWriter
from pathlib import Path

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
        raise OSError(errno.EINVAL, "it is no regular file")
