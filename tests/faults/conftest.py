"""Counts of what was done to the command, printed at the end."""

from collections import Counter

import pytest

COUNTS = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNTS] = Counter()


@pytest.fixture
def tally(pytestconfig: pytest.Config) -> Counter[str]:
    """Return the counts, to add to."""
    return pytestconfig.stash[COUNTS]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts = config.stash[COUNTS]
    if counts:
        terminalreporter.section("faults")
        for name, number in counts.items():
            terminalreporter.write_line(f"{number:5d} {name}")
