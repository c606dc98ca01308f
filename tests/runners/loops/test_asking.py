"""Teachers that ask the agent what it expects, and those that are told discounted returns."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cartpole import CARTPOLE, CARTPOLE_ONWARD, CrossEntropy

from rlbench.errors import AgentError, UsageError
from rlbench.runners import Progress, load_factory, run_online
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.progress import Leave
from rlbench.runners.teachers.teacher import load_teacher
from rlbench.suites import Suite

SMALL = {"budget": 600, "episodes": 5, "max_episode_steps": 25}
SHORT = replace(CARTPOLE, protocol=replace(CARTPOLE.protocol, eval_points=(300,)))
SUITE = SHORT.make_unofficial(SMALL)
ONWARD = replace(SUITE, name=CARTPOLE_ONWARD.name, replays=False)
SPDL = {"update_every": 100, "first_update": 100, "free_updates": 1, "discount": 0.9}


class Valued(CrossEntropy):
    """Expects the more the straighter the pole stands."""

    asked = 0

    def value(self, obs: Any) -> Any:
        self.asked += 1
        return 10.0 - 100.0 * np.abs(obs[:, 2])


class Asking:
    """Draws evenly, asks at every report, and keeps what it is told."""

    discount = 0.9

    def __init__(self, task: Any, seed: int) -> None:
        self.uniform = load_teacher("uniform")(task, seed=seed)
        self.told: list[tuple[Any, ...]] = []

    def ask(self, value: Any) -> None:
        self.value = value

    def propose(self, n: int) -> Any:
        return self.uniform.propose(n)

    def report(self, parameters, returns, lengths, successes, first_obs, *, discounted) -> None:
        values = self.value(first_obs)
        self.told += zip(lengths, returns, discounted, values, first_obs, strict=True)


def play(
    make: Any = Valued,
    teacher: Any = Asking,
    *,
    suite: Suite = SUITE,
    folder: Path | None = None,
    leave_at: int = 0,
) -> tuple[Any, Any, Progress]:
    progress, made = Progress(), []

    def keep(one: Any) -> Any:
        made.append(one)
        return one

    def tick() -> None:
        if leave_at and progress.budget_used >= leave_at:
            raise Leave

    run_online(
        suite, suite.tasks[0], lambda task, *, seed, device: keep(make(task, seed)), config={},
        seed=0, device="cpu", progress=progress, tick=tick,
        teacher=lambda task, *, seed: keep(teacher(task, seed=seed)),
        checkpoints=folder and Checkpoints(folder, every=1e6),
    )  # fmt: skip
    return made[1], made[0], progress


@pytest.mark.parametrize("num_envs", [1, 4])
def test_values_and_discounted_returns_are_of_the_episodes_told(num_envs: int) -> None:
    suite = SUITE.make_unofficial({**SMALL, "train_envs": num_envs})
    agent, teacher, _ = play(suite=suite)
    assert len(teacher.told) > 15
    for length, score, discounted, value, obs in teacher.told:
        assert score == length  # a reward of 1 a step
        assert discounted == pytest.approx((1 - 0.9**length) / (1 - 0.9))
        assert value == pytest.approx(10.0 - 100.0 * abs(obs[2]))
    assert agent.asked > 0


def test_an_agent_without_values_is_told_so_at_once() -> None:
    with pytest.raises(
        UsageError, match=r"the agent has no value\(obs\): sac, ppo, sb3:SAC and sb3:PPO"
    ):
        play(make=CrossEntropy)
    play(make=CrossEntropy, teacher=load_teacher("uniform"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda obs: np.zeros((len(obs), 1)), r"value answered shape \(\d, 1\), not \d finite"),
        (lambda obs: np.full(len(obs), np.nan), r"value answered .* finite numbers"),
        (lambda obs: obs.none, "value raised AttributeError"),
    ],
)
def test_answers_that_are_no_values_are_named(answer: Any, message: str) -> None:
    class Wrong(CrossEntropy):
        def value(self, obs: Any) -> Any:
            return answer(obs)

    with pytest.raises(AgentError, match=message):
        play(make=Wrong)


def make_spdl(task: Any, *, seed: int) -> Any:
    return load_teacher("spdl")(task, seed=seed, **SPDL)


def test_spdl_asks_the_agent() -> None:
    agent, teacher, _ = play(teacher=make_spdl)
    assert agent.asked == teacher.updates == 5


def test_a_run_of_spdl_goes_on_with_what_it_knew(tmp_path: Path) -> None:
    with pytest.raises(Leave):
        play(teacher=make_spdl, suite=ONWARD, folder=tmp_path, leave_at=320)
    agent, teacher, progress = play(teacher=make_spdl, suite=ONWARD, folder=tmp_path)
    assert progress.resumed == 320
    assert (agent.asked, teacher.updates) == (3, 5)


def test_where_actions_are_played_again_a_run_that_asked_begins_anew(tmp_path: Path) -> None:
    """The agent that would be asked then is a later one."""
    with pytest.raises(Leave):
        play(teacher=make_spdl, folder=tmp_path, leave_at=320)
    _, _, progress = play(teacher=make_spdl, folder=tmp_path)
    assert progress.resumed == 0
    assert progress.proposals == play(teacher=make_spdl)[2].proposals


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_algorithms_of_stable_baselines3_say_what_they_expect(algorithm: str) -> None:
    pytest.importorskip("stable_baselines3", reason="needs the extra sb3")
    options: Any = {
        "PPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
        "DQN": {"learning_starts": 10, "buffer_size": 100},
    }[algorithm]
    factory = load_factory(f"sb3:{algorithm}")

    def make(task: Any, seed: int) -> Any:
        return factory(task, seed=seed, device="cpu", **options)

    _, teacher, _ = play(make=make, suite=SUITE.make_unofficial({**SMALL, "train_envs": 1}))
    assert len({value for _, _, _, value, _ in teacher.told}) > 10
