"""The online loop: what the agent sees, what is charged, where it is evaluated."""

from contextlib import nullcontext, suppress
from dataclasses import replace

import numpy as np
import pytest
from support.toy import TOY

from rlbench.errors import AgentError
from rlbench.runners import Progress, TaskInfo, Transitions, run_online


class Watcher:
    """Acts at random and keeps all that it is told."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        self.task, self.seed = task, seed
        self.random = np.random.default_rng(seed)
        self.batches: list[Transitions] = []
        self.phases: list[str] = []

    def act(self, obs, first, *, phase):
        self.phases.append(phase)
        if phase == "eval":
            return np.zeros(len(obs), dtype=int)
        self.seen = (obs, first)
        return self.random.integers(4, size=len(obs))

    def observe(self, batch: Transitions) -> None:
        np.testing.assert_array_equal(batch.obs, self.seen[0])
        np.testing.assert_array_equal(batch.first, self.seen[1])
        self.batches.append(batch)


def play(factory=None, *, suite=TOY, seed: int = 0):
    agents = []

    def keep(task, *, seed, device):
        agents.append((factory or Watcher)(task, seed))
        return agents[-1]

    progress = Progress()
    run_online(
        suite, suite.tasks[0], keep, config={}, seed=seed, device="cpu", progress=progress
    )  # fmt: skip
    return agents[0], progress


@pytest.mark.parametrize("num_envs", [1, 4, 7])
def test_exactly_the_budget_is_trained(num_envs: int) -> None:
    suite = TOY.make_unofficial({"train_envs": num_envs})
    agent, progress = play(suite=suite)
    assert sum(batch.active.sum() for batch in agent.batches) == 50 == progress.budget_used
    assert agent.task.num_envs == num_envs
    assert progress.evaluations[-1].budget_used == 50
    assert len(progress.evaluations[-1].returns) == 6


def test_transitions_hold_the_true_final_observation() -> None:
    agent, _ = play(suite=TOY.make_unofficial({"budget": 300}))
    ends = 0
    for batch, following in zip(agent.batches, agent.batches[1:], strict=False):
        length, clock = batch.obs[0]
        np.testing.assert_array_equal(batch.next_obs[0], [length, clock + 1])
        assert batch.terminated[0] == (clock + 1 == length)
        assert following.first[0] == batch.terminated[0]
        ends += int(batch.terminated[0])
    assert ends > 2
    assert agent.batches[0].first[0]


def test_checkpoints_are_evaluated_and_training_goes_on_where_it_was() -> None:
    protocol = replace(TOY.protocol, eval_points=(10, 20, 50, 70))
    agent, progress = play(suite=replace(TOY, protocol=protocol))
    assert [e.budget_used for e in progress.evaluations] == [10, 20, 50]
    plain, _ = play()
    for with_checkpoints, without in zip(agent.batches, plain.batches, strict=True):
        # Other checkpoints are another digest and so another stream; the flow is the same.
        assert with_checkpoints.obs.shape == without.obs.shape
    for batch, following in zip(agent.batches, agent.batches[1:], strict=False):
        if not following.first[0]:
            np.testing.assert_array_equal(batch.next_obs, following.obs)


def test_a_run_is_a_function_of_its_seed() -> None:
    first, second, other = (play(seed=seed)[1] for seed in (0, 0, 1))
    assert first.evaluations == second.evaluations
    assert first.training == second.training
    assert first.training != other.training


@pytest.mark.parametrize(
    ("method", "message"),
    [("act", "act raised ValueError: no"), ("observe", "observe raised ValueError: no")],
)
def test_an_agent_that_raises_is_named_with_the_step(method: str, message: str) -> None:
    class Breaks(Watcher):
        def act(self, obs, first, *, phase):
            if method == "act" and len(self.batches) == 7:
                raise ValueError("no")
            return super().act(obs, first, phase=phase)

        def observe(self, batch):
            super().observe(batch)
            if method == "observe" and len(self.batches) == 8:
                raise ValueError("no")

    progress = Progress()
    with pytest.raises(AgentError, match=message):
        run_online(
            TOY, TOY.tasks[0], lambda task, *, seed, device: Breaks(task, seed),
            config={}, seed=0, device="cpu", progress=progress,
        )  # fmt: skip
    assert (progress.phase, progress.budget_used) == ("train", 7)


def test_an_agent_without_act_is_refused() -> None:
    with pytest.raises(AgentError, match=r"has no act\(\)"):
        play(lambda task, seed: object())


def test_a_factory_that_raises_is_named() -> None:
    def broken(task, seed):
        raise RuntimeError("no memory for my network")

    with pytest.raises(AgentError, match="making the agent raised RuntimeError: no memory"):
        play(broken)


def test_an_agent_without_observe_is_run_all_the_same() -> None:
    class Fixed:
        def act(self, obs, first, *, phase):
            return np.zeros(len(obs), dtype=int)

    assert play(lambda task, seed: Fixed())[1].budget_used == 50


class OwnLoop:
    """Steps until the environment says that the budget is spent."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.steps = 0
        self.ends: list[np.ndarray] = []

    def act(self, obs, first, *, phase):
        assert phase == "eval"
        return np.zeros(len(obs), dtype=int)

    def train(self, env) -> None:
        env.reset()
        while True:
            _, _, terminated, _, info = env.step(self.random.integers(4, size=env.num_envs))
            self.steps += int(info["active"].sum())
            if terminated.any():
                self.ends.append(info["final_obs"][terminated][0])


