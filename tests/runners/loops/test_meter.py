"""The budget cannot be exceeded, and nothing wrong passes the meter."""

from functools import partial

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorWrapper
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from support.broken import broken
from support.toy import TOY

from rlbench.errors import AgentError, BudgetExhausted, InvalidEnvironment
from rlbench.runners import MeteredEnv, Progress, evaluate, load_factory, run_online
from rlbench.runners.loops.common import task_info
from rlbench.runners.loops.meter import action_check


def metered(budget: int, num_envs: int = 1, **unofficial: float) -> MeteredEnv:
    suite = TOY.make_unofficial(unofficial)
    env = suite.make(suite.tasks[0], split="train", num_envs=num_envs, seed=0)
    return MeteredEnv(env, budget)


def test_the_budget_is_exact_and_then_exhausted() -> None:
    meter = metered(10)
    meter.reset()
    for _ in range(10):
        meter.step(np.array([0]))
    with pytest.raises(BudgetExhausted, match="10 is spent"):
        meter.step(np.array([0]))
    assert meter.used == 10


def test_who_swallows_the_end_gets_truncation_for_ever() -> None:
    meter = metered(3, num_envs=2)
    meter.reset()
    for _ in range(2):
        meter.step(np.zeros(2, dtype=int))
    with pytest.raises(BudgetExhausted):
        meter.step(np.zeros(2, dtype=int))
    for _ in range(5):
        _, reward, terminated, truncated, info = meter.step(np.zeros(2, dtype=int))
        assert not reward.any()
        assert not terminated.any()
        assert truncated.all()
        assert not info["active"].any()
    assert meter.used == 3


def test_resets_cost_nothing_and_give_nothing() -> None:
    meter = metered(5)
    for _ in range(20):
        meter.reset()
    assert meter.used == 0
    for _ in range(5):
        meter.step(np.array([0]))
        meter.reset()
    with pytest.raises(BudgetExhausted):
        meter.step(np.array([0]))


def test_the_last_vector_step_is_masked() -> None:
    meter = metered(7, num_envs=4)
    before, _ = meter.reset()
    obs, _, _, _, info = meter.step(np.zeros(4, dtype=int))
    assert info["active"].all()
    before = obs
    obs, reward, terminated, truncated, info = meter.step(np.zeros(4, dtype=int))
    assert info["active"].tolist() == [True, True, True, False]
    assert reward.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert not (terminated | truncated)[3]
    np.testing.assert_array_equal(obs[3], before[3])
    assert meter.used == 7


def test_step_before_reset_is_the_agents_fault() -> None:
    with pytest.raises(AgentError, match="before reset"):
        metered(5).step(np.array([0]))


def test_training_episodes_are_kept() -> None:
    meter = metered(200)
    meter.reset()
    for _ in range(200):
        meter.step(np.array([0]))
    training = meter.training()
    lengths = np.diff([0, *training.ends])
    assert training.episodes == len(training.ends) > 5
    assert list(training.returns) == lengths.tolist()


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_not_finite_is_found(reward: float) -> None:
    meter = metered(1000)
    # Constants are finite by their digest; the environment itself goes wrong here.
    meter.env.reward = reward
    meter.reset()
    with pytest.raises(InvalidEnvironment, match="not finite"):
        for _ in range(40):
            meter.step(np.array([0]))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("unsaid mode", r"ended without info\['final_obs'\]"),
        ("arrays in arrays", "dtype object"),
        ("endless", "had more than 4 steps"),
    ],
)
def test_a_run_on_a_broken_suite_is_invalid(fault: str, said: str) -> None:
    """It is seen in training, and in the evaluation of an agent that does not train."""
    suite = broken(fault)
    (task,) = suite.tasks
    run = partial(run_online, config={}, seed=0, device="cpu", progress=Progress())
    with pytest.raises(InvalidEnvironment, match=said) as caught:
        run(suite, task, load_factory("noop"))
    assert caught.value.status == "invalid"
    env = suite.make(task, split="eval", num_envs=2, seed=0)
    info = task_info(suite, task, env)
    agent = load_factory("noop")(info, seed=0, device="cpu")
    with pytest.raises(InvalidEnvironment, match=said):
        evaluate(agent, env, episodes=4, max_episode_steps=4)


def test_a_meter_is_what_agents_unwrap_to() -> None:
    meter = metered(5, num_envs=2)
    assert meter.unwrapped is meter
    assert isinstance(meter, VectorWrapper)
    assert meter.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    counted = RecordEpisodeStatistics(meter)
    counted.reset()
    counted.step(np.zeros(2, dtype=int))
    assert (counted.unwrapped, meter.used) == (meter, 2)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.array([0, 1]), r"shape \(2,\), not \(3,\)"),
        (np.zeros((3, 1), dtype=int), "shape"),
        (0, "shape"),
        ([0, [1], 2], "not an array|shape"),
        (None, "^act returned None: return an array of 3 actions$"),
        ({"action": [0, 1, 2]}, "^act returned a dict: return an array of 3 actions$"),
        ((np.zeros(3, dtype=int), None), "^act returned a tuple, which is not an array"),
        (np.zeros(3), "dtype float64"),
        (np.zeros(3, dtype=bool), "dtype bool"),
        (np.array(["a", "b", "c"]), "dtype"),
        (np.array([0, 1, 4]), "action 4, outside 0 to 3"),
        (np.array([0, -1, 1]), "action -1"),
        (np.array([0, 1, 2**63 - 1]), "outside"),
        (np.array([0, 1, 2**63], dtype=np.uint64), "outside"),
    ],
)
def test_wrong_discrete_actions_are_named(actions: object, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        action_check(Discrete(4), 3)(actions)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.uint64])
def test_any_integer_dtype_will_do(dtype: type) -> None:
    checked = action_check(Discrete(4), 3)(np.array([0, 3, 1], dtype=dtype))
    assert checked.dtype == np.int64
    assert checked.tolist() == [0, 3, 1]


@pytest.mark.parametrize("n", [1, 2])
def test_discrete_spaces_may_start_anywhere(n: int) -> None:
    check = action_check(Discrete(3, start=5), n)
    assert check([7] * n).tolist() == [7] * n
    with pytest.raises(AgentError, match="outside 5 to 7"):
        check([8] * n)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.full((2, 3), np.nan, dtype=np.float32), "NaN"),
        (np.full((2, 3), np.inf), "infinite"),
        (np.full((2, 3), 1.5, dtype=np.float32), "outside Box"),
        (np.zeros((2, 3), dtype=int), "dtype int64"),
        (np.zeros((2, 2)), "shape"),
    ],
)
def test_wrong_continuous_actions_are_named(actions: np.ndarray, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        action_check(Box(-1, 1, (3,), np.float32), 2)(actions)


@pytest.mark.parametrize("look_every", [7, 10**6])
def test_of_very_many_episodes_the_first_and_the_last_are_kept(look_every: int) -> None:
    """However often somebody looked before."""
    meter = metered(25_000, num_envs=50, max_episode_steps=1)
    meter.reset()
    ends = []
    for step in range(1, 501):
        meter.step(np.zeros(50, dtype=int))
        ends += [50 * step] * 50
        if step % look_every == 0:
            meter.training()
    training = meter.training()
    assert training.episodes == len(ends) == 25_000
    assert list(training.ends) == ends[:5000] + ends[-5000:]
    assert len(training.returns) == 10_000
