"""Datasets from outside: D4RL's and Minari's forms, hostile files, and offline runs on them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from support.command import rlbench

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.suites import imported
from rlbench.suites.dataset import Episodes
from rlbench.suites.hdf5 import read_hdf5

h5py = pytest.importorskip("h5py", reason="pip install 'rlbench[minari]'")

SHARED = Path(__file__).parents[3] / "shared/data"


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for data."""
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def arrays(steps: int = 9, ends: tuple[int, ...] = (3, 8), cuts: tuple[int, ...] = (5,)) -> Any:
    """Return what a file of D4RL holds; each number of an observation says which step it is of."""
    at = np.arange(steps)
    return {
        "observations": np.stack([at, at + 0.5], axis=1).astype(np.float32),
        "actions": at[:, None].astype(np.float32) / 10,
        "rewards": at.astype(np.float32),
        "terminals": np.isin(at, ends),
        "timeouts": np.isin(at, cuts),
    }


def packed(build: Callable[[Any], None]) -> bytes:
    """Return an HDF5 file that a function fills."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        build(file)
    return out.getvalue()


def of_arrays(**changed: Any) -> bytes:
    def build(file: Any) -> None:
        for name, array in (arrays() | changed).items():
            if array is not None:
                file.create_dataset(name, data=array)

    return packed(build)


def test_files_of_d4rl_without_next_observations() -> None:
    """The step that was cut off has no next observation: its episode ends a step earlier."""
    found = read_hdf5(of_arrays())
    assert found.obs[:, 0].tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert np.flatnonzero(found.terminated).tolist() == [3, 7]
    assert np.flatnonzero(found.truncated).tolist() == [4]
    assert np.flatnonzero(found.first).tolist() == [0, 4, 5]
    going_on = ~found.terminated
    np.testing.assert_array_equal(found.next_obs[going_on], found.obs[going_on] + 1)
    assert found.reward.dtype == np.float64


def test_files_of_d4rl_with_next_observations() -> None:
    follows = arrays()["observations"] + 1
    found = read_hdf5(of_arrays(next_observations=follows))
    assert len(found) == 9
    assert np.flatnonzero(found.truncated).tolist() == [5]
    np.testing.assert_array_equal(found.next_obs, follows)
    without = read_hdf5(of_arrays(next_observations=follows, timeouts=None))
    assert np.flatnonzero(without.first).tolist() == [0, 4]
    assert not without.truncated.any()


def test_steps_after_the_last_end_are_left_out() -> None:
    follows = arrays()["observations"] + 1
    found = read_hdf5(of_arrays(next_observations=follows, **arrays(ends=(3,), cuts=(6,))))
    assert len(found) == 7


def test_files_of_minari() -> None:
    def build(file: Any) -> None:
        for number, length in ((10, 2), (9, 3)):
            group = file.create_group(f"episode_{number}")
            group["observations"] = np.arange(length + 1, dtype=np.float64)[:, None] + number
            group["actions"] = np.arange(length)
            group["rewards"] = np.ones(length)
            group["terminations"] = np.arange(length) == (1 if number == 10 else -1)
            group["truncations"] = np.zeros(length, np.bool_)

    found = read_hdf5(packed(build))
    assert found.obs[:, 0].tolist() == [9, 10, 11, 10, 11]
    assert found.next_obs[:, 0].tolist() == [10, 11, 12, 11, 12]
    assert found.truncated.tolist() == [False, False, True, False, False]
    assert found.terminated.tolist() == [False, False, False, False, True]
    assert found.action.dtype.kind == "i"


def hostile() -> list[Any]:
    def linked(link: Any) -> Callable[[Any], None]:
        def build(file: Any) -> None:
            for name, array in arrays().items():
                if name != "rewards":
                    file[name] = array
            file["rewards"] = link

        return build

    def outside(file: Any) -> None:
        linked(np.zeros(9))(file)
        del file["rewards"]
        file.create_dataset("rewards", (9,), "f4", external=[("/etc/hostname", 0, 36)])

    def virtual(file: Any) -> None:
        linked(np.zeros(9))(file)
        del file["rewards"]
        layout = h5py.VirtualLayout((9,), "f4")
        layout[:] = h5py.VirtualSource("/etc/hostname", "x", (9,))
        file.create_virtual_dataset("rewards", layout)

    def huge(file: Any) -> None:
        linked(np.zeros(9))(file)
        del file["rewards"]
        file.create_dataset("rewards", (10**13,), "f4", chunks=(1024,))

    def grouped(file: Any) -> None:
        linked(np.zeros(9))(file)
        del file["rewards"]
        file.create_group("rewards")

    def goes_on(file: Any) -> None:
        group = file.create_group("episode_0")
        group["observations"], group["actions"] = np.zeros((4, 1)), np.zeros(3)
        group["rewards"], group["truncations"] = np.zeros(3), np.zeros(3, np.bool_)
        group["terminations"] = np.array([True, False, False])

    text = np.array(["a"] * 9, dtype=h5py.string_dtype())
    pairs = np.zeros(9, dtype=[("a", "f4"), ("b", "f4")])
    good = of_arrays()
    return [
        pytest.param(packed(linked(h5py.ExternalLink("/etc/hostname", "/x"))),
                     "rewards is a link to somewhere else", id="external link"),
        pytest.param(packed(linked(h5py.SoftLink("/actions"))),
                     "rewards is a link to somewhere else", id="soft link"),
        pytest.param(packed(outside), "rewards is kept in other files", id="external storage"),
        pytest.param(packed(virtual), "rewards is kept in other files", id="virtual"),
        pytest.param(packed(huge), "over the limit of 2,000,000,000 bytes", id="huge"),
        pytest.param(packed(grouped), "rewards is a group", id="group"),
        pytest.param(packed(goes_on), "episode_0 has steps after its end", id="goes on"),
        pytest.param(of_arrays(rewards=text), "rewards is an array of object", id="objects"),
        pytest.param(of_arrays(rewards=pairs), "which is refused", id="compound"),
        pytest.param(of_arrays(rewards=np.float32(1)), "rewards is a single number", id="scalar"),
        pytest.param(of_arrays(rewards=None), "there is no rewards", id="no rewards"),
        pytest.param(of_arrays(rewards=np.zeros(3)), "rewards holds 3 rows, not 9", id="short"),
        pytest.param(of_arrays(rewards=np.full(9, np.nan)), "reward is not finite", id="NaN"),
        pytest.param(of_arrays(terminals=np.full(9, 0.5)), "must hold 0 or 1", id="half"),
        pytest.param(of_arrays(terminals=np.zeros(9), timeouts=None), "no complete episode",
                     id="no end"),
        pytest.param(b"", "not an HDF5 file", id="empty"),
        pytest.param(b"<html>Bad gateway</html>", "not an HDF5 file", id="html"),
        pytest.param(good[: len(good) // 2], "not an HDF5 file", id="truncated"),
    ]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), hostile())
def test_hostile_files_are_one_line_and_nothing_is_kept(
    data: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "x.hdf5").write_bytes(content)
    done = rlbench("data", "import", "x.hdf5", "--name", "x", cwd=tmp_path, code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not data.exists()


def test_a_pipe_is_no_dataset(data: Path, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    done = rlbench("data", "import", "pipe", "--name", "x", cwd=tmp_path, code=2)
    assert done.stderr.startswith("rlbench: cannot read pipe")


def test_flipped_bits_pass_or_are_one_line() -> None:
    good, lines = of_arrays(), list[str]()
    random = np.random.default_rng(0)
    for _ in range(200):
        bad = bytearray(good)
        bad[random.integers(len(bad))] ^= 1 << int(random.integers(8))
        try:
            assert isinstance(read_hdf5(bytes(bad)), Episodes)
        except UsageError as error:
            lines.append(str(error))
    assert len(lines) > 20
    assert not any("\n" in line for line in lines)


def test_names_are_checked(data: Path, tmp_path: Path) -> None:
    (tmp_path / "x.hdf5").write_bytes(of_arrays())
    for name, message in (("../x", "a dataset's name has"), ("neorl2", "of rlbench's own")):
        done = rlbench("data", "import", "x.hdf5", "--name", name, cwd=tmp_path, code=2)
        assert message in done.stderr
    with pytest.raises(UsageError, match=r"^there is no dataset 'x' in .*: rlbench data import"):
        imported.load("x")


def test_imported_data_are_shown_and_drawn(data: Path, tmp_path: Path) -> None:
    (tmp_path / "x.hdf5").write_bytes(of_arrays())
    rlbench("data", "import", "x.hdf5", "--name", "mine", cwd=tmp_path)
    (row,) = json.loads(rlbench("data", "show", "mine", "--json", cwd=tmp_path).stdout)
    assert (row["transitions"], row["episodes"], row["terminated"]) == (8, 3, 2)
    assert row["quality"] is None
    assert row["q50"] == 6.0  # of 6, 4 and 21
    assert "mine.npz" in rlbench("data", "list", cwd=tmp_path).stdout
    pytest.importorskip("matplotlib", reason="pip install 'rlbench[plot]'")
    for name, begin in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        rlbench("data", "show", "mine", "--out", name, cwd=tmp_path)
        assert (tmp_path / name).read_bytes().startswith(begin)
    done = rlbench("data", "show", "mine", "--out", "a.gif", cwd=tmp_path, code=2)
    assert "unknown format of a picture 'gif'" in done.stderr


def test_damaged_imports_are_one_line(data: Path) -> None:
    path = imported.path_of("x")
    path.parent.mkdir(parents=True)
    for content in (b"", b"PK\x03\x04", b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"x.npz cannot be read: .*; import it again$"):
            imported.load("x")


def cartpole() -> bytes:
    """Return episodes of random play, in D4RL's form."""
    env = gymnasium.make("CartPole-v1")
    env.action_space.seed(0)
    rows: dict[str, list[Any]] = {
        name: []
        for name in ("observations", "actions", "rewards", "terminals", "next_observations")
    }
    for seed in range(5):
        obs, _ = env.reset(seed=seed)
        over = False
        while not over:
            action = env.action_space.sample()
            follows, reward, over, _, _ = env.step(action)
            for name, value in zip(rows, (obs, action, reward, over, follows), strict=True):
                rows[name].append(value)
            obs = follows
    env.close()
    return packed(lambda file: [file.__setitem__(k, np.array(v)) for k, v in rows.items()])


