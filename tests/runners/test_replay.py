"""Evaluations that are played again: no false alarm, and no environment that differs unseen."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.records import make_record
from support.toy import TOY, Walks

from rlbench.registry import Entry
from rlbench.results import Record, Store
from rlbench.runners import Progress, load_factory, run_online
from rlbench.runners.replay import verify
from rlbench.suites import Suite, registry

RUNS = 200


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


UNSTEADY = replace(TOY, name="unsteady", factory=f"{__name__}:make_unsteady")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the suites of this file found by their names."""
    for name, target in {"toy": "support.toy:TOY", "unsteady": f"{__name__}:UNSTEADY"}.items():
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


def test_clean_runs_raise_no_alarm(tmp_path: Path) -> None:
    for seed in range(RUNS):
        verdict = verify(*recorded(TOY, seed, tmp_path))
        assert verdict.equal, (seed, verdict.detail)


def test_an_environment_that_is_not_deterministic_is_found_out(tmp_path: Path) -> None:
    verdicts = [verify(*recorded(UNSTEADY, seed, tmp_path)) for seed in range(RUNS)]
    assert not any(verdict.equal for verdict in verdicts)
    assert all("step 1 differs" in verdict.detail for verdict in verdicts)
