"""Claims: who is at which run, so that two commands never do the same one.

A claim is a small file that its owner writes anew every few seconds, with how far the run is. One
whose owner is gone can be taken over, under a file lock. Where a shared disk has no locks, two that
take over the same claim in the same instant may both do the run; its record is written once all the
same.

On the same host the owner's process says whether it is gone. A host is a name, one start of the
system and one namespace of process numbers: two containers of one name are two hosts. The owner on
another host is gone when its claim does not change, and only this process's own clock counts the
seconds: the time of a file may come from a clock that is wrong.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4

from rlbench.errors import InvalidRecord, StoreError
from rlbench.files import give_name, open_to_append, read_bounded, replace_file, write_apart
from rlbench.results import strict_json

STALE_SECONDS = 180.0  # without a sign of life from another host
CONFIRM_SECONDS = 30.0  # the same, of a file that is older than that by its time
_MAX_BYTES = 2 * strict_json.MAX_BYTES  # it holds what a record holds of what is run
_MAX_COUNT = 10**9


class ClaimFile(NamedTuple):
    """The content of a claim's file.

    Attributes:
        data: Its content: ``token``, ``host``, ``boot``, ``namespace``, ``pid``, ``start``,
            ``attempt``, ``signalled``, ``since``, ``over`` if it was given free, and what the owner
            says of the run. None of it is checked.
        stale: The owner is gone.
    """

    data: dict[str, Any]
    stale: bool

    def count(self, name: str) -> int:
        """Return a number in it; 0 if it is not a number, or one that no claim can hold."""
        value = self.data.get(name)
        return value if type(value) is int and 0 <= value <= _MAX_COUNT else 0


class Watch:
    """How long the claims of other hosts have not changed, by the clock of this process."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[object, float]] = {}

    def silence(self, path: Path, content: object) -> float:
        """Return for how many seconds a claim has been the same."""
        now = time.monotonic()
        before, since = self._seen.get(path, (None, now))
        if before != content:
            since = now
        self._seen[path] = (content, since)
        return now - since


class Claim:
    """The right to execute a run, held by this process."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._path = path
        self._data = {
            "token": uuid4().hex,
            **_this_process(),
            "attempt": 1,
            "signalled": 0,
            "since": time.time(),
            **about,
        }

    @property
    def attempt(self) -> int:
        """Which attempt at the run this is, from 1; those that left no trace do not count."""
        return int(self._data["attempt"])

    @property
    def signalled(self) -> int:
        """How many attempts were ended by signals from outside rlbench."""
        return int(self._data["signalled"])

    @classmethod
    def take(cls, path: Path, about: Mapping[str, Any], watch: Watch | None = None) -> Self | None:
        """Claim a run that nobody is working on.

        Args:
            path: The claim's file, in a folder that exists.
            about: What is said of the run besides, for `read_claim`.
            watch: What was seen of other hosts' claims; without it they are left alone until
                their owners give them free.

        Returns:
            The claim, or None if somebody else is at the run.

        Raises:
            StoreError: The file cannot be written.
        """
        claim = cls(path, about)
        try:
            temporary = write_apart(path.parent, claim._content(), durable=False)
            try:
                give_name(temporary, path)
            except FileExistsError:
                return claim if claim._take_over(watch) else None
            finally:
                temporary.unlink(missing_ok=True)
            return claim
        except OSError as error:
            raise StoreError(f"cannot write the claim {path}: {error.strerror}") from error

    def count_signal(self) -> None:
        """Record that a signal from outside rlbench ended the present attempt."""
        self._data["signalled"] += 1

    def renew(self, about: Mapping[str, Any]) -> None:
        """Show that the owner is alive, and how far the run is; a full disk is not an error."""
        self._data.update(about)
        with suppress(OSError):
            if self.is_held():
                self._replace()

    def release(self, about: Mapping[str, Any], *, done: bool) -> None:
        """Release the run; if it is not done, the file stays and holds its progress."""
        self._data.update(about)
        with suppress(OSError):
            if not self.is_held():
                return
            if done:
                self._path.unlink(missing_ok=True)
            else:
                self._data["over"] = True
                self._replace()

    def _take_over(self, watch: Watch | None) -> bool:
        """Put this claim in the place of one whose owner is gone; say whether there was one."""
        present = read_claim(self._path, watch or Watch())
        if present is not None and not present.stale:
            return False
        with _lock(self._path.parent):
            present = read_claim(self._path, watch or Watch())
            if present is None or not present.stale:
                return False
            self._data["attempt"] = 1 + present.count("attempt")
            self._data["signalled"] = present.count("signalled")
            self._replace()
        return True

    def is_held(self) -> bool:
        """Say whether this process still holds the claim."""
        present = read_claim(self._path)
        return present is not None and present.data.get("token") == self._data["token"]

    def _replace(self) -> None:
        replace_file(self._path, self._content(), durable=False)

    def _content(self) -> bytes:
        return json.dumps(self._data).encode()


def read_claim(path: Path, watch: Watch | None = None) -> ClaimFile | None:
    """Return the content of a claim's file, or None if there is none.

    A file that is no claim counts as stale; one that cannot be read as that of another host.

    Args:
        path: The file.
        watch: What was seen of other hosts' claims. Without it, the time of the file has to tell
            whether its owner on another host is gone: that is good enough to show, not to act.
    """
    try:
        status = path.lstat()
        content = _content(path)
        data = strict_json.load(content, _MAX_BYTES) if content else {}
    except FileNotFoundError:
        return None
    except InvalidRecord:
        return ClaimFile({}, stale=True)
    if not isinstance(data, dict) or (content and not isinstance(data.get("token"), str)):
        return ClaimFile({}, stale=True)
    gone = _is_gone(data)
    if gone is None:
        gone = time.time() - status.st_mtime > STALE_SECONDS
        if watch is not None:
            silence = watch.silence(path, (content, status.st_mtime_ns, status.st_ino))
            gone = silence > (CONFIRM_SECONDS if gone else STALE_SECONDS)
    return ClaimFile(data, stale=gone)


def _content(path: Path) -> bytes:
    """Return what a claim's file holds; nothing if it cannot be read.

    Raises:
        FileNotFoundError: It was removed.
        InvalidRecord: It is empty.
    """
    try:
        content = read_bounded(path, _MAX_BYTES)
    except OSError:
        path.lstat()
        return b""
    if not content:
        raise InvalidRecord("it is empty")
    return content


def _is_gone(data: Mapping[str, Any]) -> bool | None:
    """Say whether a claim's owner is gone; None if it is on another host."""
    here = _this_process()
    if data.get("over"):
        return True
    if any(data.get(name) != here[name] for name in ("host", "boot", "namespace")):
        return None
    pid = data.get("pid")
    return not (type(pid) is int and 0 < pid < 2**31) or _start_of(pid) != data.get("start")


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep other processes out, where the system has file locks; it ends with the process."""
    with open_to_append(folder / ".lock") as file:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _boot() -> str:
    """Return what tells one start of this machine from another, if the system says."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    """Return what tells apart processes of the same number on one machine, if the system says."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "namespace": _namespace(),
        "pid": pid,
        "start": _start_of(pid),
    }


def _start_of(pid: int) -> str | None:
    """Return when a process of this machine started, in the system's own unit; None if it is gone.

    It tells a process from another that was given its number later.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        return _alive_without_proc(pid)
    return None if fields[0] in "ZX" else fields[19]


def _alive_without_proc(pid: int) -> str | None:
    """Return a constant if there is such a process, where the system has no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "alive"
