"""Draw a sheet of pictures for each suite into docs/pictures/environments.

    .venv/bin/python tools/draw_environments.py [SHEET...]

Without names it draws every sheet but that of Procgen, whose extra has an environment of its own.
docs/environments.md shows the sheets, and says how to draw Procgen.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rlbench import suites
from rlbench.suites import Suite

Frame = NDArray[np.uint8]  # (height, width, 3)
FOLDER = Path(__file__).parents[1] / "docs/pictures/environments"
SEED = 0
GAP, LINE = 8, 18  # pixels between pictures, and of a label
INK, PAPER = (32, 32, 32), (255, 255, 255)
# Settings of STORI to a step on which what is hidden shows.
STORI = {
    "Breakout/3.1": 38, "Breakout/3.2A": 38, "Breakout/3.2B": 38, "Breakout/3.2C": 40,
    "Boxing/3.1": 42, "Boxing/3.2A": 42, "Boxing/3.2B": 42, "Boxing/3.2C": 38,
    "Gopher/3.1": 42, "Gopher/3.2": 42, "BankHeist/3.1": 42, "BankHeist/3.2": 42,
}  # fmt: skip
MASKS = ("gaussian-noise", "salt-and-pepper", "occlusion", "crop", "disc")

# Of parkour and stump tracks.
FLAT = [-0.15, 0.9, 0.1]  # what the network gets
WATER = {"fish": 0.9, "amphibious_bipedal": 0.86}
BODY_STEPS = 12
AROUND = slice(110, 330), slice(70, 350)  # rows and columns of the picture around a head
STUMPS = ([0.5, 5.0], [2.0, 3.0], [3.0, 1.0])
PARKOURS = (
    [*FLAT, 0.0, 1.0, 3.0], [-0.3, 0.7, 0.25, 0.82, 3.0, 1.0], [0.05, 1.0, -0.1, 0.9, 4.0, 5.0],
)  # fmt: skip


class Shot(NamedTuple):
    """A picture and what stands above it."""

    label: str
    picture: Frame


class Sheet(NamedTuple):
    """What is on a sheet.

    Attributes:
        shots: Of one size.
        columns: Pictures in a row.
        width: Of a picture on the sheet, in pixels; its height follows.
        options: How Pillow stores it.
    """

    shots: Callable[[], Iterator[Shot]]
    columns: int
    width: int
    options: Mapping[str, Any]


EXACT: Mapping[str, Any] = {"lossless": True, "method": 6}
SMALL: Mapping[str, Any] = {"quality": 80, "method": 6}


def observed(suite: Suite, task: str, steps: int) -> NDArray[Any]:
    """Return the observation after some random actions in an evaluation."""
    env = suite.make(suite.task(task), split="eval", num_envs=1, seed=SEED)
    env.action_space.seed(SEED)
    obs, _ = env.reset()
    for _ in range(steps):
        obs, *_ = env.step(env.action_space.sample())
    env.close()
    found: NDArray[Any] = obs[0]
    return found


def played(suite: Suite, task: str, steps: int) -> Frame:
    """Return the picture that an agent sees then, the newest of a stack."""
    picture = observed(suite, task, steps)
    return picture if picture.ndim == 3 else picture[-1]


def atari() -> Iterator[Shot]:
    """Yield the games in the emulator's own size."""
    suite = suites.get("atari100k-rgb64").make_unofficial({"height": 210, "width": 160})
    for task in suite.tasks:
        yield Shot(task.name, played(suite, task.name, 100))


def stori() -> Iterator[Shot]:
    """Yield games whose pictures are disturbed, each after an undisturbed one."""
    suite = suites.get("stori")
    for name, steps in STORI.items():
        yield Shot(name, played(suite, name, steps))


def stori26() -> Iterator[Shot]:
    """Yield a game under the disturbances that a picture shows, the clean one first."""
    suite = suites.get("stori26")
    for name in ("Pong/clean", *(f"Pong/{mode}-2" for mode in MASKS)):
        yield Shot(name, played(suite, name, 40))


def dmc() -> Iterator[Shot]:
    """Yield the tasks by the cameras of dmc-vision."""
    states, vision = suites.get("dmc-state"), suites.get("dmc-vision")
    seen = {task.name for task in vision.tasks}
    others = tuple(task for task in states.tasks if task.name not in seen)
    suite = replace(vision, tasks=(*vision.tasks, *others))
    suite = suite.make_unofficial({"height": 240, "width": 240})
    for task in states.tasks:
        yield Shot(task.name, played(suite, task.name, 10))


def procgen() -> Iterator[Shot]:
    """Yield the games in a hard level each."""
    suite = suites.get("procgen-hard")
    for task in suite.tasks:
        yield Shot(task.name, played(suite, task.name, 20))