SUITE = """
name = "poles-offline"
version = 1
protocol = {budget = 10, episodes = 4, eval_envs = 2, max_episode_steps = 500}
[[tasks]]
id = "CartPole-v1"
low = 0
high = 500
dataset = "poles"
dataset_sha256 = "SHA256"
validation_episodes = 2
"""


def test_a_suite_in_a_toml_file_learns_from_an_imported_dataset(data: Path, tmp_path: Path) -> None:
    (tmp_path / "poles.hdf5").write_bytes(cartpole())
    out = rlbench("data", "import", "poles.hdf5", "--name", "poles", cwd=tmp_path).stdout
    sha256 = out.split()[-1]
    (tmp_path / "suite.toml").write_text(SUITE.replace("SHA256", sha256))
    suite = suites.get(str(tmp_path / "suite.toml"))
    task = suite.tasks[0]
    assert (suite.protocol.kind, suite.protocol.unit) == ("offline", "updates")
    assert suite.constants(task)["dataset_sha256"] == sha256
    found = suite.dataset(task)
    assert (found.train.first.sum(), found.validation.first.sum()) == (3, 2)
    assert isinstance(found.observation_space, Box)
    run = ("run", "--suite", "suite.toml", "--agent", "random", "--seeds", "1")
    rlbench(*run, cwd=tmp_path)
    (row,) = json.loads(rlbench("list", "runs", "--json", cwd=tmp_path).stdout)
    assert (row["suite"], row["status"]) == ("poles-offline@1", "ok")
    (tmp_path / "wrong.toml").write_text(SUITE.replace("SHA256", sha256) + "data_return = -1\n")
    wrong = suites.get(str(tmp_path / "wrong.toml"))
    mean = found.train.reward.sum() / 3
    with pytest.raises(UsageError, match=f"poles return {mean:.6g} on average, not -1: correct"):
        wrong.dataset(wrong.tasks[0])
    stated = SUITE.replace("SHA256", sha256) + f"data_return = {mean:.6g}\n"
    (tmp_path / "suite.toml").write_text(stated)
    with_data = suites.get(str(tmp_path / "suite.toml"))
    assert with_data.digest(with_data.tasks[0]) == suite.digest(task)
    assert with_data.data_returns() == {"CartPole-v1": pytest.approx(mean / 500, rel=1e-5)}
    assert len(with_data.dataset(with_data.tasks[0]).train) == len(found.train)
    assert "training data" in rlbench("stats", "--suite", "suite.toml", cwd=tmp_path).stdout
    (tmp_path / "other.toml").write_text(SUITE.replace("SHA256", "0" * 64))
    other = suites.get(str(tmp_path / "other.toml"))
    with pytest.raises(UsageError, match=r"is not the dataset that the suite names$"):
        other.dataset(other.tasks[0])
    (tmp_path / "bad.toml").write_text(SUITE.replace('dataset = "poles"\n', ""))
    with pytest.raises(UsageError, match=r"needs dataset$"):
        suites.get(str(tmp_path / "bad.toml"))


