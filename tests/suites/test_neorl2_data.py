"""NeoRL-2's data: read, checked, described, fetched from either host, and given to agents."""

import hashlib
import io
import json
import signal
import socket
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import call
from support.processes import COMMAND, heed_interrupts

from rlbench import suites
from rlbench.errors import FetchError, RLBenchError, UsageError
from rlbench.suites.describing import describe
from rlbench.suites.neorl2 import files
from rlbench.suites.neorl2.data import as_episodes
from rlbench.suites.neorl2.files import DataFile, Trajectories, content_hash, data_files

SHARED = Path(__file__).parents[3] / "shared/data"
SUITE = suites.get("neorl2")
KEYS = ("obs", "action", "next_obs", "reward", "done", "truncated")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published files, where they are beside the checkout."""
    if not (SHARED / "neorl2/DMSD-train.npz").is_file():
        pytest.skip(f"no data at {SHARED / 'neorl2'}")
    monkeypatch.setenv("RLBENCH_DATA", str(SHARED))
    return SHARED / "neorl2"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for data."""
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def episodes(lengths: tuple[int, ...] = (3, 2, 4)) -> Trajectories:
    """Return small episodes in the form of DMSD's data."""
    random, n = np.random.default_rng(1), sum(lengths)
    ends = np.isin(np.arange(n), np.cumsum(lengths) - 1)
    wide = [random.normal(size=(n, width)).astype(np.float32) for width in (6, 2, 6)]
    reward = random.normal(size=n).astype(np.float32)
    return Trajectories(*wide, reward, np.zeros(n, np.bool_), ends)


def packed(data: Trajectories, **changed: Any) -> bytes:
    """Return the file of the benchmark's form: ends are float32."""
    out = io.BytesIO()
    arrays = data._asdict() | {key: getattr(data, key).astype(np.float32) for key in KEYS[4:]}
    np.savez_compressed(out, **{k: v for k, v in (arrays | changed).items() if v is not None})
    return out.getvalue()


def as_parquet(data: Trajectories, **changed: Any) -> bytes:
    """Return the file of the mirror's form."""
    arrow = pytest.importorskip("pyarrow", reason="pip install 'rlbench[parquet]'")
    from pyarrow import parquet

    columns: dict[str, Any] = {}
    for key, array in data._asdict().items():
        flat = array.astype(np.float32)
        wide = flat.ndim == 2
        columns |= {f"{key}_{i}": flat[:, i] for i in range(flat.shape[1])} if wide else {key: flat}
    out = io.BytesIO()
    chosen = {name: array for name, array in (columns | changed).items() if array is not None}
    parquet.write_table(arrow.table(chosen), out)
    return out.getvalue()


# --- What is here.


@pytest.mark.parametrize(
    ("name", "rows", "lengths", "returns", "quantiles", "quality", "coverage"),
    [  # as the files were described when they were collected
        ("DMSD-train", 100_000, (100, 100, 100), (494.45, 64.82),
         (279.6, 401.3, 451.3, 503.0, 540.6, 575.9, 625.7), 0.566, 0.459),
        ("DMSD-val", 20_000, (100, 100, 100), (481.22, 51.86),
         (353.8, 414.7, 443.5, 480.1, 519.8, 548.9, 585.3), 0.550, 0.598),
        ("Fusion-val", 20_000, (100, 100, 100), (-5.60, 8.47),
         (-29.3, -16.5, -10.7, -5.6, -0.3, 4.8, 17.9), 0.496, 0.992),
        ("RandomFrictionHopper-val", 20_047, (68, 92, 114), (114.16, 32.17),
         (55.4, 81.9, 83.6, 113.0, 146.9, 158.3, 165.1), 0.232, 0.383),
        ("RocketRecovery-val", 20_077, (75, 137.5, 320), (94.62, 115.15),
         (-126.3, -76.8, -50.4, 159.7, 178.6, 197.5, 228.5), 0.705, 0.537),
        ("SafetyHalfCheetah-train", 18_000, (1000, 1000, 1000), (1769.31, 52.51),
         (1730.9, 1736.2, 1743.7, 1747.4, 1768.2, 1817.8, 1925.9), 0.736, 0.995),
        ("Simglucose-train", 100_257, (28, 358, 480), (353.45, 170.94),
         (11.7, 74.5, 177.7, 479.6, 479.9, 480.0, 480.03), 0.739, 0.0024),
        ("Simglucose-val", 20_018, (44, 323, 480), (316.16, 179.71),
         (27.7, 64.6, 134.4, 479.3, 479.8, 480.0, 480.03), 0.659, 0.0064),
    ],
)  # fmt: skip
def test_published_files_are_as_they_were_described(
    shared: Path, name: str, rows: int, lengths: Any, returns: Any, quantiles: Any,
    quality: float, coverage: float,
) -> None:  # fmt: skip
    task, _, split = name.partition("-")
    data, status = files.read(DataFile(task, split))
    of = SUITE.task(task)
    found = describe(as_episodes(data), (of.low, of.high))
    assert (status, found.transitions) == ("verified", rows)
    np.testing.assert_allclose(found.lengths, lengths, rtol=0, atol=0.51)
    np.testing.assert_allclose((found.mean, found.deviation), returns, rtol=0, atol=0.006)
    np.testing.assert_allclose(found.quantiles, quantiles, rtol=0, atol=0.06)
    assert found.quality == pytest.approx(quality, abs=6e-4)
    assert found.coverage == pytest.approx(coverage, abs=6e-4)


