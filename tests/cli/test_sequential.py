"""`rlbench compare --run`: the test decides which runs come next."""

import dataclasses
import inspect
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.cartpole import CARTPOLE
from support.command import rlbench
from support.poles import AGENTS, GROUP, SHARED, write_files
from support.processes import COMMAND
from support.registered import register

from rlbench.api import running, runs
from rlbench.cli import run
from rlbench.leaderboard.sequential import sequentials
from rlbench.results import Store
from rlbench.results.plans import read_plans

EXAMPLE = Path(__file__).parents[2] / "examples/my_agent.py"
BETTER = ("good=agents.py:Balance", "bad=agents.py:Balance [flipped=true]")
STUDY = """
suite = "poles.toml"

[agents.good]
agent = "agents.py:Balance"

[agents.bad]
agent = "hangs.py:Hangs"
"""
PLAN = ("--suite", "poles.toml", "--run", "--batch", "4", "--max-batches", "3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path)


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder in which a comparison was decided, and what the command said."""
    folder = write_files(tmp_path_factory.mktemp("decided"))
    return folder, compare(*BETTER, *PLAN, cwd=folder).stdout


@pytest.fixture
def copied(decided: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a copy of that folder."""
    return shutil.copytree(decided[0], tmp_path / "copied")


def compare(*words: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return rlbench("compare", *words, cwd=cwd, code=code)


def seeds_of(folder: Path) -> dict[str, list[int]]:
    """Return the seeds that were run, by agent."""
    found: dict[str, list[int]] = {}
    for record in Store(folder / "runs").load().records:
        found.setdefault(record.identity.agent.name, []).append(record.identity.seed)
    return {agent: sorted(seeds) for agent, seeds in sorted(found.items())}


def test_a_better_agent_is_found_early(decided: tuple[Path, str]) -> None:
    folder, out = decided
    batches = out.count("of at most 3: good, bad")
    assert 0 < batches < 3, out
    assert f"good and bad are told apart after batch {batches}: the IQM of good was larger." in out
    assert seeds_of(folder) == {name: list(range(4 * batches)) for name in ("bad", "good")}
    assert f"{8 * batches} of 24 planned runs were needed; {24 - 8 * batches} (" in out

    again = compare(*BETTER, *PLAN, "--json", cwd=folder)
    (row,) = json.loads(again.stdout)
    assert (row["a"], row["b"], row["decision"]) == ("good", "bad", "larger")
    assert (row["batches"], row["runs"]) == (batches, 4 * batches)
    (plan,) = (folder / "runs/plans").glob("*.json")
    assert row["plan"] == plan.stem


def test_equal_agents_run_to_the_end_or_are_given_up(folder: Path) -> None:
    (folder / "agents.py").write_text(AGENTS + GROUP)
    equal = ("a=agents.py:Balance", "b=agents.py:Balance", *PLAN, *SHARED)
    done = compare(*equal, "--first-seed", "10", cwd=folder)
    out = done.stdout
    assert "a and b are not separated after batch 3." in out
    assert "axes" not in done.stderr
    assert seeds_of(folder) == {name: list(range(10, 22)) for name in ("a", "b")}

    given_up = compare(*equal, "--futility", "500", "--store", "other", cwd=folder).stdout
    assert "a difference of 500 was ruled out after batch 1." in given_up
    assert "equal agents are saved" in given_up
    assert len(Store(folder / "other").load().records) == 8


def test_a_changed_plan_is_refused_or_begun_visibly(copied: Path) -> None:
    folder = copied
    refused = compare(*BETTER, *PLAN, "--alpha", "0.1", cwd=folder, code=2).stderr
    assert "alpha 0.05 -> 0.1" in refused
    assert "--new-plan" in refused
    begun = compare(*BETTER, *PLAN, "--alpha", "0.1", "--new-plan", cwd=folder)
    assert "the IQM of good was larger" in begun.stdout
    assert "runs were in the store when it was fixed" in begun.stderr
    assert len(list((folder / "runs/plans").iterdir())) == 2
    (folder / "agents.py").write_text(AGENTS + "\n# changed\n")
    refused = compare(*BETTER, *PLAN, cwd=folder, code=2).stderr
    assert "the code or the options of agents" in refused


def test_a_failed_run_leaves_it_undecided(folder: Path) -> None:
    words = ("agents.py:Balance", "agents.py:Breaks", *PLAN)
    failed = compare(*words, cwd=folder, code=1)
    assert "failed: agents, CartPole-v1 seed 3: " in failed.stderr
    assert "undecided: it goes on once all these runs have a score" in failed.stderr
    statuses = [record.status for record in Store(folder / "runs").load().records]
    assert sorted(statuses) == ["failed"] * 4 + ["ok"] * 4


HANGS = """
import time


class Hangs:
    def __init__(self, task, *, seed, device):
        pass

    def act(self, obs, first, *, phase):
        time.sleep(600)
"""


@pytest.mark.parametrize("verb", ["compare", "duel", "study"])
def test_an_agent_that_hangs_is_ended(folder: Path, verb: str) -> None:
    (folder / "hangs.py").write_text(HANGS)
    words: tuple[str, ...] = ("agents.py:Balance", "hangs.py:Hangs", "--suite", "poles.toml")
    if verb == "compare":
        words += ("--run", "--batch", "4", "--max-batches", "1")
    if verb == "study":
        (folder / "study.toml").write_text(STUDY)
        words = ("run", "study.toml")
    said = rlbench(verb, *words, "--step-timeout", "2", cwd=folder, code=1).stderr
    assert "no step was finished for " in said
    statuses = {record.status for record in Store(folder / "runs").load().records}
    assert statuses == {"ok", "timeout"}


def test_every_way_to_run_has_a_time_limit() -> None:
    """None of them can leave it out: it has no default."""
    for execute in (running.execute, run.run_together, run.run_wanted, runs._results):
        limits = inspect.signature(execute).parameters["limits"]
        assert limits.default is inspect.Parameter.empty


def test_a_file_says_what_has_no_option(folder: Path) -> None:
    (folder / "agents.py").write_text(AGENTS + GROUP)
    (folder / "how.toml").write_text(
        'suite = "poles.toml"\nbatch = 4\nmax_batches = 3\ncheckpoint_every = 5\n'
        'track = ["tensorboard"]\n[ray]\ncpus = 0\n'
    )
    out = compare(*BETTER, "--run", "--config", "how.toml", *SHARED, cwd=folder).stdout
    assert "batches of 4 seeds a task, at most 3" in out
    assert list((folder / "runs/tracking").iterdir())
    words = (*BETTER, "--run", "--config", "how.toml", "--backend", "ray", "--store", "b")
    assert "cpus in [ray] cannot be 0" in compare(*words, cwd=folder, code=2).stderr
    (folder / "how.toml").write_text("[options]\nflipped = true\n")
    assert "options" in compare(*BETTER, *PLAN, "--config", "how.toml", cwd=folder, code=2).stderr


def test_a_plan_is_fixed_once_its_runs_have_a_place(folder: Path) -> None:
    words = (*BETTER, *PLAN, "--backend", "elsewhere")
    assert "'elsewhere'" in compare(*words, cwd=folder, code=2).stderr
    assert not (folder / "runs").exists()


def test_a_dry_run_does_nothing(folder: Path) -> None:
    out = compare(*BETTER, *PLAN, "--dry-run", cwd=folder, code=3).stdout
    assert "batch 1 of at most 3 comes next:" in out
    assert out.count("CartPole-v1 seed ") == 8
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        (("--batch", "5", "--max-batches", "5"), True),
        (("--batch", "5", "--max-batches", "5", "--statistic", "mean"), False),
        (("--batch", "6", "--max-batches", "5"), False),
        (("--batch", "5", "--max-batches", "2"), False),
        (("--batch", "4", "--max-batches", "1"), True),
    ],
)
def test_a_first_look_that_tells_hardly_anything(
    options: tuple[str, ...], warns: bool, folder: Path
) -> None:
    words = (*BETTER, "--suite", "poles.toml", "--run", *options, "--dry-run")
    said = compare(*words, cwd=folder, code=3).stderr
    assert ("hardly anything can be decided" in said) == warns, said


