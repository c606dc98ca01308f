"""Curricula: what teachers are told, what becomes of what they propose, how runs are taken up."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from support import cartpole
from support.cartpole import (
    CARTPOLE,
    CARTPOLE_ONWARD,
    PARAMETERS,
    TESTS,
    CrossEntropy,
    ProgressTeacher,
)
from support.command import rlbench
from support.registered import register
from support.toy import TOY

from rlbench.errors import (
    BudgetExhausted,
    InvalidEnvironment,
    StaleCheckpoint,
    TeacherError,
    UsageError,
)
from rlbench.results import Record, Store, identities
from rlbench.runners import (
    MeteredEnv,
    Progress,
    TaskInfo,
    Transitions,
    load_factory,
    resolve,
    resolve_teacher,
    run_online,
)
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.loops.common import task_info
from rlbench.runners.loops.curriculum import Curriculum
from rlbench.runners.progress import Leave
from rlbench.runners.teachers.teacher import load_teacher
from rlbench.suites import Suite

uniform = load_teacher("uniform")


def shortened(suite: Suite, **constants: Any) -> Suite:
    """Return the suite with a smaller budget, where only the order of things matters."""
    protocol = replace(suite.protocol, eval_points=(80, 160))
    small = {"budget": 240, "episodes": 5, "max_episode_steps": 25, **constants}
    return replace(suite, protocol=protocol).make_unofficial(small)


SELDOM = 1e6  # seconds between two checkpoints
SHORT, ONWARD = shortened(CARTPOLE), shortened(CARTPOLE_ONWARD)


def with_envs(num_envs: int) -> Suite:
    """Return the suite with a budget for many episodes, in so many slots."""
    return shortened(CARTPOLE, train_envs=num_envs, budget=900)


class Noting(CrossEntropy):
    """Keeps the transitions of its training."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        super().__init__(task, seed, population=16)
        self.task = task
        self.batches: list[Transitions] = []

    def observe(self, batch: Transitions) -> None:
        self.batches.append(batch)
        super().observe(batch)


class Rightwards(Noting):
    """Pushes right until all has fallen, for many short episodes."""

    def act(self, obs, first, *, phase):
        return np.ones(len(obs), dtype=np.int64)


class Episode(NamedTuple):
    """An episode that ended."""

    end: int
    parameters: tuple[float, ...]
    score: float
    length: int
    success: bool
    first_obs: tuple[float, ...]


