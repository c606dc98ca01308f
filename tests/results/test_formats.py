"""Files in the forms that people have: each kind read as it is meant, or refused with the reason.

Those in ``tests/inputs`` are cut from public results (IRIS, DreamerV3, TD3, RLlib,
rl-trained-agents) or written as their tools write them (marl-eval, Spinning Up, TensorBoard,
Weights & Biases).
"""

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.records import ATARI

from rlbench.errors import InvalidScores, MissingExtra, RLBenchError, UsageError
from rlbench.results import read_scores, select
from rlbench.results.formats import content, events
from rlbench.results.reading import Reading

INPUTS = Path(__file__).parents[1] / "inputs"
SHARED = Path(__file__).parents[3] / "shared/inputs/real"
PONG = "Pong-v5__ppo__1__1650"


def plain(runs) -> dict:
    return {agent: {t: s.tolist() for t, s in tasks.items()} for agent, tasks in runs.items()}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# What each file holds, and a part of the note.
RIGHT = {
    "IRIS.json": (
        {"IRIS": {"Alien": [368.7, 452.5, 437.2, 331.7, 510],
                  "Amidar": [196.0, 126, 164.9, 162.9, 65.1]}},
        "agent: 'IRIS', the file's name, tasks: Alien, Amidar",
    ),
    "dreamerv3.json.gz": (
        {"dreamerv3": {"atari_alien": [760, 1190]}},
        "agent: method, task: task, seed: seed, step: xs, score: ys",
    ),
    "TD3_Ant-v1_0.npy": (
        {"TD3_Ant-v1_0": {"TD3_Ant-v1_0": [pytest.approx(4919.69, abs=.005)]}},
        "one array of 201 numbers is taken as the points of one run in their order, not as runs",
    ),
    "evaluations.npz": (
        {"evaluations": {"evaluations": [500]}}, "score is the mean of 10 episodes",
    ),
    "rllib_result.json": (
        {"rllib_result": {"rllib_result": [pytest.approx(18.630769)]}},
        "left out: 2 rows before the first episode_reward_mean, where it is NaN",
    ),
    "rllib_new_result.json": (
        {"rllib_new_result": {"rllib_new_result": [128.25]}},
        "step: num_env_steps_sampled_lifetime, score: env_runners/episode_return_mean",
    ),
    "savetxt.dat": ({"savetxt": {"savetxt": [-3.5]}}, "cells are separated by blanks"),
    "spinup_progress.txt": (
        {"spinup_progress": {"spinup_progress": [12.75]}},
        "step: TotalEnvInteracts, score: AverageEpRet",
    ),
    "wandb_relative_time.csv": (
        {"ppo": {"Pong-v5": [17, 12]}}, "a chart over Relative Time (Wall). ignored: 4 columns",
    ),
    PONG: ({"ppo": {"Pong-v5": [-3.25]}}, "score is the tag charts/episodic_return"),
    f"{PONG}/events.out.tfevents.1650000000.host": (
        {"ppo": {"Pong-v5": [-3.25]}}, "1 steps hold several values: their mean",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_files_are_read_as_they_are_meant(name: str) -> None:
    for folder in (INPUTS, SHARED):
        if (folder / name).exists():
            found = read_scores(folder / name)
            expected, note = RIGHT[name]
            assert plain(found.runs) == expected
            assert found.note.startswith("read as ")
            assert note in found.note


def test_every_input_is_read_or_refused() -> None:
    paths = [*INPUTS.iterdir(), *(SHARED.rglob("*") if SHARED.exists() else [])]
    for path in paths:
        said = f"{path}: {_said(path)}"
        assert f"{path}: read as " in said or "the scores are " in said or said.count(str(path)) > 1
        assert "\n" not in said


def _said(path: Path) -> str:
    try:
        return read_scores(path).note
    except RLBenchError as error:
        return str(error)


def test_a_suite_knows_the_tasks_of_other_tools() -> None:
    runs = read_scores(INPUTS / "dreamerv3.json.gz").runs
    assert list(select(runs, ATARI)["dreamerv3"]) == ["Alien"]


def test_curves_and_seeds_are_kept() -> None:
    dreamer = read_scores(INPUTS / "dreamerv3.json.gz")
    assert dreamer.seeds == {"dreamerv3": {"atari_alien": ["0", "1"]}}
    steps, scores = dreamer.curves["dreamerv3"]["atari_alien"][1]
    assert (steps.tolist(), scores.tolist()) == ([394332, 397100, 399416], [1080, 1230, 1190])
    ((steps, scores),) = read_scores(INPUTS / PONG).curves["ppo"]["Pong-v5"]
    assert (steps.tolist(), scores.tolist()) == ([0, 1000, 2000], [-20.5, -15.5, -3.25])
    assert read_scores(INPUTS / PONG).seeds == {"ppo": {"Pong-v5": ["1"]}}
    ((steps, _),) = read_scores(INPUTS / "TD3_Ant-v1_0.npy").curves["TD3_Ant-v1_0"]["TD3_Ant-v1_0"]
    assert steps.tolist() == list(range(1, 202))
    chart = read_scores(INPUTS / "wandb_step.csv")
    assert chart.seeds == {"ppo": {"Pong-v5": ["1"]}, "dqn": {"Pong-v5": ["1"]}}
    assert chart.curves["ppo"]["Pong-v5"][0][1].tolist() == [-20, 18]


def test_what_the_user_says_of_one_run() -> None:
    reading = Reading(agent="TD3", task="Ant-v1")
    assert list(read_scores(INPUTS / "TD3_Ant-v1_0.npy", reading=reading).runs["TD3"]) == ["Ant-v1"]
    cut = read_scores(INPUTS / "rllib_new_result.json", reading=Reading(at_step=8000))
    assert plain(cut.runs) == {"rllib_new_result": {"rllib_new_result": [41.5]}}
    both = read_scores(INPUTS / PONG, reading=Reading(agent="a", task="t"))
    assert plain(both.runs) == {"a": {"t": [-3.25]}}


def test_marl_eval() -> None:
    path = INPUTS / "marl_eval.json"
    with pytest.raises(InvalidScores, match="metrics return, win_rate: name one, --metric return"):
        read_scores(path)
    found = read_scores(path, reading=Reading(metric="return"))
    assert plain(found.runs) == {
        "ippo": {"3s5z": [5, 6], "5m_vs_6m": [6, 7]},
        "mappo": {"3s5z": [15, 16], "5m_vs_6m": [25, 26]},
    }
    assert found.seeds["ippo"]["3s5z"] == ["seed_0", "seed_1"]
    assert "absolute_metrics are taken, not the last step" in found.note
    last = Reading(metric="return", columns={"step": "step_count"})
    steps = read_scores(path, reading=last)
    assert plain(steps.runs)["ippo"] == {"3s5z": [4, 5], "5m_vs_6m": [5, 6]}
    assert steps.curves["ippo"]["3s5z"][0][0].tolist() == [1000, 2000]
    early = read_scores(path, reading=Reading(metric="win_rate", at_step=1000))
    assert plain(early.runs)["mappo"]["3s5z"] == [0, 0]


def test_decimal_commas_are_told() -> None:
    path = INPUTS / "decimal_commas.csv"
    with pytest.raises(InvalidScores, match=r"line 2: '1234,5' .* say --decimal ,"):
        read_scores(path)
    assert plain(read_scores(path, reading=Reading(decimal=",")).runs) == {
        "ppo": {"Hopper": [1234.5, 987.25]},
        "sac": {"Hopper": [2500, 2400.75]},
    }
    with pytest.raises(UsageError, match="neither a comma nor a point"):
        Reading(decimal=";")
    with pytest.raises(InvalidScores, match="is not text: leave --decimal out"):
        read_scores(INPUTS / "IRIS.json", reading=Reading(decimal=","))


def test_runs_with_display_names_need_an_agent_and_a_task() -> None:
    path = INPUTS / "wandb_display_names.csv"
    with pytest.raises(InvalidScores, match=r"'splendid-sun-3' .* say --agent and --task"):
        read_scores(path)
    found = read_scores(path, reading=Reading(agent="ppo", task="Pong"))
    assert plain(found.runs) == {"ppo": {"Pong": [4, 3]}}
    assert found.seeds == {"ppo": {"Pong": ["brisk-moon-4", "splendid-sun-3"]}}


READ = [
    ("a.json", {"Alien": [1, 2], "x": [3]}, Reading(agent="A"), {"A": {"Alien": [1, 2], "x": [3]}}),
    ("a.json", {"ppo": [1, 2], "sac": [3]}, Reading(task="t"),
     {"ppo": {"t": [1, 2]}, "sac": {"t": [3]}}),
    ("a.json", {"Alien": {"IRIS": [1]}, "Pong": {"IRIS": [2]}}, Reading(),
     {"IRIS": {"Alien": [1], "Pong": [2]}}),
    ("a.json", [{"task": "x", "xs": [1, n], "ys": [0, n]} for n in (2, 3)], Reading(),
     {"a": {"x": [2, 3]}}),
    ("a.json", {"step": [1, 2], "score": [3, 4]}, Reading(), {"a": {"a": [4]}}),
    ("a.json", {"agent": {"0": "x", "1": "y"}, "score": {"0": 1, "1": 2}}, Reading(task="t"),
     {"x": {"t": [1]}, "y": {"t": [2]}}),
    ("a.json", {"agent": "x", "task": "t", "score": 2}, Reading(), {"x": {"t": [2]}}),
    ("a.jsonl", lines({"agent": "x", "Alien": 1, "Pong": 2}), Reading(),
     {"x": {"Alien": [1], "Pong": [2]}}),
    ("a.ndjson", lines({"step": 1, "loss": 1}, {"step": 2, "score": 5}, {"step": 3, "loss": 2}),
     Reading(), {"a": {"a": [5]}}),
    ("a.jsonl", lines({"step": 1, "score": 1}) + '{"step": 2, "sc', Reading(), {"a": {"a": [1]}}),
    ("a.txt", "1.5\n2.5\n", Reading(), {"a": {"a": [2.5]}}),
    ("a.TSV", "agent\ttask\tscore\nmy agent\tx\t1\n", Reading(), {"my agent": {"x": [1]}}),
    ("a.csv", "agent task score\nppo x 1\n", Reading(), {"ppo": {"x": [1]}}),
    ("a.csv", "agent|task|score\nppo|x|1\n", Reading(), {"ppo": {"x": [1]}}),
    ("a.csv", "# of 2024\n# step,score\n1,2\n3,4\n", Reading(), {"a": {"a": [4]}}),
    ("a.csv", "\n# a comment\n\nagent,task,score\n\nppo,x,1\n", Reading(), {"ppo": {"x": [1]}}),
    ("a.csv", "sep=;\nagent;task;score\nppo;x;1\n", Reading(), {"ppo": {"x": [1]}}),
    ("a.csv", "agent,task,score\rppo,x,1\r", Reading(), {"ppo": {"x": [1]}}),
    ("progress.csv", "episode_reward_mean,timesteps_total\nnan,1\n2,2\n,3\n", Reading(),
     {"progress": {"progress": [2]}}),
    ("progress.csv", "episode_reward_mean,timesteps_total,trial_id\nnan,1,t1\n2,2,t1\n", Reading(),
     {"progress": {"progress": [2]}}),
    ("a.csv", "score\n1,5\n", Reading(decimal=","), {"a": {"a": [1.5]}}),
    ("w.csv", "Step,x__p__1__7 - r,x__p__1__8 - r\n1,2,3\n", Reading(), {"p": {"x": [2, 3]}}),
    ("w.csv", "Step,x__p__1 - r,x__p__2 - r\n1,2,3\n", Reading(agent="q"), {"q": {"x": [2, 3]}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "what", "reading", "expected"), READ)
def test_forms(name: str, what: object, reading: Reading, expected: dict, tmp_path: Path) -> None:
    text = what if isinstance(what, str) else json.dumps(what)
    found = read_scores(write(tmp_path / name, text), reading=reading)
    assert plain(found.runs) == expected
    assert found.note.startswith("read as ")


REFUSED = [
    ("a.json", {"Alien": [1], "x": [2]}, "Alien, x may be tasks or agents: say --columns-are"),
    ("a.json", {"Alien": [[1, 2]], "Pong": [[1, 2]]}, "Alien, Pong are tasks, and what"),
    ("a.json", {"Alien": {"Pong": [1]}}, "Alien are tasks, and what"),
    ("a.json", {"Alien": [1, None]}, "row 2: 'null' .* lowest score of the protocol"),
    ("a.json", [{"task": "x", "scores": [1, 2]}], "lists in the column scores: whether they are"),
    ("a.json", [{"xs": [1, 2], "ys": [1]}], "row 1: xs and ys differ in length"),
    ("a.json", {"return": [1, 2]}, "return alone: whether its numbers are runs or the points"),
    ("a.json", '{"score": NaN}', "has no scores: score is NaN or null in every row"),
    ("a.json", '{"score": 1}\n[2]\n', "line 2: no object"),
    ("a.jsonl", '{"score": 1}\n{"sco\n{"score": 2}\n', "line 2: not JSON"),
    ("a.jsonl", '{"score": 1, "score": 2}\n', "line 1: .* a key appears twice"),
    ("a.jsonl", lines({"step": 1, "score": 1}, {"step": 2, "score": float("nan")}),
     "line 2: the score is NaN or null after others of the run; a run that diverged counts"),
    ("a.jsonl", lines({"step": 1, "score": 1}, {"step": 2, "score": None}), "line 2: the score is"),
    ("a.jsonl", lines({"step": 1, "score": float("inf")}), "line 1: 'inf' is not a finite number"),
    ("a.jsonl", lines({"task": "x", "success": True}), "'True' .* write 1 for true and 0 for"),
    ("a.jsonl", "\n", "no rows"),
    ("a.txt", "1.5 2.5\n3 4\n", "first line holds numbers, 1.5, 2.5, and no names of columns"),
    ("a.csv", "0\n1\n", "may be a score, or the name that pandas gives"),
    ("a.csv", "agent;task, env;score\na;x;1\n", "lines split evenly at semicolons"),
    ("a.csv", "agent,task;score\na,x;1\n", "evenly at commas and at semicolons"),
    ("a.csv", "step,score\n1,2\n2,nan\n", "line 3: the score is NaN or null after others"),
    ("m.csv", '#{"t_start": 0}\nr,l,t\n1,2,3\n', "a monitor of .* give the folder of its run"),
    ("w.csv", "Step,x__p__1 - r,x__q__2 - r\n1,2,3\n", "say the agents p, q: leave --agent out"),
    ("w.csv", "Step,algo: p - r,algo: q - r\n1,2,3\n", "means without runs .* without grouping"),
    ("w.csv", "Step,x__p__1 - r\n1,\n", "has no scores"),
    ("l.csv", b"agent,task,score\n\xe9,x,1\n", "not text in UTF-8 .* save it as UTF-8"),
    ("events.out.tfevents.1", b"nonsense, or more", "damaged at byte 0, or is not an event"),
    ("events.out.tfevents.1", b"", "which tag is the score is not clear"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "what", "message"), REFUSED)
def test_what_is_not_clear_is_refused(
    name: str, what: object, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if isinstance(what, bytes):
        path.write_bytes(what)
    else:
        write(path, what if isinstance(what, str) else json.dumps(what))
    with pytest.raises(InvalidScores, match=message):
        read_scores(path, reading=Reading(agent="z") if name == "w.csv" else Reading())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.endswith("e") else ""
    (tmp_path / "a.csv").write_bytes(f"{mark}agent,task,score\né,x,1\n".encode(encoding))
    assert plain(read_scores(tmp_path / "a.csv").runs) == {"é": {"x": [1]}}


def test_arrays_whose_axes_are_not_known(tmp_path: Path) -> None:
    for shape in ((), (2, 3), (1, 3), (2, 3, 4)):
        np.save(tmp_path / "a.npy", np.zeros(shape))
        with pytest.raises(InvalidScores, match="whether its axes are runs, tasks or points"):
            read_scores(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.asfortranarray(np.arange(6).reshape(2, 3)))
    found = read_scores(tmp_path / "a.npy", reading=Reading(columns_are="tasks"))
    assert plain(found.runs) == {"a": {"task 1": [0, 3], "task 2": [1, 4], "task 3": [2, 5]}}
    np.savez(tmp_path / "a.npz", Pong=np.arange(3.0), Alien=np.arange(2.0))
    assert plain(read_scores(tmp_path / "a.npz").runs) == {
        "a": {"Pong": [0, 1, 2], "Alien": [0, 1]}
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "bytes, not"),
        (lambda data: data.replace(b"(3,)", b"(9,)"), "bytes, not"),
        (lambda data: data.replace(b"<f8", b"|O "), "cannot read|not numbers"),
        (lambda data: data.replace(b"<f8", b"<c8"), "not numbers"),
        (lambda data: data[:20], "cannot read"),
        (lambda data: b"\x93NUMPY\x03\x00" + data[8:], "version .* is not known"),
    ],
)
def test_damaged_arrays(change: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", np.array([1.0, 2.0, 3.0]))
    changed = change((tmp_path / "good.npy").read_bytes())
    (tmp_path / "bad.npy").write_bytes(changed)
    with pytest.raises(InvalidScores, match=message):
        read_scores(tmp_path / "bad.npy")
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("a.npy", changed)
    with pytest.raises(InvalidScores, match=message):
        read_scores(tmp_path / "bad.npz")


def test_evaluations_that_do_not_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", timesteps=np.arange(3), results=np.zeros((2, 5)))
    with pytest.raises(InvalidScores, match=r"results of shape \(2, 5\) do not fit timesteps"):
        read_scores(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", timesteps=np.array([5, 5]), results=np.zeros((2, 5)))
    with pytest.raises(InvalidScores, match="timesteps holds a step twice"):
        read_scores(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", timesteps=np.arange(2), results=np.array([[1, 2], [3, np.nan]]))
    with pytest.raises(InvalidScores, match="row 2: 'nan' is not a finite number; a run that"):
        read_scores(tmp_path / "a.npz")


def test_compressed_files_are_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"agent,task,score\na,x,1\n"
    for name in ("a.csv.gz", "b.CSV.GZ"):
        (tmp_path / name).write_bytes(gzip.compress(text))
        assert plain(read_scores(tmp_path / name).runs) == {"a": {"x": [1]}}
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"Pong\n1\n"))
    assert plain(read_scores(tmp_path / "c.csv.gz").runs) == {"c": {"Pong": [1]}}
    for data in (text, gzip.compress(text)[:-9], gzip.compress(text)[:15] + b"\xff" * 20):
        (tmp_path / "bad.csv.gz").write_bytes(data)
        with pytest.raises(InvalidScores, match="cannot read"):
            read_scores(tmp_path / "bad.csv.gz")
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(InvalidScores, match="unpacked it is over the limit of 1,000 bytes"):
        content.content_of(tmp_path / "bomb.gz", 1000)
    monkeypatch.setattr("rlbench.results.formats.arrays.MAX_TABLE_BYTES", 100)
    np.savez_compressed(tmp_path / "small.npz", a=np.zeros((1, 1)))
    with pytest.raises(InvalidScores, match="over the limit of 100 bytes"):
        read_scores(tmp_path / "small.npz")


class TestFrames:
    frame = pd.DataFrame(
        {"agent": ["a", "a", "b"], "task": ["x", "x", "x"], "seed": [1, 0, 0], "score": [1.0, 2, 3]}
    )

    def test_a_frame_is_read_as_its_file(self, tmp_path: Path) -> None:
        self.frame.to_csv(tmp_path / "f.csv", index=False)
        of_file, of_frame = read_scores(tmp_path / "f.csv"), read_scores(self.frame)
        assert plain(of_frame.runs) == plain(of_file.runs) == {"a": {"x": [2, 1]}, "b": {"x": [3]}}
        assert (of_frame.note, of_frame.seeds) == (of_file.note, of_file.seeds)
        indexed = read_scores(self.frame.set_index(["agent", "task"]))
        assert plain(indexed.runs) == plain(of_file.runs)

    def test_wide_frames(self) -> None:
        wide = self.frame.pivot_table(index="seed", columns="agent", values="score")
        with pytest.raises(
            InvalidScores, match="the frame: its columns a, b may be tasks or agents"
        ):
            read_scores(wide)
        found = read_scores(wide, reading=Reading(columns_are="agents", task="x"))
        assert plain(found.runs) == {"a": {"x": [2, 1]}, "b": {"x": [3]}}
        assert "1 cells hold no value" in found.note

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ([1, 2], "from a path or a frame, not list"),
            (pd.DataFrame({"agent": ["a"], "score": [np.nan]}), "the frame, row 1: ''"),
            (pd.DataFrame({"score": []}), "no rows"),
            (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "2 levels"),
            (pd.DataFrame({"agent": [1]}, index=pd.Index([0], name="agent")), "called like a col"),
        ],
    )
    def test_what_is_refused(self, source: object, message: str) -> None:
        with pytest.raises(InvalidScores, match=message):
            read_scores(source)


class TestEvents:
    def written(self, folder: Path, *points: tuple[str, float, int]) -> Path:
        writer = pytest.importorskip("tensorboardX").SummaryWriter(str(folder))
        for tag, value, step in points:
            writer.add_scalar(tag, value, step)
        writer.close()
        return folder

    def test_the_tag_is_the_score_that_is_known_or_named(self, tmp_path: Path) -> None:
        tags = ("rollout/ep_rew_mean", 5.0, 1), ("eval/mean_reward", 6.0, 1), ("x/loss", 0.5, 1)
        path = self.written(tmp_path / "ppo_1", *tags)
        with pytest.raises(InvalidScores, match="may all be the score: name one, --columns score="):
            read_scores(path)
        found = read_scores(path, reading=Reading(columns={"score": "eval/mean_reward"}))
        assert plain(found.runs) == {"ppo_1": {"ppo_1": [6]}}
        with pytest.raises(InvalidScores, match="has no tag 'y': its tags are rollout/ep_rew_mean"):
            read_scores(path, reading=Reading(columns={"score": "y"}))

    def test_a_run_that_was_resumed(self, tmp_path: Path) -> None:
        path = self.written(tmp_path / "r", *(("score", float(s), s) for s in range(4)))
        first = next(path.iterdir()).rename(path / f"{events.NAME}1")
        self.written(path, *(("score", 10.0 + s, s) for s in range(2, 6)))
        found = read_scores(path)
        assert found.curves["r"]["r"][0][1].tolist() == [0, 1, 12, 13, 14, 15]
        assert "one run in 2 files; left out: 2 points from before it was resumed" in found.note
        (path / f"{events.NAME}2").write_bytes(first.read_bytes())
        with pytest.raises(InvalidScores, match="event files of several runs"):
            read_scores(path)

    def test_nan_and_damage(self, tmp_path: Path) -> None:
        nan = float("nan")
        early = self.written(tmp_path / "early", ("score", nan, 0), ("score", 1.0, 1))
        assert "left out: 1 points before the first score" in read_scores(early).note
        late = self.written(tmp_path / "late", ("score", 1.0, 0), ("score", nan, 1))
        with pytest.raises(InvalidScores, match="step 1: the score is NaN or null after others"):
            read_scores(late)
        (file,) = early.iterdir()
        data = file.read_bytes()
        file.write_bytes(data[:-3])  # while it is written
        with pytest.raises(InvalidScores, match="has no scores: score is NaN at every step"):
            read_scores(early)
        file.write_bytes(data[:-6] + b"\xff" + data[-5:])
        with pytest.raises(InvalidScores, match="is damaged at byte"):
            read_scores(early)

    def test_the_same_as_tensorboard_itself(self) -> None:
        module = "tensorboard.backend.event_processing.event_accumulator"
        accumulator = pytest.importorskip(module).EventAccumulator(str(INPUTS / PONG))
        accumulator.Reload()
        theirs = [(e.step, e.value) for e in accumulator.Scalars("charts/episodic_return")]
        (file,) = (INPUTS / PONG).iterdir()
        assert [tuple(p) for p in events._scalars(file)["charts/episodic_return"]] == theirs

    def test_what_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "tensorboardX.proto.event_pb2", None)
        with pytest.raises(MissingExtra, match=r"pip install 'rlbench\[tensorboard\]'"):
            read_scores(INPUTS / PONG)


