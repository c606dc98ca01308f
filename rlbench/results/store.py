"""A store: a folder of records, one file a run, that any number of processes may write to."""

import errno
import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from rlbench.errors import InvalidRecord, RecordExists, StoreError
from rlbench.results.record import Identity, Record

_STALE_SECONDS = 3600
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
    so that the run can be tried again. ``logs/`` holds what agents printed, ``quarantine/`` what
    was set aside; nothing is ever deleted but stale temporary files.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def prepare(self) -> None:
        """Make the store ready to be written to.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            for folder in (self._temporary, self.path / "logs"):
                folder.mkdir(parents=True, exist_ok=True)
            for left_over in self._temporary.iterdir():
                if time.time() - left_over.stat().st_mtime > _STALE_SECONDS:
                    left_over.unlink(missing_ok=True)
            self._write_temporary(b"{}").unlink()
        except OSError as error:
            raise StoreError(f"cannot write to the store {self.path}: {error.strerror}") from error

    def log_of(self, identity: Identity) -> Path:
        """Return where a run's log goes."""
        return self.path / "logs" / f"{identity.key}.log"

    def write(self, record: Record) -> Path:
        """Add a record.

        Returns:
            The file. It appears complete or not at all.

        Raises:
            RecordExists: The run has an ``ok`` record already.
            StoreError: It cannot be written; nothing half-written is left.
        """
        identity = record.identity
        folder = self.path.joinpath(*identity.folder)
        stem = f"{identity.seed}-{identity.key}"
        temporary = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = self._write_temporary(record.to_bytes())
            if record.status == "ok":
                return self._publish(temporary, folder / f"{stem}.json")
            attempt = 1
            while True:
                try:
                    return self._publish(temporary, folder / f"{stem}.failed{attempt}.json")
                except RecordExists:
                    attempt += 1
        except OSError as error:
            raise StoreError(
                f"cannot write the record of run {identity.key} to the store {self.path}: "
                f"{error.strerror}"
            ) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

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
        stem = f"{identity.seed}-{identity.key}"
        fits = (
            path.stem == stem if record.status == "ok" else path.stem.startswith(f"{stem}.failed")
        )
        if path.relative_to(self.path).parts[:3] != identity.folder or not fits:
            raise InvalidRecord("it does not stand where its contents say: it was moved or renamed")

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

    def _publish(self, temporary: Path, final: Path) -> Path:
        """Give a complete file its name, unless the name is taken."""
        try:
            os.link(temporary, final)
        except FileExistsError:
            raise RecordExists(f"{final} is there already") from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._copy_exclusively(temporary, final)
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
