"""Logs are bounded: the first and the last of what is written stays, whoever writes how much."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from support.faults import Bench

from rlbench.results import Store
from rlbench.runners.logs import KEPT, LEFT_OUT, MOST, Log

ENDLESS = """
import os, subprocess, sys, threading
import numpy as np


def babble():
    while Talker.steps < 40:
        print("from a thread", "x" * 500)


class Talker:
    steps = 0

    def act(self, obs, first, *, phase):
        if self.steps == 0:
            print("the very first line")
            threading.Thread(target=babble, daemon=True).start()
            # Not through Python's streams, and from another process.
            subprocess.run(["sh", "-c", "head -c 4000000 /dev/zero | tr '\\\\0' y >&2"], check=True)
        Talker.steps += 1
        for k in range(500):
            os.write(1, b"step %d, line %d\\n" % (self.steps, k))
        if self.steps == 40:
            raise ValueError("that was enough")
        return np.zeros(len(obs), dtype=int)


def make(task, *, seed, device):
    return Talker()
"""


def lines(low: int, high: int) -> bytes:
    return b"".join(b"line %09d\n" % k for k in range(low, high))


def test_a_short_log_is_all_there(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for line in (b"one\n", b"two\n"):
        with closing(Log(path)) as log:
            log.write(line)
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_long_log_has_its_beginning_and_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    n, most = 1_000_000, 0
    whole = lines(0, n)
    for begin in range(0, n, n // 10):  # as many attempts, which write one after another
        part = lines(begin, begin + n // 10)
        with closing(Log(path)) as log:
            for at in range(0, len(part), 60_000):
                log.write(part[at : at + 60_000])
                most = max(most, path.stat().st_size)
    assert len(whole) > 4 * MOST
    assert most <= MOST
    kept = path.read_bytes()
    head, _, tail = kept.partition(LEFT_OUT)
    assert kept.count(LEFT_OUT) == 1
    assert head == whole[:KEPT]
    assert len(tail) > KEPT - 100
    assert whole.endswith(tail)
    assert tail.startswith(b"line ")


def test_one_line_without_end_is_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with closing(Log(path)) as log:
        for _ in range(100):
            log.write(b"z" * 65_536)
            assert path.stat().st_size <= MOST
        log.write(b"end")
    assert path.read_bytes().endswith(b"zend")


def test_a_log_that_an_earlier_release_left_large_is_shortened(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    whole = lines(0, 1_000_000)
    path.write_bytes(whole)
    with closing(Log(path)) as log:
        log.write(b"more\n")
    kept = path.read_bytes()
    assert len(kept) <= MOST
    assert kept.startswith(whole[:KEPT] + LEFT_OUT)
    assert kept.endswith(b"line 000999999\nmore\n")


def test_what_a_process_wrote_is_there_when_it_was_caught_up_with(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log")
    code = "import os\nfor k in range(20000): os.write(2, b'line %09d\\n' % k)\n"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        log.follow(process.stderr)
        process.wait()
        log.catch_up(30.0)
        assert (tmp_path / "a.log").read_bytes() == lines(0, 20000)


def test_a_process_that_is_left_behind_in_silence_is_not_waited_for(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log")
    with subprocess.Popen(["sh", "-c", "echo hi >&2; sleep 60"], stderr=subprocess.PIPE) as process:
        log.follow(process.stderr)
        while not (tmp_path / "a.log").stat().st_size:
            pass
        log.catch_up(60.0)  # the test would time out
        process.kill()


def test_a_real_agent_that_prints_without_end_fills_no_disk(tmp_path: Path) -> None:
    """Its first words are kept, and its last ones: why it failed."""
    (tmp_path / "talker.py").write_text(ENDLESS)
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1", agent="talker")
    bench.run(1)
    (record,) = Store(bench.store).load().records
    assert record.error is not None
    assert "that was enough" in record.error.reason
    log = Store(bench.store).log_of(record.identity)
    content = log.read_bytes()
    assert KEPT < len(content) <= MOST
    assert b"the very first line" in content[:200_000]
    assert b"ValueError: that was enough" in content[-200_000:]
    assert LEFT_OUT in content
