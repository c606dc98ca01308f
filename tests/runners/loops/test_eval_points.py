"""Evaluation points, named evaluations, score rules: what is played when, and what it is worth."""

import time
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from support.pendulum import PENDULUM
from support.toy import TOY

from rlbench.api.asking import parse_eval_points
from rlbench.errors import InvalidEnvironment, InvalidRecord, UnknownName, UsageError
from rlbench.results import Evaluation
from rlbench.results.record import score_of
from rlbench.runners.loops.evaluation import evaluate, next_point
from rlbench.runners.loops.offline import run_offline
from rlbench.runners.loops.online import run_online
from rlbench.runners.progress import Progress
from rlbench.suites import Suite

POINTS = replace(TOY, protocol=replace(TOY.protocol, eval_points=(20,), point_episodes=3))
NAMED = replace(
    TOY,
    protocol=replace(
        TOY.protocol, eval_points=(20,), evaluations={"test": {}, "double": {"reward": 2.0}}
    ),
)


class Actor:
    """Acts by what it has seen, without any randomness."""

    def __init__(self, task: Any, *, seed: int, device: str) -> None:
        self.task, self.seen = task, float(seed % 97)

    def act(self, obs: Any, first: Any, *, phase: str) -> Any:
        seen = obs.reshape(len(obs), -1).sum(1, dtype=np.float64)
        return ((self.seen + seen) % self.task.action_space.n).astype(int)


class Learner(Actor):
    def observe(self, batch: Any) -> None:
        self.seen += float(batch.obs.sum() + batch.action.sum())


class Slow(Learner):
    """Takes long enough for its seconds of training to be seen."""

    def observe(self, batch: Any) -> None:
        time.sleep(0.001)


class Looper(Actor):
    """Learns in a loop of its own."""

    def train(self, env: Any) -> None:
        obs, _ = env.reset()
        while True:
            action = self.act(obs, None, phase="train")
            self.seen += float(obs.sum() + action.sum())
            obs, *_ = env.step(action)


def play(suite: Suite, eval_points: tuple[int, ...] = (), factory: Any = Learner) -> Progress:
    progress = Progress()
    run_online(
        suite, suite.tasks[0], factory, config={}, seed=3, device="cpu", progress=progress,
        eval_points=eval_points,
    )  # fmt: skip
    return progress


INFO = SimpleNamespace(action_space=Discrete(4))  # what the agents above look at


def told(evaluations: list[Evaluation]) -> list[tuple[int, str, bool, int]]:
    return [(e.budget_used, e.name, e.extra, len(e.returns)) for e in evaluations]


def test_points_before_the_end_may_have_fewer_episodes() -> None:
    assert told(play(POINTS).evaluations) == [(20, "test", False, 3), (50, "test", False, 6)]


def test_all_named_evaluations_are_played_at_each_point() -> None:
    evaluations = play(NAMED).evaluations
    assert told(evaluations) == [
        (20, "test", False, 6), (20, "double", False, 6),
        (50, "test", False, 6), (50, "double", False, 6),
    ]  # fmt: skip
    final = {e.name: e for e in evaluations[2:]}
    # What an evaluation changes of the environment, and a stream of its own.
    assert final["double"].returns == tuple(2.0 * length for length in final["double"].lengths)
    assert final["test"].returns == tuple(map(float, final["test"].lengths))
    assert final["test"].lengths != final["double"].lengths


def test_the_main_evaluation_is_the_same_whatever_others_there_are() -> None:
    """The digest is another, so the streams are made alike by hand."""
    task = TOY.tasks[0]
    alone = TOY.make(task, split="eval", num_envs=2, seed=1).reset()[0]
    first = TOY.make(task, split="eval", num_envs=2, seed=1, evaluation="test").reset()[0]
    assert np.array_equal(alone, first)
    with pytest.raises(UnknownName, match="evaluation 'tset'"):
        TOY.make(task, split="eval", num_envs=2, seed=1, evaluation="tset")


@pytest.mark.parametrize("factory", [Learner, Looper], ids=["observe", "train"])
def test_extra_evaluations_change_nothing_else(factory: Any) -> None:
    plain = play(POINTS, factory=factory)
    more = play(POINTS, (7, 20, 33, 50, 99), factory=factory)
    extra = [e for e in more.evaluations if e.extra]
    assert told(extra) == [(7, "test", True, 3), (33, "test", True, 3)]
    assert [e for e in more.evaluations if not e.extra] == plain.evaluations
    assert more.training == plain.training
    assert (more.replay, more.actions) == (plain.replay, plain.actions)


def test_extra_evaluations_change_nothing_on_atari() -> None:
    from rlbench import suites

    suite = suites.get("atari100k").make_unofficial({"budget": 60, "episodes": 2})
    suite = suite.make_unofficial({"max_episode_steps": 80})
    suite = replace(suite, tasks=(suite.task("Pong"),))
    plain, more = play(suite), play(suite, (20, 40))
    assert [e.budget_used for e in more.evaluations] == [20, 40, 60]
    assert more.evaluations[-1:] == plain.evaluations
    assert (more.replay, more.training) == (plain.replay, plain.training)


