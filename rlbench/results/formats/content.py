"""What a file holds: its bytes up to a limit, also of ``.gz``, its text, and its name."""

import gzip
import re
import zlib
from pathlib import Path

from rlbench.errors import InvalidScores
from rlbench.files import open_regular

_GZ = ".gz"
# What ends the names of files that can be read; anything else behind a dot is part of a name.
SUFFIXES = (
    ".csv", ".json", ".jsonl", ".ndjson", ".npy", ".npz", ".parquet", ".tsv", ".txt", ".dat",
    ".eval",
)  # fmt: skip
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def content_of(path: Path, limit: int) -> bytes:
    """Return the content of a file, decompressed if its name ends with ``.gz``.

    Args:
        path: A regular file, or a link to one.
        limit: The most bytes that are read, and that come of decompression.

    Raises:
        InvalidScores: It cannot be read, or is too large.
    """
    try:
        with open_regular(path) as file:
            if _is_compressed(path):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    content = unpacked.read(limit + 1)
            else:
                content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidScores(f"cannot read {path}: {reason}") from error
    if len(content) > limit:
        unpacked_to = "unpacked it is " if _is_compressed(path) else ""
        raise InvalidScores(f"cannot read {path}: {unpacked_to}over the limit of {limit:,} bytes")
    return content


def text_of(path: Path, limit: int, form: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Args:
        path: A regular file.
        limit: The most bytes that are read.
        form: What it should be, for the message: ``CSV``.

    Raises:
        InvalidScores: It cannot be read, is too large, or is no text.
    """
    content = content_of(path, limit)
    encoding = next((e for mark, e in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "")
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidScores(
            f"{path} is not {form}: it is not text in UTF-8 ({error.reason} at byte "
            f"{error.start:,}); save it as UTF-8"
        ) from error


def suffix_of(path: Path) -> str:
    """Return what ends a file's name, in lower case and without ``.gz``.

    >>> suffix_of(Path("a/IRIS.Json.gz")), suffix_of(Path("README"))
    ('.json', '')
    """
    return Path(_unpacked_name(path)).suffix.casefold()


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, or a folder's name.

    >>> stem_of(Path("a/IRIS.json.gz")), stem_of(Path("ppo_v1.2"))
    ('IRIS', 'ppo_v1.2')
    """
    name = _unpacked_name(path)
    return Path(name).stem if suffix_of(path) in SUFFIXES else name


def _unpacked_name(path: Path) -> str:
    name = path.name or path.resolve().name
    return re.sub(rf"(?i)(?<=.)\{_GZ}$", "", name)


def _is_compressed(path: Path) -> bool:
    return path.suffix.casefold() == _GZ
