"""Figures and tables by command: real files in, files for a paper out, one line when it fails."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.records import ATARI, make_record

from rlbench import stats
from rlbench.results import Evaluation, Store, read_scores, select
from rlbench.results.record import Training

EXAMPLE = Path(__file__).parents[2] / "examples/scores.csv"
RAW = "agent,task,seed,score\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder of figures of the example, and what the command said."""
    folder = tmp_path_factory.mktemp("figures")
    done = rlbench(
        "figures", str(EXAMPLE), "--suite", "atari100k", "--format", "pdf,svg", "--out", "out",
        cwd=folder,
    )  # fmt: skip
    return folder / "out", done.stdout


def write_curves(path: Path, *, agents: str = "ab", seeds: int = 3, steps: int = 4) -> None:
    lines = [
        f"{agent},{task},{seed},{1000 * step},{step + seed + ord(agent) - 97}"
        for agent in agents
        for task in ("one", "two")
        for seed in range(seeds)
        for step in range(1, steps + 1)
    ]
    path.write_text("agent,task,seed,step,score\n" + "\n".join(lines) + "\n")


def one_line_error(stderr: str) -> str:
    (line,) = stderr.strip().splitlines()
    assert line.startswith("rlbench: ")
    return line


def test_what_is_written_is_said(drawn: tuple[Path, str]) -> None:
    folder, said = drawn
    kinds = ("intervals", "profiles", "improvement", "ranks", "cd", "tasks")
    suffixes = ("pdf", "svg", "csv", "txt")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{kind}.{suffix}" for kind in kinds for suffix in suffixes
    )
    for kind in kinds:
        for suffix in suffixes:
            assert str(Path("out") / f"{kind}.{suffix}") in said
    for kind in ("curves", "task-curves"):
        assert f"\n{kind}: not drawn: no run has several evaluation points" in said
    assert "speedups" not in said  # they need a baseline


def test_the_numbers_are_those_of_the_normalised_scores(drawn: tuple[Path, str]) -> None:
    folder, _ = drawn
    runs = select(read_scores(EXAMPLE).runs, ATARI)
    with (folder / "intervals.csv").open(newline="") as file:
        rows = {(row["agent"], row["metric"]): row for row in csv.DictReader(file)}
    for agent, tasks in runs.items():
        found = stats.bootstrap(list(tasks.values()), "iqm")
        row = rows[agent, "iqm"]
        # The command may compute by numpy what numba does here: see `rlbench.stats.kernels`.
        assert [float(row[k]) for k in ("point", "low", "high")] == pytest.approx(
            [found.point, found.low, found.high], rel=1e-12
        )
    with (folder / "improvement.csv").open(newline="") as file:
        (row,) = [r for r in csv.DictReader(file) if {r["a"], r["b"]} == {"SPR", "DrQ(eps)"}]
    wins = [
        ((a[:, None] > b) + 0.5 * (a[:, None] == b)).mean()
        for a, b in zip(runs["SPR"].values(), runs["DrQ(eps)"].values(), strict=True)
    ]
    assert (row["a"], row["b"]) == ("SPR", "DrQ(eps)")
    assert float(row["point"]) == pytest.approx(np.mean(wins), rel=1e-12)
    caption = (folder / "intervals.txt").read_text()
    assert "over 26 tasks with 5 runs a task" in caption
    assert "normalised by the random and human scores of atari100k@1" in caption


def test_curves_come_from_tables_with_steps(tmp_path: Path) -> None:
    write_curves(tmp_path / "runs.csv")
    done = rlbench(
        "figures", "runs.csv", "--kind", "curves", "--width", "icml", "--out", ".", cwd=tmp_path
    )
    assert done.stdout.splitlines() == [
        "curves: curves.pdf, curves.csv, curves.txt",
        "runs.csv: read as agent: agent, task: task, seed: seed, step: step, score: score. "
        "2 agents, 2 tasks, 3 runs a task.",
    ]
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step"]) for row in rows if row["agent"] == "b"] == [1e3, 2e3, 3e3, 4e3]
    # Of three runs, whose scores differ by one, on two tasks alike.
    points = {agent: [float(r["point"]) for r in rows if r["agent"] == agent] for agent in "ab"}
    assert points == {"a": [2.0, 3.0, 4.0, 5.0], "b": [3.0, 4.0, 5.0, 6.0]}


def test_dense_curves_are_drawn_at_some_of_their_steps(tmp_path: Path) -> None:
    write_curves(tmp_path / "runs.csv", agents="a", seeds=1, steps=1_000)
    options = ("--kind", "curves", "--out", ".")
    done = rlbench("figures", "runs.csv", *options, cwd=tmp_path)
    assert "Curves of a are drawn at 300 of their steps, evenly spread." in done.stdout
    with (tmp_path / "curves.csv").open(newline="") as file:
        steps = [float(row["step"]) for row in csv.DictReader(file)]
    assert (len(steps), steps[0], steps[-1]) == (300, 1e3, 1e6)


