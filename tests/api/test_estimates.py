"""What runs will take is foreseen: their steps, their time, their disk."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import rlbench
from support.poles import write_files
from support.toy import TOY

from rlbench import suites
from rlbench.api.asking import parse_suite
from rlbench.api.estimates import Estimator, evaluation_episodes
from rlbench.api.running import Wanted, want
from rlbench.results import Store
from rlbench.runners import resolve


def wanted(suite: str, unofficial: str, store: Path, *, tasks: int, seeds: int = 1) -> Wanted:
    chosen = parse_suite(suite, unofficial)
    return want(
        chosen, chosen.tasks[:tasks], resolve("random", {}), range(seeds), store=store
    )  # fmt: skip


def bytes_in(store: Path) -> list[int]:
    """Return the size in bytes of each run: its record and its file of actions."""
    return [
        sum(path.stat().st_size for path in record.parent.glob(f"{record.stem}*"))
        for record in store.glob("*-1/*/*/*.json")
    ]


@pytest.mark.parametrize(
    ("suite", "episodes"),
    [
        ("atari100k", 100),
        ("dmc-mini", 10 * 10),  # at 5,000, 10,000, ... steps
        ("stump-tracks-1m", 4 * 100),
        ("parkour", 40 * 100),
        ("procgen-easy", None),
    ],
)
def test_evaluations_are_counted_at_all_points(suite: str, episodes: int | None) -> None:
    protocol = suites.get(suite).protocol
    if episodes is None:  # it has two evaluations at each point
        assert len(protocol.evaluations) == 2
        before = (len(protocol.points) - 1) * protocol.episodes_at_points
        episodes = 2 * (before + protocol.episodes)
    assert evaluation_episodes(protocol, ()) == episodes


def test_extra_points_are_evaluated_too() -> None:
    protocol = replace(TOY.protocol, eval_points=(10, 20), point_episodes=2)
    assert evaluation_episodes(protocol, ()) == 2 + 2 + 6
    # One is there already, and one is the end.
    assert evaluation_episodes(protocol, (10, 15, 50)) == 2 + 2 + 2 + 6
    # A policy is evaluated at the end alone.
    assert evaluation_episodes(protocol, (10, 15, 50), trains=False) == 6


@pytest.mark.parametrize(
    ("suite", "unofficial", "tasks", "needs"),
    [
        ("atari100k", "budget=40,episodes=40,eval_envs=8,max_episode_steps=100", 2, "ale_py"),
        ("dmc-mini", "budget=100,eval_points=[50]", 4, "dm_control"),
    ],
)
def test_the_disk_is_foreseen(
    suite: str, unofficial: str, tasks: int, needs: str, tmp_path: Path
) -> None:
    """Without earlier runs within a factor of 2, with earlier runs exactly."""
    pytest.importorskip(needs)
    store = tmp_path / "runs"
    guessed = Estimator().needs(wanted(suite, unofficial, store, tasks=tasks))
    assert guessed.left.runs == guessed.all.runs == tasks
    names = ",".join(task.name for task in suites.get(suite).tasks[:tasks])
    rlbench(
        "run", "--suite", suite, "--agent", "random", "--tasks", names, "--seeds", "1",
        "--unofficial", unofficial, cwd=tmp_path,
    )  # fmt: skip
    made = bytes_in(store)
    assert len(made) == tasks
    assert sum(made) / 2 < guessed.left.disk < sum(made) * 2
    known = Estimator().needs(wanted(suite, unofficial, store, tasks=tasks, seeds=3))
    assert known.left.runs == 2 * tasks
    assert known.left.disk == pytest.approx(2 * sum(made))
    assert known.assumed == ""
    records = Store(store).load().records
    assert known.left.seconds == pytest.approx(2 * sum(r.timing["seconds"] for r in records))


def test_what_is_assumed_is_said() -> None:
    pytest.importorskip("dm_control", reason="pip install 'rlbench[dmc]'")
    needs = Estimator().needs(
        wanted("dmc-mini", "budget=10,eval_points=[5]", Path("none"), tasks=1)
    )
    assert needs.assumed == (
        "all 20 evaluation episodes of a run are as long as they may be, 500 steps"
    )
    assert "the environment alone" in needs.basis


def test_what_shorter_episodes_would_take_is_said(tmp_path: Path) -> None:
    """By random actions the pole falls after some 20 steps."""
    write_files(tmp_path)
    chosen = parse_suite(str(tmp_path / "poles.toml"), "max_episode_steps=500,episodes=400")
    asked = want(chosen, chosen.tasks, resolve("random", {}), [0], store=tmp_path / "runs")
    needs = Estimator().needs(asked)
    found = re.fullmatch(
        r"all 400 evaluation episodes of a run are as long as they may be, 500 steps \(by random "
        r"actions they had (\d+) on average; then a run takes .* and ([0-9.]+) kB\)",
        needs.assumed,
    )
    assert found, needs.assumed
    assert 10 < int(found[1]) < 40
    # Two choices take about a bit and a half each; a slot plays 100 episodes.
    assert 500 * 400 / 8 < needs.left.disk < 500 * 400 / 4 + 20_000
    assert 1000 * float(found[2]) < needs.left.disk


def test_evaluations_take_time() -> None:
    """Ten times as many steps take about as many times as long."""
    estimator, store = Estimator(), Path("none")
    short = estimator.needs(wanted("atari100k", "budget=1,max_episode_steps=10", store, tasks=1))
    points = "budget=5,eval_points=[1,2,3,4],max_episode_steps=20"
    long = estimator.needs(wanted("atari100k", points, store, tasks=1))
    assert 2 < long.left.seconds / short.left.seconds < 50


def test_runs_that_share_a_process_share_its_time_once(tmp_path: Path) -> None:
    """A record's own share is what one more run takes."""
    store = tmp_path / "runs"
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n\n\nclass Still:\n"
        "    def __init__(self, task, *, seed, device):\n        pass\n\n"
        "    def act(self, obs, first, *, phase):\n"
        "        return np.zeros(len(obs), dtype=np.int64)\n\n\n"
        "def make_group(tasks, seeds, *, device, **config):\n"
        "    return [Still(t, seed=s, device=device) for t, s in zip(tasks, seeds)]\n"
    )
    unofficial = "budget=40,episodes=2,max_episode_steps=30"
    rlbench(
        "run", "--suite", "atari100k", "--agent", "mine.py:Still", "--tasks", "Pong", "--seeds",
        "4", "--unofficial", unofficial, "--runs-per-gpu", "4", cwd=tmp_path,
    )  # fmt: skip
    records = Store(store).load().records
    assert {record.timing["together"] for record in records} == {4}
    suite = parse_suite("atari100k", unofficial)
    who = resolve(str(tmp_path / "mine.py") + ":Still", {})
    asked = want(suite, [suite.task("Pong")], who, range(12), store=store)
    asked = replace(asked, places=asked.places._replace(slots=asked.places.slots[:1], group=4))
    needs = Estimator().needs(asked)
    share = sum(record.slot_seconds or 0.0 for record in records) / 4
    assert needs.left.runs == 8
    assert needs.left.seconds == needs.left.wall == pytest.approx(8 * share)
