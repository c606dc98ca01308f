"""`rlbench show --picture` and `--video`: what is written is what the run saw."""

import io
import os
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from support import poles
from support.command import rlbench, run_short
from support.processes import COMMAND
from support.records import make_record

from rlbench import suites
from rlbench.api import pictures
from rlbench.results import Record, Store
from rlbench.suites import Suite, toml_files

Image = pytest.importorskip("PIL.Image", reason="Pillow comes with matplotlib")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has a real, short run of Pong."""
    folder = tmp_path_factory.mktemp("here")
    run_short("--agent", "random", "--tasks", "Pong", "--seeds", "1", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def record(folder: Path) -> Record:
    (record,) = Store(folder / "runs").load().records
    return record


def screens(record: Record, folder: Path) -> list[np.ndarray]:
    """Return what the agent saw of the first episode, by stepping the environments as they are."""
    suite = suites.get("atari100k").make_unofficial(record.identity.unofficial)
    env = suite.make(suite.task("Pong"), split="eval", num_envs=2, seed=0)
    assert record.replay is not None
    content = zlib.decompress(Store(folder / "runs").read_actions(record))
    actions = np.frombuffer(content, record.replay.dtype).reshape(record.replay.shape)
    obs, _ = env.reset()
    seen = [obs[0, -1]]
    for action in actions[: record.final.lengths[0] - 1]:
        seen.append(env.step(action.astype(np.int64))[0][0, -1])
    env.close()
    return seen


def frames_of(content: bytes) -> list[np.ndarray]:
    """Return the pictures in a file, as Pillow reads them."""
    with Image.open(io.BytesIO(content)) as file:
        found = []
        for n in range(getattr(file, "n_frames", 1)):
            file.seek(n)
            found.append(np.asarray(file.convert("RGB")))
    return found


def test_a_video_shows_what_the_agent_saw(folder: Path, record: Record) -> None:
    done = rlbench("show", "--video", record.identity.key[:6], cwd=folder)
    name = f"Pong-0-{record.identity.key[:8]}-video.png"
    assert done.stdout == f"{name}: the first of 2 episodes, 30 steps, return 0\n"
    shown = frames_of((folder / name).read_bytes())
    seen = screens(record, folder)
    assert len(shown) == len(seen) == 30
    for picture, screen in zip(shown, seen, strict=True):
        assert picture.shape == (252, 252, 3)
        np.testing.assert_array_equal(picture[1::3, 1::3], screen[..., None].repeat(3, axis=2))
    with Image.open(folder / name) as file:
        assert file.info["duration"] == pytest.approx(1000 / 15)
        assert file.info["loop"] == 0


def test_a_picture_shows_moments_of_it(folder: Path, record: Record) -> None:
    rlbench("show", record.identity.key, "--picture", "--out", "pong.png", cwd=folder)
    (page,) = frames_of((folder / "pong.png").read_bytes())
    assert page.shape == (2 * 252 + 4, 4 * 252 + 3 * 4, 3)
    seen = screens(record, folder)
    first, last = page[:252, :252], page[256:, -252:]
    np.testing.assert_array_equal(first[::3, ::3, 0], seen[0])
    np.testing.assert_array_equal(last[::3, ::3, 2], seen[-1])


def test_long_episodes_are_thinned_out(
    folder: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_FRAMES", 8)
    content, every = pictures.video_of(record, Store(folder / "runs"))
    assert every == 4
    shown, seen = frames_of(content), screens(record, folder)[::4]
    assert len(shown) == len(seen) == 8
    np.testing.assert_array_equal(shown[-1][::3, ::3, 0], seen[-1])


def test_what_differs_from_the_record_is_not_shown(
    folder: Path, record: Record, tmp_path: Path
) -> None:
    store = Store(tmp_path / "runs")
    assert record.replay is not None
    hashes = (*record.replay.hashes[:5], "0" * 16, *record.replay.hashes[6:])
    changed = replace(record, replay=replace(record.replay, hashes=hashes))
    store.write(changed, Store(folder / "runs").read_actions(record))
    done = rlbench("show", "--picture", record.identity.key, cwd=tmp_path, code=2)
    assert "cannot be replayed: step 5 differs: the environment is not the same" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{key}", "--video", "--picture"], "make a file each: give one of them"),
        (["{key}", "--out", "x.png"], "--out and --suite are for --picture, --video"),
        (["{key}", "--video", "--out", "x.mp4"], "x.mp4: a video is a PNG: give its name the end"),
        (["{key}", "--video", "--out", "no/x.png"], "cannot write no/x.png: No such file"),
        (["ffffffff", "--video"], "no run that ended well has a key that starts with 'ffffffff'"),
    ],
)
def test_mistakes_are_told_in_one_line(folder: Path, record: Record, words, said: str) -> None:
    given = [word.format(key=record.identity.key) for word in words]
    done = rlbench("show", *given, cwd=folder, code=2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_without_actions_says_so(tmp_path: Path) -> None:
    Store(tmp_path / "runs").write(make_record())
    done = rlbench("show", "--picture", make_record().identity.key, cwd=tmp_path, code=2)
    assert "no actions" in done.stderr


def test_parts_that_change_are_enough() -> None:
    rng = np.random.default_rng(0)
    film = [rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)]
    for _ in range(20):
        picture = film[-1].copy()
        if rng.random() < 0.8:
            picture[rng.integers(5), rng.integers(7)] = rng.integers(0, 256, 3)
        film.append(picture)
    for picture, shown in zip(film, frames_of(pictures.png(film)), strict=True):
        np.testing.assert_array_equal(picture, shown)


# --- Suites in TOML files.


class Dial(gymnasium.Env[np.ndarray, np.int64]):
    """Counts its steps, and shows the count as a shade of grey."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 12}
    observation_space = gymnasium.spaces.Box(0, 255, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.count = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = int(self.np_random.integers(100))
        return np.array([self.count], np.float32), {}

    def step(self, action):
        self.count += 1
        return np.array([self.count], np.float32), 1.0, False, False, {}

    def render(self) -> np.ndarray:
        return np.full((4, 6, 3), self.count, np.uint8)


@pytest.fixture
def dial(monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite in TOML whose environment draws, and needs nothing for it."""
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    gymnasium.register("Dial-v0", Dial)
    return toml_files.parse(poles.SUITE.replace("CartPole-v1", "Dial-v0"), "dials.toml")


def test_environments_of_a_toml_file_draw_what_they_observe(dial: Suite) -> None:
    seen = {}
    for drawn in (False, True):
        env = dial.make(dial.tasks[0], split="eval", num_envs=2, seed=0, drawn=drawn)
        shades = [env.reset()[0]] + [env.step(np.zeros(2, np.int64))[0] for _ in range(3)]
        picture = env.draw(1)
        seen[drawn] = np.array(shades)
        if drawn:
            assert picture.shape == (4, 6, 3)
            assert (picture == shades[-1][1, 0]).all()
            assert env.metadata["render_fps"] == 12
        else:
            assert picture is None
        env.close()
    np.testing.assert_array_equal(seen[True], seen[False])


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a run of CartPole in TOML, and the key of the run."""
    folder = poles.write_files(tmp_path_factory.mktemp("poles"))
    rlbench("run", "--suite", "poles.toml", "--agent", "agents.py:Balance", "--seeds", "1",
            cwd=folder)  # fmt: skip
    (record,) = Store(folder / "runs").load().records
    return folder, record.identity.key


def test_a_video_of_cartpole(balanced: tuple[Path, str]) -> None:
    pytest.importorskip("pygame")
    folder, key = balanced
    done = rlbench("show", "--video", key, "--suite", "poles.toml", "--out", "v.png", cwd=folder)
    assert done.stdout == "v.png: the first of 4 episodes, 60 steps, return 60\n"
    shown = frames_of((folder / "v.png").read_bytes())
    assert {picture.shape for picture in shown} == {(400, 600, 3)}
    assert len({picture.tobytes() for picture in shown}) > 10
    rlbench("show", "--picture", key, "--suite", "poles.toml", "--out", "p.png", cwd=folder)
    (page,) = frames_of((folder / "p.png").read_bytes())
    np.testing.assert_array_equal(page[:400, :600], shown[0])


def test_a_package_that_draws_and_is_missing_is_one_line(
    balanced: tuple[Path, str], tmp_path: Path
) -> None:
    folder, key = balanced
    (tmp_path / "pygame.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*COMMAND, "show", "--video", key, "--suite", "poles.toml"],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "pygame is not installed" in line
    assert "pip install" in line
