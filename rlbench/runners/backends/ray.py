"""The Ray backend: workers on the nodes of a cluster that is there.

On each node an actor holds a worker, which is a process as on this machine, and is asked for what
the worker says. If the actor is gone, so is its worker: its pipe closes. The command holds the
claims and supervises all workers. When it dies, Ray ends its actors.
"""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from rlbench import __version__
from rlbench.errors import (
    ClusterError,
    InvalidRecord,
    MissingExtra,
    RecordExists,
    RLBenchError,
    UsageError,
    one_line,
)
from rlbench.results import Record, Store, read_claim
from rlbench.runners.backends import transfer
from rlbench.runners.backends.backend import Cause, Placed, Slot
from rlbench.runners.backends.host import Ended, Host, Piece, Sent, Words
from rlbench.runners.checkpoint import SPARED, Checkpoints
from rlbench.runners.logs import Log
from rlbench.runners.run import Run

_GONE = -signal.SIGKILL  # the exit code of a worker whose node is gone
_NAMESPACE = "rlbench"
_PLACES = 20  # nodes that may be lost before a worker begins
_CLOSE = 10.0  # seconds for a worker that was killed to be gone
_WORDS = 65_536  # bytes of a log that are written at a time


class Needs(NamedTuple):
    """What a worker takes of a node.

    Attributes:
        cpus: CPUs.
        gpus: GPUs, or a share of one.
    """

    cpus: float = 1.0
    gpus: float = 0.0

    def fit(self, resources: Mapping[str, float]) -> int:
        """Return how often they fit into what a node has."""
        shares = [(self.cpus, "CPU"), (self.gpus, "GPU")]
        fits = [resources.get(name, 0.0) / need for need, name in shares if need]
        return math.floor(min(fits) + 1e-9)


