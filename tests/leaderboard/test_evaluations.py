"""Named evaluations: their scores, and how far they are apart in each run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.records import make_record

from rlbench import load, suites
from rlbench.leaderboard import build_site
from rlbench.leaderboard.evaluations import evaluation_rows
from rlbench.results import Record, Store, collect

SUITE = suites.get("procgen-mini")
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
