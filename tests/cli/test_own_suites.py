"""Suites of one's own, by the command: in a TOML file, in a Python file, in a package."""

import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command import call, rlbench
from support.records import ATARI, make_record
from support.registered import register

from rlbench import suites
from rlbench.api.sites import name_left_out
from rlbench.errors import UnknownName
from rlbench.results import Store

GUIDE = Path(__file__).parents[2] / "docs/own-suites.md"
SMALL = {
    r"budget = [\d_]+": "budget = 120", r"budget=[\d_]+": "budget=120",
    r"eval_points = \[.*\]": "eval_points = [60]", r"eval_points=\(.*\)": "eval_points=(60,)",
    r"episodes = 20": "episodes = 2", r"episodes=20": "episodes=2",
    r"eval_envs ?= ?10": "eval_envs=2",
    r"max_episode_steps ?= ?500": "max_episode_steps=30",
    r"max_episode_steps = 1_000": "max_episode_steps=30",
}  # fmt: skip


def small(text: str) -> str:
    """Return the text of a suite with little to run."""
    for pattern, instead in SMALL.items():
        text = re.sub(pattern, instead, text)
    return text


def shrink(path: Path) -> None:
    path.write_text(small(path.read_text()))


def refused(folder: Path, *words: str) -> str:
    """Return the one line that a command refuses its words with."""
    done = call(*words, cwd=folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line.removeprefix("rlbench: ")


# --- A TOML file.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a suite and the runs of two agents."""
    folder = tmp_path_factory.mktemp("toml")
    assert "rlbench check --suite my_suite.toml" in call("init", "--suite", cwd=folder).stdout
    call("init", cwd=folder)
    shrink(folder / "my_suite.toml")
    for agent in ("random", "my_agent.py"):
        rlbench("run", "--suite", "my_suite.toml", "--agent", agent, "--seeds", "2", cwd=folder)
    return folder


def test_runs_of_a_file_are_counted_and_compared(run: Path) -> None:
    rows = json.loads(call("stats", "--suite", "my_suite.toml", "--json", cwd=run).stdout)
    assert {(row["agent"], row["metric"], row["tasks"]) for row in rows} >= {
        ("random", "iqm", 2), ("my_agent", "iqm", 2),
    }  # fmt: skip
    compared = call("compare", "--suite", "my_suite.toml", cwd=run)
    assert compared.returncode in (0, 3)
    assert "my-suite@1" in compared.stdout
    exported = call("export", "--suite", "my_suite.toml", "--csv", "-", cwd=run).stdout
    assert exported.count("my-suite@1,,CartPole-v1,") == 4
    for verb in (["table", "--format", "markdown"], ["figures", "--out", "drawn"]):
        assert call(*verb, "--suite", "my_suite.toml", cwd=run).returncode == 0
    kept = json.loads(call("list", "runs", "--json", cwd=run).stdout)
    assert (len(kept), {row["status"] for row in kept}) == (8, {"ok"})


def test_the_card_says_what_the_file_does(run: Path) -> None:
    card = call("show", "my_suite.toml", cwd=run).stdout
    assert card.startswith("my-suite@1: My suite. Classic control on a small budget.")
    assert "Reference scores (random, solved): random: 100 episodes" in card
    (row,) = [line for line in card.splitlines() if line.startswith("  Acrobot-v1: ")]
    assert "budget=120,gymnasium_id=Acrobot-v1; digest " in row
    tasks = json.loads(call("list", "tasks", "--suite", "my_suite.toml", "--json", cwd=run).stdout)
    assert [row["task"] for row in tasks] == ["CartPole-v1", "Acrobot-v1"]
    assert tasks[1]["digest"].startswith(row[-12:])


def test_its_board_is_built(run: Path) -> None:
    site = ["leaderboard", "build", "--out", "site"]
    built = call(*site, "--suite", "my_suite.toml", cwd=run)
    assert (built.returncode, built.stderr) == (0, "")
    board = (run / "site/my-suite-1/index.html").read_text()
    assert "My suite" in board
    assert "random" in board
    assert "my_agent" in board
    two = refused(run, *site, "--suite", "my_suite.toml", "--suite", "my_suite.toml")
    assert "have the same name and version" in two


def test_records_are_read_without_the_file(run: Path) -> None:
    (run / "my_suite.toml").rename(run / "away.txt")
    try:
        listed = json.loads(call("list", "runs", "--json", cwd=run).stdout)
        assert len(listed) == 8
        shown = call("show", listed[0]["key"], cwd=run).stdout
        assert "suite                my-suite@1" in shown
        assert "my-suite@1, random: 4 ok" in call("status", cwd=run).stdout
        said: list[str] = []
        name_left_out(Store(run / "runs").load().records, [], said.append)
        assert said == [
            "left out: 8 records of my-suite@1, which is not registered: if it is in a file, add "
            "--suite FILE"
        ]
        played = call("verify", listed[0]["key"], cwd=run)
        assert played.returncode == 1
        assert "unknown suite 'my-suite@1': if it is in a file, add --suite" in played.stderr
    finally:
        (run / "away.txt").rename(run / "my_suite.toml")


def test_recorded_evaluations_are_played_again(run: Path) -> None:
    played = call("verify", "--suite", "my_suite.toml", cwd=run)
    assert (played.returncode, played.stdout.count("equal: ")) == (0, 8)


def test_a_file_that_changes_is_another_protocol(run: Path, tmp_path: Path) -> None:
    before = (run / "my_suite.toml").read_text()
    (tmp_path / "my_suite.toml").write_text(before.replace("steps=30", "steps=31"))
    options = ("--suite", "my_suite.toml", "--store", str(run / "runs"))
    line = refused(tmp_path, "stats", *options)
    assert line.endswith(
        "holds no records of my-suite@1. It has 8 records of my-suite@1 under other constants "
        "(max_episode_steps 30, here 31)"
    )
    out = rlbench(
        "run", *options, "--agent", "random", "--seeds", "1", "--tasks", "cartpole-v1",
        cwd=tmp_path,
    )  # fmt: skip
    assert "8 records of my-suite@1 under other constants (max_episode_steps 30, h" in out.stderr
    assert "they are kept apart" in out.stderr
    listed = call("list", "runs", *options[2:], cwd=tmp_path).stdout
    names = set(re.findall(r"my-suite@1 [0-9a-f]{6}", listed))
    assert len(names) == 3  # of two tasks, one in two protocols
    one = json.loads(call("stats", *options, "--json", cwd=tmp_path).stdout)
    assert {(row["agent"], row["runs"]) for row in one} == {("random", 1)}
    built = call("leaderboard", "build", *options, "--out", "site", cwd=tmp_path)
    assert built.stderr.startswith("left out: 8 records of my-suite@1 under other constants")


def test_nothing_is_run_of_what_cannot_be_made(run: Path, tmp_path: Path) -> None:
    text = (run / "my_suite.toml").read_text()
    (tmp_path / "bad.toml").write_text(text.replace("CartPole-v1", "CartPol-v1"))
    for verb in (["run", "--agent", "random"], ["check"], ["check", "random"]):
        line = refused(tmp_path, *verb, "--suite", "bad.toml")
        assert line.startswith("bad.toml: task CartPol-v1: unknown gymnasium id 'CartPol-v1'")
        assert line.endswith("Did you mean 'CartPole-v1'?")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("absent.toml", "unknown suite 'absent.toml': there is no such file"),
        ("no/where.toml", "there is no file no/where.toml: there is no folder no"),
        ("folder.toml", "unknown suite 'folder.toml': there is no such file"),
        ("/dev/null.toml", "unknown suite '/dev/null.toml'"),
        ("pipe.toml", "unknown suite 'pipe.toml'"),
        ("good.toml:SUITE", "unknown suite 'good.toml:SUITE'"),
        ("goood.toml", "Did you mean 'good.toml'?"),
        ("good.py", "good.py cannot be imported"),
    ],
)
def test_files_that_are_none(run: Path, tmp_path: Path, spec: str, said: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "good.toml").write_bytes((run / "my_suite.toml").read_bytes())
    (tmp_path / "good.py").write_bytes((run / "my_suite.toml").read_bytes())
    os.mkfifo(tmp_path / "pipe.toml")
    for verb in (["list", "tasks"], ["stats"], ["export", "--csv", "-"]):
        assert said in refused(tmp_path, *verb, "--suite", spec)


