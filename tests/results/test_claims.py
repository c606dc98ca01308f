"""Claims: one owner at a time, and a way past owners that are gone."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rlbench.errors import StoreError
from rlbench.results import Claim, claims, read_claim


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    claim = Claim.take(path, {"phase": "start"})
    assert claim is not None
    assert claim.attempt == 1
    assert Claim.take(path, {}) is None
    found = read_claim(path)
    assert found is not None
    assert not found.stale
    assert (found.data["phase"], found.data["pid"]) == ("start", os.getpid())
    claim.renew({"phase": "train", "budget_used": 5})
    found = read_claim(path)
    assert found is not None
    assert (found.data["phase"], found.data["budget_used"]) == ("train", 5)
    claim.release({}, done=True)
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_attempts_are_counted_over_releases_that_finish_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for attempt in (1, 2, 3):
        claim = Claim.take(path, {})
        assert claim is not None
        assert claim.attempt == attempt
        claim.release({"budget_used": attempt}, done=False)
        found = read_claim(path)
        assert found is not None
        assert found.stale
        assert found.data["budget_used"] == attempt


def taken_by_another_process(path: Path, then: str, *inside: str) -> subprocess.Popen[bytes]:
    """Return a process that holds a claim."""
    code = (
        "import sys, time, pathlib; from rlbench.results import Claim\n"
        f"assert Claim.take(pathlib.Path({str(path)!r}), {{}})\nprint('taken', flush=True)\n{then}"
    )
    process = subprocess.Popen(
        [*inside, sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"taken\n"
    return process


def test_the_claim_of_a_dead_process_is_taken_over_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    process = taken_by_another_process(path, "time.sleep(60)")
    assert Claim.take(path, {}) is None
    process.kill()
    # Even before its parent has taken note of it.
    deadline = time.monotonic() + 5
    while (claim := Claim.take(path, {})) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert claim is not None
    assert claim.attempt == 2
    process.communicate()


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"start": "12"}, True),  # another process that was given its number
        ({"start": None}, True),
        ({"pid": "x"}, True),
        ({"pid": -1}, True),
        ({"pid": True}, True),
        ({"pid": 10**30}, True),
        ({"over": True}, True),
        ({"host": "elsewhere"}, False),
        ({"boot": "of another machine with the same name"}, False),
        ({"namespace": "of another container with the same name"}, False),
        ({"namespace": None}, False),
    ],
)
def test_whose_owner_is_gone(change: dict[str, object], stale: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert Claim.take(path, {})
    data = json.loads(path.read_text()) | change
    path.write_text(json.dumps(data))
    found = read_claim(path)
    assert found is not None
    assert found.stale == stale
    assert (Claim.take(path, {}) is not None) == stale


def of_another_host(path: Path, *, seconds_old: float = 0.0) -> None:
    """Write a claim of another host, whose clock may be wrong."""
    assert Claim.take(path, {})
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "elsewhere"}))
    then = time.time() - seconds_old
    os.utime(path, (then, then))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(claims, "CONFIRM_SECONDS", 0.5)


YEAR = 365 * 86400.0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seconds_old", [0.0, YEAR, -YEAR], ids=["right", "behind", "ahead"])
def test_a_silent_claim_of_another_host_is_taken_over_whatever_its_clock(
    seconds_old: float, tmp_path: Path
) -> None:
    path, watch = tmp_path / "a.json", claims.Watch()
    of_another_host(path, seconds_old=seconds_old)
    started = time.monotonic()
    assert Claim.take(path, {}, watch) is None
    while Claim.take(path, {}, watch) is None:
        assert time.monotonic() < started + 10
        time.sleep(0.02)
    assert time.monotonic() - started >= (0.5 if seconds_old > 0 else 1.0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seconds_old", [0.0, YEAR, -YEAR], ids=["right", "behind", "ahead"])
def test_a_claim_that_another_host_renews_is_left_alone_whatever_its_clock(
    seconds_old: float, tmp_path: Path
) -> None:
    path, watch = tmp_path / "a.json", claims.Watch()
    of_another_host(path, seconds_old=seconds_old)
    content = path.read_bytes()
    until = time.monotonic() + 2
    for number in range(1000):
        assert Claim.take(path, {}, watch) is None
        if time.monotonic() > until:
            break
        time.sleep(0.1)
        fresh = path.with_name("fresh")
        fresh.write_bytes(content)
        then = time.time() - seconds_old + number
        os.utime(fresh, (then, then))
        os.replace(fresh, path)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: os.mkfifo(path), id="named pipe"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="endless device"),
        pytest.param(lambda path: path.symlink_to("/nowhere"), id="link to nothing"),
        pytest.param(lambda path: (path.touch(), os.truncate(path, 10**12)), id="huge"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_cannot_be_read_is_taken_over_when_it_stays_so(make, tmp_path: Path) -> None:
    path, watch = tmp_path / "a.json", claims.Watch()
    make(path)
    assert Claim.take(path, {}, watch) is None
    time.sleep(1.1)
    assert Claim.take(path, {}, watch) is not None


ODD = ["x", -1, True, None, 10**400, 1.5, [1], {"a": {"b": [{}]}}]


@pytest.mark.parametrize("value", ODD, ids=lambda value: str(value)[:9])
def test_odd_counts_in_a_claim_count_as_none(value: object, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    odd = {"token": "t", "over": True, "attempt": value, "signalled": value}
    path.write_text(json.dumps(odd))
    claim = Claim.take(path, {})
    assert claim is not None
    assert (claim.attempt, claim.signalled) == (1, 0)


def test_signals_are_counted_over_attempts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for signalled in (0, 1, 2):
        claim = Claim.take(path, {})
        assert claim is not None
        assert claim.signalled == signalled
        claim.count_signal()
        claim.release({}, done=False)


def test_two_namespaces_of_process_numbers_are_two_hosts(tmp_path: Path) -> None:
    """A container of the same name, whose processes have numbers of their own."""
    path = tmp_path / "a.json"
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("a namespace of process numbers cannot be made here")
    process = taken_by_another_process(path, "sys.stdin.read()", *inside)
    try:
        found = read_claim(path)
        assert found is not None
        assert found.data["pid"] < 10
        assert not found.stale
        assert Claim.take(path, {}, claims.Watch()) is None
    finally:
        process.communicate(timeout=30)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1e999}', "{}"])
def test_a_file_that_is_no_claim_holds_nobody_up(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    claim = Claim.take(path, {})
    assert claim is not None
    assert claim.attempt == 1


def test_an_owner_that_was_taken_over_leaves_the_claim_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    first = Claim.take(path, {})
    path.unlink()
    second = Claim.take(path, {"phase": "second"})
    assert first is not None
    assert second is not None
    first.renew({"phase": "first"})
    first.release({}, done=True)
    found = read_claim(path)
    assert found is not None
    assert found.data["phase"] == "second"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write the claim"):
        Claim.take(tmp_path / "no" / "a.json", {})


def test_without_proc_a_process_is_asked_whether_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "Path", lambda name: tmp_path / "none" / name.lstrip("/"))
    path = tmp_path / "a.json"
    assert Claim.take(path, {})
    assert Claim.take(path, {}) is None
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": gone.pid}))
    assert Claim.take(path, {}) is not None


def test_a_claim_that_was_removed_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_claim(path) is None
    claim = Claim.take(path, {})
    assert claim is not None
    path.unlink()
    assert not claim.is_held()
    claim.renew({"phase": "train"})
    claim.release({}, done=False)
    assert not path.exists(), "it is somebody else's to take"


def test_only_one_takes_over_however_long_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"token": "t", "over": true}')
    replace_file = claims.replace_file

    def write_slowly(*arguments: Any, **options: Any) -> None:
        time.sleep(0.3)
        replace_file(*arguments, **options)

    monkeypatch.setattr(claims, "replace_file", write_slowly)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: Claim.take(path, {}), range(4)))
    assert sum(claim is not None for claim in taken) == 1