def test_an_agent_without_checkpoints_is_not_among_the_curves(tmp_path: Path) -> None:
    write_curves(tmp_path / "runs.csv", agents="a")
    write_curves(tmp_path / "last.csv", agents="b", steps=1)
    options = ("--kind", "curves", "--out", "o")
    done = rlbench("figures", "runs.csv", "last.csv", *options, cwd=tmp_path)
    assert "No curve, because there are fewer than two evaluation points: b." in done.stdout
    assert "of 1 agent:" in (tmp_path / "o/curves.txt").read_text()


@pytest.fixture
def store_of_curves(tmp_path: Path) -> Path:
    """Return a folder with a store of three runs of Pong, each with two evaluations."""
    store = Store(tmp_path / "runs")
    store.prepare()
    for seed in range(3):
        record = make_record("Pong", "mine", seed, seed - 20.0)
        early = Evaluation(
            budget_used=50_000, returns=(-21.0,) * 10, lengths=(9,) * 10, distinct_starts=1
        )
        final = replace(record.evaluations[0], budget_used=record.budget_used)
        store.write(replace(record, evaluations=(early, final)))
    store.write(make_record("Pong", "mine", 3, status="failed"))
    return tmp_path


def test_curves_come_from_the_checkpoints_of_records(store_of_curves: Path) -> None:
    options = ("--suite", "atari100k", "--kind", "curves,intervals", "--out", "o")
    done = rlbench("figures", *options, cwd=store_of_curves)
    assert "The figures use the 1 of 26 tasks that the agent has runs of." in done.stdout
    with (store_of_curves / "o/curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pong = ATARI.task("Pong")
    expected = [(raw - pong.low) / (pong.high - pong.low) for raw in (-21.0, -19.0)]
    assert [float(row["point"]) for row in rows] == pytest.approx(expected)
    assert [float(row["step"]) for row in rows] == [50_000, 100_000]


def test_an_export_with_curves_says_what_the_store_says(store_of_curves: Path) -> None:
    said = rlbench(
        "export", "--suite", "atari100k", "--curves", "--csv", "mine.csv", cwd=store_of_curves
    ).stdout
    assert said == "7 evaluations in mine.csv\n"
    suite = ("--suite", "atari100k", "--kind", "curves")
    rlbench("figures", *suite, "--out", "store", cwd=store_of_curves)
    rlbench("figures", "mine.csv", *suite, "--out", "file", cwd=store_of_curves)
    drawn = [(store_of_curves / f"{source}/curves.csv").read_text() for source in ("store", "file")]
    assert drawn[0] == drawn[1]
    rows = [
        json.loads(rlbench("stats", *files, *suite[:2], "--json", cwd=store_of_curves).stdout)
        for files in (["mine.csv"], [])
    ]
    assert rows[0] == rows[1]
    options = ("--suite", "atari100k", "--store", "published", "--curves", "--csv", "p.csv")
    error = rlbench("export", *options, cwd=store_of_curves, code=2).stderr
    assert "published scores have no curves" in one_line_error(error)


def test_an_export_by_training_episodes_says_what_its_scores_are(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    store.prepare()
    none = Training(episodes=0, ends=(), returns=())
    store.write(replace(make_record("Pong", "mine", 0), training=none))
    store.write(make_record("Pong", "mine", 1, status="failed"))
    options = ("export", "--suite", "atari100k", "--training-episodes", "100", "--csv", "t.csv")
    error = rlbench(*options, cwd=tmp_path, code=2).stderr
    assert "no training episode ended in these runs" in one_line_error(error)
    trained = Training(episodes=3, ends=(9, 18, 27), returns=(-21.0, -20.0, -19.0))
    store.write(replace(make_record("Pong", "mine", 2), training=trained))
    done = rlbench(*options, cwd=tmp_path)
    assert "last 100 training episodes, not those of the protocol's evaluation" in done.stderr
    assert "In 1 of 1 runs fewer training episodes ended" in done.stderr
    assert "no training episode ended, left out: 1" in done.stderr
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["status"], row["score"]) for row in rows] == [("failed", ""), ("ok", "-20.0")]
    error = rlbench(*options, "--curves", cwd=tmp_path, code=2).stderr
    assert "--training-episodes does not go with --curves" in one_line_error(error)


