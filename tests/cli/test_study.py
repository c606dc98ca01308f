"""`rlbench study`: a file says what is tuned, run, tested and drawn."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from support.command import rlbench
from support.poles import write_files

from rlbench.api.study import read_study
from rlbench.errors import RLBenchError
from rlbench.results import Store

STUDY = """
suite = "poles.toml"
store = "runs"
figures = "figures"

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

[agents.same]
base = "flipped"
options = {flipped = false, pace = 0.0}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder in which a study was run, and what the command said."""
    folder = write_files(tmp_path_factory.mktemp("study"))
    (folder / "study.toml").write_text(STUDY)
    dry = rlbench("study", "run", "study.toml", "--dry-run", cwd=folder, code=3).stdout
    assert dry.count("CartPole-v1 seed 10") == 4
    assert "batch 1 of at most 2 comes next:" in dry
    assert not (folder / "runs").exists()
    return folder, rlbench("study", "run", "study.toml", cwd=folder).stdout


TUNED_TWICE = STUDY.replace(
    'base = "flipped"',
    'base = "flipped"\ntune = {seeds = "200-202", settings = [{pace = 0.0}, {}]}',
).replace("options = {flipped = false, pace = 0.0}", "options = {flipped = false}")


def test_a_dry_run_of_a_study_goes_to_its_end(done: tuple[Path, str], tmp_path: Path) -> None:
    """It tells of every tuning, of the comparison, and of all of them together."""
    folder = write_files(tmp_path)
    (folder / "study.toml").write_text(TUNED_TWICE)
    words = ("study", "run", "study.toml", "--dry-run")
    out = rlbench(*words, "--price-per-hour", "2", cwd=folder, code=3).stdout
    assert "tuning of full: 2 settings\n" in out
    assert "tuning of same: 2 settings, on top of what is chosen for full\n" in out
    assert "AdaStop on the mean of 3 agents" in out
    assert "batch 1 of at most 2 comes next:" in out
    assert "4 of 4 runs to do of full, whose setting is not chosen yet" in out
    # Those of the first tuning alone are certain.
    assert len(re.findall("^[0-9a-f]{16} CartPole-v1 seed ", out, re.MULTILINE)) == 4
    (last,) = [line for line in out.splitlines() if line.startswith("the whole study, at most: ")]
    assert last.startswith(f"the whole study, at most: {4 + 6 + 3 * 4 * 2} runs, about ")
    assert last.endswith(" slot hours at 2 each")
    assert not (folder / "runs").exists()

    rows = json.loads(rlbench(*words, "--json", cwd=folder, code=3).stdout)
    totals = [(row["part"], row["runs"]) for row in rows if row["agent"] is None]
    assert totals == [
        ("tuning of full", 4), ("tuning of same", 6), ("batch 1 of at most 2", 12),
        ("all batches, at most", 24), ("the whole study, at most", 34),
    ]  # fmt: skip
    for name in ("seconds", "disk_bytes"):
        parts = [row[name] for row in rows if row["agent"] is None]
        assert parts[4] == pytest.approx(parts[0] + parts[1] + parts[3], abs=5)

    # The first tuning is done, the second one is not: what is left is told.
    shutil.copytree(done[0] / "runs", folder / "runs")
    rows = json.loads(rlbench(*words, "--json", cwd=folder, code=3).stdout)
    totals = [(row["part"], row["runs"]) for row in rows if row["agent"] is None]
    assert totals[0] == ("tuning of same", 6)
    assert totals[1][0] == "batch 1 of at most 2"
    assert 4 <= totals[1][1] < 12  # those of full and flipped are done
    assert totals[3][0] == "the whole study, at most"


def test_a_dry_run_of_a_study_that_is_done(done: tuple[Path, str]) -> None:
    out = rlbench("study", "run", "study.toml", "--dry-run", cwd=done[0]).stdout
    assert "decided: no more runs are needed" in out
    rows = rlbench("study", "run", "study.toml", "--dry-run", "--json", cwd=done[0]).stdout
    assert json.loads(rows) == []


def test_a_study_tunes_runs_tests_and_draws(done: tuple[Path, str]) -> None:
    folder, out = done
    assert "tuning of full: mean over 2 seeds, which have no part in the comparison" in out
    assert "the mean of full was larger" in out
    assert "full and same are not separated" in out
    assert "flipped and same" not in out  # all are compared with the baseline only
    records = Store(folder / "runs").load().records
    tuned = {r.identity.agent.config["flipped"] for r in records if r.identity.agent.name == "full"}
    assert tuned == {False}
    seeds = {name: set() for name in ("full", "full setting 1", "full setting 2")}
    for record in records:
        seeds.setdefault(record.identity.agent.name, set()).add(record.identity.seed)
    assert seeds["full setting 1"] == seeds["full setting 2"] == {100, 101}
    assert seeds["full"].isdisjoint({100, 101})
    assert (folder / "figures/stopping.csv").exists()


def test_an_ablation_is_drawn_as_the_test_decided(done: tuple[Path, str]) -> None:
    folder, _ = done
    with (folder / "figures/ablation.csv").open(newline="") as file:
        rows = {row["agent"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["flipped", "same"]
    flipped, same = rows.values()
    assert {row["base"] for row in rows.values()} == {"full"}
    assert (flipped["decision"], same["decision"]) == ("smaller", "not separated")
    assert float(flipped["high"]) < 0
    assert not same["low"] or float(same["low"]) <= 0 <= float(same["high"])
    scores = {name: [] for name in ("full", "flipped")}
    for record in Store(folder / "runs").load().records:
        if record.identity.agent.name in scores and record.identity.seed < 100:
            scores[record.identity.agent.name].append((record.score - 10) / 50)
    scores = {name: sorted(values) for name, values in scores.items()}
    gap = sum(scores["flipped"]) / len(scores["flipped"]) - sum(scores["full"]) / len(
        scores["full"]
    )
    assert float(flipped["point"]) == pytest.approx(gap)
    caption = (folder / "figures/ablation.txt").read_text()
    assert caption.startswith("Mean of 2 agents minus that of full, over 1 task with ")
    assert (folder / "figures/ablation.pdf").read_bytes().startswith(b"%PDF")


def test_what_is_chosen_for_a_base_goes_to_its_ablations(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    study = read_study(path)
    chosen = {"full": {"pace": 0.5, "flipped": False}}
    assert study.entrant("full", chosen).config == {"pace": 0.5, "flipped": False}
    assert study.entrant("flipped", chosen).config == {"pace": 0.5, "flipped": True}
    assert study.entrant("same", chosen) == (
        "same",
        "agents.py:Balance",
        {"pace": 0.0, "flipped": False},
        "",
    )


def test_a_teacher_is_taken_over_from_the_base(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    text = STUDY.replace(
        'agent = "agents.py:Balance"', 'agent = "agents.py:Balance"\nteacher = "adr"'
    )
    path.write_text(text.replace('base = "flipped"', 'base = "flipped"\nteacher = "uniform"'))
    study = read_study(path)
    assert [study.entrant(name, {}).teacher for name in study.agents] == ["adr", "adr", "uniform"]


def test_the_same_command_again_only_reports(done: tuple[Path, str]) -> None:
    folder, _ = done
    before = len(Store(folder / "runs").load().records)
    rows = json.loads(rlbench("study", "run", "study.toml", "--json", cwd=folder).stdout)
    assert [(row["a"], row["b"]) for row in rows] == [("full", "flipped"), ("full", "same")]
    assert len(Store(folder / "runs").load().records) == before


def test_what_a_study_says_can_be_said_by_compare(done: tuple[Path, str]) -> None:
    folder, _ = done
    words = (
        "full=agents.py:Balance [flipped=false]", "flipped=agents.py:Balance [flipped=true]",
        "same=agents.py:Balance [flipped=false, pace=0.0]", "--suite", "poles.toml", "--run",
        "--statistic", "mean", "--batch", "4", "--max-batches", "2", "--baseline", "full", "--json",
    )  # fmt: skip
    rows = json.loads(rlbench("compare", *words, cwd=folder).stdout)
    assert rows == json.loads(rlbench("study", "run", "study.toml", "--json", cwd=folder).stdout)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("batch = 4", "batch = 0", "is not a study"),
        ("batch = 4", "bach = 4", "is not a study"),
        ("suite =", "suite ", "is not a study"),
        ('suite = "poles.toml"', "", "it names no suite"),
        ('base = "full"', 'base = "fool"', "the base of agent 'flipped'"),
        ('base = "full"', 'base = "same"', "the base of agent 'flipped'"),
        ('agent = "agents.py:Balance"', "", "agent 'full' has no agent"),
        ('baseline = "full"', 'baseline = "ful"', "Did you mean 'full'"),
        ('"100-101"', '"3-4"', "tuned on seed 3"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    old: str, new: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(STUDY.replace(old, new, 1))
    with pytest.raises(RLBenchError) as caught:
        read_study(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


SUITES = """
store = "runs"
figures = "figures"

