"""Pairs of a board: the numbers are those of `rlbench compare` on the same scores."""

import json
import shlex
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from support.command import rlbench
from support.compared import PAPERS, RECORDS

from rlbench.leaderboard import pairs
from rlbench.leaderboard.boards import Board, make_boards
from rlbench.leaderboard.captions import MARK
from rlbench.leaderboard.compare_page import view_of
from rlbench.leaderboard.pairs import (
    WIDENED,
    Ends,
    PairRow,
    in_a_row,
    mirrored,
    neighbours,
    of_neighbours,
    pairs_of,
)
from rlbench.results import Store
from rlbench.stats.comparisons import REACHING_0
from rlbench.stats.coverage import coverage_warning

POOL = ("alpha", "beta", "gamma")
TESTED_ALONE = ("short", "brief")  # without all tasks, and with two runs a task


@pytest.fixture(scope="module")
def board() -> Board:
    (found,) = make_boards(RECORDS, only=["atari100k"], papers=PAPERS)
    return found


@pytest.fixture(scope="module")
def by_slug(board: Board) -> dict[tuple[str, str], PairRow]:
    return pairs_of(board)


@pytest.fixture(scope="module")
def rows(board: Board, by_slug: dict[tuple[str, str], PairRow]) -> dict[tuple[str, str], PairRow]:
    """Return pairs by the names of their agents."""
    names = {entry.slug: entry.agent for entry in board.entries}
    return {(names[a], names[b]): row for (a, b), row in by_slug.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pairs")
    store = Store(found / "results")
    store.prepare()
    for record in RECORDS:
        store.write(record)
    return found


def asked(folder: Path, *agents: str, more: str = "") -> str:
    """Return what the command prints of agents, of the store and published, in one line."""
    options = ["--suite", "atari100k", "--store", "results", *shlex.split(more)]
    return " ".join(rlbench("compare", *agents, *options, cwd=folder).stdout.split())


def compare(folder: Path, *agents: str, more: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    rows = json.loads(asked(folder, *agents, more=f"--json {more}"))
    return {(row["a"], row["b"]): row for row in rows}


def assert_ends(ends: Ends | None, row: dict[str, Any], point: str, before: str) -> None:
    if ends is None:
        assert row[point] is None
        return
    assert ends.point == pytest.approx(row[point], abs=1e-12)
    for mine, name in ((ends.low, "low"), (ends.high, "high")):
        assert mine == (
            None if row[before + name] is None else pytest.approx(row[before + name], abs=1e-12)
        )


def assert_same(mine: PairRow, row: dict[str, Any]) -> None:
    assert mine.statistic == row["statistic"]
    assert mine.decision == row["decision"]
    assert mine.p_value == row["p_value"]
    assert mine.reason == (row.get("reason") or "")
    assert_ends(mine.difference, row, "difference", "")
    assert mine.difference.method == row["method"]
    assert_ends(mine.improvement, row, "improvement", "improvement_")
    if "tasks" in row:
        assert len(mine.tasks) == row["tasks"]
        assert_ends(mine.of_a, row, "a_point", "a_")
        assert_ends(mine.of_b, row, "b_point", "b_")


def test_pairs_of_a_pool_are_those_of_the_command_on_all_its_agents(
    folder: Path, rows: dict[tuple[str, str], PairRow]
) -> None:
    found = compare(folder, *POOL)
    assert list(found) == list(combinations(POOL, 2))
    for pair, row in found.items():
        assert_same(rows[pair], row)
        assert rows[pair].family == 3
    assert {row["decision"] for row in found.values()} == {"larger", "not separated"}


def test_others_of_equal_protocols_are_tested_as_a_pair(
    folder: Path, rows: dict[tuple[str, str], PairRow]
) -> None:
    """Tasks that one of the two lacks are left out, and two runs a task decide nothing."""
    for other in TESTED_ALONE:
        pair = ("alpha", other) if other > "alpha" else (other, "alpha")
        (row,) = compare(folder, *pair).values()
        assert_same(rows[pair], row)
        assert rows[pair].family == 1
    assert len(rows["alpha", "short"].tasks) == 20
    assert rows["alpha", "brief"].decision in ("differ", "not separated")


@pytest.mark.parametrize("other", ["taught", "together"])
def test_agents_that_were_given_different_things_are_described(
    folder: Path, rows: dict[tuple[str, str], PairRow], other: str
) -> None:
    (row,) = compare(folder, "alpha", other).values()
    mine = rows["alpha", other]
    assert row["decision"] == "not ranked"
    assert_same(mine, row)
    assert mine.words == "a description, not a test"
    assert f"{mine.words} ({mine.reason})" in asked(folder, "alpha", other)
    assert (mine.difference.low is None) == (other == "together")


def test_pairs_of_other_protocols_are_described_in_the_same_words(
    folder: Path, rows: dict[tuple[str, str], PairRow]
) -> None:
    for a, b in (("alpha", "SPR"), ("BBF", "IRIS")):
        (row,) = compare(folder, a, b).values()
        assert_same(rows[a, b], row)
        mine = rows[a, b]
        assert mine.words == "protocols differ: a description, not a test"
        assert f"{mine.words} ({mine.reason})" in asked(folder, a, b)


def test_agents_of_means_alone_are_compared_by_means_without_an_interval(
    folder: Path, rows: dict[tuple[str, str], PairRow]
) -> None:
    (row,) = compare(folder, "SPR", "EfficientZero", more="--statistic mean").values()
    mine = rows["EfficientZero", "SPR"]
    assert mine.statistic == "mean"
    assert_same(mirrored(mine), row)
    assert mine.difference.low is None
    assert mine.difference.method == "none: means, not runs"
    assert mine.of_a.low is None
    assert mine.of_b.low is not None


def test_intervals_that_are_widened_or_cover_too_rarely_are_marked(
    board: Board, by_slug: dict[tuple[str, str], PairRow]
) -> None:
    widened, rare = 0, 0
    entries = {entry.slug: entry for entry in board.entries}
    for row in by_slug.values():
        of = {name: {task: len(entries[name].values[task]) for task in row.tasks}
              for name in (row.a, row.b)}  # fmt: skip
        runs = min(min(numbers.values()) for numbers in of.values())
        gap, shown = row.difference, view_of(board, row)
        is_widened = gap.method.endswith(REACHING_0)
        warned = coverage_warning("difference of iqm", len(row.tasks), runs)
        expected = (WIDENED if is_widened else "", warned if gap.low is not None else "")
        assert gap.note == " ".join(filter(None, expected))
        assert shown["gap-ends"].endswith(MARK) == bool(gap.note)
        for name, ends in ((row.a, row.of_a), (row.b, row.of_b)):
            if ends.low is not None:
                least = min(of[name].values())
                assert ends.note == coverage_warning(row.statistic, len(row.tasks), least)
                rare += bool(ends.note)
            assert ends.note in shown["note"]
        assert gap.note in shown["note"]
        widened += is_widened
    assert widened
    assert rare


def test_every_pair_with_a_task_in_common_is_there_once(
    board: Board, rows: dict[tuple[str, str], PairRow]
) -> None:
    for a, b in combinations(board.entries, 2):
        there = [(x, y) for x, y in ((a, b), (b, a)) if (x.agent, y.agent) in rows]
        assert len(there) == bool(set(a.values) & set(b.values))


def test_a_mirrored_pair_says_the_same(rows: dict[tuple[str, str], PairRow]) -> None:
    for row in rows.values():
        other = mirrored(row)
        assert (other.a, other.b, other.of_a, other.of_b) == (row.b, row.a, row.of_b, row.of_a)
        assert other.difference.point == -row.difference.point
        if row.difference.low is not None:
            assert other.difference.high == -row.difference.low
        if row.improvement:
            assert other.improvement
            assert other.improvement.point == 1 - row.improvement.point
            assert row.improvement.high is not None
            assert other.improvement.low == 1 - row.improvement.high
        assert {row.decision, other.decision} in (
            {"larger", "smaller"}, {"differ"}, {"not separated"}, {"not ranked"},
        )  # fmt: skip
        again = mirrored(other)
        assert again.difference == row.difference
        assert again.decision == row.decision


def test_neighbours_of_a_pool_stand_by_their_iqm(
    board: Board, by_slug: dict[tuple[str, str], PairRow]
) -> None:
    lists = dict(neighbours(board))
    for number, pool in board.pools.items():
        points = [entry.metrics["iqm"].point for entry in lists[f"Pool {number}"]]
        assert points == sorted(points, reverse=True)
        assert len(points) == len(pool)
    firsts = [a.slug for a, _ in in_a_row(board)]
    assert len(firsts) == len(set(firsts))
    pages = of_neighbours(board, by_slug)
    for (a, b), row in pages.items():
        assert (row.a, row.b) == (a, b)
        if row.family > 1:
            assert row.difference.point >= 0
            assert row.improvement


def test_a_board_of_many_agents_has_pools_and_the_first_agents(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "MOST_AGENTS", 4)
    monkeypatch.setattr(pairs, "MOST_ALONE", 1)
    found = pairs_of(board)
    first = {entry.slug for entry in board.entries[:4]}
    pooled = {pair for separated in board.separations.values() for pair in separated}
    assert pooled <= set(found)
    assert all(set(pair) <= first for pair in set(found) - pooled)
    assert sum(row.family == 1 and pair not in pooled for pair, row in found.items()) <= 1


def test_a_large_pool_has_the_probability_of_neighbours(
    board: Board, by_slug: dict[tuple[str, str], PairRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the agents that a chart holds, only neighbours have one."""
    without = replace(board, improvements={number: [] for number in board.pools})
    beside = {frozenset((a.slug, b.slug)) for a, b in in_a_row(board)}
    monkeypatch.setattr(pairs, "MOST_AGENTS", 0)  # pools alone
    for pair, row in pairs_of(without).items():
        assert (row.improvement is not None) == (frozenset(pair) in beside)
        if row.improvement:
            assert row.improvement == by_slug[pair].improvement
