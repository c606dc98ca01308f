"""Procgen: protocols as data, and the environments where their extra is installed."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support import procgen as support
from support.command import rlbench

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.runners.check.suites import check_suite
from rlbench.suites import Suite
from rlbench.suites.procgen import pool
from rlbench.suites.procgen.games import Game
from rlbench.suites.procgen.pool import _advice

NAMES = ("procgen-easy", "procgen-hard", "procgen-easy-all", "procgen-hard-all", "procgen-mini")
LEVELS = {"procgen-easy": 200, "procgen-hard": 500, "procgen-mini": 200}
BINARY = {"coinrun", "heist", "jumper", "leaper", "maze", "ninja"}
NOOP = 4


@pytest.fixture(params=NAMES)
def suite(request: pytest.FixtureRequest) -> Suite:
    return suites.get(request.param)


@pytest.fixture(scope="module", params=support.ENGINES)
def envs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModuleType]:
    """The environments as each engine plays them that is here."""
    support.engine(request.param)
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "reference":
            patch.setenv("RLBENCH_DATA", str(tmp_path_factory.mktemp("empty")))
        yield support.envs()


def actions(steps: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(15, size=(steps, n))


def test_protocols(suite: Suite) -> None:
    protocol = suite.protocol
    levels = LEVELS.get(suite.name, 0)
    assert protocol.train_envs == 64
    assert protocol.environment["train_levels"] == levels
    assert protocol.environment["eval_levels"] == 0
    named: dict[str, Any] = {"test": {}, "train": {"eval_levels": levels}}
    assert protocol.evaluations == (named if levels else {"test": {}})
    assert len(protocol.points) == (4 if suite.name == "procgen-mini" else 10)
    assert len({b - a for a, b in pairwise((0, *protocol.points))}) == 1
    assert protocol.episodes % protocol.eval_envs == 0
    assert len(suite.tasks) == (4 if suite.name == "procgen-mini" else 16)


def test_variants_differ_from_their_suites_in_levels_alone() -> None:
    for mode in ("easy", "hard"):
        one, other = suites.get(f"procgen-{mode}"), suites.get(f"procgen-{mode}-all")
        assert one.tasks == other.tasks
        for task in one.tasks:
            ours, theirs = one.constants(task), other.constants(task)
            changed = {name for name in ours if ours[name] != theirs.get(name)}
            assert changed == {"suite", "train_levels", "evaluations", "train.eval_levels"}


def test_games_of_one_reward_state_their_returns(suite: Suite) -> None:
    known = {task.name for task in suite.tasks if task.returns == (0.0, 10.0)}
    assert known == BINARY & {task.name for task in suite.tasks}
    assert all(task.high == 10 for task in suite.tasks if task.name in known)


def test_expected_engines_are_stated_for_every_task(suite: Suite) -> None:
    expected = {suite.expected_engine(task) for task in suite.tasks}
    assert "" not in expected
    assert len(expected) == len(suite.tasks)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("libGL.so.1: cannot open shared object file: No such file", "apt install libgl1"),
        ("libQt5Gui.so.5: cannot open shared object file", "pip install 'rlbench\\[procgen\\]'"),
        ("undefined symbol: x", "cannot be loaded: undefined symbol: x"),
    ],
)
def test_a_missing_library_is_a_line_that_says_what_to_install(error: str, advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        raise UsageError(_advice(error))


def test_levels_are_those_of_the_protocol(envs: ModuleType, suite: Suite) -> None:
    task = suite.tasks[0]
    seen: dict[str, set[int]] = {}
    for split, evaluation in [("train", ""), *(("eval", e) for e in suite.protocol.evaluations)]:
        env = suite.make(task, split=split, num_envs=32, seed=0, evaluation=evaluation)
        found = np.concatenate([env.reset()[1]["start"] for _ in range(10)])
        env.close()
        assert len(set(found.tolist())) > 100
        seen[evaluation or split] = set(found.tolist())
    levels = LEVELS.get(suite.name)
    # Of 2^31 - 1 levels, 320 draws meet the training levels with a chance of 1 in 10,000.
    assert min(seen["test"]) >= 500
    assert not seen["test"] & seen["train"]
    if levels:
        assert max(seen["train"]) < levels


def test_slots_do_not_depend_on_how_many_there_are(envs: ModuleType) -> None:
    suite = suites.get("procgen-easy")
    task = suite.task("starpilot")
    played = {}
    for n in (1, 5, 64):
        env = suite.make(task, split="train", num_envs=n, seed=3)
        obs, info = env.reset()
        played[n] = [(obs[0], info["start"][0])]
        for action in actions(200, 64)[:, :n]:
            obs, reward, terminated, truncated, info = env.step(action)
            final = info["final_obs"][0] if terminated[0] or truncated[0] else None
            played[n].append((obs[0], reward[0], terminated[0], info["start"][0], final))
        env.close()
    assert any(step[-1] is not None for step in played[1][1:])
    for n in (5, 64):
        for one, other in zip(played[1], played[n], strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_the_final_frame_is_envpool_s_own(envs: ModuleType) -> None:
    """The engine itself shows it, and begins the next episode in the step after."""
    support.engine("envpool")
    game = Game(name="dodgeball", mode="easy", levels=200)
    ours = envs.ProcgenEnvs(game, np.array([1]), limit=10**6)
    raw_pool = pool.make_pool(game, [1])
    keys, ids = raw_pool._state_keys, np.zeros(1, dtype=np.int32)
    ours.reset()
    raw_pool._reset(ids)
    raw_pool._recv()
    ends = 0
    for action in actions(600, 1):
        obs, reward, terminated, truncated, info = ours.step(action)
        raw_pool._send([ids, ids, action.astype(np.int32)])
        raw = dict(zip(keys, raw_pool._recv(), strict=True))
        assert raw["reward"] == reward
        assert raw["done"] == terminated | truncated
        shown = info["final_obs"] if raw["done"] else obs
        np.testing.assert_array_equal(raw["obs"], shown)
        if raw["done"]:
            ends += 1
            assert (raw["obs"] != obs).any()
            raw_pool._send([ids, ids, ids])  # envpool's own reset; the action is ignored
            np.testing.assert_array_equal(
                dict(zip(keys, raw_pool._recv(), strict=True))["obs"], obs
            )
    ours.close()
    assert ends > 2


@pytest.mark.parametrize("game", ["coinrun", "heist", "leaper", "maze", "miner"])
def test_the_engine_s_own_time_limit_is_that_of_the_card_and_truncates(
    envs: ModuleType, game: str
) -> None:
    suite = suites.get("procgen-easy")
    limit = suite.protocol_of(suite.task(game)).max_episode_steps
    for cut, expected in ((10**6, limit), (limit, limit), (20, 20)):
        env = envs.ProcgenEnvs(Game(name=game, mode="easy", levels=200), np.arange(2), limit=cut)
        env.reset()
        ends = []
        for step in range(1, expected + 1):
            _, _, terminated, truncated, _ = env.step(np.full(2, NOOP))
            ends += [(step, bool(t)) for t in truncated[terminated | truncated]]
        env.close()
        assert ends == [(expected, cut <= limit)] * 2


def test_retired_slots_cost_nothing_and_disturb_nobody(envs: ModuleType) -> None:
    suite = suites.get("procgen-hard")
    task = suite.task("dodgeball")
    whole, part = (suite.make(task, split="eval", num_envs=6, seed=1) for _ in range(2))
    whole.reset()
    part.reset()
    left = np.arange(6) % 2 == 0
    part.retire(~left)
    for action in actions(150, 6):
        all_slots, some = whole.step(action), part.step(action)
        for a, b in zip(all_slots[:4], some[:4], strict=True):
            np.testing.assert_array_equal(a[left], b[left])
    part.retire(left)
    _, reward, terminated, truncated, _ = part.step(actions(1, 6)[0])
    assert not reward.any()
    assert not (terminated | truncated).any()
    whole.close()
    part.close()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("height", 84, "draws 64x64 pixels"),
        ("distribution_mode", "memory", "is easy or hard, not 'memory'"),
        ("train_levels", -1, "0 for all, not -1"),
    ],
)
def test_what_the_engine_cannot_do_is_refused(
    envs: ModuleType, name: str, value: int | str, message: str
) -> None:
    suite = suites.get("procgen-easy").make_unofficial({name: value})
    with pytest.raises(UsageError, match=message):
        suite.make(suite.tasks[0], split="train", num_envs=1, seed=0)


def test_the_contract_of_suites_is_kept(envs: ModuleType, suite: Suite) -> None:
    for finding in check_suite(suite, suite.tasks[-1], steps=60):
        assert finding.status != "failed", finding


def test_a_run_keeps_both_evaluations_at_every_point_and_the_versions(
    envs: ModuleType, tmp_path: Path
) -> None:
    trial = "budget=2000,eval_points=[1024],episodes=4,point_episodes=2,max_episode_steps=60"
    suite = ["--suite", "procgen-mini", "--unofficial", trial]
    rlbench("run", *suite, "--agent", "random", "--tasks", "maze", "--seeds", "1", cwd=tmp_path)
    (path,) = tmp_path.glob("runs/procgen-mini-1/**/*.json")
    record = json.loads(path.read_text())
    kept = [(e["name"], e["budget_used"], len(e["returns"])) for e in record["evaluations"]]
    assert kept == [("test", 1024, 2), ("train", 1024, 2), ("test", 2000, 4), ("train", 2000, 4)]
    versions = envs.engine.versions()
    assert {name: record["provenance"][f"version_{name}"] for name in versions} == versions
    rows = json.loads(rlbench("stats", *suite, "--evaluations", "--json", cwd=tmp_path).stdout)
    assert [(row["step"], row["evaluation"]) for row in rows] == [
        (step, name) for step in (1024, 2000) for name in ("test", "train", "train - test")
    ]
    assert rlbench("verify", cwd=tmp_path).stdout.startswith("equal: ")