class Notes:
    """A teacher that keeps what it proposes and what it is told."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher
        self.proposed: list[tuple[float, ...]] = []
        self.told: list[tuple[Any, ...]] = []

    def propose(self, n: int) -> np.ndarray:
        proposed = self.teacher.propose(n)
        self.proposed += [tuple(row) for row in proposed.tolist()]
        return proposed

    def report(self, parameters, returns, lengths, successes, first_obs) -> None:
        columns = (parameters, returns, lengths, successes, first_obs)
        assert {len(column) for column in columns} == {len(returns)}
        assert len(returns) > 0
        for p, score, length, success, obs in zip(*columns, strict=True):
            self.told.append((tuple(p), float(score), int(length), bool(success), tuple(obs)))
        self.teacher.report(*columns)


class SavedNotes(Notes):
    """The same of a teacher that can be saved."""

    def save(self, folder: Path) -> None:
        self.teacher.save(folder)

    def load(self, folder: Path) -> None:
        self.teacher.load(folder)


class Played(NamedTuple):
    """What there is after a run."""

    agent: Any
    teacher: Any
    progress: Progress


def play(
    make: Callable[[TaskInfo, int], Any] = Noting,
    teacher: Callable[..., Any] = uniform,
    *,
    suite: Suite = SHORT,
    seed: int = 0,
    progress: Progress | None = None,
    tick: Callable[[], None] = lambda: None,
    checkpoints: Checkpoints | None = None,
    kept: list[Any] | None = None,
) -> Played:
    """Run an agent with a teacher; what they were is kept even if the run fails."""
    kept = [] if kept is None else kept
    progress = progress or Progress()

    def make_teacher(task, *, seed):
        made = teacher(task, seed=seed)
        kept.append((SavedNotes if hasattr(made, "save") else Notes)(made))
        return kept[-1]

    def make_agent(task, *, seed, device):
        kept.append(make(task, seed))
        return kept[-1]

    run_online(
        suite, suite.tasks[0], make_agent, config={}, seed=seed, device="cpu", progress=progress,
        tick=tick, teacher=make_teacher, checkpoints=checkpoints,
    )  # fmt: skip
    return Played(kept[1], kept[0], progress)


def outcome(progress: Progress) -> tuple[Any, ...]:
    """Return all that two equal runs have in common."""
    return (
        progress.budget_used, progress.evaluations, progress.training, progress.replay,
        progress.actions, progress.proposals, progress.parts,
    )  # fmt: skip


def episodes_in(batches: Sequence[Transitions]) -> list[Episode]:
    """Return the episodes that transitions tell of, in the order in which they ended."""
    n = len(batches[0].reward)
    going: list[list[tuple[Any, ...]]] = [[] for _ in range(n)]
    ended: list[Episode] = []
    used = 0
    for batch in batches:
        used += int(batch.active.sum())
        for slot in np.flatnonzero(batch.active):
            assert batch.first[slot] == (not going[slot])
            row = (batch.parameters[slot], batch.reward[slot], batch.obs[slot])
            going[slot].append(row)
            if batch.terminated[slot] or batch.truncated[slot]:
                parameters, rewards, obs = zip(*going[slot], strict=True)
                assert len({tuple(p) for p in parameters}) == 1
                ended.append(Episode(
                    used, tuple(parameters[0]), sum(rewards), len(rewards),
                    bool(batch.truncated[slot]), tuple(obs[0]),
                ))  # fmt: skip
                going[slot] = []
    return ended


def test_the_cart_and_pole_are_those_of_gymnasium() -> None:
    theirs = CartPoleEnv()
    theirs.reset(seed=0)
    chance = np.random.default_rng(0)
    state = chance.uniform(-1.0, 1.0, size=(300, 4)) * [3.0, 2.0, 0.3, 2.0]
    right = chance.random(300) < 0.5
    parameters = chance.uniform(PARAMETERS.low, PARAMETERS.high, size=(300, 2))
    following = cartpole.push(state, right, parameters)
    fallen = cartpole.has_fallen(following)
    assert 50 < fallen.sum() < 250
    for row in range(300):
        theirs.length, theirs.force_mag = parameters[row]
        theirs.polemass_length = theirs.masspole * theirs.length
        theirs.state, theirs.steps_beyond_terminated = tuple(state[row]), None
        obs, _, terminated, _, _ = theirs.step(int(right[row]))
        np.testing.assert_allclose(following[row], obs, rtol=1e-6, atol=1e-7)
        assert terminated == fallen[row]


@pytest.mark.parametrize("slots", [1, 5, 7])
def test_an_evaluation_plays_every_test_once(slots: int) -> None:
    suite = CARTPOLE.make_unofficial({"eval_envs": slots, "budget": 400})
    seen: list[list[int]] = [[] for _ in range(slots)]
    env = suite.make(suite.tasks[0], split="eval", num_envs=slots, seed=0)
    _, info = env.reset()
    begun = np.ones(slots, dtype=np.bool_)
    while sum(map(len, seen)) < 10 * len(TESTS):
        for slot in np.flatnonzero(begun):
            seen[slot].append(int(info["start"][slot]))
        _, _, terminated, truncated, info = env.step(np.zeros(slots, dtype=int))
        begun = terminated | truncated
    quota = [len(range(slot, len(TESTS), slots)) for slot in range(slots)]
    played = [test for tests, n in zip(seen, quota, strict=True) for test in tests[:n]]
    assert sorted(played) == list(range(len(TESTS)))
    _, _, progress = play(suite=suite)
    assert progress.evaluations[-1].distinct_starts == len(TESTS)


@pytest.mark.parametrize("num_envs", [1, 4])
def test_transitions_carry_the_parameters_that_were_in_force(num_envs: int) -> None:
    """The dynamics themselves tell, also in the step that ends an episode."""
    agent, _, _ = play(Rightwards, suite=with_envs(num_envs))
    ends = 0
    for batch in agent.batches:
        following = cartpole.push(batch.obs.astype(np.float64), batch.action == 1, batch.parameters)
        rows = batch.active
        np.testing.assert_allclose(batch.next_obs[rows], following[rows], rtol=1e-4, atol=1e-5)
        assert batch.parameters.shape == (num_envs, 2)
        ends += int((batch.terminated | batch.truncated).sum())
    assert ends > 40
    assert agent.task.parameter_space is PARAMETERS
    assert agent.task.kind == "curriculum"


@pytest.mark.parametrize("num_envs", [1, 4, 7])
@pytest.mark.parametrize("make", [Noting, Rightwards])
def test_a_teacher_is_told_of_every_episode_that_ended_once(make: Any, num_envs: int) -> None:
    agent, teacher, progress = play(make, suite=with_envs(num_envs), seed=1)
    episodes = episodes_in(agent.batches)
    assert len(episodes) > 30
    assert teacher.told == [tuple(episode[1:]) for episode in episodes]
    assert len({e.success for e in episodes}) == 2
    assert progress.training.returns == tuple(e.score for e in episodes)
    assert progress.training.ends == tuple(e.end for e in episodes)
    assert sum(batch.active.sum() for batch in agent.batches) == progress.budget_used == 900


@pytest.mark.parametrize("num_envs", [1, 4])
def test_every_proposal_is_one_episode(num_envs: int) -> None:
    agent, teacher, _ = play(suite=with_envs(num_envs))
    begun = [
        tuple(batch.parameters[slot])
        for batch in agent.batches
        for slot in np.flatnonzero(batch.first)
    ]
    assert begun == teacher.proposed[: len(begun)]
    assert len(teacher.proposed) - len(begun) <= num_envs  # begun in the last step
    assert len(set(begun)) == len(begun)


def lone_curriculum(budget: int) -> tuple[MeteredEnv, Notes]:
    """Return environments under a teacher; only the budget is another, not their streams."""
    task = CARTPOLE.tasks[0]
    env = CARTPOLE.make(task, split="train", num_envs=4, seed=0)
    notes: list[Notes] = []

    def teacher(info, *, seed):
        notes.append(Notes(uniform(info, seed=seed)))
        return notes[-1]

    info = replace(task_info(CARTPOLE, task, env), budget=budget)
    return MeteredEnv(Curriculum(env, teacher, info, seed=1), budget), notes[0]


def push_right(meter: MeteredEnv) -> Iterator[np.ndarray]:
    """Spend the budget; yield which slots ended in each vector step."""
    meter.reset()
    while True:
        try:
            _, _, _, _, info = meter.step(np.ones(4, dtype=int))
        except BudgetExhausted:
            return
        yield info["ended"]


def test_what_the_last_vector_step_does_beyond_the_budget_is_not_reported() -> None:
    meter, whole = lone_curriculum(2000)
    steps = list(push_right(meter))
    # A vector step in which one slot ends an episode, and another after it does.
    step = next(t for t, ended in enumerate(steps) if ended.sum() == 2 and t > 10)
    one, other = np.flatnonzero(steps[step])
    budget = 4 * step + int(other)  # the first is paid for, the other is not
    meter, cut = lone_curriculum(budget)
    again = list(push_right(meter))
    assert meter.used == budget
    np.testing.assert_array_equal(np.flatnonzero(again[-1]), [one])
    told = sum(int(ended.sum()) for ended in steps[:step]) + 1
    assert cut.told == whole.told[:told]
    assert meter.training().episodes == told


@pytest.mark.parametrize(("budget", "every"), [(9_000, 1), (18_000, 2), (50_000, 4)])
def test_the_record_keeps_at_most_a_thousand_proposals_evenly(budget: int, every: int) -> None:
    protocol = replace(CARTPOLE.protocol, eval_points=(), train_envs=8)
    suite = replace(CARTPOLE, protocol=protocol).make_unofficial({"budget": budget})
    agent, _, progress = play(Rightwards, suite=suite)
    episodes = episodes_in(agent.batches)
    kept = progress.proposals
    assert kept is not None
    assert kept.every == every
    assert 500 <= len(kept.ends) <= 1000
    expected = episodes[every - 1 :: every]
    assert kept.ends == tuple(e.end for e in expected)
    assert kept.parameters == tuple(e.parameters for e in expected)
    assert kept.returns == tuple(e.score for e in expected)
    assert kept.lengths == tuple(e.length for e in expected)
    assert kept.successes == tuple(e.success for e in expected)


class Wrong(ProgressTeacher):
    """A teacher that goes wrong after some episodes."""

    def __init__(self, task: TaskInfo, seed: int, what: Any, after: int) -> None:
        super().__init__(task, seed)
        self.what, self.after = what, after

    def propose(self, n):
        right = super().propose(n)
        return self.what(right) if self.reports >= self.after and self.what else right

    def report(self, *episodes):
        super().report(*episodes)
        if self.what is None and self.reports >= self.after:
            raise ValueError("cannot count")


def raising(proposed: np.ndarray) -> np.ndarray:
    raise RuntimeError("no idea")


@pytest.mark.parametrize("num_envs", [1, 4])
@pytest.mark.parametrize("after", [0, 10])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda right: right + 100.0, "propose answered parameters outside Box"),
        (lambda right: right - 100.0, "propose answered parameters outside Box"),
        (lambda right: right * np.nan, "propose answered parameters outside Box"),
        (lambda right: right * np.inf, "propose answered parameters outside Box"),
        (lambda right: right[:, :1], r"propose answered shape \(\d, 1\), not \(\d, 2\)"),
        (lambda right: right[0], r"propose answered shape \(2,\), not \(\d, 2\)"),
        (lambda right: np.tile(right, (2, 1)), r"propose answered shape \(\d, 2\), not \(\d, 2\)"),
        (lambda right: None, "propose (raised|answered)"),
        (lambda right: [["a", "b"]] * len(right), "propose raised ValueError"),
        (raising, "propose raised RuntimeError: no idea"),
        (None, "report raised ValueError: cannot count"),
    ],
)
def test_a_teacher_that_goes_wrong_is_named(
    what: Any, message: str, after: int, num_envs: int
) -> None:
    suite, progress = with_envs(num_envs), Progress()
    teachers: list[Wrong] = []

    def make(task, *, seed):
        teachers.append(Wrong(task, seed, what, after))
        return teachers[-1]

    with pytest.raises(TeacherError, match=message):
        run_online(
            suite, suite.tasks[0], cartpole.make_agent, config={}, seed=0, device="cpu",
            progress=progress, teacher=make,
        )  # fmt: skip
    assert after <= teachers[0].reports < after + num_envs + (what is None)
    if after:
        assert progress.phase == "train"
        assert 0 < progress.budget_used < 900


def test_a_teacher_that_cannot_be_made_is_named() -> None:
    with pytest.raises(TeacherError, match=r"making the teacher raised TypeError: .*'colour'"):
        play(teacher=partial(uniform, colour="red"))


def test_a_curriculum_without_a_teacher_says_so() -> None:
    with pytest.raises(UsageError, match="cartpole-curriculum@1 is a curriculum: name a --teacher"):
        run_online(
            SHORT, SHORT.tasks[0], cartpole.make_agent, config={}, seed=0, device="cpu",
            progress=Progress(),
        )  # fmt: skip


def test_environments_without_parameters_are_no_curriculum() -> None:
    suite = replace(TOY, protocol=replace(TOY.protocol, kind="curriculum"))
    with pytest.raises(InvalidEnvironment, match="toy@1 does not say its task parameters"):
        play(suite=suite)


def test_a_run_is_a_function_of_seed_agent_and_teacher() -> None:
    first, second, other_seed = (play(seed=seed).progress for seed in (0, 0, 1))
    other_teacher = play(teacher=cartpole.make_teacher).progress
    assert outcome(first) == outcome(second)
    for other in (other_seed, other_teacher):
        assert other.proposals.parameters[0] != first.proposals.parameters[0]
        assert other.training != first.training


def test_teachers_do_not_change_where_episodes_begin() -> None:
    """The slots' own streams, whatever is proposed; that of the teacher is another still."""
    one, other = (play(teacher=t, suite=with_envs(4)) for t in (uniform, cartpole.make_teacher))
    begins = [
        [tuple(b.obs[0]) for b in played.agent.batches if b.first[0]] for played in (one, other)
    ]
    shared = min(map(len, begins))
    assert shared > 3
    assert begins[0][:shared] == begins[1][:shared]


