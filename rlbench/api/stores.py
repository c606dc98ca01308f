"""Stores as a user names them: what is in them, and what is said where there is nothing."""

from collections.abc import Callable
from pathlib import Path

from rlbench.api.asking import PUBLISHED
from rlbench.errors import UsageError
from rlbench.results import Loaded, Record, Store, belongs, unofficial_text
from rlbench.results.scores import is_old_of, under_other_constants
from rlbench.suites import Suite

Tell = Callable[[str], None]  # is told a line for people


def load_store(path: Path, tell: Tell, suite: Suite | None = None) -> Loaded:
    """Read a store, or what it holds of a suite, and tell of each bad file.

    The published scores have no record.
    """
    if path == PUBLISHED:
        return Loaded([], [])
    loaded = Store(path).load(suite.id if suite else "")
    for problem in loaded.problems:
        tell(f"left out: {problem.path}: {problem.reason}")
    return loaded


def loaded_or_empty(path: Path, suite: Suite) -> Loaded:
    """Read what a store holds of a suite; it may not be there yet."""
    return Store(path).load(suite.id) if path.is_dir() else Loaded([], [])


def records_of(path: Path, suite: Suite, tell: Tell, *, old: bool = False) -> list[Record]:
    """Return a store's records of a suite.

    Args:
        path: The store.
        suite: The suite.
        tell: Is told of each bad file.
        old: Return those of schema 1, too.

    Raises:
        UsageError: There is none; the message says what there is instead.
    """
    fitting = [
        record
        for record in load_store(path, tell, suite).records
        if belongs(record, suite) or (old and is_old_of(record, suite))
    ]
    if fitting:
        return fitting
    records = load_store(path, lambda _: None).records
    what = f"records of {suite.id}"
    if suite.unofficial:
        what += f" with {unofficial_text(suite.unofficial)}"
    message = f"the store {path} holds no {what}."
    others = {
        unofficial_text(record.identity.unofficial)
        for record in records
        if record.identity.suite == suite.id
    } - {"", unofficial_text(suite.unofficial)}
    if any(is_old_of(record, suite) for record in records):
        message += " It has old ones, of schema 1: rlbench export shows them, nothing ranks them"
    elif said := under_other_constants(records, suite):
        message += f" It has {said}"
    elif others:
        message += (
            f" It has unofficial ones: add --unofficial {' or --unofficial '.join(sorted(others))}"
        )
    elif records:
        message += f" It has {', '.join(sorted({r.identity.suite for r in records}))}"
    raise UsageError(message)
