"""By command: runs that differ in anything are told apart, and those that do not are one."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.command import rlbench
from support.registered import register

from rlbench.results import Record, Store

TWO = """
import numpy as np
import nets


class Agent:
    def __init__(self, action):
        self.action = action

    def act(self, obs, first, *, phase):
        return np.full(len(first), self.action)


def left(task, *, seed, device, k=5, hidden=(8,), w=None):
    print(type(hidden).__name__, hidden, w, open(w).read() if w else "")
    return Agent(0)


def fire(task, *, seed, device, k=5):
    return Agent(1)


def make_group(tasks, seeds, *, device, **options):
    return [Agent(0) for _ in seeds]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an agent, in which the suite of the tests is known."""
    site = register(tmp_path / "site", {"toy": "support.toy:TOY"})
    for name, value in site.items():
        monkeypatch.setenv(name, value)
        for entry in value.split(os.pathsep):
            monkeypatch.syspath_prepend(entry)
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "two.py").write_text(TWO)
    (folder / "nets.py").touch()
    return folder


def run(cwd: Path, agent: str, *options: str, code: int = 0) -> str:
    seeds = () if "--seeds" in options else ("--seeds", "1")
    arguments = ("--suite", "toy", "--agent", agent, *seeds, *options)
    done = rlbench("run", *arguments, cwd=cwd, code=code)
    return done.stdout + done.stderr


def records_in(folder: Path) -> list[Record]:
    loaded = Store(folder / "runs").load()
    assert loaded.problems == []
    return loaded.records


def agents_in(cwd: Path, *command: str) -> list[str]:
    """Return what is in the JSON rows of a command as agent, in their order, once each."""
    rows = json.loads(rlbench(*command, "--json", cwd=cwd).stdout)
    return list(dict.fromkeys(row["agent"] for row in rows))


def test_two_entry_points_of_a_file_are_two_agents(here: Path) -> None:
    assert "1 runs recorded" in run(here, "two.py:left")
    out = run(here, "two.py:fire")
    assert "1 runs recorded" in out
    assert "already" not in out
    labels = ["two [two:fire]", "two [two:left]"]
    assert sorted(agents_in(here, "list", "runs")) == labels
    assert sorted(agents_in(here, "stats", "--suite", "toy")) == labels
    rlbench("export", "--suite", "toy", "--csv", "all.csv", cwd=here)
    with (here / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["agent"] for row in rows) == labels
    assert sorted(row["options"] for row in rows) == ["hidden=[8],k=5,w=none", "k=5"]
    assert sorted(agents_in(here, "stats", "all.csv")) == labels
    for record in records_in(here):
        shown = rlbench("show", record.identity.key, cwd=here).stdout
        assert any(label in shown for label in labels)
        assert str(here) not in record.to_bytes().decode()


def test_the_files_that_count_are_said_and_a_changed_one_is_run_anew(here: Path) -> None:
    first = run(here, "two.py:left")
    assert "agent two: source " in first.splitlines()[0]
    assert first.splitlines()[0].endswith(" (nets.py, two.py)")
    assert "already" in run(here, "two.py:left")
    (here / "nets.py").write_text("WIDTH = 3\n")
    assert "1 runs recorded" in run(here, "two.py:left")
    (here / "two.py").write_text(TWO + "__version__ = '3'\n")
    assert "agent two: version 3; changes of its files make no new runs" in run(here, "two.py:left")
    (here / "nets.py").write_text("WIDTH = 4\n")
    assert "already" in run(here, "two.py:left")
    assert len(records_in(here)) == 3


def test_defaults_lists_and_files_reach_record_and_agent(here: Path) -> None:
    run(here, "two.py:left", "-o", "k=5")
    assert "already" in run(here, "two.py:left", "-o", "hidden=[8]")
    (here / "w.txt").write_text("weights")
    run(here, "two.py:left", "-o", "hidden=[256,256]", "-o", "w=@w.txt")
    (record,) = [r for r in records_in(here) if r.identity.agent.config["hidden"] == [256, 256]]
    config = record.identity.agent.config
    assert config["k"] == 5
    assert config["w"]["file"] == "w.txt"
    assert str(here) not in record.to_bytes().decode()
    log = (here / f"runs/logs/{record.identity.key}.log").read_text()
    assert f"list [256, 256] {here / 'w.txt'} weights" in log
    (here / "w.txt").write_text("others")
    assert "1 runs recorded" in run(here, "two.py:left", "-o", "hidden=[256,256]", "-o", "w=@w.txt")
    labels = agents_in(here, "list", "runs")
    assert len(labels) == 3
    assert all(label.startswith("two [w=") for label in labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "k=inf"], "k=inf: inf is not finite"),
        (["-o", "seed=1"], "'seed' is reserved"),
        (["-o", "kk=1"], "Did you mean 'k'"),
        (["-o", "hidden=[1,"], "hidden=[1,: not JSON"),
        (["-o", "w=/etc/passwd"], "write w=@FILE"),
        (["-o", "w=@nothing"], "there is no such file"),
        (["--given", "magic"], "'magic'"),
        (["--unofficial", "budget=nan"], "not finite"),
        (["--unofficial", "budget=[1,2]"], "budget"),
        (["--config", "c.toml"], "c.toml: [options] values must be numbers, strings, booleans"),
        (["--config", "nan.toml"], "nan.toml: [options] nan is not finite"),
        (["--config", "flat.toml"], "flat.toml: options is not a table"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(
    here: Path, options: Sequence[str], message: str
) -> None:
    (here / "c.toml").write_text("[options]\nk = 2026-01-01\n")
    (here / "nan.toml").write_text("[options]\nk = [nan]\n")
    (here / "flat.toml").write_text("options = 3\n")
    out = run(here, "two.py:left", *options, code=2)
    assert message in out
    assert len(out.splitlines()) == 1
    assert not (here / "runs").exists()


def test_options_in_a_file_are_those_of_the_command_line(here: Path) -> None:
    (here / "w.txt").touch()
    (here / "c.toml").write_text(
        '[options]\nhidden = [16, 16]\nw = "@w.txt"\n[unofficial]\nreward = 2\nbudget = 60\n'
    )
    run(here, "two.py:left", "--config", "c.toml")
    out = run(
        here, "two.py:left", "-o", "hidden=[16,16]", "-o", "w=@w.txt",
        "--unofficial", "budget=60, reward=2.0",
    )  # fmt: skip
    assert "already" in out


def test_an_override_that_changes_nothing_is_none(here: Path) -> None:
    run(here, "two.py:left", "--unofficial", "budget=50,reward=1")
    (record,) = records_in(here)
    assert record.identity.unofficial == {}
    assert "already" in run(here, "two.py:left")


def test_a_broken_agent_is_one_line_and_runs_in_no_process_of_ours(here: Path) -> None:
    (here / "zoo").mkdir()
    (here / "zoo/__init__.py").write_text("import os\nos._exit(9)\n")
    (here / "zoo/dqn.py").write_text(TWO)
    out = run(here, "zoo.dqn:left", "--dry-run", code=2)
    assert out.strip() == (
        "rlbench: the agent 'zoo.dqn:left' cannot be imported: that ended its process with exit "
        "code 9"
    )


def test_groups_get_the_options_and_what_was_given(here: Path) -> None:
    run(
        here, "two.py:left", "--seeds", "2", "--runs-per-gpu", "2", "-j", "1", "-o", "k=3",
        "--given", "pretraining,demonstrations",
    )  # fmt: skip
    records = records_in(here)
    assert {r.identity.agent.given for r in records} == {("demonstrations", "pretraining")}
    assert len(records) == 2
    assert "1 runs recorded" in run(here, "two.py:left", "-o", "k=3")


def test_an_agent_that_changes_while_the_command_runs_is_not_recorded_as_before(
    here: Path,
) -> None:
    (here / "two.py").write_text(
        TWO.replace("def act", "def close(self):\n        open('nets.py', 'a').write('#')\n\n"
                    "    def act")
    )  # fmt: skip
    out = run(here, "two.py:left", "--seeds", "2", "-j", "1", code=1)
    assert "the files of the agent were changed since the command began" in out
    statuses = sorted(record.status for record in records_in(here))
    assert statuses == ["failed", "ok"]