@pytest.mark.parametrize("teacher", [uniform, cartpole.make_teacher])
def test_what_is_learned_is_worth_something(teacher: Any) -> None:
    """From about 30 steps of random pushes to more than 90 of 100."""
    make_random = load_factory("random")
    for seed in range(2):
        learned = play(teacher=teacher, suite=CARTPOLE, seed=seed).progress
        drawn = play(
            lambda task, seed: make_random(task, seed=seed, device="cpu"), teacher,
            suite=CARTPOLE, seed=seed,
        ).progress  # fmt: skip
        assert [e.budget_used for e in learned.evaluations] == [2500, 5000, 10_000]
        assert fmean(learned.evaluations[-1].returns) > 85
        assert max(fmean(e.returns) for e in drawn.evaluations) < 50
        assert any(learned.proposals.successes)


def test_a_teacher_of_progress_proposes_what_is_being_learned() -> None:
    """Not evenly, as the uniform one does."""

    def unevenness(teacher: Any, seed: int) -> float:
        proposed = np.array(play(teacher=teacher, suite=CARTPOLE, seed=seed).teacher.proposed)
        space = list(zip(PARAMETERS.low, PARAMETERS.high, strict=True))
        counts = np.histogram2d(*proposed.T, bins=3, range=space)[0]
        return float(counts.std() / counts.mean())

    eager = partial(cartpole.make_teacher, quick=0.5, even=0.1)
    seeds = range(2)
    assert sum(unevenness(eager, s) for s in seeds) > 1.5 * sum(
        unevenness(uniform, s) for s in seeds
    )


