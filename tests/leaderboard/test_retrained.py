"""The badge `retrained`: who may have it, by which rule, and from which file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import call
from support.records import ATARI, make_record

from rlbench.errors import UsageError
from rlbench.leaderboard.boards import make_boards
from rlbench.leaderboard.retrained import (
    Retrained,
    by_key,
    compare_trainings,
    read_retrained,
    with_badges,
)
from rlbench.results import Record, Store

DAY = "2026-01-31"


def trained(first_seed: int, share: float, seeds: int = 3, agent: str = "mine") -> list[Record]:
    """Return runs of an agent with about that normalised score."""
    rng = np.random.default_rng(first_seed)
    return [
        make_record(
            task.name, agent, seed,
            float(task.low + (share + rng.normal(0, 0.05)) * (task.high - task.low)),
        )
        for task in ATARI.tasks
        for seed in range(first_seed, first_seed + seeds)
    ]  # fmt: skip


FIRST, SAME, WORSE = trained(0, 0.5), trained(40, 0.5), trained(20, 0.2)


def compared(second: list[Record]) -> Retrained:
    (row,) = compare_trainings(FIRST, second, ATARI, "Bea", DAY)
    return row


def badge(records: list[Record], rows: list[Retrained], replays: dict[str, bool]) -> str:
    boards = make_boards(records, replays, frozenset(), only=["atari100k"])
    (board,) = with_badges(boards, by_key(rows))
    return board.own[0].badge


def test_scores_that_agree_give_the_badge_to_exactly_these_runs() -> None:
    row = compared(SAME)
    assert row.compatible
    assert row.low < 0.0 < row.high
    assert (row.by, row.date, row.runs) == ("Bea", DAY, 26 * 3)
    assert badge(FIRST, [row], {}) == "retrained"
    assert badge(FIRST, [], {}) == "self-reported"
    assert badge(FIRST + trained(5, 0.5, 1), [row], {}) == "self-reported"  # other runs came
    played = {record.sha256: True for record in FIRST}
    assert badge(FIRST, [], played) == "replayed"
    assert badge(FIRST, [row], played) == "retrained"
    assert badge(FIRST, [row], {**played, FIRST[0].sha256: False}) == "replay differs"


def test_scores_that_do_not_agree_give_none() -> None:
    row = compared(WORSE)
    assert not row.compatible
    assert row.low > 0.2
    assert badge(FIRST, [row], {}) == "self-reported"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (FIRST, "has seed 0 in both stores"),
        (trained(10, 0.5, agent="other"), "no agent of atari100k@1 is in both"),
        (trained(10, 0.5, seeds=2), "fewer than 3 runs"),
        ([r for r in SAME if r.identity.task != "Pong"], "not have runs of all tasks"),
    ],
)
def test_what_is_no_independent_training_is_refused(second: list[Record], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compared(second)


def test_the_command_compares_and_the_site_says_so(tmp_path: Path) -> None:
    for name, records in (("first", FIRST), ("same", SAME), ("worse", WORSE)):
        store = Store(tmp_path / name)
        store.prepare()
        for record in records:
            store.write(record)
    words = ("verify", "--store", "first", "--suite", "atari100k", "--by", "Bea", "--json")
    agree = call(*words, "--retrained", "same", cwd=tmp_path)
    assert (agree.returncode, agree.stderr.split(":")[0]) == (0, "agree")
    differ = call(*words, "--retrained", "worse", cwd=tmp_path)
    assert (differ.returncode, differ.stderr.split(":")[0]) == (1, "DIFFERENT")
    (tmp_path / "again.json").write_text(agree.stdout)
    (row,) = read_retrained(tmp_path / "again.json")
    assert row == replace(compared(SAME), date=row.date)
    lacking = call("verify", "--by", "Bea", cwd=tmp_path)
    assert (lacking.returncode, "needs --by NAME" in lacking.stderr) == (2, True)


@pytest.mark.parametrize(
    "change",
    [
        {"by": "a\u202eb"},
        {"date": "today"},
        {"low": "0"},
        {"runs": 1.5},
        {"more": 1},
        {"low": None},
    ],
)
def test_files_of_another_form_are_refused(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "again.json"
    path.write_text(json.dumps([{**compared(SAME).to_row(), **change}]))
    with pytest.raises(UsageError, match="is not what rlbench verify"):
        read_retrained(path)
