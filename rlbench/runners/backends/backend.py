"""What a backend is to the supervision: it starts workers in places, and reaches them there."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from rlbench.results import Status
from rlbench.runners.run import Run


class Event(NamedTuple):
    """Something that happened to a run.

    Attributes:
        run: Which.
        kind: ``start``, ``progress``, ``elsewhere`` (another command is at it), ``remark`` or
            ``end``.
        data: ``start``: node, where that is not this machine. ``progress``: phase, budget_used,
            episodes. ``remark``: text. ``end``: status (``ok``, ``failed``, ``oom``, ..., or
            ``stopped`` if it was asked to leave) and reason.
    """

    run: Run
    kind: str
    data: dict[str, Any]


class Limits(NamedTuple):
    """Time limits in seconds; None means no limit.

    Attributes:
        silence: Between two steps: for one call of the agent or the environment.
        run: For a whole run.
    """

    silence: float | None = None
    run: float | None = None


class Slot(NamedTuple):
    """A place for one worker at a time.

    Attributes:
        device: Passed on to agents.
        gpu: The only GPU that the worker is to see, in the system's own numbering or by its UUID;
            empty for as many as there are.
    """

    device: str = "cpu"
    gpu: str = ""


class Placed(NamedTuple):
    """A worker has begun.

    Attributes:
        node: The machine; empty for this one.
    """

    node: str = ""


class Cause(NamedTuple):
    """Why a worker is gone that said nothing.

    Attributes:
        status: What its runs are recorded as, or ``stopped`` if it was not their doing.
        reason: In one line.
    """

    status: Status | Literal["stopped"]
    reason: str


class Worker(Protocol):
    """A process that executes runs, as a backend has started it."""

    def poll(self) -> int | None:
        """Return its exit code (a signal's number, negated), or None while it goes on."""
        ...

    def has_more(self) -> bool:
        """Say whether it has said something that was not handed over yet."""
        ...

    def ask_to_leave(self) -> None:
        """Have it keep checkpoints and end."""
        ...

    def dump_stacks(self) -> None:
        """Have it write to its log what its threads are doing, and give it a moment."""
        ...

    def kill(self) -> None:
        """End it and everything that it started."""
        ...

    def catch_up(self) -> None:
        """Wait until what it wrote stands in its log, but not for long."""
        ...

    def close(self) -> None:
        """Wait until it is gone, which it is about to be, and let go of it."""
        ...

    def cause_of_death(self, exit_code: int) -> Cause:
        """Say why it is gone, given its exit code."""
        ...


class Backend(Protocol):
    """Starts workers."""

    def start(self, runs: Sequence[Run], slot: Slot, hear: Callable[[Any], None]) -> Worker:
        """Start a worker, which may have to wait for its place.

        Args:
            runs: What it executes: one run, or several in lock-step.
            slot: Its place.
            hear: Is told, from any thread, in this order: that it is `Placed`, its events as they
                come from the worker, and its exit code. An error says that no worker can be
                started, here or elsewhere.

        Raises:
            StoreError: It cannot be started.
        """
        ...
