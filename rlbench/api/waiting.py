"""How far long statistics are, on a terminal, once they have taken a moment."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from rlbench.stats.kernels import Tell

DELAY = 2.0  # seconds


@contextmanager
def waiting() -> Iterator[None]:
    """Have statistics inside done as soon as may be, with a bar on a terminal if they take long.

    The bar is on standard error, and gone before anything else is printed.
    """
    from rlbench.stats.kernels import sooner, watched_by

    with sooner(), watched_by(_bar) if sys.stderr.isatty() else nullcontext():
        yield


@contextmanager
def _bar(draws: int) -> Iterator["Tell"]:
    bar = progress_bar("resampling")
    task = bar.add_task("", total=draws)
    timer = threading.Timer(DELAY, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda more: bar.advance(task, more)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def progress_bar(what: str) -> "Progress":
    """Return a bar on standard error that leaves nothing behind; `start` shows it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    return Progress(
        what, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
