"""Boards hold the right tasks and reference scores, with or without environments."""

import csv
from pathlib import Path

import numpy as np
import pytest

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.suites import Suite, slug

DATA = Path(__file__).parents[3] / "shared/data/published"
BOARDS = {
    "dmc-state": 28,
    "dmc-vision": 20,
    "dmc-hard": 7,
    "procgen-easy": 16,
    "procgen-hard": 16,
    "parkour": 3,
    "stump-tracks": 6,
    "neorl2": 7,
    "neorl2-scarce": 28,
}
# Boards that have environments.
RUN_BY_NOW = {
    "dmc-state", "dmc-vision", "dmc-hard", "procgen-easy", "procgen-hard", "parkour",
    "stump-tracks", "neorl2", "neorl2-scarce",
}  # fmt: skip
# Where the authors' code has not what their paper has, and we have the paper's.
IN_CODE = {("procgen-easy", "jumper"): (1.0, 10.0), ("procgen-easy", "leaper"): (1.5, 10.0)}


def table(name: str) -> list[dict[str, str]]:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no published scores at {path}")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Suite:
    return suites.get(request.param)


def test_boards_have_their_tasks_and_few_have_environments(board: Suite) -> None:
    assert len(board.tasks) == BOARDS[board.name]
    assert len({slug(task.name) for task in board.tasks}) == len(board.tasks)
    assert board.can_run == (board.name in RUN_BY_NOW)
    if board.can_run:
        return
    task = board.tasks[0]
    message = rf"^the suite {board.id} cannot be run yet: it holds published scores only$"
    with pytest.raises(UsageError, match=message):
        board.load_factory()
    with pytest.raises(UsageError, match=message):
        board.make(task, split="train", num_envs=1, seed=0)


def test_the_easy_ranges_of_two_games_are_those_of_the_paper() -> None:
    easy = suites.get("procgen-easy")
    assert [easy.task(name).low for name in ("jumper", "leaper")] == [3.0, 3.0]


def test_only_boards_cannot_be_run() -> None:
    boards = set(BOARDS) - RUN_BY_NOW
    assert {name for name in suites.names() if not suites.get(name).can_run} == boards


def test_overrides_are_in_force_and_references_are_the_ends_of_the_scale(board: Suite) -> None:
    for task in board.tasks:
        protocol = board.protocol_of(task)
        assert all(protocol.constants()[name] == value for name, value in task.overrides.items())
        assert task.low < task.high
        ends = board.normalise(task, np.array([task.low, task.high]))
        np.testing.assert_allclose(ends, [0.0, 1.0], atol=1e-12)


def test_budgets() -> None:
    spent = {name: suites.get(name).protocol.budget for name in BOARDS}
    assert spent == {
        "dmc-state": 500_000,
        "dmc-vision": 500_000,
        "dmc-hard": 500_000,
        "procgen-easy": 25_000_000,
        "procgen-hard": 200_000_000,
        "parkour": 20_000_000,
        "stump-tracks": 20_000_000,
        "neorl2": 1_000_000,
        "neorl2-scarce": 1_000_000,
    }
    kinds = [suites.get(name).protocol.kind for name in ("parkour", "stump-tracks", "neorl2")]
    assert kinds == ["curriculum", "curriculum", "offline"]


def test_reference_scores_equal_the_published_table() -> None:
    """Every one of a board's tasks, but for STORI's settings other than 3.1, which have none."""
    found: dict[tuple[str, str, str], float] = {}
    for row in table("reference_scores.csv"):
        mode, _, kind = row["kind"].rpartition("_")
        name = {"procgen": f"procgen-{mode}", "dmc": "dmc-state"}.get(row["suite"], row["suite"])
        found[name, row["task"].replace("/type", "/"), kind] = float(row["score"])
    compared = 0
    for name in ("procgen-easy", "procgen-hard", "dmc-state", "neorl2", "stori"):
        board = suites.get(name)
        for task in board.tasks:
            if name == "stori" and not task.name.endswith("/3.1"):
                continue
            theirs = tuple(found[name, task.name, kind] for kind in board.references)
            assert theirs == IN_CODE.get((name, task.name), (task.low, task.high))
            compared += 1
    assert compared == 16 + 16 + 28 + 7 + 4


def test_tasks_are_those_of_the_published_scores() -> None:
    by_protocol: dict[str, set[str]] = {}
    for name in ("dmc.csv", "procgen.csv", "stori.csv", "neorl2.csv"):
        for row in table(name):
            by_protocol.setdefault(row["protocol"], set()).add(row["task"].replace("/type", "/"))
    tasks = {name: {task.name for task in suites.get(name).tasks} for name in (*BOARDS, "stori")}
    assert tasks["dmc-vision"] == by_protocol["dmc_vision_1m"]
    assert tasks["dmc-state"] == by_protocol["dmc_state_simbav2"] - {"finger_turn"}
    assert tasks["dmc-hard"] < tasks["dmc-state"]
    assert tasks["procgen-easy"] == by_protocol["procgen_easy_200_test"]
    assert tasks["procgen-hard"] == by_protocol["procgen_hard_500_test"]
    assert tasks["stori"] == by_protocol["stori_100k"]
    assert tasks["neorl2"] == by_protocol["neorl2_train99"]
