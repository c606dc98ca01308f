"""Files as one source: runs are joined where they are surely different, else refused."""

from pathlib import Path

import numpy as np
import pytest

from rlbench.errors import InvalidScores
from rlbench.results import ScoreFile, read_scores
from rlbench.results.merging import merge

INPUTS = Path(__file__).parents[1] / "inputs"


def file(agent: str, task: str, runs: dict[str, float], **more) -> ScoreFile:
    seeds = {agent: {task: list(runs)}}
    return ScoreFile({agent: {task: np.array(list(runs.values()))}}, seeds=seeds, **more)


def test_tasks_of_one_agent_in_two_files() -> None:
    names = ("drqv2_cup_catch.csv", "drqv2_pendulum_swingup.csv")
    merged = merge([(name, read_scores(INPUTS / name)) for name in names])
    runs = merged.scores.runs["DrQ-v2"]
    assert {task: scores.tolist() for task, scores in runs.items()} == {
        "cup_catch": [972.1, 967.2],
        "pendulum_swingup": [900.2, 857.0],
    }
    assert merged.notes == [f"Taken together: DrQ-v2 of 2 files, {', '.join(names)}."]
    assert len(merged.scores.curves["DrQ-v2"]["cup_catch"]) == 2


def test_runs_of_two_files_are_in_the_order_of_seeds() -> None:
    parts = [("x", file("a", "Pong", {"10": 1.0, "2": 2.0})), ("y", file("a", "pong", {"0": 3.0}))]
    merged = merge(parts)
    assert merged.scores.seeds == {"a": {"Pong": ["0", "2", "10"]}}
    assert merged.scores.runs["a"]["Pong"].tolist() == [3, 2, 1]
    assert "Tasks taken by their other spelling: pong as Pong." in merged.notes


def test_a_run_that_is_there_twice_is_refused() -> None:
    parts = [("x.csv", file("a", "t", {"0": 1.0})), ("y.csv", file("a", "t", {"1": 1.0, "0": 2.0}))]
    with pytest.raises(InvalidScores, match=r"'0' of 'a' on t is in x\.csv and in y\.csv: leave"):
        merge(parts)
    for seed in ("0.0", "00"):
        parts[1] = "y.csv", file("a", "t", {seed: 2.0})
        with pytest.raises(InvalidScores, match=r"'0' of 'a' on t is in x\.csv and in y\.csv"):
            merge(parts)
    apart = merge(parts, lambda name, agent: f"{agent} of {name}")
    assert set(apart.scores.runs) == {"a of x.csv", "a of y.csv"}


def test_runs_without_names_are_not_joined() -> None:
    unnamed = file("a", "t", {"": 1.0})._replace(seeds={})
    for parts in ([unnamed, file("a", "t", {"0": 1.0})], [unnamed, unnamed]):
        with pytest.raises(InvalidScores, match=r"x and y both have runs of 'a' on t|y and x both"):
            merge(list(zip("xy", parts, strict=True)))
    other = file("a", "u", {"": 1.0})._replace(seeds={})
    assert set(merge([("x", unnamed), ("y", other)]).scores.runs["a"]) == {"t", "u"}


def test_batches_stay_in_the_order_of_files() -> None:
    parts = [
        (name, file("a", "t", {str(n): score}, is_batch=True))
        for n, (name, score) in enumerate((("x", 2.0), ("y", 1.0)))
    ]
    merged = merge(parts[::-1])
    assert merged.scores.runs["a"]["t"].tolist() == [1, 2]
    assert merged.notes == ["Batches of the same agents, in this order: y, x."]
    assert merged.scores.seeds == {}
