"""Every roll-out of TeachMyAgent bit for bit, its terrains within 3e-4.

The terrain, the creepers and the push at the start are those of the recordings. The terrains differ
in the last digits, because TensorFlow added up in another order.
"""

from pathlib import Path

import numpy as np
import pytest
from support import golden
from support.parkour import recording, skip_without_box2d, track_of

skip_without_box2d()

from rlbench.suites.teachmyagent import bodies, data, envs, terrain  # noqa: E402
from rlbench.suites.teachmyagent.physics import Scene  # noqa: E402

ROLLOUTS = sorted(
    path for kind in ("rollout", "stump") for path in golden.folder().glob(f"parkour_{kind}_*.npz")
)


def test_there_are_rollouts() -> None:
    if not golden.folder().is_dir():
        pytest.skip(f"no golden cases in {golden.folder()}")
    assert {recording(path)[0]["body"] for path in ROLLOUTS} == set(bodies.names())


@pytest.mark.parametrize("path", ROLLOUTS, ids=lambda path: path.stem)
def test_rollouts_are_the_originals_to_the_last_bit(path: Path) -> None:
    meta, arrays = recording(path)
    scene = Scene(
        bodies.load(meta["body"]),
        track_of(meta, arrays),
        push=meta["init_force"],
        lidar=meta.get("lidars_type", "down"),
    )
    np.testing.assert_array_equal(scene.observation, arrays["obs"][0])
    score = 0.0
    for t, action in enumerate(arrays["actions"].tolist()):
        reward, is_over = scene.step(action)
        np.testing.assert_array_equal(scene.observation, arrays["obs"][t + 1])
        assert (reward, is_over) == (arrays["rewards"][t], arrays["dones"][t])
        score += reward
        assert (scene.score > envs.MASTERED) == arrays["success"][t]
        if "water_counters" in arrays:
            assert (scene.under, scene.outside) == tuple(arrays["water_counters"][t])
    assert scene.score == score
    if "bodies" in arrays:
        places = [
            (p.position.x, p.position.y, p.angle, *p.linearVelocity, p.angularVelocity)
            for p in scene.parts
        ]
        np.testing.assert_array_equal(places, arrays["bodies"][-1])


def test_terrains() -> None:
    path = golden.folder() / "parkour_terrains.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    network = data.load_network("original")
    with np.load(path) as file:
        recorded = {name: file[name] for name in file.files}
    for k, (*z, level, scale) in enumerate(recorded["vec"].tolist()):
        relief = terrain.draw_relief(network, z)
        np.testing.assert_allclose(relief, recorded["cppn_raw"][k], rtol=0, atol=2.5e-3)
        is_clipped = bool(recorded["custom_clip"][k])
        track = terrain.parkour_track(
            relief,
            water_level=level,
            creepers=None,
            scale=scale,
            random=np.random.default_rng(0),
            ceiling_offset=120.0 if is_clipped else 200.0,
            clip_offset=50.0 if is_clipped else 0.0,
        )
        np.testing.assert_array_equal(track.x, recorded["terrain_x"][k])
        np.testing.assert_allclose(track.ground, recorded["ground_y"][k], rtol=0, atol=3e-4)
        assert track.ceiling is not None
        np.testing.assert_allclose(track.ceiling, recorded["ceiling_y"][k], rtol=0, atol=3e-4)
        assert track.water == pytest.approx(recorded["water_y"][k], abs=3e-4)
        assert track.floor == recorded["ground_limit"][k]


def test_shuffled_quarters() -> None:
    path = golden.folder() / "parkour_teachers.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with np.load(path) as file:
        seed, given, mapped = (file[f"shuf_{name}"] for name in ("seed", "in", "out"))
    space = envs.StumpTracksEnv().parameter_space
    order = envs.draw_order(2, int(seed))
    ours = [envs.shuffle_quarters(row, space, order) for row in given.tolist()]
    np.testing.assert_array_equal(np.array(ours, np.float32), mapped.astype(np.float32))
