"""TensorBoard's event files: one run's scalars.

A file holds records: the length of the data (8 bytes), its checksum (4), the data, and the data's
checksum (4). The data is an ``Event`` of TensorBoard's protocol buffers, which tensorboardX
brings along.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rlbench.errors import InvalidScores, MissingExtra
from rlbench.results.formats.building import scored, table_of_values
from rlbench.results.formats.charts import named, run_of
from rlbench.results.formats.content import content_of, stem_of
from rlbench.results.reading import ALIASES, Reading, fold
from rlbench.results.tables import MAX_TABLE_BYTES, Table

EVENTS_NOTE = "the score is the last value of a log, not of an evaluation"
NAME = "events.out.tfevents."

_HEAD, _FOOT = struct.Struct("<QI"), struct.Struct("<I")
_SCALAR_BYTES = 10_000  # records of scalars are small; larger ones hold pictures and the like


class Point(NamedTuple):
    """A value of a scalar."""

    step: int
    value: float


def is_events(path: Path) -> bool:
    """Say whether a path is an event file by its name, or a folder of them without monitors."""
    if not path.is_dir():
        return path.name.startswith(NAME)
    return bool(_files(path)) and not any(path.glob("*monitor.csv"))


def read_events(path: Path, reading: Reading) -> Table:
    """Read the event files of one run.

    Args:
        path: A file, or the run's folder; a run that was resumed has several files.
        reading: Its column ``score`` is the tag to take, where several may be the score.

    Raises:
        InvalidScores: A file cannot be read, or which tag is the score is not clear.
        MissingExtra: tensorboardX is not installed.
    """
    files = _files(path) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    runs = [_scalars(file) for file in files]
    tags = list(dict.fromkeys(tag for run in runs for tag in run))
    tag = _tag(path, tags, reading)
    points, remarks = _resumed(path, [run[tag] for run in runs if tag in run])
    points, more = _one_a_step(points)
    kept, early = scored(
        path, [p.value for p in points], [f"step {p.step}" for p in points], [""] * len(points)
    )
    if early:
        more.append(f"left out: {early} points before the first score, where it is NaN")
    if not kept:
        raise InvalidScores(f"{path} has no scores: {tag} is NaN at every step")
    name = stem_of(folder)
    (said,) = named(folder, [name], reading) if run_of(name) else ({},)
    score = tag if "score" in reading.columns or fold(tag) in ALIASES["score"] else "score"
    others = f"; ignored: {len(tags) - 1} other tags" if len(tags) > 1 else ""
    remark = ". ".join([f"score is the tag {tag}{others}", *remarks, *more, EVENTS_NOTE])
    rows = ([*said.values(), points[n].step, points[n].value] for n in kept)
    places = [f"step {points[n].step}" for n in kept]
    return table_of_values(folder, [*said, "step", score], rows, places, remark)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob(f"{NAME}*") if file.is_file())


def _tag(path: Path, tags: Sequence[str], reading: Reading) -> str:
    """Return the tag that is the score.

    Raises:
        InvalidScores: There is none, or several may be.
    """
    known = f"its tags are {', '.join(tags[:12]) or 'none'}"
    if wanted := reading.columns.get("score"):
        found = [tag for tag in tags if tag == wanted] or [
            tag for tag in tags if fold(tag) == fold(wanted)
        ]
        if len(found) != 1:
            raise InvalidScores(f"{path} has no tag {wanted!r}: {known}")
        return found[0]
    found = [tag for tag in tags if fold(tag) in ALIASES["score"]]
    found = found or [tag for tag in tags if fold(tag.rpartition("/")[2]) in ALIASES["score"]]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidScores(
            f"{path}: the tags {', '.join(found)} may all be the score: name one, --columns "
            f"score={found[0]}"
        )
    raise InvalidScores(
        f"{path}: which tag is the score is not clear, --columns score=TAG; {known}"
    )


def _resumed(path: Path, parts: Sequence[list[Point]]) -> tuple[list[Point], list[str]]:
    """Return the points of a run's files one after another, and what must be said.

    A run that was resumed goes back to its last checkpoint: what its earlier files hold from there
    on is left out.
    """
    parts = sorted(parts, key=lambda part: part[0].step)
    points = list(parts[0])
    for part in parts[1:]:
        if part[0].step <= parts[0][0].step:
            raise InvalidScores(
                f"{path} holds event files of several runs: give each run a folder of its own"
            )
        points = [point for point in points if point.step < part[0].step] + part
    left = sum(map(len, parts)) - len(points)
    again = f"; left out: {left} points from before it was resumed" if left else ""
    return points, ([f"one run in {len(parts)} files{again}"] if len(parts) > 1 else [])


def _one_a_step(points: Sequence[Point]) -> tuple[list[Point], list[str]]:
    """Return the mean of the values at each step, and what must be said."""
    at: dict[int, list[float]] = {}
    for step, value in points:
        at.setdefault(step, []).append(value)
    several = sum(len(values) > 1 for values in at.values())
    means = [Point(step, sum(values) / len(values)) for step, values in at.items()]
    return means, ([f"{several} steps hold several values: their mean"] if several else [])


def _scalars(path: Path) -> dict[str, list[Point]]:
    """Return the scalars of an event file by tag, in the order of the file.

    Raises:
        InvalidScores: It cannot be read, or is damaged before its end.
        MissingExtra: tensorboardX is not installed.
    """
    try:
        from google.protobuf.message import DecodeError
        from tensorboardX.proto.event_pb2 import Event
    except ImportError as error:
        raise MissingExtra(f"{path}, an event file of TensorBoard,", "tensorboard") from error
    found: dict[str, list[Point]] = {}
    for n, data in enumerate(_records(path), 1):
        try:
            event = Event.FromString(data)
        except DecodeError as error:
            raise InvalidScores(f"{path}, record {n}: no event of TensorBoard") from error
        for item in event.summary.value:
            value = _value_of(item)
            if value is not None:
                found.setdefault(item.tag, []).append(Point(event.step, value))
    return found


def _records(path: Path) -> Iterator[bytes]:
    """Yield the records of a file that are small; the last one may be cut short, and is left out.

    Raises:
        InvalidScores: It cannot be read, or a checksum is wrong.
    """
    from tensorboardX.record_writer import masked_crc32c

    content = content_of(path, MAX_TABLE_BYTES)
    at = 0
    while at + _HEAD.size <= len(content):
        size, check = _HEAD.unpack_from(content, at)
        if masked_crc32c(content[at : at + 8]) != check:
            raise InvalidScores(f"{path} is damaged at byte {at:,}, or is not an event file")
        start, end = at + _HEAD.size, at + _HEAD.size + size
        if end + _FOOT.size > len(content):
            return
        if size <= _SCALAR_BYTES:
            data = content[start:end]
            if masked_crc32c(data) != _FOOT.unpack_from(content, end)[0]:
                raise InvalidScores(f"{path} is damaged at byte {start:,}")
            yield data
        at = end + _FOOT.size


def _value_of(item: Any) -> float | None:
    """Return the number of a summary's value, or None if it is something else."""
    if item.HasField("simple_value"):
        return float(item.simple_value)
    if not item.HasField("tensor"):
        return None
    tensor = item.tensor
    for values in (tensor.float_val, tensor.double_val):
        if len(values) == 1:
            return float(values[0])
    if tensor.dtype == 1 and len(tensor.tensor_content) == 4:  # DT_FLOAT
        return float(struct.unpack("<f", tensor.tensor_content)[0])
    return None
