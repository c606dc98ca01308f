"""Copies of data files that are mapped: written once, checked, and never half there."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.errors import UsageError
from rlbench.suites import mapped as module
from rlbench.suites.mapped import mapped
from rlbench.suites.neorl2 import files
from rlbench.suites.neorl2.files import DataFile

ARRAYS = {"obs": np.arange(12, dtype=np.float32).reshape(4, 3), "done": np.eye(4, dtype=bool)[3]}


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "copies_folder", lambda: tmp_path / "mapped")
    return tmp_path / "mapped"


class Unpack:
    """Counts how often a file is unpacked."""

    times = 0

    def __call__(self) -> dict[str, Any]:
        self.times += 1
        return ARRAYS


def assert_mapped(found: dict[str, Any]) -> None:
    assert list(found) == list(ARRAYS)
    for key, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[key])
        assert array.dtype == ARRAYS[key].dtype
        assert type(array) is np.ndarray
        assert isinstance(array.base, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_file_is_unpacked_once(copies: Path) -> None:
    unpack = Unpack()
    for _ in range(3):
        assert_mapped(mapped(b"a file", "kind", unpack))
    assert unpack.times == 1
    (folder,) = copies.iterdir()
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".npy", ".npy"]
    assert mapped(b"another file", "kind", unpack).keys() == ARRAYS.keys()
    assert mapped(b"a file", "another kind", unpack).keys() == ARRAYS.keys()
    assert (unpack.times, len(list(copies.iterdir()))) == (3, 3)


@pytest.mark.parametrize("damage", ["byte", "short", "gone", "names", "pickle"])
def test_a_damaged_copy_is_written_anew(copies: Path, damage: str) -> None:
    unpack = Unpack()
    mapped(b"a file", "kind", unpack)
    (path,) = copies.glob("*/obs-*.npy")
    content = path.read_bytes()
    if damage == "byte":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "short":
        path.write_bytes(content[:-5])
    elif damage == "gone":
        path.unlink()
    elif damage == "names":
        (path.parent / "names").unlink()
    else:
        out = io.BytesIO()
        np.save(out, np.array([{}]), allow_pickle=True)
        path.write_bytes(out.getvalue())
    assert_mapped(mapped(b"a file", "kind", unpack))
    assert unpack.times == 2
    assert_mapped(mapped(b"a file", "kind", unpack))
    assert unpack.times == 2
    assert len(list(copies.iterdir())) == 1


def test_a_file_that_cannot_be_read_leaves_nothing(copies: Path) -> None:
    def unpack() -> Any:
        raise UsageError("it is damaged")

    with pytest.raises(UsageError, match="it is damaged"):
        mapped(b"a file", "kind", unpack)
    assert not copies.exists()


def test_without_a_copy_arrays_are_held_in_memory(
    copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies.write_text("a file where the folder would be")
    found = mapped(b"a file", "kind", Unpack())
    np.testing.assert_array_equal(found["obs"], ARRAYS["obs"])
    assert not isinstance(found["obs"].base, np.memmap)


def test_a_write_that_fails_leaves_nothing(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "rename", fails)
    np.testing.assert_array_equal(mapped(b"a file", "kind", Unpack())["obs"], ARRAYS["obs"])
    assert list(copies.iterdir()) == []


def test_data_of_neorl2_are_mapped_and_belong_to_a_task(
    copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    out = io.BytesIO()
    wide = {key: np.zeros((4, size), np.float32) for key, size in
            (("obs", 6), ("action", 2), ("next_obs", 6))}  # fmt: skip
    ends = np.array([0, 1, 0, 1], np.float32)
    np.savez_compressed(out, **wide, reward=ends, done=ends, truncated=0.0 * ends)
    for name in ("DMSD-val", "Pipeline-val"):
        path = tmp_path / "neorl2" / f"{name}.npz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(out.getvalue())
    for _ in range(2):
        data, status = files.read(DataFile("DMSD", "val"))
        assert status == "other"
        assert isinstance(data.obs.base, np.memmap)
        assert data.done.dtype == np.bool_
    with pytest.raises(UsageError, match="obs has the shape"):
        files.read(DataFile("Pipeline", "val"))
