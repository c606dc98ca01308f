"""How far long statistics are, on a terminal, once they have taken a moment."""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlbench.stats.kernels import Tell

DELAY = 2.0  # seconds


def waiting() -> AbstractContextManager[None]:
    """Show a bar on standard error, if that is a terminal, while statistics take long inside.

    The bar is gone before anything else is printed.
    """
    if not sys.stderr.isatty():
        return nullcontext()
    from rlbench.stats.kernels import watched_by

    return watched_by(_bar)


@contextmanager
def _bar(draws: int) -> Iterator["Tell"]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    bar = Progress(
        "resampling", BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
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