class OwnLoop:
    """Steps until the environment says that the budget is spent; begins anew now and then."""

    def __init__(self, task: TaskInfo, seed: int, *, reset_every: int = 10**9) -> None:
        self.reset_every = reset_every
        self.batches: list[Transitions] = []

    def act(self, obs, first, *, phase):
        return np.ones(len(obs), dtype=np.int64)

    def train(self, env) -> None:
        obs, _ = env.reset()
        first = np.ones(env.num_envs, dtype=np.bool_)
        for step in range(1, 10**9):
            action = np.ones(env.num_envs, dtype=int)
            following, reward, terminated, truncated, info = env.step(action)
            ended = terminated | truncated
            self.batches.append(Transitions(
                obs, action, reward, terminated, truncated, following, ended, first,
                info["active"], info["parameters"],
            ))  # fmt: skip
            obs, first = following, ended
            if step % self.reset_every == 0:
                obs, _ = env.reset()
                first = np.ones(env.num_envs, dtype=np.bool_)


def test_own_loops_and_ours_see_the_same_curriculum() -> None:
    ours, own = play(Rightwards), play(OwnLoop)
    assert outcome(own.progress) == outcome(ours.progress)
    assert own.teacher.told == ours.teacher.told
    assert episodes_in(own.agent.batches) == episodes_in(ours.agent.batches)


