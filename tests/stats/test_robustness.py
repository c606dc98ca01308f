"""Retention: the share of the clean score that is kept, and an interval of both sides' runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from support.command import rlbench

from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import iqm, retention, robustness
from rlbench.stats.intervals import ONE_RUN
from rlbench.stats.resampling import CHUNK

GENERATOR = np.random.default_rng(0)
CLEAN = GENERATOR.normal([10.0, 4.0, 50.0], [1.0, 0.5, 8.0], size=(6, 3))
DISTURBED = GENERATOR.normal([6.0, 1.0, 45.0], [1.0, 0.5, 8.0], size=(5, 3))
POOR = np.array([0.5, -0.6, 0.7, 0.1])  # its t interval holds 0


def test_the_point_is_the_iqm_of_each_run_over_the_clean_mean() -> None:
    found = retention(CLEAN, DISTURBED)
    assert found.estimate is not None
    assert found.estimate.point == pytest.approx(iqm(DISTURBED / CLEAN.mean(axis=0)))
    assert found.estimate.low < found.estimate.point < found.estimate.high
    assert found.left_out == ()
    assert found.estimate.method == "stratified bootstrap, rao-wu"


def test_an_agent_that_loses_nothing_keeps_1() -> None:
    found = retention(CLEAN, CLEAN)
    assert found.estimate.low < 1.0 < found.estimate.high
    assert found.estimate.point == pytest.approx(1.0, abs=0.03)


def test_raw_scores_with_their_low_and_normalised_ones_are_the_same() -> None:
    low, high = np.array([-20.0, 100.0, 3.0]), np.array([30.0, 400.0, 4.0])
    raw = retention(CLEAN * (high - low) + low, DISTURBED * (high - low) + low, low=low)
    expected = retention(CLEAN, DISTURBED).estimate
    for name in ("point", "low", "high"):
        assert getattr(raw.estimate, name) == pytest.approx(getattr(expected, name))


def reference(clean: list[np.ndarray], tasks: list[np.ndarray], games: list[int]) -> np.ndarray:
    """Return replicates of `percentile`, whose draws are as many as the runs, drawn plainly."""
    generator = np.random.default_rng(3)
    replicates = []
    for _ in range(4000):
        means = [generator.choice(runs, size=len(runs)).mean() for runs in clean]
        ratios = [
            generator.choice(runs, size=len(runs)) / means[game]
            for runs, game in zip(tasks, games, strict=True)
        ]
        replicates.append(iqm(ratios))
    return np.array(replicates)


@pytest.mark.parametrize("games", [[0, 1, 2], [0, 0, 0], [2, 0, 0]])
def test_the_interval_draws_both_sides_and_a_games_clean_runs_once(games: list[int]) -> None:
    """Three versions of one game: drawn thrice, its clean runs would seem surer than they are."""
    clean = [CLEAN[:, 0], CLEAN[:4, 1], CLEAN[:, 2]]
    tasks = [CLEAN[:5, game] * share for game, share in zip(games, (0.3, 0.5, 0.9), strict=True)]
    found = retention(clean, tasks, games=games, method="percentile", repetitions=20_000)
    low, high = np.quantile(reference(clean, tasks, games), [0.025, 0.975])
    width = high - low
    assert found.estimate.low == pytest.approx(low, abs=0.06 * width)
    assert found.estimate.high == pytest.approx(high, abs=0.06 * width)


def test_with_one_draw_fewer_a_mean_has_its_true_variance() -> None:
    """Of so many disturbed runs that are alike that only the clean mean is uncertain."""
    clean = 100.0 + np.random.default_rng(1).normal(size=5)
    found = retention([clean], [np.full(40, 50.0)], repetitions=40_000).estimate
    error = 0.5 * clean.std(ddof=1) / 5**0.5 / 100.0
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_games_that_are_not_surely_above_low_are_left_out() -> None:
    clean = [CLEAN[:, 0], POOR, CLEAN[:, 2]]
    tasks = [DISTURBED[:, 0], np.array([0.1, 0.2]), DISTURBED[:, 2]]
    found = retention(clean, tasks)
    assert found.left_out == (1,)
    alone = retention([clean[0], clean[2]], [tasks[0], tasks[2]])
    assert found.estimate == alone.estimate
    versions = retention(clean, [tasks[1], tasks[0], tasks[1]], games=[1, 0, 1])
    assert versions.left_out == (1,)
    assert versions.estimate.point == pytest.approx(iqm([tasks[0] / clean[0].mean()]))


def test_the_rule_is_students_t() -> None:
    generator = np.random.default_rng(5)
    outcomes = set()
    for _ in range(200):
        clean = generator.normal(1.0, 1.0, size=int(generator.integers(2, 7)))
        interval = scipy_stats.t.interval(0.9, len(clean) - 1, clean.mean(), scipy_stats.sem(clean))
        found = retention([clean], [np.ones(3)], level=0.9, repetitions=1)
        assert (found.left_out == ()) == (interval[0] > 0)
        outcomes.add(found.left_out)
    assert len(outcomes) == 2


def test_where_no_game_counts_there_is_no_estimate() -> None:
    found = retention([POOR], [POOR])
    assert found == (None, (0,))


def test_one_run_gives_no_interval() -> None:
    found = retention([np.array([4.0, 4.1, 3.9])], [np.array([2.5])]).estimate
    assert (found.low, found.high, found.method) == (None, None, ONE_RUN)
    assert found.point == pytest.approx(2.5 / 4)


def test_one_clean_run_says_nothing_for_sure() -> None:
    for run in (-1.0, 4.0):
        assert retention([np.array([run])], [np.array([2.0, 3.0])]) == (None, (0,))


def test_resamples_of_poor_clean_runs_do_not_turn_the_sign() -> None:
    """Its mean is surely above 0, and yet some resamples have a mean below."""
    clean = np.array([10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, -9.0])
    assert retention([clean], [np.full(3, 5.0)], repetitions=1).left_out == ()
    found = retention([clean], [np.full(3, 5.0)], repetitions=200_000).estimate
    assert 0.4 < found.low < found.high < 5
    wild = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.1])
    assert retention([wild], [np.full(3, 0.5)], level=0.8, repetitions=50_000).estimate.low > 0


def test_the_seed_decides_and_chunks_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first = retention(CLEAN, DISTURBED, seed=1)
    assert first == retention(CLEAN, DISTURBED, seed=1)
    assert first != retention(CLEAN, DISTURBED, seed=2)
    monkeypatch.setattr(robustness, "CHUNK", CHUNK // 1000)
    assert first == retention(CLEAN, DISTURBED, seed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"games": [0, 1]}, "3 disturbed tasks need a game each, of the 3 clean ones"),
        ({"games": [0, 1, 3]}, "of the 3 clean ones"),
        ({"low": [0.0, 1.0]}, "low must be a number or"),
        ({"low": np.nan}, "low must be a number or"),
        ({"level": 1.0}, "level 1.0 must be inside"),
        ({"disturbed": np.full((2, 3), np.inf)}, "of disturbed scores is inf"),
        ({"disturbed": DISTURBED[:, :2], "games": [0, 1, 2]}, "2 disturbed tasks need a game"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        retention(**{"clean": CLEAN, "disturbed": DISTURBED, **arguments})


def test_methods_that_do_not_draw_two_sides() -> None:
    with pytest.raises(UnknownName, match="unknown method 'bca'"):
        retention(CLEAN, DISTURBED, method="bca")


# --- In the command line.


def write_scores(path: Path, *tasks: str) -> str:
    """Write two agents' five runs a task; B has no clean run of Boxing, and is poor at Pong."""
    generator = np.random.default_rng(0)
    lines = ["agent,task,seed,score"]
    for agent in "AB":
        for task in tasks:
            if agent == "B" and task == "Boxing/clean":
                continue
            game, _, kind = task.partition("/")
            low, high = {"Pong": (-20.7, 14.6), "Boxing": (0.1, 12.1)}[game]
            share = {"clean": 0.8, "crop-1": 0.4}.get(kind, 0.2)
            if (agent, game) == ("B", "Pong"):
                share = 0.0
            for seed, luck in enumerate(generator.normal(0, 0.05, size=5)):
                lines.append(f"{agent},{task},{seed},{low + (high - low) * (share + luck)}")
    path.write_text("\n".join(lines))
    return str(path)


