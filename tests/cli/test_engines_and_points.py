"""What a run says of its engine, and the evaluations that a user adds."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.registered import register

from rlbench.results import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which the suites of the tests are installed."""
    for name, value in register(tmp_path / "installed").items():
        monkeypatch.setenv(name, value)
        for entry in value.split(os.pathsep):
            monkeypatch.syspath_prepend(entry)
    return tmp_path


def test_an_engine_that_does_not_behave_is_named_at_the_start(folder: Path) -> None:
    run = ("run", "--suite", "toy-odd", "--agent", "random", "--seeds", "2")
    said = rlbench(*run, cwd=folder).stderr
    assert said.count("the engine of Walk does not behave as toy-odd@1 expects") == 1
    assert "rlbench doctor --engines" in said
    records = Store(folder / "runs").load().records
    assert len({record.engine.fingerprint for record in records if record.engine}) == 1
    assert all(record.provenance["version_numpy"] == np.__version__ for record in records)
    # Its scores are never shown as those of the engine that is expected.
    rows = json.loads(rlbench("stats", "--suite", "toy-odd", "--json", cwd=folder).stdout)
    assert {row["agent"] for row in rows} == {f"random [numpy {np.__version__}]"}
    doctor = rlbench("doctor", "--engines", "--suite", "toy-odd", cwd=folder, code=1)
    assert "broken" in doctor.stdout
    assert "1 of 1 tasks do not behave as expected" in doctor.stdout


def test_resets_that_do_not_vary_make_a_run_invalid(folder: Path) -> None:
    run = ("run", "--suite", "toy-fixed", "--agent", "random", "--seeds", "1")
    said = rlbench(*run, cwd=folder, code=1).stderr
    assert "8 resets of Walk led to one state" in said
    (record,) = Store(folder / "runs").load().records
    assert (record.status, record.budget_used) == ("invalid", 0)


def test_extra_evaluations_are_kept_and_marked(folder: Path) -> None:
    run = ("run", "--suite", "toy-odd", "--agent", "random", "--seeds", "1", "-q")
    rlbench(*run, "--eval-points", "5", cwd=folder)
    (record,) = Store(folder / "runs").load().records
    assert [(e.budget_used, e.extra) for e in record.evaluations] == [
        (10, True), (20, True), (30, True), (40, True), (50, False)
    ]  # fmt: skip
    assert not record.identity.unofficial
    assert "extra" in rlbench("show", record.identity.key, cwd=folder).stdout
    # The run is there, whatever points are asked for.
    again = rlbench(*run[:-1], "--eval-points", "5", cwd=folder)
    assert "already" in again.stdout
    assert "eval-points" not in again.stderr
    other = rlbench(*run, "--eval-points", "7", cwd=folder)
    assert "note: 1 runs in runs were made without these --eval-points" in other.stderr


def test_an_agent_that_leaves_some_of_its_budget_is_recorded(folder: Path) -> None:
    (folder / "brief.py").write_text(
        "class Brief:\n"
        "    def act(self, obs, first, *, phase):\n"
        "        return [0] * len(obs)\n"
        "    def train(self, env):\n"
        "        env.reset()\n"
        "        for _ in range(49):\n"
        "            env.step([0])\n"
        "def make(task, *, seed, device):\n"
        "    return Brief()\n"
    )
    rlbench("run", "--suite", "toy-odd", "--agent", "brief", "--seeds", "1", cwd=folder)
    (record,) = Store(folder / "runs").load().records
    assert (record.status, record.budget_used, record.final.budget_used) == ("ok", 49, 49)
    rows = json.loads(rlbench("list", "runs", "--json", cwd=folder).stdout)
    assert [row["status"] for row in rows] == ["ok"]
    said = " ".join(rlbench("stats", "--suite", "toy-odd", cwd=folder).stdout.split())
    assert "1 of 1 runs stopped before the budget was spent (at 49 of 50, the earliest)" in said


def test_paths_of_the_machine_reach_no_record(folder: Path) -> None:
    (folder / "lost.py").write_text(
        "def make(task, *, seed, device):\n    open('/home/ann/secret/weights.npz')\n"
    )
    agent = str(folder / "lost.py")
    run = ("run", "--suite", "toy-odd", "--agent", agent, "--seeds", "1")
    said = rlbench(*run, cwd=folder, code=1)
    (path,) = (folder / "runs").glob("*/*/*/*.json")
    assert "weights.npz" in path.read_text()
    assert "/home/ann" not in path.read_text() + said.stdout
    assert str(folder) not in path.read_text()


def test_the_command_says_which_points_make_no_sense(folder: Path) -> None:
    run = ("run", "--suite", "toy-odd", "--agent", "random", "--eval-points", "99,100")
    assert "--eval-points '99,100'" in rlbench(*run, cwd=folder, code=2).stderr
