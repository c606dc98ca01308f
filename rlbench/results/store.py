"""A store: a folder of records, one file a run, that any number of processes may write to."""

import errno
import hashlib
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from rlbench.errors import InvalidRecord, RecordExists, StoreError
from rlbench.results.identity import Identity
from rlbench.results.record import Record

_STALE_SECONDS = 3600
_TEMPORARY = "." + "[0-9a-f]" * 32
_OTHER_FOLDERS = {"checkpoints", "claims", "logs", "quarantine", "tracking"}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Problem(NamedTuple):
    """A file in a store that is not a record, and why."""

    path: Path
    reason: str


class Loaded(NamedTuple):
    """What a store holds."""

    records: list[Record]
    problems: list[Problem]


class Store:
    """A folder of records: ``<suite>-<version>/<agent>/<task>/<seed>-<key>.json``.

    A record is never overwritten. A failed run's record is named ``<seed>-<key>.failed<n>.json``,
    so that the run can be tried again. ``<seed>-<key>-<sha256>.actions`` beside it holds the
    actions of its final evaluation. ``logs/`` holds what agents printed, ``quarantine/`` what was
    set aside, ``claims/`` who is at which run, ``checkpoints/`` where unfinished runs go on from,
    ``tracking/`` the files of trackers. No record is ever deleted.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def prepare(self) -> None:
        """Make the store ready to be written to.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            for folder in (self._temporary, self.path / "logs", self.path / "claims"):
                folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._write_temporary(b"{}").unlink()
        except OSError as error:
            raise StoreError(f"cannot write to the store {self.path}: {error.strerror}") from error

    def log_of(self, identity: Identity) -> Path:
        """Return where a run's log goes."""
        return self.path / "logs" / f"{identity.key}.log"

    def claim_of(self, identity: Identity) -> Path:
        """Return where it is said who is at a run."""
        return self.path / "claims" / f"{identity.key}.json"

    def checkpoints_of(self, identity: Identity) -> Path:
        """Return the folder that a run goes on from."""
        return self.path / "checkpoints" / identity.key

    def is_done(self, identity: Identity) -> bool:
        """Say whether a run has an ``ok`` record."""
        return self._file_of(identity).exists()

    def failures(self, identity: Identity) -> int:
        """Return how many failed attempts at a run were recorded."""
        number = 0
        while self._failed_file_of(identity, number + 1).exists():
            number += 1
        return number

    def last_failure(self, identity: Identity) -> Record | None:
        """Return the record of the last failed attempt at a run, if it can be read."""
        path = self._failed_file_of(identity, self.failures(identity))
        with suppress(OSError, InvalidRecord):
            return Record.from_bytes(path.read_bytes())
        return None

    def read_actions(self, record: Record) -> bytes:
        """Return the actions of a record's final evaluation, as they were written.

        Raises:
            StoreError: There are none, or they are not those that the record names.
        """
        if record.replay is None:
            raise StoreError(f"run {record.identity.key} has no actions to replay")
        path = self._actions_file(record.identity, record.replay.actions)
        try:
            compressed = path.read_bytes()
        except OSError as error:
            raise StoreError(f"cannot read the actions {path}: {error.strerror}") from error
        if hashlib.sha256(compressed).hexdigest() != record.replay.actions:
            raise StoreError(f"the actions {path} were changed after they were written")
        return compressed

    def write(self, record: Record, actions: bytes = b"") -> Path:
        """Add a record.

        Args:
            record: The record.
            actions: What `read_actions` is to return, if the record has something to replay.

        Returns:
            The file. It appears complete or not at all.

        Raises:
            RecordExists: The run has an ``ok`` record already.
            StoreError: It cannot be written; nothing half-written is left.
        """
        identity = record.identity
        final = self._file_of(identity)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            if record.replay is not None:
                with suppress(RecordExists):  # the same actions, of an attempt that was cut short
                    self._add(self._actions_file(identity, record.replay.actions), actions)
            content = record.to_bytes()
            if record.status == "ok":
                return self._add(final, content)
            attempt = 1
            while True:
                try:
                    return self._add(self._failed_file_of(identity, attempt), content)
                except RecordExists:
                    attempt += 1
        except OSError as error:
            raise StoreError(
                f"cannot write the record of run {identity.key} to the store {self.path}: "
                f"{error.strerror}"
            ) from error

    def load(self) -> Loaded:
        """Read all records, in the order of their paths.

        Files that are no records are named as problems and left where they are.

        Raises:
            StoreError: There is no such folder.
        """
        if not self.path.is_dir():
            raise StoreError(f"there is no store at {self.path}")
        loaded = Loaded([], [])
        for path in sorted(self.path.glob("*/*/*/*.json")):
            if path.relative_to(self.path).parts[0] in _OTHER_FOLDERS:
                continue
            try:
                record = Record.from_bytes(path.read_bytes())
                self._check_place(record, path)
            except InvalidRecord as error:
                loaded.problems.append(Problem(path, str(error)))
            except OSError as error:
                loaded.problems.append(Problem(path, f"cannot be read: {error.strerror}"))
            else:
                loaded.records.append(record)
        return loaded

    def set_aside(self, problem: Problem) -> Path:
        """Move a file that is not a record into ``quarantine/``; return where it is now."""
        place = self.path / "quarantine" / problem.path.relative_to(self.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        target = place.with_name(f"{place.stem}-{uuid4().hex[:8]}{place.suffix}")
        shutil.move(problem.path, target)
        return target

    def _check_place(self, record: Record, path: Path) -> None:
        """Raise InvalidRecord if the file does not stand where its contents say."""
        identity = record.identity
        stem = self._file_of(identity).stem
        fits = (
            path.stem == stem if record.status == "ok" else path.stem.startswith(f"{stem}.failed")
        )
        if path.relative_to(self.path).parts[:3] != identity.folder or not fits:
            raise InvalidRecord("it does not stand where its contents say: it was moved or renamed")

    def _file_of(self, identity: Identity) -> Path:
        return self.path.joinpath(*identity.folder, f"{identity.seed}-{identity.key}.json")

    def _failed_file_of(self, identity: Identity, number: int) -> Path:
        final = self._file_of(identity)
        return final.with_name(f"{final.stem}.failed{number}.json")

    def _actions_file(self, identity: Identity, digest: str) -> Path:
        record = self._file_of(identity)
        return record.with_name(f"{record.stem}-{digest[:16]}.actions")

    def _sweep(self) -> None:
        """Remove what processes that were killed have left: what no run will need any more."""
        claims, checkpoints = self.path / "claims", self.path / "checkpoints"
        for left_over in (*self._temporary.iterdir(), *claims.glob(_TEMPORARY)):
            with suppress(FileNotFoundError):  # another process removes the same
                if time.time() - left_over.stat().st_mtime > _STALE_SECONDS:
                    left_over.unlink()
        left = [*claims.glob("*.json"), *checkpoints.glob("*")]
        done = {path.stem.rpartition("-")[2] for path in self.path.glob("*/*/*/*.json") if left}
        for path in left:
            if path.stem in done:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    @property
    def _temporary(self) -> Path:
        return self.path / ".tmp"

    def _write_temporary(self, data: bytes) -> Path:
        """Write a complete file under a name of its own."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        path = self._temporary / uuid4().hex
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _add(self, final: Path, content: bytes) -> Path:
        """Add a file: it has its name once it is complete, unless the name is taken."""
        temporary = self._write_temporary(content)
        try:
            os.link(temporary, final)
        except FileExistsError:
            raise RecordExists(f"{final} is there already") from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._copy_exclusively(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
        descriptor = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return final

    def _copy_exclusively(self, temporary: Path, final: Path) -> None:
        """Do what a hard link does, for file systems that have none.

        A crash may leave a torn file here; its sha256 gives it away and `run` sets it aside.
        """
        try:
            with final.open("xb") as file:
                file.write(temporary.read_bytes())
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise RecordExists(f"{final} is there already") from None