def bodies() -> Iterator[Shot]:
    """Yield the bodies of parkour, each after it moved a little."""
    from rlbench.suites.teachmyagent.envs import ParkourEnv

    for task in suites.get("parkour-bodies").tasks:
        env = ParkourEnv(task.name, network="seeded", render_mode="rgb_array")
        parameters = [*FLAT, WATER.get(task.name, 0.0), 1.0, 3.0]
        env.reset(seed=3, options={"parameters": parameters})
        (size,) = env.action_space.shape
        for step in range(BODY_STEPS):
            action = 0.8 * np.sin(0.2 * step + np.arange(size))
            if task.name.startswith("climbing"):
                action[-2:] = 1.0  # both hands hold
            env.step(action.astype(np.float32))
        picture = env.render()
        assert picture is not None
        yield Shot(task.name, picture[AROUND])


def stump_tracks() -> Iterator[Shot]:
    """Yield the task in the middle of each task space, with stumps closer to one another."""
    suite = suites.get("stump-tracks")
    for task in suite.tasks:
        env: Any = suite.make(task, split="train", num_envs=1, seed=SEED)
        space = env.parameter_space
        parameters = space.low + [0.5, 0.25] * (space.high - space.low)
        env.reset(options={"parameters": parameters[None]})
        for _ in range(BODY_STEPS):
            env.step(np.zeros(env.action_space.shape, np.float32))
        yield Shot(task.name, env.draw(0))
        env.close()


def tracks() -> Iterator[Shot]:
    """Yield whole tracks of stump tracks, then of parkour."""
    from rlbench.suites.teachmyagent.envs import ParkourEnv, StumpTracksEnv

    stumps = StumpTracksEnv()
    for height, space in STUMPS:
        stumps.reset(seed=SEED, options={"parameters": [height, space]})
        label = f"stump-tracks: stumps of height {height:g}, {space:g} apart"
        yield Shot(label, stumps.draw_track())
    parkour = ParkourEnv(network="seeded")
    for parameters in PARKOURS:
        parkour.reset(seed=SEED, options={"parameters": parameters})
        *_, water, height, space = parameters
        label = f"parkour: water {water:g}, creepers of height {height:g}, {space:g} apart"
        yield Shot(label, parkour.draw_track())


def neorl2() -> Iterator[Shot]:
    """Yield the two tasks of MuJoCo, whose observations hold the pose of a robot."""
    import mujoco

    from rlbench.suites.dmc.rendering import Camera
    from rlbench.suites.neorl2.locomotion import load_model

    suite = suites.get("neorl2")
    for name, file, steps in (
        ("RandomFrictionHopper", "hopper.xml", 8), ("SafetyHalfCheetah", "half_cheetah.xml", 10),
    ):  # fmt: skip
        model = load_model(file)
        data = mujoco.MjData(model)
        data.qpos[:] = observed(suite, name, steps)[: model.nq]
        mujoco.mj_forward(model, data)
        camera = Camera(model, 0, 240, 320)
        yield Shot(name, camera.picture(data).copy())
        camera.close()


SHEETS = {
    "atari100k": Sheet(atari, 7, 120, EXACT),
    "stori": Sheet(stori, 4, 192, EXACT),
    "stori26": Sheet(stori26, 3, 192, EXACT),
    "dmc": Sheet(dmc, 5, 160, SMALL),
    "procgen": Sheet(procgen, 4, 192, SMALL),
    "parkour": Sheet(bodies, 4, 224, EXACT),
    "stump-tracks": Sheet(stump_tracks, 3, 300, EXACT),
    "parkour-tracks": Sheet(tracks, 2, 450, EXACT),
    "neorl2": Sheet(neorl2, 2, 320, SMALL),
}


def sheet_of(shots: list[Shot], columns: int, width: int) -> Image.Image:
    """Return pictures of one size as one, row by row, each under its label."""
    tall, wide, _ = shots[0].picture.shape
    size = width, width * tall // wide
    how = Image.Resampling.NEAREST if width % wide == 0 else Image.Resampling.LANCZOS
    right, down = width + GAP, size[1] + LINE + GAP
    rows = -(-len(shots) // columns)
    page = Image.new("RGB", (columns * right - GAP, rows * down - GAP), PAPER)
    pen = ImageDraw.Draw(page)
    for n, shot in enumerate(shots):
        left, top = n % columns * right, n // columns * down
        pen.text((left, top + LINE - 4), shot.label, INK, font_of(shot.label, width), "ls")
        page.paste(Image.fromarray(shot.picture).resize(size, how), (left, top + LINE))
    return page


def font_of(label: str, width: int) -> ImageFont.FreeTypeFont:
    """Return the largest font up to 13 in which a label fits."""
    for size in range(13, 0, -1):
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        if font.getlength(label) <= width:
            return font
    raise ValueError(f"too long a label: {label}")


def draw(names: list[str], folder: Path) -> None:
    """Write sheets into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        sheet = SHEETS[name]
        page = sheet_of(list(sheet.shots()), sheet.columns, sheet.width)
        path = folder / f"{name}.webp"
        page.save(path, **sheet.options)
        print(f"{path.name}: {page.width}x{page.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    draw(sys.argv[1:] or [name for name in SHEETS if name != "procgen"], FOLDER)
