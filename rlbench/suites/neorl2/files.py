"""NeoRL-2's files: what they are, where they come from, and how one is read and checked.

A data file is verified by the MD5 that the benchmark publishes, or by a hash of what is in it: the
mirror's files, and those that were saved again, hold the same numbers in other bytes.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import FetchError, MissingExtra, UnknownName, UsageError, one_line
from rlbench.files import read_bounded
from rlbench.suites.fetching import (
    MAX_BYTES,
    TIMEOUT,
    Progress,
    data_folder,
    fetch,
    status_of,
)
from rlbench.suites.mapped import mapped
from rlbench.suites.neorl2.protocols import MD5, NETWORK_SHA256, TRAJECTORIES
from rlbench.suites.npz import read_npz

HOST = "http://datasets.polixir.site/neorl2"
MIRROR = "https://huggingface.co/datasets/polixirai/NeoRL2/resolve/main"
# The networks of Fusion: polixir/NeoRL2, from jaem-seo/KSTAR_tokamak_simulator (MIT).
NETWORK_HOST = (
    "https://raw.githubusercontent.com/polixir/NeoRL2/21e2885da340234b003ad28218667ed08ee5b837"
    "/neorl2/envs/data/fusion_lstm/weights"
)
SPLITS = ("train", "val")

_WIDE = ("obs", "action", "next_obs")
_FLOATS = (*_WIDE, "reward")
_ENDS = ("done", "truncated")

# `content_hash` of the trajectories that count, from files whose MD5 was right. That of
# Fusion-train is of the first 20 of Fusion-val: their mean return is the published one, to the
# last digit.
CONTENT = {
    "Simglucose-train": "b65e39b50330b9da48f1d4c291b54600c7cc203bb0f6396a9deb07be22bfe7df",
    "Simglucose-val": "996cd905dd13bf70a162ee9dc896b98d2a25e6d2b7370801f433dd2c08d7f981",
    "RocketRecovery-val": "b344e9de2dd49acc0d925008ea588d93ebd1e6e8a24b6c819b9b5ed6745c3834",
    "RandomFrictionHopper-val": "474897f9f131f4ab62ebbde0726662006aec2405f9fd82713aff03e8b493c5bb",
    "DMSD-train": "6c8cbab2b23eb0ae912894021af6ba91d429c52921b48983263a105b8b9b155c",
    "DMSD-val": "b189ef936ae208be122a583c00773e820a54224a5bf330cbf978099fca3c3989",
    "Fusion-train": "0fa563d42a5e369bdfad0a192b0ca0d60091a580b2322e6ef1bcdd7463c8f5ed",
    "Fusion-val": "1db55d594c08d57fe83ff693e0b135da450b6c33e737357347e0b3f6d230e565",
    "SafetyHalfCheetah-train": "aac57e344000001b1e204bd4fbbebcfb980b03c6804042baf787f4741e23b1a4",
    "SafetyHalfCheetah-val": "cf874df675a20d2c1ff6359c6a515d9817bc596125631cb15a69ad8e4f9fd131",
}
# The numbers of an observation and of an action.
_SIZES = {
    "Pipeline": (52, 1),
    "Simglucose": (31, 1),
    "RocketRecovery": (7, 2),
    "RandomFrictionHopper": (13, 3),
    "DMSD": (6, 2),
    "Fusion": (15, 6),
    "SafetyHalfCheetah": (18, 6),
}


class Trajectories(NamedTuple):
    """What a file holds: episodes, one after the other.

    Attributes:
        obs: (N, d) float32
        action: (N, a) float32
        next_obs: (N, d) float32
        reward: (N,) float32
        done: (N,) bool, a terminal state followed.
        truncated: (N,) bool, the episode was cut off.
    """

    obs: NDArray[np.float32]
    action: NDArray[np.float32]
    next_obs: NDArray[np.float32]
    reward: NDArray[np.float32]
    done: NDArray[np.bool_]
    truncated: NDArray[np.bool_]

    @property
    def ends(self) -> NDArray[np.intp]:
        """(E,) The rows in which episodes end."""
        return np.flatnonzero(self.done | self.truncated)

    def first(self, number: int) -> "Trajectories":
        """Return the first episodes; all of them for 0, or if they are fewer."""
        ends = self.ends
        if not 0 < number < len(ends):
            return self
        return Trajectories._make(array[: ends[number - 1] + 1] for array in self)

    def pick(self, numbers: Sequence[int]) -> "Trajectories":
        """Return the episodes of these numbers, from 0 on, in the order of the file."""
        ends = self.ends
        starts = np.concatenate([[0], ends[:-1] + 1])
        rows = np.concatenate([np.arange(starts[k], ends[k] + 1) for k in sorted(numbers)])
        return Trajectories._make(array[rows] for array in self)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a task's data.

    Attributes:
        task: The task.
        split: ``train`` or ``val``.
    """

    task: str
    split: str

    @property
    def name(self) -> str:
        """What it is called, without an ending."""
        return f"{self.task}-{self.split}"

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return data_folder() / "neorl2" / f"{self.name}.npz"

    @property
    def count(self) -> int:
        """The trajectories that count; 0 for all."""
        return TRAJECTORIES[self.task][SPLITS.index(self.split)]


