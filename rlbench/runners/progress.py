"""Where a run is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from rlbench.results import Evaluation, Phase, Proposals, Replay, Training


class Leave(BaseException):
    """The run was asked to stop; the next attempt goes on from its checkpoint, if it has one."""


@dataclass(slots=True)
class Progress:
    """Where a run is; what is known of it if it fails.

    Attributes:
        phase: What is going on.
        budget_used: Training budget spent.
        episodes: Evaluation episodes finished at the present checkpoint.
        evaluations: Finished evaluations.
        training: The training episodes, once training has ended.
        seconds: Wall time by phase in this attempt.
        earlier: The same of the attempts that it went on from.
        replay: Of the last evaluation.
        actions: Of the last evaluation, as they go beside the record.
        proposals: What the teacher proposed, in a curriculum.
        parts: Budget spent where training went on in new episodes, after interruptions.
        resumed: Budget that had been spent when this attempt began.
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
    refresh: Callable[[], None] = lambda: None

    @contextmanager
    def clock(self, phase: Phase) -> Iterator[None]:
        """Enter a phase and add up the time spent in it; a phase inside another pauses it.

        After an error the phase stays as it is, for the record.
        """
        outer, self.phase = self.phase, phase
        started, inside = perf_counter(), sum(self.seconds.values())
        try:
            yield
            self.phase = outer
        finally:
            nested = sum(self.seconds.values()) - inside
            own = perf_counter() - started - nested
            self.seconds[phase] = self.seconds.get(phase, 0.0) + own

    def all_seconds(self) -> dict[str, float]:
        """Return the wall time by phase, over all attempts."""
        phases = [*self.earlier, *(phase for phase in self.seconds if phase not in self.earlier)]
        return {p: self.earlier.get(p, 0.0) + self.seconds.get(p, 0.0) for p in phases}