@pytest.mark.parametrize("num_envs", [1, 4, 7])
def test_an_agent_may_own_its_loop(num_envs: int) -> None:
    protocol = replace(TOY.protocol, eval_points=(10, 20), train_envs=num_envs)
    agent, progress = play(OwnLoop, suite=replace(TOY, protocol=protocol))
    assert agent.steps == progress.budget_used == 50
    reached = [-(-point // num_envs) * num_envs for point in (10, 20)]
    assert [e.budget_used for e in progress.evaluations] == [*reached, 50]
    assert all(length == clock for length, clock in agent.ends)
    assert progress.training.episodes >= len(agent.ends) > 0
    assert set(progress.seconds) == {"start", "train", "eval"}


def test_own_loops_and_ours_see_the_same_environment() -> None:
    """The same actions in either loop give the same training and the same evaluation."""
    _, watched = play(Watcher)
    _, own = play(OwnLoop)
    assert own.training == watched.training
    assert own.evaluations == watched.evaluations


def test_an_own_loop_may_end_early() -> None:
    class Brief(OwnLoop):
        def train(self, env) -> None:
            env.reset()
            for _ in range(7):
                env.step(np.zeros(env.num_envs, dtype=int))

    _, progress = play(Brief)
    assert progress.budget_used == progress.evaluations[-1].budget_used == 7


@pytest.mark.parametrize("wrap", [False, True])
def test_the_end_of_the_budget_may_come_wrapped(wrap: bool) -> None:
    class Wraps(OwnLoop):
        def train(self, env) -> None:
            try:
                super().train(env)
            except Exception as error:
                if wrap:
                    raise RuntimeError("the loop broke") from error

    _, progress = play(Wraps)
    assert progress.budget_used == 50


def test_an_error_in_an_own_loop_is_named() -> None:
    class Breaks(OwnLoop):
        def train(self, env) -> None:
            env.reset()
            raise ValueError("no")

    with pytest.raises(AgentError, match="train raised ValueError: no"):
        play(Breaks)


def test_a_failed_evaluation_inside_an_own_loop_cannot_be_swallowed() -> None:
    class Swallows(OwnLoop):
        def act(self, obs, first, *, phase):
            raise ValueError("cannot act")

        def train(self, env) -> None:
            with suppress(Exception):
                super().train(env)

    protocol = replace(TOY.protocol, eval_points=(10,))
    with pytest.raises(AgentError, match="act raised ValueError: cannot act"):
        play(Swallows, suite=replace(TOY, protocol=protocol))


@pytest.mark.parametrize("breaks", [False, True])
def test_an_agent_is_closed_however_its_run_ends(breaks: bool) -> None:
    closed = []

    class Holds(Watcher):
        def act(self, obs, first, *, phase):
            if breaks and phase == "eval":
                raise ValueError("no")
            return super().act(obs, first, phase=phase)

        def close(self) -> None:
            closed.append(len(self.batches))

    with pytest.raises(AgentError) if breaks else nullcontext():
        play(Holds)
    assert closed == [50]


def test_an_agent_learns_in_one_way() -> None:
    class Both(OwnLoop):
        def observe(self, batch) -> None: ...

    with pytest.raises(AgentError, match=r"train\(\) and observe\(\)"):
        play(Both)