def test_a_dry_run_says_what_it_costs(copied: Path) -> None:
    """At a price of 3600 an hour, a second of a slot costs 1."""
    words = (*PLAN, "--jobs", "2", "--dry-run", "--price-per-hour", "3600", "--new-plan")
    out = compare(*BETTER, *words, "--first-seed", "100", cwd=copied, code=3).stdout
    seconds: dict[str, list[float]] = {}
    for record in Store(copied / "runs").load().records:
        seconds.setdefault(record.identity.agent.name, []).append(record.timing["seconds"])
    each = {name: 4 * sum(of_agent) / len(of_agent) for name, of_agent in seconds.items()}
    costs = [float(cost) for cost in re.findall(r"^cost: about ([0-9.]+) for", out, re.MULTILINE)]
    assert costs == pytest.approx([each["good"], each["bad"]], abs=0.01)
    batch, plan = re.findall(r": ([0-9]+) runs, .* kB, ([0-9.]+) for .* at 3600 each", out)
    assert (batch[0], plan[0]) == ("8", "24")
    assert float(batch[1]) == pytest.approx(sum(each.values()), abs=0.01)
    assert float(plan[1]) == pytest.approx(3 * sum(each.values()), abs=0.02)


def test_a_small_cost_does_not_read_as_none(copied: Path) -> None:
    words = (*PLAN, "--dry-run", "--price-per-hour", "0.5", "--new-plan", "--first-seed", "100")
    out = compare(*BETTER, *words, cwd=copied, code=3).stdout
    found = re.findall(r"([0-9.]+) for ([0-9.]+) slot hours at 0.5 each", out)
    assert len(found) == 4
    for cost, hours in found:
        assert 0 < float(cost) == pytest.approx(float(hours) / 2, rel=0.1)


