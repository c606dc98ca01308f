"""Files over HTTP from a host on this machine: whole, in parts, and everything that goes wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from rlbench.errors import FetchError
from rlbench.suites.fetching import fetch

DATA = np.random.default_rng(0).bytes(1_000_000)
LIMIT = 2_000_000


@dataclass
class Host:
    """A host and what it does.

    Attributes:
        content: What it sends.
        url: Where.
        cut: After so many bytes of an answer it hangs up.
        hang: It sends no byte.
        ranges: It goes on where it is asked to.
        code: It answers with this instead of 200 or 206.
        headers: It sends besides.
        length: It says how long an answer is.
        asked: The ranges that it was asked for.
    """

    content: bytes = DATA
    url: str = ""
    cut: int | None = None
    hang: bool = False
    ranges: bool = True
    code: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    length: bool = True
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range", "")
        self.asked.append(wanted)
        if self.hang:
            self.over.wait(20)
            return
        start = int(wanted[6:-1]) if wanted and self.ranges else 0
        headers = dict(self.headers)
        if start >= len(self.content) > 0:
            code, body = 416, b""
            headers["Content-Range"] = f"bytes */{len(self.content)}"
        else:
            code, body = (206 if start else 200), self.content[start:]
        if code == 206:
            headers.setdefault(
                "Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            )
        handler.send_response(self.code or code)
        for name, value in headers.items():
            handler.send_header(name, value)
        if self.length:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # who has read enough has gone
            handler.wfile.write(body[: self.cut])


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/some/data.bin"
    yield made
    made.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def is_right(content: bytes) -> None:
    """Check as callers do."""
    if content != DATA:
        raise FetchError("data.bin is another file")


def get(host: Host, path: Path, check: Callable[[bytes], bytes | None] = is_right) -> None:
    fetch(host.url, path, check, limit=LIMIT, timeout=5)


def fails(host: Host, path: Path, message: str) -> None:
    """Fetch in vain: one line, and nothing has the file's name."""
    with pytest.raises(FetchError, match=message) as caught:
        get(host, path)
    assert "\n" not in str(caught.value)
    assert not path.exists()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data.npz"


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_is_fetched_with_progress(host: Host, path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    fetch(host.url, path, is_right, limit=LIMIT, progress=lambda *step: told.append(step))
    assert path.read_bytes() == DATA
    assert names(path) == ["data.npz"]
    assert told[0] == ("data.bin", 0, len(DATA))
    assert told[-1] == ("data.bin", len(DATA), len(DATA))


def test_what_is_converted_is_kept_instead(host: Host, path: Path) -> None:
    get(host, path, lambda content: content[:10])
    assert path.read_bytes() == DATA[:10]
    assert names(path) == ["data.npz"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_gone_on_with(host: Host, path: Path, ranges: bool) -> None:
    path.parent.mkdir()
    (path.parent / "data.bin.part").write_bytes(DATA[:400_000])
    host.ranges = ranges
    get(host, path)
    assert path.read_bytes() == DATA
    assert host.asked == ["bytes=400000-"]


def test_a_part_that_is_complete_is_taken(host: Host, path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "data.bin.part").write_bytes(DATA)
    get(host, path)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("part", [b"of another file", b"x" * 1_000_001, b"x" * (LIMIT + 1)])
def test_a_part_of_another_file_is_begun_anew(host: Host, path: Path, part: bytes) -> None:
    path.parent.mkdir()
    (path.parent / "data.bin.part").write_bytes(part)
    get(host, path)
    assert path.read_bytes() == DATA
    assert host.asked[-1] == ""


def test_a_connection_that_ends_early_is_made_again(host: Host, path: Path) -> None:
    host.cut = 300_000
    get(host, path)
    assert path.read_bytes() == DATA
    assert host.asked == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_host_that_sends_nothing_more_leaves_what_came(host: Host, path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "data.bin.part").write_bytes(DATA[:5000])
    host.cut = 0
    fails(host, path, r"the connection ended early after 5,000 bytes, which are kept")
    assert (path.parent / "data.bin.part").read_bytes() == DATA[:5000]
    host.cut = None
    get(host, path)
    assert path.read_bytes() == DATA


def test_a_file_whose_length_is_not_said(host: Host, path: Path) -> None:
    host.length = False
    get(host, path)
    assert path.read_bytes() == DATA


def test_another_file_is_refused_and_not_kept(host: Host, path: Path) -> None:
    host.content = DATA[:-1] + b"?"
    fails(host, path, "data.bin is another file")
    assert names(path) == []


def test_a_file_that_was_there_stays(host: Host, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"before")
    host.code = 404
    with pytest.raises(FetchError, match=r"data\.bin: the host answers 404$"):
        get(host, path)
    assert path.read_bytes() == b"before"


def test_a_web_page_is_no_file(host: Host, path: Path) -> None:
    host.headers = {"Content-Type": "text/html; charset=utf-8"}
    fails(host, path, "a web page instead of the file")
    assert names(path) == []


@pytest.mark.parametrize("length", [True, False])
def test_too_many_bytes_are_refused(host: Host, path: Path, length: bool) -> None:
    host.content, host.length = bytes(LIMIT + 1), length
    fails(host, path, "over the limit|more bytes than the limit")


def test_an_overloaded_host_is_asked_again(host: Host, path: Path) -> None:
    host.code = 502
    fails(host, path, "the host answers 502$")
    assert len(host.asked) == 3


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_a_redirect_leads_to_no_other_protocol(host: Host, path: Path, target: str) -> None:
    host.code, host.headers = 302, {"Location": target}
    fails(host, path, "the host answers 302: its redirect is refused$")


def test_redirects_that_go_round_end(host: Host, path: Path) -> None:
    host.code, host.headers = 302, {"Location": host.url}
    fails(host, path, "the host answers 302: its redirect is refused$")


def test_a_redirect_is_followed_with_its_range(host: Host, path: Path, tmp_path: Path) -> None:
    target = host.url
    path.parent.mkdir()
    (path.parent / "data.bin.part").write_bytes(DATA[:7])
    answer = host.answer

    def first_elsewhere(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/elsewhere/data.bin"):
            handler.send_response(307)
            handler.send_header("Location", target)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            answer(handler)

    host.answer = first_elsewhere  # type: ignore[method-assign]
    url = target.replace("/some/", "/elsewhere/")
    fetch(url, path, is_right, limit=LIMIT, timeout=5)
    assert path.read_bytes() == DATA
    assert host.asked == ["bytes=7-"]


def test_another_part_than_was_asked_for_is_refused(host: Host, path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "data.bin.part").write_bytes(DATA[:100])
    host.headers = {"Content-Range": "bytes 50-999999/1000000"}
    get(host, path)
    assert path.read_bytes() == DATA
    assert host.asked == ["bytes=100-", ""]


def test_a_host_that_says_nothing_is_left(host: Host, path: Path) -> None:
    host.hang = True
    begin = time.monotonic()
    with pytest.raises(FetchError, match=r"no answer in 0\.2 seconds$"):
        fetch(host.url, path, is_right, limit=LIMIT, timeout=0.2)
    assert time.monotonic() - begin < 15
    assert len(host.asked) == 3


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/data.bin", "file:///etc/hostname", "nonsense", "http://[/data.bin"]
)
def test_no_host_is_one_line(path: Path, url: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(url, path, is_right, limit=LIMIT, timeout=1)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_one_line(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match="cannot write"):
        get(host, tmp_path / "file" / "data.npz")
