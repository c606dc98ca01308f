"""Runs in this process, one at a time: for agents that no other process can import."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rlbench.errors import StoreError
from rlbench.results import Claim, Store
from rlbench.results.claims import Watch
from rlbench.runners.agents.agent import AgentFactory
from rlbench.runners.backends.backend import Event
from rlbench.runners.backends.worker import Attempt
from rlbench.runners.loops.evaluation import untouched_global_randomness
from rlbench.runners.run import Run

_RENEWAL = 5.0  # seconds between two signs of life


def run_here(
    runs: Iterable[Run],
    factory: AgentFactory,
    *,
    listen: Callable[[Event], None],
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Execute runs in this process, each under a claim and with a record, as `run_all` does.

    Nothing limits how long they take, and what the agent prints goes where this process prints.
    Global randomness is put back after each.

    Args:
        runs: The runs; their stores are prepared. Those that another process is at are left to it.
        factory: Makes the agent of all of them.
        listen: Called with every event.
        stopping: Says whether to stop: the present run keeps a checkpoint, and no other begins.

    Raises:
        KeyboardInterrupt: It was interrupted for good.
        StoreError: A record could not be written; no further run was started.
    """
    watch = Watch()
    for run in runs:
        if stopping():
            return
        store = Store(run.store)
        claim = Claim.take(
            store.claim_of(run.identity), {"identity": run.identity.to_dict()}, watch
        )
        if claim is None:
            listen(Event(run, "elsewhere", {}))
            continue
        if store.is_done(run.identity):
            claim.release({}, done=True)
            listen(Event(run, "end", {"status": "ok", "reason": "another command recorded it"}))
            continue
        _execute(run, claim, factory, listen, stopping)


def _execute(
    run: Run,
    claim: Claim,
    factory: AgentFactory,
    listen: Callable[[Event], None],
    stopping: Callable[[], bool],
) -> None:
    """Execute one run under its claim."""
    last: dict[str, Any] = {}
    ended = {"status": "stopped", "reason": ""}

    def send(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            last.update({name: event[name] for name in ("phase", "budget_used", "episodes")})
        if event["event"] == "end":
            ended.update({name: event[name] for name in ("status", "reason")})
        else:
            listen(Event(run, event["event"], event))

    listen(Event(run, "start", {}))
    error: BaseException | None = None
    try:
        attempt = Attempt(
            replace(run, attempt=claim.attempt, signalled=claim.signalled), send, stopping, []
        )
        with _signs_of_life(claim, last), untouched_global_randomness():
            try:
                attempt.play(factory)
            except BaseException as raised:
                error = raised
            if not isinstance(error, KeyboardInterrupt):
                attempt.end(error)
    finally:
        claim.release(last, done=ended["status"] == "ok")
    if ended["status"] == "unsaved":
        raise StoreError(ended["reason"])
    if ended["status"] == "taken":
        ended = {"status": "ok", "reason": "another command recorded it first"}
    listen(Event(run, "end", dict(ended)))
    if isinstance(error, KeyboardInterrupt):
        raise error


@contextmanager
def _signs_of_life(claim: Claim, last: dict[str, Any]) -> Iterator[None]:
    """Renew a claim now and then, from a thread of its own."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(_RENEWAL):
            claim.renew(dict(last))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
