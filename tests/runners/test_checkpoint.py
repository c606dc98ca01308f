"""Interrupted runs: what they go on from, and that they end as if nothing had happened."""

import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.faults import seal
from support.toy import TOY

from rlbench.errors import AgentError, StaleCheckpoint
from rlbench.results import AgentId, Store, identities
from rlbench.runners import Progress, Run, TaskInfo, Transitions, run_online
from rlbench.runners.agents.resolving import Recipe
from rlbench.runners.backends.worker import Attempt
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.progress import Leave
from rlbench.suites import Suite

SUITE = replace(
    TOY, protocol=replace(TOY.protocol, budget=200, eval_points=(60, 61, 120), train_envs=3)
)
LINEAR = replace(
    SUITE,
    protocol=replace(
        SUITE.protocol, environment={**SUITE.protocol.environment, "continuous": True}
    ),
)


class Learner:
    """Acts by its own and by global randomness and by all that it has seen."""

    def __init__(self, task: TaskInfo, *, seed: int, device: str) -> None:
        self.task = task
        self.random = np.random.default_rng(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002, TID251 - agents do use it
        self.seen = 0.0

    def act(self, obs, first, *, phase):
        noise = random.random() + np.random.random()  # noqa: NPY002
        if phase == "train":
            noise += self.random.random()
        value = (self.seen + noise + obs.sum(1)) % 1
        space = self.task.action_space
        if space.shape:
            return np.tile(value[:, None], (1, *space.shape)).astype(np.float32)
        return (value * space.n).astype(int)

    def observe(self, batch: Transitions) -> None:
        self.seen += float(batch.reward.sum() + batch.action.sum() * 0.37 + batch.next_obs.sum())

    def save(self, folder: Path) -> None:
        state = {"seen": self.seen, "random": self.random.bit_generator.state}
        (folder / "learner.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        state = json.loads((folder / "learner.json").read_text())
        self.seen, self.random.bit_generator.state = state["seen"], state["random"]


def play(
    folder: Path | None,
    leave_at: int = 10**9,
    *,
    suite: Suite = SUITE,
    factory: Callable[..., Any] = Learner,
    every: float = 10**9,
) -> tuple[Progress, int]:
    """Play until done, or until a tick; return where it got, and the ticks."""
    progress, ticks = Progress(), 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks >= leave_at:
            raise Leave

    checkpoints = Checkpoints(folder, every) if folder else None
    try:
        run_online(
            suite, suite.task("Walk"), factory, config={}, seed=3, device="cpu",
            progress=progress, tick=tick, checkpoints=checkpoints,
        )  # fmt: skip
    except Leave:
        assert progress.phase != "end"
    return progress, ticks


def results(progress: Progress) -> tuple[object, ...]:
    return progress.evaluations, progress.training, progress.replay, progress.actions


@pytest.mark.parametrize("suite", [SUITE, LINEAR], ids=["discrete", "box"])
def test_a_run_that_is_asked_to_leave_goes_on_as_if_nothing_had_happened(
    suite: Suite, tmp_path: Path
) -> None:
    undisturbed, ticks = play(None, suite=suite)
    assert undisturbed.phase == "end"
    assert len(undisturbed.evaluations) == 4
    went_on = 0
    for moment in range(1, ticks + 1, 7):
        folder = tmp_path / str(moment)
        play(folder, moment, suite=suite)
        again, _ = play(folder, suite=suite)
        assert results(again) == results(undisturbed), moment
        went_on += again.resumed > 0
    assert went_on > 5


def test_a_run_may_be_interrupted_many_times(tmp_path: Path) -> None:
    undisturbed, _ = play(None)
    resumed = []
    for attempt in range(60):
        progress, _ = play(tmp_path, 60 + 5 * attempt, every=0.0)
        resumed.append(progress.resumed)
        if progress.phase == "end":
            break
    assert results(progress) == results(undisturbed)
    assert resumed == sorted(resumed)
    assert len(set(resumed)) > 3


def test_what_is_killed_goes_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    """No word before the end: as by SIGKILL, which the fault tests send."""

    class Killed(BaseException): ...

    class Dies(Learner):
        def observe(self, batch: Transitions) -> None:
            super().observe(batch)
            self.observed = getattr(self, "observed", 0) + 1
            if self.observed == 30:
                raise Killed

    undisturbed, _ = play(None)
    with pytest.raises(Killed):
        play(tmp_path, factory=Dies, every=0.0)
    again, _ = play(tmp_path)
    assert again.resumed == 87
    assert results(again) == results(undisturbed)


def test_agents_that_cannot_save_begin_anew(tmp_path: Path) -> None:
    class Forgets(Learner):
        save = load = None

    undisturbed, _ = play(None, factory=Forgets)
    play(tmp_path, 50, factory=Forgets)
    again, _ = play(tmp_path, factory=Forgets)
    assert again.resumed == 0
    assert results(again) == results(undisturbed)


def test_a_suite_may_go_on_in_new_episodes(tmp_path: Path) -> None:
    suite = replace(SUITE, replays=False)
    undisturbed, _ = play(None, suite=suite)
    left, _ = play(tmp_path, 15, suite=suite)
    assert left.parts == ()
    again, _ = play(tmp_path, suite=suite)
    assert again.parts == (again.resumed,)
    assert again.budget_used == 200
    assert again.training != undisturbed.training
    assert again.training.ends[: len(left.training.ends)] == left.training.ends
    assert len(again.evaluations) == 4


@pytest.mark.parametrize("damage", ["environment", "load", "methods"])
def test_a_checkpoint_that_does_not_fit_is_found_out(damage: str, tmp_path: Path) -> None:
    play(tmp_path, 15)
    suite, factory = SUITE, Learner
    if damage == "environment":
        suite = replace(
            SUITE,
            protocol=replace(SUITE.protocol, environment={"continuous": False, "reward": 2.0}),
        )
    elif damage == "load":
        factory = type("Changed", (Learner,), {"load": lambda self, folder: {}["seen"]})
    else:
        factory = type("Forgets", (Learner,), {"save": None, "load": None})
    with pytest.raises(StaleCheckpoint, match=r"engine does not|load raised KeyError|no save"):
        play(tmp_path, suite=suite, factory=factory)


def test_torn_checkpoints_are_passed_over(tmp_path: Path) -> None:
    undisturbed, _ = play(None)
    play(tmp_path, 15)
    state = next(tmp_path.glob("*/state.json"))
    content = state.read_bytes()
    for torn in (content[:-20], content.replace(b'"budget_used": 4', b'"budget_used": 3'), b""):
        state.write_bytes(torn)
        assert Checkpoints(tmp_path, 1.0).latest() is None
        again, _ = play(tmp_path, 10**9)
        assert again.resumed == 0
        assert results(again) == results(undisturbed)
    state.write_bytes(content)
    actions = tmp_path / "actions"
    actions.write_bytes(actions.read_bytes()[:-1])
    assert Checkpoints(tmp_path, 1.0).latest() is None


def swap(path: Path) -> None:
    path.write_text(path.read_text().replace('"seen": ', '"seen": 1'))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(swap, id="swapped"),
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.with_name("more.json").write_text("{}"), id="one more"),
        pytest.param(lambda path: path.with_name("more.json").symlink_to(path), id="link"),
        pytest.param(lambda path: os.mkfifo(path.with_name("more.json")), id="named pipe"),
        pytest.param(lambda path: path.rename(path.with_name("other.json")), id="renamed"),
        pytest.param(lambda path: path.parent.rename(path.parents[1] / "teacher"), id="moved"),
    ],
)
def test_a_checkpoint_whose_files_are_others_is_passed_over(change, tmp_path: Path) -> None:
    undisturbed, _ = play(None)
    play(tmp_path, 15)
    assert Checkpoints(tmp_path, 1.0).latest() is not None
    change(next(tmp_path.glob("*/agent/learner.json")))
    assert Checkpoints(tmp_path, 1.0).latest() is None
    again, _ = play(tmp_path)
    assert again.resumed == 0
    assert results(again) == results(undisturbed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("files", {}), ("version", 2), ("version", [1]), ("actions", 10**30), ("actions", "x"),
        ("actions", -1), ("evaluations", 3), ("evaluations", [{"odd": 1}]), ("training", []),
        ("parts", None), ("more", 1),
    ],
)  # fmt: skip
def test_odd_states_are_passed_over(name: str, value: object, tmp_path: Path) -> None:
    play(tmp_path, 15)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    seal(folder)
    assert Checkpoints(tmp_path, 1.0).latest() is not None
    seal(folder, **{name: value})
    assert Checkpoints(tmp_path, 1.0).latest() is None


