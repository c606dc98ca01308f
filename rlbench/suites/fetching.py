"""Data that is not ours to ship: where it is kept, and how a file of it is fetched.

A file is fetched beside its place, with `.part` behind its name, and gets its own name once it is
complete and checked. A later attempt goes on with what is there.
"""

import hashlib
import http.client
import os
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from platformdirs import user_cache_path

from rlbench.errors import FetchError, one_line
from rlbench.files import open_regular, open_to_append, read_bounded, replace_file, sync

Progress = Callable[[str, int, int | None], None]  # name, bytes that are here, bytes in all

TIMEOUT = 30.0  # seconds without a byte
MAX_BYTES = 200_000_000  # of a file, and of what is in it
_ATTEMPTS = 3  # that bring nothing new, one after the other
_CHUNK = 1 << 18


def data_folder() -> Path:
    """Return where data are kept: ``RLBENCH_DATA``, or a folder in the user's cache."""
    named = os.environ.get("RLBENCH_DATA")
    return Path(named) if named else user_cache_path("rlbench", appauthor=False) / "data"


def status_of(path: Path, sha256: str) -> str:
    """Say whether a file is here: ``verified``, ``missing`` or ``other``."""
    try:
        content = read_bounded(path, MAX_BYTES)
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "other"
    return "verified" if hashlib.sha256(content).hexdigest() == sha256 else "other"


def fetch(
    url: str,
    path: Path,
    check: Callable[[bytes], bytes | None],
    *,
    limit: int,
    timeout: float = TIMEOUT,
    progress: Progress = lambda name, here, total: None,
) -> None:
    """Fetch a file over HTTP; nothing has its name before it is complete and checked.

    Args:
        url: What; http or https.
        path: Where it is to be; its folder is made.
        check: Raises `FetchError` unless it is given what was wanted; it may return what is kept
            instead.
        limit: Bytes; more are refused.
        timeout: Seconds to wait for any byte.
        progress: Told how far it is.

    Raises:
        FetchError: The file cannot be had, or is another. What came so far is kept, unless it
            failed the check.
    """
    if not url.startswith(("http://", "https://")):
        raise FetchError(f"{url} is not an address of http or https")
    part = path.with_name(url.rpartition("/")[2] + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            resumed = part.exists()
            content = _complete(url, part, limit, timeout, progress)
            try:
                kept = check(content)
                break
            except FetchError:
                part.unlink()
                if not resumed:  # else what was there may have been of another file
                    raise
        if kept is None:
            sync(part)
            os.replace(part, path)
        else:
            replace_file(path, kept)
            part.unlink()
        sync(path.parent)
    except OSError as error:
        place = error.filename or path
        raise FetchError(f"cannot write {place}: {error.strerror or error}") from error


def _complete(url: str, part: Path, limit: int, timeout: float, progress: Progress) -> bytes:
    """Go on with a file until it is complete; return it."""
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if before > limit:
            part.unlink()
            continue
        try:
            if _go_on(url, part, limit, timeout, progress):
                break
            reason = "the connection ended early"
        except _Again as error:
            reason = str(error)
        after = part.stat().st_size if part.exists() else 0
        idle = 0 if after > before else idle + 1
        if idle == _ATTEMPTS:
            more = f" after {after:,} bytes, which are kept: run it again" if after else ""
            raise FetchError(f"{url}: {reason}{more}")
    with open_regular(part) as file:
        return file.read(limit + 1)


class _Again(Exception):
    """An attempt that may go better the next time."""


def _go_on(url: str, part: Path, limit: int, timeout: float, progress: Progress) -> bool:
    """Ask for what is missing, and say whether all is here."""
    here = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "rlbench", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={here}-"} if here else {}
    try:
        request = urllib.request.Request(url, headers=headers)
        answer = urllib.request.build_opener(_Redirects).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and here:
            if error.headers.get("Content-Range", "").strip() == f"bytes */{here}":
                return True
            part.unlink()
            return False
        if error.code >= 500 or error.code == 429:
            raise _Again(f"the host answers {error.code}") from None
        refused = ": its redirect is refused" if error.code < 400 else ""
        raise FetchError(f"{url}: the host answers {error.code}{refused}") from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise _Again(_in_words(error, timeout)) from None
    except ValueError as error:
        raise FetchError(f"{url}: {one_line(error)}") from None
    with answer:
        return _take(answer, url, part, here, limit, timeout, progress)


def _take(
    answer: Any, url: str, part: Path, here: int, limit: int, timeout: float, progress: Progress
) -> bool:
    """Write an answer behind what is here, and say whether all is here."""
    kind = answer.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise FetchError(f"{url}: the host answers with a web page instead of the file")
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isascii() and length.isdigit() else None
    if here and answer.status == 206:
        found = re.match(r"bytes (\d{1,18})-", answer.headers.get("Content-Range", ""))
        if found is None or int(found.group(1)) != here:
            part.unlink()
            raise _Again("the host sends another part than was asked for")
    elif here:
        part.unlink()  # the host does not go on with files
        here = 0
    total = None if total is None else total + here
    if total is not None and total > limit:
        raise FetchError(f"{url}: {total:,} bytes are over the limit of {limit:,}")
    with open_to_append(part) as file:
        progress(part.stem, here, total)
        while True:
            try:
                chunk = answer.read1(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _Again(_in_words(error, timeout)) from None
            if not chunk:
                break
            here += len(chunk)
            if here > limit:
                raise FetchError(f"{url}: more bytes than the limit of {limit:,}")
            file.write(chunk)
            progress(part.stem, here, total)
    return here == total if total is not None else True


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, and none from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = newurl.partition(":")[0].lower()
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise urllib.error.HTTPError(req.full_url, code, "refused", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _in_words(error: BaseException, timeout: float) -> str:
    """Return what went wrong with a connection."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError | socket.timeout):
        return f"no answer in {timeout:g} seconds"
    if isinstance(reason, OSError) and reason.strerror:
        return f"cannot connect: {reason.strerror}"
    return one_line(error)
