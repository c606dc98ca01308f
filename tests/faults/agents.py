"""Agents that misbehave. The name of the task says how, so that one command has them all."""

import asyncio
import atexit
import ctypes
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorWrapper
from support.faults import WALKS

from rlbench.results import Evaluation, Identity, Record, Store, Training
from rlbench.runners import TaskInfo
from rlbench.suites import Scalar, Task

LONG = 600.0  # seconds
MOMENT = 4  # the call of act() at which it happens
STEP = 3 * (MOMENT - 1)  # the budget spent by then


class Good:
    """Does nothing wrong.

    Args:
        task: The task.
        what: Is called at the moment with what is observed; what it returns is done.
    """

    def __init__(self, task: TaskInfo, what: Callable[[Any], Any] = lambda obs: None) -> None:
        self.task, self.what, self.calls = task, what, 0

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        space = self.task.action_space
        self.calls += phase == "train"
        if phase == "train" and self.calls == MOMENT:
            answer = self.what(obs)
            if answer is not None:
                return answer
        return np.zeros((len(obs), *space.shape), space.dtype)


class Observes(Good):
    """The same, while it observes."""

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        return np.zeros(len(obs), int)

    def observe(self, batch: Any) -> None:
        self.calls += 1
        if self.calls == MOMENT - 1:
            self.what(batch.obs)


class Keeps(Good):
    """The same, and can be kept."""

    def save(self, folder: Path) -> None:
        (folder / "calls").write_text(str(self.calls))

    def load(self, folder: Path) -> None:
        self.calls = int((folder / "calls").read_text())


class Closes(Good):
    """The same, when it is closed."""

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        return np.zeros(len(obs), int)

    def close(self) -> None:
        self.what(None)


class Trains(Good):
    """Has a loop of its own, which is `what`."""

    def train(self, env: Any) -> None:
        self.env = env
        env.reset()
        self.what(self)

    def step(self) -> None:
        self.env.step(np.zeros(self.task.num_envs, int))

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        return np.zeros(len(obs), int)


class TrainsInEvaluations(Trains):
    """Does `what` in evaluations."""

    def train(self, env: Any) -> None:
        self.env = env
        env.reset()
        while True:
            with suppress(AttributeError):
                self.step()

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        self.what(self)
        return np.zeros(len(obs), int)


@dataclass(frozen=True)
class Fault:
    """What an agent does and what becomes of the run.

    Attributes:
        what: Is done.
        status: Of the record.
        reason: Is in the record's.
        phase: Of the failure; None if it depends on the clock.
        step: The same, if a step was under way.
        kind: The agent.
        overrides: Of the suite's constants.
    """

    what: Callable[[Any], Any]
    status: str = "ok"
    reason: str = ""
    phase: str | None = "train"
    step: int | None = STEP
    kind: type[Good] = Good
    overrides: dict[str, Scalar] = field(default_factory=dict)


def raises(error: BaseException) -> Callable[[Any], Any]:
    def what(_: Any) -> None:
        raise error

    return what


class Unspeakable(Exception):
    """Cannot be printed."""

    def __str__(self) -> str:
        raise ValueError("no words")


def fork_and_sleep(_: Any) -> None:
    if os.fork() == 0:
        time.sleep(LONG)


def fork(_: Any) -> None:
    os.fork()


def start_process(_: Any) -> None:
    # With a name by which the test finds it.
    code = f"import time; time.sleep({LONG})"
    subprocess.Popen([sys.executable, "-c", code, "rlbench.runners.backends.worker"])


LINES = [
    b"5", b"[1]", b"null", b'"x"', b"{}", b'{"key": 3}', b'{"key": [], "event": "end"}',
    b'{"key": "x", "event": "progress"}', b"[" * 9999, b"\xff\xfe\0",
    b"x" * 10**6,
]  # fmt: skip


def write_everywhere(_: Any) -> None:
    """Write into every open file what could be taken for events."""
    for descriptor in range(1, 64):
        with suppress(OSError):
            os.write(descriptor, b"\n".join([*LINES, b""]))


def print_garbage(_: Any) -> None:
    os.write(1, bytes(range(256)) * 64)
    print('{"event": "end", "status": "ok"}', flush=True)


def close_stderr(_: Any) -> None:
    sys.stderr.close()
    raise ValueError("unheard")


def leak_files(_: Any) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    held.extend(open("/dev/null") for _ in range(1000))  # noqa: SIM115 - they stay open


held: list[Any] = []


def remove_checkpoints(_: Any) -> None:
    shutil.rmtree("runs/checkpoints")


def leave_thread(_: Any) -> None:
    threading.Thread(target=time.sleep, args=(LONG,)).start()


def recurse(_: Any) -> None:
    recurse(_)


