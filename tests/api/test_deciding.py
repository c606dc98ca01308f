"""`rlbench.decide`, `study` and `duel`: the decisions, plans and refusals of the command line."""

import json
from pathlib import Path

import pytest
from support import command, poles

import rlbench
from rlbench.errors import RunError, UsageError
from rlbench.results import Store

SUITE = "poles.toml"
GOOD, BAD = "agents.py:Balance", "agents.py:Balance [flipped=true]"
STUDY = """
suite = "poles.toml"
store = "studied"
figures = "drawn"

[comparison]
statistic = "mean"
batch = 4
max_batches = 2
baseline = "full"

[agents.full]
agent = "agents.py:Balance"
tune = {seeds = "100-101", settings = [{flipped = true}, {flipped = false}]}

[agents.flipped]
base = "full"
options = {flipped = true}
"""
TWO = """
store = "both"

[comparison]
statistic = "mean"
batch = 5

[[suites]]
suite = "poles.toml"

[[suites]]
suite = "posts.toml"

[agents.good]
agent = "agents.py:Balance"

[agents.bad]
agent = "agents.py:Balance"
options = {flipped = true}
"""
QUIET = {"progress": False}
PLAN = {"statistic": "mean", "batch": 5, "max_batches": 2}
WORDS = ("--statistic", "mean", "--batch", "5", "--max-batches", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = poles.write_files(tmp_path_factory.mktemp("deciding"))
    (folder / "agents.py").write_text(poles.AGENTS + poles.GROUP)
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_a_decision_is_that_of_compare_run(folder: Path, capsys) -> None:
    found = rlbench.decide(
        SUITE, {"good": GOOD, "bad": BAD}, runs_per_gpu=4, progress=True, **PLAN
    )  # fmt: skip
    assert "batch 1 of at most 2: good, bad" in capsys.readouterr().err
    (row,) = found.rows
    assert (row["a"], row["decision"], row["batches"]) == ("good", "larger", 1)
    assert len(Store("runs").load().records) == 10
    assert found.sentences[0].startswith("good and bad are told apart after batch 1: the mean of")
    assert "10 of 20 planned runs were needed" in found.sentences[-1]
    assert "AdaStop on the mean of 2 agents, 1 tasks of poles@1" in repr(found)
    # The command finds the plan and all its runs.
    out = command.rlbench(
        "compare", "--run", f"good={GOOD}", f"bad={BAD}", "--suite", SUITE, *WORDS, "--json",
        cwd=folder,
    ).stdout  # fmt: skip
    assert json.loads(out) == [dict(row)]
    with pytest.raises(UsageError, match=r"begin another with new_plan="):
        rlbench.decide(SUITE, {"good": GOOD, "bad": BAD}, **{**PLAN, "batch": 4}, **QUIET)


def test_a_failed_run_decides_nothing() -> None:
    with pytest.raises(
        RunError, match=r"^undecided: 5 runs failed, first .*: act raised ValueError: no"
    ):
        rlbench.decide(SUITE, [GOOD, "agents.py:Breaks"], store="broken", **PLAN, **QUIET)


def test_agents_of_this_process_alone_are_refused() -> None:
    class Own:
        def __init__(self, task, *, seed, device):
            pass

    with pytest.raises(UsageError, match="'Own' is known to this process alone"):
        rlbench.decide(SUITE, [GOOD, Own], **QUIET)
    with pytest.raises(UsageError, match="name at least two agents, in a list"):
        rlbench.decide(SUITE, GOOD, **QUIET)
    with pytest.raises(UsageError, match="can decide nothing, whatever the scores"):
        rlbench.decide(SUITE, [f"a={GOOD}", f"b={BAD}"], batch=1, max_batches=1, **QUIET)


def test_a_duel_is_that_of_the_command(folder: Path) -> None:
    found = rlbench.duel(SUITE, [f"good={GOOD}", f"bad={BAD}"], store="rounds", **QUIET)
    assert found.sentences == (
        "good has the larger mean return, compared with bad: decided within 20 start states.",
    )
    out = command.rlbench(
        "duel", f"good={GOOD}", f"bad={BAD}", "--suite", SUITE, "--store", "rounds", "--json",
        cwd=folder,
    ).stdout  # fmt: skip
    assert json.loads(out) == [dict(row) for row in found.rows]
    with pytest.raises(UsageError, match=r"alpha=2 must be inside \(0, 1\)"):
        rlbench.duel(SUITE, [GOOD, BAD], alpha=2, **QUIET)
    with pytest.raises(UsageError, match="episodes 0 must be 1 to 1000"):
        rlbench.duel(SUITE, [GOOD, BAD], episodes=0, **QUIET)


def test_a_study_is_that_of_the_command(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    (folder / "study.toml").write_text(STUDY)
    found = rlbench.study("study.toml", runs_per_gpu=4, **QUIET)
    assert {(row["a"], row["b"]): row["decision"] for row in found.rows}["full", "flipped"] == (
        "larger"
    )
    assert {path.suffix for path in Path("drawn").iterdir()} >= {".pdf"}
    assert {path.stem for path in Path("drawn").iterdir()} >= {"stopping", "ablation"}
    (said,) = [note for note in found.notes if note.startswith("tuning of full")]
    assert "flipped=false was chosen, with" in said
    before = {record.sha256 for record in Store("studied").load().records}
    out = command.rlbench("study", "run", "study.toml", "--json", cwd=folder).stdout
    assert json.loads(out) == [dict(row) for row in found.rows]
    assert {record.sha256 for record in Store("studied").load().records} == before


def test_a_study_of_two_suites_is_that_of_the_command(folder: Path) -> None:
    other = poles.SUITE.replace('name = "poles"', 'name = "posts"')
    (folder / "posts.toml").write_text(other)
    (folder / "two.toml").write_text(TWO)
    found = rlbench.study("two.toml", runs_per_gpu=4, **QUIET)
    assert [(row["suite"], row["decision"]) for row in found.rows] == [
        ("poles@1", "larger"), ("posts@1", "larger"),
    ]  # fmt: skip
    assert found.sentences[0].startswith("poles@1: good and bad are told apart")
    out = command.rlbench("study", "run", "two.toml", "--json", cwd=folder).stdout
    assert json.loads(out) == [dict(row) for row in found.rows]