def test_what_a_record_says_names_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text("raise SystemExit('it ran')\n")
    record = make_record(suite=replace(ATARI, name="evil.py"))
    Store(tmp_path / "runs").write(record)
    assert len(json.loads(call("list", "runs", "--json", cwd=tmp_path).stdout)) == 1
    name_left_out([record], [], lambda line: None)
    with pytest.raises(UnknownName):
        suites.get(record.identity.suite)


def test_init_writes_no_other_file(tmp_path: Path) -> None:
    assert "a suite's file ends in .toml or .py: x.md" in refused(
        tmp_path, "init", "--suite", "x.md"
    )
    assert "an agent's file ends in .py: x.toml; a suite's is written by --suite x.toml" in refused(
        tmp_path, "init", "x.toml"
    )
    call("init", "--suite", "Stori.toml", cwd=tmp_path)
    assert suites.get(str(tmp_path / "Stori.toml")).name == "my-suite"  # that name is taken


# --- A Python file.


def test_a_python_file_with_others_beside_it(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    call("init", "--suite", str(there / "grown.py"), cwd=here)
    shrink(there / "grown.py")
    text = (there / "grown.py").read_text()
    (there / "made.py").write_text(text[: text.index("SUITE = ")])
    (there / "grown.py").write_text(
        "from rlbench.suites import Protocol, Suite, Task\n"
        + text[text.index("SUITE = ") :].replace('f"{__name__}:make"', '"made:make"')
    )
    options = ("--suite", "../there/grown.py", "--tasks", "CartPole-v1", "--seeds", "1")
    out = rlbench("run", *options, "--agent", "random", cwd=here)
    assert "1 runs recorded in runs, 0 failed" in out.stdout
    rlbench("verify", *options[:2], cwd=here)
    # The file itself is as it was; the one that makes its environments is not.
    (there / "made.py").write_text((there / "made.py").read_text() + "\n# more\n")
    again = rlbench("run", *options, "--agent", "random", cwd=here)
    assert re.search(
        r"1 records of grown@1 under other constants \(suite_sha256 \w{8}, here \w{8}\)",
        again.stderr,
    )
    assert len(json.loads(call("list", "runs", "--json", cwd=here).stdout)) == 2
    record = json.loads(next((here / "runs").rglob("*.json")).read_text())
    assert str(tmp_path) not in json.dumps(record)


def test_names_and_texts_of_python_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    call("init", "--suite", "one_more.py", cwd=tmp_path)
    file = tmp_path / "one_more.py"
    suite = suites.get(str(file))
    assert (suite.id, suite.file) == ("one-more@1", f"{file}:SUITE")
    assert suites.get(suite.spec) == suite
    assert "unknown suite in one_more.py: 'SUIT'. Did you mean 'SUITE'" in refused(
        tmp_path, "show", "one_more.py:SUIT"
    )
    file.write_text(file.read_text() + "# more\n")
    assert "one_more.py has changed since this process imported it" in refused(
        tmp_path, "list", "tasks", "--suite", "one_more.py"
    )
    call("init", "--suite", "taken_name.py", cwd=tmp_path)
    taken = tmp_path / "taken_name.py"
    taken.write_text(taken.read_text().replace('name="taken-name"', 'name="atari100k"'))
    assert "the name 'atari100k' belongs to a suite of rlbench" in refused(
        tmp_path, "list", "tasks", "--suite", "taken_name.py"
    )
    (tmp_path / "bare_make.py").write_text("def make(): ...\n")
    assert "bare_make.py holds make() but no Suite" in refused(
        tmp_path, "run", "--suite", "bare_make.py", "--agent", "random"
    )
    (tmp_path / "derived_one.py").write_text(
        "from dataclasses import replace\nfrom rlbench.suites.atari.protocols import ATARI100K\n"
        "MINE = replace(ATARI100K, name='mine')\n"
    )
    assert suites.get(str(tmp_path / "derived_one.py")).id == "mine@1"


def test_an_agent_of_the_same_name_is_not_taken_for_the_suite(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    call("init", "--suite", "walks.py", cwd=tmp_path)
    call("init", "agents/walks.py", cwd=tmp_path)
    shrink(tmp_path / "walks.py")
    out = rlbench(
        "run", "--suite", "walks.py", "--agent", "agents/walks.py", "--seeds", "1",
        "--tasks", "CartPole-v1", cwd=tmp_path, code=1,
    )  # fmt: skip
    assert "walks.py has the same name as another module: rename the file" in out.stderr


# --- A package.

PACKAGE = {
    "__init__": """
import gymnasium

gymnasium.register("shelf/Line-v0", "shelf.envs:Line")
""",
    "envs": """
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

class Line(gymnasium.Env):
    observation_space, action_space = Box(-20.0, 20.0, (2,), np.float64), Discrete(2)
    parameter_space = Box(1.0, 5.0, (1,), np.float64)  # how far away the goal is

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.goal = float((options or {}).get("parameters", [3.0])[0])
        self.at = self.np_random.uniform(-1.0, 1.0)
        return np.array([self.at, self.goal]), {}

    def step(self, action):
        self.at += 1.0 if action else -1.0
        solved = self.at >= self.goal
        return np.array([self.at, self.goal]), float(solved), solved, False, {"success": solved}
""",
    "suite": """
from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import make_slots
from shelf.envs import Line

def make(task, constants, *, split, num_envs, stream):
    return make_slots(
        Line, num_envs=num_envs, split=split, stream=stream, restarts=split == "eval",
        max_episode_steps=constants["max_episode_steps"],
    )

LINES = Suite(
    name="lines", version=1, title="Lines", summary="Walks to goals.",
    protocol=Protocol(kind="curriculum", budget=60, episodes=4, eval_envs=2, max_episode_steps=15,
                      environment={}),
    tasks=(Task(name="Line", low=0.0, high=1.0),), references=("none", "all"),
    reference_source="by definition", factory="shelf.suite:make", extra="",
)
""",
    "agent": """
import numpy as np

class Forward:
    def act(self, obs, first, *, phase):
        return (obs[:, 0] < obs[:, 1]).astype(np.int64)

def make(task, *, seed, device):
    return Forward()
""",
    "teacher": """
import numpy as np

class Near:
    def propose(self, n):
        return np.full((n, 1), 2.0)

    def report(self, parameters, returns, lengths, successes, first_obs):
        assert (parameters == 2.0).all()

def make(task, *, seed):
    return Near()
""",
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install a package with a suite, an agent, a teacher and an id of gymnasium's."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "shelf").mkdir()
    for name, text in PACKAGE.items():
        (folder / "shelf" / f"{name}.py").write_text(text)
    info = folder / "shelf-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(
        "[rlbench.suites]\nlines = shelf.suite:LINES\n\n[rlbench.agents]\nforward = shelf.agent\n\n"
        "[rlbench.teachers]\nnear = shelf.teacher\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield tmp_path_factory.mktemp("package")


def test_a_package_brings_a_suite_an_agent_and_a_teacher(shelf: Path) -> None:
    words = ("run", "--suite", "lines", "--agent", "forward", "--teacher", "near", "--seeds", "1")
    assert "1 runs recorded in runs, 0 failed" in rlbench(*words, cwd=shelf).stdout
    record = json.loads(next((shelf / "runs").rglob("*.json")).read_text())
    assert record["evaluations"][-1]["returns"] == [1.0] * 4
    assert (record["agent"]["name"], record["teacher"]["name"]) == ("forward", "near")
    assert set(map(tuple, record["proposals"]["parameters"])) == {(2.0,)}


def test_a_toml_file_takes_the_ids_that_a_package_registers(shelf: Path) -> None:
    (shelf / "line.toml").write_text(
        'name = "line"\nversion = 1\npackages = ["shelf"]\n'
        "protocol = {budget = 40, episodes = 2, eval_envs = 2, max_episode_steps = 15}\n"
        'tasks = [{id = "shelf/Line-v0", low = 0, high = 1}]\n'
    )
    rlbench("run", "--suite", "line.toml", "--agent", "forward", "--seeds", "1", cwd=shelf)
    (path,) = (shelf / "runs/line-1").rglob("*.json")
    record = json.loads(path.read_text())
    assert record["evaluations"][-1]["returns"] == [1.0, 1.0]
    assert record["provenance"]["version_shelf"] == "2.5"


# --- The guide.


def blocks(language: str) -> dict[str, str]:
    """Return the files in the guide by the names in their first lines."""
    texts = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return {text.splitlines()[0].removeprefix("# "): text for text in texts}


def test_the_examples_in_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {**blocks("toml"), **blocks("python")}.items():
        (tmp_path / name).write_text(small(text))
    for lines in blocks("sh").values():
        for line in lines.splitlines():
            verb, *words = shlex.split(line)[1:]
            if "--seeds" in words:
                words[words.index("--seeds") + 1] = "1"
            elif verb == "run":
                words += ["--seeds", "1"]
            out = rlbench(verb, *words, cwd=tmp_path)
            assert "0 failed" in out.stdout or verb not in ("run", "check")
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    points = project["project"]["entry-points"]["rlbench.suites"]
    for name, value in register(tmp_path / "site", points).items():
        monkeypatch.setenv(name, f"{tmp_path}{os.pathsep}{value}")
    words = ("--suite", "poles", "--agent", "random", "--seeds", "1", "--store", "named")
    assert "1 runs recorded" in rlbench("run", *words, cwd=tmp_path).stdout


@pytest.mark.skipif(
    not find_spec("mujoco") or not find_spec("imageio"), reason="gymnasium[mujoco] is missing"
)
def test_the_example_with_mujoco_runs(tmp_path: Path) -> None:
    (tmp_path / "runners.toml").write_text(small(blocks("toml")["runners.toml"]))
    rlbench("check", "--suite", "runners.toml", cwd=tmp_path)
    words = ("--suite", "runners.toml", "--agent", "random", "--seeds", "1")
    out = rlbench("run", *words, cwd=tmp_path)
    assert "2 runs recorded in runs, 0 failed" in out.stdout
    record = json.loads(next((tmp_path / "runs").rglob("*.json")).read_text())
    assert record["provenance"]["version_mujoco"]
