"""Draw the gallery of the protocol card of TeachMyAgent: ``tools/draw_parkour.py FOLDER``.

It writes ``parkour-bodies.png``, every body in the order of `bodies.names`, and
``parkour-terrains.png``, tracks of stump tracks and of parkour on the unofficial network.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.api.pictures import grid, png
from rlbench.suites.teachmyagent import bodies
from rlbench.suites.teachmyagent.envs import ParkourEnv, StumpTracksEnv

Frame = NDArray[np.uint8]
FLAT = [-0.15, 0.9, 0.1]  # what the network gets
WATER = {"fish": 0.9, "amphibious_bipedal": 0.86}
STEPS = 12  # after which a body is drawn
AROUND = slice(110, 330), slice(70, 350)  # rows and columns of the picture around a head
STUMPS = ([0.5, 5.0], [2.0, 3.0], [3.0, 1.0])
PARKOURS = (
    [*FLAT, 0.0, 1.0, 3.0], [-0.3, 0.7, 0.25, 0.82, 3.0, 1.0], [0.05, 1.0, -0.1, 0.9, 4.0, 5.0],
)  # fmt: skip


def draw_body(name: str) -> Frame:
    """Return a picture of a body that has moved a little."""
    env = ParkourEnv(name, network="seeded", render_mode="rgb_array")
    parameters = [*FLAT, WATER.get(name, 0.0), 1.0, 3.0]
    env.reset(seed=3, options={"parameters": parameters})
    (size,) = env.action_space.shape
    for step in range(STEPS):
        action = 0.8 * np.sin(0.2 * step + np.arange(size))
        if name.startswith("climbing"):
            action[-2:] = 1.0  # both hands hold
        env.step(action.astype(np.float32))
    picture = env.render()
    assert picture is not None
    return picture[AROUND]


def draw_tracks() -> list[Frame]:
    """Return pictures of whole tracks."""
    found = []
    for env, tasks in ((StumpTracksEnv(), STUMPS), (ParkourEnv(network="seeded"), PARKOURS)):
        for parameters in tasks:
            env.reset(seed=0, options={"parameters": parameters})
            found.append(env.draw_track())
    return found


def main(folder: Path) -> None:
    """Write both pictures."""
    gallery = grid([draw_body(name) for name in sorted(bodies.names())], columns=5)
    (folder / "parkour-bodies.png").write_bytes(png([gallery]))
    (folder / "parkour-terrains.png").write_bytes(png([grid(draw_tracks(), columns=2)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