def test_links_are_not_kept_as_what_they_lead_to_may_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Links(Learner):
        def save(self, folder: Path) -> None:
            super().save(folder)
            (folder / "latest").symlink_to("learner.json")

    play(tmp_path, 15, factory=Links)
    assert "agent/latest is neither a file nor a folder" in capsys.readouterr().err
    assert Checkpoints(tmp_path, 1.0).latest() is None


def test_an_agent_that_fails_to_save_fails_and_a_full_disk_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Breaks(Learner):
        def save(self, folder: Path) -> None:
            raise ValueError("no")

    with pytest.raises(AgentError, match="save raised ValueError: no"):
        play(tmp_path, factory=Breaks, every=0.0)

    class Full(Learner):
        def save(self, folder: Path) -> None:
            with Path("/dev/full").open("w") as file:
                file.write("x")

    undisturbed, _ = play(None)
    progress, _ = play(tmp_path, factory=Full, every=0.0)
    assert results(progress) == results(undisturbed)
    assert "no checkpoint was written: [Errno 28] No space left" in capsys.readouterr().err
    assert Checkpoints(tmp_path, 1.0).latest() is None


def test_only_the_newest_checkpoint_is_kept_and_none_after_the_end(tmp_path: Path) -> None:
    play(tmp_path, 100, every=0.0)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    Checkpoints(tmp_path, 1.0).clear()
    assert not tmp_path.exists()


def test_a_member_of_a_group_begins_anew_where_the_engine_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = AgentId(
        name="learner", version="1", spec="learner", config={}, source=None, factory="learner:make"
    )
    (identity,) = identities(SUITE, SUITE.tasks, who, [3])
    run = Run(
        identity=identity, agent=Recipe(spec="learner", options={}), teacher=None,
        store=str(tmp_path), device="cpu", threads=1, checkpoint_every=1e9,
    )  # fmt: skip
    folder = Store(tmp_path).checkpoints_of(identity)
    play(folder, 15)
    assert list(folder.glob("*/state.json"))
    monkeypatch.setattr(Run, "suite", property(lambda _: replace(SUITE, engine_steps=10)))
    attempt = Attempt(run, lambda event: None, threading.Event().is_set, [])
    attempt.prepare().close()
    assert attempt.progress.resumed == 0
    assert not folder.exists()
