"""Published scores and boards by command: shown with their deviations, ranked by the rules."""

import csv
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.command import rlbench, run_short
from support.processes import COMMAND
from support.registered import register

PAPERS = ("--suite", "atari100k", "--store", "published")


def rows_of(*arguments: str, cwd: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(rlbench(*arguments, "--json", cwd=cwd).stdout)
    return rows


def one_line_error(process: subprocess.CompletedProcess[str]) -> str:
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("rlbench: ")
    return lines[0]


def scores_file(folder: Path) -> str:
    """Write raw scores of one agent on all games of Atari 100k, and return the file's name."""
    from rlbench import suites

    lines = ["agent,task,seed,score"]
    for task in suites.get("atari100k").tasks:
        lines += [f"mine,{task.name},{seed},{task.high + seed}" for seed in range(5)]
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return "mine.csv"


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """Register a suite that cannot be run, and return its name."""
    folder = tmp_path_factory.mktemp("installed") / "board"
    for name, value in register(folder, {"toy-board": "support.toy:BOARD"}).items():
        monkeypatch.setenv(name, value)
    return "toy-board"


def output_of(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which sees what is registered."""
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--agent", "random", "--suite"),
        ("run", "--agent", "random", "--dry-run", "--suite"),
        ("check", "random", "--suite"),
    ],
)
def test_boards_cannot_be_run(command: tuple[str, ...], board: str, tmp_path: Path) -> None:
    found = output_of(*command, board, cwd=tmp_path)
    assert found.returncode == 2
    assert "cannot be run yet: it holds published scores only" in one_line_error(found)
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_suites_says_which_can_be_run(board: str, tmp_path: Path) -> None:
    rows = json.loads(output_of("list", "suites", "--json", cwd=tmp_path).stdout)
    assert {row["id"] for row in rows if not row["can_run"]} == {board}
    assert "not yet" in output_of("list", "suites", cwd=tmp_path).stdout
    assert "cannot be run yet" in output_of("show", board, cwd=tmp_path).stdout
    assert len(rows_of("list", "tasks", "--suite", "stori", cwd=tmp_path)) == 24


def test_stats_of_published_scores(tmp_path: Path) -> None:
    found = rlbench("stats", *PAPERS, "--json", cwd=tmp_path)
    rows = json.loads(found.stdout)
    points = {(row["agent"], row["metric"]): row for row in rows}
    assert points["SPR", "iqm"]["point"] == pytest.approx(0.337, abs=5e-4)
    assert points["SPR", "iqm"]["low"] < 0.337 < points["SPR", "iqm"]["high"]
    assert (points["SPR", "iqm"]["runs"], points["SPR", "iqm"]["tasks"]) == (100, 26)
    assert points["SPR", "iqm"]["source"] == "atari100k.spr"
    assert "no ops 0 to 29 agent steps" in points["SPR", "iqm"]["deviations"]
    assert "STORM (atari100k.storm): sticky actions 0.25 (ours 0.0)" in found.stderr
    assert len({row["agent"] for row in rows}) == 17


def test_means_have_no_iqm_and_no_interval(tmp_path: Path) -> None:
    rows = [row for row in rows_of("stats", *PAPERS, cwd=tmp_path) if row["runs"] == 0]
    assert {(row["agent"], row["metric"]) for row in rows} == {
        (agent, metric) for agent in ("EfficientZero", "MuZero") for metric in ("mean", "median")
    }
    assert all(row["low"] is None and row["method"].startswith("none: means") for row in rows)
    board = ("--suite", "parkour", "--store", "published")
    tasks = rows_of("stats", *board, "--per-task", cwd=tmp_path)
    fish = {row["agent"]: row["mean"] for row in tasks if row["task"] == "fish"}
    assert fish["SAC + ALP-GMM"] == pytest.approx(0.361)
    assert {row["runs"] for row in tasks} == {0}


def test_the_text_prints_the_deviations(tmp_path: Path) -> None:
    text = rlbench("stats", *PAPERS, cwd=tmp_path).stdout
    assert "how their protocols differ from atari100k@1" in text
    assert "atari100k.storm" in text
    assert "sticky actions 0.25" in text
    assert "DreamerV3: 8 runs have a score from before the end" in text


def test_the_same_fields_are_compared_and_ranked(tmp_path: Path) -> None:
    command = ("compare", "SPR", "DrQ(eps)", *PAPERS)
    (row,) = rows_of(*command, cwd=tmp_path)
    assert (row["a"], row["b"], row["decision"]) == ("SPR", "DrQ(eps)", "larger")
    assert row["p_value"] < 0.05
    assert row["reason"] is None
    assert "no ops 0 to 29 agent steps" in row["a_deviations"] == row["b_deviations"]
    text = rlbench(*command, cwd=tmp_path).stdout
    for said in ("SPR is better than DrQ(eps): IQM +0.0", "1 to 1", "how their protocols differ"):
        assert said in text


def test_the_answer_is_in_the_order_of_the_question(tmp_path: Path) -> None:
    said = {}
    for pair in (("BBF", "SPR"), ("SPR", "BBF")):
        out = rlbench("compare", *pair, *PAPERS, cwd=tmp_path).stdout
        said[pair[0]] = out.splitlines()[0]
    better = r"BBF is better than SPR: IQM \+0\.\d+ \[0\.\d+, 0\.\d+\]; BBF wins 85% of run pairs\."
    worse = r"SPR is worse than BBF: IQM -0\.\d+ \[-0\.\d+, -0\.\d+\]; SPR wins 15% of run pairs\."
    assert re.fullmatch(better, said["BBF"])
    assert re.fullmatch(worse, said["SPR"])


def test_other_fields_are_shown_and_not_tested(tmp_path: Path) -> None:
    command = ("compare", "SPR", "DrQ(eps)", "IRIS", "EfficientZero", *PAPERS)
    rows = rows_of(*command, cwd=tmp_path)
    tested = {(row["a"], row["b"]) for row in rows if row["p_value"] is not None}
    assert tested == {("SPR", "DrQ(eps)")}
    by_pair = {(row["a"], row["b"]): row for row in rows}
    assert len(by_pair) == 6
    iris = by_pair["SPR", "IRIS"]
    assert iris["difference"] == pytest.approx(0.3366 - 0.5012, abs=1e-4)
    assert (iris["decision"], iris["p_value"]) == ("not ranked", None)
    assert iris["low"] < iris["difference"] < iris["high"]
    assert iris["method"] == "stratified bootstrap, rao-wu"
    assert "differ in image" in iris["reason"]
    means = by_pair["SPR", "EfficientZero"]
    assert (means["difference"], means["reason"]) == (
        None, "EfficientZero: its scores are means, not runs"
    )  # fmt: skip
    text = rlbench("compare", "SPR", "IRIS", *PAPERS, cwd=tmp_path).stdout
    assert "not ranked" in text
    assert "possible ranks" not in text
    assert "p value" not in text


@pytest.mark.parametrize(
    ("suite", "reason"),
    [("neorl2", "chosen by the score"), ("stori", "read from a picture"), ("parkour", "means")],
)
def test_what_is_never_ranked_is_not_tested(suite: str, reason: str, tmp_path: Path) -> None:
    rows = rows_of("compare", "--suite", suite, "--store", "published", cwd=tmp_path)
    assert rows
    for row in rows:
        assert row["p_value"] is None
        assert reason in row["reason"]


def test_scores_of_ones_own_beside_published_ones(tmp_path: Path) -> None:
    file = scores_file(tmp_path)
    (row,) = rows_of("compare", file, "SPR", *PAPERS, cwd=tmp_path)
    assert (row["a"], row["b"], row["p_value"]) == ("mine", "SPR", None)
    assert row["difference"] > 0.5
    assert row["reason"] == "SPR and the suite differ in no ops, life loss"
    assert row["a_deviations"] is None
    assert "life loss terminal" in row["b_deviations"]
    rows = rows_of("stats", file, *PAPERS, cwd=tmp_path)
    assert {row["source"] for row in rows if row["agent"] == "mine"} == {None}


def test_plans_and_stopping_rules_take_no_such_pairs(tmp_path: Path) -> None:
    error = one_line_error(rlbench("plan", "SPR", "IRIS", *PAPERS, cwd=tmp_path, code=2))
    assert "not planned for" in error
    assert "differ in image" in error
    rule = ("--stop", "adastop")
    error = one_line_error(
        rlbench("compare", "SPR", "DrQ(eps)", *rule, *PAPERS, cwd=tmp_path, code=2)
    )
    assert "leave --stop out" in error


def test_a_suite_without_published_scores_and_changed_constants(tmp_path: Path) -> None:
    store = ("--store", "published")
    bare = rlbench("stats", "--suite", "stump-tracks", *store, cwd=tmp_path, code=2)
    assert "there are no published scores of stump-tracks@1" in one_line_error(bare)
    changed = rlbench("stats", *PAPERS, "--unofficial", "budget=5", cwd=tmp_path, code=2)
    assert "cannot be combined with unofficial ones" in one_line_error(changed)


def test_sources_are_listed_and_shown(tmp_path: Path) -> None:
    rows = rows_of("list", "runs", "--store", "published", cwd=tmp_path)
    assert len(rows) == 84
    assert sum(row["runs"] for row in rows) == 16602 - 2 * 26 - 24
    storm = next(row for row in rows if row["source"] == "atari100k.storm")
    assert (storm["agent"], storm["runs"], storm["licence"]) == ("STORM", 130, "none given")
    card = rlbench("show", "atari100k.storm", cwd=tmp_path).stdout
    for said in ("Zhang et al. 2023", "sticky actions       0.25", "weipu-zhang/STORM", "Freeway"):
        assert said in card
    assert "never ranked" in rlbench("show", "stori-100k.storm", cwd=tmp_path).stdout


def test_export_of_published_scores(tmp_path: Path) -> None:
    rlbench("export", *PAPERS, "--csv", "papers.csv", cwd=tmp_path)
    with (tmp_path / "papers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10790
    pong = [row for row in rows if (row["agent"], row["task"]) == ("IRIS", "Pong")]
    assert len(pong) == 5
    assert all(row["licence"] == "GPL-3.0" and row["paper"] and row["url"] for row in pong)
    # They come back as what they are: from papers, not ranked with runs of one's own.
    back = rlbench("stats", "papers.csv", "--suite", "atari100k", "--json", cwd=tmp_path)
    assert json.loads(back.stdout) == json.loads(
        rlbench("stats", *PAPERS, "--json", cwd=tmp_path).stdout
    )


def test_no_run_is_written_among_the_published(tmp_path: Path) -> None:
    refused = run_short(
        "--agent", "random", "--tasks", "Pong", "--seeds", "1", "--store", "published",
        cwd=tmp_path, code=2,
    )  # fmt: skip
    assert "names the published scores" in one_line_error(refused)
    assert list(tmp_path.iterdir()) == []
