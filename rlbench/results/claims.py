"""Claims: who is at which run, so that two commands never do the same one.

A claim is a small file that its owner writes anew every few seconds, with how far the run is. One
whose owner is gone can be taken over, under a file lock. Where a shared disk has no locks, two that
take over the same claim in the same instant may both do the run; its record is written once all the
same.
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
from rlbench.results import strict_json

STALE_SECONDS = 180.0  # without a sign of life from another machine
_MAX_BYTES = 100_000


class ClaimFile(NamedTuple):
    """What a claim's file says.

    Attributes:
        data: Its content: ``token``, ``host``, ``boot``, ``pid``, ``start``, ``attempt``,
            ``since``, ``over`` if it was given free, and what the owner says of the run.
        stale: The owner is gone.
    """

    data: dict[str, Any]
    stale: bool


class Claim:
    """The right to execute a run, held by this process."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._path = path
        self._data = {
            "token": uuid4().hex,
            **_this_process(),
            "attempt": 1,
            "since": time.time(),
            **about,
        }

    @property
    def attempt(self) -> int:
        """Which attempt at the run this is, from 1; those that left no trace do not count."""
        return int(self._data["attempt"])

    @classmethod
    def take(cls, path: Path, about: Mapping[str, Any]) -> Self | None:
        """Take a run that nobody is at.

        Args:
            path: The claim's file, in a folder that exists.
            about: What is said of the run besides, for `read_claim`.

        Returns:
            The claim, or None if somebody else is at the run.

        Raises:
            StoreError: The file cannot be written.
        """
        claim = cls(path, about)
        try:
            temporary = claim._write()
            try:
                return claim if _link(temporary, path) or claim._take_over() else None
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write the claim {path}: {error.strerror}") from error

    def renew(self, about: Mapping[str, Any]) -> None:
        """Show that the owner is alive, and how far the run is; a full disk is not an error."""
        self._data.update(about)
        with suppress(OSError):
            if self._is_ours():
                os.replace(self._write(), self._path)

    def release(self, about: Mapping[str, Any], *, done: bool) -> None:
        """Give the run free; where it is not done, the file stays, and says how far it is."""
        self._data.update(about)
        with suppress(OSError):
            if not self._is_ours():
                return
            if done:
                self._path.unlink(missing_ok=True)
            else:
                self._data["over"] = True
                os.replace(self._write(), self._path)

    def _take_over(self) -> bool:
        """Put this claim in the place of one whose owner is gone; say whether there was one."""
        present = read_claim(self._path)
        if present is not None and not present.stale:
            return False
        with _lock(self._path.parent):
            present = read_claim(self._path)
            if present is None or not present.stale:
                return False
            self._data["attempt"] = 1 + int(present.data.get("attempt", 0))
            os.replace(self._write(), self._path)
        return True

    def _is_ours(self) -> bool:
        present = read_claim(self._path)
        return present is not None and present.data.get("token") == self._data["token"]

    def _write(self) -> Path:
        """Write the claim under a name of its own beside its place."""
        temporary = self._path.with_name(f".{uuid4().hex}")
        try:
            temporary.write_text(json.dumps(self._data), encoding="utf-8")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


def read_claim(path: Path) -> ClaimFile | None:
    """Return what a claim's file says, or None if there is none.

    A file that is no claim counts as stale.
    """
    try:
        age = time.time() - path.stat().st_mtime
        data = strict_json.load(path.read_bytes(), _MAX_BYTES)
    except FileNotFoundError:
        return None
    except InvalidRecord:
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("token"), str):
        return ClaimFile({}, stale=True)
    return ClaimFile(data, stale=_is_gone(data, age))


def _is_gone(data: Mapping[str, Any], age: float) -> bool:
    """Say whether a claim's owner is gone; `age` is in seconds since its last sign of life."""
    here = _this_process()
    if data.get("over"):
        return True
    if data.get("host") != here["host"]:
        return age > STALE_SECONDS
    if data.get("boot") != here["boot"]:
        return True
    pid = data.get("pid")
    return not isinstance(pid, int) or _start_of(pid) != data.get("start")


def _link(temporary: Path, path: Path) -> bool:
    """Give a complete file its name; say whether the name was free."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        try:
            with path.open("xb") as file:
                file.write(temporary.read_bytes())
        except FileExistsError:
            return False
    return True


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep other processes out, where the system has file locks; it ends with the process."""
    with (folder / ".lock").open("ab") as file:
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


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "start": _start_of(pid)}


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
