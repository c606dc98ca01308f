"""CSV files of others: read as they are meant, or refused with the line."""

from pathlib import Path

import numpy as np
import pytest
from support.records import ATARI, make_record

from rlbench.errors import InvalidScores, UnknownName
from rlbench.results import rows, select, write_csv
from rlbench.results.files import read_scores


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text)
    return path


def plain(runs) -> dict:
    return {agent: {t: s.tolist() for t, s in tasks.items()} for agent, tasks in runs.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent,task,seed,score\na,Pong,0,1\na,Pong,1,2.5\nb,Pong,0,-3e1\n",
         {"a": {"Pong": [1, 2.5]}, "b": {"Pong": [-30]}}),
        ("Task,Score\nPong,1\nPong,1\n", {"mine": {"Pong": [1, 1]}}),
        ("algorithm,game,run,return\n a , Pong ,x, 4 \n\n", {"a": {"Pong": [4]}}),
        ("agent,task,seed,step,score\na,P,0,10,1\na,P,0,30,3\na,P,0,20,2\n", {"a": {"P": [3]}}),
        ("agent,task,score,status\na,P,1,ok\na,P,,failed\n", {"a": {"P": [1]}}),
        ("agent,task,seed,score\nb,P,10,3\na,P,x,9\nb,P,9,2\na,P,1,8\n",
         {"b": {"P": [2, 3]}, "a": {"P": [8, 9]}}),
        ("agent,seed,Pong\nb,10,3\na,0,1\nb,9,2\n", {"b": {"Pong": [2, 3]}, "a": {"Pong": [1]}}),
        ("Pong,Boxing\n1,2\n3,\n", {"mine": {"Pong": [1, 3], "Boxing": [2]}}),
        ("agent,seed,Pong\na,0,1\nb,0,2\n", {"a": {"Pong": [1]}, "b": {"Pong": [2]}}),
        ("\ufeffagent,task,score\na,P,1\n", {"a": {"P": [1]}}),
        ('agent,task,score\n"a, b",P,1\n', {"a, b": {"P": [1]}}),
    ],
)  # fmt: skip
def test_forms(text: str, expected: dict, tmp_path: Path) -> None:
    assert plain(read_scores(write(tmp_path, text)).runs) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("agent,task,score\n", "no rows"),
        ("agent,task,score\na,P,x\n", "line 2: 'x' is not a finite number"),
        ("agent,task,score\na,P,1\na,P,nan\n", "line 3: 'nan'"),
        ("agent,task,score\na,P,inf\n", "line 2: 'inf'"),
        ("agent,task,score\na,P,1e300\n", r"line 2: 1e300: numbers beyond 1e\+15 are refused"),
        ("agent,task,score\na,P,\n", "line 2: ''"),
        ("agent,task,score\na,P\n", "line 2: 2 cells under 3"),
        ("a,a\n1,2\n", "a column twice"),
        ("agent,task,seed,score\na,P,0,1\na,P,0,2\n", "line 3: .* seed '0' already .* line 2"),
        ("agent,seed,Pong\na,0,1\na,0,2\n", "line 3: agent 'a', seed '0' already exists"),
        ("agent,task,score,status\na,P,,failed\n", "no scores"),
        ("agent,seed\na,0\n", "no scores"),
        ('agent,task,score\n"a,P,1\n', "is not CSV"),
        ("Pong\nhello\n", "line 2: 'hello'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidScores, match=message):
        read_scores(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidScores, match="No such file"):
        read_scores(tmp_path / "nothing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidScores, match="is not CSV"):
        read_scores(tmp_path / "binary.csv")


def test_normalisation_is_the_suites_in_its_order(tmp_path: Path) -> None:
    runs = read_scores(write(tmp_path, "Pong,Boxing\n14.6,0.1\n-20.7,12.1\n")).runs
    boxing, pong = select(runs, ATARI)["mine"].values()
    np.testing.assert_allclose(boxing, [0, 1], atol=1e-12)
    np.testing.assert_allclose(pong, [1, 0], atol=1e-12)
    with pytest.raises(UnknownName, match="Did you mean 'Pong'"):
        select(read_scores(write(tmp_path, "agent,Pnog\na,1\n")).runs, ATARI)


def test_our_own_export_is_read_back(tmp_path: Path) -> None:
    records = [make_record("Pong", seed=s, score=float(s)) for s in range(3)]
    records.append(make_record("Boxing", seed=0, status="failed"))
    with (tmp_path / "out.csv").open("w", newline="") as file:
        write_csv(rows(records, ATARI), file)
    assert plain(read_scores(tmp_path / "out.csv").runs) == {"tester": {"Pong": [0, 1, 2]}}


def test_runs_keep_their_names_in_the_order_of_the_scores(tmp_path: Path) -> None:
    def seeds_of(text: str) -> dict:
        return dict(read_scores(write(tmp_path, text)).seeds)

    long = seeds_of("agent,task,seed,score\na,x,10,1\na,x,9,2\na,y,z,3\n")
    assert long == {"a": {"x": ["9", "10"], "y": ["z"]}}
    wide = seeds_of("agent,seed,Pong,Boxing\na,10,1,2\na,9,3,4\n")
    assert wide == {"a": {"Pong": ["9", "10"], "Boxing": ["9", "10"]}}
    assert seeds_of("agent,task,score\na,x,1\na,x,2\n") == {}
