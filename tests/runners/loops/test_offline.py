"""The offline loop: what the agent is given, where it is evaluated, how it is taken up again."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control import PendulumEnv
from support import pendulum
from support.cartpole import CARTPOLE
from support.command import rlbench
from support.pendulum import PENDULUM, STEPS, Cloner, make_cloner
from support.registered import register
from support.toy import TOY

from rlbench.errors import (
    AgentError,
    BudgetExhausted,
    InvalidEnvironment,
    StaleCheckpoint,
    UsageError,
)
from rlbench.results import Record, Store
from rlbench.runners import Progress, TaskInfo, load_factory, run_offline, run_online
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.progress import Leave
from rlbench.suites import Suite, Task

TASK = PENDULUM.tasks[0]
DATASET = PENDULUM.dataset(TASK)
# Fewer updates and shorter episodes, where only the order of things matters.
SHORT = replace(
    PENDULUM, protocol=replace(PENDULUM.protocol, eval_points=(20, 40))
).make_unofficial({"budget": 60, "episodes": 6, "max_episode_steps": 25})


def play(
    make: Callable[[TaskInfo, int], Any] = lambda task, seed: Cloner(seed),
    *,
    suite: Suite = SHORT,
    seed: int = 0,
    progress: Progress | None = None,
    tick: Callable[[], None] = lambda: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Any, Progress]:
    """Run an agent; return it and where the run ended."""
    agents = []
    progress = progress or Progress()

    def keep(task, *, seed, device):
        agents.append(make(task, seed))
        return agents[-1]

    run_offline(
        suite, suite.tasks[0], keep, config={}, seed=seed, device="cpu", progress=progress,
        tick=tick, checkpoints=checkpoints,
    )  # fmt: skip
    return agents[0], progress


def outcome(progress: Progress) -> tuple[Any, ...]:
    """Return all that two equal runs have in common."""
    return (
        progress.budget_used, progress.evaluations, progress.training, progress.replay,
        progress.actions, progress.proposals, progress.parts,
    )  # fmt: skip


class Counts(Cloner):
    """Fits by a function of its own, and keeps what it was told."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        super().__init__(seed)
        self.task = task
        self.seen_at: list[int] = []
        self.closed = 0

    def act(self, obs, first, *, phase):
        assert phase == "eval"
        self.seen_at.append(self.update)
        return super().act(obs, first, phase=phase)

    def close(self) -> None:
        self.closed += 1

    @property
    def evaluated_at(self) -> list[int]:
        return list(dict.fromkeys(self.seen_at))


def fitting(loop: Callable[..., None]) -> Callable[[TaskInfo, int], Counts]:
    """Return what makes an agent whose `fit` is a loop of its own."""

    class Fits(Counts):
        def fit(self, dataset, *, updates, checkpoint):
            loop(self, dataset, updates, checkpoint)

    return Fits


def test_the_pendulum_is_that_of_gymnasium() -> None:
    theirs = PendulumEnv()
    theirs.reset()
    chance = np.random.default_rng(0)
    state = chance.uniform([-np.pi, -8.0], [np.pi, 8.0], size=(300, 2))
    torque = chance.uniform(-2.0, 2.0, size=300)
    obs, rewards = [], []
    for one, u in zip(state, torque, strict=True):
        theirs.state = one
        seen, score, *_ = theirs.step(np.array([u]))
        obs.append(seen)
        rewards.append(score)
    following = pendulum.swing(state, torque, pendulum.GRAVITY)
    np.testing.assert_allclose(pendulum.look(following), obs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pendulum.reward_in(state, torque), rewards, rtol=1e-9)


