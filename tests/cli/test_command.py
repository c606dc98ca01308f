"""The main job by command: run, look, export, compare by statistics, publish."""

import csv
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from support.command import SHORT, rlbench, run_short
from support.processes import COMMAND, heed_interrupts, workers_in

from rlbench.results import Store
from rlbench.stats.coverage import coverage_warning

RANDOM = ["run", "--suite", "atari100k", "--agent", "random"]
EXAMPLE = Path(__file__).parents[2] / "examples/my_agent.py"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which two agents have been run on two tasks."""
    folder = tmp_path_factory.mktemp("done")
    shutil.copy(EXAMPLE, folder)
    for agent in ("random", "my_agent"):
        out = run_short("--agent", agent, "--tasks", "pong,Breakout", "--seeds", "2", cwd=folder)
        assert "4 runs recorded in runs, 0 failed" in out.stdout
    return folder


def one_line_error(process: subprocess.CompletedProcess[str]) -> str:
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("rlbench: ")
    return lines[0]


def test_each_run_has_a_record(done: Path) -> None:
    loaded = Store(done / "runs").load()
    assert loaded.problems == []
    assert len(loaded.records) == 8
    for record in loaded.records:
        assert record.status == "ok"
        assert record.budget_used == 40
        assert len(record.evaluations[0].returns) == 2
        assert {"version_rlbench", "version_ale-py", "cpus"} <= set(record.provenance)
    assert {r.identity.agent.name for r in loaded.records} == {"random", "my_agent"}


def test_the_same_command_again_does_nothing(done: Path) -> None:
    out = run_short("--agent", "my_agent", "--tasks", "Pong", "--seeds", "0-1", cwd=done)
    assert out.stdout.splitlines()[-1] == "all 2 runs are in runs already"


def test_another_seed_does_only_what_is_new(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "runs", tmp_path / "runs")
    out = run_short("--agent", "random", "--tasks", "Pong", "--seeds", "3", cwd=tmp_path)
    assert "1 runs recorded" in out.stdout


def test_runs_are_deterministic(done: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    run_short("--agent", "my_agent", "--tasks", "Pong", "--seeds", "2", "--jobs", "1", cwd=tmp_path)
    first = {r.identity.key: r for r in Store(done / "runs").load().records}
    for record in Store(tmp_path / "runs").load().records:
        other = first[record.identity.key]
        assert (record.evaluations, record.training) == (other.evaluations, other.training)


def test_lists(done: Path) -> None:
    suites = json.loads(rlbench("list", "suites", "--json", cwd=done).stdout)
    atari = next(row for row in suites if row["id"] == "atari100k")
    assert (atari["version"], atari["kind"], atari["tasks"]) == (1, "online", 26)
    tasks = json.loads(rlbench("list", "tasks", "--suite", "atari100k", "--json", cwd=done).stdout)
    assert len(tasks) == 26
    agents = json.loads(rlbench("list", "agents", "--json", cwd=done).stdout)
    assert {"random", "noop"} <= {row["agent"] for row in agents}
    runs = json.loads(rlbench("list", "runs", "--json", cwd=done).stdout)
    assert {(r["agent"], r["task"], r["seed"], r["status"]) for r in runs} == {
        (a, t, s, "ok")
        for a in ("random", "my_agent")
        for t in ("Pong", "Breakout")
        for s in (0, 1)
    }
    for what in (["suites"], ["tasks", "--suite", "atari100k"], ["agents"], ["runs"]):
        assert rlbench("list", *what, cwd=done).stdout.strip()


def test_show(done: Path) -> None:
    record = Store(done / "runs").load().records[0]
    text = rlbench("show", record.identity.key[:10], cwd=done).stdout
    assert record.identity.digest in text
    assert f"unofficial           {','.join(sorted(SHORT.split(',')))}" in text
    shown = json.loads(rlbench("show", record.identity.key, "--json", cwd=done).stdout)
    assert shown[0]["key"] == record.identity.key
    card = rlbench("show", "atari100k", cwd=done).stdout
    assert "noop_max" in card
    assert "does not normalise to 0" in card
    error = one_line_error(rlbench("show", "zzz", cwd=done, code=2))
    assert "unknown suite, run or published agent 'zzz'" in error


def test_export(done: Path, tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    options = ["export", "--suite", "atari100k", "--unofficial", SHORT, "--csv"]
    target.write_text("old")
    os.link(target, tmp_path / "old.csv")
    rlbench(*options, str(target), cwd=done)
    assert (tmp_path / "old.csv").read_text() == "old", "the new file takes its place as a whole"
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = {r.identity.key: r.score for r in Store(done / "runs").load().records}
    assert {row["key"]: float(row["score"]) for row in rows} == scores
    assert rlbench(*options, "-", cwd=done).stdout == target.read_text()
    assert "cannot write" in one_line_error(rlbench(*options, "/nowhere/x.csv", cwd=done, code=2))


def test_stats(done: Path) -> None:
    options = ["stats", "--suite", "atari100k", "--unofficial", SHORT]
    rows = json.loads(rlbench(*options, "--json", cwd=done).stdout)
    assert len(rows) == 2 * 4
    for row in rows:
        assert list(row) == ["agent", "metric", "point", "low", "high", "method", "runs", "tasks"]
        assert (row["runs"], row["tasks"]) == (2, 2)
        why = (
            "the interval of the median" if row["metric"] == "median" else "on every task all runs"
        )
        assert row["method"].startswith(f"none: {why}"), "so short runs all score the same"
        assert row["low"] is row["high"] is None
    text = rlbench(*options, cwd=done).stdout
    assert "UNOFFICIAL" in text
    assert "2/26" in text
    assert "these are not scores of atari100k@1" in text


def test_stats_of_a_bare_csv(done: Path, tmp_path: Path) -> None:
    """The exported scores give the numbers that the store gives, with no environment at hand."""
    rlbench(
        "export",
        "--suite",
        "atari100k",
        "--unofficial",
        SHORT,
        "--csv",
        str(tmp_path / "a.csv"),
        cwd=done,
    )
    from_csv = rlbench("stats", "a.csv", "--suite", "atari100k", "--json", cwd=tmp_path).stdout
    options = ["stats", "--suite", "atari100k", "--unofficial", SHORT, "--json"]
    from_store = rlbench(*options, cwd=done).stdout
    by_agent = [
        sorted(json.loads(t), key=lambda r: (r["agent"], r["metric"]))
        for t in (from_csv, from_store)
    ]
    assert by_agent[0] == by_agent[1]
    raw = json.loads(rlbench("stats", "a.csv", "--json", cwd=tmp_path).stdout)
    with (tmp_path / "a.csv").open(newline="") as file:
        table = [r for r in csv.DictReader(file) if r["agent"] == "random"]
    scores = [float(r["score"]) for r in table]
    (mean,) = [r["point"] for r in raw if (r["agent"], r["metric"]) == ("random", "mean")]
    assert mean == pytest.approx(sum(scores) / len(scores))
    mixed = rlbench(*options, str(tmp_path / "a.csv"), "--store", "runs", cwd=done)
    assert {"random (a.csv)", "random (runs)"} < {row["agent"] for row in json.loads(mixed.stdout)}
    assert "Kept apart, though their names are equal: my_agent (a.csv)" in mixed.stderr
    assert "raw scores" in rlbench("stats", "a.csv", cwd=tmp_path).stdout


ROWS = """agent,task,seed,score,low,high
a,Pong,0,-20.7,-20.7,14.6
a,Pong,1,14.6,-20.7,14.6
b,Pong,0,-3.05,-20.7,14.6
b,Boxing,0,0.1,0.1,12.1
b,Boxing,1,12.1,0.1,12.1
"""


def test_stats_by_columns_tasks_and_for_a_paper(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(ROWS)
    by_suite, by_columns = (
        json.loads(rlbench("stats", "s.csv", *how, "--json", cwd=tmp_path).stdout)
        for how in (["--suite", "atari100k"], ["--normalise-by", "low,high"])
    )
    assert [row["point"] for row in by_columns] == pytest.approx([r["point"] for r in by_suite])
    options = ["stats", "s.csv", "--normalise-by", "low, high"]
    rows = json.loads(rlbench(*options, "--per-task", "--json", cwd=tmp_path).stdout)
    assert [(row["agent"], row["task"], row["mean"], row["runs"]) for row in rows] == [
        ("a", "Pong", 0.5, 2), ("b", "Pong", pytest.approx(0.5), 1), ("b", "Boxing", 0.5, 2)
    ]  # fmt: skip
    text = rlbench(*options, cwd=tmp_path).stdout
    for said in ("normalised by the columns low and high", "b has 1 to 2 runs", "Not all 2 tasks"):
        assert said in text
    paper = rlbench(*options, "--methods-text", "--method", "percentile", cwd=tmp_path).stdout
    assert "over 2 tasks with 1 to 2 runs a task" in paper
    assert "@inproceedings{agarwal2021deep" in paper


def scores_file(path: Path, shifts: dict[str, float], runs: int) -> None:
    """Write raw scores of a few tasks, about which agents differ by their shifts."""
    generator = np.random.default_rng(0)
    lines = ["agent,task,seed,score"]
    for agent, shift in shifts.items():
        for task in ("Pong", "Boxing", "Breakout", "Qbert"):
            values = generator.normal(shift, 1.0, size=runs)
            lines += [f"{agent},{task},{seed},{value}" for seed, value in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")


def test_compare_and_plan(tmp_path: Path) -> None:
    scores_file(tmp_path / "s.csv", {"x": 0.0, "y": 0.1, "z": 5.0}, runs=5)
    rows = json.loads(rlbench("compare", "s.csv", "--json", cwd=tmp_path).stdout)
    decided = {(row["a"], row["b"]): row["decision"] for row in rows}
    assert decided == {("x", "y"): "not separated", ("x", "z"): "smaller", ("y", "z"): "smaller"}
    for row in rows:
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["method"].startswith("max-t of the stratified bootstrap, rao-wu")
        assert (row["low"] <= 0 <= row["high"]) == (row["decision"] == "not separated")
        assert row["test"] == "stratified permutation test, step-down max-T"
    assert 3 <= rows[0]["runs_needed_low"] < rows[0]["runs_needed"]
    assert rows[0]["runs_needed_high"] is None
    text = rlbench("compare", "s.csv", cwd=tmp_path).stdout
    for said in ("x is worse than z: IQM -", "x and y are not separated", "2 to 3", "step-down"):
        assert said in text
    assert coverage_warning("difference of iqm", tasks=4, runs=5) == ""
    assert "nominal" not in text
    scores_file(tmp_path / "few.csv", {"x": 0.0, "y": 0.1}, runs=2)
    of_few = rlbench("compare", "few.csv", cwd=tmp_path).stdout
    for of in ("difference of iqm", "improvement"):
        assert of_few.count(coverage_warning(of, tasks=4, runs=2)) == 1
    summary = rlbench("stats", "s.csv", cwd=tmp_path).stdout
    assert "stratified bootstrap, rao-wu" in summary
    for of in ("iqm", "mean"):
        assert summary.count(coverage_warning(of, tasks=4, runs=5)) == 1
    plan = rlbench("plan", "s.csv", cwd=tmp_path).stdout
    assert f"x and y: {rows[0]['runs_needed_low']} or more new runs a task" in plan
    assert f"({rows[0]['runs_needed']:,} if the difference is the one seen)" in plan
    assert "--stop adastop" in plan
    of_size = rlbench("plan", "s.csv", "--difference", "1.0", cwd=tmp_path).stdout
    assert re.search(r"x and y: \d+ new runs a task for power 0.8\.", of_size)
    planned = json.loads(rlbench("plan", "s.csv", "--json", cwd=tmp_path).stdout)
    assert list(planned[0]) == ["a", "b", "runs", "power", "width"]


def test_runs_that_are_all_equal_have_no_interval(tmp_path: Path) -> None:
    lines = [f"{agent},maze,{seed},1.0" for agent in "AB" for seed in range(5)]
    (tmp_path / "s.csv").write_text("\n".join(["agent,task,seed,score", *lines]) + "\n")
    for command in ("stats", "compare"):
        rows = json.loads(rlbench(command, "s.csv", "--json", cwd=tmp_path).stdout)
        assert {row["low"] for row in rows} == {row["high"] for row in rows} == {None}
        assert all(row["method"].startswith("none: ") for row in rows)
        assert "was measured to cover" not in rlbench(command, "s.csv", cwd=tmp_path).stdout


def test_no_number_of_runs_separates_equal_agents_that_never_vary(tmp_path: Path) -> None:
    values = {"A": 1.0, "B": 1.0, "C": 2.0}
    lines = [f"{agent},maze,{seed},{value}" for agent, value in values.items() for seed in range(5)]
    (tmp_path / "s.csv").write_text("\n".join(["agent,task,seed,score", *lines]) + "\n")
    said = "o number of new runs would separate them: on every task all runs of each are equal."
    for command, start in (("compare", " N"), ("plan", "A and B: n")):
        text = rlbench(command, "s.csv", cwd=tmp_path).stdout
        assert text.count(start + said) == text.count("o number of new runs") == 1
        assert "more than 10,000" not in text
    assert "A is worse than C" in rlbench("compare", "s.csv", cwd=tmp_path).stdout
    rows = json.loads(rlbench("compare", "s.csv", "--json", cwd=tmp_path).stdout)
    assert rows[0]["runs_needed_low"] is None
    sized = rlbench("plan", "s.csv", "--difference", "1.0", cwd=tmp_path).stdout
    assert "A and B: " in sized
    assert "o number of new runs" not in sized


def test_an_interval_that_is_widened_is_marked(tmp_path: Path) -> None:
    scores_file(tmp_path / "s.csv", {"x": 5.0, "y": 0.0}, runs=2)
    scores_file(tmp_path / "more.csv", {"x": 5.0, "y": 0.0}, runs=5)
    for options in ((), ("--lower-is-better",)):
        (row,) = json.loads(rlbench("compare", "s.csv", *options, "--json", cwd=tmp_path).stdout)
        assert (row["decision"], row["low"], row["widened"]) == ("differ", 0.0, True)
        text = rlbench("compare", "s.csv", *options, cwd=tmp_path).stdout
        assert re.search(r"IQM \+\d\.\d+ \[0\.000, \d\.\d+\] \(widened to reach 0\); x wins", text)
        (row,) = json.loads(rlbench("compare", "more.csv", *options, "--json", cwd=tmp_path).stdout)
        assert (row["decision"], row["widened"]) == ("larger", False)
        assert "widened" not in rlbench("compare", "more.csv", *options, cwd=tmp_path).stdout


def test_compare_until_decided(tmp_path: Path) -> None:
    """AdaStop reads only the scores; exit code 3 asks for more runs, which the text names."""
    scores_file(tmp_path / "s.csv", {"x": 0.0, "y": 0.1, "z": 5.0}, runs=3)
    options = ["compare", "s.csv", "--stop", "adastop", "--batch", "3", "--max-batches", "2"]
    done = rlbench(*options, cwd=tmp_path, code=3)
    assert "To go on, runs 4 to 6 of: x, y." in done.stdout
    rows = json.loads(rlbench(*options, "--json", cwd=tmp_path, code=3).stdout)
    assert rows == [
        {"a": "x", "b": "y", "decision": "undecided"},
        {"a": "x", "b": "z", "decision": "smaller"},
        {"a": "y", "b": "z", "decision": "smaller"},
    ]
    futile = rlbench(*options, "--futility", "9", cwd=tmp_path)
    said = futile.stdout.splitlines()
    assert said[0].startswith(
        "Futility: a pair is given up once a difference of 9 can be ruled out"
    )
    costs = [
        re.match(r"  if .* power ([\d.]+): power ([\d.]+) instead; .* (\d+)% ", s) for s in said
    ]
    found = [[float(number) for number in match.groups()] for match in costs if match]
    assert [power for power, _, _ in found] == [0.8, 0.9, 0.99]
    assert all(0 < power - kept < 0.06 and saved > 10 for power, kept, saved in found)
    assert said.index("AdaStop after batch 1 of at most 2") > 3
    json.loads(rlbench(*options, "--futility", "9", "--json", cwd=tmp_path).stdout)
    scores_file(tmp_path / "s.csv", {"x": 0.0, "y": 0.1, "z": 5.0}, runs=6)
    rows = json.loads(rlbench(*options, "--json", cwd=tmp_path).stdout)
    assert rows[0]["decision"] == "not separated"
    blind = rlbench(*options[:5], "1", "--max-batches", "2", cwd=tmp_path)
    assert "warning: nothing can be decided after batch 1" in blind.stderr


def test_compare_names_agents_of_a_store(done: Path, tmp_path: Path) -> None:
    scores_file(tmp_path / "s.csv", {"mine": 9.0}, runs=3)
    options = [
        "compare", str(tmp_path / "s.csv"), "random", "--suite", "atari100k", "--unofficial", SHORT
    ]  # fmt: skip
    found = rlbench(*options, "--json", cwd=done)
    (row,) = json.loads(found.stdout)
    assert (row["a"], row["b"]) == ("mine", "random")
    assert "of 26 tasks that all of them have runs of" in found.stderr
    error = one_line_error(rlbench(*options, "randm", cwd=done, code=2))
    assert "Did you mean 'random'" in error


def test_stats_of_training_logs(tmp_path: Path) -> None:
    for run in (1, 2, 3):
        folder = tmp_path / f"logs/ppo/CartPole-v1_{run}"
        folder.mkdir(parents=True)
        (folder / "monitor.csv").write_text(
            '#{"t_start": 0.0, "env_id": "CartPole-v1"}\nr,l,t\n' + f"{run},9,1.0\n" * 3
        )
    done = rlbench("stats", "logs", "--json", cwd=tmp_path)
    (row,) = [row for row in json.loads(done.stdout) if row["metric"] == "mean"]
    assert (row["agent"], row["point"], row["runs"], row["tasks"]) == ("ppo", 2.0, 3, 1)
    assert "last 100 episodes in training" in done.stderr


def test_unofficial_runs_never_pass_for_official(done: Path) -> None:
    error = one_line_error(rlbench("stats", "--suite", "atari100k", cwd=done, code=2))
    assert "holds no records of atari100k@1" in error
    assert f"--unofficial {','.join(sorted(SHORT.split(',')))}" in error


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    out = run_short("--agent", "random", "--seeds", "2", "--dry-run", cwd=tmp_path).stdout
    assert "52 of 52 runs to do" in out
    assert "time: about" in out
    assert "disk: about" in out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_learns_from_earlier_runs(done: Path) -> None:
    out = run_short("--agent", "random", "--tasks", "Pong", "--seeds", "9", "--dry-run", cwd=done)
    assert "from 4 runs of this agent in the store" in out.stdout


def test_the_live_table(tmp_path: Path) -> None:
    """In a terminal the table is drawn: the runs' states, positions and the count."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "run", "--suite", "atari100k", "--agent", "random", "--tasks", "Pong",
         "--seeds", "2", "--unofficial", "budget=2000,episodes=2,max_episode_steps=200"],
        cwd=tmp_path, stdout=other, stderr=other, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    os.close(other)
    seen = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    for word in ("run", "steps/s", "left", "Pong", "/2,000", "2/2 runs"):
        assert word in text, text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--suite", "atari", "--agent", "random"], "Did you mean 'atari100k'"),
        (["run", "--suite", "atari100k", "--agent", "rando"], "Did you mean 'random'"),
        ([*RANDOM, "--tasks", "Pongg"], "'Pong'"),
        ([*RANDOM, "--tasks", ","], "names no task"),
        ([*RANDOM, "--seeds", "0"], "--seeds 0 asks for no seed"),
        ([*RANDOM, "--seeds", "4-2"], "seeds '4-2'"),
        ([*RANDOM, "--seeds", "a"], "seeds 'a'"),
        ([*RANDOM, "--seeds", "0-99999999"], "at most"),
        ([*RANDOM, "-o", "x"], "name=value"),
        ([*RANDOM, "--unofficial", "sticky=1"], "sticky_actions"),
        ([*RANDOM, "--store", "/proc/x"], "cannot write"),
        (["run", "--suite", "atari100k"], "--agent"),
        ([*RANDOM, "--jobs", "-1"], "greater than or equal to 0"),
        (["stats", "--suite", "atari100k"], "no store at runs"),
        (["stats"], "add --suite"),
        (["stats", "nothing.csv"], "cannot read nothing.csv"),
        (["stats", "nothing.xlsx"], "known are .csv, .json"),
        (["stats", "a.csv", "--normalise-by", "low"], "is not two columns"),
        (["stats", "a.csv", "--normalise-by", "a,b", "--suite", "atari100k"], "not both"),
        (["stats", "a.csv", "--method", "rao"], "Did you mean 'rao-wu'"),
        (["compare", "nothing.csv"], "cannot read nothing.csv"),
        (["compare", "--suite", "atari100k"], "no store at runs"),
        (["compare", "x", "--statistic", "mode"], "unknown statistic 'mode'"),
        (["plan", "x", "--statistic", "iqr"], "Did you mean 'iqm'"),
        (["list", "tasks", "--suite", "x"], "unknown suite"),
        (["leaderboard", "build"], "no store at runs"),
        (["frobnicate"], "frobnicate"),
        (["run", "--no-such"], "--no-such"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    assert message in one_line_error(rlbench(*arguments, cwd=tmp_path, code=2))


def test_an_edited_record_is_named_left_out_and_run_again(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "runs", tmp_path / "runs")
    record = next((tmp_path / "runs/atari100k-1/random/pong").glob("0-*.json"))
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 7'))
    out = rlbench("list", "runs", "--json", cwd=tmp_path)
    assert len(json.loads(out.stdout)) == 7
    assert record.name in out.stderr
    assert "changed after it was written" in out.stderr
    again = run_short("--agent", "random", "--tasks", "Pong", "--seeds", "2", cwd=tmp_path)
    assert "set aside" in again.stderr
    assert "1 runs recorded" in again.stdout
    assert Store(tmp_path / "runs").load().problems == []


def test_ctrl_c_keeps_what_is_done_and_leaves_no_worker(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "--suite", "atari100k", "--agent", "random", "--tasks", "Pong",
         "--seeds", "30", "--jobs", "1", "--unofficial", SHORT],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    while not list(tmp_path.glob("runs/*/*/*/*.json")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out
    assert "run the same command again to do the rest" in err
    assert "Traceback" not in err
    kept = len(Store(tmp_path / "runs").load().records)
    assert 1 <= kept < 30
    assert workers_in(tmp_path) == []


def test_without_the_extra_the_line_to_install_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "def find_others(name, *more):\n"
        "    return None if name == 'ale_py' else find(name, *more)\n"
        "PathFinder.find_spec = find_others\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    out = subprocess.run(
        [*COMMAND, "run", "--suite", "atari100k", "--agent", "random"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert out.returncode == 2
    assert "atari100k@1 needs an extra: pip install 'rlbench[atari]'" in one_line_error(out)
    assert not (tmp_path / "runs").exists()
