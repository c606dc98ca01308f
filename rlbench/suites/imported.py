"""Datasets from outside under names of their own, and Minari's form of datasets.

An imported dataset is kept as ``imported/<name>.npz`` in the folder of data: the arrays of
`Episodes`, never pickled. A suite in a TOML file names it, and one in Python calls ``load(name)``.
"""

import hashlib
import io
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.errors import InvalidEnvironment, MissingExtra, UsageError, one_line
from rlbench.files import read_bounded, replace_file
from rlbench.suites.dataset import Dataset, Episodes
from rlbench.suites.fetching import data_folder
from rlbench.suites.hdf5 import MAX_BYTES, read_hdf5
from rlbench.suites.mapped import mapped
from rlbench.suites.npz import read_npz
from rlbench.suites.suite import Constant, Task

if TYPE_CHECKING:
    from gymnasium.spaces import Space

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEYS = tuple(field.name for field in fields(Episodes))


def path_of(name: str) -> Path:
    """Return where an imported dataset is kept.

    Raises:
        UsageError: The name is none that a file can have.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"a dataset's name has lowercase letters, digits, . and -: {name!r}")
    return data_folder() / "imported" / f"{name}.npz"


def names_here() -> list[str]:
    """Return the names of the imported datasets."""
    return sorted(path.stem for path in (data_folder() / "imported").glob("*.npz"))


def import_dataset(source: Path, name: str) -> Episodes:
    """Read a dataset and keep it under a name.

    Args:
        source: An HDF5 file of D4RL's or Minari's form, or the folder of a dataset of Minari.
        name: The name to keep it under.

    Raises:
        UsageError: It cannot be read, is no such dataset, or holds something that is refused;
            nothing is kept then.
        MissingExtra: h5py is not installed.
    """
    path = path_of(name)
    file = source / "data" / "main_data.hdf5" if source.is_dir() else source
    try:
        episodes = read_hdf5(read_bounded(file, MAX_BYTES))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **{key: getattr(episodes, key) for key in _KEYS})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, out.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    return episodes


def load(name: str, sha256: str = "") -> Episodes:
    """Return an imported dataset, mapped (see `rlbench.suites.mapped`).

    Args:
        name: As it was imported.
        sha256: What its `content_hash` must be, if that matters.

    Raises:
        UsageError: It is not here, is damaged, or is another.
    """
    path = path_of(name)
    try:
        content = read_bounded(path, MAX_BYTES)
        found = Episodes(
            **mapped(content, "imported", lambda: read_npz(content, _KEYS, 2 * MAX_BYTES))
        )
    except FileNotFoundError:
        raise UsageError(
            f"there is no dataset {name!r} in {path.parent}: rlbench data import FILE --name {name}"
        ) from None
    except (OSError, UsageError, InvalidEnvironment) as error:
        raise UsageError(f"{path} cannot be read: {one_line(error)}; import it again") from error
    if sha256 and content_hash(found) != sha256:
        raise UsageError(f"{path} is not the dataset that the suite names")
    return found


def dataset_of(task: Task, constants: Mapping[str, Constant]) -> Dataset:
    """Load what an offline task of a suite in a TOML file learns from; see `Suite.dataset`.

    The last ``validation_episodes`` of the dataset are to choose by, the others to learn from.

    Raises:
        UsageError: The dataset is not here, is another, has too few episodes or another mean
            return than the task states, or does not fit the spaces of the environment.
    """
    from rlbench.suites.gymnasium_ids import make_one  # gymnasium is imported when needed

    name, sha256 = str(constants["dataset"]), str(constants["dataset_sha256"])
    held: Any = constants["validation_episodes"]
    data = load(name, sha256)
    env = make_one(constants)
    spaces = env.observation_space, env.action_space
    env.close()
    for what, space in zip(("obs", "action"), spaces, strict=True):
        shape = getattr(data, what).shape[1:]
        if shape != space.shape:
            raise UsageError(f"the {what} of {name} is {shape}, that of {task.name} {space.shape}")
    starts = np.flatnonzero(data.first)
    if held >= len(starts):
        raise UsageError(f"{name} has {len(starts)} episodes: too few to hold {held} back")
    split = int(starts[len(starts) - held])
    train = _rows(data, slice(0, split))
    mean = float(train.reward.sum() / train.first.sum())
    if task.data is not None and not math.isclose(task.data, mean, rel_tol=1e-4, abs_tol=1e-4):
        raise UsageError(
            f"the training episodes of {name} return {mean:.6g} on average, not {task.data:g}: "
            f"correct data_return of {task.name}"
        )
    return Dataset(
        train=train,
        validation=_rows(data, slice(split, None)),
        observation_space=spaces[0],
        action_space=spaces[1],
    )


def _rows(data: Episodes, rows: slice) -> Episodes:
    return Episodes(**{key: getattr(data, key)[rows] for key in _KEYS})


def content_hash(data: Episodes) -> str:
    """Return the sha256 of the arrays, with their dtypes and shapes."""
    found = hashlib.sha256()
    for key in _KEYS:
        array = getattr(data, key)
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        found.update(f"{key} {little.dtype.str} {little.shape}\n".encode())
        found.update(little.tobytes())
    return found.hexdigest()


def export_minari(
    data: Episodes,
    folder: Path,
    dataset_id: str,
    *,
    observation_space: "Space[Any]",
    action_space: "Space[Any]",
    description: str,
) -> Path:
    """Write episodes as a dataset of Minari.

    Args:
        data: The episodes.
        folder: Of Minari's datasets; it is made.
        dataset_id: ``[namespace/]name-vN``.
        observation_space: Of one environment.
        action_space: The same.
        description: For people.

    Returns:
        The folder of the dataset.

    Raises:
        UsageError: The folder holds such a dataset, or cannot be written.
        MissingExtra: Minari is not installed.
    """
    try:
        import minari
        from minari.data_collector import EpisodeBuffer
    except ModuleNotFoundError as error:
        raise MissingExtra("datasets of Minari", "minari", error.name or "") from error
    if (folder / dataset_id).exists():
        raise UsageError(f"{folder / dataset_id} already exists")
    starts = np.flatnonzero(data.first)
    buffers = [
        EpisodeBuffer(
            id=number,
            observations=list(np.concatenate([data.obs[a:b], data.next_obs[b - 1 : b]])),
            actions=list(data.action[a:b]),
            rewards=data.reward[a:b].tolist(),
            terminations=data.terminated[a:b].tolist(),
            truncations=data.truncated[a:b].tolist(),
            infos=None,
        )
        for number, (a, b) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True))
    ]
    create = partial(
        minari.create_dataset_from_buffers, dataset_id, buffers,
        observation_space=observation_space, action_space=action_space, description=description,
        author="rlbench", author_email="none", code_permalink="none", algorithm_name="not known",
        requirements=[],
    )  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".rlbench-", dir=folder) as work:
            _create_in(Path(work).resolve(), create)
            _move(Path(work), folder, dataset_id)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {folder / dataset_id}: {one_line(error)}") from error
    return folder / dataset_id


def _create_in(folder: Path, create: Callable[[], object]) -> None:
    """Have Minari create a dataset in a folder."""
    with _minari_folder(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no environment is named
        create()


def _move(work: Path, folder: Path, dataset_id: str) -> None:
    """Move a complete dataset, and the note of its namespace unless there is one, into a folder."""
    namespace, _, _ = dataset_id.rpartition("/")
    (folder / namespace).mkdir(parents=True, exist_ok=True)
    os.replace(work / dataset_id, folder / dataset_id)
    note = "namespace_metadata.json"
    if (work / namespace / note).exists() and not (folder / namespace / note).exists():
        os.replace(work / namespace / note, folder / namespace / note)


@contextmanager
def _minari_folder(folder: Path) -> Iterator[None]:
    """Have Minari keep its datasets in a folder."""
    name = "MINARI_DATASETS_PATH"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
