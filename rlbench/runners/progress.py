"""Where a run is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from rlbench.results import Engine, Evaluation, Phase, Proposals, Replay, Training


class Leave(BaseException):
    """The run was asked to stop; the next attempt goes on from its checkpoint, if it has one."""


@dataclass(slots=True)
class Progress:
    """The progress of a run, and what is known if it fails.

    Attributes:
        phase: What is going on.
        budget_used: Training budget spent.
        episodes: Episodes finished in the present evaluation.
        evaluations: Finished evaluations.
        training: The training episodes, once training has ended.
        seconds: Wall time by phase in this attempt.
        earlier: The same of the attempts that it went on from.
        replay: Of the last evaluation.
        actions: Of the last evaluation, as they go beside the record.
        proposals: What the teacher proposed, in a curriculum.
        parts: Budget spent where training went on in new episodes, after interruptions.
        resumed: Budget that had been spent when this attempt began.
        engine: How the task's engine behaves.
        refresh: Brings `training` up to date, which is else done at evaluations only.
    """

    phase: Phase = "start"
    budget_used: int = 0
    episodes: int = 0
    evaluations: list[Evaluation] = field(default_factory=list)
    training: Training = Training(episodes=0, ends=(), returns=())  # noqa: RUF009 - it is frozen
    seconds: dict[str, float] = field(default_factory=dict)
    earlier: dict[str, float] = field(default_factory=dict)
    replay: Replay | None = None
    actions: bytes = b""
    proposals: Proposals | None = None
    parts: tuple[int, ...] = ()
    resumed: int = 0
    engine: Engine | None = None
    refresh: Callable[[], None] = lambda: None
    _clocked: Phase | None = None
    _since: float = 0.0

    @contextmanager
    def clock(self, phase: Phase) -> Iterator[None]:
        """Enter a phase and add up the time spent in it; a phase inside another pauses it.

        After an error the phase stays as it is, for the record.
        """
        outer, clocked = self.phase, self._clocked
        self._switch(phase)
        self.phase = phase
        try:
            yield
            self.phase = outer
        finally:
            self._switch(clocked)

    def _switch(self, phase: Phase | None) -> None:
        """Count the time since the last switch, and go on with another phase."""
        now = perf_counter()
        if self._clocked is not None:
            spent = self.seconds.get(self._clocked, 0.0) + now - self._since
            self.seconds[self._clocked] = spent
        self._clocked, self._since = phase, now

    def all_seconds(self) -> dict[str, float]:
        """Return the wall time by phase, over all attempts."""
        phases = [*self.earlier, *(phase for phase in self.seconds if phase not in self.earlier)]
        return {p: self.earlier.get(p, 0.0) + self.seconds.get(p, 0.0) for p in phases}
