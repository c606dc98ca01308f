"""The suite `stori26`: its tasks, its constants, and what its environments are."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from rlbench import suites
from rlbench.disturbances import Disturbance, DisturbedVectorEnv, disturbance_of
from rlbench.errors import UnknownName, UsageError
from rlbench.suites import Task
from rlbench.suites.atari import envs as atari
from rlbench.suites.atari.envs import AtariEnvs
from rlbench.suites.stori import stori26
from rlbench.suites.stori.stori26 import STRENGTHS

SUITE, RGB64 = suites.get("stori26"), suites.get("atari100k-rgb64")


def make(task: str, num_envs: int = 2, split: Any = "train", **unofficial: Any) -> Any:
    suite = SUITE.make_unofficial(unofficial)
    return suite.make(suite.task(task), split=split, num_envs=num_envs, seed=3)


def played(env: Any, steps: int = 40) -> list[list[Any]]:
    """Return for each slot what it showed and paid."""
    obs, _ = env.reset()
    traces: list[list[Any]] = [[picture.tobytes()] for picture in obs]
    actions = np.random.default_rng(0).integers(3, size=(steps, 8))
    for action in actions[:, : env.num_envs]:
        obs, reward, terminated, truncated, _ = env.step(action)
        for slot, trace in enumerate(traces):
            trace += [obs[slot].tobytes(), reward[slot], terminated[slot], truncated[slot]]
    env.close()
    return traces


def test_every_game_is_clean_and_under_17_modes_in_three_strengths() -> None:
    assert len(SUITE.tasks) == 26 * (1 + 17 * 3) == 1352
    modes = [mode.name for mode in get_args(Disturbance)]
    assert [row.mode for row in STRENGTHS] == [mode for mode in modes for _ in range(3)]
    assert [row.strength for row in STRENGTHS] == [1, 2, 3] * 17
    assert {task.name.partition("/")[0] for task in SUITE.tasks} == {t.name for t in RGB64.tasks}
    references = {task.name: (task.low, task.high) for task in RGB64.tasks}
    for task in SUITE.tasks:
        game, _, kind = task.name.partition("/")
        assert re.fullmatch(r"clean|[a-z]+(-[a-z]+)*-[123]", kind)
        assert task.clean == ("" if kind == "clean" else f"{game}/clean")
        assert (task.low, task.high) == references[game]


def test_no_two_tasks_share_a_digest() -> None:
    assert len({SUITE.digest(task) for task in SUITE.tasks}) == 1352


def test_the_protocol_is_that_of_the_clean_suite_and_the_disturbance() -> None:
    task = SUITE.task("Pong/frame-freeze-2")
    own = {"disturbance": "frame-freeze", "strength": 2, "amount": 0.05, "steps": 8}
    expected = RGB64.protocol.constants() | own
    assert SUITE.protocol_of(task).constants() == expected


@pytest.mark.parametrize("row", STRENGTHS, ids=lambda row: f"{row.mode}-{row.strength}")
def test_strengths_are_disturbances_and_grow(row: Any) -> None:
    disturbance = disturbance_of(row.mode, row.amount, row.steps)
    assert disturbance.name == row.mode
    unused = {"amount", "steps"} - {
        "steps" if name == "steps" else "amount" for name in disturbance.__dataclass_fields__
    }
    assert all(getattr(row, name) == 0 for name in unused)
    weaker = [r for r in STRENGTHS if r.mode == row.mode and r.strength == row.strength - 1]
    for other in weaker:
        shrinks = row.mode in ("disc", "sudden-drift", "cyclic-drift")
        old, new = (other.amount, other.steps), (row.amount, row.steps)
        assert (new < old) if shrinks else (new > old)


def test_clean_is_the_clean_suite_frame_for_frame() -> None:
    """Of the same stream; those of the two suites differ, since their digests do."""
    task, other = SUITE.task("Breakout/clean"), RGB64.task("Breakout")
    stream = SUITE.stream(task, "train", 0)
    found = stori26.make(task, SUITE.constants(task), split="train", num_envs=2, stream=stream)
    expected = atari.make(other, RGB64.constants(other), split="train", num_envs=2, stream=stream)
    assert isinstance(found, AtariEnvs)
    assert played(found, 150) == played(expected, 150)


def test_the_game_goes_on_as_it_is_behind_a_picture_that_is_hidden() -> None:
    """The same stream: the disturbance draws nothing of what the game draws."""
    task = SUITE.task("Breakout/crop-2")
    stream = SUITE.stream(task, "train", 0)
    pictures = []
    for constants in (SUITE.constants(task), {**SUITE.constants(task), "disturbance": "none"}):
        env = stori26.make(task, constants, split="train", num_envs=2, stream=stream)
        obs, _ = env.reset()
        pictures.append([obs.copy()])
        for t in range(60):
            pictures[-1].append(env.step(np.full(2, t % 4))[0])
        env.close()
    hidden, whole = (np.array(p) for p in pictures)
    assert not hidden[:, :, :, :32].any()
    np.testing.assert_array_equal(hidden[:, :, :, 32:], whole[:, :, :, 32:])
    assert whole[:, :, :, :32].any()


@pytest.mark.parametrize("task", ["Breakout/sticky-2", "Breakout/disc-3"])
def test_slots_have_streams_of_their_own_that_do_not_depend_on_their_number(task: str) -> None:
    few, many = (played(make(task, n, max_episode_steps=15)) for n in (3, 8))
    assert few == many[:3]
    assert len({tuple(map(str, trace)) for trace in many}) == 8


def test_training_and_evaluation_share_no_stream() -> None:
    traces = [played(make("Pong/disc-3", 1, split), 3) for split in ("train", "eval")]
    assert traces[0] != traces[1]


@pytest.mark.parametrize("mode", ["reward-noise", "reward-drop", "reward-delay"])
def test_rewards_are_disturbed_in_training_alone(mode: str) -> None:
    task = f"Pong/{mode}-3"
    assert isinstance(make(task), DisturbedVectorEnv)
    assert isinstance(make(task, split="eval"), AtariEnvs)
    assert isinstance(make("Pong/sticky-1", split="eval"), DisturbedVectorEnv)


def test_delayed_rewards_of_a_real_game_are_paid() -> None:
    """Of the same stream and actions: as much in sum, later."""
    task = SUITE.task("Boxing/reward-delay-1")
    constants = {**SUITE.constants(task), "max_episode_steps": 60}
    stream = SUITE.stream(task, "train", 0)
    paid = []
    for c in (constants, {**constants, "disturbance": "none"}):
        env = stori26.make(task, c, split="train", num_envs=3, stream=stream)
        env.reset()
        actions = np.random.default_rng(2).integers(18, size=(60, 3))
        paid.append(np.array([env.step(action)[1] for action in actions]))
        env.close()
    assert np.abs(paid[1]).sum() > 2
    np.testing.assert_array_equal(paid[0].sum(axis=0), paid[1].sum(axis=0))
    np.testing.assert_array_equal(paid[0][5:-1], paid[1][:-6])


def test_unofficial_parameters_are_in_force_and_checked() -> None:
    obs, _ = make("Pong/crop-1", amount=1.0).reset()
    assert not obs.any()
    with pytest.raises(UsageError, match=r"share of Crop must be in \[0, 1\]: 2.0"):
        make("Pong/crop-1", amount=2)
    with pytest.raises(UnknownName, match=r"unknown disturbance 'krop'\. Did you mean 'crop'"):
        make("Pong/clean", disturbance="krop")


def test_tasks_are_found_by_the_names_that_paths_keep() -> None:
    task: Task = SUITE.task("pong-sticky-2")
    assert task.name == "Pong/sticky-2"
    assert len({suites.slug(task.name) for task in SUITE.tasks}) == 1352


def test_knowing_the_suite_costs_no_emulator() -> None:
    code = "import sys, rlbench.suites.stori; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ale_py", "gymnasium", "cv2"} & set(out.stdout.split())


def test_a_run_in_the_command_line(tmp_path: Any) -> None:
    from support.command import rlbench

    out = rlbench(
        "run", "--suite", "stori26", "--tasks", "Pong/sticky-2", "--agent", "random", "--seeds",
        "1", "--unofficial", "budget=50,episodes=2,max_episode_steps=30", cwd=tmp_path,
    )  # fmt: skip
    assert "1 runs recorded in runs, 0 failed" in out.stdout


def test_the_card_has_the_strengths_that_are_in_force() -> None:
    text = (Path(__file__).parents[2] / "docs/suites/stori26.md").read_text()
    for mode in {row.mode for row in STRENGTHS}:
        (line,) = re.findall(rf"^\| `{mode}` \|.*\| (\S+) \| (\S+) \| (\S+) \|$", text, re.M)
        expected = [
            row.steps if mode.endswith(("-delay", "-drift")) else row.amount
            for row in STRENGTHS
            if row.mode == mode
        ]
        assert [float(value) for value in line] == expected
