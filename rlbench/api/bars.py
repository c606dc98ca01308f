"""How far runs are, shown on standard error: a bar in a terminal, a line in a notebook."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from rlbench.api.progress import Display, Row
from rlbench.api.stores import Tell
from rlbench.runners import Event, Run


def display_of(runs: Sequence[Run], jobs: int, *, done: int, tell: Tell, progress: bool) -> Display:
    """Return the display that fits where standard error goes.

    Args:
        runs: What is to be run.
        jobs: How many at a time.
        done: How many have a record already.
        tell: Is told what must be known of the runs.
        progress: Whether to show anything at all.
    """
    kind: type[Display] = Display
    if progress and _is_notebook():
        kind = Line
    elif progress and sys.stderr.isatty():
        kind = Line
        with suppress(ImportError):
            import rich.progress  # noqa: F401

            kind = Bar
    return kind(runs, jobs, done=done, tell=tell)


class Line(Display):
    """A line that is written over."""

    _width = 0

    def show(self, row: Row, event: Event) -> None:
        """Write the line anew."""
        text = f"{100 * self.share():3.0f}%, {self.summary()}"
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the line."""
        if self._width:
            print(file=sys.stderr, flush=True)


class Bar(Display):
    """A bar of rich that leaves nothing behind."""

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int, tell: Tell) -> None:
        from rlbench.api.waiting import progress_bar

        super().__init__(runs, jobs, done=done, tell=tell)
        self._bar = progress_bar("{task.description}")
        self._task = self._bar.add_task(self.summary(), total=1.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def show(self, row: Row, event: Event) -> None:
        """Draw the bar anew."""
        self._bar.update(self._task, completed=self.share(), description=self.summary())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()


def _is_notebook() -> bool:
    return "ipykernel" in sys.modules
