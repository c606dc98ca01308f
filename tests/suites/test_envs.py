"""What `Suite.make` returns, whatever a suite's author gives it."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from support.counting import OBS_DIM, OTHER, Counting, counting, suite_of, vector

from rlbench.errors import InvalidEnvironment, UsageError
from rlbench.runners import Progress, Transitions, run_online
from rlbench.runners.agents.random import RandomAgent
from rlbench.suites import Suite
from rlbench.suites.envs import (
    Environments,
    EpisodeClock,
    Parametrised,
    Retiring,
    make_slots,
    slot_seeds,
)

MODES = list(AutoresetMode)
KINDS = ("sync", "async")
SIZES = (1, 2, OBS_DIM, 4)


def made(suite: Suite, n: int, seed: int = 0, split: Any = "train") -> Any:
    return suite.make(suite.tasks[0], split=split, num_envs=n, seed=seed)


def trajectory(env: Any, actions: np.ndarray) -> list[tuple[Any, ...]]:
    """Return obs, reward, terminated, truncated and info of a reset and of each step."""
    obs, info = env.reset()
    n = env.num_envs
    zeros = np.zeros(n, dtype=bool)
    rows = [(obs, np.zeros(n), zeros, zeros, info)]
    rows += [env.step(action) for action in actions]
    env.close()
    return rows


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize("kind", KINDS)
def test_every_mode_of_gymnasium_comes_out_alike(kind: str, mode: AutoresetMode, n: int) -> None:
    """Ends reset within the step, final observations are true, and no step is spent on a reset."""
    rows = trajectory(made(counting(kind, mode), n), np.zeros((30, n), dtype=np.int64))
    ends = 0
    before = rows[0][0]
    assert (before[:, 1] == 0).all()
    for obs, reward, terminated, truncated, info in rows[1:]:
        assert obs.dtype == np.float32
        assert obs.shape == (n, OBS_DIM)
        assert not truncated.any()
        assert (reward == before[:, 1] + 1).all()
        assert (terminated == (before[:, 1] + 1 == before[:, 2])).all()
        going_on = ~terminated
        assert (obs[going_on] == before[going_on] + [0, 1, 0]).all()
        if terminated.any():
            final = info["final_obs"]
            assert (final.dtype, final.shape) == (np.float32, obs.shape)
            assert (final[terminated] == before[terminated] + [0, 1, 0]).all()
            assert (obs[terminated, 1] == 0).all()
            assert (obs[terminated, 0] != before[terminated, 0]).all()
        before, ends = obs, ends + int(terminated.sum())
    assert ends >= 5 * n


class Keeper(RandomAgent):
    """Keeps what it could learn from; it never lets an episode end."""

    def __init__(self, task: Any, *, seed: int) -> None:
        super().__init__(task, seed=seed)
        self.batches: list[Transitions] = []

    def act(self, obs: Any, first: Any, *, phase: Any) -> Any:
        return super().act(obs, first, phase=phase) % 3

    def observe(self, batch: Transitions) -> None:
        self.batches.append(batch)


@pytest.mark.parametrize("n", [1, OBS_DIM])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_an_agent_learns_from_numbers(mode: AutoresetMode, n: int) -> None:
    """With 1 environment, or as many as an observation has entries, arrays came within arrays."""
    suite = counting("sync", mode, train_envs=n)
    agents: list[Keeper] = []

    def make(task: Any, *, seed: int, device: str) -> Keeper:
        agents.append(Keeper(task, seed=seed))
        return agents[-1]

    run_online(suite, suite.tasks[0], make, config={}, seed=0, device="cpu", progress=Progress())
    for batch in agents[0].batches:
        assert batch.next_obs.dtype == np.float32
        assert (batch.next_obs == batch.obs + np.array([0, 1, 0]))[batch.active].all()
        assert (batch.reward > 0)[batch.active].all()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize("kind", KINDS)
def test_the_time_limit_of_the_protocol_holds(kind: str, mode: AutoresetMode) -> None:
    n = 2
    rows = trajectory(made(counting(kind, mode), n), np.full((30, n), 3))
    for t, (obs, _, terminated, truncated, info) in enumerate(rows):
        assert not terminated.any()
        assert (truncated == (t > 0 and t % 9 == 0)).all()
        assert (obs[:, 1] == t % 9).all()
        if truncated.any():
            assert (info["final_obs"][:, 1] == 9).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_streams_are_those_of_the_suite(kind: str) -> None:
    def numbers(n: int, seed: int, split: Any) -> np.ndarray:
        suite = counting(kind, AutoresetMode.NEXT_STEP)
        rows = trajectory(made(suite, n, seed, split), np.zeros((12, n), dtype=np.int64))
        return np.array([row[0][:, 0] for row in rows])

    first = numbers(2, 0, "train")
    assert (numbers(2, 0, "train") == first).all()
    assert (numbers(3, 0, "train")[:, :2] == first).all()
    others = [first[:, 1], numbers(1, 1, "train")[:, 0], numbers(1, 0, "eval")[:, 0]]
    assert not any((other == first[:, 0]).any() for other in others)


# --- Slots of one environment.


def slots(n: int, *, workers: int = 0, limit: int = 9, **options: Any) -> Any:
    stream = np.random.SeedSequence(5)
    return make_slots(
        options.pop("make_one", Counting), num_envs=n, split="eval", stream=stream,
        max_episode_steps=limit, workers=workers, **options,
    )  # fmt: skip


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


@pytest.mark.parametrize("n", SIZES)
def test_slots_play_as_their_environments_do_alone(n: int) -> None:
    actions = np.random.default_rng(0).integers(0, 4, (40, n))
    rows = trajectory(slots(n), actions)
    seeds = slot_seeds(np.random.SeedSequence(5), n, "eval")
    for slot, seed in enumerate(seeds.tolist()):
        env = Counting()
        obs, info = env.reset(seed=seed)
        length = 0
        for t, row in enumerate(rows):
            assert (row[0][slot] == obs).all()
            assert row[4]["start"][slot] == info["start"]
            if t == len(actions):
                break
            final, reward, over, _, said = env.step(actions[t][slot])
            length += 1
            late = length == 9 and not over
            after = rows[t + 1]
            assert [after[i][slot] for i in (1, 2, 3)] == [reward, over, late]
            obs = final
            if over or late:
                assert (after[4]["final_obs"][slot] == final).all()
                obs, info = env.reset()
                length = 0
            else:
                assert after[4]["life_lost"][slot] == said["life_lost"]
            if over:
                assert after[4]["success"][slot] == said["success"]
                assert after[4]["measures"]["twice"][slot] == 2 * final[1]


def test_only_what_the_contract_names_is_handed_on() -> None:
    """What else an environment says may hold what an agent is not to know."""
    names = {"final_obs", "start", "life_lost", "success", "measures"}
    for env in (slots(2), made(counting("sync", AutoresetMode.SAME_STEP), 2)):
        assert set().union(*(row[4] for row in trajectory(env, np.zeros((20, 2))))) == names


def test_workers_change_nothing() -> None:
    actions = np.random.default_rng(0).integers(0, 3, (25, 4))
    env = slots(4, workers=3)
    processes = [process for _, process in env._workers]
    assert len(processes) == 3
    assert same(trajectory(env, actions), trajectory(slots(4), actions))
    assert not any(process.is_alive() for process in processes)


@pytest.mark.parametrize("workers", [0, 2])
def test_retired_slots_stop_and_the_others_go_on(workers: int) -> None:
    actions = np.zeros((30, 3), dtype=int)
    whole = trajectory(slots(3), actions)
    env = slots(3, workers=workers)
    env.reset()
    for t, row in enumerate(whole[1:]):
        if t == 4:
            env.retire(np.array([True, False, False]))
        if t == 9:
            env.retire(np.array([True, False, True]))
        kept = slice(0, 3) if t < 4 else slice(1, 3) if t < 9 else slice(1, 2)
        assert same([part[kept] for part in env.step(actions[t])[:4]], [p[kept] for p in row[:4]])
    assert env.step(actions[0])[1][0] == 0
    env.close()


class Steep(Counting):
    """It begins at a clock that is its parameter."""

    parameter_space = Box(0.0, 4.0, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None):
        _, info = super().reset(seed=seed)
        self.clock = int(options["parameters"][0])
        return self._obs(), info


@pytest.mark.parametrize("workers", [0, 2])
def test_slots_of_a_curriculum_begin_by_their_parameters(workers: int) -> None:
    env = slots(2, workers=workers, make_one=Steep, restarts=False)
    assert env.parameter_space == Steep.parameter_space
    both, first = np.array([True, True]), np.array([True, False])
    parameters = np.array([[1.0], [0.0]])
    obs, _ = env.reset(options={"reset_mask": both, "parameters": parameters})
    assert obs[:, 1].tolist() == [1, 0]
    obs, _, terminated, _, info = env.step(np.array([3, 3]))
    assert obs[:, 1].tolist() == [2, 1]
    assert not terminated.any()
    assert "final_obs" not in info
    obs, _ = env.reset(options={"reset_mask": first, "parameters": parameters + 2})
    assert obs[:, 1].tolist() == [3, 1]
    env.close()


class Raising(Counting):
    def step(self, action: Any):
        raise ZeroDivisionError("no such step")


class Exiting(Counting):
    def step(self, action: Any):
        raise SystemExit(3)


def test_a_failure_in_a_worker_is_one_line() -> None:
    for make_one, said in ((Raising, "ZeroDivisionError: no such step"), (Exiting, "exit code 3")):
        env = slots(1, workers=2, make_one=make_one)
        env.reset()
        with pytest.raises(InvalidEnvironment, match=said):
            env.step(np.zeros(1, dtype=int))
        env.close()


class Misshapen(Counting):
    def _obs(self) -> np.ndarray:
        return np.zeros(1, dtype=np.float32)


class Worded(Counting):
    observation_space = gymnasium.spaces.Dict({"clock": Box(0, 1)})


def test_observations_are_one_array_of_their_space() -> None:
    with pytest.raises(InvalidEnvironment, match=r"shape \(1,\), not \(3,\)"):
        slots(2, make_one=Misshapen).reset()
    with pytest.raises(InvalidEnvironment, match="observations in Dict are not supported"):
        slots(2, make_one=Worded)
    for env in (slots(1), made(counting("sync", AutoresetMode.DISABLED), 1)):
        with pytest.raises(UsageError, match=r"given to Suite\.make"):
            env.reset(seed=3)


# --- What is refused, and what is seen while it runs.


OWN = suite_of("make_other")


class Own(gymnasium.vector.VectorWrapper):
    """An engine of a suite's own, which says how it resets."""

    unwrapped = property(lambda self: self)

    def __init__(self, mode: Any) -> None:
        super().__init__(vector(SyncVectorEnv, AutoresetMode.NEXT_STEP, 2))
        self.metadata = {} if mode is None else {"autoreset_mode": mode}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Own(AutoresetMode.NEXT_STEP), "Own has autoreset_mode NEXT_STEP"),
        (lambda: Own("Disabled"), "Own has autoreset_mode DISABLED"),
        (lambda: Own("someday"), "no autoreset_mode 'someday'"),
        (Counting, "made a Counting, not a gymnasium.vector.VectorEnv"),
        (lambda: None, "made a NoneType"),
        (lambda: vector(SyncVectorEnv, AutoresetMode.SAME_STEP, 3), "made 3 slots, not 2"),
        (
            lambda: vector(
                AsyncVectorEnv, AutoresetMode.NEXT_STEP, 2, shared_memory=False, context="fork"
            ),
            "without shared memory resets twice",
        ),
    ],
)
def test_what_cannot_be_brought_into_form_is_refused_in_a_line(make: Any, said: str) -> None:
    OTHER[:] = [make]
    with pytest.raises(InvalidEnvironment, match=said) as caught:
        made(OWN, 2)
    assert "\n" not in str(caught.value)