def test_extra_points_of_offline_runs_wait_for_the_agent() -> None:
    class Fits(Actor):
        def act(self, obs: Any, first: Any, *, phase: str) -> Any:
            return np.zeros((len(obs), 1), dtype=np.float32)

        def fit(self, dataset: Any, *, updates: int, checkpoint: Any) -> None:
            assert self.task.eval_points == (updates,)
            for update in range(10, updates + 1, 10):
                checkpoint(update)

    protocol = replace(PENDULUM.protocol, eval_points=(), budget=40, episodes=2)
    suite = replace(PENDULUM, protocol=protocol)
    progress = Progress()
    run_offline(
        suite, suite.tasks[0], Fits, config={}, seed=3, device="cpu", progress=progress,
        eval_points=(15, 30),
    )  # fmt: skip
    assert told(progress.evaluations) == [
        (20, "test", True, 2), (30, "test", True, 2), (40, "test", False, 2)
    ]  # fmt: skip


def test_training_seconds_grow_and_do_not_tell_evaluations_apart() -> None:
    evaluations = play(POINTS, factory=Slow).evaluations
    assert 0 < evaluations[0].train_seconds < evaluations[1].train_seconds
    assert replace(evaluations[0], train_seconds=9.0) == evaluations[0]


def test_measures_of_episodes_are_kept_in_the_order_of_slots() -> None:
    env = TOY.make(TOY.tasks[0], split="eval", num_envs=3, seed=1)
    step = env.step

    def measured(actions: Any) -> Any:
        obs, reward, terminated, truncated, info = step(actions)
        final = info.get("final_obs", obs)
        return obs, reward, terminated, truncated, {**info, "measures": {"cost": final[:, 1] * 3}}

    env.step = measured
    agent = Learner(INFO, seed=0, device="cpu")
    found = evaluate(agent, env, episodes=7)
    assert found.measures == {"cost": tuple(3.0 * length for length in found.lengths)}


@pytest.mark.parametrize("value", [np.nan, np.inf, 2e15])
def test_measures_and_returns_that_no_record_may_hold_are_found(value: float) -> None:
    env = TOY.make(TOY.tasks[0], split="eval", num_envs=3, seed=1)
    step = env.step

    def broken(actions: Any) -> Any:
        obs, reward, terminated, truncated, info = step(actions)
        info["measures"] = {"cost": np.full(3, value)}
        return obs, reward, terminated, truncated, info

    env.step = broken
    with pytest.raises(InvalidEnvironment, match="cost is not finite, or beyond 1e15"):
        evaluate(Learner(INFO, seed=0, device="cpu"), env, episodes=3)


def at(budget_used: int, *, extra: bool = False) -> Evaluation:
    return Evaluation(
        budget_used=budget_used, returns=(0.0,), lengths=(1,), distinct_starts=1, extra=extra
    )


def test_an_extra_point_never_stands_for_one_of_the_protocol() -> None:
    protocol = replace(TOY.protocol, eval_points=(20, 30))
    assert next_point(protocol, (19,), []) == (19, True)
    # 19 was stepped over, and so was 20.
    assert next_point(protocol, (19,), [at(24, extra=True)]) == (20, False)
    assert next_point(protocol, (22, 25), [at(24)]) == (25, True)
    assert next_point(protocol, (), [at(32)]) == (50, False)
    assert next_point(protocol, (), [at(50)]) is None


@pytest.mark.parametrize(
    ("text", "points"),
    [("4", (25, 50, 75)), ("10,60", (10, 60)), ("60,", (60,)), (" 60 , 10 ", (10, 60))],
)
def test_extra_points_on_the_command_line(text: str, points: tuple[int, ...]) -> None:
    assert parse_eval_points(text, 100) == points


@pytest.mark.parametrize("text", ["1", "x", "5,x", "-3,4", "101,", "0,", ",", "500"])
def test_extra_points_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError, match="--eval-points"):
        parse_eval_points(text, 100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"eval_points": (5, 5)}, "increasing"),
        ({"eval_points": (0, 5)}, "increasing"),
        ({"evaluations": {}}, "1 to 1000 evaluations"),
        ({"evaluations": {"Bad name": {}}}, "cannot be named"),
        ({"evaluations": {"test": {"rewards": 2.0}}}, "unknown constant of the environment"),
        ({"score_rule": "percent_above"}, "score_threshold"),
        ({"score_threshold": 1.0}, "score_threshold"),
        ({"point_episodes": -1}, "negative"),
    ],
)
def test_protocols_that_make_no_sense(changed: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(TOY.protocol, **changed)


def test_points_can_be_changed_for_trying_things_out() -> None:
    changed = TOY.make_unofficial({"eval_points": [10, 20]})
    assert changed.protocol_of(TOY.tasks[0]).points == (10, 20, 50)
    assert TOY.make_unofficial({"eval_points": 10}).protocol_of(TOY.tasks[0]).points == (10, 50)
    with pytest.raises(UsageError, match="takes integers"):
        TOY.make_unofficial({"eval_points": "ten"})


def test_score_rules() -> None:
    returns = [229.0, 230.0, 230.5, 300.0]
    assert score_of(returns, "percent_above", 230.0) == 50.0
    assert score_of(returns, "mean", None) == pytest.approx(247.375)
    for rule, threshold in (("median", None), ("percent_above", None), ("percent_above", "9")):
        with pytest.raises(InvalidRecord, match="score rule"):
            score_of(returns, rule, threshold)
