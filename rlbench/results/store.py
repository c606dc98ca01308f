"""A store: a folder of records, one file a run, that any number of processes may write to."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple
from uuid import uuid4

from rlbench.errors import InvalidRecord, NewerSchema, RecordExists, StoreError
from rlbench.files import TEMPORARY, add_file, read_bounded, write_apart
from rlbench.results import strict_json
from rlbench.results.identity import Identity, folder_of
from rlbench.results.record import Failure, Record, Training
from rlbench.results.text import one_line

MAX_ACTIONS = 300_000_000  # bytes of the file beside a record
_STALE_SECONDS = 3600
_OTHER_FOLDERS = {"checkpoints", "claims", "logs", "plans", "quarantine", "tracking"}


class Problem(NamedTuple):
    """A file in a store that is not a valid record.

    Attributes:
        path: The file, or a folder that cannot be listed.
        reason: What is wrong, in one line.
        kind: ``bad``: it was read, and is no record. ``unreadable``: it could not be read.
            ``newer``: a later release wrote it.
    """

    path: Path
    reason: str
    kind: Literal["bad", "unreadable", "newer"] = "bad"


class Loaded(NamedTuple):
    """The content of a store."""

    records: list[Record]
    problems: list[Problem]


def is_store(path: Path) -> bool:
    """Say whether a folder is a store: it holds claims, or records where a store has them."""
    key = "[0-9a-f]" * 16
    return (path / "claims").is_dir() or any(path.glob(f"*-[0-9]*/*/*/*-{key}.json"))


class Store:
    """A folder of records: ``<suite>-<version>/<agent>/<task>/<seed>-<key>.json``.

    A record is never overwritten. A failed run's record is named ``<seed>-<key>.failed<n>.json``,
    so that the run can be tried again. ``<seed>-<key>-<sha256>.actions`` beside it holds the
    actions of its final evaluation. ``logs/`` holds what agents printed, ``quarantine/`` what was
    set aside, ``claims/`` who is at which run, ``checkpoints/`` where unfinished runs go on from,
    ``tracking/`` the files of trackers, ``plans/`` those of sequential comparisons. No record is
    ever deleted.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def prepare(self, done: Collection[str] = ()) -> None:
        """Prepare the store for writing.

        Args:
            done: The keys of runs that have an ``ok`` record: their checkpoints are removed.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            for folder in (self._temporary, self.path / "logs", self.path / "claims"):
                folder.mkdir(parents=True, exist_ok=True)
            self._sweep(done)
            write_apart(self._temporary, b"{}").unlink()
        except OSError as error:
            raise StoreError(f"cannot write to the store {self.path}: {error.strerror}") from error

    def log_of(self, identity: Identity) -> Path:
        """Return the path of a run's log."""
        return self.path / "logs" / f"{identity.key}.log"

    def claim_of(self, identity: Identity) -> Path:
        """Return the path of a run's claim."""
        return self.path / "claims" / f"{identity.key}.json"

    def checkpoints_of(self, identity: Identity) -> Path:
        """Return the folder of a run's checkpoints."""
        return self.path / "checkpoints" / identity.key

    def record_of(self, identity: Identity) -> Path:
        """Return the path of a run's ``ok`` record."""
        return self.path.joinpath(*identity.folder, f"{identity.seed}-{identity.key}.json")

    def is_done(self, identity: Identity) -> bool:
        """Say whether a run has an ``ok`` record."""
        return os.path.exists(self.record_of(identity))

    def is_writable(self, identity: Identity) -> bool:
        """Say whether the folder of a run's record can be written or created."""
        folder = self.record_of(identity).parent
        while not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
        return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)

    def failures(self, identity: Identity) -> int:
        """Return how many failed attempts at a run were recorded."""
        number = 0
        while os.path.lexists(self._failed_file_of(identity, number + 1)):
            number += 1
        return number

    def last_failure(self, identity: Identity) -> Record | None:
        """Return the record of the last failed attempt at a run, if it can be read."""
        path = self._failed_file_of(identity, self.failures(identity))
        with suppress(OSError, InvalidRecord):
            return _read(path)
        return None

    def has_equal(self, record: Record) -> bool:
        """Say whether a run's ``ok`` record has the same content, except for time and machine."""
        with suppress(OSError, InvalidRecord):
            present = _read(self.record_of(record.identity))
            return replace(present, timing={}, provenance={}) == replace(
                Record.from_bytes(record.to_bytes()), timing={}, provenance={}
            )
        return False

    def read_actions(self, record: Record) -> bytes:
        """Return the actions of a record's final evaluation, as they were written.

        Raises:
            StoreError: There are none, or they are not those that the record names.
        """
        if record.replay is None:
            raise StoreError(f"run {record.identity.key} has no actions to replay")
        path = self._actions_file(record.identity, record.replay.actions)
        try:
            compressed = read_bounded(path, MAX_ACTIONS)
        except OSError as error:
            raise StoreError(f"cannot read the actions {path}: {error.strerror}") from error
        if hashlib.sha256(compressed).hexdigest() != record.replay.actions:
            raise StoreError(f"the actions {path} were changed after they were written")
        return compressed

    def size_of(self, record: Record) -> int:
        """Return the size in bytes of an ``ok`` record: its file and its file of actions."""
        paths = [self.record_of(record.identity)]
        if record.replay is not None:
            paths.append(self._actions_file(record.identity, record.replay.actions))
        size = 0
        for path in paths:
            with suppress(OSError):
                size += path.stat().st_size
        return size

    def write(self, record: Record, actions: bytes = b"") -> Path:
        """Add a record.

        Args:
            record: The record.
            actions: What `read_actions` is to return, if the record has something to replay.

        Returns:
            The file. It appears complete or not at all.

        Raises:
            InvalidRecord: The reader would refuse it.
            RecordExists: The run has an ``ok`` record already.
            StoreError: It cannot be written; nothing half-written is left.
        """
        identity = record.identity
        content = _checked(record)
        final = self.record_of(identity)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            if record.replay is not None:
                self._add_actions(record, actions)
            if record.status == "ok":
                return self._add_ok(final, content)
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

    def write_refused(self, record: Record, refused: InvalidRecord) -> Record:
        """Record a run as failed because the reader refuses its record.

        Args:
            record: The record that `write` did not take.
            refused: Why.

        Returns:
            What was added: of the record only its identity and its timing.

        Raises:
            InvalidRecord: The reader refuses that, too.
            StoreError: It cannot be written.
        """
        before = f"{record.error.reason}; " if record.error else ""
        reason = f"{before}the reader refuses its record: {refused}"
        failed = replace(
            record,
            status="failed",
            error=Failure(phase="end", step=None, reason=one_line(reason)),
            budget_used=0,
            evaluations=(),
            training=Training(episodes=0, ends=(), returns=()),
            provenance={},
            proposals=None,
            replay=None,
        )
        self.write(failed)
        return failed

    def load(self, suite: str = "") -> Loaded:
        """Read all records, or those of one suite, sorted by path.

        Files that are no records are named as problems and left where they are.

        Args:
            suite: The id of a suite: only the files where its records stand are read.

        Raises:
            StoreError: There is no such folder.
        """
        if not os.path.isdir(self.path):
            raise StoreError(f"there is no store at {self.path}")
        loaded = Loaded([], [])
        for path in self._files(loaded.problems, suite):
            found = self._examine(path)
            if isinstance(found, Problem):
                loaded.problems.append(found)
            elif found is not None:
                loaded.records.append(found)
        return loaded

    def set_aside(self, problem: Problem) -> Path | None:
        """Move a file that was read and is not a record into ``quarantine/``.

        Another process may have put a record in its place since it was read: that is put back.

        Returns:
            Where it is now; None if nothing bad is at its place any more.

        Raises:
            StoreError: It cannot be moved.
        """
        assert problem.kind == "bad"
        try:
            if not _is_bad(self._examine(problem.path)):
                return None
            target = self._move_aside(problem.path)
            if _is_bad(self._examine(target, problem.path)):
                return target
            with suppress(RecordExists):  # there are two by now: both are kept
                self._add(problem.path, read_bounded(target, strict_json.MAX_BYTES))
                target.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot set aside {problem.path}: {error.strerror}") from error
        return None

    def _move_aside(self, path: Path) -> Path:
        """Move a file into ``quarantine/``; return where it is now."""
        place = self.path / "quarantine" / path.relative_to(self.path)
        target = place.with_name(f"{place.stem}-{uuid4().hex[:8]}{place.suffix}")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, target)
        return target

    def _files(self, problems: list[Problem], suite: str) -> list[Path]:
        """Return what may be records, in order; folders that cannot be listed are problems."""
        level = [self.path / folder_of(suite)] if suite else [self.path]
        for depth in range(bool(suite), 4):
            below: list[Path] = []
            for folder in level:
                try:
                    below += folder.iterdir()
                except (NotADirectoryError, FileNotFoundError):
                    continue
                except OSError as error:
                    reason = f"cannot be read: {error.strerror}"
                    problems.append(Problem(folder, reason, "unreadable"))
            level = [path for path in below if depth or path.name not in _OTHER_FOLDERS]
        return sorted(path for path in level if path.suffix == ".json")

    def _examine(self, path: Path, place: Path | None = None) -> Record | Problem | None:
        """Return the record in a file, or what is wrong with it; None if there is no file.

        Args:
            path: The file.
            place: Where it stands, or stood.
        """
        try:
            record = _read(path)
            self._check_place(record, place or path)
        except NewerSchema as error:
            return Problem(path, str(error), "newer")
        except InvalidRecord as error:
            return Problem(path, str(error))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
                return None  # it was there a moment ago
            return Problem(path, f"cannot be read: {error.strerror}", "unreadable")
        return record

    def _check_place(self, record: Record, path: Path) -> None:
        """Raise InvalidRecord if the file does not stand where its contents say."""
        identity = record.identity
        stem = self.record_of(identity).stem
        fits = (
            path.stem == stem if record.status == "ok" else path.stem.startswith(f"{stem}.failed")
        )
        if path.relative_to(self.path).parts[:3] != identity.folder or not fits:
            raise InvalidRecord("it is not where its contents say: it was moved or renamed")

    def _failed_file_of(self, identity: Identity, number: int) -> Path:
        final = self.record_of(identity)
        return final.with_name(f"{final.stem}.failed{number}.json")

    def _actions_file(self, identity: Identity, digest: str) -> Path:
        record = self.record_of(identity)
        return record.with_name(f"{record.stem}-{digest[:16]}.actions")

    def _sweep(self, done: Collection[str]) -> None:
        """Remove what processes that were killed have left: what no run will need any more.

        What belongs to another user and cannot be removed is left to them.
        """
        claims, checkpoints = self.path / "claims", self.path / "checkpoints"
        for left_over in (*self._temporary.iterdir(), *claims.glob(TEMPORARY)):
            with suppress(OSError):  # another process removes the same, say
                if time.time() - left_over.lstat().st_mtime > _STALE_SECONDS:
                    left_over.unlink()
        for path in (*claims.glob("*.json"), *checkpoints.glob("*")):
            if path.stem in done:
                with suppress(OSError):
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()

    @property
    def _temporary(self) -> Path:
        return self.path / ".tmp"

    def _add_actions(self, record: Record, actions: bytes) -> None:
        """Add the actions of a record, unless an attempt that was cut short has left them whole."""
        assert record.replay is not None
        path = self._actions_file(record.identity, record.replay.actions)
        try:
            self._add(path, actions)
        except RecordExists:
            if hashlib.sha256(read_bounded(path, MAX_ACTIONS)).hexdigest() != record.replay.actions:
                self._move_aside(path)
                self._add(path, actions)

    def _add_ok(self, final: Path, content: bytes) -> Path:
        """Add an ``ok`` record; a bad file that has its place is set aside.

        Raises:
            RecordExists: There is a record.
            StoreError: There is something that cannot be read.
        """
        try:
            return self._add(final, content)
        except RecordExists:
            found = self._examine(final)
            if isinstance(found, Record):
                raise
        if isinstance(found, Problem):
            if found.kind != "bad":
                raise StoreError(f"the place of a record is taken: {final}: {found.reason}")
            self.set_aside(found)
        return self._add(final, content)

    def _add(self, final: Path, content: bytes) -> Path:
        """Add a file: it has its name once it is complete, unless the name is taken.

        On a file system without hard links a crash may leave a torn file; its sha256 gives it away
        and `run` sets it aside.
        """
        self._temporary.mkdir(parents=True, exist_ok=True)
        try:
            add_file(final, content, apart=self._temporary)
        except FileExistsError:
            raise RecordExists(f"{final} already exists") from None
        return final


def check_recordable(identity: Identity) -> None:
    """See that a run can be recorded at all, before it is run.

    Raises:
        InvalidRecord: The reader would refuse any record of it.
    """
    _checked(
        Record(
            identity=identity,
            status="failed",
            error=Failure(phase="start", step=None, reason="it was not run"),
            budget_used=0,
            evaluations=(),
            training=Training(episodes=0, ends=(), returns=()),
            provenance={},
            timing={},
        )
    )


def _is_bad(found: Record | Problem | None) -> bool:
    return isinstance(found, Problem) and found.kind == "bad"


def _read(path: Path) -> Record:
    """Read a record.

    Raises:
        InvalidRecord: It is none; a file that is too large is not read.
        OSError: It cannot be read.
    """
    try:
        return Record.from_bytes(read_bounded(path, strict_json.MAX_BYTES))
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise InvalidRecord(str(error.strerror)) from error
        raise


def _checked(record: Record) -> bytes:
    """Return a record's file.

    Raises:
        InvalidRecord: The reader would refuse it.
    """
    try:
        content = record.to_bytes()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord(f"it cannot be written as JSON: {error}") from error
    Record.from_bytes(content)
    return content
