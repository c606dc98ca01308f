"""Everything that rlbench raises on purpose.

RLBenchError
├── UsageError            what was asked for does not exist or does not fit
│   ├── UnknownName       a suite, task, agent or constant that is not there
│   ├── CannotImport      an agent or a teacher that raises when it is imported
│   └── MissingExtra      an optional dependency is not installed
├── FetchError            data cannot be fetched, or is not what it should be
├── ClusterError          a cluster does not execute what it should
├── StoreError            a store cannot be read or written
│   ├── RecordExists      a record with that name already exists
│   └── InvalidRecord     a file that is not a record, or not one any more
│       └── NewerSchema   a record that a later release of rlbench wrote
├── StaleCheckpoint       a run cannot go on from what an earlier attempt left
├── InvalidScores         scores that statistics cannot be computed from
└── RunError              a run ended without a score
    ├── AgentError        the agent raised, or answered what no agent may answer
    ├── TeacherError      the same of a curriculum's teacher
    ├── InvalidEnvironment  the environment answered what no environment may answer
    └── BudgetExhausted   the run's budget is spent

There are two warnings, `SwappedAxes` and `Assumed`.

The command line prints the message of an `RLBenchError` as one line and exits with 2.
"""

import difflib
import sys
from collections.abc import Iterable

__all__ = [
    "AgentError",
    "Assumed",
    "BrokenSuite",
    "BudgetExhausted",
    "CannotImport",
    "ClusterError",
    "FetchError",
    "InvalidEnvironment",
    "InvalidRecord",
    "InvalidScores",
    "MissingExtra",
    "NewerSchema",
    "RLBenchError",
    "RecordExists",
    "RunError",
    "StaleCheckpoint",
    "StoreError",
    "SwappedAxes",
    "TeacherError",
    "UnknownName",
    "UsageError",
]


# What an extra needs and cannot ask for, since what that requires cannot be installed. dm_control
# requires labmaze, which has no wheels for Python 3.13 and later; only its own files are needed.
ALONE = {"dmc": "dm-control>=1.0.50,<1.1"} if sys.version_info >= (3, 13) else {}


class RLBenchError(Exception):
    """The base of all errors that rlbench raises on purpose."""


class UsageError(RLBenchError):
    """What was asked for does not exist or does not fit."""


class UnknownName(UsageError):
    """A name that is not among the known ones; the message offers the nearest.

    Args:
        what: The kind of thing named, e.g. ``"suite"``.
        name: The name given.
        known: The names that exist.
        see: A command that lists the known names, if there is one.
        why: Why it is unknown, if there is more to say.
    """

    def __init__(
        self, what: str, name: str, known: Iterable[str], *, see: str = "", why: str = ""
    ) -> None:
        known = list(known)
        folded = {candidate.casefold(): candidate for candidate in known}
        near = [other for other in folded if name and other.startswith(name.casefold())]
        near += difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
        if near:
            hint = f" Did you mean {folded[near[0]]!r}?"
        else:
            hint = f" Known: {', '.join(known)}." if 0 < len(known) <= 12 else ""
        self.name = name
        begin = f"unknown {what} {name!r}" + (f": {why}" if why else "")
        super().__init__(f"{begin}.{hint}" + (f" See: {see}" if see else ""))


class CannotImport(UsageError):
    """An agent or a teacher that raises, hangs or ends its process when it is imported."""


class MissingExtra(UsageError):
    """An optional dependency is not installed; the message says how to install it.

    Args:
        what: What needs it.
        extra: Which.
        module: The module that is missing, where that is known.
    """

    def __init__(self, what: str, extra: str, module: str = "") -> None:
        missing = f" (there is no module {module!r})" if module else ""
        super().__init__(f"{what} needs an extra: {install_command(extra)}{missing}")


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    alone = f" && pip install --no-deps '{ALONE[extra]}'" if extra in ALONE else ""
    return f"pip install 'rlbench[{extra}]'{alone}"


class BrokenSuite(UsageError):
    """A suite that cannot be imported, though all that it needs is installed."""


class FetchError(RLBenchError):
    """Data cannot be fetched, or is not what it should be."""


class ClusterError(RLBenchError):
    """A cluster does not execute what it should."""


class StoreError(RLBenchError):
    """A store cannot be read or written."""


class RecordExists(StoreError):
    """A record with that name is in the store already; it is never overwritten."""


class InvalidRecord(StoreError):
    """A file that is not a record, or not one any more."""


class NewerSchema(InvalidRecord):
    """A record that a later release of rlbench wrote; this one cannot judge it."""


class StaleCheckpoint(RLBenchError):
    """A run cannot go on from what an earlier attempt left, and begins anew."""


class InvalidScores(RLBenchError, ValueError):
    """Scores that statistics cannot be computed from."""


class SwappedAxes(UserWarning):
    """Scores whose axes look swapped: a warning, since there may be many runs of few tasks."""


class Assumed(UserWarning):
    """What was assumed of scores: a warning where they leave the `Results` that has it in notes."""


class RunError(RLBenchError):
    """A run ended without a score.

    Attributes:
        status: The status that the run's record gets.
    """

    status = "failed"


class AgentError(RunError):
    """The agent raised, or answered what no agent may answer."""


class TeacherError(RunError):
    """The teacher raised, or proposed what no teacher may propose."""


class InvalidEnvironment(RunError):
    """The environment answered what no environment may answer, e.g. a reward that is NaN."""

    status = "invalid"


class BudgetExhausted(RunError):
    """The run's budget is spent: no further training step exists."""


def one_line(error: BaseException) -> str:
    """Return what another's code raised as one printable line of at most 500 characters."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(c if c.isprintable() else "?" for c in text)[:500]
