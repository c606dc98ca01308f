"""Patterns of paths: what placeholders stand for, and what is refused rather than guessed."""

from pathlib import Path

import pytest

from rlbench.errors import InvalidScores, RLBenchError
from rlbench.results import read_scores
from rlbench.results.patterns import Pattern, files_that_fit
from rlbench.results.reading import Reading


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("{agent}_{task}_{seed}.npy", "TD3_Ant-v1_0.npy", ("TD3", "Ant-v1", "0")),
        ("{agent}/{task}/{seed}.csv", "/x/a.b/c d/s.csv", ("a.b", "c d", "s")),
        ("{agent}/{task}_{seed}.csv", "ppo/cup_catch_3.csv", ("ppo", "cup_catch", "3")),
        ("{agent}_{task}_{seed}.csv", "a_v3_cup_catch_0.csv", ("a_v3", "cup_catch", "0")),
        ("{task}/{agent}_{task}_s{seed}.csv", "x_y/a_b_x_y_s1.csv", ("a_b", "x_y", "1")),
        ("{agent}/*/{task}-*.csv", "a/b/Pong-2024-1.csv", ("a", "Pong", None)),
        ("*_{seed}.csv", "any_thing_7.csv", (None, None, "7")),
        ("{agent}/{seed}.csv", "a/b/c/1.csv", ("c", None, "1")),
        ("{agent}.csv", "a.npy", None),
        ("{agent}_{seed}.csv", "_1.csv", None),
        ("a.{task}", "a/x", None),
        ("[a-z]+{seed}.csv", "b1.csv", None),
    ],
)  # fmt: skip
def test_names_in_paths(pattern: str, path: str, expected: tuple | None) -> None:
    names = Pattern(pattern).names_in(Path(path))
    if expected is None:
        assert names is None
    else:
        roles = zip(("agent", "task", "seed"), expected, strict=True)
        assert names == {role: name for role, name in roles if name is not None}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{agnet}.csv", "unknown placeholder of --path 'agnet'. Did you mean 'agent'"),
        ("{agent}{task}.csv", "there is nothing between two placeholders"),
        ("{agent}*.csv", "there is nothing between two placeholders"),
        ("/logs/{agent}.csv", "is not the end of a path"),
        ("../{agent}.csv", "is not the end of a path"),
        ("{agent}//{task}.csv", "is not the end of a path"),
        ("{agent.csv", "an unmatched brace"),
        ("", "is not the end of a path"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str) -> None:
    with pytest.raises(RLBenchError, match=message.replace("*", r"\*")):
        Pattern(pattern)


def test_two_ways_to_fit_are_refused() -> None:
    with pytest.raises(InvalidScores, match="agent 'my', task 'agent_Ant' or agent 'my_agent'"):
        Pattern("{agent}_{task}.csv").names_in(Path("my_agent_Ant.csv"))


def write(path: Path, text: str = "step,reward\n0,1\n10,2\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("a/x_0.csv", "a/x_1.csv", "b/x_0.csv", "b/notes.txt", "a/.hidden_0.csv"):
        write(tmp_path / name)
    fitting, others = files_that_fit(tmp_path, Pattern("{agent}/{task}_{seed}.csv"))
    assert [(n["agent"], n["seed"]) for _, n in fitting] == [("a", "0"), ("a", "1"), ("b", "0")]
    assert [path.name for path in others] == ["notes.txt"]
    with pytest.raises(InvalidScores, match=r"no file below .*: there are .*x_0.csv.* and 1 more"):
        files_that_fit(tmp_path, Pattern("{agent}-{task}.csv"))


def test_a_folder_is_read_by_its_paths(tmp_path: Path) -> None:
    for seed, score in ((10, 5), (2, 4), (0, 3)):
        write(tmp_path / f"ppo/cup_{seed}.csv", f"step,reward\n0,1\n10,{score}\n")
    write(tmp_path / "ppo/cup_3.csv", "step,reward\n0,1\n5,9\n")
    found = read_scores(tmp_path, reading=Reading(path="{agent}/{task}_{seed}.csv"))
    assert found.seeds == {"ppo": {"cup": ["0", "2", "3", "10"]}}
    assert found.runs["ppo"]["cup"].tolist() == [3, 4, 9, 5]
    assert [steps.tolist() for steps, _ in found.curves["ppo"]["cup"]][2] == [0, 5]
    assert "ppo, task cup, run 3 ends at step 5 of 10; --at-step 5" in found.note
    assert "agent: its path, task: its path" in found.note
    cut = read_scores(tmp_path, reading=Reading(path="{agent}/{task}_{seed}.csv", at_step=5))
    assert cut.runs["ppo"]["cup"].tolist() == [1, 1, 9, 1]
    assert "end early" not in cut.note


def test_paths_say_what_files_lack_and_no_more(tmp_path: Path) -> None:
    write(tmp_path / "x/y_3.csv", "algo,seed,score\nsac,7,1\nsac,8,2\n")
    (tmp_path / "x/y_3.csv").rename(tmp_path / "x/y_z.csv")
    reading = Reading(path="{agent}/{task}_{seed}.csv")
    found = read_scores(tmp_path / "x/y_z.csv", reading=reading)
    assert found.seeds == {"sac": {"y": ["7", "8"]}}
    with pytest.raises(InvalidScores, match="does not fit --path"):
        read_scores(tmp_path / "x/y_z.csv", reading=Reading(path="{seed}-{task}.csv"))
    with pytest.raises(InvalidScores, match="names the agent: leave --agent out"):
        read_scores(tmp_path / "x/y_z.csv", reading=Reading(path="{agent}_{task}.csv", agent="a"))
