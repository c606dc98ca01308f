"""Every trace of `dmc_*`: dm_control's observations and rewards, replayed by the suite's engine."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import content

pytest.importorskip("mujoco")
pytest.importorskip("dm_control")

from rlbench.errors import UsageError
from rlbench.suites.dmc.engine import Simulations
from rlbench.suites.dmc.rendering import Camera
from rlbench.suites.dmc.tasks import CONTROL_STEPS, TASKS

EARLY, LATE = 10, 100  # steps up to which differences are below 1e-9, and below 1e-6
BLOCK, GREY_LEVELS = 12, 6.0  # where pictures differ: means of blocks, as the golden file says


def actions(seed: int, steps: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return (steps, nu) actions of the file's linear congruential generator."""
    out, x = np.empty((steps, len(low))), seed
    for k, i in np.ndindex(out.shape):
        x = (1103515245 * x + 12345) & 0x7FFFFFFF
        out[k, i] = low[i] + (high[i] - low[i]) * (((x >> 8) & 0xFFFF) / 65535)
    return out


def replay(simulations: Simulations, played: np.ndarray) -> Iterator[tuple[np.ndarray, Any, bool]]:
    """Yield observation, reward and whether the episode ended, for the reset and each action."""
    simulations.reset(0)
    yield simulations.obs[0].copy(), None, False
    clock = 0
    for action in played:
        if clock == CONTROL_STEPS:
            clock = 0
            simulations.reset(0)
            yield simulations.obs[0].copy(), None, False
            continue
        reward = simulations.step(action[None])[0]
        clock += 1
        yield simulations.observe()[0].copy(), reward, clock == CONTROL_STEPS


def name_of(trace: dict[str, Any]) -> str:
    name = f"{trace['domain']}_{trace['task']}"
    if name not in TASKS:
        pytest.skip(f"the engine has no task {name}")
    return name


def tolerance_at(step: int) -> float:
    return 1e-9 if step <= EARLY else 1e-6 if step <= LATE else np.inf


def check_trace(trace: dict[str, Any]) -> None:
    simulations = Simulations(name_of(trace), np.array([trace["seed"]]))
    low, high = np.array(trace["action_min"]), np.array(trace["action_max"])
    np.testing.assert_array_equal(simulations.control_range, np.stack([low, high], axis=1))
    played = actions(trace["action_seed"], trace["steps"], low, high)
    observed = dict(zip(trace["obs_index"], trace["obs"], strict=True))
    total = 0.0
    for step, (obs, reward, ended) in enumerate(replay(simulations, played)):
        if step == 0:
            start = simulations.scene.data.qpos
            np.testing.assert_allclose(start, trace["qpos0"], rtol=0, atol=1e-12)
        if step in observed and step <= LATE:
            np.testing.assert_allclose(obs, observed[step], rtol=0, atol=tolerance_at(step))
        if step > 0:
            expected = trace["reward"][step - 1]
            assert (reward is None) == (expected is None)
            assert ended == bool(trace["last"][step - 1])
            if reward is not None:
                assert abs(reward - expected) <= tolerance_at(step)
                total += reward
    assert total == pytest.approx(trace["reward_sum"], rel=0.05, abs=1e-9)


def test_every_trace_is_replayed(golden: Path) -> None:
    traces = content("dmc_traces", golden)["traces"]
    assert traces
    for trace in traces:
        check_trace(trace)


def test_every_picture_is_drawn(golden: Path) -> None:
    for trace in content("dmc_pixels", golden)["traces"]:
        simulations = Simulations(name_of(trace), np.array([trace["seed"]]))
        size = trace["size"]
        try:
            camera = Camera(simulations.model, trace["camera_id"], size, size)
        except UsageError as error:
            pytest.skip(str(error))
        low, high = simulations.control_range.T
        steps = max(frame["step"] for frame in trace["frames"])
        frames = {frame["step"]: frame for frame in trace["frames"]}
        played = actions(trace["action_seed"], steps, low, high)
        for step, _ in enumerate(replay(simulations, played)):
            if step in frames:
                data = simulations.scene.data if step == 0 else simulations.batch.get_data(0)
                picture = np.ascontiguousarray(camera.picture(data))
                if zlib.crc32(picture.tobytes()) != frames[step]["crc32"]:  # another OpenGL
                    side = size // BLOCK
                    blocks = picture.reshape(side, BLOCK, side, BLOCK, 3).mean(axis=(1, 3))
                    np.testing.assert_allclose(
                        blocks, frames[step]["mean_7x7"], rtol=0, atol=GREY_LEVELS
                    )
        camera.close()
