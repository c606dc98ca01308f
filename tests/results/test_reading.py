"""Files that people bring: read as they are meant, with a word on it, or refused with the reason.

Those in ``tests/inputs`` are cut from public results: dopamine, drqv2, tdmpc2, pytorch_sac,
openrlbenchmark, adastop, dcd, Stable-Baselines3, Weights & Biases.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from support.records import ATARI, make_record

from rlbench import suites
from rlbench.errors import InvalidScores
from rlbench.results import Engine, collect, read_scores, rows, write_csv
from rlbench.results.reading import Reading

INPUTS = Path(__file__).parents[1] / "inputs"


def plain(runs) -> dict:
    return {agent: {t: s.tolist() for t, s in tasks.items()} for agent, tasks in runs.items()}


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alias.csv", {"A": {"Breakout": [10, 10, 30]}, "B": {"Breakout": [10, 11]}}),
        ("drqv2_cup_catch.csv", {"DrQ-v2": {"cup_catch": [972.1, 967.2]}}),
        ("drqv2_pendulum_swingup.csv", {"DrQ-v2": {"pendulum_swingup": [900.2, 857.0]}}),
        ("min_model.csv", {"ppo": {"x": [1, 2]}, "sac": {"x": [9, 8]}}),
        ("min_reward.csv", {"A": {"x": [1, 2], "y": [100, 110]}}),
        ("pytorch_sac.csv", {"sac": {"ball_in_cup_catch": [979.8, 982.1]}}),
        ("sb3_progress.csv", {"sb3_progress": {"sb3_progress": [0.0]}}),
        ("tdmpc2_dog-run.csv", {"tdmpc2_dog-run": {"tdmpc2_dog-run": [86.8]}}),
        ("wandb_global_step.csv", {"ppo": {"Pong-v5": [18]}, "dqn": {"Pong-v5": [10]}}),
        ("wandb_step.csv", {"ppo": {"Pong-v5": [18]}, "dqn": {"Pong-v5": [10]}}),
    ],
)
def test_public_files(name: str, expected: dict) -> None:
    found = read_scores(INPUTS / name)
    assert plain(found.runs) == expected
    assert found.note.startswith("read as ")


def test_an_index_without_a_name_is_no_task() -> None:
    named, unnamed = (read_scores(INPUTS / f"min_{name}.csv") for name in ("named", "unnamed"))
    assert plain(named.runs) == plain(unnamed.runs)
    assert "ignored: Unnamed: 0" in unnamed.note


def test_rows_at_the_last_iteration_are_runs() -> None:
    found = read_scores(INPUTS / "dopamine.json", reading=Reading(task="Pong"))
    ((task, runs),) = found.runs["SAC"].items()
    assert (task, [round(score, 1) for score in runs]) == ("Pong", [2599.1, 4190.7, 2796.9])
    assert "the rows at the last Iteration are taken as runs" in found.note
    assert found.curves == {}
    pong = read_scores(INPUTS / "dopamine_pong.json").runs
    assert {len(runs) for tasks in pong.values() for runs in tasks.values()} == {5}
    assert pong["Rainbow"]["dopamine_pong"][0] == pytest.approx(20.38, abs=0.005)


def test_the_note_says_what_was_taken_as_what() -> None:
    assert read_scores(INPUTS / "drqv2_cup_catch.csv").note == (
        "read as agent: agent, task: task, seed: seed, step: frame, score: episode_reward; "
        "ignored: a column without a name, hour"
    )
    note = read_scores(INPUTS / "pytorch_sac.csv").note
    assert "Agent says the same as agent" in note
    assert "sac, task ball_in_cup_catch, run 2 ends at step 5920000 of 9980000" in note
    assert "breakout as Breakout" in read_scores(INPUTS / "alias.csv").note
    assert "ignored: 4 columns __MIN and __MAX" in read_scores(INPUTS / "wandb_step.csv").note


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "adastop_walker1.csv",
            "PPO, DDPG, SAC and 1 more may be tasks or agents: .*--columns-are",
        ),
        ("episode_reward.csv", "'episode' says that rows are episodes, not runs"),
        ("episodes.csv", "'episode' says that rows are episodes, not runs"),
        ("min_curve_noseed.csv", "a column of steps, 'step', and none of seeds"),
        ("openrlbenchmark.csv", "means without runs .line 2 has '1428.55 ± 62.40'"),
        ("wandb_runs_table.csv", "means without runs"),
        ("status.csv", "rows count whose status is 'ok', and there are only 'finished'"),
        ("dcd.csv", "name one with --metric"),
    ],
)
def test_what_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidScores, match=message):
        read_scores(INPUTS / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean,std\n1,2\n", "means without runs"),
        ("agent,task,mean,std\na,x,1,2\n", "means without runs"),
        ("agent,task,score,std\na,x,1,2\na,y,1,2\n", "means without runs"),
        ("time/fps,train/loss\n1,2\n", "time/fps, train/loss looks like a log's"),
        ("agent,seed,x__MIN\na,0,1\n", "looks like a log's"),
        ("agent,task,seed,avg_return\na,x,0,1\n", "means without runs|--columns score=avg_return"),
        ("agent,seed,final_return\na,0,1\n", "--columns score=final_return, or say --wide"),
        (",agent,seed,x\none,a,0,1\n", "a column without a name looks like"),
        ("agent,task,seed,reward,return\na,x,0,1,2\n", "'return' and 'reward' may both .* score"),
        ("agent,game,env,seed,score\na,x,y,0,1\na,x,z,1,1\n", "'game' and 'env' may both"),
        ("agent,seed,Pong,pong\na,0,1,2\n", "spells one task in two ways: 'Pong' and 'pong'"),
        ("agent,task,seed,score\na,Pong,0,1\na,pong,0,2\n", "line 3: .* is spelled 'Pong'"),
        ("agent,task,seed,step,score\na,Pong,0,1,1\na,pong,0,2,2\n", "line 3: .* spelled 'Pong'"),
        ("agent,task,seed,episode,score\na,x,0,1,1\na,x,0,2,2\n", "--columns step=episode takes"),
        ("agent,task,score\na,x,1\na,x,1.5 +/- 2\n", "line 3: '1.5 .* is a mean without its runs"),
        ("agent,seed,Pong,success\na,0,1,2\n", "'success' may be scores, and Pong may be tasks"),
        ("PPO,SAC\n1,2\n", "may be tasks or agents"),
        ("agent,task,metric,value\na,x,r,1\na,x,len,2\n", "metrics r, len: name one, --metric r"),
    ],
)
def test_what_is_not_clear_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidScores, match=message):
        read_scores(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "reading", "expected"),
    [
        ("agent,task,seed,reward,return\na,x,0,1,2\n", Reading(columns={"score": "return"}),
         {"a": {"x": [2]}}),
        ("who,task,seed,score\na,x,0,1\n", Reading(columns={"agent": "who"}), {"a": {"x": [1]}}),
        ("final loss,seed\n1,0\n", Reading(wide=True), {"mine": {"final loss": [1]}}),
        ("x,y\n1,2\n", Reading(columns_are="tasks"), {"mine": {"x": [1], "y": [2]}}),
        ("x,y\n1,2\n", Reading(agent="a"), {"a": {"x": [1], "y": [2]}}),
        ("x,y\n1,2\n", Reading(task="t"), {"x": {"t": [1]}, "y": {"t": [2]}}),
        ("x,y\n1,2\n", Reading(columns_are="agents", task="t"), {"x": {"t": [1]}, "y": {"t": [2]}}),
        ("Pong,Boxing\n1,2\n", Reading(suite=suites.get("atari100k")),
         {"mine": {"Pong": [1], "Boxing": [2]}}),
        ("agent,task,metric,value\na,x,r,1\na,x,len,2\n", Reading(metric="len"), {"a": {"x": [2]}}),
        ("seed,step,score\n0,10,1\n0,20,2\n1,10,5\n", Reading(agent="a", task="t"),
         {"a": {"t": [2, 5]}}),
        ("Env ID,ALGO,Seed,Episodic Return\nx,a,1,4\nx,a,0,3\n", Reading(), {"a": {"x": [3, 4]}}),
        ("agent,task,seed,score,std\na,x,0,1,2\na,x,1,3,2\n", Reading(), {"a": {"x": [1, 3]}}),
    ],
)  # fmt: skip
def test_what_the_user_says(text: str, reading: Reading, expected: dict, tmp_path: Path) -> None:
    assert plain(read_scores(write(tmp_path, text), reading=reading).runs) == expected


@pytest.mark.parametrize(
    ("text", "reading", "message"),
    [
        ("agent,task,score\na,x,1\n", Reading(agent="b"), "a column of agents, 'agent'"),
        ("agent,task,score\na,x,1\n", Reading(task="y"), "a column of tasks, 'task'"),
        ("agent,task,score\na,x,1\n", Reading(columns={"score": "r"}), "no column 'r' for"),
        ("agent,task,score\na,x,1\n", Reading(metric="r"), "no column of metrics"),
        ("agent,task,score\na,x,1\n", Reading(at_step=1), "no column of steps for --at-step"),
        ("agent,x\na,1\n", Reading(columns_are="agents"), "has a column of agents, 'agent'"),
    ],
)
def test_what_the_user_says_and_the_file_does_not_have(
    text: str, reading: Reading, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidScores, match=message):
        read_scores(write(tmp_path, text), reading=reading)


def test_transposed_tables_with_metrics() -> None:
    (tasks,) = read_scores(INPUTS / "dcd.csv", reading=Reading(metric="test_returns")).runs.values()
    assert {len(runs) for runs in tasks.values()} == {10}
    assert tasks["MultiGrid-SixteenRooms-v0"][:2].tolist() == [0.7888, 0.85444]


def test_runs_that_end_early_are_named_and_cut() -> None:
    note = read_scores(INPUTS / "unfinished.csv").note
    assert "A, task T, run 1 ends at step 10 of 1000" in note
    assert "--at-step 10 cuts all runs at one budget" in note
    cut = read_scores(INPUTS / "unfinished.csv", reading=Reading(at_step=10))
    assert plain(cut.runs) == {"A": {"T": [1, 1]}, "B": {"T": [2, 2]}}
    assert "end early" not in cut.note
    assert "ends at step 400 of 1000" in read_scores(INPUTS / "trunc.csv").note
    assert "ends at step 1000 of 10000" in read_scores(INPUTS / "budget.csv").note
    with pytest.raises(InvalidScores, match="begins at step 10, after --at-step 5"):
        read_scores(INPUTS / "unfinished.csv", reading=Reading(at_step=5))


def exported(folder: Path, records: list, suite=ATARI) -> Path:
    path = folder / "out.csv"
    with path.open("w", newline="") as file:
        write_csv(rows(records, suite), file)
    return path


def test_an_export_tells_apart_what_the_store_does(tmp_path: Path) -> None:
    odd = Engine(fingerprint="1" * 16, steps=200, digits=None)
    records = [
        *(make_record(seed=s, score=-20.0 + s, config={"k": 1}) for s in range(3)),
        *(make_record(seed=s, score=-10.0 + s, config={"k": 2}) for s in range(2)),
        *(make_record("Boxing", "e", s) for s in range(3)),
        replace(make_record("Boxing", "e", 3, 5.0), engine=odd),
        make_record(agent="=f()", score=1.0),
        make_record(seed=9, status="failed"),
    ]
    stored = collect(records, ATARI).values
    found = read_scores(exported(tmp_path, records), reading=Reading(suite=ATARI))
    assert plain(found.runs) == plain(stored)
    assert {"tester [k=1]", "tester [k=2]", "e", "=f()"} < set(found.runs)
    assert len(found.runs) == 5  # with e on another engine
    assert "left out: 1 rows with the status 'failed'" in found.note
    assert "UNOFFICIAL" not in found.note


def test_an_export_says_that_it_is_unofficial(tmp_path: Path) -> None:
    suite = ATARI.make_unofficial({"budget": 5})
    path = exported(tmp_path, [make_record(suite=suite)], suite)
    assert "UNOFFICIAL: budget=5" in read_scores(path).note
    both = path.read_text() + "".join(
        exported(tmp_path, [make_record(seed=1)]).read_text().splitlines(keepends=True)[1:]
    )
    runs = read_scores(write(tmp_path, both)).runs
    assert sorted(runs) == ["tester [budget=5]", "tester [no unofficial]"]
    with pytest.raises(InvalidScores, match="holds scores of atari100k@1, not of dmc-state@1"):
        read_scores(path, reading=Reading(suite=suites.get("dmc-state")))


def test_settings_of_one_agent_in_an_export_are_never_pooled(tmp_path: Path) -> None:
    """Two exports, each of which has one setting and so needs no label, put together."""
    one, two = (
        exported(tmp_path, [make_record(seed=s, config={"k": s})]).read_text() for s in (1, 2)
    )
    both = write(tmp_path, one + two.partition("\n")[2])
    assert sorted(read_scores(both).runs) == ["tester [k=1]", "tester [k=2]"]
