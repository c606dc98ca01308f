"""How far runs are: what is known of each, and of all of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rlbench.api.stores import Tell
from rlbench.api.words import duration
from rlbench.results.labels import display_name
from rlbench.runners import Event, Run


@dataclass(slots=True)
class Row:
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
        rows: What is known of each run, by its key.
    """

    def __init__(self, runs: Sequence[Run], jobs: int, *, done: int, tell: Tell) -> None:
        self.finished = 0
        self.failed: list[tuple[Run, str]] = []
        self.stopped = 0
        self._remarks: set[str] = set()
        self._jobs = jobs
        self._done = done
        self._tell = tell
        self.rows = {run.identity.key: Row(run) for run in runs}
        # Counted as events come: to look through all rows at each event takes too long for many.
        self._running: dict[str, Row] = {}
        self._waiting = len(self.rows)
        self._ended, self._seconds = 0, 0.0  # runs that began and ended here, and what they took
        self._several = len({run.identity.agent_key for run in runs}) > 1

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
        row = self.rows[event.run.identity.key]
        if event.kind == "remark":
            self._remark(str(event.data["text"]))
            return
        self._count(row, event)
        if event.kind == "end" and event.data["status"] == "stopped":
            self.stopped += 1
        elif event.kind == "end":
            self.finished += 1
            if event.data["status"] != "ok":
                self.failed.append((event.run, str(event.data.get("reason", ""))))
        self.show(row, event)

    def _count(self, row: Row, event: Event) -> None:
        """Update a row, and what is counted of all."""
        was_new, was_over = not (row.started or row.ended), bool(row.ended)
        row.update(event, time.monotonic())
        if was_new and (row.started or row.ended):
            self._waiting -= 1
        if row.ended:
            self._running.pop(row.run.key, None)
            if row.started and not was_over:
                self._ended += 1
                self._seconds += row.ended - row.started
        elif row.started:
            self._running[row.run.key] = row

    def name_of(self, run: Run) -> str:
        """Return what a run is called: ``Pong seed 0``, after its agent where there are several."""
        identity = run.identity
        agent = f"{display_name(identity)}, " if self._several else ""
        return f"{agent}{identity.task} seed {identity.seed}"

    def _remark(self, text: str) -> None:
        """Print what must be known of the runs, once."""
        if text not in self._remarks:
            self._remarks.add(text)
            self._tell(f"rlbench: {text}")

    def show(self, row: Row, event: Event) -> None:
        """Show what has changed."""

    def share(self) -> float:
        """Return the share of all budgets that is spent; of runs that have ended it is all."""
        spent = [
            1.0 if row.ended else row.data.get("budget_used", 0) / row.budget
            for row in self.rows.values()
        ]
        return sum(spent) / len(spent)

    def summary(self) -> str:
        """Return how far all runs are; the time left is told from those that have ended."""
        total = self._done + len(self.rows)
        text = f"{self._done + self.finished}/{total} runs"
        if self.failed:
            text += f", {len(self.failed)} failed"
        if self._ended:
            now, mean = time.monotonic(), self._seconds / self._ended
            going_on = sum(max(0.0, mean - (now - row.started)) for row in self._running.values())
            text += f", about {duration((going_on + self._waiting * mean) / self._jobs)} left"
        return text