class TestEvaluators:
    model = "meta-llama__Llama-3.2-1B"
    samples = f"{model}/samples_arc_easy_2025-01-02T03-04-05.678901.jsonl"

    def test_epochs_of_inspect_are_runs(self, tmp_path: Path) -> None:
        found = read_scores(INPUTS / "inspect_math.eval")
        assert plain(found.runs) == {"openai/gpt-4o": {"math/1": [0, 1], "math/2": [1, 0]}}
        assert found.seeds["openai/gpt-4o"]["math/1"] == ["1", "2"]
        with zipfile.ZipFile(INPUTS / "inspect_math.eval") as archive:
            header = json.loads(archive.read("header.json"))
            samples = [json.loads(archive.read(f"samples/1_epoch_{n}.json")) for n in (1, 2)]
        log = write(tmp_path / "log.json", json.dumps({**header, "samples": samples}))
        assert plain(read_scores(log, reading=Reading(agent="a")).runs) == {"a": {"math/1": [0, 1]}}
        samples[1] |= {"scores": {}, "error": {"message": "time-out"}}
        write(log, json.dumps({**header, "samples": samples}))
        with pytest.raises(InvalidScores, match="sample 2: it has no score; a sample that failed"):
            read_scores(log)

    def test_samples_of_lm_evaluation_harness(self) -> None:
        with pytest.raises(InvalidScores, match="metrics acc, acc_norm: name one"):
            read_scores(INPUTS / self.samples)
        found = read_scores(INPUTS / self.samples, reading=Reading(metric="acc"))
        assert plain(found.runs) == {
            self.model: {"arc_easy/0": [0], "arc_easy/1": [1], "arc_easy/2": [0]}
        }

    def test_episodes_of_lerobot_are_of_one_policy(self, tmp_path: Path) -> None:
        path, reading = INPUTS / "lerobot_eval_info.json", Reading(agent="pi0", metric="successes")
        expected = {"libero_10/0": [0.5], "libero_10/1": [1]}
        assert plain(read_scores(path, reading=reading).runs) == {"pi0": expected}
        episodes = [{"episode_ix": n, "sum_reward": 1.0, "success": n > 0} for n in range(4)]
        old = write(tmp_path / "old.json", json.dumps({"per_episode": episodes, "aggregated": {}}))
        assert plain(read_scores(old, reading=reading).runs) == {"pi0": {"old": [0.75]}}

    def test_instances_of_swe_bench(self, tmp_path: Path) -> None:
        found = read_scores(INPUTS / "swe_bench_report.json", reading=Reading(agent="a"))
        assert plain(found.runs)["a"] == {
            "django__django-1": [1], "sympy__sympy-2": [0], "flask__flask-4": [0],
            "astropy__astropy-3": [0],
        }  # fmt: skip
        assert "1 instances that were not submitted count as 0" in found.note
        short = write(tmp_path / "results.json", json.dumps({"resolved": ["x"], "no_logs": []}))
        with pytest.raises(InvalidScores, match="resolved, and not those that were tried"):
            read_scores(short)
