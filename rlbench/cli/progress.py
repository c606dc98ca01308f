"""What `rlbench run` shows: a live table in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rlbench.cli.output import duration, echo, printable
from rlbench.runners import Event, Run

if TYPE_CHECKING:
    from rich.table import Table

_PLAIN_SECONDS = 30.0
_SHOWN_ENDS = 8


@dataclass(slots=True)
class _Row:
    """What is known of one run."""

    run: Run
    status: str = "waiting"
    started: float = 0.0
    ended: float = 0.0
    train_started: tuple[float, int] | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def update(self, event: Event, now: float) -> None:
        """Take in an event."""
        self.data.update(event.data)
        if event.kind == "start":
            self.status, self.started = "starting", now
        elif event.kind == "elsewhere":
            self.status = "elsewhere"
        elif event.kind == "progress":
            self.status = str(event.data["phase"])
            if self.status == "train" and self.train_started is None:
                self.train_started = (now, event.data["budget_used"])
        else:
            self.status, self.ended = str(event.data["status"]), now

    @property
    def budget(self) -> int:
        """The budget, by the run's constants."""
        return int(self.run.identity.constants["budget"])  # type: ignore[arg-type]

    def steps_per_second(self, now: float) -> float | None:
        """Return the speed of training so far, if it is going on."""
        if self.status != "train" or self.train_started is None:
            return None
        since, steps = self.train_started
        return (self.data["budget_used"] - steps) / (now - since) if now - since > 0.2 else None

    def left(self, now: float) -> float | None:
        """Return the seconds of training left, if they can be told."""
        speed = self.steps_per_second(now)
        return (self.budget - self.data["budget_used"]) / speed if speed else None

    def position(self) -> str:
        """Return how far the run is, in words."""
        if self.status == "eval":
            episodes = self.run.identity.constants["episodes"]
            return f"{self.data.get('episodes', 0)}/{episodes} episodes"
        if self.status in ("waiting", "elsewhere"):
            return ""
        return f"{self.data.get('budget_used', 0):,}/{self.budget:,}"


class Display:
    """Counts what ends; the base of what is shown, and all that is shown when quiet.

    Attributes:
        finished: Runs that were recorded, failed ones too.
        failed: Failed runs and why.
        stopped: Runs that were asked to leave before they were over.
    """

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int) -> None:
        self.finished = 0
        self.failed: list[tuple[Run, str]] = []
        self.stopped = 0
        self._remarks: set[str] = set()
        self._jobs = jobs
        self._done = done
        self._rows = {run.identity.key: _Row(run) for run in runs}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the display."""

    def listen(self, event: Event) -> None:
        """Take in an event."""
        row = self._rows[event.run.identity.key]
        if event.kind == "remark":
            self._remark(str(event.data["text"]))
            return
        row.update(event, time.monotonic())
        if event.kind == "end" and event.data["status"] == "stopped":
            self.stopped += 1
        elif event.kind == "end":
            self.finished += 1
            if event.data["status"] != "ok":
                self.failed.append((event.run, str(event.data.get("reason", ""))))
        self._show(row, event)

    def _remark(self, text: str) -> None:
        """Print what must be known of the runs, once."""
        if text not in self._remarks:
            self._remarks.add(text)
            echo(f"rlbench: {text}", err=True)

    def _show(self, row: _Row, event: Event) -> None:
        """Show what has changed."""

    def _summary(self) -> str:
        """Return how far all runs are; the time left is told from those that have ended."""
        total = self._done + len(self._rows)
        text = f"{self._done + self.finished}/{total} runs"
        if self.failed:
            text += f", {len(self.failed)} failed"
        now = time.monotonic()
        ended = [
            row.ended - row.started for row in self._rows.values() if row.ended and row.started
        ]
        if ended:
            mean = sum(ended) / len(ended)
            running = [r for r in self._rows.values() if r.started and not r.ended]
            open_seconds = sum(max(0.0, mean - (now - row.started)) for row in running)
            waiting = sum(not (row.started or row.ended) for row in self._rows.values())
            text += f", about {duration((open_seconds + waiting * mean) / self._jobs)} left"
        return text


class PlainDisplay(Display):
    """Lines on standard output: each start and end, and now and then how it goes."""

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int) -> None:
        super().__init__(runs, jobs, done=done)
        self._next = time.monotonic() + _PLAIN_SECONDS

    def _show(self, row: _Row, event: Event) -> None:
        identity = row.run.identity
        name = f"{identity.task} seed {identity.seed}"
        if event.kind == "start":
            echo(f"start {name}")
        elif event.kind == "elsewhere":
            echo(f"another command is at {name}")
        elif event.kind == "end":
            took = duration(row.ended - (row.started or row.ended))
            reason = f": {event.data['reason']}" if event.data.get("reason") else ""
            echo(f"{row.status} {name} in {took}{reason} [{self._summary()}]")
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_SECONDS
            for other in self._rows.values():
                if other.started and not other.ended:
                    speed = other.steps_per_second(time.monotonic())
                    pace = f", {speed:,.0f} steps/s" if speed else ""
                    task, seed = other.run.identity.task, other.run.identity.seed
                    echo(f"{other.status} {task} seed {seed}: {other.position()}{pace}")


class LiveDisplay(Display):
    """A table that is drawn anew in place: what runs, what ended last, what waits."""

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int) -> None:
        from rich.live import Live

        super().__init__(runs, jobs, done=done)
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
        rows = list(self._rows.values())
        ended = sorted((row for row in rows if row.ended), key=lambda row: row.ended)
        running = [row for row in rows if row.started and not row.ended]
        table = Table(box=box.SIMPLE, caption=Text(self._summary()), caption_justify="left")
        for column in ("task", "seed", "status", "position", "steps/s", "left", "time"):
            table.add_column(column, justify="left" if column in ("task", "status") else "right")
        for row in [*ended[-_SHOWN_ENDS:], *running]:
            speed, left = row.steps_per_second(now), row.left(now)
            style = {"ok": "green", "starting": "", "train": "cyan", "eval": "cyan", "end": "cyan"}
            table.add_row(
                Text(printable(row.run.identity.task)),
                str(row.run.identity.seed),
                Text(printable(row.status), style=style.get(row.status, "red")),
                row.position(),
                f"{speed:,.0f}" if speed else "",
                duration(left) if left is not None else "",
                duration((row.ended or now) - (row.started or row.ended)),
            )
        return table


def make_display(runs: Sequence[Run], jobs: int, *, done: int, quiet: bool) -> Display:
    """Return the display that fits the terminal."""
    if quiet:
        return Display(runs, jobs, done=done)
    return (LiveDisplay if sys.stdout.isatty() else PlainDisplay)(runs, jobs, done=done)
