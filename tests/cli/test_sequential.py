"""`rlbench compare --run`: the test decides which runs come next."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.command import COMMAND, heed_interrupts, rlbench
from support.poles import AGENTS, write_files
from support.processes import workers_in

from rlbench.results import Store

BETTER = ("good=agents.py:Balance", "bad=agents.py:Balance [flipped=true]")
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
    assert f"good has a larger IQM than bad, after batch {batches}." in out
    assert seeds_of(folder) == {name: list(range(4 * batches)) for name in ("bad", "good")}
    assert f"{8 * batches} of 24 planned runs were needed; {24 - 8 * batches} (" in out

    again = compare(*BETTER, *PLAN, "--json", cwd=folder)
    (row,) = json.loads(again.stdout)
    assert (row["a"], row["b"], row["decision"]) == ("good", "bad", "larger")
    assert (row["batches"], row["runs"]) == (batches, 4 * batches)
    (plan,) = (folder / "runs/plans").glob("*.json")
    assert row["plan"] == plan.stem


def test_equal_agents_run_to_the_end_or_are_given_up(folder: Path) -> None:
    equal = ("a=agents.py:Balance", "b=agents.py:Balance")
    out = compare(*equal, *PLAN, "--first-seed", "10", cwd=folder).stdout
    assert "a and b are not separated after batch 3." in out
    assert seeds_of(folder) == {name: list(range(10, 22)) for name in ("a", "b")}

    given_up = compare(*equal, *PLAN, "--futility", "500", "--store", "other", cwd=folder).stdout
    assert "a difference of 500 was ruled out after batch 1." in given_up
    assert "equal agents are saved" in given_up
    assert len(Store(folder / "other").load().records) == 8


def test_a_changed_plan_is_refused_or_begun_visibly(copied: Path) -> None:
    folder = copied
    refused = compare(*BETTER, *PLAN, "--alpha", "0.1", cwd=folder, code=2).stderr
    assert "alpha 0.05 -> 0.1" in refused
    assert "--new-plan" in refused
    begun = compare(*BETTER, *PLAN, "--alpha", "0.1", "--new-plan", cwd=folder)
    assert "good has a larger IQM" in begun.stdout
    assert "runs were in the store when it was fixed" in begun.stderr
    assert len(list((folder / "runs/plans").iterdir())) == 2
    (folder / "agents.py").write_text(AGENTS + "\n# changed\n")
    refused = compare(*BETTER, *PLAN, cwd=folder, code=2).stderr
    assert "the code or the options of agents" in refused


def test_a_failed_run_leaves_it_undecided(folder: Path) -> None:
    words = ("agents.py:Balance", "agents.py:Breaks", *PLAN)
    failed = compare(*words, cwd=folder, code=1)
    assert "failed: agents, CartPole-v1, seed 3: " in failed.stderr
    assert "undecided: a batch counts once all its runs have a score" in failed.stderr
    statuses = [record.status for record in Store(folder / "runs").load().records]
    assert sorted(statuses) == ["failed"] * 4 + ["ok"] * 4


def test_a_dry_run_does_nothing(folder: Path) -> None:
    out = compare(*BETTER, *PLAN, "--dry-run", cwd=folder, code=3).stdout
    assert "batch 1 of at most 3 comes next:" in out
    assert out.count("CartPole-v1 seed ") == 8
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("agents.py:Balance", *PLAN), "at least two agents"),
        (("agents.py:Balance", "agents.py:Balance", *PLAN), "two of the agents are the same"),
        ((*BETTER, *PLAN, "--against", "1"), "leave out --against"),
        ((*BETTER, *PLAN, "--metric", "return"), "how files are read"),
        ((*BETTER, *PLAN, "--stop", "never"), "unknown stopping rule"),
        ((*BETTER, "--run"), "needs a --suite"),
        ((*BETTER, *PLAN[:3], "--batch", "2", "--max-batches", "1"), "can decide nothing"),
        ((*BETTER, *PLAN, "--futility", "-1"), "futility -1.0 above 0"),
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


def answers(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return what a comparison decided, and its records without times."""
    rows = json.loads(compare(*BETTER, *PLAN, "--json", cwd=folder).stdout)
    records = {
        record.identity.key: [evaluation.returns for evaluation in record.evaluations]
        for record in Store(folder / "runs").load().records
    }
    return rows, records


def test_killed_at_random_moments_it_comes_to_the_same(
    folder: Path, decided: tuple[Path, str]
) -> None:
    chance = random.Random(0)
    killed = 0
    for _ in range(4):
        command = [*COMMAND, "compare", *BETTER, *PLAN]
        with subprocess.Popen(
            command, cwd=folder, preexec_fn=heed_interrupts, stdout=subprocess.DEVNULL
        ) as process:
            time.sleep(chance.uniform(1.0, 4.0))
            for victim in [*workers_in(folder), process.pid]:
                if process.poll() is None:
                    os.kill(victim, signal.SIGKILL)
                    killed += 1
    assert answers(folder) == answers(decided[0])
    assert killed
