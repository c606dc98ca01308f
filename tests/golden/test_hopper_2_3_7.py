"""RandomFrictionHopper under MuJoCo 2.3.7, with which the original's episodes were recorded.

`make test-hopper` runs this in an environment of its own: whole episodes, contacts included, from
the model, the reward and the end that the simulator has. There is no batched stepping in 2.3.7, so
one environment is stepped.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import folder
from support.hopper import hopper_start

mujoco = pytest.importorskip("mujoco", reason="make test-hopper")
if mujoco.__version__ != "2.3.7":
    pytest.skip(f"MuJoCo is {mujoco.__version__}: make test-hopper", allow_module_level=True)

from rlbench.suites.neorl2 import locomotion  # noqa: E402

FRAMES = 4
DATA = Path(__file__).parents[3] / "shared/data/neorl2"
PATHS = sorted(folder().glob("neorl2_randomfrictionhopper*"))


def replay(start: Any, friction: float, actions: Any) -> Any:
    """Return (steps + 1, 12) qpos and qvel of an episode."""
    model = locomotion.load_model("hopper.xml")
    foot = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, "foot_geom")
    model.geom_friction[foot, 0] = round(friction, 2)
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = start[:6], start[6:]
    mujoco.mj_forward(model, data)
    states = [start]
    for action in actions:
        data.ctrl[:] = action
        mujoco.mj_step(model, data, FRAMES)
        states.append(np.concatenate([data.qpos, data.qvel]))
    return np.array(states)


def test_all_episodes_of_the_data_are_replayed_bit_for_bit() -> None:
    """218 episodes, from the number of each alone, and the actions."""
    path = DATA / "RandomFrictionHopper-val.npz"
    if not path.is_file():
        pytest.skip(f"no data at {path}")
    with np.load(path, allow_pickle=False) as file:
        data = {key: file[key] for key in ("obs", "action", "next_obs", "done")}
    ends = np.flatnonzero(data["done"])
    firsts = np.concatenate([[0], ends[:-1] + 1])
    rest = locomotion.load_model("hopper.xml").qpos0
    for seed, (first, end) in enumerate(zip(firsts.tolist(), ends.tolist(), strict=True)):
        *moved, friction = hopper_start(seed)
        start = np.concatenate([rest, np.zeros(6)]) + moved
        states = replay(start, friction, data["action"][first : end + 1])
        seen = np.concatenate([states[:, :6], np.clip(states[:, 6:], -10.0, 10.0)], axis=1)
        seen = np.append(seen, np.full((len(seen), 1), friction), axis=1).astype(np.float32)
        np.testing.assert_array_equal(seen[:-1], data["obs"][first : end + 1])
        np.testing.assert_array_equal(seen[1:], data["next_obs"][first : end + 1])
    assert len(ends) == 218


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_whole_episodes_are_as_recorded(path: Path) -> None:
    with np.load(path, allow_pickle=False) as file:
        case = {name: file[name] for name in file.files}
    states = np.concatenate([case["x_qpos"], case["x_qvel"]], axis=1)
    at = row = 0
    for length in case["ep_len"].tolist():
        steps, rows = slice(at, at + length), slice(row, row + length + 1)
        actions, obs = case["actions"][steps], case["obs"][rows]
        found = replay(states[row], float(obs[0, -1]), actions)
        np.testing.assert_allclose(found, states[rows], rtol=0, atol=1e-9)
        np.testing.assert_allclose(np.clip(found[:, 6:], -10, 10), obs[:, 6:12], rtol=0, atol=1e-9)
        over = locomotion.hopper_terminal(obs[:-1], actions, obs[1:])
        np.testing.assert_array_equal(over, case["terminated"][steps])
        gained = locomotion.hopper_reward(obs[:-1], actions, obs[1:])
        np.testing.assert_allclose(gained, case["reward"][steps], rtol=0, atol=1e-9)
        at, row = at + length, row + length + 1
    assert at == len(case["actions"]) > 0


def test_there_are_cases() -> None:
    assert PATHS
