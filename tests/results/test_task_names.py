"""Spellings of tasks: one task by any of its names, and no two tasks by one."""

import pytest

from rlbench import suites
from rlbench.errors import UnknownName
from rlbench.results.task_names import fold_task, task_of


@pytest.mark.parametrize(
    ("suite", "name", "task"),
    [
        ("atari100k", "atari_ms_pacman", "MsPacman"),
        ("atari100k", "ALE/MsPacman-v5", "MsPacman"),
        ("atari100k", "MsPacmanNoFrameskip-v4", "MsPacman"),
        ("atari100k", "Pong-v5", "Pong"),
        ("dmc-state", "dmc_ball-in-cup-catch", "ball_in_cup_catch"),
        ("procgen-easy", "procgen_bigfish", "bigfish"),
    ],
)
def test_other_spellings(suite: str, name: str, task: str) -> None:
    chosen = suites.get(suite)
    assert fold_task(task_of(chosen, name).name) == fold_task(task)


@pytest.mark.parametrize("name", ["Pnog", "dmc_pong", "procgen_pong"])
def test_what_is_no_task(name: str) -> None:
    with pytest.raises(UnknownName):
        task_of(suites.get("atari100k"), name)


def test_suites_tell_their_own_tasks_apart() -> None:
    for name in suites.names():
        suite = suites.get(name)
        for task in suite.tasks:
            assert task_of(suite, task.name) is task
        assert len({fold_task(task.name) for task in suite.tasks}) == len(suite.tasks)
