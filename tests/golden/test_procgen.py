"""Every trace of OpenAI's own engine: rewards, ends and levels exactly; frames bit for bit.

They were played by the unchanged wheel. With a Qt for envpool that nobody has verified, single
pixels may differ in a few frames.
"""

import zlib
from typing import Any

import numpy as np
import pytest
from support.golden import OWN, folder, found, read
from support.procgen import ENGINES, engine, envs

from rlbench.suites.procgen import pool
from rlbench.suites.procgen.games import Engine, Game

TRACES: list[dict[str, Any]] = [
    trace for path in found("procgen_*", folder()) for trace in read(path)["traces"]
]


def name_of(trace: dict[str, Any]) -> str:
    return f"{trace['game']}-{trace['distribution_mode']}-{trace['num_levels']}"


def test_there_are_traces() -> None:
    if not folder().is_dir():
        pytest.skip(f"no golden cases at {folder()}")
    assert len(TRACES) >= (40 if folder() == OWN else 1)


def actions_of(trace: dict[str, Any]) -> list[int]:
    """Return the actions, by the generator that the file names."""
    x, actions = trace["action_seed"], []
    for _ in range(trace["steps"]):
        x = (1103515245 * x + 12345) & 0x7FFFFFFF
        actions.append((x >> 16) % 15)
    return actions


@pytest.fixture(scope="module", params=ENGINES)
def played_by(request: pytest.FixtureRequest) -> Engine:
    return engine(request.param)


def replay(played_by: Engine, trace: dict[str, Any]) -> tuple[dict[str, list[Any]], list[Any]]:
    """Play a trace; return what its lists are compared with, and the frames."""
    game = Game(
        name=trace["game"],
        mode=trace["distribution_mode"],
        levels=trace["num_levels"],
        first_level=trace["start_level"],
        options=trace["options"],
    )
    seeds = np.array([trace["rand_seed"]])
    env = envs().ProcgenEnvs(game, seeds, limit=10**9, played_by=played_by)
    obs, info = env.reset()
    shown: dict[str, list[Any]] = {"reward": [0.0], "first": [1], "level_seed": [info["start"][0]]}
    frames = [obs[0]]
    for action in actions_of(trace):
        obs, reward, terminated, truncated, info = env.step(np.array([action]))
        shown["reward"].append(reward[0])
        shown["first"].append(terminated[0] | truncated[0])
        shown["level_seed"].append(info["start"][0])
        frames.append(obs[0])
    env.close()
    return shown, frames


def others(frames: list[Any], trace: dict[str, Any]) -> list[int]:
    """Return which frames are not the original's."""
    found = [zlib.crc32(np.ascontiguousarray(frame).tobytes()) for frame in frames]
    return [k for k, crc in enumerate(found) if crc != trace["frame_crc32"][k]]


def is_verified(played_by: Engine) -> bool:
    found = played_by.versions()
    return "procgen" in found or (found["envpool"], found["Qt"]) in pool.VERIFIED


@pytest.mark.parametrize("trace", [pytest.param(trace, id=name_of(trace)) for trace in TRACES])
def test_as_the_original(played_by: Engine, trace: dict[str, Any]) -> None:
    shown, frames = replay(played_by, trace)
    for name, values in shown.items():
        assert values == trace[name], name
    for k in others(frames, trace):
        assert not is_verified(played_by), k
        assert abs(int(frames[k].sum(dtype=np.int64)) - trace["frame_sum"][k]) <= 60_000


def test_an_unverified_qt_draws_nearly_all_frames_alike(played_by: Engine) -> None:
    if is_verified(played_by):
        pytest.skip("these versions draw every frame alike")
    differ = sum(len(others(replay(played_by, trace)[1], trace)) for trace in TRACES)
    assert differ <= 0.04 * sum(len(trace["frame_crc32"]) for trace in TRACES)