def test_a_coverage_counts_cells_once() -> None:
    data = episodes((4,))
    same = data._replace(obs=np.repeat(data.obs[:1], 4, axis=0), action=data.action[[0, 0, 0, 3]])
    assert describe(as_episodes(same)).coverage == 0.5


def test_agents_are_given_the_trajectories_that_count(shared: Path) -> None:
    dataset = SUITE.dataset(SUITE.task("DMSD"))
    train = dataset.train
    assert (len(train), len(dataset.validation), train.first.sum()) == (100_000, 20_000, 1000)
    assert (train.truncated.sum(), train.terminated.sum()) == (1000, 0)
    assert dataset.reward is not None
    found = dataset.reward(train.obs, train.action, train.next_obs)
    np.testing.assert_array_equal(found, train.reward)
    with pytest.raises(ValueError, match="read-only"):
        train.obs[0] = 0.0
    fusion = SUITE.dataset(SUITE.task("Fusion"))
    assert (len(fusion.train), len(fusion.validation)) == (2000, 500)
    assert fusion.train.obs[:500].tobytes() == fusion.validation.obs.tobytes()


def test_counts_of_trajectories_are_constants(shared: Path) -> None:
    few = SUITE.make_unofficial({"train_trajectories": 10, "validation_trajectories": 2})
    dataset = few.dataset(few.task("DMSD"))
    assert (len(dataset.train), len(dataset.validation)) == (1000, 200)
    many = SUITE.make_unofficial({"train_trajectories": 1001})
    with pytest.raises(UsageError, match=r"holds 1000 trajectories, not 1001$"):
        many.dataset(many.task("DMSD"))


def test_rocket_recovery_is_cut_to_25_to_validate(shared: Path) -> None:
    file = DataFile("RocketRecovery", "val")
    assert file.count == 25
    assert DataFile("RocketRecovery", "train").count == 100
    assert len(files.read(file)[0].first(file.count).reward) == 3491