def test_data_go_to_minari_and_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minari = pytest.importorskip("minari", reason="pip install 'rlbench[minari]'")
    if not (SHARED / "neorl2/SafetyHalfCheetah-val.npz").is_file():
        pytest.skip(f"no data at {SHARED / 'neorl2'}")
    pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
    words = ("data", "export", "neorl2", "--task", "SafetyHalfCheetah", "--out", "minari")
    with monkeypatch.context() as patch:
        patch.setenv("RLBENCH_DATA", str(SHARED))
        rlbench(*words, cwd=tmp_path)
        assert "already exists" in rlbench(*words, cwd=tmp_path, code=2).stderr
        suite = suites.get("neorl2")
        whole = suite.dataset(suite.task("SafetyHalfCheetah")).validation
    assert sorted(path.name for path in (tmp_path / "minari").iterdir()) == ["neorl2"]
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    theirs = minari.load_dataset("neorl2/safetyhalfcheetah-val-v1")
    assert (theirs.total_steps, theirs.total_episodes) == (2000, 2)
    folder = tmp_path / "minari/neorl2/safetyhalfcheetah-val-v1"
    found = imported.import_dataset(folder, "cheetah")
    for name in ("obs", "action", "reward", "next_obs", "terminated", "truncated", "first"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    assert imported.content_hash(imported.load("cheetah")) == imported.content_hash(found)
