"""OpenAI's own library: fetched, unpacked, checked, and equal to envpool in all that it shows."""

import io
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import procgen as support
from support.browser import serve
from support.command import rlbench

from rlbench import suites
from rlbench.errors import FetchError, UsageError
from rlbench.suites.procgen import engine, libenv, reference
from rlbench.suites.procgen.games import Game

GAMES = [task.name for task in suites.get("procgen-easy").tasks]
SLOTS, STEPS = 4, 600


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for data."""
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


# --- Both engines play the same.


@pytest.mark.parametrize("mode", ["easy", "hard"])
@pytest.mark.parametrize("name", GAMES)
def test_it_shows_what_envpool_shows(name: str, mode: str) -> None:
    """Frames, last frames, rewards, ends and levels; slots that are cut off or retired too."""
    engines = [support.engine(engine) for engine in support.ENGINES]
    game = Game(name=name, mode=mode, levels=200)
    random = np.random.default_rng(GAMES.index(name))
    seeds = random.integers(2**31, size=SLOTS)
    make = support.envs().ProcgenEnvs
    ours, theirs = (make(game, seeds, limit=250, played_by=engine) for engine in engines)
    for _ in range(2):
        assert_same(ours.reset(), theirs.reset())
    ends = 0
    for step, actions in enumerate(random.integers(15, size=(STEPS, SLOTS))):
        if step == STEPS // 2:
            for env in (ours, theirs):
                env.retire(np.arange(SLOTS) == 1)
        one = ours.step(actions)
        assert_same(one, theirs.step(actions))
        ends += np.count_nonzero(one[2] | one[3])
    assert ends > SLOTS
    ours.close()
    theirs.close()


def assert_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    *arrays, info = one
    *others, other_info = other
    assert info.keys() == other_info.keys()
    pairs = [*zip(arrays, others, strict=True), *((info[k], other_info[k]) for k in info)]
    for a, b in pairs:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_seeds_above_int32_play_what_envpool_plays() -> None:
    shown = []
    for name in support.ENGINES:
        games = support.engine(name).make_games(
            Game(name="maze", mode="hard", levels=0), [2**31, 2**32 - 1]
        )
        shown.append(games.begin(np.arange(2, dtype=np.int32)))
        games.close()
    assert_same((*shown[0], {}), (*shown[1], {}))


def test_what_it_returns_is_the_caller_s() -> None:
    games = support.engine("reference").make_games(Game(name="maze", mode="easy", levels=0), [1, 2])
    slots = np.arange(2, dtype=np.int32)
    frames, levels = games.begin(slots)
    kept = frames.copy(), levels.copy()
    frames_after, rewards, _ = games.step(slots, np.array([7, 7], np.int32))
    assert (frames_after != frames).any()
    np.testing.assert_array_equal(frames, kept[0])
    np.testing.assert_array_equal(levels, kept[1])
    rewards[:] = 5
    assert not games.step(slots, np.array([4, 4], np.int32))[1].any()
    games.close()


def test_it_plays_where_it_was_fetched(cache: Path) -> None:
    assert engine.chosen() is support.ENGINES["envpool"]
    (cache / reference.NAME).mkdir()
    if reference.is_here():  # Linux on x86-64
        assert engine.chosen() is libenv


def test_versions_name_the_engine() -> None:
    assert support.engine("reference").versions() == {"procgen": "0.10.7", "Qt": "5.13.2"}
    assert engine.versions() == libenv.versions()


# --- The files.


def wheel(**changed: bytes) -> bytes:
    """Return a small wheel, its library no more than what is changed in it."""
    library = bytearray(max(reference._CHANGES) + 16)
    for place, (old, _) in reference._CHANGES.items():
        library[place : place + len(old)] = old
    members = {
        "procgen/data/prebuilt/libenv.so": bytes(library),
        "procgen/data/assets/a/b.png": b"picture",
        "procgen/env.py": b"never unpacked",
        "procgen-0.10.7.dist-info/LICENSE": b"MIT",
        **changed,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def unpack(content: bytes, cache: Path) -> Path:
    path = cache / "some.whl"
    path.write_bytes(content)
    reference.unpack(path, cache / "out")
    return cache / "out"


def test_what_is_needed_is_unpacked_and_some_instructions_are_changed(cache: Path) -> None:
    (cache / "out").mkdir()
    (cache / "out/old").write_text("of an earlier attempt")
    place = unpack(wheel(), cache)
    files = sorted(p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file())
    assert files == ["LICENSE.txt", "assets/a/b.png", "prebuilt/libenv.so"]
    library = (place / "prebuilt/libenv.so").read_bytes()
    for at, (old, new) in reference._CHANGES.items():
        assert library[at : at + len(new)] == new != old
        library = library[:at] + bytes(len(new)) + library[at + len(new) :]
    assert not any(library)  # nothing else was changed
    assert sorted(p.name for p in cache.iterdir()) == ["out", "some.whl"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "cannot be unpacked: .*not a zip file"),
        (wheel()[:-40], "cannot be unpacked"),
        (wheel(**{"procgen/data/assets/../../../x.png": b""}), "holds a file named"),
        (wheel(**{"procgen/data/prebuilt/libenv.so": b"short"}), "another instruction at 0x73497"),
    ],
)
def test_another_wheel_is_refused_and_leaves_nothing(
    cache: Path, content: bytes, message: str
) -> None:
    with pytest.raises(FetchError, match=message):
        unpack(content, cache)
    assert sorted(p.name for p in cache.iterdir()) == ["some.whl"]


def test_a_wheel_that_grows_beyond_the_limit_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MAX_BYTES", 1000)
    with pytest.raises(FetchError, match="over the limit"):
        unpack(wheel(), cache)


def test_another_file_of_that_name_is_not_unpacked(cache: Path, tmp_path: Path) -> None:
    hosted = tmp_path / "host"
    hosted.mkdir()
    (hosted / reference.WHEEL).write_bytes(wheel())
    with serve(hosted) as host:
        done = rlbench("data", "fetch", reference.NAME, "--host", host, cwd=tmp_path, code=2)
    assert "has another sha256 than the official file" in done.stderr
    assert not list(cache.iterdir())
    assert reference.status() == "missing"


def test_a_changed_library_is_never_loaded(cache: Path) -> None:
    if not reference._is_supported():
        pytest.skip("OpenAI's build is for Linux on x86-64")
    place = unpack(wheel(), cache)
    os.rename(place, cache / reference.NAME)
    with pytest.raises(UsageError, match=r"libenv\.so changed since it was fetched: "):
        libenv.load()
    assert reference.status() == "other"


def test_other_machines_are_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(UsageError, match="is for Linux on x86-64"):
        reference.fetch_reference()


def test_the_command_refuses_what_has_no_tasks_and_no_transitions(
    cache: Path, tmp_path: Path
) -> None:
    asked = ["data", "fetch", reference.NAME, "--task", "maze"]
    assert "are the same for all tasks" in rlbench(*asked, cwd=tmp_path, code=2).stderr
    shown = rlbench("data", "show", reference.NAME, cwd=tmp_path, code=2)
    assert "is an engine, not a dataset" in shown.stderr


@pytest.fixture
def real_wheel() -> Path:
    """The folder of the official wheel, where it is kept for this test."""
    path = Path(os.environ.get("RLBENCH_WHEELS", "/nowhere")) / reference.WHEEL
    if not path.is_file():
        pytest.skip("RLBENCH_WHEELS names no folder with OpenAI's wheel (pip download procgen)")
    return path


def test_the_official_wheel_is_fetched_once_and_repaired(
    real_wheel: Path, cache: Path, tmp_path: Path
) -> None:
    fetch = ["data", "fetch", reference.NAME]
    with serve(real_wheel.parent) as host:
        done = rlbench(*fetch, "--host", host, cwd=tmp_path)
    assert done.stdout == f"{cache / reference.NAME}: verified\n"
    assert [p.name for p in cache.iterdir()] == [reference.NAME]
    assert rlbench(*fetch, "--host", "http://127.0.0.1:9", cwd=tmp_path).stdout == done.stdout
    picture = next((cache / reference.NAME).rglob("*.png"))
    picture.write_bytes(b"changed")
    assert reference.status() == "other"
    shutil.copy(real_wheel, cache)  # as pip download leaves it
    assert rlbench(*fetch, "--host", "http://127.0.0.1:9", cwd=tmp_path).stdout == done.stdout
