"""A picture of an offline dataset: the returns and the lengths of its episodes."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UnknownName, UsageError
from rlbench.files import replace_file
from rlbench.leaderboard.drawing import COLOURS, DPI, new_figure, style
from rlbench.leaderboard.plots import FORMATS, UNDATED

_WIDTH, _HEIGHT = 5.5, 1.6  # inches: of the figure, and of a dataset in it
_MOST = 20  # datasets in one figure


def draw_data(
    datasets: Mapping[str, tuple[NDArray[np.float64], NDArray[np.int64]]], path: Path
) -> None:
    """Draw the returns of each dataset, and its returns over the lengths of episodes.

    Args:
        datasets: Name to the (E,) returns and (E,) lengths of its episodes.
        path: Of the picture: ``.png``, ``.svg`` or ``.pdf``; it is replaced.

    Raises:
        UnknownName: The ending is another.
        UsageError: The file cannot be written, or the datasets are too many.
        MissingExtra: matplotlib is not installed.
    """
    ending = path.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise UnknownName("format of a picture", ending, FORMATS)
    if len(datasets) > _MOST:
        raise UsageError(f"a picture shows {_MOST} datasets at most, not {len(datasets)}: --task")
    out = io.BytesIO()
    with style(_WIDTH):
        figure = new_figure(_WIDTH, _HEIGHT * len(datasets))
        rows = figure.subplots(len(datasets), 2, squeeze=False)
        for (name, (returns, lengths)), (left, right) in zip(datasets.items(), rows, strict=True):
            left.hist(returns, bins=min(40, 1 + len(returns) // 2), color=COLOURS[0])
            left.axvline(returns.mean(), color=COLOURS[2], linestyle="--")
            left.set_title(f"{name}: mean {returns.mean():,.4g}", parse_math=False)
            left.set_ylabel("episodes")
            right.plot(
                lengths, returns, linestyle="none", marker="o", markersize=2, alpha=0.5,
                color=COLOURS[0], markeredgewidth=0,
            )  # fmt: skip
            right.set_title("return of an episode by its length")
            right.grid()
        rows[-1][0].set_xlabel("return")
        rows[-1][1].set_xlabel("steps")
        figure.savefig(out, format=ending, dpi=DPI, metadata=UNDATED[ending])
    try:
        replace_file(path, out.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
