"""The process that executes a run, or a group of runs in lock-step, and writes the records.

It reads the runs as one line of JSON from standard input, and holds on to that pipe: when the
parent dies, the pipe closes and the worker ends. It reports on standard output, an event a line;
whatever the agent prints goes to standard error, which is the run's log. Signals: at SIGTERM,
SIGUSR1 or SIGINT it keeps a checkpoint and leaves; at `STACK_DUMP` it writes to the log what each
of its threads is doing, whatever that is.
"""

import faulthandler
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from rlbench.errors import (
    AgentError,
    InvalidRecord,
    RecordExists,
    RLBenchError,
    RunError,
    StaleCheckpoint,
    StoreError,
    UsageError,
)
from rlbench.results import Failure, Phase, Record, Status, Store
from rlbench.results.text import one_line
from rlbench.runners.agents.agent import (
    Agent,
    AgentFactory,
    Fitter,
    StepFitter,
    Trainer,
    agent_version,
    load_factory,
    load_group_factory,
)
from rlbench.runners.agents.resolving import open_options
from rlbench.runners.checkpoint import SPARED, Checkpoints
from rlbench.runners.children import end_with_parent, keep_output, what_is_asked
from rlbench.runners.loops.common import check_agent, give_back
from rlbench.runners.loops.fixed import run_fixed
from rlbench.runners.loops.offline import OfflineRun, run_offline
from rlbench.runners.loops.online import OnlineRun, run_online
from rlbench.runners.progress import Leave, Progress
from rlbench.runners.provenance import provenance
from rlbench.runners.run import CHANGED, LEAVE, STACK_DUMP, Run
from rlbench.runners.teachers.teacher import TeacherFactory, load_teacher, teacher_version
from rlbench.runners.tracking import Tracker, open_trackers
from rlbench.suites import Suite

_REPORT_SECONDS = 0.5
_TRACK_SECONDS = 5.0
_RESERVE = 8  # open files that are given up for the record, if the agent has left none


