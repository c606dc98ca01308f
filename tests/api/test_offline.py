"""Offline agents beside their data, their costs, and scores that were chosen online."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import rlbench
from support.records import make_record

import rlbench as api
from rlbench import suites
from rlbench.leaderboard import build_site
from rlbench.leaderboard.beside_data import data_rows
from rlbench.results import Store

SUITE = suites.get("neorl2")
COSTS = {"fast": (0.0, 30.0, 2.0), "slow": (0.0, 0.0, 0.0)}
# What agents are above their data by, in shares of the range, on every task.
GAPS = {"fast": 0.1, "slow": -0.05}
ABOVE = {  # as the authors' table counts them, without a margin
    "BC": 3, "CQL": 4, "EDAC": 4, "MCQ": 4, "TD3+BC": 6, "MOPO": 2, "COMBO": 3, "RAMBO": 3,
    "MOBILE": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two agents; one has a cost in some runs, and a better point."""
    folder = tmp_path_factory.mktemp("offline")
    store = Store(folder / "runs")
    for agent, gap in GAPS.items():
        for task in SUITE.tasks:
            for seed in range(3):
                assert task.data is not None
                score = task.data + (task.high - task.low) * (gap + 0.001 * seed)
                record = make_record(
                    task.name, agent, seed, score, suite=SUITE,
                    length=min(100, SUITE.protocol_of(task).max_episode_steps),
                )  # fmt: skip
                (final,) = record.evaluations
                if task.name == "SafetyHalfCheetah":
                    final = replace(final, measures={"cost": (COSTS[agent][seed],) * 1000})
                higher = tuple(value + (task.high - task.low) for value in final.returns)
                before = replace(final, budget_used=500_000, extra=True, returns=higher)
                found = (before, final) if agent == "fast" else (final,)
                store.write(replace(record, evaluations=found))
    return folder


def rows_of(folder: Path, *options: str) -> list[dict[str, Any]]:
    out = rlbench("stats", "--suite", "neorl2", *options, "--json", cwd=folder).stdout
    rows: list[dict[str, Any]] = json.loads(out)
    return rows


def text_of(folder: Path, *options: str) -> str:
    return rlbench("stats", "--suite", "neorl2", *options, cwd=folder).stdout


def test_published_scores_are_above_their_data_as_the_authors_count(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "--store", "published", "--against-data")
    assert {row["agent"]: row["above"] for row in rows} == ABOVE
    assert {row["agent"] for row in rows if row["point"] > 0} == {"TD3+BC", "BC"}
    # Chosen by these scores, so nothing is tested.
    assert {row["surely_above"] for row in rows} == {row["low"] for row in rows} == {None}
    assert {row["test"] for row in rows} == {
        "none: its options were chosen by the score that it reports"
    }


def test_agents_are_compared_with_their_data(folder: Path) -> None:
    fast, slow = rows_of(folder, "--against-data")
    assert (fast["agent"], fast["tasks"], fast["above"]) == ("fast", 7, 7)
    assert (fast["surely_above"], fast["surely_below"]) == (7, 0)
    assert (slow["surely_above"], slow["surely_below"]) == (0, 7)
    assert fast["point"] == pytest.approx(0.101)
    assert fast["low"] < 0.101 < fast["high"]
    text = text_of(folder)
    assert (
        "Tasks on which the mean is above that of the training data: fast 7 of 7, slow 0 of 7."
        in text
    )
    assert "Significantly above (95%, each agent by itself): fast 7 of 7, slow 0 of 7." in text


def test_the_data_are_a_row_of_the_tables(folder: Path) -> None:
    rows = {row["metric"]: row for row in rows_of(folder) if row["agent"] == "training data"}
    assert rows["mean"]["point"] == pytest.approx(0.6087, abs=1e-4)
    assert rows["mean"]["low"] is None
    each = [r for r in rows_of(folder, "--per-task") if r["agent"] == "training data"]
    assert [row["mean"] for row in each] == list(SUITE.data_returns().values())


def test_two_runs_are_needed_to_be_sure() -> None:
    one = {"a": {"DMSD": np.array([0.9])}, "b": {"DMSD": np.array([0.9, 0.9])}, "c": {}}
    rows = data_rows(one, {"DMSD": 0.5}, {})
    assert [(row.agent, row.above, row.surely_above) for row in rows] == [
        ("a", 1, None), ("b", 1, None),
    ]  # fmt: skip
    assert rows[0].test == "none: fewer than two runs a task, or runs that do not vary"


def test_a_run_shows_its_measures(folder: Path) -> None:
    record = next(r for r in Store(folder / "runs").load().records if r.final.measures)
    shown = rlbench("show", record.identity.key, "--store", "runs", cwd=folder).stdout
    *_, line = (line for line in shown.splitlines() if line.startswith("cost at "))
    assert f"{record.final.measures['cost'][0]:.3f} (mean of episodes)" in line