def test_episodes_that_an_own_loop_drops_are_not_reported() -> None:
    agent, teacher, progress = play(partial(OwnLoop, reset_every=17))
    ended = sum(int((b.terminated | b.truncated).sum()) for b in agent.batches)
    assert len(teacher.told) == len(progress.proposals.ends) == ended > 5
    firsts = sum(int(b.first.sum()) for b in agent.batches)
    assert firsts > ended + 4  # some were dropped
    assert max(length for _, _, length, _, _ in teacher.told) <= 17
    assert all(score == length for _, score, length, _, _ in teacher.told)


# When a run is asked to leave, and what it goes on from.
MOMENTS: dict[str, tuple[Callable[[Progress], bool], int]] = {
    "before the first step": (lambda p: p.phase == "train", 0),
    "between steps": (lambda p: p.budget_used == 148, 148),
    "inside an evaluation": (lambda p: p.episodes > 0, 80),
    "after an evaluation": (lambda p: len(p.evaluations) == 2, 160),
    "inside the last evaluation": (lambda p: p.episodes > 0 and p.budget_used == 240, 240),
}


def every_in(moment: str) -> float:
    """Return how often to keep checkpoints: who leaves inside an evaluation keeps none there."""
    return 0.0 if "inside" in moment else SELDOM


def leave_at(moment: Callable[[Progress], bool], progress: Progress) -> Callable[[], None]:
    def tick() -> None:
        if moment(progress):
            raise Leave

    return tick


def interrupt(
    moment: Callable[[Progress], bool], folder: Path, *, every: float = SELDOM, **options: Any
) -> Played:
    """Run until a moment, and leave; return what there was."""
    progress, kept = Progress(), []
    with pytest.raises(Leave):
        play(
            progress=progress, tick=leave_at(moment, progress), kept=kept,
            checkpoints=Checkpoints(folder, every=every), **options,
        )  # fmt: skip
    return Played(kept[1], kept[0], progress)


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_ends_as_if_nothing_had_been(moment: str, tmp_path: Path) -> None:
    when, kept = MOMENTS[moment]
    teacher = cartpole.make_teacher
    expected = play(teacher=teacher)
    interrupt(when, tmp_path, teacher=teacher, every=every_in(moment))
    again = play(teacher=teacher, checkpoints=Checkpoints(tmp_path, every=SELDOM))
    assert again.progress.resumed == kept
    assert outcome(again.progress) == outcome(expected.progress)
    assert again.progress.parts == ()
    # The teacher is not loaded: it is told everything again.
    assert again.teacher.told == expected.teacher.told
    assert again.teacher.proposed == expected.teacher.proposed
    np.testing.assert_array_equal(again.agent.mean, expected.agent.mean)


def test_a_run_may_be_interrupted_again_and_again(tmp_path: Path) -> None:
    expected = play(teacher=cartpole.make_teacher).progress
    attempts = 0
    while attempts < 100:
        attempts += 1
        left = iter(range(10 + 20 * attempts))  # ticks, those of playing again among them
        progress = Progress()

        def tick(left=left) -> None:
            if next(left, None) is None:
                raise Leave

        with suppress(Leave):
            play(
                teacher=cartpole.make_teacher, progress=progress, tick=tick,
                checkpoints=Checkpoints(tmp_path, every=0.0),
            )  # fmt: skip
            break
    assert 3 < attempts < 100
    assert outcome(progress) == outcome(expected)