def data_files(task: str) -> tuple[DataFile, ...]:
    """Return the files of a task; for an empty name those of all tasks.

    Raises:
        UnknownName: There is no such task.
    """
    names = {name.casefold(): name for name in _SIZES}
    if task and task.casefold() not in names:
        raise UnknownName("task", task, _SIZES, see="rlbench list tasks --suite neorl2")
    chosen = (names[task.casefold()],) if task else tuple(_SIZES)
    return tuple(DataFile(name, split) for name in chosen for split in SPLITS)


def chosen(file: DataFile, number: int, percent: int, seed: int) -> list[int]:
    """Return which of a file's trajectories are a part of them: the first of a fixed order.

    Args:
        file: Which.
        number: Of the trajectories.
        percent: Of them, rounded up.
        seed: Of the order.

    >>> few, many = (chosen(DataFile("DMSD", "train"), 1000, p, 0) for p in (1, 10))
    >>> len(few), len(many), set(few) < set(many)
    (10, 100, True)
    """

    def place(trajectory: int) -> str:
        text = f"{seed} {file.task} {file.split} {trajectory}"
        return hashlib.sha256(text.encode()).hexdigest()

    return sorted(range(number), key=place)[: -(-number * percent // 100)]


def content_hash(data: Trajectories) -> str:
    """Return the sha256 of the arrays, whatever they were saved as."""
    found = hashlib.sha256()
    for key, array in data._asdict().items():
        little = np.ascontiguousarray(array, dtype="<f4" if key in _FLOATS else np.bool_)
        found.update(f"{key} {little.dtype.str} {little.shape}\n".encode())
        found.update(little.data.cast("B"))
    return found.hexdigest()


def status(file: DataFile, content: bytes, data: Trajectories) -> str:
    """Say whether data are the official ones: ``verified``, ``unverified`` or ``other``."""
    known = CONTENT.get(file.name)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() == MD5[file.name]:
        return "verified"
    if known is None:
        return "unverified"
    return "verified" if content_hash(data.first(file.count)) == known else "other"


def read(file: DataFile) -> tuple[Trajectories, str]:
    """Read a file that is here.

    The first 20 trajectories of Fusion's validation data are its training data: without a file of
    their own, they are taken from there.

    Returns:
        All that it holds, mapped (see `rlbench.suites.mapped`), and its `status`.

    Raises:
        UsageError: It is not here, or is no such file.
    """
    path, content = _content(file)
    try:
        arrays = mapped(content, f"neorl2 {file.task}", lambda: parse(content, file.task)._asdict())
        data = Trajectories(**arrays)
    except UsageError as error:
        raise UsageError(f"{path}: {error}; delete it and fetch it again") from error
    return data, status(file, content, data)


def _content(file: DataFile) -> tuple[Path, bytes]:
    """Return what is in a file that is here, and where that is."""
    path = file.path
    if file.name == "Fusion-train" and not path.exists():
        other = DataFile("Fusion", "val").path
        path = other if other.exists() else path
    try:
        content = read_bounded(path, MAX_BYTES)
    except FileNotFoundError:
        raise UsageError(
            f"{path.name} is not in {path.parent}: rlbench data fetch neorl2 --task {file.task}"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    return path, content


def parse(content: bytes, task: str) -> Trajectories:
    """Return what a ``.npz`` file of a task holds; nothing in it is unpickled.

    Raises:
        UsageError: It is no such file.
    """
    try:
        arrays = read_npz(content, (*_FLOATS, *_ENDS), MAX_BYTES)
    except UsageError as error:
        raise UsageError(f"it is not a data file of {task}: {error}") from error
    return _checked(arrays, task)


def _checked(arrays: dict[str, NDArray[Any]], task: str) -> Trajectories:
    """Return arrays that fit the task, in the dtypes of `Trajectories`."""
    widths = dict(zip(_WIDE, (_SIZES[task][0], _SIZES[task][1], _SIZES[task][0]), strict=True))
    n = len(arrays["reward"]) if arrays["reward"].ndim else 0
    for key, array in arrays.items():
        shape = (n, widths[key]) if key in widths else (n,)
        if array.shape != shape or not n:
            raise UsageError(f"{key} has the shape {array.shape}, not {shape}")
        if not np.isfinite(array).all():
            raise UsageError(f"{key} is not finite everywhere")
        if key in _ENDS and not np.isin(array, (0, 1)).all():
            raise UsageError(f"{key} must hold only 0 and 1")
    data = Trajectories._make(
        array.astype(np.float32 if key in _FLOATS else np.bool_, copy=False)
        for key, array in arrays.items()
    )
    if not (data.done[-1] or data.truncated[-1]):
        raise UsageError("its last episode has no end")
    return data


def fetch_data(
    file: DataFile,
    tell: Callable[[str], None],
    *,
    host: str = HOST,
    mirror: str = MIRROR,
    timeout: float = TIMEOUT,
    progress: Progress = lambda name, here, total: None,
) -> str:
    """Fetch a file from the official host, or else from the mirror.

    Args:
        file: Which.
        tell: Told why the official host is of no use.
        host: Instead of the official host.
        mirror: Instead of the mirror; empty for none.
        timeout: Seconds to wait for any byte.
        progress: Told how far it is.

    Returns:
        The `status` of what is here now.

    Raises:
        FetchError: Neither has it.
        MissingExtra: The mirror's files cannot be read.
    """
    found = "verified"

    def check(content: bytes) -> None:
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[file.name]:
            raise FetchError(f"{file.name}.npz from {host} has another MD5 than the official file")

    def convert(content: bytes) -> bytes:
        nonlocal found
        try:
            data = from_parquet(content, file.task)
        except UsageError as error:
            raise FetchError(f"{file.name}.parquet from {mirror}: {error}") from error
        found = status(file, b"", data)
        if found == "other":
            raise FetchError(
                f"{file.name}.parquet from {mirror} holds other data than the official file"
            )
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **data._asdict())
        return out.getvalue()

    how: dict[str, Any] = {"limit": MAX_BYTES, "timeout": timeout, "progress": progress}
    try:
        fetch(f"{host}/{file.task}/{file.name}.npz", file.path, check, **how)
    except FetchError as error:
        if not mirror:
            raise
        tell(f"{error}: trying the mirror")
        place = f"{file.task}/{file.split}/{file.name}.parquet"
        fetch(f"{mirror}/{place}", file.path, convert, **how)
    return found


def from_parquet(content: bytes, task: str) -> Trajectories:
    """Return what a file of the mirror holds: columns ``obs_0``, ..., ``reward``, ``done``, ...

    Raises:
        UsageError: It is no such file.
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("the mirror", "parquet", error.name or "") from error
    d, a = _SIZES[task]
    columns = {
        **{key: [f"{key}_{i}" for i in range(a if key == "action" else d)] for key in _WIDE},
        **{key: [key] for key in ("reward", *_ENDS)},
    }
    try:
        source = parquet.ParquetFile(io.BytesIO(content))
        about = source.metadata
        size = about.num_rows * sum(map(len, columns.values())) * 8
        if max(size, *_sizes(about)) > 2 * MAX_BYTES:
            raise UsageError("its content is over the limit")
        table = source.read([name for names in columns.values() for name in names])
        missing = [n for names in columns.values() for n in names if n not in table.column_names]
        if missing:
            raise UsageError(f"there is no column {missing[0]}")
        arrays = {
            key: np.stack([np.asarray(table[n].to_numpy(), np.float32) for n in names], axis=-1)
            for key, names in columns.items()
        }
    except (arrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise UsageError(f"it is not a data file of {task}: {one_line(error)}") from error
    return _checked({k: v if k in _WIDE else v[:, 0] for k, v in arrays.items()}, task)


def _sizes(about: Any) -> Iterator[int]:
    """Yield how large a Parquet file says that its groups of rows are."""
    yield 0
    yield sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))


def fetch_networks(
    *,
    host: str = NETWORK_HOST,
    timeout: float = TIMEOUT,
    progress: Progress = lambda name, here, total: None,
) -> None:
    """Fetch the networks of Fusion that are not here.

    Raises:
        FetchError: One cannot be had.
    """
    for name in NETWORK_SHA256:
        path = data_folder() / "neorl2" / "fusion" / name
        if networks_status([name]) == "verified":
            continue

        def check(content: bytes, name: str = name) -> None:
            if hashlib.sha256(content).hexdigest() != NETWORK_SHA256[name]:
                raise FetchError(f"{name} from {host} differs from the pinned file")

        fetch(f"{host}/{name}", path, check, limit=MAX_BYTES, timeout=timeout, progress=progress)


def networks_status(names: Iterable[str] = tuple(NETWORK_SHA256)) -> str:
    """Say whether the networks of Fusion are here: ``verified``, ``missing`` or ``other``."""
    folder = data_folder() / "neorl2" / "fusion"
    found = {status_of(folder / name, NETWORK_SHA256[name]) for name in names}
    return next(word for word in ("missing", "other", "verified") if word in found)


def status_here(file: DataFile) -> str:
    """Say whether a file is here: ``missing``, ``damaged``, or its `status`."""
    try:
        content = _content(file)[1]
        return status(file, content, parse(content, file.task))
    except UsageError:
        return "damaged" if file.path.exists() else "missing"