def test_what_cannot_be_drawn_is_said_in_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(RAW + "a,t,0,1\nb,t,0,2\n")
    done = rlbench("figures", "one.csv", "--out", "o", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert "ranks: not drawn: there are no rank sets: too few runs: fewer than 3 on a task" in lines
    assert "curves: not drawn: no run has several evaluation points" in lines
    assert "With one run on a task there are no" in (tmp_path / "o/intervals.txt").read_text()
    assert "ptimality" not in (tmp_path / "o/intervals.csv").read_text()  # raw scores
    done = rlbench("figures", "one.csv", "--kind", "ranks", "--out", "p", cwd=tmp_path, code=2)
    assert "no figure can be drawn" in one_line_error(done.stderr)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "interval"], "unknown kind of figure 'interval'. Did you mean 'intervals'?"),
        (["--format", "jpg"], "unknown format 'jpg'"),
        (["--width", "nips"], "unknown width 'nips'"),
        (["--width", "0"], "1 to 40 inches"),
        (["--baseline", "PPO"], "unknown agent 'PPO'"),
        (["--kind", ","], "no kind of figure is given"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    (tmp_path / "s.csv").write_text(RAW + "a,t,0,1\na,t,1,2\n")
    done = rlbench("figures", "s.csv", "--out", "o", *options, cwd=tmp_path, code=2)
    assert message in one_line_error(done.stderr)
    assert not (tmp_path / "o").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(RAW + "a,t,0,1\na,t,1,2\n")
    options = ("--kind", "intervals", "--out", "s.csv")
    done = rlbench("figures", "s.csv", *options, cwd=tmp_path, code=2)
    assert "cannot write s.csv/intervals.pdf" in one_line_error(done.stderr)


def test_published_agents_of_other_protocols_are_not_ranked(tmp_path: Path) -> None:
    suite = ("--suite", "atari100k", "--store", "published")
    options = ("--kind", "intervals,ranks", "--out", "o")
    done = rlbench("figures", *suite, *options, cwd=tmp_path)
    assert re.search(r"^ranks: not drawn: .* are not ranked: ", done.stdout, re.M)
    assert "Left out, since they have means and no runs: " in done.stdout
    caption = (tmp_path / "o/intervals.txt").read_text()
    assert "STORM is published (atari100k.storm): sticky actions 0.25 (ours 0.0)" in caption
    assert "MuZero" not in (tmp_path / "o/intervals.csv").read_text()
    done = rlbench("table", *suite, cwd=tmp_path)
    assert "textbf" not in done.stdout
    assert "Nothing is bold: " in done.stdout


def test_tables_go_to_standard_output_alone(tmp_path: Path) -> None:
    scores = {"a_b": {"Pong": [1.0, 2.0]}, "50%": {"Pong": [3.0, 4.0], "Alien": [1.0, 2.0]}}
    (tmp_path / "s.json").write_text(json.dumps(scores))
    done = rlbench("table", "s.json", "--suite", "atari100k", cwd=tmp_path)
    assert done.stdout.startswith("% needs \\usepackage{booktabs,graphicx}\n\\begin{table*}")
    assert done.stdout.endswith("\\end{table*}\n")
    assert r"a\_b & " in done.stdout
    assert r"50\% & " in done.stdout
    assert done.stderr.splitlines() == [
        "s.json: read as agents: a_b, 50%, tasks: Pong, Alien. 2 agents, 2 tasks, 2 runs a task.",
        "The figures use the 1 of 26 tasks that all agents have runs of.",
    ]


def test_tables_hold_the_statistics(tmp_path: Path) -> None:
    base = ("table", str(EXAMPLE), "--suite", "atari100k", "--format", "markdown")
    text = rlbench(*base, cwd=tmp_path).stdout
    rows = json.loads(
        rlbench("stats", str(EXAMPLE), "--suite", "atari100k", "--json", cwd=tmp_path).stdout
    )
    for row in rows:
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {row['agent']} ")]
        assert f"{row['point']:.3f}" in line
        if row["low"] is not None:
            assert f"[{row['low']:.3f}, {row['high']:.3f}]" in line
    bold = [line.split(" |")[0] for line in text.splitlines() if "**" in line]
    assert bold == ["| SPR", "| DrQ(eps)"]
    per_task = rlbench(*base, "--per-task", cwd=tmp_path).stdout
    assert len([line for line in per_task.splitlines() if line.startswith("| ")]) == 26 + 2
    assert "step-down max-T over all pairs and 26 tasks" in per_task


def test_wrong_formats_and_missing_stores_are_one_line(tmp_path: Path) -> None:
    done = rlbench("table", str(EXAMPLE), "--format", "html", cwd=tmp_path, code=2)
    assert "unknown format 'html'. Known: latex, markdown." in one_line_error(done.stderr)
    done = rlbench("table", "--suite", "atari100k", cwd=tmp_path, code=2)
    assert "there is no store at runs" in one_line_error(done.stderr)
    (tmp_path / "s.csv").write_text(RAW + "a,x,0,1\nb,y,0,2\n")
    done = rlbench("table", "s.csv", cwd=tmp_path, code=2)
    assert "no task in common" in one_line_error(done.stderr)


def test_unofficial_constants_are_named_in_captions(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(RAW + "a,Pong,0,1\na,Pong,1,2\n")
    options = ("--suite", "atari100k", "--unofficial", "budget=2000")
    done = rlbench("table", "s.csv", *options, cwd=tmp_path)
    assert "UNOFFICIAL: budget=2000" in done.stdout