[[suites]]
suite = "poles.toml"

[[suites]]
suite = "long.toml"
unofficial = {max_episode_steps = 80}

[comparison]
batch = 4
max_batches = 2

[agents.good]
agent = "agents.py:Balance"
tune = {seeds = "100-101", settings = [{flipped = true}, {flipped = false}]}

[agents.bad]
agent = "agents.py:Balance"
options = {flipped = true}
"""


def write_suites(folder: Path) -> Path:
    write_files(folder)
    text = (folder / "poles.toml").read_text().replace('"poles"', '"long"')
    (folder / "long.toml").write_text(text)
    (folder / "study.toml").write_text(SUITES)
    return folder


def test_a_study_of_two_suites(tmp_path: Path) -> None:
    """Each has its tuning, its plan and its figures; a dry run adds them up."""
    folder, words = write_suites(tmp_path), ("study", "run", "study.toml")
    dry = rlbench(*words, "--dry-run", cwd=folder, code=3).stdout
    assert [dry.count(f"suite {name}@1\n") for name in ("poles", "long")] == [1, 1]
    assert f"the whole study, at most: {2 * (4 + 16)} runs, about " in dry
    rows = json.loads(rlbench(*words, "--dry-run", "--json", cwd=folder, code=3).stdout)
    assert [row["suite"] for row in rows] == ["poles@1"] * 7 + ["long@1"] * 7 + [None]
    assert (rows[-1]["part"], rows[-1]["runs"]) == ("the whole study, at most", 40)
    assert not (folder / "runs").exists()

    out = rlbench(*words, cwd=folder).stdout
    poles, long = out.split("suite long@1\n")
    for part in (poles, long):
        assert part.count("tuning of good: IQM over 2 seeds") == 1
        assert "the IQM of good was larger." in part
    assert (folder / "figures/poles/stopping.csv").exists()
    assert (folder / "figures/long/stopping.csv").exists()
    decided = json.loads(rlbench(*words, "--json", cwd=folder).stdout)
    assert [(row["suite"], row["decision"]) for row in decided] == [
        ("poles@1", "larger"), ("long@1", "larger")
    ]  # fmt: skip
    plans = {path.stem for path in (folder / "runs/plans").iterdir()}
    assert {row["plan"] for row in decided} == plans
    records = Store(folder / "runs").load().records
    assert {(r.identity.suite, tuple(r.identity.unofficial)) for r in records} == {
        ("poles@1", ()), ("long@1", ("max_episode_steps",))
    }  # fmt: skip
    again = json.loads(rlbench(*words, "--dry-run", "--json", cwd=folder).stdout)
    assert again == []


def test_a_suite_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = write_suites(tmp_path)
    text = (folder / "agents.py").read_text()
    breaks = (
        'if task.suite.startswith("poles"):\n            raise ValueError("not here")\n        '
    )
    (folder / "agents.py").write_text(
        text.replace("self.flipped, self.pace", breaks + "self.flipped, self.pace", 1)
    )
    done = rlbench("study", "run", "study.toml", "--json", cwd=folder, code=1)
    assert "not here" in done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["suite"], row["decision"]) == ("long@1", "larger")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('store = "runs"', 'suite = "poles.toml"', "suite belongs into the tables [[suites]]"),
        ('store = "runs"', 'tasks = ["x"]', "tasks belongs into the tables [[suites]]"),
        ('"long.toml"', '"poles.toml"', "the suite poles is named twice"),
        ("[[suites]]", "[[other]]", "is not a study"),
    ],
)
def test_suites_that_do_not_fit_are_refused(
    old: str, new: str, reason: str, tmp_path: Path
) -> None:
    folder = write_suites(tmp_path)
    (folder / "study.toml").write_text(SUITES.replace(old, new))
    (line,) = rlbench("study", "run", "study.toml", cwd=folder, code=2).stderr.splitlines()
    assert reason in line
    assert not (folder / "runs").exists()
