"""Evaluation is unbiased, complete, and leaves the learner's world as it was."""

import random

import numpy as np
import pytest
from support.toy import TOY

from rlbench.errors import AgentError, InvalidEnvironment
from rlbench.runners import evaluate
from rlbench.runners.loops.evaluation import untouched_global_randomness


class Still:
    """Does nothing, and keeps what it is shown."""

    def __init__(self) -> None:
        self.firsts: list[np.ndarray] = []

    def act(self, obs, first, *, phase):
        assert phase == "eval"
        self.firsts.append(first.copy())
        return np.zeros(len(obs), dtype=int)


def walks(num_envs: int, seed: int = 0):
    return TOY.make(TOY.tasks[0], split="eval", num_envs=num_envs, seed=seed)


@pytest.mark.parametrize(("episodes", "slots"), [(6, 4), (4, 4), (9, 2), (1, 1), (3, 4)])
def test_each_slot_plays_its_share_in_order(episodes: int, slots: int) -> None:
    env = walks(slots)
    result = evaluate(Still(), env, episodes=episodes)
    share = [episodes // slots + (slot < episodes % slots) for slot in range(slots)]
    expected = [n for slot, count in enumerate(share) for n in env.drawn[slot][:count]]
    assert list(result.returns) == expected
    assert list(result.lengths) == expected


def test_short_episodes_are_not_counted_more_often() -> None:
    """Lengths are 1, 2 or 30, alike likely: the mean is 11; counting what ends first gives less."""
    means = [np.mean(evaluate(Still(), walks(50, seed), episodes=50).returns) for seed in range(40)]
    error = np.std([1, 2, 30]) / np.sqrt(50 * 40)
    assert abs(np.mean(means) - 11.0) < 4 * error


def test_slots_are_retired_once_done() -> None:
    env = walks(5)
    evaluate(Still(), env, episodes=5)
    assert env.retired.all()


def test_first_marks_the_beginnings() -> None:
    agent, env = Still(), walks(1)
    evaluate(agent, env, episodes=4)
    lengths = env.drawn[0][:4]
    begins = np.flatnonzero(np.concatenate(agent.firsts))
    assert begins.tolist() == [0, *np.cumsum(lengths)[:-1]]


def test_distinct_starts_are_counted() -> None:
    result = evaluate(Still(), walks(60), episodes=60)
    assert result.distinct_starts == 3


@pytest.mark.parametrize("answer", [np.zeros(3), None, np.array([9, 0, 0])])
def test_wrong_actions_end_the_evaluation(answer: object) -> None:
    class Wrong:
        def act(self, obs, first, *, phase):
            return answer

    with pytest.raises(AgentError, match=r"act (answered|returned)"):
        evaluate(Wrong(), walks(3), episodes=3)


def test_an_agent_that_raises_is_named() -> None:
    class Broken:
        def act(self, obs, first, *, phase):
            return 1 / 0

    with pytest.raises(AgentError, match="act raised ZeroDivisionError"):
        evaluate(Broken(), walks(3), episodes=3)


def test_a_return_that_is_not_finite_is_no_score() -> None:
    env = walks(2)
    env.reward = float("nan")
    with pytest.raises(InvalidEnvironment):
        evaluate(Still(), env, episodes=2)


def test_global_randomness_is_put_back() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002, TID251 - what agents do
    expected = (random.random(), np.random.random())  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002, TID251
    with untouched_global_randomness():
        random.random()
        np.random.random(100)  # noqa: NPY002
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
