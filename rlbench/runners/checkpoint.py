"""Checkpoints: what an unfinished run goes on from.

A run's folder holds ``actions``, all training actions so far, and ``<budget_used>-<n>/``: what the
agent and the teacher saved, and ``state.json``, with the sha256 of each of their files. A
checkpoint appears whole, by renaming its folder; then those before it are removed. One whose files
are not those that were written is passed over.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from rlbench.errors import InvalidRecord
from rlbench.files import open_regular, read_bounded, sync
from rlbench.results import Engine, Evaluation, Proposals, Replay, Training, strict_json
from rlbench.results.record import evaluation_of, from_plain, plain
from rlbench.suites import sha256_of

_VERSION = 3
SPARED = "oom"  # the status of a run whose checkpoints stay: another attempt may end otherwise
_STATE = "state.json"
_NAME = re.compile(r"\d+-\d+")
_MAX_STATE = 200_000_000  # bytes
_MAX_ACTIONS = 300_000_000  # bytes of those of an evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where an interrupted run was.

    Attributes:
        budget_used: Budget spent.
        digest: Of the training so far, see `TrainingTrace.digest`; empty without one.
        actions: How many bytes of training actions led here.
        actions_sha256: Of these.
        evaluations: Finished evaluations.
        training: The training episodes so far.
        proposals: What the teacher proposed so far, in a curriculum.
        replay: Of the last of them.
        engine: How the task's engine behaved.
        seconds: Wall time by phase.
        parts: Budget spent where training went on in new episodes.
        randomness: The state of global random generators.
        folder: What the agent saved, in ``agent``, and the teacher, in ``teacher``.
    """

    budget_used: int
    digest: str
    actions: int
    actions_sha256: str
    evaluations: tuple[Evaluation, ...]
    training: Training
    proposals: Proposals | None
    replay: Replay | None
    engine: Engine | None
    seconds: dict[str, float]
    parts: tuple[int, ...]
    randomness: dict[str, Any]
    folder: Path


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: The run's own.
        every: Seconds between two of them.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self._folder = folder
        self._every = every
        self._last = time.monotonic()
        self._written = 0
        self._hash = hashlib.sha256()

    def is_due(self, *, evaluation: bool = False) -> bool:
        """Say whether it is time for a checkpoint; before an evaluation it is ten times sooner."""
        return time.monotonic() - self._last >= (self._every / 10 if evaluation else self._every)

    def save(
        self, write: Callable[[Path], None], actions: bytes, replayed: bytes, **state: Any
    ) -> None:
        """Write a checkpoint.

        Args:
            write: Writes the agent into a folder.
            actions: Training actions since the last checkpoint.
            replayed: Actions of the last evaluation, as they go beside a record.
            state: The fields of `Checkpoint`.

        Raises:
            OSError: The disk is full, say; the checkpoint before stays as it is.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._last = time.monotonic()
        with (self._folder / "actions").open("r+b" if self._written else "wb") as file:
            file.seek(self._written)
            file.truncate()
            file.write(actions)
            file.flush()
            os.fsync(file.fileno())
        written, digest = self._written + len(actions), self._hash.copy()
        digest.update(actions)
        temporary = self._folder / f".{uuid4().hex}"
        used = state["budget_used"]
        others = [_age(path)[1] for path in self._whole() if _age(path)[0] == used]
        final = self._folder / f"{used}-{max(others, default=-1) + 1}"
        try:
            temporary.mkdir()
            write(temporary)
            (temporary / "replayed").write_bytes(replayed)
            content = {
                "version": _VERSION,
                **state,
                "evaluations": [plain(evaluation) for evaluation in state["evaluations"]],
                "training": plain(state["training"]),
                "proposals": state["proposals"] and plain(state["proposals"]),
                "replay": state["replay"] and plain(state["replay"]),
                "engine": state["engine"] and plain(state["engine"]),
                "actions": written,
                "actions_sha256": digest.hexdigest(),
                "files": _hashes(temporary),
            }
            text = strict_json.dump({**content, "sha256": sha256_of(content)})
            (temporary / _STATE).write_text(text, encoding="utf-8")
            flush(temporary)
            os.rename(temporary, final)
            sync(self._folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._written, self._hash = written, digest
        for old in self._folder.iterdir():
            if old.is_dir() and old != final:
                _remove(old)

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, if there is one."""
        for path in sorted(self._whole(), key=_age, reverse=True):
            with suppress(OSError, OverflowError, TypeError, InvalidRecord):
                found = _read(path)
                digest = hashlib.sha256(self.actions_until(found))
                if digest.hexdigest() == found.actions_sha256:
                    self._written, self._hash = found.actions, digest
                    return found
        return None

    def newest_name(self) -> str:
        """Return the name of the newest checkpoint's folder, whole or not; empty without one."""
        found = self._whole()
        return max(found, key=_age).name if found else ""

    def actions_until(self, checkpoint: Checkpoint) -> bytes:
        """Return the training actions that led to a checkpoint."""
        with open_regular(self._folder / "actions") as file:
            return file.read(checkpoint.actions)

    def clear(self) -> None:
        """Remove all checkpoints of the run."""
        self._written, self._hash = 0, hashlib.sha256()
        for path in self._whole():
            _remove(path)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _whole(self) -> list[Path]:
        """Return the folders of checkpoints that were renamed: those that were whole once."""
        with suppress(OSError):  # there is none, or it is somebody else's
            return [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return []


def _age(path: Path) -> list[int]:
    """Return what checkpoints are sorted by, the newest last."""
    return [int(number) for number in path.name.split("-")]


def replayed_actions(checkpoint: Checkpoint) -> bytes:
    """Return the actions of a checkpoint's last evaluation."""
    return read_bounded(checkpoint.folder / "replayed", _MAX_ACTIONS)


def _read(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        OSError: A file cannot be read.
        InvalidRecord: A file is not as it was written, is missing or was added, or the checkpoint
            is of another version.
    """
    content = strict_json.load(read_bounded(path / _STATE, _MAX_STATE), _MAX_STATE)
    if not isinstance(content, dict) or content.pop("sha256", "") != sha256_of(content):
        raise InvalidRecord("it was changed after it was written")
    if content.pop("version", None) != _VERSION:
        raise InvalidRecord("it is of another version")
    if content.pop("files", None) != _hashes(path):
        raise InvalidRecord("its files are not those that were written")
    try:
        if content["actions"] < 0:
            raise InvalidRecord("its number of actions is negative")
        return Checkpoint(**{
            **content,
            "evaluations": tuple(evaluation_of(e) for e in content["evaluations"]),
            "training": from_plain(Training, content["training"]),
            "proposals": content["proposals"] and from_plain(Proposals, content["proposals"]),
            "replay": content["replay"] and from_plain(Replay, content["replay"]),
            "engine": content["engine"] and from_plain(Engine, content["engine"]),
            "parts": tuple(content["parts"]),
            "folder": path,
        })  # fmt: skip
    except (AttributeError, KeyError, TypeError) as error:
        raise InvalidRecord(f"it is not a state of a run: {error}") from error


def _hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file in a checkpoint but its state, by its path from there.

    Raises:
        OSError: One cannot be read, or is neither a file nor a folder: what a link leads to may
            change unseen.
    """
    found = {}
    for parent, folders, files in os.walk(folder, onerror=_raise):
        for path in (Path(parent, name) for name in (*folders, *files)):
            mode = path.lstat().st_mode
            name = path.relative_to(folder).as_posix()
            if stat.S_ISDIR(mode) or name == _STATE:
                continue
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, f"{name} is neither a file nor a folder")
            with open_regular(path) as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _raise(error: OSError) -> None:
    raise error


def _remove(folder: Path) -> None:
    """Remove a checkpoint as far as possible; its state goes first: what is left of it is none."""
    with suppress(OSError):
        (folder / _STATE).unlink(missing_ok=True)
        shutil.rmtree(folder)


def flush(folder: Path) -> None:
    """Have the system write a folder and all that is in it to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent, name))
        sync(Path(parent))