def test_wrapped_vector_environments_are_brought_into_form_too() -> None:
    def make() -> Any:
        env = vector(SyncVectorEnv, AutoresetMode.NEXT_STEP, 2)
        return gymnasium.wrappers.vector.ClipReward(env, max_reward=1.0)

    OTHER[:] = [make]
    rows = trajectory(made(OWN, 2), np.zeros((20, 2), dtype=int))
    assert all((row[1] == 1).all() for row in rows[1:])
    assert all((row[0][:, 1] == 0).all() for row in rows if row[2].all())


def test_infos_are_those_of_all_slots() -> None:
    def make() -> Any:
        env = vector(SyncVectorEnv, AutoresetMode.SAME_STEP, 2)
        return gymnasium.wrappers.vector.DictInfoToList(env)

    OTHER[:] = [make]
    with pytest.raises(InvalidEnvironment, match="infos come as a list"):
        made(OWN, 2).reset()


def test_all_that_is_made_fits_the_protocol() -> None:
    env = made(counting("sync", AutoresetMode.DISABLED), 1)
    assert isinstance(env, Environments)
    assert not isinstance(env, Retiring | Parametrised)
    assert isinstance(slots(1), Environments)
    assert isinstance(slots(1), Retiring)
    assert isinstance(slots(1, make_one=Steep, restarts=False), Parametrised)


def test_an_episode_clock_is_that_of_the_longest() -> None:
    clock = EpisodeClock(2, 3)
    clock.begin()
    for ended in ([False, True], [True, False], [False, False]):
        clock.tick()
        clock.end(np.array(ended))
    clock.tick()
    clock.end(np.array([True, False]))
    with pytest.raises(InvalidEnvironment, match="had more than 3 steps"):
        clock.tick()