def test_the_dataset_says_its_rewards_and_keeps_episodes_whole() -> None:
    assert len(DATASET.train) + len(DATASET.validation) == pendulum.LOGGED * STEPS
    starts = set()
    for part in (DATASET.train, DATASET.validation):
        said = DATASET.reward(part.obs, part.action, part.next_obs)
        np.testing.assert_allclose(said, part.reward, atol=1e-5)
        assert part.reward.dtype == np.float64
        ended = part.terminated | part.truncated
        assert ended.sum() == part.first.sum() == len(part) // STEPS
        assert part.first[0]
        assert ended[-1]
        np.testing.assert_array_equal(part.first[1:], ended[:-1])
        np.testing.assert_array_equal(part.obs[1:][~ended[:-1]], part.next_obs[:-1][~ended[:-1]])
        assert not DATASET.terminal(part.obs, part.action, part.next_obs).any()
        starts |= {obs.tobytes() for obs in part.obs[part.first]}
    assert len(starts) == pendulum.LOGGED


def test_another_dataset_than_that_of_the_task_is_refused() -> None:
    other = replace(TASK, assets={"dataset_sha256": "0" * 64})
    assert PENDULUM.digest(other) != PENDULUM.digest(TASK)
    with pytest.raises(UsageError, match=r"has the sha256 \w{64}, not 0000"):
        play(suite=replace(PENDULUM, tasks=(other,)))


def test_a_suite_without_a_dataset_says_so() -> None:
    with pytest.raises(UsageError, match="toy@1 has no datasets"):
        play(suite=TOY)


def test_the_arrays_cannot_be_written_to() -> None:
    for part in (DATASET.train, DATASET.validation):
        for field in fields(part):
            array = getattr(part, field.name)
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[1]


@pytest.mark.parametrize("name", [field.name for field in fields(DATASET.train)])
def test_arrays_of_other_lengths_are_refused(name: str) -> None:
    columns = {f.name: getattr(DATASET.train, f.name)[:50] for f in fields(DATASET.train)}
    columns[name] = columns[name][:-1]
    with pytest.raises(InvalidEnvironment, match=r"dataset has (49|50) of \w+, but (49|50) of obs"):
        type(DATASET.train)(**columns)


