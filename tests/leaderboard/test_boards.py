"""Boards: what agents were given and on which engine they ran is shown, and never mixed."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from support.records import ATARI, make_record

from rlbench.leaderboard.boards import Board, Entry, make_boards
from rlbench.leaderboard.downloads import downloads
from rlbench.results import Engine, Record

SEEDS = 3


def runs_of(agent: str, mean: float, *, given: tuple[str, ...] = ()) -> Iterator[Record]:
    generator = np.random.default_rng(len(agent))
    for task in ATARI.tasks:
        for seed in range(SEEDS):
            high = min(task.returns[1], task.low + mean * (task.high - task.low))
            score = float(max(task.returns[0], high - generator.random()))
            record = make_record(task.name, agent, seed, score)
            who = replace(record.identity.agent, given=given)
            yield replace(record, identity=replace(record.identity, agent=who))


def on_old_engine(record: Record) -> Record:
    engine = Engine(fingerprint="a" * 16, steps=200, digits=None)
    provenance = {**record.provenance, "version_ale-py": "0.10.0"}
    return replace(record, engine=engine, provenance=provenance)


def touched(record: Record) -> Record:
    """Return a run with an extra evaluation, less spent, and an attempt that was signalled."""
    final = record.evaluations[0]
    early = replace(final, budget_used=10_000, extra=True)
    last = replace(final, budget_used=99_000)
    timing = {**record.timing, "signalled": 1}
    return replace(record, evaluations=(early, last), budget_used=99_000, timing=timing)


@pytest.fixture(scope="module")
def board() -> Board:
    records = [
        *runs_of("plain", 0.5),
        *runs_of("other", 0.4),
        *runs_of("taught", 0.9, given=("demonstrations", "pretraining")),
        *runs_of("guided", 0.8, given=("demonstrations", "pretraining")),
        *runs_of("shared", 0.9, given=("shared_seeds",)),
        *map(on_old_engine, runs_of("ancient", 0.7)),
        *map(touched, runs_of("touched", 0.6)),
    ]
    (found,) = make_boards(records, papers=frozenset(), only=["atari100k"])
    return found


@pytest.fixture
def entries(board: Board) -> dict[str, Entry]:
    return {entry.agent: entry for entry in board.own}


def test_pools_hold_only_agents_that_were_given_the_same(board: Board) -> None:
    pools = {frozenset(e.agent for e in pool) for pool in board.pools.values()}
    assert pools == {frozenset({"plain", "other", "touched"}), frozenset({"taught", "guided"})}


def test_agents_whose_seeds_share_data_have_no_interval(
    board: Board, entries: dict[str, Entry]
) -> None:
    shared = entries["shared"]
    for row in (*shared.metrics.values(), *shared.tasks.values()):
        assert (row.low, row.high) == (None, None)
        assert "share data" in row.method
    assert "share data" in shared.not_ranked
    assert entries["plain"].metrics["iqm"].low is not None
    table = downloads(board)["agents.tex"].decode()
    lines = [line.strip() for line in table.splitlines()]
    rows = {agent: line for line in lines for agent in entries if line.startswith(f"{agent} &")}
    assert "[" in rows["plain"]
    assert "[" not in rows["shared"]


def test_a_table_of_agents_of_several_pools_ranks_none(board: Board) -> None:
    table = downloads(board)["agents.tex"].decode()
    assert r"\textbf" not in table
    assert "Nothing is bold: " in table
    assert "its seeds share data" in table
    (pool,) = (p for p in board.pools.values() if "plain" in {entry.agent for entry in p})
    alone = downloads(replace(board, entries=pool))["agents.tex"].decode()
    assert r"\textbf" in alone


def test_another_engine_is_named_and_stands_alone(entries: dict[str, Entry]) -> None:
    ancient = entries["ancient [ale-py 0.10.0]"]
    assert ancient.place is None
    assert ancient.not_ranked == "no other agent under its protocol on ale-py 0.10.0"
    assert ancient.remarks == ("ran on ale-py 0.10.0, not on the expected engine",)


def test_what_was_unusual_of_runs_is_told(board: Board, entries: dict[str, Entry]) -> None:
    number = len(ATARI.tasks) * SEEDS
    assert entries["plain"].remarks == ()
    assert entries["taught"].remarks == ("was given demonstrations, pretraining",)
    assert entries["touched"].remarks == (
        f"runs with extra evaluations: {number}",
        f"runs with less than the whole budget spent: {number}",
        f"runs begun again after a signal from outside: {number}",
    )
    table = downloads(board)["agents.csv"].decode()
    assert "was given demonstrations, pretraining" in table
    assert "a" * 16 in downloads(board)["runs.csv"].decode()


def test_a_suite_with_published_scores_has_a_board_without_any_record() -> None:
    boards = make_boards([], only=["dmc-hard", "procgen-easy"])
    assert {b.suite.name for b in boards if b.papers} == {"dmc-hard", "procgen-easy"}
    assert not any(b.own or b.unofficial for b in boards)


def test_a_board_is_made_for_every_set_of_unofficial_constants() -> None:
    changed = ATARI.make_unofficial({"budget": 2000, "episodes": 5})
    records = [make_record(suite=suite) for suite in (ATARI, changed)]
    official, other = make_boards(records, papers=frozenset(), only=["atari100k"])
    assert official.folder == "atari100k-1"
    assert other.unofficial == "budget=2000,episodes=5"
    assert other.folder.startswith("atari100k-1-unofficial-")
    assert [len(b.own) for b in (official, other)] == [1, 1]


def test_runs_that_failed_are_counted_and_agents_without_scores_named() -> None:
    records = [
        make_record(agent="steady", seed=0),
        make_record(agent="steady", seed=1, status="failed"),
        make_record(agent="broken", status="failed"),
    ]
    (board,) = make_boards(records, papers=frozenset(), only=["atari100k"])
    assert [(e.agent, e.failed) for e in board.own] == [("steady", 1)]
    assert board.without_scores == {"broken": 1}


def test_an_agent_with_the_name_of_a_published_one_keeps_it() -> None:
    (board,) = make_boards([make_record(agent="SPR")], only=["atari100k"])
    assert [e.agent for e in board.own] == ["SPR"]
    assert "SPR (published)" in {e.agent for e in board.papers}


def test_records_of_a_suite_that_nobody_knows_are_left_out() -> None:
    record = make_record()
    foreign = replace(record, identity=replace(record.identity, suite="nosuch@1"))
    assert make_boards([foreign], only=["nosuch"]) == []
