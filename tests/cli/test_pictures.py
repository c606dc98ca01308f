"""`rlbench show --picture` and `--video`: what is written is what the run saw."""

import io
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench, run_short
from support.records import make_record

from rlbench import suites
from rlbench.api import pictures
from rlbench.results import Record, Store

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
