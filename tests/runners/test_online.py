"""The online loop: what the agent sees, what is charged, where it is evaluated."""

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
    protocol = replace(TOY.protocol, checkpoints=(10, 20, 50, 70))
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