def connect(address: str, environment: Mapping[str, Any]) -> Any:
    """Connect this process with a cluster that is there.

    Args:
        address: Of the cluster; ``auto`` for the one that this machine is a node of.
        environment: The runtime environment of the workers, see Ray's documentation.

    Returns:
        The module `ray`.

    Raises:
        MissingExtra: Ray is not installed.
        UsageError: There is no such cluster, or this process is connected with one.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("the Ray backend", "ray") from error
    if ray.is_initialized():
        if ray.get_runtime_context().namespace != _NAMESPACE:
            raise UsageError("this process is already connected to Ray: call ray.shutdown()")
        ray.shutdown()  # of an earlier call: the code to be sent may be another
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address, namespace=_NAMESPACE, runtime_env=dict(environment),
            log_to_driver=False, logging_level=logging.ERROR,
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"cannot connect to a Ray cluster at {address!r}: {one_line(error)}; see: ray status"
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray exits at it
    return ray


class RayBackend:
    """Starts workers on a cluster.

    Args:
        ray: What `connect` returned.
        needs: What a worker takes.
        rename: Returns a run as it is named on the nodes.
        shares: Whether the nodes have the store's disk; None to look.

    Attributes:
        pending: Workers that wait for a place.
    """

    def __init__(
        self,
        ray: Any,
        *,
        needs: Needs,
        rename: Callable[[Run], Run] = lambda run: run,
        shares: bool | None = None,
    ) -> None:
        self.ray, self.rename, self.shares = ray, rename, shares
        self._needs = needs
        self._idle: list[Any] = []
        self.pending: set[RayWorker] = set()

    def room(self) -> int:
        """Return how many workers the nodes have room for, with nothing else on them."""
        nodes = self.ray.nodes()
        return sum(self._needs.fit(node["Resources"]) for node in nodes if node["Alive"])

    def start(self, runs: Sequence[Run], slot: Slot, hear: Callable[[Any], None]) -> "RayWorker":
        """Start a worker on a node that has room, now or later; see `Backend.start`."""
        host = self._idle.pop() if self._idle else self.new_host()
        return RayWorker(self, host, runs, slot, hear)

    def new_host(self) -> Any:
        """Return an actor, which Ray starts when a node has room."""
        remote = self.ray.remote(Host).options(
            num_cpus=self._needs.cpus, num_gpus=self._needs.gpus, max_concurrency=4,
            scheduling_strategy="SPREAD",
        )  # fmt: skip
        return remote.remote()

    def put_back(self, host: Any) -> None:
        """Take back a host whose worker has ended, for another.

        While others wait for a place it makes room for theirs.
        """
        if self.pending:
            self.ray.kill(host)
        else:
            self._idle.append(host)

    def name_of(self, node: str) -> str:
        """Return the name of a node, given its id."""
        names = {found["NodeID"]: str(found["NodeName"]) for found in self.ray.nodes()}
        return names.get(node, node[:8])


class RayWorker:
    """A worker on a node, and the thread that asks it what it has to say.

    Args:
        backend: Which started it.
        host: The actor that holds it.
        runs: What it executes.
        slot: Its place.
        hear: See `Backend.start`.
    """

    def __init__(
        self,
        backend: RayBackend,
        host: Any,
        runs: Sequence[Run],
        slot: Slot,
        hear: Callable[[Any], None],
    ) -> None:
        self._backend, self._host, self._slot, self._hear = backend, host, slot, hear
        self._runs = {run.key: run for run in runs}
        self._archives: dict[str, Path] = {}
        self._ends: dict[str, dict[str, str]] = {}
        self._is_placed = self._has_ended = self._is_given_up = False
        self._code: int | None = None
        self._cause = Cause("stopped", "the node is gone")
        backend.pending.add(self)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        """Start the worker, and hand on what it says until it is gone."""
        try:
            self._find_place()
            while not self._has_ended:
                for message in self._get(self._host.hear.remote()):
                    self._take_in(message)
        except RLBenchError as error:
            self._hear(error)
        except self._backend.ray.exceptions.RayActorError as error:
            self._note_loss(str(error))
        except Exception as error:  # of Ray, which has many
            self._hear(ClusterError(f"a worker on the cluster was lost: {one_line(error)}"))
        finally:
            self._backend.pending.discard(self)
            if self._code is None:
                self._code = _GONE
            self._hear(self._code)

    def _get(self, reference: Any) -> Any:
        return self._backend.ray.get(reference)

    def _find_place(self) -> None:
        """Start the worker; a node that is lost before that is no attempt at the runs."""
        for attempt in range(_PLACES):
            try:
                self._begin()
                return
            except self._backend.ray.exceptions.RayActorError as error:
                time.sleep(1.0)
                if self._is_given_up or "creation task" in str(error) or attempt == _PLACES - 1:
                    raise
            self._host = self._backend.new_host()

    def _begin(self) -> None:
        first, *_ = runs = list(self._runs.values())
        path = Store(first.store).claim_of(first.identity).absolute()
        claim = read_claim(path)
        about = self._get(self._host.about.remote(path, claim and claim.data.get("token")))
        if about.version != __version__:
            raise ClusterError(
                f"the node {about.name} has rlbench {about.version}, and this machine has"
                f" {__version__}: install the same on all"
            )
        shares = about.shares if self._backend.shares is None else self._backend.shares
        named = [replace(run, store=str(Path(run.store).absolute())) for run in runs]
        data = [self._backend.rename(run).to_dict() for run in named]
        self._get(self._host.prepare.remote(data, shares=shares))
        if not shares:
            for run in runs:
                self._send_checkpoint(run)
        self._get(self._host.start.remote(self._slot))
        self._is_placed = True
        self._backend.pending.discard(self)
        self._hear(Placed(self._backend.name_of(about.node)))

    def _send_checkpoint(self, run: Run) -> None:
        store = Store(run.store)
        archive = store.path / ".tmp" / f".{uuid4().hex}"
        try:
            if transfer.pack(store.checkpoints_of(run.identity), archive):
                for piece in transfer.pieces(archive):
                    self._get(self._host.receive.remote(run.key, piece))
        finally:
            archive.unlink(missing_ok=True)

    def _take_in(self, message: Any) -> None:
        if isinstance(message, Piece):
            self._receive(self._runs[message.key], message.content)
        elif isinstance(message, Sent):
            self._keep(self._runs[message.key], message)
        elif isinstance(message, Words):
            self._log(message.text)
        elif isinstance(message, Ended):
            self._has_ended = True
            self._code, self._cause = message.exit_code, message.cause
        elif message["event"] == "end":
            self._hear({**message, **self._ends.get(message["key"], {})})
        else:
            self._hear(message)

    def _receive(self, run: Run, piece: bytes) -> None:
        """Take in a piece of a checkpoint; what cannot be written costs the checkpoint only."""
        store = Store(run.store)
        archive = self._archives.setdefault(run.key, store.path / ".tmp" / f".{uuid4().hex}")
        try:
            if piece:
                with archive.open("ab") as file:
                    file.write(piece)
                return
            transfer.unpack(archive, store.checkpoints_of(run.identity))
        except OSError as error:
            self._log(f"rlbench: a checkpoint was not kept: {error}\n".encode())
        if not piece:
            self._archives.pop(run.key).unlink(missing_ok=True)

    def _keep(self, run: Run, sent: Sent) -> None:
        """Write a record; what its worker says of its end is then what comes of that."""
        store = Store(run.store)
        try:
            record = Record.from_bytes(sent.record)
            if record.identity.key != run.key:
                raise InvalidRecord("it is of another run")
            store.write(record, sent.actions)
            if record.status != SPARED:
                Checkpoints(store.checkpoints_of(run.identity), 0.0).clear()
        except RecordExists:
            reason = "" if store.has_equal(record) else "with other results"
            self._ends[run.key] = {"status": "taken", "reason": reason}
        except InvalidRecord as refused:
            reason = f"it cannot be recorded: {refused}"
            self._ends[run.key] = {"status": "failed", "reason": reason}

    def _log(self, text: bytes) -> None:
        first = next(iter(self._runs.values()))
        with suppress(OSError):
            log = Log(Store(first.store).log_of(first.identity))
            for begin in range(0, len(text), _WORDS):
                log.write(text[begin : begin + _WORDS])
            log.close()

    def _note_loss(self, said: str) -> None:
        """Take note that the actor is gone, and why."""
        if "creation task" in said:
            self._hear(ClusterError(f"no worker can be started on the cluster: {said[:500]}"))
        elif "low on memory" in said:
            self._cause = Cause("oom", "Ray ended the worker when its node ran low on memory")

    def poll(self) -> int | None:
        """Return its exit code, or None while it goes on."""
        return self._code

    def has_more(self) -> bool:
        """Say whether something was not handed over yet: its exit code comes last."""
        return False

    def ask_to_leave(self) -> None:
        """Have it keep checkpoints and end; one that waits for its place is given up."""
        self._request("ask_to_leave") if self._is_placed else self.kill()

    def dump_stacks(self) -> None:
        """Have it write to its log what its threads are doing, and give it a moment."""
        with suppress(self._backend.ray.exceptions.RayError):
            self._backend.ray.get(self._host.request.remote("dump_stacks"), timeout=_CLOSE)

    def kill(self) -> None:
        """End it and everything that it started."""
        if self._code is None and self._is_placed:
            self._request("kill")
        elif self._code is None:
            self._is_given_up = True
            self._backend.ray.kill(self._host)

    def _request(self, what: str) -> None:
        with suppress(self._backend.ray.exceptions.RayError):
            self._host.request.remote(what)

    def catch_up(self) -> None:
        """Do nothing: its log comes before its end."""

    def close(self) -> None:
        """Wait until it is gone; its host takes another, if it is still there."""
        self._thread.join(_CLOSE)
        if self._has_ended:
            self._backend.put_back(self._host)
        else:
            self._backend.ray.kill(self._host)
        for archive in self._archives.values():
            archive.unlink(missing_ok=True)

    def cause_of_death(self, exit_code: int) -> Cause:
        """Say why it is gone; a node that was lost is not its doing."""
        return self._cause
