"""Pictures of runs: PNG, and animated PNG, which browsers and most viewers play.

Sources: the PNG specification, third edition (W3C, 2025), whose chunks ``acTL``, ``fcTL`` and
``fdAT`` make a picture move.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rlbench.results import Record, Store
from rlbench.runners.replay import Frame, frames, task_frames
from rlbench.suites import Suite

SHOWN = 8  # moments of an episode in a picture
COLUMNS = 4
MOST_FRAMES = 2000  # of a video
STEPS_A_SECOND = 15  # where environments do not say: Atari's 60 frames a second, 4 a step
_LEAST_HEIGHT = 200  # smaller ones are enlarged
_MARGIN = 4


def picture_of(record: Record, store: Store, suite: Suite | None = None) -> bytes:
    """Return a PNG with moments of the first episode of a record's final evaluation.

    Raises:
        StoreError: As `rlbench.runners.replay.frames`.
        UsageError: The same.
    """
    length = record.final.lengths[0]
    steps = np.unique(np.linspace(0, length - 1, SHOWN).round().astype(int))
    found = frames(record, store, steps.tolist(), suite).frames
    return png([grid([_enlarged(frame) for frame in found])])


def video_of(record: Record, store: Store, suite: Suite | None = None) -> tuple[bytes, int]:
    """Return an animated PNG of that episode, and that it shows one of how many steps.

    Raises:
        StoreError: As `rlbench.runners.replay.frames`.
        UsageError: The same.
    """
    length = record.final.lengths[0]
    every = -(-length // MOST_FRAMES)
    found = frames(record, store, range(0, length, every), suite)
    fps = found.fps or STEPS_A_SECOND
    return png([_enlarged(frame) for frame in found.frames], fps), every


def terrains_of(record: Record, suite: Suite | None = None) -> bytes:
    """Return a PNG of tasks that a record's teacher proposed, the first on top.

    Raises:
        UsageError: As `rlbench.runners.replay.task_frames`.
    """
    return png([grid(task_frames(record, SHOWN, suite), columns=1)])


def grid(pictures: Sequence[Frame], columns: int = COLUMNS) -> Frame:
    """Return pictures of one size as one, row by row, on white."""
    height, width, _ = pictures[0].shape
    rows, columns = -(-len(pictures) // columns), min(len(pictures), columns)
    down, right = height + _MARGIN, width + _MARGIN
    page = np.full((rows * down - _MARGIN, columns * right - _MARGIN, 3), 255, np.uint8)
    for n, picture in enumerate(pictures):
        top, left = n // columns * down, n % columns * right
        page[top : top + height, left : left + width] = picture
    return page


def png(pictures: Sequence[Frame], fps: int = STEPS_A_SECOND) -> bytes:
    """Return a PNG of a picture, or an animated one of several of one size, which begins again.

    Args:
        pictures: (height, width, 3) uint8 each.
        fps: How many are shown a second.
    """
    height, width, _ = pictures[0].shape
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    if len(pictures) == 1:
        parts.append(_chunk(b"IDAT", _packed(pictures[0])))
    else:
        parts.append(_chunk(b"acTL", struct.pack(">II", len(pictures), 0)))
        number = 0
        for n, picture in enumerate(pictures):
            top, left, changed = _changed(pictures[n - 1], picture) if n else (0, 0, picture)
            place = struct.pack(
                ">IIIIIHHBB", number, *changed.shape[1::-1], left, top, 1, fps, 0, 0
            )
            parts.append(_chunk(b"fcTL", place))
            name, head = (b"fdAT", struct.pack(">I", number + 1)) if n else (b"IDAT", b"")
            parts.append(_chunk(name, head + _packed(changed)))
            number += 1 + (n > 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", *parts, _chunk(b"IEND", b"")])


def _changed(before: Frame, now: Frame) -> tuple[int, int, Frame]:
    """Return where a picture differs from the one before it: top, left, and the part from there."""
    differs = (before != now).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return 0, 0, now[:1, :1]
    top, left = int(rows[0]), int(columns[0])
    return top, left, now[top : rows[-1] + 1, left : columns[-1] + 1]


def _packed(picture: Frame) -> bytes:
    """Return the lines of a picture, each after its filter: none."""
    lines = picture.reshape(len(picture), -1)
    return zlib.compress(np.pad(lines, ((0, 0), (1, 0))).tobytes(), 6)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def _enlarged(picture: NDArray[np.uint8]) -> Frame:
    """Return a small picture with each point as a square of points."""
    times = -(-_LEAST_HEIGHT // picture.shape[0])
    return picture.repeat(times, axis=0).repeat(times, axis=1)
