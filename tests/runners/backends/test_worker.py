"""How a worker names what went wrong."""

import pytest

from rlbench.errors import AgentError, InvalidEnvironment, UsageError
from rlbench.runners.backends.worker import _classify


class OutOfMemoryError(RuntimeError):
    """What torch raises has this name."""


class Mute(Exception):
    """An agent's own, which fails to say what it is."""

    def __str__(self) -> str:
        raise ValueError


def caused_by(cause: BaseException) -> AgentError:
    error = AgentError(f"observe raised {type(cause).__name__}")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (MemoryError("no room"), "oom", "out of memory: no room"),
        (caused_by(MemoryError("no room")), "oom", "out of memory: no room"),
        (caused_by(OutOfMemoryError("CUDA")), "oom", "out of memory: CUDA"),
        (AgentError("act raised"), "failed", "act raised"),
        (caused_by(ValueError("x")), "failed", "observe raised ValueError"),
        (InvalidEnvironment("no space"), "invalid", "no space"),
        (UsageError("no such file"), "failed", "no such file"),
        (KeyError("k"), "failed", "KeyError: 'k'"),
        (RuntimeError(), "failed", "RuntimeError"),
        (Mute(), "failed", "Mute: it has no words for it"),
    ],
)
def test_failures_have_a_status_and_a_reason(
    error: BaseException, status: str, reason: str
) -> None:
    assert _classify(error) == (status, reason)
