"""The bar of statistics that take long: on a terminal only, and gone before anything is printed."""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from rlbench import stats
from rlbench.api import waiting
from rlbench.stats import kernels

SCORES = {name: np.random.default_rng(ord(name)).normal(size=(4, 6)) for name in "abc"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Be on a terminal; not in a fixture, since what pytest captures by is set up after these."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    return shown


@pytest.mark.parametrize("call", [stats.summarise, stats.compare, stats.runs_needed])
def test_all_of_the_work_is_told(call) -> None:
    told: list[tuple[int, int]] = []

    @contextmanager
    def watch(draws: int) -> Iterator[kernels.Tell]:
        parts: list[int] = []
        yield parts.append
        told.append((draws, sum(parts)))

    with kernels.watched_by(watch):
        watched = call(SCORES)
    assert watched == call(SCORES)
    ((draws, done),) = told
    assert done == draws > 0


def test_a_bar_stands_on_the_terminal_while_it_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr(waiting, "DELAY", 0.0)
    with waiting.waiting():
        with kernels.work(100):
            time.sleep(0.1)
            kernels._did(50)
            time.sleep(0.3)
        assert "50%" in terminal.getvalue()
        before = len(terminal.getvalue())
        stats.iqm(SCORES["a"])
        assert len(terminal.getvalue()) == before
    assert terminal.getvalue().endswith("\x1b[2K"), "the line is empty again"


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with waiting.waiting():
        stats.summarise(SCORES)
    assert terminal.getvalue() == ""


def test_no_terminal_no_bar(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "DELAY", 0.0)
    with waiting.waiting(), kernels.work(100):
        time.sleep(0.1)
    assert capsys.readouterr() == ("", "")
