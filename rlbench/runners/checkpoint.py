"""Checkpoints: what an unfinished run goes on from.

A run's folder holds ``actions``, all training actions so far, and ``<budget_used>-<n>/``: what the
agent and the teacher saved, and ``state.json``. A checkpoint appears whole, by renaming its
folder; then those before it are removed.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from rlbench.errors import InvalidRecord
from rlbench.results import Engine, Evaluation, Proposals, Replay, Training, strict_json
from rlbench.results.record import evaluation_of, from_plain, plain
from rlbench.suites import sha256_of

_VERSION = 2
_STATE = "state.json"
_NAME = re.compile(r"\d+-\d+")
_MAX_STATE = 200_000_000  # bytes


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
            }
            text = strict_json.dump({**content, "sha256": sha256_of(content)})
            (temporary / _STATE).write_text(text, encoding="utf-8")
            _flush(temporary)
            os.rename(temporary, final)
            _flush_file(self._folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._written, self._hash = written, digest
        for old in self._folder.iterdir():
            if old.is_dir() and old != final:
                _remove(old)

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, if there is one."""
        if not self._folder.is_dir():
            return None
        for path in sorted(self._whole(), key=_age, reverse=True):
            with suppress(OSError, InvalidRecord):
                found = _read(path)
                digest = hashlib.sha256(self.actions_until(found))
                if digest.hexdigest() == found.actions_sha256:
                    self._written, self._hash = found.actions, digest
                    return found
        return None

    def actions_until(self, checkpoint: Checkpoint) -> bytes:
        """Return the training actions that led to a checkpoint."""
        with (self._folder / "actions").open("rb") as file:
            return file.read(checkpoint.actions)

    def clear(self) -> None:
        """Remove all checkpoints of the run."""
        self._written, self._hash = 0, hashlib.sha256()
        if self._folder.is_dir():
            for path in self._whole():
                _remove(path)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _whole(self) -> list[Path]:
        """Return the folders of checkpoints that were renamed: those that were whole once."""
        return [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]


def _age(path: Path) -> list[int]:
    """Return what checkpoints are sorted by, the newest last."""
    return [int(number) for number in path.name.split("-")]


def replayed_actions(checkpoint: Checkpoint) -> bytes:
    """Return the actions of a checkpoint's last evaluation."""
    return (checkpoint.folder / "replayed").read_bytes()


def _read(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        OSError: A file is missing.
        InvalidRecord: The state or the actions of the last evaluation are not as they were
            written, or of another version.
    """
    content = strict_json.load((path / _STATE).read_bytes(), _MAX_STATE)
    if not isinstance(content, dict) or content.pop("sha256", "") != sha256_of(content):
        raise InvalidRecord("it was changed after it was written")
    if content.pop("version") != _VERSION:
        raise InvalidRecord("it is of another version")
    checkpoint = Checkpoint(**{
        **content,
        "evaluations": tuple(evaluation_of(e) for e in content["evaluations"]),
        "training": from_plain(Training, content["training"]),
        "proposals": content["proposals"] and from_plain(Proposals, content["proposals"]),
        "replay": content["replay"] and from_plain(Replay, content["replay"]),
        "engine": content["engine"] and from_plain(Engine, content["engine"]),
        "parts": tuple(content["parts"]),
        "folder": path,
    })  # fmt: skip
    replayed = hashlib.sha256(replayed_actions(checkpoint)).hexdigest()
    if checkpoint.replay is not None and checkpoint.replay.actions != replayed:
        raise InvalidRecord("the actions of its last evaluation were changed")
    return checkpoint


def _remove(folder: Path) -> None:
    """Remove a checkpoint as far as possible; its state goes first: what is left of it is none."""
    with suppress(OSError):
        (folder / _STATE).unlink(missing_ok=True)
        shutil.rmtree(folder)


def _flush(folder: Path) -> None:
    """Have the system write a folder and all that is in it to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            _flush_file(Path(parent, name))
        _flush_file(Path(parent))


def _flush_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
