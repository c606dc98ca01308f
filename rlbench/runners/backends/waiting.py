"""The runs that are not begun, and the claims to those that are about to be."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rlbench.results import Claim, Store, read_claim
from rlbench.results.claims import Watch
from rlbench.runners.backends.backend import Event
from rlbench.runners.run import Run
from rlbench.runners.stale import origin

_LOOK = 0.5  # seconds between two looks at what other processes are at


class Waiting:
    """The runs that are not begun: free ones, and those that another process is at."""

    def __init__(self, runs: Iterable[Run], listen: Callable[[Event], None]) -> None:
        self._free = list(reversed(list(runs)))
        self._failures = {run.key: Store(run.store).failures(run.identity) for run in self._free}
        self._elsewhere: list[Run] = []
        self._watch = Watch()
        self._listen = listen
        self._next_look = 0.0

    def __bool__(self) -> bool:
        """Whether any run is left."""
        return bool(self._free or self._elsewhere)

    def clear(self) -> None:
        """Leave the runs to another time."""
        self._free.clear()
        self._elsewhere.clear()

    def take(self, n: int) -> list[tuple[Run, Claim]]:
        """Claim up to n runs of one agent that nobody is at and that are not done."""
        claimed: list[tuple[Run, Claim]] = []
        while self._free and len(claimed) < n:
            if claimed and self._free[-1].agent != claimed[0][0].agent:
                break  # the agents of a group are made together, from one recipe
            run = self._free.pop()
            claim, outcome = None, self._outcome_elsewhere(run)
            if outcome is None:
                path = Store(run.store).claim_of(run.identity)
                about = {"identity": run.identity.to_dict(), "origin": origin(run)}
                claim = Claim.take(path, about, self._watch)
                if claim is None:
                    self._elsewhere.append(run)
                    self._listen(Event(run, "elsewhere", {}))
                    continue
                outcome = self._outcome_elsewhere(run)  # in the meantime
            if outcome is not None:
                if claim is not None:
                    claim.release({}, done=outcome["status"] == "ok")
                self._listen(Event(run, "end", outcome))
            elif claim is not None:
                again = replace(run, attempt=claim.attempt, signalled=claim.signalled)
                claimed.append((again, claim))
        return claimed

    def _outcome_elsewhere(self, run: Run) -> dict[str, Any] | None:
        """Return the data of a run's end if another process recorded it since this one began."""
        store = Store(run.store)
        if store.is_done(run.identity):
            return {"status": "ok", "reason": "another command recorded it"}
        if store.failures(run.identity) > self._failures[run.key]:
            return {"status": "failed", "reason": "it failed in another command"}
        return None

    def put_back(self, run: Run) -> None:
        """Take in a run that has to be begun again."""
        self._free.append(run)

    def look(self) -> None:
        """See, now and then, what has become of the runs that other processes were at."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK
        for run in list(self._elsewhere):
            claim = read_claim(Store(run.store).claim_of(run.identity), self._watch)
            if claim is None or claim.stale:
                self._elsewhere.remove(run)
                self._free.append(run)