@pytest.mark.parametrize("name", ["obs", "action", "reward", "next_obs"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(name: str, value: float) -> None:
    wrong = getattr(DATASET.train, name).copy()
    wrong.flat[7] = value
    with pytest.raises(InvalidEnvironment, match=f"dataset's {name} is not finite"):
        replace(DATASET.train, **{name: wrong})


MADE: list[str] = []  # what happened, in this order


def make_noted(task: Task, constants: Any, **options: Any) -> Any:
    """Make the environments of the pendulum, and note it."""
    MADE.append(f"environment for {options['split']}")
    return pendulum.make(task, constants, **options)


def test_no_environment_is_there_between_the_look_at_the_engine_and_an_evaluation() -> None:
    def loop(self, dataset, updates, checkpoint):
        MADE.append("fit")
        for update in range(1, updates + 1):
            if update % 20 == 0:
                MADE.append(f"update {update}")
            checkpoint(update)
        MADE.append("fitted")

    MADE.clear()
    play(fitting(loop), suite=replace(SHORT, factory=f"{__name__}:make_noted"))
    assert " > ".join(MADE) == (
        "environment for eval > fit > update 20 > environment for eval > update 40"
        " > environment for eval > update 60 > environment for eval > fitted"
    )


def test_an_agent_is_evaluated_at_exactly_the_updates_of_the_protocol() -> None:
    agent, progress = play(Counts)
    assert agent.evaluated_at == [20, 40, 60]
    assert [e.budget_used for e in progress.evaluations] == [20, 40, 60]
    assert all(len(e.returns) == 6 and e.lengths == (25,) * 6 for e in progress.evaluations)
    assert all(e.distinct_starts == 6 for e in progress.evaluations)
    assert (progress.budget_used, progress.training.episodes, progress.phase) == (60, 0, "end")
    assert agent.closed == 1
    told = agent.task
    assert (told.kind, told.unit, told.budget, told.num_envs) == ("offline", "updates", 60, 0)
    assert told.eval_points == (20, 40, 60)
    assert (told.observation_space, told.action_space) == (pendulum.OBSERVATIONS, pendulum.TORQUES)
    assert told.parameter_space is None


def test_calling_checkpoint_where_agents_are_evaluated_is_enough() -> None:
    def loop(self, dataset, updates, checkpoint):
        for point in self.task.eval_points:
            self.update = point
            checkpoint(np.int64(point))  # as numpy's loops have it

    agent, progress = play(fitting(loop))
    assert agent.evaluated_at == [20, 40, 60]
    assert type(progress.budget_used) is int
    assert {type(e.budget_used) for e in progress.evaluations} == {int}


@pytest.mark.parametrize("wrong", [20.0, "20", None])
def test_a_number_of_updates_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(AgentError, match="fit called checkpoint"):
        play(fitting(lambda self, dataset, updates, checkpoint: checkpoint(wrong)))


def steps_to(*updates: int) -> Callable[..., None]:
    def loop(self, dataset, budget, checkpoint):
        for update in updates:
            checkpoint(update)

    return loop


@pytest.mark.parametrize(
    ("updates", "message", "at"),
    [
        ((19, 21), r"fit did not call checkpoint\(20\)", 21),
        ((20, 60), r"fit did not call checkpoint\(40\)", 60),
        ((20, 40), "fit returned after 40 of 60 updates", 40),
        ((20, 40, 59), "fit returned after 59 of 60 updates", 59),
        ((20, 40, 59, 61), "fit returned after 59 of 60 updates", 59),
        ((), "fit returned after 0 of 60 updates", 0),
        ((20, 19), r"fit called checkpoint\(19\) after 20 updates", 20),
        ((-1,), r"fit called checkpoint\(-1\) after 0 updates", 0),
    ],
)
def test_a_fit_that_does_not_keep_to_the_updates_is_named(
    updates: tuple[int, ...], message: str, at: int
) -> None:
    progress = Progress()
    with pytest.raises(AgentError, match=message):
        play(fitting(steps_to(*updates)), progress=progress)
    assert (progress.phase, progress.budget_used) == ("train", at)


@pytest.mark.parametrize("wrap", [False, True])
def test_there_is_no_update_beyond_the_budget(wrap: bool) -> None:
    seen = []

    def loop(self, dataset, updates, checkpoint):
        try:
            for update in range(1, 1000):
                checkpoint(update)
        except BudgetExhausted as error:
            seen.append((update, str(error)))
            if wrap:
                raise RuntimeError("the loop broke") from error
            raise

    _, progress = play(fitting(loop))
    assert seen == [(61, "the budget of 60 updates is spent")]
    assert [e.budget_used for e in progress.evaluations] == [20, 40, 60]
    assert progress.budget_used == 60


def test_an_error_in_fit_is_named_with_the_update() -> None:
    def loop(self, dataset, updates, checkpoint):
        for update in range(1, 31):
            checkpoint(update)
        raise ValueError("the loss is NaN")

    progress = Progress()
    with pytest.raises(AgentError, match="fit raised ValueError: the loss is NaN"):
        play(fitting(loop), progress=progress)
    assert (progress.phase, progress.budget_used) == ("train", 30)
    assert [e.budget_used for e in progress.evaluations] == [20]


def test_writing_into_the_dataset_fails_the_run() -> None:
    def loop(self, dataset, updates, checkpoint):
        dataset.train.reward[:] *= 0.1

    with pytest.raises(AgentError, match=r"fit raised ValueError: .*read-only"):
        play(fitting(loop))


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_failed_evaluation_cannot_be_swallowed(goes_on: bool) -> None:
    agents = []

    class Breaks(Counts):
        def act(self, obs, first, *, phase):
            raise ValueError("cannot act")

        def fit(self, dataset, *, updates, checkpoint):
            agents.append(self)
            for update in range(1, updates + 1):
                try:
                    checkpoint(update)
                except Exception:
                    if not goes_on:
                        return

    progress = Progress()
    with pytest.raises(AgentError, match="act raised ValueError: cannot act"):
        play(Breaks, progress=progress)
    assert (progress.phase, progress.budget_used) == ("eval", 20)
    assert progress.evaluations == []
    assert agents[0].closed == 1


@pytest.mark.parametrize("way", ["observe", "train"])
def test_an_agent_that_learns_by_acting_is_refused(way: str) -> None:
    made = type("Online", (Counts,), {way: lambda self, batch: None})
    with pytest.raises(AgentError, match=r"one way only"):
        play(made)  # it can fit, too

    class Acts:
        def act(self, obs, first, *, phase): ...

    setattr(Acts, way, lambda self, batch: None)
    with pytest.raises(
        AgentError, match=rf"learns by {way}\(\).*pendulum-offline@1: it is offline"
    ):
        play(lambda task, seed: Acts())


@pytest.mark.parametrize("suite", [TOY, CARTPOLE])
def test_an_agent_that_fits_is_refused_where_agents_act(suite: Suite) -> None:
    with pytest.raises(AgentError, match=rf"learns by fit\(\).*it is {suite.protocol.kind}"):
        run_online(
            suite, suite.tasks[0], make_cloner, config={}, seed=0, device="cpu",
            progress=Progress(), teacher=load_factory("rlbench.runners.teachers.uniform"),
        )  # fmt: skip


def test_an_agent_without_fit_is_evaluated_as_it_is() -> None:
    make_random = load_factory("random")
    _, progress = play(lambda task, seed: make_random(task, seed=seed, device="cpu"))
    assert [e.budget_used for e in progress.evaluations] == [20, 40, 60]
    assert progress.budget_used == 60
    assert "train" not in progress.seconds


def test_a_run_is_a_function_of_its_seed() -> None:
    (one, first), (two, second), (_, other) = (play(seed=seed) for seed in (0, 0, 1))
    assert outcome(first) == outcome(second)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert first.evaluations != other.evaluations
    assert first.replay != other.replay


def test_evaluations_are_on_the_same_episodes_whatever_was_learned() -> None:
    """At every checkpoint, by every agent of a seed: only the seed and the constants decide."""
    _, learned = play()
    _, other = play(lambda task, seed: Cloner(seed + 1))
    assert learned.evaluations != other.evaluations
    assert learned.replay.hashes[0] == other.replay.hashes[0]
    assert learned.replay.hashes[0] != play(seed=1)[1].replay.hashes[0]


def test_what_is_learned_is_worth_something() -> None:
    """From about -1200 of random torques to -150 or -600; the controller has -177."""
    make_random = load_factory("random")
    for seed in range(3):
        _, learned = play(suite=PENDULUM, seed=seed)
        _, drawn = play(
            lambda task, seed: make_random(task, seed=seed, device="cpu"), suite=PENDULUM, seed=seed
        )
        scores = [fmean(e.returns) for e in learned.evaluations]
        assert scores[-1] > max(fmean(e.returns) for e in drawn.evaluations) + 400
        assert scores[-1] > scores[0]


class GloballyRandom(Cloner):
    """Also draws from Python's global generator, of which it keeps nothing itself."""

    def fit(self, dataset, *, updates, checkpoint):
        def disturbed(update: int) -> None:
            self.weights += 1e-3 * random.random()
            checkpoint(update)

        super().fit(dataset, updates=updates, checkpoint=disturbed)

    def act(self, obs, first, *, phase):
        random.random()
        return super().act(obs, first, phase=phase)


# When a run is asked to leave, and the updates that are kept by then.
MOMENTS: dict[str, tuple[Callable[[Progress], bool], int]] = {
    "before the first update": (lambda p: p.phase == "train", 0),
    "between updates": (lambda p: p.budget_used == 37, 37),
    "as an evaluation begins": (lambda p: p.phase == "eval" and p.budget_used == 40, 40),
    "inside an evaluation": (lambda p: p.episodes == 4, 20),
    "after an evaluation": (lambda p: len(p.evaluations) == 2, 40),
    "inside the last evaluation": (lambda p: p.episodes == 4 and p.budget_used == 60, 60),
    "after the last evaluation": (lambda p: len(p.evaluations) == 3, 60),
}


def leave_at(moment: Callable[[Progress], bool], progress: Progress) -> Callable[[], None]:
    def tick() -> None:
        if moment(progress):
            raise Leave

    return tick


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_ends_as_if_nothing_had_been(moment: str, tmp_path: Path) -> None:
    when, kept = MOMENTS[moment]
    make = lambda task, seed: GloballyRandom(seed)  # noqa: E731
    random.seed(5)
    expected, undisturbed = play(make)
    random.seed(5)
    progress = Progress()
    with pytest.raises(Leave):
        play(
            make, progress=progress, tick=leave_at(when, progress),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip
    random.seed(5 if kept == 0 else 6)
    agent, resumed = play(make, checkpoints=Checkpoints(tmp_path, every=1e6))
    assert resumed.resumed == kept
    assert outcome(resumed) == outcome(undisturbed)
    np.testing.assert_array_equal(agent.weights, expected.weights)


def test_a_run_may_be_interrupted_again_and_again(tmp_path: Path) -> None:
    _, undisturbed = play()
    attempts = 0
    while attempts < 100:
        attempts += 1
        left = iter(range(60))  # ticks: an evaluation takes 50
        progress = Progress()

        def tick(left=left) -> None:
            if next(left, None) is None:
                raise Leave

        with suppress(Leave):
            play(progress=progress, tick=tick, checkpoints=Checkpoints(tmp_path, every=0.0))
            break
    assert 3 < attempts < 100
    assert outcome(progress) == outcome(undisturbed)


def test_leaving_cannot_be_swallowed(tmp_path: Path) -> None:
    class Stays(Cloner):
        def fit(self, dataset, *, updates, checkpoint):
            def stubborn(update: int) -> None:
                with suppress(BaseException):
                    checkpoint(update)

            super().fit(dataset, updates=updates, checkpoint=stubborn)

    progress = Progress()
    with pytest.raises(Leave):
        play(
            lambda task, seed: Stays(seed), progress=progress,
            tick=leave_at(lambda p: p.budget_used == 7, progress),
            checkpoints=Checkpoints(tmp_path, every=1e6),
        )  # fmt: skip
    _, resumed = play(checkpoints=Checkpoints(tmp_path, every=1e6))
    assert resumed.resumed == 7
    assert outcome(resumed) == outcome(play()[1])


def test_an_agent_that_cannot_be_saved_begins_anew(tmp_path: Path) -> None:
    class Forgets(Cloner):
        save = load = None

    make = lambda task, seed: Forgets(seed)  # noqa: E731
    progress = Progress()
    with pytest.raises(Leave):
        play(
            make, progress=progress, tick=leave_at(lambda p: p.budget_used == 50, progress),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    _, again = play(make, checkpoints=Checkpoints(tmp_path, every=0.0))
    assert again.resumed == 0
    assert outcome(again) == outcome(play()[1])


def test_a_checkpoint_that_cannot_be_loaded_is_stale(tmp_path: Path) -> None:
    class Forgetful(Cloner):
        def load(self, folder):
            raise ValueError("no such weights")

    progress = Progress()
    with pytest.raises(Leave):
        play(
            progress=progress, tick=leave_at(lambda p: p.budget_used == 50, progress),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip
    with pytest.raises(StaleCheckpoint, match="load raised ValueError"):
        play(lambda task, seed: Forgetful(seed), checkpoints=Checkpoints(tmp_path, every=0.0))
    (tmp_path / "50-0/agent/weights.npy").write_bytes(b"torn")
    _, again = play(checkpoints=Checkpoints(tmp_path, every=0.0))
    assert again.resumed == 0


def test_a_loaded_agent_that_begins_anew_is_named(tmp_path: Path) -> None:
    class Restarts(Cloner):
        def load(self, folder):
            super().load(folder)
            self.update = 0

    progress = Progress()
    with pytest.raises(Leave):
        play(
            progress=progress, tick=leave_at(lambda p: p.budget_used == 50, progress),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip
    with pytest.raises(AgentError, match=r"checkpoint\(1\) after 50.* goes on from where"):
        play(lambda task, seed: Restarts(seed), checkpoints=Checkpoints(tmp_path, every=0.0))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the command find the suites of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in register(tmp_path_factory.mktemp("site")).items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def here(commands: None, tmp_path: Path) -> Path:
    """Return a folder to run the command in."""
    return tmp_path


def run(cwd: Path, *arguments: str, agent: str = "support.pendulum:make_cloner", code: int = 0):
    """Run an agent on the suite by command."""
    options = ("--suite", "pendulum-offline", "--agent", agent, "--jobs", "1")
    return rlbench("run", *options, *arguments, cwd=cwd, code=code)


def read_only_record(folder: Path) -> Record:
    loaded = Store(folder / "runs").load()
    assert loaded.problems == []
    (record,) = loaded.records
    return record


def test_the_command_records_what_the_loop_gives(here: Path) -> None:
    run(here, "--seeds", "3-3")
    record = read_only_record(here)
    _, expected = play(suite=PENDULUM, seed=3)
    assert (record.status, record.budget_used) == ("ok", 600)
    assert record.evaluations == tuple(expected.evaluations)
    assert record.replay == expected.replay
    assert record.identity.teacher is None
    assert record.proposals is None
    assert record.training.episodes == 0
    (path,) = here.glob("runs/pendulum-offline-1/pendulum/swing-up/*.json")
    assert Record.from_bytes(path.read_bytes()) == record
    content = json.loads(path.read_bytes())
    assert content["constants"]["dataset_sha256"] == TASK.assets["dataset_sha256"]
    assert content["constants"]["unit"] == "updates"
    again = run(here, "--seeds", "3-3")
    assert "all 1 runs are in runs already" in again.stdout


def test_a_worker_that_is_asked_to_leave_is_followed_by_one_that_goes_on(here: Path) -> None:
    run(here, "--seeds", "1", "-o", "leave_at=250")
    record = read_only_record(here)
    assert (record.status, record.timing["attempts"]) == ("ok", 2)
    _, expected = play(suite=PENDULUM, seed=0)
    assert record.evaluations == tuple(expected.evaluations)


def test_a_failed_fit_is_recorded_with_the_update(here: Path) -> None:
    (here / "brief.py").write_text(
        "from support.pendulum import Cloner\n\nclass Brief(Cloner):\n"
        "    def fit(self, dataset, *, updates, checkpoint):\n"
        "        super().fit(dataset, updates=450, checkpoint=checkpoint)\n\n"
        "def make(task, *, seed, device):\n    return Brief(seed)\n"
    )
    out = run(here, "--seeds", "1", agent="brief", code=1)
    record = read_only_record(here)
    assert record.status == "failed"
    assert (record.error.phase, record.error.step) == ("train", 450)
    assert record.error.reason == "fit returned after 450 of 600 updates"
    assert record.error.reason in out.stderr
    assert [e.budget_used for e in record.evaluations] == [100, 300]


def test_the_command_refuses_agents_that_act_to_learn(here: Path) -> None:
    out = run(here, "--seeds", "1", agent="support.cartpole:make_agent", code=1)
    assert "pendulum-offline@1: it is offline" in out.stderr
    assert read_only_record(here).error.phase == "start"
