"""Checkpoints on their way between machines."""

import shutil
from pathlib import Path

import pytest

from rlbench.results import Training
from rlbench.runners.backends import transfer
from rlbench.runners.checkpoint import Checkpoints


def save(folder: Path, *, steps: int, actions: bytes, agent: bytes) -> Checkpoints:
    """Write a checkpoint as a worker does."""
    found = Checkpoints(folder, 1.0)
    found.latest()

    def write(place: Path) -> None:
        (place / "agent").mkdir()
        (place / "agent/weights").write_bytes(agent)

    found.save(
        write, actions, b"replayed", budget_used=steps, digest="", evaluations=(),
        training=Training(episodes=0, ends=(), returns=()), proposals=None, replay=None,
        engine=None, seconds={}, parts=[], randomness={},
    )  # fmt: skip
    return found


def move(source: Path, target: Path, archive: Path) -> str:
    name = transfer.pack(source, archive)
    copy = archive.with_suffix(".copy")
    copy.write_bytes(b"".join(transfer.pieces(archive)))
    transfer.unpack(copy, target)
    return name


def test_the_newest_checkpoint_is_all_that_arrives(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    save(here, steps=10, actions=b"0" * 10, agent=b"young")
    assert move(here, there, tmp_path / "one") == "10-0"
    save(here, steps=30, actions=b"1" * 20, agent=b"old")
    with (here / "actions").open("ab") as file:
        file.write(b"not yet in a checkpoint")
    assert move(here, there, tmp_path / "two") == "30-0" == transfer.newest(there)
    found = Checkpoints(there, 1.0).latest()
    assert found is not None
    assert found.budget_used == 30
    assert (found.folder / "agent/weights").read_bytes() == b"old"
    assert Checkpoints(there, 1.0).actions_until(found) == b"0" * 10 + b"1" * 20
    assert sorted(path.name for path in there.iterdir()) == ["30-0", "actions"]
    assert (there / "actions").stat().st_size == 30


def test_a_run_that_began_anew_replaces_what_was_there(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    save(here, steps=50, actions=b"0" * 50, agent=b"first")
    move(here, there, tmp_path / "one")
    shutil.rmtree(here)
    save(here, steps=20, actions=b"1" * 20, agent=b"second")
    move(here, there, tmp_path / "two")
    found = Checkpoints(there, 1.0).latest()
    assert found is not None
    assert found.budget_used == 20


def test_nothing_is_packed_of_a_checkpoint_that_is_gone_or_torn(tmp_path: Path) -> None:
    assert transfer.pack(tmp_path / "none", tmp_path / "archive") == ""
    save(tmp_path / "here", steps=10, actions=b"0" * 10, agent=b"a")
    (tmp_path / "here/10-0/state.json").unlink()
    assert transfer.pack(tmp_path / "here", tmp_path / "archive") == ""


def test_what_is_no_archive_leaves_the_checkpoint_that_was_there(tmp_path: Path) -> None:
    save(tmp_path / "here", steps=10, actions=b"0" * 10, agent=b"a")
    (tmp_path / "archive").write_bytes(b"x" * 2000)
    with pytest.raises(OSError, match="not an archive"):
        transfer.unpack(tmp_path / "archive", tmp_path / "here")
    assert Checkpoints(tmp_path / "here", 1.0).latest() is not None
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["10-0", "actions"]


def test_a_checkpoint_that_lost_a_file_on_its_way_replaces_none(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    save(there, steps=10, actions=b"0" * 10, agent=b"old")
    save(here, steps=20, actions=b"0" * 20, agent=b"new")
    (here / "20-0/agent/weights").unlink()
    with pytest.raises(OSError, match="received incompletely"):
        move(here, there, tmp_path / "archive")
    assert transfer.newest(there) == "10-0"
    assert Checkpoints(there, 1.0).latest() is not None


def test_a_large_file_comes_in_pieces(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    (tmp_path / "archive").write_bytes(content)
    pieces = list(transfer.pieces(tmp_path / "archive"))
    assert [len(piece) for piece in pieces] == [4_000_000, 4_000_000, 2_240_000, 0]
    assert b"".join(pieces) == content
