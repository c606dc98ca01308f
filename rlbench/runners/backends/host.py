"""The part of a cluster's backend that is on a node: it holds a worker, and says how it goes.

Where the node has the store's disk, the worker writes there, as on the command's own machine. Else
it writes into a store of its own on the node, from which records, checkpoints and logs are sent.
"""

import queue
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rlbench import __version__
from rlbench.results import Record, Store, read_claim
from rlbench.runners.backends import transfer
from rlbench.runners.backends.backend import Cause, Placed, Slot
from rlbench.runners.backends.local import LocalWorker
from rlbench.runners.run import Run

_WAIT = 0.5  # seconds until it says that there is nothing to be said
_COLLECT = 200  # messages that are sent together
_REQUESTS = ("ask_to_leave", "dump_stacks", "kill")


class About(NamedTuple):
    """What a node says of itself.

    Attributes:
        version: Of rlbench.
        name: Of the machine.
        node: The cluster's id of it.
        shares: It has the store's disk.
    """

    version: str
    name: str
    node: str
    shares: bool


class Sent(NamedTuple):
    """A record that was written on a node.

    Attributes:
        key: Of its run.
        record: Its file.
        actions: Those of its final evaluation.
    """

    key: str
    record: bytes
    actions: bytes


class Piece(NamedTuple):
    """A piece of a run's checkpoint; the last is empty."""

    key: str
    content: bytes


class Words(NamedTuple):
    """What the worker has written to its log."""

    text: bytes


class Ended(NamedTuple):
    """The worker is gone."""

    exit_code: int
    cause: Cause


class Host:
    """Holds one worker after another. Its methods are called from another machine."""

    def __init__(self) -> None:
        self._worker: LocalWorker | None = None
        self._said: queue.Queue[Any] = queue.Queue()
        self._apart: Path | None = None
        self._outgoing: Iterator[Any] = iter(())

    def about(self, claim: Path, token: str | None) -> About:
        """Say which machine this is.

        Args:
            claim: The claim of a run, in the store.
            token: What stands in it.
        """
        import ray

        found = read_claim(claim)
        shares = found is not None and found.data.get("token") == token
        node = ray.get_runtime_context().get_node_id()
        return About(__version__, socket.gethostname(), node, shares)

    def prepare(self, runs: Sequence[dict[str, Any]], *, shares: bool) -> None:
        """Take in what the next worker executes, see `Run.to_dict`."""
        self._runs = [Run.from_dict(data) for data in runs]
        self._apart = None
        if not shares:
            self._apart = Path(tempfile.mkdtemp(prefix="rlbench-"))
            Store(self._apart).prepare()
        self._recorded: set[Path] = set()
        self._logged = 0
        self._checkpoints = {run.key: "" for run in self._runs}

    def receive(self, key: str, piece: bytes) -> None:
        """Take in a piece of a run's checkpoint; the last is empty."""
        assert self._apart is not None
        archive = self._apart / f"{key}.tar"
        if piece:
            with archive.open("ab") as file:
                file.write(piece)
            return
        folder = self._folder_of(key)
        with suppress(OSError):  # the run restarts
            transfer.unpack(archive, folder)
        archive.unlink()
        self._checkpoints[key] = transfer.newest(folder)

    def start(self, slot: Slot) -> None:
        """Start the worker.

        Raises:
            StoreError: It cannot be started.
        """
        self._said = queue.Queue()
        runs = self._runs
        if self._apart is not None:
            runs = [_moved(run, self._apart) for run in runs]
        self._worker = LocalWorker(runs, slot, self._said.put)
        self._outgoing = self._messages(self._worker)

    def request(self, what: str) -> None:
        """Do one of what a `Worker` does."""
        assert what in _REQUESTS
        if self._worker is not None:
            getattr(self._worker, what)()

    def hear(self) -> list[Any]:
        """Return what is to be said; wait for it, but not for long."""
        heard: list[Any] = []
        for message in self._outgoing:
            if message is None:
                break
            heard.append(message)
            if isinstance(message, Piece | Sent) or len(heard) == _COLLECT:
                break
            if self._said.empty() and not isinstance(message, Ended):
                break
        return heard

    def _messages(self, worker: LocalWorker) -> Iterator[Any]:
        """Yield what is to be said, and None when there is nothing at the moment."""
        while True:
            try:
                message = self._said.get(timeout=_WAIT)
            except queue.Empty:
                message = None
            if isinstance(message, int):
                yield from self._last_words(worker, message)
                return
            if isinstance(message, Placed):
                continue
            if self._apart is not None:
                yield from self._new_checkpoints(self._apart)
                if message is not None and message["event"] == "end":
                    worker.catch_up()
                    yield from self._new_records(self._apart)
                    yield from self._new_words(self._apart)
            yield message

    def _last_words(self, worker: LocalWorker, exit_code: int) -> Iterator[Any]:
        worker.kill()
        worker.close()
        worker.catch_up()
        if self._apart is not None:
            yield from self._new_checkpoints(self._apart)
            yield from self._new_records(self._apart)
            yield from self._new_words(self._apart)
            shutil.rmtree(self._apart, ignore_errors=True)
        yield Ended(exit_code, worker.cause_of_death(exit_code))

    def _folder_of(self, key: str) -> Path:
        assert self._apart is not None
        return self._apart / "checkpoints" / key

    def _new_checkpoints(self, apart: Path) -> Iterator[Piece]:
        for key, before in self._checkpoints.items():
            folder, archive = self._folder_of(key), apart / f"{key}.tar"
            if transfer.newest(folder) in ("", before):
                continue
            name = transfer.pack(folder, archive)
            if name:
                self._checkpoints[key] = name
                for piece in transfer.pieces(archive):
                    yield Piece(key, piece)
            archive.unlink(missing_ok=True)

    def _new_records(self, apart: Path) -> Iterator[Sent]:
        store = Store(apart)
        for run in self._runs:
            place = store.record_of(run.identity)
            for path in sorted(set(place.parent.glob(f"{place.stem}*.json")) - self._recorded):
                self._recorded.add(path)
                content = path.read_bytes()
                record = Record.from_bytes(content)
                yield Sent(run.key, content, store.read_actions(record) if record.replay else b"")

    def _new_words(self, apart: Path) -> Iterator[Words]:
        path = Store(apart).log_of(self._runs[0].identity)
        text = path.read_bytes()[self._logged :]
        self._logged += len(text)
        if text:
            yield Words(text)


def _moved(run: Run, store: Path) -> Run:
    return replace(run, store=str(store))