def test_a_teacher_that_proposes_otherwise_makes_a_checkpoint_stale(tmp_path: Path) -> None:
    """Another teacher is another run; here the same one draws from elsewhere."""
    interrupt(MOMENTS["between steps"][0], tmp_path)
    with pytest.raises(StaleCheckpoint, match="replaying the first 148 steps led elsewhere"):
        play(
            teacher=lambda task, *, seed: uniform(task, seed=seed + 1),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "teacher"),
    [("between steps", uniform), *((moment, cartpole.make_teacher) for moment in MOMENTS)],
)
def test_a_suite_without_replay_goes_on_in_new_episodes(
    moment: str, teacher: Any, tmp_path: Path
) -> None:
    when, at = MOMENTS[moment]
    before = interrupt(
        when, tmp_path / "first", suite=ONWARD, teacher=teacher, every=every_in(moment)
    )
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    after, twin = (
        play(suite=ONWARD, teacher=teacher, checkpoints=Checkpoints(folder, every=SELDOM))
        for folder in (tmp_path / "first", tmp_path / "second")
    )
    assert outcome(after.progress) == outcome(twin.progress)
    assert (after.progress.parts, after.progress.resumed) == ((at,), at)
    assert after.progress.budget_used == 240
    assert [e.budget_used for e in after.progress.evaluations] == [80, 160, 240]
    done = len(before.progress.evaluations)
    assert after.progress.evaluations[:done] == before.progress.evaluations
    # Nothing is played twice, and nothing is lost of what the teacher was told.
    assert sum(int(batch.active.sum()) for batch in before.agent.batches) == at
    assert sum(int(batch.active.sum()) for batch in after.agent.batches) == 240 - at
    told = before.teacher.told + after.teacher.told
    kept = after.progress.proposals
    assert kept.parameters == tuple(parameters for parameters, *_ in told)
    assert kept.returns == after.progress.training.returns == tuple(t[1] for t in told)
    assert kept.lengths == tuple(t[2] for t in told)
    assert kept.ends == after.progress.training.ends == tuple(sorted(kept.ends))
    assert after.progress.training.episodes == len(told)
    # The teacher goes on with its draws, the environments begin elsewhere.
    assert not set(before.teacher.proposed) & set(after.teacher.proposed)
    starts = [
        {tuple(batch.obs[slot]) for batch in played.agent.batches for slot in range(4)}
        for played in (before, after)
    ]
    assert not starts[0] & starts[1]


def test_teacher_and_agent_are_as_they_were_after_going_on(tmp_path: Path) -> None:
    at: list[tuple[Any, ...]] = []

    class Shows(ProgressTeacher):
        def load(self, folder):
            super().load(folder)
            at.append((self.memories.tolist(), self.reports, self.random.bit_generator.state))

    def make(task, *, seed):
        return Shows(task, seed)

    before = interrupt(MOMENTS["between steps"][0], tmp_path, suite=ONWARD, teacher=make)
    left = before.teacher.teacher
    after = play(suite=ONWARD, teacher=make, checkpoints=Checkpoints(tmp_path, every=SELDOM))
    (loaded,) = at
    assert loaded == (left.memories.tolist(), left.reports, left.random.bit_generator.state)
    assert after.teacher.teacher.reports == after.progress.training.episodes > left.reports > 0
    assert after.agent.steps == 240 // 4


def test_a_suite_without_replay_may_be_interrupted_again_and_again(tmp_path: Path) -> None:
    stops = [40, 84, 88, 200]
    for stop in stops:
        interrupt(lambda p, stop=stop: p.budget_used == stop, tmp_path, suite=ONWARD)
    last = play(suite=ONWARD, checkpoints=Checkpoints(tmp_path, every=SELDOM)).progress
    assert last.parts == tuple(stops)
    assert [e.budget_used for e in last.evaluations] == [80, 160, 240]
    assert last.training.episodes == len(last.proposals.ends)


def test_without_replay_a_teacher_that_cannot_be_saved_begins_anew(tmp_path: Path) -> None:
    class Forgets:
        def __init__(self, task, seed):
            self.inner = uniform(task, seed=seed)
            self.propose, self.report = self.inner.propose, self.inner.report

    def make(task, *, seed):
        return Forgets(task, seed)

    for suite, resumed in ((ONWARD, 0), (SHORT, 148)):
        folder = tmp_path / suite.name
        interrupt(MOMENTS["between steps"][0], folder, suite=suite, teacher=make)
        assert folder.exists() == bool(resumed)
        again = play(
            suite=suite, teacher=make, checkpoints=Checkpoints(folder, every=SELDOM)
        ).progress  # fmt: skip
        assert again.resumed == resumed
        assert again.parts == ()
        assert outcome(again) == outcome(play(suite=suite, teacher=make).progress)


