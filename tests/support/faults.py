"""What the fault tests share: suites that take no time, agents, and the command on them."""

import hashlib
import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.results import Record, Store
from rlbench.runners import TaskInfo, Transitions
from rlbench.runners.checkpoint import Checkpoints
from rlbench.suites import Task, sha256_of
from support.processes import COMMAND, heed_interrupts, workers_in
from support.registered import register
from support.toy import TOY

INJECTED = Path(__file__).parents[1] / "faults" / "injected"
WALKS = replace(
    TOY,
    name="walks",
    protocol=replace(TOY.protocol, budget=300, eval_points=(90, 180), train_envs=3),
    tasks=(Task(name="Walk", low=0.0, high=10.0), Task(name="Hike", low=0.0, high=10.0)),
)
SUITES = {"walks": "support.faults:WALKS"}
LEARNED = 25  # steps, of 100, after which it says how far it is
OLD = 7200.0  # seconds: what is left in a store for so long is nobody's


class Learner:
    """Can be kept; acts by its own and by global randomness and by all that it has seen.

    Now and then it waits for as many seconds as the variable ``HOLD`` says.

    Args:
        task: What it is told.
        seed: Of its randomness.
        pace: Seconds that it takes to observe.
    """

    def __init__(self, task: TaskInfo, *, seed: int, pace: float) -> None:
        self.task, self.pace = task, pace
        self.random = np.random.default_rng(seed)
        random.seed(seed)
        self.seen, self.steps = 0.0, 0

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        noise = random.random() + (self.random.random() if phase == "train" else 0.0)
        return ((self.seen + noise + obs.sum(1)) % 1 * self.task.action_space.n).astype(int)

    def observe(self, batch: Transitions) -> None:
        self.seen += float(batch.reward.sum() + batch.action.sum() * 0.37 + batch.next_obs.sum())
        self.steps += 1
        print(f"{self.steps} steps, {self.seen} seen, and nothing learned from them")
        if self.steps % LEARNED == 0:
            note("learned", self.task)
            time.sleep(float(os.environ.get("HOLD", "0")))
        time.sleep(self.pace)

    def save(self, folder: Path) -> None:
        state = {
            "seen": self.seen, "steps": self.steps, "random": self.random.bit_generator.state
        }  # fmt: skip
        (folder / "learner.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        state = json.loads((folder / "learner.json").read_text())
        self.seen, self.steps = state["seen"], state["steps"]
        self.random.bit_generator.state = state["random"]


def make_learner(task: TaskInfo, *, seed: int, device: str, pace: float = 0.002) -> Learner:
    """Make the agent."""
    note("made", task)
    return Learner(task, seed=seed, pace=pace)


def note(what: str, task: TaskInfo) -> None:
    """Write into the file that ``JOURNAL`` names, if it names one."""
    if "JOURNAL" in os.environ:
        with open(os.environ["JOURNAL"], "a") as file:
            file.write(f"{what} {task.task} {os.getpid()}\n")


def learners(journal: Path) -> set[str]:
    """Return the processes of the agents that have noted that they learned."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return {line.split()[-1] for line in lines if line.startswith("learned")}


LEARNER = "support.faults:make_learner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place in the code at which something is killed.

    Attributes:
        who: Whose code: ``worker`` or ``command``.
        call: The function that is called there.
        when: ``before``, ``after``, or in the ``middle`` of what is written.
        path: Matches the paths that it is called with.
        nth: Which of these calls, from 1.
        victims: Who is killed: ``self``, ``parent``.
    """

    who: str
    call: str
    when: str
    path: str
    nth: int = 1
    victims: tuple[str, ...] = ("self",)

    def variables(self, marker: Path) -> dict[str, str]:
        """Return the environment variables that arm it."""
        return {"FAULT": json.dumps({**asdict(self), "marker": str(marker)})}


class Bench:
    """A folder in which the command runs an agent on the suites of these tests.

    Args:
        folder: The folder.
        agent: The agent.
        options: More options of the command.
        suite: The suite.
        store: Where the records go, from the folder.
        every: Seconds between two checkpoints.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        agent: str = LEARNER,
        suite: str = "walks",
        store: str = "runs",
        every: float = 0.05,
        suites: Mapping[str, str] = SUITES,
    ) -> None:
        self.folder = folder
        self.store = folder / store
        (folder / "config.toml").write_text(f"checkpoint_every = {every}\n")
        variables = register(folder / "registered", suites)
        path = os.pathsep.join([str(INJECTED), variables["PYTHONPATH"]])
        self.environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        self.command = [
            *COMMAND, "run", "--suite", suite, "--agent", agent, "--config", "config.toml",
            "--store", store, *options,
        ]  # fmt: skip

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            self.command, cwd=self.folder, env={**self.environment, **variables}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_interrupts,
        )  # fmt: skip

    def run(
        self, *codes: int, seconds: float = 120, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end and check its exit code, 0 unless others are given."""
        with self.start(**variables) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except BaseException:
                process.kill()
                raise
        assert process.returncode in (codes or (0,)), (process.returncode, out, err)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def records(self) -> dict[str, Record]:
        """Return the ok records by key, without what differs between equal runs."""
        return {key: replace(r, timing={}) for key, r in self.timed_records().items()}

    def timed_records(self) -> dict[str, Record]:
        """Return the ok records by key; there is nothing in the store that is no record."""
        if not self.store.is_dir():
            return {}
        loaded = Store(self.store).load()
        assert loaded.problems == []
        ok = [record for record in loaded.records if record.status == "ok"]
        assert len({record.identity.key for record in ok}) == len(ok)
        return {record.identity.key: record for record in ok}

    def failures(self) -> list[Record]:
        """Return the other records."""
        if not self.store.is_dir():
            return []
        return [r for r in Store(self.store).load().records if r.status != "ok"]

    def finished_files(self) -> dict[Path, bytes]:
        """Return the files of all runs that are recorded."""
        files = [*self.store.glob("*/*/*/*.json"), *self.store.glob("*/*/*/*.actions")]
        keys = [path.name.partition(".")[0] for path in files if path.suffix == ".json"]
        return {
            path: path.read_bytes()
            for path in files
            if path.parts[-4] not in ("checkpoints", "logs") and path.name.startswith(tuple(keys))
        }

    def kept(self) -> dict[str, int]:
        """Return how far the newest checkpoints are, by key, of runs that are not recorded."""
        done = self.timed_records()
        found = {
            folder.name: Checkpoints(folder, 1.0).latest()
            for folder in self.store.glob("checkpoints/*") if folder.name not in done
        }  # fmt: skip
        return {key: checkpoint.budget_used for key, checkpoint in found.items() if checkpoint}

    def workers(self) -> list[int]:
        """Return the workers that are there."""
        return workers_in(self.folder.resolve())

    def left_over(self) -> list[str]:
        """Return what is in the store besides records, their actions and logs."""
        places = (".tmp", "claims", "checkpoints", "quarantine")
        return sorted(
            str(path.relative_to(self.store)) for place in places
            for path in self.store.glob(f"{place}/*") if path.name != ".lock"
        )  # fmt: skip

    def age(self) -> None:
        """Have everything in the store look as if it had been left there long ago."""
        for path in self.store.rglob("*"):
            os.utime(path, (time.time() - OLD,) * 2)


def seal(folder: Path, **changed: Any) -> None:
    """Have the hashes of a checkpoint fit what it holds now, as anybody could.

    Args:
        folder: Of the checkpoint.
        changed: Of its state.
    """
    state = folder / "state.json"
    files = [path for path in folder.rglob("*") if path.is_file() and path != state]
    hashes = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    content = {**json.loads(state.read_text()), "files": hashes, **changed}
    del content["sha256"]
    state.write_text(json.dumps({**content, "sha256": sha256_of(content)}))


def wait_until(happened: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so; return it."""
    deadline = time.monotonic() + seconds
    while not (value := happened()):
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s"
        time.sleep(0.005)
    return value


def check_complete(bench: Bench, expected: Mapping[str, Record]) -> None:
    """Check that the store holds the results of an undisturbed one, and nothing that it should not.

    Files that a killed process was about to rename or to remove may be there for an hour; then
    the command removes them.
    """
    assert bench.records() == expected
    assert bench.workers() == []
    for name in bench.left_over():
        assert name.startswith((".tmp/", "claims/.")), name
    for record in bench.timed_records().values():
        Store(bench.store).read_actions(record)
    if bench.left_over():
        bench.age()
        bench.run()
        assert not (left := bench.left_over()), left


@contextmanager
def small_disk(folder: Path, options: str = "size=1m") -> Iterator[str]:
    """Mount a file system of limited size; yield why it could not be done, or nothing."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        yield mounted.stderr.strip() or "mount failed"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", folder], check=True)
