"""A run's log: the first and the last megabyte of what its worker writes, in all attempts.

An agent that prints without end must not fill the disk. So workers write into a pipe, and the
command that started them writes the file.
"""

import os
import select
import threading
import time
from contextlib import closing, suppress
from io import BufferedReader
from pathlib import Path

from rlbench.files import open_regular, open_to_append

KEPT = 1_000_000  # bytes, from the beginning and from the end
LEFT_OUT = b"\nrlbench: lines are left out here: a log keeps its first and its last megabyte\n"
MOST = 3 * KEPT + len(LEFT_OUT)  # bytes that a log may have

_CHUNK = 65_536
_LINE = 1000  # bytes within which the end begins with a new line, if there is one
_NAP = 0.001  # seconds between two looks at whether the pipe is empty


class Log:
    """A log that is never larger than `MOST` bytes.

    What cannot be written is dropped: a full disk is no reason for a run to fail.

    Args:
        path: The file; what is in it stays.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_to_append(path)
        self._size = os.fstat(self._file.fileno()).st_size
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pipe = -1

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def write(self, data: bytes) -> None:
        """Add up to 64 KiB, leaving out what is in the middle if it is too much."""
        with suppress(OSError):
            if self._size + len(data) > MOST:
                self._shorten(data)
            else:
                self._append(data)

    def _shorten(self, data: bytes) -> None:
        """Keep the beginning and the end, of which the data is the last."""
        with open_regular(self._path) as file:
            file.seek(max(KEPT, self._size + len(data) - KEPT))
            end = file.read(KEPT) + data
        os.truncate(self._file.fileno(), KEPT)
        self._size = KEPT
        self._append(LEFT_OUT + end[end.find(b"\n", 0, _LINE) + 1 :])

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self._file.fileno(), view)
            self._size += written
            view = view[written:]

    def follow(self, pipe: BufferedReader) -> None:
        """Write what comes through a pipe, in a thread of its own, until the pipe closes."""
        self._pipe = pipe.fileno()
        self._thread = threading.Thread(target=self._copy, args=(pipe,), daemon=True)
        self._thread.start()

    def _copy(self, pipe: BufferedReader) -> None:
        ready = select.poll()
        ready.register(self._pipe, select.POLLIN)
        with pipe, closing(self):
            data = b"begin"
            while data:
                ready.poll()
                with self._lock:
                    try:
                        data = pipe.read1(_CHUNK)
                    except ValueError:  # whose it is has closed it
                        return
                    self.write(data)

    def catch_up(self, seconds: float) -> None:
        """Wait until all that is in the pipe has been written, but no longer than that."""
        ends = time.monotonic() + seconds
        while self._thread is not None and self._thread.is_alive() and time.monotonic() < ends:
            with self._lock:
                ready = select.poll()
                ready.register(self._pipe, select.POLLIN)
                waiting = ready.poll(0)
            if not waiting:
                return
            time.sleep(_NAP)