def test_a_teacher_that_cannot_load_makes_a_checkpoint_stale(tmp_path: Path) -> None:
    class Forgetful(ProgressTeacher):
        def load(self, folder):
            raise ValueError("no such state")

    interrupt(MOMENTS["between steps"][0], tmp_path, suite=ONWARD)
    with pytest.raises(StaleCheckpoint, match="the teacher's load raised ValueError"):
        play(
            suite=ONWARD, teacher=lambda task, *, seed: Forgetful(task, seed),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip


@pytest.mark.parametrize("damage", ["torn", "gone"])
def test_a_checkpoint_whose_teacher_was_damaged_is_passed_over(damage: str, tmp_path: Path) -> None:
    interrupt(MOMENTS["between steps"][0], tmp_path, suite=ONWARD)
    path = tmp_path / "148-0/teacher/random.json"
    path.write_text("{") if damage == "torn" else path.unlink()
    again = play(suite=ONWARD, checkpoints=Checkpoints(tmp_path, every=0.0)).progress
    assert again.resumed == 0
    assert outcome(again) == outcome(play(suite=ONWARD).progress)


def test_a_teacher_that_raises_when_it_is_saved_is_named(tmp_path: Path) -> None:
    class Unsaved(ProgressTeacher):
        def save(self, folder):
            raise ValueError("too much to say")

    with pytest.raises(TeacherError, match="save raised ValueError: too much to say"):
        play(
            suite=ONWARD, teacher=lambda task, *, seed: Unsaved(task, seed),
            checkpoints=Checkpoints(tmp_path, every=0.0),
        )  # fmt: skip


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the command find the suites of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in register(tmp_path_factory.mktemp("site")).items():
            patch.setenv(name, value)
        yield


def test_the_teacher_and_its_options_are_part_of_the_key(commands: None) -> None:
    agent = resolve("support.cartpole:make_agent", {}).id
    spec = "support.cartpole:make_teacher"
    teachers = [
        resolve_teacher("uniform", {}).id,
        resolve_teacher(spec, {}).id,
        resolve_teacher(spec, {"bins": 4}).id,
        resolve_teacher(spec, {"bins": 5}).id,
        resolve_teacher("support.cartpole:CrossEntropy", {}).id,
    ]
    keys = {
        identities(CARTPOLE, CARTPOLE.tasks, who, [seed], teacher)[0].key
        for who in (agent, resolve("support.cartpole:make_agent", {"population": 8}).id)
        for teacher in teachers
        for seed in (0, 1)
    }
    assert len(keys) == 2 * len(teachers) * 2
    again = identities(
        CARTPOLE, CARTPOLE.tasks, agent, [0], resolve_teacher(spec, {"bins": 4}).id
    )[0]  # fmt: skip
    assert again.key in keys
    assert (teachers[0].version, teachers[0].source) == ("1", None)
    assert teachers[1].source is not None  # a file without a version


@pytest.fixture
def here(commands: None, tmp_path: Path) -> Path:
    """Return a folder to run the command in."""
    return tmp_path


AGENT = "support.cartpole:make_agent"
PROGRESS = "support.cartpole:make_teacher"


def run(cwd: Path, *arguments: str, suite: str = "cartpole-curriculum", code: int = 0):
    """Run the agent on a suite by command."""
    options = ("--suite", suite, "--agent", AGENT, "--jobs", "1")
    return rlbench("run", *options, *arguments, cwd=cwd, code=code)


def records_in(folder: Path) -> list[Record]:
    loaded = Store(folder / "runs").load()
    assert loaded.problems == []
    return sorted(loaded.records, key=lambda record: record.timing["started"])


def test_the_command_records_what_the_loop_gives(here: Path) -> None:
    run(here, "--teacher", "uniform", "--seeds", "2-2")
    (record,) = records_in(here)
    expected = play(lambda task, seed: CrossEntropy(task, seed), suite=CARTPOLE, seed=2).progress
    assert (record.status, record.budget_used) == ("ok", 10_000)
    assert record.evaluations == tuple(expected.evaluations)
    assert record.training == expected.training
    assert record.proposals == expected.proposals
    assert record.replay == expected.replay
    (path,) = here.glob("runs/cartpole-curriculum-1/cartpole/hold/*.json")
    assert Record.from_bytes(path.read_bytes()) == record
    content = json.loads(path.read_bytes())
    assert content["teacher"] == {
        "name": "uniform", "version": "1", "spec": "uniform", "config": {}, "source": None,
        "factory": "rlbench.runners.teachers.uniform:make", "given": [],
    }  # fmt: skip
    kept = content["proposals"]
    assert kept == json.loads(json.dumps(asdict(expected.proposals)))
    assert kept["every"] == 1
    assert len(kept["ends"]) == record.training.episodes
    assert len({len(kept[name]) for name in kept if name != "every"}) == 1


def test_the_options_of_teacher_and_agent_reach_them(here: Path) -> None:
    arguments = ("--teacher", PROGRESS, "--seeds", "1", "-o", "population=16")
    run(here, *arguments, "-o", "teacher.bins=2", "-o", "teacher.quick=0.5")
    run(here, *arguments)
    # Both may start in one second, so they are told apart by what they were given.
    records = sorted(records_in(here), key=lambda r: not r.identity.teacher.config)
    assert [r.identity.teacher.config for r in records] == [{"bins": 2, "quick": 0.5}, {}]
    assert {tuple(r.identity.agent.config.items()) for r in records} == {(("population", 16),)}
    assert len({r.identity.key for r in records}) == 2
    expected = play(
        lambda task, seed: CrossEntropy(task, seed, population=16),
        partial(cartpole.make_teacher, bins=2, quick=0.5), suite=CARTPOLE,
    ).progress  # fmt: skip
    assert records[0].proposals == expected.proposals
    assert records[0].evaluations == tuple(expected.evaluations)
    assert records[0].proposals != records[1].proposals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "cartpole-curriculum@1 is a curriculum: name a --teacher, e.g. uniform"),
        (("-o", "teacher.bins=2"), "is a curriculum: name a --teacher"),
        (("--teacher", "uniforn"), "unknown teacher 'uniforn'. Did you mean 'uniform'?"),
        (("--teacher", "support.cartpole:make_teachers"), "unknown factory"),
    ],
)
def test_the_command_says_what_is_wrong_with_a_teacher(
    arguments: tuple[str, ...], message: str, here: Path
) -> None:
    out = run(here, *arguments, code=2)
    assert message in out.stderr
    assert len(out.stderr.strip().splitlines()) == 1
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("suite", "arguments"),
    [
        ("pendulum-offline", ("--teacher", "uniform")),
        ("pendulum-offline", ("-o", "teacher.bins=2")),
        ("atari100k", ("--teacher", "uniform")),
    ],
)
def test_other_suites_take_no_teacher(suite: str, arguments: tuple[str, ...], here: Path) -> None:
    out = run(here, *arguments, suite=suite, code=2)
    assert f"{suite}@1 is not a curriculum and takes no teacher" in out.stderr