def test_measures_stand_beside_the_score(folder: Path) -> None:
    rows = {(r["agent"], r["measure"]): r for r in rows_of(folder, "--measures")}
    assert {r["task"] for r in rows.values()} == {"SafetyHalfCheetah"}
    assert rows["fast", "cost"]["mean"] == pytest.approx(32 / 3)
    assert rows["fast", "score"]["mean"] == pytest.approx(1769.3082 + 2790 * 0.101)
    assert rows["slow", "cost"]["low"] is None
    assert "10.667" in text_of(folder, "--measures")
    answer = api.load(folder / "runs", suite="neorl2").stats(measures=True)
    assert len(answer.rows) == 4


def test_runs_over_the_limit_are_left_out_and_counted(folder: Path) -> None:
    text = text_of(folder, "--within", "cost=25")
    assert "fast 2 of 3 on SafetyHalfCheetah; slow 3 of 3 on SafetyHalfCheetah. 1 run left" in text
    rows = {
        (r["agent"], r["task"]): r for r in rows_of(folder, "--within", "cost=25", "--per-task")
    }
    assert rows["fast", "SafetyHalfCheetah"]["runs"] == 2
    expected = SUITE.data_returns()["SafetyHalfCheetah"] + 0.101  # of the seeds 0 and 2
    assert rows["fast", "SafetyHalfCheetah"]["mean"] == pytest.approx(expected)
    assert rows["fast", "DMSD"]["runs"] == 3  # nothing there has a cost
    none = rows_of(folder, "--within", "cost=-1", "--per-task")
    assert ("fast", "SafetyHalfCheetah") not in {(r["agent"], r["task"]) for r in none}
    loaded = api.load(folder / "runs", suite="neorl2", within={"cost": 25})
    assert loaded.stats(measures=True).rows[1]["runs"] == 2
    compared = rlbench("compare", "--suite", "neorl2", "--within", "cost=25", cwd=folder).stdout
    assert "1 run left out: scores and tests describe the other runs only" in compared


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--within", "cst=1"), "unknown measure of the runs of neorl2@1 'cst'. Did you mean"),
        (("--within", "cost=x"), "--within 'cost=x' is not MEASURE=NUMBER,..., each measure once"),
        (("--within", "cost=1,cost=2"), "each measure once"),
        (("--within", "cost=1", "--store", "published"), "--within needs records"),
        (("--measures", "--store", "published"), "--measures needs runs of rlbench's own"),
        (("--measures", "--retention"), "--measures is a table of its own"),
        (("--against-data", "--per-task"), "--against-data is a table of its own"),
        (("--best-point", "--measures"), "--best-point and --measures do not go together"),
        (("--best-point", "--agents", "slow"), "--best-point needs runs with several evaluations"),
    ],
)
def test_mistakes_are_one_line(folder: Path, options: tuple[str, ...], message: str) -> None:
    done = rlbench("stats", "--suite", "neorl2", *options, cwd=folder, code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_best_point_is_labelled_and_never_tested(folder: Path) -> None:
    rows = rows_of(folder, "--best-point")
    best = {(r["agent"], r["metric"]): r for r in rows if r["agent"] != "training data"}
    assert {agent for agent, _ in best} == {"fast"}  # the other has one evaluation a run
    assert best["fast", "mean"]["point"] == pytest.approx(0.6087 + 1.101, abs=1e-4)
    assert best["fast", "mean"]["selection"] == "best evaluation point (selected online)"
    text = text_of(folder, "--best-point", "--against-data")
    assert "the evaluation points were chosen by these returns" in text
    assert "so it is biased upwards. The score of the protocol is that of the last" in text
    assert "Left out, with one evaluation a run: slow." in text
    last = {(r["agent"], r["metric"]): r["point"] for r in rows_of(folder)}
    assert last["fast", "mean"] == pytest.approx(0.6087 + 0.101, abs=1e-4)


def test_boards_show_the_data_and_the_costs(folder: Path, tmp_path: Path) -> None:
    build_site(Store(folder / "runs").load(), tmp_path / "site", only=["neorl2"])
    page = (tmp_path / "site/neorl2-1/index.html").read_text()
    assert '<th scope="row">training data</th>' in page
    assert page.count('aria-labelledby="data"') == page.count('aria-labelledby="measures"') == 1
    task = (tmp_path / "site/neorl2-1/tasks/dmsd.html").read_text()
    assert "Mean return of the training data: 494.5, normalised 0.566." in task
    board = json.loads((tmp_path / "site/neorl2-1/downloads/board.json").read_text())
    assert board["data"] == SUITE.data_returns()
    assert {row["agent"] for row in board["measures"]} == {"fast", "slow"}
    surely = {row["agent"]: row["surely_above"] for row in board["beside_data"]}
    assert (surely["fast"], surely["slow"], surely["TD3+BC"]) == (7, 0, None)
