"""Which unfinished runs are stale: seen without running a line of the agent's code."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.toy import TOY

from rlbench.results import Identity, identities
from rlbench.runners import Run, resolve, resolve_teacher
from rlbench.runners.stale import is_stale, origin

PLAIN = "def make(task, *, seed, device='cpu'): ...\n"
BOMB = "raise SystemExit('it was imported')\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p])


def claimed(spec: str, teacher: str = "") -> tuple[Identity, dict[str, Any]]:
    agent = resolve(spec, {})
    taught = resolve_teacher(teacher, {}) if teacher else None
    (identity,) = identities(TOY, TOY.tasks, agent.id, [0], taught and taught.id)
    run = Run(
        identity=identity, agent=agent.recipe, teacher=taught and taught.recipe, store="runs",
        device="cpu", threads=1, checkpoint_every=1.0,
    )  # fmt: skip
    return identity, origin(run)


@pytest.mark.parametrize("spec", ["mine.py", "./mine", "mine", "zoo/mine.py", "zoo.mine:make"])
def test_a_changed_source_is_stale_from_any_folder(spec: str, monkeypatch: Any) -> None:
    Path("zoo").mkdir()
    Path("zoo/__init__.py").touch()
    file = Path("zoo/mine.py" if "zoo" in spec else "mine.py").absolute()
    file.write_text(PLAIN)
    identity, said = claimed(spec) if spec != "./mine" else claimed("./mine.py")
    monkeypatch.chdir("/")
    assert not is_stale(identity, said)
    file.write_text(PLAIN + BOMB)
    assert is_stale(identity, said)
    file.unlink()
    assert not is_stale(identity, said), "it may come back, or be on another machine"
    file.write_text(PLAIN)
    assert not is_stale(identity, said)


def test_what_an_agent_imports_from_beside_it_counts() -> None:
    Path("nets.py").write_text("K = 1\n")
    Path("mine.py").write_text("import nets\n" + PLAIN)
    identity, said = claimed("mine")
    Path("nets.py").write_text("K = 2\n")
    assert is_stale(identity, said)


def test_a_stated_version_stands_for_the_source() -> None:
    Path("mine.py").write_text("__version__ = '1'\n" + PLAIN)
    identity, said = claimed("mine")
    Path("mine.py").write_text("__version__ = '1'\n# other\n" + PLAIN)
    assert not is_stale(identity, said)
    Path("mine.py").write_text("__version__ = '2'\n" + PLAIN)
    assert is_stale(identity, said)


def test_a_changed_teacher_is_stale_too() -> None:
    Path("taught.py").write_text("def make(task, *, seed): ...\n")
    identity, said = claimed("random", "taught")
    assert not is_stale(identity, said)
    Path("taught.py").write_text("def make(task, *, seed): pass\n")
    assert is_stale(identity, said)


def test_agents_of_ours_and_commands() -> None:
    identity, said = claimed("random")
    assert not is_stale(identity, said)
    older = replace(identity, agent=replace(identity.agent, version="0"))
    assert is_stale(older, said)
    Path("it.sh").write_text("#!/bin/sh\n")
    os.chmod("it.sh", 0o700)
    identity, said = claimed("cmd:./it.sh")
    assert not is_stale(identity, said)
    Path("it.sh").write_text("#!/bin/sh\necho\n")
    assert is_stale(identity, said)


@pytest.mark.parametrize(
    "said",
    [
        None, [], {}, {"folder": 3}, {"folder": "/", "agent": 7}, {"folder": "\0", "agent": "a.py"},
        {"folder": "/", "agent": "cmd:'"}, {"folder": "/", "agent": "a..b"},
        {"folder": "/", "agent": "." * 5000}, {"folder": "/nowhere", "agent": ""},
    ],
)  # fmt: skip
def test_what_a_claim_says_is_not_trusted(said: Any) -> None:
    Path("mine.py").write_text(PLAIN)
    identity, _ = claimed("mine")
    assert not is_stale(identity, said)
