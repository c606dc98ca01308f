"""Draw a film of 10 seconds into docs/pictures: a spider walks down into water.

    .venv/bin/python tools/draw_film.py [FILE]

Every motor of the spider follows a sine, which no agent has learned. docs/environments.md shows
the film.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rlbench.suites.teachmyagent.envs import ParkourEnv
from rlbench.suites.teachmyagent.physics import FPS

FILE = Path(__file__).parents[1] / "docs/pictures/parkour-film.webp"
SECONDS, EVERY = 10, 4  # of the steps, one is a picture
# Three numbers of the terrain, the water, the creepers' width, height and spacing, and the scale.
TRACK = [0.05, 0.95, -0.1, 0.74, 0.25, 4.0, 3.0, 20.0]
SEED = 1
PACE = 0.1285  # of the sines, in radians a step
SINE = np.array([-0.21, 0.87, -0.41, -0.75, 0.74, 0.03, 0.16, 0.38, -0.42, 0.95, 0.29, -0.06])
COSINE = np.array([0.26, -0.29, -0.68, 0.29, -0.15, -0.34, 0.3, 0.52, -0.68, -0.08, -0.64, -0.36])
MEAN = np.array([0.22, -0.23, -0.01, 0.09, -0.25, -0.36, -0.19, 0.31, -0.33, -0.15, -0.32, 0.14])


def motors(step: int) -> NDArray[np.float32]:
    """Return what the 12 motors do in a step, in [-1, 1]."""
    found = SINE * np.sin(PACE * step) + COSINE * np.cos(PACE * step) + MEAN
    return found.clip(-1.0, 1.0).astype(np.float32)


def frames() -> Iterator[Image.Image]:
    """Yield the pictures of the film."""
    env = ParkourEnv("spider", render_mode="rgb_array")
    env.reset(seed=SEED, options={"parameters": TRACK})
    for step in range(SECONDS * FPS):
        _, _, is_over, _, _ = env.step(motors(step))
        assert not is_over
        if step % EVERY == 0:
            picture = env.render()
            assert picture is not None
            yield Image.fromarray(picture)


def draw(path: Path) -> None:
    """Write the film, which plays again and again."""
    first, *others = frames()
    first.save(
        path, save_all=True, append_images=others, duration=EVERY * 1000 // FPS, loop=0,
        lossless=True, method=6,
    )  # fmt: skip
    print(f"{path.name}: {1 + len(others)} pictures, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if sys.argv[1:] else FILE)
