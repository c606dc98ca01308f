"""Shrinking pictures by area, as ``cv2.INTER_AREA`` does, in whole numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.compiled import compiled
from rlbench.errors import UsageError


class _Taps(NamedTuple):
    """What a line of pixels becomes: pixel i is the weighted sum of `number[i]` from `first[i]`."""

    first: NDArray[np.int32]
    number: NDArray[np.int32]
    weights: NDArray[np.int32]


class Shrinker:
    """Shrinks pictures (height, width, 3) of uint8 to another size.

    Each new pixel is the mean of the area that it covers, rounded to the nearest integer: sums of
    whole numbers, so nothing depends on the order of adding.

    Args:
        old: (height, width) of what comes.
        new: (height, width) of what is wanted.

    Raises:
        UsageError: The new size is larger.
    """

    def __init__(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        if new[0] > old[0] or new[1] > old[1] or min(new) < 1:
            raise UsageError(
                f"a picture of {old[0]}x{old[1]} cannot be shrunk to {new[0]}x{new[1]}: give a "
                "height and a width that are not larger"
            )
        self._down, self._across = _taps(old[0], new[0]), _taps(old[1], new[1])
        self._line = np.empty(old[1] * 3, dtype=np.int32)
        self._area = old[0] * old[1]

    def __call__(self, picture: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Put the picture, shrunk, into `out`; both must be contiguous."""
        _shrink(
            picture.reshape(len(picture), -1), out, *self._down, *self._across, self._line,
            self._area,
        )  # fmt: skip


def _taps(old: int, new: int) -> _Taps:
    """Return how much of each old pixel lies under each new one, in 1 / new of its width."""
    spans = [range(i * old // new, -(-(i + 1) * old // new)) for i in range(new)]
    weights = np.zeros((new, max(map(len, spans))), dtype=np.int32)
    for i, span in enumerate(spans):
        for k, pixel in enumerate(span):
            begin, end = max(i * old, pixel * new), min((i + 1) * old, (pixel + 1) * new)
            weights[i, k] = end - begin
    return _Taps(
        np.array([span.start for span in spans], dtype=np.int32),
        np.array([len(span) for span in spans], dtype=np.int32),
        weights,
    )


@compiled(nogil=True)
def _shrink(
    rows: NDArray[np.uint8],
    out: NDArray[np.uint8],
    top: NDArray[np.int32],
    high: NDArray[np.int32],
    down: NDArray[np.int32],
    left: NDArray[np.int32],
    wide: NDArray[np.int32],
    across: NDArray[np.int32],
    line: NDArray[np.int32],
    area: int,
) -> None:
    """Sum rows into a line first, which the compiler vectorises, then pixels of the line."""
    for i in range(out.shape[0]):
        for j in range(line.shape[0]):
            line[j] = down[i, 0] * np.int32(rows[top[i], j])
        for k in range(1, high[i]):
            weight, row = down[i, k], rows[top[i] + k]
            for j in range(line.shape[0]):
                line[j] += weight * np.int32(row[j])
        for x in range(out.shape[1]):
            red, green, blue = np.int32(0), np.int32(0), np.int32(0)
            at = left[x] * 3
            for k in range(wide[x]):
                weight = across[x, k]
                red += weight * line[at]
                green += weight * line[at + 1]
                blue += weight * line[at + 2]
                at += 3
            out[i, x, 0] = (red + area // 2) // area
            out[i, x, 1] = (green + area // 2) // area
            out[i, x, 2] = (blue + area // 2) // area