def stop_itself(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def turn_deaf(_: Any) -> None:
    """Ask not to be asked to leave, and hang."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    journal("deaf", os.getpid())
    time.sleep(LONG)


def use_helper(_: Any) -> None:
    """Wait for the answer of a process that has none."""
    helper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    journal("helper", helper.pid)
    assert helper.stdout is not None
    helper.stdout.read()
    raise ValueError("the helper is gone")


def forge(_: Any) -> None:
    """Put a good record in the place of the one that will be written."""
    (claim,) = (
        claim for path in Path("runs/claims").glob("*.json")
        if (claim := json.loads(path.read_text())).get("identity", {}).get("task") == "Forge"
    )  # fmt: skip
    identity = Identity.from_dict(claim["identity"])
    evaluations = tuple(
        Evaluation(budget_used=at, returns=(30.0,) * 6, lengths=(30,) * 6, distinct_starts=3)
        for at in (30, 60)
    )
    record = Record(
        identity=identity, status="ok", error=None, budget_used=60, evaluations=evaluations,
        training=Training(episodes=0, ends=(), returns=()), provenance={}, timing={},
    )  # fmt: skip
    Store("runs").write(record)


def spoil_record(_: Any) -> None:
    """Have the record say of the machine what no record may say."""
    platform.platform = lambda *_, **__: "x" * 2000


def lie(_: Any) -> None:
    """Say, in a worker's place, that more was spent than there is, and exit."""
    for path in Path("runs/claims").glob("*.json"):
        event = {"key": path.stem, "event": "progress", "phase": "train", "budget_used": -5,
                 "episodes": 0, "over": True, "token": "mine"}  # fmt: skip
        for descriptor in range(1, 64):
            with suppress(OSError):
                os.write(descriptor, b"\n" + json.dumps(event).encode() + b"\n")
    os._exit(9)


def exit_in_evaluation(_: Any) -> None:
    os._exit(5)


def fail_when_told(_: Any) -> None:
    """Fail once there is a file ``go``."""
    while not Path("go").exists():
        time.sleep(0.01)
    sys.exit("told to")


def journal(what: str, process: int) -> None:
    """Write into the file that ``JOURNAL`` names."""
    with open(os.environ["JOURNAL"], "a") as file:
        file.write(f"{what} {process}\n")


class SleepyEnv(VectorWrapper):
    """Is not reset in time."""

    def reset(self, **options: Any) -> Any:
        time.sleep(LONG)
        return super().reset(**options)


def wrap(agent: Trains) -> None:
    SleepyEnv(agent.env).reset()


def step_on(agent: Trains) -> None:
    while True:
        agent.step()


def step_after_the_end(agent: Trains) -> None:
    for _ in range(200):
        with suppress(Exception):
            agent.step()


def swallow_everything(agent: Trains) -> None:
    for _ in range(200):
        with suppress(BaseException):
            agent.step()


def swallow_for_ever(agent: Trains) -> None:
    while True:
        with suppress(BaseException):
            agent.step()


def step_quietly(agent: Trains) -> None:
    with suppress(Exception):
        agent.step()


def raise_in_evaluation(_: Any) -> None:
    raise ValueError("not now")


# They fail, or go on, at once.
QUICK = {
    "Segfault": Fault(lambda _: ctypes.string_at(0), "failed", "ended by SIGSEGV"),
    "Abort": Fault(lambda _: os.abort(), "failed", "ended by SIGABRT"),
    "Kill group": Fault(
        lambda _: os.killpg(0, signal.SIGKILL), "failed", "ended by SIGKILL again and again"
    ),
    "Exit 0": Fault(lambda _: os._exit(0), "failed", "exit code 0 before the run was over"),
    "Exit 7": Fault(lambda _: os._exit(7), "failed", "exit code 7 before the run was over"),
    "Exit 5": Fault(
        exit_in_evaluation, "failed", "exit code 5 before the run was over", "eval",
        kind=TrainsInEvaluations,
    ),
    "Refused": Fault(spoil_record, "failed", "the reader refuses its record", "end", None),
    "Forge": Fault(forge, "failed", "a record with other results appeared", None),
    "Lie": Fault(lie, "failed", "exit code 9", None),
    "SystemExit": Fault(raises(SystemExit(3)), "failed", "SystemExit: 3"),
    "KeyboardInterrupt": Fault(raises(KeyboardInterrupt()), "failed", "KeyboardInterrupt"),
    "Cancelled": Fault(raises(asyncio.CancelledError()), "failed", "CancelledError"),
    "Terminate": Fault(
        lambda _: os.kill(os.getpid(), signal.SIGTERM), "failed",
        "the worker was asked to stop again and again, but not by the command", step=0,
    ),
    "Real-time": Fault(lambda _: os.kill(os.getpid(), 40), "failed", "ended by signal 40 again"),
    "Fork": Fault(fork_and_sleep),
    "Fork and go on": Fault(fork),
    "Process": Fault(start_process),
    "NaN": Fault(
        lambda obs: np.full((len(obs), 3), np.nan, np.float32), "failed", "NaN",
        overrides={"continuous": True},
    ),
    "NaN among four": Fault(lambda obs: np.full(len(obs), np.nan), "failed", "dtype float64"),
    "Infinite": Fault(
        lambda obs: np.full((len(obs), 3), np.inf, np.float32), "failed", "infinite",
        overrides={"continuous": True},
    ),
    "Shape": Fault(lambda obs: np.zeros((len(obs), 1), int), "failed", "shape (3, 1), not (3,)"),
    "Huge": Fault(lambda _: np.zeros(10**9, np.int8), "failed", "shape (1000000000,), not (3,)"),
    "Ragged": Fault(lambda _: [[1], [2, 3], 4], "failed", "not an array"),
    "Object": Fault(lambda _: object(), "failed", "act returned an object: return an array"),
    "Words": Fault(lambda _: ["a", "b", "c"], "failed", "a list of dtype <U1: return an array"),
    "Recursion": Fault(recurse, "failed", "RecursionError"),
    "Garbage": Fault(print_garbage),
    "Everywhere": Fault(write_everywhere),
    "Log": Fault(lambda _: print("x" * 10**6, flush=True)),
    "Close files": Fault(
        lambda _: os.closerange(0, 256), "failed", "Bad file descriptor", phase=None
    ),
    "Close stderr": Fault(close_stderr, "failed", "act raised ValueError: unheard"),
    "Leak files": Fault(leak_files, "failed", "Too many open files"),
    "Folder": Fault(lambda _: os.chdir(tempfile.mkdtemp(dir="."))),
    "Checkpoints": Fault(remove_checkpoints, kind=Keeps),
    "Thread": Fault(leave_thread),
    "At exit": Fault(lambda _: (atexit.register(time.sleep, LONG), None)[1]),
    "Message": Fault(
        raises(ValueError("two\nlines\x1b[31m\u202e\ud800")), "failed", "two lines?[31m??"
    ),
    "Unspeakable": Fault(raises(Unspeakable()), "failed", "no words"),
    "Close": Fault(
        raises(ValueError("not closed")), "failed", "not closed", "end", 60, kind=Closes
    ),
    "On and on": Fault(step_on, kind=Trains),
    "Past the budget": Fault(step_after_the_end, kind=Trains),
    "Swallow": Fault(swallow_everything, kind=Trains),
    "Step in evaluation": Fault(
        Trains.step, "failed", "stepped during an evaluation", "eval", 30, TrainsInEvaluations
    ),
    "Reset in evaluation": Fault(
        lambda agent: agent.env.reset(), "failed", "reset during an evaluation", "eval", 30,
        TrainsInEvaluations,
    ),
    "Quietly": Fault(step_quietly, kind=TrainsInEvaluations),
    "Swallowed evaluation": Fault(
        raises(AttributeError("not now")), "failed", "not now", "eval", 30, TrainsInEvaluations
    ),
}  # fmt: skip
# They hang.
SLOW = {
    "Sleep": Fault(lambda _: time.sleep(LONG), "timeout", "no step was finished for"),
    "Sleep in observe": Fault(
        lambda _: time.sleep(LONG), "timeout", "no step was finished for", kind=Observes
    ),
    "Sleep in close": Fault(
        lambda _: time.sleep(LONG), "timeout", "no step was finished for", "eval", kind=Closes
    ),
    "Sleep in reset": Fault(wrap, "timeout", "no step was finished for", kind=Trains),
    "Stop": Fault(stop_itself, "timeout", "no step was finished for"),
    "Read": Fault(lambda _: sys.stdin.read(), "timeout", "no step was finished for"),
    "For ever": Fault(
        swallow_for_ever, "timeout", "no step was finished for", kind=Trains
    ),
}  # fmt: skip
# They hang until a test does something.
WAITING = {
    "Deaf": Fault(turn_deaf),
    "Helper": Fault(use_helper),
    "Wait": Fault(fail_when_told),
}
GOOD = {"Walk": Fault(lambda _: None), "Hike": Fault(lambda _: None)}
FAULTS = {**SLOW, **QUICK, **GOOD}
MISBEHAVIOURS = replace(
    WALKS,
    name="misbehaviours",
    protocol=replace(WALKS.protocol, budget=60, eval_points=(30,)),
    tasks=tuple(
        Task(name=name, low=0.0, high=10.0, overrides=fault.overrides)
        for name, fault in {**FAULTS, **WAITING}.items()
    ),
)


def make(task: TaskInfo, *, seed: int, device: str) -> Good:
    """Make the agent that misbehaves as the task says."""
    fault = {**FAULTS, **WAITING}[task.task]
    return fault.kind(task, fault.what)
