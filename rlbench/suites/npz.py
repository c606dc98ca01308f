"""Arrays of numbers in a ``.npz`` file: nothing is unpickled, and no header is trusted."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError, one_line


def read_npz(content: bytes, keys: Sequence[str], limit: int) -> dict[str, NDArray[Any]]:
    """Return arrays by their names.

    Args:
        content: Of the file.
        keys: The names.
        limit: Bytes that all that is in the file may have.

    Raises:
        UsageError: It is no such file, is too large, or lacks an array; the message is one line.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > limit:
                raise UsageError(f"its content of {size:,} bytes is over the limit")
            return {key: _array(archive, key) for key in keys}
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, KeyError, ValueError,
        RuntimeError, SyntaxError,
    ) as error:  # fmt: skip
        raise UsageError(one_line(error)) from error


def _array(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    """Read an array whose header says no more than there is."""
    name = f"{key}.npy"
    content = archive.read(name)
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, by_columns, dtype = header(file, max_header_size=1000)
    if dtype.hasobject or dtype.kind not in "fbiu":
        raise ValueError(f"{name} is an array of {dtype}")
    rest = content[file.tell() :]
    number = 1
    for length in shape:
        number *= int(length)
    if len(rest) != number * dtype.itemsize:
        raise ValueError(f"{name} says that its shape is {shape}, but holds {len(rest):,} bytes")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if by_columns else "C")