class Attempt:
    """An attempt at a run: its progress, its events and its record.

    Args:
        run: The run.
        send: Is told of events.
        leaving: Says whether this process was asked to leave.
        reserve: Open files that are closed when the run is over, so that its record can be opened.
        together: How many runs this process executes in lock-step.

    Attributes:
        run: The run.
        progress: Where it is.
        is_over: It has ended, one way or another.
    """

    def __init__(
        self,
        run: Run,
        send: Callable[[dict[str, Any]], None],
        leaving: Callable[[], bool],
        reserve: list[int],
        together: int = 1,
    ) -> None:
        self.run = run
        self._together = together
        self.progress = Progress()
        self.is_over = False
        self._suite: Suite | None = None  # once it was found to be what it was
        self._tell, self._leaving, self._reserve = send, leaving, reserve
        # The agent may go to another folder.
        self._store = Store(Path(run.store).absolute())
        self._checkpoints = Checkpoints(
            self._store.checkpoints_of(run.identity), run.checkpoint_every
        )
        self._tracker: Tracker | None = None
        if run.track:
            folder = self._store.path / "tracking"
            self._tracker = open_trackers(run.track, run.identity, folder)
        self._tracked_episodes = self._tracked_evaluations = 0
        self._tracked_budget: int | None = None
        self._last_track = time.monotonic()
        self._began, self._started = datetime.now(UTC), time.perf_counter()
        self._next = time.monotonic()
        self._phase: Phase = "start"
        self._has_looked = False

    def play(self, factory: AgentFactory | None = None) -> None:
        """Execute the run; one whose checkpoint does not fit begins anew.

        Args:
            factory: Makes the agent, if it is of this process and not to be imported.

        Raises:
            BaseException: Whatever ended it.
        """
        run, identity = self.run, self.run.identity
        suite = self._suite = run.suite
        execute: Callable[..., None] = run_fixed
        if run.trains:
            loop = (
                run_offline
                if suite.protocol.kind == "offline"
                else partial(run_online, teacher=self._teacher())
            )
            execute = partial(loop, checkpoints=self._checkpoints, eval_points=run.eval_points)
        if factory is None:
            config = self.agent_options()
            factory = load_factory(run.agent.spec)
        else:
            config = open_options(run.agent.options)
        while True:
            try:
                execute(
                    suite, suite.task(identity.task), factory,
                    config=config, seed=identity.seed, device=run.device,
                    progress=self.progress, tick=self.tick,
                )  # fmt: skip
            except StaleCheckpoint as error:
                self.begin_anew(error)
            else:
                return

    def agent_options(self) -> dict[str, Any]:
        """Return the agent's options, files by their paths.

        Raises:
            UsageError: The agent or such a file is not what it was when the command began.
        """
        agent, recipe = self.run.identity.agent, self.run.agent
        if agent_version(recipe.spec, recipe.options) != (agent.version, agent.source):
            raise UsageError(CHANGED.format("agent"))
        return open_options(recipe.options)

    def prepare(self) -> OnlineRun | OfflineRun:
        """Make the environments, or load the data, of a run that is one of a group."""
        identity, suite = self.run.identity, self.run.suite
        self._suite = suite
        offline = suite.protocol.kind == "offline"
        kind = OfflineRun if offline else partial(OnlineRun, teacher=self._teacher())
        while True:
            try:
                return kind(
                    suite, suite.task(identity.task), seed=identity.seed, progress=self.progress,
                    tick=self.tick, checkpoints=self._checkpoints, eval_points=self.run.eval_points,
                )  # fmt: skip
            except StaleCheckpoint as error:
                self.begin_anew(error)

    def begin_anew(self, error: StaleCheckpoint) -> None:
        """Forget what an earlier attempt left."""
        _log(f"rlbench: the run starts over: {error}")
        self._checkpoints.clear()
        self.progress = Progress()

    def tick(self) -> None:
        """Report progress: at a new phase, else not more often than twice a second.

        Raises:
            Leave: This process was asked to leave.
        """
        if self._leaving():
            raise Leave
        self._look_at_engine()
        now, p = time.monotonic(), self.progress
        if now >= self._next or p.phase != self._phase:
            self._next, self._phase = now + _REPORT_SECONDS, p.phase
            self._send(
                event="progress", phase=p.phase, budget_used=p.budget_used, episodes=p.episodes
            )
            if self._tracker is not None and now >= self._last_track + _TRACK_SECONDS:
                self._track(self._tracker)

    def _look_at_engine(self) -> None:
        """Say, once, if the engine does not behave as the suite expects."""
        engine, identity, suite = self.progress.engine, self.run.identity, self._suite
        if engine is None or suite is None or self._has_looked:
            return
        self._has_looked = True
        expected = suite.expected_engine(suite.task(identity.task))
        if expected and engine.fingerprint != expected:
            text = (
                f"the engine of {identity.task} does not behave as {identity.suite} expects "
                f"({engine.fingerprint}, not {expected}): its runs are compared only with runs of "
                "the same engine. See: rlbench doctor --engines"
            )
            _log(f"rlbench: {text}")
            self._send(event="remark", text=text)

    def end(self, error: BaseException | None) -> None:
        """Write the record and say how the run ended.

        What was asked to leave gets none, whatever it died of: what an agent uses may have been
        asked to leave too.
        """
        self.is_over = True
        while self._reserve:
            with suppress(OSError):
                os.close(self._reserve.pop())
        if isinstance(error, Leave) or (error is not None and self._leaving()):
            how = {"status": "stopped" if self._leaving() else "anew", "reason": ""}
            if not isinstance(error, Leave):
                _log("".join(traceback.format_exception(error)))
        else:
            how = self._keep(error)
        if self._tracker is not None:
            self._track(self._tracker)
            self._tracker.close()
        # The parent ends what is left of this process soon after. If the agent has closed the pipe,
        # it sees from the store how this ended.
        with suppress(OSError):
            self._send(event="end", **how)

    def _keep(self, error: BaseException | None) -> dict[str, str]:
        """Write the record; return how the run ended."""
        record = self._record(error)
        try:
            try:
                self._store.write(record, self.progress.actions)
            except InvalidRecord as refused:
                record = self._store.write_refused(record, refused)
        except RecordExists:
            same = self._store.has_equal(record)
            return {"status": "taken", "reason": "" if same else "with other results"}
        except InvalidRecord as refused:
            return {"status": "failed", "reason": one_line(f"it cannot be recorded: {refused}")}
        except StoreError as problem:
            return {"status": "unsaved", "reason": str(problem)}
        if record.status != SPARED:
            self._checkpoints.clear()
        return {"status": record.status, "reason": record.error.reason if record.error else ""}

    def _teacher(self) -> TeacherFactory | None:
        """Return what makes the run's teacher, with its options."""
        teacher, recipe = self.run.identity.teacher, self.run.teacher
        if teacher is None or recipe is None:
            return None
        if teacher_version(recipe.spec) != (teacher.version, teacher.source):
            raise UsageError(CHANGED.format("teacher"))
        return partial(load_teacher(recipe.spec), **open_options(recipe.options))

    def _send(self, **event: Any) -> None:
        self._tell({"key": self.run.key, **event})

    def _track(self, tracker: Tracker) -> None:
        """Tell the trackers of the speed, and of episodes and evaluations new to them."""
        self.progress.refresh()
        training, evaluations = self.progress.training, self.progress.evaluations
        new = slice(max(0, len(training.ends) + self._tracked_episodes - training.episodes), None)
        for step, score in zip(training.ends[new], training.returns[new], strict=True):
            tracker.log(step, {"train/return": score})
        for evaluation in evaluations[self._tracked_evaluations :]:
            mean = sum(evaluation.lengths) / len(evaluation.lengths)
            name = "eval" if evaluation.name == "test" else f"eval/{evaluation.name}"
            returned = sum(evaluation.returns) / len(evaluation.returns)
            tracker.log(
                evaluation.budget_used, {f"{name}/return": returned, f"{name}/length": mean}
            )
        self._tracked_episodes, self._tracked_evaluations = training.episodes, len(evaluations)
        now, used = time.monotonic(), self.progress.budget_used
        before = self._tracked_budget
        if self.progress.phase == "train" and before is not None and now > self._last_track:
            tracker.log(used, {"steps_per_second": (used - before) / (now - self._last_track)})
        self._last_track, self._tracked_budget = now, used

    def _record(self, error: BaseException | None) -> Record:
        """Return the record of the run, however it ended."""
        progress = self.progress
        status: Status = "ok"
        failure = None
        if error is not None:
            _log("".join(traceback.format_exception(error)))
            status, reason = _classify(error)
            step = None if progress.phase == "start" else progress.budget_used
            failure = Failure(phase=progress.phase, step=step, reason=one_line(reason))
        seconds = time.perf_counter() - self._started + sum(progress.earlier.values())
        resumed = {"resumed_at": ",".join(map(str, progress.parts))} if progress.parts else {}
        return Record(
            identity=self.run.identity,
            status=status,
            error=failure,
            budget_used=progress.budget_used,
            evaluations=tuple(progress.evaluations),
            training=progress.training,
            provenance={**provenance(self.run), **resumed},
            timing={
                "started": self._began.isoformat(timespec="seconds"),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(seconds, 3),
                **{f"seconds_{k}": round(v, 3) for k, v in progress.all_seconds().items()},
                **({"together": self._together} if self._together > 1 else {}),
                **self.run.attempts,
            },
            proposals=progress.proposals,
            replay=progress.replay,
            engine=progress.engine,
        )


