"""Scores are gathered by digest, told apart by what agents are, and exported harmlessly."""

import csv
import io

import numpy as np
import pytest
from support.records import ATARI, make_record

from rlbench.results import belongs, collect, rows, write_csv


def test_scores_are_in_the_order_of_tasks_and_seeds() -> None:
    records = [
        make_record("Pong", seed=1, score=-19.0),
        make_record("Pong", seed=0, score=-20.7),
        make_record("Boxing", seed=0, score=12.1),
    ]
    scores = collect(records, ATARI)
    assert list(scores.values["tester"]) == ["Boxing", "Pong"]
    assert scores.values["tester"]["Pong"].tolist() == [-20.7, -19.0]
    boxing, pong = scores.normalised("tester")
    assert boxing.tolist() == [1.0]
    np.testing.assert_allclose(pong, [0.0, 1.7 / 35.3])


def test_other_digests_and_failed_runs_are_left_out() -> None:
    unofficial = ATARI.make_unofficial({"budget": 5})
    records = [
        make_record(score=1.0),
        make_record(suite=unofficial, score=2.0),
        make_record(seed=1, status="failed"),
    ]
    assert collect(records, ATARI).values["tester"]["Pong"].tolist() == [1.0]
    assert collect(records, unofficial).values["tester"]["Pong"].tolist() == [2.0]
    assert [belongs(record, ATARI) for record in records] == [True, False, True]


@pytest.mark.parametrize(
    "difference", [{"config": {"a": 1}}, {"source": "1" * 64}, {"source": None, "version": "2"}]
)
def test_agents_of_one_name_are_never_pooled(difference: dict) -> None:
    scores = collect([make_record(score=1.0), make_record(score=2.0, **difference)], ATARI)
    assert len(scores.values) == 2
    assert all(name.startswith("tester [") for name in scores.values)


def test_csv_says_what_is_missing_and_starts_no_formula() -> None:
    records = [make_record(agent="=cmd()"), make_record(agent="=cmd()", seed=1, status="failed")]
    out = io.StringIO()
    write_csv(rows(records, ATARI), out)
    first, second = csv.DictReader(io.StringIO(out.getvalue()))
    assert first["agent"] == "'=cmd()"
    assert (first["score"], first["status"], first["episodes"]) == ("-20.0", "ok", "100")
    assert float(first["normalised"]) == pytest.approx(0.7 / 35.3)
    assert (second["score"], second["normalised"], second["status"]) == ("", "", "failed")