def test_a_dry_run_prints_rows(copied: Path) -> None:
    words = (*PLAN, "--dry-run", "--json", "--new-plan", "--first-seed", "100", "--jobs", "1")
    done = compare(*BETTER, *words, "--price-per-hour", "3600", cwd=copied, code=3)
    good, bad, batch, most = rows = json.loads(done.stdout)
    assert [row["agent"] for row in rows] == ["good", "bad", None, None]
    assert [row["part"] for row in rows] == ["batch 1 of at most 3"] * 3 + ["all batches, at most"]
    assert [row["runs"] for row in rows] == [4, 4, 8, 24]
    assert good["basis"].startswith("from ")
    for name in ("seconds", "disk_bytes", "cost"):
        assert good[name] + bad[name] == pytest.approx(batch[name], abs=2)
        assert most[name] == pytest.approx(3 * batch[name], abs=3)
    assert good["cost"] == pytest.approx(good["seconds"], abs=0.01)
    (plain, *_) = json.loads(compare(*BETTER, *words, cwd=copied, code=3).stdout)
    assert plain["cost"] is None
    # A comparison that is decided needs nothing.
    decided = compare(*BETTER, *PLAN, "--dry-run", "--json", cwd=copied).stdout
    assert json.loads(decided) == []


def test_curricula_are_compared_with_their_teachers(tmp_path: Path) -> None:
    environment = {**os.environ, **register(tmp_path / "registered")}
    learner, teacher = "support.cartpole:make_agent", "support.cartpole:make_teacher"
    options = (
        "--suite", "cartpole-curriculum", "--unofficial", "budget=200", "--run", "--batch", "2",
        "--max-batches", "2", "--alpha", "0.4", "--teacher", "uniform", "--jobs", "1",
    )  # fmt: skip

    def done(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [*COMMAND, "compare", *words, *options], cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        return ended

    agents = (f"x={learner}", f"x={learner} + {teacher} [teacher.bins=2]")
    out = done(*agents).stdout
    assert "batch 1 of at most 2: x + uniform, x + cartpole" in out
    assert "teacher cartpole: source" in out
    records = Store(tmp_path / "runs").load().records
    taught = {(r.identity.teacher.name, r.identity.teacher.config.get("bins")) for r in records}
    assert taught == {("uniform", None), ("cartpole", 2)}
    (path,) = (tmp_path / "runs/plans").iterdir()
    plan = json.loads(path.read_text())["plan"]
    assert set(plan["teachers"]) == set(plan["agents"]) == {"x + uniform", "x + cartpole"}

    (row,) = json.loads(done(*agents, "--json").stdout)
    assert (row["a"], row["b"], row["plan"]) == ("x + uniform", "x + cartpole", path.stem)
    assert len(Store(tmp_path / "runs").load().records) == len(records)
    # The page of the comparison tells the same.
    suite = CARTPOLE.make_unofficial({"budget": 200})
    (shown,) = sequentials(read_plans(tmp_path / "runs"), records, suite)
    assert shown.result is not None
    assert shown.result.decisions == {(row["a"], row["b"]): row["decision"]}
    assert [(each.a, each.b, each.statistic) for each in shown.panels] == [
        (row["a"], row["b"], row["statistic"])
    ]
    changed = done(agents[0], agents[1].replace("=2", "=3"), code=2).stderr
    assert "the code or the options of teachers" in changed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("agents.py:Balance", *PLAN), "at least two agents"),
        (("agents.py:Balance", "agents.py:Balance", *PLAN), "two of the agents are the same"),
        ((*BETTER, *PLAN, "--against", "1"), "leave out --against"),
        ((*BETTER, *PLAN, "--metric", "return"), "how files are read"),
        ((*BETTER, *PLAN, "--within", "cost=1"), "which runs count"),
        ((*BETTER, *PLAN, "--stop", "never"), "unknown stopping rule"),
        ((*BETTER, "--run"), "needs a --suite"),
        ((*BETTER, *PLAN[:3], "--batch", "2", "--max-batches", "1"), "can decide nothing"),
        ((*BETTER, *PLAN, "--futility", "-1"), "futility -1.0 above 0"),
        ((*BETTER, *PLAN, "--teacher", "uniform"), "not a curriculum and takes no teacher"),
        ((*BETTER, *PLAN, "--store", "a", "--store", "b"), "one --store"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    folder: Path, words: tuple[str, ...], reason: str
) -> None:
    (line,) = compare(*words, cwd=folder, code=2).stderr.splitlines()
    assert reason in line
    assert not (folder / "runs").exists()


