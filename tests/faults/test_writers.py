"""Many processes want the same run in the same instant, again and again: one gets it."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from support.records import at_seed, make_record

from rlbench.errors import RecordExists
from rlbench.results import Claim, Store

WRITERS = 4
ROUNDS = [
    pytest.param(100, id="100 rounds"),
    pytest.param(10_000, id="10,000 rounds", marks=pytest.mark.faults),
]
RECORD = make_record()


def race(rounds: int, attempt: Callable[[int, int], bool]) -> list[list[int]]:
    """Return the writers whose attempt succeeded, for each round.

    Args:
        rounds: How many. All processes wait for each other before each, and after the last.
        attempt: Called in each process with the round and the number of the writer.
    """
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(WRITERS), context.SimpleQueue()

    def write(writer: int) -> None:
        won: list[int] = []
        try:
            for number in range(rounds):
                barrier.wait(60)
                if attempt(number, writer):
                    won.append(number)
            barrier.wait(60)
        finally:
            results.put((writer, won))

    processes = [context.Process(target=write, args=(writer,)) for writer in range(WRITERS)]
    for process in processes:
        process.start()
    winners: list[list[int]] = [[] for _ in range(rounds)]
    for _ in processes:
        writer, won = results.get()
        for number in won:
            winners[number].append(writer)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return [sorted(round_) for round_ in winners]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_each_record_is_written_once(rounds: int, tmp_path: Path, tally) -> None:
    store = Store(tmp_path / "runs")
    store.prepare()
    records = [make_record(score=float(writer)) for writer in range(WRITERS)]

    def attempt(number: int, writer: int) -> bool:
        try:
            store.write(at_seed(records[writer], number))
        except RecordExists:
            return False
        return True

    winners = race(rounds, attempt)
    assert [len(round_) for round_ in winners] == [1] * rounds
    loaded = store.load()
    assert loaded.problems == []
    assert {r.identity.seed: r.score for r in loaded.records} == {
        number: float(writer) for number, (writer,) in enumerate(winners)
    }
    assert len(loaded.records) == rounds
    assert list((store.path / ".tmp").iterdir()) == []
    tally["rounds of writers of one record"] += rounds


@pytest.mark.parametrize("rounds", [10, pytest.param(1000, marks=pytest.mark.faults)])
def test_each_failed_attempt_has_a_place_of_its_own(rounds: int, tmp_path: Path, tally) -> None:
    """All write at once, and every record is kept."""
    store = Store(tmp_path / "runs")
    store.prepare()
    failed = make_record(status="failed")

    def attempt(number: int, writer: int) -> bool:
        store.write(at_seed(failed, number))
        return True

    assert race(rounds, attempt) == [list(range(WRITERS))] * rounds
    places = [store.failures(at_seed(failed, number).identity) for number in range(rounds)]
    assert places == [WRITERS] * rounds
    assert store.load().problems == []
    tally["rounds of writers of failed attempts"] += rounds


@pytest.mark.parametrize("rounds", ROUNDS)
def test_each_claim_has_one_owner(rounds: int, tmp_path: Path, tally) -> None:
    """Half of the claims were left by owners that gave the run free."""
    for number in range(0, rounds, 2):
        left = {"token": str(number), "host": "here", "pid": 1, "attempt": 4, "over": True}
        (tmp_path / f"{number}.json").write_text(json.dumps(left))

    def attempt(number: int, _: int) -> bool:
        return Claim.take(tmp_path / f"{number}.json", {}) is not None

    winners = race(rounds, attempt)
    assert [len(round_) for round_ in winners] == [1] * rounds
    assert [path.name for path in tmp_path.glob(".*")] == [".lock"]
    tally["rounds of takers of one claim"] += rounds
