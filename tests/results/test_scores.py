"""Scores are gathered by digest, told apart by what agents are, and exported harmlessly."""

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.records import ATARI, make_record

from rlbench import suites
from rlbench.errors import InvalidScores, UnknownName
from rlbench.results import Scores, belongs, collect, rows, write_csv
from rlbench.results.record import Training
from rlbench.results.scores import FRAME_COLUMNS


def test_scores_are_in_the_order_of_tasks_and_seeds() -> None:
    records = [
        make_record("Pong", seed=1, score=-19.0),
        make_record("Pong", seed=0, score=-20.7),
        make_record("Boxing", seed=0, score=12.1),
    ]
    scores = collect(records, ATARI)
    assert list(scores.values["tester"]) == ["Boxing", "Pong"]
    assert scores.values["tester"]["Pong"].tolist() == [-20.7, -19.0]
    boxing, pong = scores.normalised("tester").values()
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


def test_a_run_can_be_scored_by_its_last_training_episodes() -> None:
    record = make_record("Pong", "a", 0, 5.0)
    trained = Training(episodes=4, ends=(10, 20, 30, 40), returns=(-21.0, -20.0, -3.0, 1.0))
    none = Training(episodes=0, ends=(), returns=())
    records = [
        replace(record, training=trained),
        replace(make_record("Pong", "a", 1, 5.0), training=none),
    ]
    last, without = rows(records, ATARI, training_episodes=2)
    pong = ATARI.task("Pong")
    assert (last["score"], last["episodes"], last["distinct_starts"]) == (-1.0, 2, None)
    assert last["normalised"] == pytest.approx((-1.0 - pong.low) / (pong.high - pong.low))
    assert (without["status"], without["score"]) == ("ok", None), "no training episode ended"
    assert rows(records, ATARI, training_episodes=9)[0]["score"] == pytest.approx(-43 / 4)


def test_a_mean_return_is_not_normalised_where_the_score_is_a_percentage() -> None:
    suite = suites.get("stump-tracks-1m")
    record = make_record(suite.tasks[0].name, suite=suite)
    trained = Training(episodes=1, ends=(10,), returns=(231.0,))
    (row,) = rows([replace(record, training=trained)], suite, training_episodes=1)
    assert (row["score"], row["normalised"]) == (231.0, None)


def frame() -> pd.DataFrame:
    records = [make_record("Pong", seed=s, score=-20.0 + s) for s in (3, 1)]
    return collect([*records, make_record("Boxing", score=12.1)], ATARI).to_frame()


def test_a_frame_and_back() -> None:
    table = frame()
    assert table.columns.tolist() == list(FRAME_COLUMNS)
    assert table.values.tolist()[0] == ["atari100k@1", "tester", "Boxing", 0, 12.1, 1.0]
    back = Scores.from_frame(table.sample(frac=1, random_state=0), ATARI)
    assert back.values["tester"]["Pong"].tolist() == [-19.0, -17.0]
    assert back.seeds["tester"]["Pong"].tolist() == [1, 3]
    assert list(back.values["tester"]) == ["Boxing", "Pong"]
    pd.testing.assert_frame_equal(back.to_frame(), table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [1.0, float("nan"), 2.0]}, "row 1 .* nan is not a finite number"),
        ({"score": [1.0, -2e15, 2.0]}, r"row 1 .* finite number of at most 1e\+15"),
        ({"score": ["1", "2", "3"]}, "row 0 .* '1' is not"),
        ({"seed": [0, 1.5, 2]}, "row 0 .* seed"),
        ({"task": "Pong", "seed": [1, 2, 1]}, "row 2 .* seed 1 already exists"),
        ({"suite": "dmc@1"}, "other suites than atari100k@1"),
    ],
)
def test_frames_that_hold_no_scores_are_named(change: dict, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        Scores.from_frame(frame().assign(**change), ATARI)


def test_frames_need_their_columns_and_tasks() -> None:
    with pytest.raises(InvalidScores, match="no column seed, score"):
        Scores.from_frame(frame()[["agent", "task"]], ATARI)
    with pytest.raises(UnknownName, match="Did you mean 'Pong'"):
        Scores.from_frame(frame().replace("Pong", "Pnog"), ATARI)
