"""Files are written whole or not at all, and none takes the place of another unasked."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.files import add_file, replace_file


@pytest.fixture
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_link)


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_is_not_taken_over(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        without_links(monkeypatch)
    add_file(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        add_file(tmp_path / "a", b"two")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(FileExistsError):
        add_file(tmp_path / "dangling", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "dangling"]


def test_a_file_is_replaced_with_the_rights_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    replace_file(tmp_path / "a", b"one")
    replace_file(tmp_path / "a", b"two", durable=False)
    assert (tmp_path / "a").read_bytes() == b"two"
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "plain"]


@pytest.mark.usefixtures("no_space")
@pytest.mark.parametrize("write", [replace_file, add_file])
def test_a_full_disk_leaves_what_was_there(
    write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"one")
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_copy_that_fails_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = tmp_path / "apart"
    apart.mkdir()
    without_links(monkeypatch)
    synced: list[int] = []

    def full_at_the_second(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OSError, match="No space"):
        add_file(tmp_path / "a", b"one", apart=apart)
    assert [path.name for path in tmp_path.iterdir()] == ["apart"]
    assert not list(apart.iterdir())
