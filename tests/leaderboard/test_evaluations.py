"""Named evaluations: their scores, and how far they are apart in each run."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.records import make_record

from rlbench import load, suites
from rlbench.leaderboard import build_site
from rlbench.leaderboard.evaluations import AREA, area_by_repeat, evaluation_rows
from rlbench.results import Record, Store, collect
from rlbench.stats import iqm
from rlbench.suites import Suite

SUITE = suites.get("procgen-mini")
TRANSFER, FREQUENCY = suites.get("dmc-transfer"), suites.get("dmc-frequency")
TASKS = [task.name for task in SUITE.tasks]
GAPS = (3.0, 5.0, 1.0)


def a_run(task: str, seed: int, *, gap: float) -> Record:
    """Return a run whose scores at two points are seed and 2 + seed, in training `gap` more."""
    record = make_record(task, seed=seed, score=2.0 + seed, suite=SUITE)
    (final,) = record.evaluations
    early = replace(final, budget_used=500_032, returns=(float(seed),) * 100, lengths=(9,) * 100)
    final = replace(final, lengths=(9,) * len(final.lengths))

    def with_train(test: object) -> tuple[object, object]:
        returns = tuple(value + gap for value in test.returns)  # type: ignore[attr-defined]
        return test, replace(test, name="train", returns=returns)  # type: ignore[type-var]

    return replace(record, evaluations=(*with_train(early), *with_train(final)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs")
    for task in TASKS:
        for seed, gap in enumerate(GAPS):
            store.write(a_run(task, seed, gap=gap))
    return store


def test_differences_are_those_of_the_same_run(store: Store) -> None:
    scores = collect(store.load().records, SUITE)
    named = {agent: scores.named(agent) for agent in scores.values}
    rows = evaluation_rows(named, SUITE)
    ranges = np.array([SUITE.task(t).high - SUITE.task(t).low for t in TASKS])
    lows = np.array([SUITE.task(t).low for t in TASKS])
    expected = {"test": 3.0 - lows, "train": 6.0 - lows, "train - test": np.full(4, 3.0)}
    assert [row.step for row in rows] == [500_032] * 3 + [2_000_000] * 3
    for row in rows[3:]:
        assert row.point == pytest.approx(np.mean(expected[row.evaluation] / ranges))
        assert (row.runs, row.tasks) == (3, 4)
        assert row.low is not None
        assert row.low < row.point < row.high
    assert evaluation_rows(named, SUITE, last=True) == rows[3:]
    # The gap of a run does not vary as its scores do.
    early = {row.evaluation: row.point for row in rows[:3]}
    assert early["train - test"] == pytest.approx(rows[5].point)
    assert early["train"] - early["test"] == pytest.approx(early["train - test"])


def test_a_suite_with_one_evaluation_has_no_rows() -> None:
    scores = collect([make_record()], suites.get("atari100k"))
    assert evaluation_rows({"a": scores.named("tester")}, scores.suite) == []


def test_the_commands_and_the_site_show_them(store: Store, tmp_path: Path) -> None:
    out = rlbench("stats", "--suite", "procgen-mini", "--evaluations", cwd=tmp_path).stdout
    assert "train - test" in out
    assert "4/4" in out
    answer = load(store.path, suite="procgen-mini").stats(evaluations=True)
    assert answer.rows[-1]["evaluation"] == "train - test"
    assert "train - test" in str(answer)
    (key, *_) = (record.identity.key for record in store.load().records)
    shown = rlbench("show", key, cwd=tmp_path).stdout
    assert "train - test at 2000000" in shown
    build_site(store.load(), tmp_path / "site", only=["procgen-mini"])
    page = (tmp_path / "site/procgen-mini-1/index.html").read_text()
    assert '<h2 id="evaluations">Evaluations</h2>' in page
    board = json.loads((tmp_path / "site/procgen-mini-1/downloads/board.json").read_text())
    assert [row["evaluation"] for row in board["evaluations"]] == ["test", "train", "train - test"]


def a_store(path: Path, suite: Suite, score: Callable[[str, int], float]) -> Store:
    """Return a store of three runs a task, with scores by evaluation and seed."""
    store = Store(path / "runs")
    for task in suite.tasks:
        for seed in range(3):
            record = make_record(task.name, seed=seed, suite=suite)
            (final,) = record.evaluations
            length = suite.protocol.max_episode_steps
            evaluations = tuple(
                replace(
                    final,
                    name=name,
                    returns=(score(name, seed),) * len(final.returns),
                    lengths=(length,) * len(final.returns),
                )
                for name in suite.protocol.evaluations
            )
            store.write(replace(record, evaluations=evaluations))
    return store


def test_the_area_under_action_repeats_is_that_over_their_logarithm(tmp_path: Path) -> None:
    by_repeat = {1: 900.0, 2: 800.0, 4: 500.0, 8: 300.0, 16: 100.0}

    def score(name: str, seed: int) -> float:
        return by_repeat[int(name.removeprefix("repeat_"))] * (1 - seed / 10)

    store = a_store(tmp_path, FREQUENCY, score)
    scores = collect(store.load().records, FREQUENCY)
    rows = {
        row.evaluation: row for row in evaluation_rows({"a": scores.named("tester")}, FREQUENCY)
    }
    # (900 / 2 + 800 + 500 + 300 + 100 / 2) / 4 = 525; runs have 1, .9 and .8 of it.
    assert rows[AREA].point == pytest.approx(0.525 * 0.9)
    assert rows["repeat_2"].point == pytest.approx(0.8 * 0.9)
    assert next(iter(rows)) == "repeat_2"
    assert list(rows)[-1] == AREA
    alike = {f"repeat_{k}": 0.25 for k in by_repeat}
    repeats = {f"repeat_{k}": k for k in by_repeat}
    assert area_by_repeat([alike], repeats).tolist() == [0.25]
    shown = rlbench("stats", "--suite", "dmc-frequency", "--evaluations", cwd=tmp_path).stdout
    assert "less repeat 2" in shown
    assert len([line for line in shown.splitlines() if "repeat_" in line]) == 5
    assert AREA in shown
    assert AREA in str(load(store.path, suite="dmc-frequency").stats(evaluations=True))
    build_site(store.load(), tmp_path / "site", only=["dmc-frequency"])
    assert AREA in (tmp_path / "site/dmc-frequency-1/index.html").read_text()


def test_retention_of_a_clean_evaluation_is_that_of_the_same_runs(tmp_path: Path) -> None:
    """Strengths keep .9, .5 and .4 of the clean score, of the second run .01 more."""
    kept = {"1": 0.9, "2": 0.5, "3": 0.4}
    clean = np.array([800.0, 600.0, 400.0])

    def score(name: str, seed: int) -> float:
        share = 1.0 if name == "clean" else kept[name[-1]] + 0.01 * (seed == 1)
        return float(clean[seed] * share)

    store = a_store(tmp_path, TRANSFER, score)
    command = ("stats", "--suite", "dmc-transfer", "--retention", "--json")
    rows = json.loads(rlbench(*command, cwd=tmp_path).stdout)
    assert [row["type"] for row in rows][:2] == ["action_corruption", "sticky"]
    assert len(rows) == 21
    ratios = np.array([score(f"_{k}", s) for k in kept for s in range(3)] * 4) / 600.0
    for row in rows:
        assert row["point"] == pytest.approx(iqm(ratios[:, None]))
        assert (row["tasks"], row["tasks_of_type"], row["left_out"]) == (12, 12, 0)
    strengths = json.loads(rlbench(*command, "--per-task", cwd=tmp_path).stdout)
    assert len(strengths) == 63
    by_strength = {row["type"]: row for row in strengths}
    # The 12 ratios .667, .51 and .333 of each game, without the 3 smallest and largest.
    row = by_strength["gravity_up_2"]
    assert row["point"] == pytest.approx((400 / 600 + 4 * 0.51 + 200 / 600) / 6)
    assert row["low"] < row["point"] < row["high"]
    answer = str(load(store.path, suite="dmc-transfer").stats(retention=True))
    assert "mass_down" in answer
    assert "the intervals are wider than they need to be" in answer
    assert "Fewer than 5 runs" not in answer
    table = rlbench("stats", "--suite", "dmc-transfer", "--evaluations", cwd=tmp_path).stdout
    assert "less clean" in table
    build_site(store.load(), tmp_path / "site", only=["dmc-transfer"])
    page = (tmp_path / "site/dmc-transfer-1/index.html").read_text()
    assert '<h2 id="retention">' in page
    assert "gravity_down" in page
    assert '<h2 id="evaluations">' not in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--suite", "atari100k", "--agents", "DrQ(eps)"],
            "needs a suite with several evaluations",
        ),
        (["--suite", "procgen-easy", "--per-task"], "is a table of its own"),
        (["--suite", "procgen-easy"], "needs runs of rlbench's own"),
    ],
)
def test_what_has_no_named_evaluations_is_refused(
    tmp_path: Path, options: list[str], message: str
) -> None:
    source = ("--store", "published")
    done = rlbench("stats", "--evaluations", *source, *options, cwd=tmp_path, code=2)
    assert message in done.stderr
