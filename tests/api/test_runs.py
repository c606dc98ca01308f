"""`rlbench.run` and `rlbench.evaluate`: the runs, records and refusals of the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import command
from support.cells import cells
from support.processes import heed_interrupts
from support.registered import register

import rlbench
from rlbench.errors import Assumed, RunError, UnknownName, UsageError
from rlbench.results import Record, Store

AGENT = """
import numpy as np

class Agent:
    def __init__(self, task, *, seed, device, size=4):
        self.size, self.seen = size, 0

    def act(self, obs, first, *, phase):
        return np.zeros(len(obs), dtype=np.int64)

    def observe(self, batch):
        self.seen += 1

class Policy:
    def __init__(self, task, *, seed, device):
        assert task.num_envs == 0

    def act(self, obs, first, *, phase):
        return np.zeros(len(obs), dtype=np.int64)
"""
FAILING = AGENT.replace("self.seen += 1", "raise ValueError('no')")
SLOW = """
import time
import numpy as np
import rlbench

class Slow:
    def __init__(self, task, *, seed, device):
        pass

    def act(self, obs, first, *, phase):
        time.sleep(0.02)
        return np.zeros(len(obs), dtype=np.int64)

rlbench.run("toy", Slow, seeds=4, store="runs")
print("not reached")
"""


@pytest.fixture(autouse=True)
def toy_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    suites = {"toy": "support.toy:TOY", "cartpole-curriculum": "support.cartpole:CARTPOLE"}
    for name, value in register(site, suites).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_cell(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    return cells(monkeypatch)


def records(store: str = "runs") -> list[Record]:
    loaded = Store(store).load()
    assert not loaded.problems
    return sorted(loaded.records, key=lambda record: record.identity.seed)


def test_it_is_the_same_run_as_on_the_command_line(tmp_path: Path) -> None:
    found = rlbench.run("toy", "random", seeds=2, progress=False)
    assert found.agents == ("random",)
    assert found.scores()["random"]["Walk"].shape == (2,)
    done = command.rlbench("run", "--suite", "toy", "--agent", "random", "--seeds", "3",
                           cwd=tmp_path)  # fmt: skip
    assert "1 runs recorded in runs, 0 failed" in done.stdout
    again = rlbench.run("toy", "random", seeds=[0, 2], progress=False)
    assert len(records()) == 3
    assert again.scores()["random"]["Walk"].tolist() == [
        r.score / 10 for r in records() if r.identity.seed != 1
    ]


def test_an_agent_of_a_notebook_runs_here_and_is_recorded(run_cell) -> None:
    names = run_cell(AGENT)
    found = rlbench.run("toy", names["Agent"], seeds=2, config={"size": 5}, progress=False)
    first, second = records()
    assert {first.budget_used, second.budget_used} == {50}
    assert first.identity.agent.factory == "__main__:Agent"
    assert first.identity.agent.config == {"size": 5}
    assert found.notes[0].startswith("agent Agent: source ")
    assert not list(Path("runs/claims").iterdir())
    rlbench.run("toy", names["Agent"], seeds=2, config={"size": 5}, progress=False)
    assert len(records()) == 2  # nothing was left to do
    changed = run_cell(AGENT.replace("self.seen += 1", "self.seen += 2"))
    rlbench.run("toy", changed["Agent"], seeds=1, config={"size": 5}, progress=False)
    assert len(records()) == 3
    loaded = rlbench.load("runs")
    assert len(loaded.agents) == 2
    # What was played can be played again, as after any run.
    done = command.rlbench("verify", cwd=Path.cwd())
    assert done.stdout.count("equal:") == 3


def test_an_agent_in_a_file_runs_in_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in_a_file.py").write_text(AGENT + "\nimport os\nwhere = os.getpid()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import in_a_file  # type: ignore[import-not-found]

    rlbench.run("toy", in_a_file.Agent, seeds=1, progress=False)
    sys.modules.pop("in_a_file")
    (record,) = records()
    assert record.identity.agent.factory == "in_a_file:Agent"
    assert Store("runs").log_of(record.identity).is_file()
    done = command.rlbench("run", "--suite", "toy", "--agent", "in_a_file.py:Agent", "--seeds",
                           "1", cwd=tmp_path)  # fmt: skip
    assert "all 1 runs are in runs already" in done.stdout


def test_failures_are_recorded_and_said(run_cell) -> None:
    names = run_cell(FAILING)
    with pytest.raises(RunError, match=r"none of 2 runs has a score: failed: Walk, seed 1: .*no"):
        rlbench.run("toy", names["Agent"], seeds=2, progress=False)
    assert [record.status for record in records()] == ["failed", "failed"]
    half = run_cell(AGENT.replace("self.seen += 1", "assert self.size"))
    found = rlbench.run("toy", half["Agent"], seeds=1, progress=False)
    assert not any("failed" in note for note in found.notes)


def test_a_policy_is_evaluated_without_spending_budget(run_cell) -> None:
    names = run_cell(AGENT)
    found = rlbench.evaluate("toy", names["Policy"], seeds=2, progress=False)
    assert [record.budget_used for record in records()] == [0, 0]
    assert {record.identity.agent.given for record in records()} == {("pretraining",)}
    assert "Policy was evaluated as it is: no training budget was spent." in found.notes
    rlbench.run("toy", names["Agent"], seeds=2, progress=False)
    (row,) = rlbench.load("runs").compare().rows  # never ranked with what has learned
    assert row["decision"] == "not ranked"
    assert row["reason"] == "Agent was given nothing, Policy pretraining"
    done = command.rlbench("verify", cwd=Path.cwd())
    assert done.stdout.count("equal:") == 4
    assert "--" not in " ".join(found.notes)
    fixed = rlbench.evaluate("toy", names["Policy"], given=[], seeds=1, progress=False)
    assert not any("pretraining" in note for note in fixed.notes)


def test_ours_are_evaluated_in_workers_and_learners_are_refused(run_cell) -> None:
    rlbench.evaluate("toy", "noop", seeds=1, progress=False)
    (record,) = records()
    assert record.identity.agent.given == ()
    assert record.budget_used == record.training.episodes == 0
    with pytest.raises(RunError, match=r"the agent learns by observe\(\), and an evaluation train"):
        rlbench.evaluate("toy", run_cell(AGENT)["Agent"], seeds=1, store="other", progress=False)
    with pytest.raises(UsageError, match="is a curriculum, which trains: run it"):
        rlbench.evaluate("cartpole-curriculum", "random")


def test_the_command_evaluates(tmp_path: Path) -> None:
    (tmp_path / "fixed.py").write_text(AGENT.replace("class Policy", "class make"))
    words = ("evaluate", "--suite", "toy", "--agent", "fixed.py", "--seeds", "2")
    done = command.rlbench(*words, cwd=tmp_path)
    assert "2 runs recorded in runs, 0 failed" in done.stdout
    assert "no training budget is spent" in done.stdout
    assert [record.budget_used for record in records()] == [0, 0]
    assert {record.identity.agent.given for record in records()} == {("pretraining",)}
    found = rlbench.evaluate("toy", "fixed.py", seeds=2, progress=False)
    assert len(records()) == 2
    assert found.agents == ("fixed",)


def test_a_saved_model_of_sb3_is_evaluated(tmp_path: Path) -> None:
    sb3 = pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed")
    from rlbench.runners.agents.adapters.sb3_env import SB3Env

    toy = rlbench.suites.get("toy")
    env = toy.make(toy.task("Walk"), split="train", num_envs=1, seed=0)
    model = sb3.PPO("MlpPolicy", SB3Env(env), n_steps=32, batch_size=32, device="cpu", seed=0)
    model.learn(64).save(tmp_path / "ppo.zip")
    spec = f"sb3-zip:{tmp_path / 'ppo.zip'}"
    with pytest.raises(UsageError, match="add trust=True if you know where it comes from"):
        rlbench.evaluate("toy", spec, progress=False)
    found = rlbench.evaluate("toy", spec, seeds=2, trust=True, progress=False)
    assert found.agents == ("ppo",)
    with pytest.warns(Assumed, match="ppo counts as given pretraining; given="):
        assert found.to_frame().seed.tolist() == [0, 1]
    for record in records():
        assert (record.budget_used, record.training.episodes) == (0, 0)
        assert record.identity.agent.factory == "sb3-zip:PPO"
        assert record.identity.agent.given == ("pretraining",)
    words = ("evaluate", "--suite", "toy", "--agent", spec, "--seeds", "2")
    done = command.rlbench(*words, "--trust", cwd=tmp_path)
    assert "all 2 runs are in runs already" in done.stdout
    assert "--trust" in command.rlbench(*words, cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize(
    ("suite", "agent", "options", "error", "said"),
    [
        ("toys", "random", {}, UnknownName, "unknown suite 'toys'"),
        ("toy", "randon", {}, UnknownName, "Did you mean 'random'"),
        ("toy", "random", {"tasks": ["Wlak"]}, UnknownName, "Did you mean 'Walk'"),
        ("toy", "random", {"tasks": []}, UsageError, "names no task"),
        ("toy", "random", {"seeds": 0}, UsageError, "seeds"),
        ("toy", "random", {"seeds": [-1]}, UsageError, "seeds"),
        ("toy", "random", {"eval_points": [500]}, UsageError, 'eval_points="500," is neither'),
        ("toy", "random", {"config": {"x": 1}}, UnknownName, "unknown option"),
        ("toy", "random", {"store": "published"}, UsageError, "names the published scores"),
        ("toy", "random", {"unofficial": {"budgt": 1}}, UnknownName, "Did you mean 'budget'"),
        ("toy", 3, {}, UsageError, "a spec, a class or a function, not int"),
    ],
)
def test_mistakes_are_told_in_one_line(suite, agent, options, error, said) -> None:
    with pytest.raises(error, match=said) as caught:
        rlbench.run(suite, agent, **options)
    assert "\n" not in str(caught.value)
    assert not Path("runs").exists()


def test_charts_are_kept_besides(run_cell) -> None:
    pytest.importorskip("tensorboardX")
    for agent in ("random", run_cell(AGENT)["Agent"]):
        rlbench.run("toy", agent, seeds=1, track="tensorboard", progress=False)
    folders = {path.parent for path in Path("runs/tracking").rglob("events.out.tfevents.*")}
    assert len(folders) == 2
    with pytest.raises(UnknownName, match="Did you mean 'tensorboard'"):
        rlbench.run("toy", "random", track=["tensorbord"])


def test_a_timeout_is_for_workers(run_cell) -> None:
    with pytest.raises(UsageError, match="a timeout is for agents that run in workers"):
        rlbench.run("toy", run_cell(AGENT)["Agent"], timeout=3.0)


def test_an_interrupt_leaves_finished_runs_recorded(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "script.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(Path("runs").glob("toy-1/*/*/*.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "not reached" not in out
    assert err.endswith("\nKeyboardInterrupt\n")
    assert "stopping: " in err
    assert "of 4 runs are kept in runs" in err
    assert 1 <= len(records()) < 4
    assert all(record.status == "ok" for record in records())
    claims = [json.loads(path.read_text()) for path in Path("runs/claims").glob("*.json")]
    assert all(claim["over"] for claim in claims)


def test_a_line_says_how_far_it_is(run_cell, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    rlbench.run("toy", run_cell(AGENT)["Agent"], seeds=2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.rstrip().split("\r")[-1].startswith("100%, 2/2 runs")
