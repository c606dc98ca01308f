"""Files in the forms that people have, through the verbs that read them."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench

INPUTS = Path(__file__).parents[1] / "inputs"
WALKERS = tuple(str(INPUTS / f"adastop_walker{n}.csv") for n in (1, 2))


@pytest.mark.parametrize("verb", ["stats", "compare", "plan", "table"])
def test_what_was_taken_as_what_is_always_said(verb: str, tmp_path: Path) -> None:
    file = str(INPUTS / "min_model.csv")
    done = rlbench(verb, file, cwd=tmp_path)
    said = (
        "min_model.csv: read as agent: model, task: env, score: score. "
        "2 agents, 1 task, 2 runs a task."
    )
    assert said in (done.stderr if verb == "table" else done.stdout)
    if verb != "table":
        assert said in rlbench(verb, file, "--json", cwd=tmp_path).stderr


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_read_and_said(separator: str, word: str, tmp_path: Path) -> None:
    text = (INPUTS / "min_model.csv").read_text()
    (tmp_path / "plain.csv").write_text(text)
    (tmp_path / "other.csv").write_text(text.replace(",", separator))
    plain, other = (
        rlbench("stats", f"{n}.csv", "--json", cwd=tmp_path) for n in ("plain", "other")
    )
    assert other.stdout == plain.stdout
    assert f"cells are separated by {word}" in other.stderr
    assert "separated" not in plain.stderr


def test_what_says_nothing_of_a_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones((3, 2)))
    for options in (["--agent", "b"], ["--at-step", "0"], ["--columns", "score=x"], ["--wide"]):
        error = rlbench("stats", "a.npz", *options, cwd=tmp_path, code=2).stderr
        assert f"a.npz is not a table: leave out {options[0]}" in error


def test_refusals_are_one_line(tmp_path: Path) -> None:
    for options in (
        [WALKERS[0]],
        [WALKERS[0], "--columns-are", "envs"],
        [WALKERS[0], "--columns", "score"],
        [WALKERS[0], "--columns", "x=PPO"],
        [str(INPUTS / "openrlbenchmark.csv")],
    ):
        error = rlbench("stats", *options, cwd=tmp_path, code=2).stderr
        assert len(error.splitlines()) == 1


def test_files_with_a_column_an_agent_are_batches(tmp_path: Path) -> None:
    options = ("--columns-are", "agents", "--per-task")
    one = json.loads(rlbench("stats", WALKERS[0], *options, "--json", cwd=tmp_path).stdout)
    done = rlbench("stats", *WALKERS, *options, "--json", cwd=tmp_path)
    both = json.loads(done.stdout)
    assert (one[0]["agent"], one[0]["runs"]) == ("PPO", 5)
    assert [(row["agent"], row["runs"]) for row in both] == [
        (name, 10) for name in ("PPO", "DDPG", "SAC", "TRPO")
    ]
    assert "Batches of the same agents, in this order:" in done.stderr
    columns = np.concatenate([np.loadtxt(w, delimiter=",", skiprows=1) for w in WALKERS])
    np.testing.assert_allclose([row["mean"] for row in both], columns[:, 1:].mean(axis=0))
    stop = ("--columns-are", "agents", "--stop", "adastop", "--max-batches", "2")
    decided = rlbench("compare", *WALKERS, *stop, "--json", cwd=tmp_path, code=None)
    assert {row["a"] for row in json.loads(decided.stdout)} <= {"PPO", "DDPG", "SAC", "TRPO"}


def test_tasks_are_spelled_in_one_way_across_files(tmp_path: Path) -> None:
    for agent, task in (("a", "Breakout"), ("b", "ALE/Breakout-v5")):
        lines = [f"{agent},{task},{seed},{seed}" for seed in range(3)]
        (tmp_path / f"{agent}.csv").write_text("\n".join(["agent,task,seed,score", *lines]))
    done = rlbench("compare", "a.csv", "b.csv", cwd=tmp_path)
    assert "Tasks taken by their other spelling: ALE/Breakout-v5 as Breakout." in done.stdout
    done = rlbench("stats", "b.csv", "--suite", "atari100k", "--json", cwd=tmp_path)
    assert "b.csv: tasks taken by their other spelling: ALE/Breakout-v5 as Breakout." in done.stderr
    assert json.loads(done.stdout)[0]["tasks"] == 1


def test_one_budget_for_all(tmp_path: Path) -> None:
    options = (str(INPUTS / "unfinished.csv"), "--per-task", "--json")
    done = rlbench("stats", *options, "--at-step", "10", cwd=tmp_path)
    assert [row["mean"] for row in json.loads(done.stdout)] == [1, 2]
