"""Scores from the files of other tools, each written as that tool writes it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.records import ATARI

from rlbench.errors import InvalidScores
from rlbench.results import read_scores, select

ROWS = [
    {"agent": "a", "task": "Pong", "seed": 0, "score": 1.5, "random": -20.7, "human": 14.6},
    {"agent": "a", "task": "Pong", "seed": 1, "score": -2.0, "random": -20.7, "human": 14.6},
]


def plain(runs) -> dict:
    return {agent: {t: s.tolist() for t, s in tasks.items()} for agent, tasks in runs.items()}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(content), path)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        path.write_text(content)
    return path


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_rows(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"rows{suffix}", ROWS)
    assert plain(read_scores(path).runs) == {"a": {"Pong": [1.5, -2.0]}}


def test_two_columns_normalise(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", ROWS)
    by_columns = read_scores(path, ("random", "human")).runs["a"]["Pong"]
    by_suite = select(read_scores(path).runs, ATARI)["a"]["Pong"]
    np.testing.assert_allclose(by_columns, by_suite, rtol=1e-12)
    with pytest.raises(InvalidScores, match="no column 'expert'"):
        read_scores(path, ("random", "expert"))
    flat = write(tmp_path / "flat.csv", "task,score,low,high\nPong,1,2,2\n")
    with pytest.raises(InvalidScores, match="line 2: both reference scores are 2"):
        read_scores(flat, ("low", "high"))
    wide = write(tmp_path / "wide.csv", "Pong\n1\n")
    with pytest.raises(InvalidScores, match="only the long form"):
        read_scores(wide, ("low", "high"))


def test_arrays_of_runs_and_tasks(tmp_path: Path) -> None:
    scores = np.arange(6.0).reshape(3, 2)
    expected = {"a": {"task 1": [0, 2, 4], "task 2": [1, 3, 5]}}
    assert plain(read_scores(write(tmp_path / "s.npz", {"a": scores})).runs) == expected
    assert plain(read_scores(write(tmp_path / "s.json", {"a": scores.tolist()})).runs) == expected
    curves = np.stack([scores + 9, scores], axis=2)
    path = write(tmp_path / "c.npz", {"a": curves})
    assert plain(read_scores(path).runs) == expected
    with pytest.raises(InvalidScores, match="do not name their tasks"):
        select(read_scores(path).runs, ATARI)
    with pytest.raises(InvalidScores, match="no columns to normalise by"):
        read_scores(path, ("low", "high"))


def test_named_tasks_in_json(tmp_path: Path) -> None:
    path = write(tmp_path / "s.json", {"a": {"Pong": [1, 2], "Boxing": [3]}})
    assert plain(read_scores(path).runs) == {"a": {"Pong": [1, 2], "Boxing": [3]}}


def monitor(env_id: str | None, started: float, returns: list[float]) -> str:
    header = json.dumps({"t_start": started, "env_id": env_id})
    rows = "".join(f"{value},10,{n + 1}.5\n" for n, value in enumerate(returns))
    return f"#{header}\nr,l,t\n{rows}"


def test_monitors_of_stable_baselines3(tmp_path: Path) -> None:
    """Runs lie in AGENT/RUN, a file for each parallel environment; the last episodes count."""
    logs = tmp_path / "logs"
    early, late = [0.0] * 50, [1.0] * 60
    write(logs / "ppo/CartPole-v1_1/0.monitor.csv", monitor("CartPole-v1", 0, early + late))
    write(logs / "ppo/CartPole-v1_1/1.monitor.csv", monitor("CartPole-v1", 50, [4.0] * 50))
    write(logs / "ppo/CartPole-v1_2/monitor.csv", monitor("None", 0, [2.0, 3.0]))
    write(logs / "dqn/Pong_1/monitor.csv", monitor(None, 0, [-21.0]))
    found = read_scores(logs)
    assert plain(found.runs) == {
        "dqn": {"Pong": [-21.0]},
        "ppo": {"CartPole-v1": [pytest.approx((45 * 4 + 55 * 1) / 100), 2.5]},
    }
    assert "last 100 episodes in training" in found.note
    assert plain(read_scores(logs / "ppo").runs)["ppo"]["CartPole-v1"][1] == 2.5
    assert plain(read_scores(logs / "dqn/Pong_1").runs) == {"Pong_1": {"Pong": [-21.0]}}


def test_charts_of_tensorboard(tmp_path: Path) -> None:
    head = "Wall time,Step,Value\n"
    name = "run-Pong__ppo__{}__1700000000-tag-charts_episodic_return.csv"
    for seed, rows in ((1, "1.0,10,5\n2.0,20,7\n"), (2, "1.0,20,9\n0.5,10,8\n")):
        write(tmp_path / "tb" / name.format(seed), head + rows)
    found = read_scores(tmp_path / "tb")
    assert plain(found.runs) == {"ppo": {"Pong": [7.0, 9.0]}}
    assert "last values of charts" in found.note
    one = write(tmp_path / "Pong__dqn__1.csv", head + "1.0,10,5\n")
    assert plain(read_scores(one).runs) == {"dqn": {"Pong": [5.0]}}


def test_charts_of_weights_and_biases(tmp_path: Path) -> None:
    runs = ["Pong__ppo__1__17", "Pong__ppo__2__17"]
    metric = "charts/episodic_return"
    columns = [f"{r} - {metric}{part}" for r in runs for part in ("", "__MIN", "__MAX")]
    header = ",".join(f'"{name}"' for name in ["Step", *columns])
    text = f"{header}\n1,1,0,9,2,0,9\n2,3,0,9,,,\n"
    found = read_scores(write(tmp_path / "wandb.csv", text))
    assert plain(found.runs) == {"ppo": {"Pong": [3.0, 2.0]}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.doc", "x", "known are .csv, .json"),
        ("a.json", {"a": [[1, 2], [3]]}, "the scores of 'a' are neither"),
        ("a.json", {"a": {"Pong": []}}, "the scores of 'a' are neither"),
        ("a.json", {"a": 1.0}, "one value for each of a: a mean without runs, or one run"),
        ("a.json", [1, 2], "neither rows"),
        ("a.json", {}, "neither rows"),
        ("a.json", [{"task": "Pong", "score": None}], "row 1: '' is not a finite number"),
        ("a.npz", {"a": np.array([[1.0], [np.nan]])}, "run 1 of 'a' on task 1 is nan"),
        ("a.npz", {"a": np.array([[1.0], [-2e15]])}, r"task 1 is -2e\+15: numbers beyond 1e\+15"),
        ("a.json", {"a": [[1], [10**400]]}, r"a score of 'a' is beyond 1e\+15"),
        ("a.npz", {"a": np.array([[object()]])}, "cannot read"),
        ("a.npz", {}, "holds no array"),
        ("Pong.csv", "Wall time,Step,Value\n1,2,3\n", "'Pong' does not say .* TASK__AGENT__SEED"),
        ("w.csv", "Step,x - y,x - z\n1,2,3\n", "'x' appears twice; export one metric"),
        ("d/monitor.csv", "#{}\nr,l,t\n1,2,3\n", "line 1: no monitor"),
        ("d/monitor.csv", '#{"t_start": 0}\na,b\n', "line 2: .* columns r,l,t"),
        ("d/monitor.csv", '#{"t_start": 0}\nr,l,t\n1,2\n', "line 3: 2 cells"),
        ("d/monitor.csv", '#{"t_start": 0}\nr,l,t\nx,2,3\n', "line 3: 'x' is not a finite"),
        ("d/monitor.csv", "", "is empty"),
        ("d/monitor.csv", '#{"t_start": 0}\nr,l,t\n', "has no scores"),
        ("d/other.csv", "a,b\n1,2\n", "may be tasks or agents"),
        ("d/e/other.csv", "score\n1\n", "--path '{agent}/{task}_{seed}.csv'"),
        ("d/e/f/other.csv", "score\n1\n", "--path '{agent}/{task}/{seed}.csv'"),
        ("d/other.txt", "agent,task,score\na,b,1\n", "holds neither"),
    ],
)
def test_what_is_wrong_is_named(name: str, content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InvalidScores, match=message):
        read_scores(tmp_path / "d" if "/" in name else path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for suffix in (".csv", ".json", ".npz", ".parquet"):
        with pytest.raises(InvalidScores, match="cannot read"):
            read_scores(tmp_path / f"none{suffix}")
        broken = tmp_path / f"broken{suffix}"
        broken.write_bytes(b"\xff\x00")
        with pytest.raises(InvalidScores, match="broken"):
            read_scores(broken)


def test_numpy_files_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "trap.npz", a=np.array([[Trap()]], dtype=object))
    with pytest.raises(InvalidScores):
        read_scores(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()
