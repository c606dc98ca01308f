"""What `rlbench run` shows: a live table in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rlbench.api.progress import Display, Row
from rlbench.api.stores import Tell
from rlbench.api.words import duration, printable
from rlbench.cli.options import tell
from rlbench.cli.output import echo
from rlbench.runners import Event, Run

if TYPE_CHECKING:
    from rich.table import Table

_PLAIN_SECONDS = 30.0
_SHOWN_ENDS = 8


class PlainDisplay(Display):
    """Lines on standard output: each start and end, and now and then how it goes."""

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int, tell: Tell) -> None:
        super().__init__(runs, jobs, done=done, tell=tell)
        self._next = time.monotonic() + _PLAIN_SECONDS

    def show(self, row: Row, event: Event) -> None:
        """Print a start or an end, and now and then how it goes."""
        name = self.name_of(row.run)
        if event.kind == "start":
            echo(f"start {name}")
        elif event.kind == "elsewhere":
            echo(f"another command is at {name}")
        elif event.kind == "end":
            took = duration(row.ended - (row.started or row.ended))
            reason = f": {event.data['reason']}" if event.data.get("reason") else ""
            echo(f"{row.status} {name} in {took}{reason} [{self.summary()}]")
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_SECONDS
            for other in self.rows.values():
                if other.started and not other.ended:
                    speed = other.steps_per_second(time.monotonic())
                    pace = f", {speed:,.0f} steps/s" if speed else ""
                    echo(f"{other.status} {self.name_of(other.run)}: {other.position()}{pace}")


class LiveDisplay(Display):
    """A table that is drawn anew in place: what runs, what ended last, what waits."""

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int, tell: Tell) -> None:
        from rich.live import Live

        super().__init__(runs, jobs, done=done, tell=tell)
        self._live = Live(get_renderable=self._table, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _table(self) -> "Table":
        from rich import box
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        rows = list(self.rows.values())
        ended = sorted((row for row in rows if row.ended), key=lambda row: row.ended)
        running = [row for row in rows if row.started and not row.ended]
        table = Table(box=box.SIMPLE, caption=Text(self.summary()), caption_justify="left")
        for column in ("run", "status", "position", "steps/s", "left", "time"):
            table.add_column(column, justify="left" if column in ("run", "status") else "right")
        for row in [*ended[-_SHOWN_ENDS:], *running]:
            speed, left = row.steps_per_second(now), row.left(now)
            style = {"ok": "green", "starting": "", "train": "cyan", "eval": "cyan", "end": "cyan"}
            table.add_row(
                Text(printable(self.name_of(row.run))),
                Text(printable(row.status), style=style.get(row.status, "red")),
                row.position(),
                f"{speed:,.0f}" if speed else "",
                duration(left) if left is not None else "",
                duration((row.ended or now) - (row.started or row.ended)),
            )
        return table


def make_display(runs: Sequence[Run], jobs: int, *, done: int, quiet: bool) -> Display:
    """Return the display that fits the terminal."""
    kind = Display if quiet else LiveDisplay if sys.stdout.isatty() else PlainDisplay
    return kind(runs, jobs, done=done, tell=tell)