def main() -> None:
    """Execute the runs on standard input."""
    send = keep_output()
    sys.stdout, sys.stderr = _open_log(1), _open_log(2)
    reserve = [os.open(os.devnull, os.O_RDONLY) for _ in range(_RESERVE)]
    leaving = threading.Event()
    for number in (*LEAVE, signal.SIGINT):
        signal.signal(number, lambda *_: leaving.set())
    runs = [Run.from_dict(data) for data in what_is_asked()]
    threading.Thread(target=end_with_parent, daemon=True).start()
    if STACK_DUMP is not None:
        faulthandler.register(STACK_DUMP, all_threads=True)

    attempts = [Attempt(run, send, leaving.is_set, reserve, len(runs)) for run in runs]
    if len(attempts) == 1:
        error: BaseException | None = None
        try:
            attempts[0].play()
        except BaseException as raised:
            error = raised
        attempts[0].end(error)
    else:
        execute_group(attempts)
    # Not sys.exit: threads that an agent left running must not keep the worker alive.
    os._exit(0)


class _Log(io.FileIO):
    """A file that drops what cannot be written: a full disk is no reason for a run to fail."""

    def write(self, data: Any) -> int:
        """Write some of the data; return how much was seen to."""
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _open_log(descriptor: int) -> TextIO:
    """Return a stream to the log that loses no line when the process is killed."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Log(descriptor, "w", closefd=False)), encoding="utf-8",
        errors="backslashreplace", line_buffering=True,
    )  # fmt: skip


def _log(text: str) -> None:
    """Write to the log, if the agent has left it open."""
    with suppress(Exception):
        print(text, file=sys.stderr, flush=True)


def execute_group(attempts: Sequence[Attempt]) -> None:
    """Execute runs whose agents are made together, in lock-step.

    All act, then all environments step, then all observe: a group can compute for all of its
    agents at once when the first of them is asked. A run that fails ends alone.
    """
    with ExitStack() as stack:
        try:
            playing = _begin_group(attempts, stack)
        except BaseException as error:
            for attempt in attempts:
                if not attempt.is_over:
                    attempt.end(error)
            return
        while playing:
            for attempt, steps in list(playing.items()):
                outcome: BaseException | None = None
                try:
                    next(steps)
                    continue
                except StopIteration:
                    pass
                except StaleCheckpoint as stale:
                    attempt.begin_anew(stale)
                    outcome = Leave()  # the parent sees that it is begun again
                except BaseException as raised:
                    outcome = raised
                del playing[attempt]
                attempt.end(outcome)


def _begin_group(attempts: Sequence[Attempt], stack: ExitStack) -> dict[Attempt, Iterator[None]]:
    """Make the environments and the agents of a group; return the steps of each run."""
    prepared = {}
    for attempt in attempts:
        begun = attempt.prepare()
        stack.callback(begun.close)
        prepared[attempt] = begun
    run = attempts[0].run
    options = attempts[0].agent_options()
    make_group = load_group_factory(run.agent.spec)
    assert make_group is not None
    infos = [begun.info for begun in prepared.values()]
    seeds = [begun.agent_seed for begun in prepared.values()]
    try:
        agents: list[Agent] = list(make_group(infos, seeds, device=run.device, **options))
    except (AgentError, Leave):
        raise
    except Exception as error:
        raise AgentError(f"make_group raised {type(error).__name__}: {error}") from error
    if len(agents) != len(infos):
        raise AgentError(f"make_group made {len(agents)} agents for {len(infos)} runs")
    for agent, info in zip(agents, infos, strict=True):
        stack.callback(give_back, check_agent(agent, info))
        if isinstance(agent, Trainer):
            raise AgentError("agents of a group are stepped together: they have no train()")
        if isinstance(agent, Fitter) and not isinstance(agent, StepFitter):
            raise AgentError(
                "agents of a group are stepped together: besides fit() they have fit_steps()"
            )
    return {a: begun.steps(g) for (a, begun), g in zip(prepared.items(), agents, strict=True)}


def _classify(error: BaseException) -> tuple[Status, str]:
    """Return the status of a failed run, and why it failed."""
    cause = error.__cause__ or error
    if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
        return "oom", f"out of memory: {cause}"
    if isinstance(error, RunError):
        return ("invalid" if error.status == "invalid" else "failed"), str(error)
    if isinstance(error, RLBenchError):
        return "failed", str(error)
    try:
        text = str(error)
    except Exception:
        text = "it has no words for it"
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    main()