def test_again_starts_from_the_runs_of_a_store(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="needs the extra teachers")
    for entry in os.environ["PYTHONPATH"].split(os.pathsep):  # `export` is called in this process
        monkeypatch.syspath_prepend(entry)
    short = ("--unofficial", "budget=3000")
    run(here, "--teacher", "uniform", "--seeds", "2", *short)
    options = ("--suite", "cartpole-curriculum", "--proposals", "history.json", *short)
    out = rlbench("export", *options, cwd=here)
    assert "the proposals of 2 runs in history.json" in out.stdout
    first = (here / "history.json").read_bytes()
    rlbench("export", *options, cwd=here)
    assert (here / "history.json").read_bytes() == first
    earlier = records_in(here)
    again = ("-o", "teacher.history=@history.json", "-o", "teacher.pretest=20")
    run(here, "--teacher", "again", "--seeds", "5-5", *again, *short)
    (record,) = (r for r in records_in(here) if r not in earlier)
    teacher = record.identity.teacher
    assert record.status == "ok"
    assert teacher is not None
    assert teacher.given == ("earlier_data",)
    assert teacher.config["history"] == {
        "file": "history.json", "sha256": hashlib.sha256(first).hexdigest(),
    }  # fmt: skip
    found = {one["key"]: one["sha256"] for one in json.loads(first)["curricula"]}
    assert found == {r.identity.key: r.sha256 for r in earlier}
    error = rlbench("export", "--suite", "cartpole-curriculum", cwd=here, code=2).stderr
    assert "name the file to write: --csv FILE or --proposals FILE" in error


def test_a_teacher_that_goes_wrong_is_recorded(here: Path) -> None:
    (here / "wild.py").write_text(
        "from support.cartpole import ProgressTeacher\n\nclass Wild(ProgressTeacher):\n"
        "    def propose(self, n):\n"
        "        return super().propose(n) + (self.reports >= 20) * 100\n\n"
        "def make(task, *, seed):\n    return Wild(task, seed)\n"
    )
    out = run(here, "--teacher", "wild", "--seeds", "1", code=1)
    (record,) = records_in(here)
    assert record.status == "failed"
    assert record.error.phase == "train"
    assert record.error.step == record.budget_used > 0
    assert record.error.reason.startswith("propose answered parameters outside Box")
    assert record.error.reason in out.stderr
    assert record.identity.teacher.name == "wild"


@pytest.mark.parametrize("suite", ["cartpole-curriculum", "cartpole-onward"])
def test_a_worker_that_is_asked_to_leave_is_followed_by_one_that_goes_on(
    suite: str, here: Path
) -> None:
    run(here, "--teacher", PROGRESS, "--seeds", "1", "-o", "leave_at=900", suite=suite)
    (record,) = records_in(here)
    assert (record.status, record.budget_used, record.timing["attempts"]) == ("ok", 10_000, 2)
    chosen = {s.name: s for s in (CARTPOLE, CARTPOLE_ONWARD)}[suite]
    undisturbed = play(
        lambda task, seed: CrossEntropy(task, seed), cartpole.make_teacher, suite=chosen
    ).progress
    assert record.evaluations[0] == undisturbed.evaluations[0]
    if chosen.replays:
        assert "resumed_at" not in record.provenance
        assert record.evaluations == tuple(undisturbed.evaluations)
        assert record.proposals == undisturbed.proposals
    else:
        assert record.provenance["resumed_at"] == "3600"
        until = sum(end <= 3600 for end in undisturbed.training.ends)
        assert record.proposals.parameters[:until] == undisturbed.proposals.parameters[:until]
        assert record.proposals != undisturbed.proposals
        assert len(record.proposals.ends) == record.training.episodes