@pytest.mark.parametrize("agent", ["random", "noop"])
def test_agents_run_on_dmsd(shared: Path, tmp_path: Path, agent: str) -> None:
    words = ["run", "--suite", "neorl2", "--agent", agent, "--tasks", "DMSD", "--store", "runs"]
    done = subprocess.run(
        [*COMMAND, *words, "--unofficial", "budget=10,episodes=4,eval_envs=2", "--seeds", "1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    listed = call("list", "runs", "--store", "runs", "--json", cwd=tmp_path)
    (row,) = json.loads(listed.stdout)
    assert (row["suite"], row["task"], row["status"]) == ("neorl2@1", "DMSD", "ok")
    assert -2000 < row["score"] < 900


@pytest.mark.parametrize("task", ["RocketRecovery", "RandomFrictionHopper"])
def test_agents_are_told_what_ends_an_episode(shared: Path, cache: Path, task: str) -> None:
    """Without the official training data, the validation data stand for them."""
    module = {"RocketRecovery": "Box2D", "RandomFrictionHopper": "mujoco"}[task]
    pytest.importorskip(module, reason="pip install 'rlbench[neorl2]'", exc_type=ImportError)
    for split in ("train", "val"):
        put(cache, f"{task}-{split}", (shared / f"{task}-val.npz").read_bytes())
    own = SUITE.make_unofficial({"dataset": "unverified"})
    train = own.dataset(own.task(task)).train
    dataset = own.dataset(own.task(task))
    assert dataset.terminal is not None
    found = dataset.terminal(train.obs, train.action, train.next_obs)
    np.testing.assert_array_equal(found, train.terminated)
    assert train.terminated.sum() == {"RocketRecovery": 100, "RandomFrictionHopper": 218}[task]


def test_missing_data_name_the_command(cache: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"^DMSD-train.npz is not in .*neorl2: rlbench data fetch neorl2 --task DMSD$",
    ):
        SUITE.dataset(SUITE.task("DMSD"))


def put(cache: Path, name: str, content: bytes) -> Path:
    path = cache / "neorl2" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_other_data_are_refused_unless_it_is_said(cache: Path) -> None:
    for split in ("train", "val"):
        put(cache, f"DMSD-{split}", packed(episodes()))
    with pytest.raises(UsageError, match=r"are not the official ones.*dataset=unverified"):
        SUITE.dataset(SUITE.task("DMSD"))
    own = SUITE.make_unofficial({"dataset": "unverified"})
    assert own.digest(own.task("DMSD")) != SUITE.digest(SUITE.task("DMSD"))
    dataset = own.dataset(own.task("DMSD"))
    assert dataset.train.first.tolist() == [True, False, False, True, False, True] + [False] * 3
    assert dataset.train.reward.dtype == np.float64


def damaged() -> Iterator[tuple[str, bytes, str]]:
    good = packed(episodes())
    yield "empty", b"", "not a data file of DMSD"
    yield "html", b"<html>Bad gateway</html>", "not a data file of DMSD"
    yield "truncated", good[: len(good) // 2], "not a data file of DMSD"
    middle = len(good) // 3
    yield "flipped", good[:middle] + bytes(40) + good[middle + 40 :], "not a data file of DMSD"
    n = len(episodes().reward)
    yield "no reward", packed(episodes(), reward=None), "not a data file of DMSD"
    yield "pickle", packed(episodes(), reward=np.array([{}] * n)), "not a data file of DMSD"
    yield "words", packed(episodes(), reward=np.array(["a"] * n)), "not a data file of DMSD"
    yield "scalar", packed(episodes(), reward=np.float32(1)), r"not \(0, 6\)"
    yield "narrow", packed(episodes(), obs=episodes().action), r"obs has the shape \(9, 2\)"
    yield "short", packed(episodes(), done=np.zeros(3)), r"done has the shape \(3,\)"
    yield "NaN", packed(episodes(), reward=np.full(n, np.nan)), "reward is not finite"
    yield "half done", packed(episodes(), done=np.full(n, 0.5)), "done must hold only 0 and 1"
    yield "no end", packed(episodes(), truncated=np.zeros(n)), "its last episode has no end"
    claims = io.BytesIO()
    header = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 6)}
    np.lib.format.write_array_header_1_0(header, fields)
    with zipfile.ZipFile(claims, "w") as archive:
        archive.writestr("obs.npy", header.getvalue() + bytes(24))
    yield "claims much", claims.getvalue(), "obs.npy says that its shape is"
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"{i}.npy", bytes(files.MAX_BYTES // 2))
    yield "bomb", bomb.getvalue(), "over the limit"


@pytest.mark.parametrize(
    ("content", "message"), [pytest.param(*rest, id=name) for name, *rest in damaged()]
)
def test_damaged_files_are_one_line(cache: Path, content: bytes, message: str) -> None:
    path = put(cache, "DMSD-train", content)
    with pytest.raises(UsageError, match=message) as caught:
        files.read(DataFile("DMSD", "train"))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    done = call("data", "show", "neorl2", "--task", "DMSD", cwd=cache)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_files_hold_the_same_in_other_forms() -> None:
    data = episodes()
    for changed in (
        {"obs": np.asfortranarray(data.obs)},
        {"obs": data.obs.astype(">f4")},
        {"done": data.done, "truncated": data.truncated.astype(np.int64)},
        {"index": np.arange(9)},
    ):
        found = files.parse(packed(data, **changed), "DMSD")
        assert content_hash(found) == content_hash(data)


def test_flipped_bits_never_pass(cache: Path) -> None:
    good = packed(episodes())
    right = content_hash(episodes())
    random = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good)
        bad[random.integers(len(bad))] ^= 1 << int(random.integers(8))
        try:
            data = files.parse(bytes(bad), "DMSD")
        except UsageError:
            continue
        assert content_hash(data) == right  # the bit is of a time or the like


# --- What is fetched.


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A host of files, and the folder that they are in."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    folder = tmp_path / "host"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def offer(folder: Path, place: str, content: bytes) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def pin(monkeypatch: pytest.MonkeyPatch, content: bytes, data: Trajectories) -> None:
    """Have small files stand for the official ones of DMSD."""
    for split in ("train", "val"):
        monkeypatch.setitem(files.MD5, f"DMSD-{split}", hashlib.md5(content).hexdigest())
        monkeypatch.setitem(files.CONTENT, f"DMSD-{split}", content_hash(data))


def test_files_come_from_the_official_host(
    cache: Path, hosts: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = hosts
    content = packed(episodes())
    pin(monkeypatch, content, episodes())
    for split in ("train", "val"):
        offer(folder, f"DMSD/DMSD-{split}.npz", content)
    words = ("data", "fetch", "neorl2", "--task", "dmsd", "--host", url)
    done = call(*words, cwd=folder)
    assert (done.returncode, done.stdout.count(": verified")) == (0, 2)
    assert (cache / "neorl2/DMSD-train.npz").read_bytes() == content
    (folder / "DMSD/DMSD-train.npz").unlink()  # what is here is not fetched again
    assert call(*words, cwd=folder).returncode == 0
    assert len(SUITE.dataset(SUITE.task("DMSD")).train) == 9


def test_another_file_of_the_official_host_is_refused(cache: Path, hosts: tuple[str, Path]) -> None:
    url, folder = hosts
    offer(folder, "DMSD/DMSD-train.npz", packed(episodes()))
    done = call("data", "fetch", "neorl2", "--task", "DMSD", "--host", url, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "another MD5 than the official file" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("rlbench: ")
    assert list((cache / "neorl2").iterdir()) == []


def test_a_file_that_cannot_be_fetched_does_not_keep_others_away(
    cache: Path, hosts: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = hosts
    content = packed(episodes())
    pin(monkeypatch, content, episodes())
    offer(folder, "DMSD/DMSD-val.npz", content)
    done = call("data", "fetch", "neorl2", "--task", "DMSD", "--host", url, cwd=folder)
    assert done.returncode == 2
    assert "DMSD-val.npz: verified" in done.stdout
    assert "DMSD-train.npz" in done.stderr.splitlines()[-1]


def test_the_mirror_is_the_second_choice(
    cache: Path, hosts: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = hosts
    pin(monkeypatch, b"", episodes())
    offer(folder, "DMSD/train/DMSD-train.parquet", as_parquet(episodes(), index=np.arange(9)))
    told: list[str] = []
    file = DataFile("DMSD", "train")
    found = files.fetch_data(file, told.append, host=url, mirror=url)
    assert found == "verified"
    assert [line.partition(": ")[2] for line in told] == ["the host answers 404: trying the mirror"]
    data, status = files.read(file)
    assert status == "verified"
    assert content_hash(data) == content_hash(episodes())
    assert [path.name for path in (cache / "neorl2").iterdir()] == ["DMSD-train.npz"]


def test_what_cannot_be_verified_is_marked(
    cache: Path, hosts: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = hosts
    monkeypatch.delitem(files.CONTENT, "DMSD-train")
    offer(folder, "DMSD/train/DMSD-train.parquet", as_parquet(episodes()))
    file = DataFile("DMSD", "train")
    assert files.fetch_data(file, lambda text: None, host=url, mirror=url) == "unverified"
    assert files.status_here(file) == "unverified"
    with pytest.raises(UsageError, match=r"cannot be verified: .*dataset=unverified$"):
        SUITE.dataset(SUITE.task("DMSD"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"PAR1 and nothing else", "not a data file of DMSD"),
        (lambda: as_parquet(episodes())[:-9], "not a data file of DMSD"),
        (lambda: as_parquet(episodes(), obs_5=None), "there is no column obs_5"),
        (lambda: as_parquet(episodes(), reward=np.array(["a"] * 9)), "not a data file of DMSD"),
        (lambda: as_parquet(episodes()), "holds other data than the official file"),
    ],
)
def test_bad_files_of_the_mirror_are_one_line(
    cache: Path, hosts: tuple[str, Path], content: Any, message: str
) -> None:
    url, folder = hosts
    offer(folder, "DMSD/train/DMSD-train.parquet", content())
    with pytest.raises(FetchError, match=message) as caught:
        files.fetch_data(DataFile("DMSD", "train"), lambda text: None, host=url, mirror=url)
    assert "\n" not in str(caught.value)
    assert list((cache / "neorl2").iterdir()) == []


def test_networks_are_pinned(cache: Path, hosts: tuple[str, Path], shared: Path) -> None:
    url, folder = hosts
    name = "bpw/best_model0.onnx"
    assert files.networks_status() == "verified"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLBENCH_DATA", str(cache))
        sha256 = {name: files.NETWORK_SHA256[name]}
        patch.setattr(files, "NETWORK_SHA256", sha256)
        offer(folder, name, b"another")
        with pytest.raises(FetchError, match="differs from the pinned file"):
            files.fetch_networks(host=url)
        offer(folder, name, (shared / "fusion" / name).read_bytes())
        files.fetch_networks(host=url)
        assert files.networks_status([name]) == "verified"


def test_an_interruption_leaves_nothing_half_read(cache: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, says nothing
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        words = ["data", "fetch", "neorl2", "--task", "DMSD", "--host", url]
        with subprocess.Popen(
            [*COMMAND, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
            preexec_fn=heed_interrupts,
        ) as process:  # fmt: skip
            try:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1)  # it has asked
                    process.send_signal(signal.SIGINT)
                    _, err = process.communicate(timeout=30)
            finally:
                process.kill()
    assert (process.returncode, err) == (
        130,
        "interrupted: run the same command again to resume\n",
    )
    assert list((cache / "neorl2").iterdir()) == []


def test_unknown_names_are_one_line(tmp_path: Path, cache: Path) -> None:
    for words, message in (
        (("fetch", "d4rl"), "unknown dataset 'd4rl'"),
        (("fetch", "neorl2", "--task", "Hopper"), "unknown task 'Hopper'"),
        (("fetch", "neorl2", "--task", "DMSD", "--host", "file:///etc"), "not an address of http"),
        (("fetch", "parkour", "--task", "fish"), "leave out --task"),
        (("show", "parkour"), "no dataset of transitions"),
    ):
        done = call("data", *words, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert message in done.stderr


def test_lists_say_what_is_here(tmp_path: Path, cache: Path) -> None:
    put(cache, "DMSD-val", b"?")
    put(cache, "Pipeline-val", b"?")
    done = call("data", "list", "--json", cwd=tmp_path)
    found = {row["file"]: row["status"] for row in json.loads(done.stdout)}
    assert found["DMSD-val.npz"] == "damaged"
    assert found["DMSD-train.npz"] == "missing"
    assert found["parkour_cppn.npz"] == "comes with rlbench"
    assert found["procgen-reference"] == "missing"
    assert len(found) == 14 + 1 + 2 + 1


def test_parkour_has_nothing_to_fetch(tmp_path: Path, cache: Path) -> None:
    done = call("data", "fetch", "parkour", cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert "come with rlbench" in done.stdout
    assert not cache.exists()


def test_all_tasks_have_files() -> None:
    assert {file.task for file in data_files("")} == {task.name for task in SUITE.tasks}
    assert set(files.MD5) == {file.name for file in data_files("")}
    assert issubclass(FetchError, RLBenchError)