def test_a_plan_that_was_changed_is_no_plan(copied: Path) -> None:
    folder = copied
    (path,) = (folder / "runs/plans").glob("*.json")
    text = path.read_text()
    for changed in (text.replace('"alpha": 0.05', '"alpha": 0.5'), text[:-30], "[" * 10_000):
        path.write_text(changed)
        line = compare(*BETTER, *PLAN, cwd=folder, code=2).stderr.splitlines()[-1]
        assert str(Path("runs/plans") / path.name) in line
        assert "Move it away" in line


def test_a_plan_says_how_the_level_is_spent(copied: Path) -> None:
    """Its hash covers it, and a plan of before that is refused in a line."""
    folder = copied
    (fixed,) = read_plans(folder / "runs")
    assert fixed.plan.spending == "linear"
    assert dataclasses.replace(fixed.plan, spending="all at the end").id != fixed.plan.id
    content = json.loads(fixed.path.read_text())
    old = {**content, "schema_version": 1}
    del (plan := dict(content["plan"]))["spending"]
    fixed.path.write_text(json.dumps({**old, "plan": plan}))
    line = compare(*BETTER, *PLAN, cwd=folder, code=2).stderr.splitlines()[-1]
    assert "schema 1" in line
    fixed.path.rename(folder / "old.json")
    again = compare(*BETTER, *PLAN, cwd=folder)
    assert "runs were in the store when it was fixed" in again.stderr
    assert "start" not in again.stdout
    assert read_plans(folder / "runs")[0].plan == fixed.plan


@pytest.mark.slow
def test_real_runs_on_atari(tmp_path: Path) -> None:
    """A better agent is found at once; one under two names goes to the end.

    `benchmarks/sequential_runs.py` is the same at a larger scale.
    """
    pytest.importorskip("ale_py")
    (tmp_path / "my_agent.py").write_text(EXAMPLE.read_text())
    words = (
        "--suite", "atari100k", "--tasks", "Freeway", "--unofficial",
        "budget=1000,episodes=1,max_episode_steps=500", "--statistic", "mean", "--stop", "adastop",
        "--batch", "4", "--max-batches", "2", "--alpha", "0.1", "--run",
    )  # fmt: skip
    better = compare("learner=my_agent.py", "random", *words, cwd=tmp_path).stdout
    assert "told apart after batch 1: the mean of learner was larger." in better
    assert "8 of 16 planned runs were needed" in better
    equal = ("a=my_agent.py", "b=my_agent.py", *words, "--store", "equal")
    out = compare(*equal, cwd=tmp_path).stdout
    assert "a and b are not separated after batch 2." in out
    assert "16 of 16 planned runs were needed" in out
    scores: dict[str, dict[int, float]] = {"a": {}, "b": {}}
    for record in Store(tmp_path / "equal").load().records:
        scores[record.identity.agent.name][record.identity.seed] = record.score
    # Its seed does not depend on its name.
    assert scores["a"] == scores["b"]
    assert len(set(scores["a"].values())) > 1
