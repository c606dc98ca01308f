"""`rlbench duel`: policies on common start states."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.poles import write_files

from rlbench.api.duels import rows_of, sentence
from rlbench.results import Store
from rlbench.stats import duel

FLIPPED = "agents.py:Balance [flipped=true]"
GOOD, BAD = "good=agents.py:Balance", f"bad={FLIPPED}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("duel"))


def test_the_better_policy_is_found_in_one_round(folder: Path) -> None:
    words = (GOOD, BAD, "--suite", "poles.toml", "--store", "one")
    out = rlbench("duel", *words, cwd=folder).stdout
    assert "by mean return, over the width of the bounds" in out
    assert (
        "good has the larger mean return, compared with bad: decided within 20 start states" in out
    )
    records = Store(folder / "one").load().records
    assert [len(record.final.returns) for record in records] == [20, 20]
    assert all(record.budget_used == 0 for record in records)

    (row,) = json.loads(rlbench("duel", *words, "--json", cwd=folder).stdout)
    means = {r.identity.agent.name: sum(r.final.returns) / 20 for r in records}
    assert row["difference"] == pytest.approx(means["good"] - means["bad"])
    assert (row["decision"], row["starts"]) == ("better", 20)
    assert row["p_value"] < 0.05


def test_a_file_tells_the_trackers_of_a_duel(folder: Path) -> None:
    (folder / "how.toml").write_text('track = ["nothing"]\n')
    words = (GOOD, BAD, "--suite", "poles.toml", "--store", "tracked", "--config", "how.toml")
    assert "'nothing'" in rlbench("duel", *words, cwd=folder, code=2).stderr
    (folder / "how.toml").write_text('track = ["tensorboard"]\n')
    rlbench("duel", *words, cwd=folder)
    assert list((folder / "tracked/tracking").iterdir())


def test_a_decision_is_about_returns_over_the_width_of_their_bounds() -> None:
    """One start state in two of a task of [0, 1] outweighs a little of a task of [0, 1000]."""
    generator = np.random.default_rng(0)
    wide = generator.uniform([0, 20], [100, 120], size=(200, 2))
    returns = {name: np.stack([np.full(200, 1.0 - k), wide[:, k]], axis=1)
               for k, name in enumerate("ab")}  # fmt: skip
    gaps = (returns["a"] - returns["b"]) / [1.0, 1000.0]
    (row,) = rows_of(duel({("a", "b"): gaps.mean(axis=1)}), returns)
    assert row["decision"] == "better"
    assert row["difference"] < 0 < row["tested"]
    said = sentence(row, "return")
    assert said.startswith("a has the larger mean return over the width of the bounds")


def test_equal_policies_get_the_same_from_the_same_starts(folder: Path) -> None:
    words = (
        f"a={FLIPPED}", f"b={FLIPPED}", "--suite", "poles.toml", "--store", "equal",
        "--episodes", "5", "--max-rounds", "2", "--json",
    )  # fmt: skip
    (row,) = json.loads(rlbench("duel", *words, cwd=folder, code=3).stdout)
    assert (row["decision"], row["difference"], row["starts"]) == ("undecided", 0.0, 10)
    assert row["p_value"] == 1.0
    returns = {}
    for record in Store(folder / "equal").load().records:
        returns[record.identity.agent.name, record.identity.seed] = record.final.returns
    assert len(set(returns["a", 0])) > 1
    assert [returns["a", k] for k in (0, 1)] == [returns["b", k] for k in (0, 1)]
    # More rounds go on from these.
    more = rlbench("duel", *words[:-2], "3", cwd=folder, code=3).stdout
    assert "round 3" in more
    assert "round 2" not in more
    assert "a and b are undecided after 15 start states." in more


def test_a_dry_run_says_what_rounds_take(folder: Path) -> None:
    """At a price of 3600 an hour, a second of a slot costs 1."""
    words = (
        f"a={FLIPPED}", f"b={FLIPPED}", "--suite", "poles.toml", "--store", "dry",
        "--episodes", "5", "--max-rounds", "3", "--jobs", "1",
    )  # fmt: skip
    asked = (*words, "--dry-run", "--price-per-hour", "3600")
    out = rlbench("duel", *asked, cwd=folder, code=3).stdout
    assert "round 1 of at most 3 comes next:" in out
    assert "assumed: all 5 evaluation episodes of a run are as long as they may be, 60 " in out
    assert "and all rounds that may follow, at most: 6 runs, about" in out
    assert not (folder / "dry").exists()

    one = [word if word != "3" else "1" for word in words]
    rlbench("duel", *one, cwd=folder, code=3)
    said = rlbench("duel", *one, "--dry-run", cwd=folder, code=3).stdout
    assert "undecided after round 1, the last: --max-rounds 2 allows more" in said
    a, b, both, most = json.loads(rlbench("duel", *asked, "--json", cwd=folder, code=3).stdout)
    assert [row["agent"] for row in (a, b, both, most)] == ["a", "b", None, None]
    assert [row["runs"] for row in (a, b, both, most)] == [1, 1, 2, 4]
    assert [row["part"] for row in (a, most)] == ["round 2 of at most 3", "all rounds, at most"]
    seconds = {
        record.identity.agent.name: record.slot_seconds
        for record in Store(folder / "dry").load().records
    }
    assert (a["cost"], b["cost"]) == pytest.approx((seconds["a"], seconds["b"]), abs=0.01)
    assert most["cost"] == pytest.approx(2 * both["cost"], abs=0.01)
    # What a training run of the same agent took says nothing about a round.
    rlbench(
        "run", "--agent", FLIPPED.split()[0], "-o", "flipped=true", "--name", "a", "--suite",
        "poles.toml", "--unofficial", "episodes=5,eval_envs=5", "--seeds", "1", "--store", "dry",
        cwd=folder,
    )  # fmt: skip
    again = json.loads(rlbench("duel", *asked, "--json", cwd=folder, code=3).stdout)
    assert again[0]["basis"] == a["basis"] == "from 1 runs of this agent in the store"


def test_a_dry_run_of_a_duel_that_is_decided(folder: Path) -> None:
    words = (GOOD, BAD, "--suite", "poles.toml", "--store", "over")
    rlbench("duel", *words, cwd=folder)
    assert "decided: no more" in rlbench("duel", *words, "--dry-run", cwd=folder).stdout
    assert json.loads(rlbench("duel", *words, "--dry-run", "--json", cwd=folder).stdout) == []


def test_wins_decide_where_returns_have_no_bounds(folder: Path) -> None:
    text = (folder / "poles.toml").read_text()
    (folder / "open.toml").write_text(text.replace("returns = [0, 60]\n", ""))
    words = (GOOD, BAD, "--suite", "open.toml", "--store", "open", "--episodes", "10")
    out = rlbench("duel", *words, cwd=folder).stdout
    assert "by which of two policies gets more" in out
    assert "good gets more from most start states, compared with bad" in out
    (line,) = rlbench("duel", *words, "--by", "return", cwd=folder, code=2).stderr.splitlines()
    assert "no bounds of returns for CartPole-v1" in line


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((GOOD,), "at least two"),
        ((GOOD, BAD, "--by", "luck"), "unknown way to compare"),
        ((GOOD, BAD, "--alpha", "1"), "inside (0, 1)"),
        ((GOOD, BAD, "--episodes", "0"), "--episodes"),
    ],
)
def test_what_does_not_fit_is_said(folder: Path, words: tuple[str, ...], reason: str) -> None:
    found = rlbench("duel", *words, "--suite", "poles.toml", cwd=folder, code=2)
    assert reason in found.stderr.splitlines()[-1]
