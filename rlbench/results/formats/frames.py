"""Tables with typed columns: Parquet files, and frames of pandas."""

import io
from pathlib import Path
from typing import Any

from rlbench.errors import InvalidScores, MissingExtra
from rlbench.results.formats.building import table_of_values
from rlbench.results.formats.content import content_of
from rlbench.results.reading import Reading
from rlbench.results.tables import MAX_TABLE_BYTES, Table

FRAME = Path("the frame")  # what messages call it


def read_parquet(path: Path, _: Reading) -> Table:
    """Read a Parquet file.

    Raises:
        InvalidScores: It cannot be read.
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra(f"{path}, a Parquet file,", "parquet") from error
    try:
        content = parquet.read_table(io.BytesIO(content_of(path, MAX_TABLE_BYTES)))
        columns = [column.to_pylist() for column in content.columns]
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        if isinstance(error, InvalidScores):
            raise
        raise InvalidScores(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    return table_of_values(path, list(content.column_names), zip(*columns, strict=True))


def of_frame(frame: Any) -> Table:
    """Return the table of a frame of pandas, whose named indices are columns, too.

    Raises:
        InvalidScores: It is no frame, or its columns have several levels.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InvalidScores(f"scores are read from a path or a frame, not {type(frame).__name__}")
    if frame.columns.nlevels > 1:
        raise InvalidScores(
            f"{FRAME} has columns of {frame.columns.nlevels} levels: give a row a run, with "
            "columns agent, task and score, e.g. by stack() and reset_index()"
        )
    remark = ""
    if any(name is not None for name in frame.index.names):
        try:
            frame = frame.reset_index()
        except ValueError as error:
            raise InvalidScores(f"{FRAME} has an index called like a column: {error}") from error
    elif not isinstance(frame.index, pd.RangeIndex):
        remark = "ignored: an index without a name"
    empty = frame.isna()
    if empties := int(empty.to_numpy().sum()):
        remark = ". ".join(filter(None, [remark, f"{empties} cells hold no value (NaN)"]))
    columns = [
        [None if none else value for value, none in zip(of.tolist(), nones.tolist(), strict=True)]
        for (_, of), (_, nones) in zip(frame.items(), empty.items(), strict=True)
    ]
    return table_of_values(FRAME, list(frame.columns), zip(*columns, strict=True), remark=remark)