TASKS = [
    "Pong/clean",
    "Pong/crop-1",
    "Pong/crop-2",
    "Pong/sticky-1",
    "Boxing/clean",
    "Boxing/crop-1",
]


def test_a_row_an_agent_and_type(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "scores.csv", *TASKS)
    command = ("stats", scores, "--suite", "stori26", "--retention")
    rows = json.loads(rlbench(*command, "--json", cwd=tmp_path).stdout)
    columns = ("agent", "type", "tasks", "tasks_of_type", "left_out")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("A", "sticky", 1, 78, 0),
        ("A", "crop", 3, 78, 0),
        ("B", "sticky", 0, 78, 1),
        ("B", "crop", 0, 78, 1),
    ]
    sticky, crop, *of_b = rows
    assert sticky["low"] < sticky["point"] < sticky["high"]
    assert sticky["point"] == pytest.approx(0.25, abs=0.08)
    assert crop["point"] == pytest.approx(0.43, abs=0.12)
    for row in of_b:
        assert (row["point"], row["games_left_out"]) == (None, "Pong")
        assert row["method"] == "none: no clean mean is significantly above random"
    strengths = json.loads(rlbench(*command, "--per-task", "--json", cwd=tmp_path).stdout)
    assert [r["type"] for r in strengths if r["agent"] == "A"] == ["sticky-1", "crop-1", "crop-2"]
    table = rlbench(*command, cwd=tmp_path).stdout
    assert "B: left out, since the clean mean is not significantly above 0: Pong." in table
    assert "3/78" in table


def test_published_scores_of_stori(tmp_path: Path) -> None:
    command = ("stats", "--suite", "stori", "--store", "published", "--retention")
    rows = json.loads(rlbench(*command, "--json", cwd=tmp_path).stdout)
    assert {row["agent"] for row in rows} == {"DreamerV3", "STORM"}
    assert {row["type"] for row in rows} == {"1", "2.1", "2.2", "3.2", "3.2A", "3.2B", "3.2C"}
    assert {row["runs"] for row in rows} == {3}
    assert all(row["low"] < row["point"] < row["high"] for row in rows)
    table = rlbench(*command, cwd=tmp_path).stdout
    assert "Fewer than 5 runs a task: the interval of the retention" in table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "atari100k"], "--retention needs a suite with clean tasks"),
        ([], "--retention needs a suite with clean tasks"),
        (["--suite", "stori26", "--methods-text"], "leave one out"),
        (["--suite", "stori26"], "needs runs of an agent on a clean task of stori26@1"),
    ],
)
def test_what_cannot_be_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    kind = "" if "atari100k" in arguments else "/crop-1"
    (tmp_path / "s.csv").write_text(f"agent,task,seed,score\nA,Pong{kind},0,1\nA,Pong{kind},1,2\n")
    out = rlbench("stats", "s.csv", "--retention", *arguments, cwd=tmp_path, code=2)
    assert message in out.stderr
    assert out.stderr.count("\n") == 1
