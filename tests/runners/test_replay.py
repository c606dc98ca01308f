"""Evaluations that are played again: no false alarm, and no environment that differs unseen."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from support.records import make_record
from support.toy import TOY, Walks

from rlbench.errors import UsageError
from rlbench.registry import Entry
from rlbench.results import Record, Store
from rlbench.runners import Progress, load_factory, replay, run_online
from rlbench.runners.replay import frames, verify
from rlbench.suites import Suite, registry
from rlbench.suites.envs import make_slots

RUNS = [40, pytest.param(200, marks=pytest.mark.slow)]


class Unsteady(Walks):
    """Walks whose rewards are never quite what they were."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.unseeded = np.random.default_rng()

    def step(self, actions: np.ndarray):
        obs, reward, ended, truncated, info = super().step(actions)
        noise = 1e-9 * self.unseeded.random(self.num_envs)
        return obs, reward + noise, ended, truncated, info


def make_unsteady(task, constants, *, split, num_envs, stream) -> Unsteady:
    return Unsteady(num_envs, stream, make_space(), 1.0)


def make_space() -> Any:
    return TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0).single_action_space


class Painted(gymnasium.Env[Any, Any]):
    """An environment that draws its clock."""

    observation_space = Box(0, 99, (1,), np.float64)
    action_space = Discrete(2)
    render_mode = "rgb_array"

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.clock = 0
        return np.zeros(1), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict]:
        self.clock += 1
        return np.full(1, float(self.clock)), 1.0, self.clock == 7, False, {}

    def render(self) -> np.ndarray:
        return np.full((4, 6, 3), self.clock, np.uint8)


def make_painted(task, constants, *, split, num_envs, stream) -> Any:
    return make_slots(Painted, num_envs=num_envs, split=split, stream=stream, max_episode_steps=30)


PAINTED = replace(TOY, name="painted", factory=f"{__name__}:make_painted", starts_vary=False)
UNSTEADY = replace(TOY, name="unsteady", factory=f"{__name__}:make_unsteady")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the suites of this file found by their names."""
    here = {"toy": "support.toy:TOY", "unsteady": f"{__name__}:UNSTEADY",
            "painted": f"{__name__}:PAINTED"}  # fmt: skip
    for name, target in here.items():
        monkeypatch.setitem(registry.SUITES.own, name, Entry(target))


def recorded(suite: Suite, seed: int, folder: Path) -> tuple[Record, Store]:
    """Run an agent and keep its record and actions."""
    progress = Progress()
    run_online(
        suite, suite.tasks[0], load_factory("random"), config={}, seed=seed, device="cpu",
        progress=progress,
    )  # fmt: skip
    record = dataclasses.replace(
        make_record("Walk", suite=suite, seed=seed),
        evaluations=tuple(progress.evaluations),
        replay=progress.replay,
    )
    store = Store(folder)
    store.write(record, progress.actions)
    return record, store


@pytest.mark.parametrize("runs", RUNS)
def test_clean_runs_raise_no_alarm(runs: int, tmp_path: Path) -> None:
    for seed in range(runs):
        verdict = verify(*recorded(TOY, seed, tmp_path))
        assert verdict.equal, (seed, verdict.detail)


@pytest.mark.parametrize("runs", RUNS)
def test_an_environment_that_is_not_deterministic_is_found_out(runs: int, tmp_path: Path) -> None:
    verdicts = [verify(*recorded(UNSTEADY, seed, tmp_path)) for seed in range(runs)]
    assert not any(verdict.equal for verdict in verdicts)
    assert all("step 1 differs" in verdict.detail for verdict in verdicts)


def test_what_environments_draw_is_taken_before_what_agents_see(tmp_path: Path) -> None:
    found, fps = frames(*recorded(PAINTED, 0, tmp_path), [0, 3, 6, 50])
    assert [frame.shape for frame in found] == [(4, 6, 3)] * 3
    assert [int(frame.mean()) for frame in found] == [0, 3, 6]
    assert fps is None


def test_environments_without_pictures_say_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of toy@1 do not render, and observations of shape \(2,"):
        frames(*recorded(TOY, 0, tmp_path), [0])


@pytest.mark.parametrize(
    ("shape", "newest"),
    [((8, 9), ...), ((8, 9, 3), ...), ((8, 9, 1), (..., 0)), ((4, 8, 9), -1), ((4, 8, 9, 3), -1)],
)
def test_the_newest_picture_of_a_stack_is_taken(shape: tuple[int, ...], newest: Any) -> None:
    seen = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture, expected = replay._as_picture(seen), seen[newest]
    assert picture.shape == (8, 9, 3)
    for channel in range(3):
        alone = expected if expected.ndim == 2 else expected[..., channel]
        np.testing.assert_array_equal(picture[..., channel], alone)


@pytest.mark.parametrize("shape", [(9,), (9, 9, 4), (2, 4, 8, 9, 3)])
def test_what_is_no_picture_is_not_shown_as_one(shape: tuple[int, ...]) -> None:
    with pytest.raises(replay._NoPicture, match="shape"):
        replay._as_picture(np.zeros(shape, np.uint8))
